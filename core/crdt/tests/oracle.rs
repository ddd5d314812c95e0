//! The same histories by the crate `crdts`.

mod support;

use std::collections::BTreeSet;

use crdts::{CmRDT, CvRDT, GCounter as TheirG, LWWReg, Orswot, PNCounter as TheirPn};
use macula_crdt::{GCounter, LwwRegister, OrSet, PnCounter, Time};
use proptest::{collection::vec, prelude::*};
use support::{actor, histories};

const REPLICAS: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    Add(usize, u8),
    Remove(usize, u8),
    /// One tells the other all that it misses.
    Tell(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..REPLICAS;
    prop_oneof![
        3 => (who(), 0..5_u8).prop_map(|(at, member)| Step::Add(at, member)),
        2 => (who(), 0..5_u8).prop_map(|(at, member)| Step::Remove(at, member)),
        3 => (who(), who()).prop_map(|(from, to)| Step::Tell(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories(1_000)))]

    #[test]
    fn an_or_set_has_the_members_that_an_orswot_has(steps in vec(step(), 1..100)) {
        let mut ours = vec![OrSet::<u8, u8>::default(); REPLICAS];
        let mut theirs = vec![Orswot::<u8, u8>::new(); REPLICAS];
        for step in steps {
            let at = match step {
                Step::Add(at, member) => {
                    ours[at].add(&actor(at as u8), member).expect("not retired");
                    let add = theirs[at].read_ctx().derive_add_ctx(at as u8);
                    let op = theirs[at].add(member, add);
                    theirs[at].apply(op);
                    at
                }
                Step::Remove(at, member) => {
                    ours[at].remove(&member);
                    let remove = theirs[at].contains(&member).derive_rm_ctx();
                    let op = theirs[at].rm(member, remove);
                    theirs[at].apply(op);
                    at
                }
                Step::Tell(from, to) => {
                    let delta = ours[from].delta_for(&ours[to].digest());
                    ours[to].merge(delta);
                    let whole = theirs[from].clone();
                    theirs[to].merge(whole);
                    to
                }
            };
            let found: BTreeSet<u8> = ours[at].keys().copied().collect();
            let expected: BTreeSet<u8> = theirs[at].read().val.into_iter().collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn counters_and_registers_read_what_theirs_read(
        steps in vec((0..REPLICAS, 0..REPLICAS, 1..9_u64, 0..4_u8), 1..60),
    ) {
        let mut g = vec![(GCounter::default(), TheirG::new()); REPLICAS];
        let mut pn = vec![(PnCounter::default(), TheirPn::new()); REPLICAS];
        let mut lww = vec![(LwwRegister::default(), LWWReg { val: 0_u64, marker: (Time::default(), 0) }); REPLICAS];
        let mut now = 0;
        for (at, other, by, what) in steps {
            now += 1;
            let me = at as u64;
            match what {
                0 => {
                    g[at].0.increase(&me, by);
                    let op = g[at].1.inc_many(me, by);
                    g[at].1.apply(op);
                    pn[at].0.increase(&me, by);
                    let op = pn[at].1.inc_many(me, by);
                    pn[at].1.apply(op);
                }
                1 => {
                    pn[at].0.decrease(&me, by);
                    let op = pn[at].1.dec_many(me, by);
                    pn[at].1.apply(op);
                    // Clocks differ by up to 8.
                    let time = Time::from_ms(now + by);
                    if lww[at].0.time() < Some(time) {
                        lww[at].0.write(me, time, now);
                        lww[at].1.update(now, (time, me));
                    }
                }
                _ => {
                    let (from, to) = (g[at].clone(), &mut g[other]);
                    to.0.merge(&from.0.delta_since(&to.0));
                    to.1.merge(from.1);
                    let (from, to) = (pn[at].clone(), &mut pn[other]);
                    to.0.merge(&from.0.delta_since(&to.0));
                    to.1.merge(from.1);
                    let (from, to) = (lww[at].clone(), &mut lww[other]);
                    to.0.merge(&from.0.delta_since(&to.0));
                    to.1.merge(from.1);
                }
            }
            for i in 0..REPLICAS {
                prop_assert_eq!(g[i].0.value().to_string(), g[i].1.read().to_string());
                prop_assert_eq!(pn[i].0.value().to_string(), pn[i].1.read().to_string());
                prop_assert_eq!(lww[i].0.value().copied().unwrap_or(0), lww[i].1.val);
            }
        }
    }
}
