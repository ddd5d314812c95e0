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

use crate::{Error, Transport, config::Config, supervisor::Shared};

const ENCODING: Encoding = Encoding::MsgPack;
/// How long WebTransport is tried alone: most often it is there by then.
const HEAD_START: Duration = Duration::from_millis(300);
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
    let webtransport = async {
        let session = webtransport::Session::open(config).await?;
        Ok((
            Wire::WebTransport(Box::new(session)),
            Transport::WebTransport,
        ))
    };
    let websocket = async {
        let socket = websocket::Socket::open(config).await?;
        Ok((Wire::WebSocket(Box::new(socket)), Transport::WebSocket))
    };
    let opened = match preferred.into() {
        Preferred::Only(Transport::WebSocket) => timeout(OPEN, websocket).await,
        Preferred::Only(_) => timeout(OPEN, webtransport).await,
        Preferred::WebTransport => timeout(OPEN, race(webtransport, websocket)).await,
        Preferred::WebSocket => timeout(OPEN, race(websocket, webtransport)).await,
    };
    opened.unwrap_or_else(|_| Err(Error::Connect("nothing answered in 10 s".to_owned())))
}

/// The first of both that succeeds; the first has a head start.
async fn race<T>(
    first: impl Future<Output = Result<T, Error>>,
    second: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    match timeout(HEAD_START, &mut first).await {
        Ok(Ok(opened)) => return Ok(opened),
        Ok(Err(error)) => return second.await.map_err(|other| both(&error, &other)),
        Err(_) => {}
    }
    tokio::select! {
        opened = &mut first => match opened {
            Ok(opened) => Ok(opened),
            Err(error) => second.await.map_err(|other| both(&error, &other)),
        },
        opened = &mut second => match opened {
            Ok(opened) => Ok(opened),
            Err(error) => first.await.map_err(|other| both(&other, &error)),
        },
    }
}

fn both(first: &Error, second: &Error) -> Error {
    Error::Connect(format!("{first}; {second}"))
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
