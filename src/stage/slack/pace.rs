//! How often Slack lets an app ask: so many calls of a method in a minute, by its tier, and about one message a second in a room.
//! The figures are those of <https://docs.slack.dev/apis/web-api/rate-limits>.

use std::collections::{HashMap, VecDeque};

use crate::base::time::{Span, Time};

const WINDOW: Span = Span::minutes(1);
/// Messages that one room takes at once before the second between them counts.
const BURST: i64 = 5;
const MESSAGE_EVERY: Span = Span::seconds(1);

/// The calls of one minute, by method, and when each room has caught up with its messages.
#[derive(Debug, Default)]
pub(super) struct Pace {
    calls: HashMap<String, VecDeque<Time>>,
    rooms: HashMap<String, Time>,
}

/// Calls of a method in one minute; `None` for those that are counted in another way.
fn tier(method: &str) -> Option<usize> {
    match method {
        "chat.postMessage" => None,
        "conversations.create"
        | "conversations.rename"
        | "conversations.archive"
        | "conversations.list"
        | "users.list"
        | "pins.add"
        | "pins.remove"
        | "pins.list"
        | "conversations.setTopic"
        | "conversations.setPurpose"
        | "bookmarks.add"
        | "bookmarks.edit"
        | "bookmarks.remove"
        | "reactions.remove" => Some(20),
        "conversations.members" | "chat.postEphemeral" | "users.info" | "views.open" | "views.update" | "auth.test" => Some(100),
        _ => Some(50),
    }
}

impl Pace {
    /// Lets a call through, or says after how many seconds it may come again. One that is turned away does not count.
    pub(super) fn admit(&mut self, method: &str, room: Option<&str>, now: Time) -> Result<(), u32> {
        let seconds = |span: Span| u32::try_from(span.as_seconds() + 1).unwrap_or(u32::MAX);
        let Some(most) = tier(method) else {
            let room = self.rooms.entry(room.unwrap_or_default().to_owned()).or_insert(now);
            // The room is behind by one message's time for each that it has not caught up with.
            let behind = room.since(now).max(Span::ZERO);
            if behind.0 >= MESSAGE_EVERY.0 * BURST {
                return Err(seconds(Span(behind.0 - MESSAGE_EVERY.0 * (BURST - 1))));
            }
            *room = now + behind + MESSAGE_EVERY;
            return Ok(());
        };
        let calls = self.calls.entry(method.to_owned()).or_default();
        while calls.front().is_some_and(|first| now.since(*first).0 >= WINDOW.0) {
            calls.pop_front();
        }
        match calls.front() {
            Some(first) if calls.len() >= most => Err(seconds((*first + WINDOW).since(now))),
            Some(_) | None => {
                calls.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_seconds(1_438_138_800);

    #[test]
    fn a_method_has_so_many_calls_in_a_minute() {
        let mut pace = Pace::default();
        for n in 0..20 {
            assert_eq!(pace.admit("conversations.create", None, START + Span::seconds(n)), Ok(()));
        }
        assert_eq!(pace.admit("conversations.create", None, START + Span::seconds(20)), Err(41));
        assert_eq!(pace.admit("conversations.archive", None, START + Span::seconds(20)), Ok(()), "each method has its own");
        assert_eq!(pace.admit("conversations.create", None, START + Span::seconds(61)), Ok(()));
    }

    #[test]
    fn a_room_takes_a_message_a_second_and_a_few_at_once() {
        let mut pace = Pace::default();
        let mut post = |room: &str, at: Time| pace.admit("chat.postMessage", Some(room), at);
        for _ in 0..5 {
            assert_eq!(post("C1", START), Ok(()));
        }
        assert_eq!(post("C1", START), Err(2));
        assert_eq!(post("C2", START), Ok(()), "each room has its own");
        assert_eq!(post("C1", START + Span::seconds(2)), Ok(()));
        assert_eq!(post("C1", START + Span::seconds(2)), Ok(()));
        assert!(post("C1", START + Span::seconds(2)).is_err());
    }
}
