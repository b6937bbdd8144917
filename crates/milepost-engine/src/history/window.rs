//! [`Window`]: the first so many of the changes that are found, in the order asked for. Pure.
//!
//! Invariant: no more than twice as many are in memory. What is behind the last one kept is found again by the next
//! window, which begins behind it.

use std::{cmp::Ordering, sync::Arc};

use super::gather::Found;

/// A change that one window ends with. Of a clear, which has one place for many keys, their order makes it whole.
#[derive(Debug)]
pub(super) struct Edge {
    place: (u64, u32),
    scope: Arc<str>,
    name: Arc<str>,
}

/// Changes on their way into order.
#[derive(Debug)]
pub(super) struct Window {
    max: usize,
    newest_first: bool,
    /// Only what comes behind it.
    after: Option<Edge>,
    found: Vec<Found>,
    /// The last one that is still among the first so many, where there were more.
    last: Option<Edge>,
}

/// Where a change stands in the log.
type Stands<'a> = ((u64, u32), &'a str, &'a str);

impl Edge {
    fn of(found: &Found) -> Edge {
        Edge { place: found.place, scope: Arc::clone(&found.scope), name: Arc::clone(&found.name) }
    }

    fn stands(&self) -> Stands<'_> {
        (self.place, &self.scope, &self.name)
    }
}

impl Found {
    fn stands(&self) -> Stands<'_> {
        (self.place, &self.scope, &self.name)
    }
}

impl Window {
    pub(super) fn new(max: usize, newest_first: bool, after: Option<Edge>) -> Window {
        Window { max, newest_first, after, found: Vec::new(), last: None }
    }

    fn order(&self, a: Stands<'_>, b: Stands<'_>) -> Ordering {
        if self.newest_first { b.cmp(&a) } else { a.cmp(&b) }
    }

    /// Whether a change may be among those.
    pub(super) fn may_take(&self, place: (u64, u32), scope: &str, name: &str) -> bool {
        let is_behind = |edge: &Edge| self.order((place, scope, name), edge.stands()).is_gt();
        self.after.as_ref().is_none_or(is_behind) && !self.last.as_ref().is_some_and(is_behind)
    }

    pub(super) fn push(&mut self, found: Found) {
        self.found.push(found);
        if self.found.len() >= 2 * self.max {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        if found.len() > self.max {
            found.select_nth_unstable_by(self.max - 1, |a, b| self.order(a.stands(), b.stands()));
            self.last = Some(Edge::of(&found[self.max - 1]));
            found.truncate(self.max);
        }
        self.found = found;
    }

    /// The changes, in order, and the last of them if there are more.
    pub(super) fn end(mut self) -> (Vec<Found>, Option<Edge>) {
        self.cut();
        let mut found = std::mem::take(&mut self.found);
        found.sort_unstable_by(|a, b| self.order(a.stands(), b.stands()));
        (found, self.last)
    }
}

#[cfg(test)]
mod tests;
