//! What of a peer's bytes h3 gets to see.
//!
//! h3 0.0.8 holds a whole frame before it looks at it, whatever length was declared, and takes an
//! empty DATA frame for the end of the body (RFC 9114 §7.2.1 allows it anywhere). So frames are
//! counted here first: those of no meaning (§9) and empty DATA are cut out, a frame that is too long
//! to hold is refused before it comes, and an end in the middle of a frame is told from an end.

use bytes::{Buf, Bytes};

use crate::webtransport::{codes, varint};

/// Carries a body (RFC 9114 §7.2.1).
const DATA: u64 = 0x0;
/// Those of RFC 9114 that h3 holds as a whole, and those of HTTP/2 that it refuses (§11.2.1).
const HELD: [u64; 10] = [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x9, 0xd];
/// The type of a control stream (RFC 9114 §6.2.1).
const CONTROL: u64 = 0x0;
/// Two variable-length integers (RFC 9000 §16).
const MAX_HEAD_BYTES: usize = 16;

/// A frame is longer than what may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a frame of at most {limit} bytes")]
pub(super) struct TooLong {
    limit: u64,
}

/// Follows the frames of one stream.
#[derive(Debug)]
pub(super) struct Frames {
    state: State,
    /// The most bytes of a frame that is held as a whole.
    limit: u64,
    /// The beginning of a frame's type and length that came with the last bytes.
    head: [u8; MAX_HEAD_BYTES],
    head_len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The type of a stream in one direction comes next.
    StreamType,
    /// A frame's type and length come next.
    Head,
    /// So many bytes of a frame are passed on.
    Pass(u64),
    /// So many bytes of a frame are cut out.
    Cut(u64),
    /// The stream has no frames.
    Raw,
}

impl Frames {
    /// Of a request's stream.
    pub(super) fn of_request(limit: u64) -> Self {
        Self::starting(State::Head, limit)
    }

    /// Of a stream in one direction, which begins with its type.
    pub(super) fn of_unidirectional(limit: u64) -> Self {
        Self::starting(State::StreamType, limit)
    }

    fn starting(state: State, limit: u64) -> Self {
        Self {
            state,
            limit,
            head: [0; MAX_HEAD_BYTES],
            head_len: 0,
        }
    }

    /// Takes the next bytes to pass on out of `input`; none when `input` is used up.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, TooLong> {
        while !input.is_empty() {
            let passed = match self.state {
                State::StreamType => self.stream_type(input),
                State::Head => self.head(input)?,
                State::Pass(left) => {
                    let bytes = take(input, left);
                    self.state = then(State::Pass, left, &bytes);
                    Some(bytes)
                }
                State::Cut(left) => {
                    let bytes = take(input, left);
                    self.state = then(State::Cut, left, &bytes);
                    None
                }
                State::Raw => Some(input.split_off(0)),
            };
            if passed.is_some() {
                return Ok(passed);
            }
        }
        Ok(None)
    }

    /// Whether the stream may end here.
    pub(super) fn whole(&self) -> bool {
        match self.state {
            State::Head => self.head_len == 0,
            State::StreamType | State::Raw => true,
            State::Pass(_) | State::Cut(_) => false,
        }
    }

    fn stream_type(&mut self, input: &mut Bytes) -> Option<Bytes> {
        let (kind, head) = self.complete(input, varint::read)?;
        self.state = if kind == CONTROL {
            State::Head
        } else {
            State::Raw
        };
        Some(head)
    }

    fn head(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, TooLong> {
        let parse = |bytes: &[u8]| {
            let (kind, first) = varint::read(bytes)?;
            let (length, second) = varint::read(&bytes[first..])?;
            Some(((kind, length), first + second))
        };
        let Some(((kind, length), head)) = self.complete(input, parse) else {
            return Ok(None);
        };
        self.state = match kind {
            codes::BIDIRECTIONAL => State::Raw,
            DATA if length > 0 => State::Pass(length),
            kind if HELD.contains(&kind) && length > self.limit => {
                return Err(TooLong { limit: self.limit });
            }
            kind if HELD.contains(&kind) && length > 0 => State::Pass(length),
            kind if HELD.contains(&kind) => State::Head,
            _ => {
                self.state = if length > 0 {
                    State::Cut(length)
                } else {
                    State::Head
                };
                return Ok(None);
            }
        };
        Ok(Some(head))
    }

    /// Parses what begins with the kept bytes and goes on in `input`, and takes it from there. What
    /// is not whole yet is kept.
    fn complete<T>(
        &mut self,
        input: &mut Bytes,
        parse: impl Fn(&[u8]) -> Option<(T, usize)>,
    ) -> Option<(T, Bytes)> {
        if self.head_len == 0
            && let Some((parsed, len)) = parse(input)
        {
            return Some((parsed, input.split_to(len)));
        }
        while !input.is_empty() {
            self.head[self.head_len] = input.get_u8();
            self.head_len += 1;
            if let Some((parsed, len)) = parse(&self.head[..self.head_len]) {
                self.head_len = 0;
                return Some((parsed, Bytes::copy_from_slice(&self.head[..len])));
            }
        }
        None
    }
}

fn take(input: &mut Bytes, at_most: u64) -> Bytes {
    let len = usize::try_from(at_most).map_or(input.len(), |len| len.min(input.len()));
    input.split_to(len)
}

/// The state after `taken` of what was `left`.
fn then(state: fn(u64) -> State, left: u64, taken: &Bytes) -> State {
    match left - taken.len() as u64 {
        0 => State::Head,
        left => state(left),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives the bytes in pieces of `step` bytes; returns what was passed on, and whether it may
    /// end there.
    fn pass(mut frames: Frames, bytes: &[u8], step: usize) -> Result<(Vec<u8>, bool), TooLong> {
        let mut passed = Vec::new();
        for piece in bytes.chunks(step) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(bytes) = frames.next(&mut input)? {
                assert!(!bytes.is_empty());
                passed.extend_from_slice(&bytes);
            }
            assert!(input.is_empty());
        }
        Ok((passed, frames.whole()))
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<(&[u8], bool), TooLong>) {
        let expected = expected.map(|(bytes, whole)| (bytes.to_vec(), whole));
        for step in 1..=bytes.len() {
            assert_eq!(pass(Frames::of_request(4), bytes, step), expected, "{step}");
        }
    }

    #[test]
    fn frames_with_a_meaning_pass_as_they_are() {
        let all = b"\x01\x02ab\x00\x05hello\x01\x01t";
        check(all, Ok((all, true)));
    }

    #[test]
    fn empty_data_and_unknown_frames_are_cut_out() {
        let bytes = b"\x00\x00\x21\x06grease\x01\x01a\x00\x00\x40\x21\x00\x00\x01b\x00\x00";
        check(bytes, Ok((b"\x01\x01a\x00\x01b", true)));
    }

    #[test]
    fn a_frame_that_is_held_has_a_bound_and_data_has_none() {
        check(b"\x01\x05", Err(TooLong { limit: 4 }));
        check(
            b"\x00\x80\xff\xff\xff12",
            Ok((b"\x00\x80\xff\xff\xff12", false)),
        );
        check(b"\x21\x80\xff\xff\xff12", Ok((b"", false)));
    }

    #[test]
    fn an_end_within_a_frame_is_told_from_an_end() {
        check(
            b"\x01\x02ab\x00\x05hell",
            Ok((b"\x01\x02ab\x00\x05hell", false)),
        );
        check(b"\x01\x02ab\x00", Ok((b"\x01\x02ab", false)));
    }

    #[test]
    fn only_the_control_stream_has_frames_among_those_in_one_direction() {
        let of = |bytes: &[u8]| pass(Frames::of_unidirectional(4), bytes, 1);
        assert_eq!(of(b"\x00\x04\x05"), Err(TooLong { limit: 4 }));
        let encoder = b"\x02\x04\x05\x01\x7f";
        assert_eq!(of(encoder), Ok((encoder.to_vec(), true)));
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(
            bytes in prop::collection::vec(prop_oneof![0u8..16, any::<u8>()], 1..64),
            step in 1usize..64,
        ) {
            let whole = pass(Frames::of_request(8), &bytes, bytes.len());
            prop_assert_eq!(pass(Frames::of_request(8), &bytes, step), whole);
        }
    }
}
