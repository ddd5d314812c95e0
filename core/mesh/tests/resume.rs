//! Replay and resume: what a reader who comes back gets, and when it is told of a gap.

mod support;

use macula_mesh::{GapReason, Mesh, Replay, Settings};
use macula_proto::EventId;
use support::*;

const OUTSIDE: Seen = Seen::Gap(None, GapReason::OutsideWindow);
const UNKNOWN: Seen = Seen::Gap(None, GapReason::UnknownId);

fn small() -> Settings {
    Settings {
        replay_events: 5,
        replay_seconds: 10,
        ..Settings::default()
    }
}

/// What a new reader of `pattern` gets at once.
fn check(mesh: &Mesh, pattern: &str, replay: Replay, expected: &[Seen]) {
    let mut reader = subscribe(mesh, pattern, replay);
    assert_eq!(drain(&mut reader), expected, "{pattern} {replay:?}");
}

/// The expected deliveries: a gap first, then events.
fn after(gap: Seen, numbers: impl IntoIterator<Item = u64>) -> Vec<Seen> {
    let mut expected = vec![gap];
    expected.extend(events(numbers));
    expected
}

#[tokio::test]
async fn a_resume_inside_of_the_window_loses_nothing_and_tells_no_gap() {
    let (mesh, _) = mesh_with(&small());
    let ids: Vec<EventId> = (0..5).map(|n| publish(&mesh, "a", n)).collect();
    for (n, id) in (0..).zip(&ids) {
        check(&mesh, "a", Replay::After(*id), &events(n + 1..5));
    }
    check(&mesh, "b", Replay::After(ids[0]), &[]);
}

#[tokio::test]
async fn a_resume_outside_of_the_window_tells_the_gap_then_gives_what_is_left() {
    let (mesh, _) = mesh_with(&small());
    let ids: Vec<EventId> = (0..8).map(|n| publish(&mesh, "a", n)).collect();
    check(&mesh, "a", Replay::After(ids[1]), &after(OUTSIDE, 3..8));
    check(&mesh, "*", Replay::After(ids[0]), &after(OUTSIDE, 3..8));
    check(&mesh, "a", Replay::After(ids[2]), &events(3..8));
    assert_eq!(mesh.status().gaps, 2);
}

#[tokio::test]
async fn a_gap_is_told_only_to_those_who_lost_something() {
    let (mesh, _) = mesh_with(&small());
    let first = publish(&mesh, "quiet", 0);
    publish(&mesh, "quiet", 1);
    publish_all(&mesh, "busy", 2..20);
    check(&mesh, "quiet", Replay::After(first), &events([1]));
    check(&mesh, "busy", Replay::After(first), &after(OUTSIDE, 15..20));
}

#[tokio::test]
async fn replay_is_bounded_by_age() {
    let (mesh, clock) = mesh_with(&small());
    let first = publish(&mesh, "a", 0);
    clock.advance(6_000);
    let second = publish(&mesh, "a", 1);
    clock.advance(4_000);
    check(&mesh, "a", Replay::Last(9), &events(0..2));
    clock.advance(1);
    check(&mesh, "a", Replay::Last(9), &events([1]));
    check(&mesh, "a", Replay::After(first), &events([1]));
    clock.advance(6_000);
    check(&mesh, "a", Replay::After(second), &[]);
    check(&mesh, "a", Replay::After(first), &[OUTSIDE]);
}

#[tokio::test]
async fn replay_is_bounded_in_bytes_over_all_topics() {
    let (mesh, _) = mesh_with(&Settings::default());
    publish(&mesh, "a", 0);
    let cost = mesh.status().replay_bytes;
    let (mesh, _) = mesh_with(&Settings {
        replay_bytes: 3 * cost,
        ..Settings::default()
    });
    let first = publish(&mesh, "a", 0);
    for n in 1..10 {
        publish(&mesh, ["a", "b", "c"][n as usize % 3], n);
        assert!(mesh.status().replay_bytes <= 3 * cost);
    }
    assert_eq!(mesh.status().replay_events, 3);
    check(&mesh, "*", Replay::After(first), &after(OUTSIDE, 7..10));
}

#[tokio::test]
async fn last_gives_the_newest_of_all_topics_that_match() {
    let mesh = mesh();
    for n in 0..10 {
        publish(&mesh, ["a.x", "a.y", "b"][n as usize % 3], n);
    }
    check(&mesh, "**", Replay::Last(4), &events(6..10));
    check(&mesh, "a.*", Replay::Last(3), &events([6, 7, 9]));
    check(&mesh, "b", Replay::Last(100), &events([2, 5, 8]));
    check(&mesh, "b", Replay::Last(usize::MAX), &events([2, 5, 8]));
    check(&mesh, "b", Replay::Last(0), &[]);
    check(&mesh, "b", Replay::None, &[]);
}

#[tokio::test]
async fn a_backlog_meets_live_events_without_loss_or_doubling() {
    let mesh = mesh();
    publish_all(&mesh, "a", 0..10);
    let mut reader = subscribe(&mesh, "a", Replay::Last(10));
    assert_eq!(reader.backlog(), 10);
    publish_all(&mesh, "a", 10..20);
    assert_eq!(drain_by(&mut reader, 3), events(0..20));
}

#[tokio::test]
async fn ids_rise_and_order_holds_although_the_clock_goes_back() {
    let (mesh, clock) = mesh_with(&Settings::default());
    let mut reader = subscribe(&mesh, "a", Replay::None);
    let mut ids = Vec::new();
    for (n, step) in (0..).zip([0, 5, -3, -100_000, 50_000, 1, -900_000]) {
        clock.set(clock.now_ms().saturating_add_signed(step));
        ids.push(publish(&mesh, "a", n));
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(drain(&mut reader), events(0..7));
    // The newest ids are far ahead of the clock now, but they are this node's own.
    check(&mesh, "a", Replay::After(ids[4]), &events(5..7));
}

#[tokio::test]
async fn without_replay_a_resume_tells_the_gap() {
    let (mesh, _) = mesh_with(&Settings {
        replay_events: 0,
        ..Settings::default()
    });
    let first = publish(&mesh, "a", 0);
    check(&mesh, "a", Replay::After(first), &[]);
    publish(&mesh, "a", 1);
    check(&mesh, "a", Replay::After(first), &[OUTSIDE]);
    let status = mesh.status();
    assert_eq!((status.topics, status.replay_events), (0, 0));
}

#[tokio::test]
async fn a_topic_that_was_forgotten_is_remembered_as_a_gap() {
    let (mesh, _) = mesh_with(&Settings {
        max_topics: 2,
        ..Settings::default()
    });
    let first = publish(&mesh, "a", 0);
    let second = publish(&mesh, "a", 1);
    publish(&mesh, "b", 2);
    publish(&mesh, "c", 3);
    assert_eq!(mesh.status().topics, 2);
    check(&mesh, "a", Replay::After(first), &[OUTSIDE]);
    check(&mesh, "a", Replay::After(second), &[]);
    check(&mesh, "**", Replay::After(second), &events(2..4));
}

/// Lesson 20: ids carry an epoch, the node's start: a reader that resumes at a node which has
/// started anew is told so, and new events never look like old ones.
#[tokio::test]
async fn lesson_20_ids_of_another_run_are_unknown_and_never_come_again() {
    let clock = TestClock::new();
    let run = || Mesh::start_at(identity(), &Settings::default(), clock.clock()).unwrap();
    let before = run();
    let old: Vec<EventId> = (0..3).map(|n| publish(&before, "a", n)).collect();
    drop(before);
    clock.advance(1);
    let mesh = run();
    let first = publish(&mesh, "a", 10);
    assert!(old.iter().all(|id| *id < first));
    for id in [old[0], old[2], EventId::from_u128(0)] {
        check(&mesh, "a", Replay::After(id), &after(UNKNOWN, [10]));
    }
    let future = EventId::from_u128(first.as_u128() + (120_000 << 80));
    check(&mesh, "a", Replay::After(future), &[UNKNOWN]);
    let soon = EventId::from_u128(first.as_u128() + (30_000 << 80));
    check(&mesh, "a", Replay::After(soon), &[]);
}

#[tokio::test]
async fn who_has_read_nothing_resumes_after_the_position() {
    let (mesh, _) = mesh_with(&small());
    publish_all(&mesh, "a", 0..3);
    let live = subscribe(&mesh, "a", Replay::None).position();
    let replayed = subscribe(&mesh, "a", Replay::Last(2)).position();
    publish_all(&mesh, "a", 3..5);
    check(&mesh, "a", Replay::After(live), &events(3..5));
    check(&mesh, "a", Replay::After(replayed), &events(1..5));
    let resumed = subscribe(&mesh, "a", Replay::After(live));
    assert_eq!(resumed.position(), live);
}
