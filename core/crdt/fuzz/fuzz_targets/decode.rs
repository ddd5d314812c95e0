//! Bytes are refused, or are the only way to write what they say; and what they take stays in bounds.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use macula_crdt::{Codec, Context, Delta, Digest, GCounter, Limits, LwwRegister, PnCounter, Value};

type Id = [u8; 4];

fuzz_target!(|bytes: &[u8]| {
    read::<Delta<Id, Vec<u8>, Value<String>>>(bytes);
    read::<Delta<u64, String, ()>>(bytes);
    read::<Context<Id>>(bytes);
    read::<Digest<Id>>(bytes);
    read::<GCounter<u64>>(bytes);
    read::<PnCounter<Id>>(bytes);
    read::<LwwRegister<u64, String>>(bytes);
});

fn read<T: Codec + PartialEq + Debug>(bytes: &[u8]) {
    let tight = Limits {
        bytes: 2_048,
        items: 64,
        value_bytes: 128,
        ranges: 64,
    };
    let small = T::from_bytes(bytes, &tight);
    let Ok(value) = T::from_bytes(bytes, &Limits::default()) else {
        assert!(small.is_err());
        return;
    };
    assert_eq!(value.to_bytes(), bytes);
    if let Ok(small) = small {
        assert!(small == value && bytes.len() <= 2_048);
    }
}
