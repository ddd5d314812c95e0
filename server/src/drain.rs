//! The graceful end, as everybody sees it.
//!
//! One [`Signal`] is cloned into every task that must know that the node is going down. Who starts
//! the drain holds the [`Trigger`].

use tokio::sync::watch;

/// Starts the drain; see [`channel`].
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// Tells whether the node is draining.
#[derive(Debug, Clone)]
pub struct Signal(watch::Receiver<bool>);

/// A trigger and its signal. A dropped trigger counts as pulled.
#[must_use]
pub fn channel() -> (Trigger, Signal) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Signal(receiver))
}

impl Trigger {
    /// Starts the drain: every [`Signal`] sees it, once and for all.
    pub fn start(&self) {
        self.0.send_replace(true);
    }
}

impl Signal {
    /// True from the moment the drain starts.
    #[must_use]
    pub fn draining(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the drain starts; returns at once when it has. Safe to cancel.
    pub async fn started(&mut self) {
        // An error means that the trigger was dropped, which ends the node as well.
        let _ = self.0.wait_for(|&draining| draining).await;
    }
}
