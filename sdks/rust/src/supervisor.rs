//! Connects, drives the session on its transport, and connects again when that is lost.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use macula_proto::{
    HandlerError, Payload,
    frame::{ClientFrame, Failed, GatewayFrame, Hello, Invoke, Progressed, Returned, Welcome},
};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Mesh, State, Transport,
    book::{Book, Sink, Todo},
    config::Config,
    service::Handler,
    wire::{self, End, Link, Reply, Wire},
};

/// The first pause before it connects again, and the longest; each is twice the last, and the wait is
/// anything up to it.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a session's tasks and handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    state: watch::Sender<State>,
}

#[derive(Debug)]
struct Inner {
    book: Book,
    /// None while the transport is away.
    link: Option<Arc<Link>>,
    welcome: Welcome,
    /// The token that we were given, or have renewed; the gateway's own for us stands in `welcome`.
    token: Option<Arc<str>>,
    /// Why the session has ended.
    closed: Option<Error>,
}

/// Ends the session when it goes.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    closing: CancellationToken,
}

impl Handle {
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        let mut state = self.shared.state.subscribe();
        // It fails only when the supervisor has gone, which is the end too.
        let _ = state
            .wait_for(|state| matches!(state, State::Closed(_)))
            .await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// Opens the session.
pub(crate) async fn start(config: Config) -> Result<Mesh, Error> {
    let (mut wire, transport) = wire::open(&config, config.transport).await?;
    let welcome = wire.hello(hello(&config, config.token.clone())).await?;
    let (link, outgoing) = wire.link();
    let shared = Arc::new(Shared {
        inner: Mutex::new(Inner {
            book: Book::default(),
            link: Some(Arc::clone(&link)),
            welcome,
            token: config.token.clone(),
            closed: None,
        }),
        state: watch::channel(State::Connected(transport)).0,
    });
    let closing = CancellationToken::new();
    let supervisor = Supervisor {
        config,
        shared: Arc::clone(&shared),
        closing: closing.clone(),
    };
    tokio::spawn(supervisor.run(wire, outgoing, transport));
    Ok(Mesh::new(Handle { shared, closing }))
}

fn hello(config: &Config, token: Option<Arc<str>>) -> Hello {
    Hello {
        token,
        realm: config.realm.clone(),
        subject: config.subject.clone(),
        resume: None,
    }
}

struct Supervisor {
    config: Config,
    shared: Arc<Shared>,
    closing: CancellationToken,
}

impl Supervisor {
    async fn run(
        self,
        mut wire: Wire,
        mut outgoing: mpsc::Receiver<ClientFrame>,
        mut on: Transport,
    ) {
        let error = loop {
            match wire.run(outgoing, &self.shared, &self.closing).await {
                End::Closing => break Error::Closed,
                End::Lost => {}
            }
            self.shared.lost();
            match self.reconnect(on).await {
                Ok(again) => (wire, outgoing, on) = again,
                Err(error) => break error,
            }
            self.shared.state.send_replace(State::Connected(on));
        };
        self.shared.close(&error);
    }

    /// Connects again, and goes on where the session was or begins a new one.
    async fn reconnect(
        &self,
        last: Transport,
    ) -> Result<(Wire, mpsc::Receiver<ClientFrame>, Transport), Error> {
        let mut longest = PAUSE;
        loop {
            let attempt = async {
                sleep(longest.mul_f64(rand::random())).await;
                self.attempt(last).await
            };
            let opened = tokio::select! {
                opened = attempt => opened,
                () = self.closing.cancelled() => return Err(Error::Closed),
            };
            match opened {
                Ok(opened) => return Ok(opened),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => tracing::debug!(%error, "cannot connect again yet"),
            }
            longest = (longest * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(
        &self,
        last: Transport,
    ) -> Result<(Wire, mpsc::Receiver<ClientFrame>, Transport), Error> {
        let preferred = match self.config.transport {
            Transport::Auto if last == Transport::WebSocket => wire::Preferred::WebSocket,
            transport => transport.into(),
        };
        let (mut wire, on) = wire::open(&self.config, preferred).await?;
        let (token, resume) = {
            let inner = self.shared.inner.lock();
            let token = inner.welcome.token.clone().or(inner.token.clone());
            (token, inner.book.resume(&inner.welcome.session))
        };
        let resumed = wire.hello(Hello {
            token: token.clone(),
            realm: None,
            subject: None,
            resume: Some(Box::new(resume)),
        });
        match resumed.await {
            Ok(welcome) => {
                let (link, outgoing) = wire.link();
                let unknown = welcome.unknown.map(|unknown| unknown.0).unwrap_or_default();
                self.shared
                    .go_on(link, |inner| inner.book.resumed(&unknown))
                    .await;
                Ok((wire, outgoing, on))
            }
            // The session is over, or forgotten there, as after a restart. Our token may still be good.
            Err(Error::Problem(report)) if no_session(&report.code) => self.anew(preferred).await,
            Err(error) => Err(error),
        }
    }

    /// Begins a new session in place of one that cannot go on, with a new token if the one that we have is
    /// of no use.
    async fn anew(
        &self,
        preferred: wire::Preferred,
    ) -> Result<(Wire, mpsc::Receiver<ClientFrame>, Transport), Error> {
        let open = async |token| {
            let (mut wire, on) = wire::open(&self.config, preferred).await?;
            let welcome = wire.hello(hello(&self.config, token)).await?;
            Ok((wire, on, welcome))
        };
        let mut token = self.shared.inner.lock().token.clone();
        let mut opened = open(token.clone()).await;
        if let (Err(Error::Problem(report)), Some(renew)) = (&opened, &self.config.renew)
            && no_session(&report.code)
        {
            token = Some(renew.token().await?);
            opened = open(token.clone()).await;
        }
        let (wire, on, welcome) = opened?;
        let (link, outgoing) = wire.link();
        let begin = |inner: &mut Inner| {
            (inner.welcome, inner.token) = (welcome, token);
            inner.book.anew()
        };
        self.shared.go_on(link, begin).await;
        Ok((wire, outgoing, on))
    }
}

/// Whether a problem says that there is no session for the token.
fn no_session(code: &str) -> bool {
    matches!(code, "session_expired" | "unauthenticated")
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

    fn lost(&self) {
        self.inner.lock().link = None;
        self.state.send_replace(State::Reconnecting);
    }

    fn close(&self, error: &Error) {
        let mut inner = self.inner.lock();
        (inner.link, inner.closed) = (None, Some(error.clone()));
        inner.book.close(error);
        self.state.send_replace(State::Closed(error.to_string()));
    }

    /// Goes on with a link: what has to be said again waits in it before anything else.
    async fn go_on(&self, link: Arc<Link>, again: impl FnOnce(&mut Inner) -> Vec<ClientFrame>) {
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
