//! `[masks]`: what is taken out of what senders write, beside what is always taken out.

use super::super::reader::{Reader, Table, shown};
use crate::base::limits;
use crate::base::mask::{self, MaskSettings};

pub(super) const MASKS: &[&str] = &["off", "names", "keep", "patterns"];

pub(super) fn read<'a>(reader: &Reader<'a>, root: &Table<'a>) -> MaskSettings {
    let Some(table) = reader.section(root, "masks", MASKS) else { return MaskSettings::default() };
    let names = |name| {
        let all = reader.get(&table, name).and_then(|field| reader.texts(field)).unwrap_or_default();
        let mut names = Vec::new();
        for (text, spot) in all {
            if !text.chars().any(char::is_alphanumeric) || text.len() > limits::LABEL_CHARS {
                reader.error(spot, format!("{} is no name of a field", shown(text)), "write it as \"employee_badge\"");
            } else if names.len() >= limits::MASKS {
                reader.error(spot, format!("these are more than {} {name}", limits::MASKS), "remove some");
                break;
            } else {
                names.push(text.to_owned());
            }
        }
        names
    };
    let mut patterns = Vec::new();
    for (text, spot) in reader.get(&table, "patterns").and_then(|field| reader.texts(field)).unwrap_or_default() {
        match mask::compile(text) {
            Err(why) => reader.error(spot, format!("{} is no pattern of a secret: {why}", shown(text)), "write it as \"EMP-[0-9]{6}\""),
            Ok(_) if patterns.len() >= limits::MASKS => {
                reader.error(spot, format!("these are more than {} patterns", limits::MASKS), "remove some");
                break;
            }
            Ok(_) => patterns.push(text.to_owned()),
        }
    }
    MaskSettings {
        off: reader.get(&table, "off").and_then(|field| reader.truth(field)).unwrap_or_default(),
        names: names("names"),
        keep: names("keep"),
        patterns,
    }
}
