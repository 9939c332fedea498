//! What people type, made safe to keep: whatever shows or prints it later, it moves no cursor, breaks no line and turns no writing round.

/// One line: blanks and controls of every kind are one blank.
#[must_use]
pub fn line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).map(|word| word.chars().filter(|c| !turns_writing(*c)).collect());
    words.filter(|word: &String| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// One line of at most `most` characters. Control characters go, because the database refuses NUL, and logs and mail headers end at a
/// line break; so do the marks that reverse the direction of what follows, because they make a page say what it does not.
#[must_use]
pub fn line_within(text: &str, most: usize) -> String {
    if text.len() <= most && is_plain(text) {
        return text.to_owned();
    }
    let mut kept = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let (mut count, mut gap) = (0, false);
    for c in text.chars() {
        // Most are, and need none of the tables.
        if !c.is_ascii_graphic() {
            if c.is_whitespace() || c.is_control() {
                gap = true;
                continue;
            }
            if matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
                continue;
            }
        }
        let wanted = 1 + usize::from(gap && count > 0);
        if count + wanted > most {
            return cut(kept, most);
        }
        if gap && count > 0 {
            kept.push(' ');
        }
        kept.push(c);
        count += wanted;
        gap = false;
    }
    kept
}

/// Whether a text is such a line already, of ASCII alone, as most are.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shows = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let has_gap = bytes.windows(2).any(|pair| pair == b"  ");
    shows && !has_gap && bytes.first() != Some(&b' ') && bytes.last() != Some(&b' ')
}

/// As [`line_within`], and an address whole: a part of it would lead somewhere else. One of more than `most_of_address` bytes is left out.
#[must_use]
pub fn line_or_address(text: &str, most: usize, most_of_address: usize) -> String {
    let text = text.trim();
    if !is_address(text) {
        return line_within(text, most);
    }
    if text.len() <= most_of_address { text.to_owned() } else { String::new() }
}

/// Whether a text is one web address and nothing else.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let of_scheme =
        |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) && text.len() > scheme.len();
    let strange =
        |c: char| c.is_whitespace() || c.is_control() || turns_writing(c) || matches!(c, '<' | '>' | '"' | '\u{fffe}' | '\u{ffff}');
    (of_scheme("https://") || of_scheme("http://")) && !text.chars().any(strange)
}

/// Marks a text that went on, within the limit. An address at its end goes whole, where there is something before it.
fn cut(mut kept: String, most: usize) -> String {
    if let Some((last, _)) = kept.char_indices().nth(most.saturating_sub(1)) {
        kept.truncate(last);
    }
    if let Some((before, word)) = kept.rsplit_once(' ')
        && (word.contains("https://") || word.contains("http://"))
    {
        kept.truncate(before.len());
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// Lines, as they were broken, without blanks around them.
#[must_use]
pub fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let kept: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || turns_writing(*c))).collect();
    kept.trim().to_owned()
}

/// Marks that turn the direction of what follows them, also of words that are ours. Those that only lean a word to its side stay, because
/// Arabic and Hebrew need them.
#[must_use]
pub const fn turns_writing(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_whole_or_not_at_all() {
        let long = format!("https://graphs.example/d/abc?{}", "x=1&".repeat(100));
        assert_eq!(line_or_address(&format!(" {long}\n"), 200, 2_048), long);
        assert_eq!(line_or_address(&long, 200, 400), "");
        assert_eq!(line_or_address("HTTP://a", 200, 400), "HTTP://a");
        assert_eq!(line_or_address("https://a \u{0}b", 200, 400), "https://a b", "words, that begin with one");
        for words in ["https://", "ftp://a", "see https://a", "https://a\u{202e}b", ""] {
            assert!(!is_address(words), "{words}");
        }
        // In words, what would be a part of one goes.
        assert_eq!(line_within(&format!("Look at ({long}) for more"), 100), "Look at…");
        assert_eq!(line_within("Look at https://a for more, and then some", 30), "Look at https://a for more, a…");
        let alone = line_within(&long, 30);
        assert!(alone.ends_with('…') && alone.chars().count() == 30, "nothing would be left of it: {alone}");
    }

    /// The short way and the long one say the same.
    #[test]
    fn a_plain_line_is_itself() {
        for (text, kept) in
            [("a b~", "a b~"), ("", ""), (" a", "a"), ("a ", "a"), ("a  b", "a b"), ("a\tb", "a b"), ("é", "é"), ("a\u{7f}b", "a b")]
        {
            assert_eq!(line_within(text, 10), kept, "{text:?}");
        }
        assert_eq!((line_within("abcd", 4), line_within("abcde", 4)), ("abcd".to_owned(), "abc…".to_owned()));
    }

    #[test]
    fn words_stay_and_orders_go() {
        assert_eq!(line(" a\r\nb\t\u{1b}[2Jc \u{202e}\u{0} \u{2028}d"), "a b [2Jc d");
        assert_eq!(lines(" a\r\n\tb\rc\u{0}\u{202e}d\u{2029}e \n"), "a\n\tb\ncd\ne");
        assert_eq!((line("\u{0}\u{202e} "), lines("\u{feff}\n")), (String::new(), String::new()));
        assert_eq!(line("\u{627}\u{200f} e\u{301} \u{1f468}\u{200d}\u{1f469}"), "\u{627}\u{200f} e\u{301} \u{1f468}\u{200d}\u{1f469}");
    }
}
