//! Entries of a timeline on a terminal: the day when it changes, the time, who, what, why, and what comes then.

use serde_json::Value;

use super::CliError;
use super::terminal::{Console, Ink, field, reason, time};

/// What was printed so far.
#[derive(Default)]
pub(super) struct Log {
    seq: i64,
    day: String,
}

impl Log {
    /// The newest entry that was printed.
    pub(super) const fn seq(&self) -> i64 {
        self.seq
    }

    /// Takes entries as printed.
    pub(super) fn skip(&mut self, entries: &[Value]) {
        self.seq = entries.iter().map(seq).max().unwrap_or(0).max(self.seq);
    }

    /// Prints one entry, unless it was printed before.
    pub(super) fn entry(&mut self, console: &mut Console<'_>, entry: &Value) -> Result<(), CliError> {
        let seq = seq(entry);
        if seq > 0 && seq <= self.seq {
            return Ok(());
        }
        self.seq = seq.max(self.seq);
        if console.json {
            return console.document_line(entry);
        }
        let clock = self.clock(console, entry)?;
        let (text, reason) = (text(console, entry), reason(entry));
        let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let then = then(console, entry);
        console.long_line(&format!("  {clock}  {:<16}  {text}{because}{then}", actor(entry)), 30)
    }

    /// Prints one decision, its reason on a line of its own.
    pub(super) fn decision(&mut self, console: &mut Console<'_>, entry: &Value) -> Result<(), CliError> {
        let clock = self.clock(console, entry)?;
        let (text, reason, then) = (text(console, entry), reason(entry), then(console, entry));
        console.long_line(&format!("  {clock}  {text}{then}"), 12)?;
        if reason.is_empty() { Ok(()) } else { console.long_line(&format!("            because {reason}"), 12) }
    }

    fn clock(&mut self, console: &mut Console<'_>, entry: &Value) -> Result<String, CliError> {
        let Some(at) = time(entry, "at") else { return Ok(" ".repeat(8)) };
        let day = console.day(at);
        if day != self.day {
            console.hint(&format!("  {day}"))?;
            self.day = day;
        }
        Ok(console.paint(Ink::Dim, &console.wall(at)))
    }
}

pub(super) fn seq(entry: &Value) -> i64 {
    entry.get("seq").and_then(Value::as_i64).unwrap_or(0)
}

fn actor(entry: &Value) -> String {
    let name = field(entry, "actor_name");
    if name.is_empty() { field(entry, "actor") } else { name }
}

fn text(console: &Console<'_>, entry: &Value) -> String {
    let text = field(entry, "text");
    let text = if text.is_empty() { field(entry, "kind").replace('_', " ") } else { text };
    let ink = match field(entry, "tone").as_str() {
        "bad" => Ink::Red,
        "paging" => Ink::Yellow,
        "good" => Ink::Green,
        _ => Ink::Plain,
    };
    console.paint(ink, &text)
}

/// What comes next, and when.
fn then(console: &Console<'_>, entry: &Value) -> String {
    let Some(then) = entry.get("then") else { return String::new() };
    match time(then, "at") {
        Some(at) => format!(" ({} at {})", field(then, "what"), console.wall(at)),
        None => String::new(),
    }
}
