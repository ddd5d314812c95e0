//! What this node keeps of the DHT, within bounds, for others and of its own.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use libp2p::{
    PeerId,
    kad::{
        ProviderRecord, Record, RecordKey,
        store::{Error, RecordStore, Result},
    },
};

use crate::{settings::Settings, stats::Counters, transport::address::to_socket};

/// Providers of one key: as many as nodes keep a record. At the bound a new one is refused.
const MAX_PROVIDERS_OF_KEY: usize = 20;
/// Bytes of a key: names are shorter. A longer one is refused.
const MAX_KEY_BYTES: usize = 512;
/// Addresses of a provider that are kept: as many as a node tells when it greets. A message has room for thousands.
const MAX_ADDRESSES: usize = 8;

/// Values and provider records. What has expired is not told, and is thrown out when room is needed.
#[derive(Debug)]
pub(crate) struct Store {
    own: PeerId,
    records: HashMap<RecordKey, Record>,
    providers: HashMap<RecordKey, Vec<ProviderRecord>>,
    /// Keys that this node provides.
    provided: HashSet<RecordKey>,
    /// How many provider records each node has here.
    of_one: HashMap<PeerId, usize>,
    max_records: usize,
    max_records_of_one: usize,
    max_record_bytes: usize,
    counters: Arc<Counters>,
}

impl Store {
    pub(crate) fn new(own: PeerId, settings: &Settings, counters: Arc<Counters>) -> Self {
        Self {
            own,
            records: HashMap::new(),
            providers: HashMap::new(),
            provided: HashSet::new(),
            of_one: HashMap::new(),
            max_records: settings.max_records,
            max_records_of_one: settings.max_records_of_one,
            max_record_bytes: settings.max_record_bytes,
            counters,
        }
    }

    /// Values, and provider records.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.records.len(), self.of_one.values().sum())
    }

    /// Throws out what has expired.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.records.retain(|_, record| !record.is_expired(now));
        let of_one = &mut self.of_one;
        self.providers.retain(|_, providers| {
            providers.retain(|provider| {
                let expired = provider.is_expired(now);
                if expired {
                    forget(of_one, &provider.provider);
                }
                !expired
            });
            !providers.is_empty()
        });
    }

    fn refuse(&self, why: Error) -> Result<()> {
        self.counters.dht_refused.add();
        Err(why)
    }

    fn room_for_provider(&self, record: &ProviderRecord) -> bool {
        let of_key = self.providers.get(&record.key).map_or(0, Vec::len);
        let of_one = self.of_one.get(&record.provider).copied().unwrap_or(0);
        let keys = self.providers.len();
        let new_key = of_key == 0;
        of_key < MAX_PROVIDERS_OF_KEY
            && (of_one < self.max_records_of_one || record.provider == self.own)
            && (!new_key || keys < self.max_records)
    }
}

fn forget(of_one: &mut HashMap<PeerId, usize>, node: &PeerId) {
    if let Some(count) = of_one.get_mut(node) {
        *count -= 1;
        if *count == 0 {
            of_one.remove(node);
        }
    }
}

impl RecordStore for Store {
    type RecordsIter<'a> = Box<dyn Iterator<Item = Cow<'a, Record>> + 'a>;
    type ProvidedIter<'a> = Box<dyn Iterator<Item = Cow<'a, ProviderRecord>> + 'a>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let now = Instant::now();
        let record = self.records.get(key)?;
        (!record.is_expired(now)).then_some(Cow::Borrowed(record))
    }

    fn put(&mut self, record: Record) -> Result<()> {
        if record.value.len() > self.max_record_bytes || record.key.as_ref().len() > MAX_KEY_BYTES {
            return self.refuse(Error::ValueTooLarge);
        }
        if self.records.len() >= self.max_records && !self.records.contains_key(&record.key) {
            self.expire(Instant::now());
            if self.records.len() >= self.max_records {
                return self.refuse(Error::MaxRecords);
            }
        }
        self.records.insert(record.key.clone(), record);
        Ok(())
    }

    fn remove(&mut self, key: &RecordKey) {
        self.records.remove(key);
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        Box::new(self.records.values().map(Cow::Borrowed))
    }

    fn add_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        if record.key.as_ref().len() > MAX_KEY_BYTES {
            return self.refuse(Error::ValueTooLarge);
        }
        let addresses = &mut record.addresses;
        addresses.retain(|address| to_socket(address).is_some());
        addresses.truncate(MAX_ADDRESSES);
        let known = self.providers.get_mut(&record.key);
        let known =
            known.and_then(|all| all.iter_mut().find(|old| old.provider == record.provider));
        if let Some(old) = known {
            *old = record;
            return Ok(());
        }
        if !self.room_for_provider(&record) {
            self.expire(Instant::now());
            if !self.room_for_provider(&record) {
                return self.refuse(Error::MaxProvidedKeys);
            }
        }
        if record.provider == self.own {
            self.provided.insert(record.key.clone());
        }
        *self.of_one.entry(record.provider).or_default() += 1;
        self.providers
            .entry(record.key.clone())
            .or_default()
            .push(record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let now = Instant::now();
        let all = self.providers.get(key).into_iter().flatten();
        all.filter(|record| !record.is_expired(now))
            .cloned()
            .collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        let own = |key| {
            let providers: &Vec<ProviderRecord> = self.providers.get(key)?;
            providers.iter().find(|record| record.provider == self.own)
        };
        Box::new(self.provided.iter().filter_map(own).map(Cow::Borrowed))
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if *provider == self.own {
            self.provided.remove(key);
        }
        let Some(all) = self.providers.get_mut(key) else {
            return;
        };
        let before = all.len();
        all.retain(|record| record.provider != *provider);
        if all.len() < before {
            forget(&mut self.of_one, provider);
        }
        if all.is_empty() {
            self.providers.remove(key);
        }
    }
}

#[cfg(any(test, fuzzing))]
impl Store {
    /// What must hold after each step.
    pub(crate) fn check(&self) {
        let all = self.providers.values();
        assert_eq!(all.map(Vec::len).sum::<usize>(), self.sizes().1);
        assert!(self.records.len() <= self.max_records && self.providers.len() <= self.max_records);
        for providers in self.providers.values() {
            assert!((1..=MAX_PROVIDERS_OF_KEY).contains(&providers.len()));
        }
        for (node, count) in &self.of_one {
            assert!(*count > 0 && (*count <= self.max_records_of_one || *node == self.own));
        }
        assert!(self.provided().count() <= self.provided.len());
    }

    /// Whether its tables are empty, but for keys of its own that have expired.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.providers.is_empty() && self.of_one.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn store(own: PeerId) -> Store {
        let settings = Settings {
            max_records: 4,
            max_records_of_one: 3,
            max_record_bytes: 8,
            ..Settings::default()
        };
        Store::new(own, &settings, Arc::default())
    }

    fn provider(key: u8, provider: PeerId, expires: Instant) -> ProviderRecord {
        ProviderRecord {
            key: RecordKey::new(&[key]),
            provider,
            expires: Some(expires),
            addresses: Vec::new(),
        }
    }

    #[test]
    fn one_member_cannot_fill_the_store_and_what_expired_makes_room() {
        let (own, other) = (PeerId::random(), PeerId::random());
        let mut store = store(own);
        let soon = Instant::now() + Duration::from_secs(60);
        for key in 0..3 {
            store.add_provider(provider(key, other, soon)).unwrap();
        }
        assert!(store.add_provider(provider(3, other, soon)).is_err());
        store.add_provider(provider(3, own, soon)).unwrap();
        assert!(store.add_provider(provider(4, own, soon)).is_err());
        assert_eq!(store.sizes(), (0, 4));
        assert_eq!(store.counters.dht_refused.value(), 2);
        store.expire(soon);
        assert_eq!(store.sizes(), (0, 0));
        assert_eq!(store.of_one.len(), 0);
    }

    #[test]
    fn a_provider_said_again_is_one_and_gone_when_it_is_removed() {
        let own = PeerId::random();
        let mut store = store(own);
        let soon = Instant::now() + Duration::from_secs(60);
        store.add_provider(provider(1, own, soon)).unwrap();
        store.add_provider(provider(1, own, soon)).unwrap();
        assert_eq!(store.provided().count(), 1);
        assert_eq!(store.providers(&RecordKey::new(&[1])).len(), 1);
        store.remove_provider(&RecordKey::new(&[1]), &own);
        assert_eq!(store.sizes(), (0, 0));
        assert_eq!(store.provided().count(), 0);
    }

    #[test]
    fn a_record_has_a_short_key_and_a_few_addresses_that_can_be_dialled() {
        let own = PeerId::random();
        let mut store = store(own);
        let soon = Instant::now() + Duration::from_secs(60);
        let mut many = provider(1, PeerId::random(), soon);
        let good = "/ip4/10.0.0.1/udp/4434/quic-v1".parse().unwrap();
        let long: libp2p::Multiaddr = format!("/dns/{}/tcp/1", "a".repeat(60_000))
            .parse()
            .unwrap();
        many.addresses = vec![long, good];
        many.addresses.resize(2_000, many.addresses[1].clone());
        store.add_provider(many).unwrap();
        let kept = store.providers(&RecordKey::new(&[1]));
        assert_eq!(kept[0].addresses, vec![kept[0].addresses[0].clone(); 8]);
        let mut long = provider(2, own, soon);
        long.key = RecordKey::new(&[7; 513]);
        assert!(store.add_provider(long).is_err());
        assert!(store.put(Record::new(vec![7; 513], vec![0])).is_err());
        assert_eq!(store.sizes(), (0, 1));
        assert_eq!(store.counters.dht_refused.value(), 2);
    }

    #[test]
    fn values_are_bounded_in_number_and_size() {
        let mut store = store(PeerId::random());
        let record = |key: u8, bytes| Record::new(vec![key], vec![0; bytes]);
        assert!(store.put(record(0, 9)).is_err());
        for key in 0..4 {
            store.put(record(key, 8)).unwrap();
        }
        assert!(store.put(record(4, 8)).is_err());
        store.put(record(3, 1)).unwrap();
        assert_eq!(store.sizes(), (4, 0));
    }
}
