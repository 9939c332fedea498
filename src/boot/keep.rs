//! Commands that keep an installation's data: backup, restore, the list of tokens; and completions.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::BootError;
use super::tell::tell;
use crate::base::clock::Clock;
use crate::base::time::Time;
use crate::base::viewer::Scope;
use crate::cli::args;
use crate::flows::backup::{self, BackupError};
use crate::store::{self, Store, StoreOptions, WriteLane};

impl From<BackupError> for BootError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Flow(error) => Self::Flow(error),
            BackupError::Store(error) => Self::Store(error),
            other @ (BackupError::File(_) | BackupError::Refused(_)) => Self::Refused(other.to_string()),
        }
    }
}

pub(super) async fn backup(asked: &args::Backup, json: bool) -> Result<(), BootError> {
    let failed = |source| BootError::File { path: asked.file.clone(), source };
    if asked.file.exists() {
        return Err(BootError::Refused(format!("{} is there already; a backup overwrites nothing", asked.file.display())));
    }
    let store = existing(asked.database.url().expose()).await?;
    let mut part = asked.file.clone().into_os_string();
    part.push(".part");
    let part = Path::new(&part);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part).map_err(failed)?;
    let written = backup::write(&store, Clock::system().now(), BufWriter::new(&file)).await;
    store.close().await;
    let told = match written {
        Ok(told) => told,
        Err(error) => {
            // What there is of it would only be taken for a backup; the reason follows.
            std::fs::remove_file(part).unwrap_or(());
            return Err(error.into());
        }
    };
    // Only a whole backup gets its name.
    file.sync_all().map_err(failed)?;
    std::fs::rename(part, &asked.file).map_err(failed)?;
    if json {
        tell!("{}", json!({ "file": asked.file, "tables": told.tables, "rows": told.rows }));
    } else {
        tell!("{} holds {} rows of {} tables.", asked.file.display(), told.rows, told.tables);
        tell!("The secret key is not in it: keep var/secret.key (or REVEILLE_SERVER__SECRET_KEY) elsewhere.");
    }
    Ok(())
}

/// Opens a database that is there: a mistyped path must not look like an empty one.
pub(super) async fn existing(url: &str) -> Result<Store, BootError> {
    if let Some(missing) = missing(url) {
        return Err(BootError::Refused(format!(
            "there is no database at {}; run this in the folder where `reveille serve` runs, or say where it is with --database",
            missing.display()
        )));
    }
    let url = match url.strip_prefix("sqlite:") {
        Some(_) => url.replace("?mode=rwc", "?mode=rw"),
        None if url.contains("://") => url.to_owned(),
        None => format!("sqlite://{url}?mode=rw"),
    };
    let url = if url.starts_with("sqlite:") && !url.contains('?') { format!("{url}?mode=rw") } else { url };
    Ok(Store::open(&url, StoreOptions::default()).await?)
}

/// The file of this database, where it is one and is not there.
pub(super) fn missing(url: &str) -> Option<PathBuf> {
    let path = match url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
        Some(path) => path,
        None if url.contains("://") => return None,
        None => url,
    };
    let path = path.split('?').next().unwrap_or(path);
    let path = PathBuf::from(path);
    (!path.as_os_str().is_empty() && !path.starts_with(":memory:") && !path.exists()).then_some(path)
}

pub(super) async fn restore(asked: &args::Restore, json: bool) -> Result<(), BootError> {
    let open = || File::open(&asked.file).map(BufReader::new).map_err(|source| BootError::File { path: asked.file.clone(), source });
    backup::check(open()?)?;
    // A server that runs on this file is told of by its lock.
    let store = Store::open_exclusive(asked.database.url().expose(), StoreOptions::default()).await?;
    store.migrate().await?;
    let restored = backup::restore(&store, open()?, asked.force).await;
    store.close().await;
    let told = restored?;
    if json {
        tell!("{}", json!({ "file": asked.file, "tables": told.tables, "rows": told.rows }));
    } else {
        tell!("Restored {} rows of {} tables.", told.rows, told.tables);
        tell!(
            "Put the secret key of that installation in its place before `reveille serve`: var/secret.key, or REVEILLE_SERVER__SECRET_KEY."
        );
        tell!("What was open and unanswered then is paged as soon as a server runs.");
    }
    Ok(())
}

pub(super) fn completions(asked: args::Completions) -> Result<(), BootError> {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut args::Args::definition(), "reveille", &mut script);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(BootError::Refused(format!("cannot write the completions: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(super) async fn token_list(asked: &args::TokenList, json: bool) -> Result<(), BootError> {
    let store = existing(asked.database.url().expose()).await?;
    let tokens = store::token_list(&store.reader()).await;
    store.close().await;
    let tokens = tokens?;
    if json {
        let items: Vec<_> = tokens
            .iter()
            .map(|token| {
                json!({
                    "id": token.id, "name": token.name, "scope": scope_name(token.scope), "user": token.acts_as,
                    "created_at": token.created_at.rfc3339(), "last_used_at": token.last_used_at.map(Time::rfc3339),
                })
            })
            .collect();
        tell!("{:#}", json!({ "items": items, "next": null }));
        return Ok(());
    }
    if tokens.is_empty() {
        tell!("No tokens yet.\nMake one: reveille token create NAME --scope read");
        return Ok(());
    }
    let mut rows = vec![["name", "scope", "acts as", "made", "last used"].map(str::to_owned)];
    rows.extend(tokens.iter().map(|token| {
        let user = token.acts_as.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let used = token.last_used_at.map_or_else(|| "never".to_owned(), day);
        [token.name.escape_debug().to_string(), scope_name(token.scope).to_owned(), user, day(token.created_at), used]
    }));
    let widths: Vec<usize> = (0..5).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    for row in rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}")).collect();
        tell!("{}", line.join("  ").trim_end());
    }
    Ok(())
}

/// The day and the minute, UTC.
fn day(at: Time) -> String {
    at.rfc3339().chars().take(16).collect::<String>().replace('T', " ")
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Respond => "respond",
        Scope::Admin => "admin",
    }
}

pub(super) async fn token_revoke(asked: &args::TokenRevoke, json: bool) -> Result<(), BootError> {
    let store = existing(asked.database.url().expose()).await?;
    let mut tx = store.begin(WriteLane::Rest).await?;
    let there = store::token_revoke(&mut tx, &asked.name).await?;
    tx.commit().await?;
    store.close().await;
    if !there {
        return Err(BootError::Unknown(format!("there is no token \"{}\"; `reveille token list` shows them", asked.name.escape_debug())));
    }
    if json {
        tell!("{}", json!({ "revoked": asked.name }));
    } else {
        tell!("The token \"{}\" opens nothing any more.", asked.name.escape_debug());
    }
    Ok(())
}
