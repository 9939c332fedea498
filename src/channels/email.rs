//! Mail, by SMTP. A server that took it has it: nothing more is heard.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Channel, Content, Outgoing, Sent};
use crate::domain::input::News;
use crate::domain::setup::ContactKind;
use crate::vendor::smtp::{MailError, NewMail, Smtp};

pub struct Email {
    smtp: Smtp,
    /// Whether the links in a mail lead anywhere.
    has_way_back: bool,
}

impl Email {
    #[must_use]
    pub const fn new(smtp: Smtp, has_way_back: bool) -> Self {
        Self { smtp, has_way_back }
    }
}

impl Channel for Email {
    fn kind(&self) -> ContactKind {
        ContactKind::Email
    }

    fn provider(&self) -> &'static str {
        "smtp"
    }

    fn from(&self) -> &str {
        self.smtp.from()
    }

    fn takes_keys(&self) -> bool {
        self.has_way_back
    }

    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Sent> {
        async move {
            let Content::Mail(letter) = &outgoing.content else { return Sent::unfit() };
            let mail = NewMail {
                id: outgoing.attempt.to_string(),
                to: outgoing.to.clone(),
                subject: letter.subject.clone(),
                text: letter.text.clone(),
                html: letter.html.clone(),
                thread: letter.thread.clone(),
            };
            Sent::of(match self.smtp.send(&mail).await {
                Ok(message_id) => News::Accepted { provider_id: message_id },
                Err(MailError::Rejected(reason)) => News::Rejected { reason },
                Err(MailError::Unknown(reason)) => News::Unknown { reason },
            })
        }
        .boxed()
    }
}
