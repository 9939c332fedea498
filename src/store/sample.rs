//! The newest signals of each integration and what was made of them.

use std::collections::BTreeSet;

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql};
use super::tx::Tx;
use crate::base::id::{AlertId, IncidentId, IntegrationId, JournalId, Number, UserId};
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::decide::Verdict;

/// One request of a sender, as it is kept to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub integration: IntegrationId,
    pub request: JournalId,
    pub at: Time,
    /// How many signals were in it; what follows is of the last one.
    pub signals: i64,
    pub title: String,
    /// In its stored word.
    pub outcome: String,
    pub reason: String,
    pub alert: Option<AlertId>,
    pub incident: Option<IncidentId>,
    /// Its beginning, without secrets.
    pub body: String,
}

impl Sample {
    /// A request on its way to be decided.
    #[must_use]
    pub fn of(integration: &IntegrationId, request: &JournalId, at: Time, signals: usize, body: String) -> Self {
        Self {
            integration: integration.clone(),
            request: request.clone(),
            at,
            signals: i64::try_from(signals).unwrap_or(i64::MAX),
            title: String::new(),
            outcome: String::new(),
            reason: String::new(),
            alert: None,
            incident: None,
            body,
        }
    }

    /// What became of its last signal; `said` is why, where the sender's message itself says it, and `rule` the rule that took it.
    pub fn made(&mut self, title: String, said: Option<String>, rule: Option<String>, verdict: &Verdict) {
        self.title = title;
        verdict.outcome.name().clone_into(&mut self.outcome);
        let reason = said.unwrap_or_else(|| verdict.reason.sentence().to_owned());
        self.reason = rule.map_or_else(|| reason.clone(), |rule| format!("{reason}; {rule}"));
        self.alert.clone_from(&verdict.alert);
        self.incident.clone_from(&verdict.incident);
    }
}

/// Keeps samples, and of each of their integrations only the newest few.
///
/// # Errors
/// As every call of the database.
pub async fn samples_save(tx: &mut Tx, samples: &[Sample]) -> Result<()> {
    for sample in samples {
        let save =
            sql("INSERT INTO signal_samples (integration, request, at, signals, title, outcome, reason, alert_id, incident_id, body) \
                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (integration, request) DO NOTHING");
        let save = save.text(sample.integration.as_str()).text(sample.request.as_str()).time(sample.at).int(sample.signals);
        let save = save.text(&sample.title).text(&sample.outcome).text(&sample.reason);
        let save = save.maybe_text(sample.alert.as_ref().map(AlertId::as_str)).maybe_text(sample.incident.as_ref().map(IncidentId::as_str));
        tx.put(save.text(&sample.body)).await?;
    }
    let integrations: BTreeSet<&IntegrationId> = samples.iter().map(|sample| &sample.integration).collect();
    for integration in integrations {
        let prune = sql("DELETE FROM signal_samples WHERE integration = $1 AND request NOT IN \
                         (SELECT request FROM signal_samples WHERE integration = $1 ORDER BY at DESC, request DESC LIMIT $2)");
        tx.put(prune.text(integration.as_str()).int(limits::SAMPLES)).await?;
    }
    Ok(())
}

/// Notes who was shown an integration's address.
///
/// # Errors
/// As every call of the database.
pub async fn reveal_note(tx: &mut Tx, integration: &IntegrationId, user: &UserId, at: Time) -> Result<()> {
    let note = sql("INSERT INTO key_reveals (integration, user_id, at) VALUES ($1, $2, $3) \
                    ON CONFLICT (integration) DO UPDATE SET user_id = excluded.user_id, at = excluded.at");
    tx.put(note.text(integration.as_str()).text(user.as_str()).time(at)).await?;
    Ok(())
}

impl Reader {
    /// The newest samples of an integration, newest first, and the numbers of their incidents.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn samples(&self, viewer: &Viewer, integration: &IntegrationId) -> Result<Vec<(Sample, Option<Number>)>> {
        if !viewer.may_administer() {
            return Ok(Vec::new());
        }
        let find =
            sql("SELECT s.integration, s.request, s.at, s.signals, s.title, s.outcome, s.reason, s.alert_id, s.incident_id, s.body, \
                        i.number FROM signal_samples s LEFT JOIN incidents i ON i.id = s.incident_id WHERE s.integration = $1 \
                        ORDER BY s.at DESC, s.request DESC LIMIT $2");
        let rows = self.rows(find.text(integration.as_str()).int(limits::SAMPLES)).await?;
        rows.iter()
            .map(|row| {
                let sample = Sample {
                    integration: IntegrationId::from_text(row.text("integration")?),
                    request: JournalId::from_text(row.text("request")?),
                    at: row.time("at")?,
                    signals: row.int("signals")?,
                    title: row.text("title")?,
                    outcome: row.text("outcome")?,
                    reason: row.text("reason")?,
                    alert: row.maybe_text("alert_id")?.map(AlertId::from_text),
                    incident: row.maybe_text("incident_id")?.map(IncidentId::from_text),
                    body: row.text("body")?,
                };
                Ok((sample, row.maybe_int("number")?.map(Number)))
            })
            .collect()
    }

    /// Who was last shown this integration's address, and when.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn last_reveal(&self, integration: &IntegrationId) -> Result<Option<(UserId, Time)>> {
        let rows = self.rows(sql("SELECT user_id, at FROM key_reveals WHERE integration = $1").text(integration.as_str())).await?;
        rows.first().map(|row| Ok((UserId::from_text(row.text("user_id")?), row.time("at")?))).transpose()
    }
}
