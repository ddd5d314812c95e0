//! Event ids.

use macula_proto::{EventId, event::Ids};
use proptest::prelude::*;

proptest! {
    #[test]
    fn ids_of_one_source_rise_whatever_the_clock_does(
        ticks in prop::collection::vec((0..50_u64, any::<u64>()), 1..100),
    ) {
        let mut ids = Ids::new(1);
        let made: Vec<_> = ticks.iter().map(|&(ms, random)| ids.next(ms, random)).collect();
        prop_assert!(made.is_sorted_by(|a, b| a < b));
        let latest = ticks.iter().map(|&(ms, _)| ms).max().unwrap();
        prop_assert_eq!(made.last().unwrap().time_ms(), latest);
    }

    #[test]
    fn ids_of_different_sources_sort_by_time(
        early in 0..1_u64 << 47,
        gap in 1..1_u64 << 47,
        (a, b) in any::<(u64, u64)>(),
    ) {
        prop_assert!(Ids::new(2).next(early, a) < Ids::new(1).next(early + gap, b));
    }

    #[test]
    fn ids_sort_alike_as_numbers_and_as_text(a in any::<u128>(), b in any::<u128>()) {
        let (a, b) = (EventId::from_u128(a), EventId::from_u128(b));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        prop_assert_eq!(a.to_string().parse(), Ok(a));
        prop_assert_eq!(a.to_string().to_lowercase().parse(), Ok(a));
    }
}
