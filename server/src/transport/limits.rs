//! How many connections there are, in all and of one address.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

use super::settings::Settings;
use crate::{metrics::Refusal, session::addresses::Address};

/// Counts open connections.
#[derive(Debug)]
pub(super) struct Limits {
    max: usize,
    max_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<Address, usize>,
}

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    limits: Arc<Limits>,
    address: Address,
}

impl Limits {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            max: settings.max_connections,
            max_per_address: settings.max_connections_per_address,
            open: Mutex::default(),
        }
    }

    /// A place for one more connection from here.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Place, Refusal> {
        let address = Address::from(ip);
        let mut open = self.open.lock();
        if open.total >= self.max {
            return Err(Refusal::Node);
        }
        let count = open.by_address.entry(address).or_default();
        if *count >= self.max_per_address {
            return Err(Refusal::Address);
        }
        *count += 1;
        open.total += 1;
        Ok(Place {
            limits: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.limits.open.lock();
        open.total -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lesson_17_an_address_has_its_share_and_the_table_returns_to_empty() {
        let limits = Arc::new(Limits::new(&Settings {
            max_connections: 3,
            max_connections_per_address: 2,
            ..Settings::default()
        }));
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = limits.admit(ip("192.0.2.1")).unwrap();
        let second = limits.admit(ip("192.0.2.1")).unwrap();
        assert_eq!(limits.admit(ip("192.0.2.1")).unwrap_err(), Refusal::Address);
        let third = limits.admit(ip("2001:db8::1")).unwrap();
        assert_eq!(limits.admit(ip("192.0.2.9")).unwrap_err(), Refusal::Node);
        drop((first, second, third));
        let open = limits.open.lock();
        assert!(open.total == 0 && open.by_address.is_empty());
    }
}
