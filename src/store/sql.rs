//! One statement and its values, and the reading of rows. All values are texts and whole numbers.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row as _};

use super::error::{Result, StoreError};
use crate::base::time::Time;

/// The numbers of rows that a statement for many rows may have: few, because a connection keeps only 100 statements prepared.
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];

/// A statement with its values so far. Placeholders are `$1`, `$2`, … in the order of binding.
pub(super) struct Sql(pub(super) Query<'static, Any, AnyArguments>);

pub(super) fn sql(text: &'static str) -> Sql {
    Sql(sqlx::query(text))
}

/// A statement put together from parts of this room; values never stand in the text.
pub(super) fn sql_made(text: String) -> Sql {
    Sql(sqlx::query(AssertSqlSafe(text)))
}

/// The same, with the values that it has already.
pub(super) fn sql_made_with(text: String, values: AnyArguments) -> Sql {
    Sql(sqlx::query_with(AssertSqlSafe(text), values))
}

impl Sql {
    pub(super) fn text(self, value: impl AsRef<str>) -> Self {
        Self(self.0.bind(storable(value.as_ref())))
    }

    pub(super) fn maybe_text(self, value: Option<impl AsRef<str>>) -> Self {
        Self(self.0.bind(value.map(|value| storable(value.as_ref()))))
    }

    pub(super) fn int(self, value: i64) -> Self {
        Self(self.0.bind(value))
    }

    pub(super) fn flag(self, value: bool) -> Self {
        self.int(i64::from(value))
    }

    pub(super) fn time(self, value: Time) -> Self {
        self.int(value.0)
    }

    pub(super) fn maybe_time(self, value: Option<Time>) -> Self {
        Self(self.0.bind(value.map(|value| value.0)))
    }

    pub(super) fn json(self, value: &impl Serialize) -> Self {
        self.text(to_json(value))
    }

    pub(super) fn maybe_json(self, value: Option<&impl Serialize>) -> Self {
        self.maybe_text(value.map(to_json))
    }

    /// Fills a list made by [`list`]: what is missing repeats the last value, which changes nothing in an `IN`.
    pub(super) fn texts<T: AsRef<str>>(self, values: &[T]) -> Self {
        let missing = size_for(values.len()) - values.len();
        let last = values.last();
        values.iter().chain(std::iter::repeat_n(last, missing).flatten()).fold(self, Sql::text)
    }
}

/// PostgreSQL refuses NUL in a text; both databases keep the sign for something unreadable in its place.
pub(super) fn storable(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the stored types have text keys and no failing serializer")
}

pub(super) fn size_for(n: usize) -> usize {
    SIZES.into_iter().find(|size| *size >= n).unwrap_or(n)
}

/// The most values that one [`list`] takes.
pub(super) const LIST: usize = SIZES[SIZES.len() - 1];

/// `$first, …` for the inside of an `IN`, of one of the few sizes.
pub(super) fn list(first: usize, n: usize) -> String {
    (first..first + size_for(n)).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// `($1, $2), ($3, $4), …` after `VALUES`, where other places follow. [`Tx::tuples`](super::tx::Tx::tuples) is for statements without any.
pub(super) fn numbered(rows: usize, columns: usize) -> String {
    (0..rows)
        .map(|row| {
            let row = (0..columns).map(|column| format!("${}", row * columns + column + 1)).collect::<Vec<_>>().join(", ");
            format!("({row})")
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// Cuts rows into pieces of the few sizes, largest first.
pub(super) fn pieces<T>(rows: &[T]) -> Vec<&[T]> {
    let mut pieces = Vec::new();
    let mut rest = rows;
    for size in SIZES.into_iter().rev() {
        while rest.len() >= size {
            let (piece, after) = rest.split_at(size);
            pieces.push(piece);
            rest = after;
        }
    }
    pieces
}

/// What is read from a row. A value of another kind than expected is a corrupt row, said with its column.
pub(super) trait Columns {
    fn text(&self, column: &str) -> Result<String>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>>;
    fn int(&self, column: &str) -> Result<i64>;
    fn maybe_int(&self, column: &str) -> Result<Option<i64>>;

    fn time(&self, column: &str) -> Result<Time> {
        self.int(column).map(Time)
    }

    fn maybe_time(&self, column: &str) -> Result<Option<Time>> {
        Ok(self.maybe_int(column)?.map(Time))
    }

    fn flag(&self, column: &str) -> Result<bool> {
        self.int(column).map(|n| n != 0)
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        from_json(column, &self.text(column)?)
    }

    fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        self.maybe_text(column)?.map(|text| from_json(column, &text)).transpose()
    }

    /// A text that names one of our own words.
    fn word<T>(&self, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let text = self.text(column)?;
        parse(&text).ok_or_else(|| StoreError::Corrupt(format!("column {column} says {text:?}, which is none of its words")))
    }
}

impl Columns for AnyRow {
    fn text(&self, column: &str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn int(&self, column: &str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn maybe_int(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }
}

fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("column {column}: {error}")))
}

/// A word of ours that serde writes as a text.
pub(super) fn word_of<T: DeserializeOwned>(text: &str) -> Option<T> {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_cut_into_the_few_sizes() {
        let rows: Vec<usize> = (0..341).collect();
        let sizes: Vec<usize> = pieces(&rows).iter().map(|piece| piece.len()).collect();
        assert_eq!(sizes, [256, 64, 16, 4, 1]);
        assert_eq!(pieces(&rows).concat(), rows);
        assert!(pieces::<usize>(&[]).is_empty());
    }

    #[test]
    fn lists_and_tuples_number_their_places() {
        assert_eq!(list(2, 3), "$2, $3, $4, $5");
        assert_eq!(numbered(2, 2), "($1, $2), ($3, $4)");
    }
}
