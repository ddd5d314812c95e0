//! Calls by the SDK, as its users would make them.

use std::path::Path;

use futures_util::{StreamExt, stream::FuturesUnordered};
use macula_client::{Mesh, Service, Transport, Trust};

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
