//! Who does what, and who is on call.

use clap::Subcommand;

use super::number;
use super::stretch::Stretch;
use crate::base::id::Number;

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Who {
    /// The incident's number [default: every open one]
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub number: Option<Number>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Oncall {
    /// At this time instead of now: 09:00, "2026-12-24 20:00" or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Override {
    /// Let somebody take a schedule
    #[command(after_help = "Example:
  reveille override add platform bo --for 8h
  reveille override add platform bo --from \"2026-12-24 18:00\" --until \"2026-12-26 09:00\"

Next: `reveille oncall` shows who has it now.")]
    Add(OverrideAdd),
    /// Give it back to the rotation
    #[command(after_help = "Example:
  reveille override remove platform ovr_01j0c4m8e5w1q2r3t4y5u6i7o8

Next: `reveille override list` shows what is left.")]
    Remove(OverrideRemove),
    /// List the overrides that hold or will
    #[command(after_help = "Example:
  reveille override list

Next: `reveille override remove SCHEDULE ID` ends one.")]
    List(OverrideList),
}

#[derive(Debug, Clone, clap::Args)]
pub struct OverrideAdd {
    /// The schedule's id
    pub schedule: String,
    /// Who takes it: a user's id
    pub user: String,
    #[command(flatten)]
    pub stretch: Stretch,
}

#[derive(Debug, Clone, clap::Args)]
pub struct OverrideRemove {
    /// The schedule's id
    pub schedule: String,
    /// The override's id, as `override list` shows it
    pub id: String,
}

#[derive(Debug, Clone, clap::Args)]
pub struct OverrideList {
    /// Only of this schedule
    pub schedule: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct TestPage {
    /// The user's id
    pub user: String,
}
