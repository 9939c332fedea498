//! `why`: the decisions about a page or an incident, each with its reason.

use super::CliError;
use super::args::Why;
use super::client::Client;
use super::terminal::{Console, Ink, field, items};
use super::timeline::Log;

pub(super) async fn why(console: &mut Console<'_>, client: &Client, why: &Why) -> Result<(), CliError> {
    let answer = client.get(&["api", "v1", "why", &why.about], &[]).await?;
    let Some(decisions) = items(&answer) else { return Err(client.strange("it lists no decisions".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    let summary = [field(&answer, "summary"), field(&answer, "now")].into_iter().find(|summary| !summary.is_empty());
    if let Some(summary) = summary {
        let summary = console.paint(Ink::Bold, &summary);
        console.line(&summary)?;
    }
    let reason = field(&answer, "now_reason");
    if !reason.is_empty() {
        console.line(&format!("because {reason}"))?;
    }
    if decisions.is_empty() {
        console.line("Nothing was decided about it yet.")?;
        return console.hint("What is open: reveille incident list --state triggered");
    }
    let mut log = Log::default();
    for decision in decisions {
        log.decision(console, decision)?;
    }
    Ok(())
}
