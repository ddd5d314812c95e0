//! Keys of requests that are carried out once in the whole cluster.
//!
//! A key belongs to two of the connected nodes, those that rendezvous hashing (Thaler and Ravishankar, 1998) puts
//! first for it. It is claimed at the one and then at the other, in that order, so that of two requests with one
//! key only one gets both; either of them knows the answer when the other has gone. While nodes do not reach each
//! other, or both have gone at once, a key may be new to each side: then the request is carried out twice. A node that
//! is there and cannot be asked, as too much goes on here, is not left out: the request is refused.

use std::{io, time::Duration};

use macula_proto::peer::once::{Ask, Keep, Told};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, oneshot},
    time::timeout,
};

use super::frames::{Frames, refused};
use crate::once::{Begun, Held, Key, Store};

/// How many nodes a key belongs to.
pub(crate) const OWNERS: usize = 2;
/// How long a node may take to say whether a key is new. One that does not is left out. It may take as long until it can
/// be asked.
pub(crate) const WAIT: Duration = Duration::from_secs(1);
/// How long a node may take to read the answer that it keeps.
const KEEPING: Duration = Duration::from_secs(8);

/// The nodes that a key belongs to, of those that are there, the first one first.
pub(crate) fn owners<Id: AsRef<[u8]> + Copy>(
    key: &Key,
    nodes: impl Iterator<Item = Id>,
) -> Vec<Id> {
    let mut ranked: Vec<_> = nodes.map(|id| (weight(key, id.as_ref()), id)).collect();
    ranked.sort_unstable_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.as_ref().cmp(y.as_ref())));
    ranked.truncate(OWNERS);
    ranked.into_iter().map(|(_, id)| id).collect()
}

/// Any function that spreads will do, but every node must have the same: FNV-1a.
fn weight(key: &Key, node: &[u8]) -> u64 {
    let hash = key
        .0
        .iter()
        .chain(node)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    // FNV's high bits hardly depend on the last of the input; this is the end of MurmurHash3.
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// Claims a key at another node: it is held there as long as the answer's sender lives. The turn is over with the
/// stream.
pub(crate) async fn ask<S>(
    stream: S,
    turn: OwnedSemaphorePermit,
    ask: Ask,
) -> io::Result<(Told, Option<Held>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut frames = Frames::new(stream);
    let asked = async {
        frames.send(&ask.encode()).await?;
        Told::decode(&frames.expect().await?).map_err(refused)
    };
    let told = timeout(WAIT, asked).await??;
    let held = matches!(told, Told::First).then(|| {
        let (sender, kept) = oneshot::channel::<Keep>();
        tokio::spawn(async move {
            let _turn = turn;
            let kept = tokio::select! {
                kept = kept => kept.ok(),
                // It has nothing more to say: it has gone, and keeps nothing.
                _ = frames.next() => None,
            };
            if let Some(keep) = kept {
                // Nor does one that does not read it.
                let _ = timeout(KEEPING, frames.finish(&keep.encode())).await;
            }
        });
        Held::There(sender)
    });
    Ok((told, held))
}

/// Answers for a key that belongs to this node.
pub(crate) async fn answer<S>(mut frames: Frames<S>, store: &Store) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ask = Ask::decode(&frames.expect().await?).map_err(refused)?;
    let running = match store.begin(Key(ask.key), ask.digest) {
        Ok(Begun::First(running)) => running,
        Ok(Begun::Again(kept)) => return frames.finish(&Told::Again(kept.into()).encode()).await,
        Err(problem) => return frames.finish(&Told::Refused(problem).encode()).await,
    };
    frames.send(&Told::First.encode()).await?;
    // Without a word the request came to nothing, and the key is free again.
    if let Some(frame) = frames.next().await? {
        running.keep(Keep::decode(&frame).map_err(refused)?.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{io::duplex, sync::Semaphore};

    use super::*;

    #[tokio::test]
    async fn a_key_takes_a_turn_until_its_request_or_its_owner_has_gone() {
        let turns = Arc::new(Semaphore::new(1));
        let claim = async || {
            let turn = Arc::clone(&turns).acquire_owned().await.unwrap();
            let (near, far) = duplex(1 << 10);
            let owner = tokio::spawn(async move {
                let mut frames = Frames::new(far);
                frames.expect().await.unwrap();
                frames.send(&Told::First.encode()).await.unwrap();
                frames
            });
            let ask = Ask {
                key: [1; 32],
                digest: [2; 32],
            };
            let (told, held) = super::ask(near, turn, ask).await.unwrap();
            assert_eq!(told, Told::First);
            (held.unwrap(), owner.await.unwrap())
        };
        let (held, owner) = claim().await;
        assert_eq!(turns.available_permits(), 0);
        drop(held);
        let _gone = owner;
        let (held, owner) = claim().await;
        assert_eq!(turns.available_permits(), 0);
        drop(owner);
        let again = timeout(WAIT, turns.acquire()).await;
        let _turn = again.expect("the owner has gone").unwrap();
        drop(held);
    }

    #[test]
    fn keys_spread_over_nodes_and_most_stay_when_one_comes() {
        let node = |n: u8| [n; 32];
        let mut first = [0_u32; 5];
        let mut moved = 0;
        for n in 0..5_000_u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            let (four, five) = (
                owners(&Key(key), (0..4).map(node)),
                owners(&Key(key), (0..5).map(node)),
            );
            assert_eq!(four.len(), OWNERS);
            first[usize::from(five[0][0])] += 1;
            assert!(
                four.iter().any(|owner| five.contains(owner)),
                "one of them still knows it"
            );
            moved += u32::from(four[0] != five[0]);
        }
        assert!(
            first.iter().all(|count| (800..1_200).contains(count)),
            "{first:?}"
        );
        assert!((800..1_200).contains(&moved), "{moved}");
        assert_eq!(owners(&Key([1; 32]), std::iter::once(node(9))), [node(9)]);
    }
}
