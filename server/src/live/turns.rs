//! Whose turn it is: a session that says much at once does not keep others from theirs.

use tokio::task::yield_now;

/// Frames of a session that are handled before all others that are ready have their turn. What they begin
/// stands in the runtime's one queue, so this bounds how much of one session may stand before a frame of
/// another: some hundred microseconds.
const FRAMES: u32 = 16;

/// Counts the frames of one reader.
#[derive(Debug, Default)]
pub(super) struct Turns {
    handled: u32,
}

impl Turns {
    /// A frame was handled. Safe to cancel.
    pub(super) async fn one_more(&mut self) {
        self.handled += 1;
        if self.handled >= FRAMES {
            self.handled = 0;
            yield_now().await;
        }
    }
}
