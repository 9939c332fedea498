//! The demo: a server, the stage beside it, and a real night played at both.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

use super::config::{self, Surroundings};
use super::interrupt::interrupted;
use super::tell::tell;
use super::wire::{self, Given, Options};
use super::{BootError, live};
use crate::base::clock::Clock;
use crate::base::id::UserId;
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};
use crate::base::viewer::{Role, Viewer};
use crate::domain::incident::IncidentState;
use crate::domain::input::Actor;
use crate::flows::House;
use crate::render::line::{Names, count_of};
use crate::sources;
use crate::stage::scenario::{Phones, Replay, Report, Scenario, replay};
use crate::stage::{self, Stage, StageError};
use crate::store::read::{IncidentFilter, IncidentView};

/// The team's numbers, in the order in which the night wants them.
const PEOPLE: [(&str, &str); 2] = [("+33100000001", "Ana Ruiz"), ("+46100000002", "Bo Lind")];
/// Time to copy two addresses, and to sign in, before the first phone rings.
const HEAD_START: Span = Span::seconds(12);

/// Where the demo listens and which night it plays.
pub struct Demo {
    pub listen: SocketAddr,
    pub stage: SocketAddr,
    pub scenario: String,
    /// Begin at once.
    pub fast: bool,
}

/// Runs until interrupted.
///
/// # Errors
/// When an address is taken, or the demo's files cannot be written.
pub async fn run(demo: Demo) -> Result<(), BootError> {
    wire::install_crypto();
    let clock = Clock::system();
    let scenario = Scenario::named(&demo.scenario)?;
    let listener = TcpListener::bind(demo.listen).await.map_err(|error| taken(demo.listen, "--listen", &error))?;
    let addr = listener.local_addr().map_err(BootError::Listen)?;
    let server = format!("http://{addr}");
    let (account, token) = (format!("AC{}", &Secret::random().digest()[..32]), Secret::random());
    let people = PEOPLE.map(|(number, name)| (number.to_owned(), name.to_owned())).to_vec();
    let stage = Stage::open(stage::Options {
        listen: demo.stage,
        clock: clock.clone(),
        account_sid: account.clone(),
        auth_token: token.clone(),
        people,
        reveille_url: Some(server.clone()),
        slack: stage::slack::Options::default(),
        sms_url: None,
        smtp: Some(SocketAddr::new(demo.stage.ip(), 0)),
    })
    .await
    .map_err(|error| match error {
        StageError::Listen { address, cause } => taken(address, "--stage-listen", &cause),
        other => other.into(),
    })?;
    // Only now: a second demo that finds its address taken must not sweep away the data of the first.
    let var = fresh_folder()?;

    let (rollbar_key, generic_key) = (short_key(), short_key());
    let file = [
        ("server", server.as_str()),
        ("stage", &stage.url()),
        ("account", &account),
        ("token", token.expose()),
        ("slack", &stage.slack().api_url()),
        ("slack_token", stage.slack().bot_token().expose()),
        ("slack_secret", stage.slack().signing_secret().expose()),
        ("rollbar_key", &rollbar_key),
        ("generic_key", &generic_key),
    ]
    .iter()
    .fold(include_str!("demo.toml").to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
    let path = PathBuf::from("demo.toml");
    let surroundings = Surroundings::made(&[], &[("demo.toml", &file)]);
    let (config, _) = config::load(&path, &surroundings, &sources::names().collect::<Vec<_>>())?;

    let running = wire::start(Options {
        database: var.join("reveille.db").display().to_string(),
        listener,
        clock: clock.clone(),
        config: Given::Config(Box::new(config)),
        var: var.clone(),
        secret_key: None,
        own: live::Own::default(),
        tls: None,
        ballast_bytes: 0,
    })
    .await?;
    let head_start = if demo.fast { Span::seconds(1) } else { HEAD_START };
    let sign_in = wire::sign_in_url(&running.house, &server, &UserId::from("ana")).await?;
    let program = std::env::args().next().unwrap_or_else(|| "reveille".to_owned());
    let database = var.join("reveille.db");
    tell!(
        "\nReveille's demo is running.\n\n  phones    {stage}\n  timeline  {sign_in}\n            (signs you in as Ana, once; then it is {server})\n\n\
         Open both. The first phone rings in {head_start}. Answer it and press 1, or leave it alone: half a minute later the next one rings.\n\n\
         Fire something of your own:\n  curl {server}/hooks/generic/{generic_key} -d '{{\"title\": \"the disk is full\", \"severity\": \"critical\"}}'\n\n\
         Ask from another shell, in this directory:\n  export REVEILLE_URL={server}\n  \
         export REVEILLE_TOKEN=$({program} token create me --scope respond --database {database})\n  {program} why 1\n\n\
         A new sign-in link, should you need one:\n  {program} admin link ana --database {database}\n\n\
         Stop with Ctrl-C. What happened is in {var} until the next demo starts.\n",
        stage = stage.url(),
        database = database.display(),
        var = var.display(),
    );
    let night = async {
        clock.sleep(head_start).await;
        let plan = Replay {
            hooks: vec![format!("{server}/hooks/{}/{rollbar_key}", scenario.source)],
            clock: clock.clone(),
            phones: Phones::Here(stage.clone()),
            numbers: PEOPLE.iter().map(|(number, _)| (*number).to_owned()).collect(),
        };
        match replay(&scenario, &plan, |line| tell!("{line}")).await {
            Ok(report) => {
                tell!("\nThe night is over.{}\n{}Both pages stay open until Ctrl-C.", given_up(&report), outcome(&running.house).await);
            }
            Err(error) => eprintln!("the night could not be played: {error}"),
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = night => {}
        () = interrupted() => {}
    }
    tell!("\nStopping.");
    running.stop().await;
    stage.shut().await;
    Ok(())
}

fn given_up(report: &Report) -> String {
    if report.given_up == 0 { String::new() } else { format!(" {} of its posts were not taken.", report.given_up) }
}

/// What came of it, one line per incident.
async fn outcome(house: &House) -> String {
    let viewer = Viewer::User { id: UserId::from("ana"), role: Role::Admin };
    let list = match house.store.reader().incidents_list(&viewer, &IncidentFilter::default(), None, limits::LIST_DEFAULT).await {
        Ok(list) => list,
        Err(error) => return format!("What came of it cannot be read: {error}\n"),
    };
    let live = house.now_live();
    let names = Names::of(&live.setup);
    list.items.iter().rev().fold(String::new(), |text, incident| text + &line_of(incident, &names) + "\n")
}

fn line_of(incident: &IncidentView, names: &Names) -> String {
    let by = |actor: &Option<Actor>, at: Option<Time>| {
        let who = actor.as_ref().map_or("nobody".to_owned(), |actor| names.actor(actor).clone());
        at.map_or_else(|| who.clone(), |at| format!("{who} after {}", at.since(incident.opened_at)))
    };
    let state = match incident.state {
        IncidentState::Triggered => "nobody has answered yet, and the paging goes on".to_owned(),
        IncidentState::Acknowledged => format!("acknowledged by {}", by(&incident.acknowledged_by, incident.acknowledged_at)),
        IncidentState::Resolved => format!("resolved by {}", by(&incident.resolved_by, incident.resolved_at)),
    };
    format!("  {} {state}; {}", incident.number, count_of(incident.alerts_count, "alert", "alerts"))
}

/// A new folder for every run: a demo begins with a quiet night.
fn fresh_folder() -> Result<PathBuf, BootError> {
    let var = PathBuf::from("var").join("demo");
    match std::fs::remove_dir_all(&var) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(BootError::File { path: var, source: error }),
    }
    std::fs::create_dir_all(&var).map_err(|error| BootError::File { path: var.clone(), source: error })?;
    Ok(var)
}

fn short_key() -> String {
    Secret::random().digest()[..24].to_owned()
}

fn taken(addr: SocketAddr, option: &str, error: &std::io::Error) -> BootError {
    BootError::Refused(format!("cannot listen on {addr}: {error}; another program has it, choose a free one with {option} 127.0.0.1:PORT"))
}
