//! The incident's room: opened, named, its people asked in, its board pinned and kept, its timeline told in order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Next, Seen, Teller, Trying, digest, is_worth_telling, state_of};
use crate::base::id::{IncidentId, UserId};
use crate::base::limits;
use crate::base::time::Time;
use crate::chat::blocks::{Button, Message};
use crate::chat::{self, Channel, ChatError, blocks};
use crate::domain::fact::{Fact, What};
use crate::domain::incident::{Incident, IncidentRole, IncidentState, Room};
use crate::domain::input::Actor;
use crate::flows::FlowError;
use crate::render::line::{self, Names};
use crate::store::{self, FactRow, FollowerRow, WriteLane};

/// What the link to the incident's page is called.
const BOOKMARK: &str = "Incident page";

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// The room's id and its name.
    room: Option<(String, String)>,
    /// The name of the room that is being made: whether it is there is not known until the answer is written down.
    opening: Option<String>,
    topic: Option<String>,
    /// Whoever has to do with it.
    people: BTreeSet<UserId>,
    /// Of these, by their ids in Slack, whoever was asked in.
    invited: BTreeSet<String>,
    board: Option<String>,
    pinned: bool,
    bookmarked: bool,
    trying: Option<Trying>,
    /// Of the board as it reads there.
    digest: Option<String>,
    edited_at: Option<Time>,
    posted_at: Option<Time>,
    update: Option<String>,
    /// Somebody archived or deleted it: it is told nothing more, and no other is opened.
    gone: bool,
}

impl Teller<'_> {
    pub(super) async fn room(&self, row: &mut FollowerRow, id: &IncidentId) -> Result<Next, FlowError> {
        let mut state: State = state_of(row)?;
        // The facts before the incident: what the board shows is never older than what counts as told.
        let facts = store::facts_of(&self.house.store.reader(), id, row.seq, super::FACTS).await?;
        let last = facts.last().map_or(row.seq, |last| last.seq);
        for told in &facts {
            state.notice(&told.fact);
        }
        let Some(seen) = self.look(id, state.update.as_ref()).await? else { return Ok(Next::Done) };
        let is_over = seen.incident.state == IncidentState::Resolved;
        if state.gone || (is_over && state.room.is_none()) {
            // Over before Slack could be told: nobody needs a room any more.
            row.seq = last;
            self.keep(row, &state).await?;
            return Ok(Next::Done);
        }
        let outcome = self.keep_room(row, &mut state, &seen, &facts).await?;
        match outcome {
            Ok(None) => {
                row.seq = last;
                self.keep(row, &state).await?;
                Ok(if is_over { Next::Done } else { Next::Idle })
            }
            Ok(Some(at)) => {
                self.keep(row, &state).await?;
                Ok(Next::At(at))
            }
            Err(ChatError::ChannelGone(why)) => {
                state.gone = true;
                self.keep(row, &state).await?;
                let name = state.room.as_ref().map_or("", |(_, name)| name);
                let text = format!("The room #{name} is gone from Slack ({why}): nothing more is told there");
                self.record(id, What::NoteAdded { text, at: None }).await?;
                Ok(Next::Idle)
            }
            Err(error) => {
                self.keep(row, &state).await?;
                Ok(Next::Failed(error))
            }
        }
    }

    /// Everything that is not yet so is made so, in the order in which people want it. `Some`: there is more to tell then.
    async fn keep_room(
        &self,
        row: &mut FollowerRow,
        state: &mut State,
        seen: &Seen,
        facts: &[FactRow],
    ) -> Result<Result<Option<Time>, ChatError>, FlowError> {
        let incident = &seen.incident;
        let room = match &state.room {
            Some((room, _)) => room.clone(),
            None => match self.open_room(row, state, seen).await? {
                Ok(opened) => {
                    state.opening = None;
                    state.room = Some((opened.id.clone(), opened.name));
                    row.state = crate::flows::save::json("follower's state", &state)?;
                    let mut tx = self.house.store.begin(WriteLane::Rest).await?;
                    store::follower_advance(&mut tx, row).await?;
                    store::room_bind(&mut tx, &opened.id, &incident.id).await?;
                    tx.commit().await?;
                    opened.id
                }
                Err(error) => return Ok(Err(error)),
            },
        };
        if let Some((room, name)) = &state.room
            && incident.response.room != (Room::Open { room: room.clone(), name: name.clone() })
        {
            self.record(&incident.id, What::RoomOpened { room: room.clone(), name: name.clone() }).await?;
        }
        let board = match self.keep_board(row, state, seen, &room).await? {
            Ok(board) => board,
            Err(error) => return Ok(Err(error)),
        };
        let timeline = match self.tell_timeline(row, state, seen, &room, facts).await? {
            Ok(timeline) => timeline,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.keep_surroundings(state, seen, &room).await {
            return Ok(Err(error));
        }
        Ok(Ok([board, timeline].into_iter().flatten().min()))
    }

    /// Makes the room. One whose making was not answered is entered by its name, rather than that there are two of them.
    async fn open_room(&self, row: &mut FollowerRow, state: &mut State, seen: &Seen) -> Result<Result<Channel, ChatError>, FlowError> {
        let name = chat::room_name(seen.incident.number, &seen.incident.title);
        if state.opening.as_ref() == Some(&name) {
            let message = blocks::board(&seen.card, &seen.rows);
            // Slack takes a room's name only where something is posted, and says its id.
            match self.chat.post(&format!("#{name}"), &board_mark(row), &message).await {
                Ok((id, ts)) => {
                    (state.board, state.digest) = (Some(ts), Some(digest(&message)?));
                    return Ok(Ok(Channel { id, name }));
                }
                // It was not made, or it is somebody else's.
                Err(ChatError::ChannelGone(_)) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        state.opening = Some(name.clone());
        self.keep(row, state).await?;
        let opened = self.chat.open_room(&name).await;
        if !matches!(opened, Err(ChatError::Unreachable(_))) {
            state.opening = None;
        }
        Ok(opened)
    }

    /// The board is a level: whatever happened in between, it shows how things stand now.
    async fn keep_board(
        &self,
        row: &mut FollowerRow,
        state: &mut State,
        seen: &Seen,
        room: &str,
    ) -> Result<Result<Option<Time>, ChatError>, FlowError> {
        let message = blocks::board(&seen.card, &seen.rows);
        let now_reads = digest(&message)?;
        let now = self.house.clock.now();
        if state.board.is_some() && state.digest.as_ref() != Some(&now_reads) {
            if let Some(free_at) = state.edited_at.map(|at| at + limits::SLACK_PACE).filter(|free_at| *free_at > now) {
                return Ok(Ok(Some(free_at)));
            }
            match self.chat.edit(room, state.board.as_deref().unwrap_or_default(), &message).await {
                Ok(()) => (state.digest, state.edited_at) = (Some(now_reads.clone()), Some(now)),
                // Somebody took it away: a room needs its board, so there is a new one.
                Err(ChatError::MessageGone) => (state.board, state.pinned) = (None, false),
                Err(error) => return Ok(Err(error)),
            }
        }
        if state.board.is_none() {
            let mark = board_mark(row);
            match self.post_once(row, state, |state| &mut state.trying, room, &mark, &message).await? {
                Ok((_, ts)) => (state.board, state.digest, state.edited_at) = (Some(ts), Some(now_reads), Some(now)),
                Err(error) => return Ok(Err(error)),
            }
            self.keep(row, state).await?;
        }
        if let Some(board) = state.board.as_deref().filter(|_| !state.pinned) {
            match self.chat.pin(room, board).await {
                Ok(()) => state.pinned = true,
                Err(ChatError::Refused(why)) => {
                    tracing::warn!(why, room, "Slack does not pin the board");
                    state.pinned = true;
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(None))
    }

    /// The timeline's sentences are edges: each is told, in order, several in one message where they came together.
    async fn tell_timeline(
        &self,
        row: &mut FollowerRow,
        state: &mut State,
        seen: &Seen,
        room: &str,
        facts: &[FactRow],
    ) -> Result<Result<Option<Time>, ChatError>, FlowError> {
        let incident = &seen.incident;
        let names = Names::of(&self.live.setup);
        let worth: Vec<&FactRow> = facts.iter().filter(|told| is_worth_telling(&told.fact.what)).collect();
        let mut rest = worth.as_slice();
        while let Some(first) = rest.first() {
            let now = self.house.clock.now();
            if let Some(free_at) = state.posted_at.map(|at| at + limits::SLACK_PACE).filter(|free_at| *free_at > now) {
                return Ok(Ok(Some(free_at)));
            }
            let (message, taken) = if let Some(question) = self.question(&first.fact, incident, &names) {
                (question, 1)
            } else {
                // What asks for an answer is a message of its own.
                let plain = rest.iter().take_while(|told| self.question(&told.fact, incident, &names).is_none());
                let lines: Vec<(Time, String)> = plain.map(|told| (told.fact.at, sentence(&told.fact, &names))).collect();
                blocks::timeline(&lines)
            };
            let mark = format!("{} {}", row.name, first.seq);
            match self.post_once(row, state, |state| &mut state.trying, room, &mark, &message).await? {
                Ok(_) => {}
                // It would be refused for ever, and everything after it would wait.
                Err(ChatError::Refused(why))
                    if matches!(why.as_str(), "invalid_blocks" | "msg_too_long" | "msg_blocks_too_long" | "no_text") =>
                {
                    tracing::error!(why, room, seq = first.seq, "Slack does not take a part of the timeline; it is passed over");
                }
                Err(error) => return Ok(Err(error)),
            }
            row.seq = rest.get(taken.max(1) - 1).map_or(row.seq, |told| told.seq);
            state.posted_at = Some(now);
            // Written down at once: what was posted is not posted again.
            self.keep(row, state).await?;
            rest = rest.get(taken.max(1)..).unwrap_or_default();
        }
        let all = i64::try_from(facts.len()).is_ok_and(|n| n < super::FACTS);
        Ok(Ok((!all).then(|| self.house.clock.now())))
    }

    /// A fact that asks somebody something, with the buttons to answer by. What was answered meanwhile is not asked any more.
    fn question(&self, fact: &Fact, incident: &Incident, names: &Names) -> Option<Message> {
        let n = incident.number.0;
        let (whom, button) = if let What::LapseAsked { .. } = &fact.what
            && incident.state == IncidentState::Acknowledged
        {
            (incident.acknowledged_by.as_ref().and_then(Actor::user), Button::new("I am on it", format!("{n} ack")))
        } else if let What::ResolveAsked { .. } = &fact.what
            && incident.response.resolve_asked
        {
            (incident.response.roles.get(&IncidentRole::Lead), Button::new("Resolve", format!("{n} resolve")))
        } else {
            return None;
        };
        let slack = whom.and_then(|user| self.live.setup.users.get(user)?.slack.as_deref());
        let whom = slack.map(|id| format!("<@{}> ", blocks::escaped(id, 40))).unwrap_or_default();
        Some(blocks::answer(&[format!("{whom}{}", blocks::escaped(&sentence(fact, names), 500))], &[button.primary()]))
    }

    /// The topic, the link to the incident's page, and whoever belongs here.
    async fn keep_surroundings(&self, state: &mut State, seen: &Seen, room: &str) -> Result<(), ChatError> {
        let topic = blocks::topic(&seen.card);
        if state.topic.as_ref() != Some(&topic) {
            match self.chat.set_topic(room, &topic).await {
                Ok(()) => {}
                Err(ChatError::Refused(why)) => tracing::warn!(why, room, "Slack does not take the topic"),
                Err(error) => return Err(error),
            }
            state.topic = Some(topic);
        }
        if let Some(url) = seen.card.url.as_ref().filter(|_| !state.bookmarked) {
            match self.chat.bookmark(room, BOOKMARK, url).await {
                Ok(()) => {}
                Err(ChatError::Refused(why)) => tracing::warn!(why, room, "Slack does not take the bookmark"),
                Err(error) => return Err(error),
            }
            state.bookmarked = true;
        }
        let known = state.people.iter().filter_map(|user| self.live.setup.users.get(user)?.slack.clone());
        let wanted: BTreeSet<String> = known.filter(|id| !state.invited.contains(id)).collect();
        if !wanted.is_empty() {
            for (person, why) in self.chat.invite(room, &wanted).await? {
                tracing::warn!(person, why, room, "Slack does not let somebody into the room");
            }
            state.invited.extend(wanted);
        }
        Ok(())
    }
}

impl State {
    /// What a fact says about the room itself.
    fn notice(&mut self, fact: &Fact) {
        if let What::UpdatePosted { text } = &fact.what {
            self.update = Some(text.clone());
        }
        if let What::PageOpened { user, .. }
        | What::PageTakenOver { user, .. }
        | What::RoleChanged { user: Some(user), .. }
        | What::IncidentReassigned { to: user } = &fact.what
        {
            self.people.insert(user.clone());
        }
        if let What::TaskAdded { owner: Some(owner), .. } = &fact.what {
            self.people.insert(owner.clone());
        }
        if let What::TaskChanged { change, .. } = &fact.what {
            self.people.extend(change.owner.clone().flatten());
        }
        // Whoever does anything about it has joined in.
        self.people.extend(fact.actor.user().cloned());
    }
}

fn board_mark(row: &FollowerRow) -> String {
    format!("{} board", row.name)
}

/// A fact as the room reads it.
fn sentence(fact: &Fact, names: &Names) -> String {
    let told = line::of(fact, names);
    match &told.reason {
        Some(reason) => format!("{}: {reason}", told.plain()),
        None => told.plain(),
    }
}
