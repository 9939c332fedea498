//! One fact, one plain sentence: what the timeline, the live stream and `why` say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::base::id::{ContactId, ServiceId, UserId};
use crate::base::time::{Span, Time};
use crate::domain::fact::{Fact, Other, What};
use crate::domain::incident::{Hush, IncidentState, Kind, Run};
use crate::domain::inhibition::Inhibited;
use crate::domain::input::{Actor, CallEnd};
use crate::domain::reason::Reason;
use crate::domain::relevance::Change;
use crate::domain::setup::{ContactKind, Setup, Severity, Urgency};
use crate::domain::task::{TaskChange, TaskState};

/// More people than this in one sentence are a number.
const NAMED_PEOPLE: usize = 6;

/// What the ids in facts are called. An id without a name stands for itself: history outlives the setup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    users: BTreeMap<UserId, String>,
    services: BTreeMap<ServiceId, String>,
    contacts: BTreeMap<(UserId, ContactId), ContactKind>,
}

impl Names {
    #[must_use]
    pub fn of(setup: &Setup) -> Self {
        Self {
            users: setup.users.values().map(|user| (user.id.clone(), user.name.clone())).collect(),
            services: setup.services.values().map(|service| (service.id.clone(), service.name.clone())).collect(),
            contacts: setup
                .users
                .values()
                .flat_map(|user| user.contacts.iter().map(|contact| ((user.id.clone(), contact.id.clone()), contact.kind)))
                .collect(),
        }
    }

    #[must_use]
    pub fn user<'a>(&'a self, id: &'a UserId) -> &'a str {
        self.users.get(id).map_or(id.as_str(), String::as_str)
    }

    #[must_use]
    pub fn service<'a>(&'a self, id: &'a ServiceId) -> &'a str {
        self.services.get(id).map_or(id.as_str(), String::as_str)
    }

    /// As a person reads it: a name, `token deploy`, `Reveille`.
    #[must_use]
    pub fn actor(&self, actor: &Actor) -> String {
        match actor {
            Actor::User(id) => self.user(id).to_owned(),
            Actor::Token(name) => format!("token {name}"),
            Actor::Integration(id) => id.to_string(),
            Actor::Reveille => "Reveille".to_owned(),
        }
    }

    fn way(&self, user: &UserId, contact: &ContactId) -> Way {
        match self.contacts.get(&(user.clone(), contact.clone())) {
            Some(ContactKind::Voice) => Way { doing: "Calling", thing: "call" },
            Some(ContactKind::Sms) => Way { doing: "Texting", thing: "text" },
            Some(ContactKind::Email) => Way { doing: "Mailing", thing: "mail" },
            Some(ContactKind::SlackDm) => Way { doing: "Messaging", thing: "Slack message" },
            Some(ContactKind::Webhook) => Way { doing: "Sending a webhook to", thing: "webhook" },
            None => Way { doing: "Trying", thing: "attempt" },
        }
    }

    fn people<'a>(&self, users: impl ExactSizeIterator<Item = &'a UserId> + Clone) -> String {
        let total = users.len();
        if total == 0 {
            return "nobody".to_owned();
        }
        let names: Vec<String> = users.take(NAMED_PEOPLE).map(|user| self.user(user).to_owned()).collect();
        match (total.saturating_sub(names.len()), names.split_last()) {
            (0, Some((last, []))) => last.clone(),
            (0, Some((last, rest))) => format!("{} and {last}", rest.join(", ")),
            (more, _) => format!("{} and {more} more", names.join(", ")),
        }
    }
}

/// How a channel is spoken of.
struct Way {
    doing: &'static str,
    thing: &'static str,
}

/// What a sentence means to somebody who skims the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It got worse, or nobody could be reached.
    Bad,
    /// Somebody is being woken.
    Paging,
    /// A human answered or it is over.
    Good,
    /// What people write down.
    Note,
    /// A detail on the way.
    Quiet,
}

impl Tone {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Paging => "paging",
            Self::Good => "good",
            Self::Note => "note",
            Self::Quiet => "quiet",
        }
    }
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// A sentence without its full stop.
    pub text: String,
    /// Why, where the fact says so.
    pub reason: Option<String>,
    /// What comes next and when; apart from the text, so that a page can show the reader's own time.
    pub then: Option<Then>,
    pub tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Then {
    /// `next step`, `again`: what happens at that time.
    pub what: &'static str,
    pub at: Time,
}

impl Line {
    fn new(tone: Tone, text: String) -> Self {
        Self { text, reason: None, then: None, tone }
    }

    fn because(mut self, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        self.reason = (!reason.is_empty()).then_some(reason);
        self
    }

    fn then(mut self, what: &'static str, at: Option<Time>) -> Self {
        self.then = at.map(|at| Then { what, at });
        self
    }

    /// The text and what comes next in one string, times in UTC; the reason stands apart.
    #[must_use]
    pub fn plain(&self) -> String {
        self.then.map_or_else(|| self.text.clone(), |then| format!("{}; {} at {}", self.text, then.what, clock(then.at)))
    }
}

/// Another incident in a sentence; a reader that knows links makes one of its number.
fn other(other: &Other) -> String {
    format!("#{} ({})", other.number.0, other.title)
}

/// The sentence of one fact.
#[must_use]
pub fn of(fact: &Fact, names: &Names) -> Line {
    let who = |user: &UserId| names.user(user).to_owned();
    let by = |verb: &str| match &fact.actor {
        Actor::User(_) | Actor::Token(_) => format!("{verb} by {}", names.actor(&fact.actor)),
        Actor::Integration(_) | Actor::Reveille => verb.to_owned(),
    };
    match &fact.what {
        What::IncidentOpened { service, title, severity, alert: _, group } => {
            let line = Line::new(Tone::Bad, format!("Opened at {} for {}: {title}", severity.name(), names.service(service)));
            line.because(group.as_ref().map(|group| format!("alerts with the same {group} join it")).unwrap_or_default())
        }
        What::IncidentRouted { rule, because, policy: None } => {
            Line::new(Tone::Quiet, format!("Routed by rule {rule}")).because(because.as_str())
        }
        What::IncidentRouted { rule, because, policy: Some(policy) } => {
            Line::new(Tone::Quiet, format!("Routed by rule {rule}, which pages by policy {policy}")).because(because.as_str())
        }
        What::ServiceInvolved { service } => {
            Line::new(Tone::Quiet, format!("{} is affected as well", names.service(service))).because("its alerts join this incident")
        }
        What::StormBegan { policy, incidents } => {
            let line = Line::new(Tone::Bad, "A storm: whatever would open an incident comes under this one".to_owned());
            line.because(format!(
                "more than {} of policy {policy} opened within a minute",
                count_of((*incidents).into(), "incident", "incidents")
            ))
        }
        What::StormEnded => Line::new(Tone::Good, "The storm is over: what is new opens its own incident again".to_owned()),
        What::IncidentDeclared { service, title, severity, kind, alert } => {
            let verb = if alert.is_some() { "Made an incident" } else { "Declared" };
            let of = match kind {
                Kind::Real => String::new(),
                Kind::Drill | Kind::Test => format!(" as a {}", kind.name()),
            };
            let service = service.as_ref().map(|service| format!(" for {}", names.service(service))).unwrap_or_default();
            Line::new(Tone::Bad, format!("{}{of} at {}{service}: {title}", by(verb), severity.name()))
        }
        What::SeverityChanged { from, to } => Line::new(
            if to > from { Tone::Bad } else { Tone::Quiet },
            format!("{} from {} to {}", by("Severity set"), from.name(), to.name()),
        ),
        What::TitleChanged { title } => Line::new(Tone::Quiet, format!("{}: {title}", by("Renamed"))),
        What::RoleChanged { role, user: Some(user) } => Line::new(Tone::Good, format!("{} is {} now", who(user), role.name())),
        What::RoleChanged { role, user: None } => Line::new(Tone::Quiet, format!("Nobody is {} now", role.name())),
        What::NoteAdded { text, at } => {
            let then = at.map(|at| format!(" (of {})", clock(at))).unwrap_or_default();
            Line::new(Tone::Note, format!("{}{then}: {text}", names.actor(&fact.actor)))
        }
        What::UpdatePosted { text } => Line::new(Tone::Note, format!("Update by {}: {text}", names.actor(&fact.actor))),
        What::TaskAdded { n, title, owner, back_at, task: _ } => {
            let told = match (owner, &fact.actor) {
                (Some(owner), Actor::User(actor)) if owner == actor => format!("{} took task {n}", who(owner)),
                (Some(owner), Actor::User(_) | Actor::Token(_)) => by(&format!("Task {n} for {},", who(owner))),
                (Some(owner), Actor::Integration(_) | Actor::Reveille) => format!("Task {n} for {}", who(owner)),
                (None, _) => format!("{}, nobody's yet", by(&format!("Task {n}"))),
            };
            Line::new(Tone::Note, format!("{told}: {title}")).then("back with news", *back_at)
        }
        What::TaskChanged { n, change, task: _ } => {
            let says = match &fact.actor {
                Actor::User(_) | Actor::Token(_) => format!(", says {}", names.actor(&fact.actor)),
                Actor::Integration(_) | Actor::Reveille => String::new(),
            };
            Line::new(Tone::Note, format!("Task {n} {}{says}", task_change(change, &fact.actor, names)))
                .then("back with news", change.back_at.flatten())
        }
        What::RoomWanted { reason } => Line::new(Tone::Quiet, "A room is wanted for it".to_owned()).because(reason.sentence()),
        What::RoomOpened { name, room: _ } => Line::new(Tone::Good, format!("The room #{name} is open")),
        What::NoticeWanted { place, reason } => Line::new(Tone::Quiet, format!("Telling {place}")).because(reason.sentence()),
        What::LapseAsked { lapses_at } => Line::new(Tone::Quiet, "Asked whether somebody is still at it".to_owned())
            .then("lapses without a sign of life", Some(*lapses_at)),
        What::IncidentSnoozed { until } => Line::new(Tone::Good, by("Snoozed")).then("pages again", Some(*until)),
        What::SnoozeEnded => Line::new(Tone::Bad, "The snooze is over".to_owned()),
        What::IncidentReassigned { to } => Line::new(Tone::Paging, format!("{} to {}", by("Given"), who(to))),
        What::PageAsked { users } => {
            let how = match &fact.actor {
                Actor::Reveille => "Paging again who was asked for and has not answered".to_owned(),
                Actor::User(_) | Actor::Token(_) | Actor::Integration(_) => by("Asked for"),
            };
            Line::new(Tone::Paging, format!("{how}: {}", names.people(users.iter())))
        }
        What::ResolveAsked { reason } => Line::new(Tone::Good, "Is it over? A person has to say so".to_owned()).because(reason.sentence()),
        What::IntegrationWentSilent { integration } => {
            Line::new(Tone::Bad, format!("Nothing at all comes from {integration} any more, so it stays open"))
        }
        What::MessageDelivered { user, contact, page: _, attempt: _ } => {
            Line::new(Tone::Quiet, format!("The {} to {} arrived, which is no answer yet", names.way(user, contact).thing, who(user)))
        }
        What::MessageUndelivered { user, contact, reason, page: _, attempt: _ } => {
            Line::new(Tone::Bad, format!("The {} to {} did not arrive", names.way(user, contact).thing, who(user))).because(reason)
        }
        What::ContactClosed { user, contact, reason, page: _ } => {
            Line::new(Tone::Bad, format!("{} can no longer be reached by {}", who(user), names.way(user, contact).thing)).because(reason)
        }
        What::AlertsJoined { count, titles } => Line::new(Tone::Quiet, alerts(*count, "joined", titles)),
        What::AlertsRefired { count, titles } => Line::new(Tone::Bad, alerts(*count, "fired again", titles)),
        What::AlertsResolved { count, titles, silenced: _ } => {
            // A sender says so; the clock only has not heard of it.
            let how = if fact.actor == Actor::Reveille { "ended without a word of the sender" } else { "resolved" };
            Line::new(Tone::Good, alerts(*count, how, titles))
        }
        What::AlertsSilenced { count, titles, until, by, comment, silence: _ } => {
            Line::new(Tone::Quiet, alerts(*count, &format!("silenced by {by}"), titles)).because(comment).then("over", Some(*until))
        }
        What::AlertsUnsilenced { count, titles } => Line::new(Tone::Bad, alerts(*count, "no longer silenced", titles)),
        What::RelevanceMarked { relevance, about, n: _, stream: _ } => {
            Line::new(Tone::Note, format!("{}: {about}", by(&format!("Marked as {}", relevance.name()))))
        }
        What::MarkTakenBack { relevance, about, n: _ } => {
            Line::new(Tone::Note, format!("{}: {about}", by(&format!("No longer marked as {}", relevance.name()))))
        }
        What::NoiseChanged { change, count, titles, silenced: _ } => {
            let how = match change {
                Change::Joined => "of noise joined",
                Change::Refired => "of noise fired again",
                Change::Resolved => "of noise resolved",
            };
            Line::new(Tone::Quiet, alerts(*count, how, titles))
        }
        What::NoiseWorse { title, severity } => {
            Line::new(Tone::Bad, format!("Marked as noise, and worse than the incident at {}: {title}", severity.name()))
                .because("it does not raise the incident; take the mark back if it should")
        }
        What::AlertsInhibited { count: 0, titles, by, rule } => {
            Line::new(Tone::Quiet, format!("Inhibited by {by} as well: {}", titles.join("; "))).because(format!("rule {rule}"))
        }
        What::AlertsInhibited { count, titles, by, rule } => {
            Line::new(Tone::Quiet, alerts(*count, &format!("inhibited by {by}"), titles)).because(format!("rule {rule}"))
        }
        What::AlertsUninhibited { count, titles } => Line::new(Tone::Bad, alerts(*count, "no longer inhibited", titles)),
        What::IncidentInhibited { rule, by } => {
            Line::new(Tone::Quiet, format!("All that still fires is inhibited by {by}: nobody is paged")).because(format!("rule {rule}"))
        }
        What::AlertsWaited { count, titles, waited } => {
            let how = format!("had fired for {} without passing by itself", lasting(*waited));
            Line::new(Tone::Quiet, alerts(*count, &how, titles))
        }
        What::AlertsOutlasted { count, titles, by } => {
            Line::new(Tone::Bad, alerts(*count, &format!("began under {}, which is over", silence_of(by)), titles))
        }
        What::AlertsNew { count, titles, raised } => {
            let how = format!("of a kind that was never heard of before: it wakes people, as {}", raised.name());
            Line::new(Tone::Bad, alerts(*count, &how, titles))
        }
        What::AlertsRising { count, titles, signals, busiest, raised } => {
            let wakes = raised.map_or_else(String::new, |raised| format!(": it wakes people, as {}", raised.name()));
            let how = format!("rising: {signals} signals within the hour, {busiest} in its busiest one lately{wakes}");
            Line::new(Tone::Bad, alerts(*count, &how, titles))
        }
        What::AlertsFlapping { count, titles, changes, within } => {
            let how = format!("flapping: changed {} in {}", count_of(*changes, "time", "times"), lasting(*within));
            Line::new(Tone::Bad, alerts(*count, &how, titles)).because("it counts as firing until it is steady")
        }
        What::AlertsSteady { count, titles, is_over: true } => Line::new(Tone::Good, alerts(*count, "flapping no more, and over", titles)),
        What::AlertsSteady { count, titles, is_over: false } => {
            Line::new(Tone::Bad, alerts(*count, "flapping no more, and firing", titles))
        }
        What::SilenceExtended { until, silence: _ } => {
            Line::new(Tone::Quiet, "The silence lasts longer".to_owned()).then("over", Some(*until))
        }
        What::IncidentSilenced { until, by, comment, silence: _ } => {
            Line::new(Tone::Quiet, format!("All that still fires is silenced by {by}: nobody is paged"))
                .because(comment)
                .then("pages again", Some(*until))
        }
        What::SeverityRaised { from, to } => Line::new(Tone::Bad, format!("Severity raised from {} to {}", from.name(), to.name())),
        What::PolicyStarted { policy, steps, repeat, urgency, reason } => {
            let rounds = if *repeat == 0 { String::new() } else { format!(", {} rounds", u64::from(*repeat) + 1) };
            let steps = count_of(i64::try_from(steps.len()).unwrap_or(i64::MAX), "step", "steps");
            Line::new(Tone::Paging, format!("Paging starts by the policy {policy}: {steps}{rounds}, {} urgency", urgency_name(*urgency)))
                .because(reason.sentence())
        }
        What::StepStarted { round, step, users, next_at, reason } => {
            Line::new(Tone::Paging, format!("{}: {}", step_name(*round, *step), names.people(users.iter())))
                .because(reason.sentence())
                .then("next step", *next_at)
        }
        What::StepSkipped { round, step, reason } => {
            Line::new(Tone::Quiet, format!("{} skipped", step_name(*round, *step))).because(reason.sentence())
        }
        What::PolicyExhausted => Line::new(Tone::Bad, "No step of the policy is left, and nobody has acknowledged".to_owned()),
        What::PagedWider { users, next_at } => {
            Line::new(Tone::Bad, format!("Paging everyone: {}", names.people(users.iter()))).then("again", Some(*next_at))
        }
        What::PageOpened { user, urgency, page: _ } => {
            Line::new(Tone::Paging, format!("Paging {} ({} urgency)", who(user), urgency_name(*urgency)))
        }
        What::PageLeft { user, other: into, page: _ } => {
            Line::new(Tone::Quiet, format!("{} goes on being paged for {}", who(user), other(into)))
        }
        What::PageTakenOver { user, urgency, other: from, page: _, failed: _ } => Line::new(
            Tone::Paging,
            format!("{} was being paged for {} and is for this now ({} urgency)", who(user), other(from), urgency_name(*urgency)),
        ),
        What::PageRestarted { user, urgency, page: _ } => {
            Line::new(Tone::Paging, format!("Paging {} again from the first rule ({} urgency)", who(user), urgency_name(*urgency)))
        }
        What::PageAnswered { user, page: _ } => Line::new(Tone::Good, format!("{} answered", who(user))),
        What::PageEnded { user, reason, page: _ } => {
            Line::new(Tone::Quiet, format!("The page to {} ended", who(user))).because(reason.sentence())
        }
        What::PageFailed { user, page: _ } => {
            Line::new(Tone::Bad, format!("{} could not be reached: everything that could be tried was refused", who(user)))
        }
        What::IncidentAcknowledged { lapses_at } => {
            let how = match &fact.actor {
                Actor::Integration(id) => format!("Acknowledged at its sender, {id}"),
                Actor::User(_) | Actor::Token(_) | Actor::Reveille => by("Acknowledged"),
            };
            Line::new(Tone::Good, how).then("lapses without a sign of life", *lapses_at)
        }
        What::AcknowledgementRenewed { lapses_at } => {
            Line::new(Tone::Quiet, format!("{} gave a sign of life", names.actor(&fact.actor))).then("lapses without another", *lapses_at)
        }
        What::AcknowledgementLapsed => {
            Line::new(Tone::Bad, "The acknowledgement lapsed".to_owned()).because("nobody gave a sign of life after acknowledging")
        }
        What::IncidentEscalated => Line::new(Tone::Paging, by("Next step asked for")),
        What::IncidentResolved { reason } => Line::new(Tone::Good, by("Resolved")).because(reason.sentence()),
        What::IncidentReopened { reason } => Line::new(Tone::Bad, by("Reopened")).because(reason.sentence()),
        What::IncidentMerged { into, reason } => {
            Line::new(Tone::Good, by(&format!("Merged into {}", other(into)))).because(reason.sentence())
        }
        What::IncidentTakenIn { other: from, held, reason, .. } => {
            let alerts = count_of(held.alerts, "alert", "alerts");
            Line::new(Tone::Bad, by(&format!("{} went into it, with {alerts},", other(from))).trim_end_matches(',').to_owned())
                .because(reason.sentence())
        }
        What::EndedWith { other: into } => Line::new(Tone::Good, format!("Over with {}, which it went into", other(into))),
        What::IncidentSplitOff { other: part, held, also: _ } => {
            let alerts = count_of(held.alerts, "alert", "alerts");
            Line::new(Tone::Quiet, by(&format!("{alerts} split off into {},", other(part))).trim_end_matches(',').to_owned())
        }
        What::IncidentSplit { from, service, severity, held, title: _, kind: _ } => {
            let (alerts, at) = (count_of(held.alerts, "alert", "alerts"), severity.name());
            let of = if service.as_str().is_empty() { String::new() } else { format!(" for {}", names.service(service)) };
            Line::new(Tone::Bad, by(&format!("Split off {} with {alerts}, at {at}{of},", other(from))).trim_end_matches(',').to_owned())
        }
        What::IncidentUnmerged { from, held } => {
            let fires = if held.firing > 0 { "and still fires" } else { "and is over" };
            Line::new(Tone::Bad, by(&format!("Taken out of {} again, {fires},", other(from))).trim_end_matches(',').to_owned())
        }
        What::LinkSuspected { other: cause, is_cause: true } => Line::new(Tone::Note, format!("May be caused by {}", other(cause)))
            .because("its service depends on that one's, which failed shortly after"),
        What::LinkSuspected { other: symptom, is_cause: false } => Line::new(Tone::Note, format!("May have caused {}", other(symptom)))
            .because("that one's service depends on this one's, and somebody has it already"),
        What::IncidentReminded { next_at } => {
            Line::new(Tone::Quiet, "Still open, so its people are reminded".to_owned()).then("again", Some(*next_at))
        }
        What::PageUnhelpful { user } => Line::new(Tone::Quiet, format!("{} said that this should not have woken them", who(user))),
        What::AttemptPlaced { user, contact, reason, page: _, attempt: _ } => {
            Line::new(Tone::Paging, format!("{} {}", names.way(user, contact).doing, who(user))).because(reason.sentence())
        }
        What::AttemptAccepted { user, contact, page: _, attempt: _ } => {
            Line::new(Tone::Quiet, format!("The provider took the {} to {}", names.way(user, contact).thing, who(user)))
        }
        What::AttemptRejected { user, contact, reason, page: _, attempt: _ } => {
            Line::new(Tone::Bad, format!("The {} to {} was refused", names.way(user, contact).thing, who(user))).because(reason)
        }
        What::AttemptUnknown { user, contact, reason, page: _, attempt: _ } => {
            Line::new(Tone::Bad, format!("Whether the {} to {} was placed is not known", names.way(user, contact).thing, who(user)))
                .because(reason)
        }
        What::AttemptWithdrawn { user, contact, reason, page: _, attempt: _ } => {
            Line::new(Tone::Quiet, format!("The {} to {} was withdrawn before it left", names.way(user, contact).thing, who(user)))
                .because(reason)
        }
        What::PhoneRang { user, page: _, contact: _, attempt: _ } => Line::new(Tone::Paging, format!("The phone of {} rings", who(user))),
        What::PhonePickedUp { user, page: _, contact: _, attempt: _ } => {
            Line::new(Tone::Quiet, format!("The call to {} was picked up, which is no answer: only a key press is", who(user)))
        }
        What::CallEnded { user, how, page: _, contact: _, attempt: _ } => match how {
            CallEnd::Completed => Line::new(Tone::Quiet, format!("The call to {} is over", who(user))),
            CallEnd::NoAnswer => Line::new(Tone::Bad, format!("{} did not pick up", who(user))),
            CallEnd::Busy => Line::new(Tone::Bad, format!("The phone of {} is busy", who(user))),
            CallEnd::Failed => Line::new(Tone::Bad, format!("The call to {} failed", who(user))),
            CallEnd::Canceled => Line::new(Tone::Quiet, format!("The call to {} was hung up before it was answered", who(user))),
        },
        What::CallSilent { user, page: _, contact: _, attempt: _ } => {
            Line::new(Tone::Bad, format!("The provider took the call to {} and has told nothing since", who(user)))
        }
        What::CallHeld { user, until, page: _, contact: _ } => Line::new(Tone::Quiet, format!("The next call to {} waits", who(user)))
            .because("a person gets at most one new chain of calls in three minutes")
            .then("due", Some(*until)),
    }
}

/// What is different about a task: `goes to Bo Lind and waits for the data centre`.
fn task_change(change: &TaskChange, actor: &Actor, names: &Names) -> String {
    let mut parts = Vec::new();
    match &change.owner {
        Some(Some(owner)) if *actor == Actor::User(owner.clone()) => parts.push("is taken".to_owned()),
        Some(Some(owner)) => parts.push(format!("goes to {}", names.user(owner))),
        Some(None) => parts.push("is nobody's".to_owned()),
        None => {}
    }
    match (change.state, &change.blocked_on) {
        (Some(TaskState::Todo), _) => parts.push("is to be done".to_owned()),
        (Some(TaskState::Doing), _) => parts.push("is being done".to_owned()),
        (Some(TaskState::Done), _) => parts.push("is done".to_owned()),
        (Some(TaskState::Dropped), _) => parts.push("is dropped".to_owned()),
        (Some(TaskState::Blocked) | None, Some(Some(on))) => parts.push(format!("waits for {}", names.user(&UserId::from(on.as_str())))),
        (Some(TaskState::Blocked), Some(None) | None) => parts.push("is blocked".to_owned()),
        (None, Some(None)) => parts.push("waits for nothing any more".to_owned()),
        (None, None) => {}
    }
    if change.back_at == Some(None) {
        parts.push("has no time for news any more".to_owned());
    }
    if let Some(title) = &change.title {
        parts.push(format!("is called \"{title}\" now"));
    }
    match parts.split_last() {
        // Only the time for news, which stands at the end of the line.
        None => "has a new time".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// Where an incident stands: what [`now`] speaks of.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    pub state: IncidentState,
    pub severity: Severity,
    pub acknowledged_by: Option<&'a Actor>,
    pub resolved_by: Option<&'a Actor>,
    /// Why it was resolved, where that is known.
    pub resolved_because: Option<Reason>,
    pub lapses_at: Option<Time>,
    pub snoozed_until: Option<Time>,
    /// The silence because of which nobody is paged.
    pub hush: Option<&'a Hush>,
    /// What inhibits all that still fires.
    pub inhibited: Option<&'a Inhibited>,
    pub run: Option<&'a Run>,
}

/// What is being done about an incident right now. `reaching` are the people whose pages are open.
#[must_use]
pub fn now(standing: Standing<'_>, reaching: &[Reaching], names: &Names) -> Line {
    match standing.state {
        IncidentState::Resolved => {
            let word = if standing.resolved_because == Some(Reason::Merged) { "Merged" } else { "Resolved" };
            match standing.resolved_by {
                Some(actor) => Line::new(Tone::Good, format!("{word} by {}", names.actor(actor))),
                None => Line::new(Tone::Good, word.to_owned()).because(standing.resolved_because.map_or("", Reason::sentence)),
            }
        }
        IncidentState::Acknowledged => {
            let by = standing.acknowledged_by.map_or_else(|| "Somebody".to_owned(), |actor| names.actor(actor));
            let others = reaching_text(reaching, names);
            let line = Line::new(Tone::Good, if others.is_empty() { format!("{by} has it") } else { format!("{by} has it. {others}") });
            match standing.snoozed_until {
                Some(until) => line.then("snoozed, pages again", Some(until)),
                None => line.then("pages again, without a sign of life,", standing.lapses_at),
            }
        }
        IncidentState::Triggered if let Some(inhibited) = standing.inhibited.filter(|_| reaching.is_empty()) => {
            Line::new(Tone::Quiet, format!("Inhibited by {}, so nobody is paged while that fires", inhibited.by))
                .because(format!("rule {}", inhibited.rule))
        }
        IncidentState::Triggered if let Some(hush) = standing.hush.filter(|_| reaching.is_empty()) => {
            Line::new(Tone::Quiet, format!("Silenced by {}, so nobody is paged", hush.by))
                .because(&hush.comment)
                .then("pages again", Some(hush.until))
        }
        IncidentState::Triggered => {
            let exhausted = standing.run.is_some_and(|run| run.exhausted);
            let text = match (reaching, standing.severity.urgency(), exhausted) {
                ([], None, _) => "Recorded only: this severity pages nobody".to_owned(),
                ([], Some(_), true) => "No step is left, and nobody has acknowledged".to_owned(),
                ([], Some(_), false) => "Nobody is being paged right now".to_owned(),
                (_, _, true) => format!("{}; no step is left, and nobody has acknowledged", reaching_text(reaching, names)),
                (_, _, false) => reaching_text(reaching, names),
            };
            let tone = if reaching.is_empty() || exhausted { Tone::Bad } else { Tone::Paging };
            Line::new(tone, text)
                .then(if exhausted { "everyone is paged again" } else { "next step" }, standing.run.and_then(|run| run.next_at))
        }
    }
}

/// A person whose page is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaching {
    pub user: UserId,
    /// The contact under way; `None` between two attempts.
    pub by: Option<ContactKind>,
}

fn reaching_text(reaching: &[Reaching], names: &Names) -> String {
    let mut text = String::new();
    for (doing, of) in [
        ("calling", &[Some(ContactKind::Voice)] as &[Option<ContactKind>]),
        ("sending to", &[Some(ContactKind::Sms), Some(ContactKind::Email), Some(ContactKind::SlackDm), Some(ContactKind::Webhook)]),
        ("waiting for", &[None]),
    ] {
        let people: Vec<&UserId> = reaching.iter().filter(|one| of.contains(&one.by)).map(|one| &one.user).collect();
        if people.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Writing to a String cannot fail.
        write!(text, "{doing} {}", names.people(people.into_iter())).unwrap_or_default();
    }
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn alerts(count: i64, verb: &str, titles: &[String]) -> String {
    let head = format!("{} {verb}", count_of(count, "alert", "alerts"));
    if titles.is_empty() {
        return head;
    }
    let some = if i64::try_from(titles.len()).is_ok_and(|shown| shown < count) { ", among them" } else { "" };
    format!("{head}{some}: {}", titles.join("; "))
}

/// As it stands in a sentence: a window of maintenance says itself what it is.
fn silence_of(by: &str) -> String {
    if by.starts_with("maintenance ") { by.to_owned() } else { format!("a silence of {by}") }
}

/// `40 seconds`, `2 minutes`, `3 hours`.
#[must_use]
pub fn lasting(span: Span) -> String {
    let seconds = span.as_seconds().max(0);
    if seconds < 60 || (seconds < 120 && seconds % 60 != 0) {
        count_of(seconds, "second", "seconds")
    } else if seconds < 7_200 {
        count_of((seconds + 30) / 60, "minute", "minutes")
    } else {
        count_of((seconds + 1_800) / 3_600, "hour", "hours")
    }
}

/// `1 alert`, `12 alerts`.
#[must_use]
pub fn count_of(n: i64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn step_name(round: u32, step: usize) -> String {
    if round == 0 { format!("Step {}", step + 1) } else { format!("Round {}, step {}", u64::from(round) + 1, step + 1) }
}

const fn urgency_name(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Low => "low",
        Urgency::High => "high",
    }
}

/// `03:10:00 UTC`.
#[must_use]
pub fn clock(at: Time) -> String {
    formatted(at, "%H:%M:%S UTC")
}

/// `29 Jul 2015 03:10:00 UTC`.
#[must_use]
pub fn date_clock(at: Time) -> String {
    formatted(at, "%-d %b %Y %H:%M:%S UTC")
}

fn formatted(at: Time, how: &str) -> String {
    chrono::DateTime::from_timestamp_micros(at.0).map_or_else(|| at.rfc3339(), |at| at.format(how).to_string())
}

/// `just now`, `3 minutes ago`, `in 2 hours`: one unit, rounded down.
#[must_use]
pub fn relative(at: Time, now: Time) -> String {
    let span = now.since(at);
    let past = span >= Span::ZERO;
    let seconds = span.as_seconds().saturating_abs();
    let (n, one, many) = match seconds {
        ..10 => return "just now".to_owned(),
        10..60 => (seconds, "second", "seconds"),
        60..3_600 => (seconds / 60, "minute", "minutes"),
        3_600..86_400 => (seconds / 3_600, "hour", "hours"),
        86_400.. => (seconds / 86_400, "day", "days"),
    };
    let words = count_of(n, one, many);
    if past { format!("{words} ago") } else { format!("in {words}") }
}

#[cfg(test)]
mod tests;
