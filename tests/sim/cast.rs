//! Random setups: who can be woken, when and in which order; the odd ones too.

use reveille::base::id::{ContactId, IntegrationId, OverrideId, PolicyId, ScheduleId, ServiceId, UserId};
use reveille::base::time::{Span, Time};
use reveille::base::viewer::Role;
use reveille::domain::group::GroupBy;
use reveille::domain::routing::{Gives, Route};
use reveille::domain::setup::{
    AlertSeverity, Budget, Contact, ContactKind, Date, Every, Flapping, Handoff, Integration, Language, Override, Place, Policy, Raise,
    ResolveMode, Rotation, Rule, Schedule, Service, Setup, Severity, SeverityTable, Step, Target, Urgency, User,
};

use super::dice::Dice;
use super::{explained, held};

pub fn setup(dice: &mut Dice) -> Setup {
    let mut setup = Setup::default();
    for n in 0..=dice.below(5) {
        let user = user(dice, n);
        setup.users.insert(user.id.clone(), user);
    }
    let users: Vec<UserId> = setup.users.keys().cloned().collect();
    for n in 0..dice.below(3) {
        let schedule = schedule(dice, n, &users);
        setup.schedules.insert(schedule.id.clone(), schedule);
    }
    let schedules: Vec<ScheduleId> = setup.schedules.keys().cloned().collect();
    for n in 0..=dice.below(2) {
        let policy = policy(dice, n, &users, &schedules);
        setup.policies.insert(policy.id.clone(), policy);
    }
    let policies: Vec<PolicyId> = setup.policies.keys().cloned().collect();
    for n in 0..=dice.below(3) {
        let id = ServiceId::from_text(format!("service{n}"));
        let policy = if dice.percent(4) { "gone".into() } else { dice.pick(&policies).clone() };
        let mut service = Service::new(id.clone(), policy);
        service.group_window = *dice.pick(&[Span::ZERO, Span::minutes(1), Span::minutes(10), Span::minutes(10)]);
        if dice.percent(30) {
            let host = || GroupBy::Names(vec!["host".to_owned()]);
            service.group_by = Some(if dice.percent(50) { host() } else { GroupBy::Template("{{ labels.host }}".to_owned().into()) });
        }
        service.reopen_within = *dice.pick(&[Span::ZERO, Span::minutes(3), Span::minutes(10)]);
        service.ack_lapse = *dice.pick(&[None, Some(Span::minutes(5)), Some(Span::minutes(9)), Some(Span::minutes(30))]);
        service.room_at = *dice.pick(&[None, Some(Severity::Sev1), Some(Severity::Sev3)]);
        service.resolve = *dice.pick(&[ResolveMode::Auto, ResolveMode::Auto, ResolveMode::Ask]);
        service.close_after = *dice.pick(&[None, None, Some(Span::minutes(4)), Some(Span::minutes(20))]);
        // Half of them call at once; and some believe a sender that changes its mind once.
        service.quiet_for = *dice.pick(&[Span::ZERO, Span::ZERO, Span::seconds(30), held::LONGEST]);
        let quick = Flapping { high: 10, low: 6, ..Flapping::default() };
        service.flapping = *dice.pick(&[None, Some(Flapping::default()), Some(quick), Some(quick)]);
        service.raise = *dice.pick(&[Raise::default(), Raise { new: true, rising: true }, Raise { new: true, rising: false }]);
        if dice.percent(30) {
            let mut any = || *dice.pick(&Severity::ALL);
            service.severity = SeverityTable { critical: any(), error: any(), warning: any(), info: any() };
        }
        setup.services.insert(id, service);
    }
    let services: Vec<ServiceId> = setup.services.keys().cloned().collect();
    // Some depend on others, and some of those in a ring.
    for service in setup.services.values_mut() {
        let cause = dice.pick(&services);
        if dice.percent(35) && *cause != service.id {
            service.depends_on.insert(cause.clone());
        }
    }
    for n in 0..=dice.below(4) {
        let id = IntegrationId::from_text(format!("sender{n}"));
        let severity = *dice.pick(&AlertSeverity::ALL);
        let service = dice.pick(&services).clone();
        setup.integrations.insert(
            id.clone(),
            Integration {
                id,
                source: "generic".to_owned(),
                service,
                severity,
                heartbeat: None,
                topics: Vec::new(),
                map: None,
                budget: Budget::default(),
            },
        );
    }
    // Some nights have rules: one that takes what is worst elsewhere, perhaps under another policy, and one that may only record.
    if dice.percent(50) {
        let rule = |id: &str, matcher: &str, gives| Route {
            id: id.into(),
            source: None,
            integration: None,
            matchers: vec![matcher.into()],
            expression: None,
            gives,
        };
        let policy = dice.percent(50).then(|| dice.pick(&policies).clone());
        let service = Some(dice.pick(&services).clone());
        setup.routes.push(rule("worst", "severity=\"critical\"", Gives { service, policy, ..Gives::default() }));
        setup.routes.push(rule("quiet", "dedup_key=~\".*1\"", Gives { record: dice.percent(50), ..Gives::default() }));
    }
    setup.inhibitions = explained::rules(dice);
    setup
}

fn user(dice: &mut Dice, n: usize) -> User {
    let id = UserId::from_text(format!("user{n}"));
    let contacts: Vec<Contact> = (0..*dice.pick(&[0, 1, 1, 1, 2, 2, 3]))
        .map(|c| {
            let kinds =
                [ContactKind::Voice, ContactKind::Voice, ContactKind::Voice, ContactKind::Sms, ContactKind::Email, ContactKind::Webhook];
            let kind = *dice.pick(&kinds);
            Contact { id: ContactId::from_text(format!("user{n}-{c}")), kind, to: format!("+33600000{n}{c}"), closed: None }
        })
        .collect();
    let mut rules = Vec::new();
    for urgency in [Urgency::High, Urgency::Low] {
        if !contacts.is_empty() && dice.percent(55) {
            for _ in 0..=dice.below(3) {
                let after = Span::seconds(*dice.pick(&[0, 0, 30, 60, 120, 130, 300]));
                rules.push(Rule { urgency, after, contact: dice.pick(&contacts).id.clone() });
            }
        }
    }
    User {
        name: id.to_string(),
        email: None,
        timezone: "UTC".to_owned(),
        language: Language::En,
        slack: None,
        role: *dice.pick(&[Role::Observer, Role::Responder, Role::Responder, Role::Responder, Role::Admin]),
        id,
        contacts,
        rules,
    }
}

fn schedule(dice: &mut Dice, n: usize, users: &[UserId]) -> Schedule {
    let rotations = (0..dice.below(3))
        .map(|_| Rotation {
            members: (0..dice.below(3)).map(|_| dice.pick(users).clone()).collect(),
            every: *dice.pick(&[Every::Hours(1), Every::Hours(6), Every::Days(1), Every::Weeks(1)]),
            handoff: Handoff { weekday: None, hour: 9, minute: 30 },
            // One that has not begun yet has nobody.
            start: Date { year: *dice.pick(&[2026, 2026, 2027]), month: 1, day: 3 },
        })
        .collect();
    let timezone = (*dice.pick(&["Europe/Paris", "America/Vancouver", "UTC"])).to_owned();
    // The play begins within a day of the fifth of January 2026; one may be for somebody whom nobody knows.
    let overrides = (0..dice.below(3))
        .map(|n| {
            let from = Time::from_seconds(1_767_600_000 + dice.between(-3_600, 90_000));
            let user = if dice.percent(90) { dice.pick(users).clone() } else { "gone".into() };
            Override { id: OverrideId::from_text(format!("ovr_{n}")), user, from, until: from + Span::seconds(dice.between(0, 30_000)) }
        })
        .collect();
    Schedule { id: ScheduleId::from_text(format!("schedule{n}")), timezone, rotations, overrides }
}

fn policy(dice: &mut Dice, n: usize, users: &[UserId], schedules: &[ScheduleId]) -> Policy {
    let steps = (0..*dice.pick(&[0, 1, 1, 2, 2, 3]))
        .map(|_| {
            let notify = (0..*dice.pick(&[0, 1, 1, 1, 2]))
                .map(|_| match dice.below(10) {
                    0..=5 => Target::User(dice.pick(users).clone()),
                    6..=7 if !schedules.is_empty() => Target::Schedule(dice.pick(schedules).clone()),
                    8 => Target::Place(Place::Slack("C1".to_owned())),
                    _ => Target::Everyone,
                })
                .collect();
            let escalate_after = *dice.pick(&[None, Some(Span::seconds(30)), Some(Span::minutes(2)), Some(Span::minutes(5))]);
            Step { notify, escalate_after }
        })
        .collect();
    Policy { id: PolicyId::from_text(format!("policy{n}")), steps, repeat: *dice.pick(&[0, 0, 1, 2]), storm: *dice.pick(&[0, 1, 2, 10]) }
}
