use std::collections::BTreeMap;

use super::super::alert::AlertState;
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
