use proptest::prelude::*;

use super::*;
use crate::{
    MediaType, Payload,
    frame::{self, CallResult, Position},
};

type Session = Machine<u64, u64>;

fn session() -> Session {
    let limits = Bounds {
        max_frame_bytes: 1_000,
        max_calls: 4,
        max_subscriptions: 2,
        max_procedures: 2,
        max_bytes_in_flight: 100,
    };
    Machine::new(limits, Duration::from_secs(30))
}

fn result(id: u64, bytes: usize) -> GatewayFrame {
    let payload = Payload {
        content_type: MediaType::JSON,
        bytes: vec![b'1'; bytes].into(),
    };
    GatewayFrame::from(CallResult {
        id,
        served_by: None,
        payload,
    })
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn resume(pending: &[u64], subscriptions: &[u64], invokes: &[u64]) -> Resume {
    Resume {
        session: "s".to_owned(),
        subscriptions: subscriptions
            .iter()
            .map(|&id| Position {
                id,
                last_event_id: EventId::from_u128(id.into()),
            })
            .collect(),
        pending: pending.to_vec(),
        invokes: invokes.to_vec(),
    }
}

#[test]
fn a_session_has_bounds_of_each_kind_and_of_bytes() {
    let mut session = session();
    for id in 0..4 {
        session.begin(id, Kind::Call, 20, || id).unwrap();
    }
    let full = session.begin(9, Kind::Call, 0, || 9).unwrap_err();
    assert_eq!(
        full.to_string(),
        "expected at most 4 calls in flight in a session"
    );
    let full = session.begin(9, Kind::Subscription, 21, || 9).unwrap_err();
    assert_eq!(
        full.to_string(),
        "expected at most 100 bytes in flight in a session"
    );
    session.begin(9, Kind::Subscription, 20, || 9).unwrap();
    assert!(session.answered(2, &result(2, 1), at(0)));
    session.begin(10, Kind::Call, 20, || 10).unwrap();
}

#[test]
fn a_number_in_use_is_refused_and_its_operation_goes_on() {
    let mut session = session();
    session.begin(1, Kind::Subscription, 0, || 1).unwrap();
    let again = session.begin(1, Kind::Call, 0, || 2);
    assert_eq!(again, Err(BeginError::InUse(1)));
    assert!(session.end(1, Kind::Service).is_err());
    assert_eq!(session.end(1, Kind::Subscription), Ok(Some(1)));
    assert_eq!(session.end(1, Kind::Subscription), Ok(None));
    assert!(session.is_empty());
}

#[test]
fn what_the_client_still_wants_goes_on_and_a_lost_answer_is_given_again() {
    let mut session = session();
    session.begin(1, Kind::Call, 0, || 1).unwrap();
    session.begin(2, Kind::Call, 0, || 2).unwrap();
    session.begin(3, Kind::Subscription, 0, || 3).unwrap();
    session.begin(4, Kind::Subscription, 0, || 4).unwrap();
    session.begin(5, Kind::Service, 0, || 5).unwrap();
    let invoked = [0; 2].map(|_| session.invoke(|id| id).unwrap());
    assert!(session.answered(1, &result(1, 1), at(0)));
    session.lose(at(1));
    assert_eq!(session.invoke(|id| id), None);
    let resume = resume(&[1, 2, 5, 77], &[3], &invoked[1..]);
    let resumed = session.resume(&resume).unwrap();
    assert_eq!(resumed.answers, [result(1, 1)]);
    assert_eq!(resumed.unknown, [77]);
    assert_eq!(resumed.ended, [4]);
    assert_eq!(resumed.abandoned, invoked[..1]);
    assert_eq!(session.position(3), Some(EventId::from_u128(3)));
    assert!(session.answered(2, &result(2, 1), at(2)));
    assert!(session.invoke(|id| id).is_some());
}

#[test]
fn a_session_is_over_when_its_client_stays_away() {
    let mut session = session();
    session.lose(at(10));
    session.lose(at(20));
    assert!(!session.is_over(at(39)));
    assert!(session.is_over(at(40)));
}

#[test]
fn answers_are_kept_within_bounds_and_for_the_grace() {
    let mut session = session();
    for id in 0..1_000 {
        session.begin(id, Kind::Call, 0, || id).unwrap();
        session.answered(id, &result(id, 1_000), at(0));
    }
    assert!(session.kept.find(999).is_some());
    let kept = (0..1_000).filter(|&id| session.kept.find(id).is_some());
    assert_eq!(kept.count(), MAX_BYTES / 1_128);
    session.begin(1, Kind::Call, 0, || 1).unwrap();
    session.answered(1, &result(1, MAX_BYTES), at(0));
    session.expire(at(30));
    assert!(!session.is_empty());
    session.expire(at(31));
    assert!(session.is_empty());
}

#[test]
fn a_resume_has_its_bounds() {
    let mut session = session();
    session.lose(at(0));
    let many: Vec<u64> = (0..5_000).collect();
    assert!(session.resume(&resume(&many, &[], &[])).is_err());
    assert!(session.resume(&resume(&[], &[1, 1], &[])).is_err());
    assert!(session.is_away());
}

#[test]
fn a_resume_names_each_operation_once() {
    let mut session = session();
    session.begin(1, Kind::Call, 0, || 1).unwrap();
    assert!(session.answered(1, &result(1, 1), at(0)));
    for (pending, subscriptions, invokes) in [
        (&[1, 1][..], &[][..], &[][..]),
        (&[1], &[1], &[]),
        (&[], &[1, 1], &[]),
        (&[], &[], &[1, 1]),
    ] {
        let refused = session.resume(&resume(pending, subscriptions, invokes));
        assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidRequest);
    }
    // Invocations have numbers of their own.
    let resumed = session.resume(&resume(&[1], &[], &[1])).unwrap();
    assert_eq!(resumed.answers, [result(1, 1)]);
}

#[test]
fn an_operation_that_is_named_as_what_it_is_not_ends_and_the_client_is_told() {
    let mut session = session();
    session.begin(1, Kind::Call, 0, || 1).unwrap();
    session.begin(2, Kind::Subscription, 0, || 2).unwrap();
    session.lose(at(0));
    let resumed = session.resume(&resume(&[2], &[1], &[])).unwrap();
    assert_eq!((resumed.unknown, resumed.ended), (vec![2, 1], vec![1, 2]));
    assert!(session.is_empty());
}

#[test]
fn a_session_that_waits_for_ever_does_so() {
    let mut session: Session = Machine::new(Bounds::default(), Duration::MAX);
    session.lose(at(10));
    assert!(!session.is_over(at(1 << 40)));
}

#[test]
fn the_data_of_a_handlers_error_counts_as_what_is_kept() {
    let problem = Problem::handler(crate::HandlerError {
        code: "large".to_owned(),
        detail: String::new(),
        data: Some(vec![0; 10_000].into()),
    });
    let mut session = session();
    for id in 0..100 {
        session.begin(id, Kind::Call, 0, || id).unwrap();
        let problem = Box::new(frame::Report::of(&problem, String::new()));
        let error = frame::Error {
            id: Some(id),
            problem,
        };
        assert!(session.answered(id, &error.into(), at(0)));
    }
    let kept = (0..100).filter(|&id| session.kept.find(id).is_some());
    assert!(kept.count() <= MAX_BYTES / (10_000 * size_of::<serde_json::Value>()));
}

#[derive(Debug, Clone)]
enum Step {
    Begin(u64, Kind, usize),
    End(u64, Kind),
    Answer(u64),
    Invoke,
    Finish(u64),
    Lose,
    Resume(Vec<u64>, Vec<u64>, Vec<u64>),
    Expire,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Call),
        Just(Kind::Subscription),
        Just(Kind::Service)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let named = prop::collection::btree_map(0u64..12, any::<bool>(), 0..10);
    let invokes = prop::collection::btree_set(0u64..12, 0..6);
    let resume = (named, invokes).prop_map(|(named, invokes)| {
        let of = |kind| {
            named
                .iter()
                .filter(move |(_, k)| **k == kind)
                .map(|(id, _)| *id)
        };
        Step::Resume(
            of(true).collect(),
            of(false).collect(),
            invokes.into_iter().collect(),
        )
    });
    prop_oneof![
        4 => (0u64..12, kind(), 0usize..60).prop_map(|(id, kind, bytes)| Step::Begin(id, kind, bytes)),
        2 => (0u64..12, kind()).prop_map(|(id, kind)| Step::End(id, kind)),
        3 => (0u64..12).prop_map(Step::Answer),
        2 => Just(Step::Invoke),
        2 => (0u64..12).prop_map(Step::Finish),
        1 => Just(Step::Lose),
        1 => resume,
        1 => Just(Step::Expire),
    ]
}

proptest! {
    /// Every operation and invocation that was begun is given back once, whatever happens.
    #[test]
    fn nothing_is_lost_or_ended_twice(steps in prop::collection::vec(step(), 0..200)) {
        let mut session = session();
        let (mut begun, mut over) = (0, 0);
        let mut now = Duration::ZERO;
        for step in steps {
            now += at(1);
            match step {
                Step::Begin(id, kind, bytes) => {
                    begun += u64::from(session.begin(id, kind, bytes, || id).is_ok());
                }
                Step::End(id, kind) => over += u64::from(matches!(session.end(id, kind), Ok(Some(_)))),
                Step::Answer(id) => over += u64::from(session.answered(id, &result(id, 9), now)),
                Step::Invoke => begun += u64::from(session.invoke(|id| id).is_some()),
                Step::Finish(id) => over += u64::from(session.finish(id).is_some()),
                Step::Lose => session.lose(now),
                Step::Resume(pending, subscriptions, invokes) => {
                    if let Ok(resumed) = session.resume(&resume(&pending, &subscriptions, &invokes)) {
                        // Each number goes on, has its answer, or is told as unknown.
                        let goes_on = |id: &&u64| session.owner(**id).is_some();
                        let named = || pending.iter().chain(&subscriptions);
                        let told = resumed.answers.len() + resumed.unknown.len();
                        prop_assert_eq!(told + named().filter(goes_on).count(), named().count());
                        prop_assert!(!resumed.unknown.iter().any(|id| session.owner(*id).is_some()));
                        let all = named().filter(goes_on).count();
                        prop_assert_eq!(all, session.operations.len());
                        over += (resumed.ended.len() + resumed.abandoned.len()) as u64;
                        prop_assert!(!session.is_away());
                    }
                }
                Step::Expire => session.expire(now),
            }
            prop_assert!(session.counts[0] <= 4 && session.counts[1] <= 2 && session.counts[2] <= 2);
            prop_assert!(session.bytes <= 100);
            prop_assert_eq!(session.counts.iter().sum::<u64>(), session.operations.len() as u64);
        }
        let (operations, invocations) = session.close();
        over += (operations.len() + invocations.len()) as u64;
        prop_assert_eq!(begun, over);
        prop_assert!(session.is_empty());
        prop_assert_eq!((session.bytes, session.in_flight()), (0, 0));
    }
}
