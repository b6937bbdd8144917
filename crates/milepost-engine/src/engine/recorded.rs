//! The door for commits that were made before: with the place they had, and kept as they were.
//!
//! Invariant: such a commit follows the last one, in `Seq` and in time. For filling a store that nobody else writes to.

use milepost_io::Failure;
use milepost_types::{Digest, Receipt, Seq, Timestamp};

use super::{Engine, Shared};
use crate::{
    CommitError, ReadError, Request, Ticket,
    commit::{Sealed, judge::unreachable_body},
};

impl Engine {
    /// Submits a commit that was made before, at the place it had. The digest says what it was repeated as, if events
    /// went from it.
    pub(crate) fn submit_at(
        &self,
        place: Receipt,
        request: Request,
        digest: Option<Digest>,
    ) -> Result<Ticket, CommitError> {
        self.submit_sealed(Sealed { recorded: Some(place), ..request.seal_own(digest)? })
    }

    /// Submits a commit that was made before, of which the body is there already.
    pub(crate) fn submit_recorded(&self, place: Receipt, body: Vec<u8>) -> Result<Ticket, CommitError> {
        let sealed = Sealed::recorded(place, body).map_err(|error| unreachable_body(place.seq.prev(), &error))?;
        self.submit_sealed(sealed)
    }

    /// Goes on behind commits through `last`, none of which is there, at a cost that does not depend on how many they
    /// are. `times` says when the first and the last were stamped; what it may be left out for is the log's to say.
    /// Nothing may be under way. Until MANIFEST is written next the store could not be opened again.
    pub(crate) fn pass(&self, last: Seq, times: Option<(Timestamp, Timestamp)>) -> Result<(), CommitError> {
        let shared = self.shared();
        shared.may_commit()?;
        let mut guard = shared.leader.lock();
        let leader = guard.as_mut().ok_or(CommitError::Closed)?;
        let turn = shared.turn.take();
        turn.check()?;
        shared.reach(Seq(last.0 + 1))?;
        leader.pass(last, times)?;
        shared.publish(Receipt { seq: last, at: times.map_or(Timestamp::MIN, |(_, last_at)| last_at) });
        Ok(())
    }

    /// Makes the names of the segments durable, and has MANIFEST list them. Nothing may be under way.
    pub(crate) fn list_segments(&self) -> Result<(), CommitError> {
        let mut guard = self.shared().leader.lock();
        let leader = guard.as_mut().ok_or(CommitError::Closed)?;
        leader.sync_names()?;
        self.shared().write_manifest(&leader.writer, None)
    }

    /// When the first of some commits that are not there any more was stamped at the earliest, and the last of them at
    /// the latest; `None` if they begin before the log does, so that nobody knows. They are all that is missing between
    /// two commits, stamped `before` and `behind`, or between one and an end of the log.
    ///
    /// A commit that is gone is known by a step, which may be early by more than the commit before it was; that one and
    /// the one behind are known exactly to whoever has seen them, there still or not. So these times fit between those,
    /// with a microsecond for each commit, and a store that is filled with them says the same again.
    pub fn removed_times(
        &self,
        (first, before): (Seq, Option<Timestamp>),
        (last, behind): (Seq, Option<Timestamp>),
    ) -> Result<Option<(Timestamp, Timestamp)>, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        let first_at = match before {
            Some(before) => Some(Timestamp(before.0.saturating_add(1))),
            None => shared.reader.stamp(first)?,
        };
        let end = self.last();
        let last_at = match behind {
            Some(behind) => Some(Timestamp(behind.0.saturating_sub(1))),
            None if last == end.seq => Some(end.at),
            None => shared.reader.stamp(last)?,
        };
        Ok(first_at.zip(last_at).map(|(first_at, last_at)| {
            let room = Timestamp(first_at.0.saturating_add_unsigned(last.0.saturating_sub(first.0)));
            (first_at, last_at.max(room))
        }))
    }
}

impl Shared {
    /// Makes a run of what memory holds, where a commit that comes next lies too far from the first in it. Only whoever
    /// has the turn to fold calls it, and only if all that was folded is published.
    fn reach(&self, next: Seq) -> Result<(), CommitError> {
        if !self.state.load().active().is_far(next) {
            return Ok(());
        }
        self.make_run_of_frozen()?;
        self.state.freeze(self.published());
        self.make_run_of_frozen()
    }

    fn make_run_of_frozen(&self) -> Result<(), CommitError> {
        while self.state.load().frozen().is_some() {
            if !self.step_index() {
                let why = self.indexing.failure().unwrap_or_else(|| "nobody makes runs any more".to_owned());
                return Err(CommitError::Write(Failure::new(&self.dir, "make a run", &why)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
