//! The operator of the world: changes the setup, puts it right again, and has windows of maintenance.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use reveille::base::id::{MaintenanceId, OverrideId, PolicyId, ServiceId, SilenceId, UserId};
use reveille::base::time::{Span, Time};
use reveille::base::viewer::Role;
use reveille::domain::alert::{Alert, AlertState};
use reveille::domain::decide::{Outcome, Verdict};
use reveille::domain::input::{Scope, Timer};
use reveille::domain::maintenance::Maintenance;
use reveille::domain::matcher::{Matcher, Operator};
use reveille::domain::reason::Reason;
use reveille::domain::setup::{Every, Override, Service, Setup};
use reveille::domain::silence::{Silence, SilenceState};

use super::cast;
use super::dice::Dice;
use super::hush::is_about;
use super::watch::ensure;
use super::world::{Event, Rows, World};

/// Some days have windows: one that comes every few hours, and sometimes one that comes once.
pub fn windows(dice: &mut Dice, day: Time) -> Vec<Maintenance> {
    let mut window = |id: &str, every: Option<Every>| {
        let begins = (day + Span::minutes(dice.between(0, 900))).rfc3339();
        let pattern: &str = dice.pick::<&str>(&["key0.*", "key[01].*", "key[0-3] .*"]);
        Maintenance {
            id: MaintenanceId::from_text(id),
            comment: "the disks are moved".to_owned(),
            matchers: Matcher::new("alertname", Operator::Matches, pattern).into_iter().collect(),
            start: begins.chars().take("2026-01-05T02:00".len()).collect(),
            lasts: Span::minutes(dice.between(5, 55)),
            every,
            timezone: (*dice.pick(&["UTC", "Europe/Paris"])).to_owned(),
        }
    };
    let once = window("once", None);
    let again = window("again", Some(Every::Hours(3)));
    match dice.below(4) {
        0 => vec![once],
        1 => vec![again, once],
        _ => vec![again],
    }
}

/// Whether the silence is the turn of a window of these.
fn is_turn(silence: &Silence) -> bool {
    matches!(silence.created_by.as_str(), "maintenance once" | "maintenance again")
}

/// By our own reading of who made it: a person, or a window.
fn is_maintenance(silence: &Silence) -> bool {
    is_turn(silence) || silence.created_by == "maintenance weekly"
}

impl World {
    pub(super) fn change_the_setup(&mut self) {
        let users: Vec<UserId> = self.rows.setup.users.keys().cloned().collect();
        if users.is_empty() {
            return;
        }
        let id = self.dice.pick(&users).clone();
        match self.dice.below(7) {
            6 => {
                let services: Vec<ServiceId> = self.rows.setup.services.keys().cloned().collect();
                if !services.is_empty() {
                    self.rows.setup.services.remove(self.dice.pick(&services));
                }
            }
            5 => {
                let mut dice = self.dice.clone();
                for (service, other) in self.rows.setup.services.values_mut().zip(cast::setup(&mut dice).services.into_values()) {
                    let (id, policy) = (service.id.clone(), service.policy.clone());
                    *service = Service { id, policy, ..other };
                }
            }
            4 => {
                for user in self.rows.setup.users.values_mut() {
                    user.role = *self.dice.pick(&[Role::Observer, Role::Responder, Role::Manager]);
                }
            }
            3 => {
                let (from, until) = (self.rows.now + self.dice.millis(-60_000, 600_000), self.rows.now + self.dice.millis(0, 3_600_000));
                for schedule in self.rows.setup.schedules.values_mut() {
                    let n = schedule.overrides.len();
                    schedule.overrides.push(Override { id: OverrideId::from_text(format!("ovr_{n}")), user: id.clone(), from, until });
                }
            }
            0 => {
                self.rows.setup.users.remove(&id);
            }
            1 => {
                if let Some(user) = self.rows.setup.users.get_mut(&id) {
                    let gone = user.contacts.pop();
                    user.rules.retain(|rule| gone.as_ref().is_none_or(|gone| gone.id != rule.contact));
                }
            }
            _ => {
                let mut dice = self.dice.clone();
                let other = cast::setup(&mut dice);
                let storms: BTreeMap<PolicyId, u32> =
                    self.rows.setup.policies.iter().map(|(id, policy)| (id.clone(), policy.storm)).collect();
                self.rows.setup.policies = other.policies;
                // What has opened was counted as far as it was then.
                for (id, policy) in &mut self.rows.setup.policies {
                    policy.storm = storms.get(id).copied().unwrap_or(policy.storm);
                }
            }
        }
        self.say(|| format!("SETUP CHANGES {id}"));
    }

    /// The setup is as it was in the beginning, but for its windows.
    pub(super) fn put_right(&mut self, first: &Setup) {
        let maintenance = std::mem::take(&mut self.rows.setup.maintenance);
        self.rows.setup = Setup { maintenance, ..first.clone() };
        self.say(|| "THE SETUP IS AS IT WAS".to_owned());
    }

    /// The turns that hold or come next become silences, once each, and those whose windows are gone end.
    pub(super) fn lay(&mut self) {
        let now = self.rows.now;
        if self.is_down() {
            return self.schedule(self.down_until, Event::Maintenance);
        }
        let mut wanted: BTreeMap<SilenceId, Silence> = BTreeMap::new();
        for window in &self.rows.setup.maintenance {
            wanted.extend(window.turns(now).into_iter().map(|turn| window.silence(turn, now)).map(|turn| (turn.id.clone(), turn)));
        }
        let next = wanted.values().map(|turn| turn.ends_at).min();
        let mut looked_at: Vec<SilenceId> = Vec::new();
        for silence in self.rows.silences.values_mut().filter(|silence| is_turn(silence) && silence.state(now) != SilenceState::Expired) {
            if !wanted.contains_key(&silence.id) {
                silence.starts_at = silence.starts_at.min(now);
                silence.ends_at = now;
                looked_at.push(silence.id.clone());
            }
        }
        for (id, turn) in wanted {
            if let Entry::Vacant(place) = self.rows.silences.entry(id.clone()) {
                place.insert(turn);
                looked_at.push(id);
            }
        }
        self.rows.timers.extend(looked_at.into_iter().map(|id| ((Scope::Silence(id), Timer::Cover), now)));
        if let Some(next) = next {
            self.schedule(next, Event::Maintenance);
        }
    }
}

/// What held an alert back is named for what it was: of the silences about it whose end is told now, the last to end.
pub fn is_named_rightly(rows: &Rows, before: &Alert, verdict: &Verdict) -> Result<(), String> {
    if before.state != AlertState::Suppressed || verdict.outcome != Outcome::Repeated {
        return Ok(());
    }
    let ended = rows.active().into_iter().filter(|silence| silence.state(rows.now) == SilenceState::Expired && is_about(silence, before));
    let expected = match ended.max_by_key(|silence| silence.ends_at) {
        Some(silence) if is_maintenance(&silence) => Reason::MaintenanceOver,
        None if !rows.setup.inhibitions.is_empty() => Reason::InhibitionOver,
        Some(_) | None => Reason::SilenceEnded,
    };
    ensure(verdict.reason == expected, || format!("promise 12: {expected:?} is why {before:?} fires again, and it says {verdict:?}"))
}
