//! Connects, drives the session on its transport, and connects again when that is lost.

use std::{sync::Arc, time::Duration};

use macula_proto::frame::{ClientFrame, Hello, Welcome};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Mesh, State, Transport,
    backoff::Backoff,
    config::Config,
    shared::{Inner, Shared},
    wire::{self, End, Refused, Wire},
};

/// Ends the session when it goes.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    close_timeout: Duration,
    closing: CancellationToken,
}

impl Handle {
    /// Lets handlers that are at work answer, as long as that may take, and ends the session.
    pub(crate) async fn close(&self) {
        self.shared.shut();
        // Those that take longer are cancelled with the session.
        let _ = timeout(self.close_timeout, self.shared.handlers.wait()).await;
        self.closing.cancel();
        let mut state = self.shared.state();
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

/// A transport that is open, and what is to be said on it.
type Opened = (Wire, mpsc::Receiver<ClientFrame>, Transport);

/// Opens the session.
pub(crate) async fn start(config: Config) -> Result<Mesh, Error> {
    let begun = begin(&config, config.token.clone()).await;
    let begun = begun.map_err(|refused| refused.error)?;
    let (link, outgoing) = begun.wire.link();
    let (on, state) = (begun.on, State::Connected(begun.on));
    let shared = Shared::new(config.encoding, state, link, begun.welcome, begun.token);
    let (shared, closing) = (Arc::new(shared), CancellationToken::new());
    let handle = Handle {
        shared: Arc::clone(&shared),
        close_timeout: config.close_timeout,
        closing: closing.clone(),
    };
    let supervisor = Supervisor {
        config,
        shared,
        closing,
    };
    tokio::spawn(supervisor.run((begun.wire, outgoing, on)));
    Ok(Mesh::new(handle))
}

/// A session that has begun.
struct Begun {
    wire: Wire,
    on: Transport,
    welcome: Welcome,
    /// The token that was taken, if there was one.
    token: Option<Arc<str>>,
}

/// Begins a session with the token, or with a new one if the gateway does not take it.
async fn begin(config: &Config, mut token: Option<Arc<str>>) -> Result<Begun, Refused> {
    let open = async |token| {
        let (mut wire, on) = wire::open(config).await?;
        let hello = Hello {
            token,
            realm: config.realm.clone(),
            subject: config.subject.clone(),
            resume: None,
        };
        let welcome = wire.hello(hello).await?;
        Ok::<_, Refused>((wire, on, welcome))
    };
    let mut opened = open(token.clone()).await;
    if let (Err(refused), Some(renew)) = (&opened, &config.renew)
        && refused.error.is_no_session()
    {
        token = Some(renew.token().await?);
        opened = open(token.clone()).await;
    }
    let (wire, on, welcome) = opened?;
    Ok(Begun {
        wire,
        on,
        welcome,
        token,
    })
}

struct Supervisor {
    config: Config,
    shared: Arc<Shared>,
    closing: CancellationToken,
}

impl Supervisor {
    async fn run(self, opened: Opened) {
        let mut backoff = Backoff::default();
        let (mut wire, mut outgoing, _) = opened;
        let error = loop {
            let began = Instant::now();
            match wire.run(outgoing, &self.shared, &self.closing).await {
                End::Closing => break Error::Closed,
                End::Lost => {}
            }
            backoff.lost(self.shared.lost(), began.elapsed());
            let on = match self.reconnect(&mut backoff).await {
                Ok(again) => {
                    (wire, outgoing) = (again.0, again.1);
                    again.2
                }
                Err(error) => break error,
            };
            self.shared.state.send_replace(State::Connected(on));
        };
        self.shared.close(&error);
    }

    /// Connects again, and goes on where the session was or begins a new one.
    async fn reconnect(&self, backoff: &mut Backoff) -> Result<Opened, Error> {
        let mut asked = None;
        loop {
            let attempt = async {
                sleep(backoff.next(rand::random(), asked)).await;
                self.attempt().await
            };
            let opened = tokio::select! {
                opened = attempt => opened,
                () = self.closing.cancelled() => return Err(Error::Closed),
            };
            match opened {
                Ok(opened) => return Ok(opened),
                Err(refused) if refused.error.is_final() => return Err(refused.error),
                Err(Refused { error, retry_after }) => {
                    tracing::debug!(%error, "cannot connect again yet");
                    asked = retry_after;
                }
            }
        }
    }

    async fn attempt(&self) -> Result<Opened, Refused> {
        let (mut wire, on) = wire::open(&self.config).await?;
        let (token, resume) = {
            let inner = self.shared.inner.lock();
            let token = inner.welcome.token.clone().or(inner.token.clone());
            (token, inner.book.resume(&inner.welcome.session))
        };
        let resumed = wire.hello(Hello {
            token,
            realm: None,
            subject: None,
            resume: Some(Box::new(resume)),
        });
        match resumed.await {
            Ok(welcome) => {
                let (link, outgoing) = wire.link();
                let unknown = welcome.unknown.map(|unknown| unknown.0).unwrap_or_default();
                self.shared
                    .go_on(link, |inner| inner.book.resumed(&unknown));
                Ok((wire, outgoing, on))
            }
            // The session is over, or forgotten there, as after a restart. Our token may still be good.
            Err(error) if error.is_no_session() => self.anew().await,
            Err(error) => Err(error.into()),
        }
    }

    /// Begins a new session in place of one that cannot go on.
    async fn anew(&self) -> Result<Opened, Refused> {
        let token = self.shared.inner.lock().token.clone();
        let Begun {
            wire,
            on,
            welcome,
            token,
        } = begin(&self.config, token).await?;
        let (link, outgoing) = wire.link();
        self.shared.go_on(link, |inner: &mut Inner| {
            (inner.welcome, inner.token) = (welcome, token);
            inner.book.anew()
        });
        Ok((wire, outgoing, on))
    }
}
