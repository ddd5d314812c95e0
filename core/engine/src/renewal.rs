//! New certificates for members whose own have reached half of their lives.
//!
//! Who has the authority serves the protocol; everybody else asks such a peer when it is time. A connection
//! keeps the certificate that it began with: it is closed when that expires, and made again with the new one.

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::io::AsyncWriteExt;

use crate::{
    frame::{self, FrameError},
    id::NodeId,
    shared::Shared,
    streams::{Inbound, OpenError},
    trust::{certificate::Certificate, refusal::Refusal},
};

/// The name of the protocol.
const PROTOCOL: &str = "certificate/1";
/// How often it is asked whether it is time, and whenever a peer comes or goes.
const EVERY: Duration = Duration::from_secs(60);
/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum RenewalError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no answer in time")]
    TooSlow,
    #[error("the peer gave none")]
    None,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

pub(crate) fn start(shared: &Arc<Shared>) {
    if shared.admission.membership.authority().is_some() {
        tokio::spawn(serve(shared.clone()));
    }
    tokio::spawn(ask(shared.clone()));
}

/// Answers one peer after the other: an answer is a signature, which takes microseconds.
async fn serve(shared: Arc<Shared>) {
    let mut incoming = shared.accept(PROTOCOL);
    while let Some(Inbound { from, mut stream }) = incoming.next().await {
        let certificate = renewed(&shared, from);
        let text = certificate.map(|certificate| certificate.text().to_owned());
        let answer = async {
            frame::write(&mut stream, &text).await?;
            stream.shutdown().await
        };
        if !matches!(tokio::time::timeout(TIMEOUT, answer).await, Ok(Ok(()))) {
            tracing::debug!(node = %from, "a peer did not take its new certificate");
        }
    }
}

/// A new certificate for a peer whose own is good. One that is revoked is closed within a second; until then it could
/// get one that was signed after its revocation, and would be let in again.
fn renewed(shared: &Shared, peer: NodeId) -> Option<Certificate> {
    let (membership, now) = (&shared.admission.membership, SystemTime::now());
    let shown = shared.switchboard.line(peer)?;
    membership.recheck(&shown.facts.certificate, now).ok()?;
    membership.renew(peer, now)
}

async fn ask(shared: Arc<Shared>) {
    let mut changes = shared.changes.clone();
    loop {
        let now = SystemTime::now();
        let membership = &shared.admission.membership;
        membership.renew_own(shared.node, now);
        if membership.renewal_due(now) {
            let lines = shared.switchboard.each();
            for line in lines.iter().filter(|line| line.facts.issues) {
                match renew(&shared, line.facts.node).await {
                    Ok(()) => {
                        tracing::info!("the certificate is renewed");
                        break;
                    }
                    Err(error) => {
                        tracing::warn!(node = %line.facts.node, %error, "cannot renew the certificate");
                    }
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            // Somebody may have come who can be asked.
            changed = changes.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

async fn renew(shared: &Shared, from: NodeId) -> Result<(), RenewalError> {
    let asking = async {
        let mut stream = shared.open(from, PROTOCOL).await?;
        stream.shutdown().await?;
        let text: Option<String> = frame::read(&mut stream).await?;
        Ok(text)
    };
    let asked: Result<_, RenewalError> = tokio::time::timeout(TIMEOUT, asking)
        .await
        .map_err(|_| RenewalError::TooSlow)?;
    let text = asked?.ok_or(RenewalError::None)?;
    let membership = &shared.admission.membership;
    Ok(membership.take(&text, shared.node, SystemTime::now())?)
}
