//! Runs written anew without the versions and clears that the log does not hold any more.
//!
//! As [`Indexer`] makes one run of several, but driven by who compacts, one piece after the other, while ordinary
//! merges go on with the other runs: what is being thinned they leave alone. Each run may be thinned for itself, in any
//! order: what is gone from the log no read that is possible needs.

use std::{ops::RangeInclusive, sync::Arc};

use milepost_index::{BuildError, Keeps, Run, RunFacts, Stepped};

use super::{IndexError, Indexer, KEYS_PER_STEP, List, Merging, plan::MERGED_BYTES_MAX};
use crate::state::{State, Tiers};

impl Indexer {
    /// Begins to write the runs that hold these commits anew, as one, or as many of the first of them as fit into one;
    /// `None` if there are none.
    pub(crate) fn begin_thinning(
        &mut self,
        tiers: &Tiers,
        seqs: &RangeInclusive<u64>,
    ) -> Result<Option<Merging>, IndexError> {
        let mut bytes = 0;
        let fits = |run: &&Arc<Run>| {
            bytes += run.facts().bytes;
            bytes == run.facts().bytes || bytes <= MERGED_BYTES_MAX
        };
        let holds = |run: &&Arc<Run>| run.facts().first_seq <= *seqs.end() && *seqs.start() <= run.facts().last_seq;
        let parts: Vec<Arc<Run>> = tiers.runs().iter().rev().filter(holds).take_while(fits).map(Arc::clone).collect();
        if parts.is_empty() {
            return Ok(None);
        }
        // Those would come to nothing.
        self.merges.retain(|merge| !merge.parts.iter().any(|part| is_among(part, &parts)));
        let merging = self.merging(parts)?;
        self.being_thinned = Arc::downgrade(&merging.parts);
        Ok(Some(merging))
    }

    /// Has the run that was made count in the place of its parts; whether it knows less.
    pub(crate) fn end_thinning(
        &mut self,
        merging: &Merging,
        facts: &RunFacts,
        state: &State,
        list: &mut List<'_>,
    ) -> Result<bool, IndexError> {
        let run = self.merged(&merging.parts, facts, state, list)?;
        let known = |run: &Run| run.version_count() + run.clear_count();
        Ok(known(&run) < merging.parts.iter().map(|part| known(part)).sum())
    }

    /// How many of the newest runs an ordinary merge may take.
    pub(super) fn free_runs(&self, tiers: &Tiers) -> usize {
        let taken = self.being_thinned.upgrade();
        tiers.runs().iter().take_while(|run| !taken.as_ref().is_some_and(|taken| is_among(run, taken))).count()
    }
}

impl Merging {
    /// Goes on with what is kept; the run once it is there.
    pub(crate) fn step_keeping(&mut self, keeps: &mut Keeps<'_>) -> Result<Option<RunFacts>, BuildError> {
        Ok(match self.merge.step_keeping(KEYS_PER_STEP, keeps)? {
            Stepped::More => None,
            Stepped::Done(facts) => Some(facts),
        })
    }
}

fn is_among(run: &Run, parts: &[Arc<Run>]) -> bool {
    parts.iter().any(|part| part.facts().id == run.facts().id)
}
