//! Airbrake's webhook: an error that is new, or that came back after it was resolved. One alert per error, whose id is the key.
//!
//! Nothing is signed, no severity is told, and Airbrake never says that an error is resolved: what people resolve here stays so until
//! it comes back. The shape: <https://docs.airbrake.io/docs/integrations/webhooks/>.

use serde_json::Value;

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;

pub struct Airbrake;

const GUIDE: &str = "\
1. In the project’s settings open **Integrations**, **Webhooks**.
2. Paste `{url}` and save. Airbrake takes no other secret: the key in the address is it.
3. Airbrake tells of new errors and of resolved ones that are back, never that one is resolved. Resolve here, or give the integration’s \
service a `close_after`. It tells no severity: the integration’s own counts, `error` unless it is set.
";

impl Source for Airbrake {
    fn name(&self) -> &'static str {
        "airbrake"
    }

    fn title(&self) -> &'static str {
        "Airbrake"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Value, integration: &Integration) -> Result<Signal, String> {
    reading::as_object(body)?;
    if !body["error"].is_object() && body["deploy"].is_object() {
        return Ok(deployed(&body["deploy"], integration));
    }
    let error = &body["error"];
    let id = reading::scalar(error.get("id")).ok_or("it has no error with an id")?;
    let project = reading::text(&error["project"]["name"]);
    let environment = reading::text(&error["environment"]);
    let mut labels = Labels::default();
    labels.put("project", project.as_deref().unwrap_or_default());
    labels.put_scalar("project_id", error["project"].get("id"));
    labels.put("environment", environment.as_deref().unwrap_or_default());
    labels.put_scalar("class", error.get("error_class"));
    labels.put_scalar("file", error.get("file"));
    labels.put_scalar("line", error.get("line_number"));
    labels.put_scalar("times_occurred", error.get("times_occurred"));
    labels.put("request_url", &reading::address(&error["last_notice"]["request_url"]).unwrap_or_default());
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: reading::headline(&[project, environment], &wrong(&id, error)),
        severity: None,
        action: Action::Trigger,
        at: reading::instant(&error["last_occurred_at"]).or_else(|| reading::instant(&error["first_occurred_at"])),
        ends_at: None,
        url: body["airbrake_error_url"].as_str().and_then(reading::url),
        labels: labels.done(),
    })
}

/// Some messages begin with the class already.
fn wrong(id: &str, error: &Value) -> String {
    match (reading::text(&error["error_class"]), reading::text(&error["error_message"])) {
        (Some(class), Some(message)) if !message.starts_with(&class) => format!("{class}: {message}"),
        (_, Some(message)) => message,
        (Some(class), None) => class,
        (None, None) => format!("Airbrake error {id}"),
    }
}

fn deployed(deploy: &Value, integration: &Integration) -> Signal {
    let mut labels = Labels::default();
    for name in ["environment", "revision", "version"] {
        labels.put_scalar(name, deploy.get(name));
    }
    labels.put("repository", &reading::address(&deploy["repository"]).unwrap_or_default());
    Signal {
        integration: integration.id.clone(),
        dedup_key: "airbrake:deploy".to_owned(),
        title: reading::headline(&[reading::text(&deploy["environment"])], "Airbrake reported a deploy"),
        severity: None,
        action: Action::Change("a deploy, reported by Airbrake".to_owned()),
        at: None,
        ends_at: None,
        url: None,
        labels: labels.done(),
    }
}
