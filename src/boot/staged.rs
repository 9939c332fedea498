//! `reveille stage`: the outside world alone, for a server that runs beside it.

use super::BootError;
use super::interrupt::interrupted;
use super::tell::tell;
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::cli::args;
use crate::stage::{self, Stage};

/// Twilio's account on a stage: nothing on it is secret, and a script may count on it.
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const TOKEN: &str = "stage";

/// Runs until interrupted.
///
/// # Errors
/// When an address is taken.
pub async fn run(asked: &args::Stage) -> Result<(), BootError> {
    let slack = stage::slack::Options { paced: true, socket_mode: asked.socket_mode, ..stage::slack::Options::default() };
    let bot_token = slack.bot_token.clone();
    let (other, other_secret) =
        if asked.socket_mode { ("app_token     ", slack.app_token.clone()) } else { ("signing_secret", slack.signing_secret.clone()) };
    let stage = Stage::open(stage::Options {
        listen: asked.listen,
        clock: Clock::system(),
        account_sid: ACCOUNT.to_owned(),
        auth_token: Secret::new(TOKEN),
        people: Vec::new(),
        reveille_url: Some(asked.reveille.clone()),
        slack,
        sms_url: asked.sms_url.clone(),
        smtp: Some(asked.smtp),
    })
    .await?;
    tell!(
        "The stage is set.\n\n  page  {url}\n\nA server reaches it with\n\n  [twilio]\n  account_sid = \"{ACCOUNT}\"\n  auth_token  = \"{TOKEN}\"\n  \
         from        = \"+15005550006\"\n  api_url     = \"{url}\"\n\n  [slack]\n  bot_token      = \"{bot_token}\"\n  \
         {other} = \"{other_secret}\"\n  announce       = \"{announce}\"\n  api_url        = \"{slack_url}\"\n\n  \
         [smtp]\n  url  = \"{smtp_url}\"\n  from = \"reveille@example.com\"\n\n\
         Slash commands, buttons, mentions and answers to texts go to {reveille}. Stop with Ctrl-C.",
        url = stage.url(),
        bot_token = bot_token.expose(),
        other_secret = other_secret.expose(),
        announce = stage::slack::INCIDENTS,
        slack_url = stage.slack().api_url(),
        smtp_url = stage.smtp_url().unwrap_or_default(),
        reveille = asked.reveille,
    );
    interrupted().await;
    stage.shut().await;
    Ok(())
}
