//! What is served here, as other nodes are told it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::providers::Provider;

/// The providers of this node that other nodes may call, and which of them have changed since it was last
/// told. As many as there are providers at most, but for those that went and were not told yet.
#[derive(Debug, Default)]
pub(super) struct Offers {
    providers: HashMap<u64, Arc<Provider>>,
    changed: HashSet<u64>,
    /// Whether anybody is to be told.
    told: bool,
}

impl Offers {
    /// A provider has come; true when there is something new to tell. Those of every realm are each node's
    /// own and no offer.
    pub(super) fn add(&mut self, provider: &Arc<Provider>) -> bool {
        if provider.realm.is_none() || provider.node.is_some() {
            return false;
        }
        self.providers.insert(provider.id, Arc::clone(provider));
        self.change(provider.id)
    }

    /// A provider has gone, or is away or back; true when there is something new to tell.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.providers.remove(&id).is_some() && self.change(id)
    }

    /// The provider with a number, if it is one of this node that others may call.
    pub(super) fn find(&self, id: u64) -> Option<&Arc<Provider>> {
        self.providers.get(&id)
    }

    /// What has changed since the last time: providers that are there now, and numbers of those that are
    /// not. The first time it is all that are there.
    pub(super) fn take(&mut self) -> Vec<(u64, Option<Arc<Provider>>)> {
        if !self.told {
            self.told = true;
            self.changed.extend(self.providers.keys());
        }
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed
            .map(|id| (id, self.providers.get(&id).cloned()))
            .collect()
    }

    fn change(&mut self, id: u64) -> bool {
        if self.told {
            self.changed.insert(id);
        }
        self.told
    }
}
