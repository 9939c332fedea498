use super::super::group::GroupBy;
use super::super::input::Act;
use super::super::trial::Trial;
use super::*;

const DAY: i64 = 86_400;

#[test]
fn an_alert_joins_within_the_window_of_the_last_that_joined() {
    // Window in seconds; when each distinct alert fires; how many incidents they make.
    for (window, times, incidents) in [
        (600, vec![0, 600], 1),
        (600, vec![0, 601], 2),
        // Rolling: each within ten minutes of the one before it.
        (600, vec![0, 600, 1_200, 1_800], 1),
        (0, vec![0, 0], 2),
        (0, vec![0, 1, 2], 3),
        // At most 24 hours in all.
        (DAY / 2, vec![0, DAY / 2, DAY], 1),
        (DAY / 2, vec![0, DAY / 2, DAY, DAY + 1], 2),
    ] {
        let mut night = Trial::new();
        night.service().group_window = Span::seconds(window);
        for (n, at) in times.iter().enumerate() {
            night.until(*at);
            let verdict = night.fires(&format!("db{n}"));
            let joined = if verdict.outcome == Outcome::Folded { Reason::JoinedGroup } else { Reason::NewCondition };
            assert_eq!(verdict.reason, joined);
        }
        assert_eq!(night.incidents.len(), incidents, "{window} {times:?}");
    }
}

#[test]
fn alerts_join_the_incident_of_their_own_group_and_no_other() {
    // What alerts are grouped by, the hosts on which they fire one after the other, and the incident that each is in.
    for (by, hosts, incidents) in [
        (Some("host"), &["web-1", "web-2", "web-1", "web-2", "web-3"][..], &[0, 1, 0, 1, 2][..]),
        (Some("host"), &["", "web-1", "", ""], &[0, 1, 0, 0]),
        (Some("rack"), &["web-1", "web-2"], &[0, 0]),
        (None, &["web-1", "web-2", ""], &[0, 0, 0]),
    ] {
        // The same in one batch and one by one.
        for together in [false, true] {
            let mut night = Trial::new();
            night.service().group_by = by.map(|name| GroupBy::Names(vec![name.to_owned()]));
            let signals: Vec<Signal> = hosts.iter().enumerate().map(|(n, host)| on_host(&format!("key{n}"), host)).collect();
            let verdicts = if together {
                night.batch(&signals)
            } else {
                signals.iter().map(|signal| night.batch(std::slice::from_ref(signal)).remove(0)).collect()
            };
            let mut opened: Vec<IncidentId> = Vec::new();
            let joined = verdicts.iter().map(|verdict| {
                let id = verdict.incident.clone().expect("it has one");
                opened.iter().position(|one| *one == id).unwrap_or_else(|| {
                    opened.push(id);
                    opened.len() - 1
                })
            });
            assert_eq!(joined.collect::<Vec<_>>(), incidents, "{by:?} {hosts:?} {together}");
            let folded = if by.is_some() { Reason::SameGroup } else { Reason::JoinedGroup };
            assert!(verdicts.iter().all(|verdict| verdict.reason == Reason::NewCondition || verdict.reason == folded), "{verdicts:?}");
        }
    }
}

/// An alert with the label `host`, where there is one.
fn on_host(key: &str, host: &str) -> Signal {
    let labels = (!host.is_empty()).then(|| ("host".to_owned(), host.to_owned())).into_iter().collect();
    Signal { labels, ..Trial::signal_of(key, Action::Trigger, None, None) }
}

#[test]
fn a_group_goes_on_as_long_as_its_own_window_and_comes_back_with_its_incident() {
    let mut night = Trial::new();
    night.service().group_by = Some(GroupBy::Names(vec!["host".to_owned()]));
    let fires = |night: &mut Trial, key: &str, host: &str| night.batch(&[on_host(key, host)]).remove(0);
    let one = fires(&mut night, "a", "web-1");
    night.until(599);
    fires(&mut night, "b", "web-2");
    night.until(601);
    assert_eq!(fires(&mut night, "c", "web-1").outcome, Outcome::Opened, "another group keeps nobody's window open");
    // The older incident of the group is over and comes back: the newer one is still the newest.
    let resolve = Signal { action: Action::Resolve, ..on_host("a", "web-1") };
    night.batch(&[resolve]);
    night.until(650);
    assert_eq!(fires(&mut night, "a", "web-1").incident, one.incident);
    let joined = fires(&mut night, "d", "web-1");
    assert_eq!(joined.reason, Reason::SameGroup);
    assert_ne!(joined.incident, one.incident);
}

#[test]
fn what_only_recorded_and_what_was_silenced_joins_its_group_when_it_pages() {
    let mut night = Trial::new();
    night.service().group_by = Some(GroupBy::Names(vec!["host".to_owned()]));
    for host in ["web-1", "web-2"] {
        night.batch(&[on_host(host, host)]);
    }
    let quiet = Signal { severity: Some(AlertSeverity::Info), ..on_host("disk", "web-1") };
    assert_eq!(night.batch(&[quiet]).remove(0).outcome, Outcome::Recorded);
    let loud = night.batch(&[on_host("disk", "web-1")]).remove(0);
    assert_eq!((loud.reason, &loud.incident), (Reason::SameGroup, &night.alert("web-1").incident));

    night.silences("cpu is down", 0, 60);
    assert_eq!(night.batch(&[on_host("cpu", "web-2")]).remove(0).outcome, Outcome::Suppressed);
    night.until(61);
    let verdict = night.covers().into_iter().find(|verdict| verdict.outcome == Outcome::Folded).expect("it pages");
    assert_eq!((verdict.reason, &night.alert("cpu").incident), (Reason::SameGroup, &night.alert("web-2").incident));
}

#[test]
fn a_symptom_joins_its_causes_newest_incident_whatever_that_ones_groups() {
    let mut night = Trial::new();
    for id in ["api", "shop"] {
        night.serves(id);
    }
    night.service().group_by = Some(GroupBy::Names(vec!["host".to_owned()]));
    let shop = night.setup.services.get_mut(&"shop".into()).expect("it is there");
    shop.group_by = Some(GroupBy::Names(vec!["host".to_owned()]));
    shop.depends_on.insert("api".into());
    night.batch(&[on_host("a", "web-1")]);
    night.until(1);
    let newest = night.batch(&[on_host("b", "web-2")]).remove(0);
    night.until(2);
    let symptom = night.batch(&[Signal { integration: "shop".into(), ..on_host("cart", "shop-1") }]).remove(0);
    assert_eq!((symptom.reason, symptom.incident), (Reason::SymptomOfCause, newest.incident));
}

#[test]
fn symptoms_join_the_incident_of_what_their_service_depends_on() {
    // What depends on what, the windows of the service that fires and of its causes in seconds, whose incidents are open; what it joins.
    for (depends, window, cause_window, open, joins) in [
        (&[("shop", "api")][..], 600, 600, &["api"][..], Some("api")),
        (&[("shop", "api")], 600, 600, &["api", "shop"], Some("shop")),
        (&[("shop", "api")], 600, 600, &[], None),
        (&[("shop", "api")], 600, 29, &["api"], None),
        (&[("shop", "api")], 0, 600, &["api"], None),
        (&[], 600, 600, &["api"], None),
        (&[("api", "shop")], 600, 600, &["api"], None),
        // However far, the nearest first; a ring ends.
        (&[("shop", "cart"), ("cart", "api")], 600, 600, &["api"], Some("api")),
        (&[("shop", "cart"), ("cart", "api"), ("api", "shop")], 600, 600, &["api", "cart"], Some("cart")),
    ] {
        let mut night = Trial::new();
        for id in ["api", "shop", "cart"] {
            night.serves(id);
        }
        for service in night.setup.services.values_mut() {
            service.group_window = Span::seconds(if service.id.as_str() == "shop" { window } else { cause_window });
        }
        for service in open {
            assert_eq!(night.fires_for(service, "first").outcome, Outcome::Opened);
        }
        for (service, cause) in depends {
            night.setup.services.get_mut(&(*service).into()).expect("it is there").depends_on.insert((*cause).into());
        }
        night.until(30);
        let verdict = night.fires_for("shop", "later");
        let joined = (verdict.outcome == Outcome::Folded).then(|| night.incidents[&verdict.incident.clone().expect("it has one")].clone());
        assert_eq!(joined.as_ref().map(|incident| incident.service.as_str()), joins, "{depends:?} {window} {cause_window} {open:?}");
        if let Some(incident) = joined.filter(|incident| incident.service.as_str() != "shop") {
            assert_eq!(verdict.reason, Reason::SymptomOfCause);
            assert_eq!(incident.response.services, ["shop".into()].into());
            assert_eq!(night.resolves_for("shop", "later").outcome, Outcome::Resolved);
            assert_eq!(night.incidents[&incident.id].firing_count, 1);
        }
    }
}

#[test]
fn a_repeated_signal_does_not_prolong_the_window() {
    let mut night = Trial::new();
    night.fires("db");
    night.until(599);
    assert_eq!(night.fires("db").outcome, Outcome::Repeated);
    night.until(601);
    assert_eq!(night.fires("web").outcome, Outcome::Opened);
}

#[test]
fn a_signal_is_stale_only_against_its_own_last_change() {
    // The sender's times of trigger, resolve and the second trigger; what the second becomes.
    for (fired, over, again, outcome, reason) in [
        (Some(10), Some(20), Some(19), Outcome::Ignored, Reason::OlderThanLastChange),
        (Some(10), Some(20), Some(20), Outcome::Reopened, Reason::FiredAgain),
        (Some(10), Some(20), Some(21), Outcome::Reopened, Reason::FiredAgain),
        (Some(10), Some(20), None, Outcome::Reopened, Reason::FiredAgain),
        // The last change had no time: nothing is older than it.
        (Some(10), None, Some(5), Outcome::Reopened, Reason::FiredAgain),
        (None, Some(20), Some(19), Outcome::Ignored, Reason::OlderThanLastChange),
    ] {
        let mut night = Trial::new();
        night.signal("db", Action::Trigger, None, fired);
        night.signal("db", Action::Resolve, None, over);
        let verdict = night.signal("db", Action::Trigger, None, again);
        assert_eq!((verdict.outcome, verdict.reason), (outcome, reason), "{fired:?} {over:?} {again:?}");
        // Another key's times say nothing about it.
        assert_eq!(
            night.signal("web", Action::Trigger, None, Some(0)).outcome,
            if outcome == Outcome::Reopened { Outcome::Folded } else { Outcome::Opened }
        );
    }
}

#[test]
fn a_time_that_cannot_be_makes_nothing_stale() {
    let (day, year) = (86_400, 365 * 86_400);
    // The sender's times of trigger, resolve and the second trigger, in seconds from now; whether the second counts.
    for (fired, over, again, counts) in [
        (0, 300, 100, false),
        (0, day - 300, 400, false),
        (0, 70 * year, 400, true),
        (0, 300, -60 * year, true),
        (0, 300, -26 * year, true),
        (0, 300, -year, false),
        (70 * year, 300, 200, false),
    ] {
        let mut night = Trial::new();
        night.signal("db", Action::Trigger, None, Some(fired));
        night.signal("db", Action::Resolve, None, Some(over));
        let verdict = night.signal("db", Action::Trigger, None, Some(again));
        assert_eq!(verdict.outcome == Outcome::Reopened, counts, "{fired} {over} {again}: {verdict:?}");
    }
}

#[test]
fn a_stale_resolve_ends_nothing_and_an_equal_one_counts() {
    for (over, outcome) in [(9, Outcome::Ignored), (10, Outcome::Resolved), (11, Outcome::Resolved)] {
        let mut night = Trial::new();
        night.signal("db", Action::Trigger, None, Some(10));
        assert_eq!(night.signal("db", Action::Resolve, None, Some(over)).outcome, outcome, "{over}");
    }
}

#[test]
fn a_resolve_that_came_first_is_remembered_for_a_day_against_older_triggers() {
    for (later, at, outcome) in
        [(DAY, 99, Outcome::Ignored), (DAY + 1, 99, Outcome::Opened), (60, 100, Outcome::Opened), (60, 101, Outcome::Opened)]
    {
        let mut night = Trial::new();
        assert_eq!(night.signal("db", Action::Resolve, None, Some(100)).reason, Reason::NotFiring);
        night.signal("db", Action::Resolve, None, Some(50));
        night.until(later);
        assert_eq!(night.signal("db", Action::Trigger, None, Some(at)).outcome, outcome, "{later} {at}");
    }
    let mut night = Trial::new();
    night.signal("db", Action::Resolve, None, None);
    assert_eq!(night.signal("db", Action::Trigger, None, Some(1)).outcome, Outcome::Opened, "a resolve without a time is not remembered");
}

#[test]
fn the_last_alert_that_resolves_resolves_the_incident() {
    let mut night = Trial::new();
    night.fires("db");
    night.fires("web");
    night.resolves("db");
    assert!(night.incident().is_open());
    night.resolves("web");
    assert_eq!(night.incident().state, IncidentState::Resolved);
    assert_eq!((night.incident().alerts_count, night.incident().firing_count), (2, 0));
    assert!(night.timers.keys().all(|(scope, _)| matches!(scope, super::super::input::Scope::Person(_))));
}

#[test]
fn after_a_persons_resolve_further_signals_are_counted_then_reopen_then_open_anew() {
    for (after, outcome, reason) in [
        (0, Outcome::Repeated, Reason::QuietAfterResolve),
        (119, Outcome::Repeated, Reason::QuietAfterResolve),
        (120, Outcome::Reopened, Reason::StillFiring),
        (600, Outcome::Reopened, Reason::StillFiring),
        (601, Outcome::Opened, Reason::NewCondition),
    ] {
        let mut night = Trial::new();
        night.fires("db");
        night.until(60);
        night.asks("ana", Act::Resolve);
        night.until(60 + after);
        let verdict = night.fires("db");
        assert_eq!((verdict.outcome, verdict.reason), (outcome, reason), "{after}");
        assert_eq!(night.incident().is_open(), outcome != Outcome::Repeated, "{after}");
    }
}

#[test]
fn what_its_sender_resolved_reopens_soon_and_is_new_later() {
    for (after, outcome, reason) in [
        (0, Outcome::Reopened, Reason::FiredAgain),
        (600, Outcome::Reopened, Reason::FiredAgain),
        (601, Outcome::Opened, Reason::NewCondition),
    ] {
        let mut night = Trial::new();
        night.fires("db");
        night.resolves("db");
        night.until(after);
        let verdict = night.fires("db");
        assert_eq!((verdict.outcome, verdict.reason), (outcome, reason), "{after}");
        assert_eq!(night.incident().state, IncidentState::Triggered);
    }
}

#[test]
fn what_its_sender_ended_and_fires_again_breaks_the_quiet_after_a_persons_resolve() {
    let mut night = Trial::new();
    night.fires("db");
    night.until(60);
    night.asks("ana", Act::Resolve);
    night.until(80);
    assert_eq!(night.fires("db").reason, Reason::QuietAfterResolve, "it has not ended yet");
    night.until(90);
    assert_eq!(night.resolves("db").outcome, Outcome::Ignored);
    night.until(120);
    let verdict = night.fires("db");
    assert_eq!((verdict.outcome, verdict.reason), (Outcome::Reopened, Reason::FiredAgain));
    assert_eq!(night.resolves("db").outcome, Outcome::Resolved);
}

#[test]
fn one_microsecond_holds_an_end_and_a_return() {
    let mut night = Trial::new();
    night.fires("db");
    for _ in 0..3 {
        night.resolves("db");
        assert!(!night.incident().is_open());
        assert_eq!(night.fires("db").outcome, Outcome::Reopened);
        assert_eq!(night.incident().firing_count, 1);
        assert_eq!(night.fires("db").outcome, Outcome::Repeated, "it fires and is seen to fire");
    }
    assert_eq!(night.resolves("db").outcome, Outcome::Resolved);
    assert!(!night.incident().is_open());
}

#[test]
fn severity_rises_by_itself_and_pages_again_only_when_louder_or_answered() {
    use AlertSeverity::{Critical, Error, Warning};
    // The first alert, whether it is acknowledged, the second alert; whether the policy starts again.
    for (first, acknowledged, second, starts_again) in [
        (Warning, false, Error, true),
        (Warning, true, Error, true),
        (Error, false, Critical, false),
        (Error, true, Critical, true),
        (Critical, true, Error, false),
        (Error, true, Error, false),
        (Error, false, Warning, false),
    ] {
        let mut night = Trial::new();
        night.fires_as("db", first);
        if acknowledged {
            night.asks("ana", Act::Acknowledge);
        }
        let before = night.incident().severity;
        night.until(30);
        assert_eq!(night.fires_as("web", second).outcome, Outcome::Folded);
        let case = format!("{first:?} {acknowledged} {second:?}");
        let table = super::super::setup::SeverityTable::default();
        assert_eq!(night.incident().severity, before.max(table.of(second)), "{case}");
        assert_eq!(night.count("policy_started"), if starts_again { 2 } else { 1 }, "{case}");
        assert_eq!(night.incident().state == IncidentState::Triggered, starts_again || !acknowledged, "{case}");
    }
}

#[test]
fn a_senders_acknowledge_counts_only_if_its_alert_is_the_only_open_one() {
    let acks = |night: &mut Trial, key: &str, at| night.signal(key, Action::Acknowledge, None, at);
    let mut night = Trial::new();
    assert_eq!(acks(&mut night, "db", None).reason, Reason::NotFiring);
    night.signal("db", Action::Trigger, None, Some(10));
    night.fires("web");
    let noted = acks(&mut night, "db", Some(20));
    assert_eq!((noted.outcome, noted.reason), (Outcome::Recorded, Reason::OtherAlertsFire));
    assert_eq!((night.incident().state, night.count("note_added")), (IncidentState::Triggered, 1));
    night.resolves("web");
    night.until(30);
    assert_eq!(acks(&mut night, "db", Some(9)).reason, Reason::OlderThanLastChange);
    let taken = acks(&mut night, "db", Some(30));
    assert_eq!((taken.outcome, taken.reason), (Outcome::Acknowledged, Reason::AcknowledgedAtSender));
    assert_eq!((night.incident().acknowledged_by.clone(), night.incident().pages.len()), (Some(Actor::Integration("bar".into())), 0));
    assert_eq!(night.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.count).sum::<i64>(), 5);
    // It lapses as any other, and the sender repeating itself is no sign of life.
    night.until(1_000);
    assert_eq!(acks(&mut night, "db", None).reason, Reason::AlreadyAcknowledged);
    night.until(1_830);
    assert_eq!(night.seconds_of("acknowledgement_lapsed"), [1_830]);
    night.fires_as("disk", AlertSeverity::Info);
    assert_eq!(acks(&mut night, "disk", None).reason, Reason::JustRecords);
}

#[test]
fn a_sender_that_acknowledges_again_and_again_fills_no_timeline() {
    let mut night = Trial::new();
    for n in 0..40 {
        night.fires(&format!("host{n}"));
    }
    for _ in 0..5 {
        for n in 0..40 {
            let verdict = night.signal(&format!("host{n}"), Action::Acknowledge, None, None);
            assert_eq!((verdict.outcome, verdict.reason), (Outcome::Recorded, Reason::OtherAlertsFire));
        }
    }
    assert_eq!(night.count("note_added"), limits::SENDER_NOTES);
    let alerts = night.keys.values().filter_map(|key| key.alert.as_ref());
    assert_eq!(alerts.map(|alert| alert.count).sum::<i64>(), 240, "each is counted");
}

#[test]
fn a_condition_that_gets_worse_raises_its_incident() {
    let mut night = Trial::new();
    night.fires_as("db", AlertSeverity::Warning);
    assert_eq!(night.fires_as("db", AlertSeverity::Critical).outcome, Outcome::Repeated);
    assert_eq!(night.incident().severity, Severity::Sev1);
    night.fires_as("db", AlertSeverity::Warning);
    assert_eq!(night.incident().severity, Severity::Sev1, "never lowered by itself");
}

#[test]
fn sev4_records_and_neither_opens_nor_joins_nor_prolongs() {
    let mut night = Trial::new();
    assert_eq!(night.fires_as("disk", AlertSeverity::Info).outcome, Outcome::Recorded);
    assert!(night.incidents.is_empty());
    night.fires("db");
    night.until(500);
    let verdict = night.fires_as("tape", AlertSeverity::Info);
    assert_eq!((verdict.outcome, verdict.incident), (Outcome::Recorded, None));
    assert_eq!(night.incident().alerts_count, 1);
    night.until(601);
    assert_eq!(night.fires("web").outcome, Outcome::Opened);
    assert_eq!(night.resolves("disk").outcome, Outcome::Resolved);
}

#[test]
fn what_only_recorded_pages_when_it_gets_worse() {
    let mut night = Trial::new();
    let first = night.fires_as("disk", AlertSeverity::Info);
    let worse = night.fires_as("disk", AlertSeverity::Critical);
    assert_eq!((worse.outcome, &worse.alert), (Outcome::Opened, &first.alert));
    assert_eq!(night.incident().state, IncidentState::Triggered);
    night.resolves("disk");
    assert_eq!(night.incident().state, IncidentState::Resolved);
    // And the other way round: a warning that comes back as mere information brings nothing back.
    assert_eq!(night.fires_as("disk", AlertSeverity::Info).outcome, Outcome::Recorded);
    assert_eq!(night.incident().state, IncidentState::Resolved);
}

#[test]
fn an_unreadable_body_is_one_alert_that_the_next_readable_one_resolves() {
    let mut night = Trial::new();
    assert_eq!(night.unreadable().outcome, Outcome::Unreadable);
    night.unreadable();
    assert_eq!((night.incidents.len(), night.incident().alerts_count), (1, 1));
    assert_eq!(night.signal("ping", Action::Ignore("ping".to_owned()), None, None).outcome, Outcome::Ignored);
    assert_eq!(night.incident().state, IncidentState::Resolved);
    let counts: Vec<i64> = night.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.count).collect();
    assert_eq!(counts, [2], "the readable body is not counted there");
}

#[test]
fn an_unreadable_body_says_why_the_newest_of_them_is() {
    let mut night = Trial::new();
    let mut comes = |title: &str, action: Action| {
        let signal = Signal { title: title.to_owned(), ..Trial::signal_of(UNREADABLE_KEY, action, None, None) };
        night.batch(&[signal]);
        let titles = night.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.title.clone()).collect::<Vec<_>>();
        let told = night.facts.iter().rev().find_map(|fact| match &fact.what {
            What::AlertsRefired { titles, .. } => Some(titles.clone()),
            _ => None,
        });
        (titles, told)
    };
    let unreadable = || Action::Unreadable("no".to_owned());
    comes("it is empty", unreadable());
    assert_eq!(comes("it is too large", unreadable()).0, ["it is too large"]);
    comes("a ping", Action::Ignore("a ping".to_owned()));
    let again = vec!["it is no JSON".to_owned()];
    assert_eq!(comes("it is no JSON", unreadable()), (again.clone(), Some(again)));
}

#[test]
fn an_end_that_is_past_when_it_comes_ends_nothing() {
    let mut night = Trial::new();
    night.until(600);
    night.fires_until("db", 540);
    night.until(601);
    assert_eq!(night.expires("db", Some(600)), Verdict::nothing());
    assert_eq!(night.calls(), [(600, "ana".to_owned(), false)], "she is called, and the call goes on");
    assert_eq!(night.ended.len(), 0);
    // From now on its clock is right again.
    night.fires_until("db", 700);
    night.until(700);
    assert_eq!(night.expires("db", Some(699)).reason, Reason::Expired);
}

#[test]
fn one_batch_tells_its_alerts_once_and_keeps_the_alerts_that_gave_way() {
    let mut night = Trial::new();
    let signal = |key: &str, action: Action, severity| Signal {
        integration: "bar".into(),
        dedup_key: key.to_owned(),
        title: key.to_owned(),
        severity: Some(severity),
        action,
        at: None,
        ends_at: None,
        url: None,
        labels: std::collections::BTreeMap::new(),
    };
    let storm: Vec<Signal> = (0..200).map(|n| signal(&format!("host{n}"), Action::Trigger, AlertSeverity::Error)).collect();
    night.batch(&storm);
    assert_eq!((night.incidents.len(), night.incident().alerts_count), (1, 200));
    assert_eq!((night.count("incident_opened"), night.count("alerts_joined")), (1, 1));

    let setup = night.setup.clone();
    let mut desk = super::super::decide::Desk::default();
    for signal in [
        signal("disk", Action::Trigger, AlertSeverity::Info),
        signal("disk", Action::Resolve, AlertSeverity::Info),
        signal("disk", Action::Trigger, AlertSeverity::Error),
    ] {
        let ids = crate::base::id::IdSource::new(Trial::time(0), u128::from(u64::MAX));
        let mut moment = super::super::decide::Moment { at: Trial::time(0), ids };
        let input = super::super::input::Input::Signal(super::super::routing::route(&setup, signal));
        let decision = super::super::decide::decide(super::super::decide::State::Desk(desk), &input, &setup, &mut moment);
        let super::super::decide::State::Desk(next) = decision.state else { panic!("a desk stays a desk") };
        desk = next;
    }
    assert_eq!(desk.past.iter().map(|alert| (alert.state, alert.count)).collect::<Vec<_>>(), [(AlertState::Resolved, 2)]);
}

#[test]
fn what_has_no_integration_is_said_so() {
    let mut night = Trial::new();
    night.setup.integrations.clear();
    assert_eq!(night.fires("db").reason, Reason::IntegrationGone);
}
