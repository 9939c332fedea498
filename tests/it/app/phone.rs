//! A person's telephone: it rings or it is silent, it is answered, and keys are pressed.

use std::collections::BTreeSet;

use reveille::base::time::{Span, Time};
use reveille::stage::{Call, CallStatus, Stage};

use super::{App, told};

/// One person's telephone.
pub struct Phone<'a> {
    pub(super) app: &'a mut App,
    pub(super) number: &'static str,
    pub(super) person: String,
}

impl<'a> Phone<'a> {
    pub(super) fn ringing(&self) -> Option<Call> {
        self.app
            .stage
            .calls()
            .into_iter()
            .find(|call| call.to == self.number && call.status == CallStatus::Ringing && !self.app.seen.contains(&call.sid))
    }

    /// It rings now, and the story had not noticed it before.
    pub async fn rings(self) -> Ringing<'a> {
        self.app.settle().await;
        // Calls of one moment leave one after the other, at the account's pace.
        for _ in 0..10 {
            if self.ringing().is_some() {
                break;
            }
            self.app.advance_to(self.app.clock.now() + Span::millis(1)).await;
        }
        let Some(call) = self.ringing() else {
            let calls = self.app.stage.calls();
            panic!("{}'s phone does not ring at {}; calls so far:\n{}", self.person, self.app.clock.now(), told(&calls));
        };
        self.app.seen.insert(call.sid.clone());
        Ringing { app: self.app, sid: call.sid }
    }

    /// It rings after exactly this long, to the second, and not before.
    pub async fn rings_after(self, span: &str) -> Ringing<'a> {
        // Seconds are whole here: what the account's pace added does not add up.
        let due = Time::from_seconds(self.app.clock.now().seconds()) + Span::parse(span).expect("a span");
        let known: BTreeSet<String> = self.app.stage.calls().into_iter().map(|call| call.sid).collect();
        self.app.advance_to(due - Span::seconds(1)).await;
        let early: Vec<Call> =
            self.app.stage.calls().into_iter().filter(|call| call.to == self.number && !known.contains(&call.sid)).collect();
        assert!(early.is_empty(), "{}'s phone rang before {span}:\n{}", self.person, told(&early));
        self.app.advance_to(due).await;
        self.rings().await
    }

    /// It is silent: no call to it that the story has not noticed.
    pub async fn is_silent(&self) {
        self.app.settle().await;
        let calls: Vec<Call> =
            self.app.stage.calls().into_iter().filter(|call| call.to == self.number && !self.app.seen.contains(&call.sid)).collect();
        assert!(calls.is_empty(), "{}'s phone rang:\n{}", self.person, told(&calls));
    }

    /// Whatever calls came are noticed, and not looked at one by one.
    pub fn takes_notice(self) {
        let calls = self.app.stage.calls().into_iter().filter(|call| call.to == self.number).map(|call| call.sid);
        self.app.seen.extend(calls);
    }

    /// How often it has rung in all.
    pub fn calls(&self) -> usize {
        self.app.stage.calls().iter().filter(|call| call.to == self.number).count()
    }
}

/// A call that somebody or something has picked up, or nobody.
pub struct Line {
    stage: Stage,
    pub sid: String,
}

impl Line {
    pub fn call(&self) -> Call {
        self.stage.calls().into_iter().find(|call| call.sid == self.sid).expect("the call")
    }

    /// Presses a key and gives what is said back.
    pub async fn press(&self, key: char) -> String {
        let before = self.call().spoken().len();
        self.stage.press(&self.sid, key).await.expect("it listens");
        self.call().spoken()[before..].join(" ")
    }

    pub fn said(&self) -> String {
        self.call().spoken().join(" ")
    }

    pub fn has_ended(&self) -> &Self {
        assert!(self.call().status.is_final(), "the call is {}", self.call().status);
        self
    }

    pub fn goes_on(&self) -> &Self {
        assert!(!self.call().status.is_final(), "the call is {}", self.call().status);
        self
    }
}

/// A call that rings.
pub struct Ringing<'a> {
    app: &'a mut App,
    sid: String,
}

impl Ringing<'_> {
    fn line(&self) -> Line {
        Line { stage: self.app.stage.clone(), sid: self.sid.clone() }
    }

    /// Picks up, presses a key, and gives what was said back.
    pub async fn press(self, key: char) -> String {
        let app = &*self.app;
        app.stage.answer(&self.sid).await.expect("it rings");
        let said = self.line().press(key).await;
        app.settle().await;
        said
    }

    /// Picks up and says nothing.
    pub async fn answer(self) -> Line {
        self.app.stage.answer(&self.sid).await.expect("it rings");
        self.app.settle().await;
        self.line()
    }

    /// Nobody is there; a machine picks up.
    pub async fn voicemail(self) -> Line {
        self.app.stage.voicemail(&self.sid).await.expect("it rings");
        self.app.settle().await;
        self.line()
    }

    pub async fn decline(self) -> Line {
        self.app.stage.decline(&self.sid).await.expect("it rings");
        self.app.settle().await;
        self.line()
    }

    /// Lets it ring.
    pub fn ignore(self) -> Line {
        self.line()
    }
}
