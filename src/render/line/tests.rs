use std::collections::BTreeSet;

use super::*;
use crate::base::id::{AlertId, AttemptId, IncidentId, Number, PageId, PolicyId, TaskId};
use crate::domain::fact::Held;
use crate::domain::group::Group;
use crate::domain::incident::IncidentRole;
use crate::domain::reason::Reason;
use crate::domain::relevance::{Change, Relevance, Stream};
use crate::domain::setup::{Contact, Place, Service, Step, Target, User};

const NIGHT: Time = Time::from_seconds(1_438_138_800);

fn names() -> Names {
    let user = |id: &str, name: &str| User {
        id: UserId::from(id),
        name: name.to_owned(),
        email: None,
        timezone: "Europe/Paris".to_owned(),
        language: crate::domain::setup::Language::En,
        slack: None,
        role: crate::base::viewer::Role::Responder,
        contacts: vec![
            Contact { id: ContactId::from("phone"), kind: ContactKind::Voice, to: "+33123456789".to_owned(), closed: None },
            Contact { id: ContactId::from("sms"), kind: ContactKind::Sms, to: "+33123456789".to_owned(), closed: None },
        ],
        rules: Vec::new(),
    };
    let mut setup = Setup::default();
    for one in [user("ana", "Ana Ruiz"), user("bo", "Bo Lind")] {
        setup.users.insert(one.id.clone(), one);
    }
    let mut service = Service::new(ServiceId::from("api"), PolicyId::from("platform"));
    service.name = "Public API".to_owned();
    setup.services.insert(service.id.clone(), service);
    Names::of(&setup)
}

fn sentence(actor: Actor, what: What) -> String {
    let line = of(&Fact { incident: IncidentId::from_text("inc_1"), at: NIGHT, actor, what }, &names());
    match &line.reason {
        Some(reason) => format!("{} ({reason})", line.plain()),
        None => line.plain(),
    }
}

#[test]
fn every_fact_is_one_plain_sentence() {
    let ana = || UserId::from("ana");
    let bo = || UserId::from("bo");
    let other = || Other { incident: IncidentId::from_text("inc_2"), number: Number(42), title: "the database is down".to_owned() };
    let page = || PageId::from_text("pag_1");
    let attempt = || AttemptId::from_text("att_1");
    let phone = || ContactId::from("phone");
    let own = || Actor::Reveille;
    let task = || TaskId::from_text("tsk_1");
    let added = |owner, back_at| What::TaskAdded { task: task(), n: 1, title: "Fail over".to_owned(), owner, back_at };
    let changed = |change| What::TaskChanged { task: task(), n: 1, change };
    let cases = vec![
        (
            Actor::User(ana()),
            What::RelevanceMarked {
                n: 1,
                stream: Stream::Matchers(vec!["alertname=~\"disk.*\"".into()]),
                relevance: Relevance::Noise,
                about: "alertname=~\"disk.*\"".to_owned(),
            },
            "Marked as noise by Ana Ruiz: alertname=~\"disk.*\"",
        ),
        (
            Actor::User(ana()),
            What::MarkTakenBack { n: 1, relevance: Relevance::Noise, about: "disk full".to_owned() },
            "No longer marked as noise by Ana Ruiz: disk full",
        ),
        (
            own(),
            What::NoiseChanged { change: Change::Joined, count: 1, titles: vec!["disk full".to_owned()], silenced: 0 },
            "1 alert of noise joined: disk full",
        ),
        (
            own(),
            What::NoiseWorse { title: "disk full".to_owned(), severity: Severity::Sev1 },
            "Marked as noise, and worse than the incident at sev1: disk full (it does not raise the incident; take the mark back if it should)",
        ),
        (
            own(),
            What::AlertsInhibited { count: 2, titles: vec!["api is slow".to_owned()], rule: "hosts".into(), by: "db-1 is down".to_owned() },
            "2 alerts inhibited by db-1 is down, among them: api is slow (rule hosts)",
        ),
        (
            own(),
            What::AlertsInhibited { count: 0, titles: vec!["api is slow".to_owned()], rule: "hosts".into(), by: "db-1 is down".to_owned() },
            "Inhibited by db-1 is down as well: api is slow (rule hosts)",
        ),
        (own(), What::AlertsUninhibited { count: 1, titles: vec!["api is slow".to_owned()] }, "1 alert no longer inhibited: api is slow"),
        (
            own(),
            What::IncidentInhibited { rule: "hosts".into(), by: "db-1 is down".to_owned() },
            "All that still fires is inhibited by db-1 is down: nobody is paged (rule hosts)",
        ),
        (
            own(),
            What::AlertsWaited { count: 1, titles: vec!["db is down".to_owned()], waited: Span::minutes(2) },
            "1 alert had fired for 2 minutes without passing by itself: db is down",
        ),
        (
            own(),
            What::AlertsNew { count: 1, titles: vec!["db is down".to_owned()], raised: Severity::Sev2 },
            "1 alert of a kind that was never heard of before: it wakes people, as sev2: db is down",
        ),
        (
            own(),
            What::AlertsRising { count: 1, titles: vec!["db is down".to_owned()], signals: 60, busiest: 12, raised: None },
            "1 alert rising: 60 signals within the hour, 12 in its busiest one lately: db is down",
        ),
        (
            own(),
            What::AlertsRising { count: 2, titles: Vec::new(), signals: 60, busiest: 0, raised: Some(Severity::Sev2) },
            "2 alerts rising: 60 signals within the hour, 0 in its busiest one lately: it wakes people, as sev2",
        ),
        (
            own(),
            What::AlertsFlapping { count: 1, titles: vec!["db is down".to_owned()], changes: 9, within: Span::seconds(1_190) },
            "1 alert flapping: changed 9 times in 20 minutes: db is down (it counts as firing until it is steady)",
        ),
        (
            own(),
            What::AlertsOutlasted { count: 1, titles: vec!["db is down".to_owned()], by: "maintenance disks".to_owned() },
            "1 alert began under maintenance disks, which is over: db is down",
        ),
        (own(), What::AlertsSteady { count: 2, titles: Vec::new(), is_over: true }, "2 alerts flapping no more, and over"),
        (own(), What::AlertsSteady { count: 1, titles: Vec::new(), is_over: false }, "1 alert flapping no more, and firing"),
        (
            own(),
            What::IncidentOpened {
                service: ServiceId::from("api"),
                title: "TypeError: x is undefined".to_owned(),
                severity: Severity::Sev1,
                alert: AlertId::from_text("alr_1"),
                group: Group::from_text("host = web-1".to_owned()),
            },
            "Opened at sev1 for Public API: TypeError: x is undefined (alerts with the same host = web-1 join it)",
        ),
        (
            own(),
            What::StormBegan { policy: "nights".into(), incidents: 10 },
            "A storm: whatever would open an incident comes under this one (more than 10 incidents of policy nights opened within a minute)",
        ),
        (own(), What::StormEnded, "The storm is over: what is new opens its own incident again"),
        (own(), What::AlertsJoined { count: 1, titles: vec!["A".to_owned()] }, "1 alert joined: A"),
        (own(), What::AlertsRefired { count: 9, titles: vec!["A".to_owned(), "B".to_owned()] }, "9 alerts fired again, among them: A; B"),
        (Actor::Integration("api".into()), What::AlertsResolved { count: 2, titles: Vec::new(), silenced: 0 }, "2 alerts resolved"),
        (own(), What::AlertsResolved { count: 2, titles: Vec::new(), silenced: 1 }, "2 alerts ended without a word of the sender"),
        (own(), What::SeverityRaised { from: Severity::Sev3, to: Severity::Sev1 }, "Severity raised from sev3 to sev1"),
        (
            own(),
            What::PolicyStarted {
                policy: PolicyId::from("platform"),
                steps: vec![Step { notify: vec![Target::Everyone], escalate_after: None }],
                repeat: 1,
                urgency: Urgency::High,
                reason: Reason::IncidentOpened,
            },
            "Paging starts by the policy platform: 1 step, 2 rounds, high urgency (the incident opened)",
        ),
        (
            own(),
            What::StepStarted {
                round: 0,
                step: 1,
                users: vec![ana(), bo()],
                next_at: Some(NIGHT + Span::minutes(5)),
                reason: Reason::NobodyAnswered,
            },
            "Step 2: Ana Ruiz and Bo Lind; next step at 03:05:00 UTC (nobody answered in time)",
        ),
        (
            own(),
            What::StepSkipped { round: 2, step: 0, reason: Reason::NobodyInStep },
            "Round 3, step 1 skipped (nobody is left to call in this step)",
        ),
        (own(), What::PolicyExhausted, "No step of the policy is left, and nobody has acknowledged"),
        (
            own(),
            What::PagedWider { users: vec![bo()], next_at: NIGHT + Span::minutes(15) },
            "Paging everyone: Bo Lind; again at 03:15:00 UTC",
        ),
        (own(), What::PageOpened { page: page(), user: ana(), urgency: Urgency::High }, "Paging Ana Ruiz (high urgency)"),
        (
            own(),
            What::PageRestarted { page: page(), user: ana(), urgency: Urgency::Low },
            "Paging Ana Ruiz again from the first rule (low urgency)",
        ),
        (Actor::User(ana()), What::PageAnswered { page: page(), user: ana() }, "Ana Ruiz answered"),
        (
            own(),
            What::PageEnded { page: page(), user: ana(), reason: Reason::Acknowledged },
            "The page to Ana Ruiz ended (it was acknowledged)",
        ),
        (
            own(),
            What::PageFailed { page: page(), user: ana() },
            "Ana Ruiz could not be reached: everything that could be tried was refused",
        ),
        (
            Actor::User(bo()),
            What::IncidentAcknowledged { lapses_at: Some(NIGHT + Span::minutes(30)) },
            "Acknowledged by Bo Lind; lapses without a sign of life at 03:30:00 UTC",
        ),
        (Actor::Token("deploy".to_owned()), What::AcknowledgementRenewed { lapses_at: None }, "token deploy gave a sign of life"),
        (own(), What::AcknowledgementLapsed, "The acknowledgement lapsed (nobody gave a sign of life after acknowledging)"),
        (Actor::User(bo()), What::IncidentEscalated, "Next step asked for by Bo Lind"),
        (
            own(),
            What::IncidentResolved { reason: Reason::AllAlertsResolved },
            "Resolved (its last firing alert was resolved by the sender)",
        ),
        (
            own(),
            What::IncidentRouted { rule: "db".into(), because: "team=\"db\"".to_owned(), policy: None },
            "Routed by rule db (team=\"db\")",
        ),
        (
            own(),
            What::IncidentRouted { rule: "db".into(), because: "team=\"db\"".to_owned(), policy: Some("dba".into()) },
            "Routed by rule db, which pages by policy dba (team=\"db\")",
        ),
        (own(), What::ServiceInvolved { service: "api".into() }, "Public API is affected as well (its alerts join this incident)"),
        (own(), What::IncidentReopened { reason: Reason::StillFiring }, "Reopened (it still fires after a person resolved the incident)"),
        (
            own(),
            What::IncidentReminded { next_at: NIGHT + Span::hours(24) },
            "Still open, so its people are reminded; again at 03:00:00 UTC",
        ),
        (
            Actor::User(bo()),
            What::IncidentMerged { into: other(), reason: Reason::MergedByHand },
            "Merged into #42 (the database is down) by Bo Lind (a person merged it)",
        ),
        (
            own(),
            What::IncidentTakenIn {
                other: other(),
                held: Held { alerts: 3, firing: 2, ..Held::default() },
                services: BTreeSet::new(),
                took_in: BTreeSet::new(),
                joined_at: NIGHT,
                reason: Reason::SymptomsOfCause,
            },
            "#42 (the database is down) went into it, with 3 alerts (its service depends on the other incident's service, which failed \
             shortly after it)",
        ),
        (
            own(),
            What::PageLeft { page: page(), user: ana(), other: other() },
            "Ana Ruiz goes on being paged for #42 (the database is down)",
        ),
        (
            own(),
            What::PageTakenOver { page: page(), user: ana(), urgency: Urgency::High, failed: false, other: other() },
            "Ana Ruiz was being paged for #42 (the database is down) and is for this now (high urgency)",
        ),
        (own(), What::EndedWith { other: other() }, "Over with #42 (the database is down), which it went into"),
        (
            Actor::User(bo()),
            What::IncidentSplitOff { other: other(), held: Held { alerts: 1, ..Held::default() }, also: BTreeSet::new() },
            "1 alert split off into #42 (the database is down), by Bo Lind",
        ),
        (
            Actor::User(bo()),
            What::IncidentSplit {
                from: other(),
                service: "api".into(),
                title: "mail".to_owned(),
                severity: Severity::Sev2,
                kind: Kind::Real,
                held: Held { alerts: 1, ..Held::default() },
            },
            "Split off #42 (the database is down) with 1 alert, at sev2 for Public API, by Bo Lind",
        ),
        (
            Actor::User(bo()),
            What::IncidentUnmerged { from: other(), held: Held { alerts: 1, firing: 1, ..Held::default() } },
            "Taken out of #42 (the database is down) again, and still fires, by Bo Lind",
        ),
        (
            own(),
            What::LinkSuspected { other: other(), is_cause: true },
            "May be caused by #42 (the database is down) (its service depends on that one's, which failed shortly after)",
        ),
        (
            own(),
            What::LinkSuspected { other: other(), is_cause: false },
            "May have caused #42 (the database is down) (that one's service depends on this one's, and somebody has it already)",
        ),
        (Actor::User(ana()), What::PageUnhelpful { user: ana() }, "Ana Ruiz said that this should not have woken them"),
        (
            own(),
            What::AttemptPlaced { page: page(), user: ana(), contact: phone(), attempt: attempt(), reason: Reason::RuleDue },
            "Calling Ana Ruiz (the person's own rule was due)",
        ),
        (
            own(),
            What::AttemptAccepted { page: page(), user: ana(), contact: ContactId::from("sms"), attempt: attempt() },
            "The provider took the text to Ana Ruiz",
        ),
        (
            own(),
            What::AttemptRejected { page: page(), user: ana(), contact: phone(), attempt: attempt(), reason: "busy lines".to_owned() },
            "The call to Ana Ruiz was refused (busy lines)",
        ),
        (
            own(),
            What::AttemptUnknown { page: page(), user: ana(), contact: phone(), attempt: attempt(), reason: "no answer in 10s".to_owned() },
            "Whether the call to Ana Ruiz was placed is not known (no answer in 10s)",
        ),
        (
            own(),
            What::AttemptWithdrawn { page: page(), user: ana(), contact: phone(), attempt: attempt(), reason: String::new() },
            "The call to Ana Ruiz was withdrawn before it left",
        ),
        (own(), What::PhoneRang { page: page(), user: ana(), contact: phone(), attempt: attempt() }, "The phone of Ana Ruiz rings"),
        (
            own(),
            What::PhonePickedUp { page: page(), user: ana(), contact: phone(), attempt: attempt() },
            "The call to Ana Ruiz was picked up, which is no answer: only a key press is",
        ),
        (
            own(),
            What::CallEnded { page: page(), user: ana(), contact: phone(), attempt: attempt(), how: CallEnd::NoAnswer },
            "Ana Ruiz did not pick up",
        ),
        (
            own(),
            What::CallSilent { page: page(), user: UserId::from("gone"), contact: phone(), attempt: attempt() },
            "The provider took the call to gone and has told nothing since",
        ),
        (
            own(),
            What::CallHeld { page: page(), user: ana(), contact: phone(), until: NIGHT + Span::minutes(3) },
            "The next call to Ana Ruiz waits; due at 03:03:00 UTC (a person gets at most one new chain of calls in three minutes)",
        ),
        (
            Actor::User(bo()),
            What::IncidentDeclared {
                service: Some(ServiceId::from("api")),
                title: "The shop is slow".to_owned(),
                severity: Severity::Sev2,
                kind: Kind::Real,
                alert: None,
            },
            "Declared by Bo Lind at sev2 for Public API: The shop is slow",
        ),
        (
            Actor::User(bo()),
            What::IncidentDeclared {
                service: None,
                title: "The shop is slow".to_owned(),
                severity: Severity::Sev2,
                kind: Kind::Drill,
                alert: None,
            },
            "Declared by Bo Lind as a drill at sev2: The shop is slow",
        ),
        (
            Actor::User(bo()),
            What::SeverityChanged { from: Severity::Sev3, to: Severity::Sev1 },
            "Severity set by Bo Lind from sev3 to sev1",
        ),
        (Actor::User(bo()), What::TitleChanged { title: "The disk".to_owned() }, "Renamed by Bo Lind: The disk"),
        (Actor::User(bo()), What::RoleChanged { role: IncidentRole::Lead, user: Some(ana()) }, "Ana Ruiz is lead now"),
        (Actor::User(bo()), What::RoleChanged { role: IncidentRole::Comms, user: None }, "Nobody is comms now"),
        (
            Actor::User(bo()),
            What::NoteAdded { text: "Restarted it".to_owned(), at: Some(NIGHT) },
            "Bo Lind (of 03:00:00 UTC): Restarted it",
        ),
        (Actor::User(bo()), What::UpdatePosted { text: "We know.".to_owned() }, "Update by Bo Lind: We know."),
        (Actor::User(bo()), added(Some(ana()), Some(NIGHT)), "Task 1 for Ana Ruiz, by Bo Lind: Fail over; back with news at 03:00:00 UTC"),
        (Actor::User(ana()), added(Some(ana()), None), "Ana Ruiz took task 1: Fail over"),
        (Actor::Token("deploy".to_owned()), added(None, None), "Task 1 by token deploy, nobody's yet: Fail over"),
        (Actor::User(bo()), changed(TaskChange { state: Some(TaskState::Done), ..TaskChange::default() }), "Task 1 is done, says Bo Lind"),
        (
            Actor::User(bo()),
            changed(TaskChange {
                title: Some("Fail over slowly".to_owned()),
                owner: Some(Some(ana())),
                state: Some(TaskState::Blocked),
                blocked_on: Some(Some("the data centre".to_owned())),
                back_at: None,
            }),
            "Task 1 goes to Ana Ruiz, waits for the data centre and is called \"Fail over slowly\" now, says Bo Lind",
        ),
        (
            Actor::User(ana()),
            changed(TaskChange { owner: Some(Some(ana())), state: Some(TaskState::Doing), ..TaskChange::default() }),
            "Task 1 is taken and is being done, says Ana Ruiz",
        ),
        (
            Actor::User(ana()),
            changed(TaskChange { blocked_on: Some(Some("bo".to_owned())), back_at: Some(None), ..TaskChange::default() }),
            "Task 1 waits for Bo Lind and has no time for news any more, says Ana Ruiz",
        ),
        (
            Actor::User(ana()),
            changed(TaskChange { back_at: Some(Some(NIGHT)), ..TaskChange::default() }),
            "Task 1 has a new time, says Ana Ruiz; back with news at 03:00:00 UTC",
        ),
        (own(), What::RoomWanted { reason: Reason::DeclaredByHand }, "A room is wanted for it (a person declared it)"),
        (own(), What::RoomOpened { room: "C1".to_owned(), name: "inc-42".to_owned() }, "The room #inc-42 is open"),
        (
            own(),
            What::NoticeWanted { place: Place::Webhook("pager".to_owned()), reason: Reason::StepBegan },
            "Telling webhook:pager (the policy's step began)",
        ),
        (
            own(),
            What::LapseAsked { lapses_at: NIGHT },
            "Asked whether somebody is still at it; lapses without a sign of life at 03:00:00 UTC",
        ),
        (Actor::User(bo()), What::IncidentSnoozed { until: NIGHT }, "Snoozed by Bo Lind; pages again at 03:00:00 UTC"),
        (own(), What::SnoozeEnded, "The snooze is over"),
        (Actor::User(bo()), What::IncidentReassigned { to: ana() }, "Given by Bo Lind to Ana Ruiz"),
        (Actor::User(bo()), What::PageAsked { users: vec![ana()] }, "Asked for by Bo Lind: Ana Ruiz"),
        (own(), What::PageAsked { users: vec![ana(), bo()] }, "Paging again who was asked for and has not answered: Ana Ruiz and Bo Lind"),
        (
            own(),
            What::ResolveAsked { reason: Reason::AllAlertsResolved },
            "Is it over? A person has to say so (its last firing alert was resolved by the sender)",
        ),
        (own(), What::IntegrationWentSilent { integration: "api".into() }, "Nothing at all comes from api any more, so it stays open"),
        (
            own(),
            What::MessageDelivered { page: page(), user: ana(), contact: ContactId::from("sms"), attempt: attempt() },
            "The text to Ana Ruiz arrived, which is no answer yet",
        ),
        (
            own(),
            What::MessageUndelivered {
                page: page(),
                user: ana(),
                contact: ContactId::from("sms"),
                attempt: attempt(),
                reason: "the handset is off".to_owned(),
            },
            "The text to Ana Ruiz did not arrive (the handset is off)",
        ),
        (
            own(),
            What::ContactClosed { page: page(), user: ana(), contact: ContactId::from("sms"), reason: "they answered STOP".to_owned() },
            "Ana Ruiz can no longer be reached by text (they answered STOP)",
        ),
    ];
    let mut kinds = std::collections::BTreeSet::new();
    for (actor, what, expected) in cases {
        kinds.insert(what.kind());
        assert_eq!(sentence(actor, what), expected);
    }
    assert_eq!(kinds.len(), 80, "each kind of fact has its case");
}

#[test]
fn many_people_are_a_number() {
    let users: Vec<UserId> = (1..=8).map(|n| UserId::from_text(format!("u{n}"))).collect();
    assert_eq!(Names::default().people(users.iter()), "u1, u2, u3, u4, u5, u6 and 2 more");
    assert_eq!(Names::default().people([].iter()), "nobody");
}

#[test]
fn what_is_done_right_now_is_one_sentence() {
    let reaching = [Reaching { user: UserId::from("bo"), by: Some(ContactKind::Voice) }, Reaching { user: UserId::from("ana"), by: None }];
    let now = |standing: Standing<'_>, reaching: &[Reaching]| now(standing, reaching, &names()).plain();
    let mut run = Run {
        policy: PolicyId::from("platform"),
        steps: Vec::new(),
        repeat: 0,
        urgency: Urgency::High,
        round: 0,
        step: 0,
        exhausted: false,
        next_at: Some(NIGHT + Span::minutes(10)),
        spared: None,
    };
    let standing = Standing {
        hush: None,
        inhibited: None,
        state: IncidentState::Triggered,
        severity: Severity::Sev2,
        acknowledged_by: None,
        resolved_by: None,
        resolved_because: None,
        lapses_at: None,
        snoozed_until: None,
        run: None,
    };
    let open = Standing { run: Some(&run), ..standing };
    assert_eq!(now(open, &reaching[..1]), "Calling Bo Lind; next step at 03:10:00 UTC");
    assert_eq!(now(open, &reaching), "Calling Bo Lind, waiting for Ana Ruiz; next step at 03:10:00 UTC");
    assert_eq!(now(open, &[]), "Nobody is being paged right now; next step at 03:10:00 UTC");
    run.exhausted = true;
    let exhausted = Standing { run: Some(&run), ..standing };
    assert_eq!(now(exhausted, &[]), "No step is left, and nobody has acknowledged; everyone is paged again at 03:10:00 UTC");
    assert_eq!(now(Standing { severity: Severity::Sev4, ..standing }, &[]), "Recorded only: this severity pages nobody");

    let bo = Actor::User(UserId::from("bo"));
    let taken = Standing { state: IncidentState::Acknowledged, acknowledged_by: Some(&bo), ..standing };
    let at = Some(NIGHT + Span::minutes(10));
    assert_eq!(now(taken, &[]), "Bo Lind has it");
    assert_eq!(now(taken, &reaching[1..]), "Bo Lind has it. Waiting for Ana Ruiz");
    assert_eq!(now(Standing { lapses_at: at, ..taken }, &[]), "Bo Lind has it; pages again, without a sign of life, at 03:10:00 UTC");
    assert_eq!(now(Standing { snoozed_until: at, ..taken }, &[]), "Bo Lind has it; snoozed, pages again at 03:10:00 UTC");
    let over = Standing { state: IncidentState::Resolved, ..standing };
    assert_eq!(now(over, &[]), "Resolved");
    for (because, reason) in [(None, None), (Some(Reason::ClosedByAge), Some("nothing was heard of it for as long as its service allows"))]
    {
        assert_eq!(super::now(Standing { resolved_because: because, ..over }, &[], &names()).reason.as_deref(), reason);
    }
    assert_eq!(now(Standing { resolved_by: Some(&bo), ..over }, &[]), "Resolved by Bo Lind");
}

#[test]
fn times_are_absolute_in_utc_or_relative_in_one_unit() {
    assert_eq!(clock(NIGHT), "03:00:00 UTC");
    assert_eq!(date_clock(NIGHT), "29 Jul 2015 03:00:00 UTC");
    assert_eq!(relative(NIGHT, NIGHT + Span::seconds(5)), "just now");
    assert_eq!(relative(NIGHT, NIGHT + Span::seconds(61)), "1 minute ago");
    assert_eq!(relative(NIGHT + Span::hours(50), NIGHT), "in 2 days");
    assert_eq!(relative(Time(i64::MAX), Time(i64::MIN)), "in 106751991 days");
}
