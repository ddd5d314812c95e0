//! The state of one live session at its gateway, pure: which operations it has, what they may use,
//! and what happens to them while its transport is away.
//!
//! The driver does what is asked for and keeps with each operation (`O`) and invocation (`I`) what it
//! needs to end it. Times are since an epoch of the driver's that never changes. `docs/LIVE.md`
//! tells the protocol.

mod kept;
mod named;

use std::{collections::BTreeMap, time::Duration};

use crate::{
    ErrorCode, EventId, Problem,
    frame::{Bounds, GatewayFrame, MAX_RESUMED, Resume},
};
use kept::Kept;
pub use kept::{MAX_ANSWERS, MAX_BYTES};
use named::Named;

/// What an operation is, as far as its bounds go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A call, a publish or a discovery: it ends with its answer.
    Call,
    /// A subscription: it ends when the client says so.
    Subscription,
    /// A procedure that the client serves, likewise.
    Service,
}

/// Why an operation does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// Its number is that of another, which goes on: the answer must not carry it.
    #[error("expected a new number, found {0}, which is in use")]
    InUse(u64),
    /// There is no room for it.
    #[error("expected at most {limit} {what} in a session")]
    Full {
        /// Of what there are too many.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
}

impl From<BeginError> for Problem {
    fn from(error: BeginError) -> Self {
        let code = match error {
            BeginError::InUse(_) => ErrorCode::InvalidRequest,
            BeginError::Full { .. } => ErrorCode::Overloaded,
        };
        Self::new(code, error.to_string())
    }
}

/// The number is that of an operation of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the number of a {expected:?}, found that of a {found:?}")]
pub struct OtherKind {
    expected: Kind,
    found: Kind,
}

impl From<OtherKind> for Problem {
    fn from(error: OtherKind) -> Self {
        Self::new(ErrorCode::InvalidRequest, error.to_string().to_lowercase())
    }
}

#[derive(Debug)]
struct Operation<O> {
    kind: Kind,
    bytes: u64,
    /// Where a subscription goes on after its transport was lost.
    position: Option<EventId>,
    owner: O,
}

/// One live session.
#[derive(Debug)]
pub struct Machine<O, I> {
    limits: Bounds,
    grace: Duration,
    operations: BTreeMap<u64, Operation<O>>,
    /// How many of each [`Kind`].
    counts: [u64; 3],
    /// The bytes of all operations' arguments.
    bytes: u64,
    invocations: BTreeMap<u64, I>,
    next_invocation: u64,
    kept: Kept,
    /// When the transport was lost, while it is away.
    lost: Option<Duration>,
}

/// What goes on after a transport was lost, and what does not.
#[derive(Debug)]
pub struct Resumed<O, I> {
    /// Answers to give once more.
    pub answers: Vec<GatewayFrame>,
    /// Numbers of the client's that the machine has nothing for.
    pub unknown: Vec<u64>,
    /// Operations that the client does not go on with.
    pub ended: Vec<O>,
    /// Invocations that the client does not answer any more.
    pub abandoned: Vec<I>,
}

impl<O, I> Machine<O, I> {
    /// A session that has just begun, with its transport. It waits so long for a lost one.
    #[must_use]
    pub fn new(limits: Bounds, grace: Duration) -> Self {
        Self {
            limits,
            grace,
            operations: BTreeMap::new(),
            counts: [0; 3],
            bytes: 0,
            invocations: BTreeMap::new(),
            next_invocation: 1,
            kept: Kept::default(),
            lost: None,
        }
    }

    /// What the session may use.
    #[must_use]
    pub fn limits(&self) -> &Bounds {
        &self.limits
    }

    /// Begins an operation whose argument has so many bytes. `owner` is asked for when it may
    /// begin, with nothing changed in between.
    ///
    /// # Errors
    /// [`BeginError`] when the number is in use or a bound is reached.
    pub fn begin(
        &mut self,
        id: u64,
        kind: Kind,
        bytes: usize,
        owner: impl FnOnce() -> O,
    ) -> Result<(), BeginError> {
        if self.operations.contains_key(&id) {
            return Err(BeginError::InUse(id));
        }
        let (what, limit) = match kind {
            Kind::Call => ("calls in flight", self.limits.max_calls),
            Kind::Subscription => ("subscriptions", self.limits.max_subscriptions),
            Kind::Service => ("procedures", self.limits.max_procedures),
        };
        if self.counts[kind as usize] >= limit {
            return Err(BeginError::Full { what, limit });
        }
        let bytes = bytes as u64;
        let limit = self.limits.max_bytes_in_flight;
        if self.bytes.saturating_add(bytes) > limit {
            let what = "bytes in flight";
            return Err(BeginError::Full { what, limit });
        }
        self.counts[kind as usize] += 1;
        self.bytes += bytes;
        let operation = Operation {
            kind,
            bytes,
            position: None,
            owner: owner(),
        };
        self.operations.insert(id, operation);
        Ok(())
    }

    /// Ends an operation that has no answer any more, because its client says so.
    ///
    /// # Errors
    /// [`OtherKind`] when the number is that of an operation of another kind, which goes on.
    pub fn end(&mut self, id: u64, expected: Kind) -> Result<Option<O>, OtherKind> {
        match self.operations.get(&id) {
            Some(operation) if operation.kind != expected => Err(OtherKind {
                expected,
                found: operation.kind,
            }),
            _ => Ok(self.remove(id)),
        }
    }

    /// Ends an operation with its answer, which is kept for a while in case it gets lost. False when
    /// the operation was over before: the answer must not be given.
    pub fn answered(&mut self, id: u64, answer: &GatewayFrame, now: Duration) -> bool {
        let found = self.remove(id).is_some();
        if found {
            self.kept.keep(id, answer.clone(), now);
        }
        found
    }

    fn remove(&mut self, id: u64) -> Option<O> {
        let operation = self.operations.remove(&id)?;
        self.counts[operation.kind as usize] -= 1;
        self.bytes -= operation.bytes;
        Some(operation.owner)
    }

    /// What the driver keeps with an operation.
    #[must_use]
    pub fn owner(&self, id: u64) -> Option<&O> {
        self.operations.get(&id).map(|operation| &operation.owner)
    }

    /// What the driver keeps with all operations.
    pub fn owners(&self) -> impl Iterator<Item = &O> {
        self.operations.values().map(|operation| &operation.owner)
    }

    /// Where a subscription goes on, once its session was resumed.
    #[must_use]
    pub fn position(&self, id: u64) -> Option<EventId> {
        self.operations.get(&id)?.position
    }

    /// Begins an invocation, if the client is there; its number.
    pub fn invoke(&mut self, invocation: impl FnOnce(u64) -> I) -> Option<u64> {
        if self.lost.is_some() {
            return None;
        }
        let id = self.next_invocation;
        self.next_invocation += 1;
        self.invocations.insert(id, invocation(id));
        Some(id)
    }

    /// An invocation that has no answer yet.
    #[must_use]
    pub fn invocation(&self, id: u64) -> Option<&I> {
        self.invocations.get(&id)
    }

    /// Ends an invocation: it was answered, or nobody waits for the answer any more.
    pub fn finish(&mut self, id: u64) -> Option<I> {
        self.invocations.remove(&id)
    }

    /// The transport is lost: the grace begins.
    pub fn lose(&mut self, now: Duration) {
        self.lost.get_or_insert(now);
    }

    /// Whether the transport is away.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.lost.is_some()
    }

    /// Whether the client did not come back in time.
    #[must_use]
    pub fn is_over(&self, now: Duration) -> bool {
        self.lost
            .is_some_and(|lost| now.saturating_sub(lost) >= self.grace)
    }

    /// Forgets answers that must have arrived. To be called from time to time.
    pub fn expire(&mut self, now: Duration) {
        if self.lost.is_none() {
            self.kept.drop_before(now.saturating_sub(self.grace));
        }
    }

    /// The client is back, with what it holds of the session. What it does not name ends. An operation
    /// that it names as what it is not ends too, and is told as unknown.
    ///
    /// # Errors
    /// `invalid_request` when it names more than [`MAX_RESUMED`] operations or one twice.
    pub fn resume(&mut self, resume: &Resume) -> Result<Resumed<O, I>, Problem> {
        let Some(named) = Named::read(resume) else {
            let detail = format!("expected at most {MAX_RESUMED} operations, each once");
            return Err(Problem::new(ErrorCode::InvalidRequest, detail));
        };
        self.lost = None;
        let (answers, unknown) = self.told(&named);
        let over = |(id, operation): (&u64, &Operation<O>)| {
            (!named.goes_on(*id, operation.kind)).then_some(*id)
        };
        let over: Vec<u64> = self.operations.iter().filter_map(over).collect();
        let ended = over.into_iter().filter_map(|id| self.remove(id)).collect();
        for (id, position) in named.subscriptions {
            if let Some(operation) = self.operations.get_mut(&id) {
                operation.position = Some(position);
            }
        }
        let gone = self
            .invocations
            .extract_if(.., |id, _| !named.invokes.contains(id));
        Ok(Resumed {
            answers,
            unknown,
            ended,
            abandoned: gone.map(|(_, invocation)| invocation).collect(),
        })
    }

    /// What the client is told of the numbers that do not go on: their answers, and those that there
    /// is nothing for.
    fn told(&self, named: &Named) -> (Vec<GatewayFrame>, Vec<u64>) {
        let (mut answers, mut unknown) = (Vec::new(), Vec::new());
        for &id in named.pending.iter().chain(named.subscriptions.keys()) {
            match (self.operations.get(&id), self.kept.find(id)) {
                (Some(operation), _) if named.goes_on(id, operation.kind) => {}
                (None, Some(answer)) => answers.push(answer.clone()),
                (Some(_), _) | (None, None) => unknown.push(id),
            }
        }
        (answers, unknown)
    }

    /// Ends the session: everything that it had.
    pub fn close(&mut self) -> (Vec<O>, Vec<I>) {
        self.counts = [0; 3];
        self.bytes = 0;
        self.kept = Kept::default();
        let operations = std::mem::take(&mut self.operations).into_values();
        let invocations = std::mem::take(&mut self.invocations).into_values();
        (
            operations.map(|operation| operation.owner).collect(),
            invocations.collect(),
        )
    }

    /// How many operations wait for their answer, and invocations for the client's.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.counts[Kind::Call as usize] + self.invocations.len() as u64
    }

    /// Whether nothing is held at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.invocations.is_empty() && self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests;
