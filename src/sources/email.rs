//! Mail, as RFC 5322 writes it: for senders that can do nothing else. A mail says no state, so its subject is read by the few words that
//! monitors put there:
//!
//! | the subject has | it is |
//! |---|---|
//! | PROBLEM, DOWN, CRITICAL, FIRING, ALARM, TRIGGERED, FAILED, FAILURE, FAILING, ERROR, WARNING, UNKNOWN, UNREACHABLE, FATAL, PANIC, or none of these | firing |
//! | RECOVERY, RECOVERED, RESOLVED, CLEARED, CLOSED, FIXED, SUCCEEDED | resolved |
//! | UP, OK, NORMAL, at the start, at the end, before `:`, `|` or `(`, or after `is` | resolved |
//! | ACKNOWLEDGEMENT, ACKNOWLEDGED | acknowledged at the sender |
//! | DOWNTIMESTART, DOWNTIMEEND, FLAPPINGSTART, FLAPPINGSTOP and the like | nothing |
//!
//! The first of them counts. In capitals it counts anywhere; in small letters only at the start and before a colon (`Resolved: …`, what
//! stands in brackets before it aside), or in brackets by itself: "the backup failed to come up" says nothing by itself, and fires like any mail.
//!
//! The key is the sender's address and the subject without these words, without `Re:` and `Fwd:`, counts in brackets and percentages, so
//! that a recovery has the key of its problem. Where that leaves nothing, the thread's name stands for it, the first of `References`; a
//! mail without a subject has its first words. Other numbers stay: db-3 is not db-4. CRITICAL, FATAL and PANIC are critical, WARNING is a warning; else the integration's severity counts.

use mail_parser::{HeaderValue, Message, MessageParser};

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::time::Time;
use crate::base::{limits, secret};
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Email;

const GUIDE: &str = r#"1. Have Reveille take mail: write this into the configuration file, with a domain of your own, and restart it.

   ```toml
   [mail]
   listen = "127.0.0.1:2525"
   domain = "alerts.example.com"
   ```

   A mail server that takes mail for that domain relays it there. A sender in the same network can use it as its SMTP server directly,
   where `listen` is an address of that network.
2. Send to `{key}@DOMAIN`, or to `anything+{key}@DOMAIN`, with the domain of the configuration.

Every subject is an alert. One with `RECOVERY`, `RESOLVED`, `UP` or `OK` where monitors put them ends the alert of the same subject:

```text
Subject: ** PROBLEM Service Alert: db-3/disk is CRITICAL **
Subject: ** RECOVERY Service Alert: db-3/disk is OK **
```

Where Reveille takes no mail, the mail server that has it can post it instead. A line in `/etc/aliases`:

```text
alarms: "|curl -fsS -m 20 --data-binary @- '{url}'"
```
"#;

const FIRES: &[&str] = &[
    "PROBLEM",
    "DOWN",
    "CRITICAL",
    "FIRING",
    "ALARM",
    "TRIGGERED",
    "FAILED",
    "FAILURE",
    "FAILING",
    "ERROR",
    "WARNING",
    "UNKNOWN",
    "UNREACHABLE",
    "FATAL",
    "PANIC",
];
const RESOLVES: &[&str] = &["RECOVERY", "RECOVERED", "RESOLVED", "SUCCEEDED"];
/// Words of everyday, which count where monitors put them.
const RESOLVES_IN_PLACE: &[&str] = &["UP", "OK", "NORMAL"];
/// What is closed may be a connection: these count in brackets alone.
const RESOLVES_IN_BRACKETS: &[&str] = &["CLEARED", "CLOSED", "FIXED"];
const DENIES: &[&str] = &["not", "no", "never", "cannot", "isn't", "wasn't"];
const ACKNOWLEDGES: &[&str] = &["ACKNOWLEDGEMENT", "ACKNOWLEDGED"];
const TELLS: &[&str] = &[
    "DOWNTIMESTART",
    "DOWNTIMEEND",
    "DOWNTIMEREMOVED",
    "DOWNTIMECANCELLED",
    "FLAPPINGSTART",
    "FLAPPINGEND",
    "FLAPPINGSTOP",
    "FLAPPINGDISABLED",
];

impl Source for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    fn title(&self) -> &'static str {
        "Mail"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    /// The `Message-ID`, which a mail keeps however often it is delivered.
    fn delivery(&self, inbound: &Inbound) -> Option<String> {
        let id = MessageParser::default().parse_headers(inbound.body.as_ref())?.message_id()?.to_owned();
        Some(if id.len() <= limits::REPEAT_KEY_BYTES { id } else { secret::digest_hex(id.as_bytes()) })
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        let message = MessageParser::default().parse(inbound.body.as_ref()).filter(|message| !message.headers().is_empty());
        let signal = message.and_then(|message| signal(&message, integration));
        Ok(vec![signal.ok_or("it has neither a sender nor a subject")?])
    }
}

fn signal(message: &Message<'_>, integration: &Integration) -> Option<Signal> {
    let from = message.from().and_then(|from| from.first()).and_then(|from| from.address()).unwrap_or_default().trim().to_lowercase();
    let subject = reading::line(message.subject().unwrap_or_default(), limits::EXCERPT_BYTES);
    let text = message.body_text(0).unwrap_or_default();
    if from.is_empty() && subject.is_empty() {
        return None;
    }
    let said = Subject::of(&subject);
    let title = [without_replies(&subject), text.trim()].into_iter().find(|text| !text.is_empty()).map(str::to_owned);
    let title = title.unwrap_or_else(|| format!("A mail without a subject from {from}"));
    let is_answer = header(message, "Auto-Submitted").is_some_and(|value| value.trim().to_ascii_lowercase().starts_with("auto-replied"));
    let action = match said.state {
        _ if is_answer => Action::Ignore("it is an automatic answer to a mail".to_owned()),
        State::Fires => Action::Trigger,
        State::Resolves => Action::Resolve,
        State::Acknowledges => Action::Acknowledge,
        State::Tells => Action::Ignore("it tells of a downtime or of flapping".to_owned()),
    };
    let about = match said.about {
        about if !about.is_empty() => about,
        _ => thread(message).unwrap_or_else(|| if subject.is_empty() { title.clone() } else { String::new() }),
    };
    let mut labels = Labels::default();
    labels.put("from", &from);
    labels.put("subject", &subject);
    labels.put("text", &text);
    let key = reading::line(&format!("{from} {about}"), limits::BODY_BYTES);
    Some(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(if key.is_empty() { &title } else { &key }),
        title: reading::line(&title, limits::TITLE_CHARS),
        severity: said.severity,
        action,
        at: message
            .date()
            .filter(|date| date.is_valid())
            .and_then(|date| reading::seconds(Some(&date.to_timestamp().into())))
            .map(Time::from_seconds),
        ends_at: None,
        url: link(&text).or_else(|| link(&message.body_html(0)?.replace("&amp;", "&"))),
        labels: labels.done(),
    })
}

/// The first link in a text.
fn link(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || "<>\"()".contains(c));
    words.map(|word| word.trim_end_matches(['.', ',', ';', ':', '!', '?'])).find_map(reading::url)
}

fn header<'a>(message: &'a Message<'_>, name: &'static str) -> Option<&'a str> {
    message.header_raw(name)
}

/// The name of the thread: the first mail that this one refers to.
fn thread(message: &Message<'_>) -> Option<String> {
    let first = |value: &HeaderValue<'_>| match value {
        HeaderValue::Text(text) => Some(text.to_string()),
        HeaderValue::TextList(texts) => texts.first().map(ToString::to_string),
        _ => None,
    };
    first(message.references()).or_else(|| first(message.in_reply_to()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fires,
    Resolves,
    Acknowledges,
    Tells,
}

struct Subject {
    state: State,
    severity: Option<AlertSeverity>,
    /// What it is about, whatever has become of it.
    about: String,
}

impl Subject {
    fn of(subject: &str) -> Self {
        let mut state = None;
        // Whether the word that says that it is over stands where nothing later can take it back.
        let mut is_sure = false;
        let mut severity = None;
        let mut about: Vec<&str> = Vec::new();
        let words: Vec<&str> = without_replies(subject).split_whitespace().collect();
        // Asterisks and dashes that stand alone are ornaments.
        let is_ornament = |word: &str| word.chars().all(|c| !c.is_alphanumeric());
        let bare: Vec<&str> = words.iter().copied().filter(|word| !is_ornament(word)).collect();
        // Old machines write everything in capitals, where they say nothing.
        let all_loud = !subject.chars().any(char::is_lowercase);
        // How deep in brackets a word stands, and whether anything came before it that stands in none.
        let (mut depth, mut is_begun) = (0_usize, false);
        for (n, word) in bare.iter().enumerate() {
            let (core, is_bracketed) = core_of(word);
            depth += word.matches('[').count();
            let is_first = depth == 0 && !is_begun;
            is_begun |= depth == 0;
            depth = depth.saturating_sub(word.matches(']').count());
            let upper = core.to_uppercase();
            let is_loud = core == upper;
            let ends_head = word.ends_with(':') || word.ends_with('|') || followed_by(&words, word, &["|", "-", "--", "–"]);
            let counts = is_loud || (is_first && ends_head) || is_bracketed;
            let after_is = n > 0 && ["is", "are", "now"].contains(&bare[n - 1].to_lowercase().as_str());
            let is_denied = bare[..n].iter().any(|word| DENIES.contains(&word.to_lowercase().as_str()));
            // `Ok: 0, Failed: 5` counts something.
            let counts_things = bare.get(n + 1).is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit()));
            let leads = is_bracketed || (is_first && ends_head && !counts_things);
            let ends = n + 1 == bare.len() || bare[n + 1].starts_with('(');
            let is_over = !is_denied && (leads || (is_loud && (is_first || !all_loud)));
            let in_place = !is_denied && (is_bracketed || (is_loud && (leads || after_is || (ends && !all_loud))));
            let found = [
                (FIRES, State::Fires, counts),
                (RESOLVES, State::Resolves, is_over),
                (RESOLVES_IN_PLACE, State::Resolves, in_place),
                (RESOLVES_IN_BRACKETS, State::Resolves, is_bracketed && !is_denied),
                (ACKNOWLEDGES, State::Acknowledges, counts),
                (TELLS, State::Tells, counts),
            ]
            .into_iter()
            .find(|(words, _, counts)| *counts && words.contains(&upper.as_str()));
            match found {
                Some((_, found, _)) => {
                    match (state, found) {
                        (None, _) => (state, is_sure) = (Some(found), leads || is_first),
                        (Some(State::Resolves), State::Fires) if !is_sure => state = Some(State::Fires),
                        (Some(_), _) => {}
                    }
                    severity = severity.or(match upper.as_str() {
                        "CRITICAL" | "FATAL" | "PANIC" => Some(AlertSeverity::Critical),
                        "WARNING" => Some(AlertSeverity::Warning),
                        _ => None,
                    });
                }
                None if is_measure(word) => {}
                None => about.push(word),
            }
        }
        Self { state: state.unwrap_or(State::Fires), severity, about: about.join(" ") }
    }
}

/// A word without what stands around it, and without the count in `[FIRING:2]`; whether it was in brackets.
fn core_of(word: &str) -> (&str, bool) {
    let is_bracketed = word.starts_with('[') && word.contains(']');
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    let core = match core.split_once(':') {
        Some((before, count)) if is_bracketed && count.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => core,
    };
    (core, is_bracketed)
}

fn followed_by(words: &[&str], word: &str, signs: &[&str]) -> bool {
    words
        .iter()
        .position(|other| std::ptr::eq(other.as_ptr(), word.as_ptr()))
        .and_then(|at| words.get(at + 1))
        .is_some_and(|next| signs.contains(next))
}

/// A percentage changes from mail to mail.
fn is_measure(word: &str) -> bool {
    let core = word.trim_matches(|c: char| "()[],;:".contains(c));
    core.strip_suffix('%').is_some_and(|number| number.parse::<f64>().is_ok())
}

/// Without what answering and forwarding put before it.
fn without_replies(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some((head, tail)) = rest.split_once(':') {
        if !["re", "fwd", "fw", "aw", "wg", "tr", "sv"].contains(&head.trim().to_lowercase().as_str()) {
            break;
        }
        rest = tail.trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(subject: &str) -> (State, Option<AlertSeverity>, String) {
        let said = Subject::of(subject);
        (said.state, said.severity, said.about)
    }

    /// Subjects as these senders write them: the problem's and the recovery's, which must have one key.
    #[test]
    fn a_recovery_has_the_key_of_its_problem() {
        for (problem, recovery) in [
            ("** PROBLEM Service Alert: db-3/disk is CRITICAL **", "** RECOVERY Service Alert: db-3/disk is OK **"),
            ("** PROBLEM Host Alert: web1 is DOWN **", "** RECOVERY Host Alert: web1 is UP **"),
            ("[FIRING:2] DiskFull (db-3 critical)", "[RESOLVED] DiskFull (db-3 critical)"),
            ("ALARM: \"disk full\" in EU (Ireland)", "OK: \"disk full\" in EU (Ireland)"),
            ("Problem: Disk 97% full on db-3", "Resolved: Disk 81.5% full on db-3"),
            ("Monitor is DOWN: shop", "Monitor is UP: shop"),
            ("DOWN | nightly backup", "UP | nightly backup"),
            ("[Monitor Alert] Triggered: disk", "Re: [Monitor Alert] Recovered: disk"),
            ("FAILED: backup of db-3", "Fwd: RE: SUCCEEDED: backup of db-3"),
            ("db-3 DOWN", "db-3 UP"),
            ("[Problem] disk of db-3", "[Closed] disk of db-3"),
        ] {
            let ((fires, _, about), (ends, _, same)) = (of(problem), of(recovery));
            assert_eq!((fires, ends), (State::Fires, State::Resolves), "{problem}");
            assert_eq!(about, same, "{problem}");
        }
    }

    #[test]
    fn what_does_not_clearly_say_that_it_is_over_fires() {
        for subject in [
            "Back up failed",
            "BACK UP FAILED",
            "the server is up to something",
            "UP-TO-DATE CHECK MISSING",
            "OKAY NOT OKAY",
            "Server is not OK",
            "POWER SUPPLY NOT OK",
            "TEMPERATURE ABOVE NORMAL",
            "DISK FILLING UP",
            "LOG QUEUE IS BACKED UP",
            "HOST WEB-1 IS NOT UP",
            "Backup job NOT SUCCEEDED",
            "DNS not RESOLVED",
            "CONNECTION CLOSED BY PEER db-1",
            "VPN tunnel CLOSED",
            "Up: 0 of 5 nodes",
            "Ok: 0, Failed: 5",
            "Closed: connection to db-1 lost",
            "disk was OK, now CRITICAL",
            "Cron <root@db-3> run-parts /etc/cron.daily",
            "resolved is a word",
            "",
        ] {
            let (state, _, _) = of(subject);
            let expected = State::Fires;
            assert_eq!(state, expected, "{subject}");
        }
    }

    #[test]
    fn numbers_that_name_things_stay() {
        assert_ne!(of("PROBLEM disk of db-3").2, of("PROBLEM disk of db-4").2);
        assert_ne!(of("Job 4411 FAILED").2, of("Job 4412 FAILED").2);
        assert_eq!(of("CRITICAL: disk 97%").2, of("CRITICAL: disk (98%)").2);
    }

    #[test]
    fn severities_and_the_rest_are_said_in_words() {
        assert_eq!(of("PROBLEM: x is WARNING").1, Some(AlertSeverity::Warning));
        assert_eq!(of("[FATAL] x").1, Some(AlertSeverity::Critical));
        assert_eq!(of("x FAILED").1, None);
        assert_eq!(of("** ACKNOWLEDGEMENT Host Alert: web1 is DOWN **").0, State::Acknowledges);
        assert_eq!(of("** DOWNTIMESTART Host Alert: web1 is UP **").0, State::Tells);
    }
}
