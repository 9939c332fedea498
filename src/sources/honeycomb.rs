//! Honeycomb's trigger webhook, version v0.1.0: TRIGGERED or OK, for one trigger as a whole. The groups that crossed the line are told
//! as labels: none of them is resolved by itself.
//!
//! It says nothing of when it happened nor of how bad it is. Its retries carry one `X-Honeycomb-Webhook-Delivery-ID`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::field;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;

pub struct Honeycomb;

const GUIDE: &str = "\
1. In Honeycomb open **Team settings**, **Integrations**, **Trigger recipients**, and add one of the type **Webhook** with the URL
   `{url}`. Leave its payload as it is. The shared secret may stay empty: the address holds the integration’s key.
2. Name it as the recipient of each trigger that should wake people.

A trigger has no severity: the integration’s own counts, `error` unless it is set. Its test is counted and wakes
nobody.
";

impl Source for Honeycomb {
    fn name(&self) -> &'static str {
        "honeycomb"
    }

    fn title(&self) -> &'static str {
        "Honeycomb"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn delivery(&self, inbound: &Inbound) -> Option<String> {
        inbound.header("x-honeycomb-webhook-delivery-id").map(str::to_owned)
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    // The first bodies of this version had no id.
    let id = ["id", "trigger_url", "name"].iter().find_map(|name| field::filled(body, name)).ok_or("it has neither an id nor a name")?;
    let name = field::text(body, "name").unwrap_or_else(|| format!("Honeycomb trigger {id}"));
    let status = field::text(body, "status").unwrap_or_default();
    let action = if field::is_true(body.get("is_test")) {
        Action::Ignore("the test of a trigger, which wakes nobody".to_owned())
    } else if status.eq_ignore_ascii_case("OK") {
        Action::Resolve
    } else {
        Action::Trigger
    };
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: field::headline(&name, ": ", &field::text(body, "description").unwrap_or_default()),
        severity: None,
        action,
        at: None,
        ends_at: None,
        url: ["result_url", "trigger_url"].iter().find_map(|name| reading::url(&reading::scalar(body.get(*name))?)),
        labels: labels(&status, body),
    })
}

fn labels(status: &str, body: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("status", status);
    labels.put_scalar("description", body.get("trigger_description"));
    labels.put_scalar("operator", body.get("operator"));
    labels.put_scalar("threshold", body.get("threshold"));
    labels.put_url("trigger", body.get("trigger_url"));
    let groups = body.get("result_groups_triggered").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    labels.put_scalar("result", groups.first().and_then(|group| group.get("Result")));
    if groups.len() > 1 {
        labels.put("groups", &groups.len().to_string());
    }
    // What the first one is grouped by stands for all of them.
    labels.put_all(groups.first().and_then(|group| group.get("Group")).and_then(Value::as_object));
    labels.done()
}
