//! Size and time beside the crate `crdts` on the same histories: a set of members that is added to by
//! some actors, with every tenth member removed again. `crdts` has no deltas: it sends its state.
#![allow(missing_docs, reason = "criterion makes public functions without docs")]
#![allow(clippy::print_stdout, reason = "sizes are told beside the times")]

use std::hint::black_box;

use crdts::{CmRDT, CvRDT, Orswot};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use macula_crdt::{Actor, Codec, Delta, Limits, OrSet};

type Id = [u8; 32];
type Ours = OrSet<Id, String>;
type Theirs = Orswot<String, Actor1>;
/// Their actor has the same size as ours.
type Actor1 = (Id, u64);

const ACTORS: u8 = 10;

fn id(actor: u8) -> Id {
    let mut id = [0x5a; 32];
    id[0] = actor;
    id
}

fn add(ours: &mut Ours, theirs: &mut Theirs, actor: u8, member: usize) {
    let name = format!("org.example.home/room-{member}.light.switch");
    let incarnation = 1;
    ours.add(
        &Actor {
            id: id(actor),
            incarnation,
        },
        name.clone(),
    )
    .expect("not retired");
    let add = theirs.read_ctx().derive_add_ctx((id(actor), incarnation));
    let op = theirs.add(name, add);
    theirs.apply(op);
}

fn remove(ours: &mut Ours, theirs: &mut Theirs, member: usize) {
    let name = format!("org.example.home/room-{member}.light.switch");
    ours.remove(&name);
    let remove = theirs.contains(&name).derive_rm_ctx();
    let op = theirs.rm(name, remove);
    theirs.apply(op);
}

/// A replica after so many additions, by all actors in turn.
fn history(members: usize) -> (Ours, Theirs) {
    let (mut ours, mut theirs) = (Ours::default(), Theirs::new());
    for member in 0..members {
        add(
            &mut ours,
            &mut theirs,
            (member % usize::from(ACTORS)) as u8,
            member,
        );
    }
    for member in (0..members).step_by(10) {
        remove(&mut ours, &mut theirs, member);
    }
    (ours, theirs)
}

fn their_bytes(theirs: &Theirs) -> Vec<u8> {
    rmp_serde::to_vec(theirs).expect("it can be written")
}

fn compare(c: &mut Criterion) {
    for members in [100, 1_000, 10_000] {
        let (ours, theirs) = history(members);
        let (mut ours_after, mut theirs_after) = (ours.clone(), theirs.clone());
        add(&mut ours_after, &mut theirs_after, 3, members);
        remove(&mut ours_after, &mut theirs_after, members / 2 + 1);
        let delta = ours_after.delta_for(&ours.digest());
        println!(
            "{members} members: state {} bytes, theirs {}; one added and one removed {} bytes, theirs {}; digest {} bytes",
            ours.whole().to_bytes().len(),
            their_bytes(&theirs).len(),
            delta.to_bytes().len(),
            their_bytes(&theirs_after).len(),
            ours.digest().to_bytes().len(),
        );
        let mut group = c.benchmark_group(members.to_string());
        group.sample_size(20);
        group.bench_function("merge of a whole state", |b| {
            let input = || (ours.clone(), ours_after.whole());
            b.iter_batched(
                input,
                |(mut state, whole)| {
                    state.merge(whole);
                    state
                },
                BatchSize::LargeInput,
            );
        });
        group.bench_function("merge of a whole state, crdts", |b| {
            let input = || (theirs.clone(), theirs_after.clone());
            b.iter_batched(
                input,
                |(mut state, whole)| {
                    state.merge(whole);
                    state
                },
                BatchSize::LargeInput,
            );
        });
        group.bench_function("merge of the delta", |b| {
            let input = || (ours.clone(), delta.clone());
            b.iter_batched(
                input,
                |(mut state, delta)| {
                    state.merge(delta);
                    state
                },
                BatchSize::LargeInput,
            );
        });
        group.bench_function("delta for a digest", |b| {
            let digest = ours.digest();
            b.iter(|| black_box(ours_after.delta_for(&digest)));
        });
        let bytes = ours.whole().to_bytes();
        let limits = Limits {
            bytes: 16 << 20,
            ..Limits::default()
        };
        group.bench_function("reading a whole state", |b| {
            b.iter(|| Delta::<Id, String, ()>::from_bytes(&bytes, &limits).expect("a state"));
        });
        let bytes = their_bytes(&theirs);
        group.bench_function("reading a whole state, crdts", |b| {
            b.iter(|| rmp_serde::from_slice::<Theirs>(&bytes).expect("a state"));
        });
    }
}

criterion_group!(benches, compare);
criterion_main!(benches);
