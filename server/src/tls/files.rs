//! A certificate from files, read again when they change.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context;

use super::identity::Identity;

/// The files of a certificate and its key.
#[derive(Debug)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// What the files were when they were last looked at.
    seen: [Option<Seen>; 2],
}

/// What tells that a file has changed.
type Seen = (SystemTime, u64);

impl Files {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self {
            certificate,
            key,
            seen: [None; 2],
        }
    }

    /// Reads both files.
    pub(super) fn read(&mut self) -> anyhow::Result<Identity> {
        self.seen = self.look();
        let read =
            |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        Identity::from_pem(&certificate, &key)
            .with_context(|| format!("{} and its key", self.certificate.display()))
    }

    /// Reads both files again if one has changed.
    pub(super) fn changed(&mut self) -> Option<anyhow::Result<Identity>> {
        (self.look() != self.seen).then(|| self.read())
    }

    fn look(&self) -> [Option<Seen>; 2] {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}
