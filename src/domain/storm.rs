//! When the incidents of one policy open faster than anybody can read them, one becomes the umbrella of all that would open after it. What
//! is worse than the umbrella raises it, and pages as any raise does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::decide::{Draft, Outcome, Verdict};
use super::fact::What;
use super::incident::Incident;
use super::input::{Actor, Timer};
use super::merge;
use super::novelty;
use super::reason::Reason;
use super::routing::Routed;
use super::setup::{AlertSeverity, Service, Severity};
use crate::base::id::{IncidentId, PolicyId};
use crate::base::limits;
use crate::base::time::Time;

/// How fast the incidents of one policy open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Openings {
    /// When the last ones opened, or would have: oldest first, and one more than are ordinary within a minute.
    pub times: VecDeque<Time>,
    /// The umbrella of the storm that began last, over or not.
    pub umbrella: Option<IncidentId>,
}

/// An incident as an umbrella.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    pub policy: PolicyId,
    pub began_at: Time,
    /// From then on, what is new opens incidents of its own again.
    pub ended_at: Option<Time>,
}

impl Incident {
    /// Whether what would open an incident of its policy comes under this one.
    #[must_use]
    pub fn is_umbrella(&self) -> bool {
        self.response.storm.as_ref().is_some_and(|storm| storm.ended_at.is_none())
    }
}

/// What becomes of an alert that belongs to no open incident.
pub(super) enum Place {
    /// It opens an ordinary incident.
    Alone,
    /// It opens the incident that takes in what comes after it.
    Umbrella,
    /// It comes under the umbrella, which is open.
    Under(IncidentId),
    /// It comes under the umbrella, which ended with its last alert while the storm goes on.
    Again(IncidentId),
}

/// The policy that an incident of this signal would page by.
pub(super) fn policy_of<'a>(service: &'a Service, routed: &'a Routed) -> &'a PolicyId {
    routed.policy.as_ref().unwrap_or(&service.policy)
}

/// Counts one more opening, and says where it belongs.
pub(super) fn place(draft: &mut Draft, policy: &PolicyId, severity: Severity) -> Place {
    let now = draft.now();
    let most = draft.setup.policies.get(policy).map_or(limits::STORM_INCIDENTS, |policy| policy.storm);
    let Ok(most @ 1..) = usize::try_from(most) else { return Place::Alone };
    let openings = draft.desk.openings.entry(policy.clone()).or_default();
    openings.times.retain(|at| now.since(*at) < limits::STORM_WINDOW);
    openings.times.push_back(now);
    while openings.times.len() > most + 1 {
        openings.times.pop_front();
    }
    let is_fast = openings.times.len() > most;
    let umbrella = openings.umbrella.clone();
    let umbrella = umbrella.and_then(|id| draft.incident(&id)).filter(|incident| incident.is_umbrella());
    let Some(umbrella) = umbrella.map(|umbrella| umbrella.id.clone()) else { return if is_fast { Place::Umbrella } else { Place::Alone } };
    // Where it went into another incident, its storm goes on under that one.
    let Some(home) = merge::home(&draft.desk.incidents, &umbrella) else { return Place::Alone };
    let id = home.id.clone();
    // Where a person has said how bad it is, it would keep quiet what is worse.
    let keeps_quiet = home.response.severity_by_hand && severity > home.severity;
    let (is_open, by_hand) = (home.is_open(), home.resolved_by.is_some());
    if is_fast && (is_open || !by_hand) {
        draft.set(&umbrella, Timer::Storm, Some(now + limits::STORM_CALM));
    }
    match (is_open, is_fast) {
        (true, _) if keeps_quiet => Place::Alone,
        (true, _) => Place::Under(id),
        (false, true) if !by_hand && !keeps_quiet => Place::Again(id),
        // Somebody said that it is over, and it is not.
        (false, true) => {
            end(draft, &umbrella);
            Place::Umbrella
        }
        (false, false) => Place::Alone,
    }
}

/// This incident is the umbrella of its policy from now on.
pub(super) fn begin(draft: &mut Draft, id: &IncidentId, policy: &PolicyId) {
    let incidents = draft.setup.policies.get(policy).map_or(limits::STORM_INCIDENTS, |policy| policy.storm);
    draft.record(id, &Actor::Reveille, What::StormBegan { policy: policy.clone(), incidents });
    draft.desk.openings.entry(policy.clone()).or_default().umbrella = Some(id.clone());
    draft.set(id, Timer::Storm, Some(draft.now() + limits::STORM_CALM));
}

/// For as long as a storm takes to be over, no more opened than is ordinary.
pub(super) fn wake(draft: &mut Draft, id: &IncidentId) -> Verdict {
    if !draft.incident(id).is_some_and(Incident::is_umbrella) {
        return Verdict::nothing();
    }
    end(draft, id);
    Verdict::of(Outcome::Recorded, Reason::StormOver).about(None, Some(id.clone()))
}

fn end(draft: &mut Draft, id: &IncidentId) {
    draft.record(id, &Actor::Reveille, What::StormEnded);
    draft.set(id, Timer::Storm, None);
}

/// One alert of a storm, as far as it is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallen {
    pub title: String,
    pub severity: AlertSeverity,
    pub fired_at: Time,
}

/// The titles of the three that tell most of a storm: the worst of all, one of the rarest kind, and the first to fall. No two are of one kind
/// as long as there are others.
#[must_use]
pub fn telling(alerts: &[Fallen]) -> Vec<String> {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for alert in alerts {
        *kinds.entry(kind(&alert.title)).or_default() += 1;
    }
    let rarity = |alert: &Fallen| kinds.get(&kind(&alert.title)).copied().unwrap_or_default();
    let mut told: Vec<&Fallen> = Vec::new();
    for place in 0..TELLING {
        let is_new = |alert: &&&Fallen| told.iter().all(|other| kind(&other.title) != kind(&alert.title));
        let is_other = |alert: &&&Fallen| told.iter().all(|other| other.title != alert.title);
        let mut left: Vec<&Fallen> = alerts.iter().filter(|alert| is_new(&alert)).collect();
        if left.is_empty() {
            left = alerts.iter().filter(|alert| is_other(&alert)).collect();
        }
        told.extend(match place {
            0 => left.into_iter().min_by_key(|alert| (Reverse(alert.severity), rarity(alert), alert.fired_at)),
            1 => left.into_iter().min_by_key(|alert| (rarity(alert), Reverse(alert.fired_at))),
            _ => left.into_iter().min_by_key(|alert| alert.fired_at),
        });
    }
    told.into_iter().map(|alert| alert.title.clone()).collect()
}

const TELLING: usize = 3;

/// What is wrong, without its numbers: `web-1 is down` and `web-17 is down` are of one kind.
fn kind(title: &str) -> String {
    novelty::kind(title, &BTreeMap::new())
}

#[cfg(test)]
mod tests {
    use super::super::decide::Outcome;
    use super::super::incident::IncidentState;
    use super::super::input::{Act, Action, Scope, Signal};
    use super::super::setup::Policy;
    use super::super::trial::{Trial, step};
    use super::*;

    /// Every alert alone, and so many incidents a minute are ordinary.
    fn night(storm: u32) -> Trial {
        let mut night = Trial::new();
        night.service().group_window = crate::base::time::Span::ZERO;
        night.setup.policies.get_mut(&"nights".into()).expect("it is there").storm = storm;
        night
    }

    /// How many incidents there are, and how many alerts the newest has.
    fn seen(night: &Trial) -> (usize, i64) {
        (night.incidents.len(), night.incident().alerts_count)
    }

    #[test]
    fn what_opens_too_fast_comes_under_one() {
        // So many are ordinary; so many fire, this many seconds apart; the incidents, and the alerts of the newest.
        for (storm, fire, apart, expected) in [
            (10, 10, 0, (10, 1)),
            (10, 11, 0, (11, 1)),
            (10, 12, 0, (11, 2)),
            (10, 200, 0, (11, 190)),
            (10, 200, 1, (11, 190)),
            (10, 20, 6, (20, 1)),
            (10, 20, 5, (11, 10)),
            (1, 5, 59, (2, 4)),
            (1, 5, 60, (5, 1)),
            (0, 200, 0, (200, 1)),
        ] {
            for together in [true, false] {
                let mut night = night(storm);
                let name = |n: i64| format!("host{n}");
                if together && apart == 0 {
                    let signals: Vec<Signal> = (0..fire).map(|n| Trial::signal_of(&name(n), Action::Trigger, None, None)).collect();
                    night.batch(&signals);
                } else {
                    for n in 0..fire {
                        night.until(n * apart);
                        night.fires(&name(n));
                    }
                }
                assert_eq!(seen(&night), expected, "{storm} {fire} {apart} {together}");
                let began = usize::from(expected.1 > 1 || (storm > 0 && expected.0 > usize::try_from(storm).expect("few") && apart == 0));
                assert_eq!(night.count("storm_began"), began, "{storm} {fire} {apart}");
            }
        }
    }

    /// A storm of one incident and its umbrella.
    fn storm() -> (Trial, IncidentId) {
        let mut night = night(1);
        night.fires("first");
        let verdict = night.fires("second");
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Opened, Reason::StormBegan));
        assert_eq!(night.incident().title, "Storm: second is down");
        (night, verdict.incident.expect("it opened one"))
    }

    #[test]
    fn it_ends_by_itself_when_no_more_open_than_is_ordinary() {
        let (mut night, umbrella) = storm();
        night.until(200);
        let calm = night.fires("third");
        assert_eq!((calm.reason, &calm.incident), (Reason::StormUmbrella, &Some(umbrella.clone())));
        night.until(299);
        assert_eq!(night.count("storm_ended"), 0);
        night.until(300);
        assert_eq!(night.seconds_of("storm_ended"), [300], "one alert does not prolong it");
        assert_eq!(night.fires("fourth").reason, Reason::NewCondition);
        // The umbrella is an incident like any other, and ends with its alerts.
        assert!(night.incidents[&umbrella].is_open());
        night.resolves("second");
        night.resolves("third");
        assert_eq!(night.incidents[&umbrella].state, IncidentState::Resolved);
        // And there may be another storm.
        assert_eq!(night.fires("fifth").reason, Reason::StormBegan);
    }

    #[test]
    fn it_lasts_as_long_as_it_blows() {
        let (mut night, _) = storm();
        for n in 0..50 {
            night.until(10 * n);
            night.fires(&format!("host{n}"));
        }
        assert_eq!((night.incidents.len(), night.count("storm_ended")), (2, 0));
        night.until(490 + 300);
        assert_eq!(night.seconds_of("storm_ended"), [790]);
    }

    #[test]
    fn what_repeats_stays_where_it_is_and_what_is_worse_raises_the_umbrella_and_pages() {
        let (mut night, umbrella) = storm();
        assert_eq!(night.fires("first").outcome, Outcome::Repeated);
        night.asks_on("ana", Act::Acknowledge, &umbrella);
        let same = night.fires("third");
        assert_eq!((same.reason, night.incidents[&umbrella].state), (Reason::StormUmbrella, IncidentState::Acknowledged));
        let worse = night.fires_as("fourth", AlertSeverity::Critical);
        let row = &night.incidents[&umbrella];
        assert_eq!((worse.incident.as_ref(), row.severity, row.state), (Some(&umbrella), Severity::Sev1, IncidentState::Triggered));
    }

    #[test]
    fn an_umbrella_that_a_person_made_quiet_keeps_nothing_worse_quiet() {
        let (mut night, umbrella) = storm();
        night.asks_on("ana", Act::SetSeverity { to: Severity::Sev3 }, &umbrella);
        let worse = night.fires("third");
        assert_eq!(worse.outcome, Outcome::Opened);
        assert_eq!(night.incidents[&worse.incident.expect("it has one")].severity, Severity::Sev2);
        assert_eq!(night.fires_as("fourth", AlertSeverity::Warning).incident, Some(umbrella));
    }

    #[test]
    fn another_policy_has_its_own_weather() {
        let (mut night, _) = storm();
        night.setup.policies.insert("days".into(), Policy { id: "days".into(), steps: vec![step(&["cy"], Some(5))], repeat: 0, storm: 1 });
        night.serves("shop");
        night.setup.services.get_mut(&"shop".into()).expect("it is there").policy = "days".into();
        let other = night.fires_for("shop", "checkout");
        assert_eq!((other.outcome, other.reason), (Outcome::Opened, Reason::NewCondition));
        // A service of the same policy comes under the umbrella, and is involved.
        night.serves("cart");
        let same = night.fires_for("cart", "cart");
        assert_eq!(same.reason, Reason::StormUmbrella);
        assert_eq!(night.incidents[&same.incident.expect("it has one")].response.services, ["cart".into()].into());
    }

    #[test]
    fn blips_come_back_to_the_umbrella_for_as_long_as_the_storm_lasts() {
        let (mut night, umbrella) = storm();
        night.resolves("second");
        assert_eq!(night.incidents[&umbrella].state, IncidentState::Resolved);
        for n in 0..20 {
            let key = format!("blip{n}");
            let fired = night.fires(&key);
            assert_eq!((fired.outcome, fired.incident.as_ref()), (Outcome::Folded, Some(&umbrella)), "{n}");
            assert!(night.incidents[&umbrella].is_open() && night.alert(&key).is_firing(Some(&night.incidents[&umbrella])));
            night.resolves(&key);
        }
        assert_eq!(night.incidents.len(), 2);
        // When it has become slow, what is new opens its own.
        night.until(120);
        assert_eq!(night.fires("later").reason, Reason::NewCondition);
    }

    #[test]
    fn whoever_resolves_the_umbrella_too_soon_gets_another() {
        let (mut night, umbrella) = storm();
        night.asks_on("ana", Act::Resolve, &umbrella);
        let next = night.fires("third");
        assert_eq!((next.outcome, next.reason), (Outcome::Opened, Reason::StormBegan));
        assert!(!night.incidents[&umbrella].is_umbrella());
        assert_eq!((night.count("storm_began"), night.count("storm_ended")), (2, 1));
        assert_eq!(night.fires("fourth").incident, next.incident);
    }

    #[test]
    fn the_clock_ends_a_storm_once() {
        let (mut night, umbrella) = storm();
        night.until(400);
        assert_eq!(night.wakes(Scope::Incident(umbrella), Timer::Storm).reason, Reason::NothingDue);
        assert_eq!(night.count("storm_ended"), 1);
    }

    #[test]
    fn the_worst_the_rarest_and_the_first_are_told() {
        let fallen = |title: &str, severity, second| Fallen { title: title.to_owned(), severity, fired_at: Time::from_seconds(second) };
        let mut alerts: Vec<Fallen> = (0..50).map(|n| fallen(&format!("web-{n} is down"), AlertSeverity::Error, 10 + n)).collect();
        alerts.push(fallen("queue 7 is full", AlertSeverity::Warning, 5));
        alerts.push(fallen("queue 8 is full", AlertSeverity::Warning, 6));
        alerts.push(fallen("the core switch is gone", AlertSeverity::Error, 40));
        alerts.push(fallen("db-3 is read-only", AlertSeverity::Critical, 45));
        assert_eq!(telling(&alerts), ["db-3 is read-only", "the core switch is gone", "queue 7 is full"]);
        // Where all are of one kind, they are three all the same; and no more than there are.
        assert_eq!(telling(&alerts[..50]), ["web-0 is down", "web-49 is down", "web-1 is down"]);
        assert_eq!(telling(&alerts[..1]), ["web-0 is down"]);
        assert_eq!(telling(&[]), Vec::<String>::new());
    }
}
