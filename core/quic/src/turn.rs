//! How quinn's drivers run: one turn later than they are woken.
//!
//! A task that writes to a stream wakes the connection's driver, and tokio runs what was woken last next.
//! So each frame would have a packet, and a system call, of its own, while ten other tasks stand ready to
//! write. A driver that goes to the end of the queue first finds what all of them have written.

use std::{
    future::Future,
    io,
    net::UdpSocket,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};

/// Quinn's runtime of tokio, whose drivers run a turn later.
#[derive(Debug)]
pub struct TurnLater;

impl Runtime for TurnLater {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, driver: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(Driver {
            driver,
            waited: false,
        });
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

struct Driver {
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Whether it has let the others go first.
    waited: bool,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waited = !self.waited;
        if self.waited {
            // Woken while it runs, a task goes to the end of the queue.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.driver.as_mut().poll(cx)
    }
}
