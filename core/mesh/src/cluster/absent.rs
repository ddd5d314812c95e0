//! Nodes of the state that are not connected: when nothing is kept for one any more, when it is looked for, and when it
//! is taken out of the state. Pure.
//!
//! That this node does not reach another is no proof that it has gone: before it is taken out, the others are asked.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// How long a node may take to connect by itself before it is looked for, and between two times.
const SEEK_FIRST: Duration = Duration::from_secs(1);
const SEEK: Duration = Duration::from_secs(5);
/// How long the others may take to say that they see a node: less than they need to notice that it has died.
const ANSWER: Duration = Duration::from_secs(2);

/// Absent nodes, as many as there are in the state.
#[derive(Debug)]
pub(super) struct Absent<Id> {
    lapse: Duration,
    forget: Duration,
    nodes: HashMap<Id, Absence>,
}

#[derive(Debug)]
struct Absence {
    /// None once it has lapsed.
    lapse_at: Option<Instant>,
    seek_at: Instant,
    forget_at: Instant,
    /// Whether the others have been asked.
    asked: bool,
}

/// What is to be done about an absent node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing is kept for it any more.
    Lapse,
    /// It is looked for.
    Seek,
    /// The others are asked whether they see it.
    Ask,
    /// It is taken out of the state. It is absent no longer.
    Retire,
}

impl<Id: Hash + Eq + Copy> Absent<Id> {
    pub(super) fn new(lapse: Duration, forget: Duration) -> Self {
        Self {
            lapse,
            forget,
            nodes: HashMap::new(),
        }
    }

    /// A node is not connected. If that is known, nothing changes.
    pub(super) fn add(&mut self, id: Id, now: Instant) {
        let (lapse, forget) = (self.lapse, self.forget);
        self.nodes.entry(id).or_insert_with(|| Absence {
            lapse_at: Some(now + lapse),
            seek_at: now + SEEK_FIRST,
            forget_at: now + forget,
            asked: false,
        });
    }

    /// It is connected, or taken out of the state.
    pub(super) fn remove(&mut self, id: &Id) {
        self.nodes.remove(id);
    }

    /// Another node sees it: it stays in the state for as long again.
    pub(super) fn is_seen(&mut self, id: &Id, now: Instant) {
        if let Some(absence) = self.nodes.get_mut(id) {
            absence.asked = false;
            absence.forget_at = now + self.forget;
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let times = self.nodes.values().map(|absence| {
            let soon = absence.seek_at.min(absence.forget_at);
            absence.lapse_at.map_or(soon, |lapse_at| lapse_at.min(soon))
        });
        times.min()
    }

    /// What is to be done now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(Id, Due)> {
        let mut due = Vec::new();
        self.nodes.retain(|id, absence| {
            if absence.lapse_at.take_if(|at| *at <= now).is_some() {
                due.push((*id, Due::Lapse));
            }
            if absence.seek_at <= now {
                absence.seek_at = now + SEEK;
                due.push((*id, Due::Seek));
            }
            if absence.forget_at > now {
                return true;
            }
            if absence.asked {
                due.push((*id, Due::Retire));
                return false;
            }
            absence.asked = true;
            absence.forget_at = now + ANSWER;
            due.push((*id, Due::Ask));
            true
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is due of one node, each with the second at which it is, until it is taken out.
    fn all(absent: &mut Absent<u8>, start: Instant, seen_at: &[u64]) -> Vec<(u64, Due)> {
        let mut found = Vec::new();
        while let Some(next) = absent.next() {
            let second = (next - start).as_secs();
            found.extend(absent.due(next).into_iter().map(|(_, due)| (second, due)));
            if found.last() == Some(&(second, Due::Ask)) && seen_at.contains(&second) {
                absent.is_seen(&1, next);
            }
        }
        found
    }

    #[test]
    fn an_absent_node_lapses_is_looked_for_and_goes_when_nobody_sees_it() {
        let start = Instant::now();
        let mut absent = Absent::new(Duration::from_secs(3), Duration::from_secs(8));
        absent.add(1, start);
        absent.add(1, start + Duration::from_secs(1));
        let expected = [
            (1, Due::Seek),
            (3, Due::Lapse),
            (6, Due::Seek),
            (8, Due::Ask),
            (10, Due::Retire),
        ];
        assert_eq!(all(&mut absent, start, &[]), expected);
    }

    #[test]
    fn one_that_others_see_stays_as_long_as_they_do() {
        let start = Instant::now();
        let mut absent = Absent::new(Duration::from_secs(60), Duration::from_secs(4));
        absent.add(1, start);
        let found = all(&mut absent, start, &[4, 8]);
        let kept: Vec<_> = found.iter().filter(|(_, due)| *due != Due::Seek).collect();
        let expected = [
            (4, Due::Ask),
            (8, Due::Ask),
            (12, Due::Ask),
            (14, Due::Retire),
        ];
        assert_eq!(kept, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn one_that_is_back_is_not_absent() {
        let mut absent = Absent::new(Duration::from_secs(3), Duration::from_secs(60));
        absent.add(1, Instant::now());
        absent.remove(&1);
        assert_eq!(absent.next(), None);
    }
}
