//! `GET /v1/discover/{realm}/{pattern}`: what is there under a pattern.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use macula_mesh::{
    Discover,
    discover::{DEFAULT_LIMIT, Kind},
};
use macula_proto::{ErrorCode, Pattern, Problem, Realm};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answer::Answer,
    context::Context,
    gateway::Gateway,
    params::{Names, Params},
    principal::Principal,
    problem::Refused,
};

/// The parameters of a discovery.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    kind: Option<String>,
    scope: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The level that every node can ask.
const CLUSTER: &str = "cluster";

/// The kinds that are named, with commas between; all when none is.
///
/// # Errors
/// `invalid_request` for any other.
pub fn kinds(named: Option<&str>) -> Result<Vec<Kind>, Problem> {
    let Some(named) = named else {
        return Ok(Kind::ALL.to_vec());
    };
    let read = |text: &str| Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    let kinds: Option<Vec<_>> = named.split(',').map(read).collect();
    kinds.ok_or_else(|| invalid("expected `kind` of procedure, topic or node"))
}

impl Query {
    fn scope(&self) -> Result<(), Problem> {
        match self.scope.as_deref() {
            None | Some(CLUSTER) => Ok(()),
            Some(_) => Err(invalid("expected `scope` of a level of this node: cluster")),
        }
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ErrorCode::InvalidRequest, detail)
}

/// A part of what was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page {
    /// What was found, by kind and then by name.
    items: Vec<Item>,
    /// The `cursor` of the next part; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The levels that were asked; what they do not know is not in the answer.
    asked: Vec<String>,
}

/// Something that was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Item {
    /// `procedure`, `topic` or `node`.
    #[schema(value_type = String, example = "procedure")]
    kind: Kind,
    /// Its name.
    #[schema(example = "system.echo")]
    name: String,
    /// Who serves it, for procedures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    providers: Vec<Provider>,
    /// How its providers are balanced, for procedures: `round_robin`, `random`, `first` or
    /// `least_busy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "round_robin")]
    policy: Option<macula_mesh::Policy>,
    /// What it does, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What it takes and gives, for procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Schema>,
    /// How it is, for other nodes of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Member>,
    /// Where it was found.
    found_at: Place,
}

/// Another node of the cluster, as the node that was asked sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// Its id: its public key, in hexadecimal.
    id: String,
    /// The version of its program.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0.1.0")]
    version: Option<String>,
    /// Since when it runs, in milliseconds since 1970 by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ms: Option<u64>,
    /// Where its gateway is, `HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    /// The round trip to it, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_us: Option<u64>,
    /// Streams to it that are open.
    streams: usize,
    /// Events that wait for it.
    waiting: usize,
    /// Whether it is connected. One that is not is left out after a while.
    connected: bool,
    /// For how long it has said that it has another state than this node, in milliseconds; 0 if it does not.
    lag_ms: u64,
}

/// One who serves a procedure.
#[derive(Debug, Serialize, ToSchema)]
pub struct Provider {
    /// The session, app or node that serves.
    id: String,
    /// The node that it is connected to.
    node: String,
}

/// JSON Schemas of a procedure.
#[derive(Debug, Serialize, ToSchema)]
pub struct Schema {
    /// The schema of the argument.
    #[schema(value_type = Object)]
    argument: serde_json::Value,
    /// The schema of the result.
    #[schema(value_type = Object)]
    result: serde_json::Value,
}

/// Where in the mesh something is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Place {
    /// The level.
    #[schema(example = "cluster")]
    level: String,
    /// The node.
    node: String,
}

/// Find procedures, topics and nodes.
///
/// They come by kind and then by name, in parts: `next` is the `cursor` of the next one.
#[utoipa::path(
    get,
    path = "/v1/discover/{realm}/{pattern}",
    operation_id = "discover",
    tag = "discovery",
    params(
        ("realm" = String, Path, description = "The realm.", example = "dev"),
        ("pattern" = String, Path, description = "The names: a name in which a segment may be `*` and the last `**`.", example = "system.*"),
        ("kind" = Option<String>, Query, description = "The kinds wanted, with commas between: `procedure`, `topic`, `node`. All unless said otherwise.", example = "procedure", pattern = "^(procedure|topic|node)(,(procedure|topic|node)){0,9}$"),
        ("scope" = Option<String>, Query, description = "How far up to ask; `cluster` is the level of this node.", example = "cluster", pattern = "^cluster$"),
        ("limit" = Option<usize>, Query, description = "The most items of the answer; 100 unless said otherwise.", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next` of an earlier answer.", pattern = "^(procedure|topic|node):[A-Za-z0-9_~-]{1,64}$"),
    ),
    responses((status = 200, description = "What was found.", body = Page, content_type = "application/json")),
)]
pub(super) async fn discover(
    State(gateway): State<Arc<Gateway>>,
    context: Context,
    principal: Principal,
    Names(realm, pattern): Names<Realm, Pattern>,
    Params(query): Params<Query>,
) -> Result<Response, Refused> {
    principal.enter(&gateway, &realm)?;
    let answer = Answer::negotiate(&context)?;
    query.scope()?;
    let page = gateway.mesh.discover(&Discover {
        realm,
        pattern,
        kinds: kinds(query.kind.as_deref())?,
        limit: query.limit.unwrap_or(DEFAULT_LIMIT),
        cursor: query.cursor,
    })?;
    Ok(answer.with(StatusCode::OK, &Page::from(page)))
}

impl From<macula_mesh::Page> for Page {
    fn from(page: macula_mesh::Page) -> Self {
        Self {
            items: page.items.into_iter().map(Item::from).collect(),
            next: page.next,
            asked: page.asked,
        }
    }
}

impl From<macula_mesh::cluster::Member> for Member {
    fn from(member: macula_mesh::cluster::Member) -> Self {
        Self {
            id: member.id.to_string(),
            version: member.version.as_deref().map(str::to_owned),
            since_ms: member.since_ms,
            gateway: member.gateway.as_deref().map(str::to_owned),
            round_trip_us: member.round_trip_us,
            streams: member.streams,
            waiting: member.waiting,
            connected: member.connected,
            lag_ms: member.lag_ms,
        }
    }
}

impl From<macula_mesh::discover::Item> for Item {
    fn from(item: macula_mesh::discover::Item) -> Self {
        let providers = item.providers.into_iter().map(|provider| Provider {
            id: provider.id,
            node: provider.node,
        });
        Self {
            kind: item.kind,
            name: item.name,
            providers: providers.collect(),
            policy: item.policy,
            description: item.description,
            schema: item.schema.map(|schema| Schema {
                argument: schema.argument,
                result: schema.result,
            }),
            member: item.member.map(Into::into),
            found_at: Place {
                level: item.found_at.level,
                node: item.found_at.node,
            },
        }
    }
}
