//! The settings: what the process itself needs, as against the objects people configure.

use std::net::SocketAddr;

mod masks;

use super::reader::{Field, Reader, Refusal, Spot, Table, instead, shown, variable_name};
use crate::base::mask::MaskSettings;
use crate::base::secret::{Sealer, Secret};
use crate::boot::tls::{self, TlsFiles};
use crate::flows::retain::Retention;
use crate::vendor::http::PrivateTargets;

const SERVER: &[&str] =
    &["public_url", "listen", "database", "secret_key", "tls", "metrics_token", "heartbeat_url", "webhook_secret", "allow_private_targets"];
const TLS: &[&str] = &["cert", "key"];
const RETENTION: &[&str] = &["samples", "samples_most", "alerts", "alerts_most", "incidents"];
const TWILIO: &[&str] =
    &["account_sid", "auth_token", "from", "sms_from", "api_url", "calls_per_second", "concurrent_calls", "texts_per_second"];
const SLACK: &[&str] = &["bot_token", "signing_secret", "app_token", "announce", "command", "api_url"];
const SMTP: &[&str] = &["url", "from"];
const MAIL: &[&str] = &["listen", "domain"];
const SECTIONS: [(&str, &[&str]); 8] = [
    ("server", SERVER),
    ("server__tls", TLS),
    ("retention", RETENTION),
    ("masks", masks::MASKS),
    ("twilio", TWILIO),
    ("slack", SLACK),
    ("smtp", SMTP),
    ("mail", MAIL),
];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub server: Server,
    pub twilio: Option<Twilio>,
    pub slack: Option<Slack>,
    pub smtp: Option<Smtp>,
    pub retention: Retention,
    pub masks: MaskSettings,
    /// Places outside that are told of incidents.
    pub webhooks: Vec<Webhook>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: String,
    /// A secret, because such addresses often carry a key.
    pub url: Secret,
    /// Two while one is rotated.
    pub secrets: Vec<Secret>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where providers and people reach this instance, without a slash at the end.
    pub public_url: Option<String>,
    pub listen: String,
    /// A secret, because a database's URL may carry its password.
    pub database: Secret,
    /// In place of `var/secret.key`, for replicas, which share it.
    pub secret_key: Option<Secret>,
    /// `None`: plain HTTP, for the own machine or behind a proxy.
    pub tls: Option<TlsFiles>,
    /// `None`: the metrics are open to everybody.
    /// What people's own webhooks are signed with; two while it is rotated.
    pub webhook_secrets: Vec<Secret>,
    pub metrics_token: Option<Secret>,
    /// Asked for every minute while pages can leave. A secret, because such addresses carry their key.
    pub heartbeat_url: Option<Secret>,
    pub private_targets: PrivateTargets,
    /// `None`: no mail is taken.
    pub mail: Option<Mail>,
}

/// Where mail is taken, and for which domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub listen: SocketAddr,
    pub domain: String,
}

impl Server {
    pub const LISTEN: &str = "127.0.0.1:8080";
    pub const DATABASE: &str = "sqlite://var/reveille.db?mode=rwc";
}

impl Default for Server {
    fn default() -> Self {
        Self {
            public_url: None,
            listen: Self::LISTEN.to_owned(),
            database: Secret::new(Self::DATABASE),
            secret_key: None,
            tls: None,
            webhook_secrets: Vec::new(),
            metrics_token: None,
            heartbeat_url: None,
            private_targets: PrivateTargets::None,
            mail: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twilio {
    pub account_sid: Secret,
    /// Two while one is rotated; the first signs what is sent, either may have signed what comes.
    pub auth_tokens: Vec<Secret>,
    /// E.164.
    pub from: String,
    /// The number texts come from, where it is another.
    pub sms_from: Option<String>,
    pub api_url: String,
    pub calls_per_second: u32,
    pub texts_per_second: u32,
    /// `None`: no limit known.
    pub concurrent_calls: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slack {
    pub bot_token: Secret,
    pub signing_secrets: Vec<Secret>,
    /// Socket Mode, where it is given.
    pub app_token: Option<Secret>,
    /// The room that hears of every incident.
    pub announce: Option<String>,
    pub command: String,
    pub api_url: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// A secret, because it may carry a password.
    pub url: Secret,
    pub from: String,
}

pub(super) fn read<'a>(reader: &Reader<'a>, root: &Table<'a>) -> Settings {
    let server_table = reader.section(root, "server", SERVER);
    let mut server = server_table.as_ref().map_or_else(Server::default, |table| server(reader, table));
    server.mail = mail(reader, root);
    server.tls = reader.subsection(server_table.as_ref(), "tls", "server__tls", TLS).and_then(|table| tls_files(reader, &table));
    let settings = Settings {
        server,
        twilio: twilio(reader, root),
        slack: slack(reader, root),
        smtp: smtp(reader, root),
        retention: retention(reader, root),
        masks: masks::read(reader, root),
        // Read with the objects, whose steps name them.
        webhooks: Vec::new(),
    };
    let has_public_url = server_table.is_some_and(|table| reader.get(&table, "public_url").is_some());
    let twilio_spot = reader.get(root, "twilio").map(|field| field.spot());
    if (settings.twilio.is_some() || twilio_spot.is_some()) && !has_public_url {
        let text = "[twilio] without a public_url: a call can be heard but no key press can come back";
        reader.doubt(twilio_spot.unwrap_or(Spot::File(0)), text, "add public_url under [server]");
    }
    unknown_variables(reader);
    settings
}

fn mail<'a>(reader: &Reader<'a>, root: &Table<'a>) -> Option<Mail> {
    let table = reader.section(root, "mail", MAIL)?;
    let listen = reader.need(&table, "listen", "\"127.0.0.1:2525\"").and_then(|field| {
        reader.parsed(field, |text| {
            text.parse().map_err(|_| (format!("{} is no address to listen on", shown(text)), "write it as 127.0.0.1:2525".to_owned()))
        })
    });
    let domain = reader.need(&table, "domain", "\"alerts.example.com\"").and_then(|field| {
        reader.parsed(field, |text| {
            let is_name = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if text.len() <= 253 && text.split('.').all(is_name) {
                return Ok(text.to_ascii_lowercase());
            }
            Err((format!("{} is no domain", shown(text)), "write it as alerts.example.com".to_owned()))
        })
    });
    Some(Mail { listen: listen?, domain: domain? })
}

fn server<'a>(reader: &Reader<'a>, table: &Table<'a>) -> Server {
    let defaults = Server::default();
    Server {
        mail: None,
        public_url: reader.get(table, "public_url").and_then(|field| web_url(reader, field)),
        listen: reader.get(table, "listen").and_then(|field| reader.parsed(field, listen)).unwrap_or(defaults.listen),
        database: reader.get(table, "database").and_then(|field| database(reader, field)).unwrap_or(defaults.database),
        secret_key: reader.get(table, "secret_key").and_then(|field| secret_key(reader, field)),
        tls: None,
        webhook_secrets: reader.get(table, "webhook_secret").map_or_else(Vec::new, |field| webhook_secrets(reader, field)),
        metrics_token: reader.get(table, "metrics_token").and_then(|field| metrics_token(reader, field)),
        heartbeat_url: reader.get(table, "heartbeat_url").and_then(|field| secret_url(reader, field)),
        private_targets: reader.get(table, "allow_private_targets").map_or_else(PrivateTargets::default, |field| targets(reader, field)),
    }
}

/// A certificate and a key that can be read now and belong together.
fn tls_files<'a>(reader: &Reader<'a>, table: &Table<'a>) -> Option<TlsFiles> {
    let cert_field = reader.need(table, "cert", "\"/etc/reveille/fullchain.pem\"");
    let key_field = reader.need(table, "key", "\"/etc/reveille/privkey.pem\"");
    let (cert_field, key_field) = (cert_field?, key_field?);
    let (cert, key) = (reader.path(cert_field)?, reader.path(key_field)?);
    let texts = (reader.text_in(cert_field.spot(), &cert, "cert"), reader.text_in(key_field.spot(), &key, "key"));
    if let (Some(cert_text), Some(key_text)) = texts
        && let Err(error) = tls::read(cert_text.as_bytes(), key_text.as_bytes())
    {
        reader.error(cert_field.spot(), format!("{} and {}: {error}", cert.display(), key.display()), "give the chain in PEM and its key");
    }
    Some(TlsFiles { cert, key })
}

fn webhook_secrets<'a>(reader: &Reader<'a>, field: Field<'a>) -> Vec<Secret> {
    let spot = field.spot();
    let values = secrets(reader, field);
    if values.iter().any(|secret| secret.expose().len() < 16) {
        reader.error(spot, "webhook_secret is shorter than 16 characters", "make one with: openssl rand -hex 16");
    }
    values
}

fn metrics_token<'a>(reader: &Reader<'a>, field: Field<'a>) -> Option<Secret> {
    let token = reader.secret(field)?;
    if token.expose().len() < 16 {
        reader.error(field.spot(), "metrics_token is shorter than 16 characters", "make one with: openssl rand -hex 16");
        return None;
    }
    Some(token)
}

/// A web address that carries its own key, and so is never repeated.
pub(super) fn secret_url<'a>(reader: &Reader<'a>, field: Field<'a>) -> Option<Secret> {
    let url = reader.secret(field)?;
    let good = reqwest::Url::parse(url.expose()).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    if !good {
        reader.error(field.spot(), format!("{} is no web address", field.name), "write it as https://example.com/path");
    }
    good.then_some(url)
}

fn targets<'a>(reader: &Reader<'a>, field: Field<'a>) -> PrivateTargets {
    match reader.truth_or_texts(field) {
        None | Some(Ok(false)) => PrivateTargets::None,
        Some(Ok(true)) => PrivateTargets::All,
        Some(Err(texts)) => {
            let parsed = texts.into_iter().filter_map(|(text, spot)| {
                let target = text.parse().ok();
                if target.is_none() {
                    let what = format!("{} is no host, address or network", shown(text));
                    reader.error(spot, what, "write it as \"hooks.internal\", \"10.1.2.3\" or \"10.0.0.0/8\"");
                }
                target
            });
            PrivateTargets::These(parsed.collect())
        }
    }
}

pub(super) fn webhook<'a>(reader: &Reader<'a>, id: &str, table: &Table<'a>) -> Option<Webhook> {
    let url = reader.need(table, "url", "\"https://example.com/hooks/incidents\"").and_then(|field| secret_url(reader, field));
    let secrets = reader.need(table, "secret", "{ env = \"WEBHOOK_SECRET\" }").map(|field| {
        for (secret, spot) in reader.secrets(field) {
            if secret.expose().len() < 16 {
                reader.error(
                    spot,
                    format!("the secret of webhook {id} is shorter than 16 characters"),
                    "make one with: openssl rand -hex 32",
                );
            }
        }
        secrets(reader, field)
    });
    Some(Webhook { id: id.to_owned(), url: url?, secrets: secrets.filter(|secrets| !secrets.is_empty())? })
}

fn retention<'a>(reader: &Reader<'a>, root: &Table<'a>) -> Retention {
    let defaults = Retention::default();
    let Some(table) = reader.section(root, "retention", RETENTION) else { return defaults };
    let span = |name| {
        let field = reader.get(&table, name)?;
        let span = reader.span(field)?;
        if span < Retention::LEAST {
            let text = format!("{name} = {span} is too short to look back on a night");
            reader.error(field.spot(), text, format!("keep them for at least {}", Retention::LEAST));
        }
        Some(span)
    };
    let most = |name| reader.get(&table, name).and_then(|field| reader.whole(field, 0..=1_000_000_000)).map(i64::from);
    Retention {
        samples: span("samples").unwrap_or(defaults.samples),
        samples_most: most("samples_most").unwrap_or(defaults.samples_most),
        alerts: span("alerts").unwrap_or(defaults.alerts),
        alerts_most: most("alerts_most").unwrap_or(defaults.alerts_most),
        incidents: span("incidents"),
    }
}

fn twilio<'a>(reader: &Reader<'a>, root: &Table<'a>) -> Option<Twilio> {
    let table = reader.section(root, "twilio", TWILIO)?;
    let account_sid = reader.need(&table, "account_sid", "{ env = \"TWILIO_ACCOUNT_SID\" }").and_then(|field| reader.secret(field));
    let auth_tokens = reader.need(&table, "auth_token", "{ env = \"TWILIO_AUTH_TOKEN\" }").map(|field| secrets(reader, field));
    let from = reader.need(&table, "from", "\"+15005550006\"").and_then(|field| reader.parsed(field, e164));
    let api_url = reader.get(&table, "api_url").map(|field| web_url(reader, field));
    let calls_per_second = reader.get(&table, "calls_per_second").map(|field| reader.whole(field, 1..=1_000));
    let texts_per_second = reader.get(&table, "texts_per_second").map(|field| reader.whole(field, 1..=1_000));
    let sms_from = reader.get(&table, "sms_from").map(|field| reader.parsed(field, e164));
    let concurrent_calls = reader.get(&table, "concurrent_calls").map(|field| reader.whole(field, 1..=100_000));
    Some(Twilio {
        account_sid: account_sid?,
        auth_tokens: auth_tokens.filter(|tokens| !tokens.is_empty())?,
        from: from?,
        sms_from: sms_from.unwrap_or(None),
        texts_per_second: texts_per_second.unwrap_or(Some(1))?,
        api_url: api_url.unwrap_or_else(|| Some("https://api.twilio.com".to_owned()))?,
        calls_per_second: calls_per_second.unwrap_or(Some(1))?,
        concurrent_calls: concurrent_calls.unwrap_or(None),
    })
}

fn slack<'a>(reader: &Reader<'a>, root: &Table<'a>) -> Option<Slack> {
    let table = reader.section(root, "slack", SLACK)?;
    let bot_token = reader.need(&table, "bot_token", "{ env = \"SLACK_BOT_TOKEN\" }").and_then(|field| reader.secret(field));
    let app_token = reader.get(&table, "app_token").map(|field| {
        let spot = field.spot();
        let token = reader.secret(field)?;
        // The two tokens are easily taken for each other, and Slack would say so only at night.
        if token.expose().starts_with("xoxb-") {
            let suggestion = "make an app-level token (xapp-…) with the scope connections:write, under \"Basic Information\" of the app";
            reader.error(spot, "app_token holds a bot token", suggestion);
            return None;
        }
        Some(token)
    });
    // Socket Mode signs nothing, so only the HTTP doors need the secret.
    let signing_secrets = if app_token.is_some() {
        reader.get(&table, "signing_secret").map_or_else(Vec::new, |field| secrets(reader, field))
    } else {
        reader.need(&table, "signing_secret", "{ env = \"SLACK_SIGNING_SECRET\" }").map_or_else(Vec::new, |field| secrets(reader, field))
    };
    let announce = reader.get(&table, "announce").and_then(|field| reader.words(field));
    let command = reader.get(&table, "command").map(|field| {
        reader.parsed(field, |text| {
            let good = text.strip_prefix('/').is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace));
            if good {
                Ok(text.to_owned())
            } else {
                Err((format!("{} is no slash command", shown(text)), "write it as \"/incident\"".to_owned()))
            }
        })
    });
    let api_url = reader.get(&table, "api_url").map(|field| web_url(reader, field));
    Some(Slack {
        bot_token: bot_token?,
        signing_secrets,
        app_token: app_token.unwrap_or(None),
        announce,
        command: command.unwrap_or_else(|| Some("/incident".to_owned()))?,
        api_url: api_url.unwrap_or_else(|| Some("https://slack.com/api".to_owned()))?,
    })
}

fn smtp<'a>(reader: &Reader<'a>, root: &Table<'a>) -> Option<Smtp> {
    let table = reader.section(root, "smtp", SMTP)?;
    let url = reader.need(&table, "url", "\"smtp://127.0.0.1:2525\"").and_then(|field| {
        let secret = reader.secret(field)?;
        let good = crate::vendor::smtp::Smtp::new(&secret, "reveille@example.com", crate::base::clock::Clock::system()).is_ok();
        if !good {
            reader.error(field.spot(), "url is no mail server", "write it as smtp://host:port or smtps://user:password@host");
        }
        good.then_some(secret)
    });
    let from = reader.need(&table, "from", "\"reveille@example.com\"").and_then(|field| reader.parsed(field, mail_address));
    Some(Smtp { url: url?, from: from? })
}

fn secrets<'a>(reader: &Reader<'a>, field: Field<'a>) -> Vec<Secret> {
    reader.secrets(field).into_iter().map(|(secret, _)| secret).collect()
}

/// Variables that look like settings and are none: a typo there would otherwise change nothing, silently.
fn unknown_variables(reader: &Reader<'_>) {
    let known: Vec<String> = SECTIONS.iter().flat_map(|(section, keys)| keys.iter().map(|key| variable_name(section, key))).collect();
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    for name in reader.around().names() {
        let Some(rest) = name.strip_prefix("REVEILLE_") else { continue };
        if rest.contains("__") && !rest.starts_with("TEST_") && !names.contains(&name) {
            reader.doubt(Spot::Variable(name), format!("{name} is no setting"), instead(name, &names));
        }
    }
}

/// A URL that people or providers are sent to; without its last slash, so that paths can be added.
pub(super) fn web_url<'a>(reader: &Reader<'a>, field: Field<'a>) -> Option<String> {
    reader.parsed(field, |text| {
        // A name and a password before the host, or a key in the query, are not repeated.
        let what = if text.contains(['@', '?']) { field.name.to_owned() } else { shown(text) };
        let refuse = |why: &str| Err((format!("{what} {why}"), "write it as https://reveille.example.com".to_owned()));
        match reqwest::Url::parse(text) {
            Ok(url) if !["http", "https"].contains(&url.scheme()) || !url.has_host() => refuse("is no web address"),
            Ok(url) if url.query().is_some() || url.fragment().is_some() => refuse("has more than an address"),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err((format!("{} has a password in it", field.name), "leave the name and the password out".to_owned()))
            }
            Ok(_) => Ok(text.trim().trim_end_matches('/').to_owned()),
            Err(_) => refuse("is no web address"),
        }
    })
}

fn listen(text: &str) -> Result<String, Refusal> {
    let good = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if good {
        Ok(text.to_owned())
    } else {
        Err((format!("{} is no address to listen on", shown(text)), format!("write host:port, as in {}", Server::LISTEN)))
    }
}

/// The URL is not repeated in the complaint: it may carry a password.
fn database<'a>(reader: &Reader<'a>, field: Field<'a>) -> Option<Secret> {
    let secret = reader.secret(field)?;
    let good = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| secret.expose().starts_with(scheme));
    if !good {
        reader.error(field.spot(), "database is no database URL", "write sqlite://PATH?mode=rwc or postgres://user@host/name");
    }
    good.then_some(secret)
}

fn secret_key<'a>(reader: &Reader<'a>, field: Field<'a>) -> Option<Secret> {
    let secret = reader.secret(field)?;
    if Sealer::open(&secret).is_err() {
        reader.error(field.spot(), "secret_key is not 32 bytes in base64", "make one with: head -c 32 /dev/urandom | base64");
        return None;
    }
    Some(secret)
}

/// A phone number as every provider takes it.
pub(super) fn e164(text: &str) -> Result<String, Refusal> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let good = (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    if good {
        return Ok(text.to_owned());
    }
    // Brackets, blanks and dots are how people write numbers; what they meant can be shown.
    let bare: String = text.chars().filter(char::is_ascii_digit).collect();
    let meant = if text.trim_start().starts_with('+') && (7..=15).contains(&bare.len()) && !bare.starts_with('0') {
        format!("write \"+{bare}\"")
    } else {
        "write it with + and the country's code, as in \"+33100000001\"".to_owned()
    };
    Err((format!("{} is no phone number in E.164", shown(text)), meant))
}

pub(super) fn mail_address(text: &str) -> Result<String, Refusal> {
    let good = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if good { Ok(text.to_owned()) } else { Err((format!("{} is no mail address", shown(text)), "write it as ana@example.com".to_owned())) }
}
