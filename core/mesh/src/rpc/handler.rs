//! What a provider does with a call.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use macula_proto::{HandlerError, Headers, Problem, Procedure, Realm};
use tokio::{sync::mpsc, time::Instant};

use super::Payload;

/// Answers calls of a procedure.
///
/// The future runs in the caller's task and is dropped when the caller gives up, its time is over,
/// or the provider stops serving: that is how a handler is cancelled. It must not block.
pub trait Handler: Send + Sync + 'static {
    /// Answers one call.
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Payload, Failure>>;
}

impl<F, A> Handler for F
where
    F: Fn(Invocation) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Payload, Failure>> + Send + 'static,
{
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Payload, Failure>> {
        Box::pin(self(invocation))
    }
}

/// One call, as its handler sees it.
#[derive(Debug)]
pub struct Invocation {
    /// The realm of the call.
    pub realm: Realm,
    /// The procedure that was called.
    pub procedure: Procedure,
    /// The subject that calls.
    pub caller: Arc<str>,
    /// The argument.
    pub argument: Payload,
    /// Application headers.
    pub headers: Headers,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// Where progress goes.
    pub progress: Progress,
}

/// Tells a caller how far its call is.
#[derive(Debug, Clone)]
pub struct Progress(Option<mpsc::Sender<Payload>>);

impl Progress {
    pub(super) fn to(sender: Option<mpsc::Sender<Payload>>) -> Self {
        Self(sender)
    }

    /// True when the caller wants to know.
    #[must_use]
    pub fn wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Tells progress. Waits while the caller has not read what was told before; does nothing when
    /// the caller does not want it.
    pub async fn send(&self, progress: Payload) {
        if let Some(sender) = &self.0 {
            // A caller that has gone drops this handler as well.
            let _ = sender.send(progress).await;
        }
    }

    /// Tells progress if the caller has read enough of what was told before; else it is dropped, for
    /// whoever must not wait.
    pub fn offer(&self, progress: Payload) {
        if let Some(sender) = &self.0 {
            let _ = sender.try_send(progress);
        }
    }
}

/// Why a handler has no result.
#[derive(Debug, Clone)]
pub enum Failure {
    /// An error of the handler's own; the caller sees `handler_failed` with it inside.
    Handler(HandlerError),
    /// An error of the mesh, passed on as it is.
    Problem(Problem),
}

impl Failure {
    /// An error of the handler's own, without data.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Handler(HandlerError {
            code: code.into(),
            detail: detail.into(),
            data: None,
        })
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Handler(error) => Self::handler(error),
            Failure::Problem(problem) => problem,
        }
    }
}
