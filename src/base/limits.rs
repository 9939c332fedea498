//! Every bound in one place: its name says what it bounds, its type or name the unit, its comment the reason.

use super::time::{Span, Time};

/// Largest body of a sender that sends one alert at a time, bytes. The largest real one seen is about 25 KiB.
pub const BODY_BYTES: usize = 1 << 20;
/// Connections held open at once, some eight times the live streams: one that waits costs some 20 KiB, and it is the first to leave when
/// all places are taken. Fewer where the system allows fewer file handles.
pub const CONNECTIONS: usize = 16_384;
/// Largest head of a request, bytes: ten times what a browser sends with all its cookies.
pub const HEADER_BYTES: usize = 64 << 10;
/// Largest body of a sender that sends a group in one, bytes: 20,000 of Alertmanager's alerts are 21 MB, and a 4xx is never repeated.
pub const GROUP_BODY_BYTES: usize = 32 << 20;
/// A body of at least so many bytes is read on a thread of its own.
pub const READ_ASIDE_BYTES: usize = 128 << 10;
/// How much of a body over its cap is read and thrown away, bytes, so that the sender sees the 413.
pub const BODY_DRAIN_BYTES: usize = 8 << 20;
/// How long a body over its cap is read and thrown away.
pub const BODY_DRAIN: Span = Span::seconds(2);
/// How long a client may take to send its headers; a slower one holds a connection for nothing.
pub const HEADER_READ: Span = Span::seconds(10);
/// How long a client may take to send its body.
pub const BODY_READ: Span = Span::seconds(20);
/// Largest body of a form or of an API command, bytes.
pub const COMMAND_BYTES: usize = 64 << 10;

/// How old or young the moment may be that a sender has signed along with its message.
pub const SIGNATURE_AGE: Span = Span::minutes(5);

/// Connections that bring mail, at once: a mail server opens a few. Each may hold one mail in memory.
pub const MAIL_CONNECTIONS: usize = 64;
/// Largest mail taken, bytes: an alert with a picture of its graph.
pub const MAIL_BYTES: usize = 4 << 20;
/// How much of a mail over that is read and thrown away before the line is cut, bytes.
pub const MAIL_DRAIN_BYTES: usize = 32 << 20;
/// Recipients of one mail: RFC 5321 (4.5.3.1.8) asks for at least as many.
pub const MAIL_RECIPIENTS: usize = 100;
/// How long a mail's sender may say nothing: RFC 5321 (4.5.3.2.7) asks for at least as long.
pub const MAIL_IDLE: Span = Span::minutes(5);
/// How long one connection may bring mail, so that nobody holds all places for ever.
pub const MAIL_SESSION: Span = Span::minutes(30);
/// Commands that make no sense, and unknown recipients, before the line is cut: nobody tries all keys.
pub const MAIL_MISTAKES: u32 = 10;

/// Signals of one integration in a second that are kept one by one, unless configured: more than one machine takes in, so that it is
/// abuse alone that meets it.
pub const BUDGET_PER_SECOND: u32 = 50_000;
/// New alerts of one integration that are kept within an hour, unless configured: a fire of every host and service of a large company.
pub const NEW_ALERTS_PER_HOUR: u32 = 2_000_000;
/// Within this long they are counted.
pub const FLOOD_WINDOW: Span = Span::hours(1);
/// The alert that counts what was beyond holds for this long after the last one.
pub const FLOOD_CALM: Span = Span::minutes(10);
/// Signals in one transaction of the intake: a page never waits behind more.
pub const JOURNAL_BATCH_ROWS: usize = 256;
/// Requests waiting for the intake's writer; past this the answer is 503.
pub const INTAKE_QUEUE: usize = 4_096;
/// Journal rows not yet folded, past which the answer is 503: about a minute of the folder's work.
pub const JOURNAL_ROWS: i64 = 200_000;
/// The size of a file of the journal, in bytes.
pub const JOURNAL_FILE_BYTES: u64 = 1 << 20;
/// Rows of the journal that are kept in memory as well, and how large each may be, in bytes.
pub const JOURNAL_KEPT_ROWS: usize = 64;
pub const JOURNAL_KEPT_BYTES: usize = 1 << 16;
/// How often the intake counts the journal's rows: between two counts it knows what it has added itself.
pub const JOURNAL_COUNT_EVERY: Span = Span::seconds(1);
/// How many journal rows one fold looks at, and how many signals it decides: the same bound as for one row.
pub const FOLD_ROWS: i64 = 64;
pub const FOLD_SIGNALS: i64 = 256;
/// People that one fold decides on by itself; more are woken beside each other.
pub const ATTENDED_AT_ONCE: usize = 8;
/// Between two folds of a flood the folder rests for this long at most, and it goes last for this long; then it takes half of the time.
pub const FOLD_REST: Span = Span::millis(300);
pub const FOLD_AFTER_INTAKE: Span = Span::seconds(15);
/// Alerts ended by the clock in one transaction.
pub const SWEEP: i64 = 256;
/// How deeply JSON may be nested before it is called unreadable.
pub const JSON_DEPTH: usize = 64;
/// Values kept of one body of JSON, ten times what the largest real one has; the rest is passed over.
pub const JSON_VALUES: usize = 4_096;
/// Fields kept of one object, far more than an alert has.
pub const JSON_FIELDS: usize = 2_048;
/// Values of a body of which nothing may be left out, twenty for each of [`BATCH_ENTRIES`]; and in a large one a value for so many bytes:
/// real ones have one for fifty.
pub const JSON_WHOLE_VALUES: usize = 20 * (BATCH_ENTRIES + 1);
pub const JSON_VALUE_BYTES: usize = 32;
/// Values kept of one alert of a group.
pub const JSON_ENTRY_VALUES: usize = 1_024;
/// Nothing shorter can be an alert of a group, bytes: it has a label or a fingerprint.
pub const ALERT_BYTES: usize = 16;

/// Fields read of a form, or of a query: a sender has a few dozen, Nagios' environment about 150.
pub const FORM_FIELDS: usize = 512;
/// Alerts in one body of the generic source: a script's batch, far above what one transaction takes.
pub const BATCH_ENTRIES: usize = 1_000;
/// Alerts read of one group. Real ones are about 1 KiB each, so the body's cap comes first; this bounds what tiny ones can cost.
pub const GROUP_ENTRIES: usize = 100_000;

/// Longest title kept of an alert, characters: what fits on one line of a timeline.
pub const TITLE_CHARS: usize = 300;
/// Longest dedup key kept as it came, bytes; a longer one is kept as its digest.
pub const DEDUP_KEY_BYTES: usize = 512;
/// Labels kept of an alert.
pub const LABELS: usize = 32;
/// Longest label name and value, characters; a value that is an address is kept whole, as the alert's own.
pub const LABEL_CHARS: usize = 200;
/// Longest URL kept of an alert, bytes.
pub const URL_BYTES: usize = 2_048;
/// Notes that an incident takes of its senders: one that acknowledges again and again must not fill a timeline.
pub const SENDER_NOTES: usize = 20;
/// Titles an incident keeps as samples of its alerts.
pub const INCIDENT_SAMPLES: usize = 5;
/// Incidents that may have gone into one: all are locked when one of their alerts changes.
pub const TAKEN_IN: usize = 64;
/// Incidents before it that a new one takes in as its symptoms, or is linked to.
pub const SYMPTOMS: usize = 16;
/// A merge can be taken back for this long.
pub const UNMERGE: Span = Span::hours(24);
/// Alerts that one split moves: as many as any transaction touches.
pub const SPLIT_ALERTS: usize = 256;

/// A group takes new alerts for this long in all, however many keep coming.
pub const GROUP_LIFE: Span = Span::hours(24);

/// Incidents of one policy that may open within a minute before the next becomes the umbrella of what comes after it, unless configured.
pub const STORM_INCIDENTS: u32 = 10;

/// The most that can be configured: the moments of so many openings are kept for each policy.
pub const STORM_INCIDENTS_MOST: u32 = 1_000;

/// Within this long the openings are counted.
pub const STORM_WINDOW: Span = Span::minutes(1);

/// Without more openings in any minute than are ordinary, a storm is over after this long.
pub const STORM_CALM: Span = Span::minutes(5);

/// Alerts of an umbrella that are looked at to find the most telling of them; a page waits for it.
pub const STORM_LOOKED_AT: i64 = 500;

/// Alerts of an incident that are looked at to tell in which order its hosts fell.
pub const FALLS_LOOKED_AT: i64 = 2_000;

/// Hosts that are named in the order in which they fell; the rest are a number.
pub const FALLS_SHOWN: usize = 30;

/// Labels that alerts may be grouped by together.
pub const GROUP_NAMES: usize = 10;

/// Signs of what the alerts of a group have in common: what is longer is cut, and marked by a digest of the whole.
pub const GROUP_CHARS: usize = 200;
/// How many stretches of time say whether an alert flaps, as Nagios keeps the newest 21 states; and how long one is unless configured.
pub const FLAP_BUCKETS: i64 = 20;
pub const FLAP_BUCKET: Span = Span::minutes(1);
pub const FLAP_BUCKET_LONGEST: Span = Span::hours(1);
/// The longest time that a service waits to see whether an alert passes by itself.
pub const QUIET_LONGEST: Span = Span::hours(1);
/// So many alerts of one kind, or more, are common: beyond this nobody counts how rare one is.
pub const COMMON: i64 = 99;
/// Signs of what alike alerts are called.
pub const KIND_CHARS: usize = 160;
/// Of how often something was heard of, half is forgotten after this long.
pub const NOVELTY_FADES: Span = Span::hours(24 * 7);
/// Of a sender, or a key, that is heard of for less long than this, nothing is new and nothing rises: all of it would.
pub const LEARNING: Span = Span::hours(24);
/// A rate that jumps has so many times the signals of the busiest hour before, and not fewer than this within one.
pub const RISE_TIMES: i64 = 3;
pub const RISE_LEAST: i64 = 20;
/// A kind that nobody has heard of for this long is new again; and the most that are remembered.
pub const KINDS_KEPT: Span = Span::hours(24 * 180);
pub const KINDS_MOST: i64 = 200_000;
/// How far back the noise of monitors is counted, and of how many times that one was in an incident.
pub const NOISE_WITHIN: Span = Span::hours(24 * 30);
pub const NOISE_ROWS: i64 = 20_000;
/// Of fewer incidents nothing is said, and from this score on something should be done.
pub const NOISE_LEAST: i64 = 3;
pub const NOISE_LOUD: i64 = 75;
/// A resolve for an unknown key is remembered this long against an older trigger.
pub const EARLY_RESOLVE: Span = Span::hours(24);
/// A missed heartbeat is told of again after its period, and not more often than this.
pub const MISS_TOLD_EVERY: Span = Span::minutes(5);
/// Times of one sender that are less apart than this count as equal: some give one message in parts of a second, the other in whole ones.
pub const SAME_TIME: Span = Span::seconds(1);
/// The misses of a heartbeat are remembered this long.
pub const MISSES_KEPT: Span = Span::hours(24 * 365);
/// After a person resolves, further signals of the closed alerts are only counted for this long.
pub const RESOLVE_QUIET: Span = Span::minutes(2);
/// A resolved incident is reopened, rather than a new one opened, for this long.
pub const REOPEN_WITHIN: Span = Span::minutes(10);
/// A step without `escalate_after` waits this long.
pub const STEP_WAIT: Span = Span::minutes(5);
/// When a policy is exhausted, everyone is paged again this often.
pub const EXHAUSTED_EVERY: Span = Span::minutes(15);
/// An acknowledgement of sev1 or sev2 lapses after this long without a sign of life.
pub const ACK_LAPSE: Span = Span::minutes(30);
/// How much later than its period a beat may come, unless configured: a job takes now longer, now shorter.
pub const HEARTBEAT_GRACE: Span = Span::minutes(1);
/// The low-urgency reminder.
pub const REMINDER: Span = Span::hours(24);

/// A snooze lasts this long at most: what nobody wants to hear of for longer is to be resolved.
pub const SNOOZE_LONGEST: Span = Span::hours(24 * 7);
/// The one who acknowledged is asked this long before it lapses.
pub const ASK_BEFORE_LAPSE: Span = Span::minutes(5);
/// Whom an incident is given to has this long before its policy starts.
pub const REASSIGN_WAIT: Span = Span::minutes(5);

/// A silence lasts this long at most: a year and a day. What nobody wants to hear of for longer is not to be sent.
pub const SILENCE_LONGEST: Span = Span::hours(24 * 366);
/// When a silence is over its alerts are looked at; an incident that still hears nothing this much later pages by itself.
pub const SILENCE_GRACE: Span = Span::seconds(30);
/// An incident of which everything is inhibited is looked at this often: it has no end of its own.
pub const INHIBITION_LOOK: Span = Span::minutes(5);
/// Inhibition rules: every signal is held against each.
pub const INHIBITIONS: usize = 100;
/// Silences that may be in force or planned at once: every signal is held against those in force.
pub const SILENCES: i64 = 500;
/// Maintenance windows, of which each has two silences; how far ahead these are made; and how often it is looked whether there are more.
pub const MAINTENANCE: usize = 200;
pub const MAINTENANCE_AHEAD: Span = Span::hours(24 * 366);
pub const MAINTENANCE_LOOK: Span = Span::hours(24);
/// What people may mark as noise or relevant in one incident: its alerts are held against each.
pub const MARKS: usize = 50;
/// Matchers of one silence.
pub const MATCHERS: usize = 32;
/// Longest name and value of a matcher, of a rule's and of a silence's, and the room that a pattern's automaton may take, bytes: a hostile
/// one must not take all there is.
pub const PATTERN_BYTES: usize = 2_048;
pub const PATTERN_SIZE: usize = 256 << 10;
/// Names and patterns of secrets that can be configured: every text of every signal is held against each pattern.
pub const MASKS: usize = 50;
/// Patterns that are kept compiled.
pub const PATTERNS_KEPT: usize = 1_024;
/// Alerts looked at for a silence in one transaction: a page never waits behind more.
pub const SILENCE_PIECE: i64 = 128;
/// Longest comment and name of whoever made a silence, characters.
pub const SILENCE_COMMENT_CHARS: usize = 1_000;
pub const SILENCE_NAME_CHARS: usize = 100;
/// Alerts in one answer of Alertmanager's API, which knows no parts: the newest.
pub const ALERTS_HOLDING: i64 = 20_000;
/// Silences in one list, the last to end first.
pub const SILENCES_LISTED: i64 = 5_000;
/// How long a silence that is over stays listed.
pub const SILENCES_KEPT: Span = Span::hours(24 * 30);

/// How far before an incident a change is looked for.
pub const CHANGED_BEFORE: Span = Span::hours(24);
/// Changes shown of an incident's own service, and as many of all others.
pub const CHANGES_BEFORE: i64 = 10;
/// How long changes are kept, and how many.
pub const CHANGES_KEPT: Span = Span::hours(24 * 90);
pub const CHANGES_MOST: i64 = 100_000;

/// A sender's time before this (the first of 2010, UTC) is a clock that was never set, and counts as none.
pub const SENDERS_CLOCK_FROM: Time = Time::from_seconds(1_262_304_000);
/// So is one that is further ahead of ours.
pub const SENDERS_CLOCK_AHEAD: Span = Span::hours(24);

/// An override lasts this long at most: a quarter of a year.
pub const OVERRIDE_LONGEST: Span = Span::hours(24 * 92);
/// How far ahead an override may begin.
pub const OVERRIDE_AHEAD: Span = Span::hours(24 * 366);
/// How long ago an override may have ended and still be told of when somebody asks who was on call.
pub const OVERRIDES_TOLD: Span = Span::hours(24 * 92);
/// Overrides that may be planned at once; every decision looks through those of its schedules.
pub const OVERRIDES: i64 = 2_000;

/// A person gets at most one new call chain in this long.
pub const CHAIN_EVERY: Span = Span::minutes(3);
/// The second call of a chain comes this long after the first was placed, so that phones let it through "do not disturb".
pub const CHAIN_REPEAT: Span = Span::minutes(2);
/// A contact that refuses and is the only one is tried again after at least this long, and at most that long.
pub const RETRY_LEAST: Span = Span::seconds(5);
pub const RETRY_MOST: Span = Span::seconds(60);
/// Nothing was heard of an accepted call for this long: the provider is asked, and the next contact is tried.
pub const CALL_SILENCE: Span = Span::seconds(12);
/// How long a provider that was asked may take before the next contact is tried without its answer.
pub const ASK_ANSWER: Span = Span::seconds(2);
/// A call is due that has to wait for at least this long: the timeline says so.
pub const HOLD_TOLD: Span = Span::seconds(5);
/// How often a call is asked about that was accepted and stays silent; then it counts as unanswered, in time for its repeat.
pub const SILENT_ASKS: u32 = 9;
/// How often a call is asked about that rang and never told its end.
pub const LIVE_ASKS: u32 = 3;
/// Without a rule, a contact other than voice is tried this long after the page's start.
pub const OTHER_CONTACTS: Span = Span::minutes(1);
/// A contact gets at most this many messages within that long: a storm fills nobody's screen, and what came meanwhile is said in the next.
pub const MESSAGES: usize = 3;
pub const MESSAGES_WITHIN: Span = Span::minutes(1);
/// Nothing was heard of an accepted message for this long: the provider is asked once what became of it.
pub const MESSAGE_SILENCE: Span = Span::seconds(12);
/// After that, news of its delivery is waited for this long, and no longer: carriers tell within seconds, or never.
pub const MESSAGE_NEWS: Span = Span::minutes(5);
/// An unknown outcome is asked about again after this long.
pub const ASK_AGAIN: Span = Span::seconds(4);
/// A call that stayed unknown and was placed again is watched for this long, in case it rings after all.
pub const LOST_CALL: Span = Span::minutes(10);
/// An unknown outcome is asked about until this long after the request, then sent again.
pub const UNKNOWN_SETTLE: Span = Span::seconds(15);
/// What stays unknown and cannot be asked about is sent again at least this often.
pub const RESEND_MOST: Span = Span::minutes(15);
/// A reply that comes this soon after a text may well be meant for the one before: nobody reads and writes faster.
pub const TEXT_READ: Span = Span::seconds(10);
/// How long a provider may take to answer a request.
pub const PROVIDER_ANSWER: Span = Span::seconds(10);
/// How long a connection to a provider may take; past it nothing has left, and the next way is tried.
pub const PROVIDER_CONNECT: Span = Span::seconds(3);
/// Largest answer read from a provider, bytes: a list of fifty calls is about 100 KiB.
pub const PROVIDER_BODY_BYTES: usize = 1 << 20;
/// Longest sentence kept of a provider's refusal, characters.
pub const PROVIDER_REASON_CHARS: usize = 200;
/// How long a message from SNS waits for the certificate that it was signed with: its sender hears an answer within a second.
pub const SNS_CERTIFICATE_WAIT: Span = Span::millis(700);
/// Largest certificate of SNS's, bytes; real ones are 2 KiB.
pub const SNS_CERTIFICATE_BYTES: usize = 16 << 10;
/// Certificates of SNS kept: one for each region, for as long as it is in use.
pub const SNS_CERTIFICATES: usize = 64;
/// Without a key press or a final status after this long, a call counts as unanswered: ring time, speech and digits are far shorter.
pub const CALL_GIVE_UP: Span = Span::seconds(110);
/// How many incidents one call speaks of by name; the rest are a number.
pub const SPOKEN_INCIDENTS: usize = 3;
/// How many incidents a mail or a chat's message names; Slack takes 50 blocks.
pub const WRITTEN_INCIDENTS: usize = 20;
/// Longest title spoken, characters: about eight seconds.
pub const SPOKEN_TITLE_CHARS: usize = 120;
/// Longest title spoken where one call speaks of several incidents, characters.
pub const SPOKEN_TITLE_CHARS_EACH: usize = 32;
/// Longest name of a person or service spoken, characters.
pub const SPOKEN_NAME_CHARS: usize = 25;
/// Places in two parts of a text message: of seven bits each, and of sixteen where a sign needs them. A third part is read by nobody.
pub const TEXT_PLACES: usize = 306;
pub const TEXT_PLACES_WIDE: usize = 134;
/// A reply without a number means the newest text, if that is not older than this.
pub const REPLY_WITHIN: Span = Span::hours(24);
/// How long the link in a mail acknowledges.
pub const MESSAGE_LINK: Span = Span::hours(24);
/// How long a phone rings: under the 30 s after which most voicemails answer.
pub const RING: Span = Span::seconds(25);
/// How long a call waits for a key after it has spoken.
pub const KEY_WAIT: Span = Span::seconds(8);
/// Twilio's limit on the `TwiML` that goes with a call, characters.
pub const TWIML_CHARS: usize = 4_000;

/// The lease of a worker's claim on one row or role, in the database's time.
pub const LEASE: Span = Span::seconds(5);
/// How often a send that takes long renews its lease.
pub const LEASE_RENEW: Span = Span::seconds(2);
/// A slot of an account's pace that lies further ahead was taken by a clock that has been set back since, and holds nobody up.
pub const PACE_AHEAD: Span = Span::seconds(10);
/// An account that carries as many calls as it can is looked at again after this long.
pub const ACCOUNT_FULL: Span = Span::seconds(1);
/// The courier of pages looks for work at least this often, or the process is not ready.
pub const PAGE_LANE_SILENT: Span = Span::seconds(10);
/// How often the end of an unwanted call is asked for before it is left to end by itself.
pub const END_TRIES: i64 = 5;
/// Sends of one lane on their way at once, per process.
pub const SENDS: i64 = 32;
/// The safety net of workers that are normally nudged.
pub const SAFETY_POLL: Span = Span::seconds(1);
/// How often the connection that hears other processes' bells is asked whether it lives.
pub const BELLS_CHECK: Span = Span::seconds(30);
/// The hard limit around every database call.
pub const DATABASE_CALL: Span = Span::seconds(10);

/// A decision is kept this long for a request that waits for it; the longest wait is far shorter.
pub const ANSWERS_KEPT: Span = Span::minutes(5);
/// The longest that a request may wait for its decisions.
pub const ANSWER_WAIT: Span = Span::seconds(10);

/// Outgoing webhooks told at once, per process.
pub const WEBHOOKS_AT_ONCE: i64 = 32;
/// A webhook that failed is tried again after at least this long, then after twice as long each time, up to the other.
pub const WEBHOOK_AGAIN_LEAST: Span = Span::seconds(5);
pub const WEBHOOK_AGAIN_MOST: Span = Span::hours(1);
/// What a webhook has not taken for this long is dropped, and said so: a receiver that is down for a night hears all of it.
pub const WEBHOOK_KEEPS: Span = Span::hours(24);
/// How often the outside dead man's switch is told that all is well.
pub const HEARTBEAT_EVERY: Span = Span::minutes(1);
/// A wake-up or a page's effect that has been due for longer is one that did not leave.
pub const OVERDUE: Span = Span::seconds(60);
/// How long a scrape of the metrics may look at the database; past it the process's own are answered alone.
pub const METRICS_LOOK: Span = Span::seconds(2);

/// Log lines of one place in the code in one span; the rest are counted. A storm of errors must not fill the disk.
pub const LOG_LINES: u32 = 100;
pub const LOG_SPAN: Span = Span::minutes(1);
/// Room kept beside the SQLite database for a full disk, bytes: some ten thousand pages' worth.
pub const BALLAST_BYTES: u64 = 64 << 20;
/// SQLite's log is moved into the file once it has so many bytes, and how often it is looked at.
pub const LOG_BYTES: u64 = 2 << 20;
pub const LOG_LOOK: Span = Span::millis(100);
/// How often the ballast is looked after.
pub const BALLAST_LOOK: Span = Span::seconds(5);
/// Pages that left without their intent, while nothing could be written, and wait to be recorded; past it no more leave so.
pub const SHOUTS: usize = 1_000;
/// Wake-ups decided in memory for one round of them.
pub const SHOUT_WAKES: usize = 1_000;
/// The least between two rounds.
pub const SHOUT_EVERY: Span = Span::seconds(1);
/// What nobody came to record by then is told in the timeline.
pub const SHOUT_TOLD: Span = Span::minutes(4);
/// Rows thrown away in one transaction: a page never waits behind more.
pub const JANITOR_ROWS: i64 = 256;
/// Transactions of one kind in one round, and the pause between two.
pub const JANITOR_PIECES: usize = 100;
pub const JANITOR_BREATH: Span = Span::millis(10);
/// How long one process throws away for all; longer than a round takes.
pub const JANITOR_LEASE: Span = Span::minutes(2);

/// A template or an expression as it is written, bytes.
pub const TEMPLATE_BYTES: usize = 4 << 10;
/// What a template gives, bytes: more than any title or label keeps.
pub const TEMPLATE_GIVES: usize = 16 << 10;
/// Steps of one template or expression; one with a few filters takes some twenty.
pub const TEMPLATE_FUEL: u64 = 10_000;
/// Steps of all templates of one body together: a thousand alerts with twenty fields of a hundred steps each.
pub const BODY_FUEL: u64 = 2_000_000;
/// Routing rules of one configuration: every signal may pass all of them.
pub const ROUTES: usize = 500;

/// Largest request to try a body, bytes: one of the usual largest bodies, as a JSON text.
pub const TRIED_BYTES: usize = 2 << 20;
/// Signals of a tried body that are told of; the rest are a number.
pub const TRIED_SIGNALS: usize = 50;

/// List pages of the API.
pub const LIST_DEFAULT: i64 = 100;
pub const LIST_MOST: i64 = 1_000;
/// Most incidents in one file for a spreadsheet: it is made in memory, at some hundred bytes each.
pub const CSV_ROWS: usize = 20_000;
/// Live readers of the stream at once, per process.
pub const STREAM_READERS: usize = 2_000;
/// Facts a reader of the stream may lag behind before it is told to start over.
pub const STREAM_LAG: usize = 1_024;
/// The one-time link of the first administrator and of `admin link`.
pub const SIGN_IN_LINK: Span = Span::hours(24);
/// A session of the web pages.
pub const SESSION: Span = Span::hours(24 * 30);
/// How long the page is remembered that somebody wanted before they had to sign in: time enough to ask for a link.
pub const WANTED_PAGE: Span = Span::hours(1);
/// Argon2id as OWASP's password storage sheet gives it: memory in KiB, passes, lanes.
pub const PASSWORD_MEMORY_KIB: u32 = 19 * 1_024;
pub const PASSWORD_PASSES: u32 = 2;
pub const PASSWORD_LANES: u32 = 1;
/// Passwords hashed at once, per process: each takes its memory, and a core for some 50 ms.
pub const PASSWORD_HASHES: usize = 2;
/// How long a sign-in waits for its turn at the hash.
pub const PASSWORD_WAIT: Span = Span::seconds(5);
/// Shortest password, characters; longest, bytes: argon2 takes any, and somebody has to read it.
pub const PASSWORD_LEAST_CHARS: usize = 10;
pub const PASSWORD_MOST_BYTES: usize = 1_024;
/// Wrong passwords in a row that cost nothing: of one account, and from one address, behind which a whole office may sit.
pub const SIGN_IN_FREE: i64 = 5;
pub const SIGN_IN_FREE_ADDRESS: i64 = 20;
/// What the next wrong one costs; it doubles with each further one, up to the most.
pub const SIGN_IN_WAIT: Span = Span::seconds(30);
pub const SIGN_IN_WAIT_MOST: Span = Span::minutes(15);
/// Wrong passwords are forgotten after this long.
pub const SIGN_IN_FORGET: Span = Span::hours(24);
/// Longest name kept of a browser, characters.
pub const DEVICE_CHARS: usize = 200;
/// Contacts and rules that one person may keep.
pub const CONTACTS: usize = 20;
pub const RULES: usize = 50;
/// Samples kept of each integration's signals: enough to see what the last ones were.
pub const SAMPLES: i64 = 10;
/// At most one sample of an integration in this long: a flood must not be written twice.
pub const SAMPLE_EVERY: Span = Span::seconds(1);
/// What is kept of a sampled body, bytes; and the largest that is read as JSON for it.
pub const EXCERPT_BYTES: usize = 2_048;
pub const EXCERPT_READ_BYTES: usize = 64 << 10;
/// How long the pages' test signal waits for its decision.
pub const TEST_WAIT: Span = Span::seconds(3);
/// How long requests under way may take to end when the server stops.
pub const SHUT_DOWN: Span = Span::seconds(4);

/// Largest request of Slack's, bytes: a button brings along the message it stands in.
pub const SLACK_BODY_BYTES: usize = 512 << 10;
/// How old or young a request that Slack signed may be.
pub const SLACK_SIGNATURE_AGE: Span = Span::seconds(300);
/// How long Slack is left alone after a 429 that does not say for how long, and after a failure; it doubles up to the longest.
pub const SLACK_RETRY_LEAST: Span = Span::seconds(1);
pub const SLACK_RETRY_MOST: Span = Span::minutes(5);
/// Longest note or update, characters: one that fits in a room's message.
pub const NOTE_CHARS: usize = 2_500;
/// The longest that an incident may be snoozed.
pub const SNOOZE_MOST: Span = Span::hours(24 * 7);
/// Writing in an incident's room is a sign of life, noted at most this often.
pub const SIGN_OF_LIFE_EVERY: Span = Span::minutes(1);
/// A message is edited, and a room written to, at most this often: Slack takes about one a second.
pub const SLACK_PACE: Span = Span::seconds(1);
/// What happened longer ago than this is not told in Slack any more: it was not configured then.
pub const SLACK_LOOKS_BACK: Span = Span::hours(24);
/// An event that was taken and not carried out may be taken again after this long; Slack repeats one after a minute and after five.
pub const SLACK_EVENT_TAKEN: Span = Span::seconds(30);
/// How long the ids of events are kept; Slack repeats for about an hour.
pub const SLACK_EVENTS_KEPT: Span = Span::hours(24);
/// Messages that are looked through for one whose answer was lost, the newest of the channel.
pub const SLACK_LOOKED_THROUGH: i64 = 200;
/// Rooms and announcements told at once, per process.
pub const SLACK_AT_ONCE: i64 = 8;
/// How long nothing may come over Socket Mode's connection before it is asked whether anybody is there, and again before it is given up.
pub const SLACK_SOCKET_SILENCE: Span = Span::seconds(30);
/// How long it may take at most until a connection that broke is tried again: while there is none, nobody's command is heard.
pub const SLACK_SOCKET_RETRY_MOST: Span = Span::seconds(30);
/// How long a slash command may wait for the room it asked for before it is answered without; Slack gives up after three seconds.
pub const SLACK_ROOM_WAIT: Span = Span::millis(1_500);
/// How long an answer may take that is sent after a command.
pub const SLACK_ANSWER_LATER: Span = Span::minutes(2);
/// A request with an `Idempotency-Key` is answered as the first time for this long.
pub const REPEATS_KEPT: Span = Span::hours(24);
/// Keys remembered at most: more than a day of one command a second, and at most some hundred MB.
pub const REPEATS: i64 = 100_000;
/// Longest `Idempotency-Key`, bytes: two UUIDs fit several times.
pub const REPEAT_KEY_BYTES: usize = 255;
/// Largest answer kept for a request that may come again, bytes; a larger one is worked out again, and nothing is done again for it.
pub const REPEAT_ANSWER_BYTES: usize = 256 << 10;
/// How long a sender may ask what became of a request, and how many requests are remembered for that.
pub const SENDER_REQUESTS_KEPT: Span = Span::hours(24);
pub const SENDER_REQUESTS: i64 = 100_000;
/// How long a refused message counts as refused lately, and how often at most what was refused is written down.
pub const REFUSALS_KEPT: Span = Span::hours(24 * 7);
pub const REFUSALS_PACE: Span = Span::seconds(1);
/// Notes kept of one alert, the newest: a script that notes each minute must not fill a disk.
pub const ALERT_NOTES: i64 = 100;
/// Alerts looked through for a sender that searches among its own, the newest.
pub const OWN_ALERTS: i64 = 10_000;
/// How long a request that carries a key may be worked on before another one may take it over: longer than any single call of the database.
pub const REPEAT_LEASE: Span = Span::seconds(15);
