//! A notification about a host or about a service of a host, in the words that Nagios and Icinga share.
//!
//! The host and the service are the key, `db01!disk /`; a host alone is its own. Within a host's name that has the
//! sign, a backslash stands before it, and before itself. Nobody is woken by a soft state: its retries may still
//! clear it, and Nagios and Icinga notify of hard ones only.

use std::collections::BTreeMap;

use super::reading::{self, Labels};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Notification {
    /// `PROBLEM`, `RECOVERY`, `DowntimeStart`; a change of state that nobody is notified of has none.
    pub kind: Option<String>,
    pub host: String,
    /// None: it is about the host itself.
    pub service: Option<String>,
    /// A word or its number: `CRITICAL`, 2.
    pub state: Option<String>,
    pub is_soft: bool,
    /// What the check said, one line.
    pub output: Option<String>,
    pub author: Option<String>,
    pub comment: Option<String>,
    pub at: Option<Time>,
    pub url: Option<String>,
    /// More to know, after what is said above.
    pub labels: Vec<(&'static str, String)>,
}

/// A state, in capitals, and what it means.
struct State {
    word: String,
    is_over: bool,
    severity: Option<AlertSeverity>,
}

impl State {
    fn of(text: &str, is_service: bool) -> Self {
        let text = reading::line(text, limits::LABEL_CHARS).to_ascii_uppercase();
        let word = match (text.trim_end_matches(".0"), is_service) {
            ("0", true) => "OK",
            ("1", true) => "WARNING",
            ("2", true) => "CRITICAL",
            ("3", true) => "UNKNOWN",
            ("0", false) => "UP",
            ("1", false) => "DOWN",
            ("2", false) => "UNREACHABLE",
            (other, _) => other,
        };
        // That a check cannot tell, or that a host is behind another that is down, is as bad as the integration says.
        let severity = match word {
            "CRITICAL" | "DOWN" => Some(AlertSeverity::Critical),
            "WARNING" => Some(AlertSeverity::Warning),
            _ => None,
        };
        Self { word: word.to_owned(), is_over: matches!(word, "OK" | "UP"), severity }
    }
}

impl Notification {
    /// # Errors
    /// A sentence, when it says neither what happened nor what the state is.
    pub fn signal(self, integration: &Integration) -> Result<Signal, String> {
        let state = self.state.as_deref().map(|state| State::of(state, self.service.is_some()));
        if state.is_none() && self.kind.is_none() {
            return Err("it has neither a notification type nor a state".to_owned());
        }
        let kind = self.kind.as_deref().map(reading::plain).unwrap_or_default();
        // A host may have the sign in its name, and has no service for that.
        let is_odd = self.host.contains('!') || self.host.ends_with('\\');
        let host = if is_odd { self.host.replace('\\', "\\\\").replace('!', "\\!") } else { self.host.clone() };
        let key = self.service.as_ref().map_or_else(|| host.clone(), |service| format!("{host}!{service}"));
        Ok(Signal {
            integration: integration.id.clone(),
            dedup_key: reading::key(&key),
            title: self.title(&kind, state.as_ref()),
            severity: severity(&kind, state.as_ref()),
            action: self.action(&kind, state.as_ref()),
            at: self.at,
            ends_at: None,
            url: self.url.as_deref().and_then(reading::url),
            labels: self.labels(state.as_ref()),
        })
    }

    /// While a check flaps, and while it is in downtime, both keep to themselves what else happens to it: so the end of either says
    /// what the state is by then. A type that they have learnt since goes by its state: rather one call too many than none.
    fn action(&self, kind: &str, state: Option<&State>) -> Action {
        let is_over = state.is_some_and(|state| state.is_over);
        let ignored = |what: &str| {
            let by = self.author.as_ref().map(|author| format!(" by {author}")).unwrap_or_default();
            let why = self.comment.as_ref().map(|comment| format!(": {comment}")).unwrap_or_default();
            Action::Ignore(reading::line(&format!("{what}{by}{why}"), limits::LABEL_CHARS))
        };
        match kind {
            "recovery" => Action::Resolve,
            "acknowledgement" | "acknowledgementset" => Action::Acknowledge,
            "acknowledgementcleared" => ignored("an acknowledgement taken back"),
            "flapping" | "flappingstart" => Action::Trigger,
            "downtime" | "downtimeadded" | "downtimestart" | "downtimestarted" | "downtimetriggered" => ignored("a downtime"),
            "downtimeend" | "downtimecancelled" | "downtimeremoved" if !is_over => ignored("the end of a downtime"),
            "custom" if is_over => ignored("a message"),
            "commentadded" | "commentremoved" | "objectcreated" | "objectmodified" | "objectdeleted" => ignored("a comment"),
            "" | "problem" | "statechange" | "checkresult" if self.is_soft => ignored("a soft state, which may still clear"),
            "problem" => Action::Trigger,
            _ if is_over => Action::Resolve,
            _ => Action::Trigger,
        }
    }

    fn title(&self, kind: &str, state: Option<&State>) -> String {
        // Both names together leave room for the news.
        let short = |name: &str| reading::line(name, limits::TITLE_CHARS / 4);
        let about = match &self.service {
            Some(service) => format!("{} on {}", short(service), short(&self.host)),
            None => short(&self.host),
        };
        let is_flapping = matches!(kind, "flapping" | "flappingstart");
        let news = match state {
            Some(state) if is_flapping => format!("is flapping, {} by now", state.word),
            None if is_flapping => "is flapping".to_owned(),
            Some(state) => format!("is {}", state.word),
            None => format!("has sent {}", self.kind.as_deref().unwrap_or_default()),
        };
        let output = self.output.as_ref().map(|output| format!(": {output}")).unwrap_or_default();
        reading::title(&about, &format!("{news}{output}"))
    }

    fn labels(self, state: Option<&State>) -> BTreeMap<String, String> {
        let mut labels = Labels::default();
        labels.put("host", &self.host);
        labels.put("service", &self.service.unwrap_or_default());
        labels.put("state", state.map_or("", |state| &state.word));
        labels.put("type", &self.kind.unwrap_or_default());
        labels.put("output", &self.output.unwrap_or_default());
        labels.put("author", &self.author.unwrap_or_default());
        labels.put("comment", &self.comment.unwrap_or_default());
        for (name, value) in self.labels {
            match name {
                "action_url" | "notes_url" => labels.put_address(name, &value),
                _ => labels.put(name, &value),
            }
        }
        labels.done()
    }
}

/// A check that flaps deserves a look even if it happens to be well at this moment.
fn severity(kind: &str, state: Option<&State>) -> Option<AlertSeverity> {
    let flaps = matches!(kind, "flapping" | "flappingstart").then_some(AlertSeverity::Warning);
    state.and_then(|state| state.severity).or(flaps)
}
