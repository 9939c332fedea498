//! Follows a timeline as it grows.

use reqwest::Response;
use serde_json::Value;

use super::CliError;
use super::client::Client;
use super::incident::part;
use super::terminal::Console;
use super::timeline::{Log, seq};
use crate::base::time::Span;

/// A stream that says nothing for so long may be dead without knowing it; it is opened anew, and nothing is lost by that.
const SILENCE: Span = Span::seconds(60);
/// The pause before a lost stream is opened again.
const PAUSE: Span = Span::seconds(1);
/// How often in a row opening may fail before it is given up: a server that restarts is back sooner.
const TRIES: u32 = 60;
/// Longest line of a stream, bytes: an entry of the timeline is far shorter.
const LINE_BYTES: usize = 1 << 20;
/// The message that only says that the stream lives.
const ALIVE: &str = "alive";

/// Prints what happens as it happens, until the reader leaves or the server stays away.
pub(super) async fn follow(console: &mut Console<'_>, client: &Client, number: &str, mut log: Log) -> Result<(), CliError> {
    if !console.json {
        console.remark("Watching; Ctrl-C ends it.");
    }
    let mut failed = 0;
    loop {
        match client.stream(&["api", "v1", "incidents", number, "stream"], log.seq()).await {
            Ok(stream) => {
                failed = 0;
                listen(console, client, number, stream, &mut log).await?;
                console.remark("The connection ended; trying again.");
            }
            // A server that restarts refuses for a moment; one that says no goes on saying it.
            Err(error @ (CliError::Unreachable { .. } | CliError::Refused { status: 500.., .. })) => {
                failed += 1;
                if failed >= TRIES {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        console.clock.sleep(PAUSE).await;
    }
}

/// Prints a stream's news until it ends, breaks or falls silent.
async fn listen(console: &mut Console<'_>, client: &Client, number: &str, mut stream: Response, log: &mut Log) -> Result<(), CliError> {
    let (mut waiting, mut news) = (Vec::new(), News::default());
    let clock = console.clock.clone();
    while let Some(Ok(Some(chunk))) = clock.timeout(SILENCE, stream.chunk()).await {
        waiting.extend_from_slice(&chunk);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(whole) = news.line(line.trim_end_matches(['\r', '\n'])) {
                tell(console, client, number, &whole, log).await?;
            }
        }
        if waiting.len() > LINE_BYTES || news.data.len() > LINE_BYTES {
            return Err(client.strange("a line of its stream has no end".to_owned()));
        }
    }
    Ok(())
}

/// An entry of the timeline is printed; news of any other kind says that something was missed, and it is fetched.
async fn tell(console: &mut Console<'_>, client: &Client, number: &str, news: &News, log: &mut Log) -> Result<(), CliError> {
    if news.name == ALIVE {
        return Ok(());
    }
    let entry = serde_json::from_str::<Value>(&news.data).ok().filter(|entry| seq(entry) > 0 && entry.get("kind").is_some());
    let entries = match entry {
        Some(entry) => vec![entry],
        None => part(client, number, "timeline").await?,
    };
    for entry in &entries {
        log.entry(console, entry)?;
    }
    Ok(())
}

/// A message of a stream, while its lines come in and when it is whole.
#[derive(Default)]
struct News {
    name: String,
    data: String,
}

impl News {
    /// Takes a line; the message when the line ends it.
    fn line(&mut self, line: &str) -> Option<Self> {
        if line.is_empty() {
            return Some(std::mem::take(self)).filter(|news| !news.data.is_empty());
        }
        // A comment keeps the line open, and the id is in the data as well.
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}
