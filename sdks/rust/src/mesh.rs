//! What may be asked of the mesh.

use std::sync::Arc;

use macula_proto::{
    HandlerError, Payload,
    frame::{GatewayFrame, Welcome},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use crate::{
    Call, Connect, Context, Discover, Error, Publish, Serve, State, Status, Subscribe, payload,
    shared::Shared, supervisor::Handle,
};

/// A session. Cheap to clone; it ends with the last clone, and with [`Mesh::close`].
#[derive(Debug, Clone)]
pub struct Mesh(Arc<Handle>);

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

    fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Payload, Error> {
        payload::encode_as(value, self.shared().encoding)
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
        Call::new(self.clone(), procedure, self.encode(argument))
    }

    /// The same with an argument of any media type.
    pub fn calling_raw(&self, procedure: &str, argument: Payload) -> Call {
        Call::new(self.clone(), procedure, Ok(argument))
    }

    /// Publishes an event, of any type that serde can write, when the returned [`Publish`] is awaited.
    pub fn publish<T: Serialize + ?Sized>(&self, topic: &str, value: &T) -> Publish {
        Publish::new(self.clone(), topic, self.encode(value))
    }

    /// The same with a payload of any media type.
    pub fn publish_raw(&self, topic: &str, payload: Payload) -> Publish {
        Publish::new(self.clone(), topic, Ok(payload))
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

    /// Finds procedures, topics and nodes whose names match a pattern, when the returned [`Discover`] is
    /// awaited.
    pub fn discover(&self, pattern: &str) -> Discover {
        Discover::new(self.clone(), pattern)
    }

    /// How the session is at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(self.shared())
    }

    /// How the session is, and each change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared().state()
    }

    /// The session's token, end and bounds, as the gateway told them.
    #[must_use]
    pub fn welcome(&self) -> Welcome {
        self.shared().inner.lock().welcome.clone()
    }

    /// Ends the session, and waits until the gateway was told or cannot be. Calls and subscriptions end at
    /// once. Handlers that are at work may answer first, for as long as
    /// [`close_timeout`](Connect::close_timeout); then they are dropped, and their callers get
    /// `provider_unavailable`, as those do who call from now on. Everything after fails with
    /// [`Error::Closed`].
    pub async fn close(&self) {
        self.0.close().await;
    }
}

pub(crate) fn unexpected(frame: &GatewayFrame) -> Error {
    Error::Decode(format!("expected an answer, found `{}`", frame.kind()))
}
