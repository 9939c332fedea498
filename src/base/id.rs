//! Typed ids: what Reveille makes itself is a prefixed ULID that grows with time; what an operator
//! configures keeps the short name it was given in the file.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::time::Time;

/// Where new ids come from: the moment and 80 random bits, both given, so that a decision made twice names the same things.
#[derive(Debug, Clone)]
pub struct IdSource {
    at: Time,
    seed: u128,
    taken: u128,
}

impl IdSource {
    #[must_use]
    pub const fn new(at: Time, seed: u128) -> Self {
        Self { at, seed, taken: 0 }
    }

    /// An id source with fresh randomness, for the flows that start a decision.
    ///
    /// # Panics
    /// When the operating system gives no randomness; nothing safe can be done then.
    #[must_use]
    pub fn fresh(at: Time) -> Self {
        let mut bytes = [0_u8; 16];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).expect("the operating system gives random bytes");
        // One bit less than there is room for: counting on from here never runs over and begins again from below.
        Self::new(at, u128::from_le_bytes(bytes) >> 49)
    }

    /// Goes on from a later moment. Ids of one source grow in the order in which they are made, also within a millisecond and when the
    /// clock is set back.
    pub fn move_to(&mut self, at: Time) {
        self.at = self.at.max(at);
    }

    /// A UUID of version 7 (RFC 9562), for what other systems know by one. It grows with time as the others do.
    pub fn uuid(&mut self) -> String {
        let random = self.seed.wrapping_add(self.taken);
        self.taken += 1;
        let millis = u64::try_from(self.at.millis()).unwrap_or(0) & ((1 << 48) - 1);
        let (high, low) = ((random >> 62) & 0xfff, random & ((1 << 62) - 1));
        let bits = u128::from(millis) << 80 | 7 << 76 | high << 64 | 2 << 62 | low;
        let hex = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    fn next(&mut self) -> String {
        let random = self.seed.wrapping_add(self.taken);
        self.taken += 1;
        let millis = u64::try_from(self.at.millis()).unwrap_or(0);
        ulid::Ulid::from_parts(millis, random & ((1 << 80) - 1)).to_string().to_ascii_lowercase()
    }
}

macro_rules! made_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &str = $prefix;

            #[must_use]
            pub fn make(ids: &mut IdSource) -> Self {
                Self(format!("{}{}", $prefix, ids.next()))
            }

            /// An id as it stands in the database or in a URL; whether it exists, the store tells.
            #[must_use]
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

macro_rules! given_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            #[must_use]
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )*};
}

made_ids! {
    /// One stretch of firing of one (integration, dedup key).
    AlertId = "alr_";
    IncidentId = "inc_";
    /// Waking one person for one incident.
    PageId = "pag_";
    /// One try to reach a person: one call, one message.
    AttemptId = "att_";
    /// One row of the outbox.
    EffectId = "eff_";
    /// One accepted batch of the intake.
    JournalId = "jrn_";
    /// One task of an incident's board.
    TaskId = "tsk_";
    /// Somebody takes a schedule for a while.
    OverrideId = "ovr_";
    /// Something that was changed on purpose.
    ChangeId = "chg_";
    TokenId = "tok_";
    SessionId = "ses_";
}

given_ids! {
    UserId;
    ContactId;
    ScheduleId;
    PolicyId;
    ServiceId;
    IntegrationId;
    RouteId;
    /// A maintenance window.
    MaintenanceId;
    /// A rule by which alerts keep others from paging.
    InhibitionId;
    /// A UUID, as Alertmanager's clients expect it.
    SilenceId;
}

/// An incident's number, as people say it: #42.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(pub i64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_with_time_and_are_the_same_for_the_same_seed() {
        let mut first = IdSource::new(Time::from_seconds(1), 7);
        let mut again = IdSource::new(Time::from_seconds(1), 7);
        let mut later = IdSource::new(Time::from_seconds(2), 1);
        let a = AlertId::make(&mut first);
        assert_eq!(a, AlertId::make(&mut again));
        assert_ne!(a, AlertId::make(&mut again));
        assert!(a < AlertId::make(&mut later));
        assert!(a.as_str().starts_with("alr_") && a.as_str().len() == 30);
    }

    #[test]
    fn ids_of_one_source_grow_in_the_order_they_are_made() {
        for _ in 0..100 {
            let mut source = IdSource::fresh(Time::from_seconds(2));
            let mut last = JournalId::make(&mut source);
            for at in [2, 2, 2, 1, 3, 2] {
                source.move_to(Time::from_seconds(at));
                let next = JournalId::make(&mut source);
                assert!(last < next, "{last} {next}");
                last = next;
            }
        }
    }
}
