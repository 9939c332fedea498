//! The commands that build something: the server, the stage, the database's own. What talks to a server is the command line's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;

use super::config::{self, ConfigError, Surroundings};
use super::demo::{self, Demo};
use super::interrupt::interrupted;
use super::tell::tell;

use super::wire::{self, Complaint, Given, Options};
use super::{BootError, doctor, keep, live, staged, telemetry};
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::secret::{Sealer, Secret};
use crate::cli::args::{self, Admin, Args, Command, Token, User};
use crate::cli::{Exit, remote};
use crate::domain::setup;
use crate::flows::{House, access, apply};
use crate::sources;
use crate::stage::scenario::{Phones, Replay, SCENARIOS, Scenario, replay};
use crate::store::{self, Store, StoreOptions};

/// How often the configuration file is looked at.
const FILE_EVERY: Duration = Duration::from_millis(500);
/// How long it has to stay as it is before it is read.
const FILE_RESTS: Duration = Duration::from_millis(100);

/// Does what this process's arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    run(Args::of_process())
}

fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads can be had from the system: {error}");
            return Exit::Failed.into();
        }
    };
    wire::install_crypto();
    let json = args.global.json;
    let quiet = !matches!(args.command, Command::Serve(_));
    telemetry::start(quiet);
    let outcome = runtime.block_on(async {
        match args.command {
            Command::Serve(serve) => self::serve(serve).await,
            Command::Demo(demo) => self::demo(&demo).await,
            Command::Stage(stage) => staged::run(&stage).await,
            Command::Check(check) => return check_file(&check.file, json),
            Command::Apply(apply) => self::apply(&apply, json).await,
            Command::Migrate(migrate) => self::migrate(&migrate).await,
            Command::Token { command: Token::Create(token) } => token_create(&token, json).await,
            Command::Token { command: Token::List(list) } => keep::token_list(&list, json).await,
            Command::Token { command: Token::Revoke(token) } => keep::token_revoke(&token, json).await,
            Command::Doctor(asked) => match doctor::doctor(&asked, json).await {
                Ok(true) => Ok(()),
                Ok(false) => return Exit::Failed.into(),
                Err(error) => Err(error),
            },
            Command::Backup(backup) => keep::backup(&backup, json).await,
            Command::Restore(restore) => keep::restore(&restore, json).await,
            Command::Completions(asked) => keep::completions(asked),
            Command::Admin { command: Admin::Link(link) } => admin_link(&link).await,
            Command::User { command: User::Invite(invite) } => user_invite(&invite, json).await,
            Command::Replay(replay) => self::replay_scenario(&replay).await,
            Command::Remote(remote) => return remote::run(&args.global, &remote).await,
        }
        .map_or_else(
            |error| {
                eprintln!("error: {error}");
                if matches!(error, BootError::Unknown(_)) { Exit::NotFound.into() } else { Exit::Failed.into() }
            },
            |()| Exit::Done.into(),
        )
    });
    // What still runs is asleep; the process does not wait for it.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(serve: args::Serve) -> Result<(), BootError> {
    let surroundings = Surroundings::of_process();
    let (server, given) = match &serve.config {
        Some(path) => match read(path, &surroundings) {
            Ok(config) => (config.settings.server.clone(), Given::Config(Box::new(config))),
            // A mistake elsewhere in the file must not send this start to another database or address.
            Err(error) => (config::server_as_far_as_readable(path, &surroundings), Given::Broken(error)),
        },
        None => match config::from_environment(&surroundings) {
            Ok((config, _)) => (config.settings.server, Given::Nothing),
            // Half a section in the environment, as after a file was left out, must not stop the pager either.
            Err(error) => (config::server_of_environment(&surroundings), Given::Broken(error)),
        },
    };
    let listen = address(serve.listen().unwrap_or(&server.listen))?;
    let database = serve.database.given().unwrap_or(&server.database).clone();
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| BootError::Refused(format!("cannot listen on {listen}: {error}; choose another address with --listen")))?;
    let from_environment = serve.config.is_none();
    let mail = match &server.mail {
        Some(mail) => Some((mail_listener(mail.listen).await?, mail.domain.clone())),
        None => None,
    };
    let mut running = wire::start(Options {
        var: var_of(database.expose()),
        database: database.expose().to_owned(),
        listener,
        clock: Clock::system(),
        config: given,
        secret_key: server.secret_key.clone(),
        own: if from_environment { own(&server) } else { live::Own::default() },
        tls: server.tls.clone(),
        ballast_bytes: limits::BALLAST_BYTES,
    })
    .await?;
    eprintln!("Reveille listens on {}://{}", if server.tls.is_some() { "https" } else { "http" }, running.addr);
    if let Some((listener, domain)) = mail {
        let addr = listener.local_addr().map_err(BootError::Listen)?;
        running.take_mail(listener, &domain);
        eprintln!("It takes mail for {domain} on {addr}");
    }
    if let Some(link) = &running.first_admin_link {
        eprintln!("The first administrator signs in with the link in {}", link.display());
    }
    if running.house.now_live().setup.integrations.is_empty() {
        eprintln!("Nothing can alert yet. Write a configuration (reveille.example.toml is one) and run: reveille apply FILE");
    }
    let sealer = wire::sealer(&var_of(database.expose()), server.secret_key)?;
    let watching = async {
        match &serve.config {
            Some(path) => watch_file(&running.house, &running.configuration, &sealer, path, &surroundings).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = interrupted() => {}
        () = watching => {}
    }
    tracing::info!("stopping: requests under way may end");
    running.stop().await;
    Ok(())
}

async fn mail_listener(listen: SocketAddr) -> Result<TcpListener, BootError> {
    let refused = |error| BootError::Refused(format!("cannot take mail on {listen}: {error}; choose another address under [mail]"));
    TcpListener::bind(listen).await.map_err(refused)
}

/// What the environment says of the process where there is no file to apply.
fn own(server: &config::Server) -> live::Own {
    live::Own {
        public_url: server.public_url.clone(),
        metrics_token: server.metrics_token.clone(),
        heartbeat_url: server.heartbeat_url.clone(),
        private_targets: server.private_targets.clone(),
        sns_url: None,
    }
}

/// Applies the file again whenever it changes.
async fn watch_file(house: &House, configuration: &Complaint, sealer: &Sealer, path: &Path, surroundings: &Surroundings) {
    let mut seen = stamp(path);
    loop {
        tokio::time::sleep(FILE_EVERY).await;
        let now = stamp(path);
        if now == seen {
            continue;
        }
        // Whoever writes it may have emptied it first: half a file names half of the people, and would be applied.
        tokio::time::sleep(FILE_RESTS).await;
        if stamp(path) != now {
            continue;
        }
        let config = read(path, surroundings);
        if stamp(path) != now {
            continue;
        }
        seen = now;
        let applied = async {
            let config = config?;
            Ok::<bool, BootError>(apply::apply(&house.store, &house.clock, sealer, &live::wanted(&config)?).await?)
        };
        let outcome = applied.await;
        configuration.set(outcome.as_ref().err().map(ToString::to_string));
        match outcome {
            Ok(true) => tracing::info!(file = %path.display(), "the changed configuration was applied"),
            Ok(false) => tracing::info!(file = %path.display(), "the file changed and says the same as before"),
            Err(error) => {
                tracing::error!("the changed configuration cannot be applied; the one before stays in force. Mend the file:\n{error}");
            }
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

async fn demo(demo: &args::Demo) -> Result<(), BootError> {
    let scenario = SCENARIOS[0].name.to_owned();
    demo::run(Demo { listen: demo.listen, stage: demo.stage_listen, scenario, fast: demo.fast }).await
}

fn check_file(path: &Path, json: bool) -> ExitCode {
    let report = config::check(path, &Surroundings::of_process(), &known_sources(), Clock::system().now());
    if json {
        tell!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        tell!("{report}");
    }
    ExitCode::from(report.exit_code())
}

async fn apply(apply: &args::Apply, json: bool) -> Result<(), BootError> {
    let config = read(&apply.file, &Surroundings::of_process())?;
    let url = apply.database.url();
    let (store, sealer) = open(url.expose(), config.settings.server.secret_key.clone()).await?;
    let saved = store::setup_load(&store.reader()).await?;
    let mut lines = setup::diff(&saved.setup, &config.setup);
    let wanted = live::wanted(&config)?;
    for change in apply::changed_secrets(&sealer, &saved, &wanted) {
        match lines.iter_mut().find(|line| line.kind == change.kind && line.id == change.id) {
            Some(line) => line.keys.extend(change.keys),
            None => lines.push(change),
        }
    }
    let changed = if apply.dry_run {
        apply::differs(&store, &sealer, &wanted).await?
    } else {
        apply::apply(&store, &Clock::system(), &sealer, &wanted).await?
    };
    if json {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        tell!("{}", serde_json::json!({ "dry_run": apply.dry_run, "changed": changed, "changes": lines }));
    } else {
        for change in &lines {
            tell!("{change}");
        }
        match (changed, apply.dry_run, lines.is_empty()) {
            (false, _, _) => tell!("Nothing to change: it is so already."),
            (true, true, true) => tell!("Settings or keys would change. Nothing was changed: this was a dry run."),
            (true, true, false) => tell!("Nothing was changed: this was a dry run."),
            (true, false, true) => tell!("Applied: settings or keys changed. A running server has it within two seconds."),
            (true, false, false) => tell!("Applied. A running server has it within two seconds."),
        }
    }
    store.close().await;
    Ok(())
}

async fn migrate(migrate: &args::Migrate) -> Result<(), BootError> {
    let store = Store::open(migrate.database.url().expose(), StoreOptions::default()).await?;
    store.migrate().await?;
    tell!("The database has this version's tables.");
    store.close().await;
    Ok(())
}

async fn token_create(token: &args::TokenCreate, json: bool) -> Result<(), BootError> {
    let database = token.database.url();
    let made_here = keep::missing(database.expose());
    let (store, _) = open(database.expose(), None).await?;
    if let Some(new) = made_here {
        eprintln!(
            "There was no database at {}, so that a new one was made: this token opens only a server that is started with it.",
            new.display()
        );
    }
    if let Some(user) = &token.user {
        known(&store, user).await?;
    }
    let made = access::create_token(&store, &Clock::system(), &token.name, token.scope, token.user.as_ref()).await?;
    if json {
        tell!("{}", serde_json::json!({ "name": token.name, "token": made.expose() }));
    } else {
        tell!("{}", made.expose());
    }
    store.close().await;
    Ok(())
}

async fn admin_link(link: &args::AdminLink) -> Result<(), BootError> {
    tell!("{}", one_time_link(link).await?);
    Ok(())
}

async fn user_invite(invite: &args::AdminLink, json: bool) -> Result<(), BootError> {
    let link = one_time_link(invite).await?;
    if json {
        tell!("{}", serde_json::json!({ "user": invite.user.as_str(), "link": link }));
    } else {
        tell!("{link}");
        eprintln!("Give this link to {} and to nobody else: it works once, for a day, and lets them choose a password.", invite.user);
    }
    Ok(())
}

/// The whole address of a new one-time link.
async fn one_time_link(link: &args::AdminLink) -> Result<String, BootError> {
    let database = link.database.url();
    // A new, empty database would know nobody.
    keep::existing(database.expose()).await?.close().await;
    let (store, sealer) = open(database.expose(), None).await?;
    if link.user.as_str() != access::FIRST_ADMIN {
        known(&store, &link.user).await?;
    }
    let clock = Clock::system();
    let settings = live::load(&store, &sealer, &clock, &live::Own::default()).await?;
    let base = settings.public_url.unwrap_or_else(|| format!("http://{}", config::Server::LISTEN));
    let secret = access::create_link(&store, &clock, &link.user).await?;
    store.close().await;
    Ok(format!("{base}/sign-in/{}", secret.expose()))
}

/// Refuses an id that nobody has, with the ids there are.
async fn known(store: &Store, user: &crate::base::id::UserId) -> Result<(), BootError> {
    let setup = store::setup_load(&store.reader()).await?.setup;
    if setup.users.contains_key(user) {
        return Ok(());
    }
    let ids: Vec<&str> = setup.users.keys().map(crate::base::id::UserId::as_str).collect();
    let there = if ids.is_empty() { "nobody is configured yet".to_owned() } else { format!("there are {}", ids.join(", ")) };
    Err(BootError::Unknown(format!(
        "nobody has the id \"{user}\"; {there}. Somebody new is a [[user]] in the configuration: add them, and `reveille apply FILE`"
    )))
}

async fn replay_scenario(asked: &args::Replay) -> Result<(), BootError> {
    if asked.list {
        for file in SCENARIOS {
            tell!("{}  {}", file.name, Scenario::named(file.name)?.caption);
        }
        return Ok(());
    }
    let (Some(name), false) = (&asked.scenario, asked.hook.is_empty()) else {
        return Err(BootError::Refused("name a scenario and the address to post to; `reveille replay --list` shows them".to_owned()));
    };
    let scenario = match std::fs::read_to_string(name) {
        Ok(text) => Scenario::parse(&text)?,
        Err(_) => Scenario::named(name)?,
    };
    let plan = Replay {
        hooks: asked.hook.clone(),
        clock: Clock::system(),
        phones: asked.stage.clone().map_or(Phones::Real, Phones::At),
        numbers: asked.number.clone(),
    };
    let report = replay(&scenario, &plan, |line| tell!("{line}")).await?;
    if report.given_up > 0 {
        return Err(BootError::Refused(format!("{} of {} posts were not taken", report.given_up, report.given_up + report.posted)));
    }
    tell!("\n{} posts were taken.", report.posted);
    Ok(())
}

pub(super) fn known_sources() -> Vec<&'static str> {
    sources::names().collect()
}

fn read(path: &Path, surroundings: &Surroundings) -> Result<config::Config, ConfigError> {
    let (config, warnings) = config::load(path, surroundings, &known_sources())?;
    for warning in warnings {
        eprintln!("{warning}");
    }
    Ok(config)
}

/// Opens a database for a command that works on it, a server running or not, and its secret key.
async fn open(url: &str, secret_key: Option<Secret>) -> Result<(Store, Sealer), BootError> {
    let key = secret_key.or_else(|| std::env::var("REVEILLE_SERVER__SECRET_KEY").ok().filter(|key| !key.is_empty()).map(Secret::new));
    let store = Store::open(url, StoreOptions::default()).await?;
    store.migrate().await?;
    Ok((store, wire::sealer(&var_of(url), key)?))
}

/// Where the files beside the database rest: its own folder, or `var` for one that is no file.
pub(super) fn var_of(database: &str) -> PathBuf {
    let path = database.strip_prefix("sqlite://").or_else(|| database.strip_prefix("sqlite:")).unwrap_or(database);
    let path = path.split('?').next().unwrap_or(path);
    let is_file = !database.starts_with("postgres");
    match Path::new(path).parent() {
        Some(folder) if is_file && !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) if is_file => PathBuf::from("."),
        Some(_) | None => PathBuf::from("var"),
    }
}

fn address(text: &str) -> Result<SocketAddr, BootError> {
    text.parse().map_err(|_| BootError::Refused(format!("\"{text}\" is no address to listen on; write it as 127.0.0.1:8080")))
}
