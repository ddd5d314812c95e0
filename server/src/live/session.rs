//! One live session: the state, and who drives its operations.

use std::{sync::Arc, time::Duration};

use macula_mesh::{Payload, Progress, Registration, rpc::Failure};
use macula_proto::{
    EventId, Problem,
    frame::{self, GatewayFrame, Refusal, Report, Resume},
    live::{BeginError, Kind, Machine, OtherKind, Resumed},
};
use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as AsyncMutex, oneshot, watch},
    task::AbortHandle,
    time::Instant,
};

use super::{link::Link, outlet::Outlet};
use crate::{
    api::{Gateway, principal::Principal},
    session::{Session, StreamGuard},
};

/// A live session. It outlives its transports by the grace.
#[derive(Debug)]
pub(crate) struct Live {
    /// Its name, which `resume` gives.
    pub(super) id: Arc<str>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) session: Arc<Session>,
    /// While it lives its session is not idle.
    _stream: StreamGuard,
    epoch: Instant,
    state: Mutex<State>,
    /// Counts the transports that the session has had and lost.
    changes: watch::Sender<u64>,
    /// Held while a frame beyond the quota waits for its refusal.
    pub(super) refusing: AsyncMutex<()>,
}

#[derive(Debug)]
struct State {
    machine: Machine<Operation, Invocation>,
    link: Option<Arc<Link>>,
}

/// What keeps an operation going.
#[derive(Debug)]
pub(super) enum Operation {
    /// A task that answers.
    Task(AbortHandle),
    /// The mesh, which calls; it stops when this is dropped.
    Service(Registration),
    /// Nothing: it is answered at once.
    Now,
}

impl Operation {
    fn stop(self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

/// A call that waits for the client's answer. Dropping it ends the call.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) answer: oneshot::Sender<Result<Payload, Failure>>,
    pub(super) progress: Progress,
}

impl Live {
    /// A session on its first transport.
    pub(super) fn new(
        id: Arc<str>,
        gateway: Arc<Gateway>,
        stream: StreamGuard,
        link: Arc<Link>,
    ) -> Self {
        let settings = &gateway.settings;
        let limits = settings.live.bounds(settings.max_body_bytes);
        let grace = Duration::from_secs(settings.live.grace_seconds);
        Self {
            id,
            session: Arc::clone(stream.session()),
            _stream: stream,
            epoch: Instant::now(),
            state: Mutex::new(State {
                machine: Machine::new(limits, grace),
                link: Some(link),
            }),
            changes: watch::channel(0).0,
            refusing: AsyncMutex::new(()),
            gateway,
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(super) fn principal(&self) -> Principal {
        Principal::Session(Arc::clone(&self.session))
    }

    /// The bounds, as the client is told.
    pub(super) fn limits(&self) -> frame::Bounds {
        self.state.lock().machine.limits().clone()
    }

    /// Begins an operation; see [`Machine::begin`].
    pub(super) fn begin(
        &self,
        id: u64,
        kind: Kind,
        bytes: usize,
        operation: impl FnOnce() -> Operation,
    ) -> Result<(), Refused> {
        let begun = self.state.lock().machine.begin(id, kind, bytes, operation);
        begun.map_err(|error| match error {
            BeginError::InUse(_) => Refused::of(None, error),
            BeginError::Full { .. } => Refused::of(id, error),
        })
    }

    /// Ends an operation because the client says so.
    pub(super) fn end(&self, id: u64, kind: Kind) -> Result<(), OtherKind> {
        let ended = self.state.lock().machine.end(id, kind)?;
        if let Some(operation) = ended {
            operation.stop();
        }
        Ok(())
    }

    /// Ends an operation that its client has given up, from inside of its own task.
    pub(super) fn forget(&self, id: u64, kind: Kind) {
        // It may have ended at the same time.
        let _ = self.state.lock().machine.end(id, kind);
    }

    /// Whether an operation has this number.
    pub(super) fn has(&self, id: u64) -> bool {
        self.state.lock().machine.owner(id).is_some()
    }

    /// Ends an operation with its answer: where it came from, or on the transport that the session
    /// is on by now. While that is away the answer is kept.
    pub(super) async fn answer(&self, id: u64, answer: GatewayFrame, outlet: Outlet) {
        let link = {
            let mut state = self.state.lock();
            if !state.machine.answered(id, &answer, self.now()) {
                return;
            }
            state.link.clone()
        };
        // A loss is no matter: what was lost is asked for when the client is back.
        let _ = match link {
            Some(link) if outlet.is_on(&link) => outlet.finish(&answer).await,
            Some(link) => Outlet::main(link).finish(&answer).await,
            None => Ok(()),
        };
    }

    /// The problem of an operation, as a frame.
    pub(super) fn error(&self, id: Option<u64>, problem: &Problem) -> GatewayFrame {
        let instance = match id {
            Some(id) => format!("{}.{id}", self.id),
            None => self.id.to_string(),
        };
        let problem = Box::new(Report::of(problem, instance));
        frame::Error { id, problem }.into()
    }

    /// Begins an invocation on the transport; none while it is away.
    pub(super) fn invoke(&self, invocation: Invocation) -> Option<(u64, Arc<Link>)> {
        let mut state = self.state.lock();
        let link = state.link.clone()?;
        let id = state.machine.invoke(|_| invocation)?;
        Some((id, link))
    }

    /// Ends an invocation, and gives what waits for its answer.
    pub(super) fn finish(&self, id: u64) -> Option<Invocation> {
        self.state.lock().machine.finish(id)
    }

    /// Tells the caller of an invocation how far it is.
    pub(super) fn progress(&self, id: u64, payload: Payload) {
        if let Some(invocation) = self.state.lock().machine.invocation(id) {
            invocation.progress.offer(payload);
        }
    }

    /// The transport at the moment.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.state.lock().link.clone()
    }

    /// Counts up whenever the transport is lost or comes back.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Where a subscription goes on, and on what; none while the transport is away.
    pub(super) fn position(&self, id: u64) -> Option<(EventId, Arc<Link>)> {
        let state = self.state.lock();
        Some((state.machine.position(id)?, state.link.clone()?))
    }

    /// The transport is lost, unless the session went on with another before.
    pub(super) fn lose(&self, link: &Arc<Link>) {
        link.lose();
        let mut state = self.state.lock();
        if !state
            .link
            .as_ref()
            .is_some_and(|now| Arc::ptr_eq(now, link))
        {
            return;
        }
        state.link = None;
        state.machine.lose(self.now());
        state.set_away(true);
        drop(state);
        self.changed();
    }

    /// Goes on with another transport. Gives the one before, if it still stands.
    pub(super) fn resume(
        &self,
        resume: &Resume,
        link: Arc<Link>,
    ) -> Result<(Vec<GatewayFrame>, Vec<u64>), Problem> {
        let mut state = self.state.lock();
        let Resumed {
            answers,
            unknown,
            ended,
            abandoned,
        } = state.machine.resume(resume)?;
        let before = state.link.replace(link);
        state.set_away(false);
        drop(state);
        if let Some(before) = before {
            before.close(super::link::Closing::ELSEWHERE);
        }
        ended.into_iter().for_each(Operation::stop);
        drop(abandoned);
        self.changed();
        Ok((answers, unknown))
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Whether the client did not come back in time, or its session has ended meanwhile. Forgets
    /// what is kept too long.
    pub(super) fn is_over(&self) -> bool {
        let mut state = self.state.lock();
        let now = self.now();
        state.machine.expire(now);
        let ended = self.session.ended().is_cancelled();
        state.machine.is_over(now) || (ended && state.machine.is_away())
    }

    /// Ends all that the session has.
    pub(super) fn close(&self) {
        let (operations, invocations) = {
            let mut state = self.state.lock();
            state.link = None;
            state.machine.lose(self.now());
            state.machine.close()
        };
        operations.into_iter().for_each(Operation::stop);
        drop(invocations);
    }

    /// How many calls and invocations have no answer yet.
    pub(super) fn in_flight(&self) -> u64 {
        self.state.lock().machine.in_flight()
    }
}

impl State {
    fn set_away(&self, away: bool) {
        for operation in self.machine.owners() {
            if let Operation::Service(registration) = operation {
                registration.set_away(away);
            }
        }
    }
}

/// Why a frame is refused, and for which operation.
#[derive(Debug)]
pub(super) struct Refused {
    /// Its number; none when the answer must not be taken for the operation's.
    pub(super) id: Option<u64>,
    pub(super) problem: Box<Problem>,
}

impl Refused {
    /// Refuses an operation.
    pub(super) fn of(id: impl Into<Option<u64>>, problem: impl Into<Problem>) -> Self {
        Self {
            id: id.into(),
            problem: Box::new(problem.into()),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::of(refusal.id, refusal.fault)
    }
}
