//! What the doors may see. A [`Reader`] cannot write, and every view asks first who looks.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Any, Pool};

pub use super::attempt::AttemptOutcome;
use super::attempt::outcome_of;
use super::dialect::Dialect;
use super::error::Result;
pub use super::error::StoreError;
pub use super::fact::FactRow;
use super::fact::fact_of;
pub use super::find::IncidentSearch;
pub use super::gauge::{Gauges, Waiting};
pub use super::heartbeat::{Miss, MissedDay};
use super::journal::{Files, Log};
pub use super::maintenance::WindowRow;
pub use super::noise::Monitor;
pub use super::overrides::OverrideView;
pub use super::relevance::Noise;
pub use super::sample::Sample;
pub use super::sender::{AlertNote, Named, OwnAlert, SenderRequest};
pub use super::silence::{HoldingAlert, SilenceRow};
use super::sql::{Columns as _, LIST, Sql, list, sql, sql_made, word_of};
use super::tx::Conn;
use crate::base::id::{AlertId, AttemptId, ContactId, IncidentId, IntegrationId, Number, PageId, ServiceId, UserId};
use crate::base::limits;
use crate::base::metrics::Calls;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::alert::{AlertState, Hold};
use crate::domain::incident::{IncidentState, Kind, Response, Run};
use crate::domain::input::Actor;
use crate::domain::novelty::Novelty;
use crate::domain::order::Order;
use crate::domain::setup::{AlertSeverity, ContactKind, Severity, Urgency};
use crate::domain::silence::Labelled;
pub use crate::domain::task::Task;

/// Connections that the database itself keeps from writing.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: Pool<Any>,
    dialect: Dialect,
    calls: Calls,
    files: Option<Files>,
}

/// Part of a list, and the place to go on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// `None` at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    pub(super) const fn empty() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentView {
    pub id: IncidentId,
    pub number: Number,
    pub service: ServiceId,
    pub title: String,
    pub severity: Severity,
    pub kind: String,
    pub state: IncidentState,
    pub opened_at: Time,
    pub joined_at: Time,
    pub acknowledged_at: Option<Time>,
    pub acknowledged_by: Option<Actor>,
    pub resolved_at: Option<Time>,
    pub resolved_by: Option<Actor>,
    pub alerts_count: i64,
    pub firing_count: i64,
    pub run: Option<Run>,
    pub lapses_at: Option<Time>,
    pub response: Response,
    pub links: Links,
    /// How many there were lately of the rarest kind that it has; −1 where that is the first ever.
    pub seen: i64,
}

/// The incidents that one went into, took in or was split off; those that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Links {
    pub merged_into: Option<Number>,
    pub took_in: Vec<Number>,
    pub split_from: Option<Number>,
    /// What may have caused it.
    pub causes: Vec<Number>,
}

/// Which incidents; empty states and no service are all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    pub states: Vec<IncidentState>,
    pub service: Option<ServiceId>,
    /// Drills and tests stay out unless they are asked for: empty is real ones alone.
    pub kinds: Vec<Kind>,
    pub order: Order,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertView {
    pub id: AlertId,
    pub integration: IntegrationId,
    pub dedup_key: String,
    pub source: String,
    pub service: ServiceId,
    pub title: String,
    pub severity: AlertSeverity,
    /// Read through its incident: what fired in a resolved one is resolved.
    pub state: AlertState,
    pub count: i64,
    pub first_at: Time,
    pub last_at: Time,
    pub resolved_at: Option<Time>,
    pub incident: Option<Number>,
    pub url: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// What it is or was held for, by its own row: what ended with its incident is held for nothing.
    pub hold: Option<Hold>,
    pub novelty: Novelty,
}

impl Labelled for AlertView {
    fn integration(&self) -> &IntegrationId {
        &self.integration
    }

    fn label(&self, name: &str) -> &str {
        if let Some(value) = self.labels.get(name) {
            return value;
        }
        match name {
            "alertname" => &self.title,
            "dedup_key" => &self.dedup_key,
            "severity" => self.severity.name(),
            "service" => self.service.as_str(),
            "integration" => self.integration.as_str(),
            "source" => &self.source,
            _ => "",
        }
    }
}

/// Which alerts; `None` is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    pub state: Option<AlertState>,
    pub service: Option<ServiceId>,
    pub order: Order,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageView {
    pub id: PageId,
    pub incident: Number,
    pub user: UserId,
    pub urgency: Urgency,
    pub state: PageState,
    pub created_at: Time,
    /// Why it ended, in its stored word.
    pub ended: Option<String>,
    pub ended_at: Option<Time>,
    /// Oldest first.
    pub attempts: Vec<AttemptView>,
}

impl PageView {
    /// How this person is being reached right now; `None` between two attempts.
    #[must_use]
    pub fn under_way(&self) -> Option<ContactKind> {
        let newest = self.attempts.iter().rev().find(|attempt| attempt.open && attempt.sent_at.is_some());
        newest.and_then(|attempt| ContactKind::parse(&attempt.channel))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageState {
    /// Something is still to be tried.
    Waiting,
    /// Something has left and is not settled.
    Ringing,
    Acknowledged,
    /// Everything that could be tried was refused.
    Failed,
    Ended,
}

impl PageState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ringing => "ringing",
            Self::Acknowledged => "acknowledged",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptView {
    pub id: AttemptId,
    pub contact: ContactId,
    pub channel: String,
    pub provider: Option<String>,
    pub provider_id: Option<String>,
    /// `None` while it is on its way.
    pub outcome: Option<AttemptOutcome>,
    pub reason: Option<String>,
    pub placed_at: Time,
    pub sent_at: Option<Time>,
    pub sent_to: Option<String>,
    /// Whether more is expected to be heard of it.
    pub open: bool,
}

pub(super) const INCIDENT: &str = "SELECT id, number, service, title, severity, kind, state, opened_at, joined_at, acknowledged_at, acknowledged_by, \
                        resolved_at, resolved_by, alerts_count, firing_count, run, lapses_at, response, seen FROM incidents";

/// Whether an incident took in alerts of the service `$1`, as one that depends on its own.
pub(super) const INVOLVES: &str = "id IN (SELECT incident_id FROM incident_services WHERE service = $1)";

/// An alert's own row is not touched when its incident is resolved, or goes into another one: these columns are read through it.
pub(super) const ALERT: &str = "SELECT a.id, a.integration, a.dedup_key, a.source, a.service, a.title, a.severity, \
                     CASE WHEN a.state <> 'resolved' AND i.state = 'resolved' THEN 'resolved' ELSE a.state END AS state, a.count, \
                     a.first_at, a.last_at, CASE WHEN a.state <> 'resolved' THEN i.resolved_at ELSE a.resolved_at END AS resolved_at, \
                     i.number, a.url, a.labels, a.hold, a.kind, a.seen, a.marks FROM alerts a \
                     LEFT JOIN incidents own ON own.id = a.incident_id \
                     LEFT JOIN incidents i ON i.id = COALESCE(own.merged_into, own.id)";

const PAGE: &str = "SELECT p.id, i.number, p.user_id, p.urgency, p.created_at, p.wanted, p.ended, p.ended_at, p.failed FROM pages p \
                    JOIN incidents i ON i.id = p.incident_id";

const FACT: &str = "SELECT f.seq, f.incident_id, f.at, f.actor, f.body FROM facts f";

impl Reader {
    pub(super) const fn new(pool: Pool<Any>, dialect: Dialect, calls: Calls, files: Option<Files>) -> Self {
        Self { pool, dialect, calls, files }
    }

    /// Where the journal's files lie, if it has any.
    pub(super) const fn files(&self) -> Option<&Files> {
        self.files.as_ref()
    }

    /// The journal's files, where this process writes them.
    pub(super) fn journal(&self) -> Option<&Log> {
        self.files.as_ref().and_then(Files::log)
    }

    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) async fn rows(&self, sql: Sql) -> Result<Vec<AnyRow>> {
        self.conn().await?.rows(sql).await
    }

    /// A connection for more than one statement.
    pub(super) async fn conn(&self) -> Result<Conn> {
        Conn::take(&self.pool, self.dialect, &self.calls).await
    }

    /// These incidents, with the numbers of those that they name.
    pub(super) async fn linked(&self, rows: Vec<AnyRow>) -> Result<Vec<IncidentView>> {
        let mut views = rows.iter().map(incident_of).collect::<Result<Vec<_>>>()?;
        let named = |view: &IncidentView| {
            let Response { merged_into, took_in, split_from, causes, .. } = &view.response;
            merged_into.iter().chain(took_in).chain(split_from).chain(causes).cloned().collect::<Vec<_>>()
        };
        let ids: Vec<IncidentId> = views.iter().flat_map(named).collect();
        let mut numbers: BTreeMap<IncidentId, Number> = BTreeMap::new();
        for ids in ids.chunks(LIST) {
            let ids: Vec<&str> = ids.iter().map(IncidentId::as_str).collect();
            let find = sql_made(format!("SELECT id, number FROM incidents WHERE id IN ({})", list(1, ids.len()))).texts(&ids);
            for row in self.rows(find).await? {
                numbers.insert(IncidentId::from_text(row.text("id")?), Number(row.int("number")?));
            }
        }
        let number = |id: &IncidentId| numbers.get(id).copied();
        for view in &mut views {
            let Response { merged_into, took_in, split_from, causes, .. } = &view.response;
            view.links = Links {
                merged_into: merged_into.as_ref().and_then(number),
                took_in: took_in.iter().filter_map(number).collect(),
                split_from: split_from.as_ref().and_then(number),
                causes: causes.iter().filter_map(number).collect(),
            };
        }
        Ok(views)
    }

    /// Incidents.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] for a cursor that is none of this order, else as every call of the database.
    pub async fn incidents_list(
        &self,
        viewer: &Viewer,
        filter: &IncidentFilter,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<Page<IncidentView>> {
        if !viewer.may_read() {
            return Ok(Page::empty());
        }
        let states: Vec<IncidentState> =
            IncidentState::ALL.into_iter().filter(|state| filter.states.is_empty() || filter.states.contains(state)).collect();
        let states: Vec<&str> = states.into_iter().map(IncidentState::name).collect();
        let kinds: Vec<&str> =
            if filter.kinds.is_empty() { vec![Kind::Real.name()] } else { filter.kinds.iter().map(|kind| kind.name()).collect() };
        let states_in = list(2, states.len());
        // A list has one of a few sizes, so the second one begins where the first one's places end.
        let first = 2 + states_in.split(',').count();
        let kinds_in = list(first, kinds.len());
        let first = first + kinds_in.split(',').count();
        let within = format!("($1 = '' OR service = $1 OR {INVOLVES}) AND state IN ({states_in}) AND kind IN ({kinds_in})");
        let service = filter.service.as_ref().map_or("", ServiceId::as_str);
        let bind = |find: Sql| find.text(service).texts(&states).texts(&kinds);
        self.incidents_in_order((&within, first), bind, filter.order, cursor, bounded(limit)).await
    }

    /// # Errors
    /// As every call of the database.
    pub async fn incident_get(&self, viewer: &Viewer, number: Number) -> Result<Option<IncidentView>> {
        if !viewer.may_read() {
            return Ok(None);
        }
        let rows = self.rows(sql_made(format!("{INCIDENT} WHERE number = $1")).int(number.0)).await?;
        Ok(self.linked(rows).await?.pop())
    }

    /// The incident's facts, oldest first.
    ///
    /// # Errors
    /// As [`Reader::incidents_list`].
    pub async fn timeline(&self, viewer: &Viewer, number: Number, cursor: Option<&str>, limit: i64) -> Result<Page<FactRow>> {
        let limit = bounded(limit);
        let after = match cursor {
            Some(cursor) => cursor_read(cursor)?.parse::<i64>().map_err(|_| StoreError::Cursor)?,
            None => 0,
        };
        let items = self.facts_tail(viewer, Some(number), after, limit + 1).await?;
        Ok(page_of(items, limit, |row| row.seq.to_string()))
    }

    /// Facts after `after_seq`, oldest first, of one incident or of all: what the stream is fed with.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn facts_tail(&self, viewer: &Viewer, number: Option<Number>, after_seq: i64, limit: i64) -> Result<Vec<FactRow>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let find = match number {
            Some(number) => sql_made(format!(
                "{FACT} JOIN incidents i ON i.id = f.incident_id WHERE f.seq > $1 AND i.number = $3 ORDER BY f.seq LIMIT $2"
            ))
            .int(after_seq)
            .int(limit)
            .int(number.0),
            None => sql_made(format!("{FACT} WHERE f.seq > $1 ORDER BY f.seq LIMIT $2")).int(after_seq).int(limit),
        };
        self.rows(find).await?.iter().map(fact_of).collect()
    }

    /// The incident's alerts.
    ///
    /// # Errors
    /// As [`Reader::incidents_list`].
    pub async fn incident_alerts(
        &self,
        viewer: &Viewer,
        number: Number,
        order: Order,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<Page<AlertView>> {
        self.incident_alerts_where(viewer, number, "", order, cursor, limit).await
    }

    /// Those of an incident for which more is true: another condition, without places.
    pub(super) async fn incident_alerts_where(
        &self,
        viewer: &Viewer,
        number: Number,
        more: &str,
        order: Order,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<Page<AlertView>> {
        if !viewer.may_read() {
            return Ok(Page::empty());
        }
        // What went into it brought its alerts.
        let all = sql("SELECT id FROM incidents WHERE number = $1 UNION ALL SELECT id FROM incidents \
                       WHERE merged_into = (SELECT id FROM incidents WHERE number = $1)");
        let all = self.rows(all.int(number.0)).await?.iter().map(|row| row.text("id")).collect::<Result<Vec<_>>>()?;
        if all.is_empty() {
            return Ok(Page::empty());
        }
        let ids = list(1, all.len());
        let within = format!("a.incident_id IN ({ids}){more}");
        self.alerts_in_order((&within, 1 + ids.split(',').count()), |find| find.texts(&all), order, cursor, bounded(limit)).await
    }

    /// Alerts.
    ///
    /// # Errors
    /// As [`Reader::incidents_list`].
    pub async fn alerts_list(&self, viewer: &Viewer, filter: &AlertFilter, cursor: Option<&str>, limit: i64) -> Result<Page<AlertView>> {
        if !viewer.may_read() {
            return Ok(Page::empty());
        }
        let within = "($1 = '' OR a.service = $1) AND \
             ($2 = '' OR $2 = CASE WHEN a.state <> 'resolved' AND i.state = 'resolved' THEN 'resolved' ELSE a.state END)";
        let service = filter.service.as_ref().map_or("", ServiceId::as_str);
        let state = filter.state.map_or("", AlertState::name);
        self.alerts_in_order((within, 3), |find| find.text(service).text(state), filter.order, cursor, bounded(limit)).await
    }

    /// # Errors
    /// As every call of the database.
    pub async fn alert_get(&self, viewer: &Viewer, id: &AlertId) -> Result<Option<AlertView>> {
        if !viewer.may_read() {
            return Ok(None);
        }
        let rows = self.rows(sql_made(format!("{ALERT} WHERE a.id = $1")).text(id.as_str())).await?;
        rows.first().map(alert_of).transpose()
    }

    /// The incident's pages with their attempts, oldest first; at most as many as the longest list.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn incident_pages(&self, viewer: &Viewer, number: Number) -> Result<Vec<PageView>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let find = sql_made(format!("{PAGE} WHERE i.number = $1 ORDER BY p.id LIMIT $2"));
        let rows = self.rows(find.int(number.0).int(limits::LIST_MOST)).await?;
        self.pages_of(&rows).await
    }

    /// # Errors
    /// As every call of the database.
    pub async fn page_get(&self, viewer: &Viewer, id: &PageId) -> Result<Option<PageView>> {
        if !viewer.may_read() {
            return Ok(None);
        }
        let rows = self.rows(sql_made(format!("{PAGE} WHERE p.id = $1")).text(id.as_str())).await?;
        Ok(self.pages_of(&rows).await?.into_iter().next())
    }

    async fn pages_of(&self, rows: &[AnyRow]) -> Result<Vec<PageView>> {
        let ids = rows.iter().map(|row| row.text("id")).collect::<Result<Vec<_>>>()?;
        let mut attempts: BTreeMap<String, Vec<AttemptView>> = BTreeMap::new();
        for ids in ids.chunks(LIST) {
            let find = format!(
                "SELECT p.page_id, a.id, a.contact, a.channel, a.provider, a.provider_id, a.outcome, a.reason, a.placed_at, a.sent_at, \
                 a.sent_to, a.open FROM attempt_pages p JOIN attempts a ON a.id = p.attempt_id WHERE p.page_id IN ({}) \
                 ORDER BY a.placed_at, COALESCE(a.sent_at, {}), a.id",
                list(1, ids.len()),
                i64::MAX
            );
            for row in self.rows(sql_made(find).texts(ids)).await? {
                attempts.entry(row.text("page_id")?).or_default().push(attempt_of(&row)?);
            }
        }
        rows.iter().map(|row| page_view(row, attempts.remove(&row.text("id")?).unwrap_or_default())).collect()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn ping(&self) -> Result<()> {
        self.rows(sql("SELECT 1")).await.map(|_| ())
    }
}

pub(super) fn bounded(limit: i64) -> i64 {
    limit.clamp(1, limits::LIST_MOST)
}

pub(super) fn cursor_read(cursor: &str) -> Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| StoreError::Cursor)?;
    String::from_utf8(bytes).map_err(|_| StoreError::Cursor)
}

/// Cuts off the one row that was read to see whether the list goes on.
pub(super) fn page_of<T>(mut items: Vec<T>, limit: i64, place: impl Fn(&T) -> String) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let goes_on = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| goes_on).map(|last| URL_SAFE_NO_PAD.encode(place(last)));
    Page { items, next }
}

pub(super) fn incident_of(row: &AnyRow) -> Result<IncidentView> {
    Ok(IncidentView {
        id: IncidentId::from_text(row.text("id")?),
        number: Number(row.int("number")?),
        service: ServiceId::from_text(row.text("service")?),
        title: row.text("title")?,
        severity: row.word("severity", Severity::parse)?,
        kind: row.text("kind")?,
        state: row.word("state", IncidentState::parse)?,
        opened_at: row.time("opened_at")?,
        joined_at: row.time("joined_at")?,
        acknowledged_at: row.maybe_time("acknowledged_at")?,
        acknowledged_by: row.maybe_json("acknowledged_by")?,
        resolved_at: row.maybe_time("resolved_at")?,
        resolved_by: row.maybe_json("resolved_by")?,
        alerts_count: row.int("alerts_count")?,
        firing_count: row.int("firing_count")?,
        run: row.maybe_json("run")?,
        lapses_at: row.maybe_time("lapses_at")?,
        response: row.json("response")?,
        seen: row.int("seen")?,
        links: Links::default(),
    })
}

pub(super) fn alert_of(row: &AnyRow) -> Result<AlertView> {
    Ok(AlertView {
        id: AlertId::from_text(row.text("id")?),
        integration: IntegrationId::from_text(row.text("integration")?),
        dedup_key: row.text("dedup_key")?,
        source: row.text("source")?,
        service: ServiceId::from_text(row.text("service")?),
        title: row.text("title")?,
        severity: row.word("severity", AlertSeverity::parse)?,
        state: row.word("state", AlertState::parse)?,
        count: row.int("count")?,
        first_at: row.time("first_at")?,
        last_at: row.time("last_at")?,
        resolved_at: row.maybe_time("resolved_at")?,
        incident: row.maybe_int("number")?.map(Number),
        url: row.maybe_text("url")?,
        labels: row.json("labels")?,
        hold: row.maybe_json("hold")?,
        novelty: super::desk::novelty_of(row)?,
    })
}

fn attempt_of(row: &AnyRow) -> Result<AttemptView> {
    Ok(AttemptView {
        id: AttemptId::from_text(row.text("id")?),
        contact: ContactId::from_text(row.text("contact")?),
        channel: row.text("channel")?,
        provider: row.maybe_text("provider")?,
        provider_id: row.maybe_text("provider_id")?,
        outcome: row.maybe_text("outcome")?.map(|text| outcome_of(&text)).transpose()?,
        reason: row.maybe_text("reason")?,
        placed_at: row.time("placed_at")?,
        sent_at: row.maybe_time("sent_at")?,
        sent_to: row.maybe_text("sent_to")?,
        open: row.flag("open")?,
    })
}

fn page_view(row: &AnyRow, attempts: Vec<AttemptView>) -> Result<PageView> {
    let ended = row.maybe_text("ended")?;
    // A page that ended because somebody else acknowledged has that reason, and is no answer of this person's.
    let state = if ended.as_deref() == Some("answered") {
        PageState::Acknowledged
    } else if !row.flag("wanted")? {
        PageState::Ended
    } else if row.flag("failed")? {
        PageState::Failed
    } else if attempts.iter().any(|attempt| attempt.open && attempt.sent_at.is_some()) {
        PageState::Ringing
    } else {
        PageState::Waiting
    };
    Ok(PageView {
        id: PageId::from_text(row.text("id")?),
        incident: Number(row.int("number")?),
        user: UserId::from_text(row.text("user_id")?),
        urgency: row.word("urgency", word_of)?,
        state,
        created_at: row.time("created_at")?,
        ended,
        ended_at: row.maybe_time("ended_at")?,
        attempts,
    })
}
