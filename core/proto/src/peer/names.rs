//! Names that were read before: those of a link's events come again and again, and are not checked and
//! allocated anew for each.

use std::sync::Arc;

use super::{PeerError, subject};
use crate::{Realm, Topic};

/// The most realms, topics and publishers that are remembered, of each: with their names some 50 KiB a link at
/// most. A new one takes the place of one with the same hash.
const PLACES: usize = 64;

/// The names that a reader of events has read.
#[derive(Debug, Default)]
pub struct Names {
    realms: Places<Realm>,
    topics: Places<Topic>,
    publishers: Places<Arc<str>>,
}

impl Names {
    pub(super) fn realm(&mut self, text: &str) -> Result<Realm, PeerError> {
        self.realms.name(text, |text| Ok(Realm::parse(text)?))
    }

    pub(super) fn topic(&mut self, text: &str) -> Result<Topic, PeerError> {
        self.topics.name(text, |text| Ok(Topic::parse(text)?))
    }

    pub(super) fn publisher(&mut self, text: &str) -> Result<Arc<str>, PeerError> {
        self.publishers.name(text, subject)
    }
}

/// Names by a hash of theirs; empty until the first.
#[derive(Debug)]
struct Places<T>(Vec<Option<T>>);

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: AsRef<str> + Clone> Places<T> {
    fn name(
        &mut self,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, PeerError>,
    ) -> Result<T, PeerError> {
        let at = place(text);
        match self.0.get(at) {
            Some(Some(known)) if known.as_ref() == text => return Ok(known.clone()),
            Some(_) => {}
            None => self.0.resize(PLACES, None),
        }
        let name = parse(text)?;
        self.0[at] = Some(name.clone());
        Ok(name)
    }
}

/// A hash that costs little. Whoever makes names that fall together loses only what remembering saves.
fn place(text: &str) -> usize {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let hash = text.as_bytes().chunks(8).fold(0, |hash: u64, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR)
    });
    (hash >> 32) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_again_is_the_one_that_came_before() {
        let mut names = Names::default();
        let first = names.topic("home.kitchen").unwrap();
        let again = names.topic("home.kitchen").unwrap();
        assert!(std::ptr::eq(first.as_str(), again.as_str()));
    }

    #[test]
    fn more_names_than_places_are_read_as_they_are() {
        let mut names = Names::default();
        for _ in 0..2 {
            for n in 0..10 * PLACES {
                let text = format!("home.room-{n}");
                assert_eq!(names.topic(&text).unwrap().as_str(), text);
                assert_eq!(&*names.publisher(&text).unwrap(), text);
            }
        }
        assert!(names.realm("a..b").is_err());
        assert_eq!(names.realm("org").unwrap().as_str(), "org");
    }
}
