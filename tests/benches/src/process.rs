//! A server as a process.

use std::{
    fs,
    process::{Child, Command},
    time::Duration,
};

use anyhow::Context;

/// Kernel ticks a second, as `/proc` counts processor time on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process and its children, ended when this goes.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self(child))
    }

    /// Resident memory of it and its children, in bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.family().map(|id| memory(id).unwrap_or(0)).sum()
    }

    /// Processor time of it and its children so far.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.family().map(|id| time(id).unwrap_or_default()).sum()
    }

    fn family(&self) -> impl Iterator<Item = u32> + use<> {
        let id = self.0.id();
        let path = format!("/proc/{id}/task/{id}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        let children: Vec<_> = children
            .split(' ')
            .filter_map(|id| id.parse().ok())
            .collect();
        std::iter::once(id).chain(children)
    }
}

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its own children too.
        let id = self.0.id().to_string();
        let _ = Command::new("kill").arg(&id).status();
        let _ = self.0.wait();
    }
}

/// Resident memory of this program, in bytes.
#[must_use]
pub fn own_memory() -> u64 {
    memory(std::process::id()).unwrap_or(0)
}

/// Processor time of this program so far, in steps of 10 ms.
#[must_use]
pub fn own_time() -> Duration {
    time(std::process::id()).unwrap_or_default()
}

fn memory(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

fn time(id: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the name, which may have spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    Some(Duration::from_secs_f64((user + system) / TICKS_PER_SECOND))
}
