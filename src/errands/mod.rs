//! Outgoing requests that wake nobody. What wakes people leaves through `channels`; a failure here is somebody's inconvenience.

pub mod heartbeat;
pub mod sns;
pub mod webhook;
