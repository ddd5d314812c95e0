//! One connection's part: it opens streams as ordered, and hands on those that the peer opens.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    Stream, StreamProtocol,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol,
        handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use tokio::sync::{mpsc, oneshot};

use super::{
    switchboard::{Line, Order, Switchboard},
    upgrade::{Offer, Request},
};

pub(crate) struct Handler {
    switchboard: Arc<Switchboard>,
    line: Line,
    orders: mpsc::Receiver<Order>,
    timeout: Duration,
}

impl Handler {
    pub(super) fn new(
        switchboard: Arc<Switchboard>,
        line: Line,
        orders: mpsc::Receiver<Order>,
        timeout: Duration,
    ) -> Self {
        Self {
            switchboard,
            line,
            orders,
            timeout,
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = Offer;
    type OutboundProtocol = Request;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = oneshot::Sender<Stream>;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(self.switchboard.offer(), ()).with_timeout(self.timeout)
    }

    fn connection_keep_alive(&self) -> bool {
        !self.line.is_replaced()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Request, oneshot::Sender<Stream>, Infallible>> {
        while let Poll::Ready(Some(order)) = self.orders.poll_recv(cx) {
            match order {
                // Who ordered it may have given up since.
                Order::Open(_, reply) if reply.is_closed() => {}
                Order::Open(protocol, reply) => {
                    let request = SubstreamProtocol::new(Request(protocol), reply);
                    return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                        protocol: request.with_timeout(self.timeout),
                    });
                }
                Order::Look => {}
            }
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Offer, Request, (), oneshot::Sender<Stream>>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (protocol, stream),
                ..
            }) => self.inbound(&protocol, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: reply,
            }) => {
                let _ = reply.send(stream);
            }
            // Whoever waits for the stream learns of it when the reply is dropped.
            _ => {}
        }
    }
}

impl Handler {
    fn inbound(&self, protocol: &StreamProtocol, stream: Stream) {
        self.line.heard.fetch_add(1, Ordering::Relaxed);
        self.switchboard
            .deliver(self.line.facts.node, protocol, stream);
    }
}
