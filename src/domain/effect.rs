//! What we ask of the world. An effect names what to do and what to speak of, never the words: they are rendered when it leaves.

use serde::{Deserialize, Serialize};

use super::setup::ContactKind;
use crate::base::id::{AttemptId, ContactId, IncidentId, PageId, UserId};
use crate::base::time::Time;

/// One row of the outbox to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Reach this person through this contact for these pages.
    PlacePage {
        attempt: AttemptId,
        user: UserId,
        contact: ContactId,
        /// What kind of contact it is: each goes out in a lane that waits for none of the others.
        #[serde(default = "voice")]
        kind: ContactKind,
        pages: Vec<PageOf>,
        second_call: bool,
        due_at: Time,
    },
    /// Ask the provider what became of an attempt.
    AskProvider { attempt: AttemptId, user: UserId, contact: ContactId, due_at: Time },
    /// Hang up: nobody wants this call any more.
    EndCall { attempt: AttemptId, user: UserId, contact: ContactId, due_at: Time },
}

/// Rows of the version that knew only calls.
const fn voice() -> ContactKind {
    ContactKind::Voice
}

/// A page an attempt speaks for, and its incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageOf {
    pub page: PageId,
    pub incident: IncidentId,
}

/// The lanes of the outbox: none waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// What wakes people: calls.
    Page,
    /// Text messages.
    Text,
    Mail,
    /// Messages in a chat.
    Direct,
    /// People's own webhooks.
    Hook,
    /// What settles or ends a page that has left.
    Settle,
}

impl Lane {
    pub const ALL: [Self; 6] = [Self::Page, Self::Text, Self::Mail, Self::Direct, Self::Hook, Self::Settle];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Text => "text",
            Self::Mail => "mail",
            Self::Direct => "direct",
            Self::Hook => "hook",
            Self::Settle => "settle",
        }
    }
}

impl Effect {
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::PlacePage { kind: ContactKind::Voice, .. } => Lane::Page,
            Self::PlacePage { kind: ContactKind::Sms, .. } => Lane::Text,
            Self::PlacePage { kind: ContactKind::Email, .. } => Lane::Mail,
            Self::PlacePage { kind: ContactKind::SlackDm, .. } => Lane::Direct,
            Self::PlacePage { kind: ContactKind::Webhook, .. } => Lane::Hook,
            Self::AskProvider { .. } | Self::EndCall { .. } => Lane::Settle,
        }
    }

    #[must_use]
    pub const fn due_at(&self) -> Time {
        match self {
            Self::PlacePage { due_at, .. } | Self::AskProvider { due_at, .. } | Self::EndCall { due_at, .. } => *due_at,
        }
    }

    #[must_use]
    pub const fn attempt(&self) -> &AttemptId {
        match self {
            Self::PlacePage { attempt, .. } | Self::AskProvider { attempt, .. } | Self::EndCall { attempt, .. } => attempt,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_kind_of_contact_waits_for_another() {
        let lane = |kind: ContactKind| {
            let (user, contact) = ("ana".into(), "other".into());
            let attempt = AttemptId::from_text("att_1");
            Effect::PlacePage { attempt, user, contact, kind, pages: Vec::new(), second_call: false, due_at: Time(0) }.lane()
        };
        let lanes: BTreeSet<Lane> = ContactKind::ALL.into_iter().map(lane).collect();
        assert_eq!(lanes.len(), ContactKind::ALL.len());
        assert!(!lanes.contains(&Lane::Settle));
    }
}
