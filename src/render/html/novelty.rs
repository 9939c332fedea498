//! What is new and what rises, beside an alert; and the choice of an order.

use super::Stamp;
use crate::domain::novelty::Novelty;
use crate::domain::order::Order;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoveltyTag {
    pub is_new: bool,
    pub rising_since: Option<Stamp>,
}

impl NoveltyTag {
    #[must_use]
    pub fn of(novelty: &Novelty) -> Self {
        Self { is_new: novelty.marks.is_new, rising_since: novelty.marks.rose.map(|rise| Stamp(rise.at)) }
    }
}

/// One order that a list can be put into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLink {
    pub words: &'static str,
    pub to: String,
    pub is_on: bool,
}

impl OrderLink {
    /// `to` makes the address of each.
    #[must_use]
    pub fn all(on: Order, to: impl Fn(Order) -> String) -> Vec<Self> {
        Order::ALL.map(|order| Self { words: order.words(), to: to(order), is_on: order == on }).into()
    }
}
