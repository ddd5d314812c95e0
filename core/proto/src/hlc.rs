//! The hybrid logical clock (Kulkarni et al., 2014) behind event ids.
//!
//! A reading is never smaller than an earlier one of the same clock, even when the wall clock
//! steps back, and follows the wall clock otherwise.

/// Time of one publisher, in milliseconds since the Unix epoch, that never goes back.
#[derive(Debug, Default, Clone)]
pub struct Clock {
    last_ms: u64,
}

impl Clock {
    /// Advances to the wall clock, or stays where it is if the wall clock is behind.
    pub fn tick(&mut self, wall_ms: u64) -> u64 {
        self.last_ms = self.last_ms.max(wall_ms);
        self.last_ms
    }
}
