//! However a stream is cut, the same frames come out of it, and the same refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::frame::stream::{Splitter, put_frame};

const LIMIT: usize = 300;

// The first byte is the length of the pieces.
fuzz_target!(|input: &[u8]| {
    let Some((&step, stream)) = input.split_first() else {
        return;
    };
    let whole = frames([stream].into_iter());
    assert_eq!(frames(stream.chunks(usize::from(step).max(1))), whole);
    let (frames, refused) = whole;
    // The lengths may have been longer than they had to be.
    let mut written = Vec::new();
    frames.iter().for_each(|frame| put_frame(&mut written, frame));
    assert!(written.len() <= stream.len());
    assert!(refused || frames.iter().all(|frame| frame.len() <= LIMIT));
});

/// The frames up to the first that is too long, and whether there is one.
fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut splitter = Splitter::new(LIMIT);
    let mut found = Vec::new();
    for piece in pieces {
        splitter.push(piece);
        loop {
            match splitter.next_frame() {
                Ok(Some(frame)) => found.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}
