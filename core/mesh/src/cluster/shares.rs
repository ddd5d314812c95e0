//! How the streams that may be open to one peer are shared out, so that nothing that lasts keeps another thing from
//! beginning.

/// How many streams to one peer may be open at a time, for what opens many. What is left of the setting `max_streams`
/// is for events and gossip, which have one each and another while they are opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Calls. They last as long as their handlers do.
    pub(super) calls: usize,
    /// Keys that are claimed. They last as long as their requests do.
    pub(super) keys: usize,
    /// Replays, which are over in seconds: no more than the peer answers at a time.
    pub(super) replays: usize,
}

/// Streams that are left at least.
const LEFT: usize = 2;

impl Shares {
    /// Of so many: five eighths for calls, a quarter for keys, and a sixteenth for replays.
    pub(super) fn of(max_streams: u32) -> Self {
        let all = max_streams as usize;
        let keys = (all / 4).max(1);
        let replays = (all / 16).max(1);
        let left = (all / 16).max(LEFT);
        Self {
            calls: all.saturating_sub(keys + replays + left).max(1),
            keys,
            replays,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_share_and_some_are_left() {
        let shares = Shares {
            calls: 160,
            keys: 64,
            replays: 16,
        };
        assert_eq!(Shares::of(256), shares);
        for all in 5..=65_536 {
            let Shares {
                calls,
                keys,
                replays,
            } = Shares::of(all);
            assert!(calls > 0 && keys > 0 && replays > 0);
            assert!(calls + keys + replays + LEFT <= all as usize, "{all}");
        }
    }
}
