//! A request's body, as it comes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h3::{error::StreamError, server::RequestStream};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};

use super::streams::Recv;

/// Streams a body and its trailers; nothing is read ahead of who asks.
pub(super) struct RequestBody {
    stream: RequestStream<Recv, Bytes>,
    /// What `Content-Length` says is still to come.
    left: Option<u64>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Data,
    Trailers,
    Ended,
}

/// Why a body has no proper end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The stream failed, or the peer gave it up.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// RFC 9114 §4.1.2: the sum of the frames is not what `Content-Length` says.
    #[error("expected as many bytes as `Content-Length` says")]
    Length,
}

impl RequestBody {
    pub(super) fn new(stream: RequestStream<Recv, Bytes>, headers: &HeaderMap) -> Self {
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok());
        Self {
            stream,
            left: length.and_then(|length| length.parse().ok()),
            state: State::Data,
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let data = ready!(self.stream.poll_recv_data(cx))?;
        let Some(mut data) = data else {
            self.state = State::Trailers;
            return Poll::Ready(match self.left {
                None | Some(0) => Ok(None),
                Some(_) => Err(BodyError::Length),
            });
        };
        let data = data.copy_to_bytes(data.remaining());
        if let Some(left) = &mut self.left {
            let more = left.checked_sub(data.len() as u64);
            *left = more.ok_or(BodyError::Length)?;
        }
        Poll::Ready(Ok(Some(data)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.state == State::Data {
            match ready!(self.poll_data(cx)) {
                Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(None) => {}
                Err(error) => {
                    self.state = State::Ended;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        if self.state == State::Trailers {
            let trailers = ready!(self.stream.poll_recv_trailers(cx));
            self.state = State::Ended;
            if let Some(trailers) = trailers.map_err(BodyError::from).transpose() {
                return Poll::Ready(Some(trailers.map(Frame::trailers)));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
