//! Silences.

use clap::Subcommand;

use super::stretch::Stretch;

#[derive(Debug, Clone, Subcommand)]
pub enum Silence {
    /// List the silences that hold or will
    #[command(after_help = "Example:
  reveille silence list
  reveille silence list --all

Next: `reveille silence end ID` ends one.")]
    List(SilenceList),
    /// Page nobody for what matches, for a while
    #[command(after_help = "Example:
  reveille silence add 'alertname=\"DiskFull\"' 'instance=~\"db-.*\"' --for 2h --why \"the disks are moved\"
  reveille silence add service=shop --from 22:00 --until 06:00 --why \"moving house\"

All matchers have to match: = and !=, and =~ and !~ with a pattern for the whole value. Beside an alert's own labels there are
alertname (else its title), dedup_key, severity, service, integration and source. What matches still counts; what still fires at the end pages.

Next: `reveille silence list` shows what holds.")]
    Add(SilenceAdd),
    /// End one now: what still fires of it pages
    #[command(after_help = "Example:
  reveille silence end 0198c1de-7a52-7b3e-9f05-2f6d1c3b4a59

Next: `reveille who` shows who is paged.")]
    End(SilenceEnd),
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct SilenceList {
    /// Those that are over, too, for a month
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct SilenceAdd {
    /// What is silenced, as Alertmanager writes it: alertname="DiskFull"
    #[arg(required = true, value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// Only alerts of this integration
    #[arg(long, value_name = "ID")]
    pub integration: Option<String>,
    #[command(flatten)]
    pub stretch: Stretch,
    /// Why, for those who wonder
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct SilenceEnd {
    /// The silence's id, as `silence list` shows it
    pub id: String,
}
