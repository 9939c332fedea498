//! The roof: reads the configuration, builds everything, starts it.

pub mod commands;
pub mod config;
mod demo;
mod doctor;
mod interrupt;
mod keep;
mod listen;
pub mod live;
mod owner;
mod places;
mod staged;
mod telemetry;
mod tell;
pub mod tls;
pub mod wire;

use std::path::PathBuf;

/// Why the program could not start or do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error(transparent)]
    Flow(#[from] crate::flows::FlowError),
    #[error(transparent)]
    Key(#[from] crate::base::secret::BadKey),
    #[error(transparent)]
    Http(#[from] crate::vendor::http::HttpError),
    #[error("the configuration cannot be used:\n{0}")]
    Config(#[from] config::ConfigError),
    #[error(transparent)]
    Stage(#[from] crate::stage::StageError),
    #[error(transparent)]
    Scenario(#[from] crate::stage::scenario::ScenarioError),
    #[error("the stored settings do not read back: {0}")]
    Settings(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] tls::TlsError),
    #[error("cannot listen: {0}")]
    Listen(std::io::Error),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// A sentence that says what to do.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing; a sentence that says which there are.
    #[error("{0}")]
    Unknown(String),
}
