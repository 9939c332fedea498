//! One saying is carried out, and what came of it is said.

use std::collections::BTreeMap;

use super::Answer;
use crate::base::id::{IncidentId, Number, ScheduleId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::base::viewer::{Role, Scope, Viewer};
use crate::base::written;
use crate::chat::blocks::{self, Button, escaped, named};
use crate::chat::inbound::{self, Asked, HELP, Paged, Person, Saying, Verb};
use crate::domain::decide::{Outcome, Verdict};
use crate::domain::incident::{Incident, IncidentRole, IncidentState, Kind, Room};
use crate::domain::input::{Act, Actor, Command, Declare, Via, Whom};
use crate::domain::matcher::{Matcher, Operator};
use crate::domain::reason::Reason;
use crate::domain::relevance::{Relevance, Stream};
use crate::domain::setup::{Setup, User};
use crate::domain::task::{TaskChange, TaskState};
use crate::domain::{local, oncall};
use crate::flows::house::{House, Live};
use crate::flows::{FlowError, act, announce, overrides};
use crate::render::line::{self, Names, count_of};
use crate::store::read::{IncidentFilter, IncidentView};
use crate::store::{self};

/// Sentences of the timeline that `why` shows.
const WHY_LINES: usize = 20;
/// Incidents that `list` shows.
const LISTED: i64 = 20;

/// Does what was asked, and says what came of it. What a person got wrong is an answer, not an error.
pub(super) async fn carry(house: &House, asked: &Asked) -> Result<Answer, FlowError> {
    let live = house.now_live();
    let Some(user) = live.setup.users.values().find(|user| user.slack.as_deref() == Some(&asked.user)) else {
        return Ok(stranger(&asked.user));
    };
    let here = store::room_incident(&house.store.reader(), &asked.channel).await?;
    let speaker = Speaker { house, live: &live, user, asked };
    let outcome = match inbound::parse(&asked.text, here.is_some() || asked.incident.is_some()) {
        Ok(saying) => speaker.obey(saying, here).await,
        Err(usage) => Ok(Answer { usage: Some(usage.clone()), ..Answer::of(escaped(&usage, 500)) }),
    };
    match outcome {
        Ok(answer) => Ok(answer),
        Err(Trouble::Said(sentence)) => Ok(Answer::of(sentence)),
        Err(Trouble::Flow(FlowError::Missing(what))) => Ok(Answer::of(format!("There is no {what}."))),
        Err(Trouble::Flow(FlowError::Refused(why))) => Ok(Answer::of(why)),
        Err(Trouble::Flow(error)) => Err(error),
    }
}

/// Somebody writes in the room of an acknowledged incident: it is not forgotten. Told at most once a minute, whatever is written.
pub(super) async fn sign_of_life(house: &House, slack_id: &str, channel: &str) -> Result<(), FlowError> {
    let live = house.now_live();
    let Some(user) = live.setup.users.values().find(|user| user.slack.as_deref() == Some(slack_id)) else { return Ok(()) };
    let reader = house.store.reader();
    let Some(id) = store::room_incident(&reader, channel).await? else { return Ok(()) };
    let Some(incident) = store::incident_find(&reader, &id).await? else { return Ok(()) };
    let lapse = live.setup.services.get(&incident.service).and_then(|service| service.ack_lapse).unwrap_or(limits::ACK_LAPSE);
    let is_due = incident.lapses_at.is_some_and(|at| at.since(house.clock.now()) < Span(lapse.0 - limits::SIGN_OF_LIFE_EVERY.0));
    if user.role >= Role::Responder && incident.state == IncidentState::Acknowledged && is_due {
        let command = Command { incident: id, actor: Actor::User(user.id.clone()), via: Via::Slack, act: Act::SignOfLife };
        act::act(house, command).await?;
    }
    Ok(())
}

fn stranger(id: &str) -> Answer {
    let id = escaped(id, 40);
    Answer::of(format!(
        "Reveille does not know you yet, so nothing was done. Ask an administrator to add `slack = \"{id}\"` to your user; then this works."
    ))
}

/// Which alerts are meant: by matchers, or by a title.
fn stream_of(text: &str) -> Result<(Stream, String), Trouble> {
    let text = written::line_within(text, limits::TITLE_CHARS);
    let is_title = !text.contains(['=', '~']);
    let read = if is_title { Matcher::new("alertname", Operator::Equal, &text).map(|one| vec![one]) } else { Matcher::parse_all(&text) };
    match read {
        Ok(matchers) if !matchers.is_empty() => Ok((Stream::Matchers(matchers), text)),
        Ok(_) => said("Write a title, or what matches: `noise alertname=~\"Disk.*\"`."),
        Err(why) => said(format!("This is no matcher, which looks like `alertname=\"DiskFull\"`: {}.", escaped(&why.text, 200))),
    }
}

/// Why something was not done.
enum Trouble {
    /// A sentence for the one who asked, as mrkdwn.
    Said(String),
    Flow(FlowError),
}

impl<E: Into<FlowError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Flow(error.into())
    }
}

fn said<T>(sentence: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Said(sentence.into()))
}

type Told = Result<Answer, Trouble>;

struct Speaker<'a> {
    house: &'a House,
    live: &'a Live,
    user: &'a User,
    asked: &'a Asked,
}

impl Speaker<'_> {
    async fn obey(&self, saying: Saying, here: Option<IncidentId>) -> Told {
        let Saying { incident, verb } = saying;
        let named = incident.or(self.asked.incident);
        match verb {
            Verb::Help => Ok(self.help()),
            Verb::List => self.list().await,
            Verb::Oncall => Ok(self.oncall()),
            Verb::New { title } => self.declare(&title).await,
            Verb::Override { who, from, to, schedule } => self.take_over(&who, &from, &to, schedule.as_deref()).await,
            Verb::Menu if named.is_none() && here.is_none() => self.menu_of_all().await,
            about_one => self.obey_on(self.subject(named, here).await?, about_one).await,
        }
    }

    /// What is said of one incident.
    async fn obey_on(&self, incident: Incident, verb: Verb) -> Told {
        match verb {
            Verb::Menu => Ok(menu_of(&incident)),
            Verb::Who => self.who(&incident).await,
            Verb::Why => self.why(&incident).await,
            Verb::Acknowledge => self.act(&incident, Act::Acknowledge).await,
            Verb::Resolve => self.act(&incident, Act::Resolve).await,
            Verb::Escalate => self.act(&incident, Act::Escalate).await,
            Verb::Reopen => self.act(&incident, Act::Reopen).await,
            Verb::Severity(to) => self.act(&incident, Act::SetSeverity { to }).await,
            Verb::Role { role, who } => {
                let user = who.map(|who| self.person(&who)).transpose()?;
                self.act(&incident, Act::SetRole { role, user }).await
            }
            Verb::Handover(who) => self.hand_over(&incident, &who).await,
            Verb::Task { title, owner, back_after } => {
                let owner = owner.map(|who| self.person(&who)).transpose()?;
                let back_at = back_after.map(|span| self.house.clock.now() + span);
                self.act(&incident, Act::AddTask { title: heading(&self.readable(&title)), owner, back_at }).await
            }
            Verb::Take(tasks) => {
                let change = TaskChange { owner: Some(Some(self.user.id.clone())), state: Some(TaskState::Doing), ..TaskChange::default() };
                self.change(&incident, &tasks, &change).await
            }
            Verb::Change { tasks, state, words } => self.change_state(&incident, &tasks, state, words).await,
            Verb::Note { text, at } => {
                let zone = &self.user.timezone;
                let at = at.and_then(|(hour, minute)| local::last_at(zone, &format!("{hour:02}:{minute:02}"), self.house.clock.now()));
                self.act(&incident, Act::AddNote { text: kept(&self.readable(&text)), at }).await
            }
            Verb::Update { text } => self.act(&incident, Act::PostUpdate { text: kept(&self.readable(&text)) }).await,
            Verb::Page(whom) => {
                let whom = self.whom(whom)?;
                self.act(&incident, Act::Page { whom }).await
            }
            Verb::Mark { relevance, text } => {
                let (stream, about) = stream_of(&text)?;
                self.act(&incident, Act::Mark { stream, relevance, about }).await
            }
            Verb::Unmark(n) => self.act(&incident, Act::Unmark { n }).await,
            Verb::Merge(into) => self.merge(&incident, into).await,
            Verb::Unmerge => self.act(&incident, Act::Unmerge).await,
            Verb::Snooze(span) => self.act(&incident, Act::Snooze { until: self.house.clock.now() + span }).await,
            Verb::Help | Verb::List | Verb::Oncall | Verb::New { .. } | Verb::Override { .. } => Ok(self.help()),
        }
    }

    /// The incident it is about: the one that was named, the room's, or the only open one.
    async fn subject(&self, named: Option<i64>, here: Option<IncidentId>) -> Result<Incident, Trouble> {
        let reader = self.house.store.reader();
        let id = match (named, here) {
            (Some(number), _) => match reader.incident_get(&viewer(), Number(number)).await? {
                Some(found) => found.id,
                None => return said(format!("There is no incident #{number}. `{} list` shows the open ones.", self.command())),
            },
            (None, Some(here)) => here,
            (None, None) => {
                let open = self.open().await?;
                match open.as_slice() {
                    [only] => only.id.clone(),
                    [] => return said("No incident is open, and none was named."),
                    several => {
                        let list: Vec<String> = several.iter().map(|incident| incident.number.to_string()).collect();
                        let first = several.last().map_or(1, |incident| incident.number.0);
                        return said(format!(
                            "Several incidents are open ({}). Say which: `{} ack {first}`, or ask in its room.",
                            list.join(", "),
                            self.command()
                        ));
                    }
                }
            }
        };
        store::incident_find(&reader, &id).await?.ok_or(Trouble::Flow(FlowError::Missing("such incident")))
    }

    async fn open(&self) -> Result<Vec<IncidentView>, Trouble> {
        let filter = IncidentFilter { states: vec![IncidentState::Triggered, IncidentState::Acknowledged], ..IncidentFilter::default() };
        let list = self.house.store.reader().incidents_list(&viewer(), &filter, None, LISTED).await?;
        Ok(list.items.into_iter().filter(|incident| incident.kind == Kind::Real.name()).collect())
    }

    /// Carries out one command and says what came of it.
    async fn act(&self, incident: &Incident, act: Act) -> Told {
        self.may_respond()?;
        let verdict = self.do_it(incident, act.clone()).await?;
        let now = store::incident_find(&self.house.store.reader(), &incident.id).await?;
        let now = now.as_ref().unwrap_or(incident);
        let mut answer = Answer::of(self.sentence(now, &act, &verdict));
        if matches!(act, Act::SetSeverity { .. }) && verdict.outcome != Outcome::Ignored && now.state == IncidentState::Acknowledged {
            answer.lines.push("Nobody is paged by that; page more people if you need them.".to_owned());
            answer.buttons.push(page_everyone(now.number));
        }
        Ok(answer)
    }

    async fn merge(&self, incident: &Incident, into: i64) -> Told {
        let other = self.subject(Some(into), None).await?;
        let mut answer = self.act(incident, Act::Merge { into: other.id.clone() }).await?;
        let went = store::incident_find(&self.house.store.reader(), &incident.id).await?;
        if went.is_some_and(|incident| incident.response.merged_into.as_ref() == Some(&other.id)) {
            answer.lines.push(match &other.response.room {
                Room::Open { room, .. } => format!("It goes on in <#{room}>, with {}.", named(other.number, &other.title)),
                Room::None | Room::Wanted => format!("It goes on with {}.", named(other.number, &other.title)),
            });
            answer.buttons.push(Button::new("Take it back", format!("{} unmerge", incident.number.0)));
        }
        Ok(answer)
    }

    async fn do_it(&self, incident: &Incident, act: Act) -> Result<Verdict, Trouble> {
        let command = Command { incident: incident.id.clone(), actor: Actor::User(self.user.id.clone()), via: Via::Slack, act };
        Ok(act::act(self.house, command).await?)
    }

    fn sentence(&self, incident: &Incident, act: &Act, verdict: &Verdict) -> String {
        let it = named(incident.number, &incident.title);
        let names = Names::of(&self.live.setup);
        if verdict.outcome == Outcome::Ignored {
            return match verdict.reason {
                Reason::AlreadyAcknowledged => {
                    let by = incident.acknowledged_by.as_ref().map_or_else(|| "somebody".to_owned(), |actor| names.actor(actor));
                    format!("{it} was acknowledged already, by {}. It counts as a sign of life.", escaped(&by, 80))
                }
                Reason::AlreadyResolved | Reason::NotOpen => {
                    format!("{it} is resolved already. `{} reopen {}` opens it again.", self.command(), incident.number.0)
                }
                Reason::NoSuchTask => format!("{it} has no task of that number. `{} who` shows them.", self.command()),
                Reason::NothingToDecide => format!("{it} is so already; nothing was changed."),
                reason => format!("{it}: nothing was changed, because {}.", escaped(reason.sentence(), 200)),
            };
        }
        let who = |user: &UserId| escaped(names.user(user), 80);
        match act {
            Act::Acknowledge | Act::Unhelpful => {
                let lapse = incident.lapses_at.map(|at| format!(" Without a sign of life it pages again {}.", blocks::date(at)));
                format!("{it} is acknowledged; nobody is paged for it any more.{}", lapse.unwrap_or_default())
            }
            Act::Merge { .. } => format!("{it} is part of the other one now: its alerts and its pages are there."),
            Act::Unmerge => format!("{it} is an incident of its own again."),
            Act::Split { alerts, .. } => {
                let alerts = count_of(i64::try_from(alerts.len()).unwrap_or(i64::MAX), "alert has", "alerts have");
                format!("{it}: {alerts} an incident of their own.")
            }
            Act::SignOfLife => format!("{it}: good, you are still at it."),
            Act::Resolve => format!("{it} is resolved."),
            Act::Escalate => format!("{it}: the next step is paged now."),
            Act::Reopen => format!("{it} is open again, and pages."),
            Act::Reassign { to } => format!("{it} is {}'s now; they are paged.", who(to)),
            Act::Snooze { until } => format!("{it} is acknowledged until {}; then it pages again.", blocks::date(*until)),
            Act::SetSeverity { to } => format!("{it} is {} now.", to.name()),
            Act::SetRole { role, user: Some(user) } => format!("{it}: {} is {} now.", who(user), role.name()),
            Act::SetRole { role, user: None } => format!("{it}: nobody is {} now.", role.name()),
            Act::SetTitle { .. } => format!("It is called {it} now."),
            Act::Page { whom } => {
                let whom = match whom {
                    Whom::User(user) => who(user),
                    Whom::Policy(policy) => format!("the policy {}", escaped(policy.as_str(), 80)),
                    Whom::Everyone => "everyone".to_owned(),
                };
                format!("{it}: {whom} is paged.")
            }
            Act::Mark { relevance, about, .. } => {
                let n = incident.response.marked;
                let undo = format!("`{} unmark {n}` takes it back.", self.command());
                match relevance {
                    Relevance::Noise => format!("{it}: {} is noise now, and folds away. {undo}", escaped(about, 200)),
                    Relevance::Relevant => format!("{it}: {} is relevant. {undo}", escaped(about, 200)),
                }
            }
            Act::Unmark { n } => format!("{it}: mark {n} is taken back."),
            Act::AddNote { at, .. } => {
                format!("{it}: noted{}.", at.map_or_else(String::new, |at| format!(", as of {}", blocks::date(at))))
            }
            Act::PostUpdate { .. } => format!("{it}: the update is posted."),
            Act::AddTask { owner, .. } => {
                let owner = owner.as_ref().map_or_else(|| "nobody has it yet".to_owned(), |owner| format!("{} has it", who(owner)));
                format!("{it}: task {} is on the board; {owner}.", incident.response.tasks)
            }
            Act::ChangeTask { n, change } => {
                let state = change.state.map_or("changed", TaskState::name);
                format!("{it}: task {n} is {state}.")
            }
        }
    }

    async fn declare(&self, title: &str) -> Told {
        self.may_respond()?;
        let declare = Declare {
            actor: Actor::User(self.user.id.clone()),
            via: Via::Slack,
            title: heading(&self.readable(title)),
            severity: None,
            service: None,
            kind: Kind::Real,
            alert: None,
        };
        let verdict = act::declare(self.house, declare).await?;
        let id = verdict.incident.ok_or(Trouble::Flow(FlowError::Missing("such incident")))?;
        let reader = self.house.store.reader();
        let incident = store::incident_find(&reader, &id).await?.ok_or(Trouble::Flow(FlowError::Missing("such incident")))?;
        let mut answer = Answer::of(format!("{} is declared at {}.", named(incident.number, &incident.title), incident.severity.name()));
        if incident.run.is_none() {
            answer.lines.push("No service was named, so nobody is paged and you have it.".to_owned());
            answer.buttons.push(page_everyone(incident.number));
        }
        if let Some(url) = announce::incident_url(self.live, &incident) {
            answer.lines.push(format!("<{}|Timeline>", escaped(&url, 2_000)));
        }
        answer.room_of = match incident.response.room {
            Room::None => None,
            Room::Wanted | Room::Open { .. } => Some(id),
        };
        Ok(answer)
    }

    /// The lead, and with it what is open on the board of the one who hands over.
    async fn hand_over(&self, incident: &Incident, to: &Person) -> Told {
        self.may_respond()?;
        let to = self.person(to)?;
        self.do_it(incident, Act::SetRole { role: IncidentRole::Lead, user: Some(to.clone()) }).await?;
        let mine =
            self.tasks(incident).await?.into_iter().filter(|task| task.state.is_open() && task.owner.as_ref() == Some(&self.user.id));
        let mut handed = 0;
        for task in mine {
            let change = TaskChange { owner: Some(Some(to.clone())), ..TaskChange::default() };
            self.do_it(incident, Act::ChangeTask { n: task.n, change }).await?;
            handed += 1;
        }
        let names = Names::of(&self.live.setup);
        let tasks = if handed == 0 { String::new() } else { format!(", and has your {}", count_of(handed, "open task", "open tasks")) };
        Ok(Answer::of(format!("{}: {} is lead now{tasks}.", named(incident.number, &incident.title), escaped(names.user(&to), 80))))
    }

    async fn change_state(&self, incident: &Incident, tasks: &[i64], state: TaskState, words: Option<String>) -> Told {
        let blocked_on = match (state, &words) {
            (TaskState::Blocked, Some(words)) => Some(Some(self.waits_for(words))),
            (_, _) => None,
        };
        let mut answer = self.change(incident, tasks, &TaskChange { state: Some(state), blocked_on, ..TaskChange::default() }).await?;
        // What somebody says about a task that is over is worth a line of the timeline.
        if let (TaskState::Done | TaskState::Dropped, Some(words), Some(n)) = (state, words, tasks.first()) {
            let note = Act::AddNote { text: kept(&self.readable(&format!("Task {n}: {words}"))), at: None };
            self.do_it(incident, note).await?;
            answer.lines.push("Your words stand in the timeline.".to_owned());
        }
        Ok(answer)
    }

    async fn change(&self, incident: &Incident, tasks: &[i64], change: &TaskChange) -> Told {
        let mut lines = Vec::new();
        for n in tasks {
            lines.extend(self.act(incident, Act::ChangeTask { n: *n, change: change.clone() }).await?.lines);
        }
        Ok(Answer { lines, ..Answer::default() })
    }

    /// `waits for @bo` is Bo, other words stay words.
    fn waits_for(&self, words: &str) -> String {
        let bare = ["waits for ", "waiting for ", "for ", "on "].iter().find_map(|head| words.strip_prefix(head)).unwrap_or(words).trim();
        match inbound::mentioned(bare).map(|who| self.person(&who)) {
            Some(Ok(user)) => user.to_string(),
            Some(Err(_)) | None => heading(&self.readable(bare)),
        }
    }

    async fn tasks(&self, incident: &Incident) -> Result<Vec<crate::domain::task::Task>, Trouble> {
        Ok(self.house.store.reader().board(&viewer(), incident.number).await?)
    }

    async fn who(&self, incident: &Incident) -> Told {
        let names = Names::of(&self.live.setup);
        let mut answer = Answer::of(format!("{} · {}", named(incident.number, &incident.title), incident.state.name()));
        for (role, user) in &incident.response.roles {
            answer.lines.push(format!("*{}:* {}", role.name(), escaped(names.user(user), 80)));
        }
        let open: Vec<_> = self.tasks(incident).await?.into_iter().filter(|task| task.state.is_open()).collect();
        if open.is_empty() {
            answer.lines.push(format!("Nothing is on the board. `{} task check the replica @ana 15m` adds a task.", self.command()));
        }
        answer.lines.extend(open.iter().map(|task| blocks::row(&announce::row_of(task, &names))));
        Ok(answer)
    }

    async fn why(&self, incident: &Incident) -> Told {
        let names = Names::of(&self.live.setup);
        let facts = self.house.store.reader().timeline_before(&viewer(), incident.number, None, limits::LIST_DEFAULT).await?;
        let mut lines: Vec<String> = facts
            .iter()
            .filter_map(|told| {
                let sentence = line::of(&told.fact, &names);
                let reason = sentence.reason.as_ref()?;
                Some(format!("{} {}: {}", blocks::date(told.fact.at), escaped(&sentence.plain(), 200), escaped(reason, 200)))
            })
            .collect();
        let from = lines.len().saturating_sub(WHY_LINES);
        let mut answer = Answer::of(named(incident.number, &incident.title));
        answer.lines.append(&mut lines.split_off(from));
        if let Some(url) = announce::incident_url(self.live, incident) {
            answer.lines.push(format!("<{}|The whole timeline>", escaped(&url, 2_000)));
        }
        Ok(answer)
    }

    async fn list(&self) -> Told {
        let open = self.open().await?;
        if open.is_empty() {
            return Ok(Answer::of("No incident is open."));
        }
        let names = Names::of(&self.live.setup);
        let mut answer = Answer::of(format!("{} open:", count_of(i64::try_from(open.len()).unwrap_or(i64::MAX), "incident", "incidents")));
        for incident in &open {
            let by = match (&incident.state, &incident.acknowledged_by) {
                (IncidentState::Acknowledged, Some(actor)) => format!(" by {}", escaped(&names.actor(actor), 80)),
                (_, _) => String::new(),
            };
            let room = match &incident.response.room {
                Room::Open { room, .. } => format!(" · <#{}>", escaped(room, 64)),
                Room::None | Room::Wanted => String::new(),
            };
            let (severity, state) = (incident.severity.name(), incident.state.name());
            answer.lines.push(format!("{} · {severity} · {state}{by}{room}", named(incident.number, &incident.title)));
        }
        Ok(answer)
    }

    fn oncall(&self) -> Answer {
        let names = Names::of(&self.live.setup);
        let now = self.house.clock.now();
        let mut answer = Answer::default();
        for schedule in self.live.setup.schedules.values() {
            let line = match oncall::who(schedule, now) {
                Ok(turn) if turn.users.is_empty() => "nobody".to_owned(),
                Ok(turn) => {
                    let people: Vec<String> = turn.users.iter().map(|user| escaped(names.user(user), 80)).collect();
                    let until = turn.until.map(|until| format!(" until {}", blocks::date(until)));
                    format!("{}{}", people.join(", "), until.unwrap_or_default())
                }
                Err(error) => escaped(&error.to_string(), 200),
            };
            answer.lines.push(format!("*{}:* {line}", escaped(schedule.id.as_str(), 80)));
        }
        if answer.lines.is_empty() {
            answer.lines.push("There are no schedules.".to_owned());
        }
        answer
    }

    async fn take_over(&self, who: &Person, from: &str, to: &str, schedule: Option<&str>) -> Told {
        self.may_respond()?;
        let user = self.person(who)?;
        let schedule = self.schedule(schedule, &user)?;
        let zone = &self.user.timezone;
        let when = |text: &str, after: Time| {
            let usage = format!("“{}” is no time. Write `18:00`, `2026-01-07T18:00`, `now` or a span such as `4h`.", escaped(text, 40));
            moment(zone, text, after).ok_or(Trouble::Said(usage))
        };
        let from = when(from, self.house.clock.now())?;
        let until = when(to, from)?;
        overrides::create(self.house, &Actor::User(self.user.id.clone()), &schedule, &user, from, until).await?;
        let names = Names::of(&self.live.setup);
        Ok(Answer::of(format!(
            "{} has {} from {} until {}.",
            escaped(names.user(&user), 80),
            escaped(schedule.as_str(), 80),
            blocks::date(from),
            blocks::date(until)
        )))
    }

    fn schedule(&self, name: Option<&str>, user: &UserId) -> Result<ScheduleId, Trouble> {
        let all = &self.live.setup.schedules;
        let list = || all.keys().map(ScheduleId::as_str).collect::<Vec<_>>().join(", ");
        if let Some(name) = name {
            let found = all.keys().find(|id| id.as_str().eq_ignore_ascii_case(name));
            return found.cloned().ok_or_else(|| {
                Trouble::Said(format!("There is no schedule “{}”; there is {}.", escaped(name, 40), escaped(&list(), 200)))
            });
        }
        let mine: Vec<&ScheduleId> = all
            .values()
            .filter(|schedule| all.len() == 1 || schedule.rotations.iter().any(|rotation| rotation.members.contains(user)))
            .map(|schedule| &schedule.id)
            .collect();
        match mine.as_slice() {
            [only] => Ok((*only).clone()),
            [] if all.is_empty() => said("There are no schedules."),
            _ => said(format!("Say which schedule at the end; there is {}.", escaped(&list(), 200))),
        }
    }

    fn whom(&self, whom: Paged) -> Result<Whom, Trouble> {
        Ok(match whom {
            Paged::Everyone => Whom::Everyone,
            Paged::Person(who) => Whom::User(self.person(&who)?),
            Paged::Named(name) => {
                let setup = &self.live.setup;
                let policy = setup.policies.keys().find(|id| id.as_str().eq_ignore_ascii_case(&name));
                match (policy, self.person(&Person::Named(name.clone()))) {
                    (Some(policy), _) => Whom::Policy(policy.clone()),
                    (None, Ok(user)) => Whom::User(user),
                    (None, Err(_)) => return said(format!("There is neither a policy nor a user “{}”.", escaped(&name, 40))),
                }
            }
        })
    }

    fn person(&self, who: &Person) -> Result<UserId, Trouble> {
        find(&self.live.setup, self.user, who).ok_or_else(|| {
            Trouble::Said(match who {
                Person::Slack(id) => format!("Reveille does not know <@{}>; their user needs `slack = \"{0}\"`.", escaped(id, 40)),
                Person::Named(name) => format!("Reveille knows nobody called “{}”.", escaped(name, 40)),
                Person::Me => "Reveille does not know you.".to_owned(),
            })
        })
    }

    /// Words as everybody reads them, on the web too: without Slack's own signs for people, rooms and links.
    fn readable(&self, text: &str) -> String {
        let names = Names::of(&self.live.setup);
        inbound::plain_marks(text, |id| {
            let user = find(&self.live.setup, self.user, &Person::Slack(id.to_owned()))?;
            Some(names.user(&user).to_owned())
        })
    }

    fn may_respond(&self) -> Result<(), Trouble> {
        if self.user.role >= Role::Responder { Ok(()) } else { said("You are an observer: you can look, and ask a responder to do it.") }
    }

    fn help(&self) -> Answer {
        let command = self.command();
        let mut answer = Answer::of(format!(
            "*{command}* takes these; in an incident's room the incident is implied, elsewhere name it: `{command} ack 42`."
        ));
        answer.lines.extend(HELP.iter().map(|(usage, what)| format!("`{}` {what}", escaped(usage, 200))));
        answer
    }

    async fn menu_of_all(&self) -> Told {
        let mut answer = self.list().await?;
        answer.lines.push(format!("`{} new <title>` declares an incident.", self.command()).replace('<', "&lt;").replace('>', "&gt;"));
        answer.buttons = vec![
            Button::new("Declare an incident", "- new").primary(),
            Button::new("Who is on call", "- oncall"),
            Button::new("Take a turn", "- override"),
            Button::new("Open incidents", "- list"),
            Button::new("Help", "- help"),
        ];
        Ok(answer)
    }

    fn command(&self) -> &str {
        self.live.chat.as_ref().map_or("/incident", |chat| &chat.command)
    }
}

/// The incident's own menu: what can be done about it now.
fn menu_of(incident: &Incident) -> Answer {
    let n = incident.number.0;
    let mut answer =
        Answer::of(format!("{} · {} · {}", named(incident.number, &incident.title), incident.severity.name(), incident.state.name()));
    match incident.state {
        IncidentState::Triggered => answer.buttons.push(Button::new("Acknowledge", format!("{n} ack")).primary()),
        IncidentState::Acknowledged => answer.buttons.push(Button::new("Snooze 1h", format!("{n} snooze 1h"))),
        IncidentState::Resolved => answer.buttons.push(Button::new("Reopen", format!("{n} reopen")).danger("This pages again.")),
    }
    if incident.is_open() {
        answer.buttons.push(Button::new("Take lead", format!("{n} lead me")));
        answer.buttons.push(Button::new("Escalate", format!("{n} escalate")).danger("This pages the next step of the policy now."));
        answer.buttons.push(Button::new("Resolve", format!("{n} resolve")).danger("This ends the incident and closes its alerts."));
    }
    if incident.is_open() {
        for (label, verb) in [
            ("Add a task", "task"),
            ("Update", "update"),
            ("Page", "page"),
            ("Severity", "sev"),
            ("Give a role", "role"),
            ("Hand over", "handover"),
            ("Merge", "merge"),
        ] {
            answer.buttons.push(Button::new(label, format!("{n} {verb}")));
        }
    }
    for (label, verb) in [("Note", "note"), ("Who does what", "who"), ("Why", "why"), ("Help", "help")] {
        answer.buttons.push(Button::new(label, format!("{n} {verb}")));
    }
    answer
}

/// Reads with the eyes of the team: who may ask was looked at before.
fn viewer() -> Viewer {
    Viewer::Token { name: "slack".to_owned(), scope: Scope::Read, acts_as: None }
}

fn page_everyone(number: Number) -> Button {
    Button::new("Page everyone", format!("{} page all", number.0)).danger("This wakes everyone now.")
}

/// A text as it is kept: bounded, because people paste.
fn kept(text: &str) -> String {
    written::lines(text).chars().take(limits::NOTE_CHARS).collect()
}

/// A title is one line.
fn heading(text: &str) -> String {
    written::line(text).chars().take(limits::TITLE_CHARS).collect()
}

fn find(setup: &Setup, me: &User, who: &Person) -> Option<UserId> {
    match who {
        Person::Me => Some(me.id.clone()),
        Person::Slack(id) => setup.users.values().find(|user| user.slack.as_ref() == Some(id)).map(|user| user.id.clone()),
        Person::Named(name) => {
            let by_id = setup.users.keys().find(|id| id.as_str().eq_ignore_ascii_case(name)).cloned();
            by_id.or_else(|| {
                // A first name will do where it is one person's alone.
                let mut called: BTreeMap<String, Vec<&UserId>> = BTreeMap::new();
                for user in setup.users.values() {
                    let first = user.name.split_whitespace().next().unwrap_or_default().to_lowercase();
                    called.entry(first).or_default().push(&user.id);
                }
                called.get(&name.to_lowercase()).and_then(|ids| if let [only] = ids.as_slice() { Some((*only).clone()) } else { None })
            })
        }
    }
}

/// `18:00` (the next one from `from` on), `2026-01-07T18:00` there, an instant with a zone, `now`, or a span from `from` on.
fn moment(zone: &str, text: &str, from: Time) -> Option<Time> {
    if text.eq_ignore_ascii_case("now") {
        return Some(from);
    }
    if let Ok(span) = Span::parse(text.trim_start_matches('+')) {
        return Some(from + span);
    }
    if let Ok(at) = Time::parse_rfc3339(text) {
        return Some(at);
    }
    if inbound::hour_and_minute(text).is_some() {
        return local::last_at(zone, text, from + Span::hours(24) - Span(1)).filter(|at| *at >= from);
    }
    local::at(zone, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_an_override_read_as_people_write_them() {
        let at = |text: &str| Time::parse_rfc3339(text).expect("a time");
        let now = at("2026-01-07T02:00:00Z");
        for (text, expected) in [
            ("now", "2026-01-07T02:00:00Z"),
            ("18:00", "2026-01-07T17:00:00Z"),
            ("03:00", "2026-01-07T02:00:00Z"),
            ("02:59", "2026-01-08T01:59:00Z"),
            ("4h", "2026-01-07T06:00:00Z"),
            ("+30m", "2026-01-07T02:30:00Z"),
            ("2026-01-08T09:00", "2026-01-08T08:00:00Z"),
            ("2026-01-08T09:00:00Z", "2026-01-08T09:00:00Z"),
        ] {
            assert_eq!(moment("Europe/Paris", text, now), Some(at(expected)), "{text}");
        }
        for bad in ["", "soon", "25:00", "18:60", "tomorrow", "2026-13-01T00:00", "::"] {
            assert_eq!(moment("Europe/Paris", bad, now), None, "{bad}");
        }
    }
}
