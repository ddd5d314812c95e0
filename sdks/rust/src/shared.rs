//! What a session's tasks and handles share: what is under way, and the transport that it is said on.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use macula_proto::{
    HandlerError, Payload,
    frame::{ClientFrame, Failed, GatewayFrame, Invoke, Progressed, Returned, Welcome},
};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    Error, State,
    book::{Book, Sink, Todo},
    service::Handler,
    wire::{Link, Reply},
};

/// What a session's tasks and handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inner: Mutex<Inner>,
    pub(crate) state: watch::Sender<State>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) book: Book,
    /// None while the transport is away.
    pub(crate) link: Option<Arc<Link>>,
    pub(crate) welcome: Welcome,
    /// The token that we were given, or have renewed; the gateway's own for us stands in `welcome`.
    pub(crate) token: Option<Arc<str>>,
    /// Why the session has ended.
    pub(crate) closed: Option<Error>,
}

impl Shared {
    /// What is said on the transport at the moment.
    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.inner.lock().link.clone()
    }

    pub(crate) fn welcome(&self) -> Welcome {
        self.inner.lock().welcome.clone()
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(crate) fn lost(&self) {
        self.inner.lock().link = None;
        self.state.send_replace(State::Reconnecting);
    }

    pub(crate) fn close(&self, error: &Error) {
        let mut inner = self.inner.lock();
        (inner.link, inner.closed) = (None, Some(error.clone()));
        inner.book.close(error);
        self.state.send_replace(State::Closed(error.to_string()));
    }

    /// Goes on with a link: what has to be said again waits in it before anything else.
    pub(crate) async fn go_on(
        &self,
        link: Arc<Link>,
        again: impl FnOnce(&mut Inner) -> Vec<ClientFrame>,
    ) {
        let frames = {
            let mut inner = self.inner.lock();
            let frames = again(&mut inner);
            inner.link = Some(Arc::clone(&link));
            frames
        };
        tokio::spawn(async move {
            for frame in frames {
                link.say(frame).await;
            }
        });
    }

    /// Asks, and waits for the answer. Dropped before that, it gives the operation up.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: impl FnOnce(u64) -> ClientFrame,
        progress: Option<mpsc::Sender<Payload>>,
    ) -> Result<GatewayFrame, Error> {
        let (answer, answered) = oneshot::channel();
        let sink = Sink::Answer { answer, progress };
        let (id, sending) = self.begin(request, sink);
        let _giving_up = GivingUp { shared: self, id };
        let said = async {
            if let Some((link, frame)) = sending {
                self.say(&link, id, frame).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            answer = answered => answer.unwrap_or(Err(Error::Closed)),
            never = said => never,
        }
    }

    /// Begins an operation that lasts; a task says it and hears what comes of it.
    pub(crate) async fn begin_lasting(
        self: &Arc<Self>,
        request: impl FnOnce(u64) -> ClientFrame,
        sink: Sink,
    ) -> u64 {
        let (id, sending) = self.begin(request, sink);
        if let Some((link, frame)) = sending {
            let shared = Arc::clone(self);
            match link.has_streams() && matches!(frame, ClientFrame::Subscribe(_)) {
                true => drop(tokio::spawn(
                    async move { shared.say(&link, id, frame).await },
                )),
                false => link.say(frame).await,
            }
        }
        id
    }

    fn begin(
        &self,
        request: impl FnOnce(u64) -> ClientFrame,
        sink: Sink,
    ) -> (u64, Option<(Arc<Link>, ClientFrame)>) {
        let mut inner = self.inner.lock();
        let link = inner.link.clone();
        let (id, frame) = inner.book.begin(request, sink, link.is_some());
        let sending = link.map(|link| (link, frame.clone()));
        if let Some(error) = inner.closed.clone() {
            inner.book.fail(id, error);
        }
        (id, sending)
    }

    /// Says a request where its operation belongs: on a stream of its own, whose answers are taken
    /// until it ends, or among all others.
    async fn say(&self, link: &Arc<Link>, id: u64, frame: ClientFrame) {
        match link.stream().await {
            Some(Ok(stream)) => {
                stream
                    .converse(&frame, |frame| drop(self.heard(frame)))
                    .await;
            }
            Some(Err(_)) => self.inner.lock().book.not_sent(id),
            None => link.say(frame).await,
        }
    }

    /// Ends an operation that nobody waits for any more.
    pub(crate) fn give_up(&self, id: u64) {
        let (frame, link) = {
            let mut inner = self.inner.lock();
            (inner.book.give_up(id), inner.link.clone())
        };
        if let (Some(frame), Some(link)) = (frame, link) {
            link.post(frame);
        }
    }

    /// Takes what the gateway says.
    #[must_use]
    pub(crate) fn heard(&self, frame: GatewayFrame) -> Option<(Box<Invoke>, Handler)> {
        let todo = self.inner.lock().book.take(frame);
        match todo {
            Todo::Invoke(invoke, handler) => return Some((invoke, handler)),
            Todo::Stop(task) => task.abort(),
            Todo::Nothing => {}
        }
        None
    }

    /// Answers a call in a task of its own.
    pub(crate) fn answer(self: &Arc<Self>, invoke: Box<Invoke>, handler: Handler, reply: Reply) {
        let (id, shared) = (invoke.id, Arc::clone(self));
        let task = tokio::spawn(async move { shared.answering(*invoke, handler, reply).await });
        self.keep(id, &task);
    }

    fn keep(&self, id: u64, task: &JoinHandle<()>) {
        self.inner.lock().book.answering(id, task.abort_handle());
    }

    pub(crate) async fn answering(&self, invoke: Invoke, handler: Handler, mut reply: Reply) {
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
        let answer = match result {
            Ok(Ok(payload)) => Returned { id, payload }.into(),
            Ok(Err(error)) => failed(id, error),
            Err(_) => failed(
                id,
                HandlerError {
                    code: "panicked".to_owned(),
                    detail: "the handler panicked".to_owned(),
                    data: None,
                },
            ),
        };
        let Err(answer) = reply.finish(answer).await else {
            self.inner.lock().book.has_answered(id);
            return;
        };
        // The transport was lost: it is answered on the next, if the call is still held by then.
        let mut state = self.state.subscribe();
        let on = |state: &State| !matches!(state, State::Reconnecting);
        if state.wait_for(on).await.is_err() {
            return;
        }
        let link = {
            let mut inner = self.inner.lock();
            let held = inner.book.has_answered(id);
            inner.link.clone().filter(|_| held)
        };
        if let Some(link) = link {
            link.say(answer).await;
        }
    }
}

fn failed(id: u64, error: HandlerError) -> ClientFrame {
    let failed = Failed {
        id,
        code: error.code.into(),
        detail: Some(error.detail.into()),
        data: error
            .data
            .map(|data| Box::new(macula_proto::frame::Anything(data))),
    };
    failed.into()
}

/// Gives an operation up when its future is dropped before the answer.
struct GivingUp<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for GivingUp<'_> {
    fn drop(&mut self) {
        self.shared.give_up(self.id);
    }
}
