//! The laws, over random histories. `MACULA_CRDT_HISTORIES=100000 cargo test --release -p macula-crdt`
//! is the long run.

mod support;

use proptest::{collection::vec, prelude::*, sample::Index};
use support::{
    Part, Replica, histories,
    history::{REPLICAS, World, step},
};

fn joined(a: &Replica, b: &Replica) -> Replica {
    let mut both = a.clone();
    both.merge(b.whole());
    both
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories(1_000)))]

    /// Each step of the history is checked against the model as it is taken: adding wins, what was
    /// removed or retired does not come back, deltas say what whole states say, and what was written
    /// can be read.
    #[test]
    fn replicas_are_what_the_model_says_and_converge(steps in vec(step(), 1..120)) {
        let mut world = World::after(steps);
        world.settle();
        let first = &world.sites[0];
        for site in &world.sites {
            prop_assert_eq!(&site.state, &first.state);
            prop_assert_eq!(site.state.digest().fingerprint(), first.state.digest().fingerprint());
            prop_assert!(site.state.delta_for(&first.state.digest()).is_empty());
        }
    }

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        steps in vec(step(), 1..80),
        who in [0..REPLICAS, 0..REPLICAS, 0..REPLICAS],
    ) {
        let world = World::after(steps);
        let [a, b, c] = who.map(|id| &world.sites[usize::from(id)].state);
        prop_assert_eq!(joined(a, b), joined(b, a));
        prop_assert_eq!(joined(&joined(a, b), c), joined(a, &joined(b, c)));
        prop_assert_eq!(&joined(a, a), a);
        prop_assert_eq!(joined(&joined(a, b), b), joined(a, b));
    }

    #[test]
    fn a_part_that_ends_nothing_leaves_what_is_there_and_both_parts_are_the_whole(
        steps in vec(step(), 1..80),
        who in [0..REPLICAS, 0..REPLICAS],
        of in 0..REPLICAS,
    ) {
        let world = World::after(steps);
        let [a, b] = who.map(|id| &world.sites[usize::from(id)].state);
        let (rest, ends) = a.part_ends(b.whole(), |id| *id <= of);
        prop_assert_eq!(ends.len(), 0);
        prop_assert!(ends.actors().all(|actor| actor.id <= of));
        let mut with_rest = a.clone();
        let changes = with_rest.merge(rest);
        prop_assert!(changes.removed.iter().all(|change| change.dot.actor.id > of));
        let (_, again) = with_rest.part_ends(b.whole(), |id| *id <= of);
        prop_assert_eq!(&again, &ends, "it is news still");
        with_rest.merge(ends);
        prop_assert_eq!(&with_rest, &joined(a, b));
        let (_, none) = with_rest.part_ends(b.whole(), |id| *id <= of);
        prop_assert!(none.is_empty());
    }

    #[test]
    fn deltas_and_their_pieces_say_what_the_whole_says(
        steps in vec(step(), 1..80),
        who in [0..REPLICAS, 0..REPLICAS, 0..REPLICAS],
        max_bytes in 40..200_usize,
        order in vec(any::<Index>(), 8),
    ) {
        let world = World::after(steps);
        let [a, b, c] = who.map(|id| &world.sites[usize::from(id)].state);
        let whole = joined(a, b);
        for delta in [b.delta_since(&a.context()), b.delta_for(&a.digest())] {
            let mut with_delta = a.clone();
            with_delta.merge(delta.clone());
            prop_assert_eq!(&with_delta, &whole);
            let mut pieces = delta.split(max_bytes);
            prop_assert!(pieces.iter().all(|piece| macula_crdt::Codec::to_bytes(piece).len() <= max_bytes));
            let mut mixed = a.clone();
            for index in order.iter().chain(&vec![order[0]; pieces.len()]) {
                if !pieces.is_empty() {
                    mixed.merge(pieces.swap_remove(index.index(pieces.len())));
                }
            }
            prop_assert_eq!(&mixed, &whole);
        }
        // Deltas can be joined before they are merged.
        let mut both: Part = b.whole();
        both.join(c.whole());
        let mut at_once = a.clone();
        at_once.merge(both);
        prop_assert_eq!(at_once, joined(&whole, c));
    }
}
