//! Attempts: one call or message each. The intent is committed before the request leaves, the outcome after it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::error::{Result, StoreError};
use super::person::state_name;
use super::read::Reader;
use super::sql::{Columns as _, pieces, sql, sql_made};
use super::tx::{Ask, Tx};
use crate::base::id::{AttemptId, ContactId, IncidentId, PageId, UserId};
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::effect::PageOf;
use crate::domain::person::OpenAttempt;
use crate::domain::setup::ContactKind;

/// What became of the request to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    Accepted,
    Rejected,
    /// It may or may not have been placed.
    Unknown,
}

impl AttemptOutcome {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Accepted, Self::Rejected, Self::Unknown].into_iter().find(|outcome| outcome.name() == text)
    }
}

/// One attempt as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    pub id: AttemptId,
    pub user: UserId,
    pub contact: ContactId,
    pub channel: String,
    pub provider: Option<String>,
    pub provider_id: Option<String>,
    /// `None` while it is on its way.
    pub outcome: Option<AttemptOutcome>,
    pub reason: Option<String>,
    pub placed_at: Time,
    /// When its intent was committed, and where the request was to go.
    pub sent_at: Option<Time>,
    pub sent_to: Option<String>,
    /// The words that left, where they are kept.
    pub sent_text: Option<String>,
    /// Whether its person's decisions still follow it.
    pub open: bool,
    pub pages: Vec<PageOf>,
}

/// Whether a request may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// It may, once this transaction has committed; for these pages, which are those still wanted.
    Wanted(Vec<PageOf>),
    /// Nobody wants it any more.
    NotWanted,
    /// An intent was committed before: the request may have left.
    AlreadySent,
}

/// Stores a new attempt, in the transaction that decided on it.
///
/// # Errors
/// As every call of the database.
pub async fn attempt_insert(tx: &mut Tx, user: &UserId, attempt: &OpenAttempt, pages: &[PageOf]) -> Result<()> {
    let insert = sql("INSERT INTO attempts (id, user_id, contact, channel, placed_at, open, state, look_at, asked, sent_before, ending) \
                      VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, 0)");
    let insert = insert
        .text(attempt.id.as_str())
        .text(user.as_str())
        .text(attempt.contact.as_str())
        .text(attempt.kind.name())
        .time(attempt.placed_at);
    let insert = insert.text(state_name(attempt.state)).time(attempt.look_at);
    tx.put(insert.int(i64::from(attempt.asked)).int(i64::from(attempt.sent_before))).await?;
    for pages in pieces(pages) {
        let insert = format!("INSERT INTO attempt_pages (attempt_id, page_id, incident_id) VALUES {}", tx.tuples(pages.len(), 3));
        let insert = pages
            .iter()
            .fold(sql_made(insert), |insert, of| insert.text(attempt.id.as_str()).text(of.page.as_str()).text(of.incident.as_str()));
        tx.put(insert).await?;
    }
    Ok(())
}

/// Notes that somebody answered through this attempt.
///
/// # Errors
/// As every call of the database.
pub async fn attempt_answered(tx: &mut Tx, id: &AttemptId) -> Result<()> {
    tx.put(sql("UPDATE attempts SET answered = 1 WHERE id = $1").text(id.as_str())).await
}

/// Notes that somebody answered through one of the attempts of this kind by which they were told of an incident.
///
/// # Errors
/// As every call of the database.
pub async fn attempts_answered_by(tx: &mut Tx, user: &UserId, kind: ContactKind, incident: &IncidentId) -> Result<()> {
    let update = sql("UPDATE attempts SET answered = 1 WHERE user_id = $1 AND channel = $2 \
                      AND id IN (SELECT p.attempt_id FROM attempt_pages p JOIN pages g ON g.id = p.page_id WHERE g.incident_id = $3)");
    tx.put(update.text(user.as_str()).text(kind.name()).text(incident.as_str())).await
}

impl Reader {
    /// Whose contacts somebody answered through, and where those led then.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn proven_contacts(&self, viewer: &Viewer) -> Result<BTreeSet<(UserId, ContactId, String)>> {
        let own = match viewer {
            Viewer::User { id, .. } if !viewer.may_administer() => Some(id),
            Viewer::User { .. } | Viewer::Token { .. } => None,
            Viewer::Public | Viewer::Integration(_) => return Ok(BTreeSet::new()),
        };
        let find = sql("SELECT DISTINCT user_id, contact, sent_to FROM attempts WHERE answered = 1");
        let rows = self.rows(find).await?;
        let mut proven = BTreeSet::new();
        for row in &rows {
            let user = UserId::from_text(row.text("user_id")?);
            if own.is_none_or(|own| *own == user) {
                proven.insert((user, ContactId::from_text(row.text("contact")?), row.maybe_text("sent_to")?.unwrap_or_default()));
            }
        }
        Ok(proven)
    }
}

/// Notes that the request is about to leave. The pages are held until the commit, so that an acknowledgement comes either wholly
/// before, and then nothing leaves, or wholly after, and then the attempt is known and can be ended.
///
/// # Errors
/// As every call of the database.
pub async fn attempt_intent(tx: &mut Tx, id: &AttemptId, sent_at: Time, sent_to: &str) -> Result<Intent> {
    let find = format!(
        "SELECT id, incident_id, wanted FROM pages WHERE id IN (SELECT page_id FROM attempt_pages WHERE attempt_id = $1) ORDER BY id{}",
        tx.dialect().for_share()
    );
    let mut wanted = Vec::new();
    for row in tx.rows(sql_made(find).text(id.as_str())).await? {
        if row.flag("wanted")? {
            wanted.push(PageOf { page: PageId::from_text(row.text("id")?), incident: IncidentId::from_text(row.text("incident_id")?) });
        }
    }
    if !wanted.is_empty() {
        let intend =
            sql("UPDATE attempts SET sent_at = $2, sent_to = $3 WHERE id = $1 AND outcome IS NULL AND sent_at IS NULL AND open = 1");
        if tx.execute(intend.text(id.as_str()).time(sent_at).text(sent_to)).await? > 0 {
            return Ok(Intent::Wanted(wanted));
        }
    }
    let sent = tx.row(sql("SELECT outcome, sent_at FROM attempts WHERE id = $1").text(id.as_str())).await?;
    let sent = sent.ok_or(StoreError::Missing("attempt"))?;
    if sent.maybe_text("outcome")?.is_some() || sent.maybe_time("sent_at")?.is_some() {
        Ok(Intent::AlreadySent)
    } else {
        // Its pages are over, or its person has given it up and may have placed another in its stead.
        Ok(Intent::NotWanted)
    }
}

/// Notes what the provider answered. What is known is never unlearned: an unknown becomes accepted or rejected, and neither turns back.
/// `true` when this is news: the row did not say so before, whoever told it meanwhile.
///
/// # Errors
/// As every call of the database.
pub async fn attempt_outcome(
    tx: &mut Tx,
    id: &AttemptId,
    outcome: AttemptOutcome,
    provider: Option<&str>,
    provider_id: Option<&str>,
    reason: Option<&str>,
) -> Result<bool> {
    let find = format!("SELECT outcome FROM attempts WHERE id = $1{}", tx.dialect().for_update());
    let before = tx.row(sql_made(find).text(id.as_str())).await?;
    let Some(before) = before.map(|row| row.maybe_text("outcome")).transpose()? else { return Ok(false) };
    let note = sql("UPDATE attempts SET outcome = $2, provider = COALESCE($3, provider), provider_id = COALESCE($4, provider_id), \
                    reason = COALESCE($5, reason) WHERE id = $1 AND (outcome IS NULL OR outcome = 'unknown' OR outcome = $2)");
    let note = note.text(id.as_str()).text(outcome.name()).maybe_text(provider).maybe_text(provider_id).maybe_text(reason);
    Ok(tx.execute(note).await? > 0 && before.as_deref() != Some(outcome.name()))
}

/// One attempt, with the incidents that its pages are for now: a merge may have moved them since it was placed.
///
/// # Errors
/// As every call of the database.
pub async fn attempt_find(from: &mut impl Ask, id: &AttemptId) -> Result<Option<AttemptRow>> {
    let find =
        sql("SELECT a.id, a.user_id, a.contact, a.channel, a.provider, a.provider_id, a.outcome, a.reason, a.placed_at, a.sent_at, \
                    a.sent_to, a.sent_text, a.open, p.page_id, COALESCE(g.incident_id, p.incident_id) AS incident_id FROM attempts a \
                    LEFT JOIN attempt_pages p ON p.attempt_id = a.id LEFT JOIN pages g ON g.id = p.page_id \
                    WHERE a.id = $1 ORDER BY p.page_id");
    let rows = from.ask(find.text(id.as_str())).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut pages = Vec::new();
    for row in &rows {
        if let (Some(page), Some(incident)) = (row.maybe_text("page_id")?, row.maybe_text("incident_id")?) {
            pages.push(PageOf { page: PageId::from_text(page), incident: IncidentId::from_text(incident) });
        }
    }
    Ok(Some(AttemptRow {
        id: id.clone(),
        user: UserId::from_text(first.text("user_id")?),
        contact: ContactId::from_text(first.text("contact")?),
        channel: first.text("channel")?,
        provider: first.maybe_text("provider")?,
        provider_id: first.maybe_text("provider_id")?,
        outcome: first.maybe_text("outcome")?.map(|text| outcome_of(&text)).transpose()?,
        reason: first.maybe_text("reason")?,
        placed_at: first.time("placed_at")?,
        sent_at: first.maybe_time("sent_at")?,
        sent_to: first.maybe_text("sent_to")?,
        sent_text: first.maybe_text("sent_text")?,
        open: first.flag("open")?,
        pages,
    }))
}

pub(super) fn outcome_of(text: &str) -> Result<AttemptOutcome> {
    AttemptOutcome::parse(text).ok_or_else(|| StoreError::Corrupt(format!("an attempt with the outcome {text:?}")))
}

/// The attempt that a provider knows under this id.
///
/// # Errors
/// As every call of the database.
pub async fn attempt_find_by_provider_id(from: &mut impl Ask, provider_id: &str) -> Result<Option<AttemptId>> {
    let rows = from.ask(sql("SELECT id FROM attempts WHERE provider_id = $1 ORDER BY id LIMIT 1").text(provider_id)).await?;
    rows.first().map(|row| Ok(AttemptId::from_text(row.text("id")?))).transpose()
}

/// The provider's ids of what was sent to one number or address since then: what the provider lists besides may be ours and unknown.
///
/// # Errors
/// As every call of the database.
pub async fn attempt_provider_ids_known(reader: &Reader, sent_to: &str, since: Time) -> Result<BTreeSet<String>> {
    let find = sql("SELECT provider_id FROM attempts WHERE sent_to = $1 AND sent_at >= $2 AND provider_id IS NOT NULL");
    reader.rows(find.text(sent_to).time(since)).await?.iter().map(|row| row.text("provider_id")).collect()
}

/// How many attempts of a channel have left and are not over. What stayed unknown and was placed again does not count.
///
/// # Errors
/// As every call of the database.
pub async fn attempts_under_way(from: &mut impl Ask, channel: &str) -> Result<i64> {
    let count = sql("SELECT COUNT(*) AS n FROM attempts WHERE open = 1 AND channel = $1 AND sent_at IS NOT NULL AND state <> 'lost'");
    let rows = from.ask(count.text(channel)).await?;
    rows.first().map_or(Ok(0), |row| row.int("n"))
}

/// Keeps the words of a text with its intent.
///
/// # Errors
/// As every call of the database.
pub async fn attempt_keep_text(tx: &mut Tx, id: &AttemptId, text: &str) -> Result<()> {
    tx.put(sql("UPDATE attempts SET sent_text = $2 WHERE id = $1").text(id.as_str()).text(text)).await?;
    Ok(())
}

/// What a channel sent to one number or address since then and was not refused, newest first, at most `most`.
///
/// # Errors
/// As every call of the database.
pub async fn attempts_sent_to(reader: &Reader, channel: &str, sent_to: &str, since: Time, most: i64) -> Result<Vec<AttemptId>> {
    let find = sql("SELECT id FROM attempts WHERE sent_to = $1 AND channel = $2 AND sent_at >= $3 \
                    AND (outcome IS NULL OR outcome <> 'rejected') ORDER BY sent_at DESC, id DESC LIMIT $4");
    let rows = reader.rows(find.text(sent_to).text(channel).time(since).int(most)).await?;
    rows.iter().map(|row| Ok(AttemptId::from_text(row.text("id")?))).collect()
}
