//! `discover`.

use macula_mesh::{Discover, discover::DEFAULT_LIMIT};
use macula_proto::{
    Problem,
    frame::{self, Anything},
    live::Kind,
};

use super::{
    outlet::Outlet,
    session::{Live, Operation, Refused},
};
use crate::api::discover::{Page, kinds};

/// Finds a page of names.
pub(super) async fn discover(
    live: &Live,
    asked: frame::Discover,
    bytes: usize,
    outlet: &mut Outlet,
) -> Result<(), Refused> {
    let id = asked.id;
    live.begin(id, Kind::Call, bytes, || Operation::Now)?;
    let answer = match page(live, asked) {
        Ok(page) => frame::Discovered {
            id,
            page: Box::new(page),
        }
        .into(),
        Err(problem) => live.error(Some(id), &problem),
    };
    live.answer(id, answer, outlet.take()).await;
    Ok(())
}

fn page(live: &Live, asked: frame::Discover) -> Result<Anything, Problem> {
    let limit = asked
        .limit
        .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let page = live.gateway.mesh.discover(&Discover {
        realm: live.realm(asked.realm),
        pattern: asked.pattern,
        kinds: kinds(asked.kind.as_deref())?,
        limit: limit.unwrap_or(DEFAULT_LIMIT),
        cursor: asked.cursor.map(|cursor| cursor.to_string()),
    })?;
    let page = serde_json::to_value(Page::from(page));
    Ok(Anything(page.expect("a page has string keys")))
}
