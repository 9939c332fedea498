//! What pages nobody for a while.

use serde_json::{Value, json};

use super::CliError;
use super::args::{Silence, SilenceAdd};
use super::client::Client;
use super::terminal::{Cell, Console, Ink, clean, field, items, time};
use super::when::stretch;

pub(super) async fn silences(console: &mut Console<'_>, client: &Client, asked: &Silence) -> Result<(), CliError> {
    match asked {
        Silence::List(list) => self::list(console, client, list.all).await,
        Silence::Add(add) => self::add(console, client, add).await,
        Silence::End(end) => {
            client.delete(&["api", "v1", "silences", &end.id]).await?;
            if console.json {
                return console.document(&json!({ "ended": end.id }));
            }
            console.line("The silence is over. What still fires of it pages now.")?;
            console.hint("Who is paged: reveille who")
        }
    }
}

async fn list(console: &mut Console<'_>, client: &Client, all: bool) -> Result<(), CliError> {
    let query = if all { Vec::new() } else { vec![("state", "active,pending".to_owned())] };
    let answer = client.get(&["api", "v1", "silences"], &query).await?;
    let Some(silences) = items(&answer) else { return Err(client.strange("it is no list of silences".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    if silences.is_empty() {
        console.line("Nothing is silenced.")?;
        return console.hint("Silence something: reveille silence add MATCHER --for 2h --why TEXT");
    }
    let rows = silences
        .iter()
        .map(|one| {
            let state = field(one, "state");
            let ink = if state == "active" { Ink::Bold } else { Ink::Dim };
            let own = one.get("integration").and_then(Value::as_str).map_or_else(String::new, |id| format!(" of {}", clean(id)));
            let at = |name: &str| time(one, name).map_or_else(String::new, |at| console.moment(at));
            vec![
                Cell::inked(state, ink),
                Cell::new(format!("{}{own}", matchers(one))),
                Cell::new(at("starts_at")),
                Cell::new(at("ends_at")),
                Cell::new(field(one, "created_by")),
                Cell::new(field(one, "id")),
            ]
        })
        .collect();
    console.table(&["state", "what", "from", "until", "by", "id"], rows)
}

async fn add(console: &mut Console<'_>, client: &Client, add: &SilenceAdd) -> Result<(), CliError> {
    let mut body = stretch(console, &add.stretch, "starts_at")?;
    body.insert("matchers".to_owned(), json!(add.matchers));
    body.extend(add.integration.as_ref().map(|id| ("integration".to_owned(), json!(id))));
    body.extend(add.why.as_ref().map(|why| ("comment".to_owned(), json!(why))));
    let made = client.order(&["api", "v1", "silences"], &Value::Object(body)).await?;
    if console.json {
        return console.document(&made);
    }
    let at = |name: &str| time(&made, name).map_or_else(String::new, |at| console.moment(at));
    console.line(&format!("{} pages nobody from {} until {}.", matchers(&made), at("starts_at"), at("ends_at")))?;
    console.hint(&format!("End it sooner: reveille silence end {}", field(&made, "id")))
}

fn matchers(one: &Value) -> String {
    let texts = one.get("matchers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    texts.map(clean).collect::<Vec<_>>().join(" ")
}
