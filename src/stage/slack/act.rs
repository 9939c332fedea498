//! What people do with their hands: press buttons, choose from lists, fill dialogues in, take shortcuts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::home::{Reply, room_name};
use super::{APP, Message, Slack, TEAM, TEAM_DOMAIN, World, block, message_json};
use crate::base::time::Time;
use crate::stage::{StageError, lock};

impl Slack {
    /// Someone presses a button: the newest one in the room, that they can see, whose label or action id this is.
    ///
    /// # Errors
    /// When there is no such button to be seen.
    pub async fn press(&self, user: &str, room: &str, button: &str) -> Result<(), StageError> {
        let id = self.place(user, room)?;
        let found = self.0.world().slack.room(&id).and_then(|room| {
            let seen = room.messages.iter().rev().filter(|message| message.only_for.as_ref().is_none_or(|only| only == user));
            seen.flat_map(|message| message.buttons().into_iter().map(move |button| (message.ts.clone(), button)))
                .find(|(_, known)| known.label == button || known.action_id == button)
        });
        let (ts, button) = found.ok_or_else(|| StageError::NoSuchButton(button.to_owned()))?;
        self.press_on(user, &id, &ts, &button.block_id, &button.action_id, None).await
    }

    /// Someone presses one certain button of one certain message, or chooses something from a list there: an option's value, or a person's id.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn press_on(
        &self,
        user: &str,
        room: &str,
        ts: &str,
        block_id: &str,
        action_id: &str,
        choice: Option<&str>,
    ) -> Result<(), StageError> {
        let id = self.place(user, room)?;
        let now = self.0.clock.now();
        let missing = || StageError::NoSuchButton(action_id.to_owned());
        let (payload, label) = {
            let mut world = lock(&self.0.world);
            let slack = &mut world.slack;
            let room = slack.room(&id).ok_or_else(missing)?;
            let message = room.message(ts).cloned().ok_or_else(missing)?;
            let element = element(&message, block_id, action_id).ok_or_else(missing)?;
            let label = element["text"]["text"].as_str().unwrap_or(action_id).to_owned();
            let channel = json!({"id": room.id, "name": room_name(room)});
            let trigger_id = slack.trigger(user, now);
            let response_url = slack.response_url(&self.base(), "actions", user, &id, Some(ts), now);
            let ephemeral = message.only_for.is_some();
            let mut payload = json!({
                "type": "block_actions",
                "user": slack.user_json(user),
                "api_app_id": APP,
                "token": "legacy-verification-token",
                "container": {"type": "message", "message_ts": ts, "channel_id": id, "is_ephemeral": ephemeral},
                "trigger_id": trigger_id,
                "team": {"id": TEAM, "domain": TEAM_DOMAIN},
                "enterprise": null,
                "is_enterprise_install": false,
                "channel": channel,
                "state": {"values": {}},
                "response_url": response_url,
                "actions": [action(&element, block_id, choice, now)],
            });
            // An ephemeral message is not kept, so it does not come along.
            if !ephemeral {
                payload["message"] = message_json(&message);
            }
            (payload, label)
        };
        let reply = self.interact(&payload, format!("button \"{label}\"")).await;
        if let Err(why) = reply {
            // The workspace shows a small sign beside the button; a message for the one who pressed says the same.
            self.whisper(&id, user, format!("That button did not work: the app {why}."));
        }
        Ok(())
    }

    /// Someone sends a dialogue: `values` by the ids of its blocks, as plain text or the value of a choice.
    ///
    /// # Errors
    /// When the dialogue is not open.
    pub async fn submit(&self, modal: &str, values: &BTreeMap<String, String>) -> Result<(), StageError> {
        let now = self.0.clock.now();
        let (payload, user) = {
            let mut world = lock(&self.0.world);
            let slack = &mut world.slack;
            let open =
                slack.modals.iter().find(|open| open.id == modal).cloned().ok_or_else(|| StageError::NoSuchDialogue(modal.to_owned()))?;
            let mut view = open.view.clone();
            view["state"]["values"] = state(&view, values);
            let trigger_id = slack.trigger(&open.user, now);
            let payload = json!({
                "type": "view_submission",
                "team": {"id": TEAM, "domain": TEAM_DOMAIN},
                "user": slack.user_json(&open.user),
                "api_app_id": APP,
                "token": "legacy-verification-token",
                "trigger_id": trigger_id,
                "view": view,
                "response_urls": [],
                "is_enterprise_install": false,
                "enterprise": null,
            });
            (payload, open.user)
        };
        let about = payload["view"]["callback_id"].as_str().unwrap_or_default();
        let reply = self.interact(&payload, format!("dialogue {about}")).await;
        let mut world = lock(&self.0.world);
        match reply {
            Ok(reply) => after_submit(&mut world.slack, modal, &user, &reply),
            Err(_) => world.slack.complain(modal, "", "We had some trouble connecting. Try again?"),
        }
        drop(world);
        self.0.changed();
        Ok(())
    }

    /// Someone closes a dialogue without sending it.
    ///
    /// # Errors
    /// When the dialogue is not open.
    pub async fn close(&self, modal: &str) -> Result<(), StageError> {
        let told = {
            let mut world = self.0.world();
            let slack = &mut world.slack;
            let at = slack.modals.iter().position(|open| open.id == modal).ok_or_else(|| StageError::NoSuchDialogue(modal.to_owned()))?;
            let open = slack.modals.remove(at);
            (open.view["notify_on_close"] == true).then(|| {
                json!({
                    "type": "view_closed", "team": {"id": TEAM, "domain": TEAM_DOMAIN}, "user": slack.user_json(&open.user), "api_app_id": APP,
                    "token": "legacy-verification-token", "view": open.view, "is_cleared": false, "is_enterprise_install": false, "enterprise": null,
                })
            })
        };
        self.0.changed();
        if let Some(payload) = told {
            drop(self.interact(&payload, "dialogue closed".to_owned()).await);
        }
        Ok(())
    }

    /// Someone takes a shortcut: of the whole workspace, or on one message of a room.
    ///
    /// # Errors
    /// When there is no such person, room or message.
    pub async fn shortcut(&self, user: &str, callback_id: &str, on: Option<(&str, &str)>) -> Result<(), StageError> {
        let now = self.0.clock.now();
        let payload = {
            let id = on.map(|(room, _)| self.place(user, room)).transpose()?;
            let mut world = lock(&self.0.world);
            let slack = &mut world.slack;
            let trigger_id = slack.trigger(user, now);
            let mut payload = json!({
                "type": "shortcut", "token": "legacy-verification-token", "action_ts": ts_text(now), "team": {"id": TEAM, "domain": TEAM_DOMAIN},
                "user": slack.user_json(user), "is_enterprise_install": false, "enterprise": null, "callback_id": callback_id, "trigger_id": trigger_id,
            });
            if let (Some(id), Some((_, ts))) = (id, on) {
                let room = slack.room(&id).ok_or_else(|| StageError::NoSuchRoom(id.clone()))?;
                let message = room.message(ts).ok_or_else(|| StageError::NoSuchButton(ts.to_owned()))?;
                payload["type"] = json!("message_action");
                payload["channel"] = json!({"id": id, "name": room_name(room)});
                payload["message_ts"] = json!(ts);
                payload["message"] = message_json(message);
                payload["response_url"] = json!(slack.response_url(&self.base(), "app", user, &id, Some(ts), now));
            }
            payload
        };
        drop(self.interact(&payload, format!("shortcut {callback_id}")).await);
        Ok(())
    }
}

fn ts_text(now: Time) -> String {
    format!("{}.{:06}", now.seconds(), now.0.rem_euclid(1_000_000))
}

/// What can be used in a message, as it stands there.
fn element(message: &Message, block_id: &str, action_id: &str) -> Option<Value> {
    let block = message.blocks.iter().find(|block| block["block_id"] == block_id);
    let elements = block.into_iter().flat_map(|block| block["elements"].as_array().into_iter().flatten().chain(block.get("accessory")));
    elements.into_iter().find(|element| element["action_id"] == action_id).cloned()
}

/// What was pressed or chosen, as a payload tells it.
fn action(element: &Value, block_id: &str, choice: Option<&str>, now: Time) -> Value {
    let mut action = json!({"type": element["type"], "block_id": block_id, "action_ts": ts_text(now)});
    for name in ["action_id", "text", "value", "style", "url", "confirm", "placeholder"] {
        if let Some(value) = element.get(name) {
            action[name] = value.clone();
        }
    }
    let option =
        || element["options"].as_array().into_iter().flatten().find(|option| choice.is_some_and(|choice| option["value"] == choice));
    match element["type"].as_str() {
        Some("users_select") => action["selected_user"] = json!(choice),
        Some("conversations_select") => action["selected_conversation"] = json!(choice),
        Some("static_select" | "overflow" | "radio_buttons") => action["selected_option"] = json!(option()),
        _ => {}
    }
    action
}

/// What was filled in, as `state.values` tells it: by block, then by action.
fn state(view: &Value, values: &BTreeMap<String, String>) -> Value {
    let mut state = json!({});
    for block in view["blocks"].as_array().into_iter().flatten().filter(|block| block["type"] == "input") {
        let (Some(block_id), element) = (block["block_id"].as_str(), &block["element"]) else { continue };
        let (Some(action_id), Some(kind)) = (element["action_id"].as_str(), element["type"].as_str()) else { continue };
        let given = values.get(block_id).filter(|value| !value.is_empty());
        let told = match kind {
            "static_select" | "radio_buttons" => {
                let option = element["options"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|option| given.is_some_and(|given| option["value"] == given.as_str()));
                json!({"type": kind, "selected_option": option})
            }
            "users_select" => json!({"type": kind, "selected_user": given}),
            "multi_users_select" => {
                let users: Vec<&str> = given.map(|given| given.split(',').collect()).unwrap_or_default();
                json!({"type": kind, "selected_users": users})
            }
            "checkboxes" => {
                let chosen: Vec<&str> = given.map(|given| given.split(',').collect()).unwrap_or_default();
                let picked = |option: &&Value| option["value"].as_str().is_some_and(|value| chosen.contains(&value));
                json!({"type": kind, "selected_options": element["options"].as_array().into_iter().flatten().filter(picked).collect::<Vec<_>>()})
            }
            "datepicker" => json!({"type": kind, "selected_date": given}),
            "timepicker" => json!({"type": kind, "selected_time": given}),
            "conversations_select" => json!({"type": kind, "selected_conversation": given}),
            _ => json!({"type": kind, "value": given}),
        };
        state[block_id] = json!({action_id: told});
    }
    state
}

/// What the app's answer to a dialogue does: closes it, complains, or shows another.
fn after_submit(slack: &mut World, modal: &str, user: &str, reply: &Reply) {
    let body: Value = if reply.body.trim().is_empty() { json!({}) } else { serde_json::from_str(&reply.body).unwrap_or(Value::Null) };
    match body["response_action"].as_str() {
        None if body.is_object() => slack.modals.retain(|open| open.id != modal),
        Some("clear") => slack.modals.retain(|open| open.user != user),
        Some("errors") => {
            for (block_id, error) in body["errors"].as_object().into_iter().flatten() {
                slack.complain(modal, block_id, error.as_str().unwrap_or_default());
            }
        }
        Some("update" | "push") if block::view_complaints(&body["view"]).is_empty() => {
            let mut view = body["view"].clone();
            if let Some(blocks) = view["blocks"].as_array_mut() {
                block::with_ids(blocks, || slack.id("b"));
            }
            slack.show(modal, &view);
        }
        _ => slack.complain(modal, "", "We had some trouble connecting. Try again?"),
    }
}

impl World {
    fn complain(&mut self, modal: &str, block_id: &str, why: &str) {
        if let Some(open) = self.modals.iter_mut().find(|open| open.id == modal) {
            open.errors.insert(block_id.to_owned(), why.to_owned());
        }
    }
}
