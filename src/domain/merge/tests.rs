mod meetings;

use super::super::decide::Outcome;
use super::super::input::{Act, Declare, Via};
use super::super::setup::AlertSeverity;
use super::super::trial::{Trial, step};
use super::*;

/// A database and a shop that depends on it; each pages somebody else first.
fn night() -> Trial {
    let mut night = Trial::new();
    night.serves("db");
    night.serves("shop");
    night.serves("mail");
    let nights = night.setup.policies[&"nights".into()].clone();
    for (service, who) in [("db", "bo"), ("shop", "ana"), ("mail", "cy")] {
        let policy = super::super::setup::Policy { id: service.into(), steps: vec![step(&[who], Some(5))], ..nights.clone() };
        night.setup.policies.insert(service.into(), policy);
        night.setup.services.get_mut(&service.into()).expect("it is there").policy = service.into();
    }
    night.setup.services.get_mut(&"shop".into()).expect("it is there").depends_on.insert("db".into());
    night
}

fn of(night: &Trial, service: &str) -> Incident {
    let own = night.incidents.values().filter(|incident| incident.service.as_str() == service);
    own.max_by_key(|incident| (incident.opened_at, incident.id.clone())).cloned().expect("it has one")
}

fn merges(night: &mut Trial, who: &str, one: &str, into: &str) -> Verdict {
    let (one, into) = (of(night, one).id, of(night, into).id);
    night.asks_on(who, Act::Merge { into }, &one)
}

/// Who has an open page of this incident.
fn called(night: &Trial, service: &str) -> Vec<String> {
    let mut called: Vec<String> = of(night, service).pages.iter().map(|page| page.user.to_string()).collect();
    called.sort();
    called
}

fn counts(night: &Trial, service: &str) -> (i64, i64, IncidentState) {
    let incident = of(night, service);
    (incident.alerts_count, incident.firing_count, incident.state)
}

#[test]
fn a_merge_closes_the_one_and_the_other_has_its_alerts_its_services_and_its_people() {
    let mut night = night();
    night.fires_for("mail", "queue");
    night.fires_for("db", "disk");
    night.until(10);
    assert_eq!(merges(&mut night, "cy", "mail", "db").reason, Reason::MergedByHand);
    let (mail, db) = (of(&night, "mail"), of(&night, "db"));
    assert_eq!((mail.state, mail.resolved_by.clone(), mail.closed_at), (IncidentState::Resolved, Some(Actor::User("cy".into())), None));
    assert_eq!((mail.response.merged_into.as_ref(), &db.response.took_in), (Some(&db.id), &BTreeSet::from([mail.id.clone()])));
    assert_eq!((counts(&night, "db"), counts(&night, "mail")), ((2, 2, IncidentState::Triggered), (1, 0, IncidentState::Resolved)));
    assert!(db.response.services.contains(&"mail".into()));
    // cy was called for the one, and is for the other now; that cy says so is no answer to it.
    assert_eq!(called(&night, "db"), ["bo", "cy"]);
    assert_eq!((night.count("incident_merged"), night.count("incident_taken_in"), night.count("page_answered")), (1, 1, 0));
    // What comes anew of the one's service, and what fires again or ends, is the other's.
    assert_eq!(night.fires_for("mail", "full").incident, Some(db.id.clone()));
    assert_eq!(night.fires_for("mail", "queue").incident, Some(db.id.clone()));
    assert_eq!(night.resolves_for("mail", "queue").incident, Some(db.id.clone()));
    night.resolves_for("mail", "full");
    assert_eq!(counts(&night, "db"), (3, 1, IncidentState::Triggered));
    night.resolves_for("db", "disk");
    assert_eq!(counts(&night, "db"), (3, 0, IncidentState::Resolved));
    assert_eq!((night.count("ended_with"), of(&night, "mail").closed_at), (1, of(&night, "db").closed_at));
    // Soon after, it brings back what it is part of.
    assert_eq!(night.fires_for("mail", "queue").outcome, Outcome::Reopened);
    assert_eq!(counts(&night, "db"), (3, 1, IncidentState::Triggered));
    assert_eq!(of(&night, "mail").state, IncidentState::Resolved);
}

#[test]
fn a_resolve_by_hand_ends_what_was_brought_along() {
    let mut night = night();
    night.fires_for("mail", "queue");
    night.fires_for("db", "disk");
    merges(&mut night, "cy", "mail", "db");
    let db = of(&night, "db").id;
    night.until(60);
    night.asks_on("bo", Act::Resolve, &db);
    assert_eq!(night.fires_for("mail", "queue").reason, Reason::QuietAfterResolve);
    night.until(200);
    assert_eq!((night.fires_for("mail", "queue").reason, counts(&night, "db").2), (Reason::StillFiring, IncidentState::Triggered));
}

#[test]
fn of_an_answered_incident_nobody_is_called_unless_what_goes_in_is_worse() {
    for (worse, state) in [(false, IncidentState::Acknowledged), (true, IncidentState::Triggered)] {
        let mut night = night();
        night.fires_for("db", "disk");
        let db = of(&night, "db").id;
        night.asks_on("bo", Act::Acknowledge, &db);
        night.fires_for("mail", "queue");
        let mail = of(&night, "mail").id;
        if worse {
            night.asks_on("cy", Act::SetSeverity { to: Severity::Sev1 }, &mail);
        }
        night.until(10);
        merges(&mut night, "ana", "mail", "db");
        assert_eq!(counts(&night, "db"), (2, 2, state));
        let expected: &[&str] = if worse { &["bo", "cy"] } else { &[] };
        assert_eq!((called(&night, "db"), called(&night, "mail")), (expected.iter().map(ToString::to_string).collect(), vec![]));
        assert_eq!(night.count("severity_raised"), usize::from(worse));
    }
}

#[test]
fn what_cannot_be_merged_says_why_and_changes_nothing() {
    let mut night = night();
    night.fires_for("db", "disk");
    night.fires_for("mail", "queue");
    let declare = |kind| Declare {
        actor: Actor::User("ana".into()),
        via: Via::Web,
        title: "a drill".to_owned(),
        severity: None,
        service: Some("shop".into()),
        kind,
        alert: None,
    };
    night.declares(&declare(Kind::Drill));
    let drill = of(&night, "shop").id;
    let (db, mail) = (of(&night, "db").id, of(&night, "mail").id);
    let merge = |night: &mut Trial, one: &IncidentId, into: &IncidentId| {
        let verdict = night.asks_on("ana", Act::Merge { into: into.clone() }, one);
        (verdict.outcome, verdict.reason)
    };
    let refused = |reason| (Outcome::Ignored, reason);
    assert_eq!(merge(&mut night, &db, &db), refused(Reason::MergesIntoItself));
    assert_eq!(merge(&mut night, &db, &drill), refused(Reason::OtherKind));
    assert_eq!(night.asks_on("ana", Act::Unmerge, &db).reason, Reason::NotMerged);
    assert_eq!(night.count("incident_merged"), 0);
    merge(&mut night, &mail, &db);
    assert_eq!(merge(&mut night, &mail, &db), refused(Reason::MergedAlready));
    assert_eq!(merge(&mut night, &db, &mail), refused(Reason::OtherIsMerged), "no circle");
    assert_eq!(night.asks_on("ana", Act::Reopen, &mail).reason, Reason::MergedAlready);
    assert_eq!(night.asks_on("ana", Act::Acknowledge, &mail).reason, Reason::AlreadyResolved);
    night.asks_on("ana", Act::Resolve, &db);
    night.fires_for("shop", "cart");
    let shop = night.incident().id.clone();
    assert_eq!(merge(&mut night, &shop, &db), refused(Reason::OtherNotOpen));
    assert_eq!(merge(&mut night, &db, &shop), refused(Reason::NotOpen));
    assert_eq!(night.asks_on("ana", Act::Unmerge, &mail).reason, Reason::OtherNotOpen);
}

#[test]
fn a_merge_that_is_taken_back_gives_back_what_came_and_pages_it() {
    for acknowledged in [false, true] {
        let mut night = night();
        night.fires_for("mail", "queue");
        night.fires_for("mail", "full");
        night.fires_for("db", "disk");
        merges(&mut night, "cy", "mail", "db");
        let (db, mail) = (of(&night, "db").id, of(&night, "mail").id);
        if acknowledged {
            night.asks_on("bo", Act::Acknowledge, &db);
        }
        night.resolves_for("mail", "full");
        night.until(60);
        assert_eq!(night.asks_on("ana", Act::Unmerge, &mail).reason, Reason::Unmerged);
        let expected = if acknowledged { IncidentState::Acknowledged } else { IncidentState::Triggered };
        assert_eq!((counts(&night, "mail"), counts(&night, "db")), ((2, 1, expected), (1, 1, expected)));
        assert_eq!((of(&night, "db").response.took_in.len(), of(&night, "mail").response.merged_into), (0, None));
        if acknowledged {
            assert_eq!(of(&night, "mail").acknowledged_by, Some(Actor::User("ana".into())), "whoever took it apart has it");
        } else {
            assert_eq!(called(&night, "mail"), ["cy"]);
        }
        // Each ends by itself now.
        night.resolves_for("mail", "queue");
        assert_eq!((counts(&night, "mail").2, counts(&night, "db").2), (IncidentState::Resolved, expected));
        night.until(60 + 86_400);
    }
    let mut night = night();
    night.fires_for("mail", "queue");
    night.fires_for("db", "disk");
    merges(&mut night, "cy", "mail", "db");
    let mail = of(&night, "mail").id;
    night.resolves_for("mail", "queue");
    night.asks_on("ana", Act::Unmerge, &mail);
    assert_eq!((counts(&night, "mail"), called(&night, "mail").len()), ((1, 0, IncidentState::Resolved), 0), "it is over anyway");
    let mut night = self::night();
    night.fires_for("mail", "queue");
    night.fires_for("db", "disk");
    merges(&mut night, "cy", "mail", "db");
    night.now = night.now + limits::UNMERGE + Span(1);
    let mail = of(&night, "mail").id;
    assert_eq!(night.asks_on("ana", Act::Unmerge, &mail).reason, Reason::MergedTooLongAgo);
}

#[test]
fn what_had_gone_into_one_goes_along_with_it_and_comes_back_with_it() {
    let mut night = night();
    for (service, key) in [("mail", "queue"), ("shop", "cart"), ("db", "disk")] {
        night.setup.services.get_mut(&"shop".into()).expect("it is there").depends_on.clear();
        night.fires_for(service, key);
    }
    merges(&mut night, "cy", "mail", "shop");
    merges(&mut night, "cy", "shop", "db");
    let [mail, shop, db] = ["mail", "shop", "db"].map(|service| of(&night, service));
    assert_eq!((mail.response.merged_into, shop.response.merged_into), (Some(db.id.clone()), Some(db.id.clone())));
    assert_eq!((counts(&night, "db").0, counts(&night, "db").1, db.response.took_in.len()), (3, 3, 2));
    assert_eq!(night.fires_for("mail", "queue").incident, Some(db.id.clone()));
    night.asks_on("ana", Act::Unmerge, &shop.id);
    assert_eq!(of(&night, "mail").response.merged_into, Some(shop.id.clone()));
    assert_eq!((counts(&night, "shop").0, counts(&night, "shop").1, counts(&night, "db").1), (2, 2, 1));
    assert_eq!(night.fires_for("mail", "queue").incident, Some(shop.id.clone()));
    // And the inner one alone, while the outer two are merged.
    merges(&mut night, "cy", "shop", "db");
    let mail = of(&night, "mail").id;
    night.asks_on("ana", Act::Unmerge, &mail);
    assert_eq!((counts(&night, "mail").1, counts(&night, "db").1, of(&night, "shop").alerts_count), (1, 2, 1));
    assert_eq!(of(&night, "db").response.took_in, BTreeSet::from([shop.id]));
}

#[test]
fn a_split_takes_some_open_alerts_and_pages_unless_somebody_has_the_whole() {
    for acknowledged in [false, true] {
        let mut night = night();
        for key in ["disk", "cpu", "fan"] {
            night.fires_for("db", key);
        }
        let whole = of(&night, "db").id;
        if acknowledged {
            night.asks_on("bo", Act::Acknowledge, &whole);
        }
        let alert = |night: &Trial, key: &str| {
            let key = super::super::alert::Key { integration: "db".into(), dedup_key: key.to_owned() };
            night.keys[&key].alert.clone().expect("it fired")
        };
        let splits = |night: &mut Trial, alerts: BTreeSet<AlertId>| night.asks_on("cy", Act::Split { alerts, title: None }, &whole);
        let all = ["disk", "cpu", "fan"].map(|key| alert(&night, key).id);
        assert_eq!(splits(&mut night, BTreeSet::new()).reason, Reason::NothingToSplit);
        assert_eq!(splits(&mut night, all.clone().into()).reason, Reason::SplitsAll);
        assert_eq!(splits(&mut night, BTreeSet::from([AlertId::from_text("alr_none")])).reason, Reason::NotItsAlert);
        assert_eq!(night.incidents.len(), 1);
        night.until(10);
        let verdict = splits(&mut night, BTreeSet::from([all[2].clone()]));
        let part = night.incidents[&verdict.incident.expect("it has opened")].clone();
        let state = if acknowledged { IncidentState::Acknowledged } else { IncidentState::Triggered };
        assert_eq!(
            (verdict.outcome, part.title.as_str(), part.state, part.severity),
            (Outcome::Opened, "fan is down", state, Severity::Sev2)
        );
        assert_eq!((part.alerts_count, part.firing_count, part.response.split_from.clone()), (1, 1, Some(whole.clone())));
        assert_eq!((night.incidents[&whole].alerts_count, night.incidents[&whole].firing_count), (2, 2));
        let answered = acknowledged.then(|| Actor::User("cy".into()));
        assert_eq!((part.acknowledged_by.clone(), part.pages.len()), (answered, usize::from(!acknowledged)));
        // What comes anew is for the whole; what went stays where it went.
        assert_eq!(night.fires_for("db", "net").incident, Some(whole.clone()));
        assert_eq!(night.fires_for("db", "fan").incident, Some(part.id.clone()));
        night.resolves_for("db", "fan");
        assert_eq!((night.incidents[&part.id].state, night.incidents[&whole].firing_count), (IncidentState::Resolved, 3));
    }
}

#[test]
fn alerts_that_a_merge_brought_can_be_split_off_and_are_counted_once() {
    let mut night = night();
    night.fires_for("mail", "queue");
    night.fires_for("mail", "full");
    night.fires_for("db", "disk");
    merges(&mut night, "cy", "mail", "db");
    let key = super::super::alert::Key { integration: "mail".into(), dedup_key: "full".to_owned() };
    let alert = night.keys[&key].alert.clone().expect("it fired").id;
    let db = of(&night, "db").id;
    let part = night.asks_on("cy", Act::Split { alerts: BTreeSet::from([alert]), title: Some("mail is full".to_owned()) }, &db);
    let part = night.incidents[&part.incident.expect("it has opened")].clone();
    assert_eq!((part.service.as_str(), part.title.as_str()), ("mail", "mail is full"));
    assert_eq!((night.incidents[&db].alerts_count, night.incidents[&db].firing_count), (2, 2));
    let mail = night.incidents.values().find(|incident| incident.response.merged_into.is_some()).expect("it went").clone();
    assert_eq!(mail.alerts_count, 1);
    night.asks_on("ana", Act::Unmerge, &mail.id);
    assert_eq!((night.incidents[&mail.id].firing_count, night.incidents[&db].firing_count, night.incidents[&db].alerts_count), (1, 1, 1));
}

#[test]
fn a_cause_takes_its_symptoms_in_unless_somebody_has_them() {
    // Whether the symptom is acknowledged, declared, too old; whether the cause takes any. What becomes of it.
    for (how, merged, linked) in
        [("", true, false), ("acknowledged", false, true), ("declared", false, true), ("old", false, false), ("off", false, false)]
    {
        let mut night = night();
        if how == "declared" {
            let declare = Declare {
                actor: Actor::User("cy".into()),
                via: Via::Web,
                title: "the shop is slow".to_owned(),
                severity: None,
                service: Some("shop".into()),
                kind: Kind::Real,
                alert: None,
            };
            night.declares(&declare);
        } else {
            night.fires_for("shop", "cart");
        }
        let shop = of(&night, "shop").id;
        if how == "acknowledged" {
            night.asks_on("ana", Act::Acknowledge, &shop);
        }
        night.setup.services.get_mut(&"db".into()).expect("it is there").takes_symptoms = how != "off";
        night.until(if how == "old" { 601 } else { 60 });
        night.fires_for("db", "disk");
        let (shop, db) = (of(&night, "shop"), of(&night, "db"));
        assert_eq!(shop.response.merged_into.is_some(), merged, "{how}");
        assert_eq!((night.count("link_suspected"), shop.response.causes.contains(&db.id)), (if linked { 2 } else { 0 }, linked), "{how}");
        let expected: &[&str] = if merged { &["ana", "bo"] } else { &["bo"] };
        assert_eq!(called(&night, "db"), expected, "whoever was called goes on being called: {how}");
        if merged {
            assert_eq!((db.firing_count, db.service.as_str()), (2, "db"));
            let reason = |fact: &super::super::fact::Fact| match &fact.what {
                What::IncidentMerged { reason, .. } => Some(*reason),
                _ => None,
            };
            assert_eq!(night.facts.iter().find_map(reason), Some(Reason::SymptomsOfCause));
        }
    }
}

#[test]
fn a_worse_symptom_raises_its_cause() {
    let mut night = night();
    let critical = Trial::signal_of("cart", super::super::input::Action::Trigger, Some(AlertSeverity::Critical), None);
    night.batch(&[super::super::input::Signal { integration: "shop".into(), ..critical }]);
    let before = of(&night, "shop").severity;
    night.until(30);
    night.fires_for("db", "disk");
    assert_eq!((before, of(&night, "db").severity), (Severity::Sev1, Severity::Sev1));
}
