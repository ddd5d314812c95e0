//! How a request becomes a session.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{link::Link, session::Session};

/// What a CONNECT request of WebTransport's has among its extensions; other requests have none. A handler
/// that wants the session takes it and answers 200: the header fields of that answer are sent, and its
/// content is not. With any other answer there is no session.
#[derive(Debug, Clone)]
pub struct Upgrade(Arc<Mutex<Option<oneshot::Receiver<Session>>>>);

/// There is no session: the answer was not 200, another clone has it, or the peer has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a session, and there is none")]
pub struct Gone;

/// The transport's end of an upgrade.
#[derive(Debug)]
pub(crate) struct Offer(oneshot::Sender<Session>);

/// Both ends of an upgrade.
pub(crate) fn offer() -> (Offer, Upgrade) {
    let (sender, receiver) = oneshot::channel();
    let upgrade = Upgrade(Arc::new(Mutex::new(Some(receiver))));
    (Offer(sender), upgrade)
}

impl Upgrade {
    /// Waits until the handler's 200 is written, and gets the session. It has to be awaited beside the
    /// handler: before the answer there is nothing to get.
    ///
    /// # Errors
    /// The answer was not 200, another clone was asked, or the peer has gone.
    pub async fn accepted(self) -> Result<Session, Gone> {
        let receiver = self.0.lock().take().ok_or(Gone)?;
        receiver.await.map_err(|_| Gone)
    }
}

impl Offer {
    /// Whether a handler has kept the upgrade.
    pub(crate) fn taken(&self) -> bool {
        !self.0.is_closed()
    }

    /// Gives the session to who took the upgrade. If they have gone, it ends.
    pub(crate) fn give(self, link: &Arc<Link>) {
        // What comes back is dropped, and ends.
        let _ = self.0.send(Session::new(Arc::clone(link)));
    }
}
