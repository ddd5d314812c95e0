//! What rounds of one peer gave.

use std::time::Duration;

use anyhow::Context;
use tokio::time::timeout;

use crate::{
    load::Round,
    process::{self, Process},
    table::median,
};

/// How long a round may take.
const ROUND: Duration = Duration::from_secs(120);
const MIB: f64 = (1 << 20) as f64;

/// Rounds of one peer.
#[derive(Default)]
pub struct Figures {
    /// Events or calls.
    pub per_second: Vec<f64>,
    /// Microseconds of the servers' processor time for each.
    pub cost: Vec<f64>,
    /// The same of the clients.
    pub own_cost: Vec<f64>,
    /// Resident memory of the servers after each round, in MiB.
    pub memory: Vec<f64>,
    /// Resident memory of this program after each round, in MiB.
    pub own_memory: Vec<f64>,
}

impl Figures {
    /// Adds a round with these servers.
    ///
    /// # Errors
    /// The round's own, or it takes too long.
    pub async fn add(
        &mut self,
        servers: &[Process],
        round: impl Future<Output = anyhow::Result<Round>>,
    ) -> anyhow::Result<()> {
        let time = || servers.iter().map(Process::time).sum::<Duration>();
        let served = time();
        let round = timeout(ROUND, round).await;
        let Round { done, took, busy } = round.context("a round takes too long")??;
        let (served, done) = (time() - served, done as f64);
        self.per_second.push(done / took.as_secs_f64());
        self.cost.push(served.as_secs_f64() * 1e6 / done);
        self.own_cost.push(busy.as_secs_f64() * 1e6 / done);
        let memory: u64 = servers.iter().map(Process::memory).sum();
        self.memory.push(memory as f64 / MIB);
        self.own_memory.push(process::own_memory() as f64 / MIB);
        Ok(())
    }

    /// The medians, as a line without its end.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{:.0} a second; processor time each: servers {:.1} µs, clients {:.1} µs",
            median(&self.per_second),
            median(&self.cost),
            median(&self.own_cost)
        )
    }
}

/// Figures of memory, round by round.
#[must_use]
pub fn mib(memory: &[f64]) -> String {
    let memory: Vec<_> = memory.iter().map(|mib| format!("{mib:.0}")).collect();
    memory.join(" ")
}
