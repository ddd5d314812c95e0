//! Plays a case: does its steps one after the other.

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use anyhow::{Context, bail, ensure};
use macula_client::{Call, Mesh, Policy, Service, State};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    WAIT,
    calls::{self, Calling},
    case::{Case, Step, name_of},
    clients::Client,
    handlers::{self, Handlers},
    readers::Reader,
    stage::Gateway,
    values,
};

/// How often a figure is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What a case has at a moment.
struct Play {
    gateway: Gateway,
    transport: &'static str,
    handlers: Handlers,
    clients: HashMap<String, Client>,
    services: HashMap<(String, String), Service>,
    readers: HashMap<String, Reader>,
    calls: HashMap<String, Calling>,
}

/// Plays a case on a transport.
pub async fn play(case: &Case, transport: &'static str) -> anyhow::Result<()> {
    let mut play = Play {
        gateway: Gateway::start(&case.settings).await?,
        transport,
        handlers: Handlers::default(),
        clients: HashMap::new(),
        services: HashMap::new(),
        readers: HashMap::new(),
        calls: HashMap::new(),
    };
    let mut played = Ok(());
    for (index, step) in case.steps.iter().enumerate() {
        // A step may read many things; each of them has its own bound.
        played = play.step(step).await;
        played = played.with_context(|| format!("step {}: {}", index + 1, json!(step.0)));
        if played.is_err() {
            break;
        }
    }
    let ended = play.end().await;
    played.and(ended)
}

impl Play {
    async fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        let (verb, object) = step.verb()?;
        let name = object.as_str().unwrap_or_default();
        match verb {
            "connect" => self.connect(name, step).await,
            "serve" => self.serve(name, step).await,
            "unserve" => {
                let key = (step.text("by")?.to_owned(), name.to_owned());
                let service = self.services.remove(&key).context("it is not served")?;
                soon(async {
                    service.stop().await;
                    Ok(())
                })
                .await
            }
            "call" => self.call(name, step).await,
            "await" => {
                let call = self.calls.remove(name).context("there is no such call")?;
                soon(call.end(step)).await
            }
            "abort" => {
                let call = self.calls.get(name).context("there is no such call")?;
                call.abort();
                Ok(())
            }
            "publish" => self.publish(name, step).await,
            "outside" => {
                let numbers = step.numbers().context("expected `numbers`")?;
                let body = json!({"topic": name, "from": numbers.start, "to": numbers.end});
                self.gateway.act("publish", body).await.map(drop)
            }
            "subscribe" => self.subscribe(name, step).await,
            "receive" => self.reader(name)?.receive(step).await,
            "leave" => {
                self.reader(name)?.leave();
                Ok(())
            }
            "discover" => self.discover(name, step).await,
            "release" => {
                self.handlers.release(name);
                Ok(())
            }
            "handled" => self.handlers.handled(name, handlers::times(step)?).await,
            "cancelled" => self.handlers.cancelled(name, handlers::times(step)?).await,
            "cut" => {
                let cut = |what| name == what || name == "all";
                let body = json!({"udp": cut("udp"), "tcp": cut("tcp")});
                self.gateway.act("cut", body).await.map(drop)
            }
            "heal" | "drop" | "restart" => self.gateway.act(verb, json!({})).await.map(drop),
            "state" => self.state(name, step).await,
            "expire" => {
                let token = self.client(name)?.token().context("it has no token")?;
                let body = json!({"token": token});
                self.gateway.act("expire", body).await.map(drop)
            }
            "renewed" => {
                let renewed = self.client(name)?.renewed.clone();
                let times = handlers::times(step)?;
                until(async || {
                    let found = renewed.load(Ordering::Relaxed);
                    Ok((found == times, found.to_string()))
                })
                .await
            }
            "gateway" => {
                let expected = step.get("is").and_then(Value::as_f64).context("`is`")?;
                until(async || {
                    let found = self.gateway.metric(name).await?;
                    Ok(((found - expected).abs() < 1e-9, found.to_string()))
                })
                .await
            }
            "close" => {
                let mesh = self.mesh(name)?;
                soon(closed(&mesh)).await
            }
            other => bail!("there is no step {other}"),
        }
    }

    fn client(&self, name: &str) -> anyhow::Result<&Client> {
        let client = self.clients.get(name);
        client.with_context(|| format!("there is no client {name}"))
    }

    fn mesh(&self, name: &str) -> anyhow::Result<Mesh> {
        Ok(self.client(name)?.mesh.clone())
    }

    fn reader(&mut self, name: &str) -> anyhow::Result<&mut Reader> {
        let reader = self.readers.get_mut(name);
        reader.with_context(|| format!("there is no subscription {name}"))
    }

    async fn connect(&mut self, name: &str, step: &Step) -> anyhow::Result<()> {
        let opened = soon(Client::connect(&self.gateway, step, self.transport)).await?;
        if let Some(client) = calls::check(opened, step.get("fails"))? {
            self.clients.insert(name.to_owned(), client);
        }
        Ok(())
    }

    async fn serve(&mut self, procedure: &str, step: &Step) -> anyhow::Result<()> {
        let by = step.text("by")?;
        let mesh = self.mesh(by)?;
        let mut serve = self
            .handlers
            .serve(&mesh, procedure, step.text("handler")?)?;
        if let Some(policy) = step.option("policy").and_then(Value::as_str) {
            serve = serve.policy(policy.parse::<Policy>()?);
        }
        if let Some(calls) = step.option("concurrency").and_then(Value::as_u64) {
            serve = serve.concurrency(calls);
        }
        if let Some(text) = step.option("description").and_then(Value::as_str) {
            serve = serve.description(text);
        }
        let served = soon(async { Ok(serve.await) }).await?;
        if let Some(service) = calls::check(served, step.get("fails"))? {
            let key = (by.to_owned(), procedure.to_owned());
            self.services.insert(key, service);
        }
        Ok(())
    }

    async fn call(&mut self, procedure: &str, step: &Step) -> anyhow::Result<()> {
        let mesh = self.mesh(step.text("by")?)?;
        let argument = step.get("argument").unwrap_or(&Value::Null);
        let call = options(mesh.calling(procedure, &values::read(argument)?), step)?;
        let calling = Calling::start(call, step.get("progress").is_some());
        match step.get("as").and_then(Value::as_str) {
            Some(name) => {
                // Its end is awaited in a step of its own, with what is said there of its progress.
                self.calls.insert(name.to_owned(), calling);
                Ok(())
            }
            None => soon(calling.end(step)).await,
        }
    }

    async fn publish(&mut self, topic: &str, step: &Step) -> anyhow::Result<()> {
        let mesh = self.mesh(step.text("by")?)?;
        for number in step.numbers().into_iter().flatten() {
            soon(async { Ok(mesh.publish(topic, &number).await?) }).await?;
        }
        let Some(payload) = step.get("payload") else {
            return Ok(());
        };
        let mut publish = mesh.publish(topic, &values::read(payload)?);
        if let Some(key) = step.option("idempotency_key").and_then(Value::as_str) {
            publish = publish.idempotency_key(key);
        }
        for (name, value) in headers(step)? {
            publish = publish.header(name, value);
        }
        let published = soon(async { Ok(publish.await) }).await?;
        calls::check(published, step.get("fails")).map(drop)
    }

    async fn subscribe(&mut self, pattern: &str, step: &Step) -> anyhow::Result<()> {
        let mut subscribe = self.mesh(step.text("by")?)?.subscribe(pattern);
        if let Some(events) = step.option("replay").and_then(Value::as_u64) {
            subscribe = subscribe.replay(events);
        }
        if let Some(name) = step.get("after").and_then(Value::as_str) {
            let last = self.reader(name)?.last.context("no event has come")?;
            subscribe = subscribe.after(last);
        }
        let subscribed = soon(async { Ok(subscribe.await) }).await?;
        if let Some(subscription) = calls::check(subscribed, step.get("fails"))? {
            let name = step.text("as")?.to_owned();
            self.readers.insert(name, Reader::new(subscription));
        }
        Ok(())
    }

    async fn discover(&self, pattern: &str, step: &Step) -> anyhow::Result<()> {
        let mesh = self.mesh(step.text("by")?)?;
        let found = soon(async { Ok(mesh.discover(pattern).await?) }).await?;
        for expected in step
            .get("finds")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let is_there = found
                .iter()
                .any(|item| values::contains(item, expected).is_ok());
            ensure!(is_there, "expected {expected}, found {found:?}");
        }
        Ok(())
    }

    async fn state(&self, name: &str, step: &Step) -> anyhow::Result<()> {
        let (expected, on) = (step.text("is")?, step.get("transport"));
        let is = |state: &State| match state {
            State::Connected(transport) => {
                expected == "connected" && on.is_none_or(|on| on == name_of(*transport))
            }
            State::Reconnecting => expected == "reconnecting",
            State::Closed(_) => expected == "closed",
        };
        let mut state = self.client(name)?.mesh.state();
        let reached = timeout(WAIT, state.wait_for(is)).await.is_ok();
        ensure!(reached, "expected {expected}, found {:?}", state.borrow());
        Ok(())
    }

    /// Ends everything, and makes sure that the gateway ends in order.
    async fn end(self) -> anyhow::Result<()> {
        drop((self.readers, self.services, self.calls));
        for client in self.clients.into_values() {
            soon(closed(&client.mesh)).await?;
        }
        soon(self.gateway.end()).await
    }
}

fn options(mut call: Call, step: &Step) -> anyhow::Result<Call> {
    if let Some(ms) = step.option("timeout_ms").and_then(Value::as_u64) {
        call = call.timeout(Duration::from_millis(ms));
    }
    if let Some(key) = step.option("idempotency_key").and_then(Value::as_str) {
        call = call.idempotency_key(key);
    }
    for (name, value) in headers(step)? {
        call = call.header(name, value);
    }
    Ok(call)
}

fn headers(step: &Step) -> anyhow::Result<Vec<(&str, &str)>> {
    let headers = step.option("headers").and_then(Value::as_object);
    let mut found = Vec::new();
    for (name, value) in headers.into_iter().flatten() {
        let value = value.as_str().context("a header is a text")?;
        found.push((name.as_str(), value));
    }
    Ok(found)
}

async fn closed(mesh: &Mesh) -> anyhow::Result<()> {
    mesh.close().await;
    Ok(())
}

/// What a case waits for comes in time, or the case has failed.
async fn soon<T>(what: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let done = timeout(WAIT, what).await;
    done.context("it did not come in time")?
}

/// Looks until something is so.
async fn until(look: impl AsyncFn() -> anyhow::Result<(bool, String)>) -> anyhow::Result<()> {
    let deadline = Instant::now() + WAIT;
    loop {
        let (reached, found) = look().await?;
        if reached {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "found {found} to the end");
        sleep(LOOK).await;
    }
}
