//! Names and patterns.

use macula_proto::{Pattern, Topic};
use proptest::prelude::*;

fn segment() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_~-]{1,8}"
}

fn segments(least: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(segment(), least..=8)
}

fn pattern(segments: &[String]) -> Pattern {
    Pattern::parse(&segments.join(".")).unwrap()
}

proptest! {
    #[test]
    fn a_name_prints_as_it_was_parsed_and_matches_itself(segments in segments(1)) {
        let text = segments.join(".");
        let topic = Topic::parse(&text).unwrap();
        prop_assert_eq!(topic.to_string(), &*text);
        prop_assert!(topic.segments().eq(segments.iter().map(String::as_str)));
        let pattern = Pattern::parse(&text).unwrap();
        prop_assert!(pattern.is_literal());
        prop_assert!(pattern.matches(&topic));
        prop_assert!(Pattern::all().matches(&topic));
    }

    #[test]
    fn any_text_that_parses_prints_as_it_was(text in "[a-b.*~ü]{0,12}|.{0,12}") {
        if let Ok(topic) = Topic::parse(&text) {
            prop_assert_eq!(topic.as_str(), &*text);
            prop_assert!(Pattern::parse(&text).is_ok(), "every name is a pattern");
        }
        if let Ok(pattern) = Pattern::parse(&text) {
            prop_assert_eq!(pattern.as_str(), &*text);
            prop_assert_eq!(pattern.is_literal(), Topic::parse(&text).is_ok());
        }
    }

    #[test]
    fn a_star_takes_the_place_of_any_one_segment(
        segments in segments(1),
        stars in prop::collection::vec(any::<bool>(), 8),
    ) {
        let name = segments.join(".");
        let starred = segments.iter().zip(&stars).map(|(segment, &star)| match star {
            true => "*".to_owned(),
            false => segment.clone(),
        });
        let starred: Vec<_> = starred.collect();
        prop_assert!(pattern(&starred).matches(&name));
        let longer = format!("{name}.x");
        prop_assert!(!pattern(&starred).matches(longer));
    }

    #[test]
    fn a_rest_absorbs_what_follows_its_prefix(segments in segments(1), cut in 0..9_usize) {
        let name = segments.join(".");
        let mut absorbing = segments[..cut.min(segments.len())].to_vec();
        absorbing.push("**".to_owned());
        prop_assert!(pattern(&absorbing).matches(&name));
    }

    #[test]
    fn a_changed_literal_segment_does_not_match(segments in segments(1), place in any::<prop::sample::Index>()) {
        let name = segments.join(".");
        let mut changed = segments;
        place.get_mut(&mut changed).push('x');
        prop_assert!(!pattern(&changed).matches(&name));
    }
}
