//! What a session's tasks and handles share: what is under way, and the transport that it is said on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use macula_proto::{
    Encoding, Payload,
    frame::{ClientFrame, GatewayFrame, Welcome},
};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use crate::{
    Error, State,
    book::{Book, Invocation, Sink},
    wire::Link,
};

/// What a session's tasks and handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) encoding: Encoding,
    pub(crate) inner: Mutex<Inner>,
    pub(crate) state: watch::Sender<State>,
    /// The handlers at work, each until the gateway has its answer.
    pub(crate) handlers: TaskTracker,
    /// Whether the transport was of use: something came on it after `welcome`.
    used: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) book: Book,
    /// None while the transport is away.
    pub(crate) link: Option<Arc<Link>>,
    pub(crate) welcome: Welcome,
    /// The token that we were given, or have renewed; the gateway's own for us stands in `welcome`.
    pub(crate) token: Option<Arc<str>>,
    /// How often the session went on on another transport.
    pub(crate) reconnects: u64,
    /// Why the session has ended, or is about to.
    closed: Option<Error>,
}

impl Shared {
    /// A session that has begun.
    pub(crate) fn new(
        encoding: Encoding,
        state: State,
        link: Arc<Link>,
        welcome: Welcome,
        token: Option<Arc<str>>,
    ) -> Self {
        Self {
            encoding,
            inner: Mutex::new(Inner {
                book: Book::default(),
                link: Some(link),
                welcome,
                token,
                reconnects: 0,
                closed: None,
            }),
            state: watch::channel(state).0,
            handlers: TaskTracker::new(),
            used: AtomicBool::new(false),
        }
    }

    /// What is said on the transport at the moment.
    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.inner.lock().link.clone()
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The transport is lost; whether it was of use.
    pub(crate) fn lost(&self) -> bool {
        self.inner.lock().link = None;
        self.state.send_replace(State::Reconnecting);
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Nothing may be asked any more, and all that was has failed. Handlers go on.
    pub(crate) fn shut(&self) {
        let (frames, link) = {
            let mut inner = self.inner.lock();
            inner.closed.get_or_insert(Error::Closed);
            (inner.book.shut(&Error::Closed), inner.link.clone())
        };
        self.handlers.close();
        if let Some(link) = link {
            frames.into_iter().for_each(|frame| link.post(frame));
        }
    }

    /// The session has ended.
    pub(crate) fn close(&self, error: &Error) {
        let mut inner = self.inner.lock();
        inner.link = None;
        inner.closed.get_or_insert(error.clone());
        inner.book.close(error);
        self.state.send_replace(State::Closed(error.to_string()));
    }

    /// Goes on with a link: what has to be said again waits in it before anything else.
    pub(crate) fn go_on(
        &self,
        link: Arc<Link>,
        again: impl FnOnce(&mut Inner) -> Vec<ClientFrame>,
    ) {
        let frames = {
            let mut inner = self.inner.lock();
            let frames = again(&mut inner);
            inner.link = Some(Arc::clone(&link));
            inner.reconnects += 1;
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

    /// Says what has no answer, as soon as there is a transport with room for it.
    pub(crate) async fn tell(&self, mut frame: ClientFrame) -> Result<(), Error> {
        let mut state = self.state.subscribe();
        loop {
            let link = {
                let inner = self.inner.lock();
                if let Some(error) = &inner.closed {
                    return Err(error.clone());
                }
                inner.link.clone()
            };
            if let Some(link) = link {
                match link.tell(frame).await {
                    Ok(()) => return Ok(()),
                    Err(unsaid) => frame = unsaid,
                }
            }
            // It fails only when the session has ended.
            state.changed().await.map_err(|_| Error::Closed)?;
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
        let closed = inner.closed.clone();
        let link = inner.link.clone().filter(|_| closed.is_none());
        let (id, frame) = inner.book.begin(request, sink, link.is_some());
        let sending = link.map(|link| (link, frame.clone()));
        if let Some(error) = closed {
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

    /// Stops serving, and waits until the gateway has.
    pub(crate) async fn stop_serving(&self, id: u64) {
        let (answer, answered) = oneshot::channel();
        let (frame, link) = {
            let mut inner = self.inner.lock();
            (inner.book.stop_serving(id, answer), inner.link.clone())
        };
        if let (Some(frame), Some(link)) = (frame, link) {
            link.say(frame).await;
        }
        // It ends with the session too, and when it had ended before.
        let _ = answered.await;
    }

    /// Takes what the gateway says; a call to answer, if it is one.
    #[must_use]
    pub(crate) fn heard(&self, frame: GatewayFrame) -> Option<Invocation> {
        self.used.store(true, Ordering::Relaxed);
        self.inner.lock().book.take(frame)
    }
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
