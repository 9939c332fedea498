//! What a message or a dialogue may be made of, read as strictly as Slack reads it: unknown kinds, unknown properties, lengths and counts.
//! Limits are those of <https://docs.slack.dev/reference/block-kit/blocks>; lengths count characters.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Button;

/// The most blocks in a message, and in a dialogue.
pub(super) const IN_MESSAGE: usize = 50;
pub(super) const IN_VIEW: usize = 100;
const SECTION_TEXT: usize = 3_000;
const FIELD_TEXT: usize = 2_000;
const FIELDS: usize = 10;
const HEADER_TEXT: usize = 150;
const MARKDOWN_TEXT: usize = 12_000;
const CONTEXT_ELEMENTS: usize = 10;
const ACTIONS_ELEMENTS: usize = 25;
const BUTTON_TEXT: usize = 75;
const BUTTON_VALUE: usize = 2_000;
const URL: usize = 3_000;
const ID: usize = 255;
const OPTIONS: usize = 100;
const OPTION_TEXT: usize = 75;
const OPTION_VALUE: usize = 150;
const ALT_TEXT: usize = 2_000;
/// All words of one message together: past this Slack answers `msg_blocks_too_long`.
pub(super) const ALL_WORDS: usize = 13_200;

/// What Slack would complain of, each with the place: `must be less than 3001 characters [json-pointer:/blocks/0/text/text]`.
pub(super) fn complaints(blocks: &[Value], most: usize) -> Vec<String> {
    let mut check = Check { found: Vec::new(), block_ids: HashSet::new() };
    if blocks.len() > most {
        check.say("/blocks", &format!("no more than {most} items allowed"));
    }
    for (n, block) in blocks.iter().enumerate() {
        check.block(block, &format!("/blocks/{n}"), most == IN_VIEW);
    }
    check.found
}

/// Gives every block and every element the id that Slack gives those without one.
pub(super) fn with_ids(blocks: &mut [Value], mut new: impl FnMut() -> String) {
    let mut put = |value: &mut Value, name: &str| {
        if let Some(fields) = value.as_object_mut() {
            fields.entry(name).or_insert_with(|| Value::String(new()));
        }
    };
    for block in blocks {
        put(block, "block_id");
        let acts = |element: &Value| !matches!(element["type"].as_str(), Some("image" | "mrkdwn" | "plain_text") | None);
        if block["type"] == "actions"
            && let Some(elements) = block["elements"].as_array_mut()
        {
            elements.iter_mut().filter(|element| acts(element)).for_each(|element| put(element, "action_id"));
        }
        for one in ["accessory", "element"] {
            if let Some(element) = block.get_mut(one).filter(|element| acts(element)) {
                put(element, "action_id");
            }
        }
    }
}

/// All words of some blocks, block by block on a line.
pub(super) fn words(blocks: &[Value]) -> String {
    fn gather(value: &Value, words: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(text) = fields.get("text").and_then(Value::as_str) {
                    words.push(text.to_owned());
                }
                for (name, value) in fields {
                    // A button's words are read; what it asks before it acts is not yet said.
                    if name != "confirm" && value.is_object() || value.is_array() {
                        gather(value, words);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| gather(item, words)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let line = |block: &Value| {
        let mut words = Vec::new();
        gather(block, &mut words);
        words.join(" ")
    };
    blocks.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The buttons of some blocks, in order.
pub(super) fn buttons(blocks: &[Value]) -> Vec<Button> {
    let mut found = Vec::new();
    for block in blocks {
        let elements = block["elements"].as_array().into_iter().flatten().chain(block.get("accessory"));
        for element in elements.filter(|element| element["type"] == "button") {
            let text = |name: &str| element[name].as_str().map(str::to_owned);
            found.push(Button {
                action_id: text("action_id").unwrap_or_default(),
                block_id: block["block_id"].as_str().unwrap_or_default().to_owned(),
                label: element["text"]["text"].as_str().unwrap_or_default().to_owned(),
                value: text("value"),
                url: text("url"),
            });
        }
    }
    found
}

struct Check {
    found: Vec<String>,
    block_ids: HashSet<String>,
}

impl Check {
    fn say(&mut self, at: &str, what: &str) {
        self.found.push(format!("{what} [json-pointer:{at}]"));
    }

    /// An object with no properties but these.
    fn object<'a>(&mut self, value: &'a Value, at: &str, known: &[&str]) -> Option<&'a Map<String, Value>> {
        let Some(fields) = value.as_object() else {
            self.say(at, "must be an object");
            return None;
        };
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            self.say(at, &format!("invalid additional property: {name}"));
        }
        Some(fields)
    }

    /// A string of 1 to `most` characters; whether it is there, if it must be.
    fn string(&mut self, fields: &Map<String, Value>, name: &str, at: &str, most: usize, must: bool) {
        match fields.get(name) {
            None if must => self.say(at, &format!("missing required field: {name}")),
            None => {}
            Some(Value::String(text)) => {
                let length = text.chars().count();
                if length > most {
                    self.say(&format!("{at}/{name}"), &format!("must be less than {} characters", most + 1));
                } else if length == 0 && must {
                    self.say(&format!("{at}/{name}"), "must be more than 0 characters");
                }
            }
            Some(_) => self.say(&format!("{at}/{name}"), "must be a string"),
        }
    }

    fn text(&mut self, value: &Value, at: &str, most: usize, plain_only: bool) {
        let Some(fields) = self.object(value, at, &["type", "text", "emoji", "verbatim"]) else { return };
        match value["type"].as_str() {
            Some("plain_text") => {
                if fields.contains_key("verbatim") {
                    self.say(at, "invalid additional property: verbatim");
                }
            }
            Some("mrkdwn") if !plain_only => {
                if fields.contains_key("emoji") {
                    self.say(at, "invalid additional property: emoji");
                }
            }
            Some(other) => self.say(&format!("{at}/type"), &format!("unsupported type: {other}")),
            None => self.say(at, "missing required field: type"),
        }
        self.string(fields, "text", at, most, true);
    }

    fn need_text(&mut self, fields: &Map<String, Value>, name: &str, at: &str, most: usize, plain_only: bool) {
        match fields.get(name) {
            Some(text) => self.text(text, &format!("{at}/{name}"), most, plain_only),
            None => self.say(at, &format!("missing required field: {name}")),
        }
    }

    fn may_text(&mut self, fields: &Map<String, Value>, name: &str, at: &str, most: usize) {
        if fields.contains_key(name) {
            self.need_text(fields, name, at, most, true);
        }
    }

    fn block(&mut self, block: &Value, at: &str, in_view: bool) {
        let Some(kind) = block.get("type").and_then(Value::as_str) else {
            self.say(at, "missing required field: type");
            return;
        };
        let known: &[&str] = match kind {
            "section" => &["type", "block_id", "text", "fields", "accessory", "expand"],
            "divider" => &["type", "block_id"],
            "header" | "markdown" => &["type", "block_id", "text"],
            "context" | "actions" | "rich_text" => &["type", "block_id", "elements"],
            "image" => &["type", "block_id", "image_url", "slack_file", "alt_text", "title"],
            "input" => &["type", "block_id", "label", "element", "dispatch_action", "hint", "optional"],
            other => {
                self.say(&format!("{at}/type"), &format!("unsupported type: {other}"));
                return;
            }
        };
        let Some(fields) = self.object(block, at, known) else { return };
        self.string(fields, "block_id", at, ID, false);
        if let Some(id) = fields.get("block_id").and_then(Value::as_str)
            && !self.block_ids.insert(id.to_owned())
        {
            self.say(&format!("{at}/block_id"), "block_id already exists");
        }
        match kind {
            "section" => self.section(fields, at),
            "header" => self.need_text(fields, "text", at, HEADER_TEXT, true),
            "markdown" => self.string(fields, "text", at, MARKDOWN_TEXT, true),
            "context" => self.each(fields, "elements", at, CONTEXT_ELEMENTS, |check, element, at| match element["type"].as_str() {
                Some("image") => check.image(element, at),
                _ => check.text(element, at, SECTION_TEXT, false),
            }),
            "actions" => {
                let mut ids = HashSet::new();
                self.each(fields, "elements", at, ACTIONS_ELEMENTS, |check, element, at| {
                    check.element(element, at, false);
                    if let Some(id) = element["action_id"].as_str()
                        && !ids.insert(id.to_owned())
                    {
                        check.say(&format!("{at}/action_id"), "action_id already exists");
                    }
                });
            }
            "rich_text" => self.each(fields, "elements", at, IN_VIEW, |check, element, at| {
                if !element.is_object() {
                    check.say(at, "must be an object");
                }
            }),
            "image" => self.image_fields(fields, at),
            "input" if !in_view => self.say(&format!("{at}/type"), "unsupported type: input"),
            "input" => {
                self.need_text(fields, "label", at, 2_000, true);
                self.may_text(fields, "hint", at, 2_000);
                match fields.get("element") {
                    Some(element) => self.element(element, &format!("{at}/element"), true),
                    None => self.say(at, "missing required field: element"),
                }
            }
            _ => {}
        }
    }

    fn section(&mut self, fields: &Map<String, Value>, at: &str) {
        if let Some(text) = fields.get("text") {
            self.text(text, &format!("{at}/text"), SECTION_TEXT, false);
        } else if !fields.contains_key("fields") {
            self.say(at, "missing required field: text");
        }
        if fields.contains_key("fields") {
            self.each(fields, "fields", at, FIELDS, |check, text, at| check.text(text, at, FIELD_TEXT, false));
        }
        if let Some(accessory) = fields.get("accessory") {
            let at = format!("{at}/accessory");
            if accessory["type"] == "image" { self.image(accessory, &at) } else { self.element(accessory, &at, false) }
        }
    }

    /// A list of 1 to `most` things.
    fn each(&mut self, fields: &Map<String, Value>, name: &str, at: &str, most: usize, mut check: impl FnMut(&mut Self, &Value, &str)) {
        let at = format!("{at}/{name}");
        let Some(items) = fields.get(name).and_then(Value::as_array) else {
            self.say(&at, "must be an array");
            return;
        };
        if items.is_empty() {
            self.say(&at, "no less than 1 items allowed");
        } else if items.len() > most {
            self.say(&at, &format!("no more than {most} items allowed"));
        }
        for (n, item) in items.iter().enumerate() {
            check(self, item, &format!("{at}/{n}"));
        }
    }

    fn image(&mut self, value: &Value, at: &str) {
        if let Some(fields) = self.object(value, at, &["type", "image_url", "slack_file", "alt_text"]) {
            self.image_fields(fields, at);
        }
    }

    fn image_fields(&mut self, fields: &Map<String, Value>, at: &str) {
        self.string(fields, "image_url", at, URL, true);
        self.string(fields, "alt_text", at, ALT_TEXT, true);
    }

    fn element(&mut self, element: &Value, at: &str, in_input: bool) {
        let Some(kind) = element.get("type").and_then(Value::as_str) else {
            self.say(at, "missing required field: type");
            return;
        };
        let own: &[&str] = match kind {
            "button" if !in_input => &["text", "url", "value", "style", "accessibility_label"],
            "overflow" if !in_input => &["options"],
            "static_select" | "radio_buttons" | "checkboxes" => {
                &["placeholder", "options", "option_groups", "initial_option", "initial_options", "focus_on_load"]
            }
            "multi_static_select" => &["placeholder", "options", "option_groups", "initial_options", "max_selected_items", "focus_on_load"],
            "users_select" => &["placeholder", "initial_user", "focus_on_load"],
            "multi_users_select" => &["placeholder", "initial_users", "max_selected_items", "focus_on_load"],
            "conversations_select" | "channels_select" => &[
                "placeholder",
                "initial_conversation",
                "initial_channel",
                "filter",
                "default_to_current_conversation",
                "response_url_enabled",
                "focus_on_load",
            ],
            "datepicker" => &["placeholder", "initial_date", "focus_on_load"],
            "timepicker" => &["placeholder", "initial_time", "timezone", "focus_on_load"],
            "datetimepicker" => &["initial_date_time", "focus_on_load"],
            "plain_text_input" if in_input => {
                &["placeholder", "initial_value", "multiline", "min_length", "max_length", "dispatch_action_config", "focus_on_load"]
            }
            "number_input" if in_input => {
                &["placeholder", "initial_value", "is_decimal_allowed", "min_value", "max_value", "focus_on_load"]
            }
            "email_text_input" | "url_text_input" if in_input => {
                &["placeholder", "initial_value", "dispatch_action_config", "focus_on_load"]
            }
            other => {
                self.say(&format!("{at}/type"), &format!("unsupported type: {other}"));
                return;
            }
        };
        let known: Vec<&str> = ["type", "action_id", "confirm"].into_iter().chain(own.iter().copied()).collect();
        let Some(fields) = self.object(element, at, &known) else { return };
        self.string(fields, "action_id", at, ID, false);
        self.may_text(fields, "placeholder", at, 150);
        if let Some(confirm) = fields.get("confirm") {
            self.confirm(confirm, &format!("{at}/confirm"));
        }
        match kind {
            "button" => {
                self.need_text(fields, "text", at, BUTTON_TEXT, true);
                self.string(fields, "value", at, BUTTON_VALUE, false);
                self.string(fields, "url", at, URL, false);
                if let Some(style) = fields.get("style")
                    && style != "primary"
                    && style != "danger"
                {
                    self.say(&format!("{at}/style"), "must be one of: primary, danger");
                }
            }
            "overflow" => self.each(fields, "options", at, 5, |check, option, at| check.option(option, at, true)),
            "radio_buttons" | "checkboxes" => self.each(fields, "options", at, 10, |check, option, at| check.option(option, at, false)),
            "static_select" | "multi_static_select" if !fields.contains_key("option_groups") => {
                self.each(fields, "options", at, OPTIONS, |check, option, at| check.option(option, at, true));
            }
            _ => {}
        }
    }

    fn option(&mut self, option: &Value, at: &str, plain_only: bool) {
        let Some(fields) = self.object(option, at, &["text", "value", "description", "url"]) else { return };
        self.need_text(fields, "text", at, OPTION_TEXT, plain_only);
        self.string(fields, "value", at, OPTION_VALUE, true);
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        let Some(fields) = self.object(confirm, at, &["title", "text", "confirm", "deny", "style"]) else { return };
        self.need_text(fields, "title", at, 100, true);
        self.need_text(fields, "text", at, 300, false);
        self.need_text(fields, "confirm", at, 30, true);
        self.need_text(fields, "deny", at, 30, true);
    }
}

/// What is wrong with a dialogue as a whole, its blocks included.
pub(super) fn view_complaints(view: &Value) -> Vec<String> {
    let mut check = Check { found: Vec::new(), block_ids: HashSet::new() };
    let known = [
        "type",
        "title",
        "blocks",
        "close",
        "submit",
        "private_metadata",
        "callback_id",
        "clear_on_close",
        "notify_on_close",
        "external_id",
        "submit_disabled",
    ];
    let Some(fields) = check.object(view, "/view", &known) else { return check.found };
    if view["type"] != "modal" {
        check.say("/view/type", "must be modal");
    }
    check.need_text(fields, "title", "/view", 24, true);
    check.may_text(fields, "submit", "/view", 24);
    check.may_text(fields, "close", "/view", 24);
    check.string(fields, "callback_id", "/view", ID, false);
    check.string(fields, "private_metadata", "/view", 3_000, false);
    match fields.get("blocks").and_then(Value::as_array) {
        Some(blocks) => {
            let has_input = blocks.iter().any(|block| block["type"] == "input");
            if has_input && !fields.contains_key("submit") {
                check.say("/view", "missing required field: submit");
            }
            check.found.extend(complaints(blocks, IN_VIEW).into_iter().map(|found| found.replace("json-pointer:", "json-pointer:/view")));
        }
        None => check.say("/view", "missing required field: blocks"),
    }
    check.found
}
