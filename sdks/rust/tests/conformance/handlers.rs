//! The handlers of cases, and what became of their calls.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use macula_client::{Context, HandlerError, Mesh, Serve, Value};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;

use crate::WAIT;

/// What became of the calls of each procedure.
#[derive(Debug, Default)]
pub struct Handlers(Mutex<HashMap<String, Arc<Calls>>>);

/// The calls of one procedure.
#[derive(Debug)]
pub struct Calls {
    counts: watch::Sender<Counts>,
    /// How often those that are held were let go.
    releases: watch::Sender<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    handled: u64,
    cancelled: u64,
}

impl Handlers {
    fn calls(&self, procedure: &str) -> Arc<Calls> {
        let mut all = self.0.lock();
        let calls = all.entry(procedure.to_owned()).or_insert_with(|| {
            Arc::new(Calls {
                counts: watch::channel(Counts::default()).0,
                releases: watch::channel(0).0,
            })
        });
        Arc::clone(calls)
    }

    /// Serves a procedure by the handler of this name.
    pub fn serve(&self, mesh: &Mesh, procedure: &str, handler: &str) -> anyhow::Result<Serve> {
        let handler = Handler::named(handler)?;
        let calls = self.calls(procedure);
        let function = move |argument: Value, context: Context| {
            // The next release lets it go: that must hold as soon as it counts.
            let releases = calls.releases.subscribe();
            let call = Call::new(Arc::clone(&calls));
            async move {
                let result = handler.answer(argument, &context, releases).await;
                call.answered();
                result
            }
        };
        Ok(mesh.serve(procedure, function))
    }

    /// Lets all calls go that are held.
    pub fn release(&self, procedure: &str) {
        let calls = self.calls(procedure);
        calls.releases.send_modify(|count| *count += 1);
    }

    /// Waits until so many calls have come.
    pub async fn handled(&self, procedure: &str, times: u64) -> anyhow::Result<()> {
        self.reach(procedure, times, |counts| counts.handled).await
    }

    /// Waits until so many calls were cancelled.
    pub async fn cancelled(&self, procedure: &str, times: u64) -> anyhow::Result<()> {
        self.reach(procedure, times, |counts| counts.cancelled)
            .await
    }

    async fn reach(
        &self,
        procedure: &str,
        times: u64,
        count: fn(&Counts) -> u64,
    ) -> anyhow::Result<()> {
        let mut counts = self.calls(procedure).counts.subscribe();
        let reached = counts.wait_for(|counts| count(counts) >= times);
        // What was found to the end is told.
        let _ = tokio::time::timeout(WAIT, reached).await;
        let found = count(&counts.borrow());
        ensure!(
            found == times,
            "expected {times} calls of {procedure}, found {found}"
        );
        Ok(())
    }
}

/// One call; dropped before it is answered it counts as cancelled.
struct Call {
    calls: Arc<Calls>,
    answered: bool,
}

impl Call {
    fn new(calls: Arc<Calls>) -> Self {
        calls.counts.send_modify(|counts| counts.handled += 1);
        Self {
            calls,
            answered: false,
        }
    }

    fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.answered {
            let counts = &self.calls.counts;
            counts.send_modify(|counts| counts.cancelled += 1);
        }
    }
}

/// What answers.
#[derive(Debug, Clone, Copy)]
enum Handler {
    Echo,
    Add,
    Caller,
    Headers,
    Count,
    Slow,
    Fail,
    Refuse,
    Wait,
    Hold,
}

impl Handler {
    fn named(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "echo" => Self::Echo,
            "add" => Self::Add,
            "caller" => Self::Caller,
            "headers" => Self::Headers,
            "count" => Self::Count,
            "slow" => Self::Slow,
            "fail" => Self::Fail,
            "refuse" => Self::Refuse,
            "wait" => Self::Wait,
            "hold" => Self::Hold,
            other => bail!("expected a handler, found {other}"),
        })
    }

    async fn answer(
        self,
        argument: Value,
        context: &Context,
        mut releases: watch::Receiver<u32>,
    ) -> Result<Value, HandlerError> {
        match self {
            Self::Echo => Ok(argument),
            Self::Add => Ok(Value::Int(
                number(&argument, "a")? + number(&argument, "b")?,
            )),
            Self::Caller => Ok(Value::String(context.caller.to_string())),
            Self::Headers => {
                let text = |text: &Arc<str>| Value::String(text.to_string());
                let headers = context.headers.iter();
                Ok(Value::Map(
                    headers
                        .map(|(name, value)| (text(name), text(value)))
                        .collect(),
                ))
            }
            Self::Count => {
                let to = number(&argument, "to")?;
                for n in 1..=to {
                    context.progress(&n)?;
                }
                Ok(Value::Int(to))
            }
            Self::Slow => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(argument)
            }
            Self::Fail => Err(io::Error::other("broken").into()),
            Self::Refuse => {
                Err(HandlerError::new("out_of_range", "a is too large").with(json!({"limit": 10})))
            }
            Self::Wait => std::future::pending().await,
            Self::Hold => {
                releases.changed().await?;
                Ok(argument)
            }
        }
    }
}

fn number(argument: &Value, member: &str) -> Result<i64, HandlerError> {
    match argument.member(member) {
        Some(Value::Int(number)) => Ok(*number),
        other => {
            let detail = format!("expected a number `{member}`, found {other:?}");
            Err(HandlerError::new("invalid_argument", detail))
        }
    }
}

/// What a step's `times` says.
pub fn times(step: &crate::case::Step) -> anyhow::Result<u64> {
    let times = step.get("times").and_then(serde_json::Value::as_u64);
    times.context("expected `times`")
}
