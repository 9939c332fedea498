//! The law of paging: pure, synchronous, total. Time is an argument, nothing here reads a clock or a database.
//!
//! [`decide`](decide::decide) is the one door. It takes the rows a transaction has locked, one input and the moment, and answers with
//! facts (what happened), effects (what we ask of the world), timers (when to look again) and a reason. Folding the facts into the
//! rows is the only way the rows change.

pub mod alert;
mod ask;
mod attempt;
pub mod change;
mod command;
pub mod decide;
mod declare;
pub mod effect;
mod ending;
mod escalation;
pub mod fact;
pub mod fall;
pub mod flap;
pub mod flood;
pub mod group;
mod grouping;
mod hold;
pub mod incident;
pub mod inhibition;
pub mod input;
pub mod lint;
pub mod local;
pub mod maintenance;
pub mod mapping;
pub mod matcher;
pub mod merge;
mod message;
pub mod noise;
pub mod novelty;
pub mod oncall;
pub mod order;
mod page;
pub mod person;
pub mod reason;
pub mod relevance;
pub mod remark;
pub mod routing;
pub mod setup;
mod severity;
pub mod silence;
mod snooze;
pub mod storm;
mod surely;
pub mod task;
pub mod template;
#[cfg(test)]
mod trial;
