//! The transports.
//!
//! - [`websocket`], [`webtransport`]: one each. [`link`]: what is said on the one in use.

mod link;
mod websocket;
mod webtransport;

use std::{pin::pin, sync::Arc, time::Duration};

use macula_proto::{
    Encoding, Limits,
    frame::{ClientFrame, Frame, GatewayFrame, Hello, Welcome},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

pub(crate) use link::{Link, Reply};

use crate::{Error, Transport, config::Config, shared::Shared};

const ENCODING: Encoding = Encoding::MsgPack;
/// How long WebTransport is tried alone: most often it is there by then.
const HEAD_START: Duration = Duration::from_millis(300);
/// How long one is waited for when the other has failed.
const LEFT: Duration = Duration::from_secs(3);
/// How long to connect, and to be welcomed.
const OPEN: Duration = Duration::from_secs(10);
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

/// Which transport is tried, or tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preferred {
    Only(Transport),
    WebTransport,
    WebSocket,
}

impl From<Transport> for Preferred {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Auto => Self::WebTransport,
            only => Self::Only(only),
        }
    }
}

/// Opens a transport: the one that is told, or the first of both that answers.
pub(crate) async fn open(
    config: &Config,
    preferred: impl Into<Preferred>,
) -> Result<(Wire, Transport), Error> {
    let webtransport = in_time("WebTransport", async {
        let session = webtransport::Session::open(config).await?;
        let wire = Wire::WebTransport(Box::new(session));
        Ok((wire, Transport::WebTransport))
    });
    let websocket = in_time("WebSocket", async {
        let socket = websocket::Socket::open(config).await?;
        Ok((Wire::WebSocket(Box::new(socket)), Transport::WebSocket))
    });
    match preferred.into() {
        Preferred::Only(Transport::WebSocket) => websocket.await,
        Preferred::Only(_) => webtransport.await,
        Preferred::WebTransport => race(webtransport, websocket).await,
        Preferred::WebSocket => race(websocket, webtransport).await,
    }
}

async fn in_time<T>(
    what: &str,
    opening: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Err(failed(what)(&format!("no answer in {} s", OPEN.as_secs())));
    timeout(OPEN, opening).await.unwrap_or_else(late)
}

/// The first of both that succeeds; the first has a head start. When one has failed the other has
/// little time left: a host that refuses one seldom answers late on the other.
async fn race<T>(
    first: impl Future<Output = Result<T, Error>>,
    second: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    match timeout(HEAD_START, &mut first).await {
        Ok(Ok(opened)) => return Ok(opened),
        Ok(Err(error)) => return after(error, second).await,
        Err(_) => {}
    }
    tokio::select! {
        opened = &mut first => match opened {
            Ok(opened) => Ok(opened),
            Err(error) => after(error, second).await,
        },
        opened = &mut second => match opened {
            Ok(opened) => Ok(opened),
            Err(error) => after(error, first).await,
        },
    }
}

/// The other one, after one has failed.
async fn after<T>(
    failed: Error,
    other: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match timeout(LEFT, other).await {
        Ok(opened) => opened.map_err(|error| both(&failed, &error)),
        Err(_) => Err(failed),
    }
}

/// What the gateway itself says counts; else both.
fn both(first: &Error, second: &Error) -> Error {
    match (first, second) {
        (Error::Connect(first), Error::Connect(second)) => {
            Error::Connect(format!("{first}; {second}"))
        }
        (Error::Connect(_), other) | (other, _) => other.clone(),
    }
}

impl Wire {
    /// Says hello, and waits to be welcomed.
    pub(crate) async fn hello(&mut self, hello: Hello) -> Result<Welcome, Error> {
        let hello = ClientFrame::from(hello).encode(ENCODING);
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

    /// What is said on it from now on.
    pub(crate) fn link(&self) -> (Arc<Link>, mpsc::Receiver<ClientFrame>) {
        match self {
            Self::WebSocket(_) => Link::new(None),
            Self::WebTransport(session) => Link::new(Some(session.connection())),
        }
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

fn decode(frame: &[u8]) -> Result<GatewayFrame, Error> {
    let limits = Limits {
        bytes: MAX_FRAME_BYTES,
        ..Limits::default()
    };
    GatewayFrame::decode(frame, ENCODING, &limits)
        .map_err(|refusal| Error::Decode(refusal.to_string()))
}

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> Error {
    move |error| Error::Connect(format!("{what}: {error}"))
}
