//! Whom a client takes for the gateway.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use crate::Error;

/// Whom a client takes for the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Who has a certificate of an authority that this machine trusts.
    #[default]
    System,
    /// Who has a certificate of the authority in this PEM file.
    Authority(PathBuf),
    /// Who has the certificate with this SHA-256, and nobody else.
    Certificate([u8; 32]),
}

impl Trust {
    /// The authority in this PEM file, as `macula up` prints it.
    pub fn authority(path: impl Into<PathBuf>) -> Self {
        Self::Authority(path.into())
    }

    /// The certificate with this SHA-256, in hexadecimal digits, as `macula up` prints it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is not 64 hexadecimal digits; colons may stand between them.
    pub fn sha256(digits: &str) -> Result<Self, Error> {
        let digits: Vec<_> = digits.chars().filter(|digit| *digit != ':').collect();
        let mut hash = [0; 32];
        let invalid = || Error::Invalid("expected a SHA-256 in 64 hexadecimal digits".to_owned());
        if digits.len() != 2 * hash.len() {
            return Err(invalid());
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            let high = pair[0].to_digit(16).ok_or_else(invalid)?;
            let low = pair[1].to_digit(16).ok_or_else(invalid)?;
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self::Certificate(hash))
    }

    /// TLS for a client that speaks this protocol (ALPN, RFC 7301).
    ///
    /// # Errors
    /// [`Error::Invalid`] when the authority cannot be read.
    pub fn tls(&self, alpn: &[u8]) -> Result<ClientConfig, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Error::Invalid(error.to_string()))?;
        let builder = match self {
            Self::Certificate(hash) => {
                let pinned = Arc::new(Pinned {
                    hash: *hash,
                    provider,
                });
                builder.dangerous().with_custom_certificate_verifier(pinned)
            }
            Self::System | Self::Authority(_) => builder.with_root_certificates(self.roots()?),
        };
        let mut tls = builder.with_no_client_auth();
        tls.alpn_protocols = vec![alpn.to_vec()];
        Ok(tls)
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        let Self::Authority(path) = self else {
            // Those that cannot be read are not trusted.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        let invalid = |error: &dyn std::fmt::Display| {
            let path = path.display();
            Error::Invalid(format!("expected a certificate in {path}: {error}"))
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| invalid(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| invalid(&error))?;
            roots.add(certificate).map_err(|error| invalid(&error))?;
        }
        Ok(roots)
    }
}

/// Takes one certificate and no other.
#[derive(Debug)]
struct Pinned {
    hash: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let hash = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, certificate);
        match hash.as_ref() == self.hash {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_digits() {
        let digits = "0a".repeat(32);
        assert_eq!(
            Trust::sha256(&digits).ok(),
            Some(Trust::Certificate([10; 32]))
        );
        let colons = vec!["0A"; 32].join(":");
        assert_eq!(
            Trust::sha256(&colons).ok(),
            Some(Trust::Certificate([10; 32]))
        );
        for bad in ["", "0a", &"0g".repeat(32), &"0a".repeat(33)] {
            assert!(Trust::sha256(bad).is_err(), "{bad}");
        }
    }
}
