//! The integrations: the address to paste and where, a test signal, what was made of the last ones, and what could be one more.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use crate::base::id::IntegrationId;
use crate::base::secret::Secret;
use crate::domain::setup::Integration;
use crate::flows::{access, ingest, refusal};
use crate::render::html::{
    IntegrationCard, IntegrationPage, IntegrationRow, IntegrationsPage, SampleRow, SenderCard, SendersPage, Stamp, Tally,
};
use crate::render::{guide, line};
use crate::store::read::{AlertView, Sample};
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::look::Params;
use crate::web::roles::shown;
use crate::web::sender;

/// What was just asked for, shown once on the page that answers it.
#[derive(Default)]
struct Asked {
    /// Whether its address is shown whole.
    revealed: bool,
    /// What came of trying it.
    tested: Option<String>,
}

pub(in crate::web) async fn integrations(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    let live = doors.live();
    let names = doors.names();
    let reader = doors.house.store.reader();
    let mut all_refused = refusal::lately(&doors.house.store, &doors.house.refusals, doors.now()).await?;
    let overflowing = reader.alerts_overflowing(&caller.viewer).await?;
    let mut rows = Vec::new();
    for integration in live.setup.integrations.values() {
        let newest = reader.samples(&caller.viewer, &integration.id).await?.into_iter().max_by_key(|(sample, _)| sample.at);
        rows.push(IntegrationRow {
            id: integration.id.to_string(),
            title: sender::title(&integration.source),
            service: names.service(&integration.service).to_owned(),
            last: newest.map(|(sample, _)| (Stamp(sample.at), sample.outcome)),
            refused: [
                refused(all_refused.remove(&integration.id).unwrap_or_default()),
                overflowing.get(&integration.id).map(|alert| overflow(alert, integration)).into_iter().collect(),
            ]
            .concat(),
        });
    }
    Ok(shown(StatusCode::OK, &IntegrationsPage { frame: caller.frame_in("integrations"), rows }))
}

pub(in crate::web) async fn integration(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let integration = known(&doors, &id)?;
    page(&doors, &caller, &integration, Asked::default()).await
}

async fn page(doors: &Doors, caller: &Caller, integration: &Integration, asked: Asked) -> Result<Response, WebError> {
    let live = doors.live();
    let names = doors.names();
    let reader = doors.house.store.reader();
    let tallies: BTreeMap<String, i64> = access::tallies(&doors.house.store)
        .await?
        .into_iter()
        .filter(|(id, outcome, _)| *id == integration.id && outcome != "accepted")
        .map(|(_, outcome, n)| (outcome, n))
        .collect();
    let samples = reader.samples(&caller.viewer, &integration.id).await?;
    let revealed = reader.last_reveal(&integration.id).await?;
    let mut all_refused = refusal::lately(&doors.house.store, &doors.house.refusals, doors.now()).await?;
    let overflowing = reader.alerts_overflowing(&caller.viewer).await?;
    let key = live.addresses.get(&integration.id).filter(|_| asked.revealed).map_or(sender::HIDDEN_KEY, Secret::expose);
    let (server, source) = (doors.public_url(), &integration.source);
    let proofs: Vec<&str> = sender::proofs(&live, &integration.id);
    let card = IntegrationCard {
        id: integration.id.to_string(),
        title: sender::title(source),
        source: source.clone(),
        service: names.service(&integration.service).to_owned(),
        address: sender::address(source, &server, key),
        is_revealed: asked.revealed,
        revealed: revealed.map(|(user, at)| (names.user(&user).to_owned(), Stamp(at))),
        proofs: (!proofs.is_empty()).then(|| format!("A message must also show what the configuration has under {}.", proofs.join(", "))),
        refused: [
            refused(all_refused.remove(&integration.id).unwrap_or_default()),
            overflowing.get(&integration.id).map(|alert| overflow(alert, integration)).into_iter().collect(),
        ]
        .concat(),
        guide: ingest::sender(source).map_or_else(String::new, |(_, text)| guide::html(text, &sender::places(source, &server, key))),
        tested: asked.tested,
        tallies: tallies.into_iter().map(|(outcome, n)| Tally { outcome, n }).collect(),
        samples: samples.into_iter().map(|(sample, number)| sample_row(sample, number.map(|number| number.0))).collect(),
    };
    Ok(shown(StatusCode::OK, &IntegrationPage { frame: caller.frame_in("integrations"), card }))
}

/// What was refused of its messages, for people who wonder where they are.
fn refused(all: BTreeMap<refusal::Flaw, refusal::Refused>) -> Vec<String> {
    let sentence = |(flaw, refused): (refusal::Flaw, refusal::Refused)| {
        let n = i64::try_from(refused.n).unwrap_or(i64::MAX);
        let (first, last) = (line::date_clock(refused.first_at), line::date_clock(refused.last_at));
        let when =
            if refused.n == 1 { format!("was refused at {first}") } else { format!("were refused since {first}, the last at {last}") };
        // The marks are for a terminal.
        let advice = flaw.advice().replace('`', "");
        format!("{} {when}: {flaw}. What to do: {advice}.", line::count_of(n, "message", "messages"))
    };
    all.into_iter().map(sentence).collect()
}

/// What is counted on one alert because more new ones came than are kept.
fn overflow(alert: &AlertView, integration: &Integration) -> String {
    let (n, since) = (line::count_of(alert.count, "signal", "signals"), line::date_clock(alert.first_at));
    let most = integration.budget.new_per_hour;
    format!(
        "{n} since {since} counted on one alert: more than {most} new alerts came within an hour. What to do: look at the sender, or raise \
         new_alerts in the configuration."
    )
}

fn sample_row(sample: Sample, number: Option<i64>) -> SampleRow {
    SampleRow {
        at: Stamp(sample.at),
        title: sample.title,
        outcome: sample.outcome,
        reason: sample.reason,
        signals: sample.signals,
        alert: sample.alert.map(|id| id.to_string()),
        number,
        body: sample.body,
    }
}

fn known(doors: &Doors, id: &str) -> Result<Integration, WebError> {
    doors.live().setup.integrations.get(&IntegrationId::from(id)).cloned().ok_or(WebError::NotFound("such integration"))
}

/// Shows the address with its key, and notes to whom.
pub(in crate::web) async fn reveal(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let integration = known(&doors, &id)?;
    let user = caller.user().cloned().ok_or(WebError::NotSignedIn)?;
    let (store, now, noted) = (doors.house.store.clone(), doors.now(), integration.id.clone());
    tracing::info!(integration = %integration.id, %user, "an integration's address was shown");
    tokio::spawn(async move { access::note_reveal(&store, &noted, &user, now).await }).await.map_err(|_| WebError::Inside)??;
    page(&doors, &caller, &integration, Asked { revealed: true, tested: None }).await
}

/// Sends a test signal the way that every signal takes, and shows what was made of it.
pub(in crate::web) async fn test(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let integration = known(&doors, &id)?;
    let said = match ingest::test(&doors.house, &integration).await {
        Ok(Some(verdict)) => {
            format!("The test signal came through and was {}, as it should be: nobody is woken by it.", verdict.outcome.name())
        }
        Ok(None) => "The test signal is stored, and not decided yet. Look again in a moment.".to_owned(),
        Err(error) => return Err(WebError::BadRequest(format!("The test signal was not taken: {error}."))),
    };
    page(&doors, &caller, &integration, Asked { revealed: false, tested: Some(said) }).await
}

/// Everything that can send here, or what of it is called like that.
pub(in crate::web) async fn senders(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Response {
    let words = Params::of(&uri).get("q").unwrap_or_default().trim().to_owned();
    let (live, server) = (doors.live(), doors.public_url());
    let sought = words.to_lowercase();
    // "cron" and "amtool" are no senders, and the guide that speaks of them is what is looked for.
    let speaks = |guide: &str| guide.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).any(|word| word == sought);
    let mut cards: Vec<SenderCard> = ingest::senders()
        .map(|kind| (sender::title(kind.source), kind))
        .filter(|(title, kind)| title.to_lowercase().contains(&sought) || kind.source.contains(&sought) || speaks(kind.guide))
        .map(|(title, kind)| SenderCard {
            source: kind.source,
            title,
            toml: toml(&kind),
            guide: guide::html(kind.guide, &sender::places(kind.source, &server, "YOUR-KEY")),
            configured: live
                .setup
                .integrations
                .values()
                .filter(|integration| integration.source == kind.source)
                .map(|integration| integration.id.to_string())
                .collect(),
        })
        .collect();
    cards.sort_by_key(|card| card.title.to_lowercase());
    shown(StatusCode::OK, &SendersPage { frame: caller.frame_in("integrations"), words, cards })
}

/// An integration of this kind, as the file has it.
fn toml(kind: &ingest::Sender) -> String {
    let (source, variable) = (kind.source, kind.source.replace('-', "_").to_uppercase());
    let mut lines = vec![
        "[[integration]]".to_owned(),
        format!("id = \"{source}\""),
        format!("source = \"{source}\""),
        "service = \"the-service-it-is-about\"".to_owned(),
        format!("key = {{ env = \"{variable}_KEY\" }}"),
    ];
    lines.extend(kind.signs.then(|| format!("secret = {{ env = \"{variable}_SECRET\" }}  # without this line no signature is asked for")));
    lines.extend((source == "cloudwatch").then(|| "topics = [\"arn:aws:sns:eu-west-1:123456789012:alarms\"]".to_owned()));
    lines.extend((source == "heartbeat").then(|| "period = \"1d\"\ngrace = \"30m\"".to_owned()));
    lines.join("\n")
}
