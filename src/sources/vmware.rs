//! VMware Aria Operations (vRealize Operations): the alerts of its REST notification plug-in, as JSON.
//!
//! `status` says whether an alert is active; the `cancelDate` of an active one says nothing. It posts a new alert and puts what becomes
//! of it, to an address with the alert's id at its end (docs.vmware.com, "Add a REST Plug-In for vRealize Operations Manager
//! Outbound Alerts").

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::field;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Vmware;

const GUIDE: &str = "\
1. In Aria Operations (vRealize Operations) open **Administration**, **Outbound Settings**, and add the plug-in **Rest
   Notification Plugin** with the URL `{url}` and the content type **application/json**. The user name and the password may be
   anything: the address holds the integration’s key.
2. Open **Alerts**, **Notification Settings**, and add a rule that sends what should wake people to it, cancelled alerts included:
   that is what resolves them.

The criticality decides how urgent an alert is: Critical is critical, Immediate an error, Warning a warning.
";

impl Source for Vmware {
    fn name(&self) -> &'static str {
        "vmware"
    }

    fn title(&self) -> &'static str {
        "VMware Aria Operations"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let id = field::filled(body, "alertId").ok_or("it has no alertId")?;
    let status = field::text(body, "status").unwrap_or_default();
    let action = match status.to_ascii_uppercase().as_str() {
        "CANCELED" | "CANCELLED" | "INACTIVE" => Action::Resolve,
        _ => Action::Trigger,
    };
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: title(&id, body),
        severity: severity(body),
        at: at(&action, body),
        action,
        ends_at: None,
        url: None,
        labels: labels(&status, body),
    })
}

/// An alert's own time goes forward with each of its updates; a cancelled one may have been updated before it was cancelled.
fn at(action: &Action, body: &Map<String, Value>) -> Option<Time> {
    let date = |name: &str| reading::millis(body.get(name));
    let updated = date("updateDate").max(date("startDate"));
    if *action == Action::Resolve { updated.max(date("cancelDate")) } else { updated }
}

fn severity(body: &Map<String, Value>) -> Option<AlertSeverity> {
    let word = field::text(body, "criticality")?;
    match word.trim_start_matches("ALERT_CRITICALITY_LEVEL_") {
        "CRITICAL" => Some(AlertSeverity::Critical),
        "IMMEDIATE" => Some(AlertSeverity::Error),
        "WARNING" => Some(AlertSeverity::Warning),
        "INFO" | "INFORMATION" => Some(AlertSeverity::Info),
        _ => None,
    }
}

/// Versions before 6.2 name no alert, only its kind.
fn title(id: &str, body: &Map<String, Value>) -> String {
    let kind = || field::text(body, "subType").map(|kind| kind.trim_start_matches("ALERT_SUBTYPE_").replace('_', " ").to_lowercase());
    let what = field::text(body, "alertName").or_else(kind).unwrap_or_else(|| format!("Alert {id}"));
    field::headline(&what, " on ", &field::text(body, "resourceName").unwrap_or_default())
}

fn labels(status: &str, body: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("status", status);
    for (name, field) in [
        ("type", "type"),
        ("subtype", "subType"),
        ("criticality", "criticality"),
        ("resource", "resourceName"),
        ("resource_kind", "resourceKind"),
        ("resource_id", "resourceId"),
        ("adapter", "adapterKind"),
        ("info", "info"),
        ("health", "Health"),
        ("risk", "Risk"),
        ("efficiency", "Efficiency"),
    ] {
        labels.put_scalar(name, body.get(field));
    }
    labels.done()
}
