//! What is said on the transport in use.

use std::{sync::Arc, time::Duration};

use macula_proto::{Encoding, frame::ClientFrame};
use parking_lot::Mutex;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::webtransport::Stream;
use crate::Error;

/// Frames that may wait to be written. Who has more waits.
const QUEUE: usize = 256;

/// The transport in use.
#[derive(Debug)]
pub(crate) struct Link {
    encoding: Encoding,
    out: mpsc::Sender<ClientFrame>,
    /// There if operations have streams of their own.
    streams: Option<wtransport::Connection>,
    /// How long the last ping took, where the transport does not know itself.
    round_trip: Mutex<Option<Duration>>,
}

impl Link {
    pub(super) fn new(
        encoding: Encoding,
        streams: Option<wtransport::Connection>,
    ) -> (Arc<Self>, mpsc::Receiver<ClientFrame>) {
        let (out, outgoing) = mpsc::channel(QUEUE);
        let link = Self {
            encoding,
            out,
            streams,
            round_trip: Mutex::new(None),
        };
        (Arc::new(link), outgoing)
    }

    /// How long it takes to the gateway and back, as soon as that was measured.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        match &self.streams {
            Some(connection) => Some(connection.rtt()),
            None => *self.round_trip.lock(),
        }
    }

    /// A ping was answered.
    pub(super) fn measured(&self, round_trip: Duration) {
        *self.round_trip.lock() = Some(round_trip);
    }

    /// Says a frame among all others. What is lost with the transport is dealt with at the resume.
    pub(crate) async fn say(&self, frame: ClientFrame) {
        let _ = self.out.send(frame).await;
    }

    /// The same; gives the frame back if it was not said.
    pub(crate) async fn tell(&self, frame: ClientFrame) -> Result<(), ClientFrame> {
        self.out.send(frame).await.map_err(|unsaid| unsaid.0)
    }

    /// Says a frame from where nothing can wait.
    pub(crate) fn post(self: &Arc<Self>, frame: ClientFrame) {
        if let Err(TrySendError::Full(frame)) = self.out.try_send(frame) {
            let link = Arc::clone(self);
            // As many wait as operations were given up at once.
            tokio::spawn(async move { link.say(frame).await });
        }
    }

    pub(crate) fn has_streams(&self) -> bool {
        self.streams.is_some()
    }

    /// A stream for an operation, where there are streams.
    pub(crate) async fn stream(&self) -> Option<Result<Stream, Error>> {
        Some(Stream::open(self.streams.as_ref()?, self.encoding).await)
    }
}

/// Where the answer of a call goes.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Among all other frames.
    Link(Arc<Link>),
    /// On the stream that asked.
    Stream(Stream),
}

impl Reply {
    /// Tells how far the call is.
    pub(crate) async fn say(&mut self, frame: ClientFrame) -> Result<(), Error> {
        match self {
            Self::Link(link) => {
                link.say(frame).await;
                Ok(())
            }
            Self::Stream(stream) => stream.write(&frame).await,
        }
    }

    /// Answers, and waits until the gateway has it where the transport tells; gives the answer back if the
    /// transport was lost.
    pub(crate) async fn finish(self, answer: ClientFrame) -> Result<(), ClientFrame> {
        match self {
            Self::Link(link) => link.tell(answer).await,
            Self::Stream(mut stream) => {
                let given = async {
                    stream.write(&answer).await?;
                    stream.finished().await
                };
                given.await.map_err(|_| answer)
            }
        }
    }

    /// Waits until no answer is wanted any more, as far as a stream tells it.
    pub(crate) async fn revoked(&mut self) {
        match self {
            // `cancel` tells it.
            Self::Link(_) => std::future::pending().await,
            Self::Stream(stream) => stream.reset().await,
        }
    }
}
