//! `call`.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use macula_mesh::{
    Answer, Call,
    once::{self, Called},
};
use macula_proto::{
    ErrorCode, Problem,
    frame::{self, GatewayFrame},
    live::Kind,
};
use tokio::time::Instant;

use super::{
    outlet::Outlet,
    session::{Live, Operation, Refused},
};
use crate::api::{idempotency, rpc};

/// Begins a call; a task answers it.
pub(super) fn begin(
    live: &Arc<Live>,
    asked: frame::Call,
    bytes: usize,
    outlet: &mut Outlet,
) -> Result<(), Refused> {
    let id = asked.id;
    let refused = |problem: Problem| Refused::of(id, problem);
    let timeout = rpc::timeout(asked.timeout_ms).map_err(refused)?;
    let key = asked.idempotency_key.as_deref();
    let key = key.map(|key| idempotency::key_of(&live.principal(), key.as_bytes()));
    let key = key.transpose().map_err(refused)?;
    let call = call(live, asked, timeout);
    live.begin(id, Kind::Call, bytes, || {
        let (live, outlet) = (Arc::clone(live), outlet.take());
        let task = match key {
            None => tokio::spawn(run(live, id, call, outlet)),
            Some(key) => tokio::spawn(run_once(live, id, key, call, outlet)),
        };
        Operation::Task(task.abort_handle())
    })
}

fn call(live: &Live, asked: frame::Call, timeout: Duration) -> Call {
    Call {
        realm: live.realm(asked.realm),
        procedure: asked.procedure,
        caller: Arc::clone(&live.session.subject),
        argument: asked.argument,
        headers: asked.headers,
        deadline: Instant::now() + timeout,
        wants_progress: asked.progress.0,
    }
}

/// Answers with progress, if it is wanted, and then the result.
async fn run(live: Arc<Live>, id: u64, call: Call, mut outlet: Outlet) {
    let mut reply = match live.gateway.mesh.call(call) {
        Ok(reply) => reply,
        Err(problem) => {
            return live
                .answer(id, live.error(Some(id), &problem), outlet)
                .await;
        }
    };
    let result = loop {
        let answer = tokio::select! {
            biased;
            answer = reply.next() => answer,
            () = outlet.given_up() => return live.forget(id, Kind::Call),
        };
        match answer {
            Some(Answer::Progress(payload)) => {
                // What is told while the client is away is not kept.
                let _ = outlet
                    .send(&frame::CallProgress { id, payload }.into())
                    .await;
            }
            Some(Answer::Done(result)) => break result,
            None => break Err(over()),
        }
    };
    let called = Called {
        served_by: reply.served_by(),
        result,
    };
    live.answer(id, frame_of(&live, id, called), outlet).await;
}

/// Calls, unless the key's call was carried out before.
async fn run_once(live: Arc<Live>, id: u64, key: once::Key, call: Call, mut outlet: Outlet) {
    let called = tokio::select! {
        biased;
        called = rpc::call_once(&live.gateway, key, call) => called,
        () = outlet.given_up() => return live.forget(id, Kind::Call),
    };
    let answer = match called {
        Ok(called) => frame_of(&live, id, called),
        Err(problem) => live.error(Some(id), &problem),
    };
    live.answer(id, answer, outlet).await;
}

fn frame_of(live: &Live, id: u64, called: Called) -> GatewayFrame {
    match called.result {
        Ok(payload) => frame::CallResult {
            id,
            served_by: Some(called.served_by),
            payload,
        }
        .into(),
        Err(problem) => live.error(Some(id), &problem),
    }
}

fn over() -> Problem {
    Problem::new(ErrorCode::Internal, "the call ended without an answer")
}
