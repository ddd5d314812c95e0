//! Composes a node out of its parts, and takes it down again. It decides nothing.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use macula_mesh::{Identity, Mesh};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    api::{self, Gateway},
    config::Config,
    drain,
    metrics::Metrics,
    ready::{Announcement, Ready},
    tls::{Configs, Keeper},
    transport::{self, Bound},
};

/// What a shell adds to the number of a signal that ended a program.
const SIGNALLED: u8 = 128;

/// Runs a node until a signal has drained it.
///
/// # Errors
/// It cannot start: an address or the data directory is taken, or a certificate is wrong.
pub async fn up(config: Config) -> anyhow::Result<ExitCode> {
    let data_dir = config.data_dir()?;
    let _lock = lock(&data_dir)?;
    raise_open_files();
    let mut signals = Signals::listen()?;
    let keeper = Keeper::start(&config.tls, &data_dir.join("tls"))?;
    let bound = Bound::bind(&config.addresses()?)?;
    let identity = Identity {
        name: config.node(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let mesh = Mesh::start(identity, &config.mesh)?;
    let cluster = config.cluster.join(&mesh, &data_dir, &bound).await?;
    let (trigger, signal) = drain::channel();
    let metrics = Metrics::new();
    let gateway = Gateway::start(mesh, config.api, metrics.clone(), signal.clone());
    let stack = api::stack(gateway);
    let tls = Configs::new(&keeper)?;
    let ready = Ready::new(&data_dir, bound.addresses(), keeper.authority());
    let announced = ready.announce(&keeper.identity())?;
    Announcement::print(&announced)?;
    let serving = transport::serve(bound, &tls, config.transport, stack, metrics, signal);
    let keeping = keeper.keep(|renewed| {
        if let Err(error) = ready.announce(renewed) {
            tracing::error!("the new certificate is not announced: {error:#}");
        }
    });
    let ended = tokio::select! {
        result = serving => result.map(|()| ExitCode::SUCCESS),
        number = signals.second(&trigger) => Ok(ExitCode::from(SIGNALLED + number)),
        () = keeping => Ok(ExitCode::FAILURE),
    };
    ready.withdraw();
    if let Some(cluster) = cluster {
        cluster.leave().await;
    }
    ended
}

/// Makes sure that no other node uses the data directory; the lock goes with the file.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let name = data_dir.display();
    fs::create_dir_all(data_dir).with_context(|| format!("cannot make {name}"))?;
    let path: PathBuf = data_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!("another node uses {name}: end it, or give this one a `--data-dir` of its own");
    }
    Ok(file)
}

/// Lets the node have as many connections as the system allows. A refusal leaves the limit as it
/// was, which is no error.
fn raise_open_files() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays");
    }
}

/// The signals that end a node.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> u8 {
        let kind = tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        };
        u8::try_from(kind.as_raw_value()).unwrap_or(0)
    }

    /// Starts the drain at the first signal, and returns the number of the second.
    async fn second(&mut self, trigger: &drain::Trigger) -> u8 {
        self.next().await;
        tracing::info!("draining; a second signal ends the node at once");
        trigger.start();
        self.next().await
    }
}
