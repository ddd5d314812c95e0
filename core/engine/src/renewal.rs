//! New certificates for members whose own have reached half of their lives.
//!
//! Who has the authority serves the protocol; everybody else asks such a peer when it is time. A connection
//! keeps the certificate that it began with: it is closed when that expires, and made again with the new one.

use std::{
    collections::HashMap,
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{io::AsyncWriteExt, task::JoinHandle};

use crate::{
    frame::{self, FrameError},
    id::NodeId,
    shared::Shared,
    streams::{ByteStream, Inbound, Incoming, OpenError},
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
    #[error("expected one that was signed later than the present one")]
    Older,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

pub(crate) fn start(shared: &Arc<Shared>) {
    if shared.admission.membership.authority().is_some() {
        let incoming = shared.accept(PROTOCOL);
        tokio::spawn(serve(shared.clone(), incoming));
    }
    tokio::spawn(ask(shared.clone()));
}

/// Answers each peer in a task of its own, as one that does not read would keep the others waiting. Who asks while
/// its last answer is under way gets none, so that there are as many tasks as peers at most.
async fn serve(shared: Arc<Shared>, mut incoming: Incoming) {
    let mut under_way: HashMap<NodeId, JoinHandle<()>> = HashMap::new();
    while let Some(Inbound { from, stream }) = incoming.next().await {
        under_way.retain(|_, answer| !answer.is_finished());
        under_way.entry(from).or_insert_with(|| {
            let certificate = renewed(&shared, from);
            tokio::spawn(answer(from, stream, certificate))
        });
    }
}

async fn answer(to: NodeId, mut stream: ByteStream, certificate: Option<Certificate>) {
    let text = certificate.map(|certificate| certificate.text().to_owned());
    let answer = async {
        frame::write(&mut stream, &text).await?;
        stream.shutdown().await
    };
    if !matches!(tokio::time::timeout(TIMEOUT, answer).await, Ok(Ok(()))) {
        tracing::debug!(node = %to, "a peer did not take its new certificate");
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
    match membership.take(&text, shared.node, SystemTime::now())? {
        true => Ok(()),
        false => Err(RenewalError::Older),
    }
}

#[cfg(test)]
mod tests {
    use quinn::TransportConfig;

    use super::*;
    use crate::{
        Authority, Config, Engine, Membership, NodeKey, Settings, admission::raw,
        membership::CERTIFICATE_TTL,
    };

    /// A name as multistream-select has it.
    fn named(name: &str) -> Vec<u8> {
        let length = u8::try_from(name.len() + 1).unwrap();
        [&[length], name.as_bytes(), b"\n"].concat()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_peer_that_asks_and_does_not_read_keeps_nobody_else_waiting() {
        const STREAMS: u64 = 20;
        let authority = Authority::generate();
        let (engine, _events) = raw::engine(&authority, Settings::default()).await;
        // Room for the names, and for half of an answer.
        let mut small = TransportConfig::default();
        small.stream_receive_window(256_u32.into());
        let key = NodeKey::generate();
        let (_endpoint, connection) = raw::member(&authority, &key, &engine, small).await;
        let name = format!("/macula/cluster/{}/stream/{PROTOCOL}", authority.cluster());
        let asks = [named("/multistream/1.0.0"), named(&name)].concat();
        let mut unread = Vec::new();
        for _ in 0..STREAMS {
            let (mut send, receive) = connection.open_bi().await.unwrap();
            send.write_all(&asks).await.unwrap();
            unread.push((send, receive));
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while engine.stats().streams_accepted < STREAMS {
            assert!(tokio::time::Instant::now() < deadline, "they are taken");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (key, now) = (NodeKey::generate(), SystemTime::now());
        let old = authority.certify(key.id(), now - CERTIFICATE_TTL / 2, CERTIFICATE_TTL);
        let (honest, _events) = Engine::start(Config {
            membership: Membership::certified(old),
            key,
            level: "cluster".to_owned(),
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            seeds: vec![engine.addresses()[0].to_string().parse().unwrap()],
            dns: None,
            settings: Settings::default(),
        })
        .await
        .unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while honest.membership().renewal_due(SystemTime::now()) {
            assert!(tokio::time::Instant::now() < deadline, "it is renewed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
