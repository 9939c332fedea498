//! Pages in the world: one row each, which an incident and a person share.

use std::collections::BTreeMap;

use reveille::base::id::UserId;
use reveille::domain::fact::{Fact, What};
use reveille::domain::person::{Person, PersonPage};

/// The incident's half of a page's row: whether it is wanted, how urgently, and since when.
pub fn row(persons: &mut BTreeMap<UserId, Person>, fact: &Fact) {
    match &fact.what {
        What::PageOpened { page, user, urgency } => {
            let person = persons.entry(user.clone()).or_insert_with(|| Person::new(user.clone()));
            person.pages.push(PersonPage {
                id: page.clone(),
                incident: fact.incident.clone(),
                urgency: *urgency,
                starts: 1,
                started_at: fact.at,
                wanted: true,
                plan: Vec::new(),
                planned_for: 0,
                tried: Vec::new(),
                failed: false,
                reached: Vec::new(),
            });
        }
        What::PageRestarted { page, user, urgency } => {
            if let Some(row) = persons.get_mut(user).and_then(|person| person.pages.iter_mut().find(|row| &row.id == page)) {
                row.starts += 1;
                row.started_at = fact.at;
                row.urgency = *urgency;
            }
        }
        What::PageTakenOver { page, user, .. } => {
            if let Some(row) = persons.get_mut(user).and_then(|person| person.pages.iter_mut().find(|row| &row.id == page)) {
                row.incident = fact.incident.clone();
            }
        }
        What::PageAnswered { page, user } | What::PageEnded { page, user, .. } => {
            if let Some(row) = persons.get_mut(user).and_then(|person| person.pages.iter_mut().find(|row| &row.id == page)) {
                row.wanted = false;
            }
        }
        _ => {}
    }
}
