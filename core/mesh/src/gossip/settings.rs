//! Intervals and bounds.

use std::time::Duration;

use macula_engine::settings::millis;
use serde::{Deserialize, Serialize};

/// How a node gossips. Every bound says what happens at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a local change waits for others, to go out with them. Default 50 ms.
    #[serde(with = "millis")]
    pub debounce: Duration,
    /// Local changes go at once to so many peers at most. Default 64: in a smaller full mesh a change takes
    /// one message a node. Beyond it the others hear from those that were told.
    pub direct_peers: usize,
    /// How often what is new is repeated, as long as nodes do not agree. Default 1 s.
    #[serde(with = "millis")]
    pub push_every: Duration,
    /// To how many peers. Default 3; one more each time that the cluster is twice as large as
    /// `direct_peers`.
    pub fan_out: usize,
    /// How long after its last change a node repeats at most, in pushes. Default 10.
    pub rounds: u32,
    /// How often a node asks at most for what it misses. Default 1 s.
    #[serde(with = "millis")]
    pub pull_every: Duration,
    /// How long a node waits before it asks, since what it misses may be under way. Default 100 ms.
    #[serde(with = "millis")]
    pub pull_after: Duration,
    /// How often a node compares with one peer, whether or not something has changed. Default 30 s.
    #[serde(with = "millis")]
    pub anti_entropy_every: Duration,
    /// How long a member that has left is remembered. Default 24 h. A node that was cut off for longer may
    /// bring back what that member had said.
    #[serde(with = "millis")]
    pub keep_retired: Duration,
    /// Messages a second that a node pushes at most. Default 500. At it changes wait for each other
    /// longer, and fewer peers are told.
    pub messages_per_second: u32,
    /// Bytes of a message at most. Default 64 KiB. Larger deltas are cut; a larger message from a peer is
    /// refused.
    pub message_bytes: usize,
    /// Messages that answer one digest at most. Default 16. Who misses more asks again.
    pub answer_messages: usize,
    /// Digests of one peer that are answered a second. Default 4. More are refused.
    pub digests_per_second: u32,
    /// Messages of one peer that are read a second. Default 1,000. More are refused.
    pub peer_messages_per_second: u32,
    /// How far ahead of the wall clock a time may be. Default 10 s. What is further ahead is refused.
    #[serde(with = "millis")]
    pub max_skew: Duration,
    /// Entries of the state at most. Default 200,000. At it a change is refused, and a peer's delta.
    pub max_entries: usize,
    /// Actors of the state at most, and records of members that have left. Default 1,024 each. At it a
    /// peer's delta that brings more is refused.
    pub max_actors: usize,
    /// Ranges of one actor's context at most. Default 16,384. At it a peer's delta is refused; a repair
    /// makes one range of many.
    pub max_ranges: usize,
    /// Bytes of an entry's key and value at most. Default 16 KiB. A larger one is refused.
    pub entry_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            debounce: Duration::from_millis(50),
            direct_peers: 64,
            push_every: Duration::from_secs(1),
            fan_out: 3,
            rounds: 10,
            pull_every: Duration::from_secs(1),
            pull_after: Duration::from_millis(100),
            anti_entropy_every: Duration::from_secs(30),
            keep_retired: Duration::from_secs(24 * 3600),
            messages_per_second: 500,
            message_bytes: 64 << 10,
            answer_messages: 16,
            digests_per_second: 4,
            peer_messages_per_second: 1_000,
            max_skew: Duration::from_secs(10),
            max_entries: 200_000,
            max_actors: 1_024,
            max_ranges: 16_384,
            entry_bytes: 16 << 10,
        }
    }
}

/// Settings that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Something is zero.
    #[error("expected {0} above zero")]
    Zero(&'static str),
    /// What should be repeated within a time is not repeated three times in it, so that it is
    /// missed when two repetitions are.
    #[error("expected {often} at most a third of {within}")]
    TooRare {
        /// What is repeated.
        often: &'static str,
        /// Within which time.
        within: &'static str,
    },
    /// An entry does not fit into a message.
    #[error("expected message_bytes of at least twice entry_bytes and 16 KiB")]
    MessageTooSmall,
}

impl Settings {
    /// Checks that the settings can work together.
    ///
    /// # Errors
    /// [`SettingsError`] says which do not.
    pub fn check(&self) -> Result<(), SettingsError> {
        let zero = [
            ("debounce", self.debounce.is_zero()),
            ("direct_peers", self.direct_peers == 0),
            ("push_every", self.push_every.is_zero()),
            ("fan_out", self.fan_out == 0),
            ("rounds", self.rounds == 0),
            ("pull_every", self.pull_every.is_zero()),
            ("anti_entropy_every", self.anti_entropy_every.is_zero()),
            ("messages_per_second", self.messages_per_second == 0),
            ("answer_messages", self.answer_messages == 0),
            ("digests_per_second", self.digests_per_second == 0),
            (
                "peer_messages_per_second",
                self.peer_messages_per_second == 0,
            ),
            ("max_actors", self.max_actors == 0),
            ("max_ranges", self.max_ranges == 0),
        ];
        if let Some((name, _)) = zero.iter().find(|(_, is_zero)| *is_zero) {
            return Err(SettingsError::Zero(name));
        }
        let often = [
            ("debounce", self.debounce, "push_every", self.push_every),
            ("pull_after", self.pull_after, "pull_every", self.pull_every),
            (
                "push_every",
                self.push_every,
                "anti_entropy_every",
                self.anti_entropy_every,
            ),
            (
                "anti_entropy_every",
                self.anti_entropy_every,
                "keep_retired",
                self.keep_retired,
            ),
        ];
        for (often, each, within, time) in often {
            if each > time / 3 {
                return Err(SettingsError::TooRare { often, within });
            }
        }
        if self.message_bytes < 2 * self.entry_bytes + (16 << 10) {
            return Err(SettingsError::MessageTooSmall);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lesson_05_what_is_forgotten_is_repeated_three_times_before() {
        assert_eq!(Settings::default().check(), Ok(()));
        let settings = Settings {
            anti_entropy_every: Duration::from_secs(9 * 3600),
            ..Settings::default()
        };
        let (often, within) = ("anti_entropy_every", "keep_retired");
        assert_eq!(
            settings.check(),
            Err(SettingsError::TooRare { often, within })
        );
        let settings = Settings {
            fan_out: 0,
            ..Settings::default()
        };
        assert_eq!(settings.check(), Err(SettingsError::Zero("fan_out")));
        let settings = Settings {
            entry_bytes: 64 << 10,
            ..Settings::default()
        };
        assert_eq!(settings.check(), Err(SettingsError::MessageTooSmall));
    }
}
