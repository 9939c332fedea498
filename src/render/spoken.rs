//! What the phone says: plain text in short sentences, for somebody who was asleep a moment ago.

use super::words::{self, counted, fill};
use crate::base::id::Number;
use crate::base::limits;
use crate::base::time::Span;
use crate::domain::setup::{Language, Severity};

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallWords {
    pub person_name: String,
    /// Worst first, at most [`limits::SPOKEN_INCIDENTS`].
    pub incidents: Vec<SpokenIncident>,
    /// Incidents that are only counted.
    pub more: usize,
    /// The second call of a chain.
    pub repeat: bool,
    pub drill: bool,
    /// Whether the channel can take keys.
    pub keys: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokenIncident {
    pub number: Number,
    pub severity: Severity,
    /// Empty where it has none.
    pub service_name: String,
    pub title: String,
    pub alerts_count: i64,
    pub opened_ago: Span,
    /// Where it is the umbrella of a storm.
    pub storm: Option<SpokenStorm>,
    /// It began during maintenance, which is over.
    pub is_outlasting: bool,
}

/// What is told of a storm beside its number of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokenStorm {
    /// Services whose alerts it took in.
    pub services: i64,
    /// Titles of the most telling of them.
    pub telling: Vec<String>,
}

/// What key 3 asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailWords {
    pub incidents: Vec<SpokenDetail>,
    pub more: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokenDetail {
    pub incident: SpokenIncident,
    /// Titles of its alerts, other than its own.
    pub samples: Vec<String>,
}

/// What a key has done to one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    Acknowledged,
    /// By the person of this name, or by a script, before the key was pressed.
    AlreadyAcknowledged {
        by: Option<String>,
    },
    Escalated,
    Resolved,
    AlreadyResolved,
    /// "This should not have woken me."
    Noted,
}

/// Finished words. An empty menu ends the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    pub body: String,
    pub menu: String,
    pub goodbye: String,
    pub language: Language,
}

/// The call itself.
#[must_use]
pub fn call(words: &CallWords, language: Language) -> Spoken {
    let p = words::of(language);
    let total = words.incidents.len() + words.more;
    let several = total > 1;
    let mut said = vec![fill(p.hello, &[("person", &name(&words.person_name, language))])];
    said.push((if words.repeat { p.here_again } else { p.here }).to_owned());
    said.extend(words.drill.then(|| p.drill.to_owned()));
    if let Some(incident) = words.incidents.first().filter(|_| !several) {
        // What a person declared may have no alert at all.
        let counted = (incident.alerts_count > 0).then(|| alerts(incident, language));
        let since = counted.into_iter().chain([opened(incident, language)]).collect::<Vec<_>>().join(", ");
        if incident.storm.is_some() {
            said.push(format!("{}: {since}.", headline(incident, language)));
        } else {
            said.push(format!("{}.", headline(incident, language)));
            said.push(format!("{}.", title(&incident.title, limits::SPOKEN_TITLE_CHARS, language)));
            said.push(format!("{since}."));
        }
        said.extend(telling(incident, limits::SPOKEN_TITLE_CHARS, language));
    } else {
        said.push(counted(count(total), p.several, p.several));
        said.extend(words.incidents.iter().flat_map(|incident| {
            let title = || title(&incident.title, limits::SPOKEN_TITLE_CHARS_EACH, language);
            let what = if incident.storm.is_some() { alerts(incident, language) } else { title() };
            let told = telling(incident, limits::SPOKEN_TITLE_CHARS_EACH, language);
            std::iter::once(format!("{}: {what}.", headline(incident, language))).chain(told)
        }));
        said.extend(more(words.more, language));
    }
    Spoken { body: said.join(" "), menu: menu(total, words.keys, language), goodbye: goodbye(words.keys, language), language }
}

/// The answer to key 3; it offers the keys again.
#[must_use]
pub fn detail(words: &DetailWords, language: Language) -> Spoken {
    let mut said = Vec::new();
    // Half a title may say the opposite of the whole: where one incident is told of, there is time for it.
    let most = if words.incidents.len() > 1 { limits::SPOKEN_TITLE_CHARS_EACH } else { limits::SPOKEN_TITLE_CHARS };
    for SpokenDetail { incident, samples } in &words.incidents {
        said.push(format!("{}, {}.", headline(incident, language), opened(incident, language)));
        said.push(format!("{}.", title(&incident.title, limits::SPOKEN_TITLE_CHARS, language)));
        said.extend((incident.alerts_count > 0).then(|| format!("{}.", alerts(incident, language))));
        if !samples.is_empty() {
            said.push(words::of(language).among.to_owned());
            said.extend(samples.iter().map(|sample| format!("{}.", title(sample, most, language))));
        }
    }
    said.extend(more(words.more, language));
    let menu = menu(words.incidents.len() + words.more, true, language);
    Spoken { body: said.join(" "), menu, goodbye: goodbye(true, language), language }
}

/// What a key did, incident by incident, equal ones together. Nothing done: there was nothing left to do.
#[must_use]
pub fn done(outcomes: &[(Number, Done)], language: Language) -> Spoken {
    let p = words::of(language);
    let theirs = outcomes.iter().any(|(_, done)| *done == Done::Acknowledged);
    let goodbye = if theirs { p.good_luck } else { p.goodbye };
    Spoken { body: what_was_done(outcomes, language), menu: String::new(), goodbye: goodbye.to_owned(), language }
}

/// The sentences of [`done`], as they may also be written.
#[must_use]
pub fn what_was_done(outcomes: &[(Number, Done)], language: Language) -> String {
    let p = words::of(language);
    let mut groups: Vec<(Vec<Number>, &Done)> = Vec::new();
    for (number, done) in outcomes {
        match groups.iter_mut().find(|(_, other)| *other == done) {
            Some((numbers, _)) => numbers.push(*number),
            None => groups.push((vec![*number], done)),
        }
    }
    let sentence = |(numbers, done): &(Vec<Number>, &Done)| {
        let (one, many) = match done {
            Done::Acknowledged => (p.acknowledged_one, p.acknowledged_many),
            Done::AlreadyAcknowledged { .. } => (p.already_acknowledged_one, p.already_acknowledged_many),
            Done::Escalated => (p.escalated_one, p.escalated_many),
            Done::Resolved => (p.resolved_one, p.resolved_many),
            Done::AlreadyResolved => (p.already_resolved_one, p.already_resolved_many),
            Done::Noted => (p.noted_one, p.noted_many),
        };
        let by = match done {
            Done::AlreadyAcknowledged { by } => by.as_ref().map_or_else(|| p.script.to_owned(), |by| name(by, language)),
            Done::Acknowledged | Done::Escalated | Done::Resolved | Done::AlreadyResolved | Done::Noted => String::new(),
        };
        fill(if numbers.len() == 1 { one } else { many }, &[("numbers", &listed(numbers, language)), ("by", &by)])
    };
    if groups.is_empty() { p.nothing_left.to_owned() } else { groups.iter().map(sentence).collect::<Vec<_>>().join(" ") }
}

/// `42, 44 and 45`.
pub(super) fn listed(numbers: &[Number], language: Language) -> String {
    let spelled: Vec<String> = numbers.iter().map(|number| number.0.to_string()).collect();
    match spelled.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} {} {last}", rest.join(", "), words::of(language).and),
        _ => spelled.concat(),
    }
}

/// The answer to a key that means nothing; it offers those that do. `total`: how many incidents the call spoke of.
#[must_use]
pub fn unknown_key(key: char, total: usize, language: Language) -> Spoken {
    let p = words::of(language);
    let key = match key {
        '*' => p.star.to_owned(),
        '#' => p.pound.to_owned(),
        key if key.is_ascii_digit() => key.to_string(),
        _ => p.that.to_owned(),
    };
    let menu = menu(total, true, language);
    Spoken { body: fill(p.unknown_key, &[("key", &key)]), menu, goodbye: goodbye(true, language), language }
}

/// The answer when no key came where one was expected.
#[must_use]
pub fn no_key(language: Language) -> Spoken {
    Spoken { body: String::new(), menu: String::new(), goodbye: goodbye(true, language), language }
}

/// The answer to a key whose effect could not be written down: never let anyone believe that they answered.
#[must_use]
pub fn not_taken(total: usize, language: Language) -> Spoken {
    let p = words::of(language);
    let menu = menu(total, true, language);
    Spoken { body: p.not_taken.to_owned(), menu, goodbye: p.nothing_done.to_owned(), language }
}

/// For somebody who picks up when nobody needs them any more.
#[must_use]
pub fn withdrawn(language: Language) -> Spoken {
    let p = words::of(language);
    Spoken { body: p.withdrawn.to_owned(), menu: String::new(), goodbye: p.sleep_well.to_owned(), language }
}

fn menu(total: usize, keys: bool, language: Language) -> String {
    let p = words::of(language);
    (if !keys {
        p.no_keys
    } else if total > 1 {
        p.menu_many
    } else {
        p.menu_one
    })
    .to_owned()
}

fn goodbye(keys: bool, language: Language) -> String {
    let p = words::of(language);
    (if keys { p.no_key_pressed } else { p.goodbye }).to_owned()
}

fn headline(incident: &SpokenIncident, language: Language) -> String {
    let severity = match incident.severity {
        Severity::Sev1 => "1",
        Severity::Sev2 => "2",
        Severity::Sev3 => "3",
        Severity::Sev4 => "4",
    };
    let (p, number, service) = (words::of(language), incident.number.0.to_string(), name(&incident.service_name, language));
    let headline = if incident.service_name.is_empty() { p.headline_bare } else { p.headline };
    fill(headline, &[("number", &number), ("severity", severity), ("service", &service)])
}

pub(super) fn alerts(incident: &SpokenIncident, language: Language) -> String {
    let p = words::of(language);
    let alerts = counted(incident.alerts_count, p.alerts_one, p.alerts_many);
    let Some(storm) = &incident.storm else { return alerts };
    let services = counted(storm.services, p.services_one, p.services_many);
    fill(p.storm, &[("alerts", &alerts), ("services", &services)])
}

/// The most telling alerts of a storm.
fn telling(incident: &SpokenIncident, most: usize, language: Language) -> Option<String> {
    let told = incident.storm.as_ref().map(|storm| &storm.telling).filter(|told| !told.is_empty())?;
    let titles: Vec<String> = told.iter().map(|told| format!("{}.", title(told, most, language))).collect();
    Some(format!("{} {}", words::of(language).among, titles.join(" ")))
}

pub(super) fn opened(incident: &SpokenIncident, language: Language) -> String {
    fill(words::of(language).opened, &[("ago", &ago(incident.opened_ago, language))])
}

fn more(n: usize, language: Language) -> Option<String> {
    let p = words::of(language);
    (n > 0).then(|| counted(count(n), p.more_one, p.more_many))
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn title(text: &str, most: usize, language: Language) -> String {
    let spoken = speakable(text, most, language);
    if spoken.is_empty() { words::of(language).no_title.to_owned() } else { spoken }
}

fn name(text: &str, language: Language) -> String {
    let spoken = speakable(text, limits::SPOKEN_NAME_CHARS, language);
    if spoken.is_empty() { words::of(language).somebody.to_owned() } else { spoken }
}

/// A stranger's text as a voice can read it: words only, whole ones, at most `most` characters. What a voice would spell out sign by
/// sign (addresses, hashes, markup, emoji) is left out.
fn speakable(text: &str, most: usize, language: Language) -> String {
    let mut spoken = String::new();
    let mut count = 0;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !is_address(word));
    for word in words.flat_map(|word| plain(word, language).split(' ').map(str::to_owned).collect::<Vec<_>>()) {
        let word = word.trim_start_matches(['.', ',', ':', ';', '!', '?', '-', '\'']);
        if !word.contains(char::is_alphanumeric) || is_code(word) {
            continue;
        }
        let length = word.chars().count();
        let gap = usize::from(count > 0);
        if count + gap + length > most {
            if count == 0 {
                spoken.extend(word.chars().take(most));
            }
            break;
        }
        if gap == 1 {
            spoken.push(' ');
        }
        spoken.push_str(word);
        count += gap + length;
    }
    spoken.truncate(spoken.trim_end_matches(['.', ',', ':', ';', '!', '?', '-', '\'']).len());
    spoken
}

fn is_address(word: &str) -> bool {
    word.contains("://") || word.trim_start_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase().starts_with("www.")
}

/// Signs that a voice reads as pauses stay, accents stay with their letters, all others part words.
fn plain(word: &str, language: Language) -> String {
    let mut plain = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '-' | '%' | '\u{300}'..='\u{36f}' => plain.push(c),
            '&' => {
                plain.push(' ');
                plain.push_str(words::of(language).and);
                plain.push(' ');
            }
            c if c.is_alphanumeric() => plain.push(c),
            _ => plain.push(' '),
        }
    }
    plain
}

/// A hash, an id, or a word that no mouth could say.
fn is_code(word: &str) -> bool {
    let hex = word.len() >= 12
        && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && word.contains(|c: char| c.is_ascii_digit());
    hex || word.chars().count() > 60
}

pub(super) fn ago(span: Span, language: Language) -> String {
    let p = words::of(language);
    let seconds = span.as_seconds();
    match seconds {
        ..60 => p.just_now.to_owned(),
        60..3_600 => counted(seconds / 60, p.minutes_one, p.minutes_many),
        3_600..86_400 => counted(seconds / 3_600, p.hours_one, p.hours_many),
        86_400.. => counted(seconds / 86_400, p.days_one, p.days_many),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::setup::Language::En;

    fn incident(number: i64, title: &str) -> SpokenIncident {
        SpokenIncident {
            number: Number(number),
            severity: Severity::Sev1,
            service_name: "payments-api".to_owned(),
            title: title.to_owned(),
            alerts_count: 12,
            opened_ago: Span::minutes(5),
            storm: None,
            is_outlasting: false,
        }
    }

    fn words(incidents: Vec<SpokenIncident>) -> CallWords {
        CallWords { person_name: "Ana Ruiz".to_owned(), incidents, more: 0, repeat: false, drill: false, keys: true }
    }

    #[test]
    fn a_call_about_one_incident() {
        let spoken = call(&words(vec![incident(42, "[production] Disk of db-3 is 97% full")]), En);
        assert_eq!(
            spoken.body,
            "Hello Ana Ruiz. This is Reveille. Incident 42, severity 1, on payments-api. production Disk of db-3 is 97% full. \
             12 alerts, opened 5 minutes ago."
        );
        assert_eq!(spoken.menu, "Press 1 to acknowledge, 2 to escalate, 3 for details, 6 to resolve, 9 if this should not have woken you.");
        assert_eq!(spoken.goodbye, "No key was pressed. Goodbye.");
    }

    #[test]
    fn a_second_call_about_several_says_the_total() {
        let mut words = words(vec![incident(42, "disk full"), incident(43, "queue stuck")]);
        words.repeat = true;
        assert_eq!(
            call(&words, En).body,
            "Hello Ana Ruiz. This is Reveille again. 2 incidents need you. Incident 42, severity 1, on payments-api: disk full. \
             Incident 43, severity 1, on payments-api: queue stuck."
        );
        assert!(call(&words, En).menu.starts_with("Press 1 to acknowledge all, 2 "));
        words.more = 7;
        assert!(call(&words, En).body.contains("9 incidents need you.") && call(&words, En).body.ends_with("And 7 more."));
        assert!(call(&words, En).menu.starts_with("Press 1 to acknowledge all, 2 "));
    }

    #[test]
    fn a_drill_says_so_and_a_deaf_call_too() {
        let mut words = words(vec![incident(42, "disk full")]);
        (words.drill, words.keys) = (true, false);
        let spoken = call(&words, En);
        assert!(spoken.body.contains("This is a drill."));
        assert_eq!(
            (spoken.menu.as_str(), spoken.goodbye.as_str()),
            ("This call cannot take keys. Open Reveille to acknowledge.", "Goodbye.")
        );
    }

    #[test]
    fn details_name_samples_and_offer_the_keys_again() {
        let samples = vec!["db-1 slow".to_owned(), "db-2 slow".to_owned()];
        let spoken = detail(&DetailWords { incidents: vec![SpokenDetail { incident: incident(42, "db-3 slow"), samples }], more: 0 }, En);
        assert_eq!(
            spoken.body,
            "Incident 42, severity 1, on payments-api, opened 5 minutes ago. db-3 slow. 12 alerts. Among them: db-1 slow. db-2 slow."
        );
        assert!(spoken.menu.starts_with("Press 1 "));
    }

    #[test]
    fn what_a_key_did_is_spoken_back() {
        let say = |outcomes: &[(i64, Done)]| {
            let outcomes: Vec<_> = outcomes.iter().map(|(number, done)| (Number(*number), done.clone())).collect();
            let spoken = done(&outcomes, En);
            assert_eq!(spoken.menu, "");
            format!("{} {}", spoken.body, spoken.goodbye)
        };
        let before = || Done::AlreadyAcknowledged { by: Some("Bo Lind".to_owned()) };
        assert_eq!(say(&[(42, Done::Acknowledged)]), "Incident 42 is acknowledged. Good luck.");
        assert_eq!(say(&[(42, before())]), "Incident 42 was already acknowledged by Bo Lind. Goodbye.");
        assert_eq!(say(&[(42, Done::Escalated)]), "Incident 42 is escalated. The next person is being called. Goodbye.");
        assert_eq!(say(&[(42, Done::Resolved)]), "Incident 42 is resolved. Goodbye.");
        assert_eq!(say(&[(42, Done::AlreadyResolved)]), "Incident 42 was already resolved. Goodbye.");
        assert_eq!(say(&[(42, Done::Noted)]), "Incident 42 should not have woken you: that is noted for the review. Goodbye.");
        assert_eq!(say(&[]), "Nothing is left to do. Goodbye.");
        assert_eq!(
            say(&[(42, Done::Acknowledged), (43, before()), (44, Done::Acknowledged), (45, Done::Acknowledged)]),
            "Incidents 42, 44 and 45 are acknowledged. Incident 43 was already acknowledged by Bo Lind. Good luck."
        );
    }

    #[test]
    fn other_answers() {
        assert_eq!(unknown_key('7', 1, En).body, "7 does nothing here.");
        assert_eq!(unknown_key('#', 1, En).body, "Pound does nothing here.");
        assert!(unknown_key('7', 2, En).menu.starts_with("Press 1 to acknowledge all,"));
        assert!(not_taken(1, En).body.contains("nothing has changed") && not_taken(1, En).menu.starts_with("Press 1 "));
        assert_eq!((withdrawn(En).menu.as_str(), withdrawn(En).goodbye.as_str()), ("", "Sleep well."));
        assert_eq!((no_key(En).body.as_str(), no_key(En).menu.as_str()), ("", ""));
    }

    #[test]
    fn strangers_words_are_made_speakable() {
        for (title, spoken) in [
            ("#42: 🔥🔥 db_master/replica is DOWN!!! (see https://x.example/?a=b)", "42: db master replica is DOWN!!! see"),
            ("<script>alert(1)</script> Error\r\n\0here", "script alert 1 script Error here"),
            ("build 4f3c2b1a9d8e7f6a5b4c failed at 272716944", "build failed at 272716944"),
            ("request 6775efce-be1f-42c9-8a9c-0e7e5e238193 timed out.", "request timed out"),
            ("disk & cpu :-( www.example.com", "disk and cpu"),
            ("café déjà ثمانية 数据库", "café déjà ثمانية 数据库"),
            ("🔥", ""),
            ("", ""),
        ] {
            assert_eq!(speakable(title, 120, En), spoken, "{title}");
        }
        assert_eq!(speakable("one two three", 9, En), "one two");
        assert_eq!(speakable(&"x".repeat(50), 9, En), "xxxxxxxxx");
        assert_eq!(title("🔥", 120, En), "no title that can be spoken");
    }

    /// At 15 characters a second, a call to which nobody reacts is over before it is given up, and so before its repeat.
    #[test]
    fn the_longest_call_is_over_in_time() {
        let long = "a ".repeat(200);
        let worst =
            || SpokenIncident { service_name: long.clone(), alerts_count: 10_000, opened_ago: Span::hours(23), ..incident(10_000, &long) };
        let languages = Language::ALL.into_iter().flat_map(|language| [(language, 1), (language, limits::SPOKEN_INCIDENTS)]);
        for (language, n) in languages {
            let incidents: Vec<SpokenIncident> = (0..n).map(|_| worst()).collect();
            let more = if incidents.len() == 1 { 0 } else { 99 };
            let spoken = call(&CallWords { person_name: long.clone(), incidents, more, repeat: true, drill: true, keys: true }, language);
            let speech = (2 * (spoken.body.chars().count() + spoken.menu.chars().count()) + spoken.goodbye.chars().count()).div_ceil(15);
            let whole = limits::RING + limits::KEY_WAIT + limits::KEY_WAIT + Span::seconds(i64::try_from(speech).expect("a short while"));
            assert!(whole <= limits::CALL_GIVE_UP, "{whole}: {spoken:?}");
        }
    }

    #[test]
    fn times_are_spoken_in_one_unit() {
        for (seconds, spoken) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7_199, "1 hour ago"),
            (7_200, "2 hours ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(ago(Span::seconds(seconds), En), spoken);
        }
    }
}
