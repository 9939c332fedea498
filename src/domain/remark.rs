//! What is said at a sender about one of its alerts, which neither fires nor ends it: a note, a snooze, a label.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::alert::{Alert, AlertState, Key};
use super::decide::{Draft, Outcome, Verdict};
use super::fact::What;
use super::grouping::key_state;
use super::incident::{Incident, IncidentState};
use super::input::{Action, Actor, Signal};
use super::reason::Reason;
use super::setup::AlertSeverity;
use super::{escalation, hold, routing, severity, snooze};
use crate::base::id::{AlertId, IncidentId};
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
    /// The alert is as bad as this. Worse pages as a worse signal does; its incident is never lowered by it.
    Regrade(AlertSeverity),
    /// Whatever was said, it was about this alert of the key, which gave way to a newer one and is over for good.
    Past(AlertId),
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
    let incident = draft.desk.incident_of(&alert).map(Cow::into_owned);
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
        Remark::Regrade(to) => return regrade(draft, signal, key, &alert, incident.as_ref(), *to),
        Remark::Past(past) => return Verdict::of(Outcome::Ignored, Reason::NotFiring).about(Some(past.clone()), None),
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

/// Another severity, by the rules that took its alert: what only recorded may page now, and what pages may page louder.
fn regrade(draft: &mut Draft, signal: &Signal, key: &Key, alert: &Alert, incident: Option<&Incident>, to: AlertSeverity) -> Verdict {
    let fires =
        Signal { title: alert.title.clone(), severity: Some(to), action: Action::Trigger, labels: alert.labels.clone(), ..signal.clone() };
    let setup = draft.setup;
    // The rules' title is the alert's already.
    let mut routed = routing::route(setup, fires);
    routed.signal.title.clone_from(&alert.title);
    if let Some(alert) = key_state(draft, key).alert.as_mut() {
        alert.severity = routed.severity;
    }
    let service = setup.services.get(&alert.service).filter(|_| alert.is_firing(incident));
    if let Some(service) = service {
        let severity = routed.of_service(service);
        if let Some(incident) = incident {
            severity::raise(draft, &incident.id, severity, &signal.integration);
        } else if alert.incident.is_none() && severity.urgency().is_some() {
            return hold::house(draft, &routed, key, service, severity, &alert.id);
        }
    }
    Verdict::of(Outcome::Recorded, Reason::AskedFor).about(Some(alert.id.clone()), draft.desk.home_of(alert))
}

/// The open incident in which an alert fires, or why nothing can be held or taken back there.
fn held<'a>(alert: &Alert, incident: Option<&'a Incident>) -> Result<&'a Incident, Verdict> {
    if !alert.holds(incident) {
        return Err(Verdict::of(Outcome::Ignored, Reason::NotFiring));
    }
    if alert.state == AlertState::Suppressed {
        return Err(Verdict::of(Outcome::Suppressed, Reason::Silenced));
    }
    incident.filter(|incident| incident.is_open()).ok_or_else(|| Verdict::of(Outcome::Ignored, Reason::JustRecords))
}

/// A sender's snooze holds its incident as its acknowledge does: only where nothing else of it fires.
fn hush(draft: &mut Draft, alert: &Alert, incident: Option<&Incident>, sender: &Actor, until: Time) -> Verdict {
    let incident = match held(alert, incident) {
        Ok(incident) => incident,
        Err(verdict) => return verdict,
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
    let incident = match held(alert, incident) {
        Ok(incident) => incident,
        Err(verdict) => return verdict,
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
            let is_own = incident.acknowledged_by.as_ref() == Some(sender);
            Verdict::of(Outcome::Recorded, if is_own { Reason::OtherAlertsFire } else { Reason::AlreadyAcknowledged })
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
    use super::super::input::Act;
    use super::super::setup::Severity;
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
    fn a_worse_grade_pages_and_a_better_one_lowers_nothing() {
        let mut night = Trial::new();
        let to = |night: &mut Trial, severity| says(night, "db", Remark::Regrade(severity));
        assert_eq!(to(&mut night, AlertSeverity::Critical).reason, Reason::NoSuchAlert);
        night.fires_as("db", AlertSeverity::Info);
        assert_eq!(to(&mut night, AlertSeverity::Info).reason, Reason::AskedFor);
        assert!(night.incidents.is_empty(), "what only records still does");
        let paged = to(&mut night, AlertSeverity::Error);
        assert_eq!((paged.outcome, paged.incident), (Outcome::Opened, Some(night.incident().id.clone())));
        assert_eq!(night.incident().title, night.alert("db").title, "and not what the remark is called");
        night.asks("ana", Act::Acknowledge);
        let worse = to(&mut night, AlertSeverity::Critical);
        assert_eq!((worse.outcome, worse.reason), (Outcome::Recorded, Reason::AskedFor));
        assert_eq!((night.incident().severity, night.incident().state), (Severity::Sev1, IncidentState::Triggered));
        assert_eq!(
            (to(&mut night, AlertSeverity::Warning).outcome, night.alert("db").severity),
            (Outcome::Recorded, AlertSeverity::Warning)
        );
        assert_eq!((night.incident().severity, night.alert("db").count), (Severity::Sev1, 1));
        night.resolves("db");
        assert_eq!(to(&mut night, AlertSeverity::Critical).outcome, Outcome::Recorded);
        assert_eq!(night.incident().state, IncidentState::Resolved, "it is over, and stays so");
    }

    #[test]
    fn what_is_over_or_only_recorded_is_told_apart_from_what_never_was() {
        let mut night = Trial::new();
        night.fires_as("tape", AlertSeverity::Info);
        let soon = Trial::time(60);
        assert_eq!(says(&mut night, "tape", Remark::Snooze(soon)).reason, Reason::JustRecords);
        night.fires("db");
        night.resolves("db");
        for remark in [Remark::Snooze(soon), Remark::Unacknowledge] {
            let verdict = says(&mut night, "db", remark);
            assert_eq!((verdict.outcome, verdict.reason, verdict.alert.is_some()), (Outcome::Ignored, Reason::NotFiring, true));
        }
        for action in [Action::Acknowledge, Action::Resolve] {
            let verdict = night.signal("db", action.clone(), None, None);
            assert_eq!((verdict.outcome, verdict.reason, verdict.alert.is_some()), (Outcome::Ignored, Reason::NotFiring, true));
            assert_eq!(night.signal("disk", action, None, None).alert, None, "there never was one");
        }
        let past = AlertId::from_text("alr_past");
        assert_eq!(says(&mut night, "db", Remark::Past(past.clone())).alert, Some(past));
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
