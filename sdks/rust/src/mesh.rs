//! What may be asked of the mesh.

use std::{future::IntoFuture, pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use macula_proto::{
    EventId, HandlerError, Headers, Pattern, Payload, Procedure, Topic,
    frame::{self, GatewayFrame},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::{
    Connect, Error, payload,
    service::{Context, Serve},
    shared::Shared,
    subscription::Subscribe,
    supervisor::Handle,
};

/// The longest timeout of a call.
const MAX_TIMEOUT: Duration = Duration::from_secs(600);
/// Progress of one call that may wait to be read; what is more is left out.
const PROGRESS: usize = 64;

/// How the session is at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is on this transport.
    Connected(crate::Transport),
    /// The transport was lost; what is asked meanwhile waits.
    Reconnecting,
    /// It has ended, with the reason.
    Closed(String),
}

/// A session. Cheap to clone; it ends with the last clone, and with [`Mesh::close`].
#[derive(Debug, Clone)]
pub struct Mesh(Arc<Handle>);

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

impl Mesh {
    /// A session with the gateway at `https://HOST[:PORT]`, opened when the returned [`Connect`] is
    /// awaited.
    pub fn connect(url: impl Into<String>) -> Connect {
        Connect::new(url.into())
    }

    pub(crate) fn new(handle: Handle) -> Self {
        Self(Arc::new(handle))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Calls a procedure with an argument of any type that serde can write. For a result of any type
    /// that it can read await [`Mesh::call`]; for more say it on [`Mesh::calling`].
    ///
    /// # Errors
    /// The gateway's or the handler's problem, or what [`Error`] says of the session.
    pub async fn call<A, R>(&self, procedure: &str, argument: &A) -> Result<R, Error>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        payload::decode(&self.calling(procedure, argument).await?)
    }

    /// A call with a timeout, a key, headers or progress.
    pub fn calling<A: Serialize + ?Sized>(&self, procedure: &str, argument: &A) -> Call {
        self.calling_with(procedure, payload::encode(argument))
    }

    /// The same with an argument of any media type.
    pub fn calling_raw(&self, procedure: &str, argument: Payload) -> Call {
        self.calling_with(procedure, Ok(argument))
    }

    fn calling_with(&self, procedure: &str, argument: Result<Payload, Error>) -> Call {
        Call {
            mesh: self.clone(),
            procedure: procedure.to_owned(),
            argument,
            timeout: None,
            key: None,
            headers: Headers::new(),
        }
    }

    /// Publishes an event; its id.
    ///
    /// # Errors
    /// The gateway's problem, or what [`Error`] says of the session.
    pub async fn publish<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        value: &T,
    ) -> Result<EventId, Error> {
        self.publish_raw(topic, payload::encode(value)?).await
    }

    /// The same with a payload of any media type.
    ///
    /// # Errors
    /// As [`Mesh::publish`].
    pub async fn publish_raw(&self, topic: &str, payload: Payload) -> Result<EventId, Error> {
        let topic = Topic::parse(topic).map_err(|error| Error::Invalid(error.to_string()))?;
        let request = |id| {
            let publish = frame::Publish {
                id: Some(id),
                realm: None,
                topic,
                idempotency_key: None,
                headers: Headers::new(),
                payload,
            };
            publish.into()
        };
        match self.shared().ask(request, None).await? {
            GatewayFrame::Published(published) => Ok(published.event_id),
            other => Err(unexpected(&other)),
        }
    }

    /// Subscribes to a pattern when the returned [`Subscribe`] is awaited.
    pub fn subscribe(&self, pattern: impl Into<String>) -> Subscribe {
        Subscribe::new(self.clone(), pattern.into())
    }

    /// Serves a procedure when the returned [`Serve`] is awaited, as long as the service lives.
    pub fn serve<A, R, F, Fut>(&self, procedure: impl Into<String>, function: F) -> Serve
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(A, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        Serve::new(self.clone(), procedure.into(), function)
    }

    /// Finds procedures, topics and nodes: all pages of what matches, at most `limit` items, as
    /// `GET /v1/discover` gives them.
    ///
    /// # Errors
    /// The gateway's problem, or what [`Error`] says of the session.
    pub async fn discover(&self, pattern: &str, limit: usize) -> Result<Vec<Value>, Error> {
        let pattern = Pattern::parse(pattern);
        let pattern = pattern.map_err(|error| Error::Invalid(error.to_string()))?;
        let mut items = Vec::new();
        let mut cursor: Option<Arc<str>> = None;
        loop {
            let left = limit.saturating_sub(items.len()).min(1_000) as u64;
            let request = |id| {
                let discover = frame::Discover {
                    id,
                    realm: None,
                    pattern: pattern.clone(),
                    kind: None,
                    limit: Some(left.max(1)),
                    cursor: cursor.clone(),
                };
                discover.into()
            };
            let mut page = match self.shared().ask(request, None).await? {
                GatewayFrame::Discovered(found) => found.page.0,
                other => return Err(unexpected(&other)),
            };
            if let Some(found) = page["items"].as_array_mut() {
                items.append(found);
            }
            cursor = page["next"].as_str().map(Into::into);
            if cursor.is_none() || items.len() >= limit {
                items.truncate(limit);
                return Ok(items);
            }
        }
    }

    /// The session's name, realm, subject, node and bounds, as the gateway told them.
    #[must_use]
    pub fn welcome(&self) -> frame::Welcome {
        self.shared().welcome()
    }

    /// How the session is, and each change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared().state()
    }

    /// Ends the session, and waits until the gateway was told or cannot be.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl Call {
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

fn unexpected(frame: &GatewayFrame) -> Error {
    Error::Decode(format!("expected an answer, found `{}`", frame.kind()))
}
