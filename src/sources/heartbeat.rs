//! A dead man's switch: a job that calls us in every period, and an alert when it does not. What it says matters to nobody; that it
//! speaks does. `curl -fsS https://…/heartbeats/KEY` at the end of a cron job is all it takes.

use std::collections::BTreeMap;

use super::Source;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{Heartbeat as Beat, Integration};
use crate::sources::reading;

pub struct Heartbeat;

/// One alert for each integration.
const KEY: &str = "heartbeat";

const GUIDE: &str = "\
Ask for the address, by GET or POST, whenever the job has done its work; at the end of a line of cron for instance:

```sh
0 3 * * *  /usr/local/bin/backup && curl -fsS -m 10 -o /dev/null '{url}'
```

When it stays away for longer than its `period` and `grace`, somebody is paged. The next beat ends it.
";

impl Source for Heartbeat {
    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn title(&self) -> &'static str {
        "A heartbeat"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        let title = format!("{} beats", integration.id);
        Ok(vec![signal(integration, Action::Resolve, inbound.received_at, &title, BTreeMap::new())])
    }
}

/// What a beat that did not come says. Its time is when it was due, so that a beat which came after that is newer.
#[must_use]
pub fn missed(integration: &Integration, beat: &Beat, beat_at: Option<Time>, due_at: Time) -> Signal {
    let last = beat_at.map_or_else(|| "never".to_owned(), Time::rfc3339);
    let title = format!("No heartbeat from {} within {}", integration.id, beat.span());
    let labels = [("last_beat", last), ("period", beat.period.to_string()), ("grace", beat.grace.to_string())];
    let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    signal(integration, Action::Trigger, due_at, &title, labels)
}

fn signal(integration: &Integration, action: Action, at: Time, title: &str, labels: BTreeMap<String, String>) -> Signal {
    Signal {
        ends_at: None,
        integration: integration.id.clone(),
        dedup_key: KEY.to_owned(),
        title: reading::line(title, limits::TITLE_CHARS),
        severity: None,
        action,
        at: Some(at),
        url: None,
        labels,
    }
}
