//! The announcement: one message for each real incident in the room that hears of all, edited in place as it moves.

use serde::{Deserialize, Serialize};

use super::{Next, Teller, Trying, digest, state_of};
use crate::base::id::IncidentId;
use crate::base::limits;
use crate::base::time::Time;
use crate::chat::ChatError;
use crate::chat::blocks;
use crate::chat::health::Part;
use crate::domain::fact::What;
use crate::domain::incident::IncidentState;
use crate::flows::FlowError;
use crate::store::{self, FollowerRow};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// Where it stands: the room and the message.
    message: Option<(String, String)>,
    /// Of the message as it reads there.
    digest: Option<String>,
    edited_at: Option<Time>,
    trying: Option<Trying>,
    update: Option<String>,
}

impl Teller<'_> {
    pub(super) async fn card(&self, row: &mut FollowerRow, id: &IncidentId) -> Result<Next, FlowError> {
        let mut state: State = state_of(row)?;
        // The facts before the incident: what is shown then is never older than what counts as told.
        let facts = store::facts_of(&self.house.store.reader(), id, row.seq, super::FACTS).await?;
        for told in &facts {
            if let What::UpdatePosted { text } = &told.fact.what {
                state.update = Some(text.clone());
            }
        }
        let told = facts.last().map_or(row.seq, |last| last.seq);
        let Some(seen) = self.look(id, state.update.as_ref()).await? else { return Ok(Next::Done) };
        let message = blocks::announcement(&seen.card);
        let now_reads = digest(&message)?;
        let now = self.house.clock.now();
        if state.digest.as_ref() != Some(&now_reads) {
            if let Some(free_at) = state.edited_at.map(|at| at + limits::SLACK_PACE).filter(|free_at| *free_at > now) {
                return Ok(Next::At(free_at));
            }
            let outcome = match (state.message.clone(), &self.chat.announce) {
                (Some((room, ts)), _) => self.chat.edit(&room, &ts, &message).await,
                (None, Some(room)) => {
                    let mark = row.name.clone();
                    let sent = self.post_once(row, &mut state, |state| &mut state.trying, room, &mark, &message).await?;
                    sent.map(|sent| state.message = Some(sent))
                }
                (None, None) => return Ok(Next::Done),
            };
            match outcome {
                Ok(()) => self.chat.health.is_well(Part::Announcements),
                // Somebody took it away, and it stays away.
                Err(ChatError::MessageGone) => return Ok(Next::Done),
                Err(error) => {
                    if let ChatError::ChannelGone(why) = &error {
                        let what = format!("the bot cannot write to the channel of announce ({why})");
                        self.chat.health.is_bad(
                            Part::Announcements,
                            &what,
                            "invite it there with /invite, or correct announce under [slack]",
                        );
                    }
                    self.keep(row, &state).await?;
                    return Ok(Next::Failed(error));
                }
            }
            state.digest = Some(now_reads);
            state.edited_at = Some(now);
        }
        row.seq = told;
        self.keep(row, &state).await?;
        Ok(match seen.incident.state {
            IncidentState::Resolved => Next::Done,
            IncidentState::Triggered | IncidentState::Acknowledged => Next::Idle,
        })
    }
}
