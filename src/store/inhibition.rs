//! What inhibits: alerts that fire and keep others from paging, by what ties them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::error::Result;
use super::read::Reader;
use super::silence::SilencePlace;
use super::sql::{Columns as _, LIST, list, pieces, size_for, sql, sql_made};
use super::tx::{Ask, Tx};
use super::wake::wake_set;
use crate::base::id::{AlertId, InhibitionId, IntegrationId};
use crate::base::time::Time;
use crate::domain::alert::Key;
use crate::domain::decide::{Desk, SetTimer};
use crate::domain::fact::{Fact, What};
use crate::domain::inhibition::{self, Inhibitor, Inhibitors, MARK, Tie, Wanted};
use crate::domain::input::Timer;
use crate::domain::reason::Reason;

/// The one look that there is.
const ALL: &str = "all";

const INHIBITOR: &str = "SELECT tie, alert_id, rule_id, integration, dedup_key, title, is_target FROM inhibitors";

fn inhibitor_of(row: &AnyRow) -> Result<((Tie, AlertId), Inhibitor)> {
    let inhibitor = Inhibitor {
        tie: row.text("tie")?,
        rule: InhibitionId::from_text(row.text("rule_id")?),
        alert: AlertId::from_text(row.text("alert_id")?),
        key: Key { integration: IntegrationId::from_text(row.text("integration")?), dedup_key: row.text("dedup_key")? },
        title: row.text("title")?,
        is_target: row.flag("is_target")?,
    };
    Ok(((inhibitor.tie.clone(), inhibitor.alert.clone()), inhibitor))
}

/// What inhibits, as far as a decision wants to know: all of its own alerts, and of each tie the first of the others, of those that leave
/// their own kind alone and of those that do not.
pub(super) async fn inhibitors_load(tx: &mut Tx, wanted: &Wanted) -> Result<Inhibitors> {
    let mut loaded = BTreeMap::new();
    if wanted.ties.is_empty() && wanted.sources.is_empty() {
        return Ok(loaded);
    }
    let own: Vec<&str> = wanted.sources.iter().map(AlertId::as_str).collect();
    for ids in own.chunks(LIST) {
        let find = format!("{INHIBITOR} WHERE ended = 0 AND alert_id IN ({})", list(1, ids.len()));
        for row in tx.rows(sql_made(find).texts(ids)).await? {
            loaded.extend([inhibitor_of(&row)?]);
        }
    }
    let ties: Vec<&str> = wanted.ties.iter().map(String::as_str).collect();
    for ties in ties.chunks(LIST) {
        // More than a list of one's own are not left out; then one tie may show one of them, which is no less true.
        let own = own.get(..own.len().min(LIST)).unwrap_or_default();
        let others = if own.is_empty() { String::new() } else { format!(" AND alert_id NOT IN ({})", list(1, own.len())) };
        let find = format!(
            "{INHIBITOR} WHERE (tie, alert_id) IN (SELECT tie, MIN(alert_id) FROM inhibitors WHERE ended = 0{others} AND tie IN ({}) \
             GROUP BY tie, is_target)",
            // A list is filled up to one of the few sizes, so the next one begins after that.
            list(if own.is_empty() { 1 } else { size_for(own.len()) + 1 }, ties.len())
        );
        for row in tx.rows(sql_made(find).texts(own).texts(ties)).await? {
            loaded.extend([inhibitor_of(&row)?]);
        }
    }
    Ok(loaded)
}

/// Keeps what began to inhibit and what ended. What it is about is to be looked at.
pub(super) async fn inhibitors_save(tx: &mut Tx, before: &Desk, after: &Desk, facts: &[Fact]) -> Result<()> {
    let begun: Vec<&Inhibitor> =
        after.inhibitors.iter().filter(|(own, _)| !before.inhibitors.contains_key(*own)).map(|(_, new)| new).collect();
    for rows in pieces(&begun) {
        let save = format!(
            "INSERT INTO inhibitors (tie, alert_id, rule_id, integration, dedup_key, title, is_target, ended, looked) VALUES {} \
             ON CONFLICT (tie, alert_id) DO UPDATE SET ended = 0, looked = 0, title = excluded.title",
            tx.tuples(rows.len(), 9)
        );
        let save = rows.iter().fold(sql_made(save), |save, one| {
            save.text(&one.tie)
                .text(one.alert.as_str())
                .text(one.rule.as_str())
                .text(one.key.integration.as_str())
                .text(&one.key.dedup_key)
                .text(&one.title)
                .flag(one.is_target)
                .flag(false)
                .int(0)
        });
        tx.put(save).await?;
    }
    for (tie, alert) in before.inhibitors.keys().filter(|own| !after.inhibitors.contains_key(*own)) {
        let end = sql("UPDATE inhibitors SET ended = 1, looked = 0 WHERE tie = $1 AND alert_id = $2");
        tx.put(end.text(tie).text(alert.as_str())).await?;
    }
    for fact in facts {
        // And what went into an incident is over with it.
        let closes = matches!(&fact.what, What::EndedWith { .. })
            || matches!(&fact.what, What::IncidentResolved { reason } if closes_what_fires(*reason));
        if closes {
            closed(tx, fact).await?;
        }
    }
    Ok(())
}

/// Whether alerts that still fire are over with the incident; else each of them was over by itself.
fn closes_what_fires(reason: Reason) -> bool {
    ![Reason::AllAlertsResolved, Reason::SteadyAgain, Reason::Expired, Reason::ClosedByAge].contains(&reason)
}

/// What fired in an incident that was resolved is over, and inhibits no more.
async fn closed(tx: &mut Tx, fact: &Fact) -> Result<()> {
    let end = sql("UPDATE inhibitors SET ended = 1, looked = 0 WHERE ended = 0 AND alert_id IN \
                   (SELECT a.id FROM alerts a JOIN incidents i ON i.id = a.incident_id WHERE i.id = $1 AND a.fired_at <= i.closed_at)");
    if tx.execute(end.text(fact.incident.as_str())).await? > 0 {
        inhibition_look_at(tx, fact.at).await?;
    }
    Ok(())
}

/// Has alerts looked at for what began or ended to inhibit.
///
/// # Errors
/// As every call of the database.
pub async fn inhibition_look_at(tx: &mut Tx, at: Time) -> Result<()> {
    wake_set(tx, &SetTimer { scope: inhibition::scope(), timer: Timer::Cover, due_at: Some(at) }).await
}

/// How far alerts were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum InhibitionPlace {
    /// Nothing is being looked for.
    Done,
    /// What is tied to what began or ended.
    Tied(SilencePlace),
    /// The rules are others than before: first what inhibits by them.
    Sources(SilencePlace),
    /// And then what is held back, which may be so by none of them.
    HeldBack(SilencePlace),
}

/// How far alerts were looked at, and for which rules all of them were last.
///
/// # Errors
/// As every call of the database.
pub async fn inhibition_place(from: &mut impl Ask) -> Result<(InhibitionPlace, String)> {
    let rows = from.ask(sql("SELECT place, rules FROM inhibition_looks WHERE id = $1").text(ALL)).await?;
    rows.first().map_or_else(|| Ok((InhibitionPlace::Done, String::new())), |row| Ok((row.json("place")?, row.text("rules")?)))
}

/// # Errors
/// As every call of the database.
pub async fn inhibition_note(tx: &mut Tx, place: &InhibitionPlace, rules: &str) -> Result<()> {
    let note = sql("INSERT INTO inhibition_looks (id, place, rules) VALUES ($1, $2, $3) \
                    ON CONFLICT (id) DO UPDATE SET place = excluded.place, rules = excluded.rules");
    tx.put(note.text(ALL).json(place).text(rules)).await?;
    Ok(())
}

/// Begins to look at what is to be looked at: whether anything that fires may be inhibited by it, or only what is inhibited may fire again.
/// `None`: there is nothing.
///
/// # Errors
/// As every call of the database.
pub async fn inhibitors_begin(tx: &mut Tx) -> Result<Option<SilencePlace>> {
    if tx.execute(sql("UPDATE inhibitors SET looked = 1 WHERE looked = 0")).await? == 0 {
        return Ok(None);
    }
    let begun = tx.rows(sql("SELECT alert_id FROM inhibitors WHERE looked < 2 AND ended = 0 LIMIT 1")).await?;
    Ok(Some(if begun.is_empty() { SilencePlace::suppressed() } else { SilencePlace::start() }))
}

/// The ties that are being looked at.
///
/// # Errors
/// As every call of the database.
pub async fn inhibitors_looked_at(tx: &mut Tx) -> Result<BTreeSet<Tie>> {
    tx.rows(sql("SELECT DISTINCT tie FROM inhibitors WHERE looked = 1")).await?.iter().map(|row| row.text("tie")).collect()
}

/// All alerts were looked at: what ended is forgotten.
///
/// # Errors
/// As every call of the database.
pub async fn inhibitors_done(tx: &mut Tx) -> Result<()> {
    tx.put(sql("DELETE FROM inhibitors WHERE looked = 1 AND ended = 1")).await?;
    tx.put(sql("UPDATE inhibitors SET looked = 2 WHERE looked = 1")).await?;
    Ok(())
}

/// What inhibits by rules that are not in force any more is forgotten, and what was being looked at is looked at again; `marks` of the
/// rules that are in force.
///
/// # Errors
/// As every call of the database.
pub async fn inhibitors_drop(tx: &mut Tx, marks: &[String]) -> Result<()> {
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    let others = if marks.is_empty() { String::new() } else { format!(" WHERE SUBSTR(tie, 1, {MARK}) NOT IN ({})", list(1, marks.len())) };
    tx.put(sql_made(format!("DELETE FROM inhibitors{others}")).texts(&marks)).await?;
    tx.put(sql("UPDATE inhibitors SET looked = 0 WHERE looked = 1")).await?;
    Ok(())
}

/// Whether anything began or ended that was not looked at yet.
///
/// # Errors
/// As every call of the database.
pub async fn inhibitors_wait(tx: &mut Tx) -> Result<bool> {
    Ok(!tx.rows(sql("SELECT tie FROM inhibitors WHERE looked < 2 LIMIT 1")).await?.is_empty())
}

/// Whether something is to be looked at that nothing will look at.
///
/// # Errors
/// As every call of the database.
pub async fn audit_inhibitors(reader: &Reader) -> Result<bool> {
    let asleep = sql("SELECT i.tie FROM inhibitors i WHERE i.looked < 2 AND NOT EXISTS \
                      (SELECT 1 FROM wakes w WHERE w.scope = 'silence' AND w.id = $1) LIMIT 1");
    Ok(!reader.rows(asleep.text(INHIBITION)).await?.is_empty())
}

/// As the wake-up is named.
const INHIBITION: &str = "inhibition";

/// What inhibits by these ties; `ended`: what ended and was not looked at yet as well.
///
/// # Errors
/// As every call of the database.
pub async fn inhibitors_tied(from: &mut impl Ask, ties: &BTreeSet<Tie>, ended: bool) -> Result<Inhibitors> {
    let mut found = BTreeMap::new();
    let ties: Vec<&str> = ties.iter().map(String::as_str).collect();
    for ties in ties.chunks(LIST) {
        let find = format!(
            "{INHIBITOR} WHERE (tie, alert_id) IN (SELECT tie, MIN(alert_id) FROM inhibitors WHERE (ended = 0 OR ended = $1) AND tie IN ({}) \
             GROUP BY tie, is_target)",
            list(2, ties.len())
        );
        for row in from.ask(sql_made(find).flag(ended).texts(ties)).await? {
            found.extend([inhibitor_of(&row)?]);
        }
    }
    Ok(found)
}

impl Reader {
    /// As [`inhibitors_tied`], of what still inhibits.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn inhibitors_tied(&self, ties: &BTreeSet<Tie>) -> Result<Inhibitors> {
        inhibitors_tied(&mut self.clone(), ties, false).await
    }

    /// What inhibits just now, by rule: how many, and the titles of the first few.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn inhibitors(&self, limit: i64) -> Result<Vec<Inhibitor>> {
        let find = sql_made(format!("{INHIBITOR} WHERE ended = 0 ORDER BY rule_id, alert_id LIMIT $1"));
        self.rows(find.int(limit)).await?.iter().map(|row| inhibitor_of(row).map(|(_, one)| one)).collect()
    }
}
