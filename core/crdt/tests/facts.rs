//! Single facts, each for one reading of the types.

use macula_crdt::{Actor, Codec, DecodeError, Delta, IsRetired, Limits, Map, OrSet, Time, Value};

type Set = OrSet<u8, u8>;
type Table = Map<u8, u8, u8>;

const fn actor(id: u8) -> Actor<u8> {
    Actor { id, incarnation: 1 }
}

const ANN: Actor<u8> = actor(1);
const BOB: Actor<u8> = actor(2);

fn exchange(a: &mut Table, b: &mut Table) {
    let to_b = a.delta_for(&b.digest());
    b.merge(to_b);
    let to_a = b.delta_for(&a.digest());
    a.merge(to_a);
    assert_eq!(a, b);
}

#[test]
fn an_addition_wins_over_a_removal_that_did_not_know_of_it() {
    let (mut a, mut b) = (Table::default(), Table::default());
    a.add(&ANN, 1, 7).unwrap();
    exchange(&mut a, &mut b);
    a.remove(&1, &7);
    b.add(&BOB, 1, 7).unwrap();
    exchange(&mut a, &mut b);
    assert!(a.members(&1).contains(&7));
    a.remove(&1, &7);
    exchange(&mut a, &mut b);
    assert!(b.is_empty());
}

#[test]
fn the_latest_write_is_read_and_replaces_what_it_knew() {
    let (mut a, mut b) = (Table::default(), Table::default());
    a.write(&ANN, 1, Time::from_ms(5), 50).unwrap();
    b.write(&BOB, 1, Time::from_ms(5), 51).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!(
        a.read(&1),
        Some((Time::from_ms(5), &51)),
        "the larger actor"
    );
    assert_eq!(a.len(), 2);
    a.write(&ANN, 1, Time::from_ms(6), 60).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!((b.read(&1), b.len()), (Some((Time::from_ms(6), &60)), 1));
}

#[test]
fn both_count() {
    let (mut a, mut b) = (Table::default(), Table::default());
    a.count(&ANN, 1, 5, 0).unwrap();
    b.count(&BOB, 1, 0, 7).unwrap();
    a.count(&ANN, 1, 5, 0).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!((b.counted(&1), b.len()), (3, 2));
    b.remove_key(&1);
    exchange(&mut a, &mut b);
    assert_eq!((a.counted(&1), a.len()), (0, 0));
}

#[test]
fn the_types_of_one_key_do_not_touch_each_other() {
    let mut table = Table::default();
    table.add(&ANN, 1, 7).unwrap();
    table.write(&ANN, 1, Time::from_ms(1), 7).unwrap();
    table.count(&ANN, 1, 7, 0).unwrap();
    table.remove(&1, &7);
    assert!(table.members(&1).is_empty());
    assert_eq!(table.read(&1).unwrap().1, &7);
    assert_eq!(table.counted(&1), 7);
}

#[test]
fn lesson_03_a_state_returns_to_empty_and_its_context_to_one_range() {
    let mut state = Set::default();
    for round in 0..1_000_u16 {
        let member = (round % 100) as u8;
        state.add(&ANN, member).unwrap();
        state.remove(&member);
    }
    assert_eq!((state.len(), state.keys().count()), (0, 0));
    assert_eq!(state.actors().map(|(_, ranges)| ranges).sum::<usize>(), 1);
    assert!(state.whole().to_bytes().len() < 16, "whatever was in it");
    state.retire(&ANN.id, 1, Time::from_ms(1));
    state.expire_retired(Time::from_ms(2));
    assert_eq!(state, Set::default());
}

#[test]
fn what_a_retired_member_added_goes_and_what_it_removed_stays_away() {
    let (mut here, mut there) = (Set::default(), Set::default());
    let old = here.add(&BOB, 1).unwrap();
    there.merge(old.clone());
    there.add(&ANN, 2).unwrap();
    there.remove(&1);
    here.merge(there.whole());
    let (said, changes) = here.retire(&ANN.id, 1, Time::from_ms(1));
    assert_eq!(changes.removed.len(), 1);
    here.merge(there.whole());
    here.merge(old);
    assert!(here.is_empty());
    there.merge(said);
    assert_eq!(here, there);
    assert_eq!(there.add(&ANN, 2), Err(IsRetired { incarnation: 1 }));
    there
        .add(
            &Actor {
                id: ANN.id,
                incarnation: 2,
            },
            2,
        )
        .unwrap();
    assert!(there.contains(&2));
}

#[test]
fn a_record_counts_by_its_incarnation_then_by_its_time() {
    let mut state = Set::default();
    state.retire(&1, 2, Time::from_ms(5));
    assert!(
        state.retire(&1, 2, Time::from_ms(9)).0.is_empty(),
        "it is known"
    );
    assert!(state.retire(&1, 1, Time::from_ms(9)).0.is_empty());
    assert_eq!(state.expire_retired(Time::from_ms(5)), 0);
    assert_eq!(state.expire_retired(Time::from_ms(6)), 1);
    assert_eq!(state.retired(&1), None);
}

#[test]
fn replicas_that_agree_have_nothing_to_tell() {
    let mut a = Table::default();
    for key in 0..100 {
        a.add(&ANN, key, key).unwrap();
    }
    let mut b = a.clone();
    assert!(a.delta_for(&b.digest()).is_empty());
    let news = b.add(&BOB, 1, 1).unwrap();
    assert_eq!(
        b.delta_for(&a.digest()).to_bytes().len(),
        news.to_bytes().len()
    );
    // The removal of one of ANN's is told as one dot's place in ranges, without its entry.
    b.remove(&50, &50);
    let told = b.delta_for(&a.digest());
    assert_eq!(told.len(), 1);
    assert!(told.to_bytes().len() < 32, "{told:?}");
}

#[test]
fn what_is_not_written_so_is_refused() {
    type Part = Delta<u8, u8, Value<u8>>;
    let mut table = Table::default();
    table.add(&ANN, 1, 2).unwrap();
    // Version; no retired; one actor: id, incarnation, one range from 1 of length 1; one entry: counter 1,
    // key, kind, member.
    let bytes = table.whole().to_bytes();
    assert_eq!(bytes, [1, 0, 1, 1, 1, 1, 0, 0, 1, 0, 1, 0, 2]);
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        Part::from_bytes(&bytes, &Limits::default()).unwrap_err()
    };
    assert_eq!(refused(&|bytes| bytes[0] = 2), DecodeError::Version(2));
    assert_eq!(refused(&|bytes| bytes.truncate(12)), DecodeError::Truncated);
    assert_eq!(refused(&|bytes| bytes.push(0)), DecodeError::Trailing(1));
    let context = DecodeError::Invalid("entries with dots of the context");
    assert_eq!(refused(&|bytes| bytes[9] = 1), context);
    let kind = DecodeError::Invalid("a kind of value from 0 to 2");
    assert_eq!(refused(&|bytes| bytes[11] = 3), kind);
    let limits = Limits {
        items: 1,
        ..Limits::default()
    };
    let many = Part::from_bytes(&bytes, &limits).unwrap_err();
    assert_eq!(
        many,
        DecodeError::TooLarge {
            what: "items",
            limit: 1
        }
    );
}
