//! Nagios. It has no webhook: it runs a command, and the command sends the macros. They are read under their own names
//! (`SERVICESTATE`), with underscores or not (`service_state`), as `reveille send --environment NAGIOS_` sends them, or as a form.
//!
//! | macro | |
//! |---|---|
//! | `$NOTIFICATIONTYPE$` | PROBLEM, RECOVERY, ACKNOWLEDGEMENT, FLAPPINGSTART, …STOP, …DISABLED, DOWNTIMESTART, …END, …CANCELLED, CUSTOM |
//! | `$HOSTNAME$`, `$SERVICEDESC$` | the key; without the second it is about the host |
//! | `$SERVICESTATE$`, `$HOSTSTATE$`, `…STATETYPE$` | how it is, and SOFT or HARD |
//! | `$TIMET$` | when, seconds since the epoch |
//! | `$SERVICEPROBLEMID$`, `$LASTSERVICEPROBLEMID$` | one per problem; at its recovery the first is 0 and the second has it |

use super::Source;
use super::notification::Notification;
use super::reading::{self, Named};
use crate::base::inbound::Inbound;
use crate::base::time::Time;
use crate::domain::input::Signal;
use crate::domain::setup::Integration;

pub struct Nagios;

const GUIDE: &str = r"1. In `nagios.cfg` let commands have the macros in their environment. A check's output then passes no shell, whatever is in it:

   ```
   enable_environment_macros=1
   ```

2. Define the command and a contact, for instance in `conf.d/reveille.cfg`. The line is the same for hosts and for services:

   ```
   define command {
       command_name  notify-reveille
       command_line  /usr/bin/reveille send --hook '{url}' --environment NAGIOS_ --retry 20s
   }

   define contact {
       contact_name                   reveille
       host_notification_commands     notify-reveille
       service_notification_commands  notify-reveille
       host_notification_period       24x7
       service_notification_period    24x7
       host_notification_options      d,u,r,f
       service_notification_options   w,u,c,r,f
   }
   ```

3. Put `reveille` into the contact group of the hosts and services that should wake people, and reload Nagios.

Where the environment cannot be had, the same goes with arguments, with `reveille` or with `curl` alone. Leave `illegal_macro_output_chars` at
its default then: it is what keeps a check's output from being read by the shell.

```
define command {
    command_name  notify-reveille-service
    command_line  /usr/bin/curl -fsS -m 20 '{url}' --data-urlencode 'NOTIFICATIONTYPE=$NOTIFICATIONTYPE$' --data-urlencode 'HOSTNAME=$HOSTNAME$' --data-urlencode 'SERVICEDESC=$SERVICEDESC$' --data-urlencode 'SERVICESTATE=$SERVICESTATE$' --data-urlencode 'SERVICESTATETYPE=$SERVICESTATETYPE$' --data-urlencode 'SERVICEOUTPUT=$SERVICEOUTPUT$' --data-urlencode 'TIMET=$TIMET$'
}

define command {
    command_name  notify-reveille-host
    command_line  /usr/bin/reveille send --hook '{url}' --retry 20s --field NOTIFICATIONTYPE='$NOTIFICATIONTYPE$' --field HOSTNAME='$HOSTNAME$' --field HOSTSTATE='$HOSTSTATE$' --field HOSTSTATETYPE='$HOSTSTATETYPE$' --field HOSTOUTPUT='$HOSTOUTPUT$' --field TIMET='$TIMET$'
}
```

CRITICAL and DOWN are critical, WARNING is a warning, and of UNKNOWN the integration’s own severity counts.
Nagios runs the command once and forgets it if it fails; `notification_interval` lets it remind.
";

impl Source for Nagios {
    fn name(&self) -> &'static str {
        "nagios"
    }

    fn title(&self) -> &'static str {
        "Nagios"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![notification(&Named::read(inbound)?)?.signal(integration)?])
    }
}

fn notification(fields: &Named) -> Result<Notification, String> {
    let host = fields.text(&["hostname", "host"]).ok_or("it has no host")?;
    let service = fields.text(&["servicedesc", "service", "servicedescription"]);
    // A service's message carries its host's macros too.
    let of = |service_macros: &[&str], host_macros: &[&str]| fields.line(if service.is_some() { service_macros } else { host_macros });
    let state = of(&["servicestate", "state"], &["hoststate", "state"]);
    let state_type = of(&["servicestatetype", "statetype"], &["hoststatetype", "statetype"]);
    let problem = of(&["serviceproblemid", "problemid"], &["hostproblemid", "problemid"]);
    let last_problem = of(&["lastserviceproblemid", "lastproblemid"], &["lasthostproblemid", "lastproblemid"]);
    let action_url = of(&["serviceactionurl", "actionurl"], &["hostactionurl", "actionurl"]);
    let notes_url = of(&["servicenotesurl", "notesurl"], &["hostnotesurl", "notesurl"]);
    let labels = [
        ("state_type", state_type.clone()),
        ("long_output", of(&["longserviceoutput", "longoutput"], &["longhostoutput", "longoutput"])),
        ("problem_id", problem.filter(|id| id != "0").or(last_problem).filter(|id| id != "0")),
        ("host_state", fields.line(&["hoststate"])),
        ("host_alias", fields.line(&["hostalias"])),
        ("address", fields.line(&["hostaddress", "address"])),
        ("host_groups", fields.line(&["hostgroupnames"])),
        ("service_groups", fields.line(&["servicegroupnames"])),
        ("attempt", of(&["serviceattempt"], &["hostattempt"])),
        ("notification", of(&["servicenotificationnumber", "notificationnumber"], &["hostnotificationnumber", "notificationnumber"])),
        ("notes_url", notes_url.clone()),
        ("action_url", action_url.clone()),
    ];
    Ok(Notification {
        kind: fields.line(&["notificationtype", "type"]),
        is_soft: state_type.is_some_and(|kind| kind.eq_ignore_ascii_case("soft") || kind == "0"),
        output: of(&["serviceoutput", "output"], &["hostoutput", "output"]),
        author: fields.line(&["notificationauthor", "ackauthor", "author"]),
        comment: fields.line(&["notificationcomment", "ackcomment", "comment"]),
        at: reading::seconds(fields.get("timet")).map(Time::from_seconds),
        url: action_url.or(notes_url),
        labels: labels.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        host,
        service,
        state,
    })
}
