//! A certificate chain with its key.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// A certificate chain with its key, ready to be served.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The chain, leaf first, and the key.
    pub certified: Arc<CertifiedKey>,
    /// When the leaf begins to be valid.
    pub not_before: SystemTime,
    /// When the leaf is not valid any more.
    pub not_after: SystemTime,
}

impl Identity {
    /// Reads a chain and its key from PEM.
    ///
    /// # Errors
    /// One of them is no PEM, has nothing in it, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> anyhow::Result<Self> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.context("expected certificates in PEM")?;
        ensure!(
            !chain.is_empty(),
            "expected a certificate in PEM, found none"
        );
        let key = PrivateKeyDer::from_pem_slice(key).context("expected a private key in PEM")?;
        let certified = CertifiedKey::from_der(chain, key, &super::provider())
            .context("expected the key of the certificate")?;
        let (not_before, not_after) = validity(&certified.cert[0])?;
        Ok(Self {
            certified: Arc::new(certified),
            not_before,
            not_after,
        })
    }

    /// The SHA-256 of the leaf's DER, in hexadecimal: what `serverCertificateHashes` wants.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(digest(&SHA256, &self.certified.cert[0]).as_ref())
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn validity(leaf: &CertificateDer<'_>) -> anyhow::Result<(SystemTime, SystemTime)> {
    let (_, leaf) = x509_parser::parse_x509_certificate(leaf).context("expected an X.509 leaf")?;
    let time = |time: x509_parser::time::ASN1Time| {
        let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
        UNIX_EPOCH + Duration::from_secs(seconds)
    };
    let validity = leaf.validity();
    Ok((time(validity.not_before), time(validity.not_after)))
}
