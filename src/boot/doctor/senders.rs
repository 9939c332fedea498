//! The integrations: how their messages are proven, and what of them was refused lately.

use std::collections::BTreeMap;

use super::{Finding, ok, warn};
use crate::base::id::IntegrationId;
use crate::base::time::Time;
use crate::domain::setup::{Integration, Setup};
use crate::flows::refusal::{Flaw, Refused};
use crate::sources::proof::Proof;
use crate::sources::{self, Source};

const SUBJECT: &str = "senders";
/// More names than these in one line help nobody.
const NAMED: usize = 20;

/// What each integration asks its sender to show beside the key.
pub(super) type Proofs = BTreeMap<IntegrationId, Vec<Proof>>;
/// What was refused of their messages.
pub(super) type AllRefused = BTreeMap<IntegrationId, BTreeMap<Flaw, Refused>>;

pub(super) fn look(setup: &Setup, proofs: &Proofs, refused: &AllRefused, now: Time, found: &mut Vec<Finding>) {
    let mut key_alone = Vec::new();
    for integration in setup.integrations.values() {
        let Integration { id, source, .. } = integration;
        let asked = proofs.get(id).map(Vec::as_slice).unwrap_or_default();
        let signs = sources::find(source).and_then(Source::signature).is_some();
        let has_secret = asked.iter().any(|proof| matches!(proof, Proof::Secret(_)));
        let mut shown: Vec<String> = asked.iter().map(in_words).collect();
        // Whatever the configuration says: where SNS signs, it is checked.
        shown.extend((source == "cloudwatch").then(|| "the signature of SNS, where a message has SNS's envelope".to_owned()));
        if signs && !has_secret {
            found.push(warn(
                SUBJECT,
                format!("{id}: {source} signs its messages, and no secret is set to check them with"),
                format!("add secret = {{ env = \"…\" }} to the [[integration]] {id}, with the secret that its sender shows"),
            ));
        }
        match shown.as_slice() {
            [] if signs => {}
            [] => key_alone.push(format!("{id} ({source})")),
            shown => found.push(ok(SUBJECT, format!("{id} ({source}) is proven by {}", shown.join(" and ")))),
        }
    }
    if !key_alone.is_empty() {
        let more = key_alone.len().saturating_sub(NAMED);
        key_alone.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        found.push(ok(SUBJECT, format!("by their key alone, which is as secret as a password: {}{more}", key_alone.join(", "))));
    }
    for (id, flaws) in refused.iter().filter(|(id, _)| setup.integrations.contains_key(*id)) {
        for (flaw, Refused { n, last_at, .. }) in flaws {
            let messages = if *n == 1 { "1 message was refused".to_owned() } else { format!("{n} messages were refused") };
            found.push(warn(SUBJECT, format!("{id}: {messages}, {} ago: {flaw}", ago(now, *last_at, *n)), flaw.advice()));
        }
    }
}

/// Whole minutes, hours or days: the seconds help nobody.
fn ago(now: Time, at: Time, n: u64) -> String {
    let minutes = now.since(at).as_seconds().max(0) / 60;
    let span = match minutes {
        0 => "less than a minute".to_owned(),
        1..=119 => format!("{minutes} min"),
        120..=2_879 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    if n == 1 { span } else { format!("the last {span}") }
}

/// What must be shown, without a value.
fn in_words(proof: &Proof) -> String {
    match proof {
        Proof::Secret(_) => "its sender's own signature (secret)".to_owned(),
        Proof::Header { name, .. } => format!("the header {name}"),
        Proof::Basic { user, .. } => format!("the password of {user} (basic)"),
        Proof::Hmac { header, .. } => format!("an HMAC of the body in the header {header}"),
    }
}
