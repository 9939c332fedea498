//! How fast incidents open in the world, and what the watch wants of storms.

use std::collections::BTreeMap;

use reveille::base::id::PolicyId;
use reveille::base::limits;
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, Key};
use reveille::domain::decide::{Desk, Outcome, Verdict};
use reveille::domain::incident::Incident;
use reveille::domain::reason::Reason;

use super::watch::{LATE, ensure};
use super::world::Rows;

/// Of each policy: when incidents opened or would have, and when they last did so faster than is ordinary.
#[derive(Default)]
pub struct Weather(BTreeMap<PolicyId, (Vec<Time>, Option<Time>)>);

/// What has just been decided of a key.
pub struct Seen<'a> {
    pub rows: &'a Rows,
    pub desk: &'a Desk,
    pub key: &'a Key,
    pub verdict: &'a Verdict,
    /// The key's alert before that, where a signal was about it.
    pub before: Option<&'a Alert>,
    /// Whether there was an incident near for it.
    pub had_home: bool,
    /// Until when nobody was there, each time.
    pub down: &'a [Time],
}

impl Weather {
    /// No more incidents of one policy open within a minute than are ordinary, and one that takes in the rest; and nothing comes under that
    /// one when it has been calm.
    pub fn see(&mut self, seen: &Seen) -> Result<(), String> {
        let Seen { rows, desk, key, verdict, before, .. } = *seen;
        let alert = desk.keys.get(key).and_then(|state| state.alert.as_ref());
        let incident = alert.and_then(|alert| alert.incident.as_ref()).and_then(|id| desk.incidents.get(id));
        let (Some(alert), Some(incident)) = (alert, incident) else { return Ok(()) };
        let umbrella = umbrella_of(desk, incident);
        // That a body cannot be read is all that is said of it, wherever its alert went; and so it is with what was waited for, and is
        // acknowledged at its sender.
        let has_found_one = before.is_some_and(|before| before.incident != alert.incident);
        let is_unread = match verdict.outcome {
            Outcome::Unreadable => has_found_one || alert.count == 1 && alert.first_at == rows.now,
            Outcome::Acknowledged => has_found_one,
            _ => false,
        };
        let is_first = incident.opened_at == rows.now && incident.alerts_count == 1;
        let is_under = verdict.reason == Reason::StormUmbrella || is_unread && !is_first && !seen.had_home && umbrella.is_some();
        if verdict.outcome != Outcome::Opened && !is_under && !(is_unread && is_first) {
            return Ok(());
        }
        let of_rule = || incident.response.policy.clone();
        let of_service = || rows.setup.services.get(&incident.service).map(|service| service.policy.clone());
        let of_storm = umbrella.unwrap_or(incident).response.storm.as_ref().map(|storm| storm.policy.clone());
        let Some(policy) = of_storm.or_else(of_rule).or_else(of_service) else { return Ok(()) };
        let most = rows.setup.policies.get(&policy).map_or(limits::STORM_INCIDENTS, |policy| policy.storm);
        let most = usize::try_from(most).map_err(|error| error.to_string())?;
        let (times, fast_at) = self.0.entry(policy.clone()).or_default();
        times.retain(|at| rows.now.since(*at) < Span::minutes(1));
        if most == 0 {
            return Ok(());
        }
        times.push(rows.now);
        if times.len() > most {
            *fast_at = Some(rows.now);
        }
        if is_under {
            let was_down = |at: Time| seen.down.iter().any(|until| *until > at);
            let is_stormy = fast_at.is_some_and(|at| rows.now.since(at) <= Span::minutes(5) + LATE || was_down(at));
            return ensure(is_stormy && umbrella.is_some(), || format!("storm: {} comes under {incident:?} in calm", key.dedup_key));
        }
        // An umbrella that a person made quiet takes in nothing worse.
        let is_quiet =
            |other: &Incident| umbrella_of(desk, other).is_some() && other.response.severity_by_hand && other.severity < incident.severity;
        let excused = umbrella.is_some() || desk.incidents.values().any(is_quiet);
        ensure(times.len() <= most || excused, || {
            format!("storm: {} of {policy} opened within a minute, and none is their umbrella: {incident:?}", times.len())
        })
    }
}

/// The umbrella that an incident is, or that went into it.
fn umbrella_of<'a>(desk: &'a Desk, incident: &'a Incident) -> Option<&'a Incident> {
    let went_in = |other: &&Incident| other.response.merged_into.as_ref() == Some(&incident.id);
    let mut both = std::iter::once(incident).chain(desk.incidents.values().filter(went_in));
    both.find(|umbrella| umbrella.is_umbrella())
}
