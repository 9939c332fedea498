//! Azure Monitor: the common alert schema, and what action groups send without it.
//!
//! | `schemaId` | the key | what happened | when |
//! |---|---|---|---|
//! | `azureMonitorCommonAlertSchema` | `alertId` | `monitorCondition`: Fired, Resolved | `firedDateTime`, `resolvedDateTime` |
//! | `AzureMonitorMetricAlert`, and none (classic) | the rule, the resource and the dimensions | `status`: Activated, Deactivated, Resolved | `timestamp` |
//! | `Microsoft.Insights/LogAlert` | the rule | it never says that it is over | `SearchIntervalEndtimeUtc` |
//! | `Microsoft.Insights/activityLogs` | the event's operation and resource | never either | `eventTimestamp` |
//!
//! Alerts on the activity log stay fired whatever follows, with another `alertId` for each event. Of a service's health the tracking id
//! holds the events together, and of a resource's health the resource; both say by a word of their own when it is over.
//!
//! The body is cut at 256 KB. Resources are named without regard to case, so a key made of them is in small letters.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Source;
use super::field;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Azure;

const GUIDE: &str = "\
1. In the Azure portal open **Monitor**, **Alerts**, **Action groups**, and give one an action of the type **Webhook** with the URI
   `{url}`. Enable the common alert schema.
2. Name the action group in each alert rule that should wake people, and let the rule resolve its alerts automatically.
3. Choose the severity of each rule. Sev0 is critical, Sev1 an error, Sev2 a warning. Sev3, which the portal proposes for a new
   rule, and Sev4 are informational, and wake nobody unless the service says otherwise.

Alerts on the activity log and of log searches without a state never say that they are over: give their service a `close_after`,
or resolve them by hand.
";

impl Source for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn title(&self) -> &'static str {
        "Azure Monitor"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    // Classic alerts have no envelope.
    let data = reading::object(body, "data").unwrap_or(body);
    let alert = if let Some(essentials) = reading::object(data, "essentials") {
        common(essentials, data)?
    } else if let Some(event) = reading::object(data, "context").and_then(|context| reading::object(context, "activityLog")) {
        activity(event)?
    } else if let Some(context) = reading::object(data, "context") {
        metric(context, data)?
    } else if data.contains_key("AlertRuleName") {
        log_search(data)?
    } else {
        return Err("it has neither essentials nor a context".to_owned());
    };
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&alert.key),
        title: field::headline(&alert.title.0, ": ", &alert.title.1),
        severity: alert.severity,
        action: if alert.is_over { Action::Resolve } else { Action::Trigger },
        at: alert.at,
        ends_at: None,
        url: alert.link.and_then(|link| reading::url(&link)),
        labels: alert.labels.done(),
    })
}

/// What each of the schemas says.
struct Alert {
    key: String,
    /// What it is about, and what of it, where it says so.
    title: (String, String),
    severity: Option<AlertSeverity>,
    is_over: bool,
    at: Option<Time>,
    link: Option<String>,
    labels: Labels,
}

fn common(essentials: &Map<String, Value>, data: &Map<String, Value>) -> Result<Alert, String> {
    let empty = Map::new();
    let context = reading::object(data, "alertContext").unwrap_or(&empty);
    let first_target = essentials.get("alertTargetIDs").and_then(Value::as_array).and_then(|targets| reading::scalar(targets.first()));
    let health = health(context, first_target.as_deref());
    let own = || ["alertId", "originAlertId", "alertRuleId", "alertRule"].iter().find_map(|name| field::filled(essentials, name));
    let is_resolved = field::text(essentials, "monitorCondition").is_some_and(|word| word.eq_ignore_ascii_case("Resolved"));
    let fired = moment(essentials, "firedDateTime");
    let (key, is_over, at) = if let Some((key, is_well)) = health {
        // The event's own time, of a begin as of an end: the alert on it fires some minutes later.
        (key, is_well || is_resolved, moment(context, "eventTimestamp").or(fired))
    } else {
        let key = own().ok_or("its essentials have no alertId")?;
        (key, is_resolved, if is_resolved { fired.max(moment(essentials, "resolvedDateTime")) } else { fired })
    };

    let rule = field::text(essentials, "alertRule").unwrap_or_else(|| "An Azure alert rule without a name".to_owned());
    let items = field::joined(essentials.get("configurationItems"));
    let mut labels = Labels::default();
    for (name, field) in [
        ("condition", "monitorCondition"),
        ("severity", "severity"),
        ("signal", "signalType"),
        ("monitor", "monitoringService"),
        ("rule", "alertRule"),
        ("description", "description"),
    ] {
        labels.put_scalar(name, essentials.get(field));
    }
    labels.put("resource", &first_target.unwrap_or_default());
    labels.put("items", items.as_deref().unwrap_or_default());
    let measured = measured(context, &mut labels);
    event_labels(context, &mut labels);
    labels.put_all(reading::object(data, "customProperties"));
    labels.put_all(reading::object(context, "properties"));

    let whom = items.map(|items| format!(" on {items}")).unwrap_or_default();
    let what = measured.or_else(|| event_title(context)).unwrap_or_default();
    Ok(Alert {
        key,
        title: (format!("{rule}{whom}"), what),
        severity: severity(essentials.get("severity")),
        is_over,
        at,
        link: reading::scalar(essentials.get("investigationLink")).or_else(|| search_link(context)),
        labels,
    })
}

/// Metric alerts of both ages.
fn metric(context: &Map<String, Value>, data: &Map<String, Value>) -> Result<Alert, String> {
    let id = field::filled(context, "id").or_else(|| field::filled(context, "name")).ok_or("its context has neither an id nor a name")?;
    let status = field::text(data, "status").unwrap_or_default();
    let mut labels = Labels::default();
    labels.put("status", &status);
    for (name, field) in [
        ("rule", "name"),
        ("description", "description"),
        ("severity", "severity"),
        ("resource_group", "resourceGroupName"),
        ("resource", "resourceId"),
        ("resource_type", "resourceType"),
        ("region", "resourceRegion"),
        ("subscription", "subscriptionId"),
    ] {
        labels.put_scalar(name, context.get(field));
    }
    let measured = measured(context, &mut labels);
    labels.put_all(reading::object(data, "properties"));
    let mut key = vec![id.to_lowercase()];
    key.extend(field::filled(context, "resourceId").map(|id| id.to_lowercase()));
    key.extend(dimensions(context).into_iter().map(|(name, value)| format!("{name}={value}")));
    let name = field::text(context, "name").unwrap_or(id);
    let whom = field::text(context, "resourceName").map(|name| format!(" on {name}")).unwrap_or_default();
    Ok(Alert {
        key: key.join("|"),
        title: (format!("{name}{whom}"), measured.unwrap_or_default()),
        severity: severity(context.get("severity")),
        is_over: matches!(status.to_ascii_lowercase().as_str(), "deactivated" | "resolved"),
        at: moment(context, "timestamp"),
        link: reading::scalar(context.get("portalLink")),
        labels,
    })
}

/// The log alerts before the common schema: a result, and nothing when it is gone.
fn log_search(data: &Map<String, Value>) -> Result<Alert, String> {
    let rule = field::filled(data, "AlertRuleName").ok_or("its AlertRuleName is empty")?;
    let mut labels = Labels::default();
    for (name, field) in [
        ("description", "Description"),
        ("severity", "Severity"),
        ("subscription", "SubscriptionId"),
        ("workspace", "WorkspaceId"),
        ("results", "ResultCount"),
        ("threshold", "AlertThresholdValue"),
    ] {
        labels.put_scalar(name, data.get(field));
    }
    let results = field::text(data, "ResultCount").map(|count| format!("{count} results")).unwrap_or_default();
    Ok(Alert {
        key: rule.clone(),
        title: (rule, results),
        severity: severity(data.get("Severity")),
        is_over: false,
        at: moment(data, "SearchIntervalEndtimeUtc"),
        link: reading::scalar(data.get("LinkToSearchResults")),
        labels,
    })
}

/// An event of the activity log before the common schema.
fn activity(event: &Map<String, Value>) -> Result<Alert, String> {
    let resource = field::filled(event, "resourceId");
    let (key, is_over) = if let Some(health) = health(event, resource.as_deref()) {
        health
    } else {
        let operation = field::filled(event, "operationName").ok_or("its activity log has no operationName")?;
        (format!("{operation}|{}", resource.clone().unwrap_or_default()).to_lowercase(), false)
    };
    let mut labels = Labels::default();
    event_labels(event, &mut labels);
    labels.put("resource", resource.as_deref().unwrap_or_default());
    labels.put_all(reading::object(event, "properties"));
    let what = event_title(event).unwrap_or_else(|| "An event of Azure’s activity log".to_owned());
    let whom = resource.as_deref().and_then(|id| id.rsplit('/').next()).filter(|name| !name.is_empty());
    Ok(Alert {
        key,
        title: (whom.map_or_else(|| what.clone(), |name| format!("{what} on {name}")), String::new()),
        severity: None,
        is_over,
        at: moment(event, "eventTimestamp"),
        link: None,
        labels,
    })
}

fn moment(object: &Map<String, Value>, name: &str) -> Option<Time> {
    reading::rfc3339(&field::text(object, name)?)
}

/// The key of an event about health, and whether it says that all is well again.
fn health(event: &Map<String, Value>, resource: Option<&str>) -> Option<(String, bool)> {
    let properties = reading::object(event, "properties")?;
    if let Some(tracking) = field::filled(properties, "trackingId") {
        let stage = field::text(properties, "stage").or_else(|| field::text(event, "status")).unwrap_or_default();
        let is_over = ["Resolved", "Complete", "Canceled", "RCA"].iter().any(|word| stage.eq_ignore_ascii_case(word));
        return Some((tracking, is_over));
    }
    let status = field::text(properties, "currentHealthStatus")?;
    Some((format!("health|{}", resource?.to_lowercase()), status.eq_ignore_ascii_case("Available")))
}

fn event_title(event: &Map<String, Value>) -> Option<String> {
    let properties = reading::object(event, "properties");
    let said = properties.and_then(|properties| field::text(properties, "title"));
    said.or_else(|| field::text(event, "operationName"))
}

fn event_labels(event: &Map<String, Value>, labels: &mut Labels) {
    for (name, field) in [("operation", "operationName"), ("event_status", "status"), ("level", "level"), ("caller", "caller")] {
        labels.put_scalar(name, event.get(field));
    }
}

/// `Percentage CPU is 31.1, GreaterThan 25`, of the first criterion.
fn measured(context: &Map<String, Value>, labels: &mut Labels) -> Option<String> {
    let condition = reading::object(context, "condition")?;
    let all = condition.get("allOf").and_then(Value::as_array);
    let first = all.map_or(Some(condition), |all| all.first().and_then(Value::as_object))?;
    for (name, field) in [("metric", "metricName"), ("value", "metricValue"), ("operator", "operator"), ("threshold", "threshold")] {
        labels.put_scalar(name, first.get(field));
    }
    for (name, value) in dimensions(context) {
        labels.put(&name, &value);
    }
    let metric = field::text(first, "metricName")?;
    let value = field::text(first, "metricValue").map(|value| format!(" is {value}")).unwrap_or_default();
    let limit = field::text(first, "operator").zip(field::text(first, "threshold"));
    let limit = limit.map(|(operator, threshold)| format!(", {operator} {threshold}")).unwrap_or_default();
    Some(format!("{metric}{value}{limit}"))
}

/// What tells one series of a rule from another, in one order.
fn dimensions(context: &Map<String, Value>) -> BTreeSet<(String, String)> {
    let condition = reading::object(context, "condition").and_then(|condition| condition.get("allOf")).and_then(Value::as_array);
    let criteria = condition.into_iter().flatten().take(limits::LABELS);
    let each = criteria.filter_map(|criterion| criterion.get("dimensions")?.as_array()).flatten().filter_map(Value::as_object);
    each.take(limits::LABELS).filter_map(|one| Some((field::filled(one, "name")?, field::filled(one, "value")?))).collect()
}

fn search_link(context: &Map<String, Value>) -> Option<String> {
    let criteria = reading::object(context, "condition").and_then(|condition| condition.get("allOf")).and_then(Value::as_array);
    let first = criteria.and_then(|all| all.first()).and_then(Value::as_object);
    let of_search = first.and_then(|first| reading::scalar(first.get("linkToFilteredSearchResultsUI")));
    of_search
        .or_else(|| reading::scalar(first?.get("linkToSearchResultsUI")))
        .or_else(|| reading::scalar(context.get("LinkToSearchResults")))
}

/// `Sev1`, or the number alone.
fn severity(value: Option<&Value>) -> Option<AlertSeverity> {
    let text = reading::scalar(value)?.trim().to_ascii_lowercase();
    match text.strip_prefix("sev").unwrap_or(&text) {
        "0" | "critical" => Some(AlertSeverity::Critical),
        "1" | "error" => Some(AlertSeverity::Error),
        "2" | "warning" => Some(AlertSeverity::Warning),
        "3" | "4" | "informational" | "verbose" => Some(AlertSeverity::Info),
        _ => None,
    }
}
