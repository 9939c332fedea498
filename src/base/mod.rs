//! Words that every room may use: time, ids, secrets, limits. Nothing here knows what a page is.

pub mod bell;
pub mod clock;
pub mod coding;
pub mod failpoint;
pub mod id;
pub mod inbound;
pub mod limits;
pub mod mask;
pub mod metrics;
pub mod rarely;
pub mod secret;
pub mod time;
pub mod viewer;
pub mod written;
