//! Whether SNS sent what says so, and whether a topic may send here.
//!
//! | the signature | |
//! |---|---|
//! | is right | the message is taken |
//! | is wrong, is missing, or was made with what SNS does not have | 401, and nothing is done |
//! | cannot be checked: its certificate cannot be fetched just now | the message is taken and says so; the key in the address is still secret |
//! | there is no envelope (raw delivery) | the message is taken: the key in the address is all there is |
//!
//! A subscription is confirmed by one request to SNS, only of a topic in the integration's `topics`, only when the signature is right,
//! and once for each token, over all processes.

use super::house::House;
use super::ingest::{Door, IngestError};
use super::once::{self, Met, RepeatAnswer};
use super::refusal::{self, Flaw};
use crate::base::id::IntegrationId;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::domain::input::Signal;
use crate::errands::sns::{NoCertificate, Sns};
use crate::sources::sns::{self, Consent, Envelope, Subscription};

/// What was found out about a message.
#[derive(Debug)]
pub enum Checked {
    /// SNS does not sign it: another source, or a raw delivery.
    Unsigned,
    Right(Envelope),
    /// Its certificate could not be had in time.
    NotNow(Envelope),
}

/// Checks a message for the door that it came through.
///
/// # Errors
/// [`IngestError::Unproven`]: nothing may be done for it.
pub async fn check(house: &House, door: &Door, inbound: &Inbound) -> Result<Checked, IngestError> {
    if door.source.name() != "cloudwatch" {
        return Ok(Checked::Unsigned);
    }
    let Some(envelope) = Envelope::open(&inbound.body) else { return Ok(Checked::Unsigned) };
    let id = &door.integration.id;
    let forged = |why: &'static str| refusal::refuse(house, door, Flaw::of_sns(why));
    let url = envelope.certificate_url().map_err(forged)?.to_owned();
    let sns = house.now_live().sns.clone();
    let certificate = match sns.known(&url) {
        Some(certificate) => Ok(certificate),
        None => fetched(sns, url).await,
    };
    match certificate {
        Ok(certificate) => envelope.verify(&certificate).map(|()| Checked::Right(envelope)).map_err(forged),
        Err(NoCertificate::None) => Err(forged("SNS has no such certificate")),
        Err(NoCertificate::NotNow(why)) => {
            tracing::warn!(integration = %id, why, "the certificate of a message from SNS cannot be fetched: it is taken unchecked");
            Ok(Checked::NotNow(envelope))
        }
    }
}

/// In a task of its own: a sender hears its answer within a second, and the next message finds the certificate all the same.
async fn fetched(sns: Sns, url: String) -> Result<bytes::Bytes, NoCertificate> {
    let fetch = tokio::spawn(async move { sns.certificate(&url).await });
    match tokio::time::timeout(limits::SNS_CERTIFICATE_WAIT.as_duration(), fetch).await {
        Ok(Ok(certificate)) => certificate,
        Ok(Err(error)) => Err(NoCertificate::NotNow(error.to_string())),
        Err(_) => Err(NoCertificate::NotNow("SNS did not answer in time".to_owned())),
    }
}

impl Checked {
    /// Says with the signals what is not in the message itself.
    pub(super) fn tell(&self, door: &Door, signals: &mut [Signal]) {
        if matches!(self, Self::NotNow(_)) {
            sns::mark_unchecked(signals);
        }
        if let Some((asked, consent)) = self.consent(door) {
            sns::tell_consent(signals, &asked.topic, consent);
        }
    }

    /// What is done for the message once it is durable.
    pub(super) fn follow(&self, house: &House, door: &Door) {
        let Some((asked, consent)) = self.consent(door) else { return };
        let integration = door.integration.id.clone();
        match consent {
            Consent::Given => drop(tokio::spawn(confirm(house.clone(), integration, asked))),
            Consent::Unlisted => {
                tracing::warn!(%integration, topic = asked.topic.escape_debug().to_string(),
                    "SNS asks to confirm a subscription whose topic is not in `topics` of its integration: it was not confirmed");
            }
            Consent::Unchecked => {
                tracing::warn!(%integration, "a subscription was not confirmed, because its signature could not be checked");
            }
        }
    }

    /// What nobody could check may be anybody's, whose topic is not to be recommended either.
    fn consent(&self, door: &Door) -> Option<(Subscription, Consent)> {
        let (envelope, is_checked) = match self {
            Self::Unsigned => return None,
            Self::Right(envelope) => (envelope, true),
            Self::NotNow(envelope) => (envelope, false),
        };
        let asked = envelope.subscription()?;
        let consent = match (is_checked, door.integration.topics.contains(&asked.topic)) {
            (false, _) => Consent::Unchecked,
            (true, false) => Consent::Unlisted,
            (true, true) => Consent::Given,
        };
        Some((asked, consent))
    }
}

/// The token is claimed for good before the request leaves: whatever comes of that, it is not sent again.
async fn confirm(house: House, integration: IntegrationId, asked: Subscription) {
    let topic = asked.topic.escape_debug().to_string();
    let claimed = match once::claim(&house, &format!("integration:{integration}"), "sns-subscription", &asked.token, b"").await {
        Ok(Met::Ours(once)) => {
            once::settle(&house, &once, Some(&RepeatAnswer { status: 200, headers: Vec::new(), body: String::new() })).await
        }
        Ok(Met::UnderWay | Met::OtherBody | Met::Answered(_)) => return,
        Err(error) => Err(error),
    };
    if let Err(error) = claimed {
        tracing::error!(%integration, topic, %error, "a subscription was not confirmed: let SNS request the confirmation again");
        return;
    }
    let sns = house.now_live().sns.clone();
    match sns.confirm(&asked.url).await {
        Ok(()) => tracing::info!(%integration, topic, "a subscription of SNS is confirmed"),
        Err(why) => {
            tracing::error!(%integration, topic, why, "a subscription could not be confirmed: let SNS request the confirmation again");
        }
    }
}
