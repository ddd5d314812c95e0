//! What a command has while it runs: where it prints, and its sessions.

use std::time::Duration;

use macula_client::Mesh;
use parking_lot::Mutex;
use tokio::time::timeout;

use super::{failure::Failure, output::Output, remote::Remote};

/// How long a session may take to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// A command that runs.
#[derive(Debug, Default)]
pub struct Client {
    /// Where it prints.
    pub output: Output,
    open: Mutex<Vec<Mesh>>,
}

impl Client {
    /// A session in a realm; in the token's or the first open one if none is told.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn open(&self, remote: &Remote, realm: Option<&str>) -> Result<Mesh, Failure> {
        let mesh = remote.session(realm)?.await?;
        self.open.lock().push(mesh.clone());
        Ok(mesh)
    }

    /// Ends its sessions, so that nobody waits for what will not come.
    pub async fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock());
        for mesh in open {
            // A node that does not hear it notices in its own time.
            let _ = timeout(FAREWELL, mesh.close()).await;
        }
    }
}
