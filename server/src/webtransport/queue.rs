//! What has come for a session and waits to be taken.
//!
//! A channel of tokio's holds room for dozens of streams from the start, and its receiver has one
//! owner. This one is empty until something comes, and anybody may take.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A bounded queue that can end.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    came: Notify,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<T>,
    ended: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let waiting = Waiting {
            items: VecDeque::new(),
            ended: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            came: Notify::new(),
        }
    }

    /// Adds an item; gives it back when `limit` wait already or the queue has ended.
    pub(super) fn offer(&self, item: T, limit: usize) -> Result<(), T> {
        {
            let mut waiting = self.waiting.lock();
            if waiting.ended || waiting.items.len() >= limit {
                return Err(item);
            }
            waiting.items.push_back(item);
        }
        self.came.notify_one();
        Ok(())
    }

    /// Adds an item; when `limit` wait already, the oldest goes.
    pub(super) fn push(&self, item: T, limit: usize) {
        {
            let mut waiting = self.waiting.lock();
            if waiting.ended {
                return;
            }
            if waiting.items.len() >= limit {
                waiting.items.pop_front();
            }
            waiting.items.push_back(item);
        }
        self.came.notify_one();
    }

    /// How many items wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().items.len()
    }

    /// The next item; none once the queue has ended. Safe to cancel.
    pub(super) async fn next(&self) -> Option<T> {
        loop {
            // It hears of what comes from here on.
            let came = self.came.notified();
            {
                let mut waiting = self.waiting.lock();
                if let Some(item) = waiting.items.pop_front() {
                    let more = !waiting.items.is_empty();
                    drop(waiting);
                    if more {
                        // One notice may stand for several items, and others may wait for them.
                        self.came.notify_one();
                    }
                    return Some(item);
                }
                if waiting.ended {
                    return None;
                }
            }
            came.await;
        }
    }

    /// Ends the queue; gives back what waited.
    pub(super) fn end(&self) -> VecDeque<T> {
        let items = {
            let mut waiting = self.waiting.lock();
            waiting.ended = true;
            std::mem::take(&mut waiting.items)
        };
        self.came.notify_waiters();
        items
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn it_is_bounded_in_both_ways() {
        let queue = Queue::new();
        assert_eq!(queue.offer(1, 2), Ok(()));
        assert_eq!(queue.offer(2, 2), Ok(()));
        assert_eq!(queue.offer(3, 2), Err(3));
        queue.push(4, 2);
        assert_eq!(queue.next().await, Some(2));
        assert_eq!(queue.end(), [4]);
        assert_eq!(queue.offer(5, 2), Err(5));
        assert_eq!(queue.next().await, None);
    }

    #[tokio::test]
    async fn all_who_wait_get_something_or_hear_of_the_end() {
        let queue = Arc::new(Queue::new());
        let takers: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { queue.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        queue.push(1, 9);
        queue.push(2, 9);
        while queue.len() > 0 {
            tokio::task::yield_now().await;
        }
        queue.end();
        let mut taken = Vec::new();
        for taker in takers {
            taken.push(taker.await.unwrap());
        }
        taken.sort();
        assert_eq!(taken, [None, Some(1), Some(2)]);
    }
}
