//! Bells that nudge a worker. A bell carries nothing: who hears it looks in the database.

use std::sync::Arc;

use tokio::sync::Notify;

/// One bell. A ring with nobody waiting is kept for the next one who waits, once.
#[derive(Clone, Debug, Default)]
pub struct Bell {
    here: Arc<Notify>,
    /// For whoever tells the other processes of this database.
    away: Arc<Notify>,
}

impl Bell {
    /// For this process and every other one.
    pub fn ring(&self) {
        self.here.notify_one();
        self.away.notify_one();
    }

    /// Another process rang.
    pub fn ring_here(&self) {
        self.here.notify_one();
    }

    pub async fn heard(&self) {
        self.here.notified().await;
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
    /// The lane of mail has a new row.
    pub mails: Bell,
    /// The lane of messages in a chat has a new row.
    pub directs: Bell,
    /// The lane of people's own webhooks has a new row.
    pub hooks: Bell,
    /// The settle lane of the outbox has a new row.
    pub settle: Bell,
    /// New facts were committed.
    pub facts: Bell,
    /// The same, for whoever tells Slack: one ring wakes one who waits.
    pub chat: Bell,
    /// The same for those who tell webhooks: a bell wakes one listener.
    pub webhooks: Bell,
    /// The same for whoever asks people quietly.
    pub questions: Bell,
    /// Another configuration was applied.
    pub setup: Bell,
}

impl Bells {
    /// The bells that other processes hear, by their names between processes.
    #[must_use]
    pub fn shared(&self) -> [(&'static str, &Bell); 13] {
        [
            ("journal", &self.journal),
            ("wakes", &self.wakes),
            ("pages", &self.pages),
            ("texts", &self.texts),
            ("mails", &self.mails),
            ("directs", &self.directs),
            ("hooks", &self.hooks),
            ("settle", &self.settle),
            ("facts", &self.facts),
            ("chat", &self.chat),
            ("webhooks", &self.webhooks),
            ("questions", &self.questions),
            ("setup", &self.setup),
        ]
    }

    /// Waits until a shared bell was rung in this process, and gives its name. Rings meanwhile are one. Dropped, it forgets no ring.
    pub async fn rung(&self) -> &'static str {
        let rings = self.shared().map(|(name, bell)| {
            let away = Arc::clone(&bell.away);
            Box::pin(async move {
                away.notified().await;
                name
            })
        });
        futures_util::future::select_all(rings).await.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_goes_here_and_away_and_an_echo_goes_no_further() {
        let bells = Bells::default();
        bells.pages.ring();
        bells.pages.ring();
        bells.facts.ring_here();
        bells.pages.heard().await;
        bells.facts.heard().await;
        assert_eq!(bells.rung().await, "pages");
        bells.wakes.ring();
        assert_eq!(bells.rung().await, "wakes", "two rings of the pages' bell were one");
    }
}
