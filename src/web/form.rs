//! A form's fields, read once by the gate and handed on.

use std::collections::BTreeMap;

use super::answer::WebError;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::base::written;

/// What a browser sent; of several fields of one name the last counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub fn of(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// What follows this in the names of the fields that were sent, as ticked boxes are.
    pub fn ticked<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter_map(move |name| name.strip_prefix(prefix))
    }

    /// As it was sent: passwords keep their spaces.
    pub fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Without the blanks around it; absent and empty are the same.
    pub fn get(&self, name: &str) -> Option<&str> {
        Some(self.raw(name).trim()).filter(|value| !value.is_empty())
    }

    /// One line of words, which must be there.
    pub fn line(&self, name: &str, what: &str) -> Result<String, WebError> {
        Self::bounded(written::line(self.raw(name)), what, limits::TITLE_CHARS)
    }

    /// Lines of words, which must be there, at most so many characters.
    pub fn words(&self, name: &str, what: &str, most: usize) -> Result<String, WebError> {
        Self::bounded(written::lines(self.raw(name)), what, most)
    }

    fn bounded(text: String, what: &str, most: usize) -> Result<String, WebError> {
        if text.is_empty() {
            return Err(WebError::BadRequest(format!("Write {what} first.")));
        }
        if text.chars().count() > most {
            return Err(WebError::BadRequest(format!("This is longer than {most} characters. Say it shorter.")));
        }
        Ok(text)
    }

    /// A span from now, as in `15m`.
    pub fn after(&self, name: &str, now: Time) -> Result<Option<Time>, WebError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let span = Span::parse(text).map_err(|how| WebError::BadRequest(format!("{how}.")))?;
        Ok(Some(now + span))
    }
}
