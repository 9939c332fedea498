//! Icinga 2. It has no webhook: a `NotificationCommand` sends the macros. The events of its API (`/v1/events`) are read as well, for
//! those who forward them: `Notification`, `StateChange`, `Flapping`, `AcknowledgementSet` and the rest.
//!
//! | macro, field | |
//! |---|---|
//! | `notification.type`, `notification_type` | PROBLEM, RECOVERY, ACKNOWLEDGEMENT, FLAPPINGSTART, …END, DOWNTIMESTART, …END, …REMOVED, CUSTOM |
//! | `host.name`, `service.name`, `host`, `service` | the key; without the second it is about the host |
//! | `service.state`, `state` | a word, or its number: service 0 OK … 3 UNKNOWN, host 0 UP, 1 DOWN |
//! | `state_type` | 0 soft, 1 hard |
//! | `icinga.timet`, `timestamp` | when, seconds since the epoch |

use serde_json::{Map, Value};

use super::Source;
use super::notification::Notification;
use super::reading::{self, Named};
use crate::base::inbound::Inbound;
use crate::base::time::Time;
use crate::domain::input::Signal;
use crate::domain::setup::Integration;

pub struct Icinga2;

const GUIDE: &str = r#"1. Put this into Icinga's configuration, for instance `conf.d/reveille.conf`. Icinga runs the command without a shell, and what a check says goes by
   the environment, so it may hold anything:

   ```
   object NotificationCommand "reveille-host" {
     command = [ "/usr/bin/reveille", "send", "--environment", "ICINGA_" ]
     env = {
       REVEILLE_HOOK = "{url}"
       ICINGA_NOTIFICATION_TYPE = "$notification.type$"
       ICINGA_HOST = "$host.name$"
       ICINGA_STATE = "$host.state$"
       ICINGA_STATE_TYPE = "$host.state_type$"
       ICINGA_OUTPUT = "$host.output$"
       ICINGA_ADDRESS = "$address$"
       ICINGA_AUTHOR = "$notification.author$"
       ICINGA_COMMENT = "$notification.comment$"
       ICINGA_TIMET = "$icinga.timet$"
     }
   }

   object NotificationCommand "reveille-service" {
     command = [ "/usr/bin/reveille", "send", "--environment", "ICINGA_" ]
     env = {
       REVEILLE_HOOK = "{url}"
       ICINGA_NOTIFICATION_TYPE = "$notification.type$"
       ICINGA_HOST = "$host.name$"
       ICINGA_SERVICE = "$service.name$"
       ICINGA_STATE = "$service.state$"
       ICINGA_STATE_TYPE = "$service.state_type$"
       ICINGA_OUTPUT = "$service.output$"
       ICINGA_ADDRESS = "$address$"
       ICINGA_AUTHOR = "$notification.author$"
       ICINGA_COMMENT = "$notification.comment$"
       ICINGA_TIMET = "$icinga.timet$"
     }
   }

   object User "reveille" { }

   apply Notification "reveille-host" to Host {
     command = "reveille-host"
     users = [ "reveille" ]
     assign where true
   }

   apply Notification "reveille-service" to Service {
     command = "reveille-service"
     users = [ "reveille" ]
     assign where true
   }
   ```

2. In place of `assign where true` name the hosts and services that should wake people, and reload Icinga.

Without `reveille` on that machine the command can be `curl` with the same fields: `curl -fsS -m 20 '{url}' --data-urlencode HOST=… --data-urlencode STATE=…`.
CRITICAL and DOWN are critical, WARNING is a warning, and of UNKNOWN the integration’s own severity counts.
Icinga runs it once and forgets it if it fails; `interval` lets it remind.
"#;

impl Source for Icinga2 {
    fn name(&self) -> &'static str {
        "icinga2"
    }

    fn title(&self) -> &'static str {
        "Icinga"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![notification(reading::fields(inbound)?)?.signal(integration)?])
    }
}

fn notification(fields: Map<String, Value>) -> Result<Notification, String> {
    let check = reading::object(&fields, "check_result").cloned().unwrap_or_default();
    let after = Named::of(reading::object(&check, "vars_after").cloned().unwrap_or_default());
    let (fields, check) = (Named::of(fields), Named::of(check));
    let host = fields.text(&["host", "hostname"]).ok_or("it has no host")?;
    let service = fields.text(&["service", "servicename"]);
    let state_type = fields.line(&["statetype"]).or_else(|| after.line(&["statetype"])).map(|kind| kind.trim_end_matches(".0").to_owned());
    // An event of the API names its own type; that of a notification has a type of its own besides.
    let event = fields.line(&["type"]).filter(|kind| !kind.eq_ignore_ascii_case("notification"));
    let mut kind = fields.line(&["notificationtype"]).or(event);
    let is_still = fields.get("isflapping").is_some_and(|truth| reading::scalar(Some(truth)).as_deref() == Some("false"));
    if is_still && kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("flapping")) {
        kind = Some("FlappingEnd".to_owned());
    }
    let labels = [
        ("state_type", state_type.clone()),
        ("address", fields.line(&["address", "hostaddress"])),
        ("command", fields.line(&["command"])),
        ("check_source", check.line(&["checksource"])),
    ];
    Ok(Notification {
        is_soft: state_type.is_some_and(|kind| kind.eq_ignore_ascii_case("soft") || kind == "0"),
        state: fields.line(&["state", "servicestate", "hoststate"]).or_else(|| check.line(&["state"])),
        output: fields.line(&["output", "serviceoutput", "hostoutput"]).or_else(|| check.line(&["output"])),
        author: fields.line(&["author"]),
        comment: fields.line(&["comment", "text"]),
        at: reading::seconds(fields.get("timestamp").or_else(|| fields.get("timet"))).map(Time::from_seconds),
        url: fields.text(&["url", "actionurl", "notesurl"]),
        labels: labels.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        kind,
        host,
        service,
    })
}
