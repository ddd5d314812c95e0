//! Events as readers see them: one document with everything, payload inline.
//!
//! The members, in both encodings: `id`, `realm`, `topic`, `publisher`, `time` (RFC 3339),
//! `content_type`, `headers` (a map), `payload`, and `opaque` where it is true.
//!
//! A payload in JSON or MessagePack stands there as the value it is, in the envelope's own
//! encoding. Any other payload, and one that the envelope's encoding cannot say (NaN in JSON, or
//! bytes that are not what `content_type` says), stands there as its bytes, and `opaque` is true:
//! so bytes that are a payload's value are told from bytes that are the payload.

use bytes::Bytes;

use crate::{
    Encoding, Event, Headers, Limits, MediaType, json, msgpack,
    sink::{Blob, Container, Sink, Text},
    timestamp::rfc3339,
    transcode::{self, TranscodeError},
};

/// Room for the names of the members, the id, the time and some punctuation.
const FRAME_BYTES: usize = 256;
/// The same in MessagePack, which has less of it: an envelope that needs just its room is not moved at the end.
const MSGPACK_FRAME_BYTES: usize = 144;

/// The event as one line of JSON, fit for one `data:` line of Server-Sent Events: it has no line
/// break, whatever the payload has.
#[must_use]
pub fn json_envelope(event: &Event) -> Bytes {
    let mut out = Vec::with_capacity(size(event, Encoding::Json));
    write(&mut json::Writer::new(&mut out), event);
    fit(out)
}

/// A payload without an event around it, as one line of JSON: `content_type` and `payload`, as
/// they stand in [`json_envelope`].
#[must_use]
pub fn json_payload(content_type: &MediaType, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(FRAME_BYTES + payload.len() + payload.len() / 2);
    let mut writer = json::Writer::new(&mut out);
    map(&mut writer, |members| {
        members.text("content_type", content_type.as_str());
        members.payload(content_type, payload);
    });
    fit(out)
}

/// The event as MessagePack.
#[must_use]
pub fn msgpack_envelope(event: &Event) -> Bytes {
    let mut out = Vec::with_capacity(size(event, Encoding::MsgPack));
    let mut writer = msgpack::Writer::new(&mut out);
    write(&mut writer, event);
    writer.finish();
    fit(out)
}

/// Gives back the room that was not needed: an envelope lives as long as its event is replayed.
fn fit(mut out: Vec<u8>) -> Bytes {
    out.shrink_to_fit();
    out.into()
}

/// A writer of whole documents, into which a payload can be put as it is, or taken back.
pub(crate) trait Writer: Sink {
    /// What it writes.
    const ENCODING: Encoding;
    /// What [`rollback`](Self::rollback) needs to come back here.
    type Checkpoint;

    fn checkpoint(&self) -> Self::Checkpoint;
    fn rollback(&mut self, checkpoint: Self::Checkpoint);
    /// Puts in a valid payload of [`Self::ENCODING`].
    fn verbatim(&mut self, payload: &[u8]);
}

pub(crate) fn write(writer: &mut impl Writer, event: &Event) {
    map(writer, |members| {
        members.text("id", &event.id.to_string());
        members.text("realm", event.realm.as_str());
        members.text("topic", event.topic.as_str());
        members.text("publisher", &event.publisher);
        members.text("time", &rfc3339(event.id.time_ms()));
        members.text("content_type", event.content_type.as_str());
        headers(members.next("headers"), &event.headers);
        members.payload(&event.content_type, &event.payload);
    });
}

/// Writes the members of a map one after the other.
pub(crate) struct Members<'a, W> {
    writer: &'a mut W,
    count: usize,
}

impl<W: Writer> Members<'_, W> {
    pub(crate) fn next(&mut self, key: &str) -> &mut W {
        self.writer.item(self.count);
        self.writer.key(Text::Plain(key));
        self.writer.colon();
        self.count += 1;
        self.writer
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.next(key).text(Text::Plain(value));
    }

    pub(crate) fn payload(&mut self, content_type: &MediaType, bytes: &[u8]) {
        if payload(self.next("payload"), content_type, bytes).is_err() {
            self.writer.bytes(Blob::Raw(bytes));
            self.next("opaque").bool(true);
        }
    }
}

pub(crate) fn headers(writer: &mut impl Writer, headers: &Headers) {
    map(writer, |members| {
        for (name, value) in headers {
            members.text(name, value);
        }
    });
}

/// Writes a map.
pub(crate) fn map<W: Writer>(writer: &mut W, members: impl FnOnce(&mut Members<'_, W>)) {
    let mark = writer.begin(Container::Map);
    let mut written = Members { writer, count: 0 };
    members(&mut written);
    let count = written.count;
    writer.end(Container::Map, mark, count);
}

/// Why a payload does not stand in the envelope as a value.
struct Opaque;

impl From<TranscodeError> for Opaque {
    fn from(_: TranscodeError) -> Self {
        Self
    }
}

/// Writes the payload as a value, or nothing.
fn payload<W: Writer>(
    writer: &mut W,
    content_type: &MediaType,
    bytes: &[u8],
) -> Result<(), Opaque> {
    let encoding = content_type.encoding().ok_or(Opaque)?;
    let limits = Limits::default();
    if encoding == W::ENCODING {
        transcode::validate(bytes, encoding, &limits)?;
        writer.verbatim(bytes);
        return Ok(());
    }
    let before = writer.checkpoint();
    let read = transcode::read(bytes, encoding, &limits, writer);
    Ok(read.inspect_err(|_| writer.rollback(before))?)
}

/// About how many bytes the envelope takes; a payload rarely grows when it is transcoded, but by
/// a third in base 64.
fn size(event: &Event, encoding: Encoding) -> usize {
    let names = event.realm.as_str().len() + event.topic.as_str().len() + event.publisher.len();
    let content_type = event.content_type.as_str().len();
    let headers = event
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 6);
    let payload = match event.content_type.encoding() {
        Some(found) if found == encoding => event.payload.len(),
        _ => event.payload.len() + event.payload.len() / 2,
    };
    let frame = match encoding {
        Encoding::Json => FRAME_BYTES,
        Encoding::MsgPack => MSGPACK_FRAME_BYTES,
    };
    frame + names + content_type + headers.sum::<usize>() + payload
}

#[cfg(test)]
mod tests;
