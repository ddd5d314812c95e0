//! The greeting on the first stream of a connection, before anything else may be said on it.
//!
//! Who dials says `hello` with its certificate or a join token; who listens checks it and answers `welcome`
//! with its own certificate, and with a new one for a node that was invited; who dialled checks that and says
//! `done`. TLS has proved before that each end has the key of its node id. A refusal is told as the code that
//! closes the connection: the refused peer never reaches the swarm.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::{
    doorman::Doorman,
    frame::{self, FrameError},
    id::{ClusterId, NodeId},
    membership::{Credential, Membership},
    stats::Counters,
    transport::code,
    trust::{certificate::Certificate, refusal::Refusal},
};

/// Listening addresses that a node tells others. More are not told, and not taken.
const MAX_ADDRESSES: usize = 8;
/// Bytes that both ends of a connection derive from its secrets, and nobody else.
const MARK_BYTES: usize = 16;

/// What a peer has shown, and its connection.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) node: NodeId,
    pub(crate) certificate: Certificate,
    /// When the peer's process started, as it says: another one means that older connections are dead.
    pub(crate) boot: u64,
    /// Whether the peer can sign certificates.
    pub(crate) issues: bool,
    /// Where the peer says that it listens.
    pub(crate) listens: Vec<SocketAddr>,
    pub(crate) address: SocketAddr,
    pub(crate) dialed: bool,
    /// The same at both ends: of two connections both keep the one whose mark is smaller.
    pub(crate) mark: [u8; MARK_BYTES],
    pub(crate) connection: quinn::Connection,
}

/// What a greeting is said on.
type Stream = (quinn::SendStream, quinn::RecvStream);

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// We refused the peer.
    ByUs(Refusal),
    /// The peer refused us.
    ByPeer(Refusal),
    /// The connection broke.
    Lost,
}

/// What every greeting of an engine needs.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) node: NodeId,
    pub(crate) level: String,
    pub(crate) membership: Membership,
    pub(crate) boot: u64,
    pub(crate) deadline: Duration,
    pub(crate) listens: RwLock<Vec<SocketAddr>>,
    pub(crate) doorman: Mutex<Doorman>,
    pub(crate) counters: Arc<Counters>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Frame {
    Hello {
        level: String,
        cluster: ClusterId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invite: Option<String>,
        about: About,
    },
    Welcome {
        certificate: String,
        /// The certificate of who was invited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issued: Option<String>,
        about: About,
    },
    Done,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct About {
    boot: u64,
    #[serde(default)]
    issues: bool,
    #[serde(default)]
    listens: Vec<SocketAddr>,
}

impl Admission {
    /// Greets on a new connection. When it fails, the connection is closed with the reason.
    pub(crate) async fn greet(
        &self,
        connection: quinn::Connection,
        node: NodeId,
        dialed: bool,
    ) -> Result<Facts, Denied> {
        let address = connection.remote_address();
        // A stream that is dropped ends, which the peer must not hear before it hears why.
        let mut kept = None;
        let greeting = async {
            let stream = if dialed {
                connection.open_bi().await
            } else {
                connection.accept_bi().await
            };
            let stream = kept.insert(stream.map_err(|error| lost(&error))?);
            if dialed {
                self.say_hello(&connection, stream, node).await
            } else {
                self.welcome(&connection, stream, node).await
            }
        };
        let greeted = tokio::time::timeout(self.deadline, greeting).await;
        let (certificate, about) = match greeted.unwrap_or(Err(Denied::ByUs(Refusal::TooSlow))) {
            Ok(greeted) => greeted,
            Err(denied) => {
                self.note(denied, node, address, dialed);
                if let Denied::ByUs(why) = denied {
                    let name = why.name().as_bytes();
                    macula_quic::close(&connection, code::refusal(why), name);
                }
                return Err(denied);
            }
        };
        let mut mark = [0; MARK_BYTES];
        connection
            .export_keying_material(&mut mark, b"EXPORTER-macula-mark", b"")
            .map_err(|_| Denied::Lost)?;
        let About {
            boot,
            issues,
            mut listens,
        } = about;
        listens.truncate(MAX_ADDRESSES);
        Ok(Facts {
            node,
            certificate,
            boot,
            issues,
            listens,
            address,
            dialed,
            mark,
            connection,
        })
    }

    fn note(&self, denied: Denied, node: NodeId, address: SocketAddr, dialed: bool) {
        match denied {
            Denied::ByUs(why) => {
                self.counters.refuse(why);
                tracing::warn!(%node, %address, reason = why.name(), "refused a peer");
            }
            Denied::ByPeer(why) => {
                self.counters.refused_by_other(why);
                // Who came by itself was shown nothing until it was let in.
                if dialed {
                    self.membership.refused(node, why);
                }
                tracing::warn!(%node, %address, reason = why.name(), "refused by a peer");
            }
            Denied::Lost => return,
        }
        // Who comes to refuse us costs as much, and a line of the log, as who is refused.
        if !dialed {
            self.doorman.lock().refused(address.ip(), Instant::now());
        }
    }

    async fn say_hello(
        &self,
        connection: &quinn::Connection,
        (send, receive): &mut Stream,
        node: NodeId,
    ) -> Result<(Certificate, About), Denied> {
        let (certificate, invite) = match self.membership.credential(node) {
            Some(Credential::Certificate(text)) => (Some(text), None),
            Some(Credential::Invite(text)) => (None, Some(text)),
            None => (None, None),
        };
        let invited = invite.is_some();
        let hello = Frame::Hello {
            level: self.level.clone(),
            cluster: self.membership.cluster(),
            certificate,
            invite,
            about: self.about(),
        };
        let written = frame::write(send, &hello).await;
        written.map_err(|error| broken(connection, &error))?;
        let answer = frame::read(receive).await;
        let Frame::Welcome {
            certificate,
            issued,
            about,
        } = answer.map_err(|error| unread(connection, &error))?
        else {
            return Err(Denied::ByUs(Refusal::Malformed));
        };
        let now = SystemTime::now();
        let shown = Credential::Certificate(certificate);
        let admitted = self.membership.admit(node, &shown, now);
        let (certificate, _) = admitted.map_err(Denied::ByUs)?;
        // Who has not asked for one needs none.
        if let Some(text) = issued.filter(|_| invited) {
            let taken = self.membership.take(&text, self.node, now);
            taken.map_err(Denied::ByUs)?;
        }
        let written = frame::write(send, &Frame::Done).await;
        written.map_err(|error| broken(connection, &error))?;
        let _ = send.finish();
        Ok((certificate, about))
    }

    async fn welcome(
        &self,
        connection: &quinn::Connection,
        (send, receive): &mut Stream,
        node: NodeId,
    ) -> Result<(Certificate, About), Denied> {
        let hello = frame::read(receive).await;
        let Frame::Hello {
            level,
            cluster,
            certificate,
            invite,
            about,
        } = hello.map_err(|error| unread(connection, &error))?
        else {
            return Err(Denied::ByUs(Refusal::Malformed));
        };
        if level != self.level {
            return Err(Denied::ByUs(Refusal::OtherLevel));
        }
        if cluster != self.membership.cluster() {
            return Err(Denied::ByUs(Refusal::OtherCluster));
        }
        let credential = match (certificate, invite) {
            (Some(text), None) => Credential::Certificate(text),
            (None, Some(text)) => Credential::Invite(text),
            (None, None) => return Err(Denied::ByUs(Refusal::NoCredential)),
            (Some(_), Some(_)) => return Err(Denied::ByUs(Refusal::Malformed)),
        };
        let admitted = self.membership.admit(node, &credential, SystemTime::now());
        let (certificate, new) = admitted.map_err(Denied::ByUs)?;
        // Who is not in yet itself cannot let others in.
        let own = self.membership.certificate();
        let own = own.ok_or(Denied::ByUs(Refusal::NoAuthority))?;
        let welcome = Frame::Welcome {
            certificate: own.text().to_owned(),
            issued: new.then(|| certificate.text().to_owned()),
            about: self.about(),
        };
        let written = frame::write(send, &welcome).await;
        written.map_err(|error| broken(connection, &error))?;
        match frame::read(receive).await {
            Ok(Frame::Done) => Ok((certificate, about)),
            Ok(_) => Err(Denied::ByUs(Refusal::Malformed)),
            Err(error) => Err(unread(connection, &error)),
        }
    }

    fn about(&self) -> About {
        let listens = self.listens.read();
        About {
            boot: self.boot,
            issues: self.membership.authority().is_some(),
            listens: listens.iter().take(MAX_ADDRESSES).copied().collect(),
        }
    }
}

fn lost(error: &quinn::ConnectionError) -> Denied {
    code::refused(error).map_or(Denied::Lost, Denied::ByPeer)
}

/// What a broken stream means: mostly, that the peer has closed the connection and said why.
fn broken(connection: &quinn::Connection, _: &io::Error) -> Denied {
    let reason = connection.close_reason();
    reason.map_or(Denied::Lost, |reason| lost(&reason))
}

fn unread(connection: &quinn::Connection, error: &FrameError) -> Denied {
    match error {
        FrameError::Io(_) if connection.close_reason().is_some() => {
            let reason = connection.close_reason();
            reason.map_or(Denied::Lost, |reason| lost(&reason))
        }
        FrameError::Io(_) | FrameError::TooLong | FrameError::Malformed(_) => {
            Denied::ByUs(Refusal::Malformed)
        }
    }
}

#[cfg(test)]
pub(crate) mod raw;
#[cfg(test)]
mod tests;
