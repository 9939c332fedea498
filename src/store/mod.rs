//! The only room that speaks SQL: one text for SQLite and PostgreSQL.
//!
//! A [`Tx`] is the permission to write and a [`read::Reader`] cannot. Functions are named noun and verb and stand in a file by their
//! noun. Rows are locked in one order everywhere, so that transactions wait for each other and never in a circle: a request's key, the
//! silences, one silence, a service, its incidents by number, pages by id, attempts; or a person, pages by id, attempts; the outbox; the counters last.

mod access;
mod archive;
mod attempt;
mod audit;
mod ballast;
mod bells;
mod change;
mod checkpoint;
mod closed;
mod desk;
mod dialect;
mod error;
mod expiry;
mod fact;
mod fall;
mod find;
mod flood;
mod follow;
mod follower;
mod gauge;
mod heartbeat;
mod inhibition;
mod journal;
mod kind;
mod later;
mod lease;
mod maintenance;
mod message_link;
mod noise;
mod open;
mod order;
mod outbox;
mod overrides;
mod pace;
mod password;
mod person;
pub mod read;
mod refusal;
mod relevance;
mod repeat;
mod retain;
mod room;
mod sample;
mod sender;
mod setup;
mod silence;
mod spoken;
mod sql;
mod storm;
mod tally;
mod task;
mod turns;
mod tx;
mod wake;
mod ways;
mod writer;

pub use access::{
    Session, Token, link_create, link_find, link_use, session_create, session_end, session_find, sessions_end, sessions_end_others,
    sessions_list, token_create, token_find, token_list, token_revoke, token_touch,
};
pub use archive::{
    Column, ColumnKind, Snapshot, Table, archive_clear, archive_holds, archive_in_use, archive_insert, archive_tables, database_time,
    database_writes,
};
pub use attempt::{
    AttemptOutcome, AttemptRow, Intent, attempt_answered, attempt_find, attempt_find_by_provider_id, attempt_insert, attempt_intent,
    attempt_keep_text, attempt_outcome, attempt_provider_ids_known, attempts_answered_by, attempts_sent_to, attempts_under_way,
};
pub use audit::{audit_forgotten, audit_lost, audit_silent};
pub use ballast::Ballast;
pub use bells::{Ears, bell_ring};
pub use change::{changes_add, changes_forget};
pub use checkpoint::checkpoint;
pub use closed::{ClosedContact, contact_close, contact_open, contacts_closed};
pub use desk::{alerts_holding_of, alerts_keys, desk_load, desk_load_incident, desk_load_two, desk_save, incident_service};
pub use dialect::Dialect;
pub use error::{Result, StoreError};
pub use expiry::{
    Ending, alert_held_put_off, alert_key, alerts_aged, alerts_ended, alerts_held, alerts_let_go, alerts_write_down, audit_held,
    held_next_due,
};
pub use fact::{FactRow, fact_last_seq, facts_after, facts_append};
pub use follower::{
    FollowerRow, follower_add, follower_advance, follower_claim, follower_find, follower_list, follower_remove, follower_renew,
    follower_save, followers_due, followers_next_due,
};
pub use heartbeat::{
    HeartbeatRow, heartbeat_await, heartbeat_beat, heartbeat_forget, heartbeat_list, heartbeat_miss, heartbeat_miss_again,
    heartbeats_excuse,
};
pub use inhibition::{
    InhibitionPlace, audit_inhibitors, inhibition_look_at, inhibition_note, inhibition_place, inhibitors_begin, inhibitors_done,
    inhibitors_drop, inhibitors_looked_at, inhibitors_tied, inhibitors_wait,
};
pub use journal::{
    Filed, JournalRow, answer_find, answer_save, answers_forget, journal_add, journal_append, journal_aside, journal_delete,
    journal_last_turn, journal_pending, journal_put_back, journal_set_aside, journal_take, journal_turns, journal_waits,
};
pub use kind::{kinds_forget, kinds_load};
pub use lease::{lease_drop, lease_hold, lease_idle, leases_take_back, proof_of_writing};
pub use maintenance::{WindowRow, window_load, window_save, windows_changed_at, windows_forget, windows_list};
pub use message_link::{message_link_create, message_link_find};
pub use open::{Store, StoreOptions};
pub use outbox::{
    OutboxRow, outbox_claim, outbox_due, outbox_insert, outbox_insert_claimed, outbox_next_due, outbox_pages_due, outbox_release,
    outbox_renew, outbox_settle, outbox_withdraw,
};
pub use overrides::{override_create, override_remove, overrides_count, overrides_load};
pub use pace::pace_take;
pub use password::{failure_add, failure_undo, failures_find, failures_forget, password_find, password_owners, password_save};
pub use person::{person_load, person_save};
pub use refusal::{RefusalRow, refusals_add, refusals_forget, refusals_list};
pub use relevance::{Noise, marks_forget};
pub use repeat::{
    Claim, RepeatAnswer, repeat_answer, repeat_claim, repeat_give_back, repeat_mark, repeat_note, repeat_verdict, repeats_forget,
};
pub use retain::{access_forget, alerts_forget, aside_forget, incident_expired, incident_forget, samples_forget};
pub use room::{
    event_done, event_drop, event_take, events_forget, facts_of, follower_revive, followers_behind, followers_claimed, room_bind,
    room_incident,
};
pub use sample::{Sample, reveal_note, samples_save};
pub use sender::{AlertNote, SenderRequest, alert_notes_save, asides_add, sender_requests_forget, sender_requests_save, tiny_ids_give};
pub use setup::{ObjectKind, SavedSetup, integration_find, setup_load, setup_save, setup_version};
pub use silence::{
    SilencePlace, SilenceRow, audit_silences, silence_change, silence_load, silence_note, silence_piece, silence_save, silences_count,
    silences_forget, silences_live, silences_live_rows, silences_lock,
};
pub use spoken::{alert_titles, incident_find, incident_find_by_number, storm_alerts};
pub use tally::{tally_add, tally_list};
pub use task::tasks_load;
pub use tx::{Ask, Tx};
pub use wake::{wake_next_due, wake_put_off, wake_set, wake_take, wakes_due, wakes_due_in};
pub use ways::{PLAIN_ZONE, Ways, user_object, ways_list, ways_load, ways_put, ways_save};

/// Which queue a write stands in. No other lane is served while a page waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteLane {
    /// What wakes people.
    Page,
    /// What senders bring; its transactions are small.
    Intake,
    Rest,
}
