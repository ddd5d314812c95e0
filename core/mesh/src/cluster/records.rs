//! Provider records: the DHT of the cluster's level knows which nodes serve a procedure, under its realm and name.
//!
//! Nodes of the cluster do not need them, as their state says more, and sooner. They are for who asks without that
//! state: whoever holds one more level.

use std::collections::BTreeSet;

use macula_engine::Engine;
use macula_proto::{Procedure, Realm};
use tokio::sync::watch;

/// The key of a procedure: at most 511 bytes.
pub(super) fn key(realm: &Realm, procedure: &Procedure) -> Vec<u8> {
    format!("{realm}/{procedure}").into_bytes()
}

/// Keeps the DHT in step with the keys that this node serves, until nobody can change them any more. What comes and
/// goes while the DHT is told something is told as it is then. The engine says again what it could not tell.
pub(super) async fn keep(engine: Engine, mut served: watch::Receiver<BTreeSet<Vec<u8>>>) {
    let mut told = BTreeSet::new();
    loop {
        let wanted = served.borrow_and_update().clone();
        for gone in told.difference(&wanted) {
            if engine.stop_providing(gone).await.is_err() {
                return;
            }
        }
        for new in wanted.difference(&told) {
            if let Err(error) = engine.provide(new).await {
                tracing::debug!(%error, "the DHT is not told yet of a procedure");
            }
        }
        told = wanted;
        if served.changed().await.is_err() {
            return;
        }
    }
}
