//! Users, and what hangs on a room or a message: pins, bookmarks, reactions; and the dialogues that the app opens.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::api::{Answer, Call, Refusal};
use super::rooms::page;
use super::{APP, BOT, BOT_NAME, BOT_USER, Bookmark, Modal, Person, Pin, Reaction, Room, RoomKind, TEAM, TEAM_DOMAIN, World, block, chat};
use crate::base::time::Time;

const BOOKMARKS: usize = 100;
const PINS: usize = 100;

pub(super) fn auth_test() -> Value {
    json!({
        "url": format!("https://{TEAM_DOMAIN}.slack.com/"), "team": "Stage", "user": BOT_NAME, "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT,
        "is_enterprise_install": false,
    })
}

fn user_json(person: &Person, is_bot: bool) -> Value {
    let mut profile = json!({
        "avatar_hash": "g0000000000", "real_name": person.name, "real_name_normalized": person.name, "display_name": person.handle,
        "display_name_normalized": person.handle, "status_text": "", "status_emoji": "", "title": "", "phone": "", "skype": "", "team": TEAM, "fields": {},
    });
    if is_bot {
        profile["api_app_id"] = json!(APP);
        profile["bot_id"] = json!(BOT);
    } else {
        profile["email"] = json!(person.email);
    }
    json!({
        "id": person.id, "team_id": TEAM, "name": person.handle, "deleted": false, "color": "4bbe2e", "real_name": person.name, "tz": "Europe/Paris",
        "tz_label": "Central European Time", "tz_offset": 3600, "profile": profile, "is_admin": false, "is_owner": false,
        "is_primary_owner": false, "is_restricted": false, "is_ultra_restricted": false, "is_bot": is_bot, "is_app_user": false, "updated": 0,
    })
}

fn the_bot() -> Person {
    Person { id: BOT_USER.to_owned(), handle: BOT_NAME.to_owned(), name: "Reveille".to_owned(), email: String::new() }
}

pub(super) fn info(world: &mut World, call: &Call<'_>) -> Answer {
    let id = call.args.need("user")?;
    if id == BOT_USER {
        return Ok(json!({"user": user_json(&the_bot(), true)}));
    }
    world.person(&id).map(|person| json!({"user": user_json(person, false)})).ok_or_else(|| "user_not_found".into())
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let mut all: Vec<Value> = world.people.iter().map(|person| user_json(person, false)).collect();
    all.push(user_json(&the_bot(), true));
    let (members, next) = page(call, all)?;
    Ok(json!({"members": members, "cache_ts": call.now.seconds(), "response_metadata": {"next_cursor": next}}))
}

pub(super) fn lookup(world: &mut World, call: &Call<'_>) -> Answer {
    let email = call.args.need("email")?;
    let found = world.people.iter().find(|person| person.email.eq_ignore_ascii_case(&email));
    found.map(|person| json!({"user": user_json(person, false)})).ok_or_else(|| "users_not_found".into())
}

/// A room that the app is in, by the argument of this name.
fn joined(world: &World, call: &Call<'_>, argument: &str) -> Result<String, Refusal> {
    let id = call.args.text(argument).ok_or("channel_not_found")?;
    let room = world.room(&id).filter(|room| room.kind == RoomKind::Public || room.has(BOT_USER)).ok_or("channel_not_found")?;
    if room.archived {
        return Err("is_archived".into());
    }
    if !room.has(BOT_USER) {
        return Err("not_in_channel".into());
    }
    Ok(id)
}

/// A message in such a room, by the arguments `channel` and `timestamp`.
fn message(world: &World, call: &Call<'_>) -> Result<(String, String), Refusal> {
    let id = joined(world, call, "channel")?;
    let ts = call.args.text("timestamp").ok_or("no_item_specified")?;
    let there = world.room(&id).and_then(|room| room.message(&ts)).is_some_and(|message| message.only_for.is_none());
    if there { Ok((id, ts)) } else { Err("message_not_found".into()) }
}

pub(super) fn pin(world: &mut World, call: &Call<'_>) -> Answer {
    let (id, ts) = message(world, call)?;
    let now = call.now;
    let room = world.room_mut(&id).ok_or("channel_not_found")?;
    if room.pins.iter().any(|pin| pin.ts == ts) {
        return Err("already_pinned".into());
    }
    if room.pins.len() >= PINS {
        return Err("too_many_pins".into());
    }
    room.pins.push(Pin { ts, by: BOT_USER.to_owned(), at: now });
    world.tell(&id, now, BOT_USER, "pinned_item", "pinned a message to this channel.".to_owned());
    Ok(json!({}))
}

pub(super) fn unpin(world: &mut World, call: &Call<'_>) -> Answer {
    let (id, ts) = message(world, call)?;
    let room = world.room_mut(&id).ok_or("channel_not_found")?;
    let before = room.pins.len();
    room.pins.retain(|pin| pin.ts != ts);
    if room.pins.len() == before { Err("no_pin".into()) } else { Ok(json!({})) }
}

pub(super) fn pins(world: &mut World, call: &Call<'_>) -> Answer {
    let id = joined(world, call, "channel")?;
    let room = world.room(&id).ok_or("channel_not_found")?;
    let item = |pin: &Pin| {
        let mut message = room.told(room.message(&pin.ts)?);
        message["permalink"] = json!(chat::link(call.base, &id, &pin.ts));
        message["pinned_to"] = json!([id]);
        Some(json!({"type": "message", "created": pin.at.seconds(), "created_by": pin.by, "channel": id, "message": message}))
    };
    Ok(json!({"items": room.pins.iter().rev().filter_map(item).collect::<Vec<_>>()}))
}

fn bookmark_json(room: &Room, bookmark: &Bookmark) -> Value {
    let at = |time: Time| time.seconds();
    let rank = room.bookmarks.iter().position(|known| known.id == bookmark.id).unwrap_or(0);
    json!({
        "id": bookmark.id, "channel_id": room.id, "title": bookmark.title, "link": bookmark.link, "emoji": bookmark.emoji, "icon_url": null,
        "type": "link", "entity_id": null, "date_created": at(bookmark.created_at), "date_updated": at(bookmark.updated_at),
        "rank": format!("{rank:04}"), "last_updated_by_user_id": BOT_USER, "last_updated_by_team_id": TEAM, "shortcut_id": null, "app_id": APP,
        "app_action_id": null,
    })
}

/// Whether a link can stand in a bookmark.
fn check_link(link: &str) -> Result<(), Refusal> {
    if crate::stage::is_web_url(link) { Ok(()) } else { Err("invalid_link".into()) }
}

pub(super) fn bookmark_add(world: &mut World, call: &Call<'_>) -> Answer {
    let id = joined(world, call, "channel_id")?;
    let title = call.args.need("title")?;
    if call.args.need("type")? != "link" {
        return Err("invalid_bookmark_type".into());
    }
    let link = call.args.text("link").ok_or("invalid_link")?;
    check_link(&link)?;
    let bookmark = Bookmark { id: world.id("Bk"), title, link, emoji: call.args.text("emoji"), created_at: call.now, updated_at: call.now };
    let room = world.room_mut(&id).ok_or("channel_not_found")?;
    if room.bookmarks.len() >= BOOKMARKS {
        return Err("too_many_bookmarks".into());
    }
    room.bookmarks.push(bookmark.clone());
    Ok(json!({"bookmark": bookmark_json(room, &bookmark)}))
}

pub(super) fn bookmark_edit(world: &mut World, call: &Call<'_>) -> Answer {
    let id = joined(world, call, "channel_id")?;
    let wanted = call.args.need("bookmark_id")?;
    let link = call.args.text("link");
    link.as_deref().map_or(Ok(()), check_link)?;
    let room = world.room_mut(&id).ok_or("channel_not_found")?;
    let bookmark = room.bookmarks.iter_mut().find(|bookmark| bookmark.id == wanted).ok_or("not_found")?;
    bookmark.title = call.args.text("title").unwrap_or_else(|| bookmark.title.clone());
    bookmark.link = link.unwrap_or_else(|| bookmark.link.clone());
    bookmark.emoji = call.args.text("emoji").or_else(|| bookmark.emoji.clone());
    bookmark.updated_at = call.now;
    let bookmark = bookmark.clone();
    Ok(json!({"bookmark": bookmark_json(room, &bookmark)}))
}

pub(super) fn bookmark_remove(world: &mut World, call: &Call<'_>) -> Answer {
    let id = joined(world, call, "channel_id")?;
    let wanted = call.args.need("bookmark_id")?;
    let room = world.room_mut(&id).ok_or("channel_not_found")?;
    let before = room.bookmarks.len();
    room.bookmarks.retain(|bookmark| bookmark.id != wanted);
    if room.bookmarks.len() == before { Err("not_found".into()) } else { Ok(json!({})) }
}

pub(super) fn bookmark_list(world: &mut World, call: &Call<'_>) -> Answer {
    let id = joined(world, call, "channel_id")?;
    let room = world.room(&id).ok_or("channel_not_found")?;
    Ok(json!({"bookmarks": room.bookmarks.iter().map(|bookmark| bookmark_json(room, bookmark)).collect::<Vec<_>>()}))
}

/// The reaction's name and the message it is about.
fn reaction(world: &World, call: &Call<'_>) -> Result<(String, String, String), Refusal> {
    let name = call.args.text("name").ok_or("invalid_name")?;
    if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-+:'".contains(c)) {
        return Err("invalid_name".into());
    }
    let (room, ts) = message(world, call)?;
    Ok((name, room, ts))
}

pub(super) fn react(world: &mut World, call: &Call<'_>) -> Answer {
    let (name, room, ts) = reaction(world, call)?;
    let message = world.room_mut(&room).and_then(|room| room.messages.iter_mut().find(|message| message.ts == ts));
    let reactions = &mut message.ok_or("message_not_found")?.reactions;
    match reactions.iter_mut().find(|reaction| reaction.name == name) {
        Some(reaction) if reaction.users.iter().any(|user| user == BOT_USER) => return Err("already_reacted".into()),
        Some(reaction) => reaction.users.push(BOT_USER.to_owned()),
        None => reactions.push(Reaction { name, users: vec![BOT_USER.to_owned()] }),
    }
    Ok(json!({}))
}

pub(super) fn unreact(world: &mut World, call: &Call<'_>) -> Answer {
    let (name, room, ts) = reaction(world, call)?;
    let message = world.room_mut(&room).and_then(|room| room.messages.iter_mut().find(|message| message.ts == ts));
    let reactions = &mut message.ok_or("message_not_found")?.reactions;
    let reaction = reactions.iter_mut().find(|reaction| reaction.name == name).ok_or("no_reaction")?;
    let before = reaction.users.len();
    reaction.users.retain(|user| user != BOT_USER);
    if reaction.users.len() == before {
        return Err("no_reaction".into());
    }
    reactions.retain(|reaction| !reaction.users.is_empty());
    Ok(json!({}))
}

/// The dialogue of the argument `view`, checked, its blocks with ids.
fn view(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let mut view = match call.args.json("view") {
        Some(Ok(view @ Value::Object(_))) => view,
        Some(Ok(_) | Err(_)) => return Err("invalid_arguments".into()),
        None => return Err(Refusal::missing("view")),
    };
    let complaints = block::view_complaints(&view);
    if !complaints.is_empty() {
        return Err(Refusal::told("invalid_arguments", &complaints));
    }
    if let Some(blocks) = view["blocks"].as_array_mut() {
        block::with_ids(blocks, || world.id("b"));
    }
    Ok(view)
}

/// A view as Slack gives it back.
fn shaped(id: &str, given: &Value, world: &mut World) -> Value {
    let or = |name: &str, otherwise: Value| given.get(name).cloned().unwrap_or(otherwise);
    json!({
        "id": id, "team_id": TEAM, "type": "modal", "blocks": given["blocks"], "title": given["title"], "submit": or("submit", Value::Null),
        "close": or("close", Value::Null), "private_metadata": or("private_metadata", json!("")), "callback_id": or("callback_id", json!("")),
        "external_id": or("external_id", json!("")), "state": {"values": {}}, "hash": format!("{}.{}", world.id(""), "h"),
        "clear_on_close": or("clear_on_close", json!(false)), "notify_on_close": or("notify_on_close", json!(false)), "root_view_id": id,
        "previous_view_id": null, "app_id": APP, "app_installed_team_id": TEAM, "bot_id": BOT,
    })
}

pub(super) fn view_open(world: &mut World, call: &Call<'_>) -> Answer {
    let trigger = call.args.need("trigger_id")?;
    let given = view(world, call)?;
    let user = world.exchange(&trigger, call.now)?;
    let id = world.id("V");
    let shaped = shaped(&id, &given, world);
    // One dialogue at a time: a new one takes the place of the one before.
    world.modals.retain(|modal| modal.user != user);
    world.modals.push(Modal { id, user, view: shaped.clone(), errors: HashMap::new() });
    Ok(json!({"view": shaped}))
}

pub(super) fn view_update(world: &mut World, call: &Call<'_>) -> Answer {
    let id = call.args.need("view_id")?;
    let given = view(world, call)?;
    if !world.modals.iter().any(|modal| modal.id == id) {
        return Err("not_found".into());
    }
    world.show(&id, &given).map(|view| json!({"view": view})).ok_or_else(|| "not_found".into())
}

impl World {
    /// Shows another dialogue in the place of this one.
    pub(super) fn show(&mut self, id: &str, given: &Value) -> Option<Value> {
        let shaped = shaped(id, given, self);
        let modal = self.modals.iter_mut().find(|modal| modal.id == id)?;
        modal.view = shaped.clone();
        modal.errors.clear();
        Some(shaped)
    }
}
