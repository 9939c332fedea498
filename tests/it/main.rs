//! Stories through the real doors, on both databases. The providers are the stage's; time is moved by hand.

mod app;
#[path = "../support/postgres.rs"]
mod postgres;

mod night;
