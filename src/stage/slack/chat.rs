//! Messages: posted, shown to one person, edited in place, deleted.

use serde_json::{Value, json};

use super::api::{Answer, Call, Refusal};
use super::{BOT_USER, Message, RoomKind, World, block, message_json};

/// The longest text of a new message and of an edited one, characters.
const TEXT: usize = 40_000;
const EDITED_TEXT: usize = 4_000;

/// The room a message goes to: an id, a name with or without `#`, or a person, which is the conversation with them.
fn target(world: &mut World, call: &Call<'_>) -> Result<String, Refusal> {
    let given = call.args.text("channel").ok_or("channel_not_found")?;
    if world.person(&given).is_some() {
        return Ok(world.direct(call.now, &[given]).0);
    }
    let name = given.strip_prefix('#').unwrap_or(&given);
    let room = world.rooms.iter().find(|room| room.id == given || room.name == name).ok_or("channel_not_found")?;
    // What the app may not see is not there.
    if room.kind != RoomKind::Public && !room.has(BOT_USER) {
        return Err("channel_not_found".into());
    }
    if room.archived {
        return Err("is_archived".into());
    }
    if !room.has(BOT_USER) {
        return Err("not_in_channel".into());
    }
    Ok(room.id.clone())
}

/// The text and the blocks of a message, checked.
pub(super) fn content(world: &mut World, call: &Call<'_>, longest: usize) -> Result<(String, Vec<Value>), Refusal> {
    let text = call.args.text("text").unwrap_or_default();
    let mut blocks = match call.args.json("blocks") {
        None => Vec::new(),
        Some(Ok(Value::Array(blocks))) => blocks,
        Some(Ok(_) | Err(_)) => return Err("invalid_blocks_format".into()),
    };
    if text.chars().count() > longest {
        return Err("msg_too_long".into());
    }
    if text.is_empty() && blocks.is_empty() && !call.args.has("attachments") {
        return Err("no_text".into());
    }
    let complaints = block::complaints(&blocks, block::IN_MESSAGE);
    if !complaints.is_empty() {
        return Err(Refusal::told("invalid_blocks", &complaints));
    }
    if block::words(&blocks).chars().count() > block::ALL_WORDS {
        return Err("msg_blocks_too_long".into());
    }
    block::with_ids(&mut blocks, || world.id("b"));
    Ok((text, blocks))
}

pub(super) fn post(world: &mut World, call: &Call<'_>) -> Answer {
    let room = target(world, call)?;
    let (text, blocks) = content(world, call, TEXT)?;
    let thread_ts = thread(world, call, &room)?;
    let metadata = metadata(call)?;
    let message = Message { blocks, thread_ts, metadata, ..Message::of(BOT_USER, text) };
    let ts = world.say(&room, call.now, message);
    let said = world.room(&room).and_then(|room| Some(room.told(room.message(&ts)?)));
    Ok(json!({"channel": room, "ts": ts, "message": said}))
}

/// What the app writes beside a message for itself.
fn metadata(call: &Call<'_>) -> Result<Option<Value>, Refusal> {
    let metadata = match call.args.json("metadata") {
        None => return Ok(None),
        Some(Ok(metadata)) => metadata,
        Some(Err(_)) => return Err("invalid_metadata_format".into()),
    };
    let whole = metadata["event_type"].as_str().is_some_and(|kind| !kind.is_empty()) && metadata["event_payload"].is_object();
    if whole { Ok(Some(metadata)) } else { Err("invalid_metadata_schema".into()) }
}

fn thread(world: &World, call: &Call<'_>, room: &str) -> Result<Option<String>, Refusal> {
    let Some(thread) = call.args.text("thread_ts") else { return Ok(None) };
    if thread.split_once('.').is_none_or(|(seconds, rest)| seconds.parse::<u64>().is_err() || rest.len() != 6) {
        return Err(Refusal::told("invalid_thread_ts", &[format!("{thread} is not a valid thread_ts")]));
    }
    let there = world.room(room).and_then(|room| room.message(&thread)).is_some_and(|message| message.only_for.is_none());
    if there { Ok(Some(thread)) } else { Err("thread_not_found".into()) }
}

pub(super) fn post_ephemeral(world: &mut World, call: &Call<'_>) -> Answer {
    let room = target(world, call)?;
    let user = call.args.need("user")?;
    if !world.room(&room).is_some_and(|room| room.has(&user)) {
        return Err("user_not_in_channel".into());
    }
    let (text, blocks) = content(world, call, TEXT)?;
    let thread_ts = thread(world, call, &room)?;
    let message = Message { blocks, thread_ts, only_for: Some(user), ..Message::of(BOT_USER, text) };
    let ts = world.say(&room, call.now, message);
    Ok(json!({"message_ts": ts}))
}

/// A message of the app's own, by the arguments `channel` and `ts`, in a room that can still be written to.
fn own(world: &World, call: &Call<'_>, not_mine: &'static str) -> Result<(String, String), Refusal> {
    let id = call.args.text("channel").ok_or("channel_not_found")?;
    // Names are not taken here, as they are for posting.
    let room = world.room(&id).filter(|room| room.kind == RoomKind::Public || room.has(BOT_USER)).ok_or("channel_not_found")?;
    let ts = call.args.text("ts").ok_or("message_not_found")?;
    // What one person alone was shown cannot be found again.
    let message = room.message(&ts).filter(|message| message.only_for.is_none()).ok_or("message_not_found")?;
    if room.archived {
        return Err("is_archived".into());
    }
    if !message.by_app || message.subtype.is_some() {
        return Err(not_mine.into());
    }
    Ok((room.id.clone(), ts))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let (room, ts) = own(world, call, "cant_update_message")?;
    let (text, blocks) = content(world, call, EDITED_TEXT)?;
    // Blocks that are not given stay as they are; an empty list takes them away.
    let given = call.args.has("blocks");
    let now = call.now;
    let message = world.room_mut(&room).and_then(|room| room.messages.iter_mut().find(|message| message.ts == ts));
    let message = message.ok_or("message_not_found")?;
    message.text = text;
    if given {
        message.blocks = blocks;
    }
    message.edits += 1;
    message.edited_at = Some(now);
    Ok(json!({"channel": room, "ts": ts, "text": message.text, "message": message_json(message)}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let (id, ts) = own(world, call, "cant_delete_message")?;
    if let Some(room) = world.room_mut(&id) {
        room.messages.retain(|message| message.ts != ts);
        room.pins.retain(|pin| pin.ts != ts);
    }
    Ok(json!({"channel": id, "ts": ts}))
}

pub(super) fn permalink(world: &mut World, call: &Call<'_>) -> Answer {
    let id = call.args.text("channel").ok_or("channel_not_found")?;
    let ts = call.args.text("message_ts").ok_or("message_not_found")?;
    let room = world.room(&id).ok_or("channel_not_found")?;
    room.message(&ts).ok_or("message_not_found")?;
    Ok(json!({"channel": id, "permalink": link(call.base, &id, &ts)}))
}

/// Where a message is to be seen.
pub(super) fn link(base: &str, room: &str, ts: &str) -> String {
    format!("{base}/archives/{room}/p{}", ts.replace('.', ""))
}
