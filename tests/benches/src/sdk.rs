//! Calls and events by the SDK, as its users would have them.

use std::{path::Path, time::Duration};

use anyhow::bail;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, FuturesUnordered},
};
use macula_client::{Delivery, MediaType, Mesh, Payload, Publish, Service, Transport, Trust};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::load::{Load, Round};

/// Where a publisher asks whether a reader hears it.
const READY: &str = "bench.ready";
/// How long that may take, and how often it asks.
const START: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(50);

/// A session of the SDK's on one transport.
///
/// # Errors
/// The node cannot be reached.
pub async fn open(authority: &Path, port: u16, transport: Transport) -> anyhow::Result<Mesh> {
    let mesh = Mesh::connect(format!("https://127.0.0.1:{port}"));
    let mesh = mesh
        .trust(Trust::authority(authority))
        .transports([transport]);
    Ok(mesh.await?)
}

/// Serves a procedure that gives its argument back, while what is returned lives.
///
/// # Errors
/// It is not served.
pub async fn serve(mesh: &Mesh, procedure: &str) -> anyhow::Result<Service> {
    let echo = |argument: Vec<u32>, _| async { Ok(argument) };
    Ok(mesh.serve(procedure, echo).await?)
}

/// Calls again and again, with so many calls in flight, as long as it is said; how many results came.
///
/// # Errors
/// A call fails.
pub async fn call(
    mesh: &Mesh,
    procedure: &str,
    in_flight: u64,
    go_on: impl Fn() -> bool,
) -> anyhow::Result<usize> {
    let one = async || {
        let mut done = 0;
        while go_on() {
            let back: Vec<u32> = mesh.call(procedure, &[1, 2]).await?;
            anyhow::ensure!(back == [1, 2], "expected [1, 2], found {back:?}");
            done += 1;
        }
        Ok(done)
    };
    let mut all: FuturesUnordered<_> = (0..in_flight).map(|_| one()).collect();
    let mut done = 0;
    while let Some(count) = all.next().await {
        done += count?;
    }
    Ok(done)
}

/// Waits until what one session publishes is heard by another, which is at a node that may not be connected yet.
///
/// # Errors
/// It is not heard in time.
pub async fn heard(publisher: &Mesh, reader: &Mesh) -> anyhow::Result<()> {
    let mut ready = reader.subscribe(READY).await?;
    let started = Instant::now();
    while started.elapsed() < START {
        publisher.publish(READY, &()).await?;
        if timeout(AGAIN, ready.next()).await.is_ok() {
            return Ok(());
        }
    }
    bail!("the reader does not hear the publisher")
}

/// Publishes by one session what another reads: with so many acknowledgements awaited at a time, or without any.
///
/// # Errors
/// An event is lost or comes twice, or a session has ended.
pub async fn events(
    (publisher, reader): (Mesh, Mesh),
    load: &Load,
    in_flight: Option<usize>,
) -> anyhow::Result<Round> {
    let mut deliveries = reader.subscribe(load.topic).await?;
    let (window, mut seen) = load.begin();
    let publishing = {
        let (publisher, load) = (publisher.clone(), load.clone());
        tokio::spawn(async move {
            match in_flight {
                Some(in_flight) => acknowledged(&publisher, &load, in_flight, &window).await,
                None => unacknowledged(&publisher, &load, &window).await,
            }
        })
    };
    let reading = async {
        while seen.left() > 0 {
            match seen.next(deliveries.next()).await? {
                Delivery::Event(event) => seen.add(&event.content().bytes)?,
                gap @ Delivery::Gap { .. } => bail!("expected an event, found {gap:?}"),
            }
        }
        Ok(())
    };
    tokio::try_join!(async { publishing.await? }, reading)?;
    let round = seen.over();
    drop(deliveries);
    publisher.close().await;
    reader.close().await;
    Ok(round)
}

async fn acknowledged(
    publisher: &Mesh,
    load: &Load,
    in_flight: usize,
    window: &Semaphore,
) -> anyhow::Result<()> {
    let all = stream::iter(0..load.events).map(|n| {
        anyhow::Ok(async move {
            window.acquire().await?.forget();
            publish(publisher, load, n)?.await?;
            anyhow::Ok(())
        })
    });
    let all = all.try_buffer_unordered(in_flight);
    all.try_for_each(async |()| Ok(())).await
}

async fn unacknowledged(publisher: &Mesh, load: &Load, window: &Semaphore) -> anyhow::Result<()> {
    for n in 0..load.events {
        window.acquire().await?.forget();
        publish(publisher, load, n)?.unacknowledged().await?;
    }
    Ok(())
}

fn publish(publisher: &Mesh, load: &Load, n: u64) -> anyhow::Result<Publish> {
    let payload = Payload {
        content_type: MediaType::MSGPACK,
        bytes: (load.body.write)(n)?,
    };
    Ok(publisher.publish_raw(load.topic, payload))
}
