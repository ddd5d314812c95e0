//! WebTransport over HTTP/3: a control stream, and a stream for each operation.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use macula_proto::{
    Encoding,
    frame::{
        ClientFrame, Frame, GatewayFrame,
        stream::{Splitter, put_frame},
    },
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wtransport::{
    Connection, Endpoint, RecvStream, SendStream,
    error::{StreamReadError, StreamWriteError},
};

use super::{End, FAREWELL, MAX_FRAME_BYTES, Refused, Reply, decode, failed};
use crate::{Error, config::Config, shared::Shared};

/// The most that is read of a stream at a time.
const READ_BYTES: usize = 64 << 10;
/// Frames that are written together.
const BATCH: usize = 64;

/// An open session.
pub(crate) struct Session {
    connection: Connection,
    control: Stream,
}

/// A stream in both directions.
#[derive(Debug)]
pub(crate) struct Stream {
    send: SendStream,
    incoming: Incoming,
    encoding: Encoding,
}

/// The frames that come on a stream.
#[derive(Debug)]
struct Incoming {
    recv: RecvStream,
    splitter: Splitter,
    encoding: Encoding,
}

impl Session {
    pub(super) async fn open(config: &Config) -> Result<Self, Refused> {
        let client = wtransport::ClientConfig::builder()
            .with_bind_default()
            .with_custom_tls(config.trust.tls(b"h3")?)
            .keep_alive_interval(Some(config.patience / 3))
            .max_idle_timeout(Some(config.patience))
            .map_err(|error| failed("QUIC")(&error))?
            .build();
        let endpoint = Endpoint::client(client).map_err(|error| failed("UDP")(&error))?;
        let url = format!("https://{}:{}/v1/connect", config.host, config.port);
        let connection = endpoint.connect(url).await;
        let connection = connection.map_err(|error| failed("WebTransport")(&error))?;
        let control = Stream::open(&connection, config.encoding).await?;
        Ok(Self {
            connection,
            control,
        })
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.control.encoding
    }

    pub(super) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// Says a frame and hears the next.
    pub(super) async fn ask(&mut self, frame: Bytes) -> Result<GatewayFrame, Error> {
        let mut bytes = Vec::new();
        put_frame(&mut bytes, &frame);
        let said = self.control.send.write_all(&bytes).await;
        said.map_err(|error| failed("WebTransport")(&error))?;
        let heard = self.control.incoming.next().await;
        heard?.ok_or_else(|| failed("WebTransport")(&"closed before `welcome`"))
    }

    pub(super) async fn run(
        self,
        outgoing: mpsc::Receiver<ClientFrame>,
        shared: &Arc<Shared>,
        closing: &CancellationToken,
    ) -> End {
        let Self {
            connection,
            control,
        } = self;
        let Stream {
            mut send,
            incoming,
            encoding,
        } = control;
        tokio::select! {
            () = read(incoming, shared) => {}
            () = write(&mut send, outgoing, encoding) => {}
            () = invocations(&connection, shared, encoding) => {}
            _ = connection.closed() => {}
            () = closing.cancelled() => {
                // The end of the control stream is the end of the session; it is over when the gateway
                // has closed it, or does not answer.
                let _ = send.finish().await;
                let _ = tokio::time::timeout(FAREWELL, connection.closed()).await;
                return End::Closing;
            }
        }
        End::Lost
    }
}

/// Takes what comes on the control stream, to its end.
async fn read(mut incoming: Incoming, shared: &Arc<Shared>) {
    let link = shared.link();
    while let Ok(Some(frame)) = incoming.next().await {
        if let Some(invocation) = shared.heard(frame)
            && let Some(link) = &link
        {
            shared.answer(invocation, Reply::Link(Arc::clone(link)));
        }
    }
}

/// Writes what is said on the control stream.
async fn write(
    send: &mut SendStream,
    mut outgoing: mpsc::Receiver<ClientFrame>,
    encoding: Encoding,
) {
    let mut batch = Vec::new();
    let mut bytes = Vec::new();
    while outgoing.recv_many(&mut batch, BATCH).await > 0 {
        for frame in batch.drain(..) {
            put_frame(&mut bytes, &frame.encode(encoding));
        }
        if send.write_all(&bytes).await.is_err() {
            return;
        }
        bytes.clear();
    }
}

/// Answers the calls that the gateway asks on streams of its own.
async fn invocations(connection: &Connection, shared: &Arc<Shared>, encoding: Encoding) {
    while let Ok((send, recv)) = connection.accept_bi().await {
        let shared = Arc::clone(shared);
        // As many as the session has calls in flight, which the gateway bounds.
        tokio::spawn(async move {
            let mut stream = Stream::new(send, recv, encoding);
            if let Ok(Some(frame)) = stream.incoming.next().await
                && let Some(invocation) = shared.heard(frame)
            {
                shared.answer(invocation, Reply::Stream(stream));
            }
        });
    }
}

impl Stream {
    fn new(send: SendStream, recv: RecvStream, encoding: Encoding) -> Self {
        let incoming = Incoming {
            recv,
            splitter: Splitter::new(MAX_FRAME_BYTES),
            encoding,
        };
        Self {
            send,
            incoming,
            encoding,
        }
    }

    pub(super) async fn open(connection: &Connection, encoding: Encoding) -> Result<Self, Error> {
        let opening = connection.open_bi().await;
        let opening = opening.map_err(|error| failed("WebTransport")(&error))?;
        let (send, recv) = opening
            .await
            .map_err(|error| failed("WebTransport")(&error))?;
        Ok(Self::new(send, recv, encoding))
    }

    /// Says a request, and takes what is answered until the operation or the transport has ended.
    pub(crate) async fn converse(
        mut self,
        request: &ClientFrame,
        mut heard: impl FnMut(GatewayFrame),
    ) {
        if self.write(request).await.is_err() {
            return;
        }
        self.finish();
        while let Ok(Some(frame)) = self.incoming.next().await {
            heard(frame);
        }
    }

    pub(super) async fn write(&mut self, frame: &ClientFrame) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(64);
        put_frame(&mut bytes, &frame.encode(self.encoding));
        let written = self.send.write_all(&bytes).await;
        written.map_err(|error| failed("WebTransport")(&error))
    }

    /// Ends our half, and waits until the gateway has all of it, or wants no more of it.
    pub(super) async fn finished(&mut self) -> Result<(), Error> {
        match self.send.finish().await {
            Ok(()) | Err(StreamWriteError::Stopped(_)) => Ok(()),
            Err(error) => Err(failed("WebTransport")(&error)),
        }
    }

    /// Ends our half. Does not wait until the gateway has all of it, which may take a while.
    fn finish(&mut self) {
        // The gateway may want no more of it, or be gone: then there is nothing to end.
        let _ = self.send.finish().now_or_never();
    }

    /// Waits until the gateway gives the stream up; never for a loss.
    pub(super) async fn reset(&mut self) {
        let mut piece = [0; 1];
        if !matches!(
            self.incoming.recv.read(&mut piece).await,
            Err(StreamReadError::Reset(_))
        ) {
            std::future::pending::<()>().await;
        }
    }
}

impl Incoming {
    /// The next frame; none when the stream has ended.
    async fn next(&mut self) -> Result<Option<GatewayFrame>, Error> {
        loop {
            let frame = self.splitter.next_frame();
            if let Some(frame) = frame.map_err(|error| Error::Decode(error.to_string()))? {
                match decode(&frame, self.encoding) {
                    Ok(frame) => return Ok(Some(frame)),
                    // A later gateway may say what this client does not know.
                    Err(error) => tracing::debug!(%error, "a frame is passed over"),
                }
                continue;
            }
            // As it came from the wire: a future that held a buffer would be moved about with it.
            match self
                .recv
                .quic_stream_mut()
                .read_chunk(READ_BYTES, true)
                .await
            {
                Ok(Some(chunk)) => self.splitter.push(&chunk.bytes),
                Ok(None) => return Ok(None),
                Err(error) => return Err(failed("WebTransport")(&error)),
            }
        }
    }
}
