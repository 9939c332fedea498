//! # Reveille: the alarm, the room and the memory of a team that runs servers
//!
//! This page is the floor plan. A room may import rooms on lower floors, never sideways or up;
//! `tests/house.rs` reads the plan below and fails on an import that the plan does not allow.
//!
//! ```text
//! room      floor  may import                                 what it is
//! base      0      -                                          words every room may use: time, clock, ids, secrets, limits
//! domain    1      base                                       the law of paging: pure, synchronous, total; time is an argument
//! vendor    1      base                                       foreign APIs in their own words; they know no alert
//! store     2      domain, base                               the only room that speaks SQL
//! sources   2      domain, base                               bytes to signals, pure; one file each
//! channels  2      domain, vendor, base                       ways to reach a person: send, and hear; one file each
//! chat      2      domain, vendor, base                       the incident's room in Slack: what is done, written and said there
//! errands   2      domain, vendor, base                       outgoing requests that wake nobody; one file each
//! render    2      domain, base                               words people read and hear, from templates
//! flows     3      store, sources, channels, chat, errands, render, domain, base  use-cases, one verb each: load, decide, save, commit, ring
//! web       4      flows, store::read, render, domain, base   doors for HTTP: parse, call one flow, shape the answer
//! mail      4      flows, base                                       the door for SMTP: 250 only after the commit
//! workers   4      flows, base                                doors for time: supervised loops that sleep until something is due
//! cli       4      flows, render, vendor, domain, base        doors for a terminal: arguments to REST, or to one flow
//! stage     4      base                                       the outside world for demos and tests: it shares no codec with what it answers
//! boot      5      everything                                 the roof: reads the configuration, builds everything, starts it
//! ```
#![forbid(unsafe_code)]

pub mod base;
pub mod boot;
pub mod channels;
pub mod chat;
pub mod cli;
pub mod domain;
pub mod errands;
pub mod flows;
pub mod mail;
pub mod render;
pub mod sources;
pub mod stage;
pub mod store;
pub mod vendor;
pub mod web;
pub mod workers;
