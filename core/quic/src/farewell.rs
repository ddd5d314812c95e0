//! Closing a connection so that the peer hears why.
//!
//! Quinn holds a close back while more is in flight than congestion control allows and a stream has something
//! left to send, be it that it was dropped. Nothing is acknowledged any more on a connection that is closed, so the
//! close is never sent, and the peer waits for its timeout or meets a stateless reset
//! ([quinn#2785](https://github.com/quinn-rs/quinn/issues/2785), mended on its main branch but in no release as
//! of 0.11.12). A close is not subject to congestion control (RFC 9002 §7), so the controller of a connection that
//! says farewell allows everything.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use quinn::{
    Connection, VarInt,
    congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig},
};
use quinn_proto::RttEstimator;

/// What may be in flight at the end. Quinn does not pace what is more than 32 bits.
const EVERYTHING: u64 = 1 << 48;

/// Cubic, quinn's default, for connections that [`close`] can close. It is the
/// `congestion_controller_factory` of their transport.
#[derive(Debug, Default)]
pub struct Congestion(Arc<CubicConfig>);

impl ControllerFactory for Congestion {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Farewell {
            controller: Arc::clone(&self.0).build(now, mtu),
            closing: Arc::default(),
        })
    }
}

/// Closes a connection now: the code and the reason go out, however much is in flight.
///
/// On a connection with another controller than [`Congestion`]'s it is [`Connection::close`].
pub fn close(connection: &Connection, code: VarInt, reason: &[u8]) {
    let controller = connection.congestion_state().into_any();
    if let Ok(farewell) = controller.downcast::<Farewell>() {
        farewell.closing.store(true, Ordering::Relaxed);
    }
    connection.close(code, reason);
}

struct Farewell {
    controller: Box<dyn Controller>,
    /// The same for every copy, as quinn hands out copies.
    closing: Arc<AtomicBool>,
}

impl Controller for Farewell {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.controller.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.controller.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        let largest = largest_packet_num_acked;
        let controller = &mut self.controller;
        controller.on_end_acks(now, in_flight, app_limited, largest);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        let persistent = is_persistent_congestion;
        let controller = &mut self.controller;
        controller.on_congestion_event(now, sent, persistent, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.controller.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.closing.load(Ordering::Relaxed) {
            return EVERYTHING;
        }
        self.controller.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.controller.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            controller: self.controller.clone_box(),
            closing: Arc::clone(&self.closing),
        })
    }

    fn initial_window(&self) -> u64 {
        self.controller.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
