//! Calls at another node: the caller writes a [`Request`], the provider's node answers with [`Answer`]s, the
//! last of which ends the call. Then the stream is free for the next call. Who gives a call up resets the stream.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Blob, Pairs, PeerError, headers, kind, media_type, pairs, part, read, subject, write};
use crate::{ErrorCode, HandlerError, Headers, Payload, Problem, Procedure, Realm};

const REQUEST: u8 = 0;
const PROGRESS: u8 = 1;
const RESULT: u8 = 2;
const PROBLEM: u8 = 3;

/// A call of a procedure that is served at the node it goes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The realm.
    pub realm: Realm,
    /// The procedure.
    pub procedure: Procedure,
    /// The number of the provider, as its node has announced it.
    pub provider: u64,
    /// The subject that calls.
    pub caller: Arc<str>,
    /// Application headers.
    pub headers: Headers,
    /// How long the caller still waits, in milliseconds: clocks of two nodes do not agree on a moment.
    pub timeout_ms: u64,
    /// True when the caller reads progress.
    pub wants_progress: bool,
    /// The argument.
    pub argument: Payload,
}

/// What is answered to a [`Request`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// How far the call is.
    Progress(Payload),
    /// The result; nothing follows.
    Result(Payload),
    /// Why there is none; nothing follows.
    Problem(Problem),
}

#[derive(Serialize, Deserialize)]
struct RequestMembers<'a> {
    realm: &'a str,
    procedure: &'a str,
    provider: u64,
    caller: &'a str,
    #[serde(borrow)]
    headers: Pairs<'a>,
    timeout_ms: u64,
    wants_progress: bool,
    content_type: &'a str,
    #[serde(borrow)]
    argument: Blob<'a>,
}

#[derive(Serialize, Deserialize)]
struct PayloadMembers<'a> {
    content_type: &'a str,
    #[serde(borrow)]
    bytes: Blob<'a>,
}

#[derive(Serialize, Deserialize)]
struct ProblemMembers {
    code: String,
    detail: String,
    /// Code, detail, and data as JSON text.
    handler: Option<(String, String, Option<String>)>,
}

impl Request {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let members = RequestMembers {
            realm: self.realm.as_str(),
            procedure: self.procedure.as_str(),
            provider: self.provider,
            caller: &self.caller,
            headers: pairs(&self.headers),
            timeout_ms: self.timeout_ms,
            wants_progress: self.wants_progress,
            content_type: self.argument.content_type.as_str(),
            argument: Blob(&self.argument.bytes),
        };
        write(REQUEST, &members)
    }

    /// Reads a frame; the argument shares its bytes.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &Bytes) -> Result<Self, PeerError> {
        let found: RequestMembers<'_> = match kind(frame)? {
            (REQUEST, members) => read(members)?,
            (other, _) => return Err(PeerError::Kind(Some(other))),
        };
        Ok(Self {
            realm: Realm::parse(found.realm)?,
            procedure: Procedure::parse(found.procedure)?,
            provider: found.provider,
            caller: subject(found.caller)?,
            headers: headers(found.headers)?,
            timeout_ms: found.timeout_ms,
            wants_progress: found.wants_progress,
            argument: Payload {
                content_type: media_type(found.content_type)?,
                bytes: part(frame, found.argument.0),
            },
        })
    }
}

impl Answer {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Progress(payload) => write(PROGRESS, &payload_members(payload)),
            Self::Result(payload) => write(RESULT, &payload_members(payload)),
            Self::Problem(problem) => {
                let handler = problem.handler.clone().map(|handler| {
                    let data = handler.data.map(|data| data.to_string());
                    (handler.code, handler.detail, data)
                });
                let members = ProblemMembers {
                    code: problem.code.as_str().to_owned(),
                    detail: problem.detail.clone(),
                    handler,
                };
                write(PROBLEM, &members)
            }
        }
    }

    /// Reads a frame; a payload shares its bytes. A code that this version does not know becomes `internal`.
    ///
    /// # Errors
    /// [`PeerError`]: it is none.
    pub fn decode(frame: &Bytes) -> Result<Self, PeerError> {
        match kind(frame)? {
            (PROGRESS, members) => read_payload(frame, members).map(Self::Progress),
            (RESULT, members) => read_payload(frame, members).map(Self::Result),
            (PROBLEM, members) => read_problem(members).map(Self::Problem),
            (other, _) => Err(PeerError::Kind(Some(other))),
        }
    }
}

fn payload_members(payload: &Payload) -> PayloadMembers<'_> {
    PayloadMembers {
        content_type: payload.content_type.as_str(),
        bytes: Blob(&payload.bytes),
    }
}

fn read_payload(frame: &Bytes, members: &[u8]) -> Result<Payload, PeerError> {
    let found: PayloadMembers<'_> = read(members)?;
    Ok(Payload {
        content_type: media_type(found.content_type)?,
        bytes: part(frame, found.bytes.0),
    })
}

fn read_problem(members: &[u8]) -> Result<Problem, PeerError> {
    let found: ProblemMembers = read(members)?;
    let code = ErrorCode::from_code(&found.code).unwrap_or(ErrorCode::Internal);
    let Some((handler_code, detail, data)) = found.handler else {
        return Ok(Problem::new(code, found.detail));
    };
    let data = data.map(|data| serde_json::from_str(&data)).transpose();
    let data = data.map_err(|error| PeerError::Members(error.to_string()))?;
    Ok(Problem::handler(HandlerError {
        code: handler_code,
        detail,
        data,
    }))
}
