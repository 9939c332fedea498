//! Zabbix' webhook media type. What it sends is its user's: the guide's parameters are read, and the names that other media types and
//! scripts give to the same macros.
//!
//! | macro | |
//! |---|---|
//! | `{EVENT.ID}` | the key; the message of a recovery repeats the problem's. Where it is missing, the one in the link, or trigger and host |
//! | `{EVENT.VALUE}`, `{EVENT.STATUS}` | 1 and PROBLEM, 0 and RESOLVED, formerly OK; where one denies the other, it fires |
//! | `{EVENT.NSEVERITY}` | 0 not classified … 5 disaster; some send its name instead |
//! | `{EVENT.UPDATE.STATUS}`, `{EVENT.UPDATE.ACTION}` | 1 if somebody changed the problem by hand, and how |
//! | `{EVENT.TIMESTAMP}`, `{EVENT.RECOVERY.TIMESTAMP}` | seconds since the epoch, since Zabbix 7.0; before it, date and time in its own zone |
//!
//! A macro that it does not know, or that says nothing here, arrives as it was typed or as `*UNKNOWN*`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Source;
use super::reading::{self, Labels, Named};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Zabbix;

const GUIDE: &str = r"1. Save this as `reveille.yaml`. In Zabbix open **Alerts**, **Media types** (before 6.4 **Administration**, **Media types**; 6.0 is the
   oldest that takes it), and **Import** it:

   ```yaml
   zabbix_export:
     version: '6.0'
     media_types:
       - name: Reveille
         type: WEBHOOK
         parameters:
           - name: reveille
             value: '{url}'
           - name: event_id
             value: '{EVENT.ID}'
           - name: event_name
             value: '{EVENT.NAME}'
           - name: event_value
             value: '{EVENT.VALUE}'
           - name: event_status
             value: '{EVENT.STATUS}'
           - name: event_nseverity
             value: '{EVENT.NSEVERITY}'
           - name: event_timestamp
             value: '{EVENT.TIMESTAMP}'
           - name: event_date
             value: '{EVENT.DATE}'
           - name: event_time
             value: '{EVENT.TIME}'
           - name: event_recovery_id
             value: '{EVENT.RECOVERY.ID}'
           - name: event_recovery_timestamp
             value: '{EVENT.RECOVERY.TIMESTAMP}'
           - name: event_recovery_date
             value: '{EVENT.RECOVERY.DATE}'
           - name: event_recovery_time
             value: '{EVENT.RECOVERY.TIME}'
           - name: event_update_status
             value: '{EVENT.UPDATE.STATUS}'
           - name: event_update_action
             value: '{EVENT.UPDATE.ACTION}'
           - name: event_update_message
             value: '{EVENT.UPDATE.MESSAGE}'
           - name: user
             value: '{USER.FULLNAME}'
           - name: host
             value: '{HOST.HOST}'
           - name: host_name
             value: '{HOST.NAME}'
           - name: host_ip
             value: '{HOST.IP}'
           - name: host_groups
             value: '{TRIGGER.HOSTGROUP.NAME}'
           - name: trigger_id
             value: '{TRIGGER.ID}'
           - name: trigger_description
             value: '{TRIGGER.DESCRIPTION}'
           - name: opdata
             value: '{EVENT.OPDATA}'
           - name: event_tags
             value: '{EVENT.TAGSJSON}'
           - name: url
             value: '{$ZABBIX.URL}/tr_events.php?triggerid={TRIGGER.ID}&eventid={EVENT.ID}'
         attempts: '10'
         attempt_interval: 10s
         timeout: 10s
         script: |
           var fields = JSON.parse(value), request = new HttpRequest(), address = fields.reveille;
           delete fields.reveille;
           request.addHeader('Content-Type: application/json');
           var answer = request.post(address, JSON.stringify(fields));
           if (request.getStatus() !== 202) {
               throw 'Reveille answered ' + request.getStatus() + ': ' + answer;
           }
           return 'OK';
         message_templates:
           - event_source: TRIGGERS
             operation_mode: PROBLEM
             subject: 'Problem: {EVENT.NAME}'
             message: '{EVENT.NAME}'
           - event_source: TRIGGERS
             operation_mode: RECOVERY
             subject: 'Resolved: {EVENT.NAME}'
             message: '{EVENT.NAME}'
           - event_source: TRIGGERS
             operation_mode: UPDATE
             subject: 'Updated: {EVENT.NAME}'
             message: '{EVENT.NAME}'
   ```

2. Under **Administration**, **Macros** (before 6.4 **General**, **Macros**) set `{$ZABBIX.URL}` to the address of your Zabbix, so that alerts link to it.
3. Give a user who may see those hosts the media **Reveille**, with any word in **Send to**.
4. Under **Alerts**, **Actions**, **Trigger actions** (before 6.4 **Configuration**, **Actions**) send to that user in the operations, the recovery operations and the update operations.

The severity of a trigger decides how urgent it is: Disaster is critical, High an error, Average and Warning are warnings.
";

impl Source for Zabbix {
    fn name(&self) -> &'static str {
        "zabbix"
    }

    fn title(&self) -> &'static str {
        "Zabbix"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&Named::read(inbound)?, integration)?])
    }
}

fn signal(fields: &Named, integration: &Integration) -> Result<Signal, String> {
    let is_over = is_over(fields).ok_or("it has neither an event's value nor its status")?;
    let action = if is_over { Action::Resolve } else { update(fields).unwrap_or(Action::Trigger) };
    let link = fields.text(&["url", "link", "triggerurl"]);
    let (key, is_event) = key(fields, link.as_deref())?;
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key),
        title: title(fields, action == Action::Resolve),
        severity: severity(fields),
        at: at(fields, action == Action::Resolve, is_event),
        ends_at: None,
        url: link.and_then(|link| reading::url(&link)),
        labels: labels(fields),
        action,
    })
}

/// The key, and whether it is an event's, which no other problem ever has again.
fn key(fields: &Named, link: Option<&str>) -> Result<(String, bool), String> {
    let of_link = |name: &str| {
        let (_, query) = link?.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes()).take(limits::FORM_FIELDS);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    };
    if let Some(event) = fields.text(&["eventid", "id"]).or_else(|| of_link("eventid")) {
        return Ok((event, true));
    }
    // All problems of one trigger on one host are then one alert.
    let trigger = fields.text(&["triggerid"]).or_else(|| of_link("triggerid")).or_else(|| fields.text(NAME));
    let trigger = trigger.ok_or("it has neither an event's id nor a trigger")?;
    Ok((fields.text(HOST).map_or_else(|| trigger.clone(), |host| format!("{trigger} {host}")), false))
}

const NAME: &[&str] = &["eventname", "name", "triggername", "trigger"];
const HOST: &[&str] = &["host", "hosthost", "hosthost1", "service", "hostname", "hostname1"];

/// The message of a recovery names the problem's event, which may still be called a problem there, and says of itself that it is over.
/// What contradicts itself is not over. A bare `value` ends nothing: for many it is the item's, `{ITEM.VALUE}`.
fn is_over(fields: &Named) -> Option<bool> {
    let says = |words: &[(&str, &[&str])]| {
        let said = words.iter().filter_map(|(name, over)| Some((fields.line(&[*name])?, over)));
        said.map(|(word, over)| over.iter().any(|over| word.eq_ignore_ascii_case(over))).reduce(|one, other| one && other)
    };
    let words: &[&str] = &["resolved", "ok"];
    if says(&[("eventrecoveryvalue", &["0"]), ("eventrecoverystatus", words)]) == Some(true) {
        return Some(true);
    }
    says(&[("eventvalue", &["0"]), ("eventstatus", words), ("status", words)])
        .or_else(|| says(&[("triggervalue", &["0"]), ("triggerstatus", words)]))
        .or_else(|| says(&[("value", &[]), ("eventrecoveryvalue", &[]), ("eventrecoverystatus", &[])]))
}

/// What somebody did to an open problem by hand. Zabbix names all that was done in one go: `acknowledged, commented`.
fn update(fields: &Named) -> Option<Action> {
    let done = fields.line(&["eventupdateaction", "updateaction"])?;
    if fields.line(&["eventupdatestatus"]).is_some_and(|status| status == "0") {
        return None;
    }
    let did = |what: &str| done.split(',').any(|one| one.trim().to_ascii_lowercase().starts_with(what));
    if did("closed") {
        return Some(Action::Resolve);
    }
    if did("acknowledged") {
        return Some(Action::Acknowledge);
    }
    let is_small = done.split(',').all(|one| {
        let one = one.trim().to_ascii_lowercase();
        ["commented", "unacknowledged", "suppressed", "unsuppressed"].iter().any(|small| one.starts_with(small))
    });
    is_small.then(|| Action::Ignore(reading::line(&format!("an update of the problem: {done}"), limits::LABEL_CHARS)))
}

/// As Zabbix' own media types translate it. Not classified says nothing, and the integration's counts.
fn severity(fields: &Named) -> Option<AlertSeverity> {
    let word = fields.line(&["eventnseverity", "nseverity", "eventseverity", "severity", "triggernseverity", "triggerseverity"])?;
    match reading::plain(&word).as_str() {
        "5" | "disaster" => Some(AlertSeverity::Critical),
        "4" | "high" => Some(AlertSeverity::Error),
        "3" | "average" | "2" | "warning" => Some(AlertSeverity::Warning),
        "1" | "information" => Some(AlertSeverity::Info),
        _ => None,
    }
}

/// When the problem began, or when it was over. Without a timestamp it is the clock on Zabbix' own wall, compared with itself alone. In
/// the night in which that clock is put back, a problem may seem to end before it began, which it does not; and the next problem may seem
/// to begin before it, so that clock is heard only where each problem has a key of its own.
fn at(fields: &Named, is_over: bool, is_event: bool) -> Option<Time> {
    let wall = |date: &str, time: &str| {
        let date = fields.line(&[date]).filter(|_| is_event)?.replace('.', "-");
        reading::utc(&format!("{date} {}", fields.line(&[time])?))
    };
    let time = |timestamp: &str, date: &str, time: &str| {
        reading::seconds(fields.get(timestamp)).map(Time::from_seconds).or_else(|| wall(date, time))
    };
    let began = time("eventtimestamp", "eventdate", "eventtime");
    if !is_over {
        return began;
    }
    let ended = time("eventrecoverytimestamp", "eventrecoverydate", "eventrecoverytime");
    match (began, ended) {
        (Some(began), Some(ended)) => Some(ended.max(Time(began.0 + 1))),
        // Without the end's own time it must not look older than what it ends.
        (Some(began), None) => Some(Time(began.0 + 1)),
        (None, ended) => ended,
    }
}

fn title(fields: &Named, is_over: bool) -> String {
    let name = fields.line(NAME).unwrap_or_else(|| "A problem without a name".to_owned());
    let host = fields.line(&["hostname", "host", "hosthost", "hostname1", "hosthost1", "service"]);
    // Many triggers name their host, by the one name or the other.
    let host = host.filter(|host| !name.contains(host) && !fields.line(HOST).is_some_and(|host| name.contains(&host)));
    let about = host.map_or_else(|| name.clone(), |host| format!("{name} on {host}"));
    if is_over { reading::title(&about, "is resolved") } else { reading::line(&about, limits::TITLE_CHARS) }
}

fn labels(fields: &Named) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("host", &fields.line(HOST).unwrap_or_default());
    for (name, from) in [
        ("host_name", "hostname"),
        ("host_ip", "hostip"),
        ("host_groups", "hostgroups"),
        ("host_groups", "triggerhostgroupname"),
        ("severity", "severity"),
        ("severity", "eventseverity"),
        ("description", "triggerdescription"),
        ("description", "description"),
        ("message", "message"),
        ("item", "item"),
        ("item", "itemname1"),
        ("value", "itemvalue1"),
        ("operational_data", "opdata"),
        ("trigger_id", "triggerid"),
        ("action", "actionname"),
        ("update", "eventupdateaction"),
        ("update", "updateaction"),
        ("update_message", "eventupdatemessage"),
        ("update_by", "user"),
    ] {
        labels.put_scalar(name, fields.get(from));
    }
    tags(fields, &mut labels);
    labels.done()
}

/// `{EVENT.TAGSJSON}`: a list of names and values, each a label of its own, so that it can be routed by.
fn tags(fields: &Named, labels: &mut Labels) {
    let Some(text) = fields.text(&["eventtags", "tags", "eventtagsjson"]) else { return };
    let Ok(Value::Array(tags)) = reading::json(text.as_bytes()) else {
        return labels.put("tags", &text);
    };
    for tag in tags.iter().take(limits::LABELS) {
        let (name, value) = (reading::scalar(tag.get("tag")), reading::scalar(tag.get("value")));
        if let Some(name) = name {
            labels.put(&name, &value.unwrap_or_else(|| "true".to_owned()));
        }
    }
}
