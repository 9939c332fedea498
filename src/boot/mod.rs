//! The roof: the configuration is read here, and here alone things are built.

pub mod config;
