//! Healthchecks.io, and a Healthchecks of one's own: a check whose job did not report in time, or reports again. The body is written by
//! its user, one for down and one for up; the guide's are read, and what its transport for `VictorOps` sends.
//!
//! `$CODE` is the key, `$NOW` the time. A variable that it does not know arrives as it was typed.

use std::collections::BTreeMap;

use super::Source;
use super::reading::{self, Labels, Named};
use crate::base::inbound::Inbound;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;

pub struct Healthchecks;

const GUIDE: &str = r#"1. In Healthchecks open **Integrations**, and add a **Webhook**.
2. Under **Execute when a check goes down** choose POST, the address `{url}`, and this body:

   ```
   {"code":"$CODE","name":$NAME_JSON,"slug":"$SLUG","status":"down","now":"$NOW","tags":"$TAGS","exit_status":"$EXITSTATUS","last_ping_body":$BODY_JSON,"url":"https://healthchecks.io/checks/$CODE/details/"}
   ```

3. Under **Execute when a check goes up** choose POST, the same address, and this body:

   ```
   {"code":"$CODE","name":$NAME_JSON,"slug":"$SLUG","status":"up","now":"$NOW","tags":"$TAGS","exit_status":"$EXITSTATUS","last_ping_body":$BODY_JSON,"url":"https://healthchecks.io/checks/$CODE/details/"}
   ```

4. Tick the integration in each check that should wake people.

With a Healthchecks of your own, put its address in the place of `https://healthchecks.io`. Its test is a check named TEST that goes down and stays
so: resolve it by hand. A check has no severity: the integration’s own counts, `error` unless it is set.
"#;

impl Source for Healthchecks {
    fn name(&self) -> &'static str {
        "healthchecks"
    }

    fn title(&self) -> &'static str {
        "Healthchecks"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn takes_get(&self, query: &str) -> bool {
        reading::has_any(query, &["code", "status", "entityid", "messagetype"])
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&Named::read(inbound)?, integration)?])
    }
}

fn signal(fields: &Named, integration: &Integration) -> Result<Signal, String> {
    let code = fields.text(&["code", "entityid"]).ok_or("it has no code")?;
    let state = fields.line(&["status", "messagetype"]).ok_or("it has no status")?;
    let is_up = ["up", "recovery"].iter().any(|word| state.eq_ignore_ascii_case(word));
    let name = fields.line(&["name", "entitydisplayname", "slug"]).unwrap_or_else(|| format!("Check {code}"));
    let news = match state.to_ascii_lowercase().as_str() {
        "critical" => "is down".to_owned(),
        "recovery" => "is up".to_owned(),
        _ => format!("is {state}"),
    };
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&code),
        title: reading::title(&name, &news),
        severity: None,
        action: if is_up { Action::Resolve } else { Action::Trigger },
        at: fields.text(&["now"]).and_then(|now| reading::rfc3339(&now)),
        ends_at: None,
        url: fields.text(&["url"]).and_then(|url| reading::url(&url)),
        labels: labels(&state, fields),
    })
}

fn labels(state: &str, fields: &Named) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("state", state);
    labels.put_scalar("slug", fields.get("slug"));
    // Its tags are words with a space between.
    let tags = fields.line(&["tags"]).unwrap_or_default();
    labels.put("tags", &tags.split(' ').collect::<Vec<_>>().join(","));
    // -1 is its word for "it did not say".
    labels.put("exit_status", &fields.line(&["exitstatus"]).filter(|status| status != "-1").unwrap_or_default());
    labels.put_scalar("last_ping", fields.get("lastpingbody"));
    labels.put_scalar("message", fields.get("statemessage"));
    labels.done()
}
