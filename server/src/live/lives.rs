//! All live sessions of the node.

use std::{collections::HashMap, sync::Arc};

use macula_proto::{ErrorCode, Problem};
use parking_lot::Mutex;

use super::{
    link::{Link, expired},
    session::Live,
};
use crate::{
    api::{Gateway, principal::Principal},
    session::{Session, store::random_id},
};

/// All live sessions of the node, by name.
#[derive(Debug, Default)]
pub struct Lives(Mutex<HashMap<Arc<str>, Arc<Live>>>);

impl Lives {
    /// A new one on its first transport.
    pub(super) fn open(
        gateway: &Arc<Gateway>,
        session: &Arc<Session>,
        link: Arc<Link>,
    ) -> Result<Arc<Live>, Problem> {
        let stream = Principal::Session(Arc::clone(session)).stream(gateway)?;
        let stream = stream.expect("a session has streams");
        let mut table = gateway.lives.0.lock();
        let max = gateway.settings.live.max;
        if table.len() >= max {
            let detail = format!("this node has its limit of {max} live sessions");
            return Err(Problem::new(ErrorCode::Overloaded, detail));
        }
        let live = Arc::new(Live::new(random_id(), Arc::clone(gateway), stream, link));
        table.insert(Arc::clone(&live.id), Arc::clone(&live));
        Ok(live)
    }

    /// The live session with this name, if it is this session's.
    pub(super) fn find(&self, id: &str, session: &Arc<Session>) -> Result<Arc<Live>, Problem> {
        let live = self.0.lock().get(id).cloned();
        live.filter(|live| Arc::ptr_eq(&live.session, session))
            .ok_or_else(|| {
                let detail = "expected the name of a live session of the same token";
                Problem::new(ErrorCode::SessionExpired, detail)
            })
    }

    /// Ends one, and all that it has.
    pub(super) fn end(&self, live: &Live) {
        self.0.lock().remove(&live.id);
        live.close();
    }

    /// Ends those whose client did not come back in time.
    pub fn sweep(&self) {
        let all: Vec<_> = self.0.lock().values().cloned().collect();
        for live in all {
            if live.is_over() {
                self.end(&live);
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A resumed session may have ended while its client was on the way.
pub(super) fn still_there(gateway: &Gateway, live: &Live) -> Result<(), Problem> {
    match gateway.lives.0.lock().contains_key(&live.id) {
        true => Ok(()),
        false => Err(expired()),
    }
}
