//! Merges, their undo and splits in the world; and what the watch wants of them.

use std::collections::{BTreeMap, BTreeSet};

use reveille::base::id::{AlertId, IncidentId, ServiceId};
use reveille::base::limits;
use reveille::domain::alert::{Alert, AlertState, KeyState};
use reveille::domain::decide::Desk;
use reveille::domain::fact::{Fact, What};
use reveille::domain::incident::{Incident, IncidentState, Kind};
use reveille::domain::input::{Act, Actor, Command, Input, Via};
use reveille::domain::merge::{Holding, Symptoms, family};
use reveille::domain::reason::Reason;

use super::watch::ensure;
use super::world::{Rows, World};

impl World {
    /// Somebody says that two incidents are one, or that one is two.
    pub(super) fn regroups(&mut self) -> Result<(), String> {
        let users: Vec<_> = self.rows.setup.users.keys().cloned().collect();
        let (merged, apart): (Vec<&Incident>, Vec<&Incident>) =
            self.rows.incidents.values().partition(|incident| incident.response.merged_into.is_some());
        let ids = |incidents: Vec<&Incident>| incidents.into_iter().map(|incident| incident.id.clone()).collect::<Vec<_>>();
        let (merged, all) = (ids(merged), ids(apart));
        let open: Vec<IncidentId> = all.iter().filter(|id| self.rows.incidents[*id].is_open()).cloned().collect();
        if self.is_down() || users.is_empty() || all.is_empty() {
            return Ok(());
        }
        let actor = if self.dice.percent(80) { Actor::User(self.dice.pick(&users).clone()) } else { Actor::Token("ops".to_owned()) };
        // Mostly what can be done, and now and then what cannot.
        let some = if open.is_empty() || self.dice.percent(10) { &all } else { &open };
        let one = self.dice.pick(some).clone();
        let (incident, act) = match self.dice.below(5) {
            0..=1 => (one, Act::Merge { into: self.dice.pick(some).clone() }),
            2 if !merged.is_empty() => (self.dice.pick(&merged).clone(), Act::Unmerge),
            2 => (one, Act::Unmerge),
            _ => {
                let theirs = |alert: &&Alert| self.rows.home_of(alert).is_some_and(|home| home.id == one);
                let alerts = self.rows.keys.values().filter_map(|key| key.alert.as_ref()).filter(theirs);
                let alerts: Vec<AlertId> = alerts.map(|alert| alert.id.clone()).collect();
                let most = self.dice.below(3) + 1;
                let mut picked: BTreeSet<AlertId> = BTreeSet::new();
                for _ in 0..most.min(alerts.len()) {
                    picked.insert(self.dice.pick(&alerts).clone());
                }
                (one, Act::Split { alerts: picked, title: None })
            }
        };
        self.obey(Command { incident, actor, via: Via::Web, act })
    }

    /// What a command looks at.
    pub(super) fn desk_for(&self, command: &Command) -> Desk {
        let mut desk = self.rows.bare_desk();
        let Command { incident, act, .. } = command;
        desk.incidents.extend(self.rows.incidents.get(incident).map(|row| (row.id.clone(), row.clone())));
        match act {
            Act::Merge { into } => desk.incidents.extend(self.rows.incidents.get(into).map(|row| (row.id.clone(), row.clone()))),
            Act::Split { alerts, .. } => {
                let is_one = |key: &&KeyState| key.alert.as_ref().is_some_and(|alert| alerts.contains(&alert.id));
                for state in self.rows.keys.values().filter(is_one) {
                    desk.keys.insert(state.key.clone(), state.clone());
                    let own = state.alert.as_ref().and_then(|alert| self.rows.incidents.get(alert.incident.as_ref()?));
                    desk.incidents.extend(own.map(|row| (row.id.clone(), row.clone())));
                }
            }
            Act::Unmerge => desk.holding = self.rows.holding(),
            _ => {}
        }
        self.rows.complete(&mut desk);
        desk
    }
}

impl Rows {
    /// The incident that an alert belongs to now, by our own reading.
    pub fn home_of(&self, alert: &Alert) -> Option<&Incident> {
        home_of(&self.incidents, alert)
    }

    /// All that went into the incidents of the desk, and what they went into.
    pub(super) fn complete(&self, desk: &mut Desk) {
        loop {
            let more = family(&desk.incidents).into_iter().filter(|id| !desk.incidents.contains_key(id));
            let more: Vec<Incident> = more.filter_map(|id| self.incidents.get(&id).cloned()).collect();
            if more.is_empty() {
                return;
            }
            desk.incidents.extend(more.into_iter().map(|incident| (incident.id.clone(), incident)));
        }
    }

    /// The newest open incident of each service, onto the desk.
    pub(super) fn seat_newest(&self, desk: &mut Desk, services: &[ServiceId]) {
        for service in self.setup.with_causes(services.iter().cloned()) {
            if let Some(newest) = newest(&self.incidents, &service, |_| true) {
                desk.newest.insert(service, newest.id.clone());
                desk.incidents.insert(newest.id.clone(), newest.clone());
            }
        }
        self.complete(desk);
    }

    /// What a new incident may take in, onto the desk.
    pub(super) fn seat_symptoms(&self, desk: &mut Desk, Symptoms { services, since }: &Symptoms) {
        let found = self.incidents.values().filter(|incident| {
            services.contains(&incident.service)
                && incident.is_open()
                && incident.kind == Kind::Real
                && since.is_some_and(|since| incident.opened_at >= since)
        });
        let mut found: Vec<&Incident> = found.collect();
        found.sort_by_key(|incident| std::cmp::Reverse(incident.number));
        desk.incidents.extend(found.into_iter().take(limits::SYMPTOMS).map(|row| (row.id.clone(), row.clone())));
    }

    fn holding(&self) -> BTreeMap<IncidentId, Holding> {
        let mut holding: BTreeMap<IncidentId, Holding> = BTreeMap::new();
        for alert in self.alerts.values() {
            let Some(own) = alert.incident.as_ref().and_then(|id| self.incidents.get(id)).filter(|own| alert.holds(Some(own))) else {
                continue;
            };
            let held = holding.entry(own.id.clone()).or_default();
            held.firing += 1;
            held.silenced += i64::from(alert.state == AlertState::Suppressed);
        }
        holding
    }
}

pub fn home_of<'a>(incidents: &'a BTreeMap<IncidentId, Incident>, alert: &Alert) -> Option<&'a Incident> {
    let own = incidents.get(alert.incident.as_ref()?)?;
    Some(own.response.merged_into.as_ref().map_or(own, |into| &incidents[into]))
}

/// By our own reading: an open real incident of this service and of these, or what one of them went into; none that was split off.
pub fn newest<'a>(
    incidents: &'a BTreeMap<IncidentId, Incident>,
    service: &ServiceId,
    is_of_group: impl Fn(&Incident) -> bool,
) -> Option<&'a Incident> {
    let is_own = |own: &&Incident| own.service == *service && own.response.split_from.is_none() && is_of_group(own);
    let takes = |incident: &&Incident| {
        let mut brought = incidents.values().filter(|other| other.response.merged_into.as_ref() == Some(&incident.id));
        incident.is_open()
            && incident.kind == Kind::Real
            && incident.response.split_from.is_none()
            && (is_own(incident) || brought.any(|other| is_own(&other)))
    };
    // Numbers are given when the batch is saved: what has none yet is the newest.
    incidents.values().filter(takes).max_by_key(|incident| (incident.number.0 == 0, incident.number, incident.id.clone()))
}

/// An open alert is counted by one open incident and by no other; and what went into another one has nothing of its own.
pub fn alerts_have_one_home(rows: &Rows) -> Result<(), String> {
    let mut held: BTreeMap<&IncidentId, (i64, i64)> = BTreeMap::new();
    for alert in rows.alerts.values() {
        let own = alert.incident.as_ref().and_then(|id| rows.incidents.get(id));
        let Some(home) = rows.home_of(alert).filter(|_| alert.holds(own)) else { continue };
        ensure(home.response.merged_into.is_none(), || format!("{alert:?} belongs to {home:?}, which belongs to a third"))?;
        ensure(home.is_open(), || format!("{alert:?} holds, and its incident is over: {home:?}"))?;
        let (firing, silenced) = held.entry(&home.id).or_default();
        *firing += 1;
        *silenced += i64::from(alert.state == AlertState::Suppressed);
    }
    for incident in rows.incidents.values() {
        let counted = (incident.firing_count, incident.response.silenced_count);
        let there = held.get(&incident.id).copied().unwrap_or_default();
        ensure(counted == there, || format!("{there:?} alerts hold and are silenced, and it counts {counted:?}: {incident:?}"))?;
        if let Some(home) = incident.response.merged_into.as_ref().map(|into| &rows.incidents[into]) {
            let is_known = home.response.took_in.contains(&incident.id);
            ensure(is_known && !incident.is_open() && incident.pages.is_empty(), || format!("{incident:?} went into {home:?}"))?;
        }
    }
    Ok(())
}

/// Whoever was being called for what went into another incident is called for that one, unless somebody has it.
pub fn nobody_is_dropped(rows: &Rows, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        let (What::PageEnded { user, reason: Reason::Merged, .. } | What::PageLeft { user, .. }) = &fact.what else { continue };
        let Some(one) = rows.incidents.get(&fact.incident) else { continue };
        let home = one.response.merged_into.as_ref().map_or(one, |into| &rows.incidents[into]);
        // A batch may have ended it at once.
        let is_called = home.state != IncidentState::Triggered || home.page_of(user).is_some();
        ensure(is_called, || format!("promise 1: {user} was called for {}, and is not for {home:?}", fact.incident))?;
    }
    Ok(())
}

/// Whether a merge, its undo or a split may begin a policy for this reason.
pub fn starts(act: &Act, reason: Reason) -> bool {
    match act {
        Act::Merge { .. } => matches!(reason, Reason::TookIn | Reason::SeverityRaised),
        Act::Unmerge => matches!(reason, Reason::Unmerged | Reason::SplitByHand),
        Act::Split { .. } => reason == Reason::SplitByHand,
        _ => false,
    }
}

/// Whether the input is one of these three.
pub fn is_regrouping(input: Option<&Input>) -> bool {
    matches!(input, Some(Input::Command(Command { act: Act::Merge { .. } | Act::Unmerge | Act::Split { .. }, .. })))
}
