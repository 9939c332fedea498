//! Where hostile text goes: a telephone, a page, a room. And what comes back from there.

use std::sync::LazyLock;

use askama::Template as _;
use base64::Engine as _;
use reveille::base::id::{AttemptId, IdSource, Number};
use reveille::base::limits;
use reveille::base::secret::{Secret, hmac_sha1};
use reveille::base::time::{Span, Time};
use reveille::boot::wire;
use reveille::channels::voice::Voice;
use reveille::channels::{Channel as _, HearError, Words};
use reveille::domain::setup::{Language, Severity};
use reveille::render::brief::{self, TextWords};
use reveille::render::csv;
use reveille::render::html::{Frame, ProblemPage};
use reveille::render::letter::{self, LetterWords};
use reveille::render::spoken::{self, CallWords, SpokenIncident};
use reveille::vendor::slack::Slack;
use reveille::vendor::twilio::Twilio;

use crate::{clock, hostile, request};

const TOKEN: &str = "swordfish";
const URL: &str = "https://pager.example.com";

fn twilio() -> Twilio {
    wire::install_crypto();
    Twilio::new("AC1".to_owned(), vec![Secret::new(TOKEN)], "https://api.twilio.com", clock()).expect("a client")
}

static VOICE: LazyLock<Voice> = LazyLock::new(|| Voice::new(twilio(), "+15005550006".to_owned(), Some(URL)));

/// A callback that Twilio did sign, whatever it says; and the same unsigned.
pub fn callback(input: &[u8]) {
    let (what, body) = match input.iter().position(|byte| *byte == b' ') {
        Some(at) => (String::from_utf8_lossy(&input[..at]).into_owned(), &input[at + 1..]),
        None => ("keys".to_owned(), input),
    };
    let mut inbound = request(body);
    inbound.path = format!("/callbacks/voice/{}/{what}", attempt());
    assert!(matches!(VOICE.hear(&inbound), Err(HearError::BadSignature)), "nobody signed it");
    let mut form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    form.sort();
    form.dedup();
    let fields: String = form.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    let signed = hmac_sha1(TOKEN.as_bytes(), format!("{URL}{}{fields}", inbound.path).as_bytes());
    inbound.headers.push(("x-twilio-signature".to_owned(), base64::engine::general_purpose::STANDARD.encode(signed)));
    match VOICE.hear(&inbound) {
        Ok(_) | Err(HearError::Unreadable) => {}
        Err(error @ HearError::BadSignature) => {
            // Signed over a URL with a port of its own: Twilio's libraries read it in two ways.
            assert!(inbound.path.contains([':', '@', '#', '?', '/', '\\']), "{error}: {}", inbound.path);
        }
    }
}

fn attempt() -> AttemptId {
    AttemptId::make(&mut IdSource::fresh(Time::from_seconds(1_767_571_200)))
}

pub fn spoken(input: &[u8]) {
    let text = String::from_utf8_lossy(input).into_owned();
    let words = CallWords { person_name: text.clone(), incidents: vec![about(&text)], more: 1, repeat: false, drill: false, keys: true };
    let worded = [Language::En, Language::Fr, Language::De, Language::Es].map(|language| {
        let said = spoken::call(&words, language);
        Words { body: said.body, menu: said.menu, goodbye: said.goodbye, language }
    });
    // As it comes, too: whatever the words before it let through.
    let raw = Words { body: text.clone(), menu: "Press 1.".to_owned(), goodbye: text, language: Language::En };
    for words in worded.into_iter().chain([raw]) {
        let twiml = VOICE.answer(&attempt(), &words).body;
        assert!(
            twiml.chars().count() <= limits::TWIML_CHARS || words.goodbye.chars().count() > 200,
            "{} characters",
            twiml.chars().count()
        );
        let document = roxmltree::Document::parse(&twiml).unwrap_or_else(|error| panic!("{error}: {twiml:?}"));
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            assert!(["Response", "Say", "Gather", "Pause", "Hangup"].contains(&node.tag_name().name()), "{twiml}");
        }
    }
}

pub fn page(input: &[u8]) {
    let shown = |text: &str| {
        let frame = Frame { css: String::new(), js: String::new(), here: "", signed_in: None };
        ProblemPage { frame, title: text.to_owned(), detail: text.to_owned() }.render().expect("it renders")
    };
    let text = String::from_utf8_lossy(input);
    assert_eq!(marks(&shown(&text)), marks(&shown("")), "{text:?}");
}

/// A page's tags and quotes, which no text may add to.
fn marks(page: &str) -> [usize; 3] {
    ['<', '>', '"'].map(|mark| page.matches(mark).count())
}

fn about(text: &str) -> SpokenIncident {
    SpokenIncident {
        is_outlasting: false,
        number: Number(42),
        severity: Severity::Sev1,
        service_name: text.to_owned(),
        title: text.to_owned(),
        alerts_count: 3,
        opened_ago: Span::minutes(2),
        storm: None,
    }
}

pub fn letter(input: &[u8]) {
    let made = |text: &str, language| {
        let incidents = vec![(about(text), Some(format!("{URL}/incidents/42")))];
        letter::mail(&LetterWords { incidents, more: 1, acknowledge: Some(format!("{URL}/acknowledge/x")) }, language)
    };
    let text = String::from_utf8_lossy(input);
    for language in Language::ALL {
        let (with, without) = (made(&text, language), made("", language));
        assert!(!with.subject.contains(char::is_control), "{:?}", with.subject);
        assert_eq!(marks(&with.html), marks(&without.html), "{text:?}");
        assert!(!with.text.contains(|c: char| c.is_control() && c != '\n'), "{:?}", with.text);
        assert_eq!(with.text.lines().count(), without.text.lines().count(), "{text:?}");
        let addresses = |text: &str| text.matches("://").count();
        assert_eq!(addresses(&with.text), addresses(&without.text), "{text:?}");
    }
}

pub fn text(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for language in Language::ALL {
        let said = brief::text(&TextWords { incidents: vec![about(&text), about(&text)], more: 2, drill: true, replies: true }, language);
        assert!(!said.contains(char::is_control) && !said.contains("://") && said.chars().count() <= limits::TEXT_PLACES, "{said:?}");
    }
    // An answer is a text too, and its own lines stay.
    assert!(brief::sized(&text).chars().count() <= limits::TEXT_PLACES);
}

pub fn csv(input: &[u8]) {
    let text = String::from_utf8_lossy(input).into_owned();
    let file = csv::table([vec![text.clone(), "plain".to_owned(), text]]);
    let line = file.strip_suffix("\r\n").expect("a row ends");
    assert!(!line.contains(char::is_control), "{line:?}");
    // Read back as RFC 4180 says.
    let (mut fields, mut quoted, mut chars) = (vec![String::new()], false, line.chars().peekable());
    while let Some(c) = chars.next() {
        let field = fields.last_mut().expect("there is one");
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    assert!(!quoted && fields.len() == 3 && fields[1] == "plain" && fields[0] == fields[2], "{line:?}");
    assert!(!fields[0].starts_with(['=', '+', '-', '@', '\t', '\r', ' ', '\u{feff}', '\u{ff1d}']), "{line:?}");
}

pub fn signatures(input: &[u8]) {
    static SLACK: LazyLock<Slack> = LazyLock::new(|| {
        wire::install_crypto();
        Slack::new(&Secret::new("xoxb-1"), None, vec![Secret::new(TOKEN)], "https://slack.com", clock()).expect("a client")
    });
    static TWILIO: LazyLock<Twilio> = LazyLock::new(twilio);
    let text = String::from_utf8_lossy(input);
    let (signature, stamp) = text.split_once(' ').unwrap_or((&text, ""));
    assert!(!SLACK.verify(stamp, signature, input), "nobody signed it");
    assert!(!TWILIO.verify(&text, &[(stamp.to_owned(), signature.to_owned())], signature), "nobody signed it");
}

#[test]
fn every_hostile_text_goes_through_every_sink() {
    for text in hostile::TEXTS {
        spoken(text.as_bytes());
        page(text.as_bytes());
        letter(text.as_bytes());
        self::text(text.as_bytes());
        csv(text.as_bytes());
        callback(text.as_bytes());
        signatures(text.as_bytes());
    }
}
