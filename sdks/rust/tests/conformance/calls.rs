//! Calls of a case, each in a task of its own, and how calls and other things fail.

use anyhow::{Context, bail, ensure};
use futures_util::StreamExt;
use macula_client::{Call, Error, Value, decode};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use crate::{case::Step, values};

/// A call that was made.
pub struct Calling(JoinHandle<Outcome>);

/// What came of a call.
struct Outcome {
    result: Result<Value, Error>,
    progress: Vec<Value>,
}

impl Calling {
    /// Makes it; with progress if that is said.
    pub fn start(call: Call, streams: bool) -> Self {
        Self(tokio::spawn(async move {
            let (payload, progress) = match streams {
                false => (call.await, Vec::new()),
                true => {
                    let (progress, result) = call.progress();
                    let (progress, result) = tokio::join!(progress.collect::<Vec<_>>(), result);
                    (result, progress)
                }
            };
            let progress = progress.iter().map(decode).collect::<Result<_, _>>();
            let decoded = payload.and_then(|payload| Ok((decode(&payload)?, progress?)));
            match decoded {
                Ok((result, progress)) => Outcome {
                    result: Ok(result),
                    progress,
                },
                Err(error) => Outcome {
                    result: Err(error),
                    progress: Vec::new(),
                },
            }
        }))
    }

    /// Gives it up.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Waits for its end, which is as the step says.
    pub async fn end(self, step: &Step) -> anyhow::Result<()> {
        let ended = self.0.await;
        let outcome = match ended {
            Err(gone) if gone.is_cancelled() => return aborted(step.get("fails")),
            ended => ended?,
        };
        if let Some(expected) = step.get("progress") {
            values::check(&Value::Array(outcome.progress), expected).context("progress")?;
        }
        if let Some(result) = check(outcome.result, step.get("fails"))? {
            let expected = step.get("result").context("expected `result` or `fails`")?;
            values::check(&result, expected)?;
        }
        Ok(())
    }
}

fn aborted(fails: Option<&Json>) -> anyhow::Result<()> {
    let expected = fails.is_some_and(|fails| fails["kind"] == "aborted");
    ensure!(expected, "expected {fails:?}, found that it was given up");
    Ok(())
}

/// Checks that something failed as the case says, or did not fail; what came of it then.
pub fn check<T>(result: Result<T, Error>, fails: Option<&Json>) -> anyhow::Result<Option<T>> {
    match (result, fails) {
        (Ok(value), None) => Ok(Some(value)),
        (Ok(_), Some(fails)) => bail!("expected a failure, {fails}, found none"),
        (Err(error), None) => Err(error.into()),
        (Err(error), Some(fails)) => {
            values::contains(&told(&error), fails).with_context(|| format!("{error:?}"))?;
            Ok(None)
        }
    }
}

/// An error as cases write it.
fn told(error: &Error) -> Json {
    let kind = match error {
        Error::Problem(report) => {
            let mut told = json!(report);
            told["kind"] = "problem".into();
            return told;
        }
        Error::Invalid(_) => "invalid",
        Error::Connect(_) => "connect",
        Error::Lost => "lost",
        Error::Closed => "closed",
        Error::Decode(_) => "decode",
    };
    json!({"kind": kind})
}
