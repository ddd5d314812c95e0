//! Waiting until the connected nodes know what was said here.
//!
//! Who asks names its words, and who is asked answers when it has them, whichever way they came.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Instant,
};

use macula_crdt::{Actor, Ranges};
use macula_engine::NodeId;
use tokio::sync::oneshot;

use super::{Driver, Gossip, Said};
use crate::cluster::say::Ask;

/// Questions of one node that wait at most. At it the oldest goes, and who asked waits as long as it wants to.
const MAX_QUESTIONS: usize = 1_024;

/// Who waits until peers have heard.
#[derive(Default)]
pub(in crate::cluster) struct Announcements {
    /// By the number that the peers were asked with.
    waiting: BTreeMap<u64, Waiting>,
    asked: u64,
    /// The life that this is about, and its last word that all who were connected have heard.
    incarnation: u64,
    known: u64,
}

struct Waiting {
    left: HashSet<NodeId>,
    /// The last word that it is about.
    last: u64,
    until: Instant,
    reply: oneshot::Sender<()>,
}

impl Announcements {
    /// Numbers of words begin anew with each life.
    fn begin(&mut self, incarnation: u64) {
        if self.incarnation != incarnation {
            (self.incarnation, self.known) = (incarnation, 0);
            let former = self.waiting.values_mut();
            former.for_each(|waiting| waiting.last = 0);
        }
    }

    pub(super) fn heard(&mut self, number: u64, from: &NodeId) {
        if let Some(waiting) = self.waiting.get_mut(&number) {
            waiting.left.remove(from);
        }
        self.answer();
    }

    /// A node is not connected any more, so that nobody waits for it.
    pub(super) fn lost(&mut self, id: &NodeId) {
        for waiting in self.waiting.values_mut() {
            waiting.left.remove(id);
        }
        self.answer();
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.waiting.retain(|_, waiting| waiting.until > now);
    }

    fn answer(&mut self) {
        let done = self
            .waiting
            .extract_if(.., |_, waiting| waiting.left.is_empty());
        for (_, waiting) in done {
            self.known = self.known.max(waiting.last);
            // Who has waited long enough is not there any more.
            let _ = waiting.reply.send(());
        }
    }
}

/// What other nodes want to be told that this node has heard.
#[derive(Default)]
pub(in crate::cluster) struct Questions(HashMap<NodeId, VecDeque<Ask>>);

impl Questions {
    pub(super) fn add(&mut self, from: NodeId, ask: Ask) {
        let asked = self.0.entry(from).or_default();
        if asked.len() == MAX_QUESTIONS {
            asked.pop_front();
        }
        asked.push_back(ask);
    }

    pub(super) fn lost(&mut self, id: &NodeId) {
        self.0.remove(id);
    }

    /// Takes those out that may be answered: a node asks for later words later.
    fn answerable(&mut self, heard: impl Fn(&NodeId, &Ask) -> bool) -> Vec<(NodeId, u64)> {
        let mut answerable = Vec::new();
        self.0.retain(|from, asked| {
            while let Some(ask) = asked.pop_front_if(|ask| heard(from, ask)) {
                answerable.push((*from, ask.number));
            }
            !asked.is_empty()
        });
        answerable
    }
}

impl Driver {
    /// Tells the peers what has changed here now, and waits until they have heard it.
    pub(super) fn announce(&mut self, reply: oneshot::Sender<()>) {
        self.tell_changes();
        let now = self.now();
        self.machine.hurry(now);
        self.act();
        let me = *self.machine.me();
        let last = self.machine.state().seen(&me).map_or(0, Ranges::last);
        let told = &mut self.announcements;
        told.begin(me.incarnation);
        told.asked += 1;
        let ask = Ask {
            number: told.asked,
            incarnation: me.incarnation,
            first: told.known + 1,
            last,
        };
        let left: HashSet<_> = self.peers.connected().collect();
        for id in &left {
            self.peers.say(id, Said::Ask(ask).encode());
        }
        let until = Instant::now() + self.settings.announce();
        let waiting = Waiting {
            left,
            last,
            until,
            reply,
        };
        self.announcements.waiting.insert(ask.number, waiting);
        self.announcements.answer();
    }

    /// Tells who has asked what this node has heard meanwhile.
    pub(super) fn answer_questions(&mut self) {
        let machine = &self.machine;
        let answerable = self
            .questions
            .answerable(|from, ask| has_heard(machine, from, ask));
        for (from, number) in answerable {
            self.peers.say(&from, Said::Heard(number).encode());
        }
    }
}

fn has_heard(machine: &Gossip, from: &NodeId, ask: &Ask) -> bool {
    let actor = Actor {
        id: *from.as_bytes(),
        incarnation: ask.incarnation,
    };
    let seen = machine.state().seen(&actor);
    ask.first > ask.last || seen.is_some_and(|seen| seen.spans(ask.first, ask.last))
}
