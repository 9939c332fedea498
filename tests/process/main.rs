//! Stories about the real program as a process: killed, stopped, asked at a terminal. The providers are the stage's; time is real.

mod beat;
mod cli;
mod copy;
mod crowd;
mod disk;
mod ground;
mod keeping;
mod kill;
mod planted;
mod posted;
#[path = "../support/postgres.rs"]
mod postgres;
mod replicas;
mod slow;
mod stop;
mod storm;
