//! Stories through the real doors, on both databases. The providers are the stage's; time is moved by hand.

mod app;
mod doors;
mod keys;
mod night;
mod pages;
#[path = "../support/postgres.rs"]
mod postgres;
mod provider;
mod replays;
mod storm;
