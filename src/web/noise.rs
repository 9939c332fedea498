//! What to do about a monitor that calls people for nothing: a rule for the configuration, and a silence.

use crate::domain::matcher::{Matcher, Operator};
use crate::domain::novelty;
use crate::store::read::Monitor;

/// What both the page and the API say of one monitor.
pub struct Remedy {
    /// Lines for the configuration that make it low urgency.
    pub rule: String,
    /// Where it can be silenced, its matchers filled in.
    pub silence: String,
}

impl Remedy {
    /// `None` where it has no name that a matcher could hold.
    pub fn of(monitor: &Monitor) -> Option<Self> {
        let named = |name: &str, title: &str| match monitor.alertname.as_str() {
            "" => Matcher::new(title, Operator::Matches, &novelty::pattern(&monitor.kind.kind)),
            alertname => Matcher::new(name, Operator::Equal, alertname),
        };
        let (rule, silence) = (named("alertname", "title").ok()?, named("alertname", "alertname").ok()?);
        let integration = monitor.kind.integration.as_str();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("matchers", &silence.to_string()).append_pair("integration", integration);
        let id = format!("quiet-{}", slug(&monitor.kind.kind));
        Some(Self {
            rule: format!(
                "[[route]]\nid = {}\nintegration = {}\nmatch = [{}]\nseverity = \"warning\"\n",
                toml(&id),
                toml(integration),
                toml(&rule.to_string())
            ),
            silence: format!("/silences?{}#add", query.finish()),
        })
    }
}

/// A text as TOML writes it: as it is where it can be, else with JSON's escapes, which are TOML's too.
fn toml(text: &str) -> String {
    if text.contains(|c: char| c == '\'' || c.is_control()) { serde_json::Value::from(text).to_string() } else { format!("'{text}'") }
}

/// A few letters of a kind, for the name of its rule.
fn slug(kind: &str) -> String {
    let words: Vec<String> =
        kind.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).take(4).map(str::to_owned).collect();
    words.join("-").chars().take(40).collect()
}
