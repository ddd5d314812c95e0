//! What the handle and the tasks beside it share. It keeps no engine alive.

use std::{error::Error, io, net::SocketAddr, sync::Arc};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    admission::Admission,
    config::Protocols,
    driver::Command,
    id::NodeId,
    seeds::Names,
    settings::Settings,
    streams::{ByteStream, Incoming, OpenError, switchboard::Switchboard},
    trust::refusal::Refusal,
};

/// Why a node was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("the host is unknown")]
    UnknownHost,
    /// Nobody answered as a node does.
    #[error("nobody answers there")]
    Unreachable,
    /// The node refused us, or we refused it.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// There are as many peers as there may be.
    #[error("there are as many peers as there may be")]
    Full,
    /// The address is our own.
    #[error("the address is this node's own")]
    Own,
    /// It took longer than the setting `dial_timeout`.
    #[error("the node did not answer in time")]
    TooSlow,
    /// The engine has ended.
    #[error("the engine has ended")]
    Ended,
}

impl DialError {
    /// The refusal inside a transport's error, if it is one.
    pub(crate) fn refused(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(why) = error.downcast_ref::<Refusal>() {
            return Some(Self::Refused(*why));
        }
        // An error of IO does not tell what it wraps as its source.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Self::refused(wrapped),
            None => Self::refused(error.source()?),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) protocols: Protocols,
    pub(crate) names: Names,
    pub(crate) settings: Settings,
    pub(crate) changes: watch::Receiver<u64>,
    pub(crate) node: NodeId,
}

impl Shared {
    /// Dials one address.
    pub(crate) async fn dial_at(&self, address: SocketAddr) -> Result<NodeId, DialError> {
        let (reply, dialed) = oneshot::channel();
        let sent = self.commands.send(Command::Dial(address, reply)).await;
        sent.map_err(|_| DialError::Ended)?;
        dialed.await.unwrap_or(Err(DialError::Ended))
    }

    pub(crate) async fn open(&self, to: NodeId, protocol: &str) -> Result<ByteStream, OpenError> {
        let protocol = self.protocols.stream(protocol);
        self.switchboard.open(to, protocol).await
    }

    pub(crate) fn accept(&self, protocol: &str) -> Incoming {
        let protocol = self.protocols.stream(protocol);
        self.switchboard.take(protocol, self.settings.inbound_queue)
    }

    /// Waits until something about connections or addresses holds. At once if the engine has ended.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut changes = self.changes.clone();
        while !holds(self) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until the engine has ended.
    pub(crate) async fn ended(&self) {
        self.commands.closed().await;
    }
}
