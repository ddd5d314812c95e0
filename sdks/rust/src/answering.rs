//! Calls of what is served here: each is answered in a task of its own.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use macula_proto::{
    HandlerError, Payload,
    frame::{ClientFrame, Failed, Progressed, Returned},
};

use crate::{
    State,
    book::Invocation,
    shared::Shared,
    wire::{Link, Reply},
};

impl Shared {
    /// Answers a call in a task of its own. There are as many as the gateway has calls in flight for the
    /// session, which it bounds.
    pub(crate) fn answer(self: &Arc<Self>, invocation: Invocation, reply: Reply) {
        let shared = Arc::clone(self);
        let (given_up, on) = (invocation.given_up.clone(), self.link());
        self.handlers.spawn(async move {
            tokio::select! {
                () = shared.answering(invocation, reply, on) => {}
                () = given_up.cancelled() => {}
            }
        });
    }

    /// `on` is the transport that it came on.
    async fn answering(&self, invocation: Invocation, mut reply: Reply, on: Option<Arc<Link>>) {
        let Invocation {
            invoke, handler, ..
        } = invocation;
        let id = invoke.id;
        let (answering, mut progress) = handler.call(invoke);
        let mut answering = AssertUnwindSafe(answering).catch_unwind();
        let result = loop {
            tokio::select! {
                biased;
                Some(payload) = progress.recv() => {
                    // What cannot be told is only news.
                    let _ = reply.say(Progressed { id, payload }.into()).await;
                }
                result = &mut answering => break result,
                () = reply.revoked() => {
                    self.inner.lock().book.has_answered(id);
                    return;
                }
            }
        };
        while let Ok(payload) = progress.try_recv() {
            let _ = reply.say(Progressed { id, payload }.into()).await;
        }
        let panicked = |_| Err(HandlerError::new("panicked", "the handler panicked"));
        let answer = answer(id, result.unwrap_or_else(panicked));
        match reply.finish(answer).await {
            Ok(()) => drop(self.inner.lock().book.has_answered(id)),
            Err(answer) => self.answer_on_next(id, answer, on).await,
        }
    }

    /// The transport was lost: answers on the next, if the call is still held by then.
    async fn answer_on_next(&self, id: u64, answer: ClientFrame, lost: Option<Arc<Link>>) {
        let mut state = self.state.subscribe();
        loop {
            let link = self.link();
            match link {
                Some(link) if !lost.as_ref().is_some_and(|lost| Arc::ptr_eq(lost, &link)) => {
                    if self.inner.lock().book.has_answered(id) {
                        link.say(answer).await;
                    }
                    return;
                }
                _ if matches!(*state.borrow_and_update(), State::Closed(_)) => return,
                _ => {}
            }
            if state.changed().await.is_err() {
                return;
            }
        }
    }
}

fn answer(id: u64, result: Result<Payload, HandlerError>) -> ClientFrame {
    match result {
        Ok(payload) => Returned { id, payload }.into(),
        Err(error) => {
            let data = error.data.map(macula_proto::frame::Anything);
            let failed = Failed {
                id,
                code: error.code.into(),
                detail: Some(error.detail.into()),
                data: data.map(Box::new),
            };
            failed.into()
        }
    }
}
