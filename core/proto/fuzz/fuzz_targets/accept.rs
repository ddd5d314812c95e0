//! Whatever is accepted, nothing refused or less wanted is chosen; errors point into their line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use macula_proto::{Accept, AcceptError, Encoding, MediaType};

// The first line is the stored media type, the others are the lines of the header.
fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let stored = MediaType::parse(lines.next().unwrap_or_default());
    let stored = stored.unwrap_or(MediaType::MSGPACK);
    let header: Vec<_> = lines.collect();
    let accept = match Accept::parse(header.iter().copied()) {
        Ok(accept) => accept,
        Err(AcceptError::Syntax { line, error }) => {
            let line = header[line - 1];
            assert!(
                error.at <= line.len() && line.is_char_boundary(error.at),
                "{error}"
            );
            return;
        }
        Err(AcceptError::TooLong | AcceptError::TooManyRanges) => return,
    };
    let quality = |encoding| accept.quality(&MediaType::Known(encoding));
    let best = quality(Encoding::Json).max(quality(Encoding::MsgPack));
    for request in [None, Some(Encoding::Json), Some(Encoding::MsgPack)] {
        let chosen = accept.choose(request);
        assert_eq!(chosen.is_some(), best > 0);
        assert!(chosen.is_none_or(|encoding| quality(encoding) == best));

        let best = stored.encoding().map_or(accept.quality(&stored), |_| best);
        let given = accept.choose_payload(&stored, request);
        assert_eq!(given.is_some(), best > 0);
        if let Some(given) = given {
            assert_eq!(accept.quality(&given), best);
            assert!(given == stored || (given.encoding().is_some() && stored.encoding().is_some()));
        }
    }
    assert!(best <= 1000 && accept.quality(&stored) <= 1000);
});
