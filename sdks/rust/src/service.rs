//! Procedures that are served here.

use std::{
    fmt,
    future::IntoFuture,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use macula_proto::{
    Encoding, HandlerError, Headers, Payload, Policy, Procedure,
    frame::{self, Anything, Invoke},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot};

use crate::{Error, Mesh, book::Sink, payload, shared::Shared};

/// Progress that waits to be sent; what is more is not told.
const PROGRESS: usize = 16;

type Answering = BoxFuture<'static, Result<Payload, HandlerError>>;
type Function = dyn Fn(Payload, Context) -> Answering + Send + Sync;

/// What answers the calls of one procedure.
#[derive(Clone)]
pub(crate) struct Handler {
    function: Arc<Function>,
    encoding: Encoding,
    failed: mpsc::Sender<Error>,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}

impl Handler {
    /// One that is never asked.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self {
            function: Arc::new(|_, _| Box::pin(std::future::pending())),
            encoding: Encoding::MsgPack,
            failed: mpsc::channel(1).0,
        }
    }

    /// The procedure is not served any more.
    pub(crate) fn fail(&self, error: &Error) {
        let _ = self.failed.try_send(error.clone());
    }

    /// Answers a call; its progress comes on the side.
    pub(crate) fn call(&self, invoke: Invoke) -> (Answering, mpsc::Receiver<Payload>) {
        let (progress, told) = mpsc::channel(PROGRESS);
        let context = Context {
            caller: invoke.caller,
            procedure: invoke.procedure,
            headers: invoke.headers,
            deadline: Instant::now() + Duration::from_millis(invoke.timeout_ms),
            progress: invoke.progress.0.then_some(progress),
            encoding: self.encoding,
        };
        ((self.function)(invoke.argument, context), told)
    }
}

/// What a handler knows of a call beside its argument.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who calls.
    pub caller: Arc<str>,
    /// The procedure.
    pub procedure: Procedure,
    /// Application headers.
    pub headers: Headers,
    /// When the caller stops waiting.
    pub deadline: Instant,
    progress: Option<mpsc::Sender<Payload>>,
    encoding: Encoding,
}

impl Context {
    /// Tells the caller how far the call is, if it wants to know. What comes too fast is left out.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the value cannot be written.
    pub fn progress<T: Serialize>(&self, value: &T) -> Result<(), Error> {
        if let Some(progress) = &self.progress {
            let _ = progress.try_send(payload::encode_as(value, self.encoding)?);
        }
        Ok(())
    }
}

/// A procedure to serve; awaiting it serves it.
#[must_use = "it serves when it is awaited"]
pub struct Serve {
    mesh: Mesh,
    procedure: String,
    function: Arc<Function>,
    policy: Option<Policy>,
    concurrency: Option<u64>,
    description: Option<Arc<str>>,
    argument_schema: Option<Box<Anything>>,
    result_schema: Option<Box<Anything>>,
}

impl Serve {
    /// With a function of typed values. What it cannot read is an error of the code
    /// `invalid_argument`.
    pub(crate) fn new<A, R, F, Fut>(mesh: Mesh, procedure: String, function: F) -> Self
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(A, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        let encoding = mesh.shared().encoding;
        let function = move |argument: Payload, context| -> Answering {
            let answering = payload::decode(&argument).map(|argument| function(argument, context));
            Box::pin(async move {
                let result = answering.map_err(|error| failed("invalid_argument", &error))?;
                let result = result.await?;
                payload::encode_as(&result, encoding)
                    .map_err(|error| failed("invalid_result", &error))
            })
        };
        Self {
            mesh,
            procedure,
            function: Arc::new(function),
            policy: None,
            concurrency: None,
            description: None,
            argument_schema: None,
            result_schema: None,
        }
    }

    /// How calls are spread over several providers.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Calls at a time, 64 unless said otherwise; further ones wait at the gateway.
    pub fn concurrency(mut self, calls: u64) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// What the procedure does, for people.
    pub fn description(mut self, text: impl Into<Arc<str>>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// The JSON Schemas of argument and result, which discovery shows.
    pub fn schemas(mut self, argument: serde_json::Value, result: serde_json::Value) -> Self {
        self.argument_schema = Some(Box::new(Anything(argument)));
        self.result_schema = Some(Box::new(Anything(result)));
        self
    }

    async fn serve(self) -> Result<Service, Error> {
        let procedure = Procedure::parse(&self.procedure);
        let procedure = procedure.map_err(|error| Error::Invalid(error.to_string()))?;
        let (failing, failed) = mpsc::channel(1);
        let handler = Handler {
            function: self.function,
            encoding: self.mesh.shared().encoding,
            failed: failing,
        };
        let (ready, waiting) = oneshot::channel();
        let sink = Sink::Service {
            ready: Some(ready),
            handler,
        };
        let request = |id| {
            let serve = frame::Serve {
                id,
                realm: None,
                procedure,
                policy: self.policy,
                concurrency: self.concurrency,
                description: self.description,
                argument_schema: self.argument_schema,
                result_schema: self.result_schema,
            };
            serve.into()
        };
        let shared = Arc::clone(self.mesh.shared());
        let id = shared.begin_lasting(request, sink).await;
        let service = Service { shared, id, failed };
        waiting.await.unwrap_or(Err(Error::Closed))?;
        Ok(service)
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("procedure", &self.procedure)
            .finish_non_exhaustive()
    }
}

impl IntoFuture for Serve {
    type Output = Result<Service, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.serve())
    }
}

/// A procedure that is served while this lives. Calls that have no answer yet when it ends fail with
/// `provider_unavailable`.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    id: u64,
    failed: mpsc::Receiver<Error>,
}

impl Service {
    /// Waits until the procedure is not served any more, and tells why.
    pub async fn ended(&mut self) -> Error {
        self.failed.recv().await.unwrap_or(Error::Closed)
    }

    /// Stops serving, and waits until no new call comes.
    pub async fn stop(self) {
        self.shared.stop_serving(self.id).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.give_up(self.id);
    }
}

fn failed(code: &str, error: &Error) -> HandlerError {
    HandlerError::new(code, error.to_string())
}
