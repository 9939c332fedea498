//! `incident …`: what can be asked and ordered of incidents.

use clap::Subcommand;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser as _};

use super::number;
use crate::base::id::Number;
use crate::base::limits;
use crate::base::time::Span;
use crate::domain::incident::{IncidentRole as Role, IncidentState, Kind};
use crate::domain::order::Order;
use crate::domain::setup::Severity;

#[derive(Debug, Clone, Subcommand)]
pub enum Incident {
    /// List incidents, newest first; drills and tests only when asked for
    #[command(after_help = "Example:
  reveille incident list --state triggered
  reveille incident list --json | jq '.items[].number'

Next: `reveille incident show NUMBER`.")]
    List(IncidentList),
    /// Show one incident: what happens now, and its timeline
    #[command(after_help = "Example:
  reveille incident show 42 --watch

Next: `reveille incident ack 42` stops the paging and says that you have it.")]
    Show(IncidentShow),
    /// Declare an incident: a title is enough
    #[command(after_help = "Example:
  reveille incident declare \"The shop is slow\"
  reveille incident declare \"Checkout fails\" --severity sev1 --service shop

It pages the service's policy and opens a room. With no service to take, you have it, and `page` calls whom you need.

Next: `reveille who NUMBER` is its board.")]
    Declare(IncidentDeclare),
    /// Acknowledge: somebody has it, and paging stops
    #[command(after_help = "Example:
  reveille incident ack 42

Next: `reveille incident resolve 42` when it is over; `reveille incident escalate 42` when you need the next person.")]
    Ack(IncidentOne),
    /// Resolve: it is over
    #[command(after_help = "Example:
  reveille incident resolve 42

What still fires more than two minutes later reopens it and pages.

Next: `reveille incident show 42` has its timeline.")]
    Resolve(IncidentOne),
    /// Reopen a resolved incident; paging starts again
    #[command(after_help = "Example:
  reveille incident reopen 42

Next: `reveille why 42` tells who is woken.")]
    Reopen(IncidentOne),
    /// Go on to the policy's next step now
    #[command(after_help = "Example:
  reveille incident escalate 42

Next: `reveille incident show 42 --watch` shows who answers.")]
    Escalate(IncidentOne),
    /// Give it to somebody: they are paged now, and the policy after five minutes
    #[command(after_help = "Example:
  reveille incident reassign 42 bo

Next: `reveille incident show 42 --watch` shows whether they answer.")]
    Reassign(IncidentReassign),
    /// Acknowledge it for a while, and be paged again after it
    #[command(after_help = "Example:
  reveille incident snooze 42 2h

Next: `reveille incident escalate 42` ends the snooze before its time.")]
    Snooze(IncidentSnooze),
    /// Say that it is part of another incident
    #[command(after_help = "Example:
  reveille incident merge 43 --into 42

Its alerts and its pages are #42's from then on.

Next: `reveille incident unmerge 43` takes it back.")]
    Merge(IncidentMerge),
    /// Take a merge back, within a day
    #[command(after_help = "Example:
  reveille incident unmerge 43

What still fires pages again, unless somebody has the incident that it had gone into: then you have it.

Next: `reveille why 43` tells who is woken.")]
    Unmerge(IncidentOne),
    /// Give some of its open alerts an incident of their own
    #[command(after_help = "Example:
  reveille incident split 42 alr_01k0 alr_01k1 --title \"The mail is late\"

The ids are in `reveille incident show 42 --json`.

Next: `reveille incident merge 43 --into 42` puts it back.")]
    Split(IncidentSplit),
    /// Say how bad it is
    #[command(after_help = "Example:
  reveille incident sev 42 1

Set by hand it sticks: alerts do not change it any more.

Next: `reveille incident page 42 everyone`, if it takes all of you.")]
    Sev(IncidentSeverity),
    /// Give somebody a role, or take it back
    #[command(after_help = "Example:
  reveille incident role 42 lead bo
  reveille incident role 42 scribe --nobody

Next: `reveille who 42` shows who has which.")]
    Role(IncidentRole),
    /// Say better what it is
    #[command(after_help = "Example:
  reveille incident title 42 \"The shop's database is full\"

Next: `reveille incident update 42 \"...\"` tells those who wait outside.")]
    Title(IncidentTitle),
    /// Add a note to its timeline
    #[command(after_help = "Example:
  reveille incident note 42 \"Restarted db-3\"
  reveille incident note 42 \"The first complaint came in\" --at 02:47

Next: `reveille incident show 42` has the whole timeline.")]
    Note(IncidentNote),
    /// Mark alerts as noise: they fold away, and raise the incident no more
    #[command(after_help = "Example:
  reveille incident noise 42 'alertname=~\"Disk.*\"'

What is marked still counts, keeps the incident open, and is listed afterwards.

Next: `reveille incident unmark 42 1` takes it back.")]
    Noise(IncidentMark),
    /// Mark alerts as relevant, also where a wider mark says noise
    #[command(after_help = "Example:
  reveille incident relevant 42 'alertname=\"DiskFull\"' 'host=\"db-1\"'

Next: `reveille incident show 42` lists what is marked.")]
    Relevant(IncidentMark),
    /// Take a mark back
    #[command(after_help = "Example:
  reveille incident unmark 42 1

Next: `reveille incident show 42` lists what is marked.")]
    Unmark(IncidentUnmark),
    /// Tell those who wait outside how it stands
    #[command(after_help = "Example:
  reveille incident update 42 \"Payments fail since 02:47. We know why; next update at 03:30.\"

Next: `reveille incident resolve 42` when it is over.")]
    Update(IncidentUpdate),
    /// Page somebody beside the policy
    #[command(after_help = "Example:
  reveille incident page 42 ana
  reveille incident page 42 policy:database
  reveille incident page 42 everyone

Next: `reveille incident show 42 --watch` shows who answers.")]
    Page(IncidentPage),
    /// Keep its board: what is to be done, and by whom
    #[command(after_help = "Example:
  reveille incident task add 42 \"Look at the disk\" --owner bo --back 15m
  reveille incident task done 42 1

Next: `reveille who 42` shows the board.")]
    Task {
        #[command(subcommand)]
        command: Task,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentList {
    /// Only incidents in this state
    #[arg(long, value_parser = PossibleValuesParser::new(IncidentState::ALL.map(IncidentState::name)).map(|word| incident_state(&word)))]
    pub state: Option<IncidentState>,
    /// Only this kind [default: real]
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name)).map(|word| kind(&word)))]
    pub kind: Option<Kind>,
    /// In this order: the worst first, or first what is rarest
    #[arg(long, default_value = Order::Newest.name(), value_parser = PossibleValuesParser::new(Order::ALL.map(Order::name)).map(|word| order(&word)))]
    pub sort: Order,
    /// How many at most
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(i64).range(1..=limits::LIST_MOST))]
    pub limit: i64,
    /// Go on where an earlier list ended: its "next"
    #[arg(long)]
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentShow {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// Stay, and print what happens as it happens
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct IncidentOne {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentDeclare {
    /// What is wrong, in a few words
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub title: String,
    /// How bad it is [default: sev2]
    #[arg(long, value_parser = severity)]
    pub severity: Option<Severity>,
    /// The service whose policy is paged [default: the only one there is]
    #[arg(long, value_name = "ID")]
    pub service: Option<String>,
    /// A drill or a test pages only whom you page by name [default: real]
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name)).map(|word| kind(&word)))]
    pub kind: Option<Kind>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentReassign {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// Who has it from now on: a user's id
    pub user: String,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentSnooze {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// For how long, as in 30m or 2h
    #[arg(value_name = "SPAN", value_parser = Span::parse)]
    pub span: Span,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct IncidentMerge {
    /// The number of the incident that goes
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// The number of the incident that takes it in
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub into: Number,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentSplit {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// The ids of its alerts that go: some, and not all
    #[arg(value_name = "ALERT", required = true)]
    pub alerts: Vec<String>,
    /// What the new incident is called
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub title: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentSeverity {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// 1 (the worst) to 4, or sev1 to sev4
    #[arg(value_name = "SEVERITY", value_parser = severity)]
    pub severity: Severity,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentRole {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// The role
    #[arg(value_parser = PossibleValuesParser::new(Role::ALL.map(Role::name)))]
    pub role: String,
    /// Who has it from now on: a user's id
    #[arg(required_unless_present = "nobody")]
    pub user: Option<String>,
    /// Take the role back
    #[arg(long, conflicts_with = "user")]
    pub nobody: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentTitle {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// What it is, in a few words
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub title: String,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentMark {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// Which of its alerts: alertname="DiskFull"; all have to match
    #[arg(required = true, value_name = "MATCHER")]
    pub matchers: Vec<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentUnmark {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// The mark's number, as `incident show` lists it
    #[arg(value_name = "N")]
    pub n: i64,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentNote {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// What is worth keeping
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub text: String,
    /// When it happened, where that was earlier: 02:47, "2026-01-05 02:47" or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentUpdate {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// What is affected, what is being done, and when you tell more
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub text: String,
}

#[derive(Debug, Clone, clap::Args)]
pub struct IncidentPage {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// A user's id, policy:ID, or everyone
    #[arg(value_name = "USER|policy:ID|everyone", value_parser = NonEmptyStringValueParser::new())]
    pub whom: String,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Task {
    /// Put a task on the board
    #[command(after_help = "Example:
  reveille incident task add 42 \"Look at the disk\" --owner bo --back 15m

Next: `reveille incident task done 42 1` when it is done.")]
    Add(TaskAdd),
    /// Say that a task is done
    #[command(after_help = "Example:
  reveille incident task done 42 1

Next: `reveille who 42` shows what is left.")]
    Done(TaskOne),
    /// Say whom or what a task waits for
    #[command(after_help = "Example:
  reveille incident task block 42 1 \"the data centre\"

Next: `reveille who 42` shows who waits for whom.")]
    Block(TaskBlock),
    /// Say that a task is not needed any more
    #[command(after_help = "Example:
  reveille incident task drop 42 1

Next: `reveille who 42` shows what is left.")]
    Drop(TaskOne),
    /// List all tasks, also what is done and dropped
    #[command(after_help = "Example:
  reveille incident task list 42

Next: `reveille incident task add 42 \"Look at the disk\"`.")]
    List(IncidentOne),
}

#[derive(Debug, Clone, clap::Args)]
pub struct TaskAdd {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// What is to be done
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub title: String,
    /// Who does it: a user's id
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
    /// In how long there is news
    #[arg(long, value_name = "SPAN", value_parser = Span::parse)]
    pub back: Option<Span>,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct TaskOne {
    /// The incident's number
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Number,
    /// The task's small number in it
    #[arg(value_name = "TASK", value_parser = clap::value_parser!(i64).range(1..))]
    pub n: i64,
}

#[derive(Debug, Clone, clap::Args)]
pub struct TaskBlock {
    #[command(flatten)]
    pub task: TaskOne,
    /// Whom or what it waits for
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub on: String,
}

/// The parsers above let only these words through.
fn incident_state(word: &str) -> IncidentState {
    IncidentState::parse(word).expect("only the names of states are let through")
}

fn kind(word: &str) -> Kind {
    Kind::parse(word).expect("only the names of kinds are let through")
}

fn order(word: &str) -> Order {
    Order::parse(word).expect("only the names of orders are let through")
}

fn severity(word: &str) -> Result<Severity, &'static str> {
    let digit = word.to_ascii_lowercase().trim_start_matches("sev").to_owned();
    Severity::parse(&format!("sev{digit}")).ok_or("write 1 (the worst), 2, 3 or 4")
}
