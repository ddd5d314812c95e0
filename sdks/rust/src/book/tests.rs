use std::collections::BTreeSet;

use macula_proto::{
    EventId, GapReason, MediaType, Pattern, Payload, Procedure,
    frame::{Call, CallResult, Flag, Subscribe, Subscribed},
};
use proptest::prelude::*;
use tokio::sync::oneshot::Receiver;

use super::*;
use crate::{Delivery, subscription};

type Answer = Result<GatewayFrame, Error>;

fn call(id: u64, key: bool) -> ClientFrame {
    let call = Call {
        id,
        realm: None,
        procedure: Procedure::parse("a").unwrap(),
        timeout_ms: None,
        progress: Flag(false),
        idempotency_key: key.then(|| "k".into()),
        headers: Vec::new(),
        argument: payload(),
    };
    call.into()
}

fn payload() -> Payload {
    Payload {
        content_type: MediaType::MSGPACK,
        bytes: bytes::Bytes::from_static(b"\xC0"),
    }
}

fn result(id: u64) -> GatewayFrame {
    let result = CallResult {
        id,
        served_by: None,
        payload: payload(),
    };
    result.into()
}

fn begin(book: &mut Book, key: bool, sent: bool) -> (u64, Receiver<Answer>) {
    let (answer, answered) = oneshot::channel();
    let sink = Sink::Answer {
        answer,
        progress: None,
    };
    let (id, _) = book.begin(|id| call(id, key), sink, sent);
    (id, answered)
}

fn subscribe(book: &mut Book) -> (u64, mpsc::Receiver<Delivery>) {
    let (events, deliveries) = subscription::Events::for_test(2);
    let request = |id| {
        let subscribe = Subscribe {
            id,
            realm: None,
            pattern: Pattern::parse("t").unwrap(),
            replay: Some(5),
            after: None,
            overflow: None,
            delivery: None,
        };
        subscribe.into()
    };
    let (id, _) = book.begin(request, Sink::Events(events), true);
    (id, deliveries)
}

fn subscribed(id: u64, position: u128) -> GatewayFrame {
    let subscribed = Subscribed {
        id,
        backlog: 0,
        position: EventId::from_u128(position),
    };
    subscribed.into()
}

#[test]
fn a_subscription_goes_on_after_its_last_event_even_in_a_new_session() {
    let mut book = Book::default();
    let (id, _deliveries) = subscribe(&mut book);
    assert!(
        book.resume("s").subscriptions.is_empty(),
        "it may not be there"
    );
    book.take(subscribed(id, 7));
    let [position] = &book.resume("s").subscriptions[..] else {
        panic!("expected one position");
    };
    assert_eq!(position.last_event_id, EventId::from_u128(7));
    assert!(book.resumed(&[]).is_empty());
    let [ClientFrame::Subscribe(again)] = &book.anew()[..] else {
        panic!("expected `subscribe`");
    };
    assert_eq!(again.after, Some(EventId::from_u128(7)));
}

#[test]
fn a_slow_reader_is_told_how_much_it_missed() {
    let mut book = Book::default();
    let (id, mut deliveries) = subscribe(&mut book);
    book.take(subscribed(id, 1));
    let gap = |missed| {
        let gap = macula_proto::frame::Missed {
            id,
            missed: Some(missed),
            reason: GapReason::OutsideWindow,
        };
        GatewayFrame::from(gap)
    };
    for missed in [1, 2, 3, 4] {
        book.take(gap(missed));
    }
    let missed = |delivery| match delivery {
        Ok(Delivery::Gap { missed, reason }) => Some((missed, reason)),
        _ => None,
    };
    for expected in [1, 2] {
        let told = missed(deliveries.try_recv());
        assert_eq!(told, Some((Some(expected), GapReason::OutsideWindow)));
    }
    book.take(gap(5));
    let told = missed(deliveries.try_recv());
    assert_eq!(told, Some((Some(7), GapReason::SlowReader)));
}

#[derive(Debug, Clone)]
enum Step {
    Begin {
        key: bool,
        sent: bool,
    },
    Answer(usize),
    GiveUp(usize),
    /// Every third operation is unknown there.
    Resume,
    Anew,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (any::<bool>(), any::<bool>()).prop_map(|(key, sent)| Step::Begin { key, sent }),
        2 => any::<usize>().prop_map(Step::Answer),
        1 => any::<usize>().prop_map(Step::GiveUp),
        1 => Just(Step::Resume),
        1 => Just(Step::Anew),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn every_call_ends_once_and_none_is_said_twice_that_must_not_be(steps in steps()) {
        let mut book = Book::default();
        let mut open: Vec<(u64, bool, Receiver<Answer>)> = Vec::new();
        // What the gateway may have heard of.
        let mut said = BTreeSet::new();
        for step in steps {
            match step {
                Step::Begin { key, sent } => {
                    let (id, answered) = begin(&mut book, key, sent);
                    if sent {
                        said.insert(id);
                    }
                    open.push((id, key, answered));
                }
                Step::Answer(which) if !open.is_empty() => {
                    let (id, _, mut answered) = open.swap_remove(which % open.len());
                    book.take(result(id));
                    prop_assert!(matches!(answered.try_recv(), Ok(Ok(_))));
                    book.take(result(id));
                }
                Step::GiveUp(which) if !open.is_empty() => {
                    let (id, _, answered) = open.swap_remove(which % open.len());
                    drop(answered);
                    prop_assert_eq!(book.give_up(id).is_some(), said.contains(&id));
                    prop_assert!(book.give_up(id).is_none());
                }
                Step::Resume | Step::Anew => {
                    let pending = book.resume("s").pending;
                    let unknown: Vec<u64> = match step {
                        Step::Resume => pending.iter().copied().filter(|id| id % 3 == 0).collect(),
                        _ => pending.clone(),
                    };
                    let again = match step {
                        Step::Resume => book.resumed(&unknown),
                        _ => book.anew(),
                    };
                    for frame in again {
                        let ClientFrame::Call(call) = frame else {
                            panic!("expected a call");
                        };
                        let may_be_said = !said.contains(&call.id) || call.idempotency_key.is_some();
                        prop_assert!(may_be_said, "{} was said twice", call.id);
                        said.insert(call.id);
                    }
                    open.retain_mut(|(id, key, answered)| {
                        let lost = matches!(answered.try_recv(), Ok(Err(Error::Lost)));
                        assert_eq!(lost, unknown.contains(id) && !*key, "{id}");
                        !lost
                    });
                }
                Step::Answer(_) | Step::GiveUp(_) => {}
            }
        }
        book.close(&Error::Closed);
        for (id, _, mut answered) in open {
            prop_assert!(matches!(answered.try_recv(), Ok(Err(Error::Closed))), "{id}");
        }
    }
}

fn serve(book: &mut Book) -> u64 {
    let sink = Sink::Service {
        ready: None,
        handler: Handler::for_test(),
    };
    let request = |id| {
        let serve = macula_proto::frame::Serve {
            id,
            realm: None,
            procedure: Procedure::parse("a").unwrap(),
            policy: None,
            concurrency: None,
            description: None,
            argument_schema: None,
            result_schema: None,
        };
        serve.into()
    };
    book.begin(request, sink, true).0
}

#[test]
fn what_is_stopped_while_the_transport_is_away_is_stopped_on_the_next() {
    let mut book = Book::default();
    let id = serve(&mut book);
    assert_eq!(book.resume("s").pending, [id]);
    let (answer, mut stopped) = oneshot::channel();
    assert!(book.stop_serving(id, answer).is_some());
    assert!(book.resume("s").pending.is_empty());
    let [ClientFrame::Unserve(again)] = &book.resumed(&[])[..] else {
        panic!("expected `unserve`");
    };
    assert_eq!(again.id, id);
    book.take(macula_proto::frame::Ended { id }.into());
    assert!(matches!(stopped.try_recv(), Ok(Ok(_))));
    assert_eq!(book.counts(), Counts::default());
}

#[test]
fn closing_gives_calls_up_and_lets_handlers_answer() {
    let mut book = Book::default();
    let service = serve(&mut book);
    let (call, mut answered) = begin(&mut book, false, true);
    let (_, mut unsent) = begin(&mut book, false, false);
    let invoke = macula_proto::frame::Invoke {
        id: 9,
        serve: service,
        realm: macula_proto::Realm::parse("dev").unwrap(),
        procedure: Procedure::parse("a").unwrap(),
        caller: "c".into(),
        timeout_ms: 1,
        progress: Flag(false),
        headers: Vec::new(),
        argument: payload(),
    };
    let invocation = book.take(invoke.clone().into()).unwrap();
    let counts = book.counts();
    assert_eq!((counts.services, counts.calls), (1, 2));
    let [ClientFrame::Cancel(cancel)] = &book.shut(&Error::Closed)[..] else {
        panic!("expected `cancel` of what the gateway knows");
    };
    assert_eq!(cancel.id, call);
    for ended in [&mut answered, &mut unsent] {
        assert!(matches!(ended.try_recv(), Ok(Err(Error::Closed))));
    }
    assert!(book.take(invoke.into()).is_none(), "no new call is taken");
    assert!(!invocation.given_up.is_cancelled() && book.has_answered(9));
}
