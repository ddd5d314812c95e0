//! What is under way in a session, without IO: what each frame of the gateway's means for it, and what
//! goes on after a loss.

use std::collections::BTreeMap;

use macula_proto::{
    Payload,
    frame::{Cancel, ClientFrame, GatewayFrame, Invoke, Position, Resume, Unserve, Unsubscribe},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{Error, service::Handler, subscription::Events};

/// All that a session has begun and not ended.
#[derive(Debug, Default)]
pub(crate) struct Book {
    last: u64,
    operations: BTreeMap<u64, Operation>,
    /// Calls that are answered here, with what stops each.
    invocations: BTreeMap<u64, CancellationToken>,
    /// Events that were missed in all.
    missed: u64,
}

#[derive(Debug)]
struct Operation {
    request: ClientFrame,
    /// Whether the gateway may know of it.
    sent: bool,
    sink: Sink,
}

/// Where what the gateway says goes.
#[derive(Debug)]
pub(crate) enum Sink {
    /// One answer.
    Answer {
        answer: oneshot::Sender<Result<GatewayFrame, Error>>,
        progress: Option<mpsc::Sender<Payload>>,
    },
    /// Events until their reader goes.
    Events(Events),
    /// Calls of a procedure.
    Service {
        ready: Option<oneshot::Sender<Result<(), Error>>>,
        handler: Handler,
    },
}

impl Sink {
    fn fail(self, error: Error) {
        match self {
            Self::Answer { answer, .. } => drop(answer.send(Err(error))),
            Self::Events(events) => events.fail(error),
            Self::Service { ready, handler } => match ready {
                Some(ready) => drop(ready.send(Err(error))),
                None => handler.fail(&error),
            },
        }
    }
}

/// A call to answer.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) invoke: Invoke,
    pub(crate) handler: Handler,
    /// Cancelled when nobody waits for the answer any more.
    pub(crate) given_up: CancellationToken,
}

/// How much is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) subscriptions: usize,
    pub(crate) services: usize,
    pub(crate) calls: usize,
    pub(crate) missed: u64,
}

impl Book {
    /// Begins an operation. The request is made for its number.
    pub(crate) fn begin(
        &mut self,
        request: impl FnOnce(u64) -> ClientFrame,
        sink: Sink,
        sent: bool,
    ) -> (u64, &ClientFrame) {
        self.last += 1;
        let id = self.last;
        let operation = Operation {
            request: request(id),
            sent,
            sink,
        };
        let operation = self.operations.entry(id).insert_entry(operation);
        (id, &operation.into_mut().request)
    }

    /// What was thought to be sent was not.
    pub(crate) fn not_sent(&mut self, id: u64) {
        if let Some(operation) = self.operations.get_mut(&id) {
            operation.sent = false;
        }
    }

    /// Ends an operation that nobody waits for any more; what to say of it, if it goes on there.
    pub(crate) fn give_up(&mut self, id: u64) -> Option<ClientFrame> {
        let operation = self.operations.remove(&id)?;
        match operation.request {
            _ if !operation.sent => None,
            ClientFrame::Subscribe(_) => Some(Unsubscribe { id }.into()),
            ClientFrame::Serve(_) => Some(Unserve { id }.into()),
            ClientFrame::Unserve(_) => None,
            _ => Some(Cancel { id }.into()),
        }
    }

    /// Stops serving; what to say of it. The answer comes when the gateway has ended it.
    pub(crate) fn stop_serving(
        &mut self,
        id: u64,
        answer: oneshot::Sender<Result<GatewayFrame, Error>>,
    ) -> Option<ClientFrame> {
        let operation = self.operations.get_mut(&id)?;
        operation.request = Unserve { id }.into();
        operation.sink = Sink::Answer {
            answer,
            progress: None,
        };
        Some(operation.request.clone())
    }

    /// Takes what the gateway says; a call to answer, if it is one.
    pub(crate) fn take(&mut self, frame: GatewayFrame) -> Option<Invocation> {
        match frame {
            GatewayFrame::CallResult(_)
            | GatewayFrame::Published(_)
            | GatewayFrame::Discovered(_)
            | GatewayFrame::Ended(_) => self.answered(frame),
            GatewayFrame::Error(error) => match error.id {
                Some(id) => self.fail(id, error.problem.into()),
                None => {
                    tracing::warn!(problem = %error.problem.detail, "the gateway refuses a frame");
                }
            },
            GatewayFrame::CallProgress(told) => {
                if let Some(Sink::Answer {
                    progress: Some(progress),
                    ..
                }) = self.sink(told.id)
                {
                    // A reader that is too slow misses some: progress is only news.
                    let _ = progress.try_send(told.payload);
                }
            }
            GatewayFrame::Subscribed(subscribed) => {
                if let Some(Sink::Events(events)) = self.sink(subscribed.id) {
                    events.subscribed(subscribed.position);
                }
            }
            GatewayFrame::EventFrame(event) => {
                if let Some(Sink::Events(events)) = self.sink(event.id) {
                    self.missed += events.event(event.event);
                }
            }
            GatewayFrame::Missed(gap) => {
                if let Some(Sink::Events(events)) = self.sink(gap.id) {
                    events.gap(gap.missed, gap.reason);
                    self.missed += gap.missed.unwrap_or(0);
                }
            }
            GatewayFrame::Served(served) => {
                if let Some(Sink::Service { ready, .. }) = self.sink(served.id)
                    && let Some(ready) = ready.take()
                {
                    let _ = ready.send(Ok(()));
                }
            }
            GatewayFrame::Invoke(invoke) => {
                if let Some(Sink::Service { handler, .. }) = self.sink(invoke.serve) {
                    let handler = handler.clone();
                    let given_up = CancellationToken::new();
                    self.invocations.insert(invoke.id, given_up.clone());
                    return Some(Invocation {
                        invoke,
                        handler,
                        given_up,
                    });
                }
            }
            GatewayFrame::Revoked(revoked) => {
                if let Some(given_up) = self.invocations.remove(&revoked.id) {
                    given_up.cancel();
                }
            }
            GatewayFrame::Welcome(_) | GatewayFrame::Goaway(_) | GatewayFrame::Pong(_) => {}
        }
        None
    }

    fn sink(&mut self, id: u64) -> Option<&mut Sink> {
        Some(&mut self.operations.get_mut(&id)?.sink)
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            missed: self.missed,
            ..Counts::default()
        };
        for operation in self.operations.values() {
            match operation.sink {
                Sink::Events(_) => counts.subscriptions += 1,
                Sink::Service { .. } => counts.services += 1,
                Sink::Answer { .. } => {
                    counts.calls += usize::from(matches!(operation.request, ClientFrame::Call(_)));
                }
            }
        }
        counts
    }

    fn answered(&mut self, frame: GatewayFrame) {
        let id = match &frame {
            GatewayFrame::CallResult(result) => result.id,
            GatewayFrame::Published(published) => published.id,
            GatewayFrame::Discovered(found) => found.id,
            GatewayFrame::Ended(ended) => ended.id,
            _ => return,
        };
        // One that was given up has none to tell; a subscription that ends so has no sink to answer.
        if let Some(operation) = self.operations.remove(&id)
            && let Sink::Answer { answer, .. } = operation.sink
        {
            let _ = answer.send(Ok(frame));
        }
    }

    /// Ends an operation with an error.
    pub(crate) fn fail(&mut self, id: u64, error: Error) {
        if let Some(operation) = self.operations.remove(&id) {
            operation.sink.fail(error);
        }
    }

    /// Ends all that was asked for; calls that are answered here go on. What to say of it: a call that is
    /// given up is cancelled at once. All else ends with the session.
    pub(crate) fn shut(&mut self, error: &Error) -> Vec<ClientFrame> {
        let mut frames = Vec::new();
        for (id, operation) in std::mem::take(&mut self.operations) {
            if operation.sent && matches!(operation.request, ClientFrame::Call(_)) {
                frames.push(Cancel { id }.into());
            }
            operation.sink.fail(error.clone());
        }
        frames
    }

    /// Ends everything.
    pub(crate) fn close(&mut self, error: &Error) {
        self.shut(error);
        self.stop_invocations();
    }

    fn stop_invocations(&mut self) {
        let invocations = std::mem::take(&mut self.invocations).into_values();
        invocations.for_each(|given_up| given_up.cancel());
    }

    /// A call is answered; false when nobody waits for the answer any more.
    pub(crate) fn has_answered(&mut self, id: u64) -> bool {
        self.invocations.remove(&id).is_some()
    }

    /// With what the session goes on.
    pub(crate) fn resume(&self, session: &str) -> Resume {
        let mut resume = Resume {
            session: session.to_owned(),
            invokes: self.invocations.keys().copied().collect(),
            ..Resume::default()
        };
        let may_go_on = |operation: &Operation| operation.sent && !operation.is_end();
        for (&id, operation) in self.operations.iter().filter(|(_, o)| may_go_on(o)) {
            match &operation.sink {
                Sink::Events(events) => {
                    let position = events
                        .position()
                        .map(|last_event_id| Position { id, last_event_id });
                    resume.subscriptions.extend(position);
                }
                Sink::Answer { .. } | Sink::Service { .. } => resume.pending.push(id),
            }
        }
        resume
    }

    /// The session goes on, and the gateway knows nothing of these. What to say (again).
    pub(crate) fn resumed(&mut self, unknown: &[u64]) -> Vec<ClientFrame> {
        self.again(|id, operation| {
            let positioned = match &operation.sink {
                Sink::Events(events) => events.position().is_some(),
                Sink::Answer { .. } | Sink::Service { .. } => true,
            };
            operation.sent && positioned && !operation.is_end() && !unknown.contains(&id)
        })
    }

    /// A new session has begun in place of one that could not go on. What to say again.
    pub(crate) fn anew(&mut self) -> Vec<ClientFrame> {
        self.stop_invocations();
        self.again(|_, _| false)
    }

    /// What to say again of all that does not go on. What must not be said twice has failed.
    fn again(&mut self, goes_on: impl Fn(u64, &Operation) -> bool) -> Vec<ClientFrame> {
        let mut frames = Vec::new();
        let mut lost = Vec::new();
        for (&id, operation) in &mut self.operations {
            if goes_on(id, operation) {
                continue;
            }
            if !operation.may_repeat() {
                lost.push(id);
                continue;
            }
            if let (Sink::Events(events), ClientFrame::Subscribe(subscribe)) =
                (&operation.sink, &mut operation.request)
            {
                subscribe.after = events.position().or(subscribe.after);
            }
            operation.sent = true;
            frames.push(operation.request.clone());
        }
        for id in lost {
            self.fail(id, Error::Lost);
        }
        frames
    }
}

impl Operation {
    /// Whether it is the end of another, which does not go on then.
    fn is_end(&self) -> bool {
        matches!(self.request, ClientFrame::Unserve(_))
    }

    /// Whether to say it twice is no harm.
    fn may_repeat(&self) -> bool {
        !self.sent
            || match &self.request {
                ClientFrame::Call(call) => call.idempotency_key.is_some(),
                ClientFrame::Publish(publish) => publish.idempotency_key.is_some(),
                _ => true,
            }
    }
}

#[cfg(test)]
mod tests;
