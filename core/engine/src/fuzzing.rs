//! What fuzz targets assert of the private parts of an engine. This crate's tests assert the same of a few random
//! inputs each, so that what stands here is right whenever they pass.

use std::{
    fmt::Debug,
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use futures_util::FutureExt;
use libp2p::{
    Multiaddr, PeerId,
    kad::{ProviderRecord, Record, RecordKey, store::RecordStore},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Authority, Certificate, JoinToken, NodeId, Seed, Settings,
    admission::Frame,
    dht::store::Store,
    frame,
    transport::address::{to_multiaddr, to_socket},
    trust::certificate::named_cluster,
};

/// A frame of the greeting, or of a renewal, is refused, or is written so that it reads as the same.
pub fn greeting(bytes: &[u8]) {
    same::<Frame>(bytes);
    same::<Option<String>>(bytes);
}

fn same<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let read = |bytes: &[u8]| {
        let mut from = bytes;
        let read = frame::read::<T>(&mut from).now_or_never();
        read.expect("memory never waits").ok()
    };
    let Some(found) = read(bytes) else { return };
    let mut written = Vec::new();
    let done = frame::write(&mut written, &found).now_or_never();
    // What came without its optional members may be too long with them.
    if done.expect("memory never waits").is_ok() {
        let again = read(&written).expect("what was written can be read");
        assert_eq!(format!("{again:?}"), format!("{found:?}"));
    }
}

/// No text is a certificate or a join token but those that the authority has made. An even first byte: the rest is a
/// text. An odd one: the rest changes a good certificate and a good token, three bytes a time.
pub fn token(bytes: &[u8]) {
    static GOOD: OnceLock<(Authority, [String; 2])> = OnceLock::new();
    let (authority, good) = GOOD.get_or_init(|| {
        let (authority, now) = (Authority::generate(), SystemTime::now());
        let hour = Duration::from_secs(3_600);
        let certificate = authority.certify(NodeId::from_bytes([7; 32]), now, hour);
        let token = authority.invite(now, hour, 7);
        let texts = [certificate.text(), token.text()].map(str::to_owned);
        (authority, texts)
    });
    let Some((&first, rest)) = bytes.split_first() else {
        return;
    };
    if first % 2 == 0 {
        if let Ok(text) = std::str::from_utf8(rest) {
            refused(text, authority, good);
            let _ = text.parse::<Seed>();
        }
        return;
    }
    for text in good {
        let mut changed = text.clone().into_bytes();
        for change in rest.chunks_exact(3) {
            let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % changed.len();
            changed[place] = change[2];
        }
        if let Ok(changed) = String::from_utf8(changed) {
            refused(&changed, authority, good);
        }
    }
}

fn refused(text: &str, authority: &Authority, good: &[String; 2]) {
    let certificate = Certificate::read(text, authority.cluster());
    assert_eq!(certificate.is_ok(), text == good[0], "{text}");
    assert_eq!(text.parse::<JoinToken>().is_ok(), text == good[1], "{text}");
    let _ = named_cluster(text);
}

/// An address of a peer is one that can be dialled, or none.
pub fn address(bytes: &[u8]) {
    if let Ok(address) = Multiaddr::try_from(bytes.to_vec())
        && let Some(socket) = to_socket(&address)
    {
        assert_eq!(to_socket(&to_multiaddr(socket)), Some(socket));
    }
}

/// What members have this node keep in the DHT, in steps of four bytes, stays in its bounds, and goes.
pub fn store(steps: &[u8]) {
    static NODES: OnceLock<[PeerId; 4]> = OnceLock::new();
    let nodes = NODES.get_or_init(|| [(); 4].map(|()| PeerId::random()));
    let settings = Settings {
        max_records: 6,
        max_records_of_one: 4,
        max_record_bytes: 8,
        ..Settings::default()
    };
    let mut store = Store::new(nodes[0], &settings, Default::default());
    let start = Instant::now();
    let mut now = start;
    for step in steps.chunks_exact(4) {
        let ([what, key, who], much) = ([step[0], step[1] % 9, step[2]], usize::from(step[3]));
        let expires = Some(now + Duration::from_secs(60 * much as u64));
        let node = nodes[usize::from(who) % nodes.len()];
        let key = RecordKey::new(&vec![key; 1 + much % 3 * 256]);
        match what % 6 {
            0 => {
                let mut record = Record::new(key, vec![0; usize::from(who) % 10]);
                record.expires = expires;
                let _ = store.put(record);
            }
            1 | 2 => {
                let _ = store.add_provider(ProviderRecord {
                    key,
                    provider: node,
                    expires,
                    addresses: vec![to_multiaddr(([127, 0, 0, 1], 1).into()); much],
                });
            }
            3 => store.remove_provider(&key, &node),
            4 => store.remove(&key),
            _ => {
                now += Duration::from_secs(30);
                store.expire(now);
            }
        }
        store.check();
        let kept = store.providers(&RecordKey::new(&[step[1] % 9]));
        assert!(kept.iter().all(|record| record.addresses.len() <= 8));
    }
    store.expire(now + Duration::from_secs(60 * 256));
    assert!(store.is_empty());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_greeting_is_refused_or_reads_as_the_same(
            body in r#"\{"(hello|welcome)":\{("[a-z]{1,12}":("[0-9a-f]{0,64}"|[0-9]{1,9}|true|\[\]),?){0,6}\}\}|"done"|null|.{0,40}"#,
        ) {
            let length = (body.len() as u16).to_be_bytes();
            super::greeting(&[&length[..], body.as_bytes()].concat());
        }

        #[test]
        fn no_text_is_a_token(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            super::token(&bytes);
        }

        #[test]
        fn an_address_can_be_dialled_or_is_none(bytes: Vec<u8>) {
            super::address(&bytes);
        }

        #[test]
        fn the_store_stays_in_its_bounds(steps in prop::collection::vec(any::<u8>(), 0..400)) {
            super::store(&steps);
        }
    }
}
