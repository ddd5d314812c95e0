//! What another node sends is refused, or is written so that it reads as the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use macula_proto::peer::{
    PeerError,
    call::{Answer, Request},
    link::{Link, Resume},
    once::{Ask, Keep, Told},
    replay::{Kept, Wanted},
};

fn same<T: PartialEq + std::fmt::Debug>(
    frame: &Bytes,
    decode: impl Fn(&Bytes) -> Result<T, PeerError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(found) = decode(frame) {
        let again = decode(&Bytes::from(encode(&found)));
        assert_eq!(again, Ok(found));
    }
}

fuzz_target!(|input: &[u8]| {
    let frame = Bytes::copy_from_slice(input);
    same(&frame, Link::decode, Link::encode);
    same(&frame, |frame| Resume::decode(frame), Resume::encode);
    same(&frame, Request::decode, Request::encode);
    same(&frame, Answer::decode, Answer::encode);
    same(&frame, |frame| Wanted::decode(frame), Wanted::encode);
    same(&frame, Kept::decode, Kept::encode);
    same(&frame, |frame| Ask::decode(frame), Ask::encode);
    same(&frame, Told::decode, Told::encode);
    same(&frame, Keep::decode, Keep::encode);
});
