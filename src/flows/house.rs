//! What every flow is handed: the store, the clock, the bells, and the setup as it is live now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};

use super::fold::Floods;
use super::handed::Handed;
use super::ingest::Pending;
use super::refusal::Refusals;
use super::retain::Retention;
use super::shout::Shouts;
use crate::base::bell::Bells;
use crate::base::clock::Clock;
use crate::base::id::IntegrationId;
use crate::base::mask::Mask;
use crate::base::metrics::Metrics;
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};
use crate::channels::Channels;
use crate::chat::Chat;
use crate::domain::setup::Setup;
use crate::errands::heartbeat::Heartbeat;
use crate::errands::sns::Sns;
use crate::errands::webhook::Webhook;
use crate::sources::proof::Proof;
use crate::store::Store;

/// One process's handle on the house. Cheap to clone.
#[derive(Clone)]
pub struct House {
    pub store: Store,
    pub clock: Clock,
    pub bells: Bells,
    /// The name under which this process holds leases; the same after a restart, so that its own are taken back at once.
    pub owner: Arc<str>,
    pub live: watch::Receiver<Arc<Live>>,
    /// Where the intake's requests wait for their commit.
    pub intake: mpsc::Sender<Pending>,
    /// How many batches this process has journaled, so that the folder sees whether the intake is busy.
    pub journaled: Arc<AtomicU64>,
    /// When the courier of pages last looked for work.
    pub page_lane: Pulse,
    /// Pages that their couriers need not look for.
    pub handed: Handed,
    pub metrics: Metrics,
    /// What left while nothing could be written, and is still to be recorded.
    pub shouts: Shouts,
    /// What senders were refused and is still to be written down.
    pub refusals: Refusals,
    /// How many new alerts came of each integration lately, while this process folds.
    pub floods: Floods,
}

/// The last sign of life of a worker, as an instant of the house's clock.
#[derive(Clone, Default)]
pub struct Pulse(Arc<AtomicI64>);

impl Pulse {
    pub fn beat(&self, now: Time) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    /// How long ago it last beat.
    #[must_use]
    pub fn age(&self, now: Time) -> Span {
        now.since(Time(self.0.load(Ordering::Relaxed)))
    }
}

/// The configuration as it is in force.
pub struct Live {
    /// Counts up with every change.
    pub version: i64,
    pub setup: Setup,
    /// Integrations by the digest of their keys.
    pub keys: BTreeMap<String, IntegrationId>,
    /// The keys themselves, for the administrator who pastes an address.
    pub addresses: BTreeMap<IntegrationId, Secret>,
    /// What they ask for beside their keys.
    pub proofs: BTreeMap<IntegrationId, Vec<Proof>>,
    pub channels: Channels,
    /// `None`: no Slack is configured.
    pub chat: Option<Chat>,
    pub public_url: Option<String>,
    /// The pace of the telephone account.
    pub calls_per_second: u32,
    /// The pace of its text messages.
    pub texts_per_second: u32,
    /// Calls that the account carries at once; `None`: as many as there are.
    pub concurrent_calls: Option<u32>,
    /// What a reader of the metrics has to show; `None`: nothing.
    pub metrics_token: Option<Secret>,
    /// The outside dead man's switch.
    pub heartbeat: Option<Heartbeat>,
    /// The way to SNS, for its certificates.
    pub sns: Sns,
    /// The outgoing webhooks by their ids.
    pub webhooks: BTreeMap<String, Webhook>,
    pub retention: Retention,
    /// What is taken out of what senders write.
    pub masks: Mask,
}

impl House {
    /// The configuration now in force.
    #[must_use]
    pub fn now_live(&self) -> Arc<Live> {
        self.live.borrow().clone()
    }
}
