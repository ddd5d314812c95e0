//! The clients of a case.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use macula_client::{Connect, Encoding, Error, Mesh, Transport, Trust};
use parking_lot::Mutex;
use serde_json::Value;

use crate::{
    case::{self, Step},
    stage::Gateway,
};

/// A session of a case, with what the case asks about it.
#[derive(Debug, Clone)]
pub struct Client {
    pub mesh: Mesh,
    /// How often its callback was asked for a token.
    pub renewed: Arc<AtomicU64>,
    /// The token that it was given last.
    token: Arc<Mutex<Option<String>>>,
}

impl Client {
    /// Opens one, as the step says.
    pub async fn connect(
        gateway: &Gateway,
        step: &Step,
        transport: &str,
    ) -> anyhow::Result<Result<Self, Error>> {
        let given = Arc::new(Mutex::new(None));
        let renewed = Arc::new(AtomicU64::new(0));
        let mut connect = options(gateway, step, transport)?;
        if step.option("token").is_some() {
            let token = gateway.token().await?;
            *given.lock() = Some(token.clone());
            connect = connect.token(token);
        }
        if step.option("renew").is_some() {
            let (gateway, given, renewed) = (gateway.clone(), given.clone(), renewed.clone());
            connect = connect.renew(move || {
                renewed.fetch_add(1, Ordering::Relaxed);
                let (gateway, given) = (gateway.clone(), Arc::clone(&given));
                async move {
                    let token = gateway.token().await;
                    let token = token.map_err(|error| Error::Connect(format!("{error:#}")))?;
                    *given.lock() = Some(token.clone());
                    Ok(token.into())
                }
            });
        }
        let opened = connect.await;
        Ok(opened.map(|mesh| Self {
            mesh,
            renewed,
            token: given,
        }))
    }

    /// The token of its session.
    pub fn token(&self) -> Option<String> {
        let given = self.token.lock().clone();
        given.or_else(|| Some(self.mesh.welcome().token?.to_string()))
    }
}

fn options(gateway: &Gateway, step: &Step, transport: &str) -> anyhow::Result<Connect> {
    let mut connect = Mesh::connect(&gateway.url).trust(Trust::authority(&gateway.authority));
    let on = match step.get("on").and_then(Value::as_str) {
        Some("websocket") => Transport::WebSocket,
        // Both of ours can serve.
        _ => case::transport(transport),
    };
    if step.option("automatic").is_none() {
        connect = connect.transports([on]);
    }
    let realm = step.option("realm").and_then(Value::as_str);
    connect = connect.realm(realm.unwrap_or("dev"));
    if let Some(subject) = step.option("subject").and_then(Value::as_str) {
        connect = connect.subject(subject);
    }
    connect = match step.option("encoding").and_then(Value::as_str) {
        None | Some("msgpack") => connect,
        Some("json") => connect.encoding(Encoding::Json),
        Some(other) => bail!("expected an encoding, found {other}"),
    };
    let time = |name| step.option(name)?.as_u64().map(Duration::from_millis);
    if let Some(patience) = time("patience_ms") {
        connect = connect.patience(patience);
    }
    if let Some(limit) = time("close_ms") {
        connect = connect.close_timeout(limit);
    }
    Ok(connect)
}
