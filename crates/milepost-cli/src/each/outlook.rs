//! [`Outlook`]: how many items a job has and how many are left, told while their list is read and run.
//!
//! The items of a job are those that are marked, be they in the list or not, and those of the list that are not. Left
//! are those of the list that are to be run and have not ended: also one that has failed in an earlier run and runs
//! again.
//!
//! Invariant: exact once the list was read to its end. Before, of the items that were counted and not read yet as many
//! count as marked as can be, which is right where the list is that of the run before, with more behind it or without;
//! and nothing is said where by that nothing were left.
//!
//! Pure: knows nothing of stores and inputs.

use milepost::task::Expected;

/// What an item was before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Earlier {
    /// Not marked.
    Unmarked,
    /// Failed.
    Failed,
}

/// How far a list is read, and what of it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outlook {
    /// Items that earlier runs have marked.
    marked: u64,
    /// Those of them that failed, and are run again where they are in the list.
    retried: u64,
    /// Items of the list that are not read yet, where that is known. Those that are none count until they are read.
    unread: Option<u64>,
    /// Items of the list that earlier runs have marked, so far.
    met: u64,
    /// Items to be run that were not marked, so far, and how many of them have ended.
    fresh: Run,
    /// The same of items that had failed.
    again: Run,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    chosen: u64,
    ended: u64,
}

impl Outlook {
    /// Before a list is read. `retried` are the failed ones among the marked, where they are to be run again.
    pub(super) fn new(marked: u64, retried: u64) -> Outlook {
        Outlook { marked, retried, ..Outlook::default() }
    }

    /// The list was counted.
    pub(super) fn counted(&mut self, items: u64) {
        self.unread = Some(items);
    }

    /// An item or what is none was read.
    pub(super) fn read(&mut self) {
        self.unread = self.unread.map(|unread| unread.saturating_sub(1));
    }

    /// The list was read to its end.
    pub(super) fn ended(&mut self) {
        self.unread = Some(0);
    }

    /// What was read is marked, and stays so.
    pub(super) fn met(&mut self) {
        self.met += 1;
    }

    /// What was read is to be run.
    pub(super) fn chosen(&mut self, earlier: Earlier) {
        if earlier == Earlier::Failed {
            self.met += 1;
        }
        self.of(earlier).chosen += 1;
    }

    /// The mark of what was run is to be committed.
    pub(super) fn marks(&mut self, earlier: Earlier) {
        self.of(earlier).ended += 1;
    }

    fn of(&mut self, earlier: Earlier) -> &mut Run {
        match earlier {
            Earlier::Unmarked => &mut self.fresh,
            Earlier::Failed => &mut self.again,
        }
    }

    /// What to say of it.
    pub(super) fn expected(&self) -> Expected {
        let again = self.again.chosen.saturating_sub(self.again.ended);
        let Some(unread) = self.unread else { return Expected { total: None, again } };
        // As many of those that are not read as can be are marked, and of these as many as can be have failed.
        let marked = unread.min(self.marked.saturating_sub(self.met));
        let fresh = self.fresh.chosen + (unread - marked);
        let again = again + marked.min(self.retried.saturating_sub(self.again.chosen));
        let left = fresh.saturating_sub(self.fresh.ended) + again;
        let total = Some(self.marked + fresh).filter(|_| unread == 0 || left > 0);
        Expected { total, again }
    }
}

#[cfg(test)]
mod tests;
