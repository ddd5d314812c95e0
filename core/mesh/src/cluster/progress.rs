//! Progress of a call at another node, from its stream to the caller that reads it.
//!
//! The stream is read whether the caller reads or not: what is unread on it takes of what the whole connection may
//! have unread, and some callers that read nothing would keep everything else from coming. So what the caller does
//! not read in time is left out, and the provider never waits for a caller at another node.

use std::sync::Arc;

use bytes::Bytes;
use macula_proto::Payload;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Bytes of a call's progress that wait here for its caller: enough for some hundred messages that come at once, and
/// 40 MiB of all calls that one node may be asked at a time. One that is larger waits alone.
const BACKLOG: usize = 256 << 10;
/// What a message counts for beside its payload.
const MESSAGE: usize = 256;

/// What has come and waits for the caller.
pub(crate) fn backlog() -> (Teller, Told) {
    let (sender, waiting) = mpsc::unbounded_channel();
    let teller = Teller {
        room: Arc::new(Semaphore::new(BACKLOG)),
        sender,
    };
    (teller, Told(waiting))
}

/// Where progress comes from. When it is dropped there is no more.
pub(crate) struct Teller {
    /// Bounds the channel, in bytes.
    room: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<(Payload, OwnedSemaphorePermit)>,
}

/// The progress that waits, in the order in which it was told.
pub(crate) struct Told(mpsc::UnboundedReceiver<(Payload, OwnedSemaphorePermit)>);

impl Teller {
    /// Tells progress, if there is room for it.
    pub(crate) fn tell(&self, mut progress: Payload) {
        let bytes = (progress.bytes.len() + MESSAGE).min(BACKLOG);
        let bytes = u32::try_from(bytes).expect("the backlog is less than 4 GiB");
        if let Ok(place) = Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            // What it shares with all that was read along with it would stay as long as it does.
            progress.bytes = Bytes::copy_from_slice(&progress.bytes);
            // A caller that has gone reads nothing.
            let _ = self.sender.send((progress, place));
        }
    }
}

impl Told {
    /// The next one; none when all was read and nothing more comes.
    pub(crate) async fn next(&mut self) -> Option<Payload> {
        let (progress, _place) = self.0.recv().await?;
        Some(progress)
    }
}

#[cfg(test)]
mod tests {
    use macula_proto::MediaType;

    use super::*;

    fn told(bytes: usize) -> Payload {
        Payload {
            content_type: MediaType::JSON,
            bytes: vec![b' '; bytes].into(),
        }
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_what_was_told_first_stays() {
        let lengths = async |lengths: &[usize]| {
            let (teller, mut waiting) = backlog();
            for bytes in lengths {
                teller.tell(told(*bytes));
            }
            drop(teller);
            let mut found = Vec::new();
            while let Some(progress) = waiting.next().await {
                found.push(progress.bytes.len());
            }
            found
        };
        assert_eq!(lengths(&[0; 2_000]).await, [0; BACKLOG / MESSAGE]);
        assert_eq!(
            lengths(&[100_000, 99_999, 99_998, 7]).await,
            [100_000, 99_999, 7]
        );
        assert_eq!(lengths(&[BACKLOG * 3, 1, BACKLOG]).await, [BACKLOG * 3]);
        assert_eq!(lengths(&[1, BACKLOG]).await, [1]);
    }

    #[tokio::test]
    async fn there_is_room_again_for_what_was_read() {
        let (teller, mut waiting) = backlog();
        for round in 0..10 {
            teller.tell(told(BACKLOG + round));
            teller.tell(told(1));
            let progress = waiting.next().await.unwrap();
            assert_eq!(progress.bytes.len(), BACKLOG + round);
        }
    }
}
