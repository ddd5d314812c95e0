//! What every handler can reach.

use std::{sync::Arc, time::Duration};

use macula_mesh::Mesh;
use tokio::{
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{principal::ANONYMOUS, settings::Settings};
use crate::{
    drain,
    live::Lives,
    metrics::{Metrics, Readings},
    session::{Sessions, Tickets, addresses::Addresses, bucket::Quota},
};

/// How often sessions and tickets whose time is over are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The parts of the gateway that its handlers use.
#[derive(Debug)]
pub struct Gateway {
    /// The mesh behind the gateway.
    pub mesh: Mesh,
    /// The bounds.
    pub settings: Settings,
    /// The subject of those without a session.
    pub anonymous: Arc<str>,
    /// Who has a session.
    pub sessions: Arc<Sessions>,
    /// Live sessions.
    pub lives: Arc<Lives>,
    /// One-use tickets.
    pub tickets: Tickets,
    /// The buckets of those without a session.
    pub addresses: Addresses,
    /// What a session may ask a second; none is no limit.
    pub session_quota: Option<Quota>,
    /// What an address may ask a second; none is no limit.
    pub address_quota: Option<Quota>,
    /// Room for bodies that are being read, one permit a byte.
    pub body_room: Arc<Semaphore>,
    /// The counters.
    pub metrics: Metrics,
    /// Whether the node goes down.
    pub drain: drain::Signal,
    /// Cancelled when the drain starts; streams end then.
    pub stopping: CancellationToken,
}

impl Gateway {
    /// A gateway in front of the mesh. Must be called inside of a tokio runtime.
    pub fn start(
        mesh: Mesh,
        settings: Settings,
        metrics: Metrics,
        drain: drain::Signal,
    ) -> Arc<Self> {
        let stopping = CancellationToken::new();
        let sessions = Sessions::new(settings.sessions.clone(), stopping.clone());
        let gateway = Arc::new(Self {
            mesh,
            anonymous: ANONYMOUS.into(),
            sessions: Arc::new(sessions),
            lives: Arc::default(),
            tickets: Tickets::default(),
            addresses: Addresses::new(Instant::now()),
            session_quota: Quota::per_second(settings.session_requests_per_second),
            address_quota: Quota::per_second(settings.address_requests_per_second),
            body_room: Arc::new(Semaphore::new(
                settings.max_bodies_bytes.min(Semaphore::MAX_PERMITS),
            )),
            metrics,
            drain,
            stopping,
            settings,
        });
        gateway.metrics.watch(Readings {
            mesh: gateway.mesh.clone(),
            sessions: Arc::clone(&gateway.sessions),
            lives: Arc::clone(&gateway.lives),
        });
        tokio::spawn(housekeep(Arc::downgrade(&gateway), gateway.drain.clone()));
        gateway
    }
}

/// Ends what is over every second, and all streams when the drain starts.
async fn housekeep(gateway: std::sync::Weak<Gateway>, mut drain: drain::Signal) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let draining = tokio::select! {
            () = drain.started() => true,
            _ = ticks.tick() => false,
        };
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        if draining {
            gateway.stopping.cancel();
            return;
        }
        let now = Instant::now();
        gateway.sessions.sweep(now);
        gateway.tickets.sweep(now);
        gateway.lives.sweep();
    }
}
