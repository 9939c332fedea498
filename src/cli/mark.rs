//! What is noise in an incident, and what is relevant.

use serde_json::{Value, json};

use super::CliError;
use super::args::{IncidentMark, IncidentUnmark};
use super::client::Client;
use super::incident::title;
use super::terminal::{Console, Ink, field, time};
use crate::domain::relevance::Relevance;

pub(super) async fn mark(console: &mut Console<'_>, client: &Client, asked: &IncidentMark, as_what: Relevance) -> Result<(), CliError> {
    let number = asked.number.0.to_string();
    let body = json!({ "relevance": as_what.name(), "matchers": asked.matchers });
    let incident = client.order(&["api", "v1", "incidents", &number, "marks"], &body).await?;
    if console.json {
        return console.document(&incident);
    }
    let n = incident["marks"].as_array().and_then(|marks| marks.last()).map(|mark| field(mark, "n")).unwrap_or_default();
    let told = match as_what {
        Relevance::Noise => "folds what matches away as noise",
        Relevance::Relevant => "keeps what matches as relevant",
    };
    console.line(&format!("#{number} {told}: {}", title(&incident)))?;
    console.hint(&format!("Take it back: reveille incident unmark {number} {n}"))
}

pub(super) async fn unmark(console: &mut Console<'_>, client: &Client, asked: &IncidentUnmark) -> Result<(), CliError> {
    let (number, n) = (asked.number.0.to_string(), asked.n.to_string());
    client.delete(&["api", "v1", "incidents", &number, "marks", &n]).await?;
    if console.json {
        return console.document(&json!({ "taken_back": asked.n }));
    }
    console.line(&format!("Mark {n} of #{number} is taken back."))?;
    console.hint(&format!("What is marked: reveille incident show {number}"))
}

/// What is marked, as it stands below an incident.
pub(super) fn marks(console: &mut Console<'_>, incident: &Value) -> Result<(), CliError> {
    let Some(marks) = incident["marks"].as_array().filter(|marks| !marks.is_empty()) else { return Ok(()) };
    console.line("")?;
    let heading = console.paint(Ink::Bold, "Marked");
    console.line(&heading)?;
    for mark in marks {
        let at = time(mark, "at").map_or_else(String::new, |at| format!(" at {}", console.moment(at)));
        let line = format!("  {} {}: {} (by {}{at})", field(mark, "n"), field(mark, "relevance"), field(mark, "about"), field(mark, "by"));
        console.long_line(&line, 4)?;
    }
    Ok(())
}
