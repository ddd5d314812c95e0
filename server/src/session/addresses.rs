//! Limits of those who have no session, by address.
//!
//! An address stands for a household at best (lesson 17), so its limits are generous; identities
//! are limited one by one, in their sessions.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::bucket::{Bucket, Empty, Quota};

/// The most addresses whose buckets are kept, about 1.5 MiB. Beyond, new addresses share one
/// bucket until others are full again, which is at most a second.
pub const MAX_ADDRESSES: usize = 32_768;
/// The table is searched for full buckets at most this often when it has no room.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// What counts as one address: an IPv4 address, or the /64 network of an IPv6 address, which is
/// what one household or machine gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(IpAddr::V4(ip)),
            IpAddr::V6(ip) => {
                let network = ip.to_bits() >> 64 << 64;
                Self(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }
}

/// A bucket for each address.
#[derive(Debug)]
pub struct Addresses {
    epoch: Instant,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    buckets: HashMap<Address, Bucket>,
    /// The bucket of all addresses that found no room.
    shared: Bucket,
    swept: Duration,
}

impl Addresses {
    /// A table in which every bucket is full.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            table: Mutex::default(),
        }
    }

    /// Takes one request out of the address's bucket; gives how many are left.
    ///
    /// # Errors
    /// [`Empty`] when there is none.
    pub fn take(&self, address: Address, quota: Quota, now: Instant) -> Result<u32, Empty> {
        let now = now.saturating_duration_since(self.epoch);
        self.table.lock().take(address, quota, now)
    }
}

impl Table {
    fn take(&mut self, address: Address, quota: Quota, now: Duration) -> Result<u32, Empty> {
        if let Some(bucket) = self.buckets.get_mut(&address) {
            return bucket.take(quota, now);
        }
        if self.buckets.len() >= MAX_ADDRESSES && now >= self.swept + SWEEP_EVERY {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.swept = now;
        }
        if self.buckets.len() >= MAX_ADDRESSES {
            return self.shared.take(quota, now);
        }
        self.buckets.entry(address).or_default().take(quota, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn one_network_of_ipv6_counts_as_one_address() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8:0:1::1"), address("2001:db8::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }

    #[test]
    fn each_address_has_a_bucket_of_its_own() {
        let mut table = Table::default();
        let quota = Quota::per_second(1).unwrap();
        let now = Duration::from_secs(5);
        assert!(table.take(address("192.0.2.1"), quota, now).is_ok());
        assert!(table.take(address("192.0.2.1"), quota, now).is_err());
        assert!(table.take(address("192.0.2.2"), quota, now).is_ok());
    }

    #[test]
    fn a_flood_of_addresses_costs_bounded_memory_and_ends() {
        let mut table = Table::default();
        let quota = Quota::per_second(1).unwrap();
        let flood = |table: &mut Table, from: u32, now| {
            let addresses = (from..from + 40_000).map(|bits| Address(IpAddr::V4(bits.into())));
            addresses
                .filter(|&a| table.take(a, quota, now).is_ok())
                .count()
        };
        let now = Duration::from_secs(5);
        assert_eq!(flood(&mut table, 0, now), MAX_ADDRESSES + 1);
        assert_eq!(table.buckets.len(), MAX_ADDRESSES);
        let later = Duration::from_secs(7);
        assert_eq!(flood(&mut table, 1 << 20, later), MAX_ADDRESSES + 1);
    }
}
