//! Where to connect, as whom, and how.

use std::{fmt, future::IntoFuture, pin::Pin, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::Uri;
use macula_proto::{Encoding, Realm};

use crate::{Error, Mesh, Trust, supervisor};

const PATIENCE: Duration = Duration::from_secs(25);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a session is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// WebTransport, over UDP.
    WebTransport,
    /// WebSocket, over TCP.
    WebSocket,
}

/// Which transports are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transports {
    Only(Transport),
    /// Both; this one first.
    First(Transport),
}

/// Gets a new token.
#[derive(Clone)]
pub(crate) struct Renew(Arc<dyn Fn() -> BoxFuture<'static, Result<Arc<str>, Error>> + Send + Sync>);

impl Renew {
    pub(crate) async fn token(&self) -> Result<Arc<str>, Error> {
        (self.0)().await
    }
}

impl fmt::Debug for Renew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renew").finish_non_exhaustive()
    }
}

/// A session to open; awaiting it opens it.
#[derive(Debug, Clone)]
#[must_use = "it connects when it is awaited"]
pub struct Connect {
    url: String,
    transports: Vec<Transport>,
    encoding: Encoding,
    trust: Trust,
    token: Option<Arc<str>>,
    renew: Option<Renew>,
    realm: Option<String>,
    subject: Option<Arc<str>>,
    patience: Duration,
    close_timeout: Duration,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// An address of IPv6 stands in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) transports: Transports,
    pub(crate) encoding: Encoding,
    pub(crate) trust: Trust,
    pub(crate) token: Option<Arc<str>>,
    pub(crate) renew: Option<Renew>,
    pub(crate) realm: Option<Realm>,
    pub(crate) subject: Option<Arc<str>>,
    pub(crate) patience: Duration,
    pub(crate) close_timeout: Duration,
}

impl Connect {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            transports: vec![Transport::WebTransport, Transport::WebSocket],
            encoding: Encoding::MsgPack,
            trust: Trust::System,
            token: None,
            renew: None,
            realm: None,
            subject: None,
            patience: PATIENCE,
            close_timeout: CLOSE_TIMEOUT,
        }
    }

    /// Which transports to use, the preferred one first; WebTransport and then WebSocket unless said
    /// otherwise. Where there are two both are tried, and the one that answered at a gateway is tried there
    /// first from then on, in all sessions of the process.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports = transports.into_iter().collect();
        self
    }

    /// The encoding of what is said and of the values that are sent; MessagePack unless said otherwise.
    /// Values come back as what they were in either: JSON has a form for bytes, `{"$bytes": …}`. It has
    /// none for floats that are no number.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Whom to take for the gateway; who has a certificate that the system trusts unless said otherwise.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// The token of a session; without one a session is opened in an open realm.
    pub fn token(mut self, token: impl Into<Arc<str>>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How to get a new token when the gateway does not take the old one (any more). It is asked once each
    /// time that happens; then a new session begins, with the same subscriptions and served procedures.
    /// Without it a session that has a [`token`](Connect::token) ends with the token.
    pub fn renew<F, Fut>(mut self, renew: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<str>, Error>> + Send + 'static,
    {
        self.renew = Some(Renew(Arc::new(move || Box::pin(renew()))));
        self
    }

    /// The realm of the session to open.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Who opens the session, as publishers and callers are named.
    pub fn subject(mut self, subject: impl Into<Arc<str>>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// How long the gateway may say nothing, not even to a ping, before the transport counts as lost; 25 s
    /// unless said otherwise, and at least 1 s.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time.max(Duration::from_secs(1));
        self
    }

    /// How long [`Mesh::close`] waits for the handlers that are at work; 5 s unless said otherwise.
    pub fn close_timeout(mut self, time: Duration) -> Self {
        self.close_timeout = time;
        self
    }

    fn checked(self) -> Result<Config, Error> {
        let invalid =
            || Error::Invalid(format!("expected https://HOST[:PORT], found {}", self.url));
        let uri: Uri = self.url.parse().map_err(|_| invalid())?;
        if uri.scheme_str() != Some("https") || !matches!(uri.path(), "" | "/") {
            return Err(invalid());
        }
        let host = uri.host().ok_or_else(invalid)?.to_owned();
        let realm = self.realm.map(|realm| Realm::parse(&realm)).transpose();
        Ok(Config {
            host,
            port: uri.port_u16().unwrap_or(443),
            transports: Transports::of(&self.transports)?,
            encoding: self.encoding,
            trust: self.trust,
            token: self.token,
            renew: self.renew,
            realm: realm.map_err(|error| Error::Invalid(error.to_string()))?,
            subject: self.subject,
            patience: self.patience,
            close_timeout: self.close_timeout,
        })
    }
}

impl Transports {
    fn of(asked: &[Transport]) -> Result<Self, Error> {
        match asked {
            [] => Err(Error::Invalid("expected a transport".to_owned())),
            [first, others @ ..] if others.iter().all(|other| other == first) => {
                Ok(Self::Only(*first))
            }
            [first, ..] => Ok(Self::First(*first)),
        }
    }
}

impl IntoFuture for Connect {
    type Output = Result<Mesh, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { supervisor::start(self.checked()?).await })
    }
}
