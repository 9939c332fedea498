//! Does what is asked of a running server, and tells how it went.

use std::ffi::OsStr;
use std::io;
use std::process::ExitCode;

use jiff::tz::TimeZone;

use super::args::{Global, Incident, Remote};
use super::client::Client;
use super::terminal::{Console, clean, wants_colour, width};
use super::{CliError, Exit, board, duty, incident, maintenance, mark, noise, orders, route, send, sender, silence, why};
use crate::base::clock::Clock;
use crate::domain::relevance::Relevance;

/// Runs one command against the server that the arguments name. TLS must be set up before (the process's rustls provider).
pub async fn run(global: &Global, remote: &Remote) -> ExitCode {
    let (mut out, mut err, mut input) = (io::stdout(), io::stderr(), io::stdin());
    let mut console = Console {
        width: width(),
        colour: wants_colour(),
        out: &mut out,
        err: &mut err,
        input: &mut input,
        // What is not UTF-8 in them is a check's output, and worth more damaged than lost.
        variables: std::env::vars_os().map(|(name, value)| (lossy(&name), lossy(&value))).collect(),
        json: global.json,
        clock: Clock::system(),
        zone: TimeZone::system(),
    };
    on(&mut console, global, remote).await.into()
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// The same on any console.
pub(super) async fn on(console: &mut Console<'_>, global: &Global, remote: &Remote) -> Exit {
    match ask(console, global, remote).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            complain(console, &error);
            error.exit()
        }
    }
}

async fn ask(console: &mut Console<'_>, global: &Global, remote: &Remote) -> Result<(), CliError> {
    let client = Client::new(&global.url, global.token.as_ref())?;
    match remote {
        Remote::Send(send) => send::send(console, &client, send).await,
        Remote::Incident { command } => ask_of_incident(console, &client, command).await,
        Remote::Who(asked) => board::who(console, &client, *asked).await,
        Remote::Oncall(asked) => duty::oncall(console, &client, asked).await,
        Remote::Override { command } => duty::overrides(console, &client, command).await,
        Remote::Silence { command } => silence::silences(console, &client, command).await,
        Remote::Maintenance { command } => maintenance::maintenance(console, &client, command).await,
        Remote::Integration { command } => sender::integrations(console, &client, command).await,
        Remote::TestPage(asked) => orders::test_page(console, &client, asked).await,
        Remote::Route(asked) => route::route(console, &client, asked).await,
        Remote::Noise(asked) => noise::noise(console, &client, asked).await,
        Remote::Why(about) => why::why(console, &client, about).await,
    }
}

async fn ask_of_incident(console: &mut Console<'_>, client: &Client, command: &Incident) -> Result<(), CliError> {
    match command {
        Incident::List(list) => incident::list(console, client, list).await,
        Incident::Show(show) => incident::show(console, client, show).await,
        Incident::Declare(asked) => orders::declare(console, client, asked).await,
        Incident::Ack(one) => incident::act(console, client, one.number, incident::Act::Acknowledge).await,
        Incident::Resolve(one) => incident::act(console, client, one.number, incident::Act::Resolve).await,
        Incident::Reopen(one) => incident::act(console, client, one.number, incident::Act::Reopen).await,
        Incident::Escalate(one) => incident::act(console, client, one.number, incident::Act::Escalate).await,
        Incident::Reassign(asked) => orders::reassign(console, client, asked).await,
        Incident::Snooze(asked) => orders::snooze(console, client, asked).await,
        Incident::Merge(asked) => orders::merge(console, client, *asked).await,
        Incident::Unmerge(one) => orders::unmerge(console, client, one.number).await,
        Incident::Split(asked) => orders::split(console, client, asked).await,
        Incident::Sev(asked) => orders::severity(console, client, asked).await,
        Incident::Role(asked) => orders::role(console, client, asked).await,
        Incident::Title(asked) => orders::retitle(console, client, asked).await,
        Incident::Note(asked) => orders::note(console, client, asked).await,
        Incident::Noise(asked) => mark::mark(console, client, asked, Relevance::Noise).await,
        Incident::Relevant(asked) => mark::mark(console, client, asked, Relevance::Relevant).await,
        Incident::Unmark(asked) => mark::unmark(console, client, asked).await,
        Incident::Update(asked) => orders::update(console, client, asked).await,
        Incident::Page(asked) => orders::page(console, client, asked).await,
        Incident::Task { command } => board::task(console, client, command).await,
    }
}

fn complain(console: &mut Console<'_>, error: &CliError) {
    if error.exit() == Exit::Done {
        return;
    }
    if console.json
        && let CliError::Refused { document: Some(document), .. } = error
    {
        // The complaint in words follows, so a document that cannot be written is not lost.
        console.document(document).unwrap_or(());
    }
    console.remark(&format!("error: {}", clean(&error.to_string())));
    if let Some(advice) = error.advice() {
        console.remark(&clean(&advice));
    }
}
