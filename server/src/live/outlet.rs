//! Where the answers of one operation go.

use std::sync::Arc;

use bytes::Bytes;
use macula_proto::{Encoding, frame::GatewayFrame};

use super::link::{Link, Lost};

/// Where the answers of one operation go: the link's one connection or control stream.
#[derive(Debug)]
pub(super) struct Outlet {
    link: Arc<Link>,
}

impl Outlet {
    /// On the link's one connection or control stream.
    pub(super) fn main(link: Arc<Link>) -> Self {
        Self { link }
    }

    /// Gives it to whoever answers from now on.
    pub(super) fn take(&mut self) -> Self {
        Self::main(Arc::clone(&self.link))
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.link.encoding()
    }

    /// Whether it belongs to this link.
    pub(super) fn is_on(&self, link: &Arc<Link>) -> bool {
        Arc::ptr_eq(&self.link, link)
    }

    /// Sends a frame; waits while the client is slow.
    pub(super) async fn send(&mut self, frame: &GatewayFrame) -> Result<(), Lost> {
        self.link.send(frame).await
    }

    /// Sends a frame that is written already.
    pub(super) async fn send_bytes(&mut self, frame: Bytes) -> Result<(), Lost> {
        self.link.send_bytes(frame).await
    }

    /// Sends a frame as a datagram; false when the transport has none, or it is too large for one.
    pub(super) fn send_datagram(&mut self, _: &Bytes) -> bool {
        false
    }

    /// Sends the operation's last frame.
    pub(super) async fn finish(mut self, frame: &GatewayFrame) -> Result<(), Lost> {
        self.send(frame).await
    }

    /// Ends when the client gives the operation up by ending its stream; never for a loss.
    pub(super) async fn given_up(&mut self) {
        std::future::pending::<()>().await;
    }
}
