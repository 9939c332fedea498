//! What people say of themselves where the configuration file does not: contacts and rules, language, time zone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::Result;
use super::fact::counter_add;
use super::read::Reader;
use super::sql::{Columns as _, sql};
use super::tx::Tx;
use crate::base::id::UserId;
use crate::base::time::Time;
use crate::domain::setup::{Contact, Language, Rule, Setup, User};

/// How one person wants to be reached, as they said themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    pub contacts: Vec<Contact>,
    pub rules: Vec<Rule>,
    #[serde(default)]
    pub language: Option<Language>,
    #[serde(default)]
    pub timezone: Option<String>,
}

/// The zone of people of whom the file says none.
pub const PLAIN_ZONE: &str = "UTC";

/// A configured user as they were configured, without what they added themselves.
///
/// # Errors
/// As every call of the database.
pub async fn user_object(reader: &Reader, user: &UserId) -> Result<Option<User>> {
    let find = sql("SELECT body FROM objects WHERE kind = 'user' AND id = $1 AND retired_at IS NULL");
    let rows = reader.rows(find.text(user.as_str())).await?;
    rows.first().map(|row| row.json("body")).transpose()
}

/// Everybody's own.
///
/// # Errors
/// As every call of the database.
pub async fn ways_list(reader: &Reader) -> Result<BTreeMap<UserId, Ways>> {
    let rows = reader.rows(sql("SELECT user_id, body FROM own_ways")).await?;
    rows.iter().map(|row| Ok((UserId::from_text(row.text("user_id")?), row.json("body")?))).collect()
}

/// One person's own, in the transaction that changes them.
///
/// # Errors
/// As every call of the database.
pub async fn ways_load(tx: &mut Tx, user: &UserId) -> Result<Ways> {
    let row = tx.row(sql("SELECT body FROM own_ways WHERE user_id = $1").text(user.as_str())).await?;
    row.map_or_else(|| Ok(Ways::default()), |row| row.json("body"))
}

/// Saves one person's own. Every process then looks at the setup again.
///
/// # Errors
/// As every call of the database.
pub async fn ways_save(tx: &mut Tx, user: &UserId, ways: &Ways, now: Time) -> Result<()> {
    let save = sql("INSERT INTO own_ways (user_id, body, changed_at) VALUES ($1, $2, $3) \
                    ON CONFLICT (user_id) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at");
    tx.execute(save.text(user.as_str()).json(ways).time(now)).await?;
    counter_add(tx, "setup", 1).await?;
    Ok(())
}

/// Gives people what they said themselves, wherever the file says nothing: no contacts and rules, no language, no zone.
pub fn ways_put(setup: &mut Setup, ways: BTreeMap<UserId, Ways>) {
    for (id, own) in ways {
        let Some(user) = setup.users.get_mut(&id) else { continue };
        if user.contacts.is_empty() && user.rules.is_empty() {
            user.contacts = own.contacts;
            user.rules = own.rules;
        }
        // The file's default and its silence read alike, so that an English speaker in UTC may still choose otherwise.
        if user.language == Language::default() {
            user.language = own.language.unwrap_or_default();
        }
        if user.timezone == PLAIN_ZONE
            && let Some(zone) = own.timezone
        {
            user.timezone = zone;
        }
    }
}
