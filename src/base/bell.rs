//! Bells that nudge a worker. A bell carries nothing: who hears it looks in the database.

use std::sync::Arc;

use tokio::sync::Notify;

/// One bell. A ring with nobody waiting is kept for the next one who waits, once.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    pub fn ring(&self) {
        self.0.notify_one();
    }

    pub async fn heard(&self) {
        self.0.notified().await;
    }
}

/// The bells of one process, one for each kind of work.
#[derive(Clone, Debug, Default)]
pub struct Bells {
    /// The journal has a new row.
    pub journal: Bell,
    /// A wake-up was set or moved.
    pub wakes: Bell,
    /// The page lane of the outbox has a new row.
    pub pages: Bell,
    /// The lane of text messages has a new row.
    pub texts: Bell,
    /// The lane of mail and other messages has a new row.
    pub mails: Bell,
    /// The settle lane of the outbox has a new row.
    pub settle: Bell,
    /// New facts were committed.
    pub facts: Bell,
    /// The same for those who tell webhooks: a bell wakes one listener.
    pub webhooks: Bell,
}
