//! Ed25519 key pairs in files that only their owner reads.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use crate::id::{ID_BYTES, NodeId};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file holds something else.
    #[error("expected an Ed25519 private key (PKCS #8, PEM) in {0}")]
    NoKey(PathBuf),
    /// Others may read the file.
    #[error("expected mode 0600 of {path}, it is {mode:04o}: chmod 600 it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// A key pair of a node: the private half of its [`NodeId`].
#[derive(Clone)]
pub struct NodeKey(pub(crate) SigningKey);

impl NodeKey {
    /// A new key pair, kept nowhere.
    #[must_use]
    pub fn generate() -> Self {
        Self(SigningKey::generate())
    }

    /// The key in a file; it is made, with mode 0600, if there is none.
    ///
    /// # Errors
    /// The file cannot be used, holds no key, or is open to others.
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        SigningKey::load_or_make(path).map(Self)
    }

    /// The public half.
    #[must_use]
    pub fn id(&self) -> NodeId {
        NodeId::from_bytes(self.0.public())
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", self.id())
    }
}

/// An Ed25519 key pair as PKCS #8, the form that both the TLS stack and the signer of tokens take.
#[derive(Clone)]
pub(crate) struct SigningKey {
    der: Arc<[u8]>,
    public: [u8; ID_BYTES],
}

impl SigningKey {
    pub(crate) fn generate() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
            .expect("the system's random source works");
        Self::from_der(der.as_ref()).expect("a key pair that was just made is one")
    }

    pub(crate) fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {
                let pem = Self::generate().to_pem();
                write_once(path, pem.as_bytes()).map_err(|error| KeyError::Io {
                    path: path.to_owned(),
                    error,
                })?;
                // Another process may have been first: what is in the file counts.
                Self::load(path)
            }
            other => other,
        }
    }

    pub(crate) fn load(path: &Path) -> Result<Self, KeyError> {
        let io = |error| KeyError::Io {
            path: path.to_owned(),
            error,
        };
        let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let pem = fs::read(path).map_err(io)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).ok();
        let key = der.and_then(|der| Self::from_der(der.secret_pkcs8_der()));
        key.ok_or_else(|| KeyError::NoKey(path.to_owned()))
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(der).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self {
            der: der.into(),
            public,
        })
    }

    fn to_pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
        let lines: Vec<_> = lines.collect();
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        )
    }

    pub(crate) fn public(&self) -> [u8; ID_BYTES] {
        self.public
    }

    /// The private key, PKCS #8 DER.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }
}

/// Writes a file of mode 0600 whole or not at all; one that is there already stays.
fn write_once(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = draft(path);
    write_new(&draft, content)?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    fs::remove_file(&draft)?;
    linked
}

/// Writes a file of mode 0600 whole or not at all, over one that is there.
pub(crate) fn write_over(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = draft(path);
    write_new(&draft, content)?;
    fs::rename(&draft, path)
}

fn draft(path: &Path) -> PathBuf {
    let suffix: u64 = rand::random();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{suffix:016x}"));
    PathBuf::from(name)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        let made = NodeKey::load_or_make(&path).unwrap();
        assert_eq!(NodeKey::load_or_make(&path).unwrap().id(), made.id());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        NodeKey::load_or_make(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = NodeKey::load_or_make(&path).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { mode: 0o644, .. }));
    }

    #[test]
    fn a_file_that_is_no_key_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        write_once(&path, b"something else").unwrap();
        let error = NodeKey::load_or_make(&path).unwrap_err();
        assert!(matches!(error, KeyError::NoKey(_)));
        assert_eq!(fs::read(&path).unwrap(), b"something else");
    }
}
