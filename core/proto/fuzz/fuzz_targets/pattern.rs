//! A pattern prints as itself and matches what a slow, recursive reading of the rules matches.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::{Pattern, Topic};

fn matches(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        (["**"], _) | ([], []) => true,
        (["*", pattern @ ..], [_, name @ ..]) => matches(pattern, name),
        ([literal, pattern @ ..], [segment, name @ ..]) => {
            literal == segment && matches(pattern, name)
        }
        _ => false,
    }
}

// The first line is a pattern, the second a name.
fuzz_target!(|text: &str| {
    let (pattern, name) = text.split_once('\n').unwrap_or((text, "a.b"));
    let Ok(parsed) = Pattern::parse(pattern) else {
        assert!(Topic::parse(pattern).is_err(), "every name is a pattern");
        return;
    };
    assert_eq!(parsed.to_string(), pattern);
    assert_eq!(parsed.is_literal(), Topic::parse(pattern).is_ok());
    let Ok(topic) = Topic::parse(name) else {
        return;
    };
    let pattern: Vec<_> = pattern.split('.').collect();
    let name: Vec<_> = name.split('.').collect();
    assert_eq!(parsed.matches(&topic), matches(&pattern, &name));
    assert!(Pattern::all().matches(&topic));
});
