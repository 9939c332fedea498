//! What pages and scripts are told of a sender: what it is called, where it posts to, what it must show.

use crate::base::id::IntegrationId;
use crate::flows::ingest::Proof;
use crate::flows::{Live, ingest};
use crate::render::guide::Places;

/// What stands in the place of a key that is not shown.
pub(super) const HIDDEN_KEY: &str = "••••••••";

/// What a kind of sender is called on its own, and not at the start of a sentence.
pub(super) fn title(source: &str) -> String {
    match source {
        "generic" => "Scripts, and any JSON".to_owned(),
        "cloudevents" => "CloudEvents".to_owned(),
        "pagerduty" => "PagerDuty’s clients".to_owned(),
        "opsgenie" => "Opsgenie’s clients".to_owned(),
        "heartbeat" => "Heartbeats".to_owned(),
        other => ingest::sender(other).map_or_else(|| other.to_owned(), |(title, _)| title.to_owned()),
    }
}

/// Where this kind of sender posts to.
pub(super) fn address(source: &str, server: &str, key: &str) -> String {
    match source {
        "pagerduty" => format!("{server}/v2/enqueue with the routing key {key}"),
        "opsgenie" => format!("{server} with the API key {key}"),
        "alertmanager_api" => format!("{server} with the bearer token {key}"),
        // Its domain stands in the configuration, which the pages do not read.
        "email" => format!("{key}@DOMAIN with the domain of [mail]"),
        other => url(other, server, key),
    }
}

fn url(source: &str, server: &str, key: &str) -> String {
    match source {
        "heartbeat" => format!("{server}/heartbeats/{key}"),
        other => format!("{server}/hooks/{other}/{key}"),
    }
}

/// What is filled into its guide.
pub(super) fn places(source: &str, server: &str, key: &str) -> Places {
    Places { url: url(source, server, key), server: server.to_owned(), key: key.to_owned() }
}

/// What its messages must show beside the key, as the keys of the configuration, and never a value.
pub(super) fn proofs(live: &Live, integration: &IntegrationId) -> Vec<&'static str> {
    live.proofs.get(integration).into_iter().flatten().map(Proof::asked_by).collect()
}
