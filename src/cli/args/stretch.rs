//! From when until when something holds.

use crate::base::time::Span;

#[derive(Debug, Clone, clap::Args)]
pub struct Stretch {
    /// From when [default: now]: 18:00, "2026-12-24 18:00" or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME", required_unless_present = "span", conflicts_with = "span")]
    pub until: Option<String>,
    /// For how long, instead of --until
    #[arg(long = "for", value_name = "SPAN", value_parser = Span::parse)]
    pub span: Option<Span>,
}
