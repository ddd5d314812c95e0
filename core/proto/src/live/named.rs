//! What a `resume` names.

use std::collections::{BTreeMap, BTreeSet};

use super::Kind;
use crate::{
    EventId,
    frame::{MAX_RESUMED, Resume},
};

/// What a client that is back names, each once.
pub(super) struct Named {
    pub(super) subscriptions: BTreeMap<u64, EventId>,
    pub(super) pending: BTreeSet<u64>,
    pub(super) invokes: BTreeSet<u64>,
}

impl Named {
    /// None when there are too many or one comes twice.
    pub(super) fn read(resume: &Resume) -> Option<Self> {
        let all = resume.subscriptions.len() + resume.pending.len() + resume.invokes.len();
        if all > MAX_RESUMED {
            return None;
        }
        let positions = resume.subscriptions.iter();
        let named = Self {
            subscriptions: positions.map(|at| (at.id, at.last_event_id)).collect(),
            pending: resume.pending.iter().copied().collect(),
            invokes: resume.invokes.iter().copied().collect(),
        };
        let kinds = named.subscriptions.len() + named.pending.len() + named.invokes.len();
        let mut pending = named.pending.iter();
        let once = kinds == all && pending.all(|id| !named.subscriptions.contains_key(id));
        once.then_some(named)
    }

    /// Whether an operation of this kind goes on.
    pub(super) fn goes_on(&self, id: u64, kind: Kind) -> bool {
        match kind {
            Kind::Subscription => self.subscriptions.contains_key(&id),
            Kind::Call | Kind::Service => self.pending.contains(&id),
        }
    }
}
