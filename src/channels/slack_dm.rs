//! A direct message in Slack, with buttons. Who presses one is heard at Slack's own door.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Channel, Content, Direct, Outgoing, Sent};
use crate::domain::input::News;
use crate::domain::setup::ContactKind;
use crate::vendor::slack::{Message, Slack, SlackError};

/// Slack's limit on the text of a section, characters.
const SECTION: usize = 3_000;

pub struct SlackDm {
    slack: Arc<Slack>,
}

impl SlackDm {
    #[must_use]
    pub const fn new(slack: Arc<Slack>) -> Self {
        Self { slack }
    }
}

impl Channel for SlackDm {
    fn kind(&self) -> ContactKind {
        ContactKind::SlackDm
    }

    fn provider(&self) -> &'static str {
        "slack"
    }

    fn from(&self) -> &'static str {
        "reveille"
    }

    fn takes_keys(&self) -> bool {
        true
    }

    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Sent> {
        async move {
            let Content::Direct(direct) = &outgoing.content else { return Sent::unfit() };
            match self.slack.post_message(&outgoing.to, None, None, &message(direct)).await {
                Ok((channel, ts)) => Sent::of(News::Accepted { provider_id: format!("{channel}/{ts}") }),
                Err(SlackError::RateLimited { after }) => {
                    Sent::of(News::Rejected { reason: format!("Slack wants to be left alone for {after}") })
                }
                Err(SlackError::Unreachable(reason)) => Sent::of(News::Unknown { reason }),
                Err(error) => Sent::of(News::Rejected { reason: error.to_string() }),
            }
        }
        .boxed()
    }
}

fn message(direct: &Direct) -> Message {
    let mut blocks = Vec::new();
    for section in &direct.sections {
        // Verbatim: Slack makes no links of what merely looks like one.
        let text: String = escaped(&section.text).chars().take(SECTION).collect();
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }));
        let buttons: Vec<Value> = section
            .buttons
            .iter()
            .enumerate()
            .map(|(n, (label, says))| {
                let id: String = says.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
                let label = json!({ "type": "plain_text", "text": label });
                let mut button = json!({ "type": "button", "action_id": id, "text": label, "value": says });
                if n == 0 {
                    button["style"] = json!("primary");
                }
                button
            })
            .collect();
        if !buttons.is_empty() {
            blocks.push(json!({ "type": "actions", "elements": buttons }));
        }
    }
    Message { text: escaped(&direct.text), blocks }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::Section;

    #[test]
    fn a_strangers_words_mention_nobody() {
        let sections = vec![Section { text: "<!channel> a & b".to_owned(), buttons: vec![("Ack".to_owned(), "42 ack".to_owned())] }];
        let made = message(&Direct { text: "<@U1>".to_owned(), sections });
        assert_eq!(made.text, "&lt;@U1&gt;");
        assert_eq!(made.blocks[0]["text"]["text"], "&lt;!channel&gt; a &amp; b");
        assert_eq!(
            (&made.blocks[1]["elements"][0]["value"], &made.blocks[1]["elements"][0]["action_id"]),
            (&json!("42 ack"), &json!("42_ack"))
        );
    }
}
