//! Keeps the certificate fresh while the node runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::bail;
use arc_swap::ArcSwap;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Settings, authority::Authority, files::Files, identity::Identity};

/// How often the source is looked at: changed files are served soon, and a laptop that slept
/// through its renewal makes up for it.
const LOOK: Duration = Duration::from_secs(10);

/// The certificate that is served now, and where the next one comes from.
#[derive(Debug)]
pub struct Keeper {
    now: Arc<Resolver>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Authority(Authority),
    Files(Files),
}

#[derive(Debug)]
struct Resolver(ArcSwap<Identity>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().certified))
    }
}

impl Keeper {
    /// Reads or makes the first certificate. `directory` is where the local authority lives.
    ///
    /// # Errors
    /// There is none: files are missing or wrong, or the authority cannot be made.
    pub fn start(settings: &Settings, directory: &Path) -> anyhow::Result<Self> {
        let (source, first) = match (&settings.certificate, &settings.key) {
            (None, None) => {
                let authority = Authority::open(directory, &settings.names)?;
                let leaf = authority.leaf(SystemTime::now())?;
                (Source::Authority(authority), leaf)
            }
            (Some(certificate), Some(key)) => {
                let mut files = Files::new(certificate.clone(), key.clone());
                let first = files.read()?;
                (Source::Files(files), first)
            }
            _ => bail!("expected both of `tls.certificate` and `tls.key`, or neither"),
        };
        Ok(Self {
            now: Arc::new(Resolver(ArcSwap::from_pointee(first))),
            source,
        })
    }

    /// The certificate that is served now.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        self.now.0.load_full()
    }

    /// The certificate of the local authority, if that is the source.
    #[must_use]
    pub fn authority(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Authority(authority) => Some(authority.certificate()),
            Source::Files(_) => None,
        }
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::clone(&self.now) as _
    }

    /// Keeps the certificate fresh, for ever. What fails is logged, and the old one stays.
    pub async fn keep(mut self, renewed: impl Fn(&Identity)) {
        loop {
            tokio::time::sleep(LOOK).await;
            match self.source.next(&self.now.0.load(), SystemTime::now()) {
                None => {}
                Some(Ok(next)) => {
                    tracing::info!(sha256 = next.sha256(), "a new certificate is served");
                    renewed(&next);
                    self.now.0.store(Arc::new(next));
                }
                Some(Err(error)) => {
                    tracing::error!("the old certificate stays: {error:#}");
                }
            }
        }
    }
}

impl Source {
    fn next(&mut self, served: &Identity, now: SystemTime) -> Option<anyhow::Result<Identity>> {
        match self {
            Self::Files(files) => files.changed(),
            Self::Authority(authority) => {
                let due = now >= super::authority::renew_at(served.not_before, served.not_after);
                due.then(|| authority.leaf(now))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_read_again_when_they_change_and_broken_ones_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let make = |names: &[String]| {
            let authority = Authority::open(directory.path(), names).unwrap();
            authority.leaf(SystemTime::now()).unwrap().sha256()
        };
        let first = make(&[]);
        let settings = Settings {
            certificate: Some(path("cert.pem")),
            key: Some(path("key.pem")),
            names: Vec::new(),
        };
        let mut keeper = Keeper::start(&settings, directory.path()).unwrap();
        let served = keeper.identity();
        assert_eq!(served.sha256(), first);
        assert!(keeper.source.next(&served, SystemTime::now()).is_none());
        let second = make(&["other.example".to_owned()]);
        let next = keeper.source.next(&served, SystemTime::now()).unwrap();
        assert_eq!(next.unwrap().sha256(), second);
        fs::write(path("cert.pem"), "no certificate").unwrap();
        assert!(
            keeper
                .source
                .next(&served, SystemTime::now())
                .unwrap()
                .is_err()
        );
    }

    #[test]
    fn half_of_a_certificate_is_refused() {
        let settings = Settings {
            certificate: Some("cert.pem".into()),
            ..Settings::default()
        };
        let error = Keeper::start(&settings, Path::new("none")).unwrap_err();
        assert!(error.to_string().contains("or neither"), "{error}");
    }
}
