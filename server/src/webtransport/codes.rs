//! Types and error codes of WebTransport on the wire (draft-ietf-webtrans-http3-02).

use quinn::VarInt;

/// Begins a stream of a session in both directions (§4.2); a session id follows.
pub(crate) const BIDIRECTIONAL: u64 = 0x41;
/// Begins a stream of a session in one direction (§4.1); a session id follows.
pub(crate) const UNIDIRECTIONAL: u64 = 0x54;
/// `H3_WEBTRANSPORT_BUFFERED_STREAM_REJECTED` (§4.5): there is no room for the stream, or no session
/// came for it.
pub(crate) const BUFFERED_STREAM_REJECTED: VarInt = VarInt::from_u32(0x3994_bd84);
/// `H3_WEBTRANSPORT_SESSION_GONE`: the session of the stream has ended.
pub(crate) const SESSION_GONE: VarInt = VarInt::from_u32(0x170d_7b68);
/// Where an application's codes begin among those of HTTP/3 (§4.3).
const FIRST: u64 = 0x52e4_a40f_a8db;
/// Where they end.
const LAST: u64 = 0x52e5_ac98_3162;
/// Between so many of them lies one that HTTP/3 reserves (RFC 9114 §8.1).
const BETWEEN_RESERVED: u64 = 0x1e;

/// An application's code as it is on the wire.
pub(crate) fn to_wire(code: u32) -> VarInt {
    let code = u64::from(code);
    let wire = FIRST + code + code / BETWEEN_RESERVED;
    VarInt::from_u64(wire).expect("it is below 2^62")
}

/// The application's code of one on the wire; none for a code of HTTP/3's own.
pub(crate) fn from_wire(wire: VarInt) -> Option<u32> {
    let wire = wire.into_inner();
    if !(FIRST..=LAST).contains(&wire)
        || wire % (BETWEEN_RESERVED + 1) == 0x21 % (BETWEEN_RESERVED + 1)
    {
        return None;
    }
    let shifted = wire - FIRST;
    u32::try_from(shifted - shifted / (BETWEEN_RESERVED + 1)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_code_survives_the_wire(code: u32) {
            prop_assert_eq!(from_wire(to_wire(code)), Some(code));
        }

        #[test]
        fn no_code_is_a_reserved_one(code: u32) {
            prop_assert_ne!(to_wire(code).into_inner() % 0x1f, 0x21 % 0x1f);
        }
    }

    #[test]
    fn the_range_is_the_drafts() {
        assert_eq!(to_wire(0).into_inner(), FIRST);
        assert_eq!(to_wire(u32::MAX).into_inner(), LAST);
        for other in [0, 0x100, FIRST - 1, LAST + 1, FIRST + 0x1e] {
            let other = VarInt::from_u64(other).unwrap();
            assert_eq!(from_wire(other), None, "{other}");
        }
    }
}
