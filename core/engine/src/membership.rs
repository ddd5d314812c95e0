//! What a node is a member of, and how it shows it.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::{
    id::{ClusterId, NodeId},
    key::{self, KeyError},
    revocations::{self, Revocations},
    trust::{
        authority::Authority, certificate::Certificate, invite::JoinToken, refusal::Refusal,
        revocation::Revocation, revoked::Revoked,
    },
};

/// How long a certificate is good. Half a life before its end a new one is asked for, so that a node may be
/// away from its cluster's authority for 15 days.
pub const CERTIFICATE_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The file of the authority's key in a data directory.
pub const AUTHORITY_FILE: &str = "cluster.key";
/// The file of the node's certificate in a data directory.
const CERTIFICATE_FILE: &str = "cluster.jwt";
/// The file of the revocations in a data directory.
const REVOKED_FILE: &str = "revoked";

/// Nodes of which it is remembered that they take this one for revoked, far more than are dialled. At the bound all are
/// forgotten, and are shown the certificate once more.
const MAX_DOUBTERS: usize = 1_024;

/// The membership of one node in one cluster. A clone is the same membership.
#[derive(Debug, Clone)]
pub struct Membership(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cluster: ClusterId,
    authority: Option<Authority>,
    /// What is shown until there is a certificate.
    invite: Option<JoinToken>,
    certificate: RwLock<Option<Certificate>>,
    /// Who has refused the certificate as revoked and is shown the later join token next.
    doubters: Mutex<BTreeSet<NodeId>>,
    /// Where the certificate is kept; in memory only if nowhere.
    file: Option<PathBuf>,
    revocations: Revocations,
}

/// What a node shows when it greets another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    Certificate(String),
    Invite(String),
}

impl Membership {
    /// Whether a node of this directory has been let into a cluster, or has founded one: it needs no join token.
    #[must_use]
    pub fn is_kept(directory: &Path) -> bool {
        let kept = |file: &&str| directory.join(file).exists();
        [CERTIFICATE_FILE, AUTHORITY_FILE].iter().any(kept)
    }

    /// The membership that a data directory holds. Without one there: with a join token, of the cluster that
    /// it invites to; without, of a new cluster, whose authority is made.
    ///
    /// A join token for another cluster than the one in the directory is refused: a node is of one.
    ///
    /// # Errors
    /// A file cannot be used, or holds something else.
    pub fn open(
        directory: &Path,
        node: NodeId,
        invite: Option<JoinToken>,
        now: SystemTime,
    ) -> Result<Self, MembershipError> {
        let file = directory.join(CERTIFICATE_FILE);
        let text = match fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(KeyError::Io { path: file, error }.into()),
        };
        let authority_file = directory.join(AUTHORITY_FILE);
        let authority = match Authority::load(&authority_file) {
            Err(KeyError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {
                let founds = invite.is_none() && text.is_none();
                founds
                    .then(|| Authority::load_or_make(&authority_file))
                    .transpose()?
            }
            other => Some(other?),
        };
        let kept = text.as_deref().map(unchecked_cluster).transpose();
        let kept = kept.map_err(|_| MembershipError::NoCertificate(file.clone()))?;
        let found = authority.as_ref().map(Authority::cluster).or(kept);
        let asked = invite.as_ref().map(JoinToken::cluster);
        let cluster = match (found, asked) {
            (Some(found), Some(asked)) if found != asked => {
                return Err(MembershipError::OtherCluster { found, asked });
            }
            (found, asked) => found
                .or(asked)
                .expect("an authority was made if neither is"),
        };
        let certificate = text.and_then(|text| Certificate::read(text.trim(), cluster).ok());
        // With a join token at hand, one that is good no longer is no hindrance.
        let good = |found: &Certificate| found.check(node, now, &Revoked::default()).is_ok();
        let certificate = certificate.filter(|found| match invite {
            Some(_) => good(found),
            None => found.node() == node,
        });
        let membership = Self(Arc::new(Inner {
            cluster,
            authority,
            invite,
            certificate: RwLock::new(certificate),
            doubters: Mutex::default(),
            file: Some(file),
            revocations: Revocations::new(cluster, Some(directory.join(REVOKED_FILE))),
        }));
        membership.reload(now);
        membership.renew_own(node, now);
        Ok(membership)
    }

    /// A membership with the authority itself, kept nowhere.
    #[must_use]
    pub fn founding(authority: Authority, node: NodeId, now: SystemTime) -> Self {
        let certificate = authority.certify(node, now, CERTIFICATE_TTL);
        Self::new(
            authority.cluster(),
            Some(authority),
            None,
            Some(certificate),
        )
    }

    /// A membership by a certificate, kept nowhere.
    #[must_use]
    pub fn certified(certificate: Certificate) -> Self {
        Self::new(certificate.cluster(), None, None, Some(certificate))
    }

    /// A membership that a join token will bring, kept nowhere.
    #[must_use]
    pub fn invited(invite: JoinToken) -> Self {
        Self::new(invite.cluster(), None, Some(invite), None)
    }

    fn new(
        cluster: ClusterId,
        authority: Option<Authority>,
        invite: Option<JoinToken>,
        certificate: Option<Certificate>,
    ) -> Self {
        Self(Arc::new(Inner {
            cluster,
            authority,
            invite,
            certificate: RwLock::new(certificate),
            doubters: Mutex::default(),
            file: None,
            revocations: Revocations::new(cluster, None),
        }))
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.0.cluster
    }

    /// The authority, if this node has it.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        self.0.authority.as_ref()
    }

    /// The certificate, once there is one.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        self.0.certificate.read().clone()
    }

    /// Takes a revocation: it counts from now on, and for those who are connected within a second. It is kept in the
    /// data directory. Whether it is new.
    ///
    /// # Errors
    /// The text is no revocation of this cluster, or so old that it counts no longer.
    pub fn revoke(&self, text: &str, now: SystemTime) -> Result<bool, Refusal> {
        let revocation = Revocation::read(text, self.0.cluster, now)?;
        Ok(self.0.revocations.add(revocation))
    }

    /// The revocations that count.
    #[must_use]
    pub fn revoked(&self) -> Vec<Revocation> {
        self.0.revocations.known().iter().cloned().collect()
    }

    /// Told when there is a new revocation, be it from here or from the data directory.
    #[must_use]
    pub fn revocations(&self) -> watch::Receiver<()> {
        self.0.revocations.changes()
    }

    /// Keeps a revocation in a data directory, where the node that runs there finds it within a second.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn revoke_in(directory: &Path, revocation: &Revocation) -> Result<(), KeyError> {
        let path = directory.join(REVOKED_FILE);
        let added = revocations::append(&path, revocation.text());
        added.map_err(|error| KeyError::Io { path, error })
    }

    /// Reads what has come into the data directory.
    pub(crate) fn reload(&self, now: SystemTime) {
        self.0.revocations.reload(now);
    }

    /// A node that was dialled has refused what it was shown. If it says that the certificate is revoked, and this
    /// node was invited again since, it is shown the join token next, and the certificate after that. Who says so may
    /// be anybody: the certificate is kept, and the others are shown that.
    pub(crate) fn refused(&self, by: NodeId, why: Refusal) {
        let mut doubters = self.0.doubters.lock();
        if !doubters.remove(&by) && why == Refusal::Revoked && self.invited_again() {
            if doubters.len() >= MAX_DOUBTERS {
                doubters.clear();
            }
            doubters.insert(by);
        }
    }

    /// Whether there is a join token.
    pub(crate) fn is_invited(&self) -> bool {
        self.0.invite.is_some()
    }

    fn invited_again(&self) -> bool {
        let invite = self.0.invite.as_ref().map(JoinToken::issued);
        let certificate = self.0.certificate.read();
        let certificate = certificate.as_ref().map(Certificate::issued);
        certificate.is_some() && invite > certificate
    }

    /// What is shown to a node that is dialled.
    pub(crate) fn credential(&self, to: NodeId) -> Option<Credential> {
        let certificate = || {
            Some(Credential::Certificate(
                self.certificate()?.text().to_owned(),
            ))
        };
        let invite = self.0.invite.as_ref();
        let invite = || Some(Credential::Invite(invite?.text().to_owned()));
        match self.0.doubters.lock().contains(&to) {
            true => invite().or_else(certificate),
            false => certificate().or_else(invite),
        }
    }

    /// Checks what a node shows. What it is let in with; and that it is new to the node if it was invited.
    pub(crate) fn admit(
        &self,
        node: NodeId,
        credential: &Credential,
        now: SystemTime,
    ) -> Result<(Certificate, bool), Refusal> {
        let revoked = self.0.revocations.known();
        match credential {
            Credential::Certificate(text) => {
                let certificate = Certificate::read(text, self.0.cluster)?;
                certificate.check(node, now, &revoked)?;
                Ok((certificate, false))
            }
            Credential::Invite(text) => {
                let invite: JoinToken = text.parse()?;
                if invite.cluster() != self.0.cluster {
                    return Err(Refusal::OtherCluster);
                }
                invite.check(node, now, &revoked)?;
                let authority = self.authority().ok_or(Refusal::NoAuthority)?;
                Ok((authority.certify(node, now, CERTIFICATE_TTL), true))
            }
        }
    }

    /// Whether a certificate that was let in is good still.
    pub(crate) fn recheck(
        &self,
        certificate: &Certificate,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        certificate.check(certificate.node(), now, &self.0.revocations.known())
    }

    /// A new certificate for a member whose own is good.
    pub(crate) fn renew(&self, node: NodeId, now: SystemTime) -> Option<Certificate> {
        Some(self.authority()?.certify(node, now, CERTIFICATE_TTL))
    }

    /// Takes a certificate that another node gave to this one, if it was signed later than what there is: whoever
    /// has seen an older one could bring it again. Whether it was.
    pub(crate) fn take(&self, text: &str, node: NodeId, now: SystemTime) -> Result<bool, Refusal> {
        let certificate = Certificate::read(text, self.0.cluster)?;
        certificate.check(node, now, &Revoked::default())?;
        let present = self.certificate();
        let later = present.is_none_or(|present| certificate.issued() > present.issued());
        if later {
            self.keep(certificate);
        }
        Ok(later)
    }

    /// Whether another node should be asked for a certificate.
    pub(crate) fn renewal_due(&self, now: SystemTime) -> bool {
        let certificate = self.certificate();
        certificate.is_some_and(|certificate| certificate.renewal_due(now))
    }

    /// With the authority at hand, nobody needs to be asked.
    pub(crate) fn renew_own(&self, node: NodeId, now: SystemTime) {
        let due = self
            .certificate()
            .is_none_or(|found| found.renewal_due(now));
        if let Some(certificate) = due.then(|| self.renew(node, now)).flatten() {
            self.keep(certificate);
        }
    }

    fn keep(&self, certificate: Certificate) {
        if let Some(file) = &self.0.file
            && let Err(error) = key::write_over(file, certificate.text().as_bytes())
        {
            // It is good for as long as the process runs; the next start joins again.
            tracing::error!(path = %file.display(), %error, "cannot keep the certificate");
        }
        *self.0.certificate.write() = Some(certificate);
        self.0.doubters.lock().clear();
    }
}

/// Of which cluster a certificate says that it is.
fn unchecked_cluster(text: &str) -> Result<ClusterId, Refusal> {
    crate::trust::certificate::named_cluster(text.trim())
}

/// Why a data directory holds no membership.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// A file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate's file holds something else.
    #[error("expected a membership certificate in {0}")]
    NoCertificate(PathBuf),
    /// The directory is of one cluster, the join token of another.
    #[error(
        "the data directory is of cluster {found}, the join token of {asked}: take another directory, or \
         remove {AUTHORITY_FILE} and {CERTIFICATE_FILE} from this one"
    )]
    OtherCluster {
        /// The directory's.
        found: ClusterId,
        /// The token's.
        asked: ClusterId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeKey;

    #[test]
    fn the_first_node_founds_and_finds_its_cluster_again() {
        let directory = tempfile::tempdir().unwrap();
        let (node, now) = (NodeKey::generate().id(), SystemTime::now());
        let open = |invite| Membership::open(directory.path(), node, invite, now);
        let founded = open(None).unwrap();
        assert!(founded.authority().is_some());
        let again = open(None).unwrap();
        assert_eq!(again.cluster(), founded.cluster());
        assert_eq!(again.certificate(), founded.certificate());
        let other = Authority::generate().invite(now, CERTIFICATE_TTL, 1);
        let error = open(Some(other)).unwrap_err();
        assert!(matches!(error, MembershipError::OtherCluster { .. }));
    }

    #[test]
    fn a_revocation_is_kept_and_one_from_a_command_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let (node, now) = (NodeKey::generate().id(), SystemTime::now());
        let open = || Membership::open(directory.path(), node, None, now).unwrap();
        let member = open();
        let authority = member.authority().unwrap();
        let others = [1, 2].map(|byte| NodeId::from_bytes([byte; 32]));
        let [first, second] = others.map(|other| authority.revoke(other, now));
        let mut changes = member.revocations();
        assert_eq!(member.revoke(first.text(), now), Ok(true));
        assert_eq!(member.revoke(first.text(), now), Ok(false));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        Membership::revoke_in(directory.path(), &second).unwrap();
        member.reload(now);
        assert!(changes.has_changed().unwrap());
        assert_eq!(member.revoked(), [first.clone(), second.clone()]);
        assert_eq!(open().revoked(), [first, second]);
        assert_eq!(member.revoke("no token", now), Err(Refusal::Malformed));
    }

    #[test]
    fn who_was_invited_keeps_its_certificate() {
        let directory = tempfile::tempdir().unwrap();
        let (node, now) = (NodeKey::generate().id(), SystemTime::now());
        let authority = Authority::generate();
        let invite = authority.invite(now, CERTIFICATE_TTL, 1);
        let open = |invite| Membership::open(directory.path(), node, invite, now).unwrap();
        let invited = open(Some(invite));
        let other = NodeId::from_bytes([1; 32]);
        let credential = invited.credential(other);
        assert!(matches!(credential, Some(Credential::Invite(_))));
        let text = authority
            .certify(node, now, CERTIFICATE_TTL)
            .text()
            .to_owned();
        assert_eq!(invited.take(&text, node, now), Ok(true));
        let minute = Duration::from_secs(60);
        let older = authority.certify(node, now - minute, CERTIFICATE_TTL * 2);
        assert_eq!(invited.take(older.text(), node, now), Ok(false));
        let member = open(None);
        assert_eq!(member.cluster(), authority.cluster());
        let shown = Some(Credential::Certificate(text));
        assert_eq!(member.credential(other), shown);
        let (later, ttl) = (now + CERTIFICATE_TTL, CERTIFICATE_TTL * 2);
        let again = authority.invite(now, ttl, 2);
        let member = Membership::open(directory.path(), node, Some(again), later).unwrap();
        let credential = member.credential(other);
        assert!(matches!(credential, Some(Credential::Invite(_))));
    }

    #[test]
    fn a_later_token_is_shown_once_to_who_says_that_the_certificate_is_revoked() {
        let directory = tempfile::tempdir().unwrap();
        let (node, now) = (NodeKey::generate().id(), SystemTime::now());
        let authority = Authority::generate();
        let begun = now - Duration::from_secs(60);
        let certificate = authority.certify(node, begun, CERTIFICATE_TTL);
        fs::write(directory.path().join(CERTIFICATE_FILE), certificate.text()).unwrap();
        let invite = authority.invite(now, CERTIFICATE_TTL, 1);
        let member = Membership::open(directory.path(), node, Some(invite.clone()), now).unwrap();
        let [first, second] = [1, 2].map(|byte| NodeId::from_bytes([byte; 32]));
        let by_certificate = Some(Credential::Certificate(certificate.text().to_owned()));
        let by_invite = Some(Credential::Invite(invite.text().to_owned()));
        let check = |to, expected: &Option<Credential>| {
            assert_eq!(member.credential(to), *expected);
        };
        member.refused(first, Refusal::Expired);
        check(first, &by_certificate);
        member.refused(first, Refusal::Revoked);
        check(first, &by_invite);
        check(second, &by_certificate);
        member.refused(first, Refusal::Revoked);
        check(first, &by_certificate);
        assert_eq!(member.certificate(), Some(certificate));
        for number in 0..10_000_u16 {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            member.refused(NodeId::from_bytes(bytes), Refusal::Revoked);
        }
        assert!(member.0.doubters.lock().len() <= MAX_DOUBTERS);
        let taken = authority.certify(node, now, CERTIFICATE_TTL);
        assert_eq!(member.take(taken.text(), node, now), Ok(true));
        member.refused(first, Refusal::Revoked);
        let by_new = Some(Credential::Certificate(taken.text().to_owned()));
        check(first, &by_new);
    }
}
