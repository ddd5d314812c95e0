//! A trie of patterns: which values stand under a pattern that matches a name.
//!
//! A lookup walks the name's segments once; at each it follows the literal branch and the `*` branch,
//! and collects what ends there or in a `**`. So its cost depends on the name's length and on the
//! matches, not on how many patterns there are.

use std::collections::BTreeMap;

use macula_proto::{Pattern, pattern::Segment};

/// Values under patterns. One pattern may hold many values, told apart by a key of the caller's.
#[derive(Debug)]
pub(crate) struct Trie<T> {
    root: Node<T>,
    len: usize,
}

#[derive(Debug)]
struct Node<T> {
    literals: BTreeMap<Box<str>, Node<T>>,
    /// The branch of `*`.
    one: Option<Box<Node<T>>>,
    /// Values whose pattern ends here.
    here: BTreeMap<u64, T>,
    /// Values whose pattern ends here in `**`.
    rest: BTreeMap<u64, T>,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self {
            root: Node::default(),
            len: 0,
        }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: BTreeMap::new(),
            one: None,
            here: BTreeMap::new(),
            rest: BTreeMap::new(),
        }
    }
}

impl<T> Trie<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a value under a pattern; the key must be new.
    pub(crate) fn insert(&mut self, pattern: &Pattern, key: u64, value: T) {
        let mut node = &mut self.root;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.into()).or_default(),
                Segment::One => node.one.get_or_insert_default(),
                Segment::Rest => {
                    node.rest.insert(key, value);
                    self.len += 1;
                    return;
                }
            };
        }
        node.here.insert(key, value);
        self.len += 1;
    }

    /// Takes a value out, and with it every branch that it alone kept.
    pub(crate) fn remove(&mut self, pattern: &Pattern, key: u64) -> Option<T> {
        let removed = self.root.remove(&mut pattern.segments(), key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Calls `found` with every value, in no particular order.
    pub(crate) fn each(&self, found: &mut impl FnMut(&T)) {
        self.root.each(found);
    }

    /// Calls `found` with each value whose pattern matches the name, in no particular order.
    pub(crate) fn matching(&self, name: &str, found: &mut impl FnMut(&T)) {
        self.root.matching(Some(name), found);
    }
}

impl<T> Node<T> {
    fn is_empty(&self) -> bool {
        self.literals.is_empty()
            && self.one.is_none()
            && self.here.is_empty()
            && self.rest.is_empty()
    }

    fn remove<'a>(
        &mut self,
        segments: &mut impl Iterator<Item = Segment<'a>>,
        key: u64,
    ) -> Option<T> {
        match segments.next() {
            None => self.here.remove(&key),
            Some(Segment::Rest) => self.rest.remove(&key),
            Some(Segment::One) => {
                let child = self.one.as_mut()?;
                let removed = child.remove(segments, key);
                if child.is_empty() {
                    self.one = None;
                }
                removed
            }
            Some(Segment::Literal(text)) => {
                let child = self.literals.get_mut(text)?;
                let removed = child.remove(segments, key);
                if child.is_empty() {
                    self.literals.remove(text);
                }
                removed
            }
        }
    }

    fn each(&self, found: &mut impl FnMut(&T)) {
        self.here
            .values()
            .chain(self.rest.values())
            .for_each(&mut *found);
        for child in self.literals.values().chain(self.one.as_deref()) {
            child.each(found);
        }
    }

    /// `name` is what is left of it; `None` when all segments were walked.
    fn matching(&self, name: Option<&str>, found: &mut impl FnMut(&T)) {
        self.rest.values().for_each(&mut *found);
        let Some(name) = name else {
            self.here.values().for_each(found);
            return;
        };
        let (segment, rest) = match name.split_once('.') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (name, None),
        };
        if let Some(child) = self.literals.get(segment) {
            child.matching(rest, found);
        }
        if let Some(child) = &self.one {
            child.matching(rest, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern() -> impl Strategy<Value = Pattern> {
        let segment = prop::sample::select(vec!["a", "b", "c", "*"]);
        let rest = prop::option::of(Just("**"));
        (prop::collection::vec(segment, 1..4), rest).prop_map(|(mut segments, rest)| {
            segments.extend(rest);
            Pattern::parse(&segments.join(".")).unwrap()
        })
    }

    fn name() -> impl Strategy<Value = String> {
        let segment = prop::sample::select(vec!["a", "b", "c", "d"]);
        prop::collection::vec(segment, 1..5).prop_map(|segments| segments.join("."))
    }

    fn found(trie: &Trie<usize>, name: &str) -> Vec<usize> {
        let mut found = Vec::new();
        trie.matching(name, &mut |value| found.push(*value));
        found.sort_unstable();
        found
    }

    proptest! {
        #[test]
        fn a_lookup_finds_just_the_patterns_that_match(
            patterns in prop::collection::vec(pattern(), 0..20),
            removed in prop::collection::vec(any::<bool>(), 20),
            name in name(),
        ) {
            let mut trie = Trie::default();
            for (i, pattern) in patterns.iter().enumerate() {
                trie.insert(pattern, i as u64, i);
            }
            let mut expected = Vec::new();
            for (i, pattern) in patterns.iter().enumerate() {
                if removed[i] {
                    prop_assert_eq!(trie.remove(pattern, i as u64), Some(i));
                    prop_assert_eq!(trie.remove(pattern, i as u64), None);
                } else if pattern.matches(&name) {
                    expected.push(i);
                }
            }
            prop_assert_eq!(found(&trie, &name), expected);
        }

        #[test]
        fn lesson_03_a_trie_returns_to_empty(patterns in prop::collection::vec(pattern(), 0..20)) {
            let mut trie = Trie::default();
            for (i, pattern) in patterns.iter().enumerate() {
                trie.insert(pattern, i as u64, ());
            }
            for (i, pattern) in patterns.iter().enumerate() {
                trie.remove(pattern, i as u64);
            }
            prop_assert!(trie.is_empty() && trie.root.is_empty());
        }
    }
}
