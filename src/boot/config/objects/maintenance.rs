//! The maintenance windows: `[[maintenance]]`.

use super::{Named, Objects, every, in_file_order};
use crate::base::id::MaintenanceId;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::boot::config::reader::{Spot, Table, shown};
use crate::domain::maintenance::{self, Maintenance};
use crate::domain::matcher::Matcher;

pub(super) const MAINTENANCE: &[&str] = &["id", "comment", "match", "start", "for", "every", "timezone"];

const MATCHER: &str = "write it as 'team=\"db\"', with one of =, !=, =~ and !~";

impl<'a> Objects<'_, 'a> {
    pub(super) fn maintenance(&self, named: &Named<'a>) -> Vec<Maintenance> {
        if let Some((_, table)) = in_file_order(named).get(limits::MAINTENANCE) {
            let text = format!("there are {} maintenance windows", named.len());
            self.reader.error(Spot::File(table.spot), text, format!("leave {} of them at most", limits::MAINTENANCE));
        }
        in_file_order(named).into_iter().filter_map(|(id, table)| self.window(id, table)).collect()
    }

    fn window(&self, id: &str, table: &Table<'a>) -> Option<Maintenance> {
        let reader = self.reader;
        let comment = reader.get(table, "comment").map_or_else(|| Some(String::new()), |field| reader.words(field));
        let matchers = reader.need(table, "match", "['service=\"shop\"']").and_then(|field| {
            let texts = reader.texts(field)?;
            let read = |(text, spot): (&str, Spot<'a>)| {
                let matcher = Matcher::from(text);
                self.refuse(matcher.wrong(), text, spot, MATCHER);
                matcher
            };
            let matchers: Vec<Matcher> = texts.into_iter().map(read).collect();
            if matchers.iter().all(|matcher| matcher.wrong().is_none() && matcher.matches("")) {
                let text = format!("{} would cover everything: each of its matchers matches an empty text", table.title);
                reader.error(field.spot(), text, "write at least one that does not, as in 'service=\"shop\"'");
            }
            Some(matchers)
        });
        let timezone = self.timezone(table);
        let start = reader.need(table, "start", "\"2026-11-22T02:00\"").and_then(|field| {
            let text = reader.text_or_date(field)?;
            let start = maintenance::starts(timezone.as_deref().unwrap_or("UTC"), &text);
            start.map_err(|why| reader.error(field.spot(), format!("{} is no local time", shown(&text)), why)).ok()
        });
        let every = reader.get(table, "every").map(|field| (field, reader.parsed(field, every)));
        let lasts = reader.need(table, "for", "\"2h\"").and_then(|field| {
            let span = reader.span(field)?;
            // One that a person has ended is not made again as long as it is remembered.
            if span == Span::ZERO || span > limits::SILENCES_KEPT {
                reader.error(field.spot(), format!("{} lasts no time at all, or longer than 30 days", table.title), "write it as 2h");
            }
            Some(span)
        });
        let window = Maintenance {
            id: MaintenanceId::from_text(id),
            comment: comment?,
            matchers: matchers?,
            start: start?,
            lasts: lasts?,
            every: every.and_then(|(_, every)| every),
            timezone: timezone?,
        };
        // From its own beginning on, so that it does not matter when this is read.
        let turns = window.turns(Time(i64::MIN / 4).max(first(&window)));
        if let (Some((field, _)), [one, next]) = (every, turns.as_slice())
            && next.begins <= one.ends
        {
            reader.error(field.spot(), format!("{} begins again before it is over", table.title), "make it shorter than its every");
        }
        Some(window)
    }
}

/// When its first turn begins.
fn first(window: &Maintenance) -> Time {
    crate::domain::local::at(&window.timezone, &window.start).unwrap_or(Time(0))
}
