//! # Reveille: the alarm, the room and the memory of a team that runs servers
//!
//! This page is the floor plan. A room may import rooms on lower floors, never sideways or up;
//! `tests/house.rs` reads the plan below and fails on an import that the plan does not allow.
//!
//! ```text
//! room      floor  may import                                          what it is
//! base      0      -                                                   words every room may use: time, clock, ids, secrets, limits
//! domain    1      base                                                the law of paging: pure, synchronous, total; time is an argument
//! render    2      domain, base                                        words people read and hear, from templates
//! web       4      flows, store::read, render, domain, base            doors for HTTP: parse, call one flow, shape the answer
//! ```
#![forbid(unsafe_code)]

pub mod base;
pub mod domain;
pub mod render;

