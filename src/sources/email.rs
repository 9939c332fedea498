//! Mail, as RFC 5322 writes it: for senders that can do nothing else. A mail says no state, so its subject is read by the few forms that
//! monitors write. Words of everyday end nothing: "error rate is UP" and "RECOVERY of db-3 FAILED" fire, and so does whatever else is none
//! of these:
//!
//! | the subject | it is |
//! |---|---|
//! | begins `[RESOLVED]`, `Resolved:`, `RESOLVED \|`, likewise RECOVERY, RECOVERED, SUCCEEDED, OK, NORMAL; `[Recovered on …]` | resolved |
//! | begins `Resolved in 2m 30s:` | resolved |
//! | begins `[UP]`, `UP \|`, `Monitor is UP:`, or `[CLEARED]`, `[CLOSED]`, `[FIXED]` | resolved |
//! | begins `** RECOVERY Service Alert:`, `UP alert:`, or ends `Host Alert: … is UP **`, `Service Alert: … is OK **` | resolved |
//! | begins so with ACKNOWLEDGEMENT, ACKNOWLEDGED | acknowledged at the sender |
//! | begins so with DOWNTIMESTART, DOWNTIMEEND, FLAPPINGSTART, FLAPPINGSTOP and the like | nothing |
//! | is anything else | firing |
//!
//! What stands in brackets before these is passed over. Where PROBLEM, DOWN, FAILED or another word for trouble comes first, it fires.
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

Every subject is an alert, unless it begins as monitors say that something is over: `[RESOLVED]`, `Resolved:`, `RECOVERY:`, `OK:`, `UP |`, or
as Nagios writes it. That ends the alert whose subject is the same without such words:

```text
Subject: ** PROBLEM Service Alert: db-3/disk is CRITICAL **
Subject: ** RECOVERY Service Alert: db-3/disk is OK **
Subject: PROBLEM: the disk of db-3 is full
Subject: RESOLVED: the disk of db-3 is full
```

Anywhere else these words end nothing: `the error rate is UP` and `RECOVERY of db-3 FAILED` fire.

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
const RESOLVES: &[&str] = &["RECOVERY", "RECOVERED", "RESOLVED", "SUCCEEDED", "OK", "NORMAL"];
/// What is up may be the load, so a colon after it says nothing.
const UP: &[&str] = &["UP"];
/// What is closed may be a connection: these count in brackets alone.
const RESOLVES_IN_BRACKETS: &[&str] = &["CLEARED", "CLOSED", "FIXED"];
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
        let mut severity = None;
        let mut about: Vec<&str> = Vec::new();
        let words: Vec<&str> = without_replies(subject).split_whitespace().collect();
        // Asterisks and dashes that stand alone are ornaments.
        let is_ornament = |word: &str| word.chars().all(|c| !c.is_alphanumeric());
        let bare: Vec<&str> = words.iter().copied().filter(|word| !is_ornament(word)).collect();
        let is = |n: usize, word: &str| bare.get(n).is_some_and(|there| there.eq_ignore_ascii_case(word));
        // How deep in brackets a word stands, and whether anything came before it that stands in none.
        let (mut depth, mut is_begun) = (0_usize, false);
        let mut passed_over = 0;
        for (n, word) in bare.iter().enumerate() {
            let (core, is_bracketed) = core_of(word);
            let leads_brackets = !is_begun && (is_bracketed || (word.starts_with('[') && is(n + 1, "on")));
            depth += word.matches('[').count();
            let is_first = depth == 0 && !is_begun;
            is_begun |= depth == 0;
            depth = depth.saturating_sub(word.matches(']').count());
            if n < passed_over {
                continue;
            }
            let upper = core.to_uppercase();
            let is_loud = core == upper;
            let has_bar = word.ends_with('|') || followed_by(&words, word, &["|"]);
            let ends_head = word.ends_with(':') || has_bar || followed_by(&words, word, &["-", "--", "–"]);
            // `Ok: 0, Failed: 5` counts something.
            let counts_things = bare.get(n + 1).is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit()));
            // `** RECOVERY Service Alert: …`, and `UP alert: …`.
            let heads_alert = is_first && is_loud && (is(n + 1, "alert:") || is_of_nagios(&bare, n + 2));
            let leads = leads_brackets || heads_alert || (is_first && (word.ends_with(':') || has_bar) && !counts_things);
            let is_monitors = n == 2 && *word == "UP:" && is(0, "monitor") && is(1, "is");
            let is_up = leads_brackets || heads_alert || (is_first && has_bar) || is_monitors;
            let after = if is_first && upper == "RESOLVED" { after_duration(&bare, n + 1) } else { None };
            let found = [
                (FIRES, State::Fires, is_loud || (is_first && ends_head) || is_bracketed || leads_brackets),
                (RESOLVES, State::Resolves, leads || after.is_some()),
                (UP, State::Resolves, is_up),
                (RESOLVES_IN_BRACKETS, State::Resolves, leads_brackets),
                (ACKNOWLEDGES, State::Acknowledges, leads),
                (TELLS, State::Tells, leads),
            ]
            .into_iter()
            .find(|(words, _, counts)| *counts && words.contains(&upper.as_str()));
            let is_end = n > 0 && n + 1 == bare.len() && is(n - 1, "is") && ["OK", "UP"].contains(&core);
            match found {
                Some((_, found, _)) => {
                    state = state.or(Some(found));
                    passed_over = after.unwrap_or_default();
                    severity = severity.or(match upper.as_str() {
                        "CRITICAL" | "FATAL" | "PANIC" => Some(AlertSeverity::Critical),
                        "WARNING" => Some(AlertSeverity::Warning),
                        _ => None,
                    });
                }
                // `** … Service Alert: db-3/disk is OK **`, where what is up can be nothing but the host.
                None if is_end => state = state.or((0..n).any(|n| is_of_nagios(&bare, n)).then_some(State::Resolves)),
                None if is_measure(word) => {}
                None => about.push(word),
            }
        }
        Self { state: state.unwrap_or(State::Fires), severity, about: about.join(" ") }
    }
}

/// Whether `Alert:` stands here, after `Host` or `Service`.
fn is_of_nagios(words: &[&str], at: usize) -> bool {
    let kind = at.checked_sub(1).and_then(|before| words.get(before));
    kind.is_some_and(|kind| *kind == "Host" || *kind == "Service") && words.get(at) == Some(&"Alert:")
}

/// Zabbix says `Resolved in 1d 2h 30m: …`. What comes after that, where it stands here.
fn after_duration(words: &[&str], at: usize) -> Option<usize> {
    let rest = words.get(at..)?.strip_prefix(&["in"])?;
    let is_part = |word: &str| word.trim_end_matches([':', 'y', 'M', 'd', 'h', 'm', 's']).parse::<u32>().is_ok();
    let last = rest.iter().position(|word| word.ends_with(':'))?;
    rest[..=last].iter().all(|word| is_part(word)).then_some(at + 1 + last + 1)
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
            ("[PROBLEM] disk on db-3 is CRITICAL!", "[RECOVERY] disk on db-3 is OK!"),
            ("DOWN alert: shop (shop.example.com) is DOWN", "UP alert: shop (shop.example.com) is UP"),
            ("Problem: Disk 97% full on db-3", "Resolved in 1d 2m 30s: Disk 97% full on db-3"),
            ("[Triggered on {host:db-3}] disk", "[Recovered on {host:db-3}] disk"),
            ("Problem: Backup FAILED", "Resolved: Backup FAILED"),
            ("[DOWN] shop", "[UP] shop"),
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
            "Error rate is UP 300% on shop",
            "Error rate of shop is UP",
            "Replication lag on db-3 is UP",
            "Alert: replication lag of db-3 is UP",
            "RECOVERY of db-3 FAILED",
            "RECOVERY db-3: no backup to be found",
            "Database RECOVERY stuck on db-3",
            "Marked RESOLVED but shop still down",
            "DNS check failed: shop.example RESOLVED to 127.0.0.1",
            "The name is [RESOLVED] to 127.0.0.1",
            "[NOT RESOLVED] shop is down",
            "[Problem] marked [CLOSED] by nobody",
            "UP: load of db-3 is 40",
            "LOAD UP",
            "Resolved in haste: shop is down again",
            "** PROBLEM Service Alert: shop/status page is OK **",
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
        assert_eq!(of("[ACKNOWLEDGED] x").0, State::Acknowledges);
        assert_eq!(of("Alarm ACKNOWLEDGED by nobody").0, State::Fires);
        assert_eq!(of("** DOWNTIMESTART Host Alert: web1 is UP **").0, State::Tells);
    }
}
