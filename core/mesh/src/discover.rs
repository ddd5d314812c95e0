//! Discovery: what is there under a pattern.

use std::ops::Bound;

use macula_proto::{ErrorCode, Pattern, Problem, Realm};
use serde::{Deserialize, Serialize};

use crate::{
    Mesh, Policy, Schema,
    cluster::{Cluster, Member},
    rpc::providers::Listing,
};

/// The most items of one page, and what is given when no limit is asked for.
pub const MAX_LIMIT: usize = 1000;
/// The items of a page unless said otherwise.
pub const DEFAULT_LIMIT: usize = 100;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Discover {
    /// The realm.
    pub realm: Realm,
    /// The names wanted.
    pub pattern: Pattern,
    /// The kinds wanted.
    pub kinds: Vec<Kind>,
    /// Items of the page, 1–[`MAX_LIMIT`].
    pub limit: usize,
    /// Where the last page ended: its [`Page::next`].
    pub cursor: Option<String>,
}

/// A kind of thing that can be discovered, in the order in which pages list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A procedure that somebody serves.
    Procedure,
    /// A topic with events to replay, or that somebody subscribes to by name.
    Topic,
    /// A node.
    Node,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Procedure, Self::Topic, Self::Node];

    /// The kind as it stands in queries and cursors.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Procedure => "procedure",
            Self::Topic => "topic",
            Self::Node => "node",
        }
    }
}

/// A part of what matches.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The items, by kind and then by name.
    pub items: Vec<Item>,
    /// The cursor of the next page; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The levels that were asked (lesson 14): what they do not know is not in the answer.
    pub asked: Vec<String>,
}

/// Something that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Who serves it, for procedures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderInfo>,
    /// How its providers are balanced, for procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// What it does, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it takes and gives, for procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// How it is, for other nodes of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    /// Where it was found.
    pub found_at: Place,
}

/// One who serves a procedure.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderInfo {
    /// The session, app or node that serves.
    pub id: String,
    /// The node that it is connected to.
    pub node: String,
}

/// Where in the mesh something is.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// The level.
    pub level: String,
    /// The node.
    pub node: String,
}

/// The name of the lowest level.
const CLUSTER: &str = "cluster";

/// Answers from what this node knows.
pub(crate) fn discover(mesh: &Mesh, wanted: &Discover) -> Result<Page, Problem> {
    if !(1..=MAX_LIMIT).contains(&wanted.limit) {
        let detail = format!("expected a limit from 1 to {MAX_LIMIT}");
        return Err(Problem::new(ErrorCode::InvalidRequest, detail));
    }
    let after = wanted.cursor.as_deref().map(read_cursor).transpose()?;
    let mut kinds = wanted.kinds.clone();
    kinds.sort_unstable();
    kinds.dedup();
    let mut items = Vec::new();
    for kind in kinds {
        let start = match &after {
            Some((last, _)) if kind < *last => continue,
            Some((last, name)) if kind == *last => Bound::Excluded(name.as_str()),
            _ => Bound::Unbounded,
        };
        let room = wanted.limit + 1 - items.len();
        items.extend(find(mesh, wanted, kind, start, room));
    }
    let more = items.len() > wanted.limit;
    items.truncate(wanted.limit);
    let last = items.last().filter(|_| more);
    Ok(Page {
        next: last.map(|item| format!("{}:{}", item.kind.as_str(), item.name)),
        items,
        asked: vec![CLUSTER.to_owned()],
    })
}

fn find(mesh: &Mesh, wanted: &Discover, kind: Kind, start: Bound<&str>, room: usize) -> Vec<Item> {
    let fits = |name: &str| {
        let later = match start {
            Bound::Excluded(last) => name > last,
            _ => true,
        };
        later && wanted.pattern.matches(name)
    };
    let node = mesh.identity().name.as_str();
    match kind {
        Kind::Procedure => {
            let listings = mesh.providers().list(&wanted.realm).into_iter();
            let listings = listings.filter(|listing| fits(listing.procedure.as_str()));
            listings
                .take(room)
                .map(|listing| procedure(&listing, node))
                .collect()
        }
        Kind::Topic => {
            let topics = mesh.exchange().topics(&wanted.realm).into_iter();
            let topics = topics.filter(|topic| fits(topic));
            topics
                .take(room)
                .map(|topic| bare(kind, topic, node))
                .collect()
        }
        Kind::Node => {
            let mut nodes: Vec<_> = members(mesh)
                .map(|member| Item {
                    found_at: place(&member.name),
                    member: Some(member.clone()),
                    ..bare(kind, member.name.as_ref().to_owned(), node)
                })
                .chain([bare(kind, node.to_owned(), node)])
                .filter(|item| fits(&item.name))
                .collect();
            nodes.sort_by(|a, b| a.name.cmp(&b.name));
            nodes.truncate(room);
            nodes
        }
    }
}

/// The other nodes of the cluster, those that are connected.
fn members(mesh: &Mesh) -> impl Iterator<Item = Member> {
    let members = mesh.cluster().map(Cluster::members);
    members
        .into_iter()
        .flatten()
        .filter(|member| member.connected)
}

fn place(node: &str) -> Place {
    Place {
        level: CLUSTER.to_owned(),
        node: node.to_owned(),
    }
}

fn procedure(listing: &Listing, node: &str) -> Item {
    let providers = listing.providers.iter().map(|provider| ProviderInfo {
        id: provider.name.as_ref().to_owned(),
        node: provider.node.as_deref().unwrap_or(node).to_owned(),
    });
    let first = listing.providers.first();
    // Providers of this node stand first, so it is found elsewhere only if it is not served here.
    let found_at = first.and_then(|p| p.node.as_deref()).unwrap_or(node);
    Item {
        providers: providers.collect(),
        policy: Some(listing.policy),
        description: first.and_then(|p| p.description.as_deref().map(str::to_owned)),
        schema: first.and_then(|p| p.schema.as_deref().cloned()),
        ..bare(
            Kind::Procedure,
            listing.procedure.as_str().to_owned(),
            found_at,
        )
    }
}

fn bare(kind: Kind, name: String, node: &str) -> Item {
    Item {
        kind,
        name,
        providers: Vec::new(),
        policy: None,
        description: None,
        schema: None,
        member: None,
        found_at: place(node),
    }
}

fn read_cursor(cursor: &str) -> Result<(Kind, String), Problem> {
    let parsed = cursor.split_once(':').and_then(|(kind, name)| {
        let kind = Kind::ALL.into_iter().find(|k| k.as_str() == kind)?;
        let name = Pattern::parse(name).ok()?;
        Some((kind, name.as_str().to_owned()))
    });
    let detail = "expected the `next` of an earlier page as cursor";
    parsed.ok_or_else(|| Problem::new(ErrorCode::InvalidRequest, detail))
}
