//! How a live session ends from the gateway's side.

use std::{sync::Arc, time::Duration};

use macula_proto::{
    ErrorCode, Problem,
    frame::{Goaway, Report},
};
use tokio::time::{Instant, sleep};

use super::{
    link::{Closing, Link, expired},
    session::Live,
};

/// How often a session that is about to end is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What becomes of a session whose transport has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client has said that it goes, or the gateway has: the session is over.
    Closed,
    /// The transport was lost: the session waits.
    Lost,
}

impl Ending {
    /// Does it.
    pub(super) fn carry_out(self, live: &Live, link: &Arc<Link>) {
        match self {
            Self::Lost => live.lose(link),
            Self::Closed => {
                link.lose();
                let current = live
                    .link()
                    .is_none_or(|current| Arc::ptr_eq(&current, link));
                if current {
                    live.gateway.lives.end(live);
                }
            }
        }
    }
}

/// Waits until the session has to end; tells the client, lets its calls end if the node goes down,
/// and closes the transport.
pub(super) async fn farewell(live: &Live, link: &Arc<Link>) {
    live.session.ended().cancelled().await;
    let draining = live.gateway.stopping.is_cancelled();
    let (problem, seconds) = match draining {
        true => {
            let problem = Problem::new(ErrorCode::Draining, "the node is shutting down");
            (problem, live.gateway.settings.live.goaway_seconds)
        }
        false => (expired(), 0),
    };
    let goaway = Goaway {
        problem: Box::new(Report::of(&problem, live.id.to_string())),
        seconds,
    };
    // Who does not take it is closed all the same.
    let _ = link.send(&goaway.into()).await;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while live.in_flight() > 0 && Instant::now() < deadline {
        sleep(LOOK).await;
    }
    link.close(Closing::of(problem.code));
    link.lost().await;
}
