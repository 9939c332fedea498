//! `StatusCake`'s webhook, the change of one uptime test: a form, by POST or GET, or JSON with the same names.
//!
//! `Name` and `URL` together are the key, as it sends no id. It sends no time either, so that a message which comes late counts.
//! `Token` is a digest of its user's name and API key, the same in every message: it proves little, and is kept nowhere.

use std::collections::BTreeMap;

use super::Source;
use super::reading::{self, Labels, Named};
use crate::base::inbound::Inbound;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;

pub struct StatusCake;

const GUIDE: &str = "\
1. In StatusCake open **Alerting**, **Contact groups**, and make a group with the **Webhook URL** `{url}`.
2. Choose that group in each test that should wake people. It is told when the test is up again, too.

A test has no severity: the integration’s own counts, `error` unless it is set.

Two tests with equal names and equal addresses are one to StatusCake's webhook: give them names of their own.
";

impl Source for StatusCake {
    fn name(&self) -> &'static str {
        "statuscake"
    }

    fn title(&self) -> &'static str {
        "StatusCake"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn takes_get(&self, query: &str) -> bool {
        reading::has_any(query, &["status", "statuscode", "name", "url"])
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&Named::read(inbound)?, integration)?])
    }
}

fn signal(fields: &Named, integration: &Integration) -> Result<Signal, String> {
    let state = fields.line(&["status"]).ok_or("it has no Status")?;
    let (name, address) = (fields.text(&["name"]), fields.text(&["url"]).map(|url| url.trim().to_owned()));
    let key = match (&name, &address) {
        (Some(name), Some(address)) => format!("{name} {}", reading::address_key(address)),
        (Some(name), None) => name.clone(),
        (None, Some(address)) => reading::address_key(address),
        (None, None) => return Err("it has neither a Name nor a URL".to_owned()),
    };
    let shown = address.clone().filter(|address| !reading::has_login(address));
    let about = fields.line(&["name"]).or(shown).unwrap_or_else(|| "A test without a name".to_owned());
    // A code of 0 is no answer at all.
    let code = fields.line(&["statuscode"]).filter(|code| code != "0");
    let is_up = state.eq_ignore_ascii_case("up");
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key),
        title: reading::title(&about, &format!("is {state}{}", code.map(|code| format!(": status {code}")).unwrap_or_default())),
        severity: None,
        action: if is_up { Action::Resolve } else { Action::Trigger },
        at: None,
        ends_at: None,
        url: address.as_deref().and_then(reading::url),
        labels: labels(&state, address.as_deref(), fields),
    })
}

fn labels(state: &str, address: Option<&str>, fields: &Named) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("state", state);
    labels.put_address("url", address.unwrap_or_default());
    for (name, from) in
        [("status_code", "statuscode"), ("ip", "ip"), ("tags", "tags"), ("check_rate", "checkrate"), ("contact_group", "contactgroup")]
    {
        labels.put_scalar(name, fields.get(from));
    }
    labels.done()
}
