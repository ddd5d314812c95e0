//! The revocations that a node knows, and the file that keeps them: a line each, that is only ever added to, so that
//! the node and a command may both write.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::sync::watch;

use crate::{
    id::ClusterId,
    trust::{revocation::Revocation, revoked::Revoked},
};

/// Bytes of the file that are read: enough for as many as may count, three times over.
const MAX_FILE_BYTES: u64 = 16 << 20;

#[derive(Debug)]
pub(crate) struct Revocations {
    cluster: ClusterId,
    /// Where they are kept; in memory only if nowhere.
    file: Option<PathBuf>,
    known: RwLock<Revoked>,
    /// The length and time of the file when it was read last.
    read: Mutex<Option<(u64, SystemTime)>>,
    changes: watch::Sender<()>,
}

impl Revocations {
    pub(crate) fn new(cluster: ClusterId, file: Option<PathBuf>) -> Self {
        Self {
            cluster,
            file,
            known: RwLock::default(),
            read: Mutex::default(),
            changes: watch::Sender::default(),
        }
    }

    pub(crate) fn known(&self) -> RwLockReadGuard<'_, Revoked> {
        self.known.read()
    }

    /// Told of each change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Takes one that is new, and keeps it. Whether it is.
    pub(crate) fn add(&self, revocation: Revocation) -> bool {
        let text = revocation.text().to_owned();
        let node = revocation.node();
        if !self.known.write().insert(revocation) {
            return false;
        }
        if let Some(file) = &self.file
            && let Err(error) = append(file, &text)
        {
            // It counts for as long as the process runs, and others tell it again.
            tracing::error!(path = %file.display(), %error, "cannot keep a revocation");
        }
        tracing::warn!(%node, "a node has been revoked");
        self.changes.send_replace(());
        true
    }

    /// Reads what has come into the file since the last time. A line that is no revocation is left out.
    pub(crate) fn reload(&self, now: SystemTime) {
        let Some(file) = &self.file else { return };
        let Ok(found) = fs::metadata(file) else {
            return;
        };
        let stamp = found.modified().ok().map(|time| (found.len(), time));
        let mut read = self.read.lock();
        if *read == stamp {
            return;
        }
        *read = stamp;
        let mut text = String::new();
        let content = File::open(file).map(|file| file.take(MAX_FILE_BYTES));
        if let Err(error) = content.and_then(|mut content| content.read_to_string(&mut text)) {
            tracing::error!(path = %file.display(), %error, "cannot read the revocations");
        }
        let lines = text
            .lines()
            .map(|line| Revocation::read(line, self.cluster, now));
        let mut known = self.known.write();
        let new = lines.flatten().filter(|found| known.insert(found.clone()));
        if new.count() > 0 {
            self.changes.send_replace(());
        }
    }
}

/// Adds a line to a file.
pub(crate) fn append(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(format!("{text}\n").as_bytes())?;
    file.sync_all()
}
