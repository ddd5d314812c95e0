//! The local authority, and the leaf that it signs.
//!
//! `ca.pem` is what a client is told to trust; it stays the same for ten years. The leaf lives for
//! 13 days, as browsers take the hash of a certificate (`serverCertificateHashes`) only when it is
//! valid for less than two weeks. It is kept in files, so that a restart keeps its hash.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

use super::identity::{Identity, hex};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the authority is valid.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// How long a leaf is valid.
const LEAF_LIFETIME: Duration = Duration::from_secs(13 * 24 * 60 * 60);
/// How far clocks may differ between us and our clients.
const CLOCK_SKEW: Duration = Duration::from_secs(60 * 60);
/// How much of a digest tells the authorities that one machine trusts apart.
const NAME_BYTES: usize = 4;
/// What every leaf is for.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The authority of a data directory.
#[derive(Debug)]
pub struct Authority {
    directory: PathBuf,
    names: Vec<String>,
    key: KeyPair,
}

impl Authority {
    /// Opens the authority in `directory`, and makes it on the first start.
    ///
    /// # Errors
    /// The directory cannot be used, or what is in it is no authority of ours.
    pub fn open(directory: &Path, names: &[String]) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let path = directory.join("ca.key");
        let key = match fs::read_to_string(&path) {
            Ok(pem) => KeyPair::from_pem(&pem)
                .with_context(|| format!("expected a key in {}", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                write_secret(&path, &key.serialize_pem())?;
                key
            }
            // Another key would be another authority, which no client trusts.
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let certificate = directory.join("ca.pem");
        if !certificate.exists() {
            let signed = params(&key, SystemTime::now())?.self_signed(&key)?;
            write(&certificate, &signed.pem())?;
        }
        let mut all = LOCAL_NAMES.map(str::to_owned).to_vec();
        all.extend(
            names
                .iter()
                .filter(|name| !LOCAL_NAMES.contains(&name.as_str()))
                .cloned(),
        );
        Ok(Self {
            directory: directory.to_owned(),
            names: all,
            key,
        })
    }

    /// The file that clients are told to trust.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// The leaf in the directory if it is for the same names and still fresh, else a new one.
    ///
    /// # Errors
    /// A new one cannot be made or written.
    pub fn leaf(&self, now: SystemTime) -> anyhow::Result<Identity> {
        let kept = self
            .kept()
            .filter(|kept| now < renew_at(kept.not_before, kept.not_after));
        match kept {
            Some(kept) => Ok(kept),
            None => self.sign(now),
        }
    }

    fn kept(&self) -> Option<Identity> {
        let names = fs::read_to_string(self.directory.join("names")).ok()?;
        if names.lines().ne(&self.names) {
            return None;
        }
        let chain = fs::read(self.directory.join("cert.pem")).ok()?;
        let key = fs::read(self.directory.join("key.pem")).ok()?;
        Identity::from_pem(&chain, &key).ok()
    }

    fn sign(&self, now: SystemTime) -> anyhow::Result<Identity> {
        let mut params = CertificateParams::new(self.names.clone())
            .context("expected names or addresses in `tls.names`")?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Macula node");
        params.not_before = (now - CLOCK_SKEW).into();
        params.not_after = (now - CLOCK_SKEW + LEAF_LIFETIME).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(self::params(&self.key, now)?, &self.key);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let leaf = params.signed_by(&key, &issuer)?;
        let (chain, key) = (leaf.pem(), key.serialize_pem());
        write_secret(&self.directory.join("key.pem"), &key)?;
        write(&self.directory.join("cert.pem"), &chain)?;
        write(
            &self.directory.join("names"),
            &(self.names.join("\n") + "\n"),
        )?;
        Identity::from_pem(chain.as_bytes(), key.as_bytes())
    }
}

/// When a certificate is to be replaced: with a third of its time left, so that a node that
/// was off for days still serves with a valid one.
#[must_use]
pub fn renew_at(not_before: SystemTime, not_after: SystemTime) -> SystemTime {
    let lifetime = not_after.duration_since(not_before).unwrap_or_default();
    not_after - lifetime / 3
}

/// What the authority says of itself. It bears a digest of its key, so that a machine that trusts
/// several of them tells them apart.
fn params(key: &KeyPair, now: SystemTime) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    let digest = hex(&digest(&SHA256, key.public_key_raw()).as_ref()[..NAME_BYTES]);
    params.distinguished_name.push(
        DnType::CommonName,
        format!("Macula local authority {digest}"),
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = (now - DAY).into();
    params.not_after = (now + AUTHORITY_LIFETIME).into();
    Ok(params)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    replace(path, text, 0o644)
}

/// Writes a file that nobody else may read, not even for a moment.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    replace(path, text, 0o600)
}

/// Replaces a file as a whole: a reader sees the old one or the new one.
fn replace(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let write = || {
        let new = path.with_extension("new");
        // What a crash left behind might have another mode.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_leaf_is_kept_until_a_third_of_its_time_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let leaf = |names: &[String], now| {
            let authority = Authority::open(directory.path(), names).unwrap();
            authority.leaf(now).unwrap()
        };
        let first = leaf(&[], now);
        let lifetime = first.not_after.duration_since(first.not_before).unwrap();
        assert!(lifetime < 14 * DAY, "{lifetime:?}");
        assert_eq!(leaf(&[], now + 7 * DAY).sha256(), first.sha256());
        let renewed = leaf(&[], now + 10 * DAY);
        assert_ne!(renewed.sha256(), first.sha256());
        assert!(renewed.not_after > first.not_after);
        let named = leaf(&["gate.example".to_owned()], now + 10 * DAY);
        assert_ne!(named.sha256(), renewed.sha256());
    }

    #[test]
    fn keys_are_for_their_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::open(directory.path(), &[]).unwrap();
        authority.leaf(SystemTime::now()).unwrap();
        for (file, expected) in [("ca.key", 0o600), ("key.pem", 0o600), ("ca.pem", 0o644)] {
            let mode = fs::metadata(directory.path().join(file))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, expected, "{file}");
        }
    }

    #[test]
    fn the_authority_stays_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let read = || {
            let authority = Authority::open(directory.path(), &[]).unwrap();
            fs::read(authority.certificate()).unwrap()
        };
        let first = read();
        assert_eq!(read(), first);
        let authority = Authority::open(directory.path(), &[]).unwrap();
        fs::remove_file(authority.certificate()).unwrap();
        // The same key and the same name: what was signed before is still signed by it.
        let (_, first) = x509_parser::pem::parse_x509_pem(&first).unwrap();
        let again = read();
        let (_, again) = x509_parser::pem::parse_x509_pem(&again).unwrap();
        let (first, again) = (first.parse_x509().unwrap(), again.parse_x509().unwrap());
        assert_eq!(again.public_key(), first.public_key());
        assert_eq!(again.subject(), first.subject());
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("ca.key")).unwrap();
        let error = Authority::open(directory.path(), &[]).unwrap_err();
        assert!(error.to_string().starts_with("cannot read"), "{error}");
    }
}
