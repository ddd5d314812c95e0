//! Content negotiation.

use macula_proto::{Accept, Encoding, MediaType};
use proptest::prelude::*;

const TYPES: &[&str] = &[
    "*/*",
    "application/*",
    "text/*",
    "application/json",
    "application/msgpack",
    "application/x-msgpack",
    "text/plain",
    "text/event-stream",
];

fn range() -> impl Strategy<Value = (&'static str, u16)> {
    (
        prop::sample::select(TYPES),
        prop_oneof![Just(0), Just(1000), 0..=1000_u16],
    )
}

fn header(ranges: &[(&str, u16)]) -> String {
    let ranges: Vec<_> = ranges
        .iter()
        .map(|(media, q)| format!("{media};q={}.{:03}", q / 1000, q % 1000))
        .collect();
    ranges.join(", ")
}

fn request() -> impl Strategy<Value = Option<Encoding>> {
    prop::sample::select(&[None, Some(Encoding::Json), Some(Encoding::MsgPack)][..])
}

fn stored() -> impl Strategy<Value = MediaType> {
    let types = &[
        "application/json",
        "application/msgpack",
        "text/plain",
        "image/png",
    ][..];
    prop::sample::select(types).prop_map(|text| MediaType::parse(text).unwrap())
}

proptest! {
    #[test]
    fn nothing_is_chosen_that_is_refused_or_less_wanted(
        ranges in prop::collection::vec(range(), 0..8),
        request in request(),
        stored in stored(),
    ) {
        let accept = Accept::parse([&*header(&ranges)]).unwrap();
        let best = accept.quality(&MediaType::JSON).max(accept.quality(&MediaType::MSGPACK));
        match accept.choose(request) {
            Some(encoding) => {
                prop_assert!(best > 0);
                prop_assert_eq!(accept.quality(&MediaType::Known(encoding)), best);
            }
            None => prop_assert_eq!(best, 0),
        }
        let best = match stored.encoding() {
            Some(_) => best,
            None => accept.quality(&stored),
        };
        match accept.choose_payload(&stored, request) {
            Some(media) => {
                prop_assert!(best > 0);
                prop_assert_eq!(accept.quality(&media), best);
                prop_assert!(stored.encoding().is_some() || media == stored);
            }
            None => prop_assert_eq!(best, 0),
        }
        if accept.accepts_event_stream() {
            prop_assert!(ranges.iter().any(|&(media, q)| media == "text/event-stream" && q > 0));
        }
    }

    #[test]
    fn a_named_type_outweighs_every_wildcard(
        wildcards in prop::collection::vec((prop::sample::select(&TYPES[..3]), 0..=1000_u16), 0..6),
        quality in 0..=1000_u16,
        place in any::<prop::sample::Index>(),
    ) {
        let mut ranges = wildcards;
        ranges.insert(place.index(ranges.len() + 1), ("text/plain", quality));
        let accept = Accept::parse([&*header(&ranges)]).unwrap();
        prop_assert_eq!(accept.quality(&MediaType::parse("text/plain").unwrap()), quality);
    }

    #[test]
    fn lines_and_commas_are_one(ranges in prop::collection::vec(range(), 1..8), cut in any::<prop::sample::Index>()) {
        let (first, second) = ranges.split_at(cut.index(ranges.len()));
        let lines = [header(first), header(second)];
        let together = Accept::parse([&*header(&ranges)]);
        prop_assert_eq!(Accept::parse(lines.iter().map(String::as_str)), together);
    }

    #[test]
    fn any_text_is_parsed_or_refused_inside_of_it(text in "[a-b*/;,=q0-1.\" \\\\]{0,16}|.{0,16}") {
        if let Err(macula_proto::AcceptError::Syntax { line, error }) = Accept::parse([&*text]) {
            prop_assert_eq!(line, 1);
            prop_assert!(error.at <= text.len() && text.is_char_boundary(error.at));
        }
    }

    #[test]
    fn a_media_type_parses_back_as_itself(text in "[a-b]{1,3}/[a-b]{1,3}( ?; ?[a-b]=([a-b]|\"[a-b ;]\")){0,2}") {
        let media = MediaType::parse(&text).unwrap();
        prop_assert_eq!(MediaType::parse(media.as_str()), Ok(media.clone()));
        let accept = Accept::parse([media.as_str()]).unwrap();
        prop_assert_eq!(accept.quality(&media), 1000);
    }
}
