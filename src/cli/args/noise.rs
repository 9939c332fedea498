//! Noise, seen from a terminal.

use crate::base::limits;

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Noise {
    /// How many monitors at most
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(i64).range(1..=limits::LIST_MOST))]
    pub limit: i64,
}
