//! What nodes say to each other beside gossip, on the same stream, so that it comes behind what was said before.

/// A message between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// For the machine of gossip.
    Gossip(&'a [u8]),
    /// Tell me when you have heard this.
    Ask(Ask),
    /// I have heard it.
    Heard(u64),
    /// Do you see this node? I do not.
    Miss([u8; 32]),
    /// I am connected to this node.
    See([u8; 32]),
}

/// What the asking node has said in its present life: its words from one number to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    /// What the answer is known by.
    pub(super) number: u64,
    pub(super) incarnation: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Ask {
    fn to_bytes(self) -> Vec<u8> {
        let parts = [self.number, self.incarnation, self.first, self.last];
        parts.map(u64::to_be_bytes).concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (parts, []) = bytes.as_chunks::<8>() else {
            return None;
        };
        let &[number, incarnation, first, last] = parts else {
            return None;
        };
        let [number, incarnation, first, last] =
            [number, incarnation, first, last].map(u64::from_be_bytes);
        Some(Self {
            number,
            incarnation,
            first,
            last,
        })
    }
}

const GOSSIP: u8 = 0;
const ASK: u8 = 1;
const HEARD: u8 = 2;
const MISS: u8 = 3;
const SEE: u8 = 4;

impl<'a> Said<'a> {
    pub(super) fn encode(self) -> Vec<u8> {
        let (kind, rest): (u8, &[u8]) = match &self {
            Self::Gossip(bytes) => (GOSSIP, bytes),
            Self::Ask(ask) => (ASK, &ask.to_bytes()),
            Self::Heard(number) => (HEARD, &number.to_be_bytes()),
            Self::Miss(node) => (MISS, node),
            Self::See(node) => (SEE, node),
        };
        let mut out = Vec::with_capacity(1 + rest.len());
        out.push(kind);
        out.extend_from_slice(rest);
        out
    }

    /// Reads a message; none if it is of no kind that this version knows.
    pub(super) fn decode(message: &'a [u8]) -> Option<Self> {
        let (&kind, rest) = message.split_first()?;
        let number = || rest.try_into().ok().map(u64::from_be_bytes);
        match kind {
            GOSSIP => Some(Self::Gossip(rest)),
            ASK => Ask::from_bytes(rest).map(Self::Ask),
            HEARD => number().map(Self::Heard),
            MISS => rest.try_into().ok().map(Self::Miss),
            SEE => rest.try_into().ok().map(Self::See),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_as_they_were() {
        let node = [7; 32];
        let ask = Ask {
            number: 1,
            incarnation: 2,
            first: 3,
            last: u64::MAX,
        };
        for said in [
            Said::Gossip(b"x"),
            Said::Ask(ask),
            Said::Heard(u64::MAX),
            Said::Miss(node),
            Said::See(node),
        ] {
            assert_eq!(Said::decode(&said.encode()), Some(said));
        }
        for odd in [&[][..], &[9], &[ASK, 1], &[HEARD, 1], &[SEE, 1]] {
            assert_eq!(Said::decode(odd), None);
        }
    }
}
