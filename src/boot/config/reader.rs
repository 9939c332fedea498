//! Typed reading of a TOML document. Reading never fails: it gives a value or a complaint, and goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Complaint, ComplaintKind, Purpose, Surroundings};
use crate::base::secret::Secret;
use crate::base::time::Span;
use crate::domain::lint::Level;

/// What a value is refused with: what is wrong, and what to do about it.
pub(super) type Refusal = (String, String);

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spot<'a> {
    /// In the file, at this byte.
    File(usize),
    /// In the environment variable of this name.
    Variable(&'a str),
}

/// A key with its value.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub name: &'a str,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    File(&'a Spanned<DeValue<'a>>),
    Variable(&'a str, &'a str),
}

impl<'a> Field<'a> {
    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, Value::File(value) if value.get_ref().as_table().is_some())
    }

    pub(super) fn is_text(&self) -> bool {
        match self.value {
            Value::File(value) => value.get_ref().as_str().is_some(),
            Value::Variable(..) => true,
        }
    }

    pub(super) fn spot(&self) -> Spot<'a> {
        match self.value {
            Value::File(value) => Spot::File(value.span().start),
            Value::Variable(name, _) => Spot::Variable(name),
        }
    }
}

/// A table, with the keys it may have.
#[derive(Clone)]
pub(super) struct Table<'a> {
    /// As complaints call it: `[twilio]`, `a rule of user ana`.
    pub title: String,
    entries: Option<&'a DeTable<'a>>,
    pub spot: usize,
    /// The section's name, where environment variables go over the file.
    section: Option<&'static str>,
}

impl<'a> Table<'a> {
    pub(super) fn root(document: &'a Spanned<DeTable<'a>>) -> Self {
        Self { title: "the file".to_owned(), entries: Some(document.get_ref()), spot: 0, section: None }
    }

    /// Where the file has the key, if it has it.
    pub(super) fn key_spot(&self, name: &str) -> Option<usize> {
        self.entries?.get_key_value(name).map(|(key, _)| key.span().start)
    }
}

pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    around: &'a Surroundings,
    purpose: Purpose,
    complaints: RefCell<Vec<Complaint>>,
    places: RefCell<BTreeMap<String, (usize, usize)>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, around: &'a Surroundings, purpose: Purpose) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, line_starts, around, purpose, complaints: RefCell::default(), places: RefCell::default() }
    }

    pub(super) fn finish(self) -> (Vec<Complaint>, BTreeMap<String, (usize, usize)>) {
        (self.complaints.into_inner(), self.places.into_inner())
    }

    pub(super) const fn around(&self) -> &'a Surroundings {
        self.around
    }

    // Complaints.

    pub(super) fn complain(
        &self,
        spot: Spot<'_>,
        level: Level,
        kind: ComplaintKind,
        text: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        let (file, (line, column)) = match spot {
            Spot::File(at) => (self.file, self.line_and_column(at)),
            Spot::Variable(name) => (name, (1, 1)),
        };
        self.complaints.borrow_mut().push(Complaint {
            file: file.to_owned(),
            line,
            column,
            level,
            kind,
            text: text.into(),
            suggestion: suggestion.into(),
        });
    }

    pub(super) fn error(&self, spot: Spot<'_>, text: impl Into<String>, suggestion: impl Into<String>) {
        self.complain(spot, Level::Error, ComplaintKind::Wrong, text, suggestion);
    }

    pub(super) fn doubt(&self, spot: Spot<'_>, text: impl Into<String>, suggestion: impl Into<String>) {
        self.complain(spot, Level::Warning, ComplaintKind::Doubtful, text, suggestion);
    }

    /// Understood and checked, and of no effect in this version.
    pub(super) fn not_yet(&self, spot: Spot<'_>, what: &str, suggestion: &str) {
        self.complain(spot, Level::Warning, ComplaintKind::NotYet, format!("this version does not use {what} yet"), suggestion);
    }

    pub(super) fn syntax(&self, mistake: &toml::de::Error) {
        let at = mistake.span().map_or(0, |span: Range<usize>| span.start);
        let message = mistake.message().replace('\n', ", ");
        let (text, suggestion) = match message.split_once(", expected ") {
            Some((text, expected)) if expected != "nothing" => (text, format!("expected here: {expected}")),
            Some((text, _)) => (text, "write it as TOML asks (https://toml.io), text in quotes".to_owned()),
            None if message.contains("duplicate") => (message.as_str(), "remove one of the two".to_owned()),
            None => (message.as_str(), "write it as TOML asks (https://toml.io)".to_owned()),
        };
        self.error(Spot::File(at), text, suggestion);
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line, self.text.get(start..at).map_or(1, |before| before.chars().count() + 1))
    }

    /// The place of one byte of a text that begins at `spot`; the beginning where the file writes it in another way.
    pub(super) fn within<'s>(&self, spot: Spot<'s>, text: &str, at: usize) -> Spot<'s> {
        let Spot::File(start) = spot else { return spot };
        let raw = self.text.get(start..).unwrap_or_default();
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| raw.starts_with(quote)).unwrap_or_default();
        let mut raw = raw[quote.len()..].char_indices();
        for (decoded, sign) in text.char_indices() {
            let Some((here, written)) = raw.next() else { return spot };
            if decoded >= at {
                return Spot::File(start + quote.len() + here);
            }
            // The escapes of one letter; after any other the places could not be counted on.
            let escaped = written == '\\' && quote.starts_with('"');
            let meant = if escaped { raw.next().map(|(_, letter)| if letter == 'n' { '\n' } else { letter }) } else { Some(written) };
            if meant != Some(sign) {
                return spot;
            }
        }
        raw.next().map_or(spot, |(here, _)| Spot::File(start + quote.len() + here))
    }

    /// Remembers where an object stands, for what is found out about it later.
    pub(super) fn place(&self, path: String, spot: Spot<'_>) {
        if let Spot::File(at) = spot {
            self.places.borrow_mut().insert(path, self.line_and_column(at));
        }
    }

    // Tables.

    /// A section of settings, which the environment may give whole.
    pub(super) fn section(&self, root: &Table<'a>, name: &'static str, keys: &[&str]) -> Option<Table<'a>> {
        let given = keys.iter().any(|key| self.around.variable(&variable_name(name, key)).is_some());
        let mut table = match root.entries.and_then(|entries| entries.get(name)) {
            Some(value) => self.table_of(value, &format!("[{name}]"), keys)?,
            None if given => Table { title: format!("[{name}]"), entries: None, spot: 0, section: None },
            None => return None,
        };
        table.section = Some(name);
        Some(table)
    }

    /// A table within a section, which the environment may give whole: `full` is both names as variables have them.
    pub(super) fn subsection(&self, within: Option<&Table<'a>>, name: &str, full: &'static str, keys: &[&str]) -> Option<Table<'a>> {
        let title = format!("[{}]", full.replace("__", "."));
        let given = keys.iter().any(|key| self.around.variable(&variable_name(full, key)).is_some());
        let mut table = match within.and_then(|within| within.entries).and_then(|entries| entries.get(name)) {
            Some(value) => self.table_of(value, &title, keys)?,
            None if given => Table { title, entries: None, spot: 0, section: None },
            None => return None,
        };
        table.section = Some(full);
        Some(table)
    }

    /// The tables of `[[name]]`, or of a key whose value is a list of tables.
    pub(super) fn tables(&self, table: &Table<'a>, name: &'static str, title: &str, keys: &[&str]) -> Vec<Table<'a>> {
        let Some(field) = self.get(table, name) else { return Vec::new() };
        self.list(field).into_iter().flatten().filter_map(|value| self.table_of(value, title, keys)).collect()
    }

    /// What stands in a table of any keys.
    pub(super) fn entries(&self, field: Field<'a>, title: &str) -> Vec<(&'a str, Field<'a>)> {
        let table = match field.value {
            Value::File(value) => value.get_ref().as_table(),
            Value::Variable(..) => None,
        };
        let Some(table) = table else {
            self.wrong_type::<()>(&field, "a table");
            return Vec::new();
        };
        let entry = |(key, value): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            let name: &'a str = key.get_ref();
            if name.is_empty() {
                self.error(Spot::File(key.span().start), format!("a key of {title} is empty"), "give it a name");
            }
            (name, Field { name, value: Value::File(value) })
        };
        table.iter().map(entry).collect()
    }

    /// The table of a key.
    pub(super) fn table(&self, field: Field<'a>, title: &str, keys: &[&str]) -> Option<Table<'a>> {
        match field.value {
            Value::File(value) => self.table_of(value, title, keys),
            Value::Variable(..) => self.wrong_type(&field, "a table"),
        }
    }

    fn table_of(&self, value: &'a Spanned<DeValue<'a>>, title: &str, keys: &[&str]) -> Option<Table<'a>> {
        let spot = value.span().start;
        let Some(entries) = value.get_ref().as_table() else {
            let text = format!("{title} is {}, not a table", type_name(value.get_ref()));
            self.error(Spot::File(spot), text, format!("write it with the keys {}", keys.join(", ")));
            return None;
        };
        let table = Table { title: title.to_owned(), entries: Some(entries), spot, section: None };
        self.refuse_unknown(&table, keys);
        Some(table)
    }

    pub(super) fn refuse_unknown(&self, table: &Table<'a>, keys: &[&str]) {
        for (key, _) in table.entries.into_iter().flatten() {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                self.error(Spot::File(key.span().start), format!("unknown key {} in {}", shown(name), table.title), instead(name, keys));
            }
        }
    }

    /// A key's value: the environment's, else the file's.
    pub(super) fn get(&self, table: &Table<'a>, name: &'static str) -> Option<Field<'a>> {
        if let Some(section) = table.section
            && let Some((variable, text)) = self.around.variable(&variable_name(section, name))
        {
            return Some(Field { name, value: Value::Variable(variable, text) });
        }
        table.entries?.get(name).map(|value| Field { name, value: Value::File(value) })
    }

    /// A key that must be there.
    pub(super) fn need(&self, table: &Table<'a>, name: &'static str, example: &str) -> Option<Field<'a>> {
        let field = self.get(table, name);
        if field.is_none() {
            self.error(Spot::File(table.spot), format!("{} has no {name}", table.title), format!("add {name} = {example}"));
        }
        field
    }

    // Values.

    fn wrong_type<T>(&self, field: &Field<'a>, wanted: &str) -> Option<T> {
        let found = match field.value {
            Value::File(value) => type_name(value.get_ref()),
            Value::Variable(..) => "text",
        };
        // The value itself may be a secret in the wrong place, so it is not repeated.
        self.error(field.spot(), format!("{} is {found}, not {wanted}", field.name), format!("write {wanted}"));
        None
    }

    /// The values of a list.
    fn list(&self, field: Field<'a>) -> Option<Vec<&'a Spanned<DeValue<'a>>>> {
        match field.value {
            Value::File(value) => match value.get_ref() {
                DeValue::Array(values) => Some(values.iter().collect()),
                DeValue::Table(_) if ["user", "schedule", "policy", "service", "integration", "webhook", "route"].contains(&field.name) => {
                    let name = field.name;
                    self.error(field.spot(), format!("{name} is a table, not a list of tables"), format!("write [[{name}]]"));
                    None
                }
                _ => self.wrong_type(&field, "a list"),
            },
            Value::Variable(..) => self.wrong_type(&field, "a list"),
        }
    }

    /// The texts of a list.
    pub(super) fn texts(&self, field: Field<'a>) -> Option<Vec<(&'a str, Spot<'a>)>> {
        let values = self.list(field)?;
        let element = |value| Field { name: field.name, value: Value::File(value) };
        let text = |value: &'a Spanned<DeValue<'a>>| Some((self.text(element(value))?, Spot::File(value.span().start)));
        let empty = values.is_empty();
        let texts: Vec<_> = values.into_iter().filter_map(text).collect();
        // A list of nothing but mistakes is not an empty one.
        (empty || !texts.is_empty()).then_some(texts)
    }

    pub(super) fn text(&self, field: Field<'a>) -> Option<&'a str> {
        match field.value {
            Value::File(value) => value.get_ref().as_str().map_or_else(|| self.wrong_type(&field, "text in quotes"), Some),
            Value::Variable(_, text) => Some(text),
        }
    }

    /// Text that says something.
    pub(super) fn words(&self, field: Field<'a>) -> Option<String> {
        self.parsed(field, |text| {
            if text.trim().is_empty() {
                return Err((format!("{} is empty", field.name), "write something, or leave the key out".to_owned()));
            }
            Ok(text.to_owned())
        })
    }

    /// Text that is read further.
    pub(super) fn parsed<T>(&self, field: Field<'a>, parse: impl FnOnce(&str) -> Result<T, Refusal>) -> Option<T> {
        match parse(self.text(field)?) {
            Ok(value) => Some(value),
            Err((text, suggestion)) => {
                self.error(field.spot(), text, suggestion);
                None
            }
        }
    }

    pub(super) fn span(&self, field: Field<'a>) -> Option<Span> {
        self.parsed(field, |text| {
            Span::parse(text)
                .map_err(|_| (format!("{} is not a span of time", shown(text)), "write it as 30s, 5m, 1h30m, 2d or 1w".to_owned()))
        })
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, field: Field<'a>, words: &[(&str, T)]) -> Option<T> {
        self.parsed(field, |text| {
            let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            found.ok_or_else(|| (format!("{} is no value for {}", shown(text), field.name), instead(text, &names)))
        })
    }

    /// A whole number within bounds.
    pub(super) fn whole(&self, field: Field<'a>, bounds: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let number = match field.value {
            Value::File(value) => match value.get_ref().as_integer() {
                Some(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i64::MAX),
                None => return self.wrong_type(&field, "a whole number"),
            },
            Value::Variable(_, text) => match text.trim().parse::<i64>() {
                Ok(number) => number,
                Err(_) => return self.wrong_type(&field, "a whole number"),
            },
        };
        let within = u32::try_from(number).ok().filter(|number| bounds.contains(number));
        if within.is_none() {
            let text = format!("{} is {number}, which is out of bounds", field.name);
            self.error(field.spot(), text, format!("write a number from {} to {}", bounds.start(), bounds.end()));
        }
        within
    }

    pub(super) fn truth(&self, field: Field<'a>) -> Option<bool> {
        match field.value {
            Value::File(value) => value.get_ref().as_bool().map_or_else(|| self.wrong_type(&field, "true or false"), Some),
            Value::Variable(_, "true") => Some(true),
            Value::Variable(_, "false") => Some(false),
            Value::Variable(..) => self.wrong_type(&field, "true or false"),
        }
    }

    /// Text, or a date of TOML's own in the same letters.
    pub(super) fn text_or_date(&self, field: Field<'a>) -> Option<String> {
        match field.value {
            Value::File(value) => match value.get_ref() {
                DeValue::Datetime(date) => Some(date.to_string()),
                _ => self.text(field).map(str::to_owned),
            },
            Value::Variable(_, text) => Some(text.to_owned()),
        }
    }

    // Secrets.

    /// A secret given in one place.
    pub(super) fn secret(&self, field: Field<'a>) -> Option<Secret> {
        match field.value {
            Value::File(value) => self.secret_of(field.name, value),
            Value::Variable(_, text) => Some(Secret::new(text)),
        }
    }

    /// A secret that may have two live values while it is rotated.
    pub(super) fn secrets(&self, field: Field<'a>) -> Vec<(Secret, Spot<'a>)> {
        let values: Vec<&'a Spanned<DeValue<'a>>> = match field.value {
            Value::Variable(name, text) => return vec![(Secret::new(text), Spot::Variable(name))],
            Value::File(value) => match value.get_ref() {
                DeValue::Array(values) => values.iter().collect(),
                _ => vec![value],
            },
        };
        if values.is_empty() || values.len() > 2 {
            let text = format!("{} has {} values", field.name, values.len());
            self.error(field.spot(), text, "give one, or a list of two while it is rotated");
        }
        values.into_iter().filter_map(|value| Some((self.secret_of(field.name, value)?, Spot::File(value.span().start)))).collect()
    }

    fn secret_of(&self, name: &str, value: &'a Spanned<DeValue<'a>>) -> Option<Secret> {
        const FORMS: &str = "write \"the value\", { env = \"NAME\" } or { file = \"path\" }";
        let spot = Spot::File(value.span().start);
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                self.error(spot, format!("{name} is empty"), FORMS);
                None
            }
            DeValue::String(text) => Some(Secret::new(text.as_ref())),
            DeValue::Table(_) => {
                let table = self.table_of(value, name, &["env", "file"])?;
                match (self.get(&table, "env"), self.get(&table, "file")) {
                    (Some(variable), None) => {
                        let variable = self.words(variable)?;
                        let found = self.around.variable(&variable).map(|(_, value)| Secret::new(value));
                        if found.is_none() {
                            self.unset(spot, &format!("the variable {variable} for {name} is not set"), "set it where Reveille runs");
                        }
                        found
                    }
                    (None, Some(path)) => self.secret_in_file(name, spot, &self.words(path)?),
                    (Some(_), Some(_)) => {
                        self.error(spot, format!("{name} has both env and file"), "give one of them");
                        None
                    }
                    (None, None) => {
                        // An unknown key in it has been named already.
                        if table.entries.is_some_and(DeTable::is_empty) {
                            self.error(spot, format!("{name} is empty"), FORMS);
                        }
                        None
                    }
                }
            }
            _ => {
                self.error(spot, format!("{name} is {}, not a secret", type_name(value.get_ref())), FORMS);
                None
            }
        }
    }

    /// A path is read from where the configuration file lies, not from where the program was started.
    fn secret_in_file(&self, name: &str, spot: Spot<'_>, path: &str) -> Option<Secret> {
        let full = Path::new(self.file).parent().unwrap_or(Path::new("")).join(path);
        match self.around.read(&full) {
            Ok(text) if text.trim_end().is_empty() => {
                self.unset(spot, &format!("the file {} for {name} is empty", full.display()), "write the secret into it");
                None
            }
            Ok(text) => Some(Secret::new(text.trim_end())),
            Err(error) => {
                let text = format!("the file {} for {name} cannot be read: {error}", full.display());
                self.unset(spot, &text, "put the secret there, readable for Reveille");
                None
            }
        }
    }

    /// A file that the configuration names, as the configuration sees it: read from where the configuration file lies.
    pub(super) fn path(&self, field: Field<'a>) -> Option<PathBuf> {
        let path = self.words(field)?;
        Some(Path::new(self.file).parent().unwrap_or(Path::new("")).join(path))
    }

    /// The text of such a file; one that cannot be read is complained of as a secret that is not at hand.
    pub(super) fn text_in(&self, spot: Spot<'_>, path: &Path, what: &str) -> Option<String> {
        match self.around.read(path) {
            Ok(text) => Some(text),
            Err(error) => {
                let text = format!("the file {} for {what} cannot be read: {error}", path.display());
                self.unset(spot, &text, "put it there, readable for Reveille");
                None
            }
        }
    }

    /// The values of a list or a single value, as texts; or the one word that stands for all.
    pub(super) fn truth_or_texts(&self, field: Field<'a>) -> Option<Result<bool, Vec<(&'a str, Spot<'a>)>>> {
        match field.value {
            Value::File(value) => match value.get_ref() {
                DeValue::Boolean(truth) => Some(Ok(*truth)),
                DeValue::Array(_) => self.texts(field).map(Err),
                _ => self.wrong_type(&field, "true, false or a list of texts"),
            },
            Value::Variable(_, "true") => Some(Ok(true)),
            Value::Variable(_, "false") => Some(Ok(false)),
            Value::Variable(name, text) => {
                Some(Err(text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| (text, Spot::Variable(name))).collect()))
            }
        }
    }

    fn unset(&self, spot: Spot<'_>, text: &str, suggestion: &str) {
        let level = match self.purpose {
            Purpose::Check => Level::Warning,
            Purpose::Run => Level::Error,
        };
        self.complain(spot, level, ComplaintKind::UnsetSecret, text, suggestion);
    }
}

/// The environment variable of a setting: the sections joined with two underscores.
pub(super) fn variable_name(section: &str, key: &str) -> String {
    format!("REVEILLE_{}__{}", section.to_ascii_uppercase(), key.to_ascii_uppercase())
}

/// A value in a complaint: in quotes, on one line, and not for ever.
pub(super) fn shown(text: &str) -> String {
    if text.chars().count() <= 60 { format!("{text:?}") } else { format!("{:?}…", text.chars().take(60).collect::<String>()) }
}

/// What may have been meant by `wrong`, or what there is.
pub(super) fn instead(wrong: &str, known: &[&str]) -> String {
    let lower = wrong.to_lowercase();
    let distance = |name: &&&str| strsim::osa_distance(&lower, &name.to_lowercase());
    let near = known.iter().min_by_key(distance).filter(|name| distance(name) <= 1 + wrong.chars().count() / 4);
    match (near, known) {
        (Some(name), _) => format!("did you mean \"{name}\"?"),
        (None, []) => "there is none".to_owned(),
        (None, [one]) => format!("there is only {one}"),
        (None, [..]) if known.len() > 12 => format!("there are {} and {} more", known[..8].join(", "), known.len() - 8),
        (None, [rest @ .., last]) => format!("there are {} and {last}", rest.join(", ")),
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
