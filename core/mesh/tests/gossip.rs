//! The gossip of a cluster in virtual time. A run that fails tells its seed; it becomes a test here.

mod simulator;

use std::time::Duration;

use simulator::{Plan, Step, run};

/// A change a second and a half, so that each spreads alone.
fn steady(nodes: usize, loss: f64, changes: u64) -> simulator::Report {
    let report = run(Plan::steady(
        7,
        nodes,
        loss,
        changes,
        Duration::from_millis(1_500),
    ));
    assert_eq!(report.spread() as u64, changes, "{report}");
    report
}

#[test]
fn a_change_is_at_all_of_10_nodes_within_a_second() {
    let report = steady(10, 0.0, 100);
    assert!(report.percentile(99) < Duration::from_secs(1), "{report}");
}

#[test]
fn a_change_is_at_all_of_10_nodes_within_five_seconds_when_3_of_10_messages_are_lost() {
    let report = steady(10, 0.3, 100);
    assert!(report.percentile(99) < Duration::from_secs(5), "{report}");
}

#[test]
fn a_change_is_at_all_of_50_nodes_within_a_second() {
    let report = steady(50, 0.0, 20);
    assert!(report.percentile(99) < Duration::from_secs(1), "{report}");
}

#[test]
fn lesson_01_a_cluster_at_rest_says_nearly_nothing() {
    let after = |seconds| {
        let mut plan = Plan::steady(3, 10, 0.0, 1, Duration::ZERO);
        plan.steps
            .push((Duration::from_secs(seconds), Step::Crash(9)));
        run(plan).messages
    };
    let (first, later) = (after(60), after(360));
    // Ten comparisons a node in 300 s, and what is said to each.
    assert!((160..260).contains(&(later - first)), "{first} and {later}");
}

#[test]
fn nodes_agree_whatever_happens() {
    // Two halves, so that both cores have work.
    for seed in 0..100 {
        run(Plan::chaos(seed, 8));
    }
}

#[test]
fn nodes_agree_whatever_else_happens() {
    for seed in 100..200 {
        run(Plan::chaos(seed, 8));
    }
}
