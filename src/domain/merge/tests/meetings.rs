//! What else may be going on with an incident that goes into another one, or comes apart.

use super::super::super::alert::{Hold, Key};
use super::super::super::group::GroupBy;
use super::super::super::input::{Action, Scope, Signal, Timer};
use super::super::super::setup::Policy;
use super::*;

/// The service's alerts are grouped by host.
fn grouped(night: &mut Trial, service: &str) {
    let service = night.setup.services.get_mut(&service.into()).expect("it is there");
    service.group_by = Some(GroupBy::Names(vec!["host".to_owned()]));
}

fn on(night: &mut Trial, service: &str, key: &str, host: &str) -> Verdict {
    let labels = [("host".to_owned(), host.to_owned())].into();
    let signal = Signal { labels, integration: service.into(), ..Trial::signal_of(key, Action::Trigger, None, None) };
    night.batch(&[signal]).remove(0)
}

fn opened(verdict: &Verdict) -> IncidentId {
    verdict.incident.clone().expect("it has one")
}

fn alert<'a>(night: &'a Trial, service: &str, key: &str) -> &'a Alert {
    let key = Key { integration: service.into(), dedup_key: key.to_owned() };
    night.keys[&key].alert.as_ref().expect("it fired")
}

fn splits(night: &mut Trial, whole: &IncidentId, service: &str, key: &str) -> IncidentId {
    let alerts = BTreeSet::from([alert(night, service, key).id.clone()]);
    opened(&night.asks_on("cy", Act::Split { alerts, title: None }, whole))
}

#[test]
fn a_group_finds_what_its_incident_went_into_and_comes_back_with_it() {
    let mut night = night();
    grouped(&mut night, "mail");
    let one = opened(&on(&mut night, "mail", "a", "web-1"));
    let two = opened(&on(&mut night, "mail", "b", "web-2"));
    let db = opened(&night.fires_for("db", "disk"));
    night.asks_on("cy", Act::Merge { into: db.clone() }, &one);
    let joined = on(&mut night, "mail", "c", "web-1");
    assert_eq!((joined.outcome, joined.reason, joined.incident.as_ref()), (Outcome::Folded, Reason::SameGroup, Some(&db)));
    // The other group is where it was, and so is one that is new.
    assert_eq!(on(&mut night, "mail", "d", "web-2").incident, Some(two.clone()));
    assert_eq!(on(&mut night, "mail", "e", "web-3").outcome, Outcome::Opened);
    night.asks_on("cy", Act::Unmerge, &one);
    assert_eq!(on(&mut night, "mail", "f", "web-1").incident, Some(one.clone()));
    // One group goes into another of the same service, and both go on there.
    night.asks_on("cy", Act::Merge { into: two.clone() }, &one);
    assert_eq!(
        [on(&mut night, "mail", "g", "web-1").incident, on(&mut night, "mail", "h", "web-2").incident],
        [Some(two.clone()), Some(two)]
    );
}

#[test]
fn what_comes_anew_of_a_group_is_for_the_whole_and_not_for_what_was_split_off() {
    let mut night = night();
    grouped(&mut night, "mail");
    let whole = opened(&on(&mut night, "mail", "a", "web-1"));
    on(&mut night, "mail", "b", "web-1");
    night.until(10);
    let part = splits(&mut night, &whole, "mail", "b");
    assert_eq!(on(&mut night, "mail", "c", "web-1").incident, Some(whole.clone()));
    assert_eq!(on(&mut night, "mail", "b", "web-1").incident, Some(part.clone()), "what went stays where it went");
    // And where the part goes into a third, that one takes nothing new for its sake.
    let db = opened(&night.fires_for("db", "disk"));
    night.asks_on("cy", Act::Merge { into: db }, &part);
    assert_eq!(on(&mut night, "mail", "d", "web-1").incident, Some(whole));
}

/// A night in which the second incident of `mail` within a minute is the umbrella of a storm, and it is there.
fn storm() -> (Trial, IncidentId) {
    let mut night = night();
    for policy in night.setup.policies.values_mut() {
        *policy = Policy { storm: 1, ..policy.clone() };
    }
    for service in night.setup.services.values_mut() {
        service.group_window = Span::ZERO;
    }
    night.fires_for("mail", "one");
    let began = night.fires_for("mail", "two");
    assert_eq!(began.reason, Reason::StormBegan);
    let umbrella = opened(&began);
    (night, umbrella)
}

#[test]
fn a_storm_goes_on_under_what_its_umbrella_went_into() {
    let (mut night, umbrella) = storm();
    let db = opened(&night.fires_for("db", "disk"));
    night.until(10);
    night.asks_on("cy", Act::Merge { into: db.clone() }, &umbrella);
    assert_eq!(night.incidents[&db].pages.len(), 2, "bo, and cy who was called for the storm");
    let calls = night.calls().len();
    let under = night.fires_for("mail", "three");
    assert_eq!((under.outcome, under.reason, under.incident.as_ref()), (Outcome::Folded, Reason::StormUmbrella, Some(&db)));
    assert_eq!((night.incidents[&db].firing_count, night.calls().len()), (3, calls));
    // Its last alert is over, and the storm is not: it comes back with what comes next.
    for (service, key) in [("db", "disk"), ("mail", "two"), ("mail", "three")] {
        night.resolves_for(service, key);
    }
    assert_eq!((night.incidents[&db].state, night.incidents[&umbrella].state), (IncidentState::Resolved, IncidentState::Resolved));
    night.until(20);
    let again = night.fires_for("mail", "four");
    assert_eq!((again.outcome, again.incident.as_ref()), (Outcome::Folded, Some(&db)));
    assert_eq!(night.incidents[&db].state, IncidentState::Triggered);
    assert!(
        !night.incidents[&umbrella].is_open() && !night.incidents[&db].pages.is_empty(),
        "what went in stays there, and somebody is called"
    );
    // Whoever resolves that by hand too soon gets another umbrella.
    night.asks_on("bo", Act::Resolve, &db);
    let next = night.fires_for("mail", "five");
    assert_eq!((next.outcome, next.reason), (Outcome::Opened, Reason::StormBegan));
    assert!(!night.incidents[&umbrella].is_umbrella() && night.incidents[&opened(&next)].is_umbrella());
}

#[test]
fn a_storm_ends_by_itself_wherever_its_umbrella_went_and_an_umbrella_taken_back_is_one_again() {
    let (mut night, umbrella) = storm();
    let db = opened(&night.fires_for("db", "disk"));
    night.asks_on("cy", Act::Merge { into: db.clone() }, &umbrella);
    night.until(20);
    night.asks_on("cy", Act::Unmerge, &umbrella);
    assert_eq!(night.fires_for("mail", "three").incident, Some(umbrella.clone()));
    night.asks_on("cy", Act::Merge { into: db.clone() }, &umbrella);
    night.until(400);
    assert_eq!((night.count("storm_ended"), night.incidents[&umbrella].is_umbrella()), (1, false));
    assert_eq!(night.wakes(Scope::Incident(umbrella.clone()), Timer::Storm).reason, Reason::NothingDue, "once");
    assert_eq!(night.fires_for("mail", "four").outcome, Outcome::Opened, "what is new opens its own again");
    assert_eq!(night.incidents[&umbrella].response.merged_into, Some(db));
}

#[test]
fn an_umbrella_takes_others_in_and_gives_alerts_away_and_stays_one() {
    let (mut night, umbrella) = storm();
    let first = night.keys.values().filter_map(|key| key.alert.clone()).find(|alert| alert.incident.as_ref() != Some(&umbrella));
    let first = first.and_then(|alert| alert.incident).expect("the first is alone");
    night.until(10);
    assert_eq!(night.asks_on("cy", Act::Merge { into: umbrella.clone() }, &first).reason, Reason::MergedByHand);
    night.fires_for("mail", "three");
    assert_eq!((night.incidents[&umbrella].firing_count, night.incidents[&umbrella].pages.len()), (3, 1), "cy has one page");
    let part = splits(&mut night, &umbrella, "mail", "three");
    assert!(!night.incidents[&part].is_umbrella() && !night.incidents[&part].pages.is_empty());
    assert_eq!(night.fires_for("mail", "four").incident, Some(umbrella));
    assert_eq!(night.fires_for("mail", "three").incident, Some(part));
}

#[test]
fn a_cause_takes_a_storm_in_where_all_of_it_follows_from_the_cause() {
    // Whether the mail, which depends on nothing, is under the umbrella as well.
    for mixed in [false, true] {
        let mut night = night();
        let shops = Policy { storm: 1, ..night.setup.policies[&"shop".into()].clone() };
        night.setup.policies.insert("shop".into(), shops);
        for id in ["shop", "mail"] {
            let service = night.setup.services.get_mut(&id.into()).expect("it is there");
            service.policy = "shop".into();
            // A window that no two of these alerts are near in.
            service.group_window = Span::seconds(20);
            service.group_by = Some(GroupBy::Names(vec!["host".to_owned()]));
        }
        on(&mut night, "shop", "one", "web-1");
        let umbrella = opened(&on(&mut night, "shop", "two", "web-2"));
        if mixed {
            assert_eq!(on(&mut night, "mail", "queue", "mx-1").incident, Some(umbrella.clone()));
        }
        night.until(10);
        let db = opened(&night.fires_for("db", "disk"));
        let [storm, cause] = [&umbrella, &db].map(|id| night.incidents[id].clone());
        assert_eq!(storm.response.merged_into.is_some(), !mixed, "{mixed}");
        assert_eq!(storm.response.causes.contains(&db), mixed, "what a storm is about besides is for a person to say");
        // Whoever was called goes on being called, and by one page.
        let called = |incident: &Incident| incident.pages.iter().filter(|page| page.user.as_str() == "ana").count();
        assert_eq!((called(&storm), called(&cause)), if mixed { (1, 1) } else { (0, 1) });
        let next = on(&mut night, "shop", "three", "web-3");
        assert_eq!(next.incident, Some(db.clone()), "a symptom of what is open now, storm or not");
        night.until(40);
        let next = on(&mut night, "mail", "relay", "mx-2");
        assert_eq!((next.reason, next.incident), (Reason::StormUmbrella, Some(if mixed { umbrella } else { db })));
    }
}

#[test]
fn what_is_waited_for_joins_what_its_services_incident_went_into() {
    let mut night = night();
    night.setup.services.get_mut(&"mail".into()).expect("it is there").quiet_for = Span::minutes(2);
    let worst = Signal { integration: "mail".into(), ..Trial::signal_of("queue", Action::Trigger, Some(AlertSeverity::Critical), None) };
    let mail = opened(&night.batch(&[worst])[0]);
    let db = opened(&night.fires_for("db", "disk"));
    night.until(10);
    assert_eq!(night.fires_for("mail", "full").reason, Reason::WaitsToPass);
    let waiting = BTreeSet::from([alert(&night, "mail", "full").id.clone()]);
    let refused = night.asks_on("cy", Act::Split { alerts: waiting, title: None }, &mail);
    assert_eq!(refused.reason, Reason::NotItsAlert, "it is no incident's yet");
    night.asks_on("cy", Act::Merge { into: db.clone() }, &mail);
    assert_eq!(alert(&night, "mail", "full").hold, Some(Hold::Quiet { until: Trial::time(130) }));
    assert_eq!(night.incidents[&db].firing_count, 2);
    night.until(130);
    let key = alert(&night, "mail", "full").key.clone();
    let joined = night.lets_go(&key);
    assert_eq!((joined.outcome, joined.incident), (Outcome::Folded, Some(db.clone())));
    assert_eq!((night.incidents[&db].firing_count, night.count("alerts_waited")), (3, 1));
}

/// `db` flaps in the incident of `mail`, which is acknowledged.
fn flapping() -> (Trial, IncidentId) {
    let mut night = night();
    let mail = opened(&night.fires_for("mail", "queue"));
    night.fires_for("mail", "full");
    for n in 1..8 {
        night.until(n * 60);
        night.resolves_for("mail", "queue");
        night.until(n * 60 + 30);
        night.fires_for("mail", "queue");
    }
    assert!(matches!(alert(&night, "mail", "queue").hold, Some(Hold::Flapping { is_over: false, .. })));
    (night, mail)
}

#[test]
fn what_flaps_goes_on_flapping_where_its_incident_went() {
    let (mut night, mail) = flapping();
    let db = opened(&night.fires_for("db", "disk"));
    night.asks_on("cy", Act::Merge { into: db.clone() }, &mail);
    assert_eq!(night.incidents[&db].firing_count, 3);
    night.until(500);
    let over = night.resolves_for("mail", "queue");
    assert_eq!((over.reason, over.incident.as_ref()), (Reason::Flapping, Some(&db)));
    let back = night.fires_for("mail", "queue");
    assert_eq!((back.reason, back.incident.as_ref()), (Reason::Flapping, Some(&db)));
    night.resolves_for("mail", "queue");
    assert_eq!(night.incidents[&db].firing_count, 3, "it is not believed yet");
    night.until(4_000);
    let key = alert(&night, "mail", "queue").key.clone();
    let steady = night.lets_go(&key);
    assert_eq!((steady.outcome, steady.reason, steady.incident.as_ref()), (Outcome::Resolved, Reason::SteadyAgain, Some(&db)));
    assert_eq!((night.incidents[&db].firing_count, night.count("alerts_flapping"), night.count("alerts_steady")), (2, 1, 1));
    let told =
        |kind: &str| night.facts.iter().filter(|fact| fact.what.kind() == kind).map(|fact| fact.incident.clone()).collect::<Vec<_>>();
    assert_eq!((told("alerts_flapping"), told("alerts_steady")), (vec![mail], vec![db]));
}

#[test]
fn what_flaps_can_be_split_off_and_is_over_when_it_is_steady() {
    let (mut night, mail) = flapping();
    night.until(500);
    let part = splits(&mut night, &mail, "mail", "queue");
    assert_eq!((night.incidents[&part].firing_count, night.incidents[&mail].firing_count), (1, 1));
    let over = night.resolves_for("mail", "queue");
    assert_eq!((over.reason, over.incident.as_ref()), (Reason::Flapping, Some(&part)));
    night.until(4_000);
    let key = alert(&night, "mail", "queue").key.clone();
    night.lets_go(&key);
    assert_eq!((night.incidents[&part].state, night.incidents[&mail].firing_count), (IncidentState::Resolved, 1));
}

#[test]
fn what_nobody_answered_goes_on_where_its_policy_was_also_when_a_brought_alert_brings_it_back() {
    let mut night = night();
    night.setup.policies.get_mut(&"db".into()).expect("it is there").steps = vec![step(&["bo"], Some(5)), step(&["ana"], Some(5))];
    let mail = opened(&night.fires_for("mail", "queue"));
    let db = opened(&night.fires_for("db", "disk"));
    night.asks_on("cy", Act::Merge { into: db.clone() }, &mail);
    night.until(100);
    night.resolves_for("mail", "queue");
    night.resolves_for("db", "disk");
    assert_eq!(night.incidents[&db].state, IncidentState::Resolved);
    night.until(200);
    let back = night.fires_for("mail", "queue");
    assert_eq!((back.outcome, back.incident.as_ref()), (Outcome::Reopened, Some(&db)));
    let started = night.count("policy_started");
    night.until(300);
    assert_eq!(night.count("policy_started"), started);
    assert!(night.incidents[&db].page_of(&"ana".into()).is_some(), "the second step is due when it would have been");
    // It can be taken back, for it is open again.
    assert_eq!(night.asks_on("cy", Act::Unmerge, &mail).reason, Reason::Unmerged);
    assert_eq!((night.incidents[&mail].firing_count, night.incidents[&mail].state), (1, IncidentState::Triggered));
    assert_eq!((night.incidents[&db].firing_count, night.incidents[&db].state), (0, IncidentState::Resolved));
    assert!(night.incidents[&mail].page_of(&"cy".into()).is_some());
}

#[test]
fn what_is_over_with_its_home_is_not_taken_back_and_calls_nobody() {
    let mut night = night();
    let mail = opened(&night.fires_for("mail", "queue"));
    let db = opened(&night.fires_for("db", "disk"));
    night.asks_on("cy", Act::Merge { into: db.clone() }, &mail);
    night.until(30);
    night.asks_on("bo", Act::Resolve, &db);
    let calls = night.calls().len();
    assert_eq!(night.asks_on("cy", Act::Unmerge, &mail).reason, Reason::OtherNotOpen);
    night.until(900);
    assert_eq!((night.calls().len(), night.incidents[&mail].is_open()), (calls, false));
    // After the window of a return it is a new condition, and its people are called.
    night.now += night.setup.services[&"mail".into()].reopen_within;
    assert_eq!(night.fires_for("mail", "queue").outcome, Outcome::Opened);
    assert!(!of(&night, "mail").pages.is_empty());
}
