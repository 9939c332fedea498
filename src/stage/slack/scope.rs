//! What the app's token may do: each method wants a scope, and one that the app was not given refuses it.
//! From <https://docs.slack.dev/reference/scopes>.

use std::collections::BTreeSet;

use serde_json::json;

use super::api::Refusal;

/// Everything that the methods of this workspace ask for.
pub const ALL: &[&str] = &[
    "app_mentions:read",
    "bookmarks:read",
    "bookmarks:write",
    "channels:history",
    "channels:join",
    "channels:manage",
    "channels:read",
    "chat:write",
    "commands",
    "im:history",
    "im:write",
    "pins:read",
    "pins:write",
    "reactions:write",
    "users:read",
    "users:read.email",
];

/// The scope of a method; `None`: any token will do.
fn of(method: &str) -> Option<&'static str> {
    match method {
        "chat.postMessage" | "chat.postEphemeral" | "chat.update" | "chat.delete" => Some("chat:write"),
        "conversations.create"
        | "conversations.invite"
        | "conversations.kick"
        | "conversations.leave"
        | "conversations.setTopic"
        | "conversations.setPurpose"
        | "conversations.archive"
        | "conversations.rename" => Some("channels:manage"),
        "conversations.join" => Some("channels:join"),
        "conversations.info" | "conversations.members" | "conversations.list" => Some("channels:read"),
        "conversations.open" => Some("im:write"),
        "conversations.history" | "conversations.replies" => Some("channels:history"),
        "users.info" | "users.list" => Some("users:read"),
        "users.lookupByEmail" => Some("users:read.email"),
        "pins.add" | "pins.remove" => Some("pins:write"),
        "pins.list" => Some("pins:read"),
        "bookmarks.add" | "bookmarks.edit" | "bookmarks.remove" => Some("bookmarks:write"),
        "bookmarks.list" => Some("bookmarks:read"),
        "reactions.add" | "reactions.remove" => Some("reactions:write"),
        _ => None,
    }
}

/// Whether a token with these scopes may call it.
pub(super) fn check(method: &str, given: &BTreeSet<String>) -> Result<(), Refusal> {
    match of(method).filter(|needed| !given.contains(*needed)) {
        None => Ok(()),
        Some(needed) => {
            let mut refusal = Refusal::with("missing_scope", "needed", json!(needed));
            refusal.beside("provided", json!(given.iter().map(String::as_str).collect::<Vec<_>>().join(",")));
            Err(refusal)
        }
    }
}
