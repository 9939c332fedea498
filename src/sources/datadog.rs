//! Datadog's webhook. The body is whatever its user writes. The guide's payload is read, Datadog's default, and any other that names
//! its fields after the variables, in whatever case and however nested. What is left of it when fields are missing:
//!
//! | | taken from, the first that is there |
//! |---|---|
//! | the key | `$ALERT_CYCLE_KEY`, `$AGGREG_KEY`, `$ALERT_ID` with `$ALERT_SCOPE` or the title's `[… on {host:a}]`, the title without its transition. Never `$ID`: each event has another |
//! | what happened | `$ALERT_TRANSITION`, the title's `[Recovered on …]`, `$ALERT_TYPE` |
//! | when | `$DATE`, `$DATE_POSIX`, `$LAST_UPDATED` |
//!
//! A title that holds a measured value is a poor key: its recovery has another. Use the guide's payload.
//!
//! Leave "Encode as form" off. The secret is in the URL alone; there is no signature.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Source;
use super::reading::{self, Labels, plain};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Datadog;

/// Numbers above are milliseconds: as seconds they would be past the year 5000.
const MOST_SECONDS: i64 = 100_000_000_000;

const GUIDE: &str = r#"1. In Datadog open **Integrations**, **Webhooks**, and add a webhook with the name `reveille` and the address `{url}`.
2. Leave its payload as it is, or paste this one, which tells more:

   ```json
   {
     "alert_cycle_key": "$ALERT_CYCLE_KEY",
     "aggreg_key": "$AGGREG_KEY",
     "alert_id": "$ALERT_ID",
     "alert_scope": "$ALERT_SCOPE",
     "alert_transition": "$ALERT_TRANSITION",
     "alert_type": "$ALERT_TYPE",
     "alert_priority": "$ALERT_PRIORITY",
     "alert_title": "$ALERT_TITLE",
     "alert_status": "$ALERT_STATUS",
     "alert_metric": "$ALERT_METRIC",
     "event_type": "$EVENT_TYPE",
     "hostname": "$HOSTNAME",
     "tags": "$TAGS",
     "link": "$LINK",
     "date": "$DATE"
   }
   ```

3. Leave **Encode as form** unticked, and save.
4. Name it in the message of each monitor that should wake people: `@webhook-reveille`. Write it outside of conditions such as
   `{{#is_alert}}`, so that the recovery is sent as well: it resolves the alert.

An alert is an error and a warning a warning. The monitor’s priority makes an alert more urgent: P1 is critical.
"#;

impl Source for Datadog {
    fn name(&self) -> &'static str {
        "datadog"
    }

    fn title(&self) -> &'static str {
        "Datadog"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let fields = Fields::of(body);
    let title = fields.line(&["alerttitle", "eventtitle", "title"]).map(|text| Title::of(&text));
    let transition = fields.line(&["alerttransition", "transition"]);
    let change = Change::of(transition.as_deref(), title.as_ref(), &fields);
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: key(&fields, title.as_ref())?,
        title: named(title.as_ref(), &fields),
        severity: severity(change, &fields),
        action: if change == Change::Recovered { Action::Resolve } else { Action::Trigger },
        at: ["date", "dateposix", "lastupdated"].iter().find_map(|name| moment(fields.find(&[name])?)),
        ends_at: None,
        url: fields.find(&["link", "url", "eventlink"]).and_then(reading::url),
        labels: labels(&fields, transition.as_deref()),
    })
}

/// The body's values under their names in small letters, without punctuation: `alert_cycle_key`, `ALERT_CYCLE_KEY` and
/// `{"alert":{"cycleKey":…}}` are one. What Datadog had nothing to say for is not there.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn of(body: &Map<String, Value>) -> Self {
        let mut fields = Self(BTreeMap::new());
        fields.take("", body, 3);
        fields
    }

    fn take(&mut self, above: &str, object: &Map<String, Value>, levels: usize) {
        for (name, value) in object {
            let name = format!("{above}{}", plain(name));
            match value {
                Value::Object(inner) if levels > 1 => self.take(&name, inner, levels - 1),
                _ => {
                    if let Some(text) = reading::scalar(Some(value)).filter(|text| is_filled(text)) {
                        self.0.entry(name).or_insert(text);
                    }
                }
            }
        }
    }

    fn find(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name)).map(String::as_str)
    }

    /// The first of these that shows something, in one line.
    fn line(&self, names: &[&str]) -> Option<String> {
        let lines = names.iter().filter_map(|name| Some(reading::line(self.0.get(*name)?, limits::TITLE_CHARS)));
        lines.into_iter().find(|line| !line.is_empty())
    }
}

/// Not the word for nothing, and not a variable that Datadog does not know or left as it was.
fn is_filled(text: &str) -> bool {
    let text = text.trim();
    let nothing = text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("none");
    let variable =
        text.strip_prefix('$').is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || b"_0123456789".contains(&byte)));
    !nothing && !variable
}

/// What happened to the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Triggered,
    Warned,
    Recovered,
}

impl Change {
    /// What is not known to be a recovery is none: rather one call too many than none.
    fn of(transition: Option<&str>, title: Option<&Title>, fields: &Fields) -> Self {
        let said = transition.and_then(Self::parse).or_else(|| title?.change);
        said.unwrap_or_else(|| {
            let is_success = fields.find(&["alerttype"]).is_some_and(|kind| plain(kind) == "success");
            if is_success { Self::Recovered } else { Self::Triggered }
        })
    }

    fn parse(text: &str) -> Option<Self> {
        match plain(text).as_str() {
            "triggered" | "retriggered" | "nodata" | "renodata" | "renotify" => Some(Self::Triggered),
            "warn" | "rewarn" => Some(Self::Warned),
            "recovered" => Some(Self::Recovered),
            _ => None,
        }
    }
}

/// `[Recovered on {host:db-3}] Disk is full`, taken apart. What is left is equal for the trigger and the recovery.
struct Title {
    change: Option<Change>,
    scope: Option<String>,
    rest: String,
}

impl Title {
    fn of(line: &str) -> Self {
        let mut title = Self { change: None, scope: None, rest: line.to_owned() };
        // A priority or the mark of a test may stand before the transition.
        for (at, _) in line.match_indices('[').take(4) {
            let Some((inside, after)) = line[at + 1..].split_once(']') else { break };
            let (word, scope) = inside.split_once(" on ").map_or((inside, None), |(word, scope)| (word, Some(scope)));
            if let Some(change) = Change::parse(word) {
                title.change = Some(change);
                title.scope = scope.map(|scope| scope.trim_matches(['{', '}']).to_owned());
                title.rest = reading::line(&format!("{} {}", &line[..at], after), limits::TITLE_CHARS);
                break;
            }
        }
        title
    }

    /// Nothing but the transition is no title.
    fn text(&self) -> Option<String> {
        let scope = self.scope.as_ref().filter(|scope| !scope.is_empty() && *scope != "*");
        let text = match scope {
            Some(scope) if !self.rest.is_empty() => format!("{} ({scope})", self.rest),
            Some(scope) => scope.clone(),
            None => self.rest.clone(),
        };
        (!text.is_empty()).then_some(text)
    }
}

fn key(fields: &Fields, title: Option<&Title>) -> Result<String, String> {
    if let Some(key) = fields.find(&["alertcyclekey", "cyclekey", "aggregkey", "aggregationkey"]) {
        return Ok(reading::key(key));
    }
    if let Some(id) = fields.find(&["alertid", "monitorid"]) {
        let of_title = || title?.scope.as_deref().filter(|scope| !scope.is_empty() && *scope != "*");
        let scope = fields.find(&["alertscope", "scope"]).or_else(of_title);
        return Ok(reading::key(&scope.map_or_else(|| id.to_owned(), |scope| format!("{id}:{scope}"))));
    }
    let title = title.and_then(Title::text).ok_or("it has no alert_cycle_key, aggreg_key, alert_id or title")?;
    Ok(reading::key(&title))
}

fn named(title: Option<&Title>, fields: &Fields) -> String {
    let monitor = || fields.line(&["alertid", "monitorid"]).map(|id| format!("Datadog monitor {id}"));
    let text = title.and_then(Title::text).or_else(monitor).unwrap_or_else(|| "A Datadog monitor".to_owned());
    reading::line(&text, limits::TITLE_CHARS)
}

/// A monitor's type says how bad; its priority, which most leave empty, only ever raises that. A warning threshold stays a warning.
fn severity(change: Change, fields: &Fields) -> Option<AlertSeverity> {
    let by_type = fields.find(&["alerttype"]).and_then(|kind| match plain(kind).as_str() {
        "error" => Some(AlertSeverity::Error),
        "warning" => Some(AlertSeverity::Warning),
        "info" | "success" => Some(AlertSeverity::Info),
        _ => None,
    });
    let by_priority = fields.find(&["alertpriority"]).and_then(|priority| match plain(priority).as_str() {
        "p1" => Some(AlertSeverity::Critical),
        "p2" => Some(AlertSeverity::Error),
        "p3" => Some(AlertSeverity::Warning),
        _ => None,
    });
    match change {
        Change::Warned => Some(AlertSeverity::Warning),
        Change::Triggered => by_type.max(by_priority),
        // The type of a recovery is that of good news.
        Change::Recovered => by_priority,
    }
}

/// Seconds or milliseconds since the epoch, told apart by their size.
fn moment(text: &str) -> Option<Time> {
    let number: i64 = text.trim().parse().ok()?;
    let millis = if number > MOST_SECONDS { number } else { number.checked_mul(1_000)? };
    let at = Time(millis.checked_mul(1_000)?);
    // The same years as for every other time.
    reading::seconds(Some(&at.seconds().into())).map(|_| at)
}

fn labels(fields: &Fields, transition: Option<&str>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("transition", transition.unwrap_or_default());
    let ours: [(&str, &[&str]); 9] = [
        ("monitor", &["alertid", "monitorid"]),
        ("scope", &["alertscope", "scope"]),
        ("priority", &["alertpriority"]),
        ("metric", &["alertmetric"]),
        ("status", &["alertstatus"]),
        ("event_type", &["eventtype"]),
        ("hostname", &["hostname"]),
        ("organisation", &["orgname"]),
        ("text", &["textonlymsg"]),
    ];
    for (name, names) in ours {
        labels.put(name, fields.find(names).unwrap_or_default());
    }
    let tags = fields.find(&["tags", "eventtags", "alerttags"]).unwrap_or_default();
    for (name, values) in grouped(tags) {
        labels.put(name, &values.into_iter().collect::<Vec<_>>().join(","));
    }
    labels.done()
}

/// `role:db,env:prod,spot` by name. A name may come more than once, and a tag without one is a tag.
fn grouped(tags: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut grouped: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for tag in tags.split(',').map(str::trim) {
        let (name, value) = tag.split_once(':').unwrap_or(("tag", tag));
        grouped.entry(name.trim()).or_default().insert(value.trim());
    }
    grouped
}
