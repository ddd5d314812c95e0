//! Questions to the DHT that are under way, and who asked.

use std::collections::{BTreeSet, HashMap};

use libp2p::kad::{
    self, AddProviderError, GetProvidersOk, GetRecordOk, PutRecordError, QueryId, QueryResult,
};
use tokio::sync::oneshot;

use super::DhtError;
use crate::id::NodeId;

/// Questions of callers at a time. At the bound a new one is refused: [`DhtError::TooSlow`].
pub(crate) const MAX_QUERIES: usize = 1_024;

/// Who asked, and what is known so far.
#[derive(Debug)]
pub(crate) enum Question {
    /// To tell that this node provides a key.
    Provide(oneshot::Sender<Result<(), DhtError>>),
    /// Who provides a key.
    Providers(
        BTreeSet<NodeId>,
        oneshot::Sender<Result<BTreeSet<NodeId>, DhtError>>,
    ),
    /// To have a value kept.
    Put(oneshot::Sender<Result<(), DhtError>>),
    /// A value.
    Get(oneshot::Sender<Result<Option<Vec<u8>>, DhtError>>),
}

/// Questions by the query that answers them.
#[derive(Debug, Default)]
pub(crate) struct Queries(HashMap<QueryId, Question>);

impl Queries {
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MAX_QUERIES
    }

    pub(crate) fn insert(&mut self, id: QueryId, question: Question) {
        self.0.insert(id, question);
    }

    /// Takes a result, and answers who asked when there is nothing more to come. Whether the query may end.
    pub(crate) fn progress(&mut self, id: QueryId, result: QueryResult, last: bool) -> bool {
        let Some(question) = self.0.remove(&id) else {
            return false;
        };
        match (question, result) {
            (Question::Provide(reply), QueryResult::StartProviding(result)) => {
                let result = result.map(|_| ());
                let late = |AddProviderError::Timeout { .. }| DhtError::TooSlow;
                let _ = reply.send(result.map_err(late));
            }
            (Question::Providers(mut found, reply), QueryResult::GetProviders(result)) => {
                // Lesson 14: who is known here is not all: what others know is waited for.
                let failed = result.is_err();
                if let Ok(GetProvidersOk::FoundProviders { providers, .. }) = result {
                    found.extend(providers.iter().filter_map(NodeId::from_peer));
                }
                if !last {
                    self.0.insert(id, Question::Providers(found, reply));
                } else if failed && found.is_empty() {
                    let _ = reply.send(Err(DhtError::TooSlow));
                } else {
                    let _ = reply.send(Ok(found));
                }
            }
            (Question::Put(reply), QueryResult::PutRecord(result)) => {
                let _ = reply.send(match result {
                    // It is kept here at least, which is all that a node alone can do.
                    Ok(_) | Err(PutRecordError::QuorumFailed { .. }) => Ok(()),
                    Err(PutRecordError::Timeout { .. }) => Err(DhtError::TooSlow),
                });
            }
            (Question::Get(reply), QueryResult::GetRecord(result)) => match result {
                Ok(GetRecordOk::FoundRecord(found)) => {
                    let _ = reply.send(Ok(Some(found.record.value)));
                    return true;
                }
                Err(kad::GetRecordError::Timeout { .. }) => {
                    let _ = reply.send(Err(DhtError::TooSlow));
                }
                Ok(GetRecordOk::FinishedWithNoAdditionalRecord { .. })
                | Err(kad::GetRecordError::NotFound { .. }) => {
                    let _ = reply.send(Ok(None));
                }
            },
            // Dropped, who asked learns that there is no answer.
            _ => {}
        }
        false
    }
}
