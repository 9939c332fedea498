//! `UptimeRobot`'s webhook, the change of one monitor. What it sends is written by its user, as a query, a form or JSON; the variables
//! keep their names in some spelling: `monitorID`, `monitor_id`.
//!
//! | variable | |
//! |---|---|
//! | `monitorID` | the key; where a template leaves it out, the monitor's name and its URL stand in for it |
//! | `alertType` | 1 down, 2 up (unless `alertTypeFriendlyName` says otherwise), 3 the certificate is about to end, which is a condition of its own and never sent as over |
//! | `alertDateTime` | when it changed, seconds since the epoch |
//!
//! A variable that it cannot fill in arrives as it was typed: `*alertDuration*`. Nothing is signed.

use std::collections::BTreeMap;

use super::Source;
use super::reading::{self, Labels, Named};
use crate::base::inbound::Inbound;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct UptimeRobot;

const GUIDE: &str = r#"1. In UptimeRobot open **Integrations & API**, and add a **Webhook** with the address `{url}`.
2. Put this into **POST value**, and tick **Send as JSON**:

   ```json
   {
     "monitorID": "*monitorID*",
     "monitorURL": "*monitorURL*",
     "monitorFriendlyName": "*monitorFriendlyName*",
     "alertType": "*alertType*",
     "alertTypeFriendlyName": "*alertTypeFriendlyName*",
     "alertDetails": "*alertDetails*",
     "alertDuration": "*alertDuration*",
     "alertDateTime": "*alertDateTime*",
     "sslExpiryDate": "*sslExpiryDate*",
     "sslExpiryDaysLeft": "*sslExpiryDaysLeft*"
   }
   ```

   Its default variables do as well, as query string or as POST parameters; then the address ends with a question mark: `{url}?`
3. Choose it in each monitor that should wake people.

A certificate that is about to end is a warning. A monitor that is down has no severity: the integration’s own counts, `error` unless it
is set. UptimeRobot does not say when a certificate has been renewed: resolve that by hand, or set `close_after` for the service.
"#;

/// What is read of a message, in every spelling that its users' templates have.
const FIELDS: [&str; 15] = [
    "monitorid",
    "id",
    "monitorurl",
    "url",
    "monitorfriendlyname",
    "monitorname",
    "name",
    "alerttype",
    "type",
    "alerttypefriendlyname",
    "status",
    "alertdetails",
    "details",
    "alertdatetime",
    "alertduration",
];

/// What `alertType` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Down,
    Up,
    Certificate,
}

impl Source for UptimeRobot {
    fn name(&self) -> &'static str {
        "uptimerobot"
    }

    fn title(&self) -> &'static str {
        "UptimeRobot"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn takes_get(&self, query: &str) -> bool {
        reading::has_any(query, &FIELDS)
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&Named::read(inbound)?, integration)?])
    }
}

fn signal(fields: &Named, integration: &Integration) -> Result<Signal, String> {
    let kind = kind(fields).ok_or("it has no alertType")?;
    let address = fields.text(&["monitorurl", "url"]).map(|url| url.trim().to_owned());
    // One address may be watched in several ways, each under its own name.
    let parts = [fields.text(&["monitorfriendlyname", "monitorname", "name"]), address.as_deref().map(reading::address_key)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let key = fields.text(&["monitorid", "id"]).or_else(|| (!parts.is_empty()).then(|| parts.join(" ")));
    let key = key.ok_or("it does not say which monitor")?;
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&if kind == Kind::Certificate { format!("{key}:ssl") } else { key.clone() }),
        title: title(kind, &key, address.as_deref(), fields),
        severity: (kind == Kind::Certificate).then_some(AlertSeverity::Warning),
        action: if kind == Kind::Up { Action::Resolve } else { Action::Trigger },
        at: reading::seconds(fields.get("alertdatetime")).map(Time::from_seconds),
        ends_at: None,
        url: address.as_deref().and_then(reading::url),
        labels: labels(address.as_deref(), fields),
    })
}

/// The number, else its name. What is neither up nor a certificate is down, and so is what is both up and down: rather one call too many
/// than none.
fn kind(fields: &Named) -> Option<Kind> {
    let number = fields.text(&["alerttype", "type"]);
    let name = fields.text(&["alerttypefriendlyname", "status"]);
    let word = number.as_deref().or(name.as_deref()).map(reading::plain)?;
    let said = |word: &str| match word {
        "1" | "down" => Some(Kind::Down),
        "2" | "up" => Some(Kind::Up),
        "3" | "sslexpiry" => Some(Kind::Certificate),
        _ => None,
    };
    let by_name = name.as_deref().and_then(|name| said(&reading::plain(name)));
    match (said(&word).or(by_name), by_name) {
        (Some(Kind::Up), Some(Kind::Down)) | (None, _) => Some(Kind::Down),
        (kind, _) => kind,
    }
}

fn title(kind: Kind, key: &str, address: Option<&str>, fields: &Named) -> String {
    let shown = address.filter(|address| !reading::has_login(address)).map(str::to_owned);
    let name = fields.line(&["monitorfriendlyname", "monitorname", "name"]).or(shown).unwrap_or_else(|| format!("Monitor {key}"));
    let news = match kind {
        Kind::Up => "is up".to_owned(),
        Kind::Down => match fields.line(&["alerttypefriendlyname", "status"]).filter(|word| !word.eq_ignore_ascii_case("down")) {
            Some(word) => format!("is {word}"),
            None => "is down".to_owned(),
        },
        Kind::Certificate => match fields.line(&["sslexpirydaysleft"]) {
            Some(days) => format!("has a certificate that ends in {days} days"),
            None => "has a certificate that is about to end".to_owned(),
        },
    };
    let details = fields.line(&["alertdetails", "details"]).map(|details| format!(": {details}")).unwrap_or_default();
    reading::title(&name, &format!("{news}{details}"))
}

/// The contacts of the monitor are people's addresses, and stay out.
fn labels(address: Option<&str>, fields: &Named) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put_address("url", address.unwrap_or_default());
    for (name, from) in [
        ("monitor", "monitorfriendlyname"),
        ("state", "alerttypefriendlyname"),
        ("details", "alertdetails"),
        ("duration", "alertfriendlyduration"),
        ("duration", "alertduration"),
        ("certificate_ends", "sslexpirydate"),
        ("tags", "monitortags"),
    ] {
        labels.put_scalar(name, fields.get(from));
    }
    labels.done()
}
