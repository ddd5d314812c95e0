//! Capsules on the CONNECT stream of a session (RFC 9297 §3.2).

use bytes::{Buf, Bytes};

use super::{session::Closed, varint};

/// `CLOSE_WEBTRANSPORT_SESSION` (draft-ietf-webtrans-http3-02 §5): a code of 32 bits and a reason.
const CLOSE: u64 = 0x2843;
/// The most bytes of a reason (§5).
pub(crate) const MAX_REASON_BYTES: usize = 1_024;
const CODE_BYTES: usize = 4;
const MAX_CLOSE_BYTES: usize = CODE_BYTES + MAX_REASON_BYTES;
/// A type and a length.
const MAX_HEAD_BYTES: usize = 2 * varint::MAX_BYTES;

/// A capsule that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a capsule with a code and a reason of at most {MAX_REASON_BYTES} bytes")]
pub(crate) struct Malformed;

/// Follows the capsules of one stream. All but the one that ends the session are skipped, whatever
/// their length; nothing of them is kept.
#[derive(Debug)]
pub(crate) struct Capsules {
    state: State,
    /// What is not whole yet: a capsule's head, or the content of the last one.
    kept: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    Skip(u64),
    Close(usize),
}

impl Capsules {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Head,
            kept: Vec::new(),
        }
    }

    /// Takes the next bytes; returns the end of the session once it is told. Nothing has a meaning
    /// after it.
    pub(crate) fn read(&mut self, mut bytes: Bytes) -> Result<Option<Closed>, Malformed> {
        loop {
            match self.state {
                State::Skip(left) => {
                    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes.advance(skipped);
                    self.state = match left - skipped as u64 {
                        0 => State::Head,
                        left => State::Skip(left),
                    };
                }
                State::Close(len) => {
                    let part = bytes.split_to(bytes.len().min(len - self.kept.len()));
                    self.kept.extend_from_slice(&part);
                    if self.kept.len() == len {
                        return Ok(Some(closed(&self.kept)));
                    }
                }
                State::Head => self.head(&mut bytes)?,
            }
            if bytes.is_empty()
                && !matches!(self.state, State::Close(len) if self.kept.len() == len)
            {
                return Ok(None);
            }
        }
    }

    fn head(&mut self, bytes: &mut Bytes) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            self.kept.push(bytes.get_u8());
            debug_assert!(self.kept.len() <= MAX_HEAD_BYTES, "two integers are whole");
            let Some((kind, first)) = varint::read(&self.kept) else {
                continue;
            };
            let Some((len, _)) = varint::read(&self.kept[first..]) else {
                continue;
            };
            self.kept.clear();
            self.state = match (kind, usize::try_from(len)) {
                (CLOSE, Ok(len @ CODE_BYTES..=MAX_CLOSE_BYTES)) => State::Close(len),
                (CLOSE, _) => return Err(Malformed),
                (_, Ok(0)) => State::Head,
                _ => State::Skip(len),
            };
            return Ok(());
        }
        Ok(())
    }
}

fn closed(content: &[u8]) -> Closed {
    let (code, reason) = content.split_at(CODE_BYTES);
    Closed {
        code: u32::from_be_bytes(code.try_into().expect("it is split there")),
        reason: String::from_utf8_lossy(reason).into_owned(),
        broken: false,
    }
}

/// The capsule that ends a session. A reason that is too long is cut.
pub(crate) fn close(closed: &Closed) -> Bytes {
    let mut end = closed.reason.len().min(MAX_REASON_BYTES);
    while !closed.reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = &closed.reason.as_bytes()[..end];
    let mut bytes = Vec::with_capacity(MAX_HEAD_BYTES + CODE_BYTES + reason.len());
    varint::write(CLOSE, &mut bytes);
    varint::write((CODE_BYTES + reason.len()) as u64, &mut bytes);
    bytes.extend_from_slice(&closed.code.to_be_bytes());
    bytes.extend_from_slice(reason);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], step: usize) -> Result<Option<Closed>, Malformed> {
        let mut capsules = Capsules::new();
        for piece in bytes.chunks(step) {
            let end = capsules.read(Bytes::copy_from_slice(piece))?;
            if end.is_some() {
                return Ok(end);
            }
            assert!(capsules.kept.len() <= CODE_BYTES + MAX_REASON_BYTES);
        }
        Ok(None)
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Option<(u32, &str)>, Malformed>) {
        let expected = expected.map(|closed| {
            closed.map(|(code, reason)| Closed {
                code,
                reason: reason.to_owned(),
                broken: false,
            })
        });
        for step in 1..=bytes.len() {
            assert_eq!(read(bytes, step), expected, "{step}");
        }
    }

    #[test]
    fn the_end_is_found_behind_what_is_unknown() {
        check(b"\x68\x43\x04\0\0\0\x07", Ok(Some((7, ""))));
        check(
            b"\x00\x03abc\x21\x00\x68\x43\x06\0\0\x01\0hi",
            Ok(Some((256, "hi"))),
        );
        // DRAIN_WEBTRANSPORT_SESSION.
        check(b"\x80\0\x78\xae\x00", Ok(None));
    }

    #[test]
    fn a_capsule_that_cannot_be_is_refused_before_it_comes() {
        check(b"\x68\x43\x03\0\0\0", Err(Malformed));
        check(b"\x68\x43\x44\x05\0\0", Err(Malformed));
        check(b"\x68\x43\xff\xff\xff\xff\xff\xff\xff\xff", Err(Malformed));
        check(b"\x21\xff\xff\xff\xff\xff\xff\xff\xff abc", Ok(None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(code: u32, reason in ".{0,1400}", step in 1usize..99) {
            let written = close(&Closed { code, reason: reason.clone(), broken: false });
            let found = read(&written, step).unwrap().unwrap();
            prop_assert_eq!(found.code, code);
            prop_assert!(reason.starts_with(&found.reason));
            prop_assert!(found.reason == reason || found.reason.len() > MAX_REASON_BYTES - 4);
        }

        #[test]
        fn bytes_of_a_stranger_do_no_harm(
            bytes in prop::collection::vec(prop_oneof![Just(0x68u8), Just(0x43u8), any::<u8>()], 1..99),
            step in 1usize..99,
        ) {
            prop_assert_eq!(read(&bytes, step), read(&bytes, bytes.len()));
        }
    }
}
