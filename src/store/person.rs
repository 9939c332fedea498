//! One person who is being woken: their open pages across incidents, and what is on its way to them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;

use super::error::Result;
use super::sql::{Columns as _, LIST, Sql, list, sql, sql_made, to_json, word_of};
use super::tx::Tx;
use crate::base::id::{AttemptId, ContactId, IncidentId, PageId, UserId};
use crate::domain::input::Scope;
use crate::domain::person::{AttemptState, OpenAttempt, Person, PersonPage};
use crate::domain::setup::ContactKind;

/// Loads a person, locked: their own row first, then their live pages by id.
///
/// # Errors
/// As every call of the database.
pub async fn person_load(tx: &mut Tx, id: &UserId) -> Result<Person> {
    let pages = sql_made(format!(
        "SELECT id, incident_id, urgency, starts, started_at, wanted, plan, planned_for, tried, failed, reached FROM pages \
         WHERE user_id = $1 AND live = 1 ORDER BY id{}",
        tx.dialect().for_update()
    ));
    let attempts = sql(
        "SELECT a.id, a.contact, a.channel, a.placed_at, a.state, a.look_at, a.asked, a.sent_before, a.ending, p.page_id FROM attempts a \
                    LEFT JOIN attempt_pages p ON p.attempt_id = a.id WHERE a.user_id = $1 AND a.open = 1 ORDER BY a.id, p.page_id",
    );
    let mut all = vec![pages.text(id.as_str()), attempts.text(id.as_str())];
    let locked = if tx.is_sole_writer() {
        all.insert(0, row_of(tx, id));
        None
    } else {
        row_locked(tx, id).await?
    };
    let mut found = tx.each(all).await?;
    let (attempts, pages) = (found.pop().unwrap_or_default(), found.pop().unwrap_or_default());
    let row = match locked {
        Some(row) => Some(row),
        None => found.pop().and_then(|rows| rows.into_iter().next()),
    };
    if row.is_none() {
        tx.put(row_of_nothing(id)).await?;
    }
    tx.hold(Scope::Person(id.clone()));
    let mut person = Person::new(id.clone());
    if let Some(row) = row {
        person.chain = row.maybe_json("chain")?;
        person.chained_at = row.maybe_time("chained_at")?;
        person.messaged = row.json("messaged")?;
    }
    for row in pages {
        person.pages.push(PersonPage {
            id: PageId::from_text(row.text("id")?),
            incident: IncidentId::from_text(row.text("incident_id")?),
            urgency: row.word("urgency", word_of)?,
            starts: row.int("starts")?,
            started_at: row.time("started_at")?,
            wanted: row.flag("wanted")?,
            plan: row.json("plan")?,
            planned_for: row.int("planned_for")?,
            tried: row.json("tried")?,
            failed: row.flag("failed")?,
            reached: row.json("reached")?,
        });
    }
    for row in attempts {
        let attempt = AttemptId::from_text(row.text("id")?);
        if person.attempts.last().is_none_or(|last| last.id != attempt) {
            person.attempts.push(OpenAttempt {
                id: attempt,
                contact: ContactId::from_text(row.text("contact")?),
                kind: row.word("channel", ContactKind::parse)?,
                pages: Vec::new(),
                placed_at: row.time("placed_at")?,
                state: row.word("state", word_of)?,
                look_at: row.time("look_at")?,
                asked: u32::try_from(row.int("asked")?).unwrap_or(u32::MAX),
                sent_before: u32::try_from(row.int("sent_before")?).unwrap_or(u32::MAX),
                ending: row.flag("ending")?,
            });
        }
        if let (Some(last), Some(page)) = (person.attempts.last_mut(), row.maybe_text("page_id")?) {
            last.pages.push(PageId::from_text(page));
        }
    }
    Ok(person)
}

fn row_of(tx: &Tx, id: &UserId) -> Sql {
    let find = format!("SELECT chain, chained_at, messaged FROM persons WHERE id = $1{}", tx.dialect().for_update());
    sql_made(find).text(id.as_str())
}

fn row_of_nothing(id: &UserId) -> Sql {
    sql("INSERT INTO persons (id) VALUES ($1) ON CONFLICT (id) DO NOTHING").text(id.as_str())
}

/// A person's own row, locked before all else that is theirs; it is made where there is none.
async fn row_locked(tx: &mut Tx, id: &UserId) -> Result<Option<AnyRow>> {
    if let Some(row) = tx.row(row_of(tx, id)).await? {
        return Ok(Some(row));
    }
    tx.execute(row_of_nothing(id)).await?;
    tx.row(row_of(tx, id)).await
}

/// Saves what a person's decision changed. Whether a page is wanted, how urgent and how often started is its incident's to write; a new
/// attempt has its own [`attempt_insert`](super::attempt_insert).
///
/// # Errors
/// As every call of the database.
pub async fn person_save(tx: &mut Tx, before: &Person, after: &Person) -> Result<()> {
    if (&before.chain, before.chained_at, &before.messaged) != (&after.chain, after.chained_at, &after.messaged) {
        let update = sql("UPDATE persons SET chain = $2, chained_at = $3, messaged = $4 WHERE id = $1");
        let update = update.text(after.id.as_str()).maybe_json(after.chain.as_ref()).maybe_time(after.chained_at);
        tx.put(update.json(&after.messaged)).await?;
    }
    pages_save(tx, before, after).await?;
    attempts_save(tx, before, after).await
}

async fn pages_save(tx: &mut Tx, before: &Person, after: &Person) -> Result<()> {
    let old: BTreeMap<&PageId, &PersonPage> = before.pages.iter().map(|page| (&page.id, page)).collect();
    for page in &after.pages {
        let own = |page: &PersonPage| (to_json(&page.plan), page.planned_for, to_json(&page.tried), page.failed, to_json(&page.reached));
        if old.get(&page.id).is_some_and(|old| own(old) == own(page)) {
            continue;
        }
        let (plan, planned_for, tried, failed, reached) = own(page);
        let update = sql("UPDATE pages SET plan = $2, planned_for = $3, tried = $4, failed = $5, reached = $6 WHERE id = $1");
        tx.put(update.text(page.id.as_str()).text(plan).int(planned_for).text(tried).flag(failed).text(reached)).await?;
    }
    let kept: BTreeSet<&PageId> = after.pages.iter().map(|page| &page.id).collect();
    let gone: Vec<&str> = before.pages.iter().filter(|page| !kept.contains(&page.id)).map(|page| page.id.as_str()).collect();
    for ids in gone.chunks(LIST) {
        tx.put(sql_made(format!("UPDATE pages SET live = 0 WHERE id IN ({})", list(1, ids.len()))).texts(ids)).await?;
    }
    Ok(())
}

async fn attempts_save(tx: &mut Tx, before: &Person, after: &Person) -> Result<()> {
    let new: BTreeMap<&AttemptId, &OpenAttempt> = after.attempts.iter().map(|attempt| (&attempt.id, attempt)).collect();
    for old in &before.attempts {
        let own = |attempt: &OpenAttempt| (attempt.state, attempt.look_at, attempt.asked, attempt.ending);
        match new.get(&old.id) {
            None => {
                tx.put(sql("UPDATE attempts SET open = 0 WHERE id = $1").text(old.id.as_str())).await?;
            }
            Some(attempt) if own(attempt) != own(old) => {
                let update = sql("UPDATE attempts SET state = $2, look_at = $3, asked = $4, ending = $5 WHERE id = $1");
                let update = update.text(attempt.id.as_str()).text(state_name(attempt.state)).time(attempt.look_at);
                tx.put(update.int(i64::from(attempt.asked)).int(i64::from(attempt.ending))).await?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

pub(super) const fn state_name(state: AttemptState) -> &'static str {
    match state {
        AttemptState::Waiting => "waiting",
        AttemptState::Accepted => "accepted",
        AttemptState::Live => "live",
        AttemptState::Unknown => "unknown",
        AttemptState::Lost => "lost",
        AttemptState::Talking => "talking",
    }
}
