//! How often an address may be refused before it is not listened to for a while. Pure.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Refusals of one address in a row that are answered with a reason. A household behind one address may well
/// have a few nodes with wrong certificates.
const BURST: f64 = 32.0;
/// After so long one more refusal is answered.
const EVERY: Duration = Duration::from_secs(2);
/// Addresses remembered. At the bound those that may come again are forgotten, else the half that was silent longest.
const MAX_ADDRESSES: usize = 4_096;

/// Who was refused of late. Peers that are let in cost nothing, however many share an address.
#[derive(Debug, Default)]
pub(crate) struct Doorman {
    refusals: HashMap<IpAddr, Refusals>,
}

#[derive(Debug, Clone, Copy)]
struct Refusals {
    /// How many still count, at the last of them.
    count: f64,
    last: Instant,
}

impl Refusals {
    fn at(self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.last).as_secs_f64();
        (self.count - passed / EVERY.as_secs_f64()).max(0.0)
    }
}

impl Doorman {
    /// Whether the address is listened to.
    pub(crate) fn listens(&self, address: IpAddr, now: Instant) -> bool {
        let found = self.refusals.get(&address);
        found.is_none_or(|refusals| refusals.at(now) < BURST)
    }

    /// Notes a refusal.
    pub(crate) fn refused(&mut self, address: IpAddr, now: Instant) {
        if self.refusals.len() >= MAX_ADDRESSES && !self.refusals.contains_key(&address) {
            self.forget(now);
        }
        let count = self
            .refusals
            .get(&address)
            .map_or(0.0, |found| found.at(now))
            + 1.0;
        self.refusals.insert(address, Refusals { count, last: now });
    }

    /// Makes room for many at once, so that it costs little for each.
    fn forget(&mut self, now: Instant) {
        self.refusals.retain(|_, refusals| refusals.at(now) > 0.0);
        if self.refusals.len() >= MAX_ADDRESSES {
            let times = self.refusals.values().map(|refusals| refusals.last);
            let mut times: Vec<_> = times.collect();
            let (_, middle, _) = times.select_nth_unstable(MAX_ADDRESSES / 2);
            let middle = *middle;
            self.refusals.retain(|_, refusals| refusals.last > middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn who_is_refused_too_often_is_not_listened_to_for_a_while() {
        let (mut doorman, start) = (Doorman::default(), Instant::now());
        for _ in 0..32 {
            assert!(doorman.listens(address(1), start));
            doorman.refused(address(1), start);
        }
        assert!(!doorman.listens(address(1), start));
        assert!(doorman.listens(address(2), start));
        assert!(doorman.listens(address(1), start + EVERY * 2));
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut doorman, start) = (Doorman::default(), Instant::now());
        for number in 0..10_000 {
            doorman.refused(
                address(number),
                start + Duration::from_micros(number.into()),
            );
            assert!(!doorman.refusals.is_empty());
        }
        assert!(doorman.refusals.len() <= MAX_ADDRESSES);
    }
}
