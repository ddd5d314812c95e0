//! Names in paths and parameters in queries, parsed at the edge.

use axum::extract::{FromRequestParts, Query, RawPathParams};
use http::request::Parts;
use macula_proto::{ErrorCode, NameError, Problem};
use serde::de::DeserializeOwned;
use std::str::FromStr;

use super::problem::Refused;

/// Two names of a path: a realm, and what the route is about.
#[derive(Debug, Clone)]
pub struct Names<A, B>(pub A, pub B);

impl<S, A, B> FromRequestParts<S> for Names<A, B>
where
    S: Send + Sync,
    A: FromStr<Err = NameError>,
    B: FromStr<Err = NameError>,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = RawPathParams::from_request_parts(parts, state).await;
        let path = path.map_err(|_| {
            let detail = "expected percent-encoded UTF-8 in the path";
            Problem::new(ErrorCode::InvalidName, detail)
        })?;
        let mut names = path.iter().map(|(_, name)| name);
        let mut name = || names.next().expect("the route has two");
        Ok(Self(name().parse::<A>()?, name().parse::<B>()?))
    }
}

/// The parameters of a query. Unknown and repeated ones are refused, so that a misspelt one is
/// never ignored in silence.
#[derive(Debug, Clone)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(params) = query.map_err(|rejection| {
            // The first line names the parameter and what was expected.
            let detail = rejection.body_text();
            let detail = detail
                .strip_prefix("Failed to deserialize query string: ")
                .unwrap_or(&detail);
            Problem::new(ErrorCode::InvalidRequest, format!("query: {detail}"))
        })?;
        Ok(Self(params))
    }
}
