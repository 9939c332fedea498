//! Relevance: what people say of an incident's alerts while it lasts. Noise folds away, raises nothing and is told nowhere but in the
//! timeline; it still holds, and keeps the incident open as ever.

use serde::{Deserialize, Serialize};

use super::alert::Key;
use super::decide::{Draft, Outcome, Verdict};
use super::fact::What;
use super::incident::Incident;
use super::input::Actor;
use super::matcher::Matcher;
use super::reason::Reason;
use super::setup::Severity;
use super::silence::Labelled;
use super::{command, severity, silence};
use crate::base::id::{IncidentId, IntegrationId};
use crate::base::limits;
use crate::base::time::Time;

/// What an alert stream is to those who work on the incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relevance {
    Noise,
    Relevant,
}

impl Relevance {
    pub const ALL: [Self; 2] = [Self::Noise, Self::Relevant];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Relevant => "relevant",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relevance| relevance.name() == text)
    }
}

/// Which alerts of the incident a mark is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// The alerts of one key.
    Key(Key),
    /// Those that all of these match, those that join later too.
    Matchers(Vec<Matcher>),
}

/// One mark of an incident. Of several about an alert, the last counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its number in the incident.
    pub n: i64,
    pub stream: Stream,
    pub relevance: Relevance,
    /// What it is about, for people: a title, or the matchers.
    pub about: String,
    pub by: Actor,
    pub at: Time,
}

/// How an alert of an incident changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Joined,
    Refired,
    Resolved,
}

/// An alert as a mark looks at it.
pub trait Marked: Labelled {
    fn dedup_key(&self) -> &str;
}

impl Marked for super::alert::Alert {
    fn dedup_key(&self) -> &str {
        &self.key.dedup_key
    }
}

impl Stream {
    #[must_use]
    pub fn is_about(&self, alert: &impl Marked) -> bool {
        match self {
            Self::Key(key) => key.integration == *alert.integration() && key.dedup_key == alert.dedup_key(),
            Self::Matchers(matchers) => matchers.iter().all(|matcher| matcher.matches(alert.label(matcher.name()))),
        }
    }

    /// Whether it names an integration's alerts by their key.
    #[must_use]
    pub const fn key(&self) -> Option<(&IntegrationId, &String)> {
        match self {
            Self::Key(key) => Some((&key.integration, &key.dedup_key)),
            Self::Matchers(_) => None,
        }
    }
}

/// What the alert was marked as, if it was.
#[must_use]
pub fn of(marks: &[Mark], alert: &impl Marked) -> Option<Relevance> {
    marks.iter().rev().find(|mark| mark.stream.is_about(alert)).map(|mark| mark.relevance)
}

/// Marks an alert stream of an incident that is open. The same again changes nothing.
pub(super) fn mark(draft: &mut Draft, id: &IncidentId, actor: &Actor, stream: &Stream, relevance: Relevance, about: &str) -> Verdict {
    let Some(incident) = draft.incident(id) else { return Verdict::nothing() };
    if !incident.is_open() {
        return Verdict::of(Outcome::Ignored, Reason::NotOpen);
    }
    let marks = &incident.response.marks;
    if marks.iter().rev().find(|mark| mark.stream == *stream).is_some_and(|mark| mark.relevance == relevance) {
        return Verdict::of(Outcome::Ignored, Reason::NothingToDecide);
    }
    if marks.len() >= limits::MARKS {
        return Verdict::of(Outcome::Ignored, Reason::TooManyMarks);
    }
    let n = incident.response.marked + 1;
    draft.record(id, actor, What::RelevanceMarked { n, stream: stream.clone(), relevance, about: about.to_owned() });
    command::sign_of_life(draft, id, actor);
    Verdict::of(Outcome::Recorded, Reason::AskedFor)
}

/// Takes a mark back, while the incident is open or after.
pub(super) fn unmark(draft: &mut Draft, id: &IncidentId, actor: &Actor, n: i64) -> Verdict {
    let mark = draft.incident(id).and_then(|incident| incident.response.marks.iter().find(|mark| mark.n == n));
    let Some((relevance, about)) = mark.map(|mark| (mark.relevance, mark.about.clone())) else {
        return Verdict::of(Outcome::Ignored, Reason::NoSuchMark);
    };
    draft.record(id, actor, What::MarkTakenBack { n, relevance, about });
    command::sign_of_life(draft, id, actor);
    Verdict::of(Outcome::Recorded, Reason::AskedFor)
}

/// Whether the key's alert was marked as noise in the incident.
pub(super) fn is_noise(draft: &Draft, id: &IncidentId, key: &Key) -> bool {
    let marks = draft.incident(id).map_or(&[][..], |incident: &Incident| &incident.response.marks);
    if marks.is_empty() {
        return false;
    }
    let alert = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref());
    alert.and_then(|alert| of(marks, alert)) == Some(Relevance::Noise)
}

/// What is recorded of the key's alert in the incident: of noise, something that is told to nobody.
pub(super) fn told(draft: &Draft, id: &IncidentId, key: &Key, what: What) -> What {
    if !is_noise(draft, id, key) {
        return what;
    }
    match what {
        What::AlertsJoined { count, titles } => What::NoiseChanged { change: Change::Joined, count, titles, silenced: 0 },
        What::AlertsRefired { count, titles } => What::NoiseChanged { change: Change::Refired, count, titles, silenced: 0 },
        What::AlertsResolved { count, titles, silenced } => What::NoiseChanged { change: Change::Resolved, count, titles, silenced },
        other => other,
    }
}

/// Raises the incident to the severity of the key's alert. Noise raises nothing; what is worse than all that was told of it is told once.
pub(super) fn raise(draft: &mut Draft, id: &IncidentId, to: Severity, key: &Key) {
    if !is_noise(draft, id, key) {
        // What was noise before is as bad as it was then.
        let is_marked = draft.incident(id).is_some_and(|incident| !incident.response.marks.is_empty());
        let alert = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()).filter(|_| is_marked);
        let worst = alert.map_or(to, |alert| to.max(silence::worth_again(draft.setup, alert).2));
        severity::raise(draft, id, worst, &key.integration);
        return;
    }
    let Some(incident) = draft.incident(id).filter(|incident| incident.is_open()) else { return };
    if to <= incident.severity || incident.response.noise_told.is_some_and(|told| to <= told) {
        return;
    }
    let title = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()).map(|alert| alert.title.clone()).unwrap_or_default();
    draft.record(id, &Actor::Integration(key.integration.clone()), What::NoiseWorse { title, severity: to });
}

#[cfg(test)]
mod tests {
    use super::super::alert::AlertState;
    use super::super::incident::IncidentState;
    use super::super::input::Act;
    use super::super::setup::{AlertSeverity, Raise};
    use super::super::trial::Trial;
    use super::*;

    fn key(name: &str) -> Stream {
        Stream::Key(Key { integration: "bar".into(), dedup_key: name.to_owned() })
    }

    fn titled(pattern: &str) -> Stream {
        Stream::Matchers(vec![format!("alertname=~\"{pattern}\"").into()])
    }

    fn marks(night: &mut Trial, stream: Stream, relevance: Relevance) -> Verdict {
        night.asks("ana", Act::Mark { stream, relevance, about: "it".to_owned() })
    }

    #[test]
    fn noise_raises_nothing_is_told_once_that_it_is_worse_and_counts_all_the_same() {
        let mut night = Trial::new();
        night.fires("db");
        night.fires("disk");
        assert_eq!(marks(&mut night, key("disk"), Relevance::Noise).outcome, Outcome::Recorded);
        assert_eq!(marks(&mut night, key("disk"), Relevance::Noise).reason, Reason::NothingToDecide);
        night.fires_as("disk", AlertSeverity::Critical);
        night.fires_as("disk", AlertSeverity::Critical);
        assert_eq!((night.incident().severity, night.count("noise_worse"), night.count("severity_raised")), (Severity::Sev2, 1, 0));
        night.resolves("disk");
        night.until(60);
        night.fires("disk");
        assert_eq!((night.count("noise_changed"), night.count("alerts_resolved"), night.incident().firing_count), (2, 0, 2));
        // It is the other way round again: it raises, since it is as bad as that.
        assert_eq!(night.asks("ana", Act::Unmark { n: 1 }).outcome, Outcome::Recorded);
        assert_eq!(night.asks("ana", Act::Unmark { n: 1 }).reason, Reason::NoSuchMark);
        night.fires_as("disk", AlertSeverity::Critical);
        assert_eq!((night.incident().severity, night.count("mark_taken_back")), (Severity::Sev1, 1));
    }

    #[test]
    fn a_mark_by_matchers_is_about_what_joins_later_and_the_last_mark_counts() {
        let mut night = Trial::new();
        night.fires("db");
        marks(&mut night, titled("disk.*"), Relevance::Noise);
        night.fires("disk1");
        night.fires_as("disk2", AlertSeverity::Critical);
        assert_eq!((night.count("noise_changed"), night.count("alerts_joined"), night.incident().alerts_count), (2, 0, 3));
        assert_eq!(night.incident().severity, Severity::Sev2);
        marks(&mut night, key("disk2"), Relevance::Relevant);
        night.fires("disk2");
        assert_eq!(night.incident().severity, Severity::Sev1);
    }

    #[test]
    fn an_incident_of_which_only_noise_is_left_stays_open_and_pages_until_somebody_answers() {
        let mut night = Trial::new();
        night.fires("db");
        night.fires("disk");
        marks(&mut night, key("disk"), Relevance::Noise);
        night.resolves("db");
        assert_eq!((night.incident().state, night.incident().firing_count), (IncidentState::Triggered, 1));
        night.until(300);
        night.has_rung(&[(0, "ana", false), (120, "ana", true), (300, "bo", false)]);
        night.resolves("disk");
        assert_eq!((night.incident().state, night.alert("disk").state), (IncidentState::Resolved, AlertState::Resolved));
        // What is marked belongs to the time of the incident: afterwards nothing is marked, only taken back.
        assert_eq!(marks(&mut night, key("db"), Relevance::Noise).reason, Reason::NotOpen);
        assert_eq!(night.asks("ana", Act::Unmark { n: 1 }).outcome, Outcome::Recorded);
    }

    #[test]
    fn noise_raises_nothing_for_being_new_or_rising_either() {
        let mut night = Trial::new();
        night.service().raise = Raise { new: true, rising: true };
        night.fires_as("old", AlertSeverity::Warning);
        night.resolves("old");
        night.until(2 * 86_400);
        night.fires_as("old", AlertSeverity::Warning);
        marks(&mut night, titled("(old|new|other).*"), Relevance::Noise);
        night.fires_as("new", AlertSeverity::Warning);
        for _ in 0..200 {
            night.fires_as("old", AlertSeverity::Warning);
        }
        let raised = ["alerts_new", "alerts_rising", "noise_worse", "severity_raised"].map(|kind| night.count(kind));
        assert_eq!((night.incident().severity, raised), (Severity::Sev3, [0; 4]));
        let marks_of = |key: &str| night.alert(key).novelty.marks;
        assert!(marks_of("new").is_new && marks_of("old").rose.is_some(), "and the alerts say so all the same");
        // Beside it, what is no noise raises as ever.
        night.fires_as("else", AlertSeverity::Warning);
        assert_eq!((night.incident().severity, night.count("alerts_new")), (Severity::Sev2, 1));
    }

    #[test]
    fn there_are_only_so_many() {
        let mut night = Trial::new();
        night.fires("db");
        for n in 0..limits::MARKS {
            assert_eq!(marks(&mut night, key(&format!("k{n}")), Relevance::Noise).outcome, Outcome::Recorded);
        }
        assert_eq!(marks(&mut night, key("more"), Relevance::Noise).reason, Reason::TooManyMarks);
    }
}
