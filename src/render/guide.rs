//! Guides: what to paste where at a sender, from Markdown to a page and to a terminal. A guide never brings markup of its own.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream, html};

/// What stands in the places of a guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// For `{url}`: the integration's own address.
    pub url: String,
    /// For `{server}`: Reveille's, without a slash at the end.
    pub server: String,
    /// For `{key}`.
    pub key: String,
}

impl Places {
    fn filled(&self, text: &str) -> String {
        text.replace("{url}", &self.url).replace("{server}", &self.server).replace("{key}", &self.key)
    }
}

/// The guide as it stands in a terminal.
#[must_use]
pub fn text(guide: &str, places: &Places) -> String {
    places.filled(guide).trim().to_owned()
}

/// The guide as HTML, to stand below a heading of the second level. What looks like HTML in it is shown as text, and so is whatever is
/// filled in.
#[must_use]
pub fn html(guide: &str, places: &Places) -> String {
    let events = TextMergeStream::new(Parser::new_ext(guide, Options::ENABLE_TABLES));
    let mut page = String::new();
    html::push_html(&mut page, events.map(|event| tamed(event, places)));
    page
}

fn tamed<'a>(event: Event<'a>, places: &Places) -> Event<'a> {
    match event {
        Event::Text(text) => Event::Text(places.filled(&text).into()),
        Event::Code(text) => Event::Code(places.filled(&text).into()),
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        // Whoever cannot use a mouse has to reach what is wider than the page.
        Event::Start(Tag::CodeBlock(_)) => Event::Html("<pre tabindex=\"0\" data-copy><code>".into()),
        Event::End(TagEnd::CodeBlock) => Event::Html("</code></pre>\n".into()),
        Event::Start(Tag::Heading { .. }) => {
            Event::Start(Tag::Heading { level: HeadingLevel::H3, id: None, classes: Vec::new(), attrs: Vec::new() })
        }
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Heading(HeadingLevel::H3)),
        // A link can do no more than open a page.
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let to = places.filled(&dest_url);
            let is_web = ["https://", "http://"].iter().any(|scheme| to.starts_with(scheme));
            Event::Start(Tag::Link { link_type, dest_url: if is_web { to.into() } else { "".into() }, title, id })
        }
        // A picture would be fetched from elsewhere; its words remain.
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places {
            url: "https://r.example/hooks/generic/a_key_<x>".to_owned(),
            server: "https://r.example".to_owned(),
            key: "a_key_<x>".to_owned(),
        }
    }

    #[test]
    fn a_guide_is_shown_with_its_places_filled() {
        let guide = "# Where\n\nPaste `{url}` with *care*:\n\n```sh\ncurl '{url}'\n```\n\n1. one\n2. [there](https://x.example/?a=1&b=2)\n";
        let expected = "<h3>Where</h3>\n\
             <p>Paste <code>https://r.example/hooks/generic/a_key_&lt;x&gt;</code> with <em>care</em>:</p>\n\
             <pre tabindex=\"0\" data-copy><code>curl 'https://r.example/hooks/generic/a_key_&lt;x&gt;'\n</code></pre>\n\
             <ol>\n<li>one</li>\n\
             <li><a href=\"https://x.example/?a=1&amp;b=2\">there</a></li>\n</ol>\n";
        assert_eq!(html(guide, &places()), expected);
        assert_eq!(
            text("Paste {url} of {server}, {key}\n\n", &places()),
            format!("Paste {} of {}, {}", places().url, places().server, places().key)
        );
    }

    #[test]
    fn nothing_in_a_guide_is_markup_of_its_own() {
        let guide =
            "<script>alert(1)</script>\n\na <b onclick=x>b</b> ![p](https://x.example/p.png) [q](javascript:alert(1)) <https://ok.example>";
        let page = html(guide, &places());
        for bad in ["<script", "<b", "<img", "javascript:", "src="] {
            assert!(!page.contains(bad), "{bad}: {page}");
        }
        assert!(
            page.contains("&lt;script&gt;alert(1)") && page.contains("<em>p</em>") && page.contains("href=\"https://ok.example\""),
            "{page}"
        );
    }
}
