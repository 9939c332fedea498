//! `TwiML`: what a call says and which keys it takes.

use super::Words;
use crate::base::limits;
use crate::domain::setup::Language;

/// Twilio reads it in this language and voice: the standard ones of Amazon Polly, which every account has.
const fn say_in(language: Language) -> &'static str {
    match language {
        Language::En => r#"<Say language="en-US" voice="Polly.Joanna">"#,
        Language::Fr => r#"<Say language="fr-FR" voice="Polly.Lea">"#,
        Language::De => r#"<Say language="de-DE" voice="Polly.Vicki">"#,
        Language::Es => r#"<Say language="es-ES" voice="Polly.Lucia">"#,
    }
}

/// A whole call. With `keys`, the URL that takes them, all is said twice and every moment of it takes a key; people answer a phone
/// and listen only from the middle on. The body is cut so that everything fits into what may go with a call.
pub fn call(words: &Words, keys: Option<&str>) -> String {
    // Measured with a body of one character, which no text of ours holds.
    let frame = whole("\u{1}", words, keys);
    let copies = frame.matches('\u{1}').count();
    let room = limits::TWIML_CHARS.saturating_sub(frame.chars().count() - copies) / copies.max(1);
    whole(&fit(&words.body, room), words, keys)
}

/// The answer to a key. With a menu and `keys` it takes the next one; else the call ends after the words.
pub fn answer(words: &Words, keys: Option<&str>) -> String {
    match keys.filter(|_| !words.menu.is_empty()) {
        Some(_) => call(words, keys),
        None => {
            format!("<Response>{}<Hangup/></Response>", say(words.language, &format!("{} {}", escape(&words.body), escape(&words.goodbye))))
        }
    }
}

/// `body` is escaped already.
fn whole(body: &str, words: &Words, keys: Option<&str>) -> String {
    let said = say(words.language, &format!("{body} {}", escape(&words.menu)));
    let goodbye = say(words.language, &escape(&words.goodbye));
    match keys {
        Some(url) => {
            // An empty finishOnKey: "#" and "*" are keys like the others and get an answer.
            let gather = format!(
                r#"<Gather input="dtmf" numDigits="1" finishOnKey="" timeout="{}" action="{}" method="POST">{said}</Gather>"#,
                limits::KEY_WAIT.as_seconds(),
                escape(url)
            );
            format!("<Response>{gather}{gather}{goodbye}<Hangup/></Response>")
        }
        None => format!(r#"<Response>{said}<Pause length="1"/>{said}{goodbye}<Hangup/></Response>"#),
    }
}

/// The answer to a text message: words, or none.
pub fn message(text: Option<&str>) -> String {
    text.map_or_else(|| "<Response/>".to_owned(), |text| format!("<Response><Message>{}</Message></Response>", escape(text)))
}

fn say(language: Language, escaped: &str) -> String {
    let words = escaped.trim();
    if words.is_empty() { String::new() } else { format!("{}{words}</Say>", say_in(language)) }
}

/// The text escaped, at most `room` characters of it, ending with a whole character and if possible a whole word.
fn fit(text: &str, room: usize) -> String {
    let whole = escape(text);
    if whole.chars().count() <= room {
        return whole;
    }
    let mut kept = String::new();
    let mut count = 0;
    for word in text.split_inclusive(' ') {
        let word = escape(word);
        let length = word.chars().count();
        if count + length > room {
            break;
        }
        kept.push_str(&word);
        count += length;
    }
    if kept.is_empty() {
        // One word longer than all the room: cut it between its characters.
        for c in text.chars().map(|c| escape(c.encode_utf8(&mut [0; 4]))) {
            if count + c.chars().count() > room {
                break;
            }
            count += c.chars().count();
            kept.push_str(&c);
        }
    }
    kept
}

/// For text and attributes alike. What XML 1.0 cannot hold even as a reference is left out: one such character would make the whole
/// call silent.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(body: &str) -> Words {
        Words {
            body: body.to_owned(),
            menu: "Press 1.".to_owned(),
            goodbye: "No key was pressed. Goodbye.".to_owned(),
            language: Language::En,
        }
    }

    const KEYS: Option<&str> = Some("https://reveille.example.com/callbacks/voice/att_1/keys");

    #[test]
    fn a_call_says_everything_twice_and_takes_one_key() {
        let twiml = call(&words("Incident 42."), KEYS);
        let gather = concat!(
            r#"<Gather input="dtmf" numDigits="1" finishOnKey="" timeout="8" action="https://reveille.example.com/callbacks/voice/att_1/keys" "#,
            r#"method="POST"><Say language="en-US" voice="Polly.Joanna">Incident 42. Press 1.</Say></Gather>"#
        );
        let goodbye = r#"<Say language="en-US" voice="Polly.Joanna">No key was pressed. Goodbye.</Say><Hangup/>"#;
        assert_eq!(twiml, format!("<Response>{gather}{gather}{goodbye}</Response>"));
    }

    #[test]
    fn without_a_way_back_it_takes_no_key() {
        let twiml = call(&words("Incident 42."), None);
        assert!(!twiml.contains("<Gather") && twiml.matches("Incident 42.").count() == 2, "{twiml}");
        assert!(!answer(&words("Done."), None).contains("<Gather"));
    }

    #[test]
    fn strangers_words_stay_words() {
        let hostile = "</Say><Dial>+15005550000</Dial> & \"q\" 'a' ]]> \0\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{85}\u{fffe}\u{ffff} \r\n\t end 🦀";
        let twiml = call(&words(hostile), KEYS);
        assert!(!twiml.contains("<Dial>"));
        assert!(twiml.contains("&lt;/Say&gt;&lt;Dial&gt;+15005550000&lt;/Dial&gt; &amp; &quot;q&quot; &apos;a&apos; ]]&gt;"), "{twiml}");
        assert!(!twiml.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')));
        assert!(twiml.contains("end 🦀"));
    }

    #[test]
    fn a_call_fits_and_keeps_its_menu() {
        for body in ["word ".repeat(3_000), "&".repeat(9_000), "é".repeat(9_000), "'\"<>&".repeat(2_000)] {
            for keys in [KEYS, None] {
                let twiml = call(&words(&body), keys);
                let count = twiml.chars().count();
                assert!((3_900..=limits::TWIML_CHARS).contains(&count), "{count}");
                assert_eq!(twiml.matches("Press 1.").count(), 2);
                // No reference is cut in two.
                assert!(
                    twiml.split('&').skip(1).all(|rest| ["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|name| rest.starts_with(name)))
                );
            }
        }
    }

    #[test]
    fn an_answer_without_a_menu_ends_the_call() {
        let done = Words {
            body: "Incident 42 is acknowledged.".to_owned(),
            menu: String::new(),
            goodbye: "Good luck.".to_owned(),
            language: Language::En,
        };
        let said = r#"<Say language="en-US" voice="Polly.Joanna">Incident 42 is acknowledged. Good luck.</Say>"#;
        assert_eq!(answer(&done, KEYS), format!("<Response>{said}<Hangup/></Response>"));
        assert_eq!(answer(&words("In detail."), KEYS).matches("<Gather").count(), 2);
    }

    #[test]
    fn each_language_has_its_voice() {
        for (language, voice) in [
            (Language::En, r#"language="en-US" voice="Polly.Joanna""#),
            (Language::Fr, r#"language="fr-FR" voice="Polly.Lea""#),
            (Language::De, r#"language="de-DE" voice="Polly.Vicki""#),
            (Language::Es, r#"language="es-ES" voice="Polly.Lucia""#),
        ] {
            let twiml = call(&Words { language, ..words("Incident 42.") }, KEYS);
            assert_eq!(twiml.matches(voice).count(), 3, "{twiml}");
            assert_eq!(twiml.matches("<Say").count(), 3);
        }
    }

    #[test]
    fn a_written_answer_is_escaped_and_none_is_empty() {
        assert_eq!(message(Some("a<b & c")), "<Response><Message>a&lt;b &amp; c</Message></Response>");
        assert_eq!(message(None), "<Response/>");
    }
}
