//! `/v1/session`: opens, shows and ends a session; `/v1/session/ticket`: a ticket for it.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Uri, header};
use macula_proto::{ErrorCode, Problem, Realm, decode, timestamp::rfc3339};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{
    answer::{Answer, no_store},
    body,
    context::Context,
    gateway::Gateway,
    principal::{ANONYMOUS, Principal, unauthenticated},
    problem::Refused,
    rpc::MAX_TIMEOUT_MS,
};
use crate::session::{Session, addresses::Address, ticket, token::Secret};

/// The longest name that a client may give itself, in characters.
pub(crate) const MAX_SUBJECT_CHARS: usize = 128;

/// Who opens a session. Every member may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Opening {
    /// The realm; the first open one unless said otherwise.
    #[schema(example = "dev", value_type = Option<String>, pattern = "^[A-Za-z0-9_~-]{1,64}(\\.[A-Za-z0-9_~-]{1,64}){0,15}$", max_length = 255)]
    realm: Option<Realm>,
    /// Who it is, as publishers and callers are named; `anonymous` unless said otherwise.
    #[schema(
        example = "kitchen-display",
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"
    )]
    subject: Option<String>,
}

/// A session that was opened, with its token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Opened {
    /// The session's secret: send it as `Authorization: Bearer <token>`. It is not shown again.
    token: String,
    #[serde(flatten)]
    session: SessionInfo,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionInfo {
    /// Its public name.
    #[schema(min_length = 26, max_length = 26)]
    id: String,
    /// The realm in which it may act.
    #[schema(example = "dev")]
    realm: String,
    /// Who it is.
    #[schema(example = "kitchen-display")]
    subject: String,
    /// When it ends whatever happens (RFC 3339).
    #[schema(format = DateTime)]
    expires_at: String,
    /// What it may do: a name must match one of the patterns.
    permissions: Permissions,
    /// What it may use.
    limits: Limits,
    /// Where it can connect.
    endpoints: Vec<Endpoint>,
}

/// Patterns of what a session may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Permissions {
    /// Topics to publish under.
    publish: Vec<String>,
    /// Topics to subscribe to.
    subscribe: Vec<String>,
    /// Procedures to call.
    call: Vec<String>,
    /// Procedures to serve.
    serve: Vec<String>,
}

/// What a session may use.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limits {
    /// The longest body, in bytes.
    max_body_bytes: usize,
    /// Requests a second, and as many at once; 0 is no limit.
    requests_per_second: u32,
    /// Streams open at a time.
    max_streams: usize,
    /// The longest `timeout_ms` of a call.
    max_timeout_ms: u64,
    /// Seconds after which the session ends when it is not used.
    idle_seconds: u64,
}

/// Where a session can connect.
#[derive(Debug, Serialize, ToSchema)]
pub struct Endpoint {
    /// The base of the URLs.
    #[schema(example = "https://localhost:4433")]
    url: String,
    /// The protocols there, as in ALPN.
    #[schema(example = json!(["h3", "h2", "http/1.1"]))]
    protocols: Vec<&'static str>,
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ticket {
    /// Put it into the URL once: `?ticket=…`.
    ticket: String,
    /// When it is worthless (RFC 3339).
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Open a session.
///
/// In an open realm anybody may; the token is random and says nothing.
#[utoipa::path(
    post,
    path = "/v1/session",
    operation_id = "openSession",
    tag = "session",
    request_body(content = Option<Opening>, content_type = "application/json", description = "Who it is; may be left out."),
    responses((status = 201, description = "The session and its token.", body = Opened, content_type = "application/json")),
)]
pub(super) async fn open(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
    _: Principal,
    request: Request,
) -> Result<Response, Refused> {
    let answer = Answer::negotiate(&context)?;
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let opening = match body::structured(&gateway, &context, request).await? {
        Some((bytes, encoding)) => {
            let opening: Option<Opening> = decode(&bytes, encoding, &body::limits(&gateway))?;
            opening.unwrap_or_default()
        }
        None => Opening::default(),
    };
    let peer = context.peer().ip();
    let subject = opening.subject.as_deref();
    let (token, session) = open_for(&gateway, opening.realm, subject, peer)?;
    let opened = Opened {
        token: token.text(),
        session: describe(&gateway, &session, &uri, &headers),
    };
    Ok(no_store(answer.with(StatusCode::CREATED, &opened)))
}

/// Opens a session in an open realm for whoever asks, at this address.
///
/// # Errors
/// `unauthenticated` when the realm is not open, `invalid_request` for a subject that cannot be one,
/// `overloaded` when there is no room.
pub fn open_for(
    gateway: &Gateway,
    asked: Option<Realm>,
    name: Option<&str>,
    peer: IpAddr,
) -> Result<(Secret, Arc<Session>), Problem> {
    let realm = realm(gateway, asked)?;
    let subject = subject(name)?;
    let address = Address::from(peer);
    let opened = gateway
        .sessions
        .open(realm, subject, address, Instant::now());
    opened.map_err(|error| Problem::new(ErrorCode::Overloaded, error.to_string()))
}

/// The realm asked for, if it is open.
fn realm(gateway: &Gateway, asked: Option<Realm>) -> Result<Realm, Problem> {
    let open = &gateway.settings.open_realms;
    let realm = match asked {
        Some(realm) => open.contains(&realm).then_some(realm),
        None => open.first().cloned(),
    };
    realm.ok_or_else(|| unauthenticated("expected an open realm"))
}

fn subject(given: Option<&str>) -> Result<Arc<str>, Problem> {
    let subject = given.unwrap_or(ANONYMOUS);
    let good = (1..=MAX_SUBJECT_CHARS).contains(&subject.chars().count())
        && !subject.chars().any(char::is_control);
    if good {
        return Ok(subject.into());
    }
    let detail = format!("expected a subject of 1-{MAX_SUBJECT_CHARS} characters without controls");
    Err(Problem::new(ErrorCode::InvalidRequest, detail))
}

/// Show the session.
///
/// Its token is not shown again.
#[utoipa::path(
    get,
    path = "/v1/session",
    operation_id = "showSession",
    tag = "session",
    responses((status = 200, description = "The session.", body = SessionInfo, content_type = "application/json")),
)]
pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
    principal: Principal,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let answer = Answer::negotiate(&context)?;
    let session = describe(&gateway, principal.session()?, &uri, &headers);
    Ok(no_store(answer.with(StatusCode::OK, &session)))
}

/// End the session.
///
/// Its token is refused from now on, and its streams end.
#[utoipa::path(
    delete,
    path = "/v1/session",
    operation_id = "endSession",
    tag = "session",
    responses((status = 204, description = "The session has ended.")),
)]
pub(super) async fn end(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
) -> Result<Response, Refused> {
    gateway.sessions.end(principal.session()?);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Get a ticket.
///
/// It stands for the session once, within 30 seconds, where a browser API can send no header.
#[utoipa::path(
    post,
    path = "/v1/session/ticket",
    operation_id = "issueTicket",
    tag = "session",
    responses((status = 201, description = "The ticket.", body = Ticket, content_type = "application/json")),
)]
pub(super) async fn ticket(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
    principal: Principal,
) -> Result<Response, Refused> {
    let answer = Answer::negotiate(&context)?;
    let issued = gateway.tickets.issue(principal.session()?, Instant::now());
    let secret = issued.map_err(|error| Problem::new(ErrorCode::Overloaded, error.to_string()))?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ticket = Ticket {
        ticket: secret.text(),
        expires_at: rfc3339((now + ticket::LIFETIME).as_millis() as u64),
    };
    Ok(no_store(answer.with(StatusCode::CREATED, &ticket)))
}

fn describe(gateway: &Gateway, session: &Session, uri: &Uri, headers: &HeaderMap) -> SessionInfo {
    let settings = &gateway.settings;
    let texts = |patterns: &[macula_proto::Pattern]| {
        patterns.iter().map(|p| p.as_str().to_owned()).collect()
    };
    let permissions = &session.permissions;
    SessionInfo {
        id: session.id.to_string(),
        realm: session.realm.to_string(),
        subject: session.subject.to_string(),
        expires_at: rfc3339(session.expires_at_ms),
        permissions: Permissions {
            publish: texts(&permissions.publish),
            subscribe: texts(&permissions.subscribe),
            call: texts(&permissions.call),
            serve: texts(&permissions.serve),
        },
        limits: Limits {
            max_body_bytes: settings.max_body_bytes,
            requests_per_second: settings.session_requests_per_second,
            max_streams: settings.max_streams_per_session,
            max_timeout_ms: MAX_TIMEOUT_MS,
            idle_seconds: settings.sessions.idle_seconds,
        },
        endpoints: endpoint(uri, headers).into_iter().collect(),
    }
}

/// The gateway as the client reached it, so that the URL works from where the client is.
fn endpoint(uri: &Uri, headers: &HeaderMap) -> Option<Endpoint> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(http::uri::Authority::as_str).or(host)?;
    Some(Endpoint {
        url: format!("https://{authority}"),
        protocols: vec!["h3", "h2", "http/1.1"],
    })
}
