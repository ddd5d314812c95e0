//! Connects, drives the session on its transport, and connects again when that is lost.

use std::{sync::Arc, time::Duration};

use macula_proto::frame::{ClientFrame, Hello};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Mesh, State, Transport,
    book::Book,
    config::Config,
    shared::{Inner, Shared},
    wire::{self, End, Wire},
};

/// The first pause before it connects again, and the longest; each is twice the last, and the wait is
/// anything up to it.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
