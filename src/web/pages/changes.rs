//! What was changed on purpose, the last first.

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use crate::base::time::Time;
use crate::domain::change::Change;
use crate::render::html::{ChangeRow, ChangesPage, Stamp};
use crate::render::line::Names;
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::look::Params;
use crate::web::roles::shown;

/// Changes on one page.
const SHOWN: i64 = 50;

pub(in crate::web) async fn changes(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, WebError> {
    let params = Params::of(&uri);
    let cursor = params.get("cursor");
    let names = doors.names();
    let page = doors.house.store.reader().changes_list(&caller.viewer, None, cursor, SHOWN).await?;
    let page = ChangesPage {
        frame: caller.frame_in("changes"),
        changes: page.items.into_iter().map(|change| row(change, None, &names)).collect(),
        older: page.next.map(|next| format!("/changes?cursor={next}")),
        is_first: cursor.is_none(),
    };
    Ok(shown(StatusCode::OK, &page))
}

/// One change; `opened_at` is the opening of the incident that it is shown with.
pub(super) fn row(change: Change, opened_at: Option<Time>, names: &Names) -> ChangeRow {
    ChangeRow {
        before: opened_at.map(|opened_at| format!("{} before", opened_at.since(change.at))),
        title: change.title,
        service: names.service(&change.service).to_owned(),
        source: change.source,
        at: Stamp(change.at),
        url: change.url,
    }
}
