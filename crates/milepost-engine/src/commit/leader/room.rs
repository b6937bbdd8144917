//! A generation on a full disk: what takes room is refused, what only takes away is let in with room from the reserve.
//!
//! Invariant: a commit that takes room never gets any of the reserve: while that is short, it is made whole first, or
//! the commit is refused. Commits that were written are not written again: what could not be written left nothing
//! behind.

use std::sync::atomic::Ordering;

use milepost_io::{Failure, Room};

use super::{InPipeline, Leader, Outcome, Sealed, Unread};
use crate::{
    CommitError,
    engine::Shared,
    reserve::{For, RESERVE},
};

/// The commits of a generation that may give room back, small enough for the reserve, and their places in it.
struct Removals {
    places: Vec<usize>,
    commits: Vec<Sealed>,
    /// The others' places in pipelines.
    others: Vec<InPipeline>,
}

impl Leader {
    /// The outcomes of a generation, with room from the reserve for what may have it.
    pub(super) fn outcomes_with_room<'s>(
        &mut self,
        shared: &'s Shared,
        commits: Vec<Sealed>,
    ) -> (Vec<Outcome>, Option<Unread<'s>>) {
        let count = commits.len();
        let removals = Removals::of(&commits, shared.reserve.stats().bytes);
        if shared.reserve.is_short()
            && removals.places.len() < count
            && let Err(full) = shared.whole_reserve()
        {
            return self.only(shared, removals, vec![Err(full); count]);
        }
        let bytes = commits.iter().map(Sealed::frame_bytes).sum::<usize>() as u64;
        let (mut outcomes, unread) = self.outcomes(shared, commits);
        if outcomes.iter().any(is_full) {
            if let Err(CommitError::DiskFull { need, .. }) = &mut outcomes[0] {
                *need = bytes.max(*need);
            }
            return self.only(shared, removals, outcomes);
        }
        if self.is_full && !removals.places.is_empty() {
            shared.want_room();
        }
        self.is_full &= removals.places.len() == count;
        (outcomes, unread)
    }

    /// Leads the removals alone, of a generation that was refused with these outcomes.
    fn only<'s>(
        &mut self,
        shared: &'s Shared,
        removals: Removals,
        mut refused: Vec<Outcome>,
    ) -> (Vec<Outcome>, Option<Unread<'s>>) {
        if !std::mem::replace(&mut self.is_full, true) {
            shared.want_room();
        }
        let Removals { places, commits, others } = removals;
        others.iter().for_each(InPipeline::refuse);
        if commits.is_empty() {
            return (refused, None);
        }
        let mut asked = 0;
        loop {
            let (outcomes, unread) = self.outcomes(shared, commits.clone());
            let need = outcomes.iter().find_map(|outcome| outcome.as_ref().err().and_then(lacking));
            if let Some(need) = need {
                asked = need.max(2 * asked);
                if shared.reserve.give(For::Removal, asked) {
                    continue;
                }
            } else {
                shared.want_room();
            }
            places.into_iter().zip(outcomes).for_each(|(place, outcome)| refused[place] = outcome);
            return (refused, unread);
        }
    }
}

impl Removals {
    fn of(commits: &[Sealed], reserve_bytes: u64) -> Removals {
        let mut removals = Removals { places: Vec::new(), commits: Vec::new(), others: Vec::new() };
        let mut bytes = 0;
        for (place, commit) in commits.iter().enumerate() {
            bytes += if commit.gives_room { commit.frame_bytes() as u64 } else { 0 };
            if commit.gives_room && bytes <= reserve_bytes {
                removals.places.push(place);
                removals.commits.push(commit.clone());
            } else {
                removals.others.extend(commit.in_pipeline.clone());
            }
        }
        removals
    }
}

impl Shared {
    /// Makes the reserve whole, with the room of spares if it takes that.
    fn whole_reserve(&self) -> Result<(), CommitError> {
        let Err(lacking) = self.reserve.make_whole().or_else(|_| {
            self.keep_spares(false);
            self.reserve.look_again();
            self.reserve.make_whole()
        }) else {
            return Ok(());
        };
        Err(match lacking.free {
            Some(free) => CommitError::DiskFull { need: lacking.need, free },
            None => CommitError::Write(Failure::new(&self.dir.join(RESERVE), "take room", &lacking.error.to_string())),
        })
    }

    /// The disk is full, or something may be gone: compaction is to look.
    fn want_room(&self) {
        self.room_wanted.store(true, Ordering::Release);
        self.compaction_wanted.store(true, Ordering::Release);
    }
}

fn is_full(outcome: &Outcome) -> bool {
    matches!(outcome, Err(CommitError::DiskFull { .. }))
}

/// How many bytes of room are lacking, if room is what is.
pub(super) fn lacking(error: &CommitError) -> Option<u64> {
    match error {
        CommitError::DiskFull { need, free: Room::Free(_) } => Some(*need),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
