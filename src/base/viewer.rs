//! Who looks. Every read takes a viewer, so that a private incident costs no rewrite.

use super::id::{IntegrationId, UserId};

/// What a person may do, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Observer,
    Responder,
    Manager,
    Admin,
}

impl Role {
    /// As it stands in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Responder => "responder",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }
}

/// What a token may do, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Read,
    Respond,
    Admin,
}

/// Who looks or asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody known.
    Public,
    /// A signed-in person.
    User { id: UserId, role: Role },
    /// A script; `acts_as` where the token was made for a person.
    Token { name: String, scope: Scope, acts_as: Option<UserId> },
    /// A sender, which sees its own alerts.
    Integration(IntegrationId),
}

impl Viewer {
    /// Whether this viewer may read incidents at all.
    #[must_use]
    pub const fn may_read(&self) -> bool {
        match self {
            Self::User { .. } | Self::Token { .. } => true,
            Self::Public | Self::Integration(_) => false,
        }
    }

    /// Whether this viewer may acknowledge, resolve and the like.
    #[must_use]
    pub fn may_respond(&self) -> bool {
        match self {
            Self::User { role, .. } => *role >= Role::Responder,
            Self::Token { scope, .. } => *scope >= Scope::Respond,
            Self::Public | Self::Integration(_) => false,
        }
    }

    /// Whether this viewer may change other people's turns on call.
    #[must_use]
    pub fn may_manage(&self) -> bool {
        match self {
            Self::User { role, .. } => *role >= Role::Manager,
            Self::Token { scope, .. } => *scope >= Scope::Admin,
            Self::Public | Self::Integration(_) => false,
        }
    }

    /// Whether this viewer may invite people and see the integrations and their addresses.
    #[must_use]
    pub fn may_administer(&self) -> bool {
        match self {
            Self::User { role, .. } => *role >= Role::Admin,
            Self::Token { scope, .. } => *scope >= Scope::Admin,
            Self::Public | Self::Integration(_) => false,
        }
    }
}
