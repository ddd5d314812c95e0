//! Events that are published.

use std::{future::IntoFuture, pin::Pin, sync::Arc};

use macula_proto::{
    EventId, Headers, Payload, Topic,
    frame::{self, GatewayFrame},
};

use crate::{Error, Mesh, mesh::unexpected};

/// An event to publish. Awaiting it gives its id, as soon as the gateway has it.
#[derive(Debug)]
#[must_use = "it is published when it is awaited"]
pub struct Publish {
    mesh: Mesh,
    topic: String,
    payload: Result<Payload, Error>,
    key: Option<Arc<str>>,
    headers: Headers,
}

impl Publish {
    pub(crate) fn new(mesh: Mesh, topic: &str, payload: Result<Payload, Error>) -> Self {
        Self {
            mesh,
            topic: topic.to_owned(),
            payload,
            key: None,
            headers: Headers::new(),
        }
    }

    /// Makes a repeated publish give the first one's id and do nothing else, and lets one that was lost with
    /// its transport be made again.
    pub fn idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// An application header; names are in lower case.
    pub fn header(mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Publishes it without waiting to hear of it: as soon as it can be said. In the order of those that are
    /// published so, and faster; but what is refused is not told, and what is lost with the transport is lost.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a topic or a payload that cannot be one, [`Error::Closed`].
    pub async fn unacknowledged(self) -> Result<(), Error> {
        let mesh = self.mesh.clone();
        let publish = self.checked()?;
        mesh.shared().tell(publish.into()).await
    }

    async fn run(self) -> Result<EventId, Error> {
        let mesh = self.mesh.clone();
        let mut publish = self.checked()?;
        let request = |id| {
            publish.id = Some(id);
            publish.into()
        };
        match mesh.shared().ask(request, None).await? {
            GatewayFrame::Published(published) => Ok(published.event_id),
            other => Err(unexpected(&other)),
        }
    }

    fn checked(self) -> Result<frame::Publish, Error> {
        let topic = Topic::parse(&self.topic).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(frame::Publish {
            id: None,
            realm: None,
            topic,
            idempotency_key: self.key,
            headers: self.headers,
            payload: self.payload?,
        })
    }
}

impl IntoFuture for Publish {
    type Output = Result<EventId, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
