//! Doors for a terminal. `args` says what can be typed; `remote` does what is asked of a running server.

pub mod args;
mod board;
mod client;
mod duty;
mod exit;
mod help;
mod incident;
mod maintenance;
mod mark;
mod noise;
mod orders;
pub mod remote;
mod route;
mod send;
mod sender;
mod silence;
mod terminal;
mod timeline;
mod watch;
mod when;
mod why;

#[cfg(test)]
mod tests;

use std::io;

use serde_json::Value;

pub use self::exit::Exit;
pub use self::terminal::clean;
use crate::vendor::http::HttpError;

/// Why a command that talks to a server did not do what was asked. Each prints as a sentence for a person.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Address(#[from] HttpError),
    #[error("the server at {url} cannot be reached: {why}")]
    Unreachable { url: String, why: String },
    /// The server answered, and the answer is no.
    #[error("{detail}")]
    Refused {
        status: u16,
        detail: String,
        /// Whether the question carried a token.
        with_token: bool,
        /// The server's own document, for `--json`.
        document: Option<Value>,
    },
    #[error("{url} answered, but not as Reveille does: {what}")]
    Strange { url: String, what: String },
    /// It was done, and what came of it is not what was asked for.
    #[error("{0}")]
    Failed(String),
    #[error("cannot read the standard input: {0}")]
    Input(io::Error),
    #[error("cannot write the output: {0}")]
    Output(io::Error),
}

impl CliError {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Address(HttpError::BadUrl(_)) => Exit::Usage,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Refused { status: 401 | 403, .. } => Exit::NotAllowed,
            Self::Refused { status: 404, .. } => Exit::NotFound,
            // Whoever read our output has seen enough and left, as `head` does.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Address(HttpError::NotBuilt(_))
            | Self::Refused { .. }
            | Self::Strange { .. }
            | Self::Failed(_)
            | Self::Input(_)
            | Self::Output(_) => Exit::Failed,
        }
    }

    /// What to do about it.
    fn advice(&self) -> Option<String> {
        match self {
            Self::Unreachable { why, .. } if why.contains("certificate") => Some(
                "Its certificate is not trusted here. SSL_CERT_FILE names a file with the authority's certificate, or with the server's own \
                 if it signed itself (as CA:FALSE)"
                    .to_owned(),
            ),
            Self::Unreachable { url, .. } => Some(format!("Is `reveille serve` running? REVEILLE_URL (--url, or the webhook's address) says {url}")),
            Self::Address(HttpError::BadUrl(_)) => Some("Write --url (or REVEILLE_URL) as http://127.0.0.1:8080".to_owned()),
            Self::Refused { status: 401, with_token: false, .. } => Some(
                "Put a token into REVEILLE_TOKEN. On the server's machine, `reveille token create NAME --scope respond` makes one"
                    .to_owned(),
            ),
            Self::Refused { status: 401, with_token: true, .. } => Some(
                "The server does not take the token in REVEILLE_TOKEN (or --token). `reveille token create NAME` makes a new one"
                    .to_owned(),
            ),
            Self::Refused { status: 403, .. } => {
                Some("This takes a token of a wider scope: `reveille token create NAME --scope respond`".to_owned())
            }
            Self::Refused { status: 503, .. } => Some("Try again in a moment".to_owned()),
            Self::Strange { .. } => Some("Check REVEILLE_URL (or --url): it names the server's own address".to_owned()),
            Self::Usage(_)
            | Self::Address(HttpError::NotBuilt(_))
            | Self::Refused { .. }
            | Self::Failed(_)
            | Self::Input(_)
            | Self::Output(_) => None,
        }
    }
}
