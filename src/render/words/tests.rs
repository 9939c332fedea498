//! What holds for the words of every language: nothing is left out, and nothing is left in English.

use std::collections::BTreeSet;

use super::super::brief::{self, Answer, TextWords};
use super::super::spoken::{self, CallWords, DetailWords, Done, SpokenDetail, SpokenIncident};
use super::of;
use crate::base::id::Number;
use crate::base::time::Span;
use crate::domain::setup::{Language, Severity};

/// Names that are no word of any language.
const TITLE: &str = "Qxtitle";
const SERVICE: &str = "Qxservice";
const PERSON: &str = "Qxperson";

/// Words that are not English alone: names, what a reply is made of, and what the languages share.
const SHARED: [(Language, &[&str]); 3] = [
    (
        Language::Fr,
        &[
            "reveille",
            "ack",
            "resolve",
            "escalate",
            "stop",
            "incident",
            "incidents",
            "script",
            "page",
            "on",
            "minute",
            "minutes",
            "role",
            "service",
            "sev",
        ],
    ),
    (
        Language::De,
        &["reveille", "ack", "resolve", "escalate", "stop", "details", "mail", "in", "link", "an", "was", "minute", "person", "sev"],
    ),
    (Language::Es, &["reveille", "ack", "resolve", "escalate", "stop", "script", "no", "sev"]),
];

fn incident(number: i64, alerts_count: i64, opened_ago: Span) -> SpokenIncident {
    SpokenIncident {
        number: Number(number),
        severity: Severity::Sev2,
        service_name: SERVICE.to_owned(),
        title: TITLE.to_owned(),
        alerts_count,
        opened_ago,
        storm: None,
        is_outlasting: false,
    }
}

/// The calls about one incident, and those about several.
fn calls(language: Language) -> Vec<(usize, String)> {
    let mut said = Vec::new();
    let spans = [0, 60, 300, 3_600, 7_200, 86_400, 200_000];
    for (n, more, repeat, drill, keys) in [
        (1, 0, false, false, true),
        (1, 0, true, true, false),
        (3, 0, true, false, true),
        (3, 1, false, true, true),
        (3, 7, false, false, true),
    ] {
        for ago in spans {
            let incidents: Vec<SpokenIncident> =
                (0..n).map(|k| incident(4_711 + k, if ago == 0 { 1 } else { 12 }, Span::seconds(ago))).collect();
            let details = incidents.iter().map(|incident| SpokenDetail { incident: incident.clone(), samples: vec![TITLE.to_owned()] });
            let detail = spoken::detail(&DetailWords { incidents: details.collect(), more }, language);
            let call = spoken::call(&CallWords { person_name: PERSON.to_owned(), incidents, more, repeat, drill, keys }, language);
            assert_eq!(call.language, language);
            let total = usize::try_from(n).expect("few") + more;
            if keys {
                said.push((total, format!("{} {} {}", call.body, call.menu, call.goodbye)));
                said.push((total, format!("{} {} {}", detail.body, detail.menu, detail.goodbye)));
            } else {
                said.push((0, format!("{} {} {}", call.body, call.menu, call.goodbye)));
            }
        }
    }
    said
}

/// What is answered to a key.
fn answers(language: Language) -> Vec<String> {
    let by = || Some(PERSON.to_owned());
    let all = [
        Done::Acknowledged,
        Done::AlreadyAcknowledged { by: by() },
        Done::AlreadyAcknowledged { by: None },
        Done::Escalated,
        Done::Resolved,
        Done::AlreadyResolved,
        Done::Noted,
    ];
    let mut said = Vec::new();
    for done in all {
        for numbers in [vec![4_711], vec![4_711, 4_712, 4_713]] {
            let outcomes: Vec<(Number, Done)> = numbers.iter().map(|number| (Number(*number), done.clone())).collect();
            let spoken = spoken::done(&outcomes, language);
            for number in numbers {
                assert!(spoken.body.contains(&number.to_string()), "{number} in {}", spoken.body);
            }
            said.push(format!("{} {}", spoken.body, spoken.goodbye));
        }
    }
    let keys = ['*', '#', '5', 'x'].map(|key| spoken::unknown_key(key, 1, language));
    let others = [spoken::no_key(language), spoken::not_taken(2, language), spoken::withdrawn(language), spoken::done(&[], language)];
    said.extend(keys.into_iter().chain(others).map(|spoken| format!("{} {} {}", spoken.body, spoken.menu, spoken.goodbye)));
    said
}

fn texts(language: Language) -> Vec<String> {
    let p = of(language);
    let mut said = Vec::new();
    for (n, more, drill, replies) in [(1, 0, false, true), (1, 0, true, false), (2, 0, false, true), (3, 5, true, true)] {
        let incidents = (0..n).map(|k| incident(4_711 + k, 12, Span::minutes(5))).collect();
        said.push(brief::text(&TextWords { incidents, more, drill, replies }, language));
    }
    let answers = [
        Answer::Help,
        Answer::Which { verb: "resolve", numbers: vec![Number(4_711), Number(4_712)] },
        Answer::UnknownIncident(Number(4_711)),
        Answer::NothingToAnswer,
        Answer::NotTaken,
        Answer::MayNot,
        Answer::Started,
    ];
    said.extend(answers.iter().map(|answer| brief::answer(answer, language)));
    let mails = [
        p.mail_subject_many,
        p.no_service,
        p.mail_acknowledge_one,
        p.mail_acknowledge_many,
        p.escalate,
        p.resolve,
        p.mail_asks_first,
        p.mail_open,
        p.mail_why,
    ];
    said.extend(mails.map(str::to_owned));
    said
}

/// Lower-case words of more than one letter, without what is filled in.
fn words(said: &[String]) -> BTreeSet<String> {
    let of = |text: &String| {
        let words = text.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
        words.filter(|word| word.chars().count() > 1 && !word.starts_with("qx")).collect::<Vec<_>>()
    };
    said.iter().flat_map(of).collect()
}

fn everything(language: Language) -> Vec<String> {
    let calls = calls(language).into_iter().map(|(_, said)| said);
    calls.chain(answers(language)).chain(texts(language)).collect()
}

#[test]
fn every_call_says_the_number_the_severity_the_service_the_title_and_the_keys() {
    for language in Language::ALL {
        for (total, said) in calls(language) {
            for part in ["4711", " 2", SERVICE, TITLE] {
                assert!(said.contains(part), "{part} in {said}");
            }
            let keys: &[&str] = if total == 0 { &[] } else { &[" 1", " 2 ", " 3 ", " 6 ", " 9 "] };
            for key in keys {
                assert!(said.contains(key), "the key{key} in {said}");
            }
            if total > 1 {
                // "2 more" is counted as well as named, in figures or, alone, in the language's own word.
                assert!(said.contains("4712") && said.contains("4713"), "{said}");
            }
            assert!(!said.contains(['{', '}', '/', '#', '*']) && !said.contains("  "), "a voice reads no signs: {said}");
        }
    }
}

#[test]
fn what_has_no_service_and_no_alert_says_neither() {
    for language in Language::ALL {
        let bare = SpokenIncident { service_name: String::new(), ..incident(4_711, 0, Span::minutes(5)) };
        let words =
            CallWords { person_name: PERSON.to_owned(), incidents: vec![bare.clone()], more: 0, repeat: false, drill: false, keys: true };
        let said = spoken::call(&words, language).body;
        assert!(said.contains(&format!(" 2. {TITLE}. ")) && !said.contains(of(language).somebody) && !said.contains(" 0 "), "{said}");
        let text = brief::text(&TextWords { incidents: vec![bare], more: 0, drill: false, replies: true }, language);
        assert!(text.starts_with(&format!("Reveille #4711 SEV2: {TITLE}. ")), "{text}");
    }
}

#[test]
fn a_lone_one_is_spoken_with_its_gender() {
    for (language, ago, alerts, more) in [
        (Language::Fr, ["il y a une minute", "il y a une heure", "il y a un jour"], "une alerte", "Et un autre."),
        (Language::De, ["vor einer Minute", "vor einer Stunde", "vor einem Tag"], "ein Alarm", "Und ein weiterer."),
        (Language::Es, ["hace un minuto", "hace una hora", "hace un día"], "una alerta", "Y uno más."),
    ] {
        for (seconds, said) in [60, 3_600, 86_400].into_iter().zip(ago) {
            assert_eq!(spoken::ago(Span::seconds(seconds), language), said);
        }
        let said = calls(language).into_iter().map(|(_, said)| said).collect::<String>();
        assert!(said.contains(alerts) && said.contains(more), "{alerts} and {more} in {said}");
    }
}

#[test]
fn no_english_is_left_in_the_others() {
    let english = words(&everything(Language::En));
    assert!(english.len() > 100, "{english:?}");
    for (language, shared) in SHARED {
        let own = words(&everything(language));
        assert!(own.len() > 80, "{own:?}");
        let left: Vec<&String> = own.intersection(&english).filter(|word| !shared.contains(&word.as_str())).collect();
        assert!(left.is_empty(), "{language:?} says {left:?}");
    }
}
