//! `doctor`, as far as Slack goes: the tokens, what they may do, the room of the announcements, the clock.

use chrono::DateTime;
use serde_json::{Value, json};

use super::{ANSWER, Finding, bad, ok, skew, warn};
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::base::time::Time;
use crate::boot::live::SlackProvider;
use crate::vendor::http;
use crate::vendor::slack::SCOPES;

const SUBJECT: &str = "slack";

/// One answer of the Web API.
struct Told {
    body: Value,
    scopes: Option<String>,
    at: Option<Time>,
}

impl Told {
    fn error(&self) -> Option<String> {
        (self.body["ok"] != json!(true)).then(|| self.body["error"].as_str().unwrap_or("no reason given").escape_debug().to_string())
    }
}

pub(super) async fn look(clock: &Clock, provider: &SlackProvider, found: &mut Vec<Finding>) {
    let api = provider.api_url.trim_end_matches('/');
    let told = match ask(api, "auth.test", &provider.bot_token, &[]).await {
        Ok(told) => told,
        Err(why) => {
            let advice = "pages go on without it; check the network, and api_url under [slack]";
            return found.push(warn(SUBJECT, format!("{api} cannot be asked: {why}"), advice));
        }
    };
    if let Some(why) = told.error() {
        let advice = "check bot_token under [slack], and install the app again";
        return found.push(bad(SUBJECT, format!("it refuses the bot token: {why}"), advice));
    }
    found.push(ok(SUBJECT, format!("signed in to {}", told.body["team"].as_str().unwrap_or("it").escape_debug())));
    if let Some(theirs) = told.at {
        found.push(skew("clock", clock.now(), theirs, "Slack's"));
    }
    found.extend(told.scopes.as_deref().map(scopes));
    if let Some(channel) = &provider.announce {
        found.push(announcements(api, &provider.bot_token, channel).await);
    }
    if let Some(token) = &provider.app_token {
        found.push(socket_mode(api, token).await);
    }
}

fn scopes(given: &str) -> Finding {
    let given: Vec<&str> = given.split(',').map(str::trim).collect();
    let missing: Vec<&str> = SCOPES.iter().copied().filter(|scope| !given.contains(scope)).collect();
    if missing.is_empty() {
        ok("slack scopes", "the bot token may do everything that is asked of it")
    } else {
        let told = format!("the bot token may not do everything: {} missing", missing.join(", "));
        warn("slack scopes", told, "put the manifest of docs/slack.md into the app, and install it again")
    }
}

async fn announcements(api: &str, token: &Secret, channel: &str) -> Finding {
    const SUBJECT: &str = "announcements";
    let shown = channel.escape_debug();
    match ask(api, "conversations.info", token, &[("channel", channel)]).await {
        Err(why) => warn(SUBJECT, format!("Slack cannot be asked about {shown}: {why}"), "check the network"),
        Ok(told) => match told.error() {
            Some(why) => {
                let advice = "correct announce under [slack]: a channel's id, from its \"About\" page; a private one has to invite the bot";
                bad(SUBJECT, format!("the bot does not see the channel {shown}: {why}"), advice)
            }
            None if told.body["channel"]["is_archived"] == json!(true) => {
                bad(SUBJECT, format!("the channel {shown} is archived"), "name another under announce in [slack]")
            }
            None => {
                let name = told.body["channel"]["name"].as_str().unwrap_or(channel).escape_debug().to_string();
                if told.body["channel"]["is_member"] == json!(true) {
                    ok(SUBJECT, format!("#{name} hears of every incident"))
                } else {
                    ok(SUBJECT, format!("#{name} hears of every incident; the bot enters it with the first"))
                }
            }
        },
    }
}

async fn socket_mode(api: &str, token: &Secret) -> Finding {
    const SUBJECT: &str = "socket mode";
    match ask(api, "apps.connections.open", token, &[]).await {
        Err(why) => warn(SUBJECT, format!("Slack cannot be asked: {why}"), "check the network"),
        Ok(told) => match told.error() {
            Some(why) => {
                let advice = "make an app-level token with the scope connections:write, and give it as app_token under [slack]";
                bad(SUBJECT, format!("it refuses the app token: {why}"), advice)
            }
            None => ok(SUBJECT, "Slack takes the app token, and sends over a connection of ours"),
        },
    }
}

async fn ask(api: &str, method: &str, token: &Secret, fields: &[(&str, &str)]) -> Result<Told, String> {
    let client = http::for_operator(api).map_err(|error| error.to_string())?;
    let request = client.post(format!("{api}/{method}")).bearer_auth(token.expose()).form(fields);
    let response = request.timeout(ANSWER.as_duration()).send().await.map_err(|error| http::cause(&error))?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let at = header("date").and_then(|date| DateTime::parse_from_rfc2822(&date).ok()).map(|date| Time::from_seconds(date.timestamp()));
    let scopes = header("x-oauth-scopes");
    let body = http::body(response).await.ok_or("the answer is too long")?;
    let body = serde_json::from_slice(&body).map_err(|_| "the answer is not JSON".to_owned())?;
    Ok(Told { body, scopes, at })
}
