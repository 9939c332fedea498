//! Does what is asked of a running server, and tells how it went.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use jiff::tz::TimeZone;

use super::args::{Global, Incident, Remote};
use super::client::Client;
use super::terminal::{Console, clean, wants_colour};
use super::{CliError, Exit, incident, send, why};
use crate::base::clock::Clock;

/// Runs one command against the server that the arguments name. TLS must be set up before (the process's rustls provider).
pub async fn run(global: &Global, remote: &Remote) -> ExitCode {
    let (mut out, mut err, mut input) = (io::stdout(), io::stderr(), io::stdin());
    let mut console = Console {
        terminal: out.is_terminal(),
        colour: wants_colour(),
        out: &mut out,
        err: &mut err,
        input: &mut input,
        json: global.json,
        clock: Clock::system(),
        zone: TimeZone::system(),
    };
    on(&mut console, global, remote).await.into()
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
        Remote::Incident { command: Incident::List(list) } => incident::list(console, &client, list).await,
        Remote::Incident { command: Incident::Show(show) } => incident::show(console, &client, show).await,
        Remote::Incident { command: Incident::Ack(one) } => incident::act(console, &client, one.number, incident::Act::Acknowledge).await,
        Remote::Incident { command: Incident::Resolve(one) } => incident::act(console, &client, one.number, incident::Act::Resolve).await,
        Remote::Incident { command: Incident::Reopen(one) } => incident::act(console, &client, one.number, incident::Act::Reopen).await,
        Remote::Incident { command: Incident::Escalate(one) } => incident::act(console, &client, one.number, incident::Act::Escalate).await,
        Remote::Why(about) => why::why(console, &client, about).await,
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
