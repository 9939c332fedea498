//! Checkly's webhook. The body is its default template, which most people leave as it is; every value in it is a text.
//!
//! | field | |
//! |---|---|
//! | `check_id` | the key |
//! | `alert_type` | `ALERT_FAILURE`, `ALERT_RECOVERY`, `ALERT_DEGRADED`, `ALERT_DEGRADED_FAILURE`, `ALERT_DEGRADED_RECOVERY`, `ALERT_SSL` |
//! | `started_at` | when the run began that changed the state; the header `x-checkly-timestamp` stands in for it |
//!
//! Signed with HMAC-SHA256 over the body, in `x-checkly-signature`. An answer over 399 is asked again five times, 20 s apart.

use std::collections::BTreeMap;

use super::reading::{self, Labels, Named};
use super::{Signature, Source};
use crate::base::inbound::Inbound;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Checkly;

const GUIDE: &str = r#"1. In Checkly open **Alerts**, **Alert channels**, and add a **Webhook** with the method POST and the address `{url}`.
2. Leave its body as it is, or paste this one, which is the same in short:

   ```json
   {
     "event": "{{ALERT_TITLE}}",
     "alert_type": "{{ALERT_TYPE}}",
     "check_name": "{{CHECK_NAME}}",
     "group_name": "{{GROUP_NAME}}",
     "check_id": "{{CHECK_ID}}",
     "check_type": "{{CHECK_TYPE}}",
     "check_error_message": "{{CHECK_ERROR_MESSAGE}}",
     "response_time": "{{RESPONSE_TIME}}",
     "api_check_response_status_code": "{{API_CHECK_RESPONSE_STATUS_CODE}}",
     "run_location": "{{RUN_LOCATION}}",
     "ssl_days_remaining": "{{SSL_DAYS_REMAINING}}",
     "ssl_check_domain": "{{SSL_CHECK_DOMAIN}}",
     "started_at": "{{STARTED_AT}}",
     "tags": "{{TAGS}}",
     "link": "{{RESULT_LINK}}"
   }
   ```

3. Under **Webhook secret** enter a long random text, and give the same to this integration as its `secret`: what is not signed with it is then
   refused.
4. Tick it for failures, recoveries and degraded checks, and choose it in each check or group that should wake people.

A degraded check and a certificate that is about to end are warnings. Of a failure Checkly tells no
severity: the integration’s own counts, `error` unless it is set.
It does not say when a certificate has been renewed: resolve that by hand, or set `close_after` for the service.
"#;

impl Source for Checkly {
    fn name(&self) -> &'static str {
        "checkly"
    }

    fn title(&self) -> &'static str {
        "Checkly"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signature(&self) -> Option<Signature> {
        // The time it sends beside is not part of what it signs.
        Some(Signature { header: "x-checkly-signature", prefix: "", timestamp: None })
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(inbound, &Named::read(inbound)?, integration)?])
    }
}

fn signal(inbound: &Inbound, fields: &Named, integration: &Integration) -> Result<Signal, String> {
    let kind = fields.line(&["alerttype"]).ok_or("it has no alert_type")?.to_ascii_uppercase();
    let key = fields.text(&["checkid"]).or_else(|| fields.text(&["checkname"])).ok_or("it has no check_id")?;
    // A certificate that is about to end fails no run, so no run that succeeds ends it.
    let is_certificate = kind == "ALERT_SSL";
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&if is_certificate { format!("{key}:ssl") } else { key.clone() }),
        title: title(&kind, &key, fields),
        severity: (is_certificate || kind.ends_with("_DEGRADED")).then_some(AlertSeverity::Warning),
        // What is not known to be a recovery is none: rather one call too many than none.
        action: if kind.ends_with("_RECOVERY") { Action::Resolve } else { Action::Trigger },
        at: at(inbound, fields),
        ends_at: None,
        url: fields.text(&["link"]).and_then(|link| reading::url(&link)),
        labels: labels(&kind, fields),
    })
}

fn at(inbound: &Inbound, fields: &Named) -> Option<Time> {
    let began = fields.text(&["startedat"]).and_then(|text| reading::rfc3339(&text));
    began.or_else(|| reading::millis(Some(&inbound.header("x-checkly-timestamp")?.into())))
}

fn title(kind: &str, key: &str, fields: &Named) -> String {
    let name = fields.line(&["checkname"]).unwrap_or_else(|| format!("Check {key}"));
    let news = match kind {
        "ALERT_FAILURE" | "ALERT_DEGRADED_FAILURE" => "has failed".to_owned(),
        "ALERT_RECOVERY" | "ALERT_DEGRADED_RECOVERY" => "has recovered".to_owned(),
        "ALERT_DEGRADED" => "is degraded".to_owned(),
        "ALERT_SSL" => {
            let days = fields.line(&["ssldaysremaining"]).map_or_else(|| "soon".to_owned(), |days| format!("in {days} days"));
            let domain = fields.line(&["sslcheckdomain"]).map(|domain| format!(" for {domain}")).unwrap_or_default();
            format!("has a certificate{domain} that ends {days}")
        }
        _ => format!("is {kind}"),
    };
    let why = fields.line(&["checkerrormessage"]).or_else(|| {
        let status = fields.line(&["apicheckresponsestatuscode"]).filter(|_| news == "has failed")?;
        Some(format!("status {status}"))
    });
    reading::title(&name, &format!("{news}{}", why.map(|why| format!(": {why}")).unwrap_or_default()))
}

fn labels(kind: &str, fields: &Named) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("alert_type", kind);
    for (name, from) in [
        ("check", "checkname"),
        ("group", "groupname"),
        ("check_type", "checktype"),
        ("tags", "tags"),
        ("location", "runlocation"),
        ("region", "region"),
        ("error", "checkerrormessage"),
        ("status_code", "apicheckresponsestatuscode"),
        ("response_time_ms", "responsetime"),
        ("domain", "sslcheckdomain"),
        ("days_remaining", "ssldaysremaining"),
    ] {
        labels.put_scalar(name, fields.get(from));
    }
    labels.done()
}
