//! The observed-remove set.

use crate::{
    actor::{Actor, Dot, Id},
    delta::Delta,
    retired::IsRetired,
    state::State,
};

/// A set in which adding wins over removing what was not known to be added: the optimized OR-Set
/// (Bieniusa et al., "An optimized conflict-free replicated set", 2012). Its members are the keys.
pub type OrSet<I, T> = State<I, T, ()>;

impl<I: Id, T: Ord + Clone> State<I, T, ()> {
    /// Adds a member, also if it is there: a removal elsewhere that knows of it so far does not reach
    /// this addition. Returns what to tell the others.
    ///
    /// # Errors
    /// [`IsRetired`] when the actor is.
    pub fn add(&mut self, actor: &Actor<I>, member: T) -> Result<Delta<I, T, ()>, IsRetired> {
        let replaced = self.dots(&member);
        self.put(actor, member, (), &replaced)
    }

    /// Removes a member. Returns what to tell the others: nothing if it is not there.
    pub fn remove(&mut self, member: &T) -> Delta<I, T, ()> {
        self.drop_dots(&self.dots(member))
    }

    fn dots(&self, member: &T) -> Vec<Dot<I>> {
        self.get(member).map(|(dot, ())| dot.clone()).collect()
    }
}
