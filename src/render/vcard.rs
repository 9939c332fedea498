//! The calling numbers as a vCard. Version 3.0 (RFC 2426), because not every phone reads 4.0.

/// One card with every number, or `None` where there is none.
#[must_use]
pub fn of(calls_from: Option<&str>, texts_from: Option<&str>, public_url: Option<&str>) -> Option<String> {
    let mut numbers: Vec<&str> = calls_from.into_iter().chain(texts_from).collect();
    numbers.dedup();
    if numbers.is_empty() {
        return None;
    }
    let mut lines = vec!["BEGIN:VCARD".to_owned(), "VERSION:3.0".to_owned(), "N:Reveille;;;;".to_owned(), "FN:Reveille".to_owned()];
    lines.push("ORG:Reveille".to_owned());
    lines.extend(numbers.iter().map(|number| format!("TEL;TYPE=WORK,VOICE,MSG:{}", escaped(number))));
    lines.extend(public_url.map(|url| format!("URL:{}", escaped(url))));
    lines.push("NOTE:Calls and texts when something is on fire. Allow it through \"do not disturb\".".to_owned());
    lines.push("END:VCARD".to_owned());
    Some(lines.iter().map(|line| format!("{}\r\n", folded(line))).collect())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ',' | ';' => escaped.extend(['\\', c]),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line is 75 bytes at most; the rest goes on after a blank.
fn folded(line: &str) -> String {
    let mut folded = String::with_capacity(line.len() + 8);
    let mut length = 0;
    for c in line.chars() {
        if length + c.len_utf8() > 75 {
            folded.push_str("\r\n ");
            length = 1;
        }
        folded.push(c);
        length += c.len_utf8();
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_names_each_number_once() {
        let card = of(Some("+15005550006"), Some("+15005550006"), Some("https://reveille.example.com")).expect("a card");
        assert!(card.starts_with("BEGIN:VCARD\r\nVERSION:3.0\r\n") && card.ends_with("END:VCARD\r\n"));
        assert_eq!(card.matches("TEL;").count(), 1);
        assert_eq!(of(Some("+1"), Some("+2"), None).expect("a card").matches("TEL;").count(), 2);
        assert_eq!(of(None, None, Some("https://x")), None);
        let long = of(Some("+1"), None, Some(&format!("https://{}\r\nTEL:+9", "x".repeat(200)))).expect("a card");
        assert!(long.split("\r\n").all(|line| line.len() <= 75) && long.matches("\r\nTEL").count() == 1, "{long}");
    }
}
