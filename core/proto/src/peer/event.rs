//! An event as nodes pass it on: with the id that it got where it was published.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Blob, Names, Pairs, PeerError, headers, media_type, pairs, read};
use crate::{Event, EventId};

#[derive(Serialize, Deserialize)]
pub(super) struct Members<'a> {
    #[serde(borrow)]
    id: Blob<'a>,
    realm: &'a str,
    topic: &'a str,
    publisher: &'a str,
    content_type: &'a str,
    #[serde(borrow)]
    headers: Pairs<'a>,
    #[serde(borrow)]
    payload: Blob<'a>,
}

/// Calls `write` with the members of an event.
pub(super) fn with_members<T>(event: &Event, write: impl FnOnce(&Members<'_>) -> T) -> T {
    let id = event.id.as_u128().to_be_bytes();
    write(&Members {
        id: Blob(&id),
        realm: event.realm.as_str(),
        topic: event.topic.as_str(),
        publisher: &event.publisher,
        content_type: event.content_type.as_str(),
        headers: pairs(&event.headers),
        payload: Blob(&event.payload),
    })
}

/// Payloads of fewer bytes are copied.
const COPIED: usize = 32 << 10;

/// A payload of its own: an event that is kept for replay must not keep what was read with it, beyond its share.
fn payload(frame: &Bytes, part: &[u8]) -> Bytes {
    match part.len() < COPIED {
        true => Bytes::copy_from_slice(part),
        false => super::part(frame, part),
    }
}

/// Reads an event whose members stand in a frame; a large payload is a part of the frame, the names are those of
/// before where they are the same.
pub(super) fn read_event(
    frame: &Bytes,
    members: &[u8],
    names: &mut Names,
) -> Result<Event, PeerError> {
    let found: Members<'_> = read(members)?;
    let id: [u8; 16] = found
        .id
        .0
        .try_into()
        .map_err(|_| PeerError::Bound("expected an id of 16 bytes"))?;
    Ok(Event {
        id: EventId::from_u128(u128::from_be_bytes(id)),
        realm: names.realm(found.realm)?,
        topic: names.topic(found.topic)?,
        publisher: names.publisher(found.publisher)?,
        content_type: media_type(found.content_type)?,
        headers: headers(found.headers)?,
        payload: payload(frame, found.payload.0),
    })
}
