//! The authority of a cluster: the key that signs its certificates.

use std::{
    fmt,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{certificate::Certificate, invite::JoinToken, revocation::Revocation};
use crate::{
    id::{ClusterId, NodeId},
    key::{KeyError, SigningKey},
};

/// A cluster's authority. Who has it is who decides on members; the first node makes it.
#[derive(Clone)]
pub struct Authority(SigningKey);

impl Authority {
    /// A new authority, which is a new cluster, kept nowhere.
    #[must_use]
    pub fn generate() -> Self {
        Self(SigningKey::generate())
    }

    /// The authority in a file; it is made, with mode 0600, if there is none.
    ///
    /// # Errors
    /// The file cannot be used, holds no key, or is open to others.
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        SigningKey::load_or_make(path).map(Self)
    }

    /// The authority in a file.
    ///
    /// # Errors
    /// There is no such file, it holds no key, or is open to others.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        SigningKey::load(path).map(Self)
    }

    /// The cluster that it is the authority of.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        ClusterId::from_bytes(self.0.public())
    }

    /// A join token that is good for a while. The nonce is random.
    #[must_use]
    pub fn invite(&self, now: SystemTime, ttl: Duration, nonce: u64) -> JoinToken {
        JoinToken::sign(&self.0, nonce, now, now + ttl)
    }

    /// A certificate for a node, good for a while.
    #[must_use]
    pub fn certify(&self, node: NodeId, now: SystemTime, ttl: Duration) -> Certificate {
        Certificate::sign(&self.0, node, now, now + ttl)
    }

    /// Revokes what was signed for a node until now.
    #[must_use]
    pub fn revoke(&self, node: NodeId, now: SystemTime) -> Revocation {
        Revocation::sign(&self.0, node, now)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.cluster())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        NodeKey,
        trust::{refusal::Refusal, revoked::Revoked, time, token},
    };

    const TTL: Duration = Duration::from_secs(1_000);

    fn start() -> SystemTime {
        time(1_700_000_000)
    }

    fn after(seconds: u64) -> SystemTime {
        start() + Duration::from_secs(seconds)
    }

    fn node() -> NodeId {
        NodeKey::generate().id()
    }

    #[test]
    fn a_certificate_is_for_its_node_in_its_time_until_it_is_revoked() {
        let (authority, member, other) = (Authority::generate(), node(), node());
        let text = authority.certify(member, start(), TTL).text().to_owned();
        let certificate = Certificate::read(&text, authority.cluster()).unwrap();
        let check = |node, now, revoked: &[(NodeId, u64)], expected| {
            let revoked = revoked
                .iter()
                .map(|(node, at)| authority.revoke(*node, after(*at)));
            assert_eq!(certificate.check(node, now, &revoked.collect()), expected);
        };
        check(member, start(), &[], Ok(()));
        check(member, after(999), &[], Ok(()));
        check(member, after(1_000), &[], Err(Refusal::Expired));
        check(
            member,
            start() - Duration::from_secs(301),
            &[],
            Err(Refusal::NotYetValid),
        );
        check(other, start(), &[], Err(Refusal::OtherNode));
        check(member, after(9), &[(member, 5)], Err(Refusal::Revoked));
        check(member, after(9), &[(other, 5)], Ok(()));
        assert!(!certificate.renewal_due(after(499)));
        assert!(certificate.renewal_due(after(500)));
    }

    #[test]
    fn what_is_signed_after_a_revocation_lets_the_node_in_again() {
        let (authority, member) = (Authority::generate(), node());
        let revoked: Revoked = [authority.revoke(member, after(5))].into_iter().collect();
        let old = authority.invite(after(5), TTL, 1);
        let new = authority.invite(after(6), TTL, 2);
        let now = after(7);
        assert_eq!(old.check(member, now, &revoked), Err(Refusal::Revoked));
        assert_eq!(new.check(member, now, &revoked), Ok(()));
    }

    #[test]
    fn a_revocation_is_read_by_its_cluster_until_all_that_it_voids_is_over() {
        let (ours, theirs) = (Authority::generate(), Authority::generate());
        let revocation = ours.revoke(node(), start());
        let read = |authority: &Authority, now| {
            Revocation::read(revocation.text(), authority.cluster(), now)
        };
        assert_eq!(read(&ours, start()).as_ref(), Ok(&revocation));
        assert!(revocation.text().len() <= token::MAX_BYTES);
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(read(&ours, start() + 399 * day).as_ref(), Ok(&revocation));
        assert_eq!(read(&ours, start() + 400 * day), Err(Refusal::Expired));
        assert_eq!(read(&theirs, start()), Err(Refusal::BadSignature));
        let certificate = ours.certify(revocation.node(), start(), TTL);
        let other = Revocation::read(certificate.text(), ours.cluster(), start());
        assert_eq!(other, Err(Refusal::Malformed));
    }

    #[test]
    fn one_token_is_not_taken_for_another_nor_one_authority_for_another() {
        let (ours, theirs) = (Authority::generate(), Authority::generate());
        let invite = ours.invite(start(), TTL, 1);
        assert_eq!(invite.text().parse::<JoinToken>().as_ref(), Ok(&invite));
        let read = |text: &str, authority: &Authority| {
            Certificate::read(text, authority.cluster()).map(|_| ())
        };
        assert_eq!(read(invite.text(), &ours), Err(Refusal::Malformed));
        let certificate = ours.certify(node(), start(), TTL);
        assert_eq!(
            certificate.text().parse::<JoinToken>(),
            Err(Refusal::Malformed)
        );
        assert_eq!(
            read(certificate.text(), &theirs),
            Err(Refusal::BadSignature)
        );
        let long = format!("{}{}", certificate.text(), "A".repeat(token::MAX_BYTES));
        assert_eq!(read(&long, &ours), Err(Refusal::Malformed));
    }

    #[test]
    fn a_token_without_a_signature_is_none() {
        // Header {"typ":"macula-certificate+jwt","alg":"none"}.
        let header = "eyJ0eXAiOiJtYWN1bGEtY2VydGlmaWNhdGUrand0IiwiYWxnIjoibm9uZSJ9";
        let authority = Authority::generate();
        let certificate = authority.certify(node(), start(), TTL);
        let claims = certificate.text().split('.').nth(1).unwrap();
        let text = format!("{header}.{claims}.");
        let read = Certificate::read(&text, authority.cluster());
        assert_eq!(read, Err(Refusal::Malformed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn no_text_is_a_token_or_a_panic(text in "[A-Za-z0-9_.=-]{0,300}|.{0,64}") {
            let cluster = ClusterId::from_bytes([7; 32]);
            prop_assert!(Certificate::read(&text, cluster).is_err());
            prop_assert!(text.parse::<JoinToken>().is_err());
            prop_assert!(Revocation::read(&text, cluster, start()).is_err());
        }

        #[test]
        fn no_change_of_a_byte_goes_unseen(place: prop::sample::Index, byte in b' '..=b'~') {
            let authority = Authority::generate();
            let text = authority.certify(NodeId::from_bytes([3; 32]), start(), TTL).text().to_owned();
            let mut changed = text.clone().into_bytes();
            let place = place.index(changed.len());
            changed[place] = byte;
            let changed = String::from_utf8(changed).unwrap();
            let read = Certificate::read(&changed, authority.cluster());
            prop_assert!(changed == text || read.is_err());
        }
    }
}
