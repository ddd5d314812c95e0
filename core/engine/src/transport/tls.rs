//! TLS 1.3 with raw public keys (RFC 7250): the key of a node is what it shows, without a certificate
//! around it. The key exchange is X25519MLKEM768 where both know it.

use std::{any::Any, sync::Arc};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key},
    pki_types::{
        CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
    },
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use crate::{
    id::{ID_BYTES, NodeId},
    key::NodeKey,
};

/// The protocol and its version, as the ends agree on it (ALPN).
const ALPN: &[u8] = b"macula-level/1";

/// What comes before an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Both sides of TLS for a node.
pub(crate) fn configurations(
    key: &NodeKey,
) -> Result<(Arc<QuicClientConfig>, Arc<QuicServerConfig>), Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let own = Arc::new(certified(key)?);
    let verifier = Arc::new(RawKeys(provider.clone()));
    let mut client = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
            own.clone(),
        )));
    client.alpn_protocols = vec![ALPN.to_vec()];
    // Every connection proves its keys anew.
    client.resumption = Resumption::disabled();
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.send_tls13_tickets = 0;
    let unfit = |_| Error::General("expected a provider with QUIC's initial suite".to_owned());
    let client = QuicClientConfig::try_from(client).map_err(unfit)?;
    let server = QuicServerConfig::try_from(server).map_err(unfit)?;
    Ok((Arc::new(client), Arc::new(server)))
}

fn certified(key: &NodeKey) -> Result<CertifiedKey, Error> {
    let private = PrivatePkcs8KeyDer::from(key.0.der().to_vec());
    let signing = aws_lc_rs::sign::any_eddsa_type(&private)?;
    let public = [&SPKI_PREFIX[..], &key.0.public()].concat();
    Ok(CertifiedKey::new(
        vec![CertificateDer::from(public)],
        signing,
    ))
}

/// The node that a connection's TLS has proved.
pub(super) fn node(identity: Option<Box<dyn Any>>) -> Option<NodeId> {
    let shown = identity?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    read(shown.first()?)
}

fn read(shown: &CertificateDer<'_>) -> Option<NodeId> {
    let key = shown.as_ref().strip_prefix(&SPKI_PREFIX)?;
    let key: [u8; ID_BYTES] = key.try_into().ok()?;
    Some(NodeId::from_bytes(key))
}

/// Takes any Ed25519 key, and checks that the peer has its private half. Whether the node is let in is
/// decided by the greeting.
#[derive(Debug)]
struct RawKeys(Arc<CryptoProvider>);

impl RawKeys {
    fn check(shown: &CertificateDer<'_>) -> Result<(), Error> {
        let unknown = || Error::General("expected a raw Ed25519 public key".to_owned());
        read(shown).map(|_| ()).ok_or_else(unknown)
    }

    fn verify(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }

    fn not_tls13() -> Error {
        Error::General("expected TLS 1.3".to_owned())
    }
}

impl ServerCertVerifier for RawKeys {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::check(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Self::not_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for RawKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::check(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Self::not_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn the_key_exchange_is_hybrid_and_after_quantum_computers_still_secret() {
        let groups = aws_lc_rs::default_provider().kx_groups;
        assert_eq!(groups[0].name(), NamedGroup::X25519MLKEM768);
    }

    #[test]
    fn only_raw_ed25519_keys_are_read() {
        let key = NodeKey::generate();
        let shown = certified(&key).unwrap().cert;
        assert_eq!(read(&shown[0]), Some(key.id()));
        assert_eq!(read(&CertificateDer::from(vec![0x30; 44])), None);
    }
}
