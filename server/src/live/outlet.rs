//! Where the answers of one operation go.

use std::{future::pending, sync::Arc};

use bytes::Bytes;
use macula_proto::{
    Encoding,
    frame::{Frame, GatewayFrame},
};

use super::{
    link::{Link, Lost},
    streams::{framed, leave},
};
use crate::webtransport::{ReadError, RecvStream, SendStream, WriteError};

/// Where the answers of one operation go: a stream of its own, or the link's one connection or control
/// stream.
#[derive(Debug)]
pub(super) struct Outlet {
    link: Arc<Link>,
    stream: Option<Box<(SendStream, RecvStream)>>,
}

/// A frame is not sent, and none after it will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsent {
    /// What was not sent is sent when the client comes back.
    #[error("the transport is lost")]
    Lost,
    /// The client does not want it.
    #[error("the client has given the operation up")]
    GivenUp,
}

impl From<Lost> for Unsent {
    fn from(_: Lost) -> Self {
        Self::Lost
    }
}

impl From<WriteError> for Unsent {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(_) => Self::GivenUp,
            WriteError::Closed => Self::Lost,
        }
    }
}

impl Outlet {
    /// On the link's one connection or control stream.
    pub(super) fn main(link: Arc<Link>) -> Self {
        Self { link, stream: None }
    }

    /// On a stream that the client opened for the operation.
    pub(super) fn stream(link: Arc<Link>, stream: (SendStream, RecvStream)) -> Self {
        let stream = Some(Box::new(stream));
        Self { link, stream }
    }

    /// Gives it to whoever answers from now on.
    pub(super) fn take(&mut self) -> Self {
        Self {
            link: Arc::clone(&self.link),
            stream: self.stream.take(),
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.link.encoding()
    }

    /// Whether it belongs to this link.
    pub(super) fn is_on(&self, link: &Arc<Link>) -> bool {
        Arc::ptr_eq(&self.link, link)
    }

    /// Sends a frame; waits while the client is slow.
    pub(super) async fn send(&mut self, frame: &GatewayFrame) -> Result<(), Unsent> {
        self.send_bytes(frame.encode(self.encoding())).await
    }

    /// Sends a frame that is written already.
    pub(super) async fn send_bytes(&mut self, frame: Bytes) -> Result<(), Unsent> {
        match &mut self.stream {
            Some(stream) => Ok(stream.0.write_chunks(&mut framed(frame)).await?),
            None => Ok(self.link.send_bytes(frame).await?),
        }
    }

    /// Sends a frame as a datagram; false when the transport has none, or it is too large for one.
    pub(super) fn send_datagram(&self, frame: &Bytes) -> bool {
        let session = self.link.streams();
        session.is_some_and(|session| session.send_datagram(frame.clone()).is_ok())
    }

    /// Sends the operation's last frame, and ends its stream.
    pub(super) async fn finish(mut self, frame: &GatewayFrame) -> Result<(), Unsent> {
        self.send(frame).await?;
        self.end();
        Ok(())
    }

    /// Ends the operation's stream, if it is still here.
    pub(super) fn end(mut self) {
        if let Some(stream) = self.stream.take() {
            let (mut send, recv) = *stream;
            // A client that has gone needs no end.
            let _ = send.finish();
            leave(recv, &self.link);
        }
    }

    /// Ends when the client gives the operation up by its stream; never for a loss. Safe to cancel.
    pub(super) async fn given_up(&mut self) {
        let Some(stream) = &mut self.stream else {
            return pending().await;
        };
        let (send, recv) = &mut **stream;
        let given_up = tokio::select! {
            reset = reset(recv) => reset,
            stopped = send.stopped() => matches!(stopped, Ok(Some(_))),
        };
        if !given_up {
            pending::<()>().await;
        }
    }
}

/// Whether the client resets its half. More than the one frame that it may send does the same.
async fn reset(recv: &mut RecvStream) -> bool {
    match recv.read_chunk().await {
        Ok(Some(_)) | Err(ReadError::Reset(_)) => true,
        Err(ReadError::Closed) => false,
        Ok(None) => pending().await,
    }
}
