//! `publish`.

use std::sync::Arc;

use macula_mesh::Publish;
use macula_proto::{Payload, Problem, frame, live::Kind};

use super::{
    outlet::Outlet,
    session::{Live, Operation, Refused},
};
use crate::api::{idempotency, publish::publish_once};

/// Publishes an event, which never waits, and answers if the client wants to know.
pub(super) async fn publish(
    live: &Live,
    asked: frame::Publish,
    bytes: usize,
    outlet: &mut Outlet,
) -> Result<(), Refused> {
    let id = asked.id;
    if let Some(id) = id {
        live.begin(id, Kind::Call, bytes, || Operation::Now)?;
    }
    let answer = match now(live, asked).await {
        Ok(event_id) => id.map(|id| frame::Published { id, event_id }.into()),
        Err(problem) => id.map(|id| live.error(Some(id), &problem)),
    };
    if let (Some(id), Some(answer)) = (id, answer) {
        live.answer(id, answer, outlet.take()).await;
    }
    Ok(())
}

async fn now(live: &Live, asked: frame::Publish) -> Result<macula_proto::EventId, Problem> {
    let Payload {
        content_type,
        bytes,
    } = asked.payload;
    let publish = Publish {
        realm: live.realm(asked.realm),
        topic: asked.topic,
        publisher: Arc::clone(&live.session.subject),
        content_type,
        headers: asked.headers,
        payload: bytes,
    };
    match asked.idempotency_key {
        None => Ok(live.gateway.mesh.publish(publish).event.id),
        Some(key) => {
            let key = idempotency::key_of(&live.principal(), key.as_bytes())?;
            publish_once(&live.gateway, key, publish).await
        }
    }
}
