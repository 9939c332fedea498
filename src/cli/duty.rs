//! Who is on call, and who takes a schedule for a while.

use serde_json::{Value, json};

use super::CliError;
use super::args::{Oncall, Override, OverrideAdd};
use super::client::Client;
use super::terminal::{Cell, Console, Ink, clean, field, items, time};
use super::when::{Near, stretch, when};
use crate::base::time::Time;

pub(super) async fn oncall(console: &mut Console<'_>, client: &Client, asked: &Oncall) -> Result<(), CliError> {
    let at = asked.at.as_deref().map(|at| when(console, at, Near::Future)).transpose()?;
    let query: Vec<(&str, String)> = at.map(|at| ("at", at.rfc3339())).into_iter().collect();
    let answer = client.get(&["api", "v1", "oncall"], &query).await?;
    let Some(turns) = items(&answer) else { return Err(client.strange("it does not say who is on call".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    if turns.is_empty() {
        console.line("No schedules yet.")?;
        return console.hint("They are written in the configuration: reveille apply FILE");
    }
    let rows = turns
        .iter()
        .map(|turn| {
            let users: Vec<String> =
                turn.get("users").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(clean).collect();
            let who = if users.is_empty() { Cell::inked("nobody", Ink::Red) } else { Cell::inked(users.join(", "), Ink::Bold) };
            let until = time(turn, "until").map_or_else(|| "always".to_owned(), |until| console.moment(until));
            vec![Cell::new(field(turn, "schedule")), who, Cell::new(until)]
        })
        .collect();
    console.table(&["schedule", "on call", "until"], rows)
}

pub(super) async fn overrides(console: &mut Console<'_>, client: &Client, asked: &Override) -> Result<(), CliError> {
    match asked {
        Override::Add(add) => self::add(console, client, add).await,
        Override::Remove(remove) => {
            client.delete(&["api", "v1", "schedules", &remove.schedule, "overrides", &remove.id]).await?;
            if console.json {
                return console.document(&json!({ "removed": remove.id }));
            }
            console.line(&format!("The rotation of {} counts again.", clean(&remove.schedule)))?;
            console.hint("Who has it now: reveille oncall")
        }
        Override::List(list) => {
            let path = match &list.schedule {
                Some(schedule) => vec!["api", "v1", "schedules", schedule.as_str(), "overrides"],
                None => vec!["api", "v1", "overrides"],
            };
            let answer = client.get(&path, &[]).await?;
            let Some(all) = items(&answer) else { return Err(client.strange("it is no list of overrides".to_owned())) };
            if console.json {
                return console.document(&answer);
            }
            if all.is_empty() {
                console.line("No overrides: the rotations count.")?;
                return console.hint("Let somebody take a schedule: reveille override add SCHEDULE USER --for 8h");
            }
            let moment = |one: &Value, name: &str| time(one, name).map_or_else(String::new, |at| console.moment(at));
            let rows = all
                .iter()
                .map(|one| {
                    let cells = [field(one, "schedule"), field(one, "user"), moment(one, "from"), moment(one, "until"), field(one, "id")];
                    cells.into_iter().map(Cell::new).collect()
                })
                .collect();
            console.table(&["schedule", "who", "from", "until", "id"], rows)
        }
    }
}

async fn add(console: &mut Console<'_>, client: &Client, add: &OverrideAdd) -> Result<(), CliError> {
    let mut body = stretch(console, &add.stretch, "from")?;
    body.insert("user".to_owned(), json!(add.user));
    let made = client.order(&["api", "v1", "schedules", &add.schedule, "overrides"], &Value::Object(body)).await?;
    if console.json {
        return console.document(&made);
    }
    let at = |name: &str| time(&made, name).map_or_else(String::new, |at: Time| console.moment(at));
    console.line(&format!("{} has {} from {} until {}.", field(&made, "user"), field(&made, "schedule"), at("from"), at("until")))?;
    console.hint(&format!("Give it back: reveille override remove {} {}", field(&made, "schedule"), field(&made, "id")))
}
