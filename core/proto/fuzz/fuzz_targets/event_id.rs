//! An event id prints as it was parsed, and text sorts as ids do.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::EventId;

fuzz_target!(|input: (&str, u128, u128)| {
    let (text, a, b) = input;
    if let Ok(id) = text.parse::<EventId>() {
        assert!(id.to_string().eq_ignore_ascii_case(text));
    }
    let (a, b) = (EventId::from_u128(a), EventId::from_u128(b));
    assert_eq!(a.to_string().parse(), Ok(a));
    assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
});
