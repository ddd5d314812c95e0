//! A text is a name if and only if it follows the grammar, and then it prints as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::{Pattern, Procedure, Realm, Topic};

/// The grammar once more, as one sentence.
fn is_name(text: &str) -> bool {
    let segments: Vec<_> = text.split('.').collect();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_~-".contains(&b);
    text.len() <= 255
        && segments.len() <= 16
        && segments
            .iter()
            .all(|s| (1..=64).contains(&s.len()) && s.bytes().all(allowed))
}

fuzz_target!(|text: &str| {
    let topic = Topic::parse(text);
    assert_eq!(topic.is_ok(), is_name(text), "{topic:?}");
    assert_eq!(topic.is_ok(), Realm::parse(text).is_ok());
    assert_eq!(topic.is_ok(), Procedure::parse(text).is_ok());
    let Ok(topic) = topic else { return };
    assert_eq!(topic.to_string(), text);
    assert!(topic.segments().eq(text.split('.')));
    assert!(
        Pattern::parse(text).is_ok_and(|pattern| pattern.is_literal() && pattern.matches(&topic))
    );
});
