//! The rules of inhibition: `[[inhibition]]`.

use super::{Named, Objects, in_file_order};
use crate::base::id::InhibitionId;
use crate::base::limits;
use crate::boot::config::reader::{Spot, Table};
use crate::domain::inhibition::Inhibition;
use crate::domain::matcher::Matcher;

pub(super) const INHIBITION: &[&str] = &["id", "when", "mute", "equal"];

const MATCHER: &str = "write it as 'alertname=\"HostDown\"', with one of =, !=, =~ and !~";

impl<'a> Objects<'_, 'a> {
    pub(super) fn inhibitions(&self, named: &Named<'a>) -> Vec<Inhibition> {
        if let Some((_, table)) = in_file_order(named).get(limits::INHIBITIONS) {
            let text = format!("there are {} rules of inhibition", named.len());
            self.reader.error(Spot::File(table.spot), text, format!("leave {} of them at most", limits::INHIBITIONS));
        }
        in_file_order(named).into_iter().filter_map(|(id, table)| self.inhibition(id, table)).collect()
    }

    fn inhibition(&self, id: &str, table: &Table<'a>) -> Option<Inhibition> {
        let when = self.side(table, "when", "['alertname=\"HostDown\"']");
        let mute = self.side(table, "mute", "['severity=~\"warning|info\"']");
        let equal = self.reader.get(table, "equal").map_or_else(
            || Some(Vec::new()),
            |field| {
                let texts = self.reader.texts(field)?;
                if texts.len() > limits::MATCHERS {
                    self.reader.error(field.spot(), format!("{} names too many labels", table.title), "a few say what belongs together");
                }
                Some(texts.into_iter().map(|(text, _)| text.to_owned()).collect())
            },
        );
        Some(Inhibition { id: InhibitionId::from_text(id), when: when?, mute: mute?, equal: equal? })
    }

    fn side(&self, table: &Table<'a>, name: &'static str, example: &str) -> Option<Vec<Matcher>> {
        let field = self.reader.need(table, name, example)?;
        let read = |(text, spot): (&str, Spot<'a>)| {
            let matcher = Matcher::from(text);
            self.refuse(matcher.wrong(), text, spot, MATCHER);
            matcher
        };
        let matchers: Vec<Matcher> = self.reader.texts(field)?.into_iter().map(read).collect();
        if matchers.iter().all(|matcher| matcher.wrong().is_none() && matcher.matches("")) {
            let text = format!("{name} of {} matches everything: each of its matchers matches an empty text", table.title);
            self.reader.error(field.spot(), text, format!("write at least one that does not, as in {example}"));
        }
        if matchers.len() > limits::MATCHERS {
            self.reader.error(field.spot(), format!("{} has too many matchers", table.title), "write several values as one pattern");
        }
        Some(matchers)
    }
}
