//! A node with the whole API.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use macula_mesh::{Identity, Mesh};
use macula_server::{
    api::{self, Gateway},
    drain,
    metrics::Metrics,
    tls::{self, Configs, Keeper},
    transport::{self, Bound},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};

/// How long a test waits for what has to happen.
pub const SOON: Duration = Duration::from_secs(10);

/// What a test waits for has to come soon.
pub async fn soon<T>(what: impl IntoFuture<Output = T>) -> T {
    timeout(SOON, what.into_future())
        .await
        .expect("it did not come in time")
}

pub struct Node {
    pub address: SocketAddr,
    pub gateway: Arc<Gateway>,
    pub drain: drain::Trigger,
    pub serving: JoinHandle<()>,
    pub authority: PathBuf,
    /// Of the certificate, in hexadecimal.
    pub sha256: String,
    roots: RootCertStore,
    _directory: TempDir,
}

impl Node {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut api::Settings)) -> Self {
        let mut settings = api::Settings::default();
        change(&mut settings);
        let directory = tempfile::tempdir().unwrap();
        let keeper = Keeper::start(&tls::Settings::default(), directory.path()).unwrap();
        let authority = CertificateDer::from_pem_file(keeper.authority().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority).unwrap();
        let bound = Bound::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = bound.addresses()[0];
        let (trigger, signal) = drain::channel();
        let identity = Identity {
            name: "test".to_owned(),
            version: "0",
        };
        let mesh = Mesh::start(identity, &macula_mesh::Settings::default()).unwrap();
        let metrics = Metrics::new();
        let gateway = Gateway::start(mesh, settings, metrics.clone(), signal.clone());
        let stack = api::stack(Arc::clone(&gateway));
        let tls = Configs::new(&keeper).unwrap();
        let serving = tokio::spawn(async move {
            let settings = transport::Settings::default();
            let served = transport::serve(bound, &tls, settings, stack, metrics, signal);
            served.await.unwrap();
        });
        Self {
            address,
            gateway,
            drain: trigger,
            serving,
            authority: keeper.authority().unwrap(),
            sha256: keeper.identity().sha256(),
            roots,
            _directory: directory,
        }
    }

    /// For who trusts the node's authority and nobody else.
    pub fn tls(&self, alpn: &[u8]) -> ClientConfig {
        let config = ClientConfig::builder().with_root_certificates(self.roots.clone());
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        config
    }

    /// Waits until nothing is left of any live session.
    pub async fn is_at_rest(&self) {
        let looks = async {
            while !self.gateway.lives.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(looks).await;
    }
}
