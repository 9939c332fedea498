//! Mails, direct messages and what a person's own webhook is told.

use askama::Template;
use serde::Serialize;

use super::brief::plain;
use super::spoken::{SpokenIncident, alerts, opened};
use super::words::{self, counted, fill};
use crate::base::limits;
use crate::domain::setup::{Language, Severity};

/// What a letter is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterWords {
    /// Worst first; each with its page, where people reach us.
    pub incidents: Vec<(SpokenIncident, Option<String>)>,
    /// Incidents that are only counted.
    pub more: usize,
    /// The link that asks before it acknowledges.
    pub acknowledge: Option<String>,
}

/// A finished mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

#[derive(Template)]
#[template(path = "mail/page.html")]
struct Page<'a> {
    language: &'static str,
    subject: &'a str,
    incidents: &'a [Line],
    more: Option<String>,
    acknowledge: Option<&'a str>,
    acknowledge_label: &'static str,
    asks_first: &'static str,
    open: &'static str,
    no_reply: &'static str,
    why: &'static str,
}

struct Line {
    number: i64,
    title: String,
    severity: &'static str,
    service: String,
    alerts: String,
    opened: String,
    url: Option<String>,
}

/// A mail in this language.
///
/// # Panics
/// Never: the template holds nothing that can fail.
#[must_use]
pub fn mail(words: &LetterWords, language: Language) -> Mail {
    let p = words::of(language);
    let total = words.incidents.len() + words.more;
    let lines: Vec<Line> = words.incidents.iter().map(|(incident, url)| Line::new(incident, url.clone(), language)).collect();
    let subject = match lines.as_slice() {
        [only] if total == 1 => format!("[{}] #{} {}: {}", only.severity, only.number, only.service, only.title),
        _ => {
            let count = counted(i64::try_from(total).unwrap_or(i64::MAX), p.mail_subject_many, p.mail_subject_many);
            lines.first().map_or_else(|| count.clone(), |worst| format!("[{}] {count}: #{} {}", worst.severity, worst.number, worst.title))
        }
    };
    let more = (words.more > 0).then(|| fill(p.text_more, &[("n", &words.more.to_string())]));
    let label = if total > 1 { p.mail_acknowledge_many } else { p.mail_acknowledge_one };
    let mut text = Vec::new();
    for line in &lines {
        text.push(format!("#{} {}\n{} · {} · {}, {}\n", line.number, line.title, line.severity, line.service, line.alerts, line.opened));
        if let Some(url) = &line.url {
            text.push(format!("{}: {url}\n", p.mail_open));
        }
        text.push("\n".to_owned());
    }
    text.extend(more.iter().map(|more| format!("{more}\n\n")));
    match &words.acknowledge {
        Some(link) => text.push(format!("{label}: {link}\n{}\n\n", p.mail_asks_first)),
        None => text.push(format!("{}\n\n", p.text_no_reply)),
    }
    text.push(format!("{}\n", p.mail_why));
    let page = Page {
        language: language.name(),
        subject: &subject,
        incidents: &lines,
        more,
        acknowledge: words.acknowledge.as_deref(),
        acknowledge_label: label,
        asks_first: p.mail_asks_first,
        open: p.mail_open,
        no_reply: p.text_no_reply,
        why: p.mail_why,
    };
    let html = page.render().expect("a template of plain values renders");
    Mail { subject, text: text.concat(), html }
}

/// The title of what is a drill or a test.
#[must_use]
pub fn drill(title: &str, language: Language) -> String {
    format!("[{}] {title}", words::of(language).text_drill)
}

/// One incident of a direct message: its line, and its buttons as label and saying.
#[must_use]
pub fn direct(incident: &SpokenIncident, url: Option<&str>, language: Language) -> (String, Vec<(String, String)>) {
    let p = words::of(language);
    let line = Line::new(incident, None, language);
    let mut text = format!("#{} {}\n{} · {} · {}, {}", line.number, line.title, line.severity, line.service, line.alerts, line.opened);
    text.extend(url.map(|url| format!("\n{url}")));
    let n = line.number;
    let buttons = [(p.mail_acknowledge_one, "ack"), (p.escalate, "escalate"), (p.resolve, "resolve")];
    (text, buttons.map(|(label, verb)| (label.to_owned(), format!("{n} {verb}"))).to_vec())
}

/// What a person's webhook is told.
#[derive(Serialize)]
struct Hook<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    at: String,
    user: &'a str,
    incidents: Vec<HookIncident<'a>>,
}

#[derive(Serialize)]
struct HookIncident<'a> {
    number: i64,
    title: &'a str,
    severity: &'static str,
    service: &'a str,
    alerts_count: i64,
    /// The most telling alerts of a storm.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    telling: &'a [String],
    url: Option<&'a str>,
}

/// The body of a page to a webhook.
///
/// # Panics
/// Never: plain texts and numbers serialise.
#[must_use]
pub fn hook(attempt: &str, user: &str, at: &str, incidents: &[(SpokenIncident, Option<String>)]) -> String {
    let incidents = incidents.iter().map(|(incident, url)| HookIncident {
        number: incident.number.0,
        title: &incident.title,
        severity: incident.severity.name(),
        service: &incident.service_name,
        alerts_count: incident.alerts_count,
        telling: incident.storm.as_ref().map_or(&[], |storm| &storm.telling),
        url: url.as_deref(),
    });
    let told = Hook { id: attempt, kind: "page", at: at.to_owned(), user, incidents: incidents.collect() };
    serde_json::to_string(&told).expect("plain values serialise")
}

/// How many alerts, and of a storm the most telling.
fn told(incident: &SpokenIncident, language: Language) -> String {
    let alerts = alerts(incident, language);
    let told = incident.storm.iter().flat_map(|storm| &storm.telling).map(|title| plain(title, limits::TITLE_CHARS));
    let told: Vec<String> = told.filter(|title| !title.is_empty()).collect();
    if told.is_empty() { alerts } else { format!("{alerts} ({})", told.join("; ")) }
}

impl Line {
    fn new(incident: &SpokenIncident, url: Option<String>, language: Language) -> Self {
        let title = plain(&incident.title, limits::TITLE_CHARS);
        let service = plain(&incident.service_name, limits::TITLE_CHARS);
        Self {
            number: incident.number.0,
            title: if title.is_empty() { words::of(language).no_title.to_owned() } else { title },
            severity: match incident.severity {
                Severity::Sev1 => "SEV1",
                Severity::Sev2 => "SEV2",
                Severity::Sev3 => "SEV3",
                Severity::Sev4 => "SEV4",
            },
            service: if service.is_empty() { words::of(language).no_service.to_owned() } else { service },
            alerts: told(incident, language),
            opened: opened(incident, language),
            url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::Number;
    use crate::base::time::Span;

    fn incident(number: i64, title: &str) -> (SpokenIncident, Option<String>) {
        let incident = SpokenIncident {
            is_outlasting: false,
            number: Number(number),
            severity: Severity::Sev1,
            service_name: "Public API".to_owned(),
            title: title.to_owned(),
            alerts_count: 12,
            opened_ago: Span::minutes(5),
            storm: None,
        };
        (incident, Some(format!("https://reveille.example.com/incidents/{number}")))
    }

    #[test]
    fn every_language_says_the_number_the_severity_the_title_and_the_way_to_acknowledge() {
        for language in Language::ALL {
            let link = "https://reveille.example.com/acknowledge/abc".to_owned();
            let words = LetterWords { incidents: vec![incident(42, "the disk is full")], more: 0, acknowledge: Some(link.clone()) };
            let mail = mail(&words, language);
            assert_eq!(mail.subject, "[SEV1] #42 Public API: the disk is full");
            for part in ["#42", "SEV1", "the disk is full", "Public API", "https://reveille.example.com/incidents/42", &link] {
                assert!(mail.text.contains(part) && mail.html.contains(part.trim_start_matches('#')), "{part} in {}", mail.text);
            }
            assert!(mail.html.contains(&format!("lang=\"{}\"", language.name())) && !mail.text.contains('{'));
            let (text, buttons) = direct(&words.incidents[0].0, None, language);
            assert!(
                text.contains("#42 the disk is full") && buttons.iter().all(|(label, says)| !label.is_empty() && says.starts_with("42 "))
            );
        }
    }

    #[test]
    fn several_incidents_are_one_mail_and_strangers_words_stay_words() {
        let hostile = "<script>x</script> https://evil.example\r\nBcc: eve";
        let words = LetterWords { incidents: vec![incident(42, hostile), incident(43, "x")], more: 7, acknowledge: None };
        let mail = mail(&words, Language::En);
        assert!(mail.subject.starts_with("[SEV1] 9 incidents need you: #42 "), "{}", mail.subject);
        assert!(!mail.html.contains("<script>") && !mail.text.contains("evil.example"), "{}", mail.html);
        assert!(
            !mail.subject.contains(['\r', '\n']) && mail.text.contains("+7 more") && mail.text.contains("Open Reveille to acknowledge.")
        );
    }

    #[test]
    fn a_hook_is_told_in_json() {
        let told: serde_json::Value =
            serde_json::from_str(&hook("att_1", "ana", "2026-01-07T02:00:00Z", &[incident(42, "down\"")])).expect("JSON");
        assert_eq!(
            (&told["type"], &told["incidents"][0]["number"], &told["incidents"][0]["title"]),
            (&"page".into(), &42.into(), &"down\"".into())
        );
    }
}
