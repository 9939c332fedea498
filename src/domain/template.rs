//! Expressions and templates in the language of Jinja, as minijinja reads it. Those who configure write them; what they are filled with
//! is a stranger's, and is never read as a template. Each is compiled once, where the configuration is read.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::{Deserialize, Serialize};

use super::matcher::Wrong;
use super::surely;
use crate::base::limits;

/// What is not there is empty, however deep one looks: a stranger's message may lack anything.
static LANGUAGE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut language = Environment::new();
    language.set_undefined_behavior(UndefinedBehavior::Chainable);
    language.set_fuel(Some(limits::TEMPLATE_FUEL));
    // The place of a mistake is known without it; what it adds is the values that a stranger sent.
    language.set_debug(false);
    // These make a text as long as a number says, and the number may be a stranger's: nothing bounds them.
    language.add_filter("indent", refused);
    language.add_filter("format", refused);
    language
});

/// The same, where what is not there is a mistake wherever it is looked at, be it in a comparison, and like is compared with like.
static STRICT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut language = LANGUAGE.clone();
    language.set_undefined_behavior(UndefinedBehavior::Strict);
    surely::teach(&mut language);
    language
});

/// The steps that are left to the templates of one body, all its alerts together.
#[derive(Debug)]
pub struct Fuel(Cell<u64>);

impl Fuel {
    #[must_use]
    pub const fn of_a_body() -> Self {
        Self(Cell::new(limits::BODY_FUEL))
    }

    /// # Errors
    /// A sentence, when none are left.
    fn flows(&self) -> Result<(), String> {
        if self.0.get() == 0 { Err("the templates of this body take too many steps together".to_owned()) } else { Ok(()) }
    }

    fn burn(&self, steps: u64) {
        self.0.set(self.0.get().saturating_sub(steps));
    }
}

fn refused(_: Value) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::UnknownFilter, "a title and a label are one line"))
}

/// A text with places in it: `{{ labels.host }} is down`. What is stored and cannot be read any more fails whenever it is filled.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Template {
    text: String,
    read: Result<Arc<Environment<'static>>, Wrong>,
    /// The same, where what is not there is a mistake: where it is written down, and wherever it is looked at.
    whole: Option<Arc<Environment<'static>>>,
    strict: Option<Arc<Environment<'static>>>,
}

const NAME: &str = "template";

impl From<String> for Template {
    fn from(text: String) -> Self {
        let read = if text.len() > limits::TEMPLATE_BYTES {
            Err(too_long())
        } else {
            let mut language = LANGUAGE.clone();
            language.add_template_owned(NAME, text.clone()).map(|()| Arc::new(language)).map_err(|error| wrong(&text, &error))
        };
        let with = |behavior: UndefinedBehavior| {
            let mut language = read.as_ref().ok().map(|language: &Arc<Environment<'static>>| language.as_ref().clone())?;
            language.set_undefined_behavior(behavior);
            Some(language)
        };
        let strict = with(UndefinedBehavior::Strict).map(Arc::new);
        let whole = with(UndefinedBehavior::SemiStrict).map(|mut whole| {
            whole.set_formatter(|out, state, value| {
                if value.is_none() {
                    return Err(Error::new(ErrorKind::UndefinedError, "nothing is there"));
                }
                minijinja::escape_formatter(out, state, value)
            });
            Arc::new(whole)
        });
        Self { text, read, whole, strict }
    }
}

impl Template {
    #[must_use]
    pub fn wrong(&self) -> Option<&Wrong> {
        self.read.as_ref().err()
    }

    /// Whether it has places to fill at all.
    #[must_use]
    pub fn has_places(&self) -> bool {
        self.text.contains("{{") || self.text.contains("{%")
    }

    /// # Errors
    /// When it asks for what cannot be done with what it is given: a sentence without any of that.
    pub fn fill(&self, with: &Value) -> Result<String, String> {
        self.fill_from(with, &Fuel(Cell::new(limits::TEMPLATE_FUEL)))
    }

    /// The same, of what is left to the body.
    ///
    /// # Errors
    /// As [`Template::fill`], and when nothing is left.
    pub fn fill_from(&self, with: &Value, fuel: &Fuel) -> Result<String, String> {
        self.filled(None, with, fuel)
    }

    /// The same for what must be whole, as a key must: of `{{ host }}/{{ check }}` no part may be missing.
    ///
    /// # Errors
    /// As [`Template::fill_from`], and where something that it names is not there.
    pub fn fill_whole(&self, with: &Value, fuel: &Fuel) -> Result<String, String> {
        self.filled(self.whole.as_deref(), with, fuel)
    }

    /// The same for what must not come of something that is missing, not even by a condition: `{{ 'over' if status != 'bad' }}`.
    ///
    /// # Errors
    /// As [`Template::fill_from`], and where something that it looks at is not there.
    pub fn fill_surely(&self, with: &Value, fuel: &Fuel) -> Result<String, String> {
        self.filled(self.strict.as_deref(), with, fuel)
    }

    fn filled(&self, language: Option<&Environment<'_>>, with: &Value, fuel: &Fuel) -> Result<String, String> {
        fuel.flows()?;
        let read = self.read.as_ref().map_err(|wrong| wrong.text.clone())?;
        let mut filled = Bounded::default();
        let template = language.unwrap_or(read).get_template(NAME).map_err(|error| sentence(&error))?;
        match template.render_captured_to(with.clone(), &mut filled) {
            Ok(captured) => fuel.burn(captured.state().fuel_levels().map_or(0, |(burnt, _)| burnt)),
            Err(error) => {
                // How far it came is not told. Only what has a statement in it can take more steps than it has signs.
                fuel.burn(if self.text.contains("{%") { limits::TEMPLATE_FUEL } else { steps(&self.text) });
                return Err(sentence(&error));
            }
        }
        String::from_utf8(filled.0).map_err(|_| "it gives no text".to_owned())
    }
}

/// What a template writes, up to a limit.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > limits::TEMPLATE_GIVES {
            return Err(std::io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Something that is true or not, or any other value: `labels.team == "db" and "disk" in title`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Expression {
    text: String,
    read: Result<Compiled, Wrong>,
    /// The same, where what is not there is a mistake and so is comparing what cannot be compared; `None`: it cannot be written so.
    strict: Option<Compiled>,
}

type Compiled = Arc<minijinja::Expression<'static, 'static>>;

impl From<String> for Expression {
    fn from(text: String) -> Self {
        let read = if text.len() > limits::TEMPLATE_BYTES {
            Err(too_long())
        } else {
            LANGUAGE.compile_expression_owned(text.clone()).map(Arc::new).map_err(|error| wrong(&text, &error))
        };
        let strict = read.as_ref().ok().and_then(|_| STRICT.compile_expression_owned(surely::written(&text)?).ok()).map(Arc::new);
        Self { text, read, strict }
    }
}

impl Expression {
    #[must_use]
    pub fn wrong(&self) -> Option<&Wrong> {
        self.read.as_ref().err()
    }

    /// Whether it is true.
    ///
    /// # Errors
    /// As [`Template::fill`].
    pub fn holds(&self, with: &Value) -> Result<bool, String> {
        let expression = self.read.as_ref().map_err(|wrong| wrong.text.clone())?;
        expression.eval(with.clone()).map(|value| value.is_true()).map_err(|error| sentence(&error))
    }

    /// What is wrong with it where it has to be sure.
    #[must_use]
    pub fn unsure(&self) -> Option<Wrong> {
        self.wrong().cloned().or_else(|| self.strict.is_none().then(|| Wrong::new(0, UNSURE)))
    }

    /// Whether it is true, and not by accident: of a message without a `status`, `status != "bad"` says nothing, and neither does
    /// `resolved` of the text `"false"`, nor `value < 95` of the text `"n/a"`.
    ///
    /// # Errors
    /// As [`Expression::holds`], when nothing is left to the body, and where it would be true by something that is not there, is neither
    /// true nor false, or cannot be compared.
    pub fn holds_surely(&self, with: &Value, fuel: &Fuel) -> Result<bool, String> {
        fuel.flows()?;
        // It has no loop, so that it takes no more steps than it has signs.
        fuel.burn(steps(&self.text) * 2);
        let is_likely = self.holds(with)?;
        let strict = self.strict.as_ref().ok_or(UNSURE)?;
        match strict.eval(with.clone()) {
            Ok(value) => Ok(value.is_true()),
            Err(error) if is_likely => Err(sentence(&error)),
            Err(_) => Ok(false),
        }
    }
}

const UNSURE: &str = "it compares three things in a row: write two comparisons with \"and\" between them";

fn steps(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

macro_rules! written {
    ($($name:ident)*) => {$(
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(written: $name) -> Self {
                written.text
            }
        }

        /// Equal when written equally.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.text)
            }
        }

        /// As it was written.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
    )*};
}

written! { Template Expression }

fn too_long() -> Wrong {
    Wrong::new(0, format!("it is longer than {} bytes", limits::TEMPLATE_BYTES))
}

fn wrong(text: &str, error: &Error) -> Wrong {
    let at = error.range().map_or(0, |range| range.start).min(text.len());
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Wrong::new(at, sentence(error))
}

/// The engine's own words name what was written, never what it was filled with.
fn sentence(error: &Error) -> String {
    let detail = || error.detail().filter(|detail| detail.len() < 200).map(|detail| format!(": {detail}")).unwrap_or_default();
    match error.kind() {
        ErrorKind::OutOfFuel => "it takes too many steps".to_owned(),
        ErrorKind::WriteFailure => format!("it gives more than {} bytes", limits::TEMPLATE_GIVES),
        ErrorKind::SyntaxError => error.detail().unwrap_or("it cannot be read").to_owned(),
        ErrorKind::UnknownFilter => "there is no such filter".to_owned() + &detail(),
        ErrorKind::UnknownTest => "there is no such test".to_owned() + &detail(),
        ErrorKind::UnknownFunction => "there is no such function".to_owned() + &detail(),
        ErrorKind::UnknownMethod => "there is no such method".to_owned(),
        ErrorKind::InvalidOperation | ErrorKind::NonPrimitive | ErrorKind::NonKey => {
            "it does with a value what cannot be done with it".to_owned()
        }
        ErrorKind::UndefinedError => "it uses what is not there".to_owned(),
        _ => "it cannot be filled".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    #[test]
    fn a_template_is_filled_and_what_is_not_there_is_empty() {
        let with = context! { title => "disk", labels => context! { host => "db-3" } };
        for (template, filled) in [
            ("{{ labels.host }}: {{ title|upper }}", "db-3: DISK"),
            ("[{{ labels.nothing }}{{ labels.nothing.deeper.still }}]", "[]"),
            ("{{ labels.team|default('nobody') }}", "nobody"),
            ("{% if 'db' in labels.host %}yes{% endif %}", "yes"),
            ("no places", "no places"),
            ("{{ '<b>' }}", "<b>"),
        ] {
            assert_eq!(Template::from(template).fill(&with).as_deref(), Ok(filled), "{template}");
        }
    }

    #[test]
    fn what_a_stranger_sent_is_never_read_as_a_template() {
        let with = context! { title => "{{ 7 * 7 }}{% for" };
        assert_eq!(Template::from("{{ title }}").fill(&with).as_deref(), Ok("{{ 7 * 7 }}{% for"));
    }

    #[test]
    fn a_mistake_says_where_it_is() {
        for (template, at, said) in [
            ("{{ title", 3, "unexpected end of input"),
            ("ab {{ title| }}", 13, "unexpected"),
            ("{% if title %}", 12, "unexpected end"),
            ("é {{ 'x }}", 11, "unexpected"),
        ] {
            let template = Template::from(template);
            let wrong = template.wrong().unwrap_or_else(|| panic!("{template} is taken"));
            assert!(wrong.text.contains(said), "{template}: {wrong:?}");
            assert_eq!(wrong.at, at, "{template}: {wrong:?}");
            assert!(template.fill(&Value::UNDEFINED).is_err());
        }
        let expression = Expression::from("title ==");
        assert_eq!(expression.wrong().map(|wrong| wrong.at), Some(6), "{:?}", expression.wrong());
        assert!(expression.holds(&Value::UNDEFINED).is_err());
    }

    #[test]
    fn nothing_runs_or_grows_without_end() {
        let with = context! { title => "x".repeat(300) };
        for template in [
            "{% for a in title|list %}{% for b in title|list %}{% for c in title|list %}{{ a }}{% endfor %}{% endfor %}{% endfor %}",
            "{% for a in range(100000) %}x{% endfor %}",
            "{{ title ~ title ~ title }}{{ title * 100 }}",
            "{{ title|nothing }}",
            "{{ title + 1 }}",
            "{{ title.fly() }}",
            "{{ title|indent(10000000000000) }}",
            "{{ '%10000000000000d'|format(1) }}",
        ] {
            let failed = Template::from(template).fill(&with);
            assert!(failed.as_ref().is_err_and(|why| !why.contains("xxx")), "{template}: {failed:?}");
        }
    }
}
