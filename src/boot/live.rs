//! From the configuration that was read to what the database keeps, and from there to what is in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::BootError;
use super::config::Config;
use crate::base::bell::Bells;
use crate::base::clock::Clock;
use crate::base::id::IntegrationId;
use crate::base::limits;
use crate::base::mask::{Mask, MaskSettings};
use crate::base::secret::{Sealer, Secret};
use crate::channels::email::Email;
use crate::channels::slack_dm::SlackDm;
use crate::channels::sms::Sms;
use crate::channels::voice::Voice;
use crate::channels::{self, Channel, Channels};
use crate::chat::Chat;
use crate::domain::setup::Setup;
use crate::errands::heartbeat::Heartbeat;
use crate::errands::sns::Sns;
use crate::errands::webhook::Webhook;
use crate::flows::Live;
use crate::flows::apply::{self, Wanted};
use crate::flows::retain::Retention;
use crate::sources::proof::Proof;
use crate::store::{self, Store};
use crate::vendor::http::{self, PrivateTargets};
use crate::vendor::slack::Slack;
use crate::vendor::smtp::Smtp;
use crate::vendor::twilio::Twilio;

const ACCOUNT_SID: &str = "twilio/account_sid";
const AUTH_TOKEN: &str = "twilio/auth_token";
const BOT_TOKEN: &str = "slack/bot_token";
const APP_TOKEN: &str = "slack/app_token";
const SIGNING_SECRET: &str = "slack/signing_secret";
const SMTP_URL: &str = "smtp/url";
const WEBHOOK_SECRET: &str = "server/webhook_secret";
const METRICS_TOKEN: &str = "server/metrics_token";
const HEARTBEAT_URL: &str = "server/heartbeat_url";

/// How often a change made by another process is looked for; it must be in force within two seconds.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The settings as they rest in the database, without their secrets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    public_url: Option<String>,
    twilio: Option<TwilioSettings>,
    slack: Option<SlackSettings>,
    /// The address that mail comes from, where there is a mail server.
    mail_from: Option<String>,
    private_targets: PrivateTargets,
    retention: Retention,
    #[serde(default)]
    masks: MaskSettings,
    /// The ids of the outgoing webhooks; their addresses and secrets rest sealed.
    webhooks: Vec<String>,
}

/// What this process's own environment says where no file was applied: it wins over what the database holds.
#[derive(Debug, Clone, Default)]
pub struct Own {
    pub public_url: Option<String>,
    pub metrics_token: Option<Secret>,
    pub heartbeat_url: Option<Secret>,
    /// `PrivateTargets::None` is what nobody said.
    pub private_targets: PrivateTargets,
    /// Asked in the place of SNS's own hosts, for tests.
    pub sns_url: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TwilioSettings {
    from: String,
    api_url: String,
    calls_per_second: u32,
    #[serde(default)]
    sms_from: Option<String>,
    #[serde(default = "one")]
    texts_per_second: u32,
    concurrent_calls: Option<u32>,
}

/// Of the version before, which sent no texts.
const fn one() -> u32 {
    1
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SlackSettings {
    announce: Option<String>,
    command: String,
    api_url: String,
}

/// What `apply` makes so.
///
/// # Errors
/// Never in practice: settings of plain texts and numbers serialise.
pub fn wanted(config: &Config) -> Result<Wanted, BootError> {
    let twilio = config.settings.twilio.as_ref();
    let settings = Settings {
        public_url: config.settings.server.public_url.clone(),
        twilio: twilio.map(|twilio| TwilioSettings {
            from: twilio.from.clone(),
            api_url: twilio.api_url.clone(),
            calls_per_second: twilio.calls_per_second,
            sms_from: twilio.sms_from.clone(),
            texts_per_second: twilio.texts_per_second,
            concurrent_calls: twilio.concurrent_calls,
        }),
        slack: config.settings.slack.as_ref().map(|slack| SlackSettings {
            announce: slack.announce.clone(),
            command: slack.command.clone(),
            api_url: slack.api_url.clone(),
        }),
        mail_from: config.settings.smtp.as_ref().map(|smtp| smtp.from.clone()),
        private_targets: config.settings.server.private_targets.clone(),
        retention: config.settings.retention.clone(),
        masks: config.settings.masks.clone(),
        webhooks: config.settings.webhooks.iter().map(|webhook| webhook.id.clone()).collect(),
    };
    let mut secrets = BTreeMap::new();
    if let Some(twilio) = twilio {
        secrets.insert(ACCOUNT_SID.to_owned(), vec![twilio.account_sid.clone()]);
        secrets.insert(AUTH_TOKEN.to_owned(), twilio.auth_tokens.clone());
    }
    if let Some(slack) = &config.settings.slack {
        secrets.insert(BOT_TOKEN.to_owned(), vec![slack.bot_token.clone()]);
        secrets.insert(SIGNING_SECRET.to_owned(), slack.signing_secrets.clone());
        secrets.extend(slack.app_token.clone().map(|token| (APP_TOKEN.to_owned(), vec![token])));
    }
    secrets.extend(config.settings.smtp.as_ref().map(|smtp| (SMTP_URL.to_owned(), vec![smtp.url.clone()])));
    let webhook_secrets = &config.settings.server.webhook_secrets;
    secrets.extend((!webhook_secrets.is_empty()).then(|| (WEBHOOK_SECRET.to_owned(), webhook_secrets.clone())));
    let mut keys: Vec<(IntegrationId, Secret)> = Vec::new();
    let server = &config.settings.server;
    for (name, value) in [(METRICS_TOKEN, &server.metrics_token), (HEARTBEAT_URL, &server.heartbeat_url)] {
        secrets.extend(value.clone().map(|value| (name.to_owned(), vec![value])));
    }
    for webhook in &config.settings.webhooks {
        secrets.insert(format!("webhook/{}/url", webhook.id), vec![webhook.url.clone()]);
        secrets.insert(format!("webhook/{}/secret", webhook.id), webhook.secrets.clone());
    }
    for (id, values) in &config.keys {
        secrets.insert(format!("integration/{id}/key"), values.clone());
        keys.extend(values.iter().map(|key| (id.clone(), key.clone())));
    }
    for (id, proofs) in &config.proofs {
        secrets.extend(proofs.iter().map(|proof| (format!("integration/{id}/{}", proof.name()), proof.values().to_vec())));
    }
    let settings = serde_json::to_string(&settings).map_err(|error| BootError::Settings(error.to_string()))?;
    Ok(Wanted { setup: config.setup.clone(), settings, secrets, keys })
}

/// Reads what is in force.
///
/// # Errors
/// The database's, and a secret key that is not the one the secrets were sealed with.
pub async fn load(store: &Store, sealer: &Sealer, clock: &Clock, own: &Own) -> Result<Live, BootError> {
    let mut saved = store::setup_load(&store.reader()).await?;
    store::ways_put(&mut saved.setup, store::ways_list(&store.reader()).await?);
    for closed in store::contacts_closed(&store.reader()).await? {
        saved.setup.close(&closed.user, &closed.contact, &closed.address, &closed.reason);
    }
    let settings: Settings = match saved.settings_json.as_str() {
        "" => Settings::default(),
        text => serde_json::from_str(text).map_err(|error| BootError::Settings(error.to_string()))?,
    };
    let secrets = apply::open_secrets(sealer, &saved.secrets)?;
    let public_url = own.public_url.clone().or(settings.public_url);
    let one = |name: &str| secrets.get(name).and_then(|values| values.first()).cloned();
    let mut channels: Vec<Box<dyn Channel>> = Vec::new();
    let account = secrets.get(ACCOUNT_SID).and_then(|values| values.first());
    if let (Some(twilio), Some(account), Some(tokens)) = (&settings.twilio, account, secrets.get(AUTH_TOKEN)) {
        let client = Twilio::new(account.expose().to_owned(), tokens.clone(), &twilio.api_url, clock.clone())?;
        let texts_from = twilio.sms_from.clone().unwrap_or_else(|| twilio.from.clone());
        channels.push(Box::new(Sms::new(client.clone(), texts_from, public_url.as_deref())));
        channels.push(Box::new(Voice::new(client, twilio.from.clone(), public_url.as_deref())));
    }
    let chat = match (&settings.slack, one(BOT_TOKEN)) {
        (Some(slack), Some(token)) => {
            let signing = secrets.get(SIGNING_SECRET).cloned().unwrap_or_default();
            let client = Arc::new(Slack::new(&token, one(APP_TOKEN).as_ref(), signing, &slack.api_url, clock.clone())?);
            channels.push(Box::new(SlackDm::new(Arc::clone(&client))));
            Some(Chat::new(client, slack.announce.clone(), slack.command.clone()))
        }
        (None, _) | (_, None) => None,
    };
    let mut keys = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for id in saved.setup.integrations.keys() {
        for key in secrets.get(&format!("integration/{id}/key")).into_iter().flatten() {
            keys.insert(key.digest(), id.clone());
            addresses.entry(id.clone()).or_insert_with(|| key.clone());
        }
    }
    let proofs = proofs(&saved.setup, &secrets);
    let private_targets = match &own.private_targets {
        PrivateTargets::None => &settings.private_targets,
        said => said,
    };
    let strangers = http::for_strangers(private_targets)?;
    channels.push(Box::new(channels::webhook::Webhook::new(
        strangers.clone(),
        secrets.get(WEBHOOK_SECRET).cloned().unwrap_or_default(),
        clock.clone(),
    )));
    if let (Some(from), Some(url)) = (&settings.mail_from, one(SMTP_URL)) {
        let smtp = Smtp::new(&url, from, clock.clone()).map_err(|error| BootError::Settings(error.to_string()))?;
        channels.push(Box::new(Email::new(smtp, public_url.is_some())));
    }
    let webhooks = settings.webhooks.iter().filter_map(|id| {
        let url = one(&format!("webhook/{id}/url"))?;
        Some((id.clone(), Webhook::new(strangers.clone(), url, secrets.get(&format!("webhook/{id}/secret"))?.clone())))
    });
    let webhooks = webhooks.collect();
    let mut setup = saved.setup;
    let after = clock.now() - limits::OVERRIDES_TOLD;
    for (schedule, mut overrides) in store::overrides_load(&store.reader(), after).await? {
        // Who has left takes nothing: the rotation counts, rather than nobody.
        overrides.retain(|one| setup.users.contains_key(&one.user));
        if let Some(schedule) = setup.schedules.get_mut(&schedule) {
            schedule.overrides = overrides;
        }
    }
    Ok(Live {
        sns: Sns::new(strangers, own.sns_url.clone()),
        webhooks,
        version: saved.version,
        setup,
        keys,
        addresses,
        proofs,
        channels: Channels::new(channels),
        chat,
        public_url,
        calls_per_second: settings.twilio.as_ref().map_or(1, |twilio| twilio.calls_per_second),
        texts_per_second: settings.twilio.as_ref().map_or(1, |twilio| twilio.texts_per_second),
        concurrent_calls: settings.twilio.and_then(|twilio| twilio.concurrent_calls),
        metrics_token: own.metrics_token.clone().or_else(|| one(METRICS_TOKEN)),
        heartbeat: own.heartbeat_url.clone().or_else(|| one(HEARTBEAT_URL)).map(Heartbeat::new).transpose()?,
        retention: settings.retention,
        masks: Mask::new(&settings.masks).map_err(|error| BootError::Settings(error.to_string()))?,
    })
}

/// What each integration asks for beside its key.
fn proofs(setup: &Setup, secrets: &BTreeMap<String, Vec<Secret>>) -> Proofs {
    let mut proofs = Proofs::new();
    for (name, values) in secrets {
        let parts: Vec<&str> = name.splitn(3, '/').collect();
        if let ["integration", id, about] = parts[..]
            && let Some((id, _)) = setup.integrations.get_key_value(&IntegrationId::from(id))
            && let Some(proof) = Proof::of(about, values.clone())
        {
            proofs.entry(id.clone()).or_default().push(proof);
        }
    }
    proofs
}

/// How the providers of a saved setup are spoken to.
#[derive(Default)]
pub(super) struct Providers {
    pub public_url: Option<String>,
    /// The address, the account and its first token.
    pub twilio: Option<(String, Secret, Secret)>,
    pub slack: Option<SlackProvider>,
    /// The mail server's address, with its password.
    pub smtp: Option<Secret>,
}

/// How Slack is spoken to.
pub(super) struct SlackProvider {
    pub api_url: String,
    pub bot_token: Secret,
    pub app_token: Option<Secret>,
    /// The room that hears of every incident.
    pub announce: Option<String>,
}

/// What each integration asks its sender to show.
type Proofs = BTreeMap<IntegrationId, Vec<Proof>>;

/// Reads the providers out of a saved setup, and what its senders show.
pub(super) fn providers(sealer: &Sealer, saved: &store::SavedSetup) -> Result<(Providers, Proofs), BootError> {
    let settings: Settings = match saved.settings_json.as_str() {
        "" => Settings::default(),
        text => serde_json::from_str(text).map_err(|error| BootError::Settings(error.to_string()))?,
    };
    let secrets = apply::open_secrets(sealer, &saved.secrets)?;
    let first = |name: &str| secrets.get(name).and_then(|values| values.first()).cloned();
    let twilio = settings.twilio.and_then(|twilio| Some((twilio.api_url, first(ACCOUNT_SID)?, first(AUTH_TOKEN)?)));
    let slack = settings.slack.and_then(|slack| {
        let (bot_token, app_token) = (first(BOT_TOKEN)?, first(APP_TOKEN));
        Some(SlackProvider { api_url: slack.api_url, bot_token, app_token, announce: slack.announce })
    });
    let proofs = proofs(&saved.setup, &secrets);
    Ok((Providers { public_url: settings.public_url, twilio, slack, smtp: first(SMTP_URL) }, proofs))
}

/// Puts what other processes apply into force. An error leaves what is in force as it is, and says so.
pub async fn watch(store: Store, sealer: Sealer, clock: Clock, bells: Bells, own: Own, live: watch::Sender<Arc<Live>>) {
    loop {
        tokio::select! {
            () = bells.setup.heard() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match store::setup_version(&store.reader()).await {
            Ok(version) if version == live.borrow().version => {}
            Ok(version) => match load(&store, &sealer, &clock, &own).await {
                Ok(new) => {
                    tracing::info!(version, "a changed configuration is in force");
                    live.send_replace(Arc::new(new));
                }
                Err(error) => tracing::error!(%error, "a changed configuration cannot be read; the one before stays in force"),
            },
            Err(error) => tracing::warn!(%error, "whether the configuration changed cannot be read"),
        }
    }
}
