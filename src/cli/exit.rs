//! How a command ended, as scripts see it.

use std::process::ExitCode;

/// The exit codes. They are part of the interface and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    Usage,
    Unreachable,
    NotAllowed,
    NotFound,
}

impl Exit {
    pub const ALL: [Self; 6] = [Self::Done, Self::Failed, Self::Usage, Self::Unreachable, Self::NotAllowed, Self::NotFound];

    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::NotAllowed => 4,
            Self::NotFound => 5,
        }
    }

    /// As the help says it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; for check: no errors, perhaps warnings",
            Self::Failed => "the thing itself failed; for check: errors were found",
            Self::Usage => "it was asked in a way that is not understood",
            Self::Unreachable => "the server cannot be reached",
            Self::NotAllowed => "not allowed: no token, an unknown one, or one of too small a scope",
            Self::NotFound => "there is no such thing",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
