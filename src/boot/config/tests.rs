//! Files that people write, and what they are told about them.

mod groups;
mod masks;
mod routes;

use std::path::{Path, PathBuf};

use super::*;
use crate::base::time::Span;
use crate::domain::oncall;
use crate::domain::setup::{Every, Handoff, Severity, Target, Weekday};
use crate::vendor::http::PrivateTargets;

const SOURCES: &[&str] = &["alertmanager", "datadog", "generic", "pingdom", "rollbar"];
const EXAMPLE: &str = include_str!("../../../reveille.example.toml");

/// Every variable that the example names.
const SECRETS: &[(&str, &str)] = &[
    ("SLACK_BOT_TOKEN", "xoxb-1"),
    ("SLACK_SIGNING_SECRET", "signs"),
    ("TWILIO_ACCOUNT_SID", "AC0"),
    ("TWILIO_AUTH_TOKEN", "token-1"),
    ("ROLLBAR_KEY", "a-key-for-rollbar"),
    ("PD_ROUTING_KEY", "a-key-for-pagerduty"),
];

fn june() -> Time {
    Time::parse_rfc3339("2026-06-01T00:00:00Z").expect("a time in a test is well written")
}

fn nothing() -> Surroundings {
    Surroundings::made(&[], &[])
}

fn check_lines(text: &str, around: &Surroundings) -> Vec<String> {
    check_text("reveille.toml", text, around, SOURCES, june()).to_string().lines().map(str::to_owned).collect()
}

fn errors(text: &str, around: &Surroundings) -> Vec<String> {
    check_lines(text, around).into_iter().filter(|line| line.contains(": error: ")).collect()
}

/// Reads `text` as a file in order to run with it.
fn run(text: &str, variables: &[(&str, &str)]) -> Result<(Config, Vec<Complaint>), ConfigError> {
    load(
        Path::new("conf/reveille.toml"),
        &Surroundings::made(variables, &[("conf/reveille.toml", text), ("conf/keys/rollbar", "from-file\n")]),
        SOURCES,
    )
}

fn example() -> Config {
    run(EXAMPLE, SECRETS).expect("the example is good").0
}

#[test]
fn the_example_is_accepted_whole() {
    let around = Surroundings::made(SECRETS, &[]);
    let lines = check_lines(EXAMPLE, &around);
    let expected = include_str!("../../../tests/fixtures/config/example.txt");
    assert_eq!(lines.join("\n").trim(), expected.trim());
    assert!(lines.iter().all(|line| !line.contains(": error: ")));
}

#[test]
fn an_unset_secret_is_a_warning_to_check_and_an_error_to_run() {
    let lines = check_lines(EXAMPLE, &nothing());
    assert!(
        lines.contains(
            &"reveille.toml:14:15: warning: the variable TWILIO_AUTH_TOKEN for auth_token is not set; set it where Reveille runs"
                .to_owned()
        ),
        "{lines:#?}"
    );
    let Err(ConfigError::UnsetSecret(complaints)) = run(EXAMPLE, &SECRETS[1..]) else { panic!("the bot token is not set") };
    assert_eq!(
        lines_of(&complaints),
        ["conf/reveille.toml:7:18: error: the variable SLACK_BOT_TOKEN for bot_token is not set; set it where Reveille runs"]
    );
    // Something else that is wrong weighs more.
    assert!(matches!(run(&EXAMPLE.replace("repeat = 2", "repeat = \"2\""), &[]), Err(ConfigError::Refused(_))));
}

fn lines_of(complaints: &[Complaint]) -> Vec<String> {
    complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_means_what_it_says() {
    let Config { settings, setup, keys, managed, proofs } = example();
    assert!(proofs.values().all(Vec::is_empty));
    assert_eq!(settings.server.public_url.as_deref(), Some("https://reveille.example.com"));
    assert_eq!(settings.server.listen, "127.0.0.1:8080");
    let twilio = settings.twilio.expect("it is configured");
    assert_eq!((twilio.account_sid.expose(), twilio.auth_tokens[0].expose()), ("AC0", "token-1"));
    assert_eq!((twilio.from.as_str(), twilio.calls_per_second, twilio.concurrent_calls), ("+15005550006", 1, None));
    assert_eq!(settings.slack.expect("it is configured").announce.as_deref(), Some("C0INCIDENTS"));
    assert_eq!(settings.smtp.expect("it is configured").url.expose(), "smtp://127.0.0.1:2525");

    let ana = &setup.users[&"ana".into()];
    assert_eq!((ana.name.as_str(), ana.timezone.as_str(), ana.slack.as_deref()), ("Ana Ruiz", "Europe/Paris", Some("U0ANA")));
    assert_eq!((ana.contacts.len(), ana.rules.len()), (3, 4));
    assert_eq!((ana.rules[2].after, ana.rules[2].contact.as_str()), (Span::minutes(2), "phone"));
    assert_eq!(managed[&"ana".into()], Managed { contacts: true, rules: true });
    assert_eq!(setup.everyone().count(), 2);

    let rotation = &setup.schedules[&"platform".into()].rotations[0];
    assert_eq!((rotation.every, rotation.handoff), (Every::Weeks(1), Handoff { weekday: Some(Weekday::Mon), hour: 9, minute: 0 }));
    assert_eq!(oncall::who(&setup.schedules[&"platform".into()], june()).expect("it is good").users, ["ana".into()]);

    let policy = &setup.policies[&"platform".into()];
    assert_eq!((policy.repeat, policy.steps.len()), (2, 3));
    assert_eq!(policy.steps[1].notify, [Target::User("ana".into()), Target::User("bo".into())]);
    assert_eq!((policy.steps[0].escalate_after, policy.steps[2].escalate_after), (Some(Span::minutes(5)), None));

    let service = &setup.services[&"api".into()];
    assert_eq!((service.name.as_str(), service.group_window, service.room_at), ("Public API", Span::minutes(10), Some(Severity::Sev2)));
    assert_eq!(setup.integrations[&"api-rollbar".into()].source, "rollbar");
    assert_eq!(keys[&"api-rollbar".into()], [Secret::new("a-key-for-rollbar")]);
}

#[test]
fn a_typo_gets_its_place_and_what_was_meant() {
    let typo = |right: &str, wrong: &str| {
        assert!(EXAMPLE.contains(right), "{right}");
        let lines = errors(&EXAMPLE.replacen(right, wrong, 1), &Surroundings::made(SECRETS, &[]));
        lines.into_iter().next().unwrap_or_default()
    };
    assert_eq!(
        typo("{ notify = [\"schedule:platform\"],  escalate_after", "{ notify = [\"schedule:platform\"],  escalate_aftr"),
        "reveille.toml:67:38: error: unknown key \"escalate_aftr\" in a step of policy platform; did you mean \"escalate_after\"?"
    );
    assert_eq!(
        typo("schedule:platform", "schedule:platfrom"),
        "reveille.toml:67:15: error: there is no schedule \"platfrom\"; did you mean \"platform\"?"
    );
    assert_eq!(
        typo("[[service]]", "[[sevrice]]"),
        "reveille.toml:76:3: error: unknown key \"sevrice\" in the file; did you mean \"service\"?"
    );
}

/// Each `NAME.toml` stands beside `NAME.txt`, what `check` says of it.
#[test]
fn bad_files_are_told_everything_at_once() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("the fixtures are there") {
        let path = entry.expect("a fixture can be listed").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).expect("a fixture can be read");
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a fixture has a plain name");
        let told = check_text(name, &text, &nothing(), SOURCES, june()).to_string();
        assert_eq!(told.trim(), expected.trim(), "{name}\n{told}");
        assert!(!told.contains("swordfish"), "a secret is repeated in what is said of {name}:\n{told}");
        assert_eq!(misshapen(&told, name), Vec::<String>::new());
    }
    assert!(seen >= 6, "only {seen} fixtures were found");
}

/// Lines that are not `FILE:LINE:COLUMN: LEVEL: text; suggestion`, but for the count at the end.
fn misshapen(told: &str, file: &str) -> Vec<String> {
    let good = |line: &str| {
        let Some(rest) = line.strip_prefix(file).and_then(|rest| rest.strip_prefix(':')) else { return false };
        let mut parts = rest.splitn(3, ':');
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok()).is_some_and(|number| number > 0);
        let placed = number(parts.next()) && number(parts.next());
        let said = parts.next().unwrap_or_default();
        placed
            && (said.starts_with(" info: ")
                || ([" error: ", " warning: "].iter().any(|level| said.starts_with(level)) && said.contains("; ")))
    };
    let count = told.lines().count();
    told.lines().take(count.saturating_sub(1)).filter(|line| !good(line)).map(str::to_owned).collect()
}

#[test]
fn the_environment_goes_over_the_file() {
    let variables = [
        SECRETS,
        &[
            ("REVEILLE_SERVER__PUBLIC_URL", "https://pager.example.com/"),
            ("REVEILLE_SERVER__DATABASE", "postgres://reveille@db/reveille"),
            ("REVEILLE_TWILIO__AUTH_TOKEN", "token-2"),
            ("REVEILLE_TWILIO__CALLS_PER_SECOND", "5"),
            ("REVEILLE_SERVER__LISTEN", ""),
            ("REVEILLE_URL", "https://elsewhere.example.com"),
            ("REVEILLE_TEST_A__B", "1"),
            ("REVEILLE_TWILIO__FORM", "+15005550006"),
        ],
    ]
    .concat();
    let (config, warnings) = run(EXAMPLE, &variables).expect("the example is good");
    assert_eq!(config.settings.server.public_url.as_deref(), Some("https://pager.example.com"));
    assert_eq!(config.settings.server.database.expose(), "postgres://reveille@db/reveille");
    assert_eq!(config.settings.server.listen, Server::LISTEN, "an empty variable is as good as none");
    let twilio = config.settings.twilio.expect("it is configured");
    assert_eq!((twilio.auth_tokens, twilio.calls_per_second), (vec![Secret::new("token-2")], 5));
    let about: Vec<String> = lines_of(&warnings).into_iter().filter(|line| line.starts_with("REVEILLE_")).collect();
    assert_eq!(about, ["REVEILLE_TWILIO__FORM:1:1: warning: REVEILLE_TWILIO__FORM is no setting; did you mean \"REVEILLE_TWILIO__FROM\"?"]);

    let bad = [SECRETS, &[("REVEILLE_TWILIO__CALLS_PER_SECOND", "many"), ("REVEILLE_TWILIO__FROM", "12")]].concat();
    let Err(ConfigError::Refused(errors)) = run(EXAMPLE, &bad) else { panic!("both are wrong") };
    assert_eq!(
        lines_of(&errors),
        [
            "REVEILLE_TWILIO__CALLS_PER_SECOND:1:1: error: calls_per_second is text, not a whole number; write a whole number",
            "REVEILLE_TWILIO__FROM:1:1: error: \"12\" is no phone number in E.164; write it with + and the country's code, as in \"+33100000001\"",
        ]
    );
}

#[test]
fn the_environment_alone_is_enough() {
    let (config, warnings) = from_environment(&Surroundings::made(
        &[("REVEILLE_TWILIO__ACCOUNT_SID", "AC0"), ("REVEILLE_TWILIO__AUTH_TOKEN", "token"), ("REVEILLE_TWILIO__FROM", "+15005550006")],
        &[],
    ))
    .expect("it is good");
    assert_eq!(config.settings.twilio.map(|twilio| twilio.api_url).as_deref(), Some("https://api.twilio.com"));
    assert_eq!(config.settings.server, Server::default());
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].text.contains("without a public_url"));
    assert_eq!(from_environment(&nothing()), Ok((Config::default(), Vec::new())));
}

#[test]
fn secrets_come_in_every_form_and_never_print() {
    let key = |form: &str| EXAMPLE.replace("{ env = \"ROLLBAR_KEY\" }", form);
    let keys = |form: &str| {
        let (config, _) = run(&key(form), SECRETS).expect("the example is good");
        assert!(!format!("{config:?}").contains("token-1"));
        config.keys[&"api-rollbar".into()].iter().map(|key| key.expose().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys("\"plain\""), ["plain"]);
    assert_eq!(keys("{ file = \"keys/rollbar\" }"), ["from-file"], "a path counts from the file it stands in");
    assert_eq!(keys("[{ env = \"ROLLBAR_KEY\" }, { file = \"keys/rollbar\" }]"), ["a-key-for-rollbar", "from-file"]);
    assert!(matches!(run(&key("{ file = \"keys/other\" }"), SECRETS), Err(ConfigError::UnsetSecret(_))));
}

#[test]
fn a_key_that_can_be_guessed_is_doubted() {
    let said = |form: &str| {
        let text = EXAMPLE.replace("{ env = \"ROLLBAR_KEY\" }", form);
        check(Path::new("r.toml"), &Surroundings::made(SECRETS, &[("r.toml", &text)]), SOURCES, june()).to_string()
    };
    let short = said("\"swordfish\"");
    assert!(short.contains("warning: the key of integration api-rollbar is shorter than 16 characters"), "{short}");
    assert!(short.contains("openssl rand -hex 16") && !short.contains("swordfish"), "{short}");
    assert!(!said("\"swordfish-and-more\"").contains("shorter"));
}

#[test]
fn what_is_left_out_has_a_default() {
    let text = r#"
        [[user]]
        id = "ana"
        admin = true
        [[schedule]]
        id = "day"
        rotations = [{ members = ["ana"], start = 2026-01-07 }, { members = ["ana"], every = "12h", handoff = "08:30", start = "2026-01-07" }]
        [[policy]]
        id = "p"
        [[service]]
        id = "api"
        policy = "p"
        ack_lapse = "never"
        severity = { error = "sev1" }
        [[integration]]
        id = "in"
        source = "generic"
        service = "api"
        key = "swordfish"
    "#;
    let (config, _) = run(text, &[]).expect("it is good");
    let ana = &config.setup.users[&"ana".into()];
    assert_eq!((ana.name.as_str(), ana.timezone.as_str(), ana.role), ("ana", "UTC", crate::base::viewer::Role::Admin));
    assert_eq!(config.managed[&"ana".into()], Managed { contacts: false, rules: false });
    let rotations = &config.setup.schedules[&"day".into()].rotations;
    assert_eq!((rotations[0].every, rotations[0].handoff.weekday, rotations[0].handoff.hour), (Every::Weeks(1), Some(Weekday::Mon), 9));
    assert_eq!((rotations[1].every, rotations[1].handoff), (Every::Hours(12), Handoff { weekday: None, hour: 8, minute: 30 }));
    let service = &config.setup.services[&"api".into()];
    assert_eq!((service.ack_lapse, service.severity.error, service.severity.warning), (None, Severity::Sev1, Severity::Sev3));
    assert_eq!(config.setup.policies[&"p".into()].repeat, 0);
    assert_eq!(config.setup.integrations[&"in".into()].severity.name(), "error");
}

#[test]
fn a_missing_file_is_told_in_the_same_form() {
    let report = check(Path::new("no.toml"), &nothing(), SOURCES, june());
    assert_eq!(
        report.to_string(),
        "no.toml:1:1: error: the file cannot be read: no such file; give the path of the configuration file\n1 error, 0 warnings"
    );
    assert_eq!(report.exit_code(), 1);
    let error = load(Path::new("no.toml"), &nothing(), SOURCES).expect_err("there is no such file");
    assert!(error.to_string().starts_with("no.toml:1:1: error: "));
}

#[test]
fn warnings_alone_exit_with_0() {
    let report = check(Path::new("r.toml"), &Surroundings::made(&[], &[("r.toml", EXAMPLE)]), SOURCES, june());
    assert!(report.errors == 0 && report.warnings > 0);
    assert_eq!(report.exit_code(), 0);
}

/// Broken in every place: told so in the one form, and never a panic.
#[test]
fn no_damage_to_a_file_stops_the_reader() {
    let mut dice: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut roll = |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % sides as u64).unwrap_or(0)
    };
    let letters: Vec<char> = EXAMPLE.chars().collect();
    for round in 0..300 {
        let mut damaged = letters.clone();
        for _ in 0..=roll(3) {
            let at = roll(damaged.len());
            match roll(3) {
                0 => drop(damaged.remove(at)),
                1 => damaged.insert(at, ['"', '[', '}', '\n', 'é', '=', ',', '-', '\u{202e}'][roll(9)]),
                _ => damaged.truncate(at + 1),
            }
        }
        let text: String = damaged.into_iter().collect();
        let told = check_text("reveille.toml", &text, &nothing(), SOURCES, june()).to_string();
        assert_eq!(misshapen(&told, "reveille.toml"), Vec::<String>::new(), "round {round}: {text}");
    }
}

/// A certificate, its key, and the key of another.
fn certificate() -> (String, String, String) {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let other = rcgen::KeyPair::generate().expect("a key");
    (pair.cert.pem(), pair.signing_key.serialize_pem(), other.serialize_pem())
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let (cert, key, other) = certificate();
    let text = "[server]\ntls = { cert = \"tls/chain.pem\", key = \"tls/key.pem\" }\n";
    let lines = |files: &[(&str, &str)]| errors(text, &Surroundings::made(&[], files));
    assert!(lines(&[("tls/chain.pem", &cert), ("tls/key.pem", &key)]).is_empty());
    let mismatch = lines(&[("tls/chain.pem", &cert), ("tls/key.pem", &other)]);
    assert_eq!(
        mismatch,
        ["reveille.toml:2:16: error: tls/chain.pem and tls/key.pem: the certificate and the key do not belong together; \
          give the chain in PEM and its key"]
    );
    assert!(lines(&[("tls/chain.pem", &key), ("tls/key.pem", &key)])[0].contains("no certificate in PEM"));
    assert!(lines(&[("tls/chain.pem", &cert), ("tls/key.pem", &cert)])[0].contains("no private key in PEM"));
    // A file that is not at hand is a warning to `check`, which may run elsewhere, and an error to run.
    let missing = Surroundings::made(&[], &[("tls/chain.pem", &cert)]);
    assert!(errors(text, &missing).is_empty());
    let warned = check_lines(text, &missing).join("\n");
    assert!(warned.contains("reveille.toml:2:39: warning: the file tls/key.pem for key cannot be read"), "{warned}");
    let run = load(Path::new("r.toml"), &Surroundings::made(&[], &[("r.toml", text)]), SOURCES);
    assert!(matches!(run, Err(ConfigError::UnsetSecret(complaints)) if complaints.len() == 2));
    let half = errors("[server]\ntls = { cert = \"a\" }\n", &nothing());
    assert!(half[0].contains("[server.tls] has no key"), "{half:?}");
    // The environment may give it whole.
    let variables = [("REVEILLE_SERVER__TLS__CERT", "chain.pem"), ("REVEILLE_SERVER__TLS__KEY", "key.pem")];
    let around = Surroundings::made(&variables, &[("chain.pem", &cert), ("key.pem", &key)]);
    let (config, complaints) = from_environment(&around).expect("it is good");
    assert!(complaints.is_empty(), "{complaints:?}");
    assert_eq!(config.settings.server.tls.expect("given").key, PathBuf::from("key.pem"));
}

#[test]
fn what_operators_set_is_read_and_what_they_mistype_is_named() {
    let text = "[server]\nmetrics_token = \"0123456789abcdef\"\nheartbeat_url = \"https://hc.example.com/uuid\"\n\
                allow_private_targets = [\"hooks.internal\", \"10.0.0.0/8\"]\n\
                [retention]\nsamples = \"7d\"\nalerts_most = 10\nincidents = \"104w\"\n\
                [[webhook]]\nid = \"ops\"\nurl = \"https://example.com/x?key=1\"\nsecret = [\"0123456789abcdef\", \"fedcba9876543210\"]\n\
                [[policy]]\nid = \"p\"\nsteps = [{ notify = [\"webhook:ops\"] }]\n";
    let (config, _) = run(text, &[]).expect("it is good");
    let server = &config.settings.server;
    assert_eq!(server.private_targets, PrivateTargets::These(vec!["hooks.internal".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]));
    assert!(server.metrics_token.is_some() && server.heartbeat_url.is_some());
    let retention = &config.settings.retention;
    assert_eq!((retention.samples, retention.alerts_most, retention.incidents), (Span::hours(168), 10, Some(Span::hours(17_472))));
    assert_eq!((config.settings.webhooks[0].id.as_str(), config.settings.webhooks[0].secrets.len()), ("ops", 2));
    assert!(!format!("{:?}", config.settings).contains("0123456789abcdef") && !format!("{:?}", config.settings).contains("uuid"));

    let wrong = text.replace("0123456789abcdef\"\nheart", "short\"\nheart").replace("https://hc.example.com/uuid", "hc.example.com");
    let wrong = wrong.replace("hooks.internal", "http://x").replace("7d", "1h").replace("webhook:ops", "webhook:opps");
    let lines = errors(&wrong, &nothing());
    let expected = [
        "metrics_token is shorter than 16",
        "heartbeat_url is no web address",
        "\"http://x\" is no host, address or network",
        "samples = 1h is too short",
        "there is no webhook \"opps\"; did you mean \"ops\"?",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn what_nobody_could_verify_is_doubted() {
    let with_hook = EXAMPLE.replace(
        "contacts = [\n  { id = \"push\"",
        "contacts = [\n  { id = \"hook\", kind = \"webhook\", to = \"https://hooks.example.com/x\" },\n  { id = \"push\"",
    );
    let around = Surroundings::made(SECRETS, &[]);
    let said = |lines: &[String], part: &str| lines.iter().any(|line| line.contains(": warning: ") && line.contains(part));
    let lines = check_lines(&with_hook, &around);
    assert!(said(&lines, "no webhook_secret, so what they are sent is not signed"), "{lines:#?}");
    let signed = with_hook.replace("[server]\n", "[server]\nwebhook_secret = \"0123456789abcdef\"\n");
    let lines = check_lines(&signed, &around);
    assert!(!said(&lines, "webhook_secret"), "{lines:#?}");

    let unsigned = EXAMPLE.replace("signing_secret = { env = \"SLACK_SIGNING_SECRET\" }", "app_token = \"xapp-1\"");
    let lines = check_lines(&unsigned, &around);
    assert!(!said(&lines, "signing_secret"), "what comes over our own connection needs none: {lines:#?}");
    let missing = errors(&EXAMPLE.replace("signing_secret = { env = \"SLACK_SIGNING_SECRET\" }", ""), &around);
    assert!(missing.iter().any(|line| line.contains("signing_secret")), "{missing:#?}");
}

/// A setup with one integration, which says this of itself.
fn with_integration(source: &str, says: &str) -> String {
    format!(
        "[[user]]\nid = \"ana\"\ncontacts = [{{ id = \"phone\", kind = \"webhook\", to = \"https://h.example\" }}]\n\
         [[policy]]\nid = \"p\"\nsteps = [{{ notify = [\"everyone\"] }}]\n[[service]]\nid = \"s\"\npolicy = \"p\"\n\
         [[integration]]\nid = \"i\"\nsource = \"{source}\"\nservice = \"s\"\nkey = \"a-key-that-is-long-enough\"\n{says}\n"
    )
}

#[test]
fn what_a_message_must_show_is_read_with_two_live_values() {
    let says = "header = { name = \"X-Token\", value = [{ env = \"NEW\" }, \"the-old-token-0001\"] }\n\
                basic = { user = \"alerts\", password = { env = \"PASSWORD\" } }\n\
                hmac = { header = \"X-Signature\", secret = \"a-shared-secret-1\", prefix = \"v1=\" }";
    let variables = [("NEW", "the-new-token-0001"), ("PASSWORD", "correct horse battery")];
    let (config, complaints) = run(&with_integration("generic", says), &variables).expect("it is good");
    let secret = Secret::new;
    let expected = vec![
        Proof::Header { name: "x-token".to_owned(), values: vec![secret("the-new-token-0001"), secret("the-old-token-0001")] },
        Proof::Basic { user: "alerts".to_owned(), passwords: vec![secret("correct horse battery")] },
        Proof::Hmac { header: "x-signature".to_owned(), prefix: "v1=".to_owned(), secrets: vec![secret("a-shared-secret-1")] },
    ];
    assert_eq!(config.proofs[&IntegrationId::from("i")], expected);
    assert!(!format!("{config:?} {complaints:?}").contains("token-0001"));
}

#[test]
fn what_no_message_can_show_is_refused_where_it_stands() {
    for (source, says, expected) in [
        ("generic", "secret = \"0123456789abcdef\"", "15:10: error: a message of generic is not signed"),
        (
            "generic",
            "header = { name = \"X Token\", value = \"0123456789abcdef\" }",
            "15:19: error: \"X Token\" is no name of a header; use",
        ),
        ("generic", "header = { name = \"X-Token\", value = \"short\" }", "15:38: error: the value of integration i is shorter than 8"),
        ("generic", "header = { value = \"0123456789abcdef\" }", "error: header of integration i has no name; add name = \"X-Token\""),
        ("generic", "header = { name = \"X-Token\", value = \"0123456789abcdéf\" }", "error: the value of integration i has letters"),
        ("generic", "basic = { user = \"a:b\", password = \"0123456789abcdef\" }", "error: \"a:b\" is no user of basic authentication"),
        (
            "generic",
            "hmac = { header = \"X-S\", secret = \"0123456789abcdef\", kind = \"sha1\" }",
            "error: unknown key \"kind\" in hmac of",
        ),
        (
            "generic",
            "hmac = { header = \"X-S\", secret = [\"0123456789abcdef\", \"0123456789abcdef\"] }",
            "error: integration i has the same secret",
        ),
        (
            "generic",
            "hmac = { header = \"X-S\", secret = \"0123456789abcdef\", prefix = \"a,\" }",
            "error: \"a,\" stands before no signature",
        ),
        ("heartbeat", "period = \"5m\"\nbasic = { user = \"a\", password = \"0123456789abcdef\" }", "16:9: error: basic is not looked at"),
        (
            "generic",
            "header = { name = \"authorization\", value = \"Bearer 0123456\" }\nbasic = { user = \"a\", password = \"0123456789abcdef\" }",
            "error: integration i asks for the header Authorization twice",
        ),
    ] {
        let around = nothing();
        let report = check_text("f.toml", &with_integration(source, says), &around, &["generic", "heartbeat"], june()).to_string();
        let errors: Vec<&str> = report.lines().filter(|line| line.contains(": error: ")).collect();
        assert_eq!(errors.len(), 1, "{says}: {errors:#?}");
        assert!(errors[0].contains(expected), "{says}: {}", errors[0]);
        // A secret in the wrong place is not repeated.
        assert!(!report.contains("0123456789"), "{report}");
    }
}

#[test]
fn the_topics_of_sns_are_arns_and_belong_to_cloudwatch() {
    let sources = ["cloudwatch", "generic"];
    let arns = ["arn:aws:sns:eu-west-1:123456789012:alarms", "arn:aws-cn:sns:cn-north-1:123456789012:alarms.fifo"];
    let text = with_integration("cloudwatch", &format!("topics = {arns:?}"));
    let (config, _) = load(Path::new("f.toml"), &Surroundings::made(&[], &[("f.toml", &text)]), &sources).expect("it is good");
    assert_eq!(config.setup.integrations[&IntegrationId::from("i")].topics, arns);
    for (source, topics, expected) in [
        (
            "generic",
            "topics = [\"arn:aws:sns:eu-west-1:123456789012:alarms\"]",
            "15:10: error: topics is for integrations with source = \"cloudwatch\"",
        ),
        ("cloudwatch", "topics = [\"alarms\"]", "15:11: error: \"alarms\" is no topic of SNS"),
        ("cloudwatch", "topics = [\"arn:aws:sqs:eu-west-1:123456789012:alarms\"]", "is no topic of SNS"),
        ("cloudwatch", "topics = [\"arn:aws:sns:eu-west-1:123456789012:*:1\"]", "is no topic of SNS"),
        ("cloudwatch", "topics = \"arn:aws:sns:eu-west-1:123456789012:alarms\"", "15:10: error: topics is text, not a list"),
    ] {
        let report = check_text("f.toml", &with_integration(source, topics), &nothing(), &sources, june()).to_string();
        assert!(report.contains(expected), "{source} {topics}: {report}");
    }
}

#[test]
fn a_sender_that_signs_is_asked_for_its_secret() {
    let lines = |says: &str| {
        let report = check_text("f.toml", &with_integration("github", says), &nothing(), &["github"], june()).to_string();
        report
            .lines()
            .filter(|line| line.contains("signs its messages") || line.contains(": error: "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let expected = "f.toml:10:1: warning: github signs its messages, and integration i has no secret to check them with; \
                    add secret = { env = \"…\" } with the secret that the sender shows";
    assert_eq!(lines(""), [expected]);
    assert!(lines("secret = { env = \"NOT_AT_HAND\" }").is_empty(), "it is unset, and it is asked for");
    let loaded = load(
        Path::new("f.toml"),
        &Surroundings::made(&[], &[("f.toml", &with_integration("github", "secret = [\"0123456789abcdef\", \"fedcba9876543210\"]"))]),
        &["github"],
    );
    let (config, _) = loaded.expect("it is good");
    let expected = Proof::Secret(vec![Secret::new("0123456789abcdef"), Secret::new("fedcba9876543210")]);
    assert_eq!(config.proofs[&IntegrationId::from("i")], [expected]);
    for wrong in ["[[[", "[mail]\nlisten = \"2525\"\ndomain = \"a.example\"", "[mail]\nlisten = \"127.0.0.1:1\"\ndomain = \"a b\""] {
        assert_eq!(errors(wrong, &nothing()).len(), 1, "{wrong}");
    }
}

#[test]
fn a_broken_file_still_says_where_to_listen_and_where_mail_is_taken() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n[[user]\nid = 1\n[mail]\nlisten = \"127.0.0.1:2\"\ndomain = \"A.example\"\n";
    let server = server_as_far_as_readable(Path::new("f.toml"), &Surroundings::made(&[], &[("f.toml", text)]));
    assert_eq!(server.listen, "127.0.0.1:1");
    assert_eq!(server.mail.map(|mail| (mail.listen.to_string(), mail.domain)), Some(("127.0.0.1:2".to_owned(), "a.example".to_owned())));
}
