//! What a fold leaves for senders that may ask about it: numbers of their alerts, their notes, what became of their requests.

use std::collections::BTreeSet;

use crate::base::id::{AlertId, IntegrationId, JournalId};
use crate::base::time::Time;
use crate::domain::decide::{Desk, Verdict};
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
    notes: Vec<AlertNote>,
    requests: Vec<SenderRequest>,
}

impl<'a> Heard<'a> {
    pub fn new(setup: &'a Setup, before: &Desk) -> Self {
        let known = before.keys.values().filter_map(|state| Some(state.alert.as_ref()?.id.clone())).collect();
        Self { setup, known, numbered: Vec::new(), notes: Vec::new(), requests: Vec::new() }
    }

    /// The first signal of a request says what became of it.
    pub fn request(&mut self, id: &JournalId, integration: &IntegrationId, asked: Option<&str>, verdict: &Verdict, at: Time) {
        if let Some(asked) = asked {
            let (id, integration) = (id.clone(), integration.clone());
            self.requests.push(SenderRequest { id, integration, at, asked: asked.to_owned(), verdict: verdict.clone() });
        }
    }

    pub fn signal(&mut self, request: &JournalId, integration: &IntegrationId, note: Option<String>, verdict: &Verdict, at: Time) {
        let Some(alert) = &verdict.alert else { return };
        let asks = self.setup.integrations.get(integration).is_some_and(|integration| sources::asks_back(&integration.source));
        if asks && self.known.insert(alert.clone()) {
            self.numbered.push((alert.clone(), integration.clone()));
        }
        if let Some(note) = note {
            self.notes.push(AlertNote { id: request.clone(), alert: alert.clone(), at, note });
        }
    }

    pub async fn save(&self, tx: &mut Tx) -> Result<(), StoreError> {
        store::alert_notes_save(tx, &self.notes).await?;
        store::sender_requests_save(tx, &self.requests).await?;
        store::tiny_ids_give(tx, &self.numbered).await
    }
}

/// The words of a note.
pub(super) fn note_in(signal: &Signal) -> Option<String> {
    match &signal.action {
        Action::Remark(Remark::Note(text)) => Some(text.clone()),
        Action::Remark(Remark::Snooze(_) | Remark::Unacknowledge | Remark::Retitle(_) | Remark::Label { .. } | Remark::Tag { .. })
        | Action::Trigger
        | Action::Resolve
        | Action::Acknowledge
        | Action::Unreadable(_)
        | Action::Change(_)
        | Action::Ignore(_) => None,
    }
}
