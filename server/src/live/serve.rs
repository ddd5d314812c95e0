//! `serve`, and the calls of what is served.

use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use macula_mesh::{Handler, Invocation, Payload, Progress, Schema, Serve, rpc::Failure};
use macula_proto::{
    ErrorCode, Problem,
    frame::{self, Anything, ClientFrame, Flag, Frame, GatewayFrame},
    live::Kind,
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    dispatch::failure,
    link::Link,
    outlet::Outlet,
    session::{self, Live, Operation, Refused},
    settings::{decode, limits},
    streams::{Frames, NoFrame, framed},
};
use crate::webtransport::{Session, WriteError};

/// What the procedures of nodes themselves begin with.
const NODE: &str = "system";
/// Calls of one procedure at a time, unless the client says otherwise.
const DEFAULT_CONCURRENCY: u64 = 64;
/// The most that it may say.
pub(crate) const MAX_CONCURRENCY: u64 = 1_024;
/// The longest description, in bytes.
pub(crate) const MAX_DESCRIPTION_BYTES: usize = 1_024;

/// Serves a procedure until the client stops or its session ends.
pub(super) async fn begin(
    live: &Arc<Live>,
    asked: frame::Serve,
    bytes: usize,
    outlet: &mut Outlet,
) -> Result<(), Refused> {
    let id = asked.id;
    let serve = wanted(live, asked).map_err(|problem| Refused::of(id, problem))?;
    let handler = Arc::new(Served {
        live: Arc::downgrade(live),
        id,
    });
    let mut failed = None;
    live.begin(id, Kind::Service, bytes, || {
        match live.gateway.mesh.serve(serve, handler) {
            Ok(registration) => Operation::Service(registration),
            Err(problem) => {
                failed = Some(problem);
                Operation::Now
            }
        }
    })?;
    if let Some(problem) = failed {
        live.forget(id, Kind::Service);
        return Err(Refused::of(id, problem));
    }
    live.gateway.mesh.announced().await;
    // If it is lost the client asks for it when it is back.
    let _ = outlet.send(&frame::Served { id }.into()).await;
    Ok(())
}

fn wanted(live: &Live, asked: frame::Serve) -> Result<Serve, Problem> {
    let invalid = |detail: String| Problem::new(ErrorCode::InvalidRequest, detail);
    if asked.procedure.as_str().split('.').next() == Some(NODE) {
        let detail = format!("expected a procedure outside of `{NODE}`, which is the nodes'");
        return Err(Problem::new(ErrorCode::Forbidden, detail));
    }
    let concurrency = asked.concurrency.unwrap_or(DEFAULT_CONCURRENCY);
    if !(1..=MAX_CONCURRENCY).contains(&concurrency) {
        return Err(invalid(format!(
            "expected `concurrency` from 1 to {MAX_CONCURRENCY}"
        )));
    }
    if asked
        .description
        .as_ref()
        .is_some_and(|text| text.len() > MAX_DESCRIPTION_BYTES)
    {
        return Err(invalid(format!(
            "expected `description` of at most {MAX_DESCRIPTION_BYTES} bytes"
        )));
    }
    let schema = match (asked.argument_schema, asked.result_schema) {
        (None, None) => None,
        (argument, result) => Some(Arc::new(Schema {
            argument: schema(argument),
            result: schema(result),
        })),
    };
    Ok(Serve {
        realm: Some(live.realm(asked.realm)),
        procedure: asked.procedure,
        provider: Arc::clone(&live.session.id),
        policy: asked.policy,
        concurrency: concurrency as usize,
        description: asked.description,
        schema,
    })
}

/// The schema that was given; `true` allows everything.
fn schema(given: Option<Box<Anything>>) -> serde_json::Value {
    given.map_or(serde_json::Value::Bool(true), |schema| schema.0)
}

/// Passes the calls of a procedure on to the client.
struct Served {
    live: Weak<Live>,
    id: u64,
}

impl Handler for Served {
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Payload, Failure>> {
        let live = self.live.upgrade();
        let serve = self.id;
        Box::pin(async move {
            let live = live.ok_or_else(|| unavailable("its session has ended"))?;
            invoke(&live, serve, invocation).await
        })
    }
}

fn unavailable(why: &str) -> Failure {
    let detail = format!("the provider went away: {why}");
    Failure::Problem(Problem::new(ErrorCode::ProviderUnavailable, detail))
}

/// Asks the client and waits for its answer, over a loss of the transport too.
async fn invoke(live: &Arc<Live>, serve: u64, invocation: Invocation) -> Result<Payload, Failure> {
    let (answer, answered) = oneshot::channel();
    let progress = invocation.progress.clone();
    let begun = live.invoke(session::Invocation { answer, progress });
    let (id, link) = begun.ok_or_else(|| unavailable("it has lost its transport"))?;
    let _revoke = Revoke {
        live: Arc::clone(live),
        id,
        streamed: link.streams().is_some().then(|| Arc::clone(&link)),
    };
    let frame = frame_of(id, serve, invocation).into();
    let asked = async {
        match link.streams() {
            // What does not arrive the client does not name when it is back, and so it ends.
            None => drop(link.send(&frame).await),
            Some(streams) => converse(live, id, streams, &frame, &link).await,
        }
        std::future::pending().await
    };
    let answer = tokio::select! {
        biased;
        answer = answered => answer,
        never = asked => never,
    };
    answer.unwrap_or_else(|_| Err(unavailable("it does not answer any more")))
}

/// Asks on a stream of its own, and takes what the client answers there, until it has answered or the
/// transport is lost.
async fn converse(live: &Live, id: u64, streams: &Session, frame: &GatewayFrame, link: &Link) {
    let Ok((mut send, recv)) = streams.open_bi().await else {
        return;
    };
    let frame = frame.encode(link.encoding());
    let mut answers = Frames::new(recv, limits(&live.gateway).bytes);
    let mut came = match send.write_chunks(&mut framed(frame)).await {
        Ok(()) => answers.next().await,
        Err(WriteError::Stopped(_)) => Err(NoFrame::Reset),
        Err(WriteError::Closed) => Err(NoFrame::Lost),
    };
    loop {
        let frame = came.map(|frame| decode(&live.gateway, &frame, link.encoding()));
        let answer = match frame {
            Ok(Ok(ClientFrame::Progressed(progress))) if progress.id == id => {
                live.progress(id, progress.payload);
                came = answers.next().await;
                continue;
            }
            Ok(Ok(ClientFrame::Returned(result))) if result.id == id => Ok(result.payload),
            Ok(Ok(ClientFrame::Failed(failed))) if failed.id == id => Err(failure(failed)),
            Err(NoFrame::Lost) => return,
            // It has given the call up, or says what is no answer.
            Ok(_) | Err(_) => Err(unavailable("it has not answered")),
        };
        // Without an end the client would take it for given up.
        let _ = send.finish();
        answers.leave(link);
        return live.returned(id, answer);
    }
}

fn frame_of(id: u64, serve: u64, invocation: Invocation) -> frame::Invoke {
    let left = invocation
        .deadline
        .saturating_duration_since(Instant::now());
    frame::Invoke {
        id,
        serve,
        realm: invocation.realm,
        procedure: invocation.procedure,
        caller: invocation.caller,
        timeout_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        progress: Flag(Progress::wanted(&invocation.progress)),
        headers: invocation.headers,
        argument: invocation.argument,
    }
}

/// Tells the client, when this is dropped before the answer, that nobody waits for it any more.
struct Revoke {
    live: Arc<Live>,
    id: u64,
    /// Where the invocation has a stream, whose end tells it.
    streamed: Option<Arc<Link>>,
}

impl Drop for Revoke {
    fn drop(&mut self) {
        if self.live.finish(self.id).is_none() {
            return;
        }
        let streamed = |link: &Arc<Link>| {
            let own = self.streamed.as_ref();
            own.is_some_and(|own| Arc::ptr_eq(own, link))
        };
        if let Some(link) = self.live.link().filter(|link| !streamed(link)) {
            link.post(&frame::Revoked { id: self.id }.into());
        }
    }
}
