//! The integrations, seen from a terminal.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub enum Integration {
    /// List the integrations, and what came of their signals
    #[command(after_help = "Example:
  reveille integration list

Next: `reveille integration test ID` tries one, and wakes nobody.")]
    List,
    /// Show the last messages of an integration, and what was made of them
    #[command(after_help = "Example:
  reveille integration signals api-rollbar
  reveille integration signals api-rollbar --json

With --json the beginning of each body is there too.

Next: `reveille why NUMBER` tells what an incident did from there.")]
    Signals(IntegrationOne),
    /// Tell what to paste where at the sender of an integration
    #[command(after_help = "Example:
  reveille integration guide api-rollbar

It shows no key: that is `key` in the configuration, and administrators see the whole address in the pages.

Next: `reveille integration test ID` tries it, and wakes nobody.")]
    Guide(IntegrationOne),
    /// Send a test signal through an integration; it wakes nobody
    #[command(after_help = "Example:
  reveille integration test api-rollbar

Next: `reveille integration signals ID` shows it among the last messages.")]
    Test(IntegrationOne),
}

#[derive(Debug, Clone, clap::Args)]
pub struct IntegrationOne {
    /// The integration's id, as in the configuration
    pub id: String,
}
