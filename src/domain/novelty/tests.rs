use super::super::decide::Outcome;
use super::super::incident::IncidentState;
use super::super::input::{Act, Signal};
use super::super::setup::AlertSeverity;
use super::super::trial::Trial;
use super::*;

const DAY: i64 = 86_400;

#[test]
fn a_kind_is_what_is_wrong_without_its_numbers_ids_and_host() {
    for (title, kind_of_it) in [
        ("web-1 is down", "web-# is down"),
        ("web-17 is down", "web-# is down"),
        ("Web17 is DOWN", "web# is down"),
        ("web-1 is up", "web-# is up"),
        ("10.0.0.17:9100 unreachable", "# unreachable"),
        ("backup 2026-11-22T05:40:01 failed", "backup #t# failed"),
        ("pod shop-7f9c8d5b6-x2kqz restarts", "pod shop-#x#kqz restarts"),
        ("order 550e8400-e29b-41d4-a716-446655440000 lost", "order # lost"),
        ("  disk   full ", "disk full"),
        ("disk full (97%)", "disk full (#%)"),
        ("disk full (3%)", "disk full (#%)"),
        ("a cafe burns", "a cafe burns"),
        ("Überlauf №3", "überlauf №#"),
        ("", ""),
        ("42", "#"),
    ] {
        assert_eq!(kind(title, &BTreeMap::new()), kind_of_it, "{title}");
    }
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(kind("disk full on db-primary", &labels(&[("host", "db-primary")])), "disk full on #");
    assert_eq!(kind("whatever it says 3", &labels(&[("alertname", "HostDown"), ("instance", "web-1")])), "hostdown");
    assert!(kind(&"x ".repeat(1_000), &BTreeMap::new()).chars().count() <= limits::KIND_CHARS);
}

#[test]
fn what_fades_is_half_of_itself_after_a_week() {
    let fades = limits::NOVELTY_FADES;
    for (value, weeks_in_quarters, left) in
        [(1_000, 0, 1_000), (1_000, 2, 750), (1_000, 4, 500), (1_000, 8, 250), (1_000, 6, 375), (1_000, 400, 0), (0, 3, 0), (7, -9, 7)]
    {
        assert_eq!(faded(value, Span(fades.0 / 4 * weeks_in_quarters)), left, "{value} {weeks_in_quarters}");
    }
}

/// A night whose sender has been heard of for two days, by kinds of its own; ordinary pages are quiet.
fn night(raise: Raise) -> Trial {
    let mut night = Trial::new();
    night.service().raise = raise;
    night.fires_as("old one", AlertSeverity::Warning);
    night.resolves("old one");
    night.until(2 * DAY);
    night
}

const NEW: Raise = Raise { new: true, rising: false };
const RISING: Raise = Raise { new: false, rising: true };
const BOTH: Raise = Raise { new: true, rising: true };

fn marks(night: &Trial, key: &str) -> Marks {
    night.alert(key).novelty.marks
}

#[test]
fn the_first_of_a_kind_is_marked_once_its_sender_is_known() {
    let mut night = Trial::new();
    night.fires("db");
    assert_eq!(night.alert("db").novelty, Novelty { kind: "db is down".to_owned(), seen: 0, marks: Marks::default() });
    night.until(DAY - 1);
    night.fires("cache");
    assert!(!marks(&night, "cache").is_new, "within its first day all is new");
    night.until(DAY);
    night.fires("queue1");
    assert!(marks(&night, "queue1").is_new);
    night.fires("queue2");
    assert_eq!((marks(&night, "queue2").is_new, night.alert("queue2").novelty.seen), (false, 1), "of one kind with the first");
    night.fires("queue1");
    assert!(marks(&night, "queue1").is_new, "and stays so");
    // Another service hears its own.
    night.serves("shop");
    night.fires_for("shop", "queue1");
    assert!(night.kinds.keys().any(|kind| kind.service.as_str() == "shop" && kind.kind == "queue# is down"));
}

#[test]
fn how_many_there_were_lately_fades_and_is_counted_up_to_what_is_common() {
    let mut night = Trial::new();
    let signals: Vec<Signal> =
        (0..200).map(|n| Trial::signal_of(&format!("web{n}"), Action::Trigger, Some(AlertSeverity::Info), None)).collect();
    night.batch(&signals);
    let seen = |night: &Trial, key: &str| night.alert(key).novelty.seen;
    assert_eq!((seen(&night, "web0"), seen(&night, "web7"), seen(&night, "web98"), seen(&night, "web199")), (0, 7, 98, 99));
    night.until(14 * DAY);
    night.fires_as("web500", AlertSeverity::Info);
    assert_eq!(seen(&night, "web500"), 50);
    night.until(200 * DAY);
    night.fires_as("web501", AlertSeverity::Info);
    assert_eq!((seen(&night, "web501"), marks(&night, "web501").is_new), (0, false));
}

#[test]
fn what_is_new_wakes_people_where_its_service_asks_for_it() {
    for (raise, severity, expected) in [
        (Raise::default(), AlertSeverity::Warning, (Severity::Sev3, 0)),
        (RISING, AlertSeverity::Warning, (Severity::Sev3, 0)),
        (NEW, AlertSeverity::Warning, (Severity::Sev2, 1)),
        (BOTH, AlertSeverity::Warning, (Severity::Sev2, 1)),
        (NEW, AlertSeverity::Error, (Severity::Sev2, 0)),
        (NEW, AlertSeverity::Critical, (Severity::Sev1, 0)),
    ] {
        let mut night = night(raise);
        let verdict = night.fires_as("queue", severity);
        assert_eq!(verdict.outcome, Outcome::Opened);
        assert_eq!((night.incident().severity, night.count("alerts_new")), expected, "{raise:?} {severity:?}");
        assert!(marks(&night, "queue").is_new, "marked all the same");
        assert_eq!(night.calls().len(), 0);
        night.until(2 * DAY + 1);
        assert_eq!(night.calls().len(), usize::from(expected.0 >= Severity::Sev2), "{raise:?} {severity:?}");
    }
    // What only records goes on to record.
    let mut recorded = night(NEW);
    assert_eq!(recorded.fires_as("queue", AlertSeverity::Info).reason, Reason::JustRecords);
    assert!(marks(&recorded, "queue").is_new);
}

#[test]
fn a_new_kind_that_joins_raises_the_incident_once_and_pages_again_after_an_answer() {
    let mut night = night(NEW);
    night.fires_as("old two", AlertSeverity::Warning);
    assert!(marks(&night, "old two").is_new);
    let mut night = {
        let mut again = self::night(Raise::default());
        again.fires_as("old one", AlertSeverity::Warning);
        again.service().raise = NEW;
        again
    };
    night.asks("ana", Act::Acknowledge);
    let start = night.second();
    assert_eq!((night.incident().severity, night.incident().state), (Severity::Sev3, IncidentState::Acknowledged));
    night.until(start + 60);
    night.fires_as("queue", AlertSeverity::Warning);
    assert_eq!((night.incident().severity, night.incident().state), (Severity::Sev2, IncidentState::Triggered));
    night.until(start + 61);
    assert_eq!(night.calls().len(), 1, "what is worse than the incident pages");
    night.asks("ana", Act::Acknowledge);
    night.fires_as("shelf", AlertSeverity::Warning);
    night.until(start + 900);
    assert!(marks(&night, "shelf").is_new);
    assert_eq!((night.calls().len(), night.count("alerts_new")), (1, 1), "it wakes people already: no second needless call");
    // Where a person has set the severity it stays.
    let mut by_hand = self::night(NEW);
    by_hand.fires_as("old one", AlertSeverity::Warning);
    by_hand.asks("bo", Act::SetSeverity { to: Severity::Sev3 });
    by_hand.fires_as("queue", AlertSeverity::Warning);
    assert_eq!((by_hand.incident().severity, by_hand.count("alerts_new"), by_hand.count("severity_raised")), (Severity::Sev3, 0, 0));
}

/// Fires so often, at once.
fn often(night: &mut Trial, key: &str, times: usize) {
    for _ in 0..times {
        night.fires_as(key, AlertSeverity::Warning);
    }
}

#[test]
fn a_rate_that_jumps_against_its_own_history_is_told_once() {
    // So many an hour for two days; then so many at once; whether that is a jump.
    for (usual, then, jumps) in [
        (1, 3, false),
        (1, 19, false),
        (1, 20, true),
        (6, 19, false),
        (6, 20, true),
        (10, 29, false),
        (10, 31, true),
        (50, 149, false),
        (50, 151, true),
    ] {
        let mut night = Trial::new();
        for hour in 0..48 {
            night.until(hour * 3_600 + 60);
            often(&mut night, "db", usual);
        }
        assert_eq!(marks(&night, "db").rose, None, "{usual}");
        night.until(48 * 3_600 + 60);
        often(&mut night, "db", then);
        assert_eq!(
            marks(&night, "db").rose.is_some(),
            jumps,
            "{usual} {then}: {:?}",
            night.keys.values().map(|key| key.rate).collect::<Vec<_>>()
        );
        often(&mut night, "db", then);
        night.until(49 * 3_600 + 60);
        often(&mut night, "db", then * 10);
        assert!(night.count("alerts_rising") <= 1);
        assert_eq!(night.incident().severity, Severity::Sev3, "nobody asked for it");
    }
}

#[test]
fn what_is_busy_each_night_at_the_same_time_does_not_rise_and_what_was_never_known_does_not_either() {
    let mut nightly = Trial::new();
    for day in 0..10 {
        nightly.until(day * DAY + 60);
        often(&mut nightly, "cron", 100);
        nightly.resolves("cron");
        nightly.until(day * DAY + 7_200);
    }
    // The second night taught it.
    assert_eq!(nightly.alert("cron").novelty.marks.rose, None);
    let mut unknown = Trial::new();
    often(&mut unknown, "db", 500);
    unknown.until(3_700);
    often(&mut unknown, "db", 5_000);
    assert_eq!(marks(&unknown, "db").rose, None, "in its first day nobody knows what is usual");
}

#[test]
fn a_rise_wakes_people_where_its_service_asks_for_it_also_after_an_answer_and_once() {
    let mut night = Trial::new();
    night.service().raise = RISING;
    often(&mut night, "db", 1);
    night.asks("ana", Act::Acknowledge);
    night.until(2 * DAY);
    often(&mut night, "db", 19);
    assert_eq!(night.incident().severity, Severity::Sev3);
    often(&mut night, "db", 1);
    assert_eq!((night.incident().severity, night.incident().state), (Severity::Sev2, IncidentState::Triggered));
    let Some(Rise { signals, busiest, .. }) = marks(&night, "db").rose else { panic!("it rose") };
    assert_eq!((signals, busiest), (20, 1));
    night.until(2 * DAY + 1);
    assert_eq!(night.calls().len(), 1);
    night.asks("ana", Act::Acknowledge);
    often(&mut night, "db", 500);
    night.until(2 * DAY + 1_000);
    assert_eq!((night.calls().len(), night.count("alerts_rising"), night.count("severity_raised")), (1, 1, 1));
    // What is woken for anyhow is told of and calls nobody again.
    let mut loud = Trial::new();
    loud.service().raise = RISING;
    loud.fires("db");
    loud.asks("ana", Act::Acknowledge);
    loud.asks("ana", Act::Snooze { until: Trial::time(3 * DAY) });
    loud.until(2 * DAY);
    let calls = loud.calls().len();
    for _ in 0..30 {
        loud.fires("db");
    }
    loud.until(2 * DAY + 600);
    assert_eq!((loud.count("alerts_rising"), loud.count("severity_raised"), loud.calls().len()), (1, 0, calls));
}

#[test]
fn an_hour_goes_on_when_a_new_stretch_begins_and_a_flood_is_not_usual_afterwards() {
    let mut night = Trial::new();
    often(&mut night, "db", 2);
    night.resolves("db");
    night.until(2 * DAY);
    often(&mut night, "db", 15);
    night.resolves("db");
    night.until(2 * DAY + 700);
    // Its return is a new alert; with what the hour had before, it is twenty.
    often(&mut night, "db", 4);
    assert!(marks(&night, "db").rose.is_some(), "{:?}", night.keys.values().map(|key| key.rate).collect::<Vec<_>>());
    // Ten thousand within an hour teach no more than twice what would have been a jump.
    often(&mut night, "db", 10_000);
    night.resolves("db");
    night.until(2 * DAY + 2 * 3_600);
    often(&mut night, "db", 1);
    let rate = night.keys.values().find_map(|key| key.rate).expect("it has one");
    assert!(rate.busiest <= 2 * limits::RISE_LEAST, "{rate:?}");
}
