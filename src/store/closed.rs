//! Contacts that their owners or their providers have closed to us. They rest beside the setup, which says only what was configured.

use super::error::Result;
use super::fact::counter_add;
use super::read::Reader;
use super::sql::{Columns as _, sql};
use super::tx::Tx;
use crate::base::id::{ContactId, UserId};
use crate::base::time::Time;

/// One closed contact. It holds for this address alone: another number under the same name is another contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedContact {
    pub user: UserId,
    pub contact: ContactId,
    pub address: String,
    pub reason: String,
}

/// # Errors
/// As every call of the database.
pub async fn contacts_closed(reader: &Reader) -> Result<Vec<ClosedContact>> {
    let find = sql("SELECT user_id, contact, address, reason FROM closed_contacts ORDER BY user_id, contact");
    let read = |row: &sqlx::any::AnyRow| {
        Ok(ClosedContact {
            user: UserId::from_text(row.text("user_id")?),
            contact: ContactId::from_text(row.text("contact")?),
            address: row.text("address")?,
            reason: row.text("reason")?,
        })
    };
    reader.rows(find).await?.iter().map(read).collect()
}

/// Closes a contact, and has every process read the setup anew. `false`: it was closed already.
///
/// # Errors
/// As every call of the database.
pub async fn contact_close(tx: &mut Tx, closed: &ClosedContact, now: Time) -> Result<bool> {
    let close = sql("INSERT INTO closed_contacts (user_id, contact, address, reason, closed_at) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (user_id, contact) DO UPDATE SET address = excluded.address, reason = excluded.reason, \
                     closed_at = excluded.closed_at WHERE closed_contacts.address <> excluded.address");
    let close = close.text(closed.user.as_str()).text(closed.contact.as_str()).text(&closed.address).text(&closed.reason).time(now);
    let is_new = tx.execute(close).await? > 0;
    if is_new {
        counter_add(tx, "setup", 1).await?;
    }
    Ok(is_new)
}

/// Opens every contact with this address again. `false`: none was closed.
///
/// # Errors
/// As every call of the database.
pub async fn contact_open(tx: &mut Tx, address: &str) -> Result<bool> {
    let was_closed = tx.execute(sql("DELETE FROM closed_contacts WHERE address = $1").text(address)).await? > 0;
    if was_closed {
        counter_add(tx, "setup", 1).await?;
    }
    Ok(was_closed)
}
