//! [`Voids`]: the clears and erasures before which nothing is left, found by the walk that counts.
//!
//! Invariant: the walk goes over names in order. So all scopes below a prefix come one after the other, right behind
//! what its clears are named, which is the prefix with a slash behind it; the scope that is named like the prefix
//! itself came before.

use std::collections::HashMap;

use crate::state::Mark;

/// So many are taken by one pass, the others by the next.
const TAKEN_MAX: usize = 1 << 20;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Voids {
    /// Those that go, in order once the walk has ended.
    taken: Vec<Mark>,
    /// Of scopes whose prefix is known to have been cleared, and comes yet: the first that is left.
    awaited: HashMap<String, Option<Mark>>,
    /// Prefixes that the walk is below, each within the one before.
    open: Vec<Below>,
}

/// A prefix that was cleared, and what is left at and below it.
#[derive(Debug)]
pub(super) struct Below {
    /// With a slash behind it.
    pub(super) name: String,
    pub(super) marks: Vec<Mark>,
    /// The first that is left.
    pub(super) first: Option<Mark>,
}

impl Voids {
    /// What is left of a scope is told: the first of it.
    pub(super) fn see(&mut self, first: Option<Mark>) {
        for below in &mut self.open {
            below.first = below.first.into_iter().chain(first).min();
        }
    }

    /// The prefix that is named like this scope was cleared.
    pub(super) fn expect(&mut self, scope: &str, first: Option<Mark>) {
        self.awaited.insert(format!("{scope}/"), first);
    }

    /// Goes below a prefix. `first` is what is left there and is no version of a key.
    pub(super) fn enter(&mut self, name: &str, marks: Vec<Mark>, first: Option<Mark>) {
        let own = self.awaited.remove(name).flatten();
        let first = own.into_iter().chain(first).min();
        self.open.push(Below { name: name.to_owned(), marks, first });
    }

    /// Leaves the innermost prefix that this name does not lie below; all of them one after the other for `None`.
    pub(super) fn leave(&mut self, next: Option<&str>) -> Option<Below> {
        let innermost = self.open.last()?;
        if next.is_some_and(|next| next.starts_with(&innermost.name)) {
            return None;
        }
        let left = self.open.pop();
        let first = left.as_ref().and_then(|below| below.first);
        self.see(first);
        left
    }

    /// One goes; whether it is taken by this pass.
    pub(super) fn take(&mut self, mark: Mark) -> bool {
        let has_room = self.taken.len() < TAKEN_MAX;
        if has_room {
            self.taken.push(mark);
        }
        has_room
    }

    /// Those that go, in order.
    pub(super) fn into_taken(self) -> Vec<Mark> {
        let mut taken = self.taken;
        taken.sort_unstable();
        taken
    }
}
