//! A frame is refused with a problem, or read; what is read is written so that it reads as the same.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use macula_proto::{
    Encoding::{self, Json, MsgPack},
    Limits, Problem,
    frame::{ClientFrame, Frame, GatewayFrame, encoding_of},
};

fuzz_target!(|bytes: &[u8]| {
    for encoding in [Json, MsgPack] {
        read::<ClientFrame>(bytes, encoding);
        read::<GatewayFrame>(bytes, encoding);
    }
});

fn read<F: Frame + Debug + PartialEq>(bytes: &[u8], encoding: Encoding) {
    let limits = Limits::default();
    let frame = match F::decode(bytes, encoding, &limits) {
        Ok(frame) => frame,
        Err(refusal) => {
            assert!(Problem::from(refusal.fault).code.status() < 500);
            return;
        }
    };
    assert_eq!(encoding_of(bytes), Some(encoding));
    let written = frame.encode(encoding);
    let again = F::decode(&written, encoding, &limits).expect("what was written can be read");
    // A payload may be written shorter than it came; then it is written the same for ever.
    assert_eq!(again.encode(encoding), written);
}
