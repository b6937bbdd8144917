//! [`plan`]: which segments are dropped, and which are written anew, by what of them stays. [`runs_to_thin`]: the same
//! of the index. Pure.
//!
//! Invariant: a task names sealed segments side by side. What goes away with one is only what goes.

use std::ops::RangeInclusive;

use milepost_index::RunFacts;
use milepost_log::{Form, SegmentId};

/// What of a segment stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) id: SegmentId,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    /// Of its file; of one that is compressed, of its frames as they are read: offsets in it are theirs.
    pub(crate) bytes: u64,
    /// Whether it can be written anew.
    pub(crate) is_sealed: bool,
    /// Whether something may have been taken out of it already.
    pub(crate) is_thinned: bool,
    /// How its frames stand in its file.
    pub(crate) form: Form,
    /// Whether it is to be compressed, and is not yet.
    pub(crate) is_cold_due: bool,
    /// Records that stay.
    pub(crate) stays: u64,
    /// Records that are there and go.
    pub(crate) goes: u64,
    /// Whether one of these was erased: its bytes have to leave the disk.
    pub(crate) is_erased: bool,
}

/// What makes a segment worth to be written anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Worth {
    /// A third of it goes: then no more than half as much as is kept is carried along.
    #[default]
    AThird,
    /// Anything goes.
    Anything,
    /// The same, and all that is sealed is compressed.
    Cold,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Nothing of these stays.
    Drop(RangeInclusive<SegmentId>),
    /// These become one.
    Rewrite(RangeInclusive<SegmentId>, Form),
}

impl Task {
    /// Of which segments.
    pub(crate) fn ids(&self) -> &RangeInclusive<SegmentId> {
        let (Task::Drop(ids) | Task::Rewrite(ids, _)) = self;
        ids
    }
}

impl Tally {
    fn is_dead(&self) -> bool {
        self.is_sealed && self.stays == 0 && self.goes > 0
    }

    fn is_worth_it(&self, worth: Worth) -> bool {
        let goes = match worth {
            Worth::AThird => 3 * self.goes >= self.stays + self.goes,
            Worth::Anything | Worth::Cold => true,
        };
        self.is_sealed && (self.is_cold_due || self.goes > 0 && (goes || self.is_erased))
    }

    /// How it is to stand in its file: what is cold stays cold.
    fn form_after(&self) -> Form {
        if self.is_cold_due { Form::Compressed } else { self.form }
    }

    /// About how many bytes of it stay.
    fn bytes_after(&self) -> u64 {
        in_proportion(self.bytes, self.stays, self.goes)
    }

    /// Small enough to become one with its neighbours, whatever goes.
    fn is_small(&self, segment_bytes: u64) -> bool {
        self.is_sealed && self.bytes < segment_bytes / SMALL_PARTS
    }
}

/// As large a part of some bytes as of the records stay; all where there are none.
pub(crate) fn in_proportion(bytes: u64, stays: u64, goes: u64) -> u64 {
    let all = u128::from(stays) + u128::from(goes);
    (u128::from(bytes) * u128::from(stays)).checked_div(all).map_or(bytes, |part| part as u64)
}

/// A segment that has become so small, or was sealed so small, is written anew with its neighbours,
const SMALL_PARTS: u64 = 8;
/// if so many are side by side.
const SMALL_MIN: usize = 4;

/// What to do with segments, which are all there are, in order. What is dropped comes first: it makes room.
pub(crate) fn plan(tallies: &[Tally], worth: Worth, segment_bytes: u64) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut rest = tallies;
    while let Some(first) = rest.first() {
        let form = first.form_after();
        let (count, task) = if first.is_dead() {
            let count = rest.iter().take_while(|tally| tally.is_dead()).count();
            (count, Task::Drop(first.id..=rest[count - 1].id))
        } else {
            let is_worth_it = |tally: &Tally| !tally.is_dead() && tally.is_worth_it(worth);
            let is_small = |tally: &Tally| tally.is_small(segment_bytes);
            let count = if first.is_worth_it(worth) {
                fitting(rest, segment_bytes, |tally| is_worth_it(tally) && tally.form_after() == form)
            } else {
                let small = fitting(rest, segment_bytes, |tally| is_small(tally) && tally.form_after() == form);
                if small < SMALL_MIN {
                    rest = &rest[1..];
                    continue;
                }
                small
            };
            (count, Task::Rewrite(first.id..=rest[count - 1].id, form))
        };
        tasks.push(task);
        rest = &rest[count..];
    }
    tasks.sort_by_key(|task| matches!(task, Task::Rewrite(..)));
    tasks
}

/// How many of the first are wanted and fit into one segment; at least the first, if it is wanted.
fn fitting(tallies: &[Tally], segment_bytes: u64, wanted: impl Fn(&Tally) -> bool) -> usize {
    let mut bytes = 0;
    // What was dropped between two of them stands between them still.
    let is_next = |index: usize| index == 0 || tallies[index - 1].last_seq + 1 == tallies[index].first_seq;
    let fits = |(index, tally): &(usize, &Tally)| {
        bytes += tally.bytes_after();
        is_next(*index) && wanted(tally) && (*index == 0 || bytes <= segment_bytes)
    };
    tallies.iter().enumerate().take_while(fits).count()
}

/// What a run knows that is nowhere any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunTally {
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    /// Versions of keys that it knows,
    pub(crate) versions: u64,
    /// how many of them the log does not hold any more,
    pub(crate) absent: u64,
    /// and how many go.
    pub(crate) goes: u64,
}

impl RunTally {
    pub(crate) fn of(run: &RunFacts) -> RunTally {
        RunTally { first_seq: run.first_seq, last_seq: run.last_seq, versions: 0, absent: 0, goes: 0 }
    }

    fn is_worth_it(&self, worth: Worth, share: Share) -> bool {
        let absent = self.absent + share.of(self.goes);
        absent > 0
            && match worth {
                Worth::AThird => 3 * absent >= self.versions,
                Worth::Anything | Worth::Cold => true,
            }
    }
}

/// A part of a whole.
#[derive(Clone, Copy, Debug)]
struct Share {
    part: u64,
    whole: u64,
}

impl Share {
    /// As large a part of a number.
    fn of(self, number: u64) -> u64 {
        (u128::from(number) * u128::from(self.part)).checked_div(u128::from(self.whole)).unwrap_or_default() as u64
    }
}

/// The commits of runs that are worth being written anew once the tasks are done, side by side each. The runs are all
/// there are, in order.
///
/// In which segments that what goes of a run stands was not counted: about as large a part of it is taken to be in
/// those of the tasks as of all that goes.
pub(crate) fn runs_to_thin(
    runs: &[RunTally],
    tallies: &[Tally],
    tasks: &[Task],
    worth: Worth,
) -> Vec<RangeInclusive<u64>> {
    let is_done = |tally: &&Tally| tasks.iter().any(|task| task.ids().contains(&tally.id));
    let share = Share {
        part: tallies.iter().filter(is_done).map(|tally| tally.goes).sum(),
        whole: tallies.iter().map(|tally| tally.goes).sum(),
    };
    let stretches = runs.chunk_by(|one, next| one.is_worth_it(worth, share) == next.is_worth_it(worth, share));
    let worthwhile = stretches.filter(|stretch| stretch[0].is_worth_it(worth, share));
    worthwhile.map(|stretch| stretch[0].first_seq..=stretch[stretch.len() - 1].last_seq).collect()
}

#[cfg(test)]
mod tests;
