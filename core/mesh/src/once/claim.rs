//! A key that is claimed, at this node or at others.

use macula_proto::peer::once::Keep;
use tokio::sync::oneshot;

use super::{Kept, Running};

/// A request that is to be carried out. Dropping it without [`keep`](Self::keep) frees the key, so that the next
/// request with it is carried out.
#[derive(Debug)]
pub struct Claim(pub(crate) Vec<Held>);

/// A claim at one node.
#[derive(Debug)]
pub(crate) enum Held {
    /// At this one.
    Here(Running),
    /// At another: it holds the key while this is neither told nor dropped.
    There(oneshot::Sender<Keep>),
}

impl Claim {
    /// Keeps the answer for who asks again.
    pub fn keep(self, kept: Kept) {
        for held in self.0 {
            match held {
                Held::Here(running) => running.keep(kept.clone()),
                // A node that has gone keeps nothing; the answer stands all the same.
                Held::There(told) => drop(told.send(kept.clone().into())),
            }
        }
    }
}

impl From<Kept> for Keep {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Published(id) => Self::Published(id),
            Kept::Called(called) => Self::Called {
                served_by: called.served_by,
                result: called.result,
            },
        }
    }
}

impl From<Keep> for Kept {
    fn from(keep: Keep) -> Self {
        match keep {
            Keep::Published(id) => Self::Published(id),
            Keep::Called { served_by, result } => Self::Called(super::Called { served_by, result }),
        }
    }
}
