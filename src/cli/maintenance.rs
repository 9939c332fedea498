//! What pages nobody at times that are known beforehand.

use serde_json::{Map, Value, json};

use super::CliError;
use super::args::{Maintenance, MaintenanceAdd};
use super::client::Client;
use super::terminal::{Cell, Console, Ink, clean, field, items, time};

pub(super) async fn maintenance(console: &mut Console<'_>, client: &Client, asked: &Maintenance) -> Result<(), CliError> {
    match asked {
        Maintenance::List => list(console, client).await,
        Maintenance::Add(add) => self::add(console, client, add).await,
        Maintenance::Remove(one) => {
            client.delete(&["api", "v1", "maintenance", &one.id]).await?;
            if console.json {
                return console.document(&json!({ "removed": one.id }));
            }
            console.line("The window is removed. What still fires of it pages now.")?;
            console.hint(&format!("Bring it back: reveille maintenance restore {}", clean(&one.id)))
        }
        Maintenance::End(one) => {
            let then = format!("Have it go on: reveille maintenance restore {}", clean(&one.id));
            ordered(console, client, &one.id, "end", "The turn is over. What still fires of it pages now.", &then).await
        }
        Maintenance::Restore(one) => {
            let then = "When it comes: reveille maintenance list";
            ordered(console, client, &one.id, "restore", "The window is as it was.", then).await
        }
    }
}

async fn ordered(console: &mut Console<'_>, client: &Client, id: &str, verb: &str, said: &str, then: &str) -> Result<(), CliError> {
    let now = client.order(&["api", "v1", "maintenance", id, verb], &json!({})).await?;
    if console.json {
        return console.document(&now);
    }
    console.line(said)?;
    console.hint(then)
}

async fn list(console: &mut Console<'_>, client: &Client) -> Result<(), CliError> {
    let answer = client.get(&["api", "v1", "maintenance"], &[]).await?;
    let Some(windows) = items(&answer) else { return Err(client.strange("it is no list of maintenance windows".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    if windows.is_empty() {
        console.line("No maintenance is planned.")?;
        return console.hint("Plan some: reveille maintenance add NAME MATCHER --start TIME --for 2h --why TEXT");
    }
    let rows = windows
        .iter()
        .map(|one| {
            let state = state(one);
            let ink = if state == "under way" { Ink::Bold } else { Ink::Dim };
            let turn = one["turns"].as_array().and_then(|turns| turns.first()).filter(|_| state != "removed");
            let at = |name: &str| turn.and_then(|turn| time(turn, name)).map_or_else(String::new, |at| console.moment(at));
            let every = one["every"].as_str().map_or_else(|| "once".to_owned(), |every| format!("every {}", clean(every)));
            let by = one["created_by"].as_str().map_or_else(|| "the file".to_owned(), clean);
            vec![
                Cell::inked(state, ink),
                Cell::new(field(one, "id")),
                Cell::new(matchers(one)),
                Cell::new(at("starts_at")),
                Cell::new(at("ends_at")),
                Cell::new(every),
                Cell::new(by),
            ]
        })
        .collect();
    console.table(&["state", "name", "what", "from", "until", "again", "by"], rows)
}

fn state(one: &Value) -> &'static str {
    match (one["removed_at"].is_string(), one["is_on"] == true, one["ended_early"] == true) {
        (true, ..) => "removed",
        (false, true, _) => "under way",
        (false, false, true) => "ended early",
        (false, false, false) if one["turns"].as_array().is_none_or(Vec::is_empty) => "over",
        (false, false, false) => "planned",
    }
}

async fn add(console: &mut Console<'_>, client: &Client, add: &MaintenanceAdd) -> Result<(), CliError> {
    let mut body = Map::new();
    for (name, value) in [("id", json!(add.id)), ("matchers", json!(add.matchers)), ("start", json!(add.start)), ("for", json!(add.span))] {
        body.insert(name.to_owned(), value);
    }
    for (name, value) in [("every", &add.every), ("timezone", &add.timezone), ("comment", &add.why)] {
        body.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
    }
    let made = client.order(&["api", "v1", "maintenance"], &Value::Object(body)).await?;
    if console.json {
        return console.document(&made);
    }
    let turn = &made["turns"][0];
    let at = |name: &str| time(turn, name).map_or_else(String::new, |at| console.moment(at));
    console.line(&format!("{} pages nobody from {} until {}.", matchers(&made), at("starts_at"), at("ends_at")))?;
    console.hint(&format!("End a turn sooner: reveille maintenance end {}", field(&made, "id")))
}

fn matchers(one: &Value) -> String {
    let texts = one.get("matchers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    texts.map(clean).collect::<Vec<_>>().join(" ")
}
