//! What this node says of itself in the state.

use std::{collections::HashSet, sync::Arc};

use macula_crdt::{Change as Entry, Value};

use super::{Driver, Key, Saying, encode};
use crate::{
    cluster::{
        fact::{Fact, Offer},
        records,
    },
    gossip::Change,
};

impl Driver {
    /// Puts what has changed here into the state.
    pub(super) fn tell_changes(&mut self) {
        for ((realm, pattern), wanted) in self.tables.exchange.take_wants() {
            let fact = encode(&Fact::Wants(realm, pattern));
            match wanted {
                true => self.say(fact),
                false => self.unsay(fact),
            }
        }
        let offers = self.tables.providers.take_offers();
        if offers.is_empty() {
            return;
        }
        for (id, provider) in offers {
            if let Some((old, _)) = self.offers.remove(&id) {
                self.unsay(old);
            }
            if let Some(offer) = provider.as_deref().and_then(Offer::of) {
                let key = records::key(&offer.realm, &offer.procedure);
                let fact = encode(&Fact::Serves(offer));
                self.offers.insert(id, (Arc::clone(&fact), key));
                self.say(fact);
            }
        }
        let served = self.offers.values().map(|(_, key)| key.clone());
        self.served.send_replace(served.collect());
    }

    pub(super) fn say(&mut self, fact: Arc<[u8]>) {
        self.said.insert(Arc::clone(&fact));
        self.change(Change::Add((self.me(), fact), ()));
    }

    fn unsay(&mut self, fact: Arc<[u8]>) {
        self.said.remove(&fact);
        self.change(Change::RemoveKey((self.me(), fact)));
    }

    /// Makes what the state says of this node what it is: while it was retired it could not change it.
    pub(super) fn say_again(&mut self) {
        let me = *self.machine.me();
        let entries = self.machine.state().entries_of(&me);
        let own = entries.filter(|entry| entry.key.0 == me.id);
        let there: HashSet<_> = own.map(|entry| Arc::clone(&entry.key.1)).collect();
        for fact in &there - &self.said {
            self.unsay(fact);
        }
        for fact in &self.said - &there {
            self.say(fact);
        }
    }

    /// Says again what others have removed of what this node says. What was said in an earlier life is not its
    /// matter: the machine says that again by itself.
    pub(super) fn correct(&mut self, removed: &[Entry<Key, Saying, Value<()>>]) {
        let me = *self.machine.me();
        for entry in removed.iter().filter(|entry| entry.dot.actor == me) {
            let (of, fact) = &*entry.entry.key;
            if *of == me.id && self.said.contains(fact) {
                tracing::debug!("somebody has removed what this node says of itself");
                self.say(Arc::clone(fact));
            }
        }
    }
}
