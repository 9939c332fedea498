//! The telephone company: it takes calls, refuses, hangs and lies; and the people at the other end.

use reveille::base::id::{AttemptId, UserId};
use reveille::base::time::{Span, Time};
use reveille::domain::input::{CallEnd, News};

use super::dice::Dice;

/// How this world's provider and people are, in percent.
#[derive(Debug, Clone)]
pub struct Mood {
    pub rejects: u64,
    pub hangs: u64,
    pub lies: u64,
    /// Answers only when asked.
    pub mute: u64,
    pub drops_callback: u64,
    pub doubles_callback: u64,
    pub delays_callback: u64,
    pub ask_hangs: u64,
    pub answers: u64,
    pub voicemail: u64,
    /// Of those who answer: how many press a key.
    pub presses: u64,
    pub keys: Vec<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Acknowledge,
    Escalate,
    Resolve,
    Unhelpful,
}

impl Mood {
    pub fn any(dice: &mut Dice) -> Self {
        let wild = dice.percent(60);
        let mut often = |most: u64| if wild && dice.percent(50) { dice.roll() % (most + 1) } else { 0 };
        Self {
            rejects: often(60),
            hangs: often(50),
            lies: often(50),
            mute: often(50),
            drops_callback: often(60),
            doubles_callback: often(50),
            delays_callback: often(50),
            ask_hangs: often(60),
            answers: *dice.pick(&[0, 10, 30, 60]),
            voicemail: *dice.pick(&[10, 50, 100]),
            presses: *dice.pick(&[0, 30, 80]),
            keys: vec![Key::Acknowledge, Key::Acknowledge, Key::Acknowledge, Key::Escalate, Key::Resolve, Key::Unhelpful],
        }
    }

    /// The morning after: everything works and people resolve what wakes them.
    pub fn calm() -> Self {
        Self {
            rejects: 0,
            hangs: 0,
            lies: 0,
            mute: 0,
            drops_callback: 0,
            doubles_callback: 0,
            delays_callback: 0,
            ask_hangs: 0,
            answers: 90,
            voicemail: 50,
            presses: 95,
            keys: vec![Key::Resolve],
        }
    }
}

/// What becomes of one request to place a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Accepted,
    Rejected,
    /// Taken, and nothing rings.
    Lie,
    /// No answer comes; placed or not.
    Hang {
        placed: bool,
    },
}

impl Fate {
    pub fn of(mood: &Mood, dice: &mut Dice) -> Self {
        if dice.percent(mood.rejects) {
            Self::Rejected
        } else if dice.percent(mood.hangs) {
            Self::Hang { placed: dice.percent(50) }
        } else if dice.percent(mood.lies) {
            Self::Lie
        } else {
            Self::Accepted
        }
    }
}

/// A call that the provider really has.
#[derive(Debug, Clone)]
pub struct Call {
    pub user: UserId,
    /// What the person's telephone does.
    pub now: Line,
    /// Its callbacks never come.
    pub mute: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Queued,
    Ringing,
    Talking,
    Over(CallEnd),
}

/// What happens next on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Rings,
    PickedUp,
    Key(Key),
    Ends(CallEnd),
}

impl Call {
    pub fn place(user: UserId, mute: bool) -> Self {
        Self { user, now: Line::Queued, mute }
    }

    /// The whole course of the call, as seconds and turns.
    pub fn course(mood: &Mood, dice: &mut Dice) -> Vec<(Span, Turn)> {
        if dice.percent(4) {
            return vec![(dice.millis(300, 2_000), Turn::Ends(*dice.pick(&[CallEnd::Failed, CallEnd::Busy])))];
        }
        let rings = dice.millis(500, 3_000);
        let mut course = vec![(rings, Turn::Rings)];
        let picks_up = rings + dice.millis(2_000, 25_000);
        if dice.percent(mood.answers) {
            course.push((picks_up, Turn::PickedUp));
            let mut at = picks_up + dice.millis(2_000, 15_000);
            if dice.percent(mood.presses) {
                course.push((at, Turn::Key(*dice.pick(&mood.keys))));
                at = at + dice.millis(1_000, 6_000);
            }
            course.push((at, Turn::Ends(CallEnd::Completed)));
        } else if dice.percent(mood.voicemail) {
            course.push((picks_up, Turn::PickedUp));
            course.push((picks_up + dice.millis(5_000, 40_000), Turn::Ends(CallEnd::Completed)));
        } else {
            course.push((rings + dice.millis(20_000, 45_000), Turn::Ends(CallEnd::NoAnswer)));
        }
        course
    }
}

/// What the provider says when asked about an attempt.
pub fn answer(attempt: &AttemptId, call: Option<&Call>, lied: bool, dice: &mut Dice) -> News {
    match call.map(|call| call.now) {
        Some(Line::Queued) => News::Accepted { provider_id: format!("CA-{attempt}") },
        Some(Line::Ringing) => News::Ringing,
        Some(Line::Talking) => News::PickedUp,
        Some(Line::Over(how)) => News::Ended(how),
        None if lied && dice.percent(50) => News::Accepted { provider_id: format!("CA-{attempt}") },
        None => News::NotFound { reason: "no such call".to_owned() },
    }
}

/// When a callback arrives, if it does; twice, sometimes.
pub fn arrivals(mood: &Mood, at: Time, dice: &mut Dice) -> Vec<Time> {
    if dice.percent(mood.drops_callback) {
        return Vec::new();
    }
    let mut one = || if dice.percent(mood.delays_callback) { at + dice.millis(1_000, 40_000) } else { at + dice.millis(20, 300) };
    let first = one();
    let second = one();
    if dice.percent(mood.doubles_callback) { vec![first, second] } else { vec![first] }
}
