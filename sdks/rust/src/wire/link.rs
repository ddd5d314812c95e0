//! What is said on the transport in use.

use std::sync::Arc;

use macula_proto::frame::ClientFrame;
use tokio::sync::mpsc;

use super::webtransport::Stream;
use crate::Error;

/// Frames that may wait to be written. Who has more waits.
const QUEUE: usize = 256;

/// The transport in use.
#[derive(Debug)]
pub(crate) struct Link {
    out: mpsc::Sender<ClientFrame>,
    /// There if operations have streams of their own.
    streams: Option<wtransport::Connection>,
}

impl Link {
    pub(super) fn new(
        streams: Option<wtransport::Connection>,
    ) -> (Arc<Self>, mpsc::Receiver<ClientFrame>) {
        let (out, outgoing) = mpsc::channel(QUEUE);
        (Arc::new(Self { out, streams }), outgoing)
    }

    /// Says a frame among all others. What is lost with the transport is dealt with at the resume.
    pub(crate) async fn say(&self, frame: ClientFrame) {
        let _ = self.out.send(frame).await;
    }

    /// Says a frame from where nothing can wait. When the queue is full it is not said: the gateway
    /// ends what it is about at the latest with the session.
    pub(crate) fn post(&self, frame: ClientFrame) {
        if self.out.try_send(frame).is_err() {
            tracing::debug!("a frame was not said, as too many wait");
        }
    }

    pub(crate) fn has_streams(&self) -> bool {
        self.streams.is_some()
    }

    /// A stream for an operation, where there are streams.
    pub(crate) async fn stream(&self) -> Option<Result<Stream, Error>> {
        Some(Stream::open(self.streams.as_ref()?).await)
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

    /// Answers; gives the answer back if the transport was lost.
    pub(crate) async fn finish(self, answer: ClientFrame) -> Result<(), ClientFrame> {
        match self {
            Self::Link(link) => link.out.send(answer).await.map_err(|unsent| unsent.0),
            Self::Stream(mut stream) => match stream.write(&answer).await {
                Ok(()) => {
                    stream.finish();
                    Ok(())
                }
                Err(_) => Err(answer),
            },
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
