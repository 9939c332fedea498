//! What people said of an incident's alerts, on its page.

use super::Stamp;

/// The noise of an incident, and its marks.
#[derive(Debug, Clone, Default)]
pub struct RelevancePart {
    pub marks: Vec<MarkRow>,
    /// Alerts that are noise.
    pub noise: i64,
    /// Where they are shown, or hidden.
    pub to: String,
    /// Of these, the ones that are not shown.
    pub hidden: i64,
    /// Lines of the timeline that are not shown.
    pub hidden_lines: usize,
    /// Everything that still fires is noise.
    pub is_all: bool,
}

/// One mark.
#[derive(Debug, Clone)]
pub struct MarkRow {
    pub n: i64,
    pub relevance: &'static str,
    pub about: String,
    pub by: String,
    pub at: Stamp,
}
