//! `/v1/connect`: a live session, on a WebSocket or WebTransport.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{
        FromRequestParts, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse, Response},
};
use http::{
    StatusCode,
    header::{HOST, ORIGIN},
    request::Parts,
    uri::Authority,
};
use macula_proto::{ErrorCode, Problem};

use super::{context::Context, gateway::Gateway, principal::Principal, problem::Refused};
use crate::{
    conn::Hold,
    live::{self, Guest, websocket, webtransport},
    webtransport::Upgrade,
};

/// What is read from a socket at a time, and held of what was read.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// What is gathered before it is written to the socket.
const WRITE_BUFFER_BYTES: usize = 8 << 10;

/// Open a live session on a WebSocket.
///
/// A WebSocket handshake (RFC 6455; RFC 8441 on HTTP/2). The subprotocol settles the encoding:
/// `macula.v1.msgpack` or `macula.v1.json`. Without one the first message does. What is said then
/// stands in `docs/LIVE.md`: each message is a `ClientFrame` or a `GatewayFrame`, and
/// `/v1/asyncapi.yaml` tells which answers which. On HTTP/3 the same path takes WebTransport.
#[utoipa::path(
    get,
    path = "/v1/connect",
    operation_id = "connect",
    tag = "session",
    params(
        ("ticket" = Option<String>, Query, description = "A one-use ticket, in place of the token in `hello`."),
        ("sec-websocket-protocol" = Option<String>, Header, description = "`macula.v1.msgpack` or `macula.v1.json`."),
    ),
    responses(
        (status = 101, description = "The session begins with the client's `hello`."),
        (status = 200, description = "The same, as HTTP/2 answers an extended CONNECT."),
    ),
)]
pub(super) async fn connect(
    State(gateway): State<Arc<Gateway>>,
    guest: Guest,
    hold: Option<Extension<Hold>>,
    session: Option<Extension<Upgrade>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    if let Some(Extension(session)) = session {
        tokio::spawn(async move {
            // It is gone if its client does not wait for the answer.
            if let Ok(session) = session.accepted().await {
                webtransport::serve(session, gateway, guest).await;
            }
        });
        return Ok(StatusCode::OK.into_response());
    }
    let (Ok(upgrade), Some(Extension(hold))) = (upgrade, hold) else {
        let detail = "expected a WebSocket handshake of version 13, or WebTransport over HTTP/3";
        return Err(Problem::new(ErrorCode::InvalidRequest, detail).into());
    };
    let upgrade = upgrade.protocols(websocket::PROTOCOLS);
    let settled = upgrade.selected_protocol();
    let settled = settled.and_then(|protocol| websocket::encoding_of(protocol.to_str().ok()?));
    if settled.is_none() && upgrade.requested_protocols().next().is_some() {
        let detail = format!(
            "expected a subprotocol of {}",
            websocket::PROTOCOLS.join(", ")
        );
        return Err(Problem::new(ErrorCode::InvalidRequest, detail).into());
    }
    let max_frame_bytes = live::settings::limits(&gateway).bytes;
    Ok(upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_frame_size(max_frame_bytes)
        .max_message_size(max_frame_bytes)
        .on_upgrade(move |socket| websocket::serve(socket, settled, gateway, guest, hold)))
}

/// Who connects, from where they may.
impl FromRequestParts<Arc<Gateway>> for Guest {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, Refused> {
        let principal = Principal::from_request_parts(parts, gateway).await?;
        if let Some(origin) = parts.headers.get(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
            let authority = parts.uri.authority().map(Authority::as_str).or(host);
            if !may_connect(origin, authority, &gateway.settings.cors_origins) {
                let detail = format!("expected an origin of `api.cors_origins`, found {origin:?}");
                return Err(Problem::new(ErrorCode::Forbidden, detail).into());
            }
        }
        let peer = Context::of(parts).peer().ip();
        Ok(Self { principal, peer })
    }
}

/// Whether a page of this origin may have a session. Browsers ask nobody before they connect, and
/// what is open to a home's network is not open to every page that is read there (RFC 6455 §10.2).
fn may_connect(origin: &str, authority: Option<&str>, allowed: &[String]) -> bool {
    let own = authority.is_some_and(|authority| {
        let host = origin.strip_prefix("https://");
        host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    });
    own || allowed
        .iter()
        .any(|allowed| allowed == "*" || allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_origins_connect_only_if_the_settings_say_so() {
        fn check(origin: &str, allowed: &[&str], expected: bool) {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            let found = may_connect(origin, Some("localhost:4433"), &allowed);
            assert_eq!(found, expected, "{origin}");
        }
        check("https://localhost:4433", &[], true);
        check("https://localhost", &[], false);
        check("http://localhost:4433", &[], false);
        check("https://evil.example", &[], false);
        check("null", &[], false);
        check("https://app.example", &["https://app.example"], true);
        check("null", &["*"], true);
        assert!(!may_connect("https://a", None, &[]));
    }
}
