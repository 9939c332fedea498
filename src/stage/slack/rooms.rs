//! Conversations: made, named, peopled, archived, read.

use serde_json::{Value, json};

use super::api::{Answer, Call, Refusal};
use super::{BOT_USER, Note, Room, RoomKind, TEAM, World};
use crate::base::time::Time;

const NAME: usize = 80;
const TOPIC: usize = 250;
const MOST_INVITED: usize = 1_000;
const MOST_TOGETHER: usize = 8;
const PAGE_DEFAULT: usize = 100;
const PAGE_MOST: usize = 1_000;

/// What a room may be called: 1 to 80 of lower-case letters, digits, hyphens and underscores, not all of them punctuation.
fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err("invalid_name_required".into());
    }
    if name.chars().count() > NAME {
        return Err("invalid_name_maxlength".into());
    }
    // Letters of other alphabets are taken as well; capitals are not.
    if !name.chars().all(|c| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '-' | '_')) {
        return Err("invalid_name_specials".into());
    }
    if !name.chars().any(char::is_alphanumeric) {
        return Err("invalid_name_punctuation".into());
    }
    Ok(())
}

fn number(call: &Call<'_>, name: &str, error: &'static str) -> Result<usize, Refusal> {
    match call.args.text(name) {
        None => Ok(PAGE_DEFAULT),
        Some(text) => text.parse().ok().filter(|n| (1..=PAGE_MOST).contains(n)).ok_or_else(|| error.into()),
    }
}

/// One page of a list and the cursor of the next, which is empty at the end.
pub(super) fn page<T>(call: &Call<'_>, items: Vec<T>) -> Result<(Vec<T>, String), Refusal> {
    let limit = number(call, "limit", "invalid_limit")?;
    let from: usize = match call.args.text("cursor") {
        None => 0,
        Some(cursor) => cursor.strip_prefix("at").and_then(|n| n.parse().ok()).ok_or("invalid_cursor")?,
    };
    let next = if items.len() > from.saturating_add(limit) { format!("at{}", from + limit) } else { String::new() };
    Ok((items.into_iter().skip(from).take(limit).collect(), next))
}

/// The room named by the argument `channel`, if the app may know of it.
fn seen<'a>(world: &'a World, call: &Call<'_>) -> Result<&'a Room, Refusal> {
    let id = call.args.text("channel").ok_or("channel_not_found")?;
    world.room(&id).filter(|room| room.kind == RoomKind::Public || room.has(BOT_USER)).ok_or_else(|| "channel_not_found".into())
}

/// The same, if the app may also change it.
fn changeable(world: &World, call: &Call<'_>) -> Result<String, Refusal> {
    let room = seen(world, call)?;
    if matches!(room.kind, RoomKind::Direct | RoomKind::Group) {
        return Err("method_not_supported_for_channel_type".into());
    }
    if room.archived {
        return Err("is_archived".into());
    }
    if !room.has(BOT_USER) {
        return Err("not_in_channel".into());
    }
    Ok(room.id.clone())
}

pub(super) fn room_json(room: &Room) -> Value {
    let note = |note: &Note| json!({"value": note.value, "creator": note.creator, "last_set": note.set_at.map_or(0, Time::seconds)});
    if room.kind == RoomKind::Direct {
        let user = room.members.iter().find(|member| *member != BOT_USER);
        return json!({
            "id": room.id, "created": room.created_at.seconds(), "is_im": true, "is_org_shared": false, "is_archived": false, "user": user,
            "is_open": true, "is_user_deleted": false, "priority": 0, "context_team_id": TEAM, "updated": room.created_at.millis(),
        });
    }
    json!({
        "id": room.id,
        "name": room.name,
        "name_normalized": room.name,
        "created": room.created_at.seconds(),
        "creator": room.creator,
        "is_archived": room.archived,
        "is_channel": room.kind == RoomKind::Public,
        "is_ext_shared": false,
        "is_general": room.id == super::GENERAL,
        "is_group": room.kind == RoomKind::Private,
        "is_im": false,
        "is_member": room.has(BOT_USER),
        "is_mpim": room.kind == RoomKind::Group,
        "is_org_shared": false,
        "is_pending_ext_shared": false,
        "is_private": room.kind != RoomKind::Public,
        "is_shared": false,
        "parent_conversation": null,
        "pending_connected_team_ids": [],
        "pending_shared": [],
        "previous_names": room.previous_names,
        "priority": 0,
        "purpose": note(&room.purpose),
        "shared_team_ids": [TEAM],
        "topic": note(&room.topic),
        "unlinked": 0,
    })
}

fn shown(world: &World, id: &str) -> Answer {
    world.room(id).map(|room| json!({"channel": room_json(room)})).ok_or_else(|| "channel_not_found".into())
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.args.text("name").unwrap_or_default();
    check_name(&name)?;
    // An archived room keeps its name.
    if world.rooms.iter().any(|room| room.name == name) {
        return Err("name_taken".into());
    }
    let id = world.id("C");
    world.rooms.push(Room {
        id: id.clone(),
        name,
        kind: if call.args.is("is_private") { RoomKind::Private } else { RoomKind::Public },
        creator: BOT_USER.to_owned(),
        created_at: call.now,
        topic: Note::default(),
        purpose: Note::default(),
        archived: false,
        members: vec![BOT_USER.to_owned()],
        messages: Vec::new(),
        pins: Vec::new(),
        bookmarks: Vec::new(),
        previous_names: Vec::new(),
    });
    world.tell(&id, call.now, BOT_USER, "channel_join", format!("<@{BOT_USER}> has joined the channel"));
    shown(world, &id)
}

pub(super) fn invite(world: &mut World, call: &Call<'_>) -> Answer {
    let id = changeable(world, call)?;
    let users = call.args.list("users");
    if users.is_empty() {
        return Err("no_user".into());
    }
    if users.len() > MOST_INVITED {
        return Err("too_many_users".into());
    }
    let trouble = |world: &World, user: &str| {
        if user == BOT_USER {
            Some("cant_invite_self")
        } else if world.person(user).is_none() {
            Some("user_not_found")
        } else if world.room(&id).is_some_and(|room| room.has(user)) {
            Some("already_in_channel")
        } else {
            None
        }
    };
    let wrong: Vec<(String, &'static str)> = users.iter().filter_map(|user| Some((user.clone(), trouble(world, user)?))).collect();
    // Unless it is forced, one bad name keeps everyone out.
    if let Some((_, first)) = wrong.first()
        && (!call.args.is("force") || wrong.len() == users.len())
    {
        let errors: Vec<Value> = wrong.iter().map(|(user, error)| json!({"user": user, "ok": false, "error": error})).collect();
        return Err(Refusal::with(first, "errors", json!(errors)));
    }
    for user in users.iter().filter(|user| !wrong.iter().any(|(bad, _)| bad == *user)) {
        if let Some(room) = world.room_mut(&id)
            && !room.has(user)
        {
            room.members.push(user.clone());
            world.tell(&id, call.now, user, "channel_join", format!("<@{user}> has joined the channel"));
        }
    }
    shown(world, &id)
}

pub(super) fn kick(world: &mut World, call: &Call<'_>) -> Answer {
    let id = changeable(world, call)?;
    let user = call.args.text("user").ok_or("user_not_found")?;
    if user == BOT_USER {
        return Err("cant_kick_self".into());
    }
    let room = world.room_mut(&id).ok_or("channel_not_found")?;
    if !room.has(&user) {
        return Err("not_in_channel".into());
    }
    room.members.retain(|member| *member != user);
    world.tell(&id, call.now, &user, "channel_leave", format!("<@{user}> has left the channel"));
    Ok(json!({}))
}

pub(super) fn join(world: &mut World, call: &Call<'_>) -> Answer {
    let room = seen(world, call)?;
    let id = room.id.clone();
    if room.kind != RoomKind::Public {
        return Err("method_not_supported_for_channel_type".into());
    }
    if room.archived {
        return Err("is_archived".into());
    }
    if room.has(BOT_USER) {
        let mut answer = shown(world, &id)?;
        answer["warning"] = json!("already_in_channel");
        answer["response_metadata"] = json!({"warnings": ["already_in_channel"]});
        return Ok(answer);
    }
    if let Some(room) = world.room_mut(&id) {
        room.members.push(BOT_USER.to_owned());
    }
    world.tell(&id, call.now, BOT_USER, "channel_join", format!("<@{BOT_USER}> has joined the channel"));
    shown(world, &id)
}

pub(super) fn leave(world: &mut World, call: &Call<'_>) -> Answer {
    let room = seen(world, call)?;
    let id = room.id.clone();
    if room.archived {
        return Err("is_archived".into());
    }
    if !room.has(BOT_USER) {
        return Ok(json!({"not_in_channel": true}));
    }
    if let Some(room) = world.room_mut(&id) {
        room.members.retain(|member| member != BOT_USER);
    }
    world.tell(&id, call.now, BOT_USER, "channel_leave", format!("<@{BOT_USER}> has left the channel"));
    Ok(json!({}))
}

fn note(world: &mut World, call: &Call<'_>, name: &'static str) -> Answer {
    let id = changeable(world, call)?;
    let value = call.args.text(name).unwrap_or_default();
    if value.chars().count() > TOPIC {
        return Err("too_long".into());
    }
    let made = Note { value: value.clone(), creator: BOT_USER.to_owned(), set_at: Some(call.now) };
    if let Some(room) = world.room_mut(&id) {
        if name == "topic" { room.topic = made } else { room.purpose = made }
    }
    let words = if value.is_empty() { format!("cleared the channel {name}") } else { format!("set the channel {name}: {value}") };
    world.tell(&id, call.now, BOT_USER, &format!("channel_{name}"), words);
    shown(world, &id)
}

pub(super) fn set_topic(world: &mut World, call: &Call<'_>) -> Answer {
    note(world, call, "topic")
}

pub(super) fn set_purpose(world: &mut World, call: &Call<'_>) -> Answer {
    note(world, call, "purpose")
}

pub(super) fn archive(world: &mut World, call: &Call<'_>) -> Answer {
    if seen(world, call)?.archived {
        return Err("already_archived".into());
    }
    let id = changeable(world, call)?;
    if id == super::GENERAL {
        return Err("cant_archive_general".into());
    }
    world.tell(&id, call.now, BOT_USER, "channel_archive", "archived the channel".to_owned());
    if let Some(room) = world.room_mut(&id) {
        room.archived = true;
        // A bot is put out of a room that is archived.
        room.members.retain(|member| member != BOT_USER);
    }
    Ok(json!({}))
}

pub(super) fn rename(world: &mut World, call: &Call<'_>) -> Answer {
    let id = changeable(world, call)?;
    let name = call.args.text("name").unwrap_or_default();
    check_name(&name)?;
    if world.rooms.iter().any(|room| room.name == name && room.id != id) {
        return Err("name_taken".into());
    }
    let room = world.room_mut(&id).ok_or("channel_not_found")?;
    // Only who made a room, or an administrator, renames it.
    if room.creator != BOT_USER {
        return Err("not_authorized".into());
    }
    let old = std::mem::replace(&mut room.name, name.clone());
    room.previous_names.insert(0, old.clone());
    world.tell(&id, call.now, BOT_USER, "channel_name", format!("has renamed the channel from \"{old}\" to \"{name}\""));
    shown(world, &id)
}

pub(super) fn info(world: &mut World, call: &Call<'_>) -> Answer {
    let room = seen(world, call)?;
    let mut channel = room_json(room);
    if call.args.is("include_num_members") {
        channel["num_members"] = json!(room.members.len());
    }
    Ok(json!({"channel": channel}))
}

pub(super) fn members(world: &mut World, call: &Call<'_>) -> Answer {
    let (members, next) = page(call, seen(world, call)?.members.clone())?;
    Ok(json!({"members": members, "response_metadata": {"next_cursor": next}}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let types = match call.args.list("types") {
        types if types.is_empty() => vec!["public_channel".to_owned()],
        types => types,
    };
    let word = |kind| match kind {
        RoomKind::Public => "public_channel",
        RoomKind::Private => "private_channel",
        RoomKind::Direct => "im",
        RoomKind::Group => "mpim",
    };
    if types.iter().any(|kind| !["public_channel", "private_channel", "im", "mpim"].contains(&kind.as_str())) {
        return Err("invalid_types".into());
    }
    let without_archived = call.args.is("exclude_archived");
    let fits = |room: &&Room| {
        types.iter().any(|kind| kind == word(room.kind))
            && (room.kind == RoomKind::Public || room.has(BOT_USER))
            && !(without_archived && room.archived)
    };
    let found: Vec<Value> = world.rooms.iter().filter(fits).map(room_json).collect();
    let (channels, next) = page(call, found)?;
    Ok(json!({"channels": channels, "response_metadata": {"next_cursor": next}}))
}

pub(super) fn open(world: &mut World, call: &Call<'_>) -> Answer {
    let users = call.args.list("users");
    let (id, already) = if users.is_empty() {
        let id = call.args.text("channel").ok_or("users_list_not_supplied")?;
        let direct = |room: &&Room| room.id == id && matches!(room.kind, RoomKind::Direct | RoomKind::Group);
        (world.rooms.iter().find(direct).ok_or("channel_not_found")?.id.clone(), true)
    } else {
        if users.len() > MOST_TOGETHER {
            return Err("too_many_users".into());
        }
        if users.iter().any(|user| world.person(user).is_none()) {
            return Err("user_not_found".into());
        }
        world.direct(call.now, &users)
    };
    let channel = match world.room(&id) {
        Some(room) if call.args.is("return_im") => room_json(room),
        Some(_) | None => json!({"id": id}),
    };
    let mut answer = json!({"channel": channel});
    if already {
        answer["no_op"] = json!(true);
        answer["already_open"] = json!(true);
    }
    Ok(answer)
}

pub(super) fn history(world: &mut World, call: &Call<'_>) -> Answer {
    let room = seen(world, call)?;
    if !room.has(BOT_USER) {
        return Err("not_in_channel".into());
    }
    let bound = |name: &str, error: &'static str| -> Result<Option<f64>, Refusal> {
        call.args.text(name).map(|text| text.parse().map_err(|_| Refusal::from(error))).transpose()
    };
    let (oldest, latest) = (bound("oldest", "invalid_ts_oldest")?, bound("latest", "invalid_ts_latest")?);
    let inclusive = call.args.is("inclusive");
    let fits = |ts: &str| {
        let ts: f64 = ts.parse().unwrap_or(0.0);
        let after = oldest.is_none_or(|oldest| ts > oldest || (inclusive && ts >= oldest));
        after && latest.is_none_or(|latest| ts < latest || (inclusive && ts <= latest))
    };
    let seen = room.messages.iter().rev().filter(|message| message.only_for.is_none() && fits(&message.ts));
    let found: Vec<Value> = seen
        .filter(|message| message.thread_ts.as_ref().is_none_or(|thread| *thread == message.ts))
        .map(|message| with_metadata(room.told(message), message, call))
        .collect();
    let pins = room.pins.len();
    let (messages, next) = page(call, found)?;
    let mut answer = json!({
        "messages": messages, "has_more": !next.is_empty(), "pin_count": pins, "channel_actions_ts": null, "channel_actions_count": 0,
    });
    if !next.is_empty() {
        answer["response_metadata"] = json!({"next_cursor": next});
    }
    Ok(answer)
}

/// What the app wrote beside a message comes along where it is asked for.
fn with_metadata(mut told: Value, message: &super::Message, call: &Call<'_>) -> Value {
    if call.args.is("include_all_metadata")
        && let Some(metadata) = &message.metadata
    {
        told["metadata"] = metadata.clone();
    }
    told
}

pub(super) fn replies(world: &mut World, call: &Call<'_>) -> Answer {
    let room = seen(world, call)?;
    if !room.has(BOT_USER) {
        return Err("not_in_channel".into());
    }
    let ts = call.args.need("ts")?;
    room.message(&ts).ok_or("thread_not_found")?;
    let in_thread = room.messages.iter().filter(|message| message.ts == ts || message.thread_ts.as_deref() == Some(&ts));
    let found: Vec<Value> =
        in_thread.filter(|message| message.only_for.is_none()).map(|message| with_metadata(room.told(message), message, call)).collect();
    let (messages, next) = page(call, found)?;
    let mut answer = json!({"messages": messages, "has_more": !next.is_empty()});
    if !next.is_empty() {
        answer["response_metadata"] = json!({"next_cursor": next});
    }
    Ok(answer)
}
