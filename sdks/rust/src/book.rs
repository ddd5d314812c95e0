//! What is under way in a session, without IO: what each frame of the gateway's means for it, and what
//! goes on after a loss.

use std::collections::BTreeMap;

use macula_proto::{
    Payload,
    frame::{Cancel, ClientFrame, GatewayFrame, Invoke, Position, Resume, Unserve, Unsubscribe},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use crate::{Error, service::Handler, subscription::Events};

/// All that a session has begun and not ended.
#[derive(Debug, Default)]
pub(crate) struct Book {
    last: u64,
    operations: BTreeMap<u64, Operation>,
    /// Calls that are answered here; none while its task is on the way.
    invocations: BTreeMap<u64, Option<AbortHandle>>,
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

/// What a frame asks for that is not a matter of the book alone.
#[derive(Debug)]
pub(crate) enum Todo {
    /// To answer a call.
    Invoke(Box<Invoke>, Handler),
    /// To stop answering one.
    Stop(AbortHandle),
    /// Nothing.
    Nothing,
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
        operation.sent.then(|| match operation.sink {
            Sink::Answer { .. } => Cancel { id }.into(),
            Sink::Events(_) => Unsubscribe { id }.into(),
            Sink::Service { .. } => Unserve { id }.into(),
        })
    }

    /// Takes what the gateway says.
    pub(crate) fn take(&mut self, frame: GatewayFrame) -> Todo {
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
                    events.event(event.event);
                }
            }
            GatewayFrame::Missed(gap) => {
                if let Some(Sink::Events(events)) = self.sink(gap.id) {
                    events.gap(gap.missed, gap.reason);
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
                    self.invocations.insert(invoke.id, None);
                    return Todo::Invoke(Box::new(invoke), handler);
                }
            }
            GatewayFrame::Revoked(revoked) => {
                if let Some(Some(task)) = self.invocations.remove(&revoked.id) {
                    return Todo::Stop(task);
                }
            }
            GatewayFrame::Welcome(_) | GatewayFrame::Goaway(_) | GatewayFrame::Pong(_) => {}
        }
        Todo::Nothing
    }

    fn sink(&mut self, id: u64) -> Option<&mut Sink> {
        Some(&mut self.operations.get_mut(&id)?.sink)
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

    /// Ends everything.
    pub(crate) fn close(&mut self, error: &Error) {
        for (_, operation) in std::mem::take(&mut self.operations) {
            operation.sink.fail(error.clone());
        }
        self.stop_invocations();
    }

    fn stop_invocations(&mut self) {
        let tasks = std::mem::take(&mut self.invocations)
            .into_values()
            .flatten();
        tasks.for_each(|task| task.abort());
    }

    /// Keeps the task that answers a call, unless the call is over.
    pub(crate) fn answering(&mut self, id: u64, task: AbortHandle) {
        if let Some(held) = self.invocations.get_mut(&id) {
            *held = Some(task);
        }
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
        for (&id, operation) in self.operations.iter().filter(|(_, o)| o.sent) {
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
            operation.sent && positioned && !unknown.contains(&id)
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
