//! Medians and the like, and the table they stand in.

use std::fmt::Write as _;

use reveille::base::time::Span;

use crate::floor::Floor;

/// What many measurements of one thing come to.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub count: usize,
    pub median: Span,
    pub p99: Span,
    pub most: Span,
}

impl Default for Figures {
    fn default() -> Self {
        Self { count: 0, median: Span::ZERO, p99: Span::ZERO, most: Span::ZERO }
    }
}

impl Figures {
    pub fn of(spans: impl Iterator<Item = Span>) -> Self {
        let mut spans: Vec<Span> = spans.collect();
        spans.sort_unstable();
        // The nearest rank: always something that was measured.
        let at = |percent: usize| spans.get((spans.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(Span::ZERO);
        Self { count: spans.len(), median: at(50), p99: at(99), most: at(100) }
    }
}

/// Milliseconds, with two figures behind the point.
pub fn ms(span: Span) -> String {
    format!("{:.2}", span.as_duration().as_secs_f64() * 1e3)
}

/// One line for each figure, with how many times the floor its median is.
pub fn table(rows: &[(&str, Figures, &str)], floor: &Floor) -> String {
    let mut text = format!("{:<32}{:>8}{:>11}{:>11}{:>11}{:>9}\n", "ms", "n", "median", "p99", "most", "x floor");
    for (name, figures, note) in rows {
        if figures.count == 0 {
            writeln!(text, "{name}").expect("a text takes it");
            continue;
        }
        let ratio = figures.median.as_duration().as_secs_f64() / floor.whole().as_duration().as_secs_f64().max(1e-9);
        let (median, p99, most) = (ms(figures.median), ms(figures.p99), ms(figures.most));
        writeln!(text, "{name:<32}{:>8}{median:>11}{p99:>11}{most:>11}{ratio:>9.1}  {note}", figures.count).expect("a text takes it");
    }
    text
}
