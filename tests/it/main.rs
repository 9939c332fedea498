//! Stories through the real doors, on both databases. The providers are the stage's; time is moved by hand.

mod app;
mod causes;
mod changes;
mod doors;
mod doors_oncall;
mod doors_signed;
mod events;
mod heartbeat;
mod hostile;
mod keys;
mod letters;
mod mail_in;
mod mapped;
mod merge;
mod night;
mod opsgenie;
mod outside;
mod own;
mod pages;
#[path = "../support/postgres.rs"]
mod postgres;
mod provider;
mod receiver;
mod replays;
mod response;
mod rest;
mod retain;
mod routing;
mod silences;
mod slack;
mod sns;
mod storm;
mod texts;
mod tls;
mod workspace;
