//! What explains what in the world: rules of inhibition, and what the watch wants of them.

use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, AlertState};
use reveille::domain::decide::Desk;
use reveille::domain::inhibition::{self, Inhibition};
use reveille::domain::input::Timer;

use super::dice::Dice;
use super::watch::ensure;
use super::world::Rows;

/// Half of the nights have rules: one of what is nobody's cause and of what is nobody's symptom, and one of which the causes are symptoms too.
pub fn rules(dice: &mut Dice) -> Vec<Inhibition> {
    let rule = |id: &str, when: &str, mute: &str, equal: &str| Inhibition {
        id: id.into(),
        when: vec![when.into()],
        mute: vec![mute.into()],
        equal: vec![equal.to_owned()],
    };
    let apart = || rule("apart", "alertname=~\"key0 .*\"", "alertname=~\"key[12] .*\"", "host");
    let both = || rule("both", "alertname=~\"key[01] .*\"", "alertname=~\"key[0-3] .*\"", "integration");
    match dice.below(6) {
        0 => vec![apart()],
        1 => vec![both()],
        2 => vec![apart(), both()],
        _ => Vec::new(),
    }
}

/// The digit of a title that both rules know: that of `key2 is wrong`.
fn digit(alert: &Alert) -> Option<u8> {
    let [digit] = alert.title.strip_prefix("key")?.strip_suffix(" is wrong")?.as_bytes() else { return None };
    digit.is_ascii_digit().then_some(digit - b'0')
}

/// Whether the rule has this cause explain the alert, by its own reading of the two that this world knows.
fn explains(rule: &Inhibition, cause: &Alert, alert: &Alert) -> bool {
    let (Some(one), Some(other)) = (digit(cause), digit(alert)) else { return false };
    let is_same_host = || cause.labels.get("host").map_or("", String::as_str) == alert.labels.get("host").map_or("", String::as_str);
    match rule.id.as_str() {
        "apart" => one == 0 && matches!(other, 1 | 2) && is_same_host(),
        // Whatever is a cause is a symptom as well, and so leaves other causes alone.
        "both" => matches!(one, 0 | 1) && matches!(other, 2 | 3) && cause.key.integration == alert.key.integration,
        _ => false,
    }
}

/// Whether something that holds explains the alert, as the desk is now and as the rows are elsewhere.
pub fn is(rows: &Rows, desk: &Desk, alert: &Alert) -> bool {
    if digit(alert).is_none() {
        return false;
    }
    let rules = &rows.setup.inhibitions;
    let incident = |id| desk.incidents.get(id).or_else(|| rows.incidents.get(id));
    let elsewhere = rows.keys.values().filter(|state| !desk.keys.contains_key(&state.key));
    let others = desk.keys.values().chain(elsewhere).filter_map(|state| state.alert.as_ref());
    let mut causes = others.filter(|other| rules.iter().any(|rule| explains(rule, other, alert)));
    causes.any(|cause| cause.holds(cause.incident.as_ref().and_then(incident)))
}

/// As the store does it: what was resolved with its incident explains nothing any more, and that is looked at.
pub fn over(rows: &mut Rows) {
    let Rows { inhibitors, alerts, incidents, timers, now, .. } = rows;
    let before = inhibitors.len();
    inhibitors
        .retain(|(_, id), _| alerts.get(id).is_some_and(|alert| alert.holds(alert.incident.as_ref().and_then(|own| incidents.get(own)))));
    if inhibitors.len() < before {
        timers.insert((inhibition::scope(), Timer::Cover), *now);
    }
}

/// Whether somebody will look at what is explained at once.
pub fn is_looked_at(rows: &Rows, down_until: Time) -> bool {
    let looks_at = rows.timers.get(&(inhibition::scope(), Timer::Cover));
    looks_at.is_some_and(|at| (*at).max(down_until) >= rows.now - Span::seconds(2))
}

/// What is explained is held back, unless somebody is about to find out.
pub fn holds_back(rows: &Rows, down_until: Time) -> Result<(), String> {
    if rows.setup.inhibitions.is_empty() || is_looked_at(rows, down_until) {
        return Ok(());
    }
    let firing = rows.keys.values().filter_map(|state| state.alert.as_ref()).filter(|alert| alert.state == AlertState::Firing);
    let mut holding = firing.filter(|alert| alert.holds(alert.incident.as_ref().and_then(|own| rows.incidents.get(own))));
    let loud = holding.find(|alert| is(rows, &Desk::default(), alert));
    ensure(loud.is_none(), || format!("inhibition: {loud:?} is explained, and nothing holds it back"))
}
