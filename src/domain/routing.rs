//! Which service a signal is about: the rules of the configuration in their order, and the first that matches takes it. What none takes
//! is about its integration's own service. Pure: the live path and whoever tries a message ask the same function.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value;
use serde::{Deserialize, Serialize};

use super::escalation;
use super::incident::NO_SERVICE;
use super::input::Signal;
use super::matcher::Matcher;
use super::setup::{AlertSeverity, Integration, Place, Service, Setup, Severity, Target, Urgency};
use super::template::{Expression, Template};
use crate::base::id::{IntegrationId, PolicyId, RouteId, ServiceId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::base::written;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub id: RouteId,
    /// The kind of sender, as in the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationId>,
    /// All of them have to match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<Matcher>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<Expression>,
    #[serde(default)]
    pub gives: Gives,
}

/// What a rule makes of the signals that it takes; what it leaves out stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gives {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<AlertSeverity>,
    /// Of incidents that its signals open, in place of the service's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// Its alerts are kept and page nobody, whatever their severity.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub record: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Template>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Template>,
}

/// A signal as the rules leave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// With the title and the labels that its rule gave it.
    pub signal: Signal,
    pub service: ServiceId,
    /// Its rule's, else the sender's, else its integration's.
    pub severity: AlertSeverity,
    /// Of the incident that it opens, in place of its service's.
    pub policy: Option<PolicyId>,
    /// It is kept and pages nobody.
    pub record: bool,
    /// The rule that took it; `None`: its integration's own service.
    pub taken: Option<Taken>,
    /// Something else in its message could not be read, so that it says nothing of whether messages can be.
    pub beside_unreadable: bool,
}

/// Which rule took a signal, and because of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub rule: RouteId,
    /// What matched, as it stands in the rule.
    pub because: String,
}

impl Routed {
    /// How bad it is for this service.
    #[must_use]
    pub fn of_service(&self, service: &Service) -> Severity {
        if self.record { Severity::Sev4 } else { service.severity.of(self.severity) }
    }

    /// For people: `rule db → service database, because team="db"`.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let Taken { rule, because } = self.taken.as_ref()?;
        let record = if self.record { ", recorded only" } else { "" };
        Some(format!("rule {rule} → service {}{record}, because {because}", self.service))
    }
}

/// Asks the rules in their order. A signal whose integration is gone has no service.
#[must_use]
pub fn route(setup: &Setup, signal: Signal) -> Routed {
    let integration = setup.integrations.get(&signal.integration);
    let look = Look::new(&signal, integration);
    let own_service = || integration.map_or_else(|| ServiceId::from(NO_SERVICE), |integration| integration.service.clone());
    let Some(route) = setup.routes.iter().find(|route| look.lacks(route).is_none()) else {
        let severity = look.severity;
        return Routed { signal, service: own_service(), severity, policy: None, record: false, taken: None, beside_unreadable: false };
    };
    let Gives { service, severity, policy, record, title, labels } = &route.gives;
    let severity = severity.unwrap_or(look.severity);
    let taken = Taken { rule: route.id.clone(), because: because(route) };
    let mut failed = None;
    // What a template cannot make never costs the alert: what was there stays.
    let mut fill = |what: &str, template: &Template| {
        let filled = template.fill(look.value());
        filled.map_err(|why| failed.get_or_insert_with(|| format!("{what}: {why}")).len()).ok()
    };
    let title = title.as_ref().and_then(|title| fill("title", title)).map(|title| written::line_within(&title, limits::TITLE_CHARS));
    let labels: Vec<(&String, String)> = labels.iter().filter_map(|(name, label)| Some((name, fill(name, label)?))).collect();
    let mut signal = signal.clone();
    if let Some(title) = title.filter(|title| !title.is_empty()) {
        signal.title = title;
    }
    for (name, value) in labels {
        let value = written::line_or_address(&value, limits::LABEL_CHARS, limits::URL_BYTES);
        if value.is_empty() {
            signal.labels.remove(name);
        } else {
            signal.labels.insert(name.clone(), value);
        }
    }
    if let Some(failed) = failed {
        signal.labels.insert(TEMPLATE_ERROR.to_owned(), written::line_within(&failed, limits::LABEL_CHARS));
    }
    // What the rule names may have been retired since it was written.
    let service = service.clone().filter(|service| setup.services.contains_key(service)).unwrap_or_else(own_service);
    let policy = policy.clone().filter(|policy| setup.policies.contains_key(policy));
    Routed { signal, service, severity, policy, record: *record, taken: Some(taken), beside_unreadable: false }
}

/// What each rule says to a signal, in their order, up to the one that takes it: `Err` is what it lacks.
#[must_use]
pub fn explain<'a>(setup: &'a Setup, signal: &Signal) -> Vec<(&'a RouteId, Result<String, String>)> {
    let look = Look::new(signal, setup.integrations.get(&signal.integration));
    let mut told = Vec::new();
    for route in &setup.routes {
        let lack = look.lacks(route);
        let is_taken = lack.is_none();
        told.push((&route.id, lack.map_or_else(|| Ok(because(route)), |lack| Err(look.told(route, &lack)))));
        if is_taken {
            break;
        }
    }
    told
}

/// One step of the policy that an incident of a signal would start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Woken {
    /// After the incident opens, if nobody answers.
    pub after: Span,
    /// On call now; empty where nobody is, and the step is skipped.
    pub users: BTreeSet<UserId>,
    pub places: Vec<Place>,
}

/// Whom an incident that this signal opened now would page, step by step of the first round. What pages nobody has no step, and low
/// urgency the first one alone.
#[must_use]
pub fn wakes(setup: &Setup, routed: &Routed, at: Time) -> (Option<PolicyId>, Vec<Woken>) {
    let Some(service) = setup.services.get(&routed.service) else { return (None, Vec::new()) };
    let policy = routed.policy.as_ref().unwrap_or(&service.policy);
    let Some(policy) = setup.policies.get(policy) else { return (None, Vec::new()) };
    let most = match routed.of_service(service).urgency() {
        None => return (None, Vec::new()),
        Some(Urgency::Low) => 1,
        Some(Urgency::High) => usize::MAX,
    };
    let (mut woken, mut called, mut after) = (Vec::new(), 0, Span::ZERO);
    for step in &policy.steps {
        let users = escalation::people(step, setup, at);
        let places = step.notify.iter().filter_map(|target| match target {
            Target::Place(place) => Some(place.clone()),
            Target::User(_) | Target::Schedule(_) | Target::Everyone => None,
        });
        let waits = if users.is_empty() { Span::ZERO } else { step.wait() };
        called += usize::from(!users.is_empty());
        woken.push(Woken { after, users, places: places.collect() });
        after = after + waits;
        if called == most {
            break;
        }
    }
    (Some(policy.id.clone()), woken)
}

/// All that a rule asks for, as a person wrote it.
fn because(route: &Route) -> String {
    let source = route.source.iter().map(|source| format!("its source is {source}"));
    let integration = route.integration.iter().map(|integration| format!("its integration is {integration}"));
    let matchers = route.matchers.iter().map(ToString::to_string);
    let expression = route.expression.iter().map(ToString::to_string);
    let all: Vec<String> = source.chain(integration).chain(matchers).chain(expression).collect();
    if all.is_empty() { "it takes whatever comes".to_owned() } else { written::line_within(&all.join(" and "), limits::TITLE_CHARS) }
}

/// What of a rule a signal does not have.
enum Lack<'a> {
    Source(&'a str),
    Integration(&'a IntegrationId),
    Match(&'a Matcher),
    /// Its expression is not true, or why that cannot be told.
    Truth(Option<String>),
}

/// A signal as rules look at it.
pub(super) struct Look<'a> {
    signal: &'a Signal,
    source: &'a str,
    severity: AlertSeverity,
    /// For expressions and templates; most signals never need it.
    value: OnceCell<Value>,
}

/// The label that says what a template could not make.
pub const TEMPLATE_ERROR: &str = "template_error";

/// What a rule may name beside labels; a label of such a name is `labels.NAME`.
pub const FIELDS: [&str; 6] = ["title", "severity", "source", "integration", "url", "dedup_key"];

/// Before the name of a label that is called as one of the [`FIELDS`].
const LABEL: &str = "labels.";

impl<'a> Look<'a> {
    fn new(signal: &'a Signal, integration: Option<&'a Integration>) -> Self {
        let source = integration.map_or("", |integration| integration.source.as_str());
        Self { signal, source, severity: severity(signal, integration), value: OnceCell::new() }
    }

    /// A signal as its rule left it.
    pub(super) fn routed(routed: &'a Routed, integration: Option<&'a Integration>) -> Self {
        Self { severity: routed.severity, ..Self::new(&routed.signal, integration) }
    }

    fn lacks<'r>(&self, route: &'r Route) -> Option<Lack<'r>> {
        let Route { source, integration, matchers, expression, .. } = route;
        if let Some(source) = source.as_deref().filter(|source| *source != self.source) {
            return Some(Lack::Source(source));
        }
        if let Some(integration) = integration.as_ref().filter(|integration| **integration != self.signal.integration) {
            return Some(Lack::Integration(integration));
        }
        if let Some(matcher) = matchers.iter().find(|matcher| !matcher.matches(self.value_of(matcher.name()))) {
            return Some(Lack::Match(matcher));
        }
        match expression.as_ref()?.holds(self.value()) {
            Ok(true) => None,
            Ok(false) => Some(Lack::Truth(None)),
            Err(why) => Some(Lack::Truth(Some(why))),
        }
    }

    fn told(&self, route: &Route, lack: &Lack) -> String {
        let expression = route.expression.as_ref().map(ToString::to_string).unwrap_or_default();
        match lack {
            Lack::Source(wanted) => format!("its source is {}, not {wanted}", self.source),
            Lack::Integration(wanted) => format!("its integration is {}, not {wanted}", self.signal.integration),
            Lack::Match(matcher) => {
                let (name, value) = (matcher.name(), self.value_of(matcher.name()));
                let is = if value.is_empty() { "is empty".to_owned() } else { format!("is {value:?}") };
                format!("{matcher} does not match: {name} {is}")
            }
            Lack::Truth(None) => format!("{expression} is not true"),
            Lack::Truth(Some(why)) => format!("{expression} cannot be told: {why}"),
        }
    }

    pub(super) fn value_of(&self, name: &str) -> &str {
        match name {
            "title" => &self.signal.title,
            "severity" => self.severity.name(),
            "source" => self.source,
            "integration" => self.signal.integration.as_str(),
            "url" => self.signal.url.as_deref().unwrap_or_default(),
            "dedup_key" => &self.signal.dedup_key,
            label => self.signal.labels.get(label.strip_prefix(LABEL).unwrap_or(label)).map_or("", String::as_str),
        }
    }

    pub(super) fn value(&self) -> &Value {
        self.value.get_or_init(|| {
            let signal = self.signal;
            minijinja::context! {
                title => &signal.title,
                severity => self.severity.name(),
                source => self.source,
                integration => signal.integration.as_str(),
                url => signal.url.as_deref().unwrap_or_default(),
                dedup_key => &signal.dedup_key,
                labels => &signal.labels,
            }
        })
    }
}

fn severity(signal: &Signal, integration: Option<&Integration>) -> AlertSeverity {
    let of_integration = || integration.map_or(AlertSeverity::Error, |integration| integration.severity);
    signal.severity.unwrap_or_else(of_integration)
}

#[cfg(test)]
mod tests {
    use super::super::decide::Outcome;
    use super::super::fact::What;
    use super::super::input::Action;
    use super::super::reason::Reason;
    use super::super::setup::{Policy, Service, Severity};
    use super::super::trial::{Trial, step};
    use super::*;

    fn rule(id: &str, matchers: &[&str], service: &str) -> Route {
        Route {
            id: id.into(),
            source: None,
            integration: None,
            matchers: matchers.iter().map(|&text| Matcher::from(text)).collect(),
            expression: None,
            gives: Gives { service: Some(service.into()), ..Gives::default() },
        }
    }

    /// The trial's night, a second service, and these rules.
    fn night(routes: Vec<Route>) -> Trial {
        let mut night = Trial::new();
        night.setup.services.insert("database".into(), Service::new("database".into(), "nights".into()));
        night.setup.policies.insert("dba".into(), Policy { id: "dba".into(), steps: vec![step(&["cy"], Some(5))], repeat: 0, storm: 10 });
        night.setup.routes = routes;
        night
    }

    fn signal(key: &str, labels: &[(&str, &str)]) -> Signal {
        let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Signal { labels, ..Trial::signal_of(key, Action::Trigger, None, None) }
    }

    #[test]
    fn the_first_rule_that_matches_takes_it_and_what_none_takes_is_the_integrations() {
        let mut by_field = rule("field", &["severity=\"critical\"", "title=~\".*disk.*\""], "database");
        by_field.expression = Some("labels.size|int > 90".into());
        let by_source = Route { source: Some("rollbar".to_owned()), ..rule("source", &[], "database") };
        let by_integration = Route { integration: Some("other".into()), ..rule("integration", &[], "database") };
        let shadowed = rule("shadowed", &["labels.severity=page"], "database");
        let setup = night(vec![by_field, by_source, by_integration, rule("db", &["team=\"db\"", "env!=dev"], "database"), shadowed]).setup;
        for (severity, key, labels, taken) in [
            (None, "web", vec![], None),
            (None, "web", vec![("team", "db")], Some("db")),
            (None, "web", vec![("team", "db"), ("env", "dev")], None),
            (Some(AlertSeverity::Critical), "disk", vec![("size", "97")], Some("field")),
            (Some(AlertSeverity::Critical), "disk", vec![("size", "9")], None),
            // The integration's own severity, which is error, counts where the sender says none.
            (None, "disk", vec![("size", "97")], None),
            // A label that is called as a field is told apart by its prefix.
            (None, "web", vec![("severity", "page")], Some("shadowed")),
        ] {
            let signal = Signal { severity, ..signal(key, &labels) };
            let routed = route(&setup, signal.clone());
            assert_eq!(routed.taken.as_ref().map(|taken| taken.rule.as_str()), taken, "{key} {labels:?}");
            assert_eq!(routed.service.as_str(), if taken.is_some() { "database" } else { "api" });
            assert_eq!(routed.signal, signal, "nothing else is changed");
            let told = explain(&setup, &signal);
            assert_eq!(told.last().and_then(|(id, said)| said.is_ok().then_some(id.as_str())), taken);
        }
    }

    #[test]
    fn what_a_rule_lacks_and_why_it_takes_are_sentences() {
        let mut size = rule("size", &[], "database");
        size.expression = Some("labels.size|int > 90".into());
        let mut odd = rule("odd", &[], "database");
        odd.expression = Some("title + 1 > 2".into());
        let source = Route { source: Some("rollbar".to_owned()), ..rule("source", &[], "database") };
        let setup =
            night(vec![source, size, odd, rule("team", &["team=db"], "database"), rule("host", &["host=~\"db-.*\""], "database")]).setup;
        let told = explain(&setup, &signal("disk", &[("team", "web"), ("host", "db-3")]));
        let told: Vec<String> = told.into_iter().map(|(id, said)| format!("{id} {said:?}")).collect();
        assert_eq!(
            told,
            [
                r#"source Err("its source is generic, not rollbar")"#,
                r#"size Err("labels.size|int > 90 is not true")"#,
                r#"odd Err("title + 1 > 2 cannot be told: it does with a value what cannot be done with it")"#,
                r#"team Err("team=db does not match: team is \"web\"")"#,
                r#"host Ok("host=~\"db-.*\"")"#,
            ]
        );
        let routed = route(&setup, signal("disk", &[("host", "db-3")]));
        assert_eq!(routed.sentence().as_deref(), Some("rule host → service database, because host=~\"db-.*\""));
    }

    #[test]
    fn templates_set_titles_and_labels_and_lose_nothing_when_they_fail() {
        let with = |title: &str, labels: &[(&str, &str)]| {
            let mut made = rule("db", &[], "database");
            made.gives.title = Some(title.into());
            made.gives.labels = labels.iter().map(|&(name, template)| (name.to_owned(), Template::from(template))).collect();
            route(&night(vec![made]).setup, signal("disk", &[("host", "db-3"), ("env", "dev")])).signal
        };
        let made = with("{{ labels.host }}: {{ title }}\n", &[("env", ""), ("team", "{{ source|upper }}"), ("host", "{{ labels.host }}!")]);
        assert_eq!(made.title, "db-3: disk is down");
        let labels: Vec<(&str, &str)> = made.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(labels, [("host", "db-3!"), ("team", "GENERIC")]);
        for (title, label, said) in [
            ("{{ title|nothing }}", "x", "title: there is no such filter"),
            ("{{ title + 1 }}", "x", "title: it does with a value what cannot be done with it"),
            ("{{ title }}", "{{ title.fly() }}", "label: there is no such method"),
        ] {
            let made = with(title, &[("label", label)]);
            assert_eq!(made.title, "disk is down");
            let error = made.labels.get(TEMPLATE_ERROR).map(String::as_str).unwrap_or_default();
            assert!(error.starts_with(said), "{error}");
            assert_eq!(made.labels.get("host").map(String::as_str), Some("db-3"));
        }
        assert_eq!(with("{{ labels.nothing }}", &[]).title, "disk is down", "an empty title is none");
    }

    #[test]
    fn an_alert_and_its_incident_belong_to_the_routed_service_and_page_by_the_rules_policy() {
        let mut db = rule("db", &["team=db"], "database");
        db.gives.policy = Some("dba".into());
        db.gives.severity = Some(AlertSeverity::Critical);
        let mut night = night(vec![db]);
        let verdict = night.batch(&[signal("disk", &[("team", "db")])]).remove(0);
        assert_eq!(verdict.outcome, Outcome::Opened);
        let incident = night.incident();
        assert_eq!((incident.service.as_str(), incident.severity), ("database", Severity::Sev1));
        assert_eq!(incident.run.as_ref().map(|run| run.policy.as_str()), Some("dba"));
        let alert = night.keys.values().find_map(|key| key.alert.as_ref()).expect("it is there");
        assert_eq!((alert.service.as_str(), alert.severity), ("database", AlertSeverity::Critical));
        assert!(
            night.facts.iter().any(
                |fact| matches!(&fact.what, What::IncidentRouted { rule, because, .. } if rule.as_str() == "db" && because == "team=db")
            )
        );
        night.until(60);
        assert_eq!(night.calls(), [(0, "cy".to_owned(), false)]);
        // A policy that is gone gives way to the service's.
        night.setup.policies.remove(&"dba".into());
        night.until(301);
        night.asks("bo", crate::domain::input::Act::Escalate);
    }

    #[test]
    fn what_fires_keeps_its_service_and_is_found_by_its_key_whatever_the_rules_say() {
        let mut night = night(vec![rule("db", &["team=db"], "database")]);
        night.batch(&[signal("disk", &[("team", "db")])]);
        night.setup.routes.clear();
        assert_eq!(night.batch(&[signal("disk", &[])]).remove(0).outcome, Outcome::Repeated);
        let service_of = |night: &Trial| {
            night.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.service.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(service_of(&night), ["database"]);
        // Its own severities count, too.
        night.setup.services.get_mut(&"database".into()).expect("it is there").severity.error = Severity::Sev1;
        night.batch(&[signal("disk", &[])]);
        assert_eq!(night.incident().severity, Severity::Sev1);
        assert_eq!(night.resolves("disk").outcome, Outcome::Resolved);
        night.until(DAY);
        assert_eq!(night.batch(&[signal("disk", &[])]).remove(0).outcome, Outcome::Opened);
        assert_eq!(service_of(&night), ["api"], "a new stretch of firing goes where the rules say now");
    }

    const DAY: i64 = 86_400;

    #[test]
    fn what_a_rule_records_pages_nobody_until_no_rule_does() {
        let mut quiet = rule("quiet", &["env=dev"], "database");
        quiet.gives.record = true;
        quiet.gives.severity = Some(AlertSeverity::Critical);
        let mut night = night(vec![quiet]);
        let verdict = night.batch(&[signal("disk", &[("env", "dev")])]).remove(0);
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Recorded, Reason::JustRecords));
        night.batch(&[signal("disk", &[("env", "dev")])]);
        assert_eq!(night.incidents.len(), 0);
        night.setup.routes.clear();
        assert_eq!(night.batch(&[signal("disk", &[("env", "dev")])]).remove(0).outcome, Outcome::Opened);
        assert_eq!(night.incident().service.as_str(), "database", "it fires since then, and keeps its service");
    }
}
