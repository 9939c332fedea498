//! The mapping of an integration whose sender has a JSON of its own.

use super::{ALERT_SEVERITIES, Objects};
use crate::boot::config::reader::{Field, Table};
use crate::domain::mapping::{Condition, LabelPlaces, Mapping, Place};

const MAP: &[&str] = &["items", "dedup_key", "title", "severity", "severities", "state", "resolved_when", "url", "at", "labels"];

const PLACE: &str = "write a JSON pointer as \"/alert/name\", or a template as \"{{ alert.name }}\"";
const CONDITION: &str = "write it as 'status == \"ok\"', or a JSON pointer as \"/resolved\"";

impl<'a> Objects<'_, 'a> {
    pub(super) fn mapping(&self, id: &str, table: &Table<'a>, source: Option<&str>) -> Option<Mapping> {
        let reader = self.reader;
        let field = reader.get(table, "map")?;
        if source.is_some_and(|source| source != "generic") {
            reader.error(field.spot(), "map is for integrations with source = \"generic\"", "remove it, this source is understood without");
            return None;
        }
        let table = reader.table(field, &format!("map of integration {id}"), MAP)?;
        let place = |name| reader.get(&table, name).and_then(|field| self.place(field));
        let resolved_when = reader.get(&table, "resolved_when").and_then(|field| {
            let text = reader.text(field)?;
            let condition = Condition::from(text.to_owned());
            self.refuse(condition.wrong().as_ref(), text, field.spot(), CONDITION);
            Some(condition)
        });
        let severities = reader.get(&table, "severities").map(|field| {
            let words = reader.entries(field, &format!("severities of integration {id}"));
            words.into_iter().filter_map(|(word, field)| Some((word.to_owned(), reader.word(field, ALERT_SEVERITIES)?))).collect()
        });
        let labels = reader.get(&table, "labels").and_then(|field| {
            if !reader.is_table(field) {
                return self.place(field).map(LabelPlaces::All);
            }
            let labels = reader.entries(field, &format!("labels of integration {id}"));
            Some(LabelPlaces::Each(labels.into_iter().filter_map(|(name, field)| Some((name.to_owned(), self.place(field)?))).collect()))
        });
        Some(Mapping {
            items: place("items"),
            dedup_key: place("dedup_key"),
            title: place("title"),
            severity: place("severity"),
            severities: severities.unwrap_or_default(),
            state: place("state"),
            resolved_when,
            url: place("url"),
            at: place("at"),
            labels,
        })
    }

    fn place(&self, field: Field<'a>) -> Option<Place> {
        let text = self.reader.text(field)?;
        let place = Place::from(text.to_owned());
        self.refuse(place.wrong().as_ref(), text, field.spot(), PLACE);
        Some(place)
    }
}
