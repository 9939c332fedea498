//! Incidents that turn out to be one, or two: merge, its undo, and split. Both keep their histories, with links both ways.
//!
//! A merge moves no alert, however many there are: an alert keeps the incident that it began with, and where that went into another one,
//! it is that one's. What went into one incident and goes on with it into a third points at the third, so that there is one step at most.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::alert::{Alert, AlertState};
use super::command;
use super::decide::{Desk, Draft, Outcome, Verdict};
use super::ending;
use super::escalation;
use super::fact::{Held, Other, What};
use super::group::Group;
use super::incident::{Incident, IncidentState, Kind, OpenPage, Response};
use super::input::Actor;
use super::reason::Reason;
use super::setup::{Service, Setup, Severity, Urgency};
use super::{ask, severity, silence};
use crate::base::id::{AlertId, IncidentId, ServiceId};
use crate::base::limits;
use crate::base::time::{Span, Time};

/// The incident that an alert of this one belongs to: itself, or what it went into.
#[must_use]
pub fn home<'a>(incidents: &'a BTreeMap<IncidentId, Incident>, own: &IncidentId) -> Option<&'a Incident> {
    let own = incidents.get(own)?;
    // What is gone was over, and what had gone into it was over with it.
    own.response.merged_into.as_ref().and_then(|into| incidents.get(into)).or(Some(own))
}

/// What a decision about these incidents has to see as well: what they went into, and all that went into the same.
#[must_use]
pub fn family(incidents: &BTreeMap<IncidentId, Incident>) -> BTreeSet<IncidentId> {
    incidents.values().flat_map(|incident| incident.response.merged_into.iter().chain(&incident.response.took_in)).cloned().collect()
}

/// The newest open incident that new alerts of this service may join: its own, or what one of its own went into. What was split off takes
/// nothing new: whoever split it said that it is something else.
#[must_use]
pub fn newest<'a>(incidents: &'a BTreeMap<IncidentId, Incident>, service: &ServiceId) -> Option<&'a Incident> {
    open_homes(incidents, service).pop().map(|(_, home)| home)
}

/// All of these, the newest last, each with the group of the service's own that joins there.
#[must_use]
pub fn open_homes<'a>(incidents: &'a BTreeMap<IncidentId, Incident>, service: &ServiceId) -> Vec<(Option<&'a Group>, &'a Incident)> {
    let takes = |incident: &&Incident| incident.response.split_from.is_none();
    let own = incidents.values().filter(|own| &own.service == service && own.kind == Kind::Real).filter(takes);
    let homes = own.filter_map(|own| Some((own.response.group.as_ref(), home(incidents, &own.id).filter(takes)?)));
    let mut open: Vec<_> = homes.filter(|(_, home)| home.is_open()).collect();
    open.sort_by_key(|&(_, home)| (home.opened_at, &home.id));
    open
}

impl Desk {
    /// An alert's incident as the alert sees it: what it went into, but over when its own was.
    pub(super) fn incident_of(&self, alert: &Alert) -> Option<Cow<'_, Incident>> {
        let own = self.incidents.get(alert.incident.as_ref()?)?;
        let home = home(&self.incidents, &own.id)?;
        Some(if home.id == own.id { Cow::Borrowed(own) } else { Cow::Owned(Incident { closed_at: own.closed_at, ..home.clone() }) })
    }

    /// Whether the alert holds, in its incident or in what that went into.
    pub(super) fn holds(&self, alert: &Alert) -> bool {
        alert.holds(alert.incident.as_ref().and_then(|own| self.incidents.get(own)))
    }

    /// The incident that the alert belongs to now.
    pub(super) fn home_of(&self, alert: &Alert) -> Option<IncidentId> {
        let own = alert.incident.as_ref()?;
        Some(home(&self.incidents, own).map_or_else(|| own.clone(), |home| home.id.clone()))
    }
}

/// All that went into this incident is over with it.
pub(super) fn end_with(draft: &mut Draft, id: &IncidentId) {
    let Some(incident) = draft.incident(id) else { return };
    let (other, took_in) = (other(incident), incident.response.took_in.clone());
    for id in took_in {
        if draft.incident(&id).is_some() {
            draft.record(&id, &Actor::Reveille, What::EndedWith { other: other.clone() });
        }
    }
}

/// A person says that this incident is part of another.
pub(super) fn merge(draft: &mut Draft, id: &IncidentId, actor: &Actor, into: &IncidentId) -> Verdict {
    if let Some(reason) = why_not(draft, id, into) {
        return Verdict::of(Outcome::Ignored, reason);
    }
    take_in(draft, id, actor, into, Reason::MergedByHand);
    command::sign_of_life(draft, into, actor);
    Verdict::of(Outcome::Recorded, Reason::MergedByHand)
}

fn why_not(draft: &Draft, id: &IncidentId, into: &IncidentId) -> Option<Reason> {
    let (one, other) = (draft.incident(id)?, draft.incident(into)?);
    let many = one.response.took_in.len() + other.response.took_in.len() + 1;
    [
        (id == into, Reason::MergesIntoItself),
        (one.response.merged_into.is_some(), Reason::MergedAlready),
        (other.response.merged_into.is_some(), Reason::OtherIsMerged),
        (!one.is_open(), Reason::NotOpen),
        (!other.is_open(), Reason::OtherNotOpen),
        (one.kind != other.kind, Reason::OtherKind),
        (many > limits::TAKEN_IN, Reason::TooManyMerged),
    ]
    .into_iter()
    .find_map(|(refused, reason)| refused.then_some(reason))
}

/// One goes into the other, which is paged and raised as by alerts that join. Whoever was being called for the one goes on being called
/// for the other, unless somebody has that one.
fn take_in(draft: &mut Draft, id: &IncidentId, actor: &Actor, into: &IncidentId, reason: Reason) {
    let (Some(one), Some(home)) = (draft.incident(id).cloned(), draft.incident(into).cloned()) else { return };
    let was_covered = home.is_covered();
    let also = one.response.took_in.iter().filter(|also| draft.incident(also).is_some()).cloned().collect::<Vec<_>>();
    draft.record(
        into,
        actor,
        What::IncidentTakenIn {
            other: other(&one),
            held: held_by(&one),
            services: std::iter::once(&one.service).filter(|_| one.has_service()).chain(&one.response.services).cloned().collect(),
            took_in: one.response.took_in.clone(),
            joined_at: one.joined_at,
            reason,
        },
    );
    let merged = What::IncidentMerged { into: other(&home), reason };
    draft.record(id, actor, merged.clone());
    escalation::clear_timers(draft, id);
    for also in also {
        draft.record(&also, actor, merged.clone());
    }
    draft.find_newest_of(into);
    silence::settle(draft, into, was_covered, Reason::TookIn);
    severity::raise_by(draft, into, one.severity, actor);
    go_on_calling(draft, id, actor, into);
}

/// A triggered incident takes over the pages of what goes into it, with their calls, of everybody whom it does not call itself; where
/// somebody has it, or it calls them already, they end. By that nobody has answered, also not the one who merges.
fn go_on_calling(draft: &mut Draft, id: &IncidentId, actor: &Actor, into: &IncidentId) {
    let (Some(one), Some(home)) = (draft.incident(id).cloned(), draft.incident(into).cloned()) else { return };
    let is_triggered = home.state == IncidentState::Triggered;
    for OpenPage { id: page, user, urgency, failed } in one.pages.clone() {
        let open = home.page_of(&user).filter(|_| is_triggered);
        // Of two pages of one person the first has the call, if any rings: it goes on.
        if is_triggered && open.is_none_or(|open| page < open.id) {
            if let Some(OpenPage { id: page, .. }) = open.cloned() {
                draft.record(into, actor, What::PageEnded { page, user: user.clone(), reason: Reason::Merged });
            }
            draft.record(id, actor, What::PageLeft { page: page.clone(), user: user.clone(), other: other(&home) });
            let taken = What::PageTakenOver { page, user: user.clone(), urgency, failed, other: other(&one) };
            draft.record(into, actor, taken);
        } else {
            draft.record(id, actor, What::PageEnded { page, user: user.clone(), reason: Reason::Merged });
        }
        // It is as loud as the louder of the two.
        let loudest = open.map(|open| open.urgency.max(urgency));
        if let Some(loudest) = loudest
            && draft.incident(into).and_then(|home| home.page_of(&user)).is_some_and(|open| open.urgency < loudest)
        {
            escalation::page(draft, into, &BTreeSet::from([user.clone()]), loudest);
        }
        draft.nudge(&user);
    }
    let runs = |incident: &Incident| incident.run.as_ref().is_some_and(|run| run.urgency == Urgency::High) && !incident.response.is_hushed;
    if is_triggered && !runs(&home) {
        ask::go_on(draft, into);
    }
}

/// Takes a merge back, for as long as that is likely to be a correction.
pub(super) fn unmerge(draft: &mut Draft, id: &IncidentId, actor: &Actor) -> Verdict {
    let now = draft.now();
    let Some(one) = draft.incident(id).cloned() else { return Verdict::nothing() };
    let Some(into) = one.response.merged_into.clone() else { return Verdict::of(Outcome::Ignored, Reason::NotMerged) };
    let Some(home) = draft.incident(&into).filter(|home| home.is_open()).cloned() else {
        return Verdict::of(Outcome::Ignored, Reason::OtherNotOpen);
    };
    if one.resolved_at.is_none_or(|at| now.since(at) > limits::UNMERGE) {
        return Verdict::of(Outcome::Ignored, Reason::MergedTooLongAgo);
    }
    // Those that it had taken in itself, and that nobody took out since.
    let along = one.response.took_in.iter().filter(|also| draft.incident(also).is_some()).cloned().collect::<BTreeSet<_>>();
    let Response { silence, inhibited, .. } = home.response.clone();
    let mut held = Held { alerts: one.alerts_count, silence, inhibited, ..Held::default() };
    for id in along.iter().chain([id]) {
        let Holding { firing, silenced } = draft.desk.holding.get(id).copied().unwrap_or_default();
        held.firing += firing;
        held.silenced += silenced;
    }
    leave(draft, &into, actor, &one, &held, &along);
    draft.record(id, actor, What::IncidentUnmerged { from: other(&home), held: held.clone() });
    for also in along {
        draft.record(&also, actor, What::IncidentMerged { into: other(&one), reason: Reason::Unmerged });
    }
    draft.find_newest_of(id);
    if held.firing > 0 {
        page_unless_theirs(draft, id, actor, home.state, Reason::Unmerged);
    }
    left_alone(draft, &into, actor, home.is_covered());
    Verdict::of(Outcome::Recorded, Reason::Unmerged)
}

/// Alerts go out of an incident, and out of every other of its family that counts them.
fn leave(draft: &mut Draft, home: &IncidentId, actor: &Actor, one: &Incident, held: &Held, along: &BTreeSet<IncidentId>) {
    let went = What::IncidentSplitOff { other: other(one), held: held.clone(), also: along.clone() };
    let through = draft.incident(home).map(|home| home.response.took_in.clone()).unwrap_or_default();
    draft.record(home, actor, went);
    for between in through {
        let counts = draft.incident(&between).is_some_and(|incident| incident.response.took_in.contains(&one.id));
        if counts {
            let held = Held { alerts: held.alerts, ..Held::default() };
            draft.record(&between, actor, What::IncidentSplitOff { other: other(one), held, also: along.clone() });
        }
    }
}

/// What is left of an incident when alerts went out of it: over with its last, hushed if all the rest is silenced.
fn left_alone(draft: &mut Draft, id: &IncidentId, actor: &Actor, was_covered: bool) {
    let Some(incident) = draft.incident(id) else { return };
    if incident.firing_count <= 0 && incident.alerts_count > 0 {
        ending::last_is_over(draft, id, actor, Reason::AllAlertsResolved);
    } else {
        silence::settle(draft, id, was_covered, Reason::SplitByHand);
    }
}

/// It pages its policy; where somebody had the whole, whoever took it apart has the part.
fn page_unless_theirs(draft: &mut Draft, id: &IncidentId, actor: &Actor, whole: IncidentState, reason: Reason) {
    severity::want_room(draft, id, reason);
    match whole {
        IncidentState::Acknowledged => command::take(draft, id, actor),
        IncidentState::Triggered | IncidentState::Resolved => escalation::start(draft, id, reason),
    }
}

/// Some open alerts of the incident get one of their own. The desk holds their keys.
pub(super) fn split(draft: &mut Draft, id: &IncidentId, actor: &Actor, alerts: &BTreeSet<AlertId>, title: Option<&str>) -> Verdict {
    let Some(whole) = draft.incident(id).cloned() else { return Verdict::nothing() };
    if !whole.is_open() {
        let reason = if whole.response.merged_into.is_some() { Reason::MergedAlready } else { Reason::NotOpen };
        return Verdict::of(Outcome::Ignored, reason);
    }
    let theirs = |alert: &&Alert| alerts.contains(&alert.id) && draft.desk.holds(alert) && draft.desk.home_of(alert).as_ref() == Some(id);
    let found = draft.desk.keys.values().filter_map(|state| state.alert.as_ref()).filter(theirs).cloned().collect::<Vec<_>>();
    let Some(first) = found.first().filter(|_| found.len() == alerts.len()) else {
        let reason = if alerts.is_empty() { Reason::NothingToSplit } else { Reason::NotItsAlert };
        return Verdict::of(Outcome::Ignored, reason);
    };
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    if number(found.len()) >= whole.firing_count {
        return Verdict::of(Outcome::Ignored, Reason::SplitsAll);
    }
    let services: BTreeSet<&ServiceId> = found.iter().map(|alert| &alert.service).collect();
    let service = if services.len() == 1 { first.service.clone() } else { whole.service.clone() };
    let of_table = |alert: &Alert| draft.setup.services.get(&alert.service).map(|service| service.severity.of(alert.severity));
    let worst = found.iter().filter_map(of_table).max().filter(|severity| severity.urgency().is_some());
    let severity = worst.unwrap_or(whole.severity).min(if whole.response.severity_by_hand { whole.severity } else { Severity::Sev1 });
    let title = title.map_or_else(|| first.title.clone(), ToOwned::to_owned);
    let silenced = number(found.iter().filter(|alert| alert.state == AlertState::Suppressed).count());
    let Response { silence, inhibited, .. } = if silenced > 0 { whole.response.clone() } else { Response::default() };
    let held = Held { alerts: number(found.len()), firing: number(found.len()), silenced, silence, inhibited };

    let new = IncidentId::make(&mut draft.moment.ids);
    let begun = What::IncidentSplit { from: other(&whole), service, title, severity, kind: whole.kind, held: held.clone() };
    draft.record(&new, actor, begun);
    if let Some(part) = draft.incident(&new).cloned() {
        draft.record(id, actor, What::IncidentSplitOff { other: other(&part), held, also: BTreeSet::new() });
        uncount(draft, id, actor, &part, &found);
    }
    for Alert { key, .. } in &found {
        if let Some(alert) = draft.desk.keys.get_mut(key).and_then(|state| state.alert.as_mut()) {
            alert.incident = Some(new.clone());
        }
    }
    page_unless_theirs(draft, &new, actor, whole.state, Reason::SplitByHand);
    silence::settle(draft, id, whole.is_covered(), Reason::SplitByHand);
    command::sign_of_life(draft, id, actor);
    Verdict::of(Outcome::Opened, Reason::SplitByHand).about(None, Some(new))
}

/// What went into the incident counts the alerts that it brought no more once they go out again.
fn uncount(draft: &mut Draft, id: &IncidentId, actor: &Actor, part: &Incident, found: &[Alert]) {
    let took_in = draft.incident(id).map(|incident| incident.response.took_in.clone()).unwrap_or_default();
    for member in took_in {
        let Some(incident) = draft.incident(&member) else { continue };
        let brought = |alert: &&Alert| alert.incident.as_ref().is_some_and(|own| *own == member || incident.response.took_in.contains(own));
        let alerts = i64::try_from(found.iter().filter(brought).count()).unwrap_or(i64::MAX);
        if alerts > 0 {
            let held = Held { alerts, ..Held::default() };
            draft.record(&member, actor, What::IncidentSplitOff { other: other(part), held, also: BTreeSet::new() });
        }
    }
}

/// A new incident may be the cause of others: those of services that depend on its own and opened shortly before. What nobody has answered
/// goes into it; what somebody has, or has declared, is named to them.
pub(super) fn take_symptoms(draft: &mut Draft, cause: &IncidentId, service: &Service) {
    if !service.takes_symptoms {
        return;
    }
    let (now, effects) = (draft.now(), draft.setup.effects(&service.id));
    let is_symptom = |incident: &&Incident| {
        let window = draft.setup.services.get(&incident.service).map_or(Span::ZERO, |service| service.group_window);
        incident.is_open()
            && incident.kind == Kind::Real
            && effects.contains(&incident.service)
            && window > Span::ZERO
            && now.since(incident.opened_at) <= window
    };
    let symptoms: Vec<Incident> = draft.desk.incidents.values().filter(is_symptom).take(limits::SYMPTOMS).cloned().collect();
    for symptom in symptoms {
        // The umbrella of a storm, and what a merge made wider, may be about more than what follows from this cause.
        let follows = symptom.response.services.iter().all(|other| *other == service.id || effects.contains(other));
        let is_nobodys = symptom.state == IncidentState::Triggered && symptom.response.declared_by.is_none();
        if is_nobodys && follows && why_not(draft, &symptom.id, cause).is_none() {
            take_in(draft, &symptom.id, &Actor::Reveille, cause, Reason::SymptomsOfCause);
        } else if let Some(other) = draft.incident(cause).map(other) {
            draft.record(&symptom.id, &Actor::Reveille, What::LinkSuspected { other, is_cause: true });
            draft.record(cause, &Actor::Reveille, What::LinkSuspected { other: self::other(&symptom), is_cause: false });
        }
    }
}

/// Where the incidents may be that a new one takes in. The default is nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symptoms {
    pub services: BTreeSet<ServiceId>,
    /// None that opened before; `None` where there are none at all.
    pub since: Option<Time>,
}

impl Symptoms {
    /// Of new incidents of these services.
    #[must_use]
    pub fn of<'a>(setup: &Setup, services: impl IntoIterator<Item = &'a ServiceId>, now: Time) -> Self {
        let takes = |service: &&ServiceId| setup.services.get(*service).is_some_and(|service| service.takes_symptoms);
        let found: BTreeSet<ServiceId> = services.into_iter().filter(takes).flat_map(|service| setup.effects(service)).collect();
        let window = found.iter().filter_map(|service| setup.services.get(service)).map(|service| service.group_window).max();
        Self { services: found, since: window.map(|window| now - window) }
    }
}

/// How many alerts of an incident hold, by its rows: for the merge that is taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    pub firing: i64,
    /// Of these, the silenced ones.
    pub silenced: i64,
}

fn held_by(incident: &Incident) -> Held {
    Held {
        alerts: incident.alerts_count,
        firing: incident.firing_count,
        silenced: incident.response.silenced_count,
        silence: incident.response.silence.clone(),
        inhibited: incident.response.inhibited.clone(),
    }
}

fn other(incident: &Incident) -> Other {
    Other { incident: incident.id.clone(), number: incident.number, title: incident.title.clone() }
}

#[cfg(test)]
mod tests;
