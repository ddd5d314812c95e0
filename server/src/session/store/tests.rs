use std::net::IpAddr;

use super::*;
use crate::session::{Tickets, ticket};

fn store(settings: Settings) -> Sessions {
    Sessions::new(settings, CancellationToken::new())
}

fn open(store: &Sessions, host: u8, now: Instant) -> Result<(Secret, Arc<Session>), OpenError> {
    let realm = Realm::parse("dev").unwrap();
    let address = Address::from(IpAddr::from([192, 0, 2, host]));
    store.open(realm, "anna".into(), address, now)
}

fn find(store: &Sessions, token: &Secret, now: Instant) -> Result<(), FindError> {
    store.find(&token.text(), now).map(|_| ())
}

#[test]
fn an_ended_session_is_told_from_an_unknown_token() {
    let (store, now) = (store(Settings::default()), Instant::now());
    let (token, session) = open(&store, 1, now).unwrap();
    assert_eq!(find(&store, &token, now), Ok(()));
    assert_eq!(
        find(&store, &Secret::random(), now),
        Err(FindError::Unknown)
    );
    store.end(&session);
    assert!(session.ended().is_cancelled());
    assert_eq!(find(&store, &token, now), Err(FindError::Ended));
}

#[test]
fn an_unused_session_ends_and_a_stream_keeps_it_open() {
    let settings = Settings {
        idle_seconds: 10,
        lifetime_seconds: 100,
        ..Settings::default()
    };
    let (store, start) = (store(settings), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let (token, session) = open(&store, 1, start).unwrap();
    assert_eq!(find(&store, &token, at(9)), Ok(()));
    assert_eq!(find(&store, &token, at(18)), Ok(()));
    let stream = session.stream(1).unwrap();
    assert!(session.stream(1).is_none());
    store.sweep(at(60));
    assert_eq!(store.len(), 1);
    drop(stream);
    assert!(session.stream(1).is_some());
    store.sweep(at(101));
    assert!(session.ended().is_cancelled() && store.is_empty());
    assert_eq!(find(&store, &token, at(101)), Err(FindError::Ended));
}

#[test]
fn lesson_3_tables_return_to_empty() {
    let (store, now) = (store(Settings::default()), Instant::now());
    for host in 1..=5 {
        let (_, session) = open(&store, host, now).unwrap();
        store.end(&session);
        store.end(&session);
    }
    let table = store.table.read();
    assert!(table.live.is_empty() && table.by_address.is_empty());
    assert_eq!(table.ended.order.len(), 5);
}

#[test]
fn sessions_are_bounded_on_the_node_and_from_an_address() {
    let settings = Settings {
        max: 3,
        max_per_address: 2,
        max_ended: 1,
        ..Settings::default()
    };
    let (store, now) = (store(settings), Instant::now());
    let (first, session) = open(&store, 1, now).unwrap();
    open(&store, 1, now).unwrap();
    assert_eq!(open(&store, 1, now).unwrap_err(), OpenError::Address(2));
    let (_, third) = open(&store, 2, now).unwrap();
    assert_eq!(open(&store, 3, now).unwrap_err(), OpenError::Node(3));
    store.end(&session);
    open(&store, 1, now).unwrap();
    store.end(&third);
    assert_eq!(
        find(&store, &first, now),
        Err(FindError::Unknown),
        "one is remembered"
    );
}

#[test]
fn lesson_26_a_ticket_is_good_once_and_for_a_short_time() {
    let (store, now) = (store(Settings::default()), Instant::now());
    let (_, session) = open(&store, 1, now).unwrap();
    let tickets = Tickets::default();
    let issue = || tickets.issue(&session, now).unwrap().text();
    let ticket = issue();
    assert_eq!(
        tickets.redeem(&ticket, now).map(|s| s.id.clone()),
        Some(session.id.clone())
    );
    assert!(tickets.redeem(&ticket, now).is_none(), "used");
    assert!(
        tickets.redeem(&issue(), now + ticket::LIFETIME).is_none(),
        "too old"
    );
    assert!(tickets.redeem("rubbish", now).is_none());
}

#[test]
fn tickets_are_bounded_and_come_back_when_they_are_swept() {
    let (store, now) = (store(Settings::default()), Instant::now());
    let (_, session) = open(&store, 1, now).unwrap();
    let tickets = Tickets::default();
    for _ in 0..ticket::MAX_TICKETS_PER_SESSION {
        tickets.issue(&session, now).unwrap();
    }
    assert_eq!(
        tickets.issue(&session, now),
        Err(ticket::TicketError::Session)
    );
    tickets.sweep(now + ticket::LIFETIME);
    assert!(tickets.issue(&session, now).is_ok());
}
