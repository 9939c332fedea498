//! Maintenance windows.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub enum Maintenance {
    /// List the windows, and when each comes next
    #[command(after_help = "Example:
  reveille maintenance list

Next: `reveille maintenance end NAME` ends the turn that is under way.")]
    List,
    /// Plan maintenance: page nobody for what matches, once or again and again
    #[command(after_help = "Example:
  reveille maintenance add disk-move 'service=\"db\"' --start 2026-11-22T02:00 --for 2h --why \"the disks are moved\"
  reveille maintenance add backups 'alertname=~\"Disk.*\"' --start 2026-11-22T02:00 --for 1h --every 1w --timezone Europe/Paris

All matchers have to match, as a silence's. What still fires when a turn is over pages, and says that it began during maintenance.

Next: `reveille maintenance list` shows when it comes.")]
    Add(MaintenanceAdd),
    /// End the turn that is under way, and no other: what still fires of it pages
    #[command(after_help = "Example:
  reveille maintenance end disk-move

Next: `reveille maintenance restore NAME` has it go on.")]
    End(MaintenanceOne),
    /// Remove a window: what still fires of it pages
    #[command(after_help = "Example:
  reveille maintenance remove disk-move

Next: `reveille maintenance restore NAME` brings it back.")]
    Remove(MaintenanceOne),
    /// Take the last of it back: a removed window is there again, a turn that was ended early goes on
    #[command(after_help = "Example:
  reveille maintenance restore disk-move

Next: `reveille maintenance list` shows when it comes.")]
    Restore(MaintenanceOne),
}

#[derive(Debug, Clone, clap::Args)]
pub struct MaintenanceAdd {
    /// Its name: disk-move
    #[arg(value_name = "NAME")]
    pub id: String,
    /// What it covers, as Alertmanager writes it: service="shop"
    #[arg(required = true, value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// When the first turn begins, by the clocks of its zone: 2026-11-22T02:00
    #[arg(long, value_name = "TIME")]
    pub start: String,
    /// How long each turn lasts: 2h
    #[arg(long = "for", value_name = "SPAN")]
    pub span: String,
    /// From one turn to the next: 12h, 1d, 1w or 1mo [default: there is one turn]
    #[arg(long, value_name = "SPAN")]
    pub every: Option<String>,
    /// An IANA zone [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Why, for those who wonder
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct MaintenanceOne {
    /// The window's name, as `maintenance list` shows it
    #[arg(value_name = "NAME")]
    pub id: String,
}
