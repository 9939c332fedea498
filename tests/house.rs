//! Holds the house to its floor plan. The plan is the table in `src/lib.rs`; this reads it and every file of `src`,
//! and says which file does what its room may not. The checker is plain functions over (path, text), so that the
//! tests below can plant each fault and see it found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A file longer than this tells more than one story.
const FILE_LINES_MAX: usize = 900;

/// Names that say nothing, so that anything ends up in them.
const VAGUE_ROOMS: [&str; 7] = ["utils", "util", "common", "types", "prelude", "error", "errors"];

/// What the law of paging may not know: waiting, the network, the database, the machine's clock.
const IMPURE_WORDS: [&str; 9] = ["async", "await", "tokio", "sqlx", "reqwest", "hyper", "axum", "SystemTime", "Instant"];
const IMPURE_STD: [&str; 5] = ["env", "fs", "net", "process", "thread"];

/// Types whose `now` reads the machine's clock.
const CLOCKS: [&str; 6] = ["SystemTime", "Instant", "Utc", "Local", "Timestamp", "Zoned"];

#[test]
fn the_house_keeps_to_its_plan() {
    let sources = read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let complaints = inspect(&sources);
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

// The sources and the plan

/// One file: its path below `src`, with `/`, and what it says.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The module this file is: `web/hooks.rs` is `[web, hooks]`, `web/mod.rs` is `[web]`, `lib.rs` is the root.
    fn module(&self) -> Vec<String> {
        let mut module: Vec<String> = self.path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|name| name == "mod") || matches!(self.path.as_str(), "lib.rs" | "main.rs") {
            module.pop();
        }
        module
    }

    fn room(&self) -> Option<String> {
        self.module().into_iter().next()
    }
}

fn read_sources(src: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![src.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(src).expect("it was found below src").to_string_lossy().replace('\\', "/");
                found.push(Source { path: below, text: fs::read_to_string(&path).expect("a source can be read") });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

#[derive(Debug)]
struct Room {
    floor: u8,
    may_import: MayImport,
}

#[derive(Debug)]
enum MayImport {
    Everything,
    /// Paths from the crate's root: a room, or one module of a room.
    These(Vec<Vec<String>>),
}

/// Reads the table out of the doc comment of `lib.rs`. Columns are parted by two spaces or more.
fn read_plan(lib: &str, complaints: &mut Vec<String>) -> BTreeMap<String, Room> {
    let mut plan = BTreeMap::new();
    let doc = lib.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim);
    let table = doc.skip_while(|line| *line != "```text").skip(1).take_while(|line| *line != "```");
    let mut floor_above = 0;
    for line in table.skip_while(|line| !line.starts_with("room ")).skip(1).filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let [name, floor, may_import, _caption] = cells[..] else {
            complaints.push(format!("lib.rs: this line of the plan has not four columns, parted by two spaces: {line}"));
            continue;
        };
        let Ok(floor) = floor.parse::<u8>() else {
            complaints.push(format!("lib.rs: {name} stands on no floor: {floor}"));
            continue;
        };
        if floor < floor_above {
            complaints.push(format!("lib.rs: {name} ({floor}) stands out of floor order"));
        }
        floor_above = floor;
        let may_import = match may_import {
            "everything" => MayImport::Everything,
            "-" => MayImport::These(Vec::new()),
            list => MayImport::These(list.split(',').map(|entry| entry.trim().split("::").map(str::to_owned).collect()).collect()),
        };
        if plan.insert(name.to_owned(), Room { floor, may_import }).is_some() {
            complaints.push(format!("lib.rs: {name} is in the plan twice"));
        }
    }
    if plan.is_empty() {
        complaints.push("lib.rs: there is no plan, a ```text table whose first line begins with `room`".to_owned());
    }
    for (name, room) in &plan {
        let MayImport::These(allowed) = &room.may_import else { continue };
        for entry in allowed {
            match plan.get(&entry[0]) {
                None => complaints.push(format!("lib.rs: {name} may import {}, which is not in the plan", entry[0])),
                Some(below) if below.floor >= room.floor => {
                    complaints
                        .push(format!("lib.rs: {name} ({}) may import {} ({}), which is not below it", room.floor, entry[0], below.floor));
                }
                Some(_) => {}
            }
        }
    }
    plan
}

// The inspection

/// Everything that is wrong, one sentence each, in file order.
fn inspect(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let Some(lib) = sources.iter().find(|source| source.path == "lib.rs") else {
        return vec!["there is no lib.rs".to_owned()];
    };
    let plan = read_plan(&lib.text, &mut complaints);
    check_rooms(sources, lib, &plan, &mut complaints);
    for source in sources {
        let tokens = tokens_of(&source.text);
        check_length(source, &mut complaints);
        check_clock(source, &tokens, &mut complaints);
        check_sql(source, &tokens, &mut complaints);
        match source.path.as_str() {
            "lib.rs" => check_lib(&tokens, &mut complaints),
            "main.rs" => check_main(&tokens, &mut complaints),
            _ => {
                check_imports(source, &tokens, &plan, &mut complaints);
                if source.room().as_deref() == Some("domain") {
                    check_purity(source, &tokens, &mut complaints);
                }
            }
        }
    }
    complaints
}

/// The plan, the folders and the list of modules name the same rooms, none is empty, and none has a vague name.
fn check_rooms(sources: &[Source], lib: &Source, plan: &BTreeMap<String, Room>, complaints: &mut Vec<String>) {
    let built: BTreeSet<String> = sources.iter().filter_map(Source::room).collect();
    let lib_tokens = tokens_of(&lib.text);
    let listed: BTreeSet<&str> = lib_tokens.windows(2).filter(|pair| pair[0].is("mod")).filter_map(|pair| pair[1].as_word()).collect();
    for room in &built {
        if !plan.contains_key(room) {
            complaints.push(format!("{room} is built, but it is not in the plan"));
        }
        if !listed.contains(room.as_str()) {
            complaints.push(format!("{room} is built, but lib.rs has no `mod {room}`"));
        }
        if VAGUE_ROOMS.contains(&room.as_str()) {
            complaints.push(format!("{room} is no name for a room: say what is in it"));
        }
        let files = sources.iter().filter(|source| source.room().as_ref() == Some(room));
        if !files.flat_map(|source| tokens_of(&source.text)).any(|token| token.as_word().is_some_and(makes_something)) {
            complaints.push(format!("{room} is empty: a room is built when something moves in"));
        }
    }
    for room in plan.keys().filter(|room| !built.contains(*room)) {
        complaints.push(format!("{room} is in the plan, but it is not built"));
    }
}

fn makes_something(word: &str) -> bool {
    matches!(word, "fn" | "struct" | "enum" | "trait" | "impl" | "const" | "static" | "type" | "macro_rules")
}

fn check_length(source: &Source, complaints: &mut Vec<String>) {
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        complaints.push(format!("{} has {lines} lines, {FILE_LINES_MAX} is the limit: part it", source.path));
    }
}

fn check_clock(source: &Source, tokens: &[Token], complaints: &mut Vec<String>) {
    if source.path == "base/clock.rs" {
        return;
    }
    for reads in tokens.windows(3).filter(|window| window[1].kind == Kind::Colons && window[2].is("now")) {
        if let Some(clock) = reads[0].as_word().filter(|word| CLOCKS.contains(word)) {
            complaints.push(format!("{}:{} reads the machine's clock ({clock}::now): only base/clock.rs may", source.path, reads[0].line));
        }
    }
}

fn check_sql(source: &Source, tokens: &[Token], complaints: &mut Vec<String>) {
    if source.room().as_deref() == Some("store") {
        return;
    }
    for token in tokens {
        let what = match &token.kind {
            Kind::Word(word) if word == "sqlx" => "sqlx",
            Kind::Text(text) if is_sql(text) => "SQL",
            Kind::Word(_) | Kind::Text(_) | Kind::Colons | Kind::Mark(_) => continue,
        };
        complaints.push(format!("{}:{} speaks {what}: only store may", source.path, token.line));
    }
}

/// SQL is written in capitals here, so prose about selecting or updating is not taken for it.
fn is_sql(text: &str) -> bool {
    let has = |words: &[&str]| words.iter().all(|word| text.contains(word));
    has(&["SELECT ", " FROM "]) || has(&["INSERT INTO "]) || has(&["UPDATE ", " SET "]) || has(&["DELETE FROM "]) || has(&["CREATE TABLE "])
}

fn check_purity(source: &Source, tokens: &[Token], complaints: &mut Vec<String>) {
    let mut complain = |line: usize, what: &str| {
        complaints.push(format!("{}:{line} is of the domain, which is pure: it may not use {what}", source.path));
    };
    for token in tokens {
        if let Some(word) = token.as_word().filter(|word| IMPURE_WORDS.contains(word)) {
            complain(token.line, word);
        }
    }
    let from_std: BTreeSet<(usize, String)> = paths_below("std", tokens)
        .into_iter()
        .filter_map(|path| path.names.first().filter(|name| IMPURE_STD.contains(&name.as_str())).map(|name| (path.line, name.clone())))
        .collect();
    for (line, module) in from_std {
        complain(line, &format!("std::{module}"));
    }
    for path in crate_paths(&source.module(), tokens) {
        if path.names.starts_with(&["base".to_owned(), "clock".to_owned()]) {
            complain(path.line, "base::clock");
        }
    }
}

/// `lib.rs` is the plan and the list of rooms; an import or an item there would belong to no floor.
fn check_lib(tokens: &[Token], complaints: &mut Vec<String>) {
    if let Some(token) = tokens.iter().find(|token| token.is("use") || token.as_word().is_some_and(makes_something)) {
        complaints.push(format!("lib.rs:{} holds more than the plan and the list of rooms", token.line));
    }
}

/// `main.rs` hands argv to the roof, and knows nothing else of the house.
fn check_main(tokens: &[Token], complaints: &mut Vec<String>) {
    for path in paths_below("reveille", tokens) {
        if path.names.first().is_none_or(|room| room != "boot") {
            complaints.push(format!("main.rs:{} may import boot alone, not {}", path.line, path.named()));
        }
    }
    for pair in tokens.windows(2) {
        if pair[0].is("mod") {
            complaints.push(format!("main.rs:{} builds a module of its own: rooms stand in lib.rs", pair[0].line));
        }
        // A second name for the whole library would hide what is reached through it.
        if pair[0].is("use") && pair[1].is("reveille") && !tokens_follow(tokens, &pair[1]) {
            complaints.push(format!("main.rs:{} may import boot alone, not the whole library", pair[1].line));
        }
    }
}

/// Whether `::` comes right after this very token.
fn tokens_follow(tokens: &[Token], token: &Token) -> bool {
    tokens
        .iter()
        .position(|other| std::ptr::eq(other, token))
        .and_then(|at| tokens.get(at + 1))
        .is_some_and(|next| next.kind == Kind::Colons)
}

fn check_imports(source: &Source, tokens: &[Token], plan: &BTreeMap<String, Room>, complaints: &mut Vec<String>) {
    let Some(own) = source.room() else { return };
    // A room that is not in the plan has been complained about already.
    let Some(room) = plan.get(&own) else { return };
    let mut said = BTreeSet::new();
    for path in crate_paths(&source.module(), tokens) {
        let Some(target) = path.names.first() else {
            complaints.push(format!("{}:{} imports the whole crate: name the room", source.path, path.line));
            continue;
        };
        if *target == own {
            continue;
        }
        let Some(below) = plan.get(target) else {
            complaints.push(format!("{}:{} imports {target}, which is not in the plan", source.path, path.line));
            continue;
        };
        let MayImport::These(allowed) = &room.may_import else { continue };
        if allowed.iter().any(|entry| path.names.starts_with(entry)) {
            continue;
        }
        let modules: Vec<String> = allowed.iter().filter(|entry| entry[0] == *target).map(|entry| entry.join("::")).collect();
        let mut complaint = format!("{} ({}) may not import ", source.path, room.floor);
        let written = if modules.is_empty() {
            write!(complaint, "{target} ({})", below.floor)
        } else {
            write!(complaint, "{} ({}), only {}", path.named(), below.floor, modules.join(" and "))
        };
        written.expect("a string takes what is written to it");
        if said.insert(complaint.clone()) {
            complaints.push(format!("{complaint}: line {}", path.line));
        }
    }
}

// Reading paths

/// A path from a root (the crate, or a crate's name), as far as it can be read.
#[derive(Debug, PartialEq)]
struct NamedPath {
    line: usize,
    names: Vec<String>,
}

impl NamedPath {
    fn named(&self) -> String {
        if self.names.is_empty() { "all of it".to_owned() } else { self.names.join("::") }
    }
}

/// Every path that begins at `root::`, groups taken apart.
fn paths_below(root: &str, tokens: &[Token]) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].is(root) && is_colons(tokens, at + 1) && (at == 0 || !is_colons(tokens, at - 1)) {
            at = read_tree(tokens, at + 2, Vec::new(), &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Every path into the crate that a file writes, from the crate's root: `crate::…`, and `self::…` and `super::…`
/// resolved from where they stand, modules within the file included.
fn crate_paths(module: &[String], tokens: &[Token]) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let mut here = module.to_vec();
    // The brace depths at which modules within the file opened.
    let mut opened = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        let begins = at == 0 || !is_colons(tokens, at - 1);
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        match &token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') => {
                depth = depth.saturating_sub(1);
                if opened.last() == Some(&depth) {
                    opened.pop();
                    here.pop();
                }
            }
            Kind::Word(word) if word == "mod" => {
                if let (Some(name), Some(Kind::Mark('{'))) =
                    (tokens.get(at + 1).and_then(Token::as_word), tokens.get(at + 2).map(|t| &t.kind))
                {
                    here.push(name.to_owned());
                    opened.push(depth);
                }
            }
            Kind::Word(word) if word == "crate" => {
                if is_colons(tokens, at + 1) {
                    at = read_tree(tokens, at + 2, Vec::new(), &mut found);
                    continue;
                }
                // `pub(crate)` says who may look in; it imports nothing.
                let visibility = before.is_some_and(|before| before.kind == Kind::Mark('('))
                    && tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Mark(')'));
                let foreign = before.is_some_and(|before| before.is("extern")) && !tokens.get(at + 1).is_some_and(|next| next.is("self"));
                if !visibility && !foreign {
                    found.push(NamedPath { line: token.line, names: Vec::new() });
                }
            }
            Kind::Word(word) if begins && (word == "super" || word == "self") && is_colons(tokens, at + 1) => {
                let mut base = here.clone();
                if word == "super" {
                    base.pop();
                }
                at = read_tree(tokens, at + 2, base, &mut found);
                continue;
            }
            Kind::Word(_) | Kind::Text(_) | Kind::Colons | Kind::Mark(_) => {}
        }
        at += 1;
    }
    found
}

fn is_colons(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| token.kind == Kind::Colons)
}

/// Reads what follows `base::`, groups included, and returns where it ends.
fn read_tree(tokens: &[Token], mut at: usize, mut base: Vec<String>, found: &mut Vec<NamedPath>) -> usize {
    let Some(token) = tokens.get(at) else { return at };
    match &token.kind {
        Kind::Mark('{') => {
            at += 1;
            while at < tokens.len() && tokens[at].kind != Kind::Mark('}') {
                at = read_tree(tokens, at, base.clone(), found);
                // What an `as` says, and the comma.
                while at < tokens.len() && tokens[at].kind != Kind::Mark('}') {
                    at += 1;
                    if tokens[at - 1].kind == Kind::Mark(',') {
                        break;
                    }
                }
            }
            at + 1
        }
        Kind::Word(word) => {
            match word.as_str() {
                "super" => drop(base.pop()),
                "self" => {}
                name => base.push(name.to_owned()),
            }
            let goes_on = tokens.get(at + 2).is_some_and(|next| matches!(next.kind, Kind::Word(_) | Kind::Mark('{' | '*')));
            if is_colons(tokens, at + 1) && goes_on {
                return read_tree(tokens, at + 2, base, found);
            }
            found.push(NamedPath { line: token.line, names: base });
            at + 1
        }
        Kind::Mark('*') => {
            found.push(NamedPath { line: token.line, names: base });
            at + 1
        }
        Kind::Text(_) | Kind::Colons | Kind::Mark(_) => {
            found.push(NamedPath { line: token.line, names: base });
            at
        }
    }
}

// Reading tokens

#[derive(Clone, Debug)]
struct Token {
    line: usize,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// A name, a keyword or a number.
    Word(String),
    /// What a string literal says, escapes as written.
    Text(String),
    Colons,
    Mark(char),
}

impl Token {
    fn as_word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Text(_) | Kind::Colons | Kind::Mark(_) => None,
        }
    }

    fn is(&self, word: &str) -> bool {
        self.as_word() == Some(word)
    }
}

/// Takes a source apart; comments, characters and lifetimes are left out.
fn tokens_of(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let began = at;
        let next = chars.get(at + 1).copied();
        let mut kind = None;
        match chars[at] {
            '/' if next == Some('/') => at = end_of_line(&chars, at),
            '/' if next == Some('*') => at = end_of_block_comment(&chars, at),
            '"' => {
                at = end_of_string(&chars, at);
                kind = Some(Kind::Text(chars[began + 1..at - 1].iter().collect()));
            }
            '\'' => at = end_of_quote(&chars, at),
            ':' if next == Some(':') => {
                at += 2;
                kind = Some(Kind::Colons);
            }
            c if c == '_' || c.is_alphanumeric() => {
                while at < chars.len() && (chars[at] == '_' || chars[at].is_alphanumeric()) {
                    at += 1;
                }
                let word: String = chars[began..at].iter().collect();
                if let Some((quote, end, hashes)) = raw_string(&chars, at, &word) {
                    at = end;
                    kind = Some(Kind::Text(chars[quote + 1..end - 1 - hashes].iter().collect()));
                } else if word == "r" && chars.get(at) == Some(&'#') {
                    // `r#name` is the name; the next round reads it.
                    at += 1;
                } else if !(matches!(word.as_str(), "b" | "c") && chars.get(at) == Some(&'"')) {
                    kind = Some(Kind::Word(word));
                }
            }
            c => {
                at += 1;
                kind = (!c.is_whitespace()).then_some(Kind::Mark(c));
            }
        }
        if let Some(kind) = kind {
            tokens.push(Token { line, kind });
        }
        line += chars[began..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn end_of_line(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |length| at + length)
}

fn end_of_block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

/// Past the closing quote of the string whose opening quote is at `at`.
fn end_of_string(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Past a character literal, or past a lifetime.
fn end_of_quote(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        // The character after the backslash may itself be a quote.
        return chars.iter().skip(at + 3).position(|c| *c == '\'').map_or(chars.len(), |length| at + 3 + length + 1);
    }
    if chars.get(at + 2) == Some(&'\'') {
        return at + 3;
    }
    let name = chars[at + 1..].iter().take_while(|c| **c == '_' || c.is_alphanumeric()).count();
    at + 1 + name
}

/// Where the raw string that follows its prefix has its opening quote and its end, and how many `#` it has.
fn raw_string(chars: &[char], at: usize, prefix: &str) -> Option<(usize, usize, usize)> {
    if !matches!(prefix, "r" | "br" | "cr") {
        return None;
    }
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    let quote = at + hashes;
    if chars.get(quote) != Some(&'"') {
        return None;
    }
    let closes = |end: usize| chars[end] == '"' && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    let end = (quote + 1..chars.len()).find(|end| closes(*end))?;
    Some((quote, end + 1 + hashes, hashes))
}

// The checker finds each fault, and nothing where there is none

const PLAN: &str = "\
//! ```text
//! room      floor  may import                        what it is
//! base      0      -                                 words
//! domain    1      base                              the law
//! store     2      domain, base                      SQL
//! channels  2      domain, base                      ways to reach a person
//! flows     3      store, channels, domain, base     use-cases
//! web       4      flows, store::read, domain, base  doors
//! boot      5      everything                        the roof
//! ```
pub mod base;
pub mod boot;
pub mod channels;
pub mod domain;
pub mod flows;
pub mod store;
pub mod web;
";

/// A small house in which nothing is wrong.
fn sound_house() -> Vec<Source> {
    let files = [
        ("base/clock.rs", "use std::time::SystemTime; pub fn now() { SystemTime::now(); }"),
        ("base/mod.rs", "pub mod clock;"),
        ("boot.rs", "use crate::{base, channels, web}; pub fn run() { web::serve(); }"),
        ("channels/mod.rs", "use crate::base::clock; pub struct Voice;"),
        (
            "domain/mod.rs",
            "//! The sync law; `async` is not for it, nor is crate::store.\npub struct Alert; /* tokio */ pub const A: &str = \"await sqlx\";",
        ),
        ("flows/mod.rs", "use crate::store::{self, read}; pub fn fold() {}"),
        ("lib.rs", PLAN),
        ("main.rs", "fn main() -> std::process::ExitCode { reveille::boot::run() }"),
        ("store/mod.rs", "pub mod read;"),
        ("store/read.rs", "use sqlx::Row; pub const ALL: &str = \"SELECT id FROM alerts\"; use super::super::domain::Alert;"),
        ("web/hooks.rs", "use super::Door; use crate::store::read::{self, alert_load}; pub(crate) fn hook() { crate::flows::fold() }"),
        ("web/mod.rs", "mod hooks; pub(in crate::web) struct Door; #[cfg(test)] mod tests { use super::*; }"),
    ];
    files.map(|(path, text)| Source::new(path, text)).into()
}

/// What is said when one file of the sound house is replaced, or added.
fn said_of(path: &str, text: &str) -> Vec<String> {
    let mut house = sound_house();
    house.retain(|source| source.path != path);
    house.push(Source::new(path, text));
    inspect(&house)
}

#[track_caller]
fn finds(path: &str, text: &str, complaint: &str) {
    assert_eq!(said_of(path, text), [complaint], "{path} says: {text}");
}

#[test]
fn a_sound_house_gets_no_complaint() {
    assert_eq!(inspect(&sound_house()), Vec::<String>::new());
}

#[test]
fn an_import_that_the_plan_does_not_allow_is_found_however_it_is_written() {
    let complaint = "web/hooks.rs (4) may not import channels (2): line 2";
    for text in [
        "\nuse crate::channels::Voice;",
        "\nuse crate::channels;",
        "\nuse crate::{base, channels::Voice as V, domain};",
        "\nuse crate::{base::{clock, id::{self, Id}}, domain::Alert as A, channels::{Voice, send}};",
        "\nfn send() { crate::channels::send::<u8>(); }",
        "\nfn send(voice: &crate::channels::Voice) {}",
        "\npub use super::super::channels::*;",
        "\nuse super::super::{channels, base};",
        "\nuse self::super::super::channels::Voice;",
        "\nmod inner { use super::super::super::channels::Voice; }",
        "\nmacro_rules! send { () => { $crate::channels::send() } }",
        "\nfn text() -> &'static str { r#\"\"#; '\"'; b'\\''; crate::channels::TEXT }",
    ] {
        finds("web/hooks.rs", text, complaint);
    }
}

#[test]
fn each_room_is_named_once_per_file_with_its_floor() {
    assert_eq!(
        said_of("channels/voice.rs", "use crate::flows::fold;\nuse crate::{store, flows};"),
        ["channels/voice.rs (2) may not import flows (3): line 1", "channels/voice.rs (2) may not import store (2): line 2",]
    );
}

#[test]
fn a_room_that_may_import_one_module_may_not_import_its_neighbour() {
    finds("web/hooks.rs", "use crate::store::{read, tx};", "web/hooks.rs (4) may not import store::tx (2), only store::read: line 1");
    finds("web/hooks.rs", "use crate::store;", "web/hooks.rs (4) may not import store (2), only store::read: line 1");
    finds("web/hooks.rs", "use crate::store::*;", "web/hooks.rs (4) may not import store (2), only store::read: line 1");
    finds(
        "web/hooks.rs",
        "use crate::store::reader::open;",
        "web/hooks.rs (4) may not import store::reader::open (2), only store::read: line 1",
    );
}

#[test]
fn the_whole_crate_may_not_be_imported() {
    finds("web/hooks.rs", "use crate as house;", "web/hooks.rs:1 imports the whole crate: name the room");
    finds("web/hooks.rs", "use crate::*;", "web/hooks.rs:1 imports the whole crate: name the room");
    finds("web/hooks.rs", "use super::super::*;", "web/hooks.rs:1 imports the whole crate: name the room");
    finds("web/hooks.rs", "extern crate self as house;", "web/hooks.rs:1 imports the whole crate: name the room");
    finds("web/hooks.rs", "use crate::attic::Box;", "web/hooks.rs:1 imports attic, which is not in the plan");
}

#[test]
fn what_is_only_mentioned_is_no_import() {
    for text in [
        "// use crate::channels::Voice;",
        "/// As [`crate::channels`] has it.\nstruct Door;",
        "/* /* crate::channels */ crate::channels */",
        "const TEXT: &str = \"crate::channels \\\" crate::channels\";",
        "const TEXT: &str = r##\"crate::channels \"# crate::channels\"##;",
        "const TEXT: &[u8] = b\"crate::channels\";",
        "fn shortest<'a>(a: &'a str) -> &'a str { other::channels::cut(a) }",
        "pub(crate) fn door() { self::hook(); Self::new(); x.self_::channels() }",
    ] {
        assert_eq!(said_of("web/door.rs", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn main_may_import_boot_alone() {
    finds("main.rs", "fn main() { reveille::web::serve() }", "main.rs:1 may import boot alone, not web::serve");
    finds("main.rs", "use reveille::{boot, store::read};", "main.rs:1 may import boot alone, not store::read");
    finds("main.rs", "use reveille::*;", "main.rs:1 may import boot alone, not all of it");
    finds("main.rs", "use reveille as house;", "main.rs:1 may import boot alone, not the whole library");
    finds("main.rs", "mod web;", "main.rs:1 builds a module of its own: rooms stand in lib.rs");
}

#[test]
fn the_plan_and_the_rooms_agree() {
    assert_eq!(
        said_of("attic/mod.rs", "pub struct Box;"),
        ["attic is built, but it is not in the plan", "attic is built, but lib.rs has no `mod attic`"]
    );
    assert_eq!(
        said_of("utils.rs", "pub fn trim() {}"),
        [
            "utils is built, but it is not in the plan",
            "utils is built, but lib.rs has no `mod utils`",
            "utils is no name for a room: say what is in it",
        ]
    );
    finds("channels/mod.rs", "//! Some day.\nuse crate::base;", "channels is empty: a room is built when something moves in");
    let mut house = sound_house();
    house.retain(|source| source.room().as_deref() != Some("channels") && source.path != "boot.rs");
    house.push(Source::new("boot.rs", "pub fn run() {}"));
    assert_eq!(inspect(&house), ["channels is in the plan, but it is not built"]);
    assert_eq!(inspect(&[]), ["there is no lib.rs"]);
}

#[test]
fn the_plan_itself_goes_down() {
    let plan = |from: &str, to: &str| {
        assert!(PLAN.contains(from), "{from}");
        said_of("lib.rs", &PLAN.replace(from, to))
    };
    assert_eq!(
        plan("channels  2      domain, base", "channels  2      store, base "),
        ["lib.rs: channels (2) may import store (2), which is not below it"]
    );
    assert_eq!(
        plan("store     2      domain, base", "store     2      domain, attic, base"),
        ["lib.rs: store may import attic, which is not in the plan"]
    );
    assert_eq!(plan("domain    1 ", "domain    3 ")[0], "lib.rs: store (2) stands out of floor order");
    assert_eq!(plan("words", "")[0], "lib.rs: this line of the plan has not four columns, parted by two spaces: base      0      -");
    assert_eq!(plan("base      0 ", "base      x ")[0], "lib.rs: base stands on no floor: x");
    assert_eq!(plan("//! base      0 ", "//! base      0      -     again\n//! base      0 "), ["lib.rs: base is in the plan twice"]);
    assert_eq!(plan("```text", "```")[0], "lib.rs: there is no plan, a ```text table whose first line begins with `room`");
}

#[test]
fn lib_holds_the_plan_and_the_rooms_alone() {
    for extra in ["pub use boot::run;", "pub fn help() {}", "use std::fmt;"] {
        finds("lib.rs", &format!("{PLAN}{extra}"), "lib.rs:18 holds more than the plan and the list of rooms");
    }
}

#[test]
fn the_domain_is_pure() {
    let complaint = |what: &str| format!("domain/page.rs:1 is of the domain, which is pure: it may not use {what}");
    for (text, what) in [
        ("pub async fn ring() {}", "async"),
        ("fn ring() { call().await }", "await"),
        ("use tokio::sync::Mutex;", "tokio"),
        ("use reqwest::Client;", "reqwest"),
        ("use std::env;", "std::env"),
        ("use std::{collections::BTreeMap, fs::{self, File}};", "std::fs"),
        ("fn name() { std::env::var(\"A\"); }", "std::env"),
        ("use std::time::{Duration, Instant};", "Instant"),
        ("fn since(a: std::time::SystemTime) {}", "SystemTime"),
        ("use crate::base::clock::Clock;", "base::clock"),
        ("use crate::base::{clock, id};", "base::clock"),
    ] {
        finds("domain/page.rs", text, &complaint(what));
    }
    assert_eq!(said_of("domain/page.rs", "use sqlx::Row;"), ["domain/page.rs:1 speaks sqlx: only store may".to_owned(), complaint("sqlx")]);
}

#[test]
fn only_the_store_speaks_sql() {
    finds("boot.rs", "pub fn run() { sqlx::any::install_default_drivers(); }", "boot.rs:1 speaks sqlx: only store may");
    finds("flows/ingest.rs", "pub enum Broken { Store(#[from] sqlx::Error) }", "flows/ingest.rs:1 speaks sqlx: only store may");
    for sql in ["SELECT id FROM alerts", "INSERT INTO alerts", "UPDATE alerts SET count = 1", "DELETE FROM alerts", "CREATE TABLE alerts"] {
        finds("flows/ingest.rs", &format!("const Q: &str = \"{sql}\";"), "flows/ingest.rs:1 speaks SQL: only store may");
        finds("flows/ingest.rs", &format!("const Q: &str = r#\"\n{sql}\"#;"), "flows/ingest.rs:1 speaks SQL: only store may");
    }
    assert_eq!(said_of("flows/ingest.rs", "const T: &str = \"Select one from the list, or update it and set it\";"), Vec::<String>::new());
}

#[test]
fn only_the_clock_reads_the_clock() {
    for (text, clock) in [
        ("fn now() { std::time::SystemTime::now(); }", "SystemTime"),
        ("fn now() { chrono::Utc::now(); }", "Utc"),
        ("fn now() { tokio::time::Instant::now(); }", "Instant"),
        ("fn now() { jiff::Timestamp::now(); }", "Timestamp"),
    ] {
        finds("flows/wake.rs", text, &format!("flows/wake.rs:1 reads the machine's clock ({clock}::now): only base/clock.rs may"));
    }
    finds("web/clock.rs", "fn now() { Utc::now(); }", "web/clock.rs:1 reads the machine's clock (Utc::now): only base/clock.rs may");
}

#[test]
fn a_file_has_a_length() {
    assert_eq!(said_of("flows/fold.rs", &"\n".repeat(FILE_LINES_MAX)), Vec::<String>::new());
    finds("flows/fold.rs", &"\n".repeat(FILE_LINES_MAX + 1), "flows/fold.rs has 901 lines, 900 is the limit: part it");
}
