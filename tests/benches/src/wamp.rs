//! Crossbar: a router as a process, and calls by a client of WAMP (wamp-proto.org) that costs little: JSON
//! over a WebSocket.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{free_port, process::Process};

/// How long a start may take: it is a Python program with several processes.
const START: Duration = Duration::from_secs(60);
const REALM: &str = "bench";

// Types of messages (the WAMP specification, "Message Codes").
const HELLO: u64 = 1;
const WELCOME: u64 = 2;
const CALL: u64 = 48;
const RESULT: u64 = 50;
const REGISTER: u64 = 64;
const REGISTERED: u64 = 65;
const INVOCATION: u64 = 68;
const YIELD: u64 = 70;

/// A running router.
pub struct Crossbar {
    /// The process.
    pub process: Process,
    port: u16,
    _directory: TempDir,
}

/// One session.
pub struct Session(WebSocketStream<TcpStream>);

impl Crossbar {
    /// Starts `crossbar` with one realm and one WebSocket, without TLS.
    ///
    /// # Errors
    /// It is not there.
    pub fn start(binary: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let directory = tempfile::tempdir()?;
        let permissions = json!([{
            "uri": "", "match": "prefix",
            "allow": {"call": true, "register": true, "publish": true, "subscribe": true},
        }]);
        let config = json!({
            "version": 2,
            "workers": [{
                "type": "router",
                "realms": [{"name": REALM, "roles": [{"name": "anonymous", "permissions": permissions}]}],
                "transports": [{
                    "type": "websocket",
                    "endpoint": {"type": "tcp", "interface": "127.0.0.1", "port": port},
                    "options": {"enable_webstatus": false},
                }],
            }],
        });
        fs::write(directory.path().join("config.json"), config.to_string())?;
        let mut command = Command::new(binary);
        command.args(["start", "--cbdir"]).arg(directory.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self {
            process: Process::start(&mut command)?,
            port,
            _directory: directory,
        })
    }

    /// Opens a session, as soon as it listens.
    ///
    /// # Errors
    /// It does not listen in time, or does not welcome the session.
    pub async fn open(&self) -> anyhow::Result<Session> {
        let started = Instant::now();
        loop {
            match self.try_open().await {
                Err(_) if started.elapsed() < START => sleep(Duration::from_millis(200)).await,
                opened => return opened.context("crossbar"),
            }
        }
    }

    async fn try_open(&self) -> anyhow::Result<Session> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://127.0.0.1:{}/", self.port).into_client_request()?;
        let protocol = HeaderValue::from_static("wamp.2.json");
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        let mut session = Session(socket);
        let roles = json!({"roles": {"caller": {}, "callee": {}}});
        session.say(&json!([HELLO, REALM, roles])).await?;
        session.hear(WELCOME).await?;
        Ok(session)
    }
}

impl Session {
    async fn say(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    /// The next message, which has to be of this type.
    async fn hear(&mut self, kind: u64) -> anyhow::Result<Value> {
        loop {
            if let Message::Text(text) = self.0.next().await.context("the end")?? {
                let message: Value = serde_json::from_str(&text)?;
                ensure!(
                    message[0] == kind,
                    "expected a message of type {kind}, found {message}"
                );
                return Ok(message);
            }
        }
    }

    /// Registers a procedure that gives its arguments back, until the session ends.
    ///
    /// # Errors
    /// It is not registered, or the session has ended.
    pub async fn serve(mut self, procedure: &str) -> anyhow::Result<()> {
        self.say(&json!([REGISTER, 1, {}, procedure])).await?;
        self.hear(REGISTERED).await?;
        loop {
            let invocation = self.hear(INVOCATION).await?;
            self.say(&json!([YIELD, invocation[1], {}, invocation[4]]))
                .await?;
        }
    }

    /// Calls a procedure again and again, with so many calls in flight, as long as it is said; how many
    /// results came.
    ///
    /// # Errors
    /// A call fails.
    pub async fn call(
        mut self,
        procedure: &str,
        in_flight: u64,
        go_on: impl Fn() -> bool,
    ) -> anyhow::Result<usize> {
        let mut next = 1;
        let mut left = in_flight;
        let mut done = 0;
        for _ in 0..in_flight {
            self.say(&json!([CALL, next, {}, procedure, [1, 2]]))
                .await?;
            next += 1;
        }
        while left > 0 {
            let result = self.hear(RESULT).await?;
            if result[3] != json!([1, 2]) {
                bail!("expected [1, 2], found {result}");
            }
            done += 1;
            if go_on() {
                self.say(&json!([CALL, next, {}, procedure, [1, 2]]))
                    .await?;
                next += 1;
            } else {
                left -= 1;
            }
        }
        Ok(done)
    }
}
