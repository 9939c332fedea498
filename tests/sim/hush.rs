//! Silences in the world: made, changed and ended by people, looked at when their time has come; and what the watch wants of them.

use reveille::base::id::SilenceId;
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, AlertState, KeyState};
use reveille::domain::decide::{Desk, Outcome, State, Verdict, Wanted};
use reveille::domain::fact::{Fact, What};
use reveille::domain::incident::{Incident, IncidentState};
use reveille::domain::inhibition;
use reveille::domain::input::{Input, Scope, Signal, Timer};
use reveille::domain::matcher::{Matcher, Operator};
use reveille::domain::silence::{Silence, SilenceState};

use super::watch::ensure;
use super::world::{Rows, Saved, World};
use super::{explained, merge, operator};

impl World {
    /// Somebody silences some titles, moves a silence's end, or ends one.
    pub(super) fn silences(&mut self) -> Result<(), String> {
        let now = self.rows.now;
        if self.is_down() || now >= self.silent_until {
            return Ok(());
        }
        let there: Vec<SilenceId> = self.rows.silences.keys().cloned().collect();
        let id = if there.is_empty() || self.dice.percent(60) {
            let id = SilenceId::from_text(format!("silence{}", self.rows.silences_made));
            self.rows.silences_made += 1;
            let integrations: Vec<_> = self.rows.setup.integrations.keys().cloned().collect();
            let pattern = *self.dice.pick(&["key0.*", "key[01].*", "key[0-3] .*", ".*"]);
            let integration = if self.dice.percent(50) { None } else { Some(self.dice.pick(&integrations).clone()) };
            let starts_at = if self.dice.percent(70) { now } else { now + self.dice.millis(0, 600_000) };
            let ends_at = (starts_at + self.dice.millis(20_000, 1_500_000)).min(self.silent_until);
            let silence = Silence {
                id: id.clone(),
                integration,
                matchers: vec![Matcher::new("alertname", Operator::Matches, pattern).map_err(|wrong| wrong.text)?],
                starts_at: starts_at.min(ends_at),
                ends_at,
                created_by: (*self.dice.pick(&["ana", "ana", "maintenance weekly"])).to_owned(),
                comment: "we are at it".to_owned(),
                updated_at: now,
            };
            self.rows.silences.insert(id.clone(), silence);
            id
        } else {
            let id = self.dice.pick(&there).clone();
            let ends_at = if self.dice.percent(50) { now } else { (now + self.dice.millis(0, 1_500_000)).min(self.silent_until) };
            if let Some(silence) = self.rows.silences.get_mut(&id).filter(|silence| silence.state(now) != SilenceState::Expired) {
                silence.starts_at = silence.starts_at.min(ends_at);
                silence.ends_at = ends_at;
            }
            id
        };
        self.say(|| format!("{:?}", self.rows.silences.get(&id)));
        self.rows.timers.insert((Scope::Silence(id), Timer::Cover), now);
        Ok(())
    }

    /// What the silence is about is looked at, in one transaction; or whatever may be explained.
    pub(super) fn cover(&mut self, id: &SilenceId) -> Result<(), String> {
        let now = self.rows.now;
        if Scope::Silence(id.clone()) == inhibition::scope() {
            return self.looks_at(id, |_| true);
        }
        let Some(silence) = self.rows.silences.get(id).cloned() else { return Ok(()) };
        let next = match silence.state(now) {
            SilenceState::Pending => Some(silence.starts_at),
            SilenceState::Active => Some(silence.ends_at),
            SilenceState::Expired => None,
        };
        if let Some(at) = next {
            self.rows.timers.insert((Scope::Silence(id.clone()), Timer::Cover), at);
        }
        self.looks_at(id, |alert| silence.is_about(alert))?;
        if next.is_none() {
            self.rows.told.insert(id.clone());
        }
        Ok(())
    }

    fn looks_at(&mut self, id: &SilenceId, is_about: impl Fn(&Alert) -> bool) -> Result<(), String> {
        let keys: Vec<KeyState> = self.rows.keys.values().filter(|key| key.alert.as_ref().is_some_and(&is_about)).cloned().collect();
        let mut saved = Saved::default();
        let mut state = State::Desk(self.rows.desk_about(&keys));
        for KeyState { key, alert, .. } in keys {
            let (next, verdict) = self.decide(state, &Input::Cover(key.clone()), &mut saved);
            state = next;
            self.say(|| format!("  {id} on {} -> {verdict:?}", key.dedup_key));
            if let State::Desk(desk) = &state {
                self.watch.uncovered(&self.rows, desk, &key, &verdict)?;
            }
            if let Some(before) = alert {
                operator::is_named_rightly(&self.rows, &before, &verdict)?;
            }
        }
        self.save(state, saved, None)
    }
}

impl Rows {
    /// The silences that may be in force, and those whose end was not told to all of theirs yet.
    pub(super) fn active(&self) -> Vec<Silence> {
        let is_live = |silence: &&Silence| silence.state(self.now) != SilenceState::Expired || !self.told.contains(&silence.id);
        self.silences.values().filter(is_live).cloned().collect()
    }

    /// A desk with what holds alerts back, and nothing else.
    pub(super) fn bare_desk(&self) -> Desk {
        Desk { silences: self.active(), inhibitors: self.inhibitors.clone(), ..Desk::default() }
    }

    /// Puts a key and the incidents that its alert may touch on the desk.
    pub(super) fn seat(&self, desk: &mut Desk, state: &KeyState) {
        let incident = state.alert.as_ref().and_then(|alert| alert.incident.as_ref()).and_then(|id| self.incidents.get(id));
        desk.incidents.extend(incident.map(|incident| (incident.id.clone(), incident.clone())));
        desk.keys.insert(state.key.clone(), state.clone());
        let service = self.setup.integrations.get(&state.key.integration).map(|integration| integration.service.clone());
        let own = state.alert.as_ref().map(|alert| alert.service.clone());
        self.seat_newest(desk, &service.into_iter().chain(own).collect::<Vec<_>>());
    }

    /// A desk for decisions on these keys, which no signal is about.
    pub(super) fn desk_about(&self, keys: &[KeyState]) -> Desk {
        let mut desk = self.bare_desk();
        for state in keys {
            self.seat(&mut desk, state);
        }
        let wanted = Wanted::by(&self.setup, &[], &desk.keys, self.now);
        self.shelter(&mut desk, wanted);
        desk
    }

    /// Puts what else a decision looks at on the desk.
    pub(super) fn shelter(&self, desk: &mut Desk, wanted: Wanted) {
        for (service, group) in wanted.groups {
            if let Some(newest) = merge::newest(&self.incidents, &service, |own| own.response.group == group) {
                desk.groups.insert((service, group), newest.id.clone());
                desk.incidents.insert(newest.id.clone(), newest.clone());
            }
        }
        for policy in wanted.policies {
            let Some(openings) = self.openings.get(&policy) else { continue };
            let umbrella = openings.umbrella.as_ref().and_then(|id| self.incidents.get(id));
            desk.incidents.extend(umbrella.map(|umbrella| (umbrella.id.clone(), umbrella.clone())));
            desk.openings.insert(policy, openings.clone());
        }
        self.seat_symptoms(desk, &wanted.symptoms);
        self.complete(desk);
    }

    fn covers(&self, alert: &Alert) -> bool {
        self.silences.values().any(|silence| silence.state(self.now) == SilenceState::Active && is_about(silence, alert))
    }
}

/// By its own reading of the few patterns that this world knows.
pub fn is_about(silence: &Silence, alert: &Alert) -> bool {
    let digit = alert.title.strip_prefix("key").and_then(|rest| rest.chars().next()).and_then(|c| c.to_digit(10));
    let is_single = alert.title.starts_with("key") && alert.title.as_bytes().get(4) == Some(&b' ');
    silence.integration.as_ref().is_none_or(|integration| *integration == alert.key.integration)
        && match silence.matchers.first().map(Matcher::value) {
            Some("key0.*") => digit == Some(0),
            Some("key[01].*") => digit.is_some_and(|digit| digit < 2),
            Some("key[0-3] .*") => is_single && digit.is_some_and(|digit| digit < 4),
            Some(".*") => true,
            _ => false,
        }
}

/// What is silenced opens nothing and joins nothing, and what is not is not held back.
pub fn after_signal(rows: &Rows, desk: &Desk, signal: &Signal, verdict: &Verdict) -> Result<(), String> {
    let Some(alert) = verdict.alert.as_ref().and_then(|id| desk.keys.values().find_map(|key| key.alert.as_ref().filter(|a| a.id == *id)))
    else {
        return Ok(());
    };
    let is_silenced = rows.covers(alert) || explained::is(rows, desk, alert);
    match verdict.outcome {
        Outcome::Opened | Outcome::Folded | Outcome::Reopened => {
            ensure(!is_silenced, || format!("silence: {} is covered and pages: {verdict:?}", signal.dedup_key))
        }
        Outcome::Suppressed => {
            // A sender's acknowledge looks at no silence, and what nobody has looked at yet stays as it was.
            let is_looked_at = signal.action == reveille::domain::input::Action::Trigger;
            ensure(is_silenced || !is_looked_at, || {
                format!("silence: nothing covers {} and it is held back: {verdict:?}", signal.dedup_key)
            })
        }
        Outcome::Repeated | Outcome::Resolved | Outcome::Acknowledged | Outcome::Ignored | Outcome::Recorded | Outcome::Unreadable => {
            Ok(())
        }
    }
}

/// Nobody is called for an incident of which silences cover everything, unless a person asks for it.
pub fn pages_nobody(rows: &Rows, input: Option<&Input>, facts: &[Fact]) -> Result<(), String> {
    let by_clock = match input {
        None | Some(Input::Wake { timer: Timer::Lapse, .. }) => true,
        Some(
            Input::Signal(_)
            | Input::Command(_)
            | Input::Declare(_)
            | Input::Expiry(_)
            | Input::Cover(_)
            | Input::Held(_)
            | Input::Report(_)
            | Input::Wake { .. },
        ) => false,
    };
    let hushed = facts.iter().filter(|fact| matches!(fact.what, What::IncidentSilenced { .. } | What::IncidentInhibited { .. }));
    for fact in hushed.filter(|_| by_clock) {
        let Some(incident) = rows.incidents.get(&fact.incident).filter(|incident| incident.response.is_hushed) else { continue };
        ensure(incident.pages.is_empty(), || format!("silence: {incident:?} is silenced and pages on"))?;
    }
    Ok(())
}

/// Promise 3: whatever is silenced is heard again.
pub fn ends(rows: &Rows, down_until: Time) -> Result<(), String> {
    for alert in rows.keys.values().filter_map(|key| key.alert.as_ref()).filter(|alert| alert.state == AlertState::Suppressed) {
        let own = alert.incident.as_ref().and_then(|id| rows.incidents.get(id));
        if !alert.holds(own) {
            continue;
        }
        let is_kept = rows.silences.values().any(|silence| {
            let looks_at = rows.timers.get(&(Scope::Silence(silence.id.clone()), Timer::Cover));
            is_about(silence, alert) && looks_at.is_some_and(|at| (*at).max(down_until) >= rows.now - Span::seconds(2))
        });
        let is_kept = is_kept || explained::is(rows, &Desk::default(), alert) || explained::is_looked_at(rows, down_until);
        ensure(is_kept, || format!("promise 3: {alert:?} stays silenced for ever; {:?}", rows.silences))?;
    }
    Ok(())
}

/// Whether an unanswered incident that is hushed has an hour at which it pages by itself, and nothing in it that should page now.
pub fn is_hushed_rightly(rows: &Rows, incident: &Incident) -> Result<(), String> {
    if incident.state != IncidentState::Triggered || !incident.response.is_hushed {
        return Ok(());
    }
    let holds = |alert: &Alert| alert.holds(alert.incident.as_ref().and_then(|id| rows.incidents.get(id)));
    let of = |alert: &&Alert| rows.home_of(alert).is_some_and(|home| home.id == incident.id) && holds(alert);
    let loud = rows.alerts.values().filter(of).find(|alert| alert.state == AlertState::Firing);
    ensure(loud.is_none(), || format!("promise 3: {loud:?} is not silenced, and its incident is hushed: {incident:?}"))?;
    let silenced = rows.alerts.values().filter(of).count();
    ensure(i64::try_from(silenced) == Ok(incident.response.silenced_count), || format!("{silenced} alerts are silenced in {incident:?}"))
}
