//! Who asks, and how much of it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri, header::AUTHORIZATION, request::Parts,
};
use macula_proto::{ErrorCode, Problem};
use tokio::time::Instant;

use super::{
    context::Context,
    gateway::Gateway,
    principal::{Principal, unauthenticated},
    problem::Refused,
};
use crate::session::{
    addresses::Address,
    bucket::{Empty, Quota},
    store::FindError,
};

/// What is left of the quota (draft-ietf-httpapi-ratelimit-headers).
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The quota (same draft).
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A handler that takes a principal is for those whom we know or an open realm, within their quota.
impl FromRequestParts<Arc<Gateway>> for Principal {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, Refused> {
        let context = Context::of(parts);
        let now = Instant::now();
        let principal = principal(gateway, parts, now);
        // A guess at a token costs as much as a request without one.
        let whose = principal.as_ref().unwrap_or(&Self::Anonymous);
        if let Some(limited) = Limited::take(gateway, whose, &context, now) {
            let refused = limited.refused();
            context.limit(limited);
            refused?;
        }
        Ok(principal?)
    }
}

fn principal(gateway: &Gateway, parts: &Parts, now: Instant) -> Result<Principal, Problem> {
    let ticket = ticket(&parts.method, &parts.uri);
    let session = match (token(&parts.headers)?, ticket) {
        (None, None) => return Ok(Principal::Anonymous),
        (Some(_), Some(_)) => {
            let detail = "expected a token or a ticket, found both";
            return Err(Problem::new(ErrorCode::InvalidRequest, detail));
        }
        (Some(token), None) => gateway.sessions.find(token, now),
        (None, Some(ticket)) => match gateway.tickets.redeem(ticket, now) {
            Some(session) if session.ended().is_cancelled() => Err(FindError::Ended),
            Some(session) => Ok(session),
            None => return Err(unauthenticated("expected a ticket that is new and unused")),
        },
    };
    session.map(Principal::Session).map_err(Problem::from)
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        let code = match error {
            FindError::Unknown => ErrorCode::Unauthenticated,
            FindError::Ended => ErrorCode::SessionExpired,
        };
        Self::new(code, error.to_string())
    }
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1).
fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let detail = "expected one `Authorization` header";
        return Err(Problem::new(ErrorCode::InvalidRequest, detail));
    }
    let bearer = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        bearer.then(|| token.trim_start_matches(' '))
    });
    let expected = "expected `Authorization: Bearer <token>`";
    bearer.map(Some).ok_or_else(|| unauthenticated(expected))
}

/// The ticket in the query; only of a GET, as it is there for `EventSource`.
fn ticket<'a>(method: &Method, uri: &'a Uri) -> Option<&'a str> {
    if method != Method::GET {
        return None;
    }
    uri.query()?
        .split('&')
        .find_map(|pair| pair.strip_prefix("ticket="))
}

/// What was taken out of a bucket.
#[derive(Debug)]
pub struct Limited {
    quota: Quota,
    whose: &'static str,
    taken: Result<u32, Empty>,
}

impl Limited {
    /// Takes one request out of the principal's bucket; none where there is no limit.
    fn take(
        gateway: &Gateway,
        principal: &Principal,
        context: &Context,
        now: Instant,
    ) -> Option<Self> {
        match principal {
            Principal::Session(session) => gateway.session_quota.map(|quota| Self {
                quota,
                whose: "session",
                taken: session.take(quota, now),
            }),
            Principal::Anonymous => gateway.address_quota.map(|quota| {
                let address = Address::from(context.peer().ip());
                Self {
                    quota,
                    whose: "address",
                    taken: gateway.addresses.take(address, quota, now),
                }
            }),
        }
    }

    fn refused(&self) -> Result<(), Problem> {
        let Err(empty) = self.taken else {
            return Ok(());
        };
        let detail = format!(
            "expected at most {} requests a second of this {}; the next passes in {} ms",
            self.quota.rate(),
            self.whose,
            empty.retry_after.as_millis() + 1,
        );
        Err(Problem::new(ErrorCode::RateLimited, detail))
    }

    /// Tells the quota and what is left of it. A bucket fills within a second.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let whose = self.whose;
        let left = self.taken.as_ref().copied().unwrap_or(0);
        let policy = format!("\"{whose}\";q={};w=1", self.quota.rate());
        let limit = format!("\"{whose}\";r={left};t=1");
        for (name, value) in [(RATELIMIT_POLICY, policy), (RATELIMIT, limit)] {
            let value = HeaderValue::try_from(value).expect("digits and quotes are visible");
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_after_bearer() {
        fn check(lines: &[&str], expected: Result<Option<&str>, ErrorCode>) {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(AUTHORIZATION, line.parse().unwrap());
            }
            let found = token(&headers).map_err(|problem| problem.code);
            assert_eq!(found, expected, "{lines:?}");
        }
        check(&[], Ok(None));
        check(&["Bearer abc"], Ok(Some("abc")));
        check(&["bearer  abc"], Ok(Some("abc")));
        check(&["Basic abc"], Err(ErrorCode::Unauthenticated));
        check(&["abc"], Err(ErrorCode::Unauthenticated));
        check(&["Bearer a", "Bearer b"], Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn lesson_26_a_ticket_counts_only_where_headers_cannot_be_sent() {
        let uri = Uri::from_static("/v1/subscribe/dev/a?replay=1&ticket=t");
        assert_eq!(ticket(&Method::GET, &uri), Some("t"));
        assert_eq!(ticket(&Method::POST, &uri), None);
        assert_eq!(
            ticket(&Method::GET, &Uri::from_static("/v1/x?tickets=t")),
            None
        );
    }
}
