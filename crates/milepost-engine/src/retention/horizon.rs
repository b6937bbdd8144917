//! [`Horizons`]: from which commit on the past can be read, for each place where that was ever said. Pure.
//!
//! Invariant: a horizon never moves back, whatever becomes of the policy that moved it: what lies before it may be
//! gone. The row with the longest prefix that holds a scope speaks of it; a row that comes later begins where the one
//! stood that spoke of its place before.

use milepost_types::{ScopePrefix, Seq, Timestamp};

use super::rules::is_at_or_below;

/// From where on the past of a place can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Where in the tree of scopes; of what lies below, all that no longer prefix speaks of.
    pub prefix: ScopePrefix,
    /// Reads as of this commit and of later ones are possible.
    pub seq: Seq,
    /// Its time.
    pub at: Timestamp,
}

/// The horizons of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Horizons {
    /// In the order of their prefixes.
    rows: Vec<Horizon>,
    /// Commits up to this one were taken over from another log, out of which some had gone: that this one holds them
    /// as they came says nothing of how they were first written. Never less than it was.
    filled: Seq,
}

impl Horizons {
    /// Rows as they were kept, in any order.
    pub(crate) fn new(mut rows: Vec<Horizon>) -> Horizons {
        rows.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        Horizons { rows, filled: Seq::ZERO }
    }

    /// The same of a log that was filled up to a commit.
    pub(crate) fn filled_through(self, seq: Seq) -> Horizons {
        Horizons { filled: self.filled.max(seq), ..self }
    }

    /// Up to which commit the log was filled with what was taken over; zero if it was not.
    pub(crate) fn filled(&self) -> Seq {
        self.filled
    }

    pub(crate) fn rows(&self) -> &[Horizon] {
        &self.rows
    }

    /// A read as of this commit or a later one is before no horizon.
    pub(crate) fn last(&self) -> Seq {
        self.rows.iter().map(|row| row.seq).max().unwrap_or(Seq::ZERO)
    }

    /// The row that speaks of a scope or a prefix.
    pub(crate) fn row_of(&self, place: &str) -> Option<&Horizon> {
        let speaks = |row: &&Horizon| is_at_or_below(place, &row.prefix);
        self.rows.iter().filter(speaks).max_by_key(|row| row.prefix.as_str().len())
    }

    /// The first commit as of which a scope can be read: zero if nothing was ever said.
    pub(crate) fn of(&self, scope: &str) -> Seq {
        self.row_of(scope).map_or(Seq::ZERO, |row| row.seq)
    }

    /// Gives a place a row of its own.
    pub(crate) fn add(&mut self, prefix: &ScopePrefix) {
        let (Ok(place) | Err(place)) = self.rows.binary_search_by(|row| row.prefix.cmp(prefix));
        if self.rows.get(place).is_some_and(|row| row.prefix == *prefix) {
            return;
        }
        let before = self.row_of(prefix.as_str());
        let (seq, at) = before.map_or((Seq::ZERO, Timestamp::MIN), |row| (row.seq, row.at));
        self.rows.insert(place, Horizon { prefix: prefix.clone(), seq, at });
    }

    /// Moves the rows on to where `to` says; one that is further stays. Whether any moved.
    pub(crate) fn advance(&mut self, mut to: impl FnMut(&ScopePrefix) -> Option<(Seq, Timestamp)>) -> bool {
        let mut has_moved = false;
        for row in &mut self.rows {
            if let Some((seq, at)) = to(&row.prefix).filter(|(seq, _)| *seq > row.seq) {
                (row.seq, row.at, has_moved) = (seq, at, true);
            }
        }
        has_moved
    }
}

#[cfg(test)]
mod tests;
