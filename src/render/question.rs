//! A question that is asked quietly, by mail or in a chat: whether somebody is still at it, and whether it is over.

use askama::Template;

use super::brief::plain;
use super::letter::Mail;
use super::words::fill;
use crate::base::id::Number;
use crate::base::limits;
use crate::base::time::Span;
use crate::domain::setup::Language;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Before an acknowledgement lapses.
    StillAtIt,
    /// When its alerts are over and a person has to say so of the incident.
    IsItOver,
}

/// What it is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionWords {
    pub question: Question,
    pub number: Number,
    pub title: String,
    /// The incident's page, where people can reach us.
    pub url: Option<String>,
}

struct Phrases {
    still_at_it: &'static str,
    or_else: &'static str,
    on_it: &'static str,
    is_it_over: &'static str,
    until_then: &'static str,
    resolve: &'static str,
    open: &'static str,
}

const fn phrases(language: Language) -> &'static Phrases {
    match language {
        Language::En => &Phrases {
            still_at_it: "Are you still at it?",
            or_else: "You acknowledged this incident. Without a word from you in the next {n} minutes, people are called again.",
            on_it: "I am on it",
            is_it_over: "Is it over?",
            until_then: "All alerts of this incident have ended. It stays open until somebody resolves it.",
            resolve: "Resolve",
            open: "Open the incident",
        },
        Language::Fr => &Phrases {
            still_at_it: "Vous y êtes toujours ?",
            or_else: "Vous avez pris en charge cet incident. Sans nouvelles de vous d’ici {n} minutes, on rappellera du monde.",
            on_it: "J’y suis",
            is_it_over: "Est-ce terminé ?",
            until_then: "Toutes les alertes de cet incident sont finies. Il reste ouvert jusqu’à ce que quelqu’un le déclare résolu.",
            resolve: "Déclarer résolu",
            open: "Ouvrir l’incident",
        },
        Language::De => &Phrases {
            still_at_it: "Sind Sie noch dran?",
            or_else: "Sie haben diesen Vorfall übernommen. Ohne ein Wort von Ihnen in den nächsten {n} Minuten wird wieder angerufen.",
            on_it: "Ich bin dran",
            is_it_over: "Ist es vorbei?",
            until_then: "Alle Alarme dieses Vorfalls sind zu Ende. Er bleibt offen, bis ihn jemand für gelöst erklärt.",
            resolve: "Gelöst",
            open: "Zum Vorfall",
        },
        Language::Es => &Phrases {
            still_at_it: "¿Sigue usted en ello?",
            or_else: "Usted se hizo cargo de este incidente. Si no dice nada en {n} minutos, se volverá a llamar.",
            on_it: "Estoy en ello",
            is_it_over: "¿Ha terminado?",
            until_then: "Todas las alertas de este incidente han terminado. Sigue abierto hasta que alguien lo dé por resuelto.",
            resolve: "Dar por resuelto",
            open: "Abrir el incidente",
        },
    }
}

#[derive(Template)]
#[template(path = "mail/question.html")]
struct Page<'a> {
    language: &'static str,
    subject: &'a str,
    what: &'a str,
    url: Option<&'a str>,
    open: &'static str,
}

/// One line that says what is asked about what.
#[must_use]
pub fn headline(words: &QuestionWords, language: Language) -> String {
    let p = phrases(language);
    let asked = match words.question {
        Question::StillAtIt => p.still_at_it,
        Question::IsItOver => p.is_it_over,
    };
    format!("{asked} #{} {}", words.number.0, plain(&words.title, limits::TITLE_CHARS))
}

/// What happens if nobody answers.
#[must_use]
pub fn explanation(words: &QuestionWords, language: Language) -> String {
    let p = phrases(language);
    let minutes = limits::ASK_BEFORE_LAPSE.0 / Span::minutes(1).0;
    match words.question {
        Question::StillAtIt => fill(p.or_else, &[("n", &minutes.to_string())]),
        Question::IsItOver => p.until_then.to_owned(),
    }
}

/// What stands on the button, and what pressing it says.
#[must_use]
pub fn button(words: &QuestionWords, language: Language) -> (String, String) {
    let p = phrases(language);
    match words.question {
        Question::StillAtIt => (p.on_it.to_owned(), format!("{} ack", words.number.0)),
        Question::IsItOver => (p.resolve.to_owned(), format!("{} resolve", words.number.0)),
    }
}

/// The question as a mail. It is answered on the incident's page.
///
/// # Panics
/// Never: the template holds nothing that can fail.
#[must_use]
pub fn mail(words: &QuestionWords, language: Language) -> Mail {
    let (subject, what) = (headline(words, language), explanation(words, language));
    let url = words.url.as_deref();
    let text = format!("{subject}\n\n{what}\n\n{}\n", url.unwrap_or_default());
    let page = Page { language: language.name(), subject: &subject, what: &what, url, open: phrases(language).open };
    let html = page.render().expect("a template of plain values renders");
    Mail { subject, text, html }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_asks_both_and_strangers_words_stay_words() {
        let url = "https://reveille.example.com/incidents/42";
        for language in Language::ALL {
            for (question, says) in [(Question::StillAtIt, "42 ack"), (Question::IsItOver, "42 resolve")] {
                let title = "Disk <b>full</b>\r\nBcc: eve".to_owned();
                let words = QuestionWords { question, number: Number(42), title, url: Some(url.to_owned()) };
                let mail = mail(&words, language);
                assert!(mail.subject.contains("? #42 Disk") && !mail.subject.contains('\n'), "{}", mail.subject);
                assert!(mail.text.contains(url) && mail.html.contains(&format!("href=\"{url}\"")), "{}", mail.html);
                assert!(!mail.html.contains("<b>") && !mail.text.contains("\nBcc") && !mail.text.contains('{'), "{}", mail.text);
                assert_eq!(mail.text.contains(" 5 "), question == Question::StillAtIt, "{}", mail.text);
                assert_eq!(button(&words, language).1, says);
            }
        }
    }
}
