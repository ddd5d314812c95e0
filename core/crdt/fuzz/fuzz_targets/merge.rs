//! Whatever is decoded can be merged in any order, twice, in pieces and by deltas, with the same result.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_crdt::{Actor, Codec, Delta, Limits, Map, Value};

type Part = Delta<u8, u8, Value<u8>>;
type State = Map<u8, u8, u8>;

// The first byte is the length of the first of two deltas, the second the size of pieces.
fuzz_target!(|bytes: &[u8]| {
    let [first, size, rest @ ..] = bytes else {
        return;
    };
    let (a, b) = rest.split_at(usize::from(*first).min(rest.len()));
    let read = |bytes| Part::from_bytes(bytes, &Limits::default());
    let (Ok(a), Ok(b)) = (read(a), read(b)) else {
        return;
    };
    // A dot is one entry for ever: that the two agree on it is for who makes them.
    let mut both = Part::default();
    both.join(a.clone());
    let overlap = a.actors().any(|actor| b.seen(actor).is_some());
    let state = |parts: &[&Part]| {
        let mut state = State::default();
        for part in parts {
            let before = state.len();
            let changes = state.merge((*part).clone());
            assert_eq!(
                state.len(),
                before + changes.added.len() - changes.removed.len()
            );
            assert!(changes.keys().count() >= changes.added.len());
        }
        state
    };
    let once = state(&[&a, &b]);
    assert_eq!(state(&[&a, &b, &a, &b]), once);
    if !overlap {
        assert_eq!(state(&[&b, &a]), once);
    }
    let mut with_delta = state(&[&a]);
    let missing = once.delta_for(&with_delta.digest());
    with_delta.merge(missing);
    assert_eq!(with_delta, once);
    let pieces = once.whole().split(usize::from(*size).max(48));
    assert!(
        pieces
            .iter()
            .all(|piece| piece.to_bytes().len() <= usize::from(*size).max(48))
    );
    let pieces: Vec<&Part> = pieces.iter().rev().collect();
    assert_eq!(state(&pieces), once);
    // A local change goes on whatever was merged.
    let mut changed = once.clone();
    let me = Actor {
        id: 0,
        incarnation: u64::MAX,
    };
    if let Ok(delta) = changed.add(&me, 7, 7) {
        assert!(changed.members(&7).contains(&7));
        let mut other = once;
        other.merge(delta);
        assert_eq!(other, changed);
    }
});
