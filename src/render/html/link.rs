//! The pages behind the link in a mail.

use askama::Template;

use super::Frame;

/// One incident that the link would acknowledge.
#[derive(Debug, Clone)]
pub struct Offered {
    pub number: i64,
    pub title: String,
    pub severity: &'static str,
    pub service: String,
    /// Who has it, or that it is over; `None`: it waits for somebody.
    pub stands: Option<String>,
}

#[derive(Template)]
#[template(path = "acknowledge.html")]
pub struct AcknowledgePage {
    pub frame: Frame,
    pub link: String,
    /// Pairs the form with this browser.
    pub csrf: String,
    pub person: String,
    pub incidents: Vec<Offered>,
}

impl AcknowledgePage {
    fn waiting(&self) -> usize {
        self.incidents.iter().filter(|incident| incident.stands.is_none()).count()
    }
}

#[derive(Template)]
#[template(path = "acknowledged.html")]
pub struct AcknowledgedPage {
    pub frame: Frame,
    pub done: String,
}
