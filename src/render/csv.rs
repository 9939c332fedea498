//! Tables for spreadsheets (RFC 4180).

/// One table as a file. The first row is its header.
#[must_use]
pub fn table(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut file = String::new();
    for row in rows {
        let fields: Vec<String> = row.iter().map(|text| field(text)).collect();
        file.push_str(&fields.join(","));
        file.push_str("\r\n");
    }
    file
}

/// A field that is text to a spreadsheet too. What begins like a formula is one to Excel, Calc and Sheets, quoted or not, and may run
/// programs or send the sheet away: an apostrophe before it makes it text (OWASP, "CSV Injection"). Control characters and marks that turn
/// the writing round are left out, so that a row is a line.
fn field(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c }).filter(|c| !turns_writing(*c)).collect();
    let line = line.trim();
    let is_formula = line.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let line = if is_formula { format!("'{line}") } else { line.to_owned() };
    if line.contains([',', '"', ';', '\'']) { format!("\"{}\"", line.replace('"', "\"\"")) } else { line }
}

const fn turns_writing(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_is_text() {
        for (text, expected) in [
            ("the disk is full", "the disk is full"),
            ("=cmd|'/C calc'!A0", "\"'=cmd|'/C calc'!A0\""),
            ("  =1+1", "\"'=1+1\""),
            ("\t@SUM(A1)", "\"'@SUM(A1)\""),
            ("\u{feff}=1", "\"'=1\""),
            ("\r\n+1", "\"'+1\""),
            ("-2", "\"'-2\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("a, \"b\"\r\nc", "\"a, \"\"b\"\"  c\""),
            ("a;b", "\"a;b\""),
            ("", ""),
        ] {
            assert_eq!(field(text), expected, "{text:?}");
        }
        assert_eq!(table([vec!["a".to_owned(), "b".to_owned()], vec!["1".to_owned(), "x,y".to_owned()]]), "a,b\r\n1,\"x,y\"\r\n");
    }
}
