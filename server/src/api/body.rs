//! Reads a request's body whole, within bounds of size, time and of all bodies together.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, extract::Request};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use macula_mesh::Payload;
use macula_proto::{Encoding, ErrorCode, Limits, MediaType, Problem, validate};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{context::Context, gateway::Gateway};

/// A body with its media type, checked: JSON and MessagePack are well-formed. An empty body without
/// a media type is `null`.
///
/// # Errors
/// `unsupported_media_type` for a malformed type or a content encoding, `invalid_payload`, and what
/// [`read`] refuses.
pub async fn payload(
    gateway: &Gateway,
    context: &Context,
    request: Request,
) -> Result<Payload, Problem> {
    let declared = context.content_type()?.cloned();
    let bytes = read(gateway, request).await?;
    let content_type = match declared {
        Some(declared) => declared,
        None if bytes.is_empty() => {
            return Ok(Payload {
                content_type: MediaType::JSON,
                bytes: Bytes::from_static(b"null"),
            });
        }
        // RFC 9110 §8.3: without a type the bytes are just bytes.
        None => MediaType::parse("application/octet-stream")?,
    };
    if let Some(encoding) = content_type.encoding() {
        // A body is refused here, where its sender can be told, and not where it would be read
        // (lesson 18).
        validate(&bytes, encoding, &limits(gateway))?;
    }
    Ok(Payload {
        content_type,
        bytes,
    })
}

/// A body of one of the two encodings, and which; none when it is empty.
///
/// # Errors
/// `unsupported_media_type` for any other media type, and what [`read`] refuses.
pub async fn structured(
    gateway: &Gateway,
    context: &Context,
    request: Request,
) -> Result<Option<(Bytes, Encoding)>, Problem> {
    let declared = context.content_type()?;
    let encoding = declared.map(|declared| {
        declared.encoding().ok_or_else(|| {
            let detail =
                format!("expected application/msgpack or application/json, found {declared}");
            Problem::new(ErrorCode::UnsupportedMediaType, detail)
        })
    });
    let encoding = encoding.transpose()?.unwrap_or(Encoding::Json);
    let bytes = read(gateway, request).await?;
    if !bytes.is_empty() && !may_be_map(&bytes, encoding) {
        let detail = "expected a map with the members by name";
        return Err(Problem::new(ErrorCode::InvalidPayload, detail));
    }
    Ok((!bytes.is_empty()).then_some((bytes, encoding)))
}

/// False when the value is neither a map nor null: serde would read a struct from a list as well,
/// where its members have no names.
fn may_be_map(bytes: &[u8], encoding: Encoding) -> bool {
    match encoding {
        Encoding::Json => matches!(bytes.trim_ascii_start(), [b'{' | b'n', ..]),
        Encoding::MsgPack => matches!(bytes, [0x80..=0x8F | 0xDE | 0xDF | 0xC0, ..]),
    }
}

/// What a body may cost to understand.
pub fn limits(gateway: &Gateway) -> Limits {
    Limits {
        bytes: gateway.settings.max_body_bytes,
        ..Limits::default()
    }
}

/// Reads the whole body.
///
/// # Errors
/// `payload_too_large` beyond `max_body_bytes`; `overloaded` when all bodies together have no room;
/// `invalid_request` when the body does not come in time or breaks off; `unsupported_media_type`
/// when it is compressed.
pub async fn read(gateway: &Gateway, request: Request) -> Result<Bytes, Problem> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    refuse_compressed(headers)?;
    let mut room = Room::new(gateway);
    if let Some(length) = declared_length(headers) {
        room.hold(length)?;
    }
    let seconds = gateway.settings.body_seconds;
    let read = timeout(Duration::from_secs(seconds), collect(body, &mut room));
    read.await.unwrap_or_else(|_| {
        let detail = format!("expected the whole body within {seconds} s");
        Err(Problem::new(ErrorCode::InvalidRequest, detail))
    })
}

async fn collect(mut body: Body, room: &mut Room<'_>) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broken = |error| {
            tracing::debug!(%error, "a body broke off");
            Problem::new(ErrorCode::InvalidRequest, "the body broke off")
        };
        // Trailers are read past: nothing in the API has a use for them.
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        room.hold(first.len() + rest.len() + data.len())?;
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// The room that one body takes while it is read.
struct Room<'a> {
    gateway: &'a Gateway,
    held: Option<OwnedSemaphorePermit>,
}

impl<'a> Room<'a> {
    fn new(gateway: &'a Gateway) -> Self {
        Self {
            gateway,
            held: None,
        }
    }

    /// Makes sure that there is room for so many bytes in all.
    fn hold(&mut self, bytes: usize) -> Result<(), Problem> {
        let max = self.gateway.settings.max_body_bytes;
        if bytes > max {
            let detail = format!("expected a body of at most {max} bytes");
            return Err(Problem::new(ErrorCode::PayloadTooLarge, detail));
        }
        let held = self
            .held
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let room = Arc::clone(&self.gateway.body_room);
        let more = room.try_acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX));
        let more = more.map_err(|_| {
            let detail = "the node reads as many bodies as it has room for";
            Problem::new(ErrorCode::Overloaded, detail)
        })?;
        match &mut self.held {
            Some(held) => held.merge(more),
            held => *held = Some(more),
        }
        Ok(())
    }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    // A length beyond `usize` is beyond every bound as well.
    Some(length.parse().unwrap_or(usize::MAX))
}

fn refuse_compressed(headers: &HeaderMap) -> Result<(), Problem> {
    let codings = headers.get_all(header::CONTENT_ENCODING);
    if codings
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Ok(());
    }
    let detail = "expected a body without `Content-Encoding`";
    Err(Problem::new(ErrorCode::UnsupportedMediaType, detail))
}
