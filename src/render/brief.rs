//! Short written words: text messages and the answers to them. A stranger's text never brings a link, and never makes one message many.

use super::spoken::{SpokenIncident, alerts, listed};
use super::words::{self, counted, fill};
use crate::base::id::Number;
use crate::base::limits;
use crate::domain::setup::{Language, Severity};

/// What a text is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextWords {
    /// Worst first, at most [`limits::SPOKEN_INCIDENTS`].
    pub incidents: Vec<SpokenIncident>,
    /// Incidents that are only counted.
    pub more: usize,
    pub drill: bool,
    /// Whether a reply reaches us.
    pub replies: bool,
}

/// Why a reply did nothing, or what else there is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Said what is understood.
    Help,
    /// The verb needs a number: these were named.
    Which {
        verb: &'static str,
        numbers: Vec<Number>,
    },
    UnknownIncident(Number),
    /// There is nothing that a bare reply could mean.
    NothingToAnswer,
    /// It could not be written down.
    NotTaken,
    MayNot,
    /// The contact is open again.
    Started,
}

/// A whole text message. What a person can do is never cut; titles are.
#[must_use]
pub fn text(words: &TextWords, language: Language) -> String {
    let p = words::of(language);
    let total = words.incidents.len() + words.more;
    let number = words.incidents.first().map_or_else(String::new, |incident| incident.number.0.to_string());
    let menu = match (words.replies, total) {
        (true, 1) => fill(p.text_reply_one, &[("n", &number)]),
        (true, _) => fill(p.text_reply_many, &[("n", &number)]),
        (false, _) => p.text_no_reply.to_owned(),
    };
    let mut head = "Reveille".to_owned();
    if words.drill {
        head = format!("{head} [{}]", p.text_drill);
    }
    if total > 1 {
        head = format!("{head}: {}.", counted(i64::try_from(total).unwrap_or(i64::MAX), p.text_several, p.text_several));
    }
    let more = if words.more > 0 { format!(" {}.", fill(p.text_more, &[("n", &words.more.to_string())])) } else { String::new() };
    let lines: Vec<(String, String, String)> = words
        .incidents
        .iter()
        .map(|incident| {
            let service = plain(&incident.service_name, limits::SPOKEN_NAME_CHARS);
            let on = if service.is_empty() { String::new() } else { format!(" {service}") };
            let before = format!("#{} {}{on}: ", incident.number.0, severity(incident.severity));
            let counted = incident.storm.is_some() || total == 1 && incident.alerts_count > 1;
            let outlasting = if incident.is_outlasting { format!(", {}", p.text_outlasting) } else { String::new() };
            let after = if counted { format!(", {}", alerts(incident, language)) } else { String::new() };
            let after = format!("{after}{outlasting}");
            // A storm's own title is one of thousands.
            let title = incident.storm.as_ref().map(|storm| storm.telling.join(", ")).filter(|told| !told.is_empty());
            (before, plain(title.as_ref().unwrap_or(&incident.title), limits::TITLE_CHARS), after)
        })
        .collect();
    let made = |titles: usize| {
        let said: Vec<String> = lines.iter().map(|(before, title, after)| format!("{before}{}{after}", cut(title, titles))).collect();
        gsm(&format!("{head} {}.{more} {menu}", said.join("; ")))
    };
    // Titles give way until the whole fits, each as much as the others.
    let longest = lines.iter().map(|(_, title, _)| title.chars().count()).max().unwrap_or(0);
    (0..=longest).rev().map(made).find(|text| fits(text)).unwrap_or_else(|| shortened(&made(0)))
}

/// The answer to a reply that did nothing by itself.
#[must_use]
pub fn answer(answer: &Answer, language: Language) -> String {
    let p = words::of(language);
    let said = match answer {
        Answer::Help => p.text_help.to_owned(),
        Answer::Which { verb, numbers } => {
            let example = numbers.first().map_or_else(String::new, |number| number.0.to_string());
            fill(p.text_which, &[("verb", verb), ("n", &example), ("numbers", &listed(numbers, language))])
        }
        Answer::UnknownIncident(number) => fill(p.text_unknown_incident, &[("n", &number.0.to_string())]),
        Answer::NothingToAnswer => p.text_nothing.to_owned(),
        Answer::NotTaken => p.text_not_taken.to_owned(),
        Answer::MayNot => p.text_may_not.to_owned(),
        Answer::Started => p.text_started.to_owned(),
    };
    sized(&said)
}

/// Any finished words as one text message.
#[must_use]
pub fn sized(text: &str) -> String {
    let text = gsm(text);
    if fits(&text) { text } else { shortened(&text) }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Sev1 => "SEV1",
        Severity::Sev2 => "SEV2",
        Severity::Sev3 => "SEV3",
        Severity::Sev4 => "SEV4",
    }
}

/// A stranger's text on one line, at most `most` characters of it: no control or direction signs, and nothing that a phone would make a
/// link. A host's name stays readable without its dots.
pub(super) fn plain(text: &str, most: usize) -> String {
    let mut plain = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|c| !is_invisible(*c)).collect();
        if word.is_empty() || word.contains("://") || word.to_ascii_lowercase().contains("www.") {
            continue;
        }
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(&unlinked(&word));
    }
    cut(&plain, most)
}

/// Signs that show nothing and turn or join what stands around them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// `db-3.example.com` becomes `db-3 example com`; numbers and the end of a sentence keep their dots.
fn unlinked(word: &str) -> String {
    let chars: Vec<char> = word.chars().collect();
    let links =
        |n: usize| chars[n] == '.' && n > 0 && chars[n - 1].is_alphanumeric() && chars.get(n + 1).is_some_and(|next| next.is_alphabetic());
    let dot_to_space = |n: usize| if links(n) || chars[n] == '@' && n > 0 { ' ' } else { chars[n] };
    (0..chars.len()).map(dot_to_space).collect()
}

/// At most `most` characters, ending with a whole word where that is near.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(3)).collect();
    let whole = kept.rsplit_once(' ').map(|(whole, _)| whole).filter(|whole| whole.chars().count() + 12 > most).unwrap_or(&kept);
    format!("{}...", whole.trim_end_matches([' ', ',', '.', ':', ';', '-']))
}

/// The characters of GSM 03.38 that take one place, and those that take two (3GPP TS 23.038).
const GSM: &str =
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM_TWO: &str = "\u{c}^{}\\[~]|€";

/// How many places a text takes, and how many there are in two parts of it: 153 of seven bits or 67 of sixteen each, because a part of a
/// longer message carries its own head.
fn places(text: &str) -> (usize, usize) {
    let of = |c: char| if GSM.contains(c) { Some(1) } else { GSM_TWO.contains(c).then_some(2) };
    match text.chars().map(of).sum::<Option<usize>>() {
        Some(places) => (places, limits::TEXT_PLACES),
        None => (text.encode_utf16().count(), limits::TEXT_PLACES_WIDE),
    }
}

fn fits(text: &str) -> bool {
    let (places, most) = places(text);
    places <= most
}

fn shortened(text: &str) -> String {
    let mut text = text.to_owned();
    while !fits(&text) {
        text.pop();
    }
    text
}

/// Signs that GSM lacks as it can write them, where nothing is lost by it; a text in another script stays what it is.
fn gsm(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if GSM.contains(c) || GSM_TWO.contains(c) => folded.push(c),
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{b4}' | '`' => folded.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '«' | '»' => folded.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => folded.push('-'),
            '\u{2026}' => folded.push_str("..."),
            '\u{a0}' | '\u{202f}' | '\u{2009}' => folded.push(' '),
            'á' | 'â' | 'ã' => folded.push('a'),
            'Á' | 'Â' | 'À' | 'Ã' => folded.push('A'),
            'ç' => folded.push('c'),
            'ê' | 'ë' => folded.push('e'),
            'È' | 'Ê' | 'Ë' => folded.push('E'),
            'í' | 'î' | 'ï' => folded.push('i'),
            'Í' | 'Î' | 'Ï' | 'Ì' => folded.push('I'),
            'ó' | 'ô' | 'õ' => folded.push('o'),
            'Ó' | 'Ô' | 'Ò' | 'Õ' => folded.push('O'),
            'ú' | 'û' => folded.push('u'),
            'Ú' | 'Û' | 'Ù' => folded.push('U'),
            'œ' => folded.push_str("oe"),
            'Œ' => folded.push_str("OE"),
            // Pictures would cost the whole text its alphabet.
            c if !c.is_alphanumeric() => {}
            c => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Span;

    fn incident(number: i64, title: &str) -> SpokenIncident {
        SpokenIncident {
            number: Number(number),
            severity: Severity::Sev1,
            service_name: "Public API".to_owned(),
            title: title.to_owned(),
            alerts_count: 12,
            opened_ago: Span::minutes(5),
            storm: None,
            is_outlasting: false,
        }
    }

    fn of(incidents: Vec<SpokenIncident>, more: usize) -> TextWords {
        TextWords { incidents, more, drill: false, replies: true }
    }

    #[test]
    fn a_text_about_one_incident_and_about_several() {
        assert_eq!(
            text(&of(vec![incident(42, "the disk is full")], 0), Language::En),
            "Reveille #42 SEV1 Public API: the disk is full, 12 alerts. Reply 1 to acknowledge, or: resolve 42, escalate 42."
        );
        assert_eq!(
            text(&of(vec![incident(42, "the disk is full"), incident(43, "nobody can pay")], 7), Language::En),
            "Reveille: 9 incidents. #42 SEV1 Public API: the disk is full; #43 SEV1 Public API: nobody can pay. +7 more. \
             Reply 1 to acknowledge all, or: ack 42, resolve 42, escalate 42."
        );
        let deaf = TextWords { replies: false, drill: true, ..of(vec![incident(1, "x")], 0) };
        assert_eq!(text(&deaf, Language::En), "Reveille [Drill] #1 SEV1 Public API: x, 12 alerts. Open Reveille to acknowledge.");
    }

    #[test]
    fn every_language_says_the_number_the_severity_the_title_and_what_to_reply() {
        for language in Language::ALL {
            for words in [of(vec![incident(42, "the disk is full")], 0), of(vec![incident(42, "the disk is full"), incident(43, "x")], 5)] {
                let said = text(&words, language);
                for part in ["#42", "SEV1", "Public API", "the disk is full", " 1 ", "resolve 42", "escalate 42"] {
                    assert!(said.contains(part), "{part} in {said}");
                }
                assert!(places(&said).1 == limits::TEXT_PLACES, "our own words take the small alphabet: {said}");
            }
        }
    }

    #[test]
    fn a_text_is_two_parts_at_most_and_keeps_its_menu() {
        let titles =
            ["word ".repeat(200), "x".repeat(900), "€".repeat(900), "数据库已满".repeat(90), "\u{1f525}".repeat(300), "[a]".repeat(300)];
        for title in &titles {
            for language in Language::ALL {
                for n in 1..=3 {
                    let said = text(&of((0..n).map(|n| incident(10_000 + n, title)).collect(), 999), language);
                    assert!(fits(&said) && said.chars().count() <= 320, "{}: {said}", said.chars().count());
                }
                let said = text(&of(vec![incident(42, title)], 0), language);
                assert!(said.contains("escalate 42") || !places(&said).1 == limits::TEXT_PLACES, "{said}");
            }
        }
    }

    #[test]
    fn strangers_bring_no_link_no_line_and_no_invisible_sign() {
        for (title, said) in [
            ("see https://evil.example/x now", "see now"),
            ("www.evil.example down", "down"),
            ("db-3.example.com: 97.5% full. Really.", "db-3 example com: 97.5% full. Really."),
            ("10.0.0.1 is\r\nSTOP\t\u{202e}live\u{200b}", "10.0.0.1 is STOP live"),
            ("mail root@example.com", "mail root example com"),
            ("", ""),
        ] {
            assert_eq!(plain(title, 300), said);
        }
    }

    #[test]
    fn another_script_keeps_its_letters_and_pictures_cost_nothing() {
        let said = text(&of(vec![incident(42, "数据库 down")], 0), Language::En);
        assert!(said.contains("数据库 down") && places(&said).1 == limits::TEXT_PLACES_WIDE, "{said}");
        let said = text(&of(vec![incident(42, "\u{1f525} disk — “full”…")], 0), Language::En);
        assert!(said.contains("disk - \"full\"..."), "{said}");
    }

    #[test]
    fn every_answer_is_one_text() {
        let numbers = (1..60).map(Number).collect();
        for language in Language::ALL {
            for said in [
                answer(&Answer::Help, language),
                answer(&Answer::Which { verb: "resolve", numbers: vec![Number(42), Number(43)] }, language),
                answer(&Answer::UnknownIncident(Number(42)), language),
                answer(&Answer::NothingToAnswer, language),
                answer(&Answer::NotTaken, language),
                answer(&Answer::MayNot, language),
                answer(&Answer::Started, language),
            ] {
                assert!(fits(&said) && !said.contains('{') && said.len() > 10, "{said}");
            }
        }
        assert!(fits(&answer(&Answer::Which { verb: "ack", numbers }, Language::De)));
        assert!(answer(&Answer::Which { verb: "resolve", numbers: vec![Number(42), Number(43)] }, Language::Es).contains("resolve 42"));
    }
}
