//! Calls.

use std::{future::IntoFuture, pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use macula_proto::{
    Headers, Payload, Procedure,
    frame::{self, GatewayFrame},
};
use tokio::sync::mpsc;

use crate::{Error, Mesh, mesh::unexpected};

/// The longest timeout of a call.
const MAX_TIMEOUT: Duration = Duration::from_secs(600);
/// Progress of one call that may wait to be read; what is more is left out.
const PROGRESS: usize = 64;

/// A call to make. Awaiting it gives the result; dropping it before that gives the call up.
#[derive(Debug)]
#[must_use = "it calls when it is awaited"]
pub struct Call {
    mesh: Mesh,
    procedure: String,
    argument: Result<Payload, Error>,
    timeout: Option<Duration>,
    key: Option<Arc<str>>,
    headers: Headers,
}

impl Call {
    pub(crate) fn new(mesh: Mesh, procedure: &str, argument: Result<Payload, Error>) -> Self {
        Self {
            mesh,
            procedure: procedure.to_owned(),
            argument,
            timeout: None,
            key: None,
            headers: Headers::new(),
        }
    }

    /// How long to wait for the result, from 1 ms to 10 minutes; 5 s unless said otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes a repeated call give the first one's answer, and lets a call that was lost with its
    /// transport be made again.
    pub fn idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// An application header; names are in lower case.
    pub fn header(mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Makes the call, and gives what its handler tells on the way, each with its payload.
    ///
    /// # Errors
    /// As awaiting it; the result comes after the last progress.
    pub fn progress(
        self,
    ) -> (
        impl Stream<Item = Payload> + Send + Unpin,
        impl Future<Output = Result<Payload, Error>> + Send,
    ) {
        let (sender, mut receiver) = mpsc::channel(PROGRESS);
        let stream = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
        (stream, self.run(Some(sender)))
    }

    async fn run(self, progress: Option<mpsc::Sender<Payload>>) -> Result<Payload, Error> {
        let procedure = Procedure::parse(&self.procedure);
        let procedure = procedure.map_err(|error| Error::Invalid(error.to_string()))?;
        let argument = self.argument?;
        let wants_progress = frame::Flag(progress.is_some());
        let bounds = Duration::from_millis(1)..=MAX_TIMEOUT;
        if let Some(timeout) = self.timeout.filter(|timeout| !bounds.contains(timeout)) {
            let detail = format!("expected a timeout from 1 ms to 10 minutes, found {timeout:?}");
            return Err(Error::Invalid(detail));
        }
        let timeout = self.timeout.map(|timeout| timeout.as_millis());
        let request = |id| {
            let call = frame::Call {
                id,
                realm: None,
                procedure,
                timeout_ms: timeout.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
                progress: wants_progress,
                idempotency_key: self.key,
                headers: self.headers,
                argument,
            };
            call.into()
        };
        match self.mesh.shared().ask(request, progress).await? {
            GatewayFrame::CallResult(result) => Ok(result.payload),
            other => Err(unexpected(&other)),
        }
    }
}

impl IntoFuture for Call {
    type Output = Result<Payload, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run(None))
    }
}
