//! Slack is told what happens: each incident's room, its line in the room that hears of all, and the places that a step names.
//!
//! Everything here follows the facts, each follower at its own pace, so that what Slack refuses or misses is told later and in order, and so
//! that no page ever waits for it. `announce` reads all facts and starts the others; `room:inc_…` keeps a room, `card:inc_…` an
//! announcement, `notice:…` tells one place once.

mod card;
mod room;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::house::{House, Live};
use super::{FlowError, act, save};
use crate::base::id::{IncidentId, UserId};
use crate::base::limits;
use crate::base::secret::digest_hex;
use crate::base::time::{Span, Time};
use crate::base::viewer::{Scope, Viewer};
use crate::chat::blocks::{Card, Message, Row};
use crate::chat::{Chat, ChatError};
use crate::domain::fact::What;
use crate::domain::incident::{Incident, IncidentState, Kind, Room};
use crate::domain::input::Actor;
use crate::domain::setup::Place;
use crate::render::line::{self, Names, Reaching, Standing, count_of};
use crate::store::read::{PageState, PageView};
use crate::store::{self, FollowerRow, WriteLane};

/// The one that reads all facts.
const SCOUT: &str = "announce";
const ROOM: &str = "room:";
const CARD: &str = "card:";
const NOTICE: &str = "notice:";
/// How many facts are looked at in one go.
const FACTS: i64 = 256;

/// A follower that was claimed, to be told for.
pub struct Claimed(FollowerRow);

/// What became of one round of telling.
enum Next {
    /// Everything is told; it waits for the next fact.
    Idle,
    /// There is more, and it has to wait until then.
    At(Time),
    /// Nothing more is to be expected.
    Done,
    /// It was for once.
    Remove,
    Failed(ChatError),
}

/// Makes sure that the facts are followed.
///
/// # Errors
/// The store's.
pub async fn begin(house: &House) -> Result<(), FlowError> {
    if house.now_live().chat.is_none() || store::follower_find(&house.store.reader(), SCOUT).await?.is_some() {
        return Ok(());
    }
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    store::follower_add(&mut tx, SCOUT, 0).await?;
    tx.commit().await?;
    Ok(())
}

/// Claims followers that have something to tell, at most `most`; none where no Slack is configured.
///
/// # Errors
/// The store's.
pub async fn claim(house: &House, most: usize) -> Result<Vec<Claimed>, FlowError> {
    if house.now_live().chat.is_none() {
        return Ok(Vec::new());
    }
    let (reader, now) = (house.store.reader(), house.clock.now());
    let scout = store::followers_due(&reader, SCOUT, now, 1).await?;
    let mut names: Vec<String> = scout.into_iter().map(|row| row.name).collect();
    let room_for = |names: &Vec<String>| i64::try_from(most.saturating_sub(names.len())).unwrap_or(0);
    for prefix in [ROOM, CARD] {
        let behind = store::followers_behind(&reader, prefix, now, room_for(&names)).await?;
        names.extend(behind);
    }
    let notices = store::followers_due(&reader, NOTICE, now, room_for(&names)).await?;
    names.extend(notices.into_iter().map(|row| row.name));
    let mut claimed = Vec::new();
    for name in names.into_iter().take(most) {
        claimed.extend(store::follower_claim(&house.store, &name, &house.owner, now).await?.map(Claimed));
    }
    Ok(claimed)
}

/// Whether Slack was told everything that it can be told by now.
///
/// # Errors
/// The store's.
pub async fn is_at_rest(house: &House) -> Result<bool, FlowError> {
    if house.now_live().chat.is_none() {
        return Ok(true);
    }
    let (reader, now) = (house.store.reader(), house.clock.now());
    for prefix in [SCOUT, ROOM, CARD, NOTICE] {
        let behind = match prefix {
            ROOM | CARD => !store::followers_behind(&reader, prefix, now, 1).await?.is_empty(),
            _ => !store::followers_due(&reader, prefix, now, 1).await?.is_empty(),
        };
        if behind || store::followers_claimed(&reader, prefix).await? > 0 {
            return Ok(false);
        }
    }
    Ok(store::follower_find(&reader, SCOUT).await?.is_some())
}

/// When the next of them is due by the clock.
///
/// # Errors
/// The store's.
pub async fn next_due(house: &House) -> Result<Option<Time>, FlowError> {
    if house.now_live().chat.is_none() {
        return Ok(None);
    }
    let mut next: Option<Time> = None;
    for prefix in [ROOM, CARD, NOTICE] {
        let due = store::followers_next_due(&house.store.reader(), prefix).await?;
        next = [next, due].into_iter().flatten().min();
    }
    Ok(next)
}

/// Tells what a follower has to tell, holding its lease while it takes.
///
/// # Errors
/// The store's. What was told by then is written down; the rest is told when the lease has passed.
pub async fn tell(house: &House, claimed: Claimed) -> Result<(), FlowError> {
    let Claimed(mut row) = claimed;
    let held = row.clone();
    let work = round(house, &mut row);
    tokio::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => return outcome,
            // Leases run in real time, whatever clock the rest goes by.
            () = tokio::time::sleep(limits::LEASE_RENEW.as_duration()) => {
                if let Err(error) = store::follower_renew(&house.store, &held).await {
                    tracing::warn!(%error, follower = held.name, "the lease of a follower could not be renewed");
                }
            }
        }
    }
}

async fn round(house: &House, row: &mut FollowerRow) -> Result<(), FlowError> {
    let live = house.now_live();
    let Some(chat) = live.chat.clone() else { return settle(house, row, Next::Idle).await };
    let teller = Teller { house, live, chat };
    let next = if let Some(id) = row.name.strip_prefix(ROOM).map(IncidentId::from_text) {
        teller.room(row, &id).await?
    } else if let Some(id) = row.name.strip_prefix(CARD).map(IncidentId::from_text) {
        teller.card(row, &id).await?
    } else if let Some(rest) = row.name.strip_prefix(NOTICE).map(str::to_owned) {
        teller.notice(row, &rest).await?
    } else {
        return teller.scout(row).await;
    };
    settle(house, row, next).await
}

/// Writes down how a round ended.
async fn settle(house: &House, row: &mut FollowerRow, next: Next) -> Result<(), FlowError> {
    let now = house.clock.now();
    let (tries, due_at, done) = match &next {
        Next::Idle | Next::Remove => (0, Time(0), false),
        Next::At(at) => (0, *at, false),
        Next::Done => (0, Time(0), true),
        Next::Failed(error) => {
            // The first failure is worth a line; what lasts is the business of the workspace's health.
            if row.tries == 0 {
                tracing::warn!(%error, follower = row.name, "Slack was not told; it is tried again");
            } else {
                tracing::debug!(%error, follower = row.name, tries = row.tries + 1, "Slack was not told");
            }
            (row.tries + 1, now + wait(error, row.tries, limits::SLACK_RETRY_MOST), false)
        }
    };
    (row.tries, row.due_at, row.done) = (tries, due_at, done);
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    store::follower_save(&mut tx, row).await?;
    if matches!(next, Next::Remove) {
        store::follower_remove(&mut tx, &row.name).await?;
    }
    let subject = row.name.strip_prefix(ROOM).or_else(|| row.name.strip_prefix(CARD)).map(IncidentId::from_text);
    // Looked at with the row in hand: whoever revives it for a later fact waits for this commit.
    if let (true, Some(id)) = (row.done, subject)
        && !store::facts_of(&house.store.reader(), &id, row.seq, 1).await?.is_empty()
    {
        tx.rollback().await?;
        row.done = false;
        let mut tx = house.store.begin(WriteLane::Rest).await?;
        store::follower_save(&mut tx, row).await?;
        tx.commit().await?;
        house.bells.chat.ring();
        return Ok(());
    }
    tx.commit().await?;
    Ok(())
}

/// How long to leave Slack alone: as long as it asks, else longer each time, `most` at the most.
pub(super) fn wait(error: &ChatError, tries: i64, most: Span) -> Span {
    match error {
        ChatError::RateLimited { after } => *after,
        ChatError::NameTaken
        | ChatError::ChannelGone(_)
        | ChatError::MessageGone
        | ChatError::Unauthorised(_)
        | ChatError::Refused(_)
        | ChatError::Unreachable(_) => {
            let doubled = limits::SLACK_RETRY_LEAST.0.saturating_mul(1 << tries.clamp(0, 20));
            Span(doubled).min(most)
        }
    }
}

struct Teller<'a> {
    house: &'a House,
    live: Arc<Live>,
    chat: Chat,
}

impl Teller<'_> {
    /// Reads the facts of all incidents, and starts and wakes those who tell them.
    async fn scout(&self, row: &mut FollowerRow) -> Result<(), FlowError> {
        loop {
            let facts = store::facts_after(&self.house.store.reader(), row.seq, FACTS).await?;
            let more = i64::try_from(facts.len()).is_ok_and(|n| n == FACTS);
            let oldest = self.house.clock.now() - limits::SLACK_LOOKS_BACK;
            let mut tx = self.house.store.begin(WriteLane::Rest).await?;
            for store::FactRow { seq, fact } in &facts {
                row.seq = *seq;
                if fact.at < oldest {
                    continue;
                }
                let id = &fact.incident;
                if let What::RoomWanted { .. } = &fact.what {
                    store::follower_add(&mut tx, &format!("{ROOM}{id}"), 0).await?;
                }
                if let What::NoticeWanted { place: Place::Slack(channel), .. } = &fact.what {
                    store::follower_add(&mut tx, &format!("{NOTICE}{channel}:{id}:{seq}"), *seq - 1).await?;
                }
                if let What::IncidentOpened { .. } | What::IncidentDeclared { kind: Kind::Real, .. } = &fact.what
                    && self.chat.announce.is_some()
                {
                    store::follower_add(&mut tx, &format!("{CARD}{id}"), 0).await?;
                }
                if is_worth_telling(&fact.what) || moves_the_board(&fact.what) {
                    store::follower_revive(&mut tx, &format!("{ROOM}{id}")).await?;
                    store::follower_revive(&mut tx, &format!("{CARD}{id}")).await?;
                }
            }
            (row.due_at, row.tries) = (Time(0), 0);
            if more {
                store::follower_advance(&mut tx, row).await?;
                tx.commit().await?;
                continue;
            }
            store::follower_save(&mut tx, row).await?;
            tx.commit().await?;
            if !facts.is_empty() {
                self.house.bells.chat.ring();
            }
            return Ok(());
        }
    }

    /// Tells one place once, because a step named it: `channel:inc_…:seq`.
    async fn notice(&self, row: &mut FollowerRow, rest: &str) -> Result<Next, FlowError> {
        let mut parts = rest.splitn(3, ':');
        let (Some(channel), Some(id)) = (parts.next(), parts.next().map(IncidentId::from_text)) else { return Ok(Next::Remove) };
        let Some(seen) = self.look(&id, None).await? else { return Ok(Next::Remove) };
        let (message, mark) = (crate::chat::blocks::announcement(&seen.card), row.name.clone());
        let mut state: Notice = state_of(row)?;
        match self.post_once(row, &mut state, |state| &mut state.trying, channel, &mark, &message).await? {
            Ok(_) => Ok(Next::Remove),
            Err(error @ (ChatError::RateLimited { .. } | ChatError::Unreachable(_) | ChatError::Unauthorised(_))) => {
                self.keep(row, &state).await?;
                Ok(Next::Failed(error))
            }
            Err(error) => {
                tracing::error!(%error, follower = row.name, "a place that a step names cannot be told");
                let text = format!("The step's notice could not be posted to slack:{channel}: {error}");
                self.record(&id, What::NoteAdded { text, at: None }).await?;
                Ok(Next::Remove)
            }
        }
    }

    /// The incident as it is shown now; `None` when there is none.
    async fn look(&self, id: &IncidentId, update: Option<&String>) -> Result<Option<Seen>, FlowError> {
        let reader = self.house.store.reader();
        let Some(incident) = store::incident_find(&reader, id).await? else { return Ok(None) };
        let viewer = Viewer::Token { name: SCOUT.to_owned(), scope: Scope::Read, acts_as: None };
        let pages = reader.incident_pages(&viewer, incident.number).await?;
        let reaching: Vec<Reaching> = match incident.state {
            IncidentState::Triggered => pages
                .iter()
                .filter(|page| matches!(page.state, PageState::Waiting | PageState::Ringing))
                .map(|page| Reaching { user: page.user.clone(), by: page.under_way() })
                .collect(),
            IncidentState::Acknowledged | IncidentState::Resolved => Vec::new(),
        };
        let tasks = reader.board(&viewer, incident.number).await?;
        let names = Names::of(&self.live.setup);
        let mut card = card_of(&self.live, &incident, &reaching, &names, update);
        card.roll_call = roll_call(&incident, &pages, &names);
        let rows = tasks.iter().map(|task| row_of(task, &names)).collect();
        Ok(Some(Seen { incident, card, rows }))
    }

    /// Posts once: the try is written down before it is made, and one whose answer was lost is looked for before there is another.
    async fn post_once<T: Serialize + Send + Sync>(
        &self,
        row: &mut FollowerRow,
        state: &mut T,
        trying: for<'s> fn(&'s mut T) -> &'s mut Option<Trying>,
        room: &str,
        mark: &str,
        message: &Message,
    ) -> Result<Result<(String, String), ChatError>, FlowError> {
        if let Some(tried) = trying(state).clone().filter(|tried| tried.mark == mark) {
            match self.chat.find(room, mark, tried.at).await {
                Ok(Some(ts)) => {
                    *trying(state) = None;
                    return Ok(Ok((room.to_owned(), ts)));
                }
                Ok(None) => {}
                Err(error @ (ChatError::RateLimited { .. } | ChatError::Unreachable(_) | ChatError::Unauthorised(_))) => {
                    return Ok(Err(error));
                }
                Err(error) => {
                    tracing::warn!(%error, room, mark, "whether a message stands in Slack cannot be seen; it may stand there twice");
                }
            }
        } else {
            *trying(state) = Some(Trying { mark: mark.to_owned(), at: self.house.clock.now() });
            self.keep(row, state).await?;
        }
        let mut sent = self.chat.post(room, mark, message).await;
        // The rooms of the workspace's own are open to the bot, if only it goes in.
        if matches!(sent, Err(ChatError::ChannelGone(_))) && self.chat.join(room).await.is_ok() {
            sent = self.chat.post(room, mark, message).await;
        }
        if !matches!(sent, Err(ChatError::Unreachable(_))) {
            *trying(state) = None;
        }
        Ok(sent)
    }

    /// Writes a fact of our own into the incident's timeline.
    async fn record(&self, id: &IncidentId, what: What) -> Result<(), FlowError> {
        act::record(self.house, id, what).await
    }

    /// Writes down how far a follower is, and goes on.
    async fn keep<T: Serialize + Sync>(&self, row: &mut FollowerRow, state: &T) -> Result<(), FlowError> {
        row.state = save::json("follower's state", state)?;
        let mut tx = self.house.store.begin(WriteLane::Rest).await?;
        store::follower_advance(&mut tx, row).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A post that is being tried: whether it stands there is not known until its answer is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Trying {
    mark: String,
    at: Time,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Notice {
    trying: Option<Trying>,
}

/// An incident as it is shown.
struct Seen {
    incident: Incident,
    card: Card,
    rows: Vec<Row>,
}

fn state_of<T: DeserializeOwned>(row: &FollowerRow) -> Result<T, FlowError> {
    serde_json::from_str(&row.state).map_err(|error| FlowError::Unreadable("follower's state", error.to_string()))
}

fn digest(message: &Message) -> Result<String, FlowError> {
    Ok(digest_hex(save::json("message", message)?.as_bytes()))
}

/// Where an incident's page lies, for links.
pub(super) fn incident_url(live: &Live, incident: &Incident) -> Option<String> {
    live.public_url.as_ref().map(|url| format!("{}/incidents/{}", url.trim_end_matches('/'), incident.number.0))
}

fn card_of(live: &Live, incident: &Incident, reaching: &[Reaching], names: &Names, update: Option<&String>) -> Card {
    let standing = Standing {
        state: incident.state,
        severity: incident.severity,
        acknowledged_by: incident.acknowledged_by.as_ref(),
        resolved_by: incident.resolved_by.as_ref(),
        resolved_because: None,
        lapses_at: None,
        snoozed_until: incident.response.snoozed_until,
        hush: incident.response.silence.as_ref().filter(|_| incident.response.is_hushed),
        inhibited: incident.response.inhibited.as_ref().filter(|_| incident.response.is_hushed),
        run: incident.run.as_ref(),
    };
    let alerts = match (incident.alerts_count, incident.firing_count) {
        (0, _) => String::new(),
        (all, firing) => format!("{}, {firing} firing", count_of(all, "alert", "alerts")),
    };
    Card {
        number: incident.number,
        title: incident.title.clone(),
        service: live.setup.services.get(&incident.service).map(|service| service.name.clone()),
        severity: incident.severity,
        state: incident.state,
        opened_at: incident.opened_at,
        now: line::now(standing, reaching, names).plain(),
        roles: incident.response.roles.iter().map(|(role, user)| (role.name(), names.user(user).to_owned())).collect(),
        alerts,
        room: match &incident.response.room {
            Room::Open { room, .. } => Some(room.clone()),
            Room::None | Room::Wanted => None,
        },
        url: incident_url(live, incident),
        update: update.cloned(),
        roll_call: Vec::new(),
    }
}

/// Who was paged, and what came of it: the answered first, then those being reached, then those who were not.
fn roll_call(incident: &Incident, pages: &[PageView], names: &Names) -> Vec<(&'static str, String)> {
    // A person may have had several pages: what counts is the best that came of them.
    let mut people: BTreeMap<&UserId, (u8, &'static str)> = BTreeMap::new();
    for page in pages {
        // Answered through another door than the phone, it is answered all the same.
        let has_it = incident.acknowledged_by.as_ref().and_then(Actor::user) == Some(&page.user);
        let word = match page.state {
            PageState::Acknowledged => (0, "answered"),
            _ if has_it => (0, "answered"),
            PageState::Ringing | PageState::Waiting => (1, "being reached"),
            PageState::Failed => (2, "not reached"),
            PageState::Ended if page.attempts.is_empty() => continue,
            PageState::Ended => (3, "not answered"),
        };
        let known = people.entry(&page.user).or_insert(word);
        *known = (*known).min(word);
    }
    let mut words: BTreeMap<(u8, &'static str), Vec<&str>> = BTreeMap::new();
    for (user, word) in people {
        words.entry(word).or_default().push(names.user(user));
    }
    words.into_iter().map(|((_, word), people)| (word, people.join(", "))).collect()
}

/// A task as the board shows it.
pub(super) fn row_of(task: &crate::domain::task::Task, names: &Names) -> Row {
    Row {
        n: task.n,
        title: task.title.clone(),
        owner: task.owner.as_ref().map(|owner| names.user(owner).to_owned()),
        state: task.state,
        since: task.changed_at,
        blocked_on: task.blocked_on.as_ref().map(|on| names.user(&UserId::from(on.as_str())).to_owned()),
        back_at: task.back_at,
    }
}

/// Whether the line that says who is being called reads otherwise now, though nothing is told of it in the room.
const fn moves_the_board(what: &What) -> bool {
    matches!(
        what,
        What::PageOpened { .. }
            | What::PageEnded { .. }
            | What::PageTakenOver { .. }
            | What::PageLeft { .. }
            | What::PhoneRang { .. }
            | What::CallEnded { .. }
    )
}

/// Whether people in the room want to read it. Each try to reach somebody stands in the timeline on the web.
const fn is_worth_telling(what: &What) -> bool {
    match what {
        What::IncidentOpened { .. }
        | What::IncidentDeclared { .. }
        | What::AlertsJoined { .. }
        | What::AlertsRefired { .. }
        | What::AlertsResolved { .. }
        | What::AlertsSilenced { .. }
        | What::RelevanceMarked { .. }
        | What::MarkTakenBack { .. }
        | What::NoiseWorse { .. }
        | What::AlertsInhibited { .. }
        | What::AlertsUninhibited { .. }
        | What::IncidentInhibited { .. }
        | What::AlertsWaited { .. }
        | What::AlertsOutlasted { .. }
        | What::AlertsNew { .. }
        | What::AlertsRising { .. }
        | What::AlertsFlapping { .. }
        | What::AlertsSteady { .. }
        | What::AlertsUnsilenced { .. }
        | What::SilenceExtended { .. }
        | What::IncidentSilenced { .. }
        | What::SeverityRaised { .. }
        | What::SeverityChanged { .. }
        | What::TitleChanged { .. }
        | What::RoleChanged { .. }
        | What::NoteAdded { .. }
        | What::UpdatePosted { .. }
        | What::TaskAdded { .. }
        | What::TaskChanged { .. }
        | What::StepStarted { .. }
        | What::StepSkipped { .. }
        | What::PolicyExhausted
        | What::PagedWider { .. }
        | What::PageFailed { .. }
        | What::IncidentAcknowledged { .. }
        | What::AcknowledgementLapsed
        | What::LapseAsked { .. }
        | What::IncidentSnoozed { .. }
        | What::SnoozeEnded
        | What::IncidentReassigned { .. }
        | What::PageAsked { .. }
        | What::ResolveAsked { .. }
        | What::IntegrationWentSilent { .. }
        | What::IncidentEscalated
        | What::IncidentResolved { .. }
        | What::IncidentReopened { .. }
        | What::IncidentMerged { .. }
        | What::IncidentTakenIn { .. }
        | What::EndedWith { .. }
        | What::IncidentSplitOff { .. }
        | What::IncidentSplit { .. }
        | What::IncidentUnmerged { .. }
        | What::LinkSuspected { .. }
        | What::IncidentReminded { .. }
        | What::ServiceInvolved { .. }
        | What::StormBegan { .. }
        | What::StormEnded
        | What::ContactClosed { .. } => true,
        What::NoiseChanged { .. }
        | What::RoomWanted { .. }
        | What::IncidentRouted { .. }
        | What::RoomOpened { .. }
        | What::NoticeWanted { .. }
        | What::PolicyStarted { .. }
        | What::PageOpened { .. }
        | What::PageTakenOver { .. }
        | What::PageLeft { .. }
        | What::PageRestarted { .. }
        | What::PageAnswered { .. }
        | What::PageEnded { .. }
        | What::AcknowledgementRenewed { .. }
        | What::PageUnhelpful { .. }
        | What::AttemptPlaced { .. }
        | What::AttemptAccepted { .. }
        | What::AttemptRejected { .. }
        | What::AttemptUnknown { .. }
        | What::AttemptWithdrawn { .. }
        | What::PhoneRang { .. }
        | What::MessageDelivered { .. }
        | What::MessageUndelivered { .. }
        | What::PhonePickedUp { .. }
        | What::CallEnded { .. }
        | What::CallSilent { .. }
        | What::CallHeld { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_is_left_alone_as_long_as_it_asks_and_longer_each_time_where_it_does_not() {
        let wait = |error: &ChatError, tries| wait(error, tries, limits::SLACK_RETRY_MOST);
        let limited = ChatError::RateLimited { after: Span::seconds(30) };
        assert_eq!((wait(&limited, 0), wait(&limited, 9)), (Span::seconds(30), Span::seconds(30)));
        let broken = ChatError::Unreachable("down".to_owned());
        let waits: Vec<i64> = (0..10).map(|tries| wait(&broken, tries).as_seconds()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(wait(&broken, i64::MAX), limits::SLACK_RETRY_MOST);
    }
}
