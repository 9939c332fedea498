//! One signal after the other on one desk: what all of a batch come to.

use super::flood::Flooding;
use crate::base::id::IntegrationId;
use crate::domain::decide::{Desk, Moment, SetTimer, State, Verdict, decide};
use crate::domain::fact::Fact;
use crate::domain::input::Input;
use crate::domain::routing::Routed;
use crate::domain::setup::Setup;

pub(super) struct Batch<'a> {
    setup: &'a Setup,
    pub(super) moment: Moment,
    /// Who sends more than is kept; a trial counts against nobody.
    pub(super) flooding: Option<Flooding<'a>>,
    pub(super) desk: Desk,
    pub(super) facts: Vec<Fact>,
    pub(super) timers: Vec<SetTimer>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(desk: Desk, setup: &'a Setup, moment: Moment, flooding: Option<Flooding<'a>>) -> Self {
        Self { setup, moment, flooding, desk, facts: Vec::new(), timers: Vec::new() }
    }

    pub(super) fn setup(&self) -> &'a Setup {
        self.setup
    }

    /// Decides one signal, let in or counted as one too many.
    pub(super) fn decide(&mut self, integration: &IntegrationId, routed: Routed) -> Verdict {
        let (routed, was) = match &mut self.flooding {
            Some(flooding) => {
                let (routed, was) = flooding.let_in(&self.desk, routed);
                (routed, Some(was))
            }
            None => (routed, None),
        };
        let desk = std::mem::take(&mut self.desk);
        let mut decision = decide(State::Desk(desk), &Input::Signal(routed), self.setup, &mut self.moment);
        self.desk = match decision.state {
            State::Desk(desk) => desk,
            State::Person(_) => Desk::default(),
        };
        if let (Some(flooding), Some(was)) = (&mut self.flooding, was) {
            flooding.decided(integration, &was, &mut decision.verdict);
        }
        self.facts.extend(decision.facts);
        self.timers.extend(decision.timers);
        decision.verdict
    }
}
