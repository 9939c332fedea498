//! `TwiML` as a phone hears it: the verbs of a voice document, read strictly, so that what Twilio would refuse is refused here.

use roxmltree::{Document, Node};

use crate::base::time::Span;

/// How fast the voice speaks: about fifteen characters a second, never less than one second for a phrase.
const CHARACTERS_PER_SECOND: i64 = 15;
/// A phrase repeats at most this often; Twilio's `loop="0"` means for ever, and nobody listens longer.
const MOST_LOOPS: u32 = 100;
/// The longest pause or wait that a document may ask for, seconds: the longest call there is.
const MOST_SECONDS: i64 = 14_400;

/// The longest message in an answer to a text, characters.
const MESSAGE_CHARACTERS: usize = 1_600;

/// A document, its verbs in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script(pub Vec<Verb>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    Utter(Utterance),
    Gather(Gather),
    Redirect { url: String, get: bool },
    Hangup,
}

/// What takes time and asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Utterance {
    Say { text: String, voice: Option<String>, language: Option<String>, times: u32 },
    Pause(Span),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gather {
    pub prompts: Vec<Utterance>,
    pub action: Option<String>,
    pub get: bool,
    /// Whether keys are listened to at all (`input` may ask for speech alone).
    pub keys: bool,
    pub num_digits: Option<usize>,
    pub timeout: Span,
    pub finish_on: Option<char>,
    pub action_on_empty: bool,
}

/// Why a document cannot be played, with Twilio's own error number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub code: u32,
    pub why: String,
}

impl Fault {
    pub(super) fn new(code: u32, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Script, Fault> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let document = Document::parse(text).map_err(|error| Fault::new(12_100, format!("the document does not parse: {error}")))?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        return Err(Fault::new(12_100, format!("the root element is <{}>, not <Response>", root.tag_name().name())));
    }
    let mut verbs = Vec::new();
    for node in elements(root) {
        match node.tag_name().name() {
            "Gather" => verbs.push(Verb::Gather(gather(node)?)),
            "Redirect" => {
                let url = words(node);
                verbs.push(Verb::Redirect { url, get: is_get(node)? });
            }
            // An outgoing call has nobody to reject: Twilio ends it as a hang-up does.
            "Hangup" | "Reject" => verbs.push(Verb::Hangup),
            name => match utterance(node)? {
                Some(Heard::Something(utterance)) => verbs.push(Verb::Utter(utterance)),
                Some(Heard::Nothing) => {}
                None => return Err(Fault::new(12_200, format!("<{name}> is no verb that this stage knows"))),
            },
        }
    }
    Ok(Script(verbs))
}

/// Reads the answer to a text: the messages it asks for. A message without words is refused, as Twilio refuses it.
pub(super) fn messages(text: &str) -> Result<Vec<String>, Fault> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let document = Document::parse(text).map_err(|error| Fault::new(12_100, format!("the document does not parse: {error}")))?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        return Err(Fault::new(12_100, format!("the root element is <{}>, not <Response>", root.tag_name().name())));
    }
    let mut found = Vec::new();
    for node in elements(root) {
        match node.tag_name().name() {
            "Message" | "Sms" => {
                let body = elements(node).find(|child| child.tag_name().name() == "Body").unwrap_or(node);
                let words: String = body.descendants().filter(Node::is_text).filter_map(|part| part.text()).collect();
                let words = words.trim();
                if words.is_empty() {
                    return Err(Fault::new(14_103, "a <Message> has neither words nor a picture"));
                }
                if words.chars().count() > MESSAGE_CHARACTERS {
                    return Err(Fault::new(21_617, format!("a <Message> is longer than {MESSAGE_CHARACTERS} characters")));
                }
                found.push(words.to_owned());
            }
            name => return Err(Fault::new(12_200, format!("<{name}> is no verb of messages that this stage knows"))),
        }
    }
    Ok(found)
}

/// How long a phrase takes to say.
pub(super) fn speech_span(text: &str) -> Span {
    let characters = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    Span::millis(characters.saturating_mul(1_000) / CHARACTERS_PER_SECOND).max(Span::seconds(1))
}

enum Heard {
    Something(Utterance),
    Nothing,
}

fn utterance(node: Node<'_, '_>) -> Result<Option<Heard>, Fault> {
    Ok(Some(match node.tag_name().name() {
        "Say" => {
            let text = words(node);
            let times = match number(node, "loop")? {
                None => 1,
                Some(0) => MOST_LOOPS,
                Some(n) => u32::try_from(n).unwrap_or(MOST_LOOPS).min(MOST_LOOPS),
            };
            let own = |name| node.attribute(name).map(str::to_owned);
            if text.is_empty() {
                Heard::Nothing
            } else {
                Heard::Something(Utterance::Say { text, voice: own("voice"), language: own("language"), times })
            }
        }
        "Pause" => Heard::Something(Utterance::Pause(Span::seconds(number(node, "length")?.unwrap_or(1).min(MOST_SECONDS)))),
        // A sound file says nothing that could be shown.
        "Play" => Heard::Nothing,
        _ => return Ok(None),
    }))
}

fn gather(node: Node<'_, '_>) -> Result<Gather, Fault> {
    let mut prompts = Vec::new();
    for child in elements(node) {
        match utterance(child)? {
            Some(Heard::Something(prompt)) => prompts.push(prompt),
            Some(Heard::Nothing) => {}
            None => return Err(Fault::new(12_200, format!("<{}> cannot stand inside <Gather>", child.tag_name().name()))),
        }
    }
    let input = node.attribute("input").unwrap_or("dtmf");
    if input.split_whitespace().any(|kind| !matches!(kind, "dtmf" | "speech")) {
        return Err(Fault::new(12_200, format!("input=\"{input}\" is neither dtmf nor speech")));
    }
    let timeout = match node.attribute("timeout") {
        None | Some("auto") => 5,
        Some(_) => number(node, "timeout")?.unwrap_or(5),
    };
    let finish_on = match node.attribute("finishOnKey") {
        None => Some('#'),
        Some("") => None,
        Some(text) => match text.chars().next() {
            Some(key) if text.chars().count() == 1 && super::phone::is_key(key) => Some(key),
            Some(_) | None => return Err(Fault::new(13_310, format!("finishOnKey=\"{text}\" is not one key"))),
        },
    };
    let num_digits = match number(node, "numDigits")? {
        Some(0) => return Err(Fault::new(13_314, "numDigits must be at least 1")),
        n => n.and_then(|n| usize::try_from(n).ok()),
    };
    Ok(Gather {
        prompts,
        action: node.attribute("action").filter(|url| !url.trim().is_empty()).map(|url| url.trim().to_owned()),
        get: is_get(node)?,
        keys: input.split_whitespace().any(|kind| kind == "dtmf"),
        num_digits,
        timeout: Span::seconds(timeout.min(MOST_SECONDS)),
        finish_on,
        action_on_empty: node.attribute("actionOnEmptyResult").is_some_and(|value| value.eq_ignore_ascii_case("true")),
    })
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

/// All text below a node with its white space folded, as a voice reads it (SSML tags inside are read through).
fn words(node: Node<'_, '_>) -> String {
    let text: String = node.descendants().filter(Node::is_text).filter_map(|part| part.text()).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn number(node: Node<'_, '_>, name: &str) -> Result<Option<i64>, Fault> {
    let Some(text) = node.attribute(name) else { return Ok(None) };
    match text.trim().parse::<u32>() {
        Ok(n) => Ok(Some(i64::from(n))),
        Err(_) => Err(Fault::new(12_200, format!("{name}=\"{text}\" is not a whole number"))),
    }
}

fn is_get(node: Node<'_, '_>) -> Result<bool, Fault> {
    match node.attribute("method") {
        None => Ok(false),
        Some(method) if method.eq_ignore_ascii_case("POST") => Ok(false),
        Some(method) if method.eq_ignore_ascii_case("GET") => Ok(true),
        Some(method) => Err(Fault::new(12_200, format!("method=\"{method}\" is neither GET nor POST"))),
    }
}
