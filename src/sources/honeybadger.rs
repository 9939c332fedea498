//! Honeybadger's webhook, versions 2 and 3 (in preview): faults, uptime sites, check-ins and alarms, each with an id that is the key.
//!
//! Nothing is signed, and no severity is told. A notice may hold cookies and the whole environment of a server: nothing of either is
//! kept. The events: <https://docs.honeybadger.io/guides/integrations/payloads/v2/>.

use serde_json::Value;

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;

pub struct Honeybadger;

const GUIDE: &str = "\
1. In the project’s settings open **Alerts & Integrations**, and add a **WebHook** with the address `{url}`. Version 2 of the payload is \
the one to choose.
2. Tick what should wake people: errors that occur or exceed a rate, a site that is down, a missing check-in, an alarm. Tick the end of \
each too: **resolved**, **up**, **reporting**, **OK**. Without it the alert stays open here.
3. Deploys are kept as changes. Assignments and comments change nothing.

Honeybadger signs nothing: the key in the address is the secret. It tells no severity: the \
integration’s own counts, `error` unless it is set. An expiring certificate and a spike of the error volume have no end \
that it tells of.
";

impl Source for Honeybadger {
    fn name(&self) -> &'static str {
        "honeybadger"
    }

    fn title(&self) -> &'static str {
        "Honeybadger"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        signals(&reading::json(&inbound.body)?, integration)
    }
}

/// What an event is about: each family has its own object, with an id of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Fault,
    Site,
    Certificate,
    CheckIn,
    Alarm,
    Volume,
    Deploy,
}

fn signals(body: &Value, integration: &Integration) -> Result<Vec<Signal>, String> {
    reading::as_object(body)?;
    let event = reading::text(&body["event"]).ok_or("it has no event")?;
    let family = family(&event, body).ok_or_else(|| format!("its event \"{event}\" is about nothing that has an id"))?;
    let action = action(&event, family, body);
    let signal = |key: &str| Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(key),
        title: title(&event, key, body),
        severity: None,
        action: action.clone(),
        at: at(&event, family, body),
        ends_at: None,
        url: url(family, body),
        labels: labels(&event, body).done(),
    };
    let keys = keys(&event, family, body);
    if keys.is_empty() {
        return Err(format!("what its event \"{event}\" is about has no id"));
    }
    Ok(keys.iter().map(|key| signal(key)).collect())
}

fn family(event: &str, body: &Value) -> Option<Family> {
    match event {
        "occurred" | "rate_exceeded" | "resolved" | "unresolved" | "assigned" | "commented" => Some(Family::Fault),
        "down" | "up" => Some(Family::Site),
        "cert_will_expire" => Some(Family::Certificate),
        "check_in_missing" | "check_in_reporting" => Some(Family::CheckIn),
        "alarm_alert" | "alarm_ok" => Some(Family::Alarm),
        "volume_spike" => Some(Family::Volume),
        "deployed" => Some(Family::Deploy),
        // What has been added since is about the object that it brings.
        _ if body["fault"].is_object() => Some(Family::Fault),
        _ if body["site"].is_object() => Some(Family::Site),
        _ if body["check_in"].is_object() => Some(Family::CheckIn),
        _ if body["alarm"].is_object() => Some(Family::Alarm),
        _ => None,
    }
}

/// The object's id. What is done to many faults at once names them all.
fn keys(event: &str, family: Family, body: &Value) -> Vec<String> {
    let of = |name: &str| reading::scalar(body[name].get("id"));
    let one = match family {
        Family::Fault if matches!(event, "assigned" | "commented") => Some(of("fault").unwrap_or_else(|| format!("honeybadger:{event}"))),
        Family::Fault => of("fault"),
        Family::Site => of("site"),
        // The site may well be up.
        Family::Certificate => of("site").map(|site| format!("{site}:certificate")),
        Family::CheckIn => of("check_in"),
        // Its id may be null; its page is as good a name.
        Family::Alarm => of("alarm").or_else(|| reading::scalar(body["alarm"].get("details_url"))),
        Family::Volume => of("project").map(|project| format!("{project}:volume")),
        Family::Deploy => Some("honeybadger:deploy".to_owned()),
    };
    let many = || body["fault_ids"].as_array().into_iter().flatten().take(limits::BATCH_ENTRIES).filter_map(|id| reading::scalar(Some(id)));
    one.map_or_else(|| many().collect(), |one| vec![one])
}

/// What Honeybadger has added since counts by the state of what it is about: rather one call too many than none. A known event speaks
/// for itself: a fault that occurred may say that it was resolved once.
fn action(event: &str, family: Family, body: &Value) -> Action {
    let is_over = match family {
        Family::Fault => body["fault"]["resolved"] == true,
        Family::Site => body["site"]["state"] == "up",
        Family::CheckIn => body["check_in"]["state"] == "reporting",
        Family::Alarm => body["alarm"]["state"] == "ok",
        Family::Certificate | Family::Volume | Family::Deploy => false,
    };
    match event {
        "occurred" if is_test(body) => Action::Ignore("a test of Honeybadger's".to_owned()),
        "occurred" | "rate_exceeded" | "unresolved" | "down" | "cert_will_expire" | "check_in_missing" | "alarm_alert" | "volume_spike" => {
            Action::Trigger
        }
        "resolved" | "up" | "check_in_reporting" | "alarm_ok" => Action::Resolve,
        "assigned" => Action::Ignore("an error was assigned at Honeybadger".to_owned()),
        "commented" => Action::Ignore("a comment at Honeybadger".to_owned()),
        "deployed" => Action::Change("a deploy, reported by Honeybadger".to_owned()),
        _ if is_over => Action::Resolve,
        _ => Action::Trigger,
    }
}

/// What the button beside the address sends: an error that was never stored, by the name that Honeybadger gives it.
fn is_test(body: &Value) -> bool {
    let fault = &body["fault"];
    fault["klass"] == "TestingException" && fault["created_at"].is_null() && body["notice"]["id"].is_null()
}

/// A fault's last notice: nobody says when it was resolved or opened again, but it was later, and counts as a microsecond later. A late
/// retry of a notice is then older than the resolve, and a new notice is newer.
///
/// A check-in's last report, for both of its events: what is expected may lie in the future already when it is missed. An alarm has no
/// time of its own.
fn at(event: &str, family: Family, body: &Value) -> Option<Time> {
    let (fault, site, outage) = (&body["fault"], &body["site"], &body["outage"]);
    match family {
        Family::Fault => {
            let noticed = reading::instant(&fault["last_notice_at"]).or_else(|| reading::instant(&body["notice"]["created_at"]))?;
            Some(if matches!(event, "occurred" | "rate_exceeded") { noticed } else { noticed + Span(1) })
        }
        Family::Site => {
            let changed = if event == "up" { &outage["up_at"] } else { &outage["down_at"] };
            reading::instant(changed).or_else(|| reading::instant(&site["last_checked_at"]))
        }
        Family::CheckIn => reading::instant(&body["check_in"]["reported_at"]),
        Family::Certificate | Family::Alarm | Family::Volume | Family::Deploy => None,
    }
}

/// Honeybadger's own line says what and where: `[Shop/production] RuntimeError - oops`.
fn title(event: &str, key: &str, body: &Value) -> String {
    let (fault, project) = (&body["fault"], reading::text(&body["project"]["name"]));
    let what = || {
        let named = ["site", "check_in", "alarm"].iter().find_map(|name| reading::text(&body[*name]["name"]));
        match (reading::text(&fault["klass"]), reading::text(&fault["message"])) {
            (Some(class), Some(message)) => format!("{class}: {message}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => format!("{}: {}", named.unwrap_or_else(|| format!("Honeybadger {key}")), event.replace('_', " ")),
        }
    };
    reading::text(&body["message"]).unwrap_or_else(|| reading::headline(&[project, reading::text(&fault["environment"])], &what()))
}

fn url(family: Family, body: &Value) -> Option<String> {
    let (named, other) = match family {
        Family::Fault => (&body["fault"], &body["notice"]),
        Family::Site => (&body["outage"], &body["site"]),
        Family::Certificate => (&body["site"], &body["site"]),
        Family::CheckIn => (&body["check_in"], &body["check_in"]),
        Family::Alarm => (&body["alarm"], &body["alarm"]),
        Family::Volume => (&body["project"], &body["project"]),
        Family::Deploy => (&body["deploy"], &body["deploy"]),
    };
    // A site's `url` is what it checks, and a check-in's is where the job reports: whoever has that can report for it.
    let own = if matches!(family, Family::Fault | Family::Alarm | Family::Deploy) { "url" } else { "details_url" };
    let places = |of: &Value| ["details_url", own].iter().find_map(|name| of[*name].as_str().and_then(reading::url));
    let web = |of: &Value| of["links"]["web"].as_str().and_then(reading::url);
    [named, other].iter().find_map(|of| places(of).or_else(|| web(of))).or_else(|| web(body))
}

fn labels(event: &str, body: &Value) -> Labels {
    let (fault, site, outage) = (&body["fault"], &body["site"], &body["outage"]);
    let mut labels = Labels::default();
    labels.put("event", event);
    labels.put_scalar("project", body["project"].get("name"));
    labels.put_scalar("project_id", fault.get("project_id").or_else(|| body["project"].get("id")));
    labels.put_scalar("environment", fault.get("environment"));
    labels.put_scalar("environment", body["notice"]["environment"].get("environment_name"));
    for (label, name) in [("class", "klass"), ("component", "component"), ("action", "action"), ("notices", "notices_count")] {
        labels.put_scalar(label, fault.get(name));
    }
    labels.put_list("tags", fault.get("tags"));
    labels.put_scalar("site", site.get("name"));
    labels.put("site_url", &reading::address(&site["url"]).unwrap_or_default());
    labels.put_scalar("certificate_expires_at", site.get("cert_will_expire_at"));
    labels.put_scalar("status", outage.get("status"));
    labels.put_scalar("reason", outage.get("reason"));
    for (label, name) in [("check_in", "name"), ("missed", "missed_count"), ("report_period", "report_period")] {
        labels.put_scalar(label, body["check_in"].get(name));
    }
    labels.put_scalar("alarm", body["alarm"].get("name"));
    for name in ["observed", "baseline_median", "factor"] {
        labels.put_scalar(name, body["volume_spike"].get(name));
    }
    labels.put_scalar("environment", body["deploy"].get("environment"));
    labels.put_scalar("revision", body["deploy"].get("revision"));
    labels.put("repository", &reading::address(&body["deploy"]["repository"]).unwrap_or_default());
    labels
}
