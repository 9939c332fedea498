//! The integrations: which there are, one with all about it, and what can be one.

use askama::Template;

use super::{Frame, Stamp};

/// One integration in the list.
#[derive(Debug, Clone)]
pub struct IntegrationRow {
    pub id: String,
    /// What its sender is called.
    pub title: String,
    pub service: String,
    /// When the last message came, and what became of it.
    pub last: Option<(Stamp, String)>,
    /// What was refused, a sentence each.
    pub refused: Vec<String>,
}

#[derive(Template)]
#[template(path = "integrations.html")]
pub struct IntegrationsPage {
    pub frame: Frame,
    pub rows: Vec<IntegrationRow>,
}

/// How many signals came to one outcome.
#[derive(Debug, Clone)]
pub struct Tally {
    pub outcome: String,
    pub n: i64,
}

/// One request of a sender and what was made of it.
#[derive(Debug, Clone)]
pub struct SampleRow {
    pub at: Stamp,
    pub title: String,
    pub outcome: String,
    pub reason: String,
    pub signals: i64,
    pub alert: Option<String>,
    pub number: Option<i64>,
    /// Its beginning, without secrets.
    pub body: String,
}

/// All about one integration.
#[derive(Debug, Clone)]
pub struct IntegrationCard {
    pub id: String,
    pub title: String,
    pub source: String,
    pub service: String,
    /// With its key only where that was asked for.
    pub address: String,
    pub is_revealed: bool,
    /// To whom the whole address was last shown, and when.
    pub revealed: Option<(String, Stamp)>,
    /// What a message must show beside the key, in words.
    pub proofs: Option<String>,
    /// What was refused, a sentence each.
    pub refused: Vec<String>,
    /// HTML of [`crate::render::guide`].
    pub guide: String,
    /// What came of the test signal just sent.
    pub tested: Option<String>,
    pub tallies: Vec<Tally>,
    /// Newest first.
    pub samples: Vec<SampleRow>,
}

#[derive(Template)]
#[template(path = "integration.html")]
pub struct IntegrationPage {
    pub frame: Frame,
    pub card: IntegrationCard,
}

impl IntegrationPage {
    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }
}

/// A kind of sender that could be one more integration.
#[derive(Debug, Clone)]
pub struct SenderCard {
    pub source: &'static str,
    pub title: String,
    /// What to write into the configuration file.
    pub toml: String,
    /// HTML of [`crate::render::guide`].
    pub guide: String,
    /// The integrations of this kind that there are.
    pub configured: Vec<String>,
}

#[derive(Template)]
#[template(path = "senders.html")]
pub struct SendersPage {
    pub frame: Frame,
    /// What was searched for.
    pub words: String,
    pub cards: Vec<SenderCard>,
}
