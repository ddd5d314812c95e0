//! Frames between nodes come out as they went in, and whatever else comes in is refused.

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    Names, PeerError,
    call::{Answer, Request},
    link::{Link, Resume},
    once::{Ask, Keep, Told},
    replay::{From, Kept, Wanted},
};
use crate::{
    ErrorCode, Event, EventId, HandlerError, MediaType, Pattern, Payload, Problem, Procedure,
    Realm, Topic,
};

fn event() -> Event {
    Event {
        id: EventId::from_u128(u128::MAX >> 3),
        realm: Realm::parse("org.example").unwrap(),
        topic: Topic::parse("home.kitchen").unwrap(),
        publisher: "thermometer".into(),
        content_type: MediaType::JSON,
        headers: vec![("unit".into(), "celsius".into())],
        payload: Bytes::from_static(b"21.5"),
    }
}

fn decode(frame: &Bytes) -> Result<Link, PeerError> {
    Link::decode(frame, &mut Names::default())
}

fn request() -> Request {
    Request {
        realm: Realm::parse("dev").unwrap(),
        procedure: Procedure::parse("demo.add").unwrap(),
        provider: 7,
        caller: "tablet".into(),
        headers: Vec::new(),
        timeout_ms: 5_000,
        wants_progress: true,
        argument: payload(),
    }
}

fn payload() -> Payload {
    Payload {
        content_type: MediaType::parse("image/png").unwrap(),
        bytes: Bytes::from_static(&[0, 255]),
    }
}

#[test]
fn frames_read_back_as_they_were() {
    for link in [
        Link::Begin {
            epoch: 3,
            next: u64::MAX,
        },
        Link::Event(event()),
        Link::Gap(9),
    ] {
        assert_eq!(decode(&link.encode().into()), Ok(link));
    }
    let resume = Resume { epoch: 1, next: 2 };
    assert_eq!(Resume::decode(&resume.encode()), Ok(resume));
    assert_eq!(Request::decode(&request().encode().into()), Ok(request()));
    let handler = HandlerError {
        code: "no_milk".into(),
        detail: "the fridge is empty".into(),
        data: Some(serde_json::json!({"left": 0})),
    };
    for answer in [
        Answer::Progress(payload()),
        Answer::Result(payload()),
        Answer::Problem(Problem::new(ErrorCode::Timeout, "late")),
        Answer::Problem(Problem::handler(handler)),
    ] {
        assert_eq!(Answer::decode(&answer.encode().into()), Ok(answer));
    }
    for from in [From::Last(5), From::After(event().id)] {
        let wanted = Wanted {
            realm: Realm::parse("dev").unwrap(),
            pattern: Pattern::parse("home.**").unwrap(),
            from,
        };
        assert_eq!(Wanted::decode(&wanted.encode()), Ok(wanted));
    }
    for kept in [Kept::Event(event()), Kept::End { complete: false }] {
        assert_eq!(Kept::decode(&kept.encode().into()), Ok(kept));
    }
}

#[test]
fn what_is_said_of_keys_reads_back_as_it_was() {
    let ask = Ask {
        key: [1; 32],
        digest: [2; 32],
    };
    assert_eq!(Ask::decode(&ask.encode()), Ok(ask));
    let called = |result| Keep::Called {
        served_by: "somebody".into(),
        result,
    };
    let late = Problem::new(ErrorCode::Timeout, "late");
    for keep in [
        Keep::Published(event().id),
        called(Ok(payload())),
        called(Err(late.clone())),
    ] {
        assert_eq!(Keep::decode(&keep.encode().into()), Ok(keep.clone()));
        let told = Told::Again(keep);
        assert_eq!(Told::decode(&told.encode().into()), Ok(told));
    }
    for told in [Told::First, Told::Refused(late)] {
        assert_eq!(Told::decode(&told.encode().into()), Ok(told));
    }
}

#[test]
fn a_small_payload_stands_for_itself_and_a_large_one_is_not_copied() {
    let check = |length: usize, shares: bool| {
        let mut event = event();
        event.payload = vec![b' '; length].into();
        let frame = Bytes::from(Link::Event(event).encode());
        let Ok(Link::Event(read)) = decode(&frame) else {
            panic!("expected the event");
        };
        assert_eq!(read.payload.len(), length);
        assert_eq!(
            frame.as_ptr_range().contains(&read.payload.as_ptr()),
            shares
        );
    };
    check(128, false);
    check((32 << 10) - 1, false);
    check(32 << 10, true);
}

#[test]
fn no_peer_brings_in_what_no_client_could() {
    let mut odd = event();
    odd.headers = vec![("x".into(), "y".repeat(2_048).into()); 2];
    let frame = Link::Event(odd).encode().into();
    assert!(matches!(decode(&frame), Err(PeerError::Bound(_))));
    let mut frame = Link::Event(event()).encode();
    let at = frame.windows(4).position(|w| w == b"home").unwrap();
    frame[at + 1] = b'/';
    assert!(matches!(decode(&frame.into()), Err(PeerError::Name(_))));
    assert_eq!(decode(&Bytes::new()), Err(PeerError::Kind(None)));
    assert_eq!(Resume::decode(&[99]), Err(PeerError::Kind(Some(99))));
}

#[test]
fn headers_are_not_read_beyond_their_number() {
    let mut odd = event();
    odd.headers = vec![("name".into(), "value".into()); 18];
    let mut frame = Link::Event(odd).encode();
    // The last one is no text: whoever reads as far finds that.
    let last = frame.windows(5).rposition(|w| w == b"value").unwrap();
    frame[last] = 0xFF;
    let refused = Link::decode(&frame.into(), &mut Names::default()).unwrap_err();
    assert!(refused.to_string().contains("16 headers"), "{refused}");
}

#[test]
fn a_number_in_an_error_crosses_nodes_as_it_is() {
    let handler = HandlerError::new("odd", "too large");
    let data = serde_json::from_str::<serde_json::Value>("11111109e111").unwrap();
    let answer = Answer::Problem(Problem::handler(handler.with(data)));
    assert_eq!(Answer::decode(&answer.encode().into()), Ok(answer));
}

#[test]
fn a_frame_with_more_members_is_refused() {
    for members in [&[0x91, 1][..], &[0x93, 1, 2, 3]] {
        let frame = [&[0], members].concat();
        assert!(matches!(Resume::decode(&frame), Err(PeerError::Members(_))));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(kind in 0..5_u8, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut frame = vec![kind];
        frame.extend(bytes);
        let frame = Bytes::from(frame);
        let _ = decode(&frame);
        let _ = Resume::decode(&frame);
        let _ = Request::decode(&frame);
        let _ = Answer::decode(&frame);
        let _ = Wanted::decode(&frame);
        let _ = Kept::decode(&frame);
        let _ = Ask::decode(&frame);
        let _ = Told::decode(&frame);
        let _ = Keep::decode(&frame);
    }

    #[test]
    fn a_frame_with_one_byte_changed_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for frame in [Link::Event(event()).encode(), request().encode()] {
            let mut frame = frame;
            let at = at.index(frame.len());
            frame[at] = byte;
            let frame = Bytes::from(frame);
            let _ = decode(&frame);
            let _ = Request::decode(&frame);
        }
    }
}
