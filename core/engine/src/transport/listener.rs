//! One socket that is listened on.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture};
use if_watch::{IfEvent, tokio::IfWatcher};
use libp2p::core::transport::{ListenerId, TransportEvent};
use quinn::{Endpoint, Incoming};

use super::{Admitting, Event, address::to_multiaddr};
use crate::trust::refusal::Refusal;

pub(super) struct Listener {
    id: ListenerId,
    endpoint: Endpoint,
    local: SocketAddr,
    /// Tells the addresses of this machine when all of them are listened on.
    watcher: Option<IfWatcher>,
    accept: BoxFuture<'static, Option<Incoming>>,
    events: VecDeque<Event>,
    admitting: Admitting,
    stopped: bool,
}

impl Listener {
    pub(super) fn new(
        id: ListenerId,
        endpoint: Endpoint,
        admitting: Admitting,
    ) -> io::Result<Self> {
        let local = endpoint.local_addr()?;
        let mut events = VecDeque::new();
        let watcher = if local.ip().is_unspecified() {
            Some(IfWatcher::new()?)
        } else {
            events.push_back(TransportEvent::NewAddress {
                listener_id: id,
                listen_addr: to_multiaddr(local),
            });
            None
        };
        Ok(Self {
            id,
            accept: accept(&endpoint),
            endpoint,
            local,
            watcher,
            events,
            admitting,
            stopped: false,
        })
    }

    pub(super) fn id(&self) -> ListenerId {
        self.id
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn stop(&mut self) {
        self.endpoint.set_server_config(None);
        self.events.push_back(TransportEvent::ListenerClosed {
            listener_id: self.id,
            reason: Ok(()),
        });
        self.stopped = true;
    }

    fn poll_addresses(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let Some(watcher) = &mut self.watcher else {
            return Poll::Pending;
        };
        while let Poll::Ready(Some(changed)) = watcher.poll_next_unpin(cx) {
            let listener_id = self.id;
            let here = |net: if_watch::IpNet| {
                let same = net.addr().is_ipv4() == self.local.is_ipv4();
                same.then(|| to_multiaddr(SocketAddr::new(net.addr(), self.local.port())))
            };
            let event = match changed {
                Ok(IfEvent::Up(net)) => here(net).map(|listen_addr| TransportEvent::NewAddress {
                    listener_id,
                    listen_addr,
                }),
                Ok(IfEvent::Down(net)) => {
                    here(net).map(|listen_addr| TransportEvent::AddressExpired {
                        listener_id,
                        listen_addr,
                    })
                }
                Err(error) => Some(TransportEvent::ListenerError { listener_id, error }),
            };
            if let Some(event) = event {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    fn knocked(&self, incoming: Incoming) -> Option<Event> {
        let address = incoming.remote_address();
        let admission = &self.admitting.admission;
        if !admission
            .doorman
            .lock()
            .listens(address.ip(), Instant::now())
        {
            admission.counters.refuse(Refusal::TooMany);
            incoming.refuse();
            return None;
        }
        let admitting = self.admitting.clone();
        let upgrade = async move {
            let connecting = incoming.accept().map_err(io::Error::other)?;
            admitting.admit(connecting, false).await
        };
        Some(TransportEvent::Incoming {
            listener_id: self.id,
            upgrade: upgrade.boxed(),
            local_addr: to_multiaddr(self.local),
            send_back_addr: to_multiaddr(address),
        })
    }
}

fn accept(endpoint: &Endpoint) -> BoxFuture<'static, Option<Incoming>> {
    let endpoint = endpoint.clone();
    async move { endpoint.accept().await }.boxed()
}

impl Stream for Listener {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let this = &mut *self;
        if let Some(event) = this.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if this.stopped {
            return Poll::Ready(None);
        }
        if let Poll::Ready(event) = this.poll_addresses(cx) {
            return Poll::Ready(Some(event));
        }
        while let Poll::Ready(incoming) = this.accept.poll_unpin(cx) {
            let Some(incoming) = incoming else {
                return Poll::Ready(None);
            };
            this.accept = accept(&this.endpoint);
            if let Some(event) = this.knocked(incoming) {
                return Poll::Ready(Some(event));
            }
        }
        Poll::Pending
    }
}
