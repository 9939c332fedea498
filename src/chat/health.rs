//! What is wrong with the workspace. It is said loudly when it begins and once when it is over, however often it is met in between.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What can be unwell, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Slack takes the bot token and lets it do what it has to.
    Account,
    /// The room that hears of every incident can be written to.
    Announcements,
    /// Slack can be heard over our own connection.
    Socket,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "its token",
            Self::Announcements => "the announcements",
            Self::Socket => "Socket Mode",
        })
    }
}

/// The troubles of one workspace as this process met them.
#[derive(Debug, Default)]
pub struct Health(Mutex<BTreeMap<Part, String>>);

impl Health {
    /// Something is wrong, and this is what the operator can do about it.
    pub fn is_bad(&self, part: Part, what: &str, advice: &str) {
        let text = format!("{part}: {what}; {advice}");
        let before = self.lock().insert(part, text);
        if before.is_none() {
            tracing::error!(what, advice, "Slack is not told everything ({part}); pages go out as ever");
        }
    }

    pub fn is_well(&self, part: Part) {
        if self.lock().remove(&part).is_some() {
            tracing::info!("Slack is well again ({part})");
        }
    }

    /// What is wrong now, one sentence each.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_lasts_until_it_is_over() {
        let health = Health::default();
        health.is_bad(Part::Account, "invalid_auth", "install the app again");
        health.is_bad(Part::Account, "token_revoked", "install the app again");
        assert_eq!(health.troubles(), ["its token: token_revoked; install the app again"]);
        health.is_well(Part::Socket);
        assert_eq!(health.troubles().len(), 1);
        health.is_well(Part::Account);
        assert_eq!(health.troubles(), Vec::<String>::new());
    }
}
