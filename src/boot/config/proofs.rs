//! What an integration asks its sender to show beside the key: a signature, a header, a user and a password.

use super::reader::{Field, Reader, Spot, Table, shown};
use crate::base::secret::Secret;
use crate::sources::{self, proof::Proof};

const HEADER: &[&str] = &["name", "value"];
const BASIC: &[&str] = &["user", "password"];
const HMAC: &[&str] = &["header", "secret", "prefix"];

/// Shorter ones can be guessed, bytes; those between the two are doubted.
const LEAST_BYTES: usize = 8;
const GOOD_BYTES: usize = 16;

/// These show their key, and nothing that stands beside it is looked at.
const KEY_ONLY: &[&str] = &["alertmanager_api", "email", "heartbeat", "opsgenie"];

/// Reads what the table of one integration asks for. `source` is known by name.
pub(super) fn read<'a>(reader: &Reader<'a>, table: &Table<'a>, source: &str) -> Vec<Proof> {
    let asked: Vec<Field<'a>> = ["secret", "header", "basic", "hmac"].into_iter().filter_map(|name| reader.get(table, name)).collect();
    if KEY_ONLY.contains(&source) {
        for field in &asked {
            let text = format!("{} is not looked at where the source is {source}: its key is all that it shows", field.name);
            reader.error(field.spot(), text, "remove it");
        }
        return Vec::new();
    }
    let signature = sources::find(source).and_then(sources::Source::signature);
    if signature.is_some() && !asked.iter().any(|field| field.name == "secret") {
        let text = format!("{source} signs its messages, and {} has no secret to check them with", table.title);
        reader.doubt(Spot::File(table.spot), text, "add secret = { env = \"…\" } with the secret that the sender shows");
    }
    let mut proofs = Vec::new();
    for field in asked {
        match field.name {
            "secret" if signature.is_none() => {
                let text = format!("a message of {source} is not signed, so there is nothing to check with a secret");
                reader.error(field.spot(), text, "remove it; header, basic and hmac are for senders that show something else");
            }
            "secret" => proofs.push(Proof::Secret(live(reader, table, field))),
            "header" => proofs.extend(header(reader, table, field)),
            "basic" => proofs.extend(basic(reader, table, field)),
            _ => proofs.extend(hmac(reader, table, field)),
        }
    }
    let is_authorization = |proof: &Proof| matches!(proof, Proof::Header { name, .. } if name == "authorization");
    if proofs.iter().any(is_authorization) && proofs.iter().any(|proof| matches!(proof, Proof::Basic { .. })) {
        let text = format!("{} asks for the header Authorization twice: in header and in basic", table.title);
        reader.error(Spot::File(table.spot), text, "remove one of the two");
    }
    proofs
}

fn header<'a>(reader: &Reader<'a>, table: &Table<'a>, field: Field<'a>) -> Option<Proof> {
    let inner = reader.table(field, &format!("header of {}", table.title), HEADER)?;
    let name = reader.need(&inner, "name", "\"X-Token\"").and_then(|field| header_name(reader, field));
    let values = reader.need(&inner, "value", "{ env = \"A_TOKEN\" }").map(|field| shown_in_header(reader, table, field));
    Some(Proof::Header { name: name?, values: values? })
}

fn basic<'a>(reader: &Reader<'a>, table: &Table<'a>, field: Field<'a>) -> Option<Proof> {
    let inner = reader.table(field, &format!("basic of {}", table.title), BASIC)?;
    let user = reader.need(&inner, "user", "\"alerts\"").and_then(|field| {
        reader.parsed(field, |text| {
            if text.is_empty() || text.contains(':') || text.chars().any(char::is_control) {
                return Err((format!("{} is no user of basic authentication", shown(text)), "write it without a colon".to_owned()));
            }
            Ok(text.to_owned())
        })
    });
    let passwords = reader.need(&inner, "password", "{ env = \"A_PASSWORD\" }").map(|field| live(reader, table, field));
    Some(Proof::Basic { user: user?, passwords: passwords? })
}

fn hmac<'a>(reader: &Reader<'a>, table: &Table<'a>, field: Field<'a>) -> Option<Proof> {
    let inner = reader.table(field, &format!("hmac of {}", table.title), HMAC)?;
    let header = reader.need(&inner, "header", "\"X-Signature\"").and_then(|field| header_name(reader, field));
    let secrets = reader.need(&inner, "secret", "{ env = \"A_SECRET\" }").map(|field| live(reader, table, field));
    let prefix = match reader.get(&inner, "prefix") {
        Some(field) => reader.parsed(field, |text| {
            // Several signatures in one header are parted by commas.
            if text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
                return Ok(text.to_owned());
            }
            Err((format!("{} stands before no signature", shown(text)), "write what the sender puts before the digits: sha256=".to_owned()))
        }),
        None => Some(String::new()),
    };
    Some(Proof::Hmac { header: header?, prefix: prefix?, secrets: secrets? })
}

/// In lower case, as headers are looked up.
fn header_name<'a>(reader: &Reader<'a>, field: Field<'a>) -> Option<String> {
    reader.parsed(field, |text| {
        reqwest::header::HeaderName::from_bytes(text.as_bytes())
            .map(|name| name.as_str().to_owned())
            .map_err(|_| (format!("{} is no name of a header", shown(text)), "use letters, digits and dashes: X-Token".to_owned()))
    })
}

/// The values that count, none of which is easily guessed.
fn live<'a>(reader: &Reader<'a>, table: &Table<'a>, field: Field<'a>) -> Vec<Secret> {
    let mut live: Vec<Secret> = Vec::new();
    for (secret, spot) in reader.secrets(field) {
        let (bytes, name) = (secret.expose().len(), field.name);
        if bytes < LEAST_BYTES {
            let text = format!("the {name} of {} is shorter than {LEAST_BYTES} characters", table.title);
            reader.error(spot, text, "make one with: openssl rand -hex 16");
        } else if bytes < GOOD_BYTES {
            let text = format!("the {name} of {} is shorter than {GOOD_BYTES} characters, and can be guessed", table.title);
            reader.doubt(spot, text, "make one with: openssl rand -hex 16");
        }
        if live.contains(&secret) {
            reader.error(spot, format!("{} has the same {name} twice", table.title), "remove one of the two");
        }
        live.push(secret);
    }
    live
}

/// What does not fit in a header is never met there.
fn shown_in_header<'a>(reader: &Reader<'a>, table: &Table<'a>, field: Field<'a>) -> Vec<Secret> {
    let values = live(reader, table, field);
    for value in &values {
        let text = value.expose();
        if text.trim() != text || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let text = format!("the value of {} has letters or an edge that no header carries", table.title);
            reader.error(field.spot(), text, "use visible ASCII, without spaces around it");
        }
    }
    values
}
