//! The demo: a server, the stage beside it, and a real night played at both.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

use super::BootError;
use super::config::{self, Surroundings};
use super::interrupt::interrupted;
use super::wire::{self, Given, Options};
use crate::base::clock::Clock;
use crate::base::id::UserId;
use crate::base::secret::Secret;
use crate::base::time::Span;
use crate::sources;
use crate::stage::scenario::{Phones, Replay, Scenario, replay};
use crate::stage::{self, Stage};

/// The team's numbers, in the order in which the night wants them.
const PEOPLE: [(&str, &str); 2] = [("+33100000001", "Ana Ruiz"), ("+46100000002", "Bo Lind")];
/// Time to open both pages before the first phone rings.
const HEAD_START: Span = Span::seconds(8);

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
    let var = fresh_folder()?;
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
    })
    .await?;

    let (rollbar_key, generic_key) = (short_key(), short_key());
    let file = [
        ("server", server.as_str()),
        ("stage", &stage.url()),
        ("account", &account),
        ("token", token.expose()),
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
        public_url: None,
    })
    .await?;
    let head_start = if demo.fast { Span::seconds(1) } else { HEAD_START };
    let sign_in = wire::sign_in_url(&running.house, &server, &UserId::from("ana")).await?;
    println!(
        "\nReveille's demo is running.\n\n  phones    {stage}\n  timeline  {sign_in}\n            (signs you in as Ana, once; then it is {server})\n\n\
         Open both. The first phone rings in {head_start}. Answer it and press 1, or leave it alone and watch the next one ring.\n\n\
         Fire something of your own:\n  curl {server}/hooks/generic/{generic_key} -d '{{\"title\": \"the disk is full\", \"severity\": \"critical\"}}'\n\n\
         Stop with Ctrl-C. What happened is in {var}.\n",
        stage = stage.url(),
        var = var.display(),
    );
    let night = async {
        clock.sleep(head_start).await;
        let plan = Replay {
            hook_url: format!("{server}/hooks/{}/{rollbar_key}", scenario.source),
            clock: clock.clone(),
            phones: Phones::Here(stage.clone()),
            numbers: PEOPLE.iter().map(|(number, _)| (*number).to_owned()).collect(),
        };
        match replay(&scenario, &plan, |line| println!("{line}")).await {
            Ok(report) => println!("\nThe night is over: {} posted, {} given up. Both pages stay open.", report.posted, report.given_up),
            Err(error) => eprintln!("the night could not be played: {error}"),
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = night => {}
        () = interrupted() => {}
    }
    println!("\nStopping.");
    running.stop().await;
    stage.shut().await;
    Ok(())
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
