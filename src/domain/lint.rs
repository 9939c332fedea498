//! What a setup would do on a bad night, found before the night: who is called when at the latest, and what can never happen.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::oncall;
use super::routing::Route;
use super::setup::{AlertSeverity, Contact, ContactKind, Policy, Schedule, Setup, Step, Target, Urgency, User};
use crate::base::id::{PolicyId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::base::viewer::Role;

/// How bad it is, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing worth saying about a setup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The object it is about: `policy.platform.steps[2]`, or nothing for the whole.
    pub path: String,
    pub level: Level,
    pub text: String,
    /// What to do about it; empty where nothing needs doing.
    pub suggestion: String,
}

/// Looks a setup over as it is at `at`. `usable` are the kinds of contact that this version can reach.
#[must_use]
pub fn lint(setup: &Setup, at: Time, usable: &[ContactKind]) -> Vec<Finding> {
    let mut linter = Linter { setup, usable, findings: Vec::new() };
    linter.whole();
    for user in setup.users.values() {
        linter.user(user);
    }
    for schedule in setup.schedules.values() {
        linter.schedule(schedule, at);
    }
    for policy in setup.policies.values() {
        linter.policy(policy);
    }
    linter.services();
    linter.routes();
    for window in &setup.maintenance {
        for (text, suggestion) in window.doubts(setup, at) {
            linter.warn(format!("maintenance.{}", window.id), text, suggestion);
        }
    }
    for rule in &setup.inhibitions {
        for (text, suggestion) in rule.doubts(setup) {
            linter.warn(format!("inhibition.{}", rule.id), text, suggestion);
        }
    }
    linter.findings
}

/// The latest moments, counted from the start, at which a policy has reached people if nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WorstCase {
    /// When the first person's first call or message leaves; `None` where that is not certain.
    pub first: Option<Span>,
    /// When a second, different person is reached.
    pub second: Option<Span>,
    /// When everyone is called.
    pub everyone: Span,
    /// When the last step of the last round has waited in vain.
    pub exhausted: Span,
}

/// How long a policy takes in high urgency when all goes against it: whoever might be on call is the one already called.
#[must_use]
pub fn worst_case(setup: &Setup, policy: &Policy, usable: &[ContactKind]) -> WorstCase {
    let round = round_length(policy);
    let exhausted = Span(round.0.saturating_mul(i64::from(policy.repeat) + 1));
    let mut calls: Vec<(Span, &[Target])> = step_starts(policy).map(|(start, step)| (start, step.notify.as_slice())).collect();
    let everyone = calls.iter().find(|(_, notify)| notify.contains(&Target::Everyone)).map_or(exhausted, |(start, _)| *start);
    // When nobody answered, everyone is called.
    calls.push((exhausted, &[Target::Everyone]));

    // When somebody other than `spared` is reached for certain, if `spared` has every turn that can be theirs.
    let reached_but = |spared: Option<&UserId>| {
        let moments = calls.iter().flat_map(|&(start, notify)| {
            notify.iter().filter_map(move |target| delay_of_target(setup, target, spared, usable).map(|delay| start + delay))
        });
        moments.min()
    };
    let first = reached_but(None);
    // The second person is latest when the first one called is also whoever else might have been on call.
    let second = setup.users.keys().map(|user| reached_but(Some(user))).try_fold(Span::ZERO, |latest, moment| Some(latest.max(moment?)));
    WorstCase { first, second: second.filter(|_| first.is_some() && setup.users.len() > 1), everyone, exhausted }
}

/// The steps of one round that do anything, with their beginnings; a step that names nobody is skipped at once.
fn step_starts(policy: &Policy) -> impl Iterator<Item = (Span, &Step)> {
    policy.steps.iter().filter(|step| !step.notify.is_empty() && !step.names_only_places()).scan(Span::ZERO, |start, step| {
        let begins = *start;
        *start = begins + step.wait();
        Some((begins, step))
    })
}

fn round_length(policy: &Policy) -> Span {
    step_starts(policy).last().map_or(Span::ZERO, |(start, step)| start + step.wait())
}

/// How long after a step's start this target surely reaches someone other than `spared`.
fn delay_of_target(setup: &Setup, target: &Target, spared: Option<&UserId>, usable: &[ContactKind]) -> Option<Span> {
    let other = |user: &UserId| Some(user) != spared;
    match target {
        Target::User(user) => setup.users.get(user).filter(|user| other(&user.id)).and_then(|user| first_delay(user, usable)),
        Target::Schedule(schedule) => {
            let rotations = setup.schedules.get(schedule)?.rotations.iter().filter(|rotation| rotation.members.iter().all(other));
            // Any member may be the one on call, so the slowest counts.
            let slowest = rotations.filter(|rotation| !rotation.members.is_empty()).filter_map(|rotation| {
                rotation.members.iter().try_fold(Span::ZERO, |slowest, member| {
                    setup.users.get(member).and_then(|user| first_delay(user, usable)).map(|delay| slowest.max(delay))
                })
            });
            slowest.min()
        }
        Target::Place(_) => None,
        Target::Everyone => setup.everyone().filter(|user| other(&user.id)).filter_map(|user| first_delay(user, usable)).min(),
    }
}

/// How long after the start of a person's page, in high urgency, anything of theirs is tried.
fn first_delay(user: &User, usable: &[ContactKind]) -> Option<Span> {
    let kinds = || user.contacts.iter().map(|contact| contact.kind).filter(|kind| usable.contains(kind));
    if !has_rules(user, Urgency::High) {
        return kinds().map(|kind| if kind == ContactKind::Voice { Span::ZERO } else { limits::OTHER_CONTACTS }).min();
    }
    user.rules
        .iter()
        .filter(|rule| rule.urgency == Urgency::High && kind_of(user, rule).is_some_and(|kind| usable.contains(&kind)))
        .map(|rule| rule.after)
        .min()
}

fn has_rules(user: &User, urgency: Urgency) -> bool {
    user.rules.iter().any(|rule| rule.urgency == urgency)
}

fn kind_of(user: &User, rule: &super::setup::Rule) -> Option<ContactKind> {
    user.contacts.iter().find(|contact| contact.id == rule.contact).map(|contact| contact.kind)
}

struct Linter<'a> {
    setup: &'a Setup,
    usable: &'a [ContactKind],
    findings: Vec<Finding>,
}

impl Linter<'_> {
    fn say(&mut self, level: Level, path: impl Into<String>, text: impl Into<String>, suggestion: impl Into<String>) {
        self.findings.push(Finding { path: path.into(), level, text: text.into(), suggestion: suggestion.into() });
    }

    fn warn(&mut self, path: impl Into<String>, text: impl Into<String>, suggestion: impl Into<String>) {
        self.say(Level::Warning, path, text, suggestion);
    }

    fn whole(&mut self) {
        let setup = self.setup;
        if setup.users.is_empty() {
            self.warn("", "there is no user, so nobody can be called", "add a [[user]] with a voice contact");
            return;
        }
        if setup.everyone().next().is_none() {
            self.warn("", "nobody is in \"everyone\", so an exhausted policy calls nobody", "give a user the role responder or above");
        }
        if !setup.users.values().any(|user| user.role == Role::Admin) {
            self.warn("", "no user is an administrator", "add admin = true to one of them");
        }
        if setup.services.is_empty() {
            self.warn("", "there is no service, so no alert pages anybody", "add a [[service]] and an [[integration]] that sends to it");
        }
    }

    fn user(&mut self, user: &User) {
        let path = format!("user.{}", user.id);
        let unusable = |contact: &Contact| !self.usable.contains(&contact.kind);
        for (n, contact) in user.contacts.iter().enumerate().filter(|(_, contact)| unusable(contact)) {
            let (text, suggestion) = match contact.kind {
                ContactKind::Email => ("no [smtp] is configured, so no mail can be sent to this contact", "add [smtp] with url and from"),
                ContactKind::SlackDm => {
                    ("no [slack] is configured, so no message can be sent to this contact", "add [slack] with bot_token")
                }
                ContactKind::Voice | ContactKind::Sms => ("no [twilio] is configured, so this contact cannot be reached", "add [twilio]"),
                ContactKind::Webhook => ("this contact cannot be reached", "remove it"),
            };
            self.warn(format!("{path}.contacts[{n}]"), text, suggestion);
        }
        let can_be_called = self.setup.policies.values().any(|policy| self.may_name(policy, user));
        if can_be_called {
            let rules = has_rules(user, Urgency::High);
            if !user.contacts.iter().any(|contact| contact.kind == ContactKind::Voice) {
                self.warn(
                    &path,
                    format!("{} can be paged but has no phone to ring", user.id),
                    "add a voice contact, here or in the web pages",
                );
            } else if !rules {
                let text = format!("{} has no high rule: voice is tried at once, every other contact after 1m", user.id);
                self.warn(&path, text, "add rules with urgency = \"high\"");
            } else if first_delay(user, self.usable).is_none() {
                let text = format!("no high rule of {} uses a contact that can be reached", user.id);
                self.warn(&path, text, "add a high rule for a voice contact");
            }
        }
        let mut seen: BTreeMap<_, usize> = BTreeMap::new();
        let longest = self.longest_page(user);
        for (n, rule) in user.rules.iter().enumerate() {
            let here = format!("{path}.rules[{n}]");
            if let Some(first) = seen.get(&(rule.urgency, rule.after, rule.contact.as_str())) {
                self.warn(&here, format!("this rule is the same as rule {} and adds nothing", first + 1), "remove it, or change its after");
                continue;
            }
            seen.insert((rule.urgency, rule.after, rule.contact.as_str()), n);
            let longest = match rule.urgency {
                Urgency::High => longest,
                Urgency::Low => Some(limits::REMINDER),
            };
            if let Some(longest) = longest.filter(|longest| rule.after > *longest) {
                let text = format!("this rule can never fire: the rules of {} start again after {longest} at the latest", user.id);
                self.warn(&here, text, format!("give an after of {longest} or less"));
            }
        }
        let rules_of = |contact: &Contact| user.rules.iter().any(|rule| rule.contact == contact.id);
        let silent: Vec<usize> = user
            .contacts
            .iter()
            .enumerate()
            .filter(|(_, contact)| !user.rules.is_empty() && !unusable(contact) && !rules_of(contact))
            .map(|(n, _)| n)
            .collect();
        for n in silent {
            let text = format!("no rule of {} uses this contact", user.id);
            self.warn(format!("{path}.contacts[{n}]"), text, "add a rule for it, or remove it");
        }
    }

    /// Whether this policy can come to this person.
    fn may_name(&self, policy: &Policy, user: &User) -> bool {
        user.role >= Role::Responder || policy.steps.iter().any(|step| step.notify.iter().any(|target| self.naming(target, user).is_some()))
    }

    /// Whether this target names this person: `Some(true)` for certain, `Some(false)` perhaps.
    fn naming(&self, target: &Target, user: &User) -> Option<bool> {
        match target {
            Target::User(id) => (*id == user.id).then_some(true),
            Target::Everyone => (user.role >= Role::Responder).then_some(true),
            Target::Place(_) => None,
            Target::Schedule(id) => {
                let member = |schedule: &Schedule| schedule.rotations.iter().any(|rotation| rotation.members.contains(&user.id));
                self.setup.schedules.get(id).is_some_and(member).then_some(false)
            }
        }
    }

    /// The longest a page of this person can go on, in high urgency, before it starts over; `None` where it may go on for ever.
    fn longest_page(&self, user: &User) -> Option<Span> {
        let mut longest = None;
        for policy in self.setup.policies.values().filter(|policy| self.may_name(policy, user)) {
            let round = round_length(policy);
            // From the third round on it is the second once more.
            let rounds = i64::from(policy.repeat.min(1)) + 1;
            let mut named: Vec<(Span, bool)> = Vec::new();
            for n in 0..rounds {
                for (start, step) in step_starts(policy) {
                    let namings = step.notify.iter().filter_map(|target| self.naming(target, user));
                    if let Some(certain) = namings.max() {
                        named.push((Span(round.0.saturating_mul(n)) + start, certain));
                    }
                }
            }
            if user.role >= Role::Responder {
                let exhausted = Span(round.0.saturating_mul(rounds));
                named.extend([(exhausted, true), (exhausted + limits::EXHAUSTED_EVERY, true)]);
            }
            // The very last naming of a responder repeats the one before it.
            let ends = if user.role >= Role::Responder { named.len() - 1 } else { named.len() };
            for (n, (start, _)) in named.iter().enumerate().take(ends) {
                let (next, _) = named.iter().skip(n + 1).find(|(_, certain)| *certain)?;
                longest = longest.max(Some(Span(next.0 - start.0)));
            }
        }
        longest
    }

    fn schedule(&mut self, schedule: &Schedule, at: Time) {
        let path = format!("schedule.{}", schedule.id);
        if schedule.rotations.is_empty() {
            self.warn(&path, format!("schedule {} has no rotation, so nobody is ever on call", schedule.id), "add a rotation");
        } else {
            for (n, _) in schedule.rotations.iter().enumerate().filter(|(_, rotation)| rotation.members.is_empty()) {
                let text = format!("rotation {} of schedule {} has no member", n + 1, schedule.id);
                self.warn(format!("{path}.rotations[{n}]"), text, "name a user in members, or remove it");
            }
            // Once a rotation has begun it never stops, so the only gap is the one before the first.
            match oncall::who(schedule, at) {
                Ok(turn) if turn.users.is_empty() && schedule.rotations.iter().any(|rotation| !rotation.members.is_empty()) => {
                    let until = turn.until.map_or_else(|| "the end of time".to_owned(), Time::rfc3339);
                    let text = format!("nobody is on call in schedule {} before {until}", schedule.id);
                    self.warn(format!("{path}.rotations[0]"), text, "let a rotation start earlier");
                }
                Ok(_) => {}
                Err(error) => self.say(Level::Error, &path, format!("schedule {}: {error}", schedule.id), "correct it"),
            }
        }
        let uses = |policy: &Policy| policy.steps.iter().any(|step| step.notify.contains(&Target::Schedule(schedule.id.clone())));
        if !self.setup.policies.values().any(uses) {
            self.say(Level::Info, &path, format!("no policy uses schedule {}", schedule.id), "");
        }
    }

    fn policy(&mut self, policy: &Policy) {
        let path = format!("policy.{}", policy.id);
        for (n, _) in policy.steps.iter().enumerate().filter(|(_, step)| step.notify.is_empty()) {
            let text = format!("step {} of policy {} names nobody and is skipped at once", n + 1, policy.id);
            self.warn(format!("{path}.steps[{n}]"), text, "name a user, a schedule or everyone in notify, or remove the step");
        }
        if policy.steps.iter().all(|step| step.notify.is_empty()) {
            self.warn(&path, format!("policy {} has no step that calls anyone: it is exhausted at once", policy.id), "add a step");
        }
        let worst = worst_case(self.setup, policy, self.usable);
        let after = |moment: Option<Span>| moment.map_or_else(|| "never".to_owned(), |span| format!("after {span}"));
        let line = format!(
            "policy {}: first human {}, second {}, everyone {}, exhausted {}",
            policy.id,
            after(worst.first),
            after(worst.second),
            after(Some(worst.everyone)),
            after(Some(worst.exhausted))
        );
        self.say(Level::Info, &path, line, "");
        if worst.first.is_none() && !self.setup.users.is_empty() {
            self.warn(
                &path,
                format!("policy {} reaches nobody for certain", policy.id),
                "give the people it names a contact that can be reached",
            );
        }
        let of_rule = |route: &Route| route.gives.policy.as_ref() == Some(&policy.id);
        if !self.setup.services.values().any(|service| service.policy == policy.id) && !self.setup.routes.iter().any(of_rule) {
            self.say(Level::Info, &path, format!("no service uses policy {}; it pages only when asked for by name", policy.id), "");
        }
    }

    fn services(&mut self) {
        let routed = self.setup.routes.iter().filter_map(|route| route.gives.service.as_ref());
        let fed: BTreeSet<_> = self.setup.integrations.values().map(|integration| &integration.service).chain(routed).collect();
        let known: BTreeSet<&PolicyId> = self.setup.policies.keys().collect();
        for service in self.setup.services.values() {
            let path = format!("service.{}", service.id);
            if !fed.contains(&service.id) {
                let text = format!("nothing sends to service {}", service.id);
                self.warn(&path, text, format!("add an [[integration]] with service = \"{}\"", service.id));
            }
            if !known.contains(&service.policy) {
                let text = format!("service {} has the policy {}, which does not exist", service.id, service.policy);
                self.say(Level::Error, &path, text, "name a policy that exists");
            }
        }
    }

    /// Rules that can never fire, and patterns that do not mean what they look like.
    fn routes(&mut self) {
        let setup = self.setup;
        for (n, route) in setup.routes.iter().enumerate() {
            let path = format!("route.{}", route.id);
            if let Some(before) = setup.routes[..n].iter().find(|before| self.takes_all_of(before, route)) {
                let text = format!("rule {} can never fire: rule {} before it takes all that it would", route.id, before.id);
                self.warn(&path, text, "put it first, or remove it");
            } else if let Some(why) = self.never_fires(route) {
                self.warn(&path, format!("rule {} can never fire: {why}", route.id), "mend what it asks for, or remove it");
            }
            for matcher in route.matchers.iter().filter(|matcher| matcher.looks_like_shell()) {
                let text = format!("{matcher} repeats the sign before its star, and a star alone stands for nothing");
                self.warn(&path, text, "write .* for whatever comes, as in 'host=~\"db-.*\"'");
            }
        }
    }

    /// Whether whatever `later` asks for has all that `earlier` asks for.
    fn takes_all_of(&self, earlier: &Route, later: &Route) -> bool {
        let of_integration = later.integration.as_ref().and_then(|id| self.setup.integrations.get(id)).map(|one| &one.source);
        let source = earlier.source.as_ref().is_none_or(|source| later.source.as_ref().or(of_integration) == Some(source));
        let integration = earlier.integration.is_none() || earlier.integration == later.integration;
        let matchers = earlier.matchers.iter().all(|matcher| matcher.takes_all() || later.matchers.contains(matcher));
        let expression = earlier.expression.is_none() || earlier.expression == later.expression;
        source && integration && matchers && expression
    }

    fn never_fires(&self, route: &Route) -> Option<String> {
        let integration = route.integration.as_ref().and_then(|id| self.setup.integrations.get(id));
        if let (Some(source), Some(integration)) = (&route.source, integration)
            && *source != integration.source
        {
            return Some(format!("integration {} is of the source {}", integration.id, integration.source));
        }
        for matcher in &route.matchers {
            let wanted = matcher.only();
            if matcher.name() == "severity" && wanted.is_some_and(|value| AlertSeverity::parse(value).is_none()) {
                let words = AlertSeverity::ALL.map(AlertSeverity::name).join(", ");
                return Some(format!("{matcher} is no severity; there are {words}"));
            }
            let other =
                route.matchers.iter().find(|other| other.name() == matcher.name() && wanted.is_some_and(|value| !other.matches(value)));
            if let Some(other) = other {
                return Some(format!("{matcher} and {other} are never true together"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::setup::{Date, Every, Handoff, Integration, Rotation, Rule, Service};
    use super::*;
    use crate::domain::setup::Budget;

    const VOICE: &[ContactKind] = &[ContactKind::Voice];

    fn user(id: &str, rules: &[(Urgency, i64)]) -> User {
        User {
            id: id.into(),
            name: id.to_owned(),
            email: None,
            timezone: "UTC".to_owned(),
            language: crate::domain::setup::Language::En,
            slack: None,
            role: Role::Responder,
            contacts: vec![Contact { id: "phone".into(), kind: ContactKind::Voice, to: "+33100000001".to_owned(), closed: None }],
            rules: rules
                .iter()
                .map(|&(urgency, minutes)| Rule { urgency, after: Span::minutes(minutes), contact: "phone".into() })
                .collect(),
        }
    }

    fn rotation(members: &[&str]) -> Rotation {
        Rotation {
            members: members.iter().map(|&member| member.into()).collect(),
            every: Every::Weeks(1),
            handoff: Handoff { weekday: None, hour: 9, minute: 0 },
            start: Date { year: 2026, month: 1, day: 5 },
        }
    }

    fn step(notify: &[&str], minutes: i64) -> Step {
        let target = |name: &&str| match name.split_once(':') {
            Some(("schedule", id)) => Target::Schedule(id.into()),
            Some((_, id)) => Target::User(id.into()),
            None => Target::Everyone,
        };
        Step { notify: notify.iter().map(target).collect(), escalate_after: Some(Span::minutes(minutes)) }
    }

    /// Three people, one schedule of two of them, one service with its integration.
    fn setup(steps: Vec<Step>, repeat: u32) -> Setup {
        let high = &[(Urgency::High, 0)];
        let mut setup = Setup::default();
        for id in ["ana", "bo", "cy"] {
            setup.users.insert(id.into(), user(id, high));
        }
        for user in setup.users.values_mut().filter(|user| user.id.as_str() == "ana") {
            user.role = Role::Admin;
        }
        let schedule =
            Schedule { id: "day".into(), timezone: "UTC".to_owned(), rotations: vec![rotation(&["ana", "bo"])], overrides: Vec::new() };
        setup.schedules.insert("day".into(), schedule);
        setup.policies.insert("p".into(), Policy { id: "p".into(), steps, repeat, storm: 10 });
        setup.services.insert("api".into(), Service::new("api".into(), "p".into()));
        let integration = Integration {
            id: "in".into(),
            source: "generic".to_owned(),
            service: "api".into(),
            severity: AlertSeverity::Error,
            heartbeat: None,
            topics: Vec::new(),
            map: None,
            budget: Budget::default(),
        };
        setup.integrations.insert("in".into(), integration);
        setup
    }

    fn at() -> Time {
        Time::parse_rfc3339("2026-06-01T00:00:00Z").expect("a time in a test is well written")
    }

    fn lines(setup: &Setup) -> Vec<String> {
        let line = |finding: Finding| format!("{} {}: {}", finding.level.name(), finding.path, finding.text);
        lint(setup, at(), VOICE).into_iter().map(line).collect()
    }

    #[test]
    fn the_worst_case_of_policies() {
        let cases: [(Vec<Step>, u32, &str); 8] = [
            (
                vec![step(&["schedule:day"], 5), step(&["user:ana", "user:bo"], 5), step(&["everyone"], 5)],
                2,
                "first human after 0s, second after 5m, everyone after 10m, exhausted after 45m",
            ),
            // The one on call may be ana, so the second step may add nobody.
            (
                vec![step(&["schedule:day"], 5), step(&["user:ana"], 7)],
                0,
                "first human after 0s, second after 12m, everyone after 12m, exhausted after 12m",
            ),
            (
                vec![step(&["schedule:day"], 5), step(&["user:cy"], 7)],
                1,
                "first human after 0s, second after 5m, everyone after 24m, exhausted after 24m",
            ),
            (vec![step(&["everyone"], 5)], 0, "first human after 0s, second after 0s, everyone after 0s, exhausted after 5m"),
            (
                vec![step(&["user:ana", "schedule:day"], 5)],
                0,
                "first human after 0s, second after 5m, everyone after 5m, exhausted after 5m",
            ),
            // cy is not in the rotation, so whoever has it is a second person.
            (
                vec![step(&["user:cy", "schedule:day"], 5)],
                0,
                "first human after 0s, second after 0s, everyone after 5m, exhausted after 5m",
            ),
            // An empty step does not wait.
            (vec![step(&[], 30), step(&["user:cy"], 4)], 0, "first human after 0s, second after 4m, everyone after 4m, exhausted after 4m"),
            (vec![], 3, "first human after 0s, second after 0s, everyone after 0s, exhausted after 0s"),
        ];
        for (steps, repeat, expected) in cases {
            let lines = lines(&setup(steps, repeat));
            assert!(lines.contains(&format!("info policy.p: policy p: {expected}")), "wanted {expected} in {lines:#?}");
        }
    }

    #[test]
    fn a_persons_rules_delay_them_and_an_unreachable_member_cannot_be_counted_on() {
        let mut setup = setup(vec![step(&["schedule:day"], 5), step(&["user:cy"], 5)], 0);
        setup.users.insert("bo".into(), user("bo", &[(Urgency::High, 2)]));
        let worst = |setup: &Setup| worst_case(setup, &setup.policies[&"p".into()], VOICE);
        assert_eq!(worst(&setup).first, Some(Span::minutes(2)));
        let mut text_only = user("bo", &[(Urgency::High, 0)]);
        text_only.contacts[0].kind = ContactKind::Sms;
        setup.users.insert("bo".into(), text_only);
        assert_eq!(worst(&setup).first, Some(Span::minutes(5)), "bo may be on call, and no text can be sent");
        assert_eq!(worst_case(&setup, &setup.policies[&"p".into()], &[ContactKind::Voice, ContactKind::Sms]).first, Some(Span::ZERO));
        setup.users.retain(|id, _| id.as_str() == "ana");
        assert_eq!(worst(&setup).second, None, "there is nobody else");
    }

    #[test]
    fn a_sound_setup_has_only_its_figures() {
        assert_eq!(
            lines(&setup(vec![step(&["schedule:day"], 5), step(&["everyone"], 5)], 0)),
            ["info policy.p: policy p: first human after 0s, second after 5m, everyone after 5m, exhausted after 10m"]
        );
    }

    #[test]
    fn what_can_never_happen_is_found() {
        let sound = || setup(vec![step(&["schedule:day"], 5), step(&["everyone"], 5)], 0);
        let mut cases: Vec<(Setup, &str)> = Vec::new();
        let mut with = |change: &dyn Fn(&mut Setup), expected| {
            let mut setup = sound();
            change(&mut setup);
            cases.push((setup, expected));
        };
        with(
            &|setup| drop(setup.users.insert("bo".into(), user("bo", &[(Urgency::High, 0), (Urgency::High, 16)]))),
            "warning user.bo.rules[1]: this rule can never fire: the rules of bo start again after 15m at the latest",
        );
        with(
            &|setup| drop(setup.users.insert("bo".into(), user("bo", &[(Urgency::High, 0), (Urgency::Low, 24 * 60 + 1)]))),
            "warning user.bo.rules[1]: this rule can never fire: the rules of bo start again after 1d at the latest",
        );
        with(
            &|setup| drop(setup.users.insert("bo".into(), user("bo", &[(Urgency::High, 3), (Urgency::High, 3)]))),
            "warning user.bo.rules[1]: this rule is the same as rule 1 and adds nothing",
        );
        with(
            &|setup| drop(setup.users.insert("bo".into(), user("bo", &[(Urgency::Low, 3)]))),
            "warning user.bo: bo has no high rule: voice is tried at once, every other contact after 1m",
        );
        with(
            &|setup| setup.users.values_mut().for_each(|user| user.contacts.clear()),
            "warning user.cy: cy can be paged but has no phone to ring",
        );
        with(
            &|setup| setup.users.values_mut().for_each(|user| user.contacts.clear()),
            "warning policy.p: policy p reaches nobody for certain",
        );
        with(
            &|setup| {
                let mut both = user("bo", &[(Urgency::High, 0)]);
                both.contacts.push(Contact { id: "text".into(), kind: ContactKind::Sms, to: "+33100000001".to_owned(), closed: None });
                both.rules[0].contact = "text".into();
                setup.users.insert("bo".into(), both);
            },
            "warning user.bo: no high rule of bo uses a contact that can be reached",
        );
        with(&|setup| setup.users.values_mut().for_each(|user| user.role = Role::Responder), "warning : no user is an administrator");
        with(
            &|setup| setup.users.values_mut().for_each(|user| user.role = Role::Observer),
            "warning : nobody is in \"everyone\", so an exhausted policy calls nobody",
        );
        with(&|setup| setup.integrations.clear(), "warning service.api: nothing sends to service api");
        with(&|setup| setup.services.clear(), "info policy.p: no service uses policy p; it pages only when asked for by name");
        with(
            &|setup| setup.policies.values_mut().for_each(|policy| policy.steps.insert(1, step(&[], 5))),
            "warning policy.p.steps[1]: step 2 of policy p names nobody and is skipped at once",
        );
        with(
            &|setup| setup.schedules.values_mut().for_each(|schedule| schedule.rotations[0].start.month = 6),
            "warning schedule.day.rotations[0]: nobody is on call in schedule day before 2026-06-08T09:00:00.000Z",
        );
        with(
            &|setup| setup.schedules.values_mut().for_each(|schedule| schedule.rotations.clear()),
            "warning schedule.day: schedule day has no rotation, so nobody is ever on call",
        );
        with(
            &|setup| setup.schedules.values_mut().for_each(|schedule| schedule.timezone = "Mars/Olympus".to_owned()),
            "error schedule.day: schedule day: there is no time zone \"Mars/Olympus\"",
        );
        for (setup, expected) in cases {
            let lines = lines(&setup);
            assert!(lines.iter().any(|line| line == expected), "wanted {expected} in {lines:#?}");
        }
    }

    #[test]
    fn a_rule_that_can_still_fire_is_left_alone() {
        // ana may be on call at 0s and be named for certain only at 20m.
        let mut long = setup(vec![step(&["schedule:day"], 20), step(&["everyone"], 5)], 0);
        long.users.insert("bo".into(), user("bo", &[(Urgency::High, 0), (Urgency::High, 19)]));
        assert!(!lines(&long).iter().any(|line| line.contains("never fire")), "{:#?}", lines(&long));
        // An observer who is named is not called again when the policy is exhausted, so the page may go on for ever.
        let mut observer = user("bo", &[(Urgency::High, 0), (Urgency::High, 600)]);
        observer.role = Role::Observer;
        let mut named = setup(vec![step(&["user:bo"], 5)], 0);
        named.users.insert("bo".into(), observer);
        assert!(!lines(&named).iter().any(|line| line.contains("never fire")), "{:#?}", lines(&named));
    }
}
