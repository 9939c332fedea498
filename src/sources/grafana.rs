//! Grafana's webhooks: unified alerting, which is Alertmanager's shape (version 1, with more links), and the legacy one up to version 8.
//!
//! | | unified | legacy |
//! |---|---|---|
//! | the key | each alert's fingerprint | `ruleId` |
//! | what happened | each alert's `status` | `state`: alerting, `no_data`, ok; paused and pending tell nothing |
//! | when | `startsAt`, as for Alertmanager | it does not say |
//!
//! A rule without data and one whose data source fails are alerts of their own, `DatasourceNoData` and `DatasourceError`, with the
//! annotations of the rule: its summary would tell what nobody knows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::field;
use super::reading::{self, Labels};
use super::{Signature, Source, alertmanager};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;

pub struct Grafana;

const GUIDE: &str = "\
1. In Grafana open **Alerting**, **Contact points**, and add one of the type **Webhook** with the URL `{url}`. Leave its payload
   as it is, and **Disable resolved message** unticked.
2. Under **Notification policies**, route to it what should wake people.
3. If you would like its messages signed (Grafana 12 and later): put a long random text as **Secret** under **HMAC Signature**, and
   `X-Grafana-Alerting-Timestamp` as **Timestamp Header**; give the integration the same text as its `secret`.

The label `severity` of a rule decides how urgent it is: `critical`, `error`, `warning` or `info`. The test of a contact point is
counted and wakes nobody.

In Grafana 8 and earlier: **Alerting**, **Notification channels**, type **webhook**, the same URL.
";

impl Source for Grafana {
    fn name(&self) -> &'static str {
        "grafana"
    }

    fn title(&self) -> &'static str {
        "Grafana"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    /// Of the body alone, or of the time, a colon and the body: the name of the time's header is whatever its user has typed.
    fn signature(&self) -> Option<Signature> {
        Some(Signature { header: "x-grafana-alerting-signature", prefix: "", timestamp: Some("x-grafana-alerting-timestamp") })
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        let body = reading::json_group(&inbound.body)?;
        let body = reading::as_object(&body)?;
        if !body.contains_key("alerts") && body.contains_key("ruleId") {
            return Ok(vec![legacy(body, integration)?]);
        }
        alertmanager::group(self, body, integration, refine)
    }

    fn body_cap(&self) -> usize {
        limits::GROUP_BODY_BYTES
    }
}

/// What Grafana says of an alert beyond what Alertmanager says.
fn refine(alert: &Map<String, Value>, signal: &mut Signal) {
    let empty = Map::new();
    let labels = reading::object(alert, "labels").unwrap_or(&empty);
    let name = field::text(labels, "alertname").unwrap_or_default();
    if name == "TestAlert" && field::text(labels, "instance").is_some_and(|instance| instance == "Grafana") {
        signal.action = Action::Ignore("the test of a contact point, which wakes nobody".to_owned());
    }
    let rule = field::text(labels, "rulename").unwrap_or_else(|| "a rule".to_owned());
    match name.as_str() {
        "DatasourceNoData" => signal.title = reading::line(&format!("No data for {rule}"), limits::TITLE_CHARS),
        "DatasourceError" => signal.title = reading::line(&format!("The data source fails for {rule}"), limits::TITLE_CHARS),
        _ => {}
    }
    let mut labels = Labels::from(std::mem::take(&mut signal.labels));
    for (name, field) in [("dashboard", "dashboardURL"), ("panel", "panelURL"), ("silence", "silenceURL"), ("image", "imageURL")] {
        labels.put_url(name, alert.get(field));
    }
    labels.put("values", &values(alert));
    let error = reading::object(alert, "annotations").and_then(|annotations| annotations.get("Error"));
    labels.put_scalar("error", error);
    signal.labels = labels.done();
}

/// `B=44.2, C=1`; before version 9.4 the values came as a text alone.
fn values(alert: &Map<String, Value>) -> String {
    let values = reading::object(alert, "values").filter(|values| !values.is_empty());
    let each = |(name, value): (&String, &Value)| Some(format!("{name}={}", reading::scalar(Some(value))?));
    let values = values.map(|values| values.iter().filter_map(each).collect::<Vec<_>>().join(", "));
    values.or_else(|| field::text(alert, "valueString")).unwrap_or_default()
}

fn legacy(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let id = reading::scalar(body.get("ruleId")).ok_or("its ruleId is empty")?;
    let state = field::text(body, "state").ok_or("it has no state")?;
    let empty = Map::new();
    let tags = reading::object(body, "tags").unwrap_or(&empty);
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: title(&id, &state, body),
        severity: alertmanager::severity(tags),
        action: action(&id, &state, body),
        at: None,
        ends_at: None,
        url: reading::scalar(body.get("ruleUrl")).and_then(|url| reading::url(&url)),
        labels: labels(&state, body, tags),
    })
}

/// A rule that was paused has not become well, and one that is pending has not crossed its line for long enough.
fn action(id: &str, state: &str, body: &Map<String, Value>) -> Action {
    if id == "0" && field::text(body, "ruleName").is_some_and(|name| name == "Test notification") {
        return Action::Ignore("the test of a notification channel, which wakes nobody".to_owned());
    }
    match state.to_ascii_lowercase().as_str() {
        "ok" => Action::Resolve,
        "paused" => Action::Ignore("somebody paused the rule, which ends nothing".to_owned()),
        "pending" => Action::Ignore("the rule is pending, and fires if it stays so".to_owned()),
        _ => Action::Trigger,
    }
}

fn title(id: &str, state: &str, body: &Map<String, Value>) -> String {
    let unmarked = |title: String| title.split_once("] ").map_or(title.clone(), |(_, rest)| rest.to_owned());
    let name = field::text(body, "ruleName").or_else(|| field::text(body, "title").map(unmarked));
    let name = name.unwrap_or_else(|| format!("Grafana rule {id}"));
    let no_data = state.eq_ignore_ascii_case("no_data");
    reading::line(&if no_data { format!("No data for {name}") } else { name }, limits::TITLE_CHARS)
}

fn labels(state: &str, body: &Map<String, Value>, tags: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("state", state);
    labels.put_all(Some(tags));
    labels.put_scalar("message", body.get("message"));
    labels.put_url("image", body.get("imageUrl"));
    let matches = body.get("evalMatches").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let each = |found: &Value| Some(format!("{}={}", reading::scalar(found.get("metric"))?, reading::scalar(found.get("value"))?));
    labels.put("values", &matches.iter().take(limits::LABELS).filter_map(each).collect::<Vec<_>>().join(", "));
    for found in matches.iter().take(limits::LABELS) {
        labels.put_all(found.get("tags").and_then(Value::as_object));
    }
    labels.done()
}
