//! What other nodes serve and want, as far as they can be reached, in the tables of this node.
//!
//! The state of the cluster says what each node serves and wants; the engine says who is connected. What holds
//! here is what both say: a node that is not connected serves nothing here, however its entries stand in the
//! state, and gets it back when it returns. What it wants is kept for it a little longer, so that a connection
//! that breaks loses no event. Dropping a node's part takes it out of all tables (lesson 3).

use std::{collections::HashMap, fmt::Display, hash::Hash, sync::Arc};

use macula_proto::{Pattern, Realm};

use super::{
    fact::{Fact, Offer},
    link::Outbox,
};
use crate::{
    Handler, Registration, Schema, Serve,
    pubsub::{exchange::Exchange, wants::Interest},
    rpc::providers::Providers,
};

/// The tables of this node that others have a part in.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) providers: Arc<Providers>,
}

/// A way to a node that is connected.
pub(crate) struct Route {
    /// Where its events go.
    pub(crate) outbox: Arc<Outbox>,
    /// Makes what brings calls to one of its providers.
    pub(crate) remote: Box<dyn Fn(u64) -> Arc<dyn Handler> + Send + Sync>,
}

/// Every node that the state or the engine knows, by its id.
pub(crate) struct Directory<Id> {
    tables: Tables,
    nodes: HashMap<Id, Node>,
    next_key: u64,
}

#[derive(Default)]
struct Node {
    /// How it is reached; kept for a while after it was lost.
    route: Option<Route>,
    connected: bool,
    /// What the node says of itself, and how often, as two of its runs may say the same; with its place in the
    /// tables while the node is connected.
    facts: HashMap<Fact, (usize, Option<Held>)>,
}

/// A place in a table; dropping it gives it up.
enum Held {
    Interest(#[expect(dead_code, reason = "it is wanted until it is dropped")] Admitted),
    Provider(#[expect(dead_code, reason = "it serves until it is dropped")] Registration),
}

struct Admitted {
    exchange: Arc<Exchange>,
    interest: Interest,
    key: u64,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.exchange.dismiss(&self.interest, self.key);
    }
}

impl<Id: Hash + Eq + Copy + Display> Directory<Id> {
    pub(crate) fn new(tables: Tables) -> Self {
        Self {
            tables,
            nodes: HashMap::new(),
            next_key: 0,
        }
    }

    /// A node is connected.
    pub(crate) fn connected(&mut self, id: Id, route: Route) {
        let node = self.nodes.entry(id).or_default();
        let name = node.name(&id);
        for (fact, (_, held)) in &mut node.facts {
            // What it wants may be kept still, in the same queue.
            if held.is_none() {
                *held = hold(&self.tables, &mut self.next_key, &route, &name, fact);
            }
        }
        node.route = Some(route);
        node.connected = true;
    }

    /// A node is not connected any more: calls that it has end with `provider_unavailable` now.
    pub(crate) fn disconnected(&mut self, id: &Id) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.connected = false;
            node.drop_held(|held| matches!(held, Held::Provider(_)));
        }
    }

    /// A node did not come back in time: nothing is kept for it any more.
    pub(crate) fn lapsed(&mut self, id: &Id) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.route = None;
            node.drop_held(|_| true);
        }
        self.forget_empty(id);
    }

    /// The state has come to say something of a node.
    pub(crate) fn add(&mut self, id: Id, fact: Fact) {
        let node = self.nodes.entry(id).or_default();
        let name = node.name(&id);
        let (times, held) = node.facts.entry(fact.clone()).or_default();
        *times += 1;
        if let (None, Some(route), true) = (&held, &node.route, node.connected) {
            *held = hold(&self.tables, &mut self.next_key, route, &name, &fact);
        }
    }

    /// The state has ceased to say it.
    pub(crate) fn remove(&mut self, id: &Id, fact: &Fact) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        if let Some((times, _)) = node.facts.get_mut(fact) {
            *times -= 1;
            if *times == 0 {
                node.facts.remove(fact);
            }
        }
        self.forget_empty(id);
    }

    /// What a node says of itself, in no particular order.
    pub(crate) fn facts_of(&self, id: &Id) -> impl Iterator<Item = &Fact> {
        self.nodes
            .get(id)
            .into_iter()
            .flat_map(|node| node.facts.keys())
    }

    /// Each node that is known, and whether it is connected.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&Id, bool)> {
        self.nodes.iter().map(|(id, node)| (id, node.connected))
    }

    fn forget_empty(&mut self, id: &Id) {
        let empty = |node: &Node| node.route.is_none() && node.facts.is_empty();
        if self.nodes.get(id).is_some_and(empty) {
            self.nodes.remove(id);
        }
    }
}

impl Node {
    /// What the node calls itself; its id until that is known.
    fn name(&self, id: &impl Display) -> Arc<str> {
        let about = self.facts.keys().find_map(|fact| match fact {
            Fact::Node(about) => Some(Arc::clone(&about.name)),
            _ => None,
        });
        about.unwrap_or_else(|| id.to_string().into())
    }

    fn drop_held(&mut self, which: impl Fn(&Held) -> bool) {
        for (_, held) in self.facts.values_mut() {
            if held.as_ref().is_some_and(&which) {
                *held = None;
            }
        }
    }
}

fn hold(
    tables: &Tables,
    next_key: &mut u64,
    route: &Route,
    name: &Arc<str>,
    fact: &Fact,
) -> Option<Held> {
    match fact {
        // Revocations are the cluster's, and never of a node.
        Fact::Node(_) | Fact::Revokes(_) => None,
        Fact::Wants(realm, pattern) => {
            let key = *next_key;
            *next_key += 1;
            Some(Held::Interest(admit(tables, key, route, realm, pattern)))
        }
        Fact::Serves(offer) => Some(Held::Provider(serve(tables, route, name, offer))),
    }
}

fn admit(tables: &Tables, key: u64, route: &Route, realm: &Realm, pattern: &Pattern) -> Admitted {
    let interest = (realm.clone(), pattern.clone());
    let queue = Arc::clone(&route.outbox.queue);
    tables.exchange.admit(&interest, key, queue);
    Admitted {
        exchange: Arc::clone(&tables.exchange),
        interest,
        key,
    }
}

fn serve(tables: &Tables, route: &Route, name: &Arc<str>, offer: &Offer) -> Registration {
    let serve = Serve {
        realm: Some(offer.realm.clone()),
        procedure: offer.procedure.clone(),
        provider: offer.name.clone(),
        policy: Some(offer.policy),
        concurrency: offer.concurrency,
        description: offer.description.clone(),
        schema: offer.schema.as_deref().and_then(schema).map(Arc::new),
    };
    let remote = (route.remote)(offer.provider);
    let providers = &tables.providers;
    providers.serve_elsewhere(serve, remote, Arc::clone(name))
}

/// The schemas of an offer; what is none is left out, as it serves for reading only.
fn schema(text: &str) -> Option<Schema> {
    serde_json::from_str(text).ok()
}
