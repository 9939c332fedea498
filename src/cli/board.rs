//! The board on a terminal, and what is done to its tasks.

use serde_json::{Map, Value, json};

use super::CliError;
use super::args::{Task, TaskAdd, TaskOne, Who};
use super::client::Client;
use super::incident::{ink, part, title};
use super::orders::hands;
use super::terminal::{Cell, Console, Ink, field, items, time};
use crate::base::id::Number;
use crate::base::time::Time;
use crate::domain::task::TaskState;

/// Boards shown at once without a number.
const BOARDS: usize = 20;

pub(super) async fn who(console: &mut Console<'_>, client: &Client, asked: Who) -> Result<(), CliError> {
    let incidents = if let Some(number) = asked.number {
        vec![client.get(&["api", "v1", "incidents", &number.0.to_string()], &[]).await?]
    } else {
        let query = [("state", "triggered,acknowledged".to_owned()), ("limit", BOARDS.to_string())];
        let answer = client.get(&["api", "v1", "incidents"], &query).await?;
        items(&answer).ok_or_else(|| client.strange("it is no list of incidents".to_owned()))?.to_vec()
    };
    let mut boards = Vec::with_capacity(incidents.len());
    for incident in incidents {
        let tasks = part(client, &field(&incident, "number"), "tasks").await?;
        boards.push((incident, tasks));
    }
    if console.json {
        let boards = boards.into_iter().map(|(incident, tasks)| json!({ "incident": incident, "tasks": tasks }));
        return console.document(&json!({ "items": boards.collect::<Vec<_>>(), "next": null }));
    }
    if boards.is_empty() {
        console.line("No incident is open.")?;
        return console.hint("What was: reveille incident list");
    }
    for (index, (incident, tasks)) in boards.iter().enumerate() {
        if index > 0 {
            console.line("")?;
        }
        board(console, incident, tasks)?;
    }
    Ok(())
}

fn board(console: &mut Console<'_>, incident: &Value, tasks: &[Value]) -> Result<(), CliError> {
    let (number, state) = (field(incident, "number"), field(incident, "state"));
    let headline = (console.paint(Ink::Bold, &format!("#{number}")), console.paint(ink(&state), &state));
    console.long_line(&format!("{} {} {}  {}", headline.0, headline.1, field(incident, "severity"), title(incident)), 2)?;
    console.line(&hands(incident))?;
    let is_open = |task: &&Value| state_of(task).is_some_and(TaskState::is_open);
    let open: Vec<&Value> = tasks.iter().filter(is_open).collect();
    if open.is_empty() {
        let said = if tasks.is_empty() { "No tasks yet." } else { "Nothing is left to do." };
        console.line(said)?;
        return console.hint(&format!("Add one: reveille incident task add {number} \"Look at the disk\" --owner USER"));
    }
    let rows = open.into_iter().map(|task| row(console, task)).collect();
    console.table(&["n", "state", "who", "since", "back", "task"], rows)?;
    let over = tasks.len() - tasks.iter().filter(is_open).count();
    if over > 0 {
        console.hint(&format!("{over} more done or dropped: reveille incident task list {number}"))?;
    }
    Ok(())
}

fn state_of(task: &Value) -> Option<TaskState> {
    TaskState::parse(&field(task, "state"))
}

fn row(console: &Console<'_>, task: &Value) -> Vec<Cell> {
    let state = field(task, "state");
    let ink = match TaskState::parse(&state) {
        Some(TaskState::Blocked) => Ink::Red,
        Some(TaskState::Doing) => Ink::Yellow,
        Some(TaskState::Done) => Ink::Green,
        Some(TaskState::Dropped) => Ink::Dim,
        Some(TaskState::Todo) | None => Ink::Plain,
    };
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let waits = field(task, "blocked_on");
    let waits = if waits.is_empty() { String::new() } else { format!(" (waits for {waits})") };
    let back = time(task, "back_at").map_or_else(String::new, |at| back(console, at));
    vec![
        Cell::inked(field(task, "n"), Ink::Bold),
        Cell::inked(state, ink),
        Cell::new(or_dash(field(task, "owner"))),
        Cell::new(console.ago(time(task, "changed_at"))),
        Cell::new(or_dash(back)),
        Cell::new(format!("{}{waits}", field(task, "title"))),
    ]
}

/// When somebody is back; a time that has passed says so.
fn back(console: &Console<'_>, at: Time) -> String {
    let late = if at < console.clock.now() { " late" } else { "" };
    format!("{}{late}", console.moment(at))
}

pub(super) async fn task(console: &mut Console<'_>, client: &Client, task: &Task) -> Result<(), CliError> {
    match task {
        Task::Add(add) => self::add(console, client, add).await,
        Task::Done(one) => change(console, client, *one, json!({ "state": "done" }), "is done").await,
        Task::Drop(one) => change(console, client, *one, json!({ "state": "dropped" }), "is dropped").await,
        Task::Block(block) => change(console, client, block.task, json!({ "blocked_on": block.on }), "waits").await,
        Task::List(one) => list(console, client, one.number).await,
    }
}

async fn add(console: &mut Console<'_>, client: &Client, add: &TaskAdd) -> Result<(), CliError> {
    let number = add.number.0.to_string();
    let mut body = Map::new();
    body.insert("title".to_owned(), json!(add.title));
    body.extend(add.owner.as_ref().map(|owner| ("owner".to_owned(), json!(owner))));
    body.extend(add.back.map(|back| ("back_at".to_owned(), json!((console.clock.now() + back).rfc3339()))));
    let task = client.order(&["api", "v1", "incidents", &number, "tasks"], &Value::Object(body)).await?;
    if console.json {
        return console.document(&task);
    }
    let n = field(&task, "n");
    let owner = field(&task, "owner");
    let owner = if owner.is_empty() { "nobody has it yet".to_owned() } else { format!("{owner} does it") };
    console.line(&format!("Task {n} of #{number}, and {owner}: {}", field(&task, "title")))?;
    console.hint(&format!("When it is done: reveille incident task done {number} {n}"))
}

async fn change(console: &mut Console<'_>, client: &Client, task: TaskOne, body: Value, what: &str) -> Result<(), CliError> {
    let (number, n) = (task.number.0.to_string(), task.n.to_string());
    let task = client.patch(&["api", "v1", "incidents", &number, "tasks", &n], &body).await?;
    if console.json {
        return console.document(&task);
    }
    let waits = field(&task, "blocked_on");
    let waits = if waits.is_empty() { String::new() } else { format!(" for {waits}") };
    console.line(&format!("Task {n} of #{number} {what}{waits}: {}", field(&task, "title")))?;
    console.hint(&format!("The board: reveille who {number}"))
}

async fn list(console: &mut Console<'_>, client: &Client, number: Number) -> Result<(), CliError> {
    let tasks = part(client, &number.0.to_string(), "tasks").await?;
    if console.json {
        return console.document(&json!({ "items": tasks, "next": null }));
    }
    if tasks.is_empty() {
        console.line(&format!("{number} has no tasks yet."))?;
        return console.hint(&format!("Add one: reveille incident task add {} \"Look at the disk\" --owner USER", number.0));
    }
    let rows = tasks.iter().map(|task| row(console, task)).collect();
    console.table(&["n", "state", "who", "since", "back", "task"], rows)
}
