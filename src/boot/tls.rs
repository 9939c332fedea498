//! The certificate that the doors show: read from its two files, and read again when they change, because certificates are renewed
//! while the server runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at. A renewed certificate is due days before the old one ends.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the certificate with its chain and its private key rest, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{what}")]
    Pem { what: &'static str },
    #[error("the certificate and the key do not belong together")]
    Strangers,
    #[error("the key or the certificate cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// Reads a chain and its key, and makes sure that they belong together.
///
/// # Errors
/// When one of them is no PEM of its kind, or the two do not match.
pub fn read(cert: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_slice_iter(cert).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(TlsError::Pem { what: "there is no certificate in PEM in it" })?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Pem { what: "there is no private key in PEM in it" })?;
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
        .map_err(|error| if matches!(error, rustls::Error::InconsistentKeys(_)) { TlsError::Strangers } else { TlsError::Unusable(error) })
}

/// The certificate in force. Clones share it.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    shown: Mutex<Shown>,
}

struct Shown {
    key: Option<Arc<CertifiedKey>>,
    /// What is wrong with the files as they are now.
    complaint: Option<String>,
}

impl Certificate {
    /// Reads the files. Where they cannot be used, every handshake fails until they can: the process goes on paging meanwhile, and
    /// never answers in the clear where it was told not to.
    #[must_use]
    pub fn open(files: TlsFiles) -> Self {
        let own = Self(Arc::new(Inner { files, shown: Mutex::new(Shown { key: None, complaint: None }) }));
        own.load();
        own
    }

    /// What shakes hands with this certificate.
    ///
    /// # Errors
    /// When TLS cannot be set up at all.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(TlsError::Unusable)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// What is wrong with the files, while something is.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner).complaint.clone()
    }

    /// Reads the files again whenever they change. What cannot be used leaves the certificate before in force, and says so.
    pub async fn watch(self) {
        let mut seen = self.stamps();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.stamps();
            // Half of a renewal reads as two that do not match: what is complained of is read again, also where nothing seems to change.
            if now != seen || self.complaint().is_some() {
                seen = now;
                self.load();
            }
        }
    }

    fn load(&self) {
        let TlsFiles { cert, key } = &self.0.files;
        let loaded = file(cert).and_then(|cert| Ok((cert, file(key)?))).and_then(|(cert, key)| read(&cert, &key));
        let mut shown = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(key) => {
                let is_new = shown.key.as_ref().is_none_or(|old| old.cert != key.cert);
                *shown = Shown { key: Some(Arc::new(key)), complaint: None };
                if is_new {
                    tracing::info!(file = %cert.display(), "the certificate is in force");
                }
            }
            Err(error) => {
                let text = error.to_string();
                // Told once, not each time it is looked at.
                if shown.complaint.as_ref() != Some(&text) {
                    tracing::error!(%error, cert = %cert.display(), key = %key.display(), has_old = shown.key.is_some(),
                        "the certificate cannot be used; the one before stays in force, and without one no connection is taken");
                }
                shown.complaint = Some(text);
            }
        }
    }

    fn stamps(&self) -> [Option<(SystemTime, u64)>; 2] {
        let stamp = |path: &Path| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        [stamp(&self.0.files.cert), stamp(&self.0.files.key)]
    }
}

fn file(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner).key.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.0.files).finish()
    }
}
