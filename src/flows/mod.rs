//! Use-cases, one verb each: load, decide, save, commit, ring. A flow is the only thing between a door and the law.

pub mod access;
pub mod act;
pub mod alertmanager;
pub mod announce;
pub mod apply;
pub mod ask;
pub mod audit;
pub mod backup;
pub mod beat;
pub mod carry;
pub mod contact;
pub mod deliver;
pub mod ear;
pub mod enqueue;
pub mod expire;
pub mod fold;
pub mod handed;
pub mod hear;
pub mod heartbeat;
pub mod house;
pub mod ingest;
pub mod inhibition;
pub mod invite;
pub mod link;
pub mod maintenance;
pub mod once;
pub mod opsgenie;
pub mod overrides;
pub mod password;
pub mod profile;
pub mod refusal;
mod reply;
pub mod report;
pub mod retain;
pub mod route;
mod save;
pub mod say;
pub mod shout;
pub mod silence;
pub mod sns;
pub mod tell;
pub mod wake;
mod write;

pub use house::{House, Live, Pulse};

use crate::store::StoreError;

/// Why a flow could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The database; the same flow may be tried again when [`StoreError::is_retryable`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such incident, page or attempt, or the viewer may not see it.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// What was asked for makes no sense; the sentence says why.
    #[error("{0}")]
    Refused(&'static str),
    /// A stored value of our own does not read back.
    #[error("a stored {0} does not read back: {1}")]
    Unreadable(&'static str, String),
    /// A decision ended in a panic, which is a fault of ours; nothing of it was saved.
    #[error("{0} ended in a panic; please report this")]
    Panicked(&'static str),
    /// Too many ask for the same costly thing at once.
    #[error("too many ask for this at once")]
    Busy,
    /// A task of this process ended before it answered.
    #[error("the server is shutting down")]
    Gone,
}

impl FlowError {
    /// What a task that did not return came to.
    fn of_task(error: &tokio::task::JoinError, what: &'static str) -> Self {
        if error.is_panic() { Self::Panicked(what) } else { Self::Gone }
    }

    /// Whether trying the same again may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Missing(_) | Self::Refused(_) | Self::Unreadable(..) | Self::Panicked(_) | Self::Busy | Self::Gone => false,
        }
    }

    /// Whether it lies with the moment, a full disk for one, and not with what was to be done.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Store(StoreError::Busy(_) | StoreError::Full | StoreError::File { .. }) | Self::Busy | Self::Gone => true,
            Self::Store(_) | Self::Missing(_) | Self::Refused(_) | Self::Unreadable(..) | Self::Panicked(_) => false,
        }
    }
}
