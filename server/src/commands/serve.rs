//! `macula serve`: a command answers the calls.

use std::{process::Stdio, sync::Arc, time::Instant};

use clap::Args;
use macula_client::{Context, HandlerError};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

use super::{client::Client, failure::Failure, remote::Remote};

/// The most that a command may answer, in bytes. Beyond, the call fails.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;
/// What is told of a command's standard error when it fails: the end of it, in bytes.
const MAX_ERROR_BYTES: usize = 1 << 10;

/// What to serve, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The realm.
    realm: String,
    /// The procedure.
    procedure: String,
    /// Run this by `sh -c` for each call: the argument comes as JSON on its standard input; its standard
    /// output is the result, JSON or else text.
    #[arg(long, value_name = "COMMAND")]
    exec: String,
    /// Calls at a time; further ones wait.
    #[arg(long, value_name = "CALLS", default_value_t = 8)]
    concurrency: u64,
    /// What the procedure does, for people.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(arguments: Arguments, client: &Client) -> Result<(), Failure> {
    let mesh = client
        .open(&arguments.remote, Some(&arguments.realm))
        .await?;
    let command: Arc<str> = arguments.exec.into();
    let answer = move |argument: Value, context| answer(Arc::clone(&command), argument, context);
    let mut serve = mesh
        .serve(&arguments.procedure, answer)
        .concurrency(arguments.concurrency);
    if let Some(text) = arguments.description {
        serve = serve.description(text);
    }
    let mut service = serve.await?;
    client.output.note(&format!(
        "serving {} in {}",
        arguments.procedure, arguments.realm
    ));
    client
        .output
        .either(String::new, || json!({"serving": arguments.procedure}));
    Err(service.ended().await.into())
}

/// Runs the command for one call. It is killed, with all that it has started, when the call is given up, or its time is over.
async fn answer(
    command: Arc<str>,
    argument: Value,
    context: Context,
) -> Result<Value, HandlerError> {
    let time = context.deadline.saturating_duration_since(Instant::now());
    let answered = tokio::time::timeout(time, execute(&command, &argument, &context)).await;
    let late = |_| Err(failed("timeout", "the command took too long"));
    answered.unwrap_or_else(late)
}

async fn execute(
    command: &str,
    argument: &Value,
    context: &Context,
) -> Result<Value, HandlerError> {
    let io = |error: std::io::Error| failed("io", &error.to_string());
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("MACULA_CALLER", &*context.caller)
        .env("MACULA_PROCEDURE", context.procedure.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(io)?;
    let running = Running::new(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let argument = argument.to_string();
    let write = async {
        // A command that does not read its input does not need it.
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(argument.as_bytes()).await;
        }
    };
    let read = async {
        let mut out = Vec::new();
        if let Some(stdout) = stdout {
            stdout
                .take(MAX_OUTPUT_BYTES + 1)
                .read_to_end(&mut out)
                .await?;
        }
        Ok::<_, std::io::Error>(out)
    };
    let complain = async {
        let mut complaint = Vec::new();
        let Some(mut stderr) = stderr else {
            return complaint;
        };
        while let Ok(1..) = stderr.read_buf(&mut complaint).await {
            let surplus = complaint.len().saturating_sub(MAX_ERROR_BYTES);
            complaint.drain(..surplus);
        }
        complaint
    };
    let ((), out, complaint) = tokio::join!(write, read, complain);
    let out = out.map_err(io)?;
    if out.len() as u64 > MAX_OUTPUT_BYTES {
        return Err(failed("too_large", "the command answered more than 1 MiB"));
    }
    let status = child.wait().await.map_err(io)?;
    running.over();
    if !status.success() {
        let complaint = String::from_utf8_lossy(&complaint);
        let detail = format!("{status}: {}", complaint.trim());
        return Err(failed("exit", &detail));
    }
    let text = String::from_utf8_lossy(&out);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
}

/// A command that runs, with all that it has started. What still runs when this is dropped is killed.
struct Running {
    group: Option<Pid>,
}

impl Running {
    /// Of a child that leads a process group of its own.
    fn new(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = id.and_then(Pid::from_raw);
        Self { group }
    }

    /// The command has ended. What it has left behind may go on.
    fn over(mut self) {
        self.group = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // It fails only when all of them have ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn failed(code: &str, detail: &str) -> HandlerError {
    HandlerError::new(code, detail)
}
