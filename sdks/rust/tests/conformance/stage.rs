//! The stage of `sdks/conformance`: gateways behind a network that can be cut.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{Method, Request, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// One stage for all cases of this process; it ends with it.
static STAGE: OnceLock<Result<Stage, String>> = OnceLock::new();

struct Stage {
    /// Where it is asked: an address and a port.
    control: String,
    /// It ends when its standard input does.
    _process: Child,
}

impl Stage {
    fn start() -> anyhow::Result<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/stage/main.mjs");
        let mut process = Command::new("node")
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node, which runs the stage")?;
        let mut line = String::new();
        let output = process.stdout.take().context("its output")?;
        BufReader::new(output).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).context("the stage did not start")?;
        let control = said["control"].as_str().context("`control`")?;
        Ok(Self {
            control: control.trim_start_matches("http://").to_owned(),
            _process: process,
        })
    }
}

/// A gateway for one case.
#[derive(Debug, Clone)]
pub struct Gateway {
    control: &'static str,
    id: String,
    pub url: String,
    pub authority: String,
}

impl Gateway {
    /// Starts one.
    pub async fn start(settings: &serde_json::Map<String, Value>) -> anyhow::Result<Self> {
        let stage = STAGE.get_or_init(|| Stage::start().map_err(|error| format!("{error:#}")));
        let control = match stage {
            Ok(stage) => stage.control.as_str(),
            Err(error) => anyhow::bail!("{error}"),
        };
        let told = ask(control, Method::POST, "/gateways", &json!(settings)).await?;
        let text = |name: &str| anyhow::Ok(told[name].as_str().context("a text")?.to_owned());
        Ok(Self {
            control,
            id: text("id")?,
            url: text("url")?,
            authority: text("ca")?,
        })
    }

    /// Does something to it or its network.
    pub async fn act(&self, action: &str, body: Value) -> anyhow::Result<Value> {
        let path = format!("/gateways/{}/{action}", self.id);
        ask(self.control, Method::POST, &path, &body).await
    }

    /// The token of a new session.
    pub async fn token(&self) -> anyhow::Result<String> {
        let told = self.act("tokens", json!({})).await?;
        Ok(told["token"].as_str().context("`token`")?.to_owned())
    }

    /// One of its figures.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let path = format!("/gateways/{}/metrics/{name}", self.id);
        let told = ask(self.control, Method::GET, &path, &Value::Null).await?;
        told["value"].as_f64().context("`value`")
    }

    /// Ends it; an error when it did not end in order.
    pub async fn end(self) -> anyhow::Result<()> {
        let path = format!("/gateways/{}", self.id);
        ask(self.control, Method::DELETE, &path, &Value::Null).await?;
        Ok(())
    }
}

async fn ask(control: &str, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
    let stream = TcpStream::connect(control).await.context("the stage")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let body = match body {
        Value::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    let request = Request::builder()
        .method(&method)
        .uri(path)
        .header(HOST, control);
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    let status = response.status();
    let told = response.into_body().collect().await?.to_bytes();
    driving.abort();
    let told: Value = serde_json::from_slice(&told)?;
    ensure!(status.is_success(), "{method} {path}: {told}");
    Ok(told)
}
