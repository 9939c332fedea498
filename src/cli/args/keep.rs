//! What keeps an installation well: looking after it, and keeping its data.

use std::path::PathBuf;

use clap_complete::Shell;

use super::Database;

#[derive(Debug, Clone, clap::Args)]
pub struct Doctor {
    /// The configuration file, to be looked at as well
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Backup {
    /// The file to write; it must not be there yet
    pub file: PathBuf,
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Restore {
    /// The backup
    pub file: PathBuf,
    /// Empty the database first, whatever it holds
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Completions {
    pub shell: Shell,
}
