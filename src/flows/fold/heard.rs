//! What a fold leaves for senders that may ask about it: numbers of their alerts, their notes, what became of their requests.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::{AlertId, IntegrationId, JournalId};
use crate::base::time::Time;
use crate::domain::decide::{Desk, Outcome, Verdict};
use crate::domain::input::{Action, Signal};
use crate::domain::remark::Remark;
use crate::domain::setup::Setup;
use crate::sources;
use crate::store::{self, AlertNote, SenderRequest, StoreError, Tx};

/// Collected signal by signal.
pub(super) struct Heard<'a> {
    setup: &'a Setup,
    /// The alerts that were there before this fold, and those of it that are numbered already.
    known: BTreeSet<AlertId>,
    numbered: Vec<(AlertId, IntegrationId)>,
    asides: BTreeMap<AlertId, i64>,
    notes: Vec<AlertNote>,
    requests: Vec<SenderRequest>,
}

impl<'a> Heard<'a> {
    pub fn new(setup: &'a Setup, before: &Desk) -> Self {
        let known = before.keys.values().filter_map(|state| Some(state.alert.as_ref()?.id.clone())).collect();
        Self { setup, known, numbered: Vec::new(), asides: BTreeMap::new(), notes: Vec::new(), requests: Vec::new() }
    }

    /// The first signal of a request says what became of it.
    pub fn request(&mut self, id: &JournalId, integration: &IntegrationId, asked: Option<&str>, verdict: &Verdict, at: Time) {
        if let Some(asked) = asked {
            let (id, integration) = (id.clone(), integration.clone());
            self.requests.push(SenderRequest { id, integration, at, asked: asked.to_owned(), verdict: verdict.clone() });
        }
    }

    pub fn signal(&mut self, request: &JournalId, integration: &IntegrationId, said: Said, verdict: &Verdict, at: Time) {
        let Some(alert) = &verdict.alert else { return };
        let asks = self.setup.integrations.get(integration).is_some_and(|integration| sources::asks_back(&integration.source));
        if asks && self.known.insert(alert.clone()) {
            self.numbered.push((alert.clone(), integration.clone()));
        }
        match said {
            Said::Note(note) => self.notes.push(AlertNote { id: request.clone(), alert: alert.clone(), at, note }),
            // What is ignored is counted nowhere.
            Said::Aside if asks && verdict.outcome != Outcome::Ignored => *self.asides.entry(alert.clone()).or_default() += 1,
            Said::Aside | Said::Other => {}
        }
    }

    pub async fn save(&self, tx: &mut Tx) -> Result<(), StoreError> {
        store::alert_notes_save(tx, &self.notes).await?;
        store::sender_requests_save(tx, &self.requests).await?;
        store::tiny_ids_give(tx, &self.numbered).await?;
        store::asides_add(tx, &self.asides).await
    }
}

/// What of a signal is kept for its sender's questions.
pub(super) enum Said {
    /// The words of a note.
    Note(String),
    /// It is counted, and does not fire.
    Aside,
    Other,
}

impl Said {
    pub fn of(signal: &Signal) -> Self {
        match &signal.action {
            Action::Remark(Remark::Note(text)) => Self::Note(text.clone()),
            Action::Resolve | Action::Acknowledge => Self::Aside,
            Action::Trigger | Action::Unreadable(_) | Action::Change(_) | Action::Ignore(_) | Action::Remark(_) => Self::Other,
        }
    }
}
