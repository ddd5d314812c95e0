//! Whatever is asked of a live session, its bounds hold, and all that was begun is given back once.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use macula_proto::{
    EventId, MediaType, Payload,
    frame::{Bounds, CallResult, GatewayFrame, Position, Resume},
    live::{Kind, Machine},
};

const KINDS: [Kind; 3] = [Kind::Call, Kind::Subscription, Kind::Service];

// Each step is three bytes: what to do, a number, and how much.
fuzz_target!(|input: &[u8]| {
    let mut session = Machine::new(bounds(), Duration::from_secs(30));
    let (mut begun, mut over) = (0, 0);
    let mut now = Duration::ZERO;
    for step in input.chunks_exact(3) {
        let (what, id, much) = (step[0], u64::from(step[1]), step[2]);
        let kind = KINDS[usize::from(what >> 4) % KINDS.len()];
        now += Duration::from_secs(u64::from(much));
        match what % 8 {
            0 => begun += usize::from(session.begin(id, kind, much.into(), || id).is_ok()),
            1 => over += usize::from(matches!(session.end(id, kind), Ok(Some(_)))),
            2 => over += usize::from(session.answered(id, &answer(id, much), now)),
            3 => begun += usize::from(session.invoke(|invocation| invocation).is_some()),
            4 => over += usize::from(session.finish(id).is_some()),
            5 => session.lose(now),
            6 => over += resume(&mut session, id, much),
            _ => session.expire(now),
        }
        let found = session.owners().count() as u64;
        let Bounds { max_calls, max_subscriptions, max_procedures, .. } = bounds();
        assert!(found <= max_calls + max_subscriptions + max_procedures);
        assert!(!session.is_over(now) || session.is_away());
    }
    let (operations, invocations) = session.close();
    assert_eq!(begun, over + operations.len() + invocations.len());
    assert!(session.is_empty());
    assert_eq!(session.in_flight(), 0);
});

fn bounds() -> Bounds {
    Bounds {
        max_frame_bytes: 1_000,
        max_calls: 8,
        max_subscriptions: 4,
        max_procedures: 4,
        max_bytes_in_flight: 1_000,
    }
}

fn answer(id: u64, length: u8) -> GatewayFrame {
    let payload = Payload {
        content_type: MediaType::JSON,
        bytes: vec![b'1'; usize::from(length).max(1)].into(),
    };
    CallResult { id, served_by: None, payload }.into()
}

/// Comes back with the numbers from `first`, as calls and subscriptions by the bits of `which`; how
/// many operations and invocations are over then.
fn resume(session: &mut Machine<u64, u64>, first: u64, which: u8) -> usize {
    let mut resume = Resume::default();
    for bit in 0..8 {
        let id = first + bit;
        if which >> bit & 1 == 0 {
            resume.pending.push(id);
        } else {
            let last_event_id = EventId::from_u128(id.into());
            resume.subscriptions.push(Position { id, last_event_id });
        }
        resume.invokes.push(id);
    }
    let resumed = session.resume(&resume).expect("each is named once");
    let named = first..first + 8;
    let goes_on = named.clone().filter(|&id| session.owner(id).is_some()).count();
    assert_eq!(goes_on, session.owners().count());
    assert_eq!(goes_on + resumed.answers.len() + resumed.unknown.len(), 8);
    assert!(!session.is_away());
    resumed.ended.len() + resumed.abandoned.len()
}
