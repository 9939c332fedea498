//! A day: an evening before it, so that everything has a past; and twenty-four hours in scenes, each with traffic and a mood of its own.

use reveille::base::id::{ContactId, IntegrationId};
use reveille::base::time::{Span, Time};
use reveille::domain::input::{Action, Signal};
use reveille::domain::setup::{AlertSeverity, Contact, ContactKind, Raise, Setup, User};

use super::dice::Dice;
use super::operator;
use super::plant::Bug;
use super::provider::Mood;
use super::world::{Event, World};

/// From the evening before to the first scene: long enough for a sender to be known.
const EVENING: Span = Span::hours(25);
pub const DAY: Span = Span::hours(24);
/// A day that has not come to rest after this many steps never will.
const MOST_STEPS: usize = 1_000_000;

/// What goes wrong beside the few keys of every hour. Each is a kind of its own, that may be heard of for the first time at any hour.
const WORDS: [&str; 8] = ["disk", "queue", "lease", "replica", "certificate", "cache", "mail", "clock"];

#[derive(Debug, Clone, Copy)]
enum Scene {
    Quiet,
    Ordinary,
    /// A monitor that comes and goes.
    Flaps,
    /// What is over before anybody is called.
    Passes,
    /// Senders that say the same again and again.
    Repeats,
    /// One cause, and a hundred alerts of it.
    Flood,
    /// A key that is heard of much more often than ever.
    Rises,
    /// Changes are announced, the setup is another one, and the server is started anew.
    Deploys,
    /// People press, assign, merge, split and declare.
    People,
    Silences,
    /// The telephone company refuses, hangs and lies.
    Outage,
    /// The server ends or stands still, at any point and again.
    Crashes,
    /// What is sent comes late, twice or in the wrong order.
    Echoes,
}

impl Scene {
    const ALL: [Self; 13] = [
        Self::Quiet,
        Self::Ordinary,
        Self::Flaps,
        Self::Passes,
        Self::Repeats,
        Self::Flood,
        Self::Rises,
        Self::Deploys,
        Self::People,
        Self::Silences,
        Self::Outage,
        Self::Crashes,
        Self::Echoes,
    ];
}

/// When a scene plays.
#[derive(Clone, Copy)]
struct Stage {
    from: Time,
    lasts: Span,
}

impl Stage {
    fn any(self, dice: &mut Dice) -> Time {
        self.from + Span(dice.between(0, self.lasts.0))
    }

    fn until(self) -> Time {
        self.from + self.lasts
    }
}

/// Whether three people can be called, and whether there are a few services and senders.
fn is_lively(setup: &Setup) -> bool {
    let has_phone = |user: &&User| user.contacts.iter().any(|contact| contact.kind.is_call());
    setup.users.values().filter(has_phone).count() >= 3 && setup.services.len() >= 2 && setup.integrations.len() >= 3
}

impl World {
    pub fn day(seed: u64, bug: Option<Bug>, trace: bool) -> Self {
        // No day begins as the hour of the same number does; and most have somebody to call, and something to call for.
        let mut worlds = (1..).map(|n: u64| Self::empty(seed ^ n << 32, bug, trace));
        let is_odd = seed % 8 == 7;
        let found = worlds.find(|world| is_odd || is_lively(&world.rows.setup));
        let mut world = found.unwrap_or_else(|| Self::empty(seed, bug, trace));
        world.most_steps = MOST_STEPS;
        if !is_odd {
            world.liven();
        }
        world.first_setup = world.rows.setup.clone();
        let evening = world.rows.now;
        let day = evening + EVENING;
        world.rows.setup.maintenance = operator::windows(&mut world.dice, day);
        world.the_evening_before(evening);
        let is_patient = world.dice.percent(25);
        let mut deck: Vec<Scene> = Vec::new();
        let mut from = day;
        while from < day + DAY {
            if deck.is_empty() {
                deck = Scene::ALL.to_vec();
            }
            let scene = deck.swap_remove(world.dice.below(deck.len()));
            let lasts = Span::minutes(world.dice.between(20, 60));
            world.stage(scene, Stage { from, lasts });
            // There are days on which nobody clears up.
            if !is_patient && world.dice.percent(60) {
                let old = Span::minutes(*world.dice.pick(&[0, 20, 60, 180]));
                world.schedule(from + lasts, Event::ClearsUp(old));
            }
            from += lasts;
        }
        if is_patient {
            world.the_long_one(day - Span::hours(1), from);
        }
        world.silent_until = from + Span::minutes(30);
        let mut at = evening;
        while at < from {
            at += Span::minutes(20);
            world.schedule(at, Event::Forget);
        }
        world.schedule(day - Span::minutes(30), Event::Maintenance);
        world.schedule(from, Event::Calm);
        world.schedule(from + Span::minutes(40), Event::LastOrders);
        world
    }

    /// Many have a second telephone, and every other service asks to be woken for what is remarkable.
    fn liven(&mut self) {
        let Self { dice, rows, .. } = self;
        for user in rows.setup.users.values_mut().filter(|user| !user.contacts.is_empty()) {
            if dice.percent(60) {
                let id = ContactId::from_text(format!("{}-second", user.id));
                user.contacts.push(Contact { id, kind: ContactKind::Voice, to: "+33700000000".to_owned(), closed: None });
            }
        }
        for service in rows.setup.services.values_mut().step_by(2) {
            service.raise = Raise { new: true, rising: true };
        }
    }

    /// Each sender is heard of, and all that it says is over before the night.
    fn the_evening_before(&mut self, evening: Time) {
        self.schedule(evening, Event::Mood(Mood::calm()));
        for integration in self.senders() {
            for n in 0..4 {
                for _ in 0..self.dice.between(1, 6) {
                    let at = evening + self.dice.millis(0, 1_500_000);
                    self.says(at, &integration, &format!("key{n}"), Action::Trigger, None);
                }
                self.says(evening + Span::minutes(26), &integration, &format!("key{n}"), Action::Resolve, None);
            }
        }
        self.schedule(evening + Span::minutes(50), Event::LastOrders);
    }

    /// What one sender has to say of it all day: an incident of its own would take in what comes for longer than any may.
    fn the_long_one(&mut self, from: Time, until: Time) {
        let sender = self.sender();
        let (mut at, mut n) = (from, 0);
        while at < until {
            self.says(at, &sender, &format!("node-of-{n}"), Action::Trigger, Some(AlertSeverity::Error));
            at += self.dice.millis(200_000, 580_000);
            n += 1;
        }
    }

    fn senders(&self) -> Vec<IntegrationId> {
        self.rows.setup.integrations.keys().cloned().collect()
    }

    fn sender(&mut self) -> IntegrationId {
        let senders = self.senders();
        self.dice.pick(&senders).clone()
    }

    fn words(integration: &IntegrationId, dedup_key: &str, action: Action, at: Time, severity: Option<AlertSeverity>) -> Signal {
        Signal {
            integration: integration.clone(),
            title: format!("{dedup_key} is wrong"),
            dedup_key: dedup_key.to_owned(),
            severity,
            action,
            at: Some(at),
            ends_at: None,
            url: None,
            labels: std::iter::once(("host".to_owned(), "web-1".to_owned())).collect(),
        }
    }

    fn says(&mut self, at: Time, integration: &IntegrationId, dedup_key: &str, action: Action, severity: Option<AlertSeverity>) {
        self.schedule(at, Event::Signals(vec![Self::words(integration, dedup_key, action, at, severity)]));
    }

    fn stage(&mut self, scene: Scene, stage: Stage) {
        let mood = Mood::any(&mut self.dice);
        self.schedule(stage.from, Event::Mood(mood.clone()));
        match scene {
            Scene::Quiet => self.traffic(stage, 1),
            Scene::Ordinary => self.traffic(stage, 40),
            Scene::Flaps => self.flaps(stage),
            Scene::Passes => self.passes(stage),
            Scene::Repeats => self.repeats(stage),
            Scene::Flood => self.flood(stage),
            Scene::Rises => self.rises(stage),
            Scene::Deploys => self.deploys(stage),
            Scene::People => {
                self.traffic(stage, 20);
                self.some(stage, 24, || Event::Somebody);
                self.some(stage, 3, || Event::Declares);
            }
            Scene::Silences => {
                self.traffic(stage, 24);
                self.some(stage, 8, || Event::Silences);
            }
            Scene::Outage => {
                let mut often = |most: i64| u64::try_from(self.dice.between(0, most)).unwrap_or_default();
                let (rejects, hangs, lies) = (often(100), often(100), often(100));
                self.schedule(stage.from, Event::Mood(Mood { rejects, hangs, lies, drops_callback: 60, ask_hangs: 80, ..mood }));
                self.traffic(stage, 24);
            }
            Scene::Crashes => self.crashes(stage),
            Scene::Echoes => self.echoes(stage),
        }
        // Whatever is played, somebody is there, something ends by itself and the clock is looked at.
        self.some(stage, 3, || Event::Somebody);
        self.some(stage, 3, || Event::Sweep);
        if self.dice.percent(15) {
            let (at, span) = (stage.any(&mut self.dice), self.dice.millis(100, 6_000));
            self.schedule(at, Event::Restart(span));
        }
    }

    /// Up to so many of these, at any time.
    fn some(&mut self, stage: Stage, most: usize, event: impl Fn() -> Event) {
        for _ in 0..=self.dice.below(most) {
            let at = stage.any(&mut self.dice);
            self.schedule(at, event());
        }
    }

    /// As in any hour, and now and then something that has a word of its own.
    fn traffic(&mut self, stage: Stage, most: usize) {
        for _ in 0..=self.dice.below(most) {
            let (at, sender) = (stage.any(&mut self.dice), self.sender());
            let many = 1 + self.dice.below(4);
            let signals: Vec<Signal> = (0..many).map(|_| self.signal(&sender, at, None)).collect();
            self.schedule(at, Event::Signals(signals));
        }
        if self.dice.percent(40) {
            let (at, sender, word) = (stage.any(&mut self.dice), self.sender(), *self.dice.pick(&WORDS));
            let severity = Some(*self.dice.pick(&[AlertSeverity::Warning, AlertSeverity::Warning, AlertSeverity::Error]));
            self.says(at, &sender, word, Action::Trigger, severity);
            let over = at + self.dice.millis(60_000, 7_200_000);
            self.says(over, &sender, word, Action::Resolve, None);
        }
    }

    fn flaps(&mut self, stage: Stage) {
        for _ in 0..=self.dice.below(4) {
            let (sender, key) = (self.sender(), format!("key{}", self.dice.below(4)));
            let severity = Some(*self.dice.pick(&AlertSeverity::ALL));
            let mut at = stage.any(&mut self.dice);
            while at < stage.until() {
                self.says(at, &sender, &key, Action::Trigger, severity);
                at += self.dice.millis(10_000, 60_000);
                self.says(at, &sender, &key, Action::Resolve, None);
                at += self.dice.millis(10_000, 60_000);
            }
        }
    }

    fn passes(&mut self, stage: Stage) {
        for _ in 0..=self.dice.below(16) {
            let (at, sender, key) = (stage.any(&mut self.dice), self.sender(), format!("key{}", self.dice.below(4)));
            let severity = *self.dice.pick(&AlertSeverity::ALL);
            self.says(at, &sender, &key, Action::Trigger, Some(severity));
            let over = at + self.dice.millis(3_000, 25_000);
            self.says(over, &sender, &key, Action::Resolve, None);
        }
    }

    fn repeats(&mut self, stage: Stage) {
        for _ in 0..=self.dice.below(2) {
            let (sender, key) = (self.sender(), format!("key{}", self.dice.below(4)));
            let severity = Some(*self.dice.pick(&AlertSeverity::ALL));
            let every = self.dice.millis(60_000, 300_000);
            let mut at = stage.from;
            while at < stage.until() {
                self.says(at, &sender, &key, Action::Trigger, severity);
                at += every;
            }
            self.says(stage.until(), &sender, &key, Action::Resolve, None);
        }
    }

    fn flood(&mut self, stage: Stage) {
        self.traffic(stage, 6);
        let (begins, sender) = (stage.any(&mut self.dice), self.sender());
        let many = *self.dice.pick(&[15, 40, 40, 120]);
        let severity = Some(*self.dice.pick(&[AlertSeverity::Error, AlertSeverity::Error, AlertSeverity::Critical]));
        let ends = begins + self.dice.millis(60_000, 5_400_000);
        let is_told = self.dice.percent(70);
        let mut n = 0;
        while n < many {
            let at = begins + self.dice.millis(0, 90_000);
            let batch: Vec<String> = (n..many.min(n + 1 + self.dice.below(40))).map(|n| format!("node-{n}")).collect();
            n += batch.len();
            let all =
                |action: &Action, at| batch.iter().map(|key| Self::words(&sender, key, action.clone(), at, severity)).collect::<Vec<_>>();
            let (fire, over) = (all(&Action::Trigger, at), all(&Action::Resolve, ends));
            self.schedule(at, Event::Signals(fire));
            if is_told {
                let at = ends + self.dice.millis(0, 30_000);
                self.schedule(at, Event::Signals(over));
            }
        }
        self.schedule(ends + Span::minutes(5), Event::Sweep);
    }

    fn rises(&mut self, stage: Stage) {
        self.traffic(stage, 3);
        for _ in 0..=self.dice.below(2) {
            let (sender, key) = (self.sender(), format!("key{}", self.dice.below(4)));
            let severity =
                Some(*self.dice.pick(&[AlertSeverity::Warning, AlertSeverity::Warning, AlertSeverity::Info, AlertSeverity::Error]));
            let mut at = stage.from + self.dice.millis(0, 300_000);
            for _ in 0..*self.dice.pick(&[25, 40, 90]) {
                self.says(at, &sender, &key, Action::Trigger, severity);
                at += self.dice.millis(2_000, 15_000);
            }
            let over = at + self.dice.millis(10_000, 1_800_000);
            self.says(over, &sender, &key, Action::Resolve, None);
        }
    }

    fn deploys(&mut self, stage: Stage) {
        self.traffic(stage, 16);
        for _ in 0..=self.dice.below(3) {
            let (at, sender) = (stage.any(&mut self.dice), self.sender());
            let change = Action::Change("release 17".to_owned());
            self.says(at, &sender, "release", change, None);
            let away = self.dice.millis(100, 6_000);
            self.schedule(at, Event::Restart(away));
            self.schedule(at + away, Event::SetupChanges);
            // What was changed shows within minutes.
            if self.dice.percent(60) {
                let at = at + self.dice.millis(5_000, 300_000);
                let signals = vec![self.signal(&sender, at, None)];
                self.schedule(at, Event::Signals(signals));
            }
        }
        if self.dice.percent(70) {
            self.schedule(stage.until(), Event::PutRight);
        }
    }

    fn crashes(&mut self, stage: Stage) {
        self.traffic(stage, 24);
        for _ in 0..=self.dice.below(6) {
            let mut at = stage.any(&mut self.dice);
            for _ in 0..*self.dice.pick(&[1, 1, 2, 5]) {
                let span = if self.dice.percent(20) { self.dice.millis(10_000, 90_000) } else { self.dice.millis(100, 6_000) };
                let event = if self.dice.percent(30) { Event::Freeze(span) } else { Event::Restart(span) };
                self.schedule(at, event);
                at += self.dice.millis(50, 20_000);
            }
        }
    }

    fn echoes(&mut self, stage: Stage) {
        for _ in 0..=self.dice.below(24) {
            let (at, sender) = (stage.any(&mut self.dice), self.sender());
            let signals = vec![self.signal(&sender, at, None)];
            let mut came = at;
            for _ in 0..=self.dice.below(3) {
                self.schedule(came, Event::Signals(signals.clone()));
                let most = *self.dice.pick(&[200, 30_000, 1_200_000]);
                came += self.dice.millis(10, most);
            }
        }
    }
}
