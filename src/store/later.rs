//! Writes that wait for the next statement of their transaction, and go to SQLite together with it.
//!
//! SQLite runs on a thread of its own, and each call is two changes of threads, which cost more than most statements. PostgreSQL takes one
//! statement at a time.

use std::fmt::Write as _;

use sqlx::Execute as _;
use sqlx::any::AnyArguments;

use super::error::{Result, StoreError};
use super::sql::{Sql, sql_made_with};

/// Values of one call. A statement with more goes alone: it takes long by itself, and SQLite looks each named place up among all.
const VALUES: usize = 160;

/// Statements one after the other, as one text whose places are numbered through.
#[derive(Default)]
pub(super) struct Later {
    text: String,
    values: AnyArguments,
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Later").field("values", &self.values.values.0.len()).finish_non_exhaustive()
    }
}

impl Later {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// A statement without values before, or after, all that waits.
    pub(super) fn say(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push_str("; ");
        }
        self.text.push_str(text);
    }

    /// Adds a statement. What went before comes back where the two are too much for one call.
    ///
    /// # Errors
    /// When a value cannot be bound.
    pub(super) fn add(&mut self, sql: Sql) -> Result<Option<Sql>> {
        let mut query = sql.0;
        let refused = |error: sqlx::error::BoxDynError| StoreError::Refused(error.to_string());
        let values = query.take_arguments().map_err(refused)?.unwrap_or_default();
        let before = (self.values.values.0.len() + values.values.0.len() > VALUES).then(|| self.take()).flatten();
        if self.is_empty() && values.values.0.len() > VALUES {
            // Alone it keeps its places, which may be nameless.
            self.text.push_str(query.sql().as_str());
        } else {
            self.say("");
            number(&mut self.text, query.sql().as_str(), self.values.values.0.len());
        }
        self.values.values.0.extend(values.values.0);
        Ok(before)
    }

    /// All that waits, as one statement.
    pub(super) fn take(&mut self) -> Option<Sql> {
        let Self { text, values } = std::mem::take(self);
        (!text.is_empty()).then(|| sql_made_with(text, values))
    }
}

/// Appends a statement whose places begin after `bound` others; those without a number come in their order.
fn number(text: &mut String, statement: &str, bound: usize) {
    let mut nameless = bound;
    let mut is_quoted = false;
    let mut rest = statement.chars().peekable();
    while let Some(sign) = rest.next() {
        is_quoted ^= sign == '\'';
        match sign {
            '?' if !is_quoted => {
                nameless += 1;
                push(text, nameless);
            }
            '$' if !is_quoted => {
                let mut n = 0;
                while let Some(digit) = rest.peek().and_then(|sign| sign.to_digit(10)) {
                    n = n * 10 + digit as usize;
                    rest.next();
                }
                push(text, bound + n);
            }
            sign => text.push(sign),
        }
    }
}

fn push(text: &mut String, n: usize) {
    // Writing to a String cannot fail.
    write!(text, "${n}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::super::sql::sql;
    use super::*;

    fn text_of(sql: Sql) -> String {
        sql.0.sql().as_str().to_owned()
    }

    #[test]
    fn statements_become_one_whose_places_are_numbered_through() {
        let mut later = Later::default();
        later.say("BEGIN");
        assert!(later.add(sql("INSERT INTO a VALUES (?, '?$1', ?)").int(1).int(2)).is_ok_and(|before| before.is_none()));
        assert!(later.add(sql("DELETE FROM b WHERE x = $2 AND y = $1 AND z = $12").int(3).int(4)).is_ok_and(|before| before.is_none()));
        later.say("COMMIT");
        let mut all = later.take().expect("three statements");
        let values = all.0.take_arguments().expect("values").expect("four of them");
        assert_eq!(values.values.0.len(), 4);
        assert_eq!(text_of(all), "BEGIN; INSERT INTO a VALUES ($1, '?$1', $2); DELETE FROM b WHERE x = $4 AND y = $3 AND z = $14; COMMIT");
        assert!(later.is_empty() && later.take().is_none());
    }

    #[test]
    fn what_is_too_much_for_one_call_goes_alone_and_in_its_order() {
        let mut later = Later::default();
        assert!(later.add(sql("first $1").int(1)).is_ok_and(|before| before.is_none()));
        let large = (0..=VALUES).fold(sql("large ?"), |large, _| large.int(2));
        let before = later.add(large).expect("it is added").expect("what went before");
        assert_eq!(text_of(before), "first $1");
        assert_eq!(text_of(later.add(sql("last $1").int(3)).expect("it is added").expect("the large one")), "large ?");
        assert_eq!(text_of(later.take().expect("the last one")), "last $1");
    }
}
