//! The ways in which an operator ends a process.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when the process is asked to end: Ctrl-C, or the signal that service managers send.
pub async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return tokio::signal::ctrl_c().await.unwrap_or_default();
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
