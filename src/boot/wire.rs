//! The only place where things are built: from options to a running server.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::config::{Config, ConfigError};
use super::owner::{self, Owner};
use super::tls::{Certificate, TlsFiles};
use super::{BootError, listen, live};
use crate::base::bell::Bells;
use crate::base::clock::Clock;
use crate::base::id::UserId;
use crate::base::limits;
use crate::base::metrics::Metrics;
use crate::base::secret::{Sealer, Secret};
use crate::base::viewer::Role;
use crate::domain::setup::{ContactKind, Setup};
use crate::flows::fold::Floods;
use crate::flows::handed::Handed;
use crate::flows::refusal::Refusals;
use crate::flows::shout::Shouts;
use crate::flows::{House, Pulse, access, apply, fold, ingest};
use crate::mail;
use crate::store::{self, Store, StoreOptions};
use crate::web::{self, Check, Checks, Doors};
use crate::workers::{self, Crew};

/// What a server is built from.
pub struct Options {
    /// As `serve --database`.
    pub database: String,
    /// Bound already, so that a test may take any free port.
    pub listener: TcpListener,
    pub clock: Clock,
    pub config: Given,
    /// Where the secret key and the first administrator's link rest.
    pub var: PathBuf,
    /// Taken instead of the file in `var`; replicas share it.
    pub secret_key: Option<Secret>,
    /// Wins over what is configured.
    pub own: live::Own,
    /// `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Kept beside a SQLite database for a full disk; 0: none.
    pub ballast_bytes: u64,
}

/// The configuration a server starts with.
pub enum Given {
    /// What was applied last, or nothing yet.
    Nothing,
    /// Applied before anything starts.
    Config(Box<Config>),
    /// A file that cannot be applied. It fails a first start; a later one goes on with what was applied last and says so, because a typo
    /// must not stop the pager.
    Broken(ConfigError),
}

/// A running server. Dropping it stops everything at once; [`Running::stop`] lets requests end first.
pub struct Running {
    pub addr: SocketAddr,
    pub house: House,
    /// What is wrong with the configuration file, for `/readyz`.
    pub configuration: Complaint,
    /// A one-time link for the first administrator, where this start wrote one.
    pub first_admin_link: Option<PathBuf>,
    doors: Doors,
    stop: watch::Sender<bool>,
    /// The doors: it ends once the requests under way have.
    serving: JoinSet<()>,
    /// What runs beside the doors: the stream's tailer, and the watcher of the configuration.
    beside: JoinSet<()>,
    crew: Crew,
    acceptor: Option<TlsAcceptor>,
    /// Held for as long as this process lives: it makes the replica's name its own.
    _name: File,
}

/// Builds a server and starts it. It is ready when this returns.
///
/// # Errors
/// A database that cannot be opened, a configuration that cannot be applied, a secret key of another installation.
pub async fn start(options: Options) -> Result<Running, BootError> {
    install_crypto();
    let Options { database, listener, clock, config, var, secret_key, own, tls, ballast_bytes } = options;
    let addr = listener.local_addr().map_err(BootError::Listen)?;
    let store = Store::open_exclusive(&database, StoreOptions { ballast_bytes, ..StoreOptions::default() }).await?;
    store.migrate().await?;
    let Owner { name, former, held } = owner::take(&var)?;
    let owner: Arc<str> = name.into();
    store::leases_take_back(&store, former.as_deref().unwrap_or(&owner)).await?;
    fold::put_back(&store).await?;
    let sealer = sealer(&var, secret_key)?;
    let mut complaint = None;
    match config {
        Given::Nothing => {}
        Given::Config(config) => {
            apply::apply(&store, &clock, &sealer, &live::wanted(&config)?).await?;
        }
        Given::Broken(error) if store::setup_version(&store.reader()).await? == 0 => return Err(error.into()),
        Given::Broken(error) => {
            tracing::error!("the configuration cannot be applied; the one applied last stays in force. Mend the file:\n{error}");
            complaint = Some(error.to_string());
        }
    }
    let (live_now, live) = watch::channel(Arc::new(live::load(&store, &sealer, &clock, &own).await?));
    let (intake, queue) = ingest::queue();
    let page_lane = Pulse::default();
    page_lane.beat(clock.now());
    let metrics = Metrics::new(&store.calls());
    let house = House {
        metrics,
        store: store.clone(),
        clock: clock.clone(),
        bells: Bells::default(),
        owner,
        live,
        intake,
        journaled: Arc::default(),
        page_lane,
        handed: Handed::default(),
        shouts: Shouts::default(),
        refusals: Refusals::default(),
        floods: Floods::default(),
    };
    let certificate = tls.map(Certificate::open);
    let acceptor = certificate.as_ref().map(Certificate::acceptor).transpose()?;
    let first_admin_link =
        first_admin_link(&house, &var, &format!("{}://{addr}", if certificate.is_some() { "https" } else { "http" })).await?;

    let crew = workers::start(&house, queue);
    let mut beside = JoinSet::new();
    let watcher = (store, sealer, clock, house.bells.clone(), own, live_now);
    beside.spawn(workers::supervise("watcher of the configuration", house.metrics.clone(), move || {
        let (store, sealer, clock, bells, own, live_now) = watcher.clone();
        live::watch(store, sealer, clock, bells, own, live_now)
    }));
    let (stop, stopping) = watch::channel(false);
    let configuration = Complaint::default();
    configuration.set(complaint);
    let doors = Doors::new(house.clone(), checks(&house, &configuration, certificate.clone()));
    let tail = doors.tail.clone();
    beside.spawn(workers::supervise("tailer of the stream", house.metrics.clone(), move || tail.clone().run()));
    if let Some(certificate) = certificate {
        beside.spawn(workers::supervise("watcher of the certificate", house.metrics.clone(), move || certificate.clone().watch()));
    }
    let mut serving = JoinSet::new();
    serving.spawn(listen::serve(listener, acceptor.clone(), web::router(&doors), house.metrics.clone(), stopping));
    Ok(Running { addr, house, configuration, first_admin_link, doors, stop, serving, beside, crew, acceptor, _name: held })
}

impl Running {
    /// Takes mail for this domain too, under the server's certificate where it has one.
    pub fn take_mail(&mut self, listener: TcpListener, domain: &str) {
        let door = mail::Door::new(self.house.clone(), domain, self.acceptor.clone());
        self.serving.spawn(mail::serve(listener, door, self.stop.subscribe()));
    }

    /// Takes no more requests, lets those under way end, then stops the workers. Whatever was not finished is in the database.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.doors.tail.close();
        // The doors end by themselves, and the workers go on until then: a request under way may need them. Only nothing new leaves.
        let serving = async { while self.serving.join_next().await.is_some() {} };
        let doors = tokio::time::timeout(limits::SHUT_DOWN.as_duration() + Duration::from_secs(1), serving);
        let sends = tokio::time::timeout(limits::SHUT_DOWN.as_duration(), self.crew.wind_down());
        let (doors, sends) = tokio::join!(doors, sends);
        if sends.is_err() {
            tracing::warn!("sends were cut off at the end; the next start asks the provider what became of them");
        }
        if doors.is_err() {
            tracing::warn!("the doors did not close in time");
        }
        self.serving.shutdown().await;
        self.beside.shutdown().await;
        self.crew.stop().await;
        self.house.store.close().await;
    }
}

/// What is wrong with the configuration file, while something is.
#[derive(Clone, Default)]
pub struct Complaint(Arc<Mutex<Option<String>>>);

impl Complaint {
    /// `None`: nothing is wrong any more.
    pub fn set(&self, complaint: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = complaint;
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the roof knows about this process that its doors do not.
fn checks(house: &House, configuration: &Complaint, certificate: Option<Certificate>) -> Checks {
    let (house, configuration) = (house.clone(), configuration.clone());
    Arc::new(move || {
        let silent = house.page_lane.age(house.clock.now());
        let complaint = configuration.get();
        let telephone = house.now_live().channels.find(ContactKind::Voice).is_some();
        let certificate = certificate.as_ref().map(|certificate| {
            let complaint = certificate.complaint();
            // The one before may still be in force: senders notice that it is old before this process does.
            let detail = complaint.clone().unwrap_or_else(|| "can be used".to_owned());
            Check { name: "certificate", well: complaint.is_none(), needed: false, detail }
        });
        let mut checks = vec![
            Check {
                name: "page lane",
                well: silent <= limits::PAGE_LANE_SILENT,
                needed: true,
                detail: if silent <= limits::PAGE_LANE_SILENT { "looks for work".to_owned() } else { format!("silent for {silent}") },
            },
            Check {
                name: "telephone",
                well: telephone,
                needed: false,
                detail: if telephone { "configured" } else { "no [twilio] is configured: nobody can be called" }.to_owned(),
            },
            Check {
                name: "configuration",
                well: complaint.is_none(),
                needed: false,
                detail: complaint.unwrap_or_else(|| format!("version {} is in force", house.now_live().version)),
            },
        ];
        checks.extend(certificate);
        checks.extend(house.now_live().chat.as_ref().map(|chat| {
            let troubles = chat.health.troubles();
            let detail = if troubles.is_empty() { "no trouble met".to_owned() } else { troubles.join("; ") };
            Check { name: "slack", well: troubles.is_empty(), needed: false, detail }
        }));
        checks.extend(house.store.ballast().map(|ballast| {
            let detail = match (ballast.is_held(), ballast.is_short()) {
                (true, _) => "has room",
                (false, true) => "short of room: pages go on with what is left of it. Make room",
                (false, false) => "its ballast is being made",
            };
            Check { name: "disk", well: !ballast.is_short(), needed: false, detail: detail.to_owned() }
        }));
        checks
    })
}

/// One TLS provider for the whole process, installed first: with two, the first handshake panics.
pub fn install_crypto() {
    // A second start in one process finds it installed already.
    rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
}

/// The secret key: given, or of its file, which is made at the first start.
///
/// # Errors
/// When the file can neither be read nor made, or holds no key.
pub fn sealer(var: &Path, given: Option<Secret>) -> Result<Sealer, BootError> {
    let key = match given {
        Some(key) => key,
        None => Secret::new(kept(&var.join("secret.key"), || Sealer::new_key().expose().to_owned())?),
    };
    Ok(Sealer::open(&key)?)
}

/// A file's text; made, readable by its owner alone, where it does not exist.
fn kept(path: &Path, make: impl FnOnce() -> String) -> Result<String, BootError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_private(path, &make())?;
            // Not what was made: another process may have been quicker.
            let text = std::fs::read_to_string(path).map_err(|source| BootError::File { path: path.to_owned(), source })?;
            Ok(text.trim().to_owned())
        }
        Err(error) => Err(BootError::File { path: path.to_owned(), source: error }),
    }
}

/// Writes a file in one piece: a process that dies half way leaves none, rather than an empty one that nothing mends.
fn write_private(path: &Path, text: &str) -> Result<(), BootError> {
    let failed = |error| BootError::File { path: path.to_owned(), source: error };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", &Secret::random().digest()[..8]));
    let draft = PathBuf::from(draft);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all()).map_err(failed)?;
    // A link, not a renaming: who comes second must not replace what the first has begun to use.
    let linked = match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    };
    std::fs::remove_file(&draft).map_err(failed)?;
    linked.map_err(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// The first start writes a link with which the first administrator signs in.
async fn first_admin_link(house: &House, var: &Path, own_url: &str) -> Result<Option<PathBuf>, BootError> {
    let path = var.join("first-admin-link");
    if path.exists() {
        return Ok(None);
    }
    let live = house.now_live();
    let url = sign_in_url(house, live.public_url.as_deref().unwrap_or(own_url), &first_admin(&live.setup)).await?;
    write_private(&path, &url)?;
    Ok(Some(path))
}

/// Who signs in first: the first administrator of the setup, or, before there is any, a name of its own.
fn first_admin(setup: &Setup) -> UserId {
    let admin = setup.users.values().find(|user| user.role == Role::Admin);
    admin.map_or_else(|| UserId::from(access::FIRST_ADMIN), |user| user.id.clone())
}

/// A one-time sign-in link for this user.
///
/// # Errors
/// The store's.
pub async fn sign_in_url(house: &House, base: &str, user: &UserId) -> Result<String, BootError> {
    let link = access::create_link(&house.store, &house.clock, user).await?;
    Ok(format!("{}/sign-in/{}", base.trim_end_matches('/'), link.expose()))
}
