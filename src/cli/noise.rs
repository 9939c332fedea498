//! `noise`: which monitors call people for nothing.

use super::CliError;
use super::args::Noise;
use super::client::Client;
use super::terminal::{Cell, Console, Ink, clean, field, items};

pub(super) async fn noise(console: &mut Console<'_>, client: &Client, asked: &Noise) -> Result<(), CliError> {
    let answer = client.get(&["api", "v1", "noise"], &[("limit", asked.limit.to_string())]).await?;
    let Some(monitors) = items(&answer) else { return Err(client.strange("it is no list of monitors".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    if monitors.is_empty() {
        return console.line("Nothing has fired in an incident in the last 30 days.");
    }
    let rows = monitors
        .iter()
        .map(|monitor| {
            let score = monitor["score"].as_i64();
            let ink = if monitor["suggestion"].is_string() { Ink::Red } else { Ink::Plain };
            let counts = ["fired", "incidents", "acknowledged", "acted", "unhelpful", "service", "title"];
            let score = Cell::inked(score.map_or_else(|| "-".to_owned(), |score| score.to_string()), ink);
            std::iter::once(score).chain(counts.map(|name| Cell::new(field(monitor, name)))).collect()
        })
        .collect();
    console.table(&["noise", "fired", "incidents", "acked", "acted on", "key 9", "service", "monitor"], rows)?;
    for monitor in monitors.iter().filter(|monitor| monitor["suggestion"].is_string()) {
        console.line("")?;
        console.line(&format!("{}: {}", clean(&field(monitor, "title")), clean(&field(monitor, "suggestion"))))?;
        for line in monitor["rule"].as_str().unwrap_or("").lines() {
            console.line(&format!("    {}", clean(line)))?;
        }
    }
    Ok(())
}
