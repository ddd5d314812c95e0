//! A media type parses back as itself, and has nothing in it that a header may not have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::{Accept, MediaType};

fuzz_target!(|text: &str| {
    let Ok(media) = MediaType::parse(text) else {
        return;
    };
    assert_eq!(MediaType::parse(media.as_str()).as_ref(), Ok(&media));
    assert!(
        !media
            .as_str()
            .contains(|c: char| c.is_control() && c != '\t')
    );
    assert!(media.as_str().len() <= 255);
    assert!(!media.essence().contains(|c: char| c.is_ascii_uppercase()));
    let essence = Accept::parse([media.essence()]).expect("an essence is a range");
    assert_eq!(essence.quality(&media), 1000);
});
