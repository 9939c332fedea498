//! Lists in the order that is asked for, piece by piece: each is the run of an index, however long it is, and a cursor names the last one
//! shown. What comes or changes between two pieces stands in the ones to come or is passed over; nothing else is shown twice or left out.

use sqlx::any::AnyRow;

use super::error::{Result, StoreError};
use super::read::{ALERT, AlertView, INCIDENT, IncidentView, Page, Reader, alert_of, cursor_read, page_of};
use super::sql::{Sql, sql_made};
use crate::base::id::AlertId;
use crate::base::limits;
use crate::domain::order::Order;
use crate::domain::setup::{AlertSeverity, Severity};

/// One run of an index: a condition, with the place where it begins, and its order.
pub(super) struct Run {
    condition: String,
    order: &'static str,
    /// What takes the places of the condition, in this order.
    seen: Option<i64>,
    below: String,
}

/// The runs from a cursor on. `first` is the first of the places that a condition may take.
fn runs_of_alerts(order: Order, cursor: Option<&str>, first: usize) -> Result<Vec<Run>> {
    let (at, id) = place(order, cursor)?;
    // Above every id.
    let top = || "b".to_owned();
    let below = match id {
        Some(id) if id.starts_with(AlertId::PREFIX) => id,
        Some(_) => return Err(StoreError::Cursor),
        None => top(),
    };
    let next = first + 1;
    Ok(match order {
        Order::Newest => vec![Run { condition: format!("a.id < ${first}"), order: "a.id DESC", seen: None, below }],
        Order::Severity => {
            let words: Vec<&str> = AlertSeverity::ALL.iter().rev().map(|severity| severity.name()).collect();
            let from = begin(&words, at.as_deref())?;
            let run = |(n, word): (usize, &&str)| Run {
                condition: format!("a.severity = '{word}' AND a.id < ${first}"),
                order: "a.id DESC",
                seen: None,
                below: if n == 0 { below.clone() } else { top() },
            };
            words[from..].iter().enumerate().map(run).collect()
        }
        Order::Rare => {
            let common = limits::COMMON;
            let from = seen(at.as_deref())?;
            let rare = Run {
                condition: format!("a.seen < {common} AND a.seen >= ${first} AND (a.seen > ${first} OR a.id < ${next})"),
                order: "a.seen, a.id DESC",
                seen: Some(from),
                below: below.clone(),
            };
            let rest = |below| Run { condition: format!("a.seen = {common} AND a.id < ${first}"), order: "a.id DESC", seen: None, below };
            if from >= common { vec![rest(below)] } else { vec![rare, rest(top())] }
        }
    })
}

/// Where a cursor of this order points: at which value of what it orders by, and below which id or number.
fn place(order: Order, cursor: Option<&str>) -> Result<(Option<String>, Option<String>)> {
    let Some(cursor) = cursor else { return Ok((None, None)) };
    let text = cursor_read(cursor)?;
    if order == Order::Newest {
        return Ok((None, Some(text)));
    }
    // One of another order points nowhere.
    let (name, place) = text.split_once(' ').ok_or(StoreError::Cursor)?;
    let (at, id) = place.split_once(' ').filter(|_| name == order.name()).ok_or(StoreError::Cursor)?;
    Ok((Some(at.to_owned()), Some(id.to_owned())))
}

fn begin(words: &[&str], at: Option<&str>) -> Result<usize> {
    at.map_or(Ok(0), |at| words.iter().position(|word| *word == at).ok_or(StoreError::Cursor))
}

fn seen(at: Option<&str>) -> Result<i64> {
    at.map_or(Ok(i64::MIN), |at| at.parse().map_err(|_| StoreError::Cursor))
}

fn pointer(order: Order, at: &str, id: &str) -> String {
    match order {
        Order::Newest => id.to_owned(),
        Order::Severity | Order::Rare => format!("{} {at} {id}", order.name()),
    }
}

fn place_of_alert(order: Order, alert: &AlertView) -> String {
    let seen = alert.novelty.seen.to_string();
    pointer(order, if order == Order::Severity { alert.severity.name() } else { &seen }, alert.id.as_str())
}

impl Reader {
    /// The alerts of `within`, a condition whose places, fewer than `first`, `bind` takes.
    pub(super) async fn alerts_in_order(
        &self,
        (within, first): (&str, usize),
        bind: impl Fn(Sql) -> Sql,
        order: Order,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<Page<AlertView>> {
        let mut items: Vec<AlertView> = Vec::new();
        for run in runs_of_alerts(order, cursor, first)? {
            let left = limit + 1 - i64::try_from(items.len()).unwrap_or(i64::MAX);
            if left <= 0 {
                break;
            }
            let find = sql_made(format!("{ALERT} WHERE {within} AND {} ORDER BY {} LIMIT {left}", run.condition, run.order));
            let find = bind(find);
            let find = run.seen.into_iter().fold(find, Sql::int).text(&run.below);
            for row in self.rows(find).await? {
                items.push(alert_of(&row)?);
            }
        }
        Ok(page_of(items, limit, |alert| place_of_alert(order, alert)))
    }

    /// The incidents of `within`, likewise.
    pub(super) async fn incidents_in_order(
        &self,
        (within, first): (&str, usize),
        bind: impl Fn(Sql) -> Sql,
        order: Order,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<Page<IncidentView>> {
        let (at, number) = place(order, cursor)?;
        let below = number.map_or(Ok(i64::MAX), |number| number.parse().map_err(|_| StoreError::Cursor))?;
        let next = first + 1;
        let mut found: Vec<AnyRow> = Vec::new();
        let runs: Vec<(String, &str, Option<i64>, i64)> = match order {
            Order::Newest => vec![(format!("number < ${first}"), "number DESC", None, below)],
            Order::Severity => {
                let words: Vec<&str> = Severity::ALL.iter().rev().map(|severity| severity.name()).collect();
                let from = begin(&words, at.as_deref())?;
                let run = |(n, word): (usize, &&str)| {
                    (format!("severity = '{word}' AND number < ${first}"), "number DESC", None, if n == 0 { below } else { i64::MAX })
                };
                words[from..].iter().enumerate().map(run).collect()
            }
            Order::Rare => {
                let run = format!("seen >= ${first} AND (seen > ${first} OR number < ${next})");
                vec![(run, "seen, number DESC", Some(seen(at.as_deref())?), below)]
            }
        };
        for (condition, sorted, seen, below) in runs {
            let left = limit + 1 - i64::try_from(found.len()).unwrap_or(i64::MAX);
            if left <= 0 {
                break;
            }
            let find = sql_made(format!("{INCIDENT} WHERE {within} AND {condition} ORDER BY {sorted} LIMIT {left}"));
            let find = seen.into_iter().fold(bind(find), Sql::int).int(below);
            found.extend(self.rows(find).await?);
        }
        let place = |incident: &IncidentView| {
            let seen = incident.seen.to_string();
            let at = if order == Order::Severity { incident.severity.name() } else { &seen };
            pointer(order, at, &incident.number.0.to_string())
        };
        Ok(page_of(self.linked(found).await?, limit, place))
    }
}
