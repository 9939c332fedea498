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

/// Marks a text that went on, within the limit.
fn cut(mut kept: String, most: usize) -> String {
    if let Some((last, _)) = kept.char_indices().nth(most.saturating_sub(1)) {
        kept.truncate(last);
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
    fn words_stay_and_orders_go() {
        assert_eq!(line(" a\r\nb\t\u{1b}[2Jc \u{202e}\u{0} \u{2028}d"), "a b [2Jc d");
        assert_eq!(lines(" a\r\n\tb\rc\u{0}\u{202e}d\u{2029}e \n"), "a\n\tb\ncd\ne");
        assert_eq!((line("\u{0}\u{202e} "), lines("\u{feff}\n")), (String::new(), String::new()));
        assert_eq!(line("\u{627}\u{200f} e\u{301} \u{1f468}\u{200d}\u{1f469}"), "\u{627}\u{200f} e\u{301} \u{1f468}\u{200d}\u{1f469}");
    }
}
