//! What this node's readers want, as other nodes are told it: each pattern once, however many read it.

use std::collections::{HashMap, HashSet};

use macula_proto::{Pattern, Realm};

/// A pattern in a realm.
pub(crate) type Interest = (Realm, Pattern);

/// Counts the readers of each pattern, and remembers what has changed since it was last told.
#[derive(Debug, Default)]
pub(super) struct Wants {
    readers: HashMap<Interest, usize>,
    /// Patterns that have readers now and had none then, or the other way round. As many as there are
    /// subscriptions at most, but for those that went and were not told yet.
    changed: HashSet<Interest>,
    /// Whether anybody is to be told.
    told: bool,
}

impl Wants {
    /// A reader has come; true when there is something new to tell.
    pub(super) fn add(&mut self, realm: &Realm, pattern: &Pattern) -> bool {
        let interest = (realm.clone(), pattern.clone());
        let readers = self.readers.entry(interest.clone()).or_default();
        *readers += 1;
        *readers == 1 && self.change(interest)
    }

    /// A reader has gone; true when there is something new to tell.
    pub(super) fn remove(&mut self, realm: &Realm, pattern: &Pattern) -> bool {
        let interest = (realm.clone(), pattern.clone());
        let Some(readers) = self.readers.get_mut(&interest) else {
            return false;
        };
        *readers -= 1;
        if *readers > 0 {
            return false;
        }
        self.readers.remove(&interest);
        self.change(interest)
    }

    /// What has changed since the last time, and whether it is wanted now; the first time it is all that
    /// is wanted.
    pub(super) fn take(&mut self) -> Vec<(Interest, bool)> {
        if !self.told {
            self.told = true;
            return self.readers.keys().map(|i| (i.clone(), true)).collect();
        }
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed
            .map(|interest| {
                let wanted = self.readers.contains_key(&interest);
                (interest, wanted)
            })
            .collect()
    }

    fn change(&mut self, interest: Interest) -> bool {
        if self.told && !self.changed.remove(&interest) {
            self.changed.insert(interest);
        }
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(wants: &mut Wants) -> Vec<(String, bool)> {
        let mut taken: Vec<_> = wants
            .take()
            .into_iter()
            .map(|((_, pattern), wanted)| (pattern.as_str().to_owned(), wanted))
            .collect();
        taken.sort();
        taken
    }

    #[test]
    fn what_comes_and_goes_between_two_tellings_is_not_told() {
        let realm = Realm::parse("dev").unwrap();
        let [a, b] = ["a", "b.*"].map(|text| Pattern::parse(text).unwrap());
        let mut wants = Wants::default();
        assert!(!wants.add(&realm, &a), "nobody is told yet");
        assert_eq!(taken(&mut wants), [("a".into(), true)]);
        assert!(!wants.add(&realm, &a), "it is wanted already");
        assert!(wants.add(&realm, &b));
        assert!(wants.remove(&realm, &b));
        assert_eq!(taken(&mut wants), []);
        wants.remove(&realm, &a);
        assert_eq!(taken(&mut wants), [], "one reader is left");
        wants.remove(&realm, &a);
        assert_eq!(taken(&mut wants), [("a".into(), false)]);
        assert!(wants.readers.is_empty() && wants.changed.is_empty());
    }
}
