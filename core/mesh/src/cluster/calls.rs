//! Calls between nodes: the caller's node opens a stream straight to the provider's node.
//!
//! A stream carries one call at a time, and is kept for the next, so that a call costs no setting up and waits
//! behind no other. Whoever gives a call up drops the stream; the other side sees it reset and drops the handler.

use std::{io, sync::Arc, time::Duration};

use futures_util::{StreamExt, future::BoxFuture};
use macula_proto::{
    ErrorCode, Problem,
    peer::call::{Answer as Frame, Request},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, SemaphorePermit},
    task::coop::consume_budget,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    frames::{Frames, refused},
    progress::backlog,
};
use crate::{Answer, Call, Failure, Handler, Invocation, Payload, rpc::providers::Providers};

/// Streams without a call that are kept for the next ones, a peer.
const IDLE_STREAMS: usize = 32;
/// How long a caller may say that it waits; the gateway allows ten minutes.
const MAX_TIMEOUT: Duration = Duration::from_secs(600);

/// How much longer than the call a caller may take to read its answer, and a provider's node to give it. Until then
/// the call holds its stream, and the provider's place.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a call waits until there are fewer to its peer. One that waits longer is refused.
const TURN: Duration = Duration::from_secs(5);

/// Opens a stream for calls to one peer.
pub(crate) type Open<S> = Arc<dyn Fn() -> BoxFuture<'static, io::Result<S>> + Send + Sync>;

/// The streams for calls to one peer.
pub(crate) struct Pool<S> {
    open: Open<S>,
    /// A permit for each call that may be under way.
    turns: Semaphore,
    /// For large answers of the peer.
    room: Arc<Semaphore>,
    idle: Mutex<Vec<Frames<S>>>,
    /// Whether a stream may be kept.
    lasts: fn(&S) -> bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Pool<S> {
    /// For so many calls at a time. A stream is kept for another call as long as it lasts.
    pub(crate) fn new(
        open: Open<S>,
        calls: usize,
        room: Arc<Semaphore>,
        lasts: fn(&S) -> bool,
    ) -> Self {
        Self {
            open,
            turns: Semaphore::new(calls),
            room,
            idle: Mutex::default(),
            lasts,
        }
    }

    /// Waits until a call may begin. There are as many streams as have such a turn, and idle ones among them.
    ///
    /// # Errors
    /// `overloaded`, when it takes too long.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let turn = timeout(TURN, self.turns.acquire()).await;
        let turn = turn.map_err(|_| {
            let detail = "expected fewer calls at a time to the node that serves the procedure";
            Problem::new(ErrorCode::Overloaded, detail)
        })?;
        Ok(turn.expect("nobody closes it"))
    }

    /// Drops the streams that are to be kept no longer.
    pub(crate) fn sort_out(&self) {
        let lasts = |stream: &Frames<S>| (self.lasts)(stream.stream());
        self.idle.lock().retain(lasts);
    }

    async fn take(&self) -> io::Result<Frames<S>> {
        let idle = self.idle.lock().pop();
        match idle {
            Some(stream) => Ok(stream),
            None => {
                let stream = (self.open)().await?;
                Ok(Frames::new(stream).within(Arc::clone(&self.room)))
            }
        }
    }

    fn put_back(&self, stream: Frames<S>) {
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_STREAMS && (self.lasts)(stream.stream()) {
            idle.push(stream);
        }
    }
}

/// A provider at another node.
pub(crate) struct Remote<S> {
    pub(crate) pool: Arc<Pool<S>>,
    /// Its number there.
    pub(crate) provider: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Handler for Remote<S> {
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Payload, Failure>> {
        let pool = Arc::clone(&self.pool);
        let provider = self.provider;
        Box::pin(async move {
            let procedure = invocation.procedure.clone();
            let called = call(pool, provider, invocation).await;
            // Whether it was carried out is not known, and it is never sent again from here (lesson 21).
            called.unwrap_or_else(|error| {
                let detail = format!("the node that serves {procedure} went away: {error}");
                Err(Problem::new(ErrorCode::ProviderUnavailable, detail).into())
            })
        })
    }
}

async fn call<S>(
    pool: Arc<Pool<S>>,
    provider: u64,
    invocation: Invocation,
) -> io::Result<Result<Payload, Failure>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let deadline = invocation.deadline;
    let progress = invocation.progress;
    let request = Request {
        realm: invocation.realm,
        procedure: invocation.procedure,
        provider,
        caller: invocation.caller,
        headers: invocation.headers,
        timeout_ms: 0,
        wants_progress: progress.wanted(),
        argument: invocation.argument,
    };
    if !progress.wanted() {
        return ask(&pool, request, deadline, drop).await;
    }
    // A caller that does not read its progress does not poll this either, and the stream must be read all the same.
    let (teller, mut told) = backlog();
    let asked = tokio::spawn(async move {
        let asked = ask(&pool, request, deadline, |progress| teller.tell(progress));
        timeout_at(deadline + PATIENCE, asked).await?
    });
    let asked = AbortOnDropHandle::new(asked);
    while let Some(told) = told.next().await {
        progress.send(told).await;
    }
    asked.await.map_err(io::Error::other)?
}

/// Asks the provider's node, and takes its answer from it as fast as it comes.
async fn ask<S>(
    pool: &Pool<S>,
    mut request: Request,
    deadline: Instant,
    tell: impl Fn(Payload),
) -> io::Result<Result<Payload, Failure>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Whoever is next finds the stream that is put back before this one's turn is over.
    let _turn = match pool.turn().await {
        Ok(turn) => turn,
        Err(problem) => return Ok(Err(problem.into())),
    };
    let mut stream = pool.take().await?;
    let left = deadline.saturating_duration_since(Instant::now());
    request.timeout_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
    stream.send(&request.encode()).await?;
    loop {
        let answer = stream.expect().await?;
        let result = match Frame::decode(&answer).map_err(refused)? {
            Frame::Progress(told) => {
                tell(told);
                // However much comes at once, others have their turn, and the caller may read.
                consume_budget().await;
                continue;
            }
            Frame::Result(payload) => Ok(payload),
            Frame::Problem(problem) => Err(problem.into()),
        };
        pool.put_back(stream);
        return Ok(result);
    }
}

/// Answers the calls that come on one stream, until the peer ends it.
pub(crate) async fn answer<S>(mut stream: Frames<S>, providers: &Providers) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A large request keeps its room until it is answered: it may wait long for its handler.
    while let Some((frame, _room)) = stream.next_with_room().await? {
        let request = Request::decode(&frame).map_err(refused)?;
        let timeout = Duration::from_millis(request.timeout_ms).min(MAX_TIMEOUT);
        let deadline = Instant::now() + timeout;
        let call = Call {
            realm: request.realm,
            procedure: request.procedure,
            caller: request.caller,
            argument: request.argument,
            headers: request.headers,
            deadline,
            wants_progress: request.wants_progress,
        };
        let mut reply = match providers.call_here(call, request.provider) {
            Ok(reply) => reply,
            Err(problem) => {
                stream.send(&Frame::Problem(problem).encode()).await?;
                continue;
            }
        };
        loop {
            let told = tokio::select! {
                told = reply.next() => told,
                // The caller says nothing while it waits: it has given the call up.
                said = stream.next() => return match said? {
                    None => Ok(()),
                    Some(_) => Err(io::ErrorKind::InvalidData.into()),
                },
            };
            let (frame, over) = match told {
                Some(Answer::Progress(told)) => (Frame::Progress(told), false),
                Some(Answer::Done(Ok(result))) => (Frame::Result(result), true),
                Some(Answer::Done(Err(problem))) => (Frame::Problem(problem), true),
                None => break,
            };
            // While nobody reads it the handler does not run, and its deadline is not looked at.
            timeout_at(deadline + PATIENCE, stream.send(&frame.encode())).await??;
            if over {
                break;
            }
        }
    }
    Ok(())
}
