//! Words on a terminal: made harmless, aligned, coloured where that is wanted, with the times of the machine's own zone.

use std::io::{self, IsTerminal as _, Read, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::CliError;
use crate::base::clock::Clock;
use crate::base::time::{Span, Time};
use crate::domain::reason::Reason;

/// What the last column of a table keeps of itself on the narrowest terminal, characters.
const LAST_COLUMN_CHARS: usize = 24;
/// How wide a terminal is that does not say.
const USUAL_WIDTH: usize = 80;

/// Where a command reads and writes, and what time it is there.
pub(super) struct Console<'a> {
    pub out: &'a mut (dyn Write + Send),
    pub err: &'a mut (dyn Write + Send),
    pub input: &'a mut (dyn Read + Send),
    /// Of the environment.
    pub variables: Vec<(String, String)>,
    pub json: bool,
    /// Characters of a line, where a person looks at it; a pipe gets every line whole.
    pub width: Option<usize>,
    pub colour: bool,
    pub clock: Clock,
    pub zone: TimeZone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
}

impl Ink {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Green => "32",
        }
    }
}

/// One field of a table.
pub(super) struct Cell {
    pub text: String,
    pub ink: Ink,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ink: Ink::Plain }
    }

    pub(super) fn inked(text: impl Into<String>, ink: Ink) -> Self {
        Self { text: text.into(), ink }
    }
}

/// Whether this process may write colours: to a terminal that has them, unless somebody asked for none.
pub(super) fn wants_colour() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// How wide the terminal is that this process writes to, if it is one.
pub(super) fn width() -> Option<usize> {
    let stdout = io::stdout();
    stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout).map_or(USUAL_WIDTH, |(width, _)| width.0.into()))
}

impl Console<'_> {
    pub(super) fn line(&mut self, text: &str) -> Result<(), CliError> {
        writeln!(self.out, "{text}").and_then(|()| self.out.flush()).map_err(CliError::Output)
    }

    /// A line that may be long: on a terminal it goes on below itself, `indent` characters in.
    pub(super) fn long_line(&mut self, text: &str, indent: usize) -> Result<(), CliError> {
        match self.width {
            Some(width) => self.line(&folded(text, width, indent)),
            None => self.line(text),
        }
    }

    /// What to do next.
    pub(super) fn hint(&mut self, text: &str) -> Result<(), CliError> {
        let text = self.paint(Ink::Dim, text);
        self.line(&text)
    }

    /// A remark that is no part of the output.
    pub(super) fn remark(&mut self, text: &str) {
        // Nothing is left to tell it to when even this cannot be written.
        writeln!(self.err, "{text}").unwrap_or(());
    }

    /// The server's JSON, indented.
    pub(super) fn document(&mut self, value: &Value) -> Result<(), CliError> {
        self.line(&harmless_json(&format!("{value:#}")))
    }

    /// The server's JSON on one line.
    pub(super) fn document_line(&mut self, value: &Value) -> Result<(), CliError> {
        self.line(&harmless_json(&value.to_string()))
    }

    pub(super) fn paint(&self, ink: Ink, text: &str) -> String {
        if self.colour && ink != Ink::Plain { format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code()) } else { text.to_owned() }
    }

    /// Columns as wide as their widest field, and the last one as it is: a title in any script then moves no column.
    pub(super) fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>) -> Result<(), CliError> {
        let header = header.iter().map(|title| Cell::inked(*title, Ink::Dim)).collect();
        let rows: Vec<Vec<Cell>> = std::iter::once(header).chain(rows).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max().unwrap_or(0))
            .collect();
        let before: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
        let room = self.width.map(|width| width.saturating_sub(before).max(LAST_COLUMN_CHARS));
        for mut row in rows {
            if let (Some(room), Some(last)) = (room, row.get_mut(columns - 1))
                && last.text.chars().count() > room
            {
                last.text = last.text.chars().take(room - 1).chain(['…']).collect();
            }
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str(&self.paint(cell.ink, &cell.text));
                if column + 1 < columns {
                    line.push_str(&" ".repeat(width - cell.text.chars().count() + 2));
                }
            }
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// How long ago, as `12m` or `1h 5m`; empty when it is not known.
    pub(super) fn ago(&self, at: Option<Time>) -> String {
        at.map_or_else(String::new, |at| self.clock.now().since(at).max(Span::ZERO).to_string())
    }

    /// The clock on the wall here: `03:00:07`.
    pub(super) fn wall(&self, at: Time) -> String {
        self.written(at, "%H:%M:%S")
    }

    /// The day here, with its zone: `Wed 2015-07-29 CEST`.
    pub(super) fn day(&self, at: Time) -> String {
        self.written(at, "%a %Y-%m-%d %Z")
    }

    /// The clock, with the day when it is another than today.
    pub(super) fn moment(&self, at: Time) -> String {
        let today = self.day(self.clock.now()) == self.day(at);
        if today { self.wall(at) } else { self.written(at, "%Y-%m-%d %H:%M:%S") }
    }

    fn written(&self, at: Time, format: &str) -> String {
        match Timestamp::from_microsecond(at.0) {
            Ok(timestamp) => timestamp.to_zoned(self.zone.clone()).strftime(format).to_string(),
            Err(_) => at.rfc3339(),
        }
    }
}

/// A line as several of at most `width` characters, broken between words; colours take no room.
fn folded(text: &str, width: usize, indent: usize) -> String {
    let words = text.trim_start_matches(' ');
    let lead = text.len() - words.len();
    let (mut lines, mut column) = (" ".repeat(lead), lead);
    for (index, word) in words.split(' ').enumerate() {
        let length = seen_chars(word);
        if index == 0 {
            column += length;
        } else if column + 1 + length > width && column > indent {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent + length;
        } else {
            lines.push(' ');
            column += 1 + length;
        }
        lines.push_str(word);
    }
    lines
}

/// How many characters of a painted text are seen.
fn seen_chars(text: &str) -> usize {
    let mut pieces = text.split("\u{1b}[");
    let plain = pieces.next().unwrap_or_default().chars().count();
    plain + pieces.map(|piece| piece.split_once('m').map_or(0, |(_, after)| after.chars().count())).sum::<usize>()
}

/// A field of the server's JSON as a harmless line of text; empty where there is none.
pub(super) fn field(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => clean(text),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

pub(super) fn time(value: &Value, name: &str) -> Option<Time> {
    value.get(name).and_then(Value::as_str).and_then(|text| Time::parse_rfc3339(text).ok())
}

pub(super) fn items(value: &Value) -> Option<&[Value]> {
    value.get("items").and_then(Value::as_array).map(Vec::as_slice)
}

/// A reason as a person reads it: Reveille's own words for its stored names, anything else as it came.
pub(super) fn reason(value: &Value) -> String {
    let Some(reason) = value.get("reason") else { return String::new() };
    match serde_json::from_value::<Reason>(reason.clone()) {
        Ok(reason) => reason.sentence().to_owned(),
        Err(_) => field(value, "reason"),
    }
}

/// One harmless line. What an alert says is a stranger's: it may carry orders for the terminal (colours, titles, cursor moves, the
/// clipboard) or marks that turn the writing round, and none of them may reach it.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = escape_len(rest) {
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        if first.is_whitespace() || first.is_control() {
            if !kept.is_empty() && !kept.ends_with(' ') {
                kept.push(' ');
            }
        } else if !turns_writing(first) {
            kept.push(first);
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    kept.truncate(kept.trim_end().len());
    kept
}

/// How many bytes of an escape sequence the text begins with.
fn escape_len(text: &str) -> Option<usize> {
    let after_escape = text.strip_prefix('\u{1b}');
    let (introducer, body) = match (after_escape, text.chars().next()) {
        (Some(after), _) => match after.chars().next() {
            Some(kind @ ('[' | ']' | 'P' | 'X' | '^' | '_')) => (kind, after.get(1..).unwrap_or_default()),
            Some(_) | None => return Some(1),
        },
        // The same in one character.
        (None, Some('\u{9b}')) => ('[', text.get(2..).unwrap_or_default()),
        (None, Some('\u{9d}')) => (']', text.get(2..).unwrap_or_default()),
        (None, Some('\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}')) => ('P', text.get(2..).unwrap_or_default()),
        (None, _) => return None,
    };
    let start = text.len() - body.len();
    let end = if introducer == '[' {
        let parameters = body.bytes().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
        body.as_bytes().get(parameters).filter(|last| matches!(last, 0x40..=0x7e)).map(|_| parameters + 1)
    } else {
        let ends = [("\u{7}", 1), ("\u{1b}\\", 2), ("\u{9c}", 2)];
        ends.iter().filter_map(|(end, length)| body.find(end).map(|at| at + length)).min()
    };
    // A sequence without an end takes nothing with it: the words after it may be all that the alert says.
    Some(start + end.unwrap_or(0))
}

const fn turns_writing(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The same JSON with what a terminal might obey written as `\u….`; JSON itself escapes only the lower controls.
fn harmless_json(json: &str) -> String {
    use std::fmt::Write as _;
    let mut kept = String::with_capacity(json.len());
    for c in json.chars() {
        // Line breaks are the indentation's own; those inside a text are escaped already.
        if (c.is_control() && c != '\n') || turns_writing(c) {
            // Writing to a String cannot fail.
            write!(kept, "\\u{:04x}", u32::from(c)).unwrap_or_default();
        } else {
            kept.push(c);
        }
    }
    kept
}
