//! The doors with a certificate of their own, over real connections.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reveille::base::clock::Clock;
use reveille::base::time::Time;
use reveille::boot::live;
use reveille::boot::tls::TlsFiles;
use reveille::boot::wire::{self, Given, Options, Running};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An authority that nobody knows but who is handed its certificate.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    /// Writes a certificate for `localhost` and its key, as a renewal does: whole files, one after the other.
    fn renews(&self, files: &TlsFiles) {
        let key = KeyPair::generate().expect("a key");
        let cert = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters").signed_by(&key, &self.0).expect("signed");
        for (path, text) in [(&files.cert, cert.pem()), (&files.key, key.serialize_pem())] {
            let draft = path.with_extension("new");
            std::fs::write(&draft, text).expect("a file");
            std::fs::rename(&draft, path).expect("it takes the other's place");
        }
    }

    /// A client that trusts this authority and no other, and keeps no connection.
    fn client(&self, address: SocketAddr) -> reqwest::Client {
        let root = reqwest::Certificate::from_pem(self.0.pem().as_bytes()).expect("a certificate");
        let builder = reqwest::Client::builder().tls_certs_only([root]).no_proxy().pool_max_idle_per_host(0);
        builder.resolve("localhost", address).timeout(Duration::from_secs(10)).build().expect("a client")
    }
}

async fn serve(folder: &Path, tls: TlsFiles) -> Running {
    wire::install_crypto();
    wire::start(Options {
        database: folder.join("reveille.db").display().to_string(),
        listener: TcpListener::bind(("127.0.0.1", 0)).await.expect("a port"),
        clock: Clock::fake(Time::parse_rfc3339("2026-01-07T02:00:00Z").expect("a time")),
        config: Given::Nothing,
        var: folder.join("var"),
        secret_key: None,
        own: live::Own::default(),
        tls: Some(tls),
        ballast_bytes: 0,
    })
    .await
    .expect("the server starts")
}

async fn health(client: &reqwest::Client, address: SocketAddr) -> Result<u16, reqwest::Error> {
    Ok(client.get(format!("https://localhost:{}/healthz", address.port())).send().await?.status().as_u16())
}

/// Asks until there is an answer; the files are looked at once a second.
async fn until(what: &str, client: &reqwest::Client, address: SocketAddr) {
    let seen = tokio::time::timeout(Duration::from_secs(15), async {
        while health(client, address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(seen.await.is_ok(), "within fifteen seconds: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_shown_and_renewed_while_the_server_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = TlsFiles { cert: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    wire::install_crypto();
    old.renews(&files);
    let running = serve(folder.path(), files.clone()).await;
    let address = running.addr;
    let (by_old, by_new) = (old.client(address), new.client(address));
    assert_eq!(health(&by_old, address).await.expect("it answers"), 200);
    assert!(health(&by_new, address).await.is_err(), "a stranger's certificate is none");

    // Who speaks in the clear is not answered.
    let mut plain = TcpStream::connect(address).await.expect("it connects");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let mut said = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), plain.read_to_end(&mut said)).await.expect("it is ended").unwrap_or_default();
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");

    new.renews(&files);
    until("the new certificate is shown", &by_new, address).await;
    // Asked by a newcomer: a client that was here before resumes its session and is shown no certificate.
    assert!(health(&old.client(address), address).await.is_err(), "the old one is not");

    // A renewal that went wrong leaves the one before in force, and says so.
    std::fs::write(&files.cert, "no certificate").expect("a file");
    let client = new.client(address);
    let ready = async || {
        let answer = client.get(format!("https://localhost:{}/readyz", address.port())).send().await.expect("it answers");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    let told = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            let (status, text) = ready().await;
            assert_eq!(status, 200, "{text}");
            if text.contains("warn certificate: there is no certificate in PEM in it") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    told.await.expect("/readyz says so");
    old.renews(&files);
    until("what is mended is shown", &old.client(address), address).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_the_house_runs_and_the_door_is_shut_until_there_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = TlsFiles { cert: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
    let authority = Authority::new("late");
    let running = serve(folder.path(), files.clone()).await;
    let client = authority.client(running.addr);
    assert!(health(&client, running.addr).await.is_err());
    authority.renews(&files);
    until("the door opens", &client, running.addr).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_never_ends_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = TlsFiles { cert: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
    wire::install_crypto();
    Authority::new("one").renews(&files);
    let running = serve(folder.path(), files).await;
    let silent = TcpStream::connect(running.addr).await.expect("it connects");
    tokio::time::timeout(Duration::from_secs(3), running.stop()).await.expect("it stops without waiting for the silent one");
    drop(silent);
}
