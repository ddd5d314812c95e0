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
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::frames::{Frames, refused};
use crate::{Answer, Call, Failure, Handler, Invocation, Payload, rpc::providers::Providers};

/// Streams without a call that are kept for the next ones, a peer.
const IDLE_STREAMS: usize = 32;
/// How long a caller may say that it waits; the gateway allows ten minutes.
const MAX_TIMEOUT: Duration = Duration::from_secs(600);

/// How much longer than the call a caller may take to read its answer. Until then it holds the provider's place.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a stream for calls to one peer.
pub(crate) type Open<S> = Arc<dyn Fn() -> BoxFuture<'static, io::Result<S>> + Send + Sync>;

/// The streams for calls to one peer.
pub(crate) struct Pool<S> {
    open: Open<S>,
    /// For large answers of the peer.
    room: Arc<Semaphore>,
    idle: Mutex<Vec<Frames<S>>>,
    /// Whether a stream may be kept.
    lasts: fn(&S) -> bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Pool<S> {
    pub(crate) fn new(open: Open<S>, room: Arc<Semaphore>, lasts: fn(&S) -> bool) -> Self {
        Self {
            open,
            room,
            idle: Mutex::default(),
            lasts,
        }
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
            let called = ask(&pool, provider, invocation).await;
            // Whether it was carried out is not known, and it is never sent again from here (lesson 21).
            called.unwrap_or_else(|error| {
                let detail = format!("the node that serves {procedure} went away: {error}");
                Err(Problem::new(ErrorCode::ProviderUnavailable, detail).into())
            })
        })
    }
}

async fn ask<S>(
    pool: &Pool<S>,
    provider: u64,
    invocation: Invocation,
) -> io::Result<Result<Payload, Failure>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stream = pool.take().await?;
    let left = invocation
        .deadline
        .saturating_duration_since(Instant::now());
    let progress = invocation.progress;
    let request = Request {
        realm: invocation.realm,
        procedure: invocation.procedure,
        provider,
        caller: invocation.caller,
        headers: invocation.headers,
        timeout_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1),
        wants_progress: progress.wanted(),
        argument: invocation.argument,
    };
    stream.send(&request.encode()).await?;
    loop {
        let answer = stream.expect().await?;
        let result = match Frame::decode(&answer).map_err(refused)? {
            Frame::Progress(told) => {
                progress.send(told).await;
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
    while let Some(frame) = stream.next().await? {
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
