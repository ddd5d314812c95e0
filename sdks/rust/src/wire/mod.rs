//! The transports.
//!
//! - [`websocket`], [`webtransport`]: one each. [`race`]: which of them answers first,
//!   [`winners`]: which has before. [`link`]: what is said on the one in use.

mod link;
mod race;
mod websocket;
mod webtransport;
mod winners;

use std::{sync::Arc, time::Duration};

use macula_proto::{
    Encoding, Limits,
    frame::{ClientFrame, Frame, GatewayFrame, Hello, Welcome},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

pub(crate) use link::{Link, Reply};

use crate::{
    Error, Transport,
    config::{Config, Transports},
    shared::Shared,
};

/// How long to connect, and to be welcomed.
const OPEN: Duration = Duration::from_secs(10);
/// How long the gateway may take to end the transport when it was told.
const FAREWELL: Duration = Duration::from_millis(300);
/// The longest frame that is taken.
const MAX_FRAME_BYTES: usize = 64 << 20;

/// An open transport.
pub(crate) enum Wire {
    WebSocket(Box<websocket::Socket>),
    WebTransport(Box<webtransport::Session>),
}

/// How a transport ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was lost, or the gateway has closed it.
    Lost,
    /// We have closed it.
    Closing,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: Error,
    /// How long the gateway asks to wait before the next attempt.
    pub(crate) retry_after: Option<Duration>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

/// Opens a transport: the only one that may be used, or the first of both that answers.
pub(crate) async fn open(config: &Config) -> Result<(Wire, Transport), Refused> {
    let webtransport = in_time("WebTransport", async {
        let session = webtransport::Session::open(config).await?;
        let wire = Wire::WebTransport(Box::new(session));
        Ok((wire, Transport::WebTransport))
    });
    let websocket = in_time("WebSocket", async {
        let socket = websocket::Socket::open(config).await?;
        Ok((Wire::WebSocket(Box::new(socket)), Transport::WebSocket))
    });
    let preferred = match config.transports {
        Transports::Only(Transport::WebSocket) => return websocket.await,
        Transports::Only(Transport::WebTransport) => return webtransport.await,
        Transports::First(preferred) => winners::of(config).unwrap_or(preferred),
    };
    let opened = match preferred {
        Transport::WebTransport => race::race(webtransport, websocket).await?,
        Transport::WebSocket => race::race(websocket, webtransport).await?,
    };
    winners::remember(config, opened.1);
    Ok(opened)
}

async fn in_time<T>(
    what: &str,
    opening: impl Future<Output = Result<T, Refused>>,
) -> Result<T, Refused> {
    let late = |_| Err(failed(what)(&format!("no answer in {} s", OPEN.as_secs())).into());
    timeout(OPEN, opening).await.unwrap_or_else(late)
}

impl Wire {
    /// Says hello, and waits to be welcomed.
    pub(crate) async fn hello(&mut self, hello: Hello) -> Result<Welcome, Error> {
        let hello = ClientFrame::from(hello).encode(self.encoding());
        let welcomed = async {
            match self {
                Self::WebSocket(socket) => socket.ask(hello).await,
                Self::WebTransport(session) => session.ask(hello).await,
            }
        };
        let late = |_| Err(Error::Connect("not welcomed in 10 s".to_owned()));
        match timeout(OPEN, welcomed).await.unwrap_or_else(late)? {
            GatewayFrame::Welcome(welcome) => Ok(welcome),
            GatewayFrame::Error(error) => Err(error.problem.into()),
            other => {
                let detail = format!("expected `welcome`, found `{}`", other.kind());
                Err(Error::Connect(detail))
            }
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::WebSocket(socket) => socket.encoding(),
            Self::WebTransport(session) => session.encoding(),
        }
    }

    /// What is said on it from now on.
    pub(crate) fn link(&self) -> (Arc<Link>, mpsc::Receiver<ClientFrame>) {
        let streams = match self {
            Self::WebSocket(_) => None,
            Self::WebTransport(session) => Some(session.connection()),
        };
        Link::new(self.encoding(), streams)
    }

    /// Drives it to its end.
    pub(crate) async fn run(
        self,
        outgoing: mpsc::Receiver<ClientFrame>,
        shared: &Arc<Shared>,
        closing: &CancellationToken,
    ) -> End {
        match self {
            Self::WebSocket(socket) => socket.run(outgoing, shared, closing).await,
            Self::WebTransport(session) => session.run(outgoing, shared, closing).await,
        }
    }
}

fn decode(frame: &[u8], encoding: Encoding) -> Result<GatewayFrame, Error> {
    let limits = Limits {
        bytes: MAX_FRAME_BYTES,
        ..Limits::default()
    };
    GatewayFrame::decode(frame, encoding, &limits)
        .map_err(|refusal| Error::Decode(refusal.to_string()))
}

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> Error {
    move |error| Error::Connect(format!("{what}: {error}"))
}
