//! The configured objects of the file, with every reference between them looked up.

mod group;
mod inhibition;
mod maintenance;
mod mapping;
mod quiet;
mod routes;

use std::collections::{BTreeMap, BTreeSet};

use super::proofs;
use super::reader::{Field, Reader, Refusal, Spot, Table, instead, shown};
use super::settings::{self, Settings, e164, mail_address};
use super::{Config, Managed};
use crate::base::id::{ContactId, IntegrationId, PolicyId, ScheduleId, ServiceId, UserId};
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::Span;
use crate::base::viewer::Role;
use crate::domain::oncall;
use crate::domain::setup::{
    AlertSeverity, Budget, Contact, ContactKind, Date, Every, Handoff, Heartbeat, Integration, Language, Place, Policy, ResolveMode,
    Rotation, Rule, Schedule, Service, Setup, Severity, SeverityTable, Step, Target, Urgency, User, Weekday,
};

const ROOT: &[&str] = &[
    "server",
    "slack",
    "twilio",
    "smtp",
    "mail",
    "retention",
    "masks",
    "user",
    "schedule",
    "policy",
    "service",
    "integration",
    "webhook",
    "route",
    "maintenance",
    "inhibition",
];
const USER: &[&str] = &["id", "name", "email", "timezone", "language", "slack", "role", "admin", "contacts", "rules"];
const CONTACT: &[&str] = &["id", "kind", "to"];
const RULE: &[&str] = &["urgency", "after", "contact"];
const LANGUAGES: &[(&str, Language)] = &[("en", Language::En), ("fr", Language::Fr), ("de", Language::De), ("es", Language::Es)];
const SCHEDULE: &[&str] = &["id", "timezone", "rotations"];
const ROTATION: &[&str] = &["members", "every", "handoff", "start"];
const POLICY: &[&str] = &["id", "repeat", "storm", "steps"];
const STEP: &[&str] = &["notify", "escalate_after"];
const SERVICE: &[&str] = &[
    "id",
    "name",
    "policy",
    "group",
    "room_at",
    "severity",
    "reopen_within",
    "ack_lapse",
    "resolve",
    "close_after",
    "depends_on",
    "takes_symptoms",
    "quiet_for",
    "flapping",
    "raise",
];
const GROUP: &[&str] = &["window", "by"];
const WEBHOOK: &[&str] = &["id", "url", "secret"];
const INTEGRATION: &[&str] = &[
    "id",
    "source",
    "service",
    "severity",
    "key",
    "period",
    "grace",
    "secret",
    "header",
    "basic",
    "hmac",
    "map",
    "topics",
    "budget",
    "new_alerts",
];

const ROLES: &[(&str, Role)] =
    &[("observer", Role::Observer), ("responder", Role::Responder), ("manager", Role::Manager), ("admin", Role::Admin)];
const URGENCIES: &[(&str, Urgency)] = &[("high", Urgency::High), ("low", Urgency::Low)];
const KINDS: &[(&str, ContactKind)] = &[
    (ContactKind::Voice.name(), ContactKind::Voice),
    (ContactKind::Sms.name(), ContactKind::Sms),
    (ContactKind::Email.name(), ContactKind::Email),
    (ContactKind::SlackDm.name(), ContactKind::SlackDm),
    (ContactKind::Webhook.name(), ContactKind::Webhook),
];
const SEVERITIES: &[(&str, Severity)] =
    &[("sev1", Severity::Sev1), ("sev2", Severity::Sev2), ("sev3", Severity::Sev3), ("sev4", Severity::Sev4)];
const ALERT_SEVERITIES: &[(&str, AlertSeverity)] = &[
    ("critical", AlertSeverity::Critical),
    ("error", AlertSeverity::Error),
    ("warning", AlertSeverity::Warning),
    ("info", AlertSeverity::Info),
];
/// Further rounds of a policy: with the shortest sensible step of a minute, more than a week of calling.
const MOST_REPEATS: u32 = 10_000;

/// Every source that has a name, whether this version understands it or not.
const SOURCES: &[&str] = &[
    "airbrake",
    "alertmanager",
    "alertmanager_api",
    "azure",
    "bugsnag",
    "checkly",
    "cloudevents",
    "cloudwatch",
    "datadog",
    "email",
    "generic",
    "github",
    "google-cloud",
    "grafana",
    "graylog",
    "healthchecks",
    "heartbeat",
    "honeybadger",
    "honeycomb",
    "icinga2",
    "kibana",
    "nagios",
    "newrelic",
    "opsgenie",
    "pagerduty",
    "pingdom",
    "riemann",
    "rollbar",
    "sentry",
    "splunk-oncall",
    "statuscake",
    "uptime-kuma",
    "uptimerobot",
    "vmware",
    "zabbix",
];

pub(super) fn read<'a>(reader: &Reader<'a>, root: &Table<'a>, settings: Settings, sources: &[&str]) -> Config {
    reader.refuse_unknown(root, ROOT);
    let tables = |kind, keys| reader.tables(root, kind, &format!("[[{kind}]]"), keys);
    let (users, schedules, policies) = (tables("user", USER), tables("schedule", SCHEDULE), tables("policy", POLICY));
    let (services, integrations) = (tables("service", SERVICE), tables("integration", INTEGRATION));
    let (webhooks, routes) = (tables("webhook", WEBHOOK), tables("route", routes::ROUTE));
    let windows = tables("maintenance", maintenance::MAINTENANCE);
    let inhibitions = tables("inhibition", inhibition::INHIBITION);
    // All names are known before any reference is looked up, so that the order in the file does not matter and one bad object
    // does not make every mention of it bad.
    let objects = Objects {
        reader,
        users: names(reader, "user", &users),
        schedules: names(reader, "schedule", &schedules),
        policies: names(reader, "policy", &policies),
        services: names(reader, "service", &services),
        integrations: names(reader, "integration", &integrations),
        webhooks: names(reader, "webhook", &webhooks),
        told: std::cell::RefCell::default(),
    };
    let mut config = Config { settings, ..Config::default() };
    for (id, table) in in_file_order(&objects.users) {
        let (user, managed) = objects.user(id, table);
        config.managed.insert(id.as_str().into(), managed);
        config.setup.users.extend(user.map(|user| (user.id.clone(), user)));
    }
    for (id, table) in in_file_order(&objects.schedules) {
        config.setup.schedules.extend(objects.schedule(id, table).map(|schedule| (schedule.id.clone(), schedule)));
    }
    for (id, table) in in_file_order(&objects.policies) {
        config.setup.policies.extend(objects.policy(id, table).map(|policy| (policy.id.clone(), policy)));
    }
    for (id, table) in in_file_order(&objects.services) {
        config.setup.services.extend(objects.service(id, table).map(|service| (service.id.clone(), service)));
    }
    for (id, table) in in_file_order(&objects.webhooks) {
        config.settings.webhooks.extend(settings::webhook(reader, id, table));
    }
    let mut keys = Keys::default();
    for (id, table) in in_file_order(&objects.integrations) {
        let integration = objects.integration(id, table, sources);
        keys.read(reader, id, table);
        if let Some(integration) = &integration {
            config.proofs.insert(integration.id.clone(), proofs::read(reader, table, &integration.source));
        }
        config.setup.integrations.extend(integration.map(|integration| (integration.id.clone(), integration)));
    }
    config.keys = keys.live;
    config.setup.routes = objects.routes(&names(reader, "route", &routes));
    config.setup.maintenance = objects.maintenance(&names(reader, "maintenance", &windows));
    config.setup.inhibitions = objects.inhibitions(&names(reader, "inhibition", &inhibitions));
    voice_without_provider(reader, root, &config.setup, &config.settings);
    webhooks_without_secret(reader, &config.setup, &config.settings);
    config
}

/// The tables of one kind by their ids.
type Named<'a> = BTreeMap<String, Table<'a>>;

/// So that the first of several complaints stands where a reader meets it first.
fn in_file_order<'n, 'a>(named: &'n Named<'a>) -> Vec<(&'n String, &'n Table<'a>)> {
    let mut tables: Vec<_> = named.iter().collect();
    tables.sort_by_key(|(_, table)| table.spot);
    tables
}

/// Reads the ids of one kind of object. A table without a good one is named and then left out.
fn names<'a>(reader: &Reader<'a>, kind: &str, tables: &[Table<'a>]) -> Named<'a> {
    let mut named = Named::new();
    for table in tables {
        let Some(field) = reader.need(table, "id", &format!("\"a-name-for-this-{kind}\"")) else { continue };
        let Some(id) = reader.parsed(field, id) else { continue };
        if id == "reveille" && (kind == "user" || kind == "integration") {
            reader.error(field.spot(), "the id \"reveille\" is taken: the timeline uses it for Reveille itself", "choose another");
            continue;
        }
        let mut table = table.clone();
        table.title = format!("{kind} {id}");
        reader.place(format!("{kind}.{id}"), Spot::File(table.spot));
        if let Some(first) = named.insert(id.clone(), table) {
            reader.error(field.spot(), format!("there are two of {}", first.title), "give this one another id");
            named.insert(id, first);
        }
    }
    named
}

/// Ids stand in URLs, in commands and in spoken words.
fn id(text: &str) -> Result<String, Refusal> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if text.chars().all(good) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 64 {
        return Ok(text.to_owned());
    }
    Err((format!("{} is no id", shown(text)), "use up to 64 letters, digits, dots, dashes and underscores".to_owned()))
}

fn ids<'n>(named: &'n Named<'_>) -> Vec<&'n str> {
    named.keys().map(String::as_str).collect()
}

struct Objects<'r, 'a> {
    reader: &'r Reader<'a>,
    users: Named<'a>,
    schedules: Named<'a>,
    policies: Named<'a>,
    services: Named<'a>,
    integrations: Named<'a>,
    webhooks: Named<'a>,
    /// What has been said once already not to be used yet.
    told: std::cell::RefCell<BTreeSet<String>>,
}

impl<'a> Objects<'_, 'a> {
    /// One warning for each thing that this version does not use, where it stands first.
    fn not_yet(&self, field: Field<'a>, what: &str, suggestion: &str) {
        if self.told.borrow_mut().insert(what.to_owned()) {
            self.reader.not_yet(field.spot(), what, suggestion);
        }
    }

    /// The id of an object that exists.
    fn reference(&self, field: Field<'a>, kind: &str, named: &Named<'a>) -> Option<String> {
        let text = self.reader.text(field)?;
        self.known(text, field.spot(), kind, &ids(named))
    }

    fn known(&self, text: &str, spot: Spot<'_>, kind: &str, known: &[&str]) -> Option<String> {
        if known.contains(&text) {
            return Some(text.to_owned());
        }
        self.reader.error(spot, format!("there is no {kind} {}", shown(text)), instead(text, known));
        None
    }

    fn timezone(&self, table: &Table<'a>) -> Option<String> {
        let Some(field) = self.reader.get(table, "timezone") else { return Some("UTC".to_owned()) };
        self.reader.parsed(field, |text| {
            if oncall::zone_exists(text) {
                return Ok(text.to_owned());
            }
            let names = oncall::zone_names();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let suggestion = Some(instead(text, &names)).filter(|suggestion| suggestion.starts_with("did you"));
            Err((format!("there is no time zone {}", shown(text)), suggestion.unwrap_or_else(|| "write it as Europe/Paris".to_owned())))
        })
    }

    fn user(&self, id: &str, table: &Table<'a>) -> (Option<User>, Managed) {
        let reader = self.reader;
        let managed = Managed { contacts: reader.get(table, "contacts").is_some(), rules: reader.get(table, "rules").is_some() };
        let name = reader.get(table, "name").map_or_else(|| Some(id.to_owned()), |field| reader.words(field));
        let email = reader.get(table, "email").map(|field| reader.parsed(field, mail_address));
        let timezone = self.timezone(table);
        let language = reader.get(table, "language").map_or(Some(Language::En), |field| reader.word(field, LANGUAGES));
        let slack = reader.get(table, "slack").map(|field| reader.words(field));
        let role = self.role(table);
        let (contacts, contact_ids) = self.contacts(id, table, slack.is_some());
        let rules = self.rules(id, table, &contact_ids);
        let user = || {
            Some(User {
                id: id.into(),
                name: name?,
                email: email.map_or(Some(None), |email| email.map(Some))?,
                timezone: timezone?,
                language: language?,
                slack: slack.map_or(Some(None), |slack| slack.map(Some))?,
                role: role?,
                contacts,
                rules,
            })
        };
        (user(), managed)
    }

    fn role(&self, table: &Table<'a>) -> Option<Role> {
        let role = self.reader.get(table, "role").map(|field| self.reader.word(field, ROLES));
        let admin = self.reader.get(table, "admin").map(|field| (field, self.reader.truth(field)));
        match (role, admin) {
            (Some(Some(role)), Some((field, Some(true)))) if role != Role::Admin => {
                self.reader.error(field.spot(), format!("{} has admin = true and another role", table.title), "leave one of them out");
                None
            }
            (_, Some((_, Some(true)))) => Some(Role::Admin),
            (Some(role), _) => role,
            (None, _) => Some(Role::Responder),
        }
    }

    /// The good contacts, and the ids of all.
    fn contacts(&self, user: &str, table: &Table<'a>, has_slack: bool) -> (Vec<Contact>, Vec<String>) {
        let reader = self.reader;
        let mut contacts = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (n, table) in reader.tables(table, "contacts", &format!("a contact of user {user}"), CONTACT).iter().enumerate() {
            reader.place(format!("user.{user}.contacts[{n}]"), Spot::File(table.spot));
            let contact_id = reader.need(table, "id", "\"phone\"").and_then(|field| Some((field, reader.parsed(field, id)?)));
            if let Some((field, contact_id)) = &contact_id {
                if seen.contains(contact_id) {
                    reader.error(field.spot(), format!("user {user} has two contacts {contact_id}"), "give this one another id");
                }
                seen.push(contact_id.clone());
            }
            let kind_field = reader.need(table, "kind", "\"voice\"");
            let kind = kind_field.and_then(|field| Some((field, reader.word(field, KINDS)?)));
            let Some((field, kind)) = kind else { continue };
            if kind == ContactKind::SlackDm && !has_slack {
                let text = format!("user {user} has a slack_dm contact and no id in Slack");
                reader.error(field.spot(), text, "add slack = \"U0…\" to the user");
            }
            let to = self.contact_address(table, kind);
            if let (Some((_, contact_id)), Some(to)) = (contact_id, to) {
                contacts.push(Contact { id: ContactId::from_text(contact_id), kind, to, closed: None });
            }
        }
        (contacts, seen)
    }

    fn contact_address(&self, table: &Table<'a>, kind: ContactKind) -> Option<String> {
        let reader = self.reader;
        match kind {
            ContactKind::Voice | ContactKind::Sms => reader.parsed(reader.need(table, "to", "\"+33100000001\"")?, e164),
            ContactKind::Email => reader.parsed(reader.need(table, "to", "\"ana@example.com\"")?, mail_address),
            ContactKind::Webhook => reader.parsed(reader.need(table, "to", "\"https://example.com/hook\"")?, hook_url),
            ContactKind::SlackDm => {
                if let Some(spot) = table.key_spot("to") {
                    reader.error(Spot::File(spot), "a slack_dm contact has no to", "remove it, the user's slack id is used");
                }
                Some(String::new())
            }
        }
    }

    fn rules(&self, user: &str, table: &Table<'a>, contacts: &[String]) -> Vec<Rule> {
        let reader = self.reader;
        let known: Vec<&str> = contacts.iter().map(String::as_str).collect();
        let mut rules = Vec::new();
        for (n, table) in reader.tables(table, "rules", &format!("a rule of user {user}"), RULE).iter().enumerate() {
            reader.place(format!("user.{user}.rules[{n}]"), Spot::File(table.spot));
            let urgency = reader.need(table, "urgency", "\"high\"").and_then(|field| reader.word(field, URGENCIES));
            let after = reader.get(table, "after").map_or(Some(Span::ZERO), |field| reader.span(field));
            let contact = reader.need(table, "contact", "\"phone\"").and_then(|field| {
                let text = reader.text(field)?;
                self.known(text, field.spot(), &format!("contact of user {user} called"), &known)
            });
            if let (Some(urgency), Some(after), Some(contact)) = (urgency, after, contact) {
                rules.push(Rule { urgency, after, contact: ContactId::from_text(contact) });
            }
        }
        rules
    }

    fn schedule(&self, id: &str, table: &Table<'a>) -> Option<Schedule> {
        let timezone = self.timezone(table);
        let mut rotations = Vec::new();
        for (n, table) in self.reader.tables(table, "rotations", &format!("a rotation of schedule {id}"), ROTATION).iter().enumerate() {
            self.reader.place(format!("schedule.{id}.rotations[{n}]"), Spot::File(table.spot));
            rotations.extend(self.rotation(table));
        }
        Some(Schedule { id: ScheduleId::from_text(id), timezone: timezone?, rotations, overrides: Vec::new() })
    }

    fn rotation(&self, table: &Table<'a>) -> Option<Rotation> {
        let reader = self.reader;
        let members = reader.need(table, "members", "[\"ana\", \"bo\"]").map(|field| {
            let texts = reader.texts(field);
            if texts.as_ref().is_some_and(Vec::is_empty) {
                reader.error(field.spot(), format!("{} has no member", table.title), "name at least one user");
            }
            let known = ids(&self.users);
            let members = texts.into_iter().flatten().filter_map(|(text, spot)| self.known(text, spot, "user", &known));
            members.map(UserId::from_text).collect::<Vec<_>>()
        });
        let every = reader.get(table, "every").map_or(Some(Every::Weeks(1)), |field| reader.parsed(field, every));
        let handoff = if let Some(field) = reader.get(table, "handoff") {
            reader.parsed(field, |text| handoff(text, every))
        } else {
            let weekday = every.is_some_and(|every| matches!(every, Every::Weeks(_))).then_some(Weekday::Mon);
            Some(Handoff { weekday, hour: 9, minute: 0 })
        };
        let start = reader.need(table, "start", "\"2026-01-05\"").and_then(|field| {
            let text = reader.text_or_date(field)?;
            let found = date(&text);
            if found.is_none() {
                reader.error(field.spot(), format!("{} is no date", shown(&text)), "write it as 2026-01-05");
            }
            found
        });
        Some(Rotation { members: members?, every: every?, handoff: handoff?, start: start? })
    }

    fn policy(&self, id: &str, table: &Table<'a>) -> Option<Policy> {
        let reader = self.reader;
        let repeat = reader.get(table, "repeat").map_or(Some(0), |field| reader.whole(field, 0..=MOST_REPEATS));
        let storm =
            reader.get(table, "storm").map_or(Some(limits::STORM_INCIDENTS), |field| reader.whole(field, 0..=limits::STORM_INCIDENTS_MOST));
        let mut steps = Vec::new();
        for (n, table) in reader.tables(table, "steps", &format!("a step of policy {id}"), STEP).iter().enumerate() {
            reader.place(format!("policy.{id}.steps[{n}]"), Spot::File(table.spot));
            let notify = reader.get(table, "notify").and_then(|field| reader.texts(field));
            let notify = notify.into_iter().flatten().filter_map(|(text, spot)| self.target(text, spot)).collect();
            let escalate_after = reader.get(table, "escalate_after").and_then(|field| reader.span(field));
            steps.push(Step { notify, escalate_after });
        }
        Some(Policy { id: PolicyId::from_text(id), steps, repeat: repeat?, storm: storm? })
    }

    fn target(&self, text: &str, spot: Spot<'_>) -> Option<Target> {
        const FORMS: &str = "write \"user:ID\", \"schedule:ID\", \"everyone\", \"slack:CHANNEL\" or \"webhook:ID\"";
        match text.split_once(':') {
            Some(("user", id)) => Some(Target::User(UserId::from_text(self.known(id, spot, "user", &ids(&self.users))?))),
            Some(("schedule", id)) => {
                Some(Target::Schedule(ScheduleId::from_text(self.known(id, spot, "schedule", &ids(&self.schedules))?)))
            }
            Some(("slack", channel)) if !channel.is_empty() => Some(Target::Place(Place::Slack(channel.to_owned()))),
            Some(("webhook", id)) => Some(Target::Place(Place::Webhook(self.known(id, spot, "webhook", &ids(&self.webhooks))?))),
            None if text == "everyone" => Some(Target::Everyone),
            Some((kind, id)) => {
                let meant = [("user", &self.users), ("schedule", &self.schedules)].into_iter().find(|(_, named)| named.contains_key(id));
                let suggestion = meant.map_or_else(|| FORMS.to_owned(), |(kind, _)| format!("did you mean \"{kind}:{id}\"?"));
                self.reader.error(spot, format!("nothing of the kind {} can be notified", shown(kind)), suggestion);
                None
            }
            None => {
                let meant = if self.users.contains_key(text) {
                    format!("did you mean \"user:{text}\"?")
                } else if self.schedules.contains_key(text) {
                    format!("did you mean \"schedule:{text}\"?")
                } else {
                    Some(instead(text, &["everyone"])).filter(|near| near.starts_with("did you")).unwrap_or_else(|| FORMS.to_owned())
                };
                self.reader.error(spot, format!("{} cannot be notified", shown(text)), meant);
                None
            }
        }
    }

    fn service(&self, id: &str, table: &Table<'a>) -> Option<Service> {
        let reader = self.reader;
        let policy =
            reader.need(table, "policy", "\"the-policy-to-page\"").and_then(|field| self.reference(field, "policy", &self.policies));
        let mut service = Service::new(ServiceId::from_text(id), PolicyId::from_text(policy.clone().unwrap_or_default()));
        if let Some(name) = reader.get(table, "name").and_then(|field| reader.words(field)) {
            service.name = name;
        }
        if let Some(group) = reader.get(table, "group").and_then(|field| reader.table(field, &format!("group of service {id}"), GROUP)) {
            if let Some(window) = reader.get(&group, "window").and_then(|field| reader.span(field)) {
                service.group_window = window;
            }
            if let Some(field) = reader.get(&group, "by") {
                if service.group_window == Span::ZERO {
                    reader.doubt(
                        field.spot(),
                        "with a window of no time every alert stays alone, whatever it is grouped by",
                        "leave by out, or give a window",
                    );
                }
                service.group_by = self.group_by(field);
            }
        }
        if let Some(field) = reader.get(table, "room_at") {
            service.room_at = reader.word(field, SEVERITIES);
        }
        if let Some(field) = reader.get(table, "severity") {
            service.severity = self.severity_table(id, field);
        }
        if let Some(within) = reader.get(table, "reopen_within").and_then(|field| reader.span(field)) {
            service.reopen_within = within;
        }
        if let Some(field) = reader.get(table, "ack_lapse") {
            service.ack_lapse = self.ack_lapse(field);
        }
        if let Some(field) = reader.get(table, "resolve")
            && let Some(mode) = reader.word(field, &[("auto", ResolveMode::Auto), ("ask", ResolveMode::Ask)])
        {
            service.resolve = mode;
        }
        if let Some(field) = reader.get(table, "close_after")
            && let Some(after) = reader.span(field)
        {
            if after == Span::ZERO {
                reader.error(field.spot(), "close_after is no time at all", "leave it out for alerts that only their sender ends");
            }
            service.close_after = Some(after);
        }
        self.quiet(&mut service, table);
        self.raise(&mut service, table);
        let causes = reader.get(table, "depends_on").and_then(|field| reader.texts(field));
        for (text, spot) in causes.into_iter().flatten() {
            if text == id {
                reader.error(spot, "a service does not depend on itself", "leave it out");
            } else if let Some(cause) = self.known(text, spot, "service", &ids(&self.services)) {
                service.depends_on.insert(ServiceId::from_text(cause));
            }
        }
        if let Some(takes) = reader.get(table, "takes_symptoms").and_then(|field| reader.truth(field)) {
            service.takes_symptoms = takes;
        }
        policy.map(|_| service)
    }

    fn ack_lapse(&self, field: Field<'a>) -> Option<Span> {
        if self.reader.text(field)? == "never" {
            return None;
        }
        let span = self.reader.span(field)?;
        if span == Span::ZERO {
            self.reader.error(field.spot(), "ack_lapse is no time at all", "write \"never\" for an acknowledgement that holds");
        }
        Some(span)
    }

    fn severity_table(&self, service: &str, field: Field<'a>) -> SeverityTable {
        let mut severities = SeverityTable::default();
        let keys: Vec<&str> = ALERT_SEVERITIES.iter().map(|(name, _)| *name).collect();
        let Some(table) = self.reader.table(field, &format!("severity of service {service}"), &keys) else { return severities };
        for (name, severity) in ALERT_SEVERITIES {
            let Some(given) = self.reader.get(&table, name).and_then(|field| self.reader.word(field, SEVERITIES)) else { continue };
            match severity {
                AlertSeverity::Critical => severities.critical = given,
                AlertSeverity::Error => severities.error = given,
                AlertSeverity::Warning => severities.warning = given,
                AlertSeverity::Info => severities.info = given,
            }
        }
        severities
    }

    fn integration(&self, id: &str, table: &Table<'a>, supported: &[&str]) -> Option<Integration> {
        let reader = self.reader;
        let source = reader.need(table, "source", "\"generic\"").and_then(|field| {
            let source = reader.text(field)?;
            if supported.contains(&source) {
                return Some(source.to_owned());
            }
            let source = self.known(source, field.spot(), "source", SOURCES)?;
            self.not_yet(field, &format!("the source {source}"), &format!("send to one of these: {}", supported.join(", ")));
            Some(source)
        });
        let service =
            reader.need(table, "service", "\"the-service-it-is-about\"").and_then(|field| self.reference(field, "service", &self.services));
        let severity = reader.get(table, "severity").map_or(Some(AlertSeverity::Error), |field| reader.word(field, ALERT_SEVERITIES));
        let heartbeat = self.heartbeat(table, source.as_deref());
        let topics = self.topics(table, source.as_deref());
        let map = self.mapping(id, table, source.as_deref());
        Some(Integration {
            id: id.into(),
            source: source?,
            service: ServiceId::from_text(service?),
            severity: severity?,
            heartbeat,
            topics,
            map,
            budget: self.budget(table),
        })
    }

    /// How much of it is kept one by one.
    fn budget(&self, table: &Table<'a>) -> Budget {
        let reader = self.reader;
        let given = |name| reader.get(table, name).and_then(|field| reader.whole(field, 1..=BUDGET_MOST));
        let usual = Budget::default();
        Budget { per_second: given("budget").unwrap_or(usual.per_second), new_per_hour: given("new_alerts").unwrap_or(usual.new_per_hour) }
    }

    /// Whose subscriptions may be confirmed.
    fn topics(&self, table: &Table<'a>, source: Option<&str>) -> Vec<String> {
        let reader = self.reader;
        let Some(field) = reader.get(table, "topics") else { return Vec::new() };
        if source.is_some_and(|source| source != "cloudwatch") {
            reader.error(field.spot(), "topics is for integrations with source = \"cloudwatch\"", "remove it");
            return Vec::new();
        }
        let mut topics = Vec::new();
        for (topic, spot) in reader.texts(field).unwrap_or_default() {
            let parts: Vec<&str> = topic.split(':').collect();
            if let ["arn", partition, "sns", region, account, name] = parts[..]
                && partition.starts_with("aws")
                && [region, account, name].iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic()))
            {
                topics.push(topic.to_owned());
            } else {
                let text = format!("{} is no topic of SNS", shown(topic));
                reader.error(spot, text, "write its ARN, as in arn:aws:sns:eu-west-1:123456789012:alarms");
            }
        }
        topics
    }

    fn heartbeat(&self, table: &Table<'a>, source: Option<&str>) -> Option<Heartbeat> {
        let reader = self.reader;
        if source != Some("heartbeat") {
            for name in ["period", "grace"] {
                if let (Some(field), Some(_)) = (reader.get(table, name), source) {
                    reader.error(field.spot(), format!("{name} is for integrations with source = \"heartbeat\""), "remove it");
                }
            }
            return None;
        }
        let field = reader.need(table, "period", "\"5m\"")?;
        let period = reader.span(field)?;
        if period == Span::ZERO {
            reader.error(field.spot(), "the period is no time at all", "write how often a beat comes: 5m, 1h, 1d");
        }
        let grace = reader.get(table, "grace").map_or(Some(limits::HEARTBEAT_GRACE), |field| reader.span(field))?;
        Some(Heartbeat { period, grace })
    }
}

/// The most that a budget can be: more than anything sends.
const BUDGET_MOST: u32 = 1_000_000_000;

/// Shorter keys can be guessed, bytes.
const KEY_BYTES: usize = 16;

/// The integrations' keys: each belongs to one integration, or a signal would have two homes.
#[derive(Default)]
struct Keys {
    live: BTreeMap<IntegrationId, Vec<Secret>>,
    owners: BTreeMap<String, String>,
}

impl Keys {
    fn read<'a>(&mut self, reader: &Reader<'a>, id: &str, table: &Table<'a>) {
        let Some(field) = reader.need(table, "key", "{ env = \"A_KEY\" }") else { return };
        let mut live = Vec::new();
        for (secret, spot) in reader.secrets(field) {
            if !secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) {
                let text = format!("the key of integration {id} has letters that do not fit in a URL");
                reader.error(spot, text, "use letters, digits, - and _, as in the output of: openssl rand -hex 24");
                continue;
            }
            if secret.expose().len() < KEY_BYTES {
                let text =
                    format!("the key of integration {id} is shorter than {KEY_BYTES} characters, and whoever guesses it can wake you");
                reader.doubt(spot, text, "make one with: openssl rand -hex 16");
            }
            match self.owners.insert(secret.digest(), id.to_owned()) {
                Some(owner) if owner == id => {
                    reader.error(spot, format!("integration {id} has the same key twice"), "remove one of the two");
                }
                Some(owner) => {
                    let text = format!("integration {id} has the same key as integration {owner}");
                    reader.error(spot, text, "give each integration a key of its own");
                }
                None => live.push(secret),
            }
        }
        self.live.insert(IntegrationId::from_text(id), live);
    }
}

fn voice_without_provider<'a>(reader: &Reader<'a>, root: &Table<'a>, setup: &Setup, settings: &Settings) {
    let has_voice = setup.users.values().any(|user| user.contacts.iter().any(|contact| contact.kind == ContactKind::Voice));
    let configured = settings.twilio.is_some() || root.key_spot("twilio").is_some();
    if has_voice && !configured {
        reader.doubt(Spot::File(0), "there are voice contacts and no [twilio], so no phone can ring", "add [twilio], or its variables");
    }
}

/// Only a signature tells a person's receiver that a page is ours, and nobody else's.
fn webhooks_without_secret(reader: &Reader<'_>, setup: &Setup, settings: &Settings) {
    let has_webhook = setup.users.values().any(|user| user.contacts.iter().any(|contact| contact.kind == ContactKind::Webhook));
    if has_webhook && settings.server.webhook_secrets.is_empty() {
        let text = "there are webhook contacts and no webhook_secret, so what they are sent is not signed";
        reader.doubt(Spot::File(0), text, "add webhook_secret under [server]; make one with: openssl rand -hex 32");
    }
}

fn every(text: &str) -> Result<Every, Refusal> {
    let wrong = || (format!("{} is no length of a turn", shown(text)), "write it as 12h, 1d, 1w or 1mo".to_owned());
    crate::domain::maintenance::every(text).ok_or_else(wrong)
}

/// A weekday belongs to turns of weeks alone; without one these change on Mondays.
fn handoff(text: &str, every: Option<Every>) -> Result<Handoff, Refusal> {
    let wrong = || Err((format!("{} is no hand-off", shown(text)), "write it as 09:00, or Mon 09:00 where turns are weeks".to_owned()));
    let (weekday, time) = match text.split_once(' ') {
        None => (None, text),
        Some((name, time)) => {
            let Some(weekday) = Weekday::ALL.into_iter().find(|day| day.name().eq_ignore_ascii_case(name)) else {
                let names = Weekday::ALL.map(Weekday::name);
                return Err((format!("{} is no day of the week", shown(name)), format!("write one of {}", names.join(", "))));
            };
            (Some(weekday), time)
        }
    };
    let number = |digits: &str, below: u8| {
        let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse::<u8>().ok().filter(|number| plain && *number < below)
    };
    let Some((hour, minute)) = time.split_once(':').and_then(|(hour, minute)| Some((number(hour, 24)?, number(minute, 60)?))) else {
        return wrong();
    };
    let weekday = match every {
        Some(Every::Weeks(_)) => Some(weekday.unwrap_or(Weekday::Mon)),
        Some(Every::Hours(_) | Every::Days(_) | Every::Months(_)) if weekday.is_some() => {
            return Err((format!("{} names a weekday, and the turns are not weeks", shown(text)), format!("write \"{time}\"")));
        }
        Some(Every::Hours(_) | Every::Days(_) | Every::Months(_)) | None => None,
    };
    Ok(Handoff { weekday, hour, minute })
}

fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let mut part = |length: usize| parts.next().filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()));
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() {
        return None;
    }
    let date = Date { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
    oncall::date_exists(date).then_some(date)
}

/// A person's webhook: any path and query, and nothing before the host. What is wrong is not repeated, because it may hold a key.
fn hook_url(text: &str) -> Result<String, (String, String)> {
    let url = reqwest::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.map(|_| text.to_owned())
        .ok_or_else(|| ("to is no address of a webhook".to_owned(), "write it as https://example.com/hook".to_owned()))
}
