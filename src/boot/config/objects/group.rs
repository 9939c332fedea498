//! What alerts of a service are grouped by: `group = { window = "10m", by = ["host"] }`.

use std::collections::BTreeSet;

use super::Objects;
use crate::base::{limits, written};
use crate::boot::config::reader::{Field, shown};
use crate::domain::group::GroupBy;
use crate::domain::template::Template;

const NAMES: &str = "write it as [\"host\", \"alertname\"], or as a template: \"{{ labels.host }}\"";
/// Nearly every alert has its own, so that a service grouped by one of these groups nothing.
const OWN: [&str; 3] = ["dedup_key", "title", "url"];

impl<'a> Objects<'_, 'a> {
    pub(super) fn group_by(&self, field: Field<'a>) -> Option<GroupBy> {
        if field.is_text() {
            return self.group_template(field);
        }
        let reader = self.reader;
        let (names, spot) = (reader.texts(field)?, field.spot());
        if names.is_empty() {
            reader.error(spot, "by names no label", "leave it out for alerts that are grouped by time alone");
            return None;
        }
        if names.len() > limits::GROUP_NAMES {
            let text = format!("by names {} labels, and alerts with so much in common are rare", names.len());
            reader.error(spot, text, format!("leave {} of them at most", limits::GROUP_NAMES));
            return None;
        }
        let mut seen = BTreeSet::new();
        for (name, spot) in names {
            if name.is_empty() || written::line_within(name, limits::LABEL_CHARS) != name {
                reader.error(spot, format!("{} is no name of a label", shown(name)), NAMES);
            } else if !seen.insert(name) {
                reader.error(spot, format!("by names {} twice", shown(name)), "leave one of them out");
            } else if OWN.contains(&name) {
                let text = format!("nearly every alert has a {name} of its own, so that nothing is grouped");
                reader.doubt(spot, text, "name what alerts have in common, as host, or write window = \"0s\" to keep every alert alone");
            }
        }
        let names = reader.texts(field)?.into_iter().map(|(name, _)| name.to_owned());
        Some(GroupBy::Names(names.collect()))
    }

    fn group_template(&self, field: Field<'a>) -> Option<GroupBy> {
        let text = self.reader.text(field)?;
        let template = Template::from(text);
        self.refuse(template.wrong(), text, field.spot(), NAMES);
        if template.wrong().is_none() && !template.has_places() {
            self.reader.error(field.spot(), format!("{} gives the same for every alert", shown(text)), NAMES);
        }
        Some(GroupBy::Template(template))
    }
}
