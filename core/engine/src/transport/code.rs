//! What the code that closes a connection says.

use quinn::{ConnectionError, VarInt};

use crate::trust::refusal::Refusal;

/// Nothing in particular: the swarm has no more need of the connection.
pub(crate) const UNNEEDED: VarInt = VarInt::from_u32(0);
/// The node leaves.
pub(crate) const LEAVING: VarInt = VarInt::from_u32(1);
/// The peer has started anew, so this connection is dead.
pub(crate) const SUPERSEDED: VarInt = VarInt::from_u32(2);
/// Two probes stayed without an answer.
pub(crate) const SILENT: VarInt = VarInt::from_u32(3);
/// A stream was dropped before its end.
pub(crate) const DROPPED: VarInt = VarInt::from_u32(4);
/// The first of the codes of refusals, in their order.
const REFUSAL: u32 = 0x100;

pub(crate) fn refusal(why: Refusal) -> VarInt {
    VarInt::from_u32(REFUSAL + why.index() as u32)
}

/// The refusal that the peer has closed a connection with.
pub(crate) fn refused(error: &ConnectionError) -> Option<Refusal> {
    let ConnectionError::ApplicationClosed(close) = error else {
        return None;
    };
    let index = close.error_code.into_inner().checked_sub(REFUSAL.into())?;
    Refusal::ALL.get(usize::try_from(index).ok()?).copied()
}

/// Whether the peer said goodbye.
pub(crate) fn left(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ApplicationClosed(close) if close.error_code == LEAVING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_comes_back_from_its_code() {
        for why in Refusal::ALL {
            let close = quinn::ApplicationClose {
                error_code: refusal(why),
                reason: Vec::new().into(),
            };
            let error = ConnectionError::ApplicationClosed(close);
            assert_eq!(refused(&error), Some(why));
            assert!(!left(&error));
        }
    }
}
