//! The integrations: what came of their signals, and a test.

use serde_json::{Value, json};

use super::CliError;
use super::args::Integration;
use super::client::Client;
use super::terminal::{Cell, Console, Ink, clean, field, items, time};

pub(super) async fn integrations(console: &mut Console<'_>, client: &Client, asked: &Integration) -> Result<(), CliError> {
    match asked {
        Integration::List => list(console, client).await,
        Integration::Signals(one) => signals(console, client, &one.id).await,
        Integration::Guide(one) => guide(console, client, &one.id).await,
        Integration::Test(one) => test(console, client, &one.id).await,
    }
}

async fn list(console: &mut Console<'_>, client: &Client) -> Result<(), CliError> {
    let answer = client.get(&["api", "v1", "integrations"], &[]).await?;
    let Some(all) = items(&answer) else { return Err(client.strange("it is no list of integrations".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    if all.is_empty() {
        console.line("No integrations yet.")?;
        return console.hint("They are written in the configuration: reveille apply FILE");
    }
    let rows = all
        .iter()
        .map(|one| {
            let count = |name: &str| one["outcomes"].get(name).and_then(Value::as_i64).unwrap_or(0);
            let last = match time(one, "last_at") {
                Some(at) => Cell::new(format!("{} ago", console.ago(Some(at)))),
                None => Cell::inked("never", Ink::Yellow),
            };
            let unread = Cell::inked(count("unreadable").to_string(), if count("unreadable") > 0 { Ink::Red } else { Ink::Plain });
            let plain = [field(one, "id"), field(one, "source"), field(one, "service"), count("accepted").to_string()];
            plain.into_iter().map(Cell::new).chain([unread, last]).collect()
        })
        .collect();
    console.table(&["integration", "source", "service", "signals", "unreadable", "last"], rows)
}

async fn signals(console: &mut Console<'_>, client: &Client, id: &str) -> Result<(), CliError> {
    let answer = client.get(&["api", "v1", "integrations", id, "signals"], &[]).await?;
    let Some(all) = items(&answer) else { return Err(client.strange("it is no list of signals".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    if all.is_empty() {
        console.line(&format!("Nothing came through {} yet.", clean(id)))?;
        return console.hint(&format!("Try it: reveille integration test {}", clean(id)));
    }
    let rows = all
        .iter()
        .map(|one| {
            let at = time(one, "at").map_or_else(String::new, |at| console.moment(at));
            let incident = one["incident"].as_i64().map_or_else(|| "-".to_owned(), |number| format!("#{number}"));
            [at, field(one, "outcome"), incident, field(one, "title")].into_iter().map(Cell::new).collect()
        })
        .collect();
    console.table(&["at", "outcome", "incident", "title"], rows)
}

async fn guide(console: &mut Console<'_>, client: &Client, id: &str) -> Result<(), CliError> {
    let answer = client.get(&["api", "v1", "integrations", id], &[]).await?;
    if console.json {
        return console.document(&answer);
    }
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    console.line(&format!("{} for {}: {}", field(&answer, "title"), field(&answer, "service"), field(&answer, "address")))?;
    console.line("")?;
    for line in answer["guide"].as_str().unwrap_or_default().lines() {
        console.line(&clean(line))?;
    }
    let proofs: Vec<String> = list("proofs").iter().filter_map(|proof| proof.as_str().map(clean)).collect();
    if !proofs.is_empty() {
        console.line("")?;
        console.line(&format!("A message must also show what the configuration has under {}.", proofs.join(", ")))?;
    }
    for refused in list("refused") {
        let n = refused["count"].as_u64().unwrap_or(0);
        let last = time(&refused, "last_at").map_or_else(String::new, |at| console.moment(at));
        console.line(&format!("{n} refused, the last at {last}: {}", field(&refused, "text")))?;
    }
    console.hint("KEY is `key` in the configuration; administrators see the whole address in the pages.")
}

async fn test(console: &mut Console<'_>, client: &Client, id: &str) -> Result<(), CliError> {
    let answer = client.order(&["api", "v1", "integrations", id, "test"], &json!({})).await?;
    if console.json {
        return console.document(&answer);
    }
    match answer["outcome"].as_str() {
        Some(outcome) => console.line(&format!("The test signal came through and was {}: nobody is woken by it.", clean(outcome)))?,
        None => console.line("The test signal is stored, and not decided yet.")?,
    }
    console.hint(&format!("What came last: reveille integration signals {}", clean(id)))
}
