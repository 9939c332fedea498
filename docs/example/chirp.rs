//! Chirp's webhook: one message for each change of a probe. The probe's name is the key.

use serde_json::Value;

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Chirp;

const GUIDE: &str = "\
1. In Chirp open **Probes**, **Hooks**, and add `{url}`.
2. Tick **tell me when it is well again**, so that the alert ends by itself.
";

impl Source for Chirp {
    fn name(&self) -> &'static str {
        "chirp"
    }

    fn title(&self) -> &'static str {
        "Chirp"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Value, integration: &Integration) -> Result<Signal, String> {
    let probe = reading::scalar(body.get("probe")).ok_or("it has no probe")?;
    let mut labels = Labels::default();
    labels.put_scalar("site", body.get("site"));
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&probe),
        title: reading::line(&format!("{probe} is silent"), limits::TITLE_CHARS),
        severity: (body["loud"] == true).then_some(AlertSeverity::Critical),
        // A state that Chirp has added since is not "well": rather one call too many than none.
        action: if body["state"] == "well" { Action::Resolve } else { Action::Trigger },
        at: reading::seconds(body.get("since")).map(crate::base::time::Time::from_seconds),
        ends_at: None,
        url: body["page"].as_str().and_then(reading::url),
        labels: labels.done(),
    })
}
