use std::collections::BTreeMap;

use super::super::alert::{AlertState, Hold};
use super::super::decide::{Outcome, Verdict};
use super::super::incident::IncidentState;
use super::super::input::{Act, Signal};
use super::super::reason::Reason;
use super::super::trial::Trial;
use super::*;

fn rule(id: &str, when: &str, mute: &str, equal: &[&str]) -> Inhibition {
    Inhibition {
        id: id.into(),
        when: vec![when.into()],
        mute: vec![mute.into()],
        equal: equal.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// A host that is down explains what is slow on it.
fn night() -> Trial {
    let mut night = Trial::new();
    night.setup.inhibitions = vec![rule("hosts", "kind=\"host\"", "kind=\"service\"", &["host"])];
    night
}

fn labelled(key: &str, action: Action, kind: &str, host: &str) -> Signal {
    let labels = BTreeMap::from([("kind".to_owned(), kind.to_owned()), ("host".to_owned(), host.to_owned())]);
    Signal { labels, ..Trial::signal_of(key, action, None, None) }
}

fn fires(night: &mut Trial, key: &str, kind: &str, host: &str) -> Verdict {
    night.batch(&[labelled(key, Action::Trigger, kind, host)]).remove(0)
}

fn became(verdict: &Verdict) -> (Outcome, Reason) {
    (verdict.outcome, verdict.reason)
}

/// What began or ended to inhibit is looked at.
fn looks(night: &mut Trial) {
    let second = night.second();
    assert!(night.timers.contains_key(&(scope(), Timer::Cover)), "it is to be looked at");
    night.until(second);
}

#[test]
fn what_another_explains_pages_nobody_until_that_is_over_and_then_it_pages() {
    let mut night = night();
    fires(&mut night, "db-1", "host", "db-1");
    night.until(0);
    assert_eq!(became(&fires(&mut night, "slow", "service", "db-1")), (Outcome::Suppressed, Reason::Inhibited));
    assert_eq!((night.alert("slow").state, night.incidents.len()), (AlertState::Suppressed, 1));
    // Of another host, or of no kind that is muted, it is told of.
    assert_eq!(fires(&mut night, "far", "service", "db-2").outcome, Outcome::Folded);
    night.until(20);
    assert_eq!(became(&fires(&mut night, "slow", "service", "db-1")), (Outcome::Suppressed, Reason::Inhibited));
    night.resolves("far");
    night.resolves("db-1");
    looks(&mut night);
    assert_eq!(night.alert("slow").state, AlertState::Firing);
    assert_eq!((night.incidents.len(), night.incident().state), (2, IncidentState::Triggered));
    assert_eq!(night.seconds_of("policy_started"), [0, 20]);
}

#[test]
fn an_answer_by_hand_to_the_cause_lets_go_of_what_it_explained() {
    let mut night = night();
    fires(&mut night, "db-1", "host", "db-1");
    fires(&mut night, "slow", "service", "db-1");
    night.asks("ana", Act::Acknowledge);
    night.until(60);
    assert_eq!(fires(&mut night, "slow", "service", "db-1").reason, Reason::Inhibited, "somebody is on the cause");
    night.asks("ana", Act::Resolve);
    night.wakes(scope(), Timer::Cover);
    assert_eq!((night.alert("slow").state, night.incidents.len()), (AlertState::Firing, 2));
}

#[test]
fn a_cause_that_comes_after_ends_the_pages_of_what_it_explains_and_only_those() {
    let mut night = night();
    fires(&mut night, "slow", "service", "db-1");
    night.until(10);
    night.has_rung(&[(0, "ana", false)]);
    // A service's window of its own, so that the cause is an incident of its own.
    night.service().group_window = crate::base::time::Span::ZERO;
    fires(&mut night, "db-1", "host", "db-1");
    looks(&mut night);
    let first = night.incidents.values().next().expect("it opened").clone();
    assert_eq!((first.response.is_hushed, first.pages.len()), (true, 0));
    assert_eq!(first.response.inhibited.as_ref().map(|by| by.by.as_str()), Some("db-1 is down"));
    assert_eq!((night.count("alerts_inhibited"), night.count("incident_inhibited")), (1, 1));
    night.until(1_000);
    assert!(night.incidents[&first.id].response.is_hushed, "it has no end of its own, and is looked at again and again");
    night.resolves("db-1");
    looks(&mut night);
    assert_eq!((night.count("alerts_uninhibited"), night.incidents[&first.id].response.is_hushed), (1, false));
    let started = |fact: &super::super::fact::Fact| match &fact.what {
        super::super::fact::What::PolicyStarted { reason, .. } if fact.incident == first.id => Some(*reason),
        _ => None,
    };
    assert_eq!(night.facts.iter().filter_map(started).collect::<Vec<_>>(), [Reason::IncidentOpened, Reason::InhibitionOver]);
}

#[test]
fn one_that_is_not_explained_keeps_the_incident_paging() {
    let mut night = night();
    fires(&mut night, "slow", "service", "db-1");
    fires(&mut night, "disk", "disk", "db-1");
    fires(&mut night, "db-1", "host", "db-1");
    looks(&mut night);
    let incident = night.incident();
    assert_eq!((incident.response.silenced_count, incident.firing_count, incident.response.is_hushed), (1, 3, false));
}

#[test]
fn nothing_inhibits_itself_nor_its_own_kind() {
    let mut night = Trial::new();
    night.setup.inhibitions = vec![rule("all", "kind=~\"host|service\"", "kind=~\"host|service|disk\"", &["host"])];
    for (key, kind) in [("db-1", "host"), ("slow", "service")] {
        assert_ne!(fires(&mut night, key, kind, "db-1").outcome, Outcome::Suppressed, "{key} matches both sides");
    }
    assert_eq!(fires(&mut night, "disk", "disk", "db-1").reason, Reason::Inhibited, "and this one only the one that is muted");
    assert_eq!(fires(&mut night, "disk", "disk", "db-1").reason, Reason::Inhibited);
}

#[test]
fn of_two_causes_the_second_goes_on_to_inhibit_and_a_changed_label_ends_it() {
    let mut night = night();
    fires(&mut night, "db-1", "host", "db-1");
    fires(&mut night, "db-1-ping", "host", "db-1");
    fires(&mut night, "slow", "service", "db-1");
    night.resolves("db-1");
    looks(&mut night);
    assert_eq!(night.alert("slow").state, AlertState::Suppressed);
    // What it is now is what counts: it is about another host.
    fires(&mut night, "db-1-ping", "host", "db-9");
    looks(&mut night);
    assert_eq!(night.alert("slow").state, AlertState::Firing);
}

#[test]
fn a_label_that_neither_has_is_equal_and_no_labels_tie_everything() {
    let mut night = night();
    fires(&mut night, "rack", "host", "");
    assert_eq!(fires(&mut night, "slow", "service", "").reason, Reason::Inhibited, "as Alertmanager has it");
    let mut all = Trial::new();
    all.setup.inhibitions = vec![rule("site", "kind=\"site\"", "kind=\"service\"", &[])];
    fires(&mut all, "site", "site", "a");
    assert_eq!(fires(&mut all, "slow", "service", "b").reason, Reason::Inhibited);
}

#[test]
fn what_is_silenced_inhibits_all_the_same_and_a_silence_is_told_before() {
    let mut night = night();
    night.silences("db.*", 0, 600);
    assert_eq!(fires(&mut night, "db-1", "host", "db-1").reason, Reason::Silenced);
    assert_eq!(fires(&mut night, "slow", "service", "db-1").reason, Reason::Inhibited);
    night.silences("slow.*", 0, 300);
    assert_eq!(fires(&mut night, "slow", "service", "db-1").reason, Reason::Silenced);
    night.until(300);
    night.covers();
    assert_eq!((night.alert("slow").state, night.incidents.len()), (AlertState::Suppressed, 0));
}

#[test]
fn a_silence_that_ends_while_it_is_inhibited_calls_nobody() {
    let mut night = night();
    night.service().group_window = crate::base::time::Span::ZERO;
    fires(&mut night, "slow", "service", "db-1");
    night.silences("slow.*", 0, 300);
    fires(&mut night, "db-1", "host", "db-1");
    night.until(300);
    night.covers();
    let slow = night.alert("slow").incident.clone().expect("it has one");
    night.until(2_000);
    assert!(night.incidents[&slow].response.is_hushed, "{:?}", night.facts);
}

#[test]
fn an_alert_that_resolves_while_it_is_inhibited_is_over() {
    let mut night = night();
    fires(&mut night, "db-1", "host", "db-1");
    fires(&mut night, "slow", "service", "db-1");
    assert_eq!(night.resolves("slow").outcome, Outcome::Resolved);
    night.resolves("db-1");
    night.until(2_000);
    assert_eq!((night.incidents.len(), night.inhibitors.len()), (1, 0));
}

#[test]
fn whatever_may_be_one_is_decided_first() {
    let setup = night().setup;
    let route = |signal| super::super::routing::route(&setup, signal);
    let signals = [
        route(labelled("slow", Action::Trigger, "service", "db-1")),
        route(labelled("db-1", Action::Trigger, "host", "db-1")),
        route(labelled("db-2", Action::Resolve, "host", "db-2")),
    ];
    let first: Vec<String> = sources_among(&setup, signals.iter()).into_iter().map(|key| key.dedup_key).collect();
    assert_eq!(first, ["db-1"]);
}

#[test]
fn a_tie_is_of_the_rule_and_of_the_values() {
    let signal = |host| super::super::routing::route(&night().setup, labelled("slow", Action::Trigger, "service", host));
    let hosts = rule("hosts", "kind=\"host\"", "kind=\"service\"", &["host", "zone"]);
    assert_eq!(hosts.tie(&signal("a")), hosts.tie(&signal("a")));
    assert_ne!(hosts.tie(&signal("a")), hosts.tie(&signal("b")));
    let other = Inhibition { when: vec!["kind=\"rack\"".into()], ..hosts.clone() };
    assert_ne!(hosts.tie(&signal("a")), other.tie(&signal("a")), "a rule that was changed is another");
    assert!(hosts.tie(&signal("a")).starts_with(&hosts.mark()) && hosts.mark().len() == MARK);
}

#[test]
fn what_mutes_everything_and_what_never_matches_is_doubted() {
    let setup = night().setup;
    for (when, mute, doubts) in [
        ("alertname=\"HostDown\"", "severity=~\"warning|info\"", 0),
        ("alertname=\"HostDown\"", "severity=~\".+\"", 1),
        ("severity=~\".+\"", "kind=\"service\"", 1),
        ("integration=\"gone\"", "kind=\"service\"", 1),
        ("kind=\"a\"", "kind=\"a\"", 1),
        ("host=~\"db-**\"", "kind=\"a\"", 1),
    ] {
        let doubted = rule("r", when, mute, &[]).doubts(&setup);
        assert_eq!(doubted.len(), doubts, "{when} {mute}: {doubted:?}");
    }
    let torn = Inhibition { when: vec!["kind=\"a\"".into(), "kind=\"b\"".into()], ..rule("r", "kind=\"a\"", "host=\"a\"", &[]) };
    assert_eq!(torn.doubts(&setup).len(), 1);
}

/// What is planted into random nights, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    /// What ends to inhibit is looked at by nobody.
    NobodyLooks,
    /// What was resolved by hand goes on to inhibit.
    OutlivesItsIncident,
    /// What is inhibited pages.
    Ignored,
}

/// A random night of two hosts and what runs on them, held against its own reading of the rule after each step.
fn random_night(seed: u64, planted: Option<Planted>) -> Result<(), String> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut dice = move |sides: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % sides
    };
    let mut night = night();
    night.service().group_window = crate::base::time::Span::minutes(*[0, 1, 10].get(usize::try_from(dice(3)).unwrap_or(0)).unwrap_or(&0));
    let mut second = 0;
    for step in 0..60 {
        second += i64::try_from(dice(90)).unwrap_or(0);
        night.until(second);
        steady(&mut night);
        let kind = if dice(3) == 0 { "host" } else { "service" };
        let host = if dice(2) == 0 { "a" } else { "b" };
        let key = format!("{kind}-{host}-{}", dice(2));
        match dice(10) {
            0..=5 => {
                if planted == Some(Planted::Ignored) && kind == "service" {
                    night.inhibitors.clear();
                }
                night.batch(&[labelled(&key, Action::Trigger, kind, host)]);
            }
            6..=8 => {
                night.batch(&[labelled(&key, Action::Resolve, kind, host)]);
            }
            _ if night.incidents.is_empty() => {}
            _ => {
                night.asks("ana", if dice(2) == 0 { Act::Acknowledge } else { Act::Resolve });
                // As the store does it: what was resolved with its incident is looked at.
                if planted != Some(Planted::OutlivesItsIncident) {
                    night.wakes(scope(), Timer::Cover);
                }
            }
        }
        if planted == Some(Planted::NobodyLooks) {
            night.timers.remove(&(scope(), Timer::Cover));
        }
        night.until(second);
        is_right(&night).map_err(|why| format!("seed {seed}, step {step}: {why}"))?;
    }
    // All is over but what runs on them: nothing of it is lost.
    for key in ["host-a-0", "host-a-1", "host-b-0", "host-b-1"] {
        night.batch(&[labelled(key, Action::Resolve, "host", if key.contains("-a-") { "a" } else { "b" })]);
    }
    // What flaps is over when it is steady.
    night.until(second + 3_600);
    steady(&mut night);
    night.until(second + 3_600);
    is_right(&night).map_err(|why| format!("seed {seed}, at the end: {why}"))?;
    let holds = |alert: &Alert| alert.holds(alert.incident.as_ref().and_then(|id| night.incidents.get(id)));
    let held =
        night.keys.values().filter_map(|state| state.alert.as_ref()).find(|alert| holds(alert) && alert.state == AlertState::Suppressed);
    held.map_or(Ok(()), |alert| Err(format!("seed {seed}: {alert:?} is held back for ever")))
}

/// What is held until now is let go.
fn steady(night: &mut Trial) {
    let is_due = |alert: &Alert| alert.hold.and_then(|hold: Hold| hold.until()).is_some_and(|until| until <= night.now);
    let due = night.keys.values().filter(|state| state.alert.as_ref().is_some_and(is_due)).map(|state| state.key.clone());
    for key in due.collect::<Vec<_>>() {
        night.lets_go(&key);
    }
}

fn is_right(night: &Trial) -> Result<(), String> {
    let alerts: Vec<&Alert> = night.keys.values().filter_map(|state| state.alert.as_ref()).collect();
    let incident = |alert: &Alert| alert.incident.as_ref().and_then(|id| night.incidents.get(id));
    let holds = |alert: &&&Alert| alert.holds(incident(alert));
    let label = |alert: &Alert, name: &str| alert.labels.get(name).cloned().unwrap_or_default();
    for alert in alerts.iter().filter(holds) {
        let is_explained = label(alert, "kind") == "service"
            && alerts.iter().filter(holds).any(|other| label(other, "kind") == "host" && label(other, "host") == label(alert, "host"));
        let is_held = alert.state == AlertState::Suppressed;
        if is_explained != is_held {
            return Err(format!("explained: {is_explained}, held back: {is_held}: {alert:?}"));
        }
        if !is_held && incident(alert).is_none_or(|incident| !incident.is_open()) {
            return Err(format!("it fires and has no open incident: {alert:?}"));
        }
    }
    for incident in night.incidents.values().filter(|incident| incident.is_open()) {
        let own = alerts.iter().filter(holds).filter(|alert| alert.incident.as_ref() == Some(&incident.id));
        let (mut all, mut held) = (0, 0);
        for alert in own {
            all += 1;
            held += i64::from(alert.state == AlertState::Suppressed);
        }
        if incident.response.silenced_count != held {
            return Err(format!("{held} of {all} are held back in {incident:?}"));
        }
        if incident.state == IncidentState::Triggered && all > 0 && incident.response.is_hushed != (all == held) {
            return Err(format!("{held} of {all} are held back, hushed: {}", incident.response.is_hushed));
        }
        if incident.response.is_hushed && !incident.pages.is_empty() {
            return Err(format!("it is hushed and pages: {incident:?}"));
        }
    }
    Ok(())
}

#[test]
fn random_nights_hold_back_what_is_explained_and_nothing_else_and_lose_nothing() {
    for seed in 0..400 {
        if let Err(why) = random_night(seed, None) {
            panic!("{why}");
        }
    }
    for planted in [Planted::NobodyLooks, Planted::OutlivesItsIncident, Planted::Ignored] {
        assert!((0..400).any(|seed| random_night(seed, Some(planted)).is_err()), "{planted:?} is not found");
    }
}
