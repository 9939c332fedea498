//! What is said at a sender about one of its alerts, which neither fires nor ends it: a note, a snooze, a label.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::alert::{Alert, Key};
use super::decide::{Draft, Outcome, Verdict};
use super::fact::What;
use super::grouping::key_state;
use super::incident::{Incident, IncidentState};
use super::input::{Actor, Signal};
use super::reason::Reason;
use super::{escalation, snooze};
use crate::base::id::IncidentId;
use crate::base::limits;
use crate::base::time::Time;

/// What was said. Every text in it is a stranger's and already cut to the limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    Note(String),
    /// Nobody is to be called until then.
    Snooze(Time),
    /// Its acknowledgement was taken back.
    Unacknowledge,
    /// The alert has another title; its incident keeps the one that people know it by.
    Retitle(String),
    /// Labels of the alert: those that are set, and those that go.
    Label {
        set: BTreeMap<String, String>,
        remove: BTreeSet<String>,
    },
    /// Words of the label [`TAGS`].
    Tag {
        add: BTreeSet<String>,
        remove: BTreeSet<String>,
    },
}

/// The label that holds an alert's tags, with [`BETWEEN_TAGS`] between two.
pub const TAGS: &str = "tags";
pub const BETWEEN_TAGS: &str = ", ";

/// Decides what follows for the alert of this key and its incident.
pub(super) fn remark(draft: &mut Draft, signal: &Signal, key: &Key, remark: &Remark) -> Verdict {
    let Some(alert) = draft.desk.keys.get(key).and_then(|state| state.alert.clone()) else {
        return Verdict::of(Outcome::Ignored, Reason::NoSuchAlert);
    };
    let sender = Actor::Integration(signal.integration.clone());
    let incident = alert.incident.as_ref().and_then(|id| draft.incident(id)).cloned();
    let verdict = match remark {
        Remark::Note(text) => {
            if let Some(incident) = &incident {
                note(draft, &incident.id, &sender, text.clone());
            }
            Verdict::of(Outcome::Recorded, Reason::AskedFor)
        }
        Remark::Retitle(title) => {
            if let Some(alert) = key_state(draft, key).alert.as_mut() {
                alert.title.clone_from(title);
            }
            Verdict::of(Outcome::Recorded, Reason::AskedFor)
        }
        Remark::Label { set, remove } => {
            relabel(draft, key, |labels| {
                labels.retain(|name, _| !remove.contains(name));
                for (name, value) in set {
                    if labels.contains_key(name) || labels.len() < limits::LABELS {
                        labels.insert(name.clone(), value.clone());
                    }
                }
            });
            Verdict::of(Outcome::Recorded, Reason::AskedFor)
        }
        Remark::Tag { add, remove } => {
            relabel(draft, key, |labels| retag(labels, add, remove));
            Verdict::of(Outcome::Recorded, Reason::AskedFor)
        }
        Remark::Snooze(until) => hush(draft, &alert, incident.as_ref(), &sender, *until),
        Remark::Unacknowledge => take_back(draft, &alert, incident.as_ref(), &sender),
    };
    verdict.about(Some(alert.id), alert.incident)
}

/// Tells an incident's timeline what its sender says: each sentence once, and not without end.
pub(super) fn note(draft: &mut Draft, incident: &IncidentId, sender: &Actor, text: String) {
    let is_new = |told: &BTreeSet<String>| !told.contains(&text) && told.len() < limits::SENDER_NOTES;
    if draft.incident(incident).is_some_and(|incident| is_new(&incident.response.told_by_senders)) {
        draft.record(incident, sender, What::NoteAdded { text, at: None });
    }
}

/// A sender's snooze holds its incident as its acknowledge does: only where nothing else of it fires.
fn hush(draft: &mut Draft, alert: &Alert, incident: Option<&Incident>, sender: &Actor, until: Time) -> Verdict {
    let Some(incident) = incident.filter(|incident| alert.is_firing(Some(incident)) && incident.is_open()) else {
        return Verdict::of(Outcome::Ignored, Reason::NotFiring);
    };
    if incident.firing_count == 1 {
        let latest = draft.now() + limits::SNOOZE_LONGEST;
        return snooze::snooze(draft, &incident.id, incident.state, sender, until.min(latest));
    }
    let text =
        format!("{}: snoozed at its sender until {}; other alerts of this incident fire, so it goes on", alert.title, until.rfc3339());
    note(draft, &incident.id, sender, text);
    Verdict::of(Outcome::Recorded, Reason::OtherAlertsFire)
}

/// Nobody has it any more, where its sender's word was all there was: people are called again.
fn take_back(draft: &mut Draft, alert: &Alert, incident: Option<&Incident>, sender: &Actor) -> Verdict {
    let Some(incident) = incident.filter(|incident| alert.is_firing(Some(incident)) && incident.is_open()) else {
        return Verdict::of(Outcome::Ignored, Reason::NotFiring);
    };
    match incident.state {
        IncidentState::Acknowledged if incident.acknowledged_by.as_ref() == Some(sender) && incident.firing_count == 1 => {
            note(draft, &incident.id, sender, format!("{}: its acknowledgement was taken back at its sender", alert.title));
            draft.record(&incident.id, &Actor::Reveille, What::AcknowledgementLapsed);
            escalation::start(draft, &incident.id, Reason::UnacknowledgedAtSender);
            Verdict::of(Outcome::Recorded, Reason::UnacknowledgedAtSender)
        }
        IncidentState::Acknowledged => {
            let text = format!("{}: its acknowledgement was taken back at its sender; here it stays", alert.title);
            note(draft, &incident.id, sender, text);
            Verdict::of(Outcome::Recorded, Reason::AlreadyAcknowledged)
        }
        IncidentState::Triggered | IncidentState::Resolved => Verdict::of(Outcome::Ignored, Reason::NothingToDecide),
    }
}

fn relabel(draft: &mut Draft, key: &Key, change: impl FnOnce(&mut BTreeMap<String, String>)) {
    if let Some(alert) = key_state(draft, key).alert.as_mut() {
        change(&mut alert.labels);
    }
}

/// A tag that no longer fits is left out whole.
fn retag(labels: &mut BTreeMap<String, String>, add: &BTreeSet<String>, remove: &BTreeSet<String>) {
    let had = labels.get(TAGS).cloned().unwrap_or_default();
    let kept = had.split(BETWEEN_TAGS).filter(|tag| !tag.is_empty() && !remove.contains(*tag) && !add.contains(*tag));
    let mut tags = String::new();
    for tag in kept.chain(add.iter().map(String::as_str)) {
        let between = if tags.is_empty() { "" } else { BETWEEN_TAGS };
        if tags.chars().count() + between.len() + tag.chars().count() <= limits::LABEL_CHARS {
            tags.push_str(between);
            tags.push_str(tag);
        }
    }
    if tags.is_empty() {
        labels.remove(TAGS);
    } else if labels.contains_key(TAGS) || labels.len() < limits::LABELS {
        labels.insert(TAGS.to_owned(), tags);
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::{Act, Action};
    use super::super::trial::Trial;
    use super::*;

    fn says(night: &mut Trial, key: &str, remark: Remark) -> Verdict {
        night.signal(key, Action::Remark(remark), None, None)
    }

    fn words(tags: &[&str]) -> BTreeSet<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn a_note_is_told_once_and_about_nothing_is_ignored() {
        let mut night = Trial::new();
        assert_eq!(says(&mut night, "db", Remark::Note("look".to_owned())).reason, Reason::NoSuchAlert);
        night.fires("db");
        for _ in 0..2 {
            let verdict = says(&mut night, "db", Remark::Note("look at the disk".to_owned()));
            assert_eq!((verdict.outcome, verdict.incident), (Outcome::Recorded, Some(night.incident().id.clone())));
        }
        assert_eq!((night.count("note_added"), night.incident().state), (1, IncidentState::Triggered));
        for n in 0..100 {
            says(&mut night, "db", Remark::Note(format!("look {n}")));
        }
        assert_eq!(night.count("note_added"), limits::SENDER_NOTES);
    }

    #[test]
    fn a_new_title_is_the_alerts_alone_and_no_second_firing() {
        let mut night = Trial::new();
        let retitle = Remark::Retitle("The disk of db-3 is at 99 %".to_owned());
        assert_eq!(says(&mut night, "db", retitle.clone()).reason, Reason::NoSuchAlert);
        night.fires("db");
        let before = night.incident().title.clone();
        let verdict = says(&mut night, "db", retitle);
        assert_eq!((verdict.outcome, verdict.incident), (Outcome::Recorded, Some(night.incident().id.clone())));
        let alert = night.alert("db");
        assert_eq!((alert.title.as_str(), alert.count), ("The disk of db-3 is at 99 %", 1));
        assert_eq!((&night.incident().title, night.incident().state), (&before, IncidentState::Triggered));
    }

    #[test]
    fn a_snooze_holds_only_where_nothing_else_fires() {
        let mut night = Trial::new();
        night.fires("db");
        assert_eq!(says(&mut night, "db", Remark::Snooze(Trial::time(300))).outcome, Outcome::Acknowledged);
        assert_eq!(night.incident().response.snoozed_until, Some(Trial::time(300)));
        night.until(300);
        assert_eq!((night.incident().state, night.count("snooze_ended")), (IncidentState::Triggered, 1));
        night.fires("web");
        assert_eq!(says(&mut night, "db", Remark::Snooze(Trial::time(600))).reason, Reason::OtherAlertsFire);
        assert_eq!((night.incident().state, night.count("note_added")), (IncidentState::Triggered, 1));
    }

    #[test]
    fn an_acknowledgement_taken_back_calls_people_again_unless_a_person_has_it() {
        let mut night = Trial::new();
        night.fires("db");
        assert_eq!(says(&mut night, "db", Remark::Unacknowledge).outcome, Outcome::Ignored, "nobody has it");
        night.signal("db", Action::Acknowledge, None, None);
        night.until(400);
        assert_eq!(says(&mut night, "db", Remark::Unacknowledge).reason, Reason::UnacknowledgedAtSender);
        night.until(400);
        assert_eq!(night.incident().state, IncidentState::Triggered);
        assert_eq!(night.calls().last(), Some(&(400, "ana".to_owned(), false)));
        night.asks("ana", Act::Acknowledge);
        assert_eq!(says(&mut night, "db", Remark::Unacknowledge).reason, Reason::AlreadyAcknowledged);
        assert_eq!(night.incident().state, IncidentState::Acknowledged);
    }

    #[test]
    fn labels_and_tags_stay_within_their_limits() {
        let mut labels = BTreeMap::new();
        retag(&mut labels, &words(&["a", "b"]), &words(&[]));
        retag(&mut labels, &words(&["c", "b"]), &words(&["a"]));
        assert_eq!(labels.get(TAGS).map(String::as_str), Some("b, c"));
        retag(&mut labels, &words(&[&"x".repeat(limits::LABEL_CHARS)]), &words(&[]));
        assert_eq!(labels.get(TAGS).map(String::as_str), Some("b, c"));
        retag(&mut labels, &words(&[]), &words(&["b", "c"]));
        assert!(labels.is_empty());
    }
}
