//! The caller's end of a call, and where a local handler runs.
//!
//! The handler's future is polled by whoever polls the reply, so an answer that is ready at once
//! costs no task, no channel and no timer. Only a handler that has to wait gets a deadline and a
//! watch on its provider. Dropping the reply drops the handler.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures_util::{
    Stream, StreamExt,
    future::{BoxFuture, Either, select},
};
use macula_proto::{ErrorCode, Problem, Procedure};
use tokio::{
    sync::{OwnedSemaphorePermit, TryAcquireError, mpsc},
    time::{Instant, sleep_until},
};

use super::{Call, Failure, Invocation, Payload, Progress, providers::Provider};

/// How much progress may wait for the caller; a handler that is faster waits.
const PROGRESS_QUEUE: usize = 16;

/// What a call answers: progress, if it was wanted, and one end.
#[derive(Debug, Clone)]
pub enum Answer {
    /// How far the call is.
    Progress(Payload),
    /// The result, or why there is none. Nothing follows.
    Done(Result<Payload, Problem>),
}

/// A call in flight: a stream of [`Answer`]s. Dropping it gives the call up.
pub struct Reply {
    provider: Arc<Provider>,
    calls: Arc<AtomicUsize>,
    procedure: Procedure,
    deadline: Instant,
    progress: Option<mpsc::Receiver<Payload>>,
    state: State,
    /// Made when the call has to wait: ends with why it is over before its handler is.
    end: Option<BoxFuture<'static, Problem>>,
}

enum State {
    /// Has no place at the provider yet.
    Fresh(Invocation),
    /// Waits for a place.
    Waiting(
        BoxFuture<'static, Option<OwnedSemaphorePermit>>,
        Option<Invocation>,
    ),
    /// The handler runs.
    Running(
        BoxFuture<'static, Result<Payload, Failure>>,
        OwnedSemaphorePermit,
    ),
    /// [`Answer::Done`] was given.
    Done,
}

impl Reply {
    pub(super) fn new(call: Call, provider: Arc<Provider>, calls: Arc<AtomicUsize>) -> Self {
        let channel = call.wants_progress.then(|| mpsc::channel(PROGRESS_QUEUE));
        let (sender, progress) = channel.unzip();
        Self {
            provider,
            calls,
            procedure: call.procedure.clone(),
            deadline: call.deadline,
            progress,
            state: State::Fresh(Invocation {
                realm: call.realm,
                procedure: call.procedure,
                caller: call.caller,
                argument: call.argument,
                headers: call.headers,
                deadline: call.deadline,
                progress: Progress::to(sender),
            }),
            end: None,
        }
    }

    pub(super) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Who answers: the name of the provider.
    #[must_use]
    pub fn served_by(&self) -> Arc<str> {
        Arc::clone(&self.provider.name)
    }

    /// Waits for the end, leaving out progress.
    ///
    /// # Errors
    /// The problem that ended the call: the handler's own error, `timeout`, `provider_unavailable`,
    /// or `internal` when the handler panicked.
    pub async fn result(mut self) -> Result<Payload, Problem> {
        while let Some(answer) = self.next().await {
            if let Answer::Done(result) = answer {
                return result;
            }
        }
        Err(Problem::new(
            ErrorCode::Internal,
            "the call had ended before",
        ))
    }

    /// The next answer, or what the call waits for.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Fresh(invocation) => {
                    let places = Arc::clone(&self.provider.places);
                    self.state = match Arc::clone(&places).try_acquire_owned() {
                        Ok(place) => self.start(invocation, place),
                        Err(TryAcquireError::Closed) => {
                            return Poll::Ready(Answer::Done(Err(unavailable(&self.procedure))));
                        }
                        Err(TryAcquireError::NoPermits) => {
                            let place = async move { places.acquire_owned().await.ok() };
                            State::Waiting(Box::pin(place), Some(invocation))
                        }
                    };
                }
                State::Waiting(mut place, mut invocation) => match place.as_mut().poll(cx) {
                    Poll::Ready(Some(place)) => {
                        let invocation = invocation.take().expect("it is taken once");
                        self.state = self.start(invocation, place);
                    }
                    Poll::Ready(None) => {
                        return Poll::Ready(Answer::Done(Err(unavailable(&self.procedure))));
                    }
                    Poll::Pending => {
                        self.state = State::Waiting(place, invocation);
                        return self.poll_end(cx).map(|problem| Answer::Done(Err(problem)));
                    }
                },
                State::Running(mut handler, place) => {
                    let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx)));
                    let polled = polled.unwrap_or_else(|panic| {
                        Poll::Ready(Err(panicked(&self.procedure, &*panic).into()))
                    });
                    if polled.is_ready()
                        && let Some(progress) = &mut self.progress
                    {
                        // Whom the handler has left a sender with tells nothing more.
                        progress.close();
                    }
                    // What was told before the end is delivered before it.
                    if let Some(told) = self.poll_progress(cx) {
                        if polled.is_pending()
                            && let Some(problem) = self.overdue()
                        {
                            return Poll::Ready(Answer::Done(Err(problem)));
                        }
                        let handler = match polled {
                            Poll::Pending => handler,
                            Poll::Ready(result) => Box::pin(std::future::ready(result)),
                        };
                        self.state = State::Running(handler, place);
                        return Poll::Ready(Answer::Progress(told));
                    }
                    if let Poll::Ready(result) = polled {
                        return Poll::Ready(Answer::Done(result.map_err(Problem::from)));
                    }
                    self.state = State::Running(handler, place);
                    return self.poll_end(cx).map(|problem| Answer::Done(Err(problem)));
                }
                State::Done => return Poll::Ready(self.over("the call had ended before")),
            }
        }
    }

    fn start(&self, invocation: Invocation, place: OwnedSemaphorePermit) -> State {
        let handler = &self.provider.handler;
        let called = catch_unwind(AssertUnwindSafe(|| handler.call(invocation)));
        let answer = called.unwrap_or_else(|panic| {
            let problem = panicked(&self.procedure, &*panic);
            Box::pin(std::future::ready(Err(problem.into())))
        });
        State::Running(answer, place)
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Option<Payload> {
        match self.progress.as_mut()?.poll_recv(cx) {
            Poll::Ready(Some(told)) => Some(told),
            Poll::Ready(None) => {
                self.progress = None;
                None
            }
            Poll::Pending => None,
        }
    }

    /// Why the call is over although its handler is not.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Problem> {
        let end = self.end.get_or_insert_with(|| {
            let gone = self.provider.gone.clone();
            let deadline = self.deadline;
            let procedure = self.procedure.clone();
            Box::pin(async move {
                let gone = std::pin::pin!(gone.cancelled());
                let late = std::pin::pin!(sleep_until(deadline));
                match select(gone, late).await {
                    Either::Left(_) => unavailable(&procedure),
                    Either::Right(_) => late_answer(&procedure),
                }
            })
        });
        let problem = ready!(end.as_mut().poll(cx));
        self.state = State::Done;
        Poll::Ready(problem)
    }

    /// As [`poll_end`](Self::poll_end), for a handler that tells progress without a pause: such a
    /// call is never idle, so it looks at the time itself.
    fn overdue(&self) -> Option<Problem> {
        if self.provider.gone.is_cancelled() {
            return Some(unavailable(&self.procedure));
        }
        (Instant::now() >= self.deadline).then(|| late_answer(&self.procedure))
    }

    fn over(&self, why: &str) -> Answer {
        let detail = format!("{}: {why}", self.procedure);
        Answer::Done(Err(Problem::new(ErrorCode::Internal, detail)))
    }
}

fn unavailable(procedure: &Procedure) -> Problem {
    let detail = format!("the provider of {procedure} went away");
    Problem::new(ErrorCode::ProviderUnavailable, detail)
}

fn late_answer(procedure: &Procedure) -> Problem {
    let detail = format!("{procedure} did not answer before the deadline");
    Problem::new(ErrorCode::Timeout, detail)
}

/// The problem that a caller sees when a handler panics; the log sees the message.
fn panicked(procedure: &Procedure, panic: &(dyn Any + Send)) -> Problem {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(%procedure, message, "a handler panicked");
    let detail = format!("the handler of {procedure} failed");
    Problem::new(ErrorCode::Internal, detail)
}

impl Stream for Reply {
    type Item = Answer;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Answer>> {
        if matches!(self.state, State::Done) {
            return Poll::Ready(None);
        }
        self.poll_answer(cx).map(Some)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.provider.load.fetch_sub(1, Ordering::Relaxed);
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("procedure", &self.procedure)
            .field("provider", &self.provider.name)
            .finish_non_exhaustive()
    }
}
