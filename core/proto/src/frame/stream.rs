//! Frames on a byte stream: each after its length, a variable-length integer (RFC 9000 §16).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes of a frame beyond which what follows it moves to a buffer of its own.
const SHARED: usize = 64 << 10;

/// The most bytes of a length.
const MAX_LENGTH_BYTES: usize = 8;

/// A frame is longer than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a frame of at most {limit} bytes, found {length}")]
pub struct TooLong {
    /// The length that was declared.
    pub length: u64,
    /// The bound.
    pub limit: usize,
}

/// Puts a frame with its length onto the end of a buffer.
pub fn put_frame(out: &mut Vec<u8>, frame: &[u8]) {
    put_length(out, frame.len());
    out.extend_from_slice(frame);
}

/// Puts what `write` writes onto the end of a buffer, after its length, which has four bytes whatever it is: it is not
/// known before. A frame has at most 2^30 - 1 bytes.
pub fn put_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.put_u32(0);
    write(out);
    let length = (out.len() - at - 4) as u32;
    debug_assert!(length < 1 << 30);
    out[at..at + 4].copy_from_slice(&(0x8000_0000 | length).to_be_bytes());
}

/// Puts the length that comes before a frame of so many bytes.
pub fn put_length(out: &mut Vec<u8>, bytes: usize) {
    let length = bytes as u64;
    match length {
        0..=0x3F => out.put_u8(length as u8),
        0x40..=0x3FFF => out.put_u16(0x4000 | length as u16),
        0x4000..=0x3FFF_FFFF => out.put_u32(0x8000_0000 | length as u32),
        _ => out.put_u64(0xC000_0000_0000_0000 | length),
    }
}

/// Cuts the bytes of a stream into frames. Holds at most one frame and what came with its end.
#[derive(Debug)]
pub struct Splitter {
    held: BytesMut,
    limit: usize,
}

impl Splitter {
    /// Frames may have so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            held: BytesMut::new(),
            limit,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// [`TooLong`] as soon as the length has come: nothing of such a frame needs to be held.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, TooLong> {
        let Some((length, head)) = length(&self.held) else {
            return Ok(None);
        };
        if length > self.limit as u64 {
            let limit = self.limit;
            return Err(TooLong { length, limit });
        }
        let length = length as usize;
        // Room comes with the bytes: a length alone, on each of many streams, costs nothing.
        if self.held.len() < head + length {
            return Ok(None);
        }
        self.held.advance(head);
        let frame = self.held.split_to(length).freeze();
        if self.held.is_empty() || length > SHARED {
            // An idle stream holds no buffer, and what follows a long frame does not hold that of the frame.
            self.held = BytesMut::from(&self.held[..]);
        }
        Ok(Some(frame))
    }

    /// How long the frame will be that has come in part.
    #[must_use]
    pub fn declared(&self) -> Option<u64> {
        length(&self.held).map(|(length, _)| length)
    }

    /// Whether the stream may end here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.held.is_empty()
    }
}

/// The length at the beginning, and how many bytes it takes; none when it is not whole.
fn length(held: &[u8]) -> Option<(u64, usize)> {
    let first = *held.first()?;
    let bytes = 1 << (first >> 6);
    debug_assert!(bytes <= MAX_LENGTH_BYTES);
    let rest = held.get(1..bytes)?;
    let length = rest.iter().fold(u64::from(first & 0x3F), |length, byte| {
        length << 8 | u64::from(*byte)
    });
    Some((length, bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_that_is_too_long_is_refused_by_its_length() {
        let mut splitter = Splitter::new(100);
        splitter.push(&[0x40, 101]);
        let refused = TooLong {
            length: 101,
            limit: 100,
        };
        assert_eq!(splitter.next_frame(), Err(refused));
        let mut splitter = Splitter::new(100);
        splitter.push(&[0xFF; 8]);
        assert!(splitter.next_frame().is_err());
    }

    #[test]
    fn a_length_takes_no_room_before_its_bytes_come() {
        let mut splitter = Splitter::new(1 << 20);
        splitter.push(&[0x80, 0x0F, 0xFF, 0xFF]);
        assert_eq!(splitter.next_frame(), Ok(None));
        assert!(splitter.held.capacity() <= 4 << 10);
    }

    #[test]
    fn what_follows_a_long_frame_does_not_hold_its_bytes() {
        for follows in [&[][..], &[0x80, 0x0F], &[1, 7, 1, 8, 0x40]] {
            let mut splitter = Splitter::new(1 << 20);
            let mut stream = Vec::new();
            put_frame(&mut stream, &vec![7; 1 << 20]);
            stream.extend_from_slice(follows);
            splitter.push(&stream);
            let frame = splitter.next_frame().unwrap().unwrap();
            assert!(frame.is_unique(), "{follows:?}");
            assert_eq!(splitter.held, follows);
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
            lengths in prop::collection::vec(prop_oneof![0usize..70, 16_000usize..17_000], 1..6),
            step in 1usize..5_000,
        ) {
            let frames: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![length as u8; length]).collect();
            let mut stream = Vec::new();
            for (at, frame) in frames.iter().enumerate() {
                match at % 2 {
                    0 => put_frame(&mut stream, frame),
                    _ => put_sized(&mut stream, |out| out.extend_from_slice(frame)),
                }
            }
            let mut splitter = Splitter::new(20_000);
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                splitter.push(piece);
                while let Some(frame) = splitter.next_frame().unwrap() {
                    found.push(frame.to_vec());
                }
            }
            prop_assert!(splitter.is_whole());
            prop_assert_eq!(found, frames);
        }
    }
}
