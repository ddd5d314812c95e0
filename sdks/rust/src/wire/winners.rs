//! Which transport has answered at a gateway last, for all sessions of this process: the next session there
//! tries it first, and does not wait in vain where UDP does not come through.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::{Transport, config::Config};

/// Gateways that are remembered; at the bound one goes.
const MOST: usize = 64;

static WINNERS: Mutex<Winners> = Mutex::new(Winners(BTreeMap::new()));

struct Winners(BTreeMap<(String, u16), Transport>);

/// What has answered at this gateway last.
pub(super) fn of(config: &Config) -> Option<Transport> {
    WINNERS.lock().of(&config.host, config.port)
}

/// It has answered.
pub(super) fn remember(config: &Config, transport: Transport) {
    WINNERS
        .lock()
        .remember(&config.host, config.port, transport);
}

impl Winners {
    fn of(&self, host: &str, port: u16) -> Option<Transport> {
        self.0.get(&(host.to_owned(), port)).copied()
    }

    fn remember(&mut self, host: &str, port: u16, transport: Transport) {
        self.0.insert((host.to_owned(), port), transport);
        if self.0.len() > MOST {
            self.0.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_winner_is_remembered_for_each_gateway_and_not_for_ever() {
        let mut winners = Winners(BTreeMap::new());
        winners.remember("a", 1, Transport::WebTransport);
        winners.remember("a", 1, Transport::WebSocket);
        assert_eq!(winners.of("a", 1), Some(Transport::WebSocket));
        assert_eq!(winners.of("a", 2), None);
        for port in 0..1_000 {
            winners.remember("b", port, Transport::WebSocket);
        }
        assert_eq!(winners.0.len(), MOST);
    }
}
