//! The versions of all keys of a scope, in the order of events.
//!
//! Invariant: costs in proportion to what is returned: a search in the index, and the groups that hold the answer.

use milepost_types::Corruption;

use super::{
    Run, ScopeView,
    lists::{List, ListPlace},
};
use crate::{
    Version,
    format::{
        list::{Group, Order},
        step::Place,
    },
    pages::Damage,
};

impl Run {
    /// The versions of all keys of a scope from commit `from` to commit `to`, both included, oldest first. Equal ones,
    /// as of two claims of one commit, come once. Which key each is of stands in the log.
    pub fn changes(&self, scope: &ScopeView, from: u64, to: u64) -> Result<Changes<'_>, Corruption> {
        let list = self.change_list(scope);
        let first = list.groups_before(self, from).map_err(|damage| self.corrupt(damage))?.saturating_sub(1);
        let place = if from <= to { Some(ListPlace::new(list, first, None)) } else { None };
        Ok(Changes { run: self, from, to, place, group: None })
    }

    /// The last commit at or before `seq` that changed a key of a scope.
    pub fn last_change(&self, scope: &ScopeView, seq: u64) -> Result<Option<u64>, Corruption> {
        let list = self.change_list(scope);
        let above = list.groups_before(self, seq.saturating_add(1)).map_err(|damage| self.corrupt(damage))?;
        // In a list of one group nothing says where it begins.
        let Some(group) = above.checked_sub(1) else { return Ok(None) };
        let mut last = None;
        let changes =
            Changes { run: self, from: 0, to: seq, place: Some(ListPlace::new(list, group, None)), group: None };
        for change in changes {
            last = Some(change?.seq);
        }
        Ok(last)
    }

    /// The place before the first change of a scope.
    pub(crate) fn change_place(&self, scope: &ScopeView) -> ListPlace {
        ListPlace::new(self.change_list(scope), 0, None)
    }

    pub(super) fn change_list(&self, scope: &ScopeView) -> List {
        List {
            order: Order::OldestFirst,
            count: scope.record.changes,
            at: scope.record.changes_at,
            from: Place { seq: self.facts.first_seq, record: 0 },
        }
    }
}

/// Changes of a scope, oldest first.
#[derive(Clone, Debug)]
pub struct Changes<'a> {
    run: &'a Run,
    from: u64,
    to: u64,
    /// `None` once the end was reached.
    place: Option<ListPlace>,
    group: Option<Group<'a>>,
}

impl Changes<'_> {
    fn read(&mut self) -> Result<Option<Version>, Damage> {
        let Some(place) = &mut self.place else {
            return Ok(None);
        };
        loop {
            if let Some(group) = &mut self.group {
                while let Some(version) = place.read(self.run, group)? {
                    if version.seq > self.to {
                        return Ok(None);
                    }
                    if version.seq >= self.from {
                        return Ok(Some(version));
                    }
                }
            }
            self.group = place.next_group(self.run)?;
            if self.group.is_none() {
                return Ok(None);
            }
        }
    }
}

impl Iterator for Changes<'_> {
    type Item = Result<Version, Corruption>;

    fn next(&mut self) -> Option<Result<Version, Corruption>> {
        let read = self.read().map_err(|damage| self.run.corrupt(damage));
        if !matches!(read, Ok(Some(_))) {
            (self.place, self.group) = (None, None);
        }
        read.transpose()
    }
}
