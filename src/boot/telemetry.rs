//! Logs: to stderr, one line each, never a body, a parameter or a secret.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging. `REVEILLE_LOG` chooses what (`info` unless set); a terminal gets lines, anything else JSON.
pub fn start(quiet: bool) {
    let default = if quiet { "warn" } else { "info" };
    // sqlx tells every slow statement with its text; statements carry no values, but they drown the log.
    let filter = std::env::var("REVEILLE_LOG").unwrap_or_else(|_| format!("{default},sqlx=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() { builder.compact().with_target(false).try_init() } else { builder.json().try_init() };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}
