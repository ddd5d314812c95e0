//! The cluster that the node is one of, as its settings say.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, bail, ensure};
use macula_mesh::{
    Mesh,
    cluster::{self, Cluster, Config, JoinToken, Membership, NodeKey, Seed},
};
use serde::{Deserialize, Serialize};

use crate::{config, transport::Bound};

/// Where other nodes reach one that joins a cluster, unless it is told otherwise.
const LISTEN: &str = "0.0.0.0:4434";
/// The directory of the node's membership, in its data directory.
pub const DIRECTORY: &str = "cluster";
/// The file of the node's key in it.
pub const NODE_KEY: &str = "node.key";

/// What cluster the node is one of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where other nodes reach this one, `HOST:PORT`, over UDP. Default none: the node is a mesh of its own; or port
    /// 4434 on all addresses if there is somebody to join.
    pub listen: Vec<String>,
    /// Nodes to join: `HOST:PORT`, or a domain with SRV records `_macula._udp`.
    pub join: Vec<String>,
    /// What `macula cluster invite` printed at the node that has the cluster's authority. It is needed until this
    /// node is a member.
    pub token: Option<String>,
    /// Where the command line says that the token is.
    #[serde(skip)]
    pub token_file: Option<PathBuf>,
    /// Bounds and times.
    pub bounds: cluster::Settings,
}

impl Settings {
    /// Whether the node is one of a cluster.
    fn wanted(&self) -> bool {
        !self.listen.is_empty() || !self.join.is_empty()
    }

    /// Checks that they can be used.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn check(&self) -> anyhow::Result<()> {
        self.bounds.gossip.check()?;
        self.bounds.engine.check()?;
        self.seeds()?;
        self.token()?;
        Ok(())
    }

    fn seeds(&self) -> anyhow::Result<Vec<Seed>> {
        let seeds = self.join.iter().map(|text| {
            let seed = text.parse::<Seed>();
            seed.with_context(|| format!("in `cluster.join`, {text:?}"))
        });
        seeds.collect()
    }

    fn token(&self) -> anyhow::Result<Option<JoinToken>> {
        let token = self.token.as_deref().map(str::parse::<JoinToken>);
        token.transpose().context(
            "expected a join token in `cluster.token`, as `macula cluster invite` prints it",
        )
    }

    /// Makes the node one of its cluster, if it is to be one.
    ///
    /// # Errors
    /// The node's key or membership cannot be used, or an address cannot.
    pub async fn join(
        &self,
        mesh: &Mesh,
        data_dir: &Path,
        gateway: &Bound,
    ) -> anyhow::Result<Option<Cluster>> {
        if !self.wanted() {
            return Ok(None);
        }
        let directory = data_dir.join(DIRECTORY);
        if !Membership::is_kept(&directory) && self.token.is_none() {
            if let Some(file) = &self.token_file {
                bail!("cannot read {}: there is no such file", file.display());
            }
            ensure!(
                self.join.is_empty(),
                "expected a join token, as this node has joined no cluster yet: `macula cluster invite` at a node of \
                 the cluster prints one, and `--token-file FILE` takes it"
            );
        }
        let key = NodeKey::load_or_make(&directory.join(NODE_KEY))?;
        let membership = Membership::open(&directory, key.id(), self.token()?, SystemTime::now())?;
        let listen = match self.listen.as_slice() {
            [] => config::addresses(&[LISTEN.to_owned()])?,
            listen => config::addresses(listen)?,
        };
        let gateway = gateway.addresses();
        let config = Config {
            key,
            membership,
            listen,
            seeds: self.seeds()?,
            gateway: gateway.first().map(ToString::to_string),
        };
        let cluster = mesh.join(config, self.bounds.clone()).await?;
        tracing::info!(
            node = %cluster.node(),
            cluster = %cluster.membership().cluster(),
            listen = ?cluster.addresses(),
            "one of a cluster"
        );
        Ok(Some(cluster))
    }
}
