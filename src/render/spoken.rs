//! What the phone says: plain text in short sentences, for somebody who was asleep a moment ago.

use askama::Template;

use crate::base::id::Number;
use crate::base::limits;
use crate::base::time::Span;
use crate::domain::setup::Severity;

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
    pub service_name: String,
    pub title: String,
    pub alerts_count: i64,
    pub opened_ago: Span,
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
    /// By the person of this name, before the key was pressed.
    AlreadyAcknowledged {
        by: String,
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
}

/// The call itself.
#[must_use]
pub fn call(words: &CallWords) -> Spoken {
    let several = words.incidents.len() + words.more > 1;
    let most = if several { limits::SPOKEN_TITLE_CHARS_EACH } else { limits::SPOKEN_TITLE_CHARS };
    let incidents: Vec<Line> = words.incidents.iter().map(|incident| Line::new(incident, &[], most)).collect();
    let body = Call {
        person: name(&words.person_name),
        repeat: words.repeat,
        drill: words.drill,
        one: incidents.first().filter(|_| !several),
        total: incidents.len() + words.more,
        incidents: &incidents,
        more: words.more,
    };
    Spoken { body: said(&body), menu: menu(words.incidents.len(), words.more, words.keys), goodbye: goodbye(words.keys) }
}

/// The answer to key 3; it offers the keys again.
#[must_use]
pub fn detail(words: &DetailWords) -> Spoken {
    let line = |detail: &SpokenDetail| Line::new(&detail.incident, &detail.samples, limits::SPOKEN_TITLE_CHARS);
    let incidents: Vec<Line> = words.incidents.iter().map(line).collect();
    let body = said(&Detail { incidents: &incidents, more: words.more });
    Spoken { body, menu: menu(incidents.len(), words.more, true), goodbye: goodbye(true) }
}

/// What a key did, incident by incident, equal ones together. Nothing done: there was nothing left to do.
#[must_use]
pub fn done(outcomes: &[(Number, Done)]) -> Spoken {
    let mut groups: Vec<(Vec<Number>, &Done)> = Vec::new();
    for (number, done) in outcomes {
        match groups.iter_mut().find(|(_, other)| *other == done) {
            Some((numbers, _)) => numbers.push(*number),
            None => groups.push((vec![*number], done)),
        }
    }
    let groups: Vec<Group> = groups.into_iter().map(|(numbers, done)| Group::new(&numbers, done)).collect();
    let theirs = outcomes.iter().any(|(_, done)| *done == Done::Acknowledged);
    let goodbye = if theirs { "Good luck." } else { "Goodbye." };
    Spoken { body: said(&DoneWords { groups: &groups }), menu: String::new(), goodbye: goodbye.to_owned() }
}

/// The answer to a key that means nothing; it offers those that do. `named` and `more` as in the call.
#[must_use]
pub fn unknown_key(key: char, named: usize, more: usize) -> Spoken {
    let key = match key {
        '*' => "Star".to_owned(),
        '#' => "Pound".to_owned(),
        key if key.is_ascii_digit() => key.to_string(),
        _ => "That".to_owned(),
    };
    Spoken { body: format!("{key} does nothing here."), menu: menu(named, more, true), goodbye: goodbye(true) }
}

/// The answer when no key came where one was expected.
#[must_use]
pub fn no_key() -> Spoken {
    Spoken { body: String::new(), menu: String::new(), goodbye: goodbye(true) }
}

/// The answer to a key whose effect could not be written down: never let anyone believe that they answered.
#[must_use]
pub fn not_taken(named: usize, more: usize) -> Spoken {
    let body = "That key could not be taken, and nothing has changed. Please press it again.".to_owned();
    Spoken { body, menu: menu(named, more, true), goodbye: "Nothing was done. Goodbye.".to_owned() }
}

/// For somebody who picks up when nobody needs them any more.
#[must_use]
pub fn withdrawn() -> Spoken {
    let body = "This is Reveille. It has been taken care of, and nothing is left to do.".to_owned();
    Spoken { body, menu: String::new(), goodbye: "Sleep well.".to_owned() }
}

fn menu(named: usize, more: usize, keys: bool) -> String {
    said(&Menu { keys, several: named + more > 1 })
}

fn goodbye(keys: bool) -> String {
    if keys { "No key was pressed. Goodbye.".to_owned() } else { "Goodbye.".to_owned() }
}

#[derive(Template)]
#[template(path = "voice/call.txt")]
struct Call<'a> {
    person: String,
    repeat: bool,
    drill: bool,
    one: Option<&'a Line>,
    total: usize,
    incidents: &'a [Line],
    more: usize,
}

#[derive(Template)]
#[template(path = "voice/detail.txt")]
struct Detail<'a> {
    incidents: &'a [Line],
    more: usize,
}

#[derive(Template)]
#[template(path = "voice/menu.txt")]
struct Menu {
    keys: bool,
    several: bool,
}

#[derive(Template)]
#[template(path = "voice/done.txt")]
struct DoneWords<'a> {
    groups: &'a [Group],
}

/// One incident in words.
struct Line {
    headline: String,
    title: String,
    alerts: String,
    opened: String,
    samples: Vec<String>,
}

impl Line {
    fn new(incident: &SpokenIncident, samples: &[String], most: usize) -> Self {
        let severity = match incident.severity {
            Severity::Sev1 => 1,
            Severity::Sev2 => 2,
            Severity::Sev3 => 3,
            Severity::Sev4 => 4,
        };
        Self {
            headline: format!("Incident {}, severity {severity}, on {}", incident.number.0, name(&incident.service_name)),
            title: title(&incident.title, most),
            alerts: if incident.alerts_count == 1 { "1 alert".to_owned() } else { format!("{} alerts", incident.alerts_count) },
            opened: ago(incident.opened_ago),
            samples: samples.iter().map(|sample| title(sample, limits::SPOKEN_TITLE_CHARS_EACH)).collect(),
        }
    }
}

/// The incidents that one key treated alike.
struct Group {
    subject: String,
    is: &'static str,
    was: &'static str,
    done: Done,
}

impl Group {
    fn new(numbers: &[Number], done: &Done) -> Self {
        let spelled: Vec<String> = numbers.iter().map(|number| number.0.to_string()).collect();
        let done = match done {
            Done::AlreadyAcknowledged { by } => Done::AlreadyAcknowledged { by: name(by) },
            Done::Acknowledged | Done::Escalated | Done::Resolved | Done::AlreadyResolved | Done::Noted => done.clone(),
        };
        match spelled.as_slice() {
            [rest @ .., last] if !rest.is_empty() => {
                Self { subject: format!("Incidents {} and {last}", rest.join(", ")), is: "are", was: "were", done }
            }
            _ => Self { subject: format!("Incident {}", spelled.concat()), is: "is", was: "was", done },
        }
    }
}

/// Renders, and folds the template's line breaks into single spaces.
fn said(template: &impl Template) -> String {
    // Writing into a String cannot fail, and no template here calls anything that can.
    let text = template.render().expect("a template of plain values renders");
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

fn title(text: &str, most: usize) -> String {
    let spoken = speakable(text, most);
    if spoken.is_empty() { "no title that can be spoken".to_owned() } else { spoken }
}

fn name(text: &str) -> String {
    let spoken = speakable(text, limits::SPOKEN_NAME_CHARS);
    if spoken.is_empty() { "somebody".to_owned() } else { spoken }
}

/// A stranger's text as a voice can read it: words only, whole ones, at most `most` characters. What a voice would spell out sign by
/// sign (addresses, hashes, markup, emoji) is left out.
fn speakable(text: &str, most: usize) -> String {
    let mut spoken = String::new();
    let mut count = 0;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !is_address(word));
    for word in words.flat_map(|word| plain(word).split(' ').map(str::to_owned).collect::<Vec<_>>()) {
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
fn plain(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '-' | '%' | '\u{300}'..='\u{36f}' => plain.push(c),
            '&' => plain.push_str(" and "),
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

fn ago(span: Span) -> String {
    let seconds = span.as_seconds();
    let (n, unit) = match seconds {
        ..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        86_400.. => (seconds / 86_400, "day"),
    };
    format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(number: i64, title: &str) -> SpokenIncident {
        SpokenIncident {
            number: Number(number),
            severity: Severity::Sev1,
            service_name: "payments-api".to_owned(),
            title: title.to_owned(),
            alerts_count: 12,
            opened_ago: Span::minutes(5),
        }
    }

    fn words(incidents: Vec<SpokenIncident>) -> CallWords {
        CallWords { person_name: "Ana Ruiz".to_owned(), incidents, more: 0, repeat: false, drill: false, keys: true }
    }

    #[test]
    fn a_call_about_one_incident() {
        let spoken = call(&words(vec![incident(42, "[production] Disk of db-3 is 97% full")]));
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
            call(&words).body,
            "Hello Ana Ruiz. This is Reveille again. 2 incidents need you. Incident 42, severity 1, on payments-api: disk full. \
             Incident 43, severity 1, on payments-api: queue stuck."
        );
        assert!(call(&words).menu.starts_with("Press 1 to acknowledge all, 2 "));
        words.more = 7;
        assert!(call(&words).body.contains("9 incidents need you.") && call(&words).body.ends_with("And 7 more."));
        assert!(call(&words).menu.starts_with("Press 1 to acknowledge all, 2 "));
    }

    #[test]
    fn a_drill_says_so_and_a_deaf_call_too() {
        let mut words = words(vec![incident(42, "disk full")]);
        (words.drill, words.keys) = (true, false);
        let spoken = call(&words);
        assert!(spoken.body.contains("This is a drill."));
        assert_eq!(
            (spoken.menu.as_str(), spoken.goodbye.as_str()),
            ("This call cannot take keys. Open Reveille to acknowledge.", "Goodbye.")
        );
    }

    #[test]
    fn details_name_samples_and_offer_the_keys_again() {
        let samples = vec!["db-1 slow".to_owned(), "db-2 slow".to_owned()];
        let spoken = detail(&DetailWords { incidents: vec![SpokenDetail { incident: incident(42, "db-3 slow"), samples }], more: 0 });
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
            let spoken = done(&outcomes);
            assert_eq!(spoken.menu, "");
            format!("{} {}", spoken.body, spoken.goodbye)
        };
        let before = || Done::AlreadyAcknowledged { by: "Bo Lind".to_owned() };
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
        assert_eq!(unknown_key('7', 1, 0).body, "7 does nothing here.");
        assert_eq!(unknown_key('#', 1, 0).body, "Pound does nothing here.");
        assert!(unknown_key('7', 2, 0).menu.starts_with("Press 1 to acknowledge all,"));
        assert!(not_taken(1, 0).body.contains("nothing has changed") && not_taken(1, 0).menu.starts_with("Press 1 "));
        assert_eq!((withdrawn().menu.as_str(), withdrawn().goodbye.as_str()), ("", "Sleep well."));
        assert_eq!((no_key().body.as_str(), no_key().menu.as_str()), ("", ""));
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
            assert_eq!(speakable(title, 120), spoken, "{title}");
        }
        assert_eq!(speakable("one two three", 9), "one two");
        assert_eq!(speakable(&"x".repeat(50), 9), "xxxxxxxxx");
        assert_eq!(title("🔥", 120), "no title that can be spoken");
    }

    /// At 15 characters a second, a call to which nobody reacts is over before it is given up, and so before its repeat.
    #[test]
    fn the_longest_call_is_over_in_time() {
        let long = "a ".repeat(200);
        let worst =
            || SpokenIncident { service_name: long.clone(), alerts_count: 10_000, opened_ago: Span::hours(23), ..incident(10_000, &long) };
        for incidents in [vec![worst()], (0..limits::SPOKEN_INCIDENTS).map(|_| worst()).collect()] {
            let more = if incidents.len() == 1 { 0 } else { 99 };
            let spoken = call(&CallWords { person_name: long.clone(), incidents, more, repeat: true, drill: true, keys: true });
            let speech = (2 * (spoken.body.len() + spoken.menu.len()) + spoken.goodbye.len()).div_ceil(15);
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
            assert_eq!(ago(Span::seconds(seconds)), spoken);
        }
    }
}
