//! What is written, as pure functions of a number. A *lane* is a scope with one thread that writes to it; its commits
//! are numbered from 1, and commit `n` says the same in every run.
//!
//! Invariant: the state of a lane after its commit `n` is [`Lane::state`] of `n`. So whoever reads a lane whole, at
//! whatever moment, knows from what it reads which `n` it must be, and then every key that must be there, with its
//! value. No two processes need to agree on anything else.
//!
//! Must not know: a store, a clock, a process.

pub(crate) mod value;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dice::mix;

/// The scope in which each lane but those of single events says, with each commit, which one it was.
pub(crate) const HEADS: &str = "haul/heads";

/// How many keys there are: what is live once every key was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Size {
    /// Of each lane of single events.
    pub(crate) single_keys: u64,
    /// Of the slow lane, which writes ten a second. In each segment something of it stays when all else has gone, so
    /// compaction has to write segments anew and not only to drop them.
    pub(crate) slow_keys: u64,
    /// A batch writes to one page of a thousand keys, and the next batch to the next page.
    pub(crate) batch_pages: u64,
    /// Of a cycle of marks.
    pub(crate) marks: u64,
}

const BATCH_EVENTS_MAX: u64 = 1000;
const BATCH_EVENTS_MIN: u64 = 100;
/// After so many commits the queue is cleared and filled anew,
const QUEUE_CYCLE: u64 = 200;
/// and the scope that is restored begins anew.
const RESTORED_CYCLE: u64 = 16;

/// The name of the checkpoint that is restored to.
pub(crate) const CHECKPOINT: &str = "good";

/// How many lanes there are.
pub(crate) const LANES: usize = 8;

/// Who writes what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// One event a commit, over keys in turn. Four of them.
    Single { index: u64, keys: u64 },
    /// The same, seldom.
    Slow { keys: u64 },
    /// A hundred to a thousand events a commit.
    Batch { pages: u64 },
    /// Keys that come and go: sets, deletes and clears.
    Queue,
    /// A small scope that is given a checkpoint, changed, restored to it, and has it dropped.
    Restored,
}

/// One event of a commit, in the lane's own scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A key gets the value of the commit that it is in.
    Set(String),
    Delete(String),
    Clear,
    Checkpoint,
    Release,
    /// Back to the checkpoint.
    Restore,
}

/// Of each key the number of the commit that its value is of.
pub(crate) type State = BTreeMap<String, u64>;

impl Lane {
    /// All lanes; the place in it is what a lane is called by between processes.
    pub(crate) fn all(size: Size) -> [Lane; LANES] {
        let single = |index| Lane::Single { index, keys: size.single_keys };
        let (slow, batch) = (Lane::Slow { keys: size.slow_keys }, Lane::Batch { pages: size.batch_pages });
        [single(0), single(1), single(2), single(3), slow, batch, Lane::Queue, Lane::Restored]
    }

    pub(crate) fn name(self) -> String {
        match self {
            Lane::Single { index, .. } => format!("single/{index}"),
            Lane::Slow { .. } => "single/slow".to_owned(),
            Lane::Batch { .. } => "batch".to_owned(),
            Lane::Queue => "queue".to_owned(),
            Lane::Restored => "restored".to_owned(),
        }
    }

    /// Over how many keys a lane of single events goes; `None` for the others, which say their number in [`HEADS`].
    pub(crate) fn keys_in_turn(self) -> Option<u64> {
        match self {
            Lane::Single { keys, .. } | Lane::Slow { keys } => Some(keys),
            Lane::Batch { .. } | Lane::Queue | Lane::Restored => None,
        }
    }

    /// The key that commit `n` of a lane with so many keys in turn sets.
    pub(crate) fn key_in_turn(keys: u64, n: u64) -> String {
        format!("k{:05}", n % keys)
    }

    /// What commit `n` says.
    pub(crate) fn commit(self, n: u64) -> Vec<Step> {
        match self {
            Lane::Single { keys, .. } | Lane::Slow { keys } => vec![Step::Set(Lane::key_in_turn(keys, n))],
            Lane::Batch { pages } => {
                (0..batch_events(pages, n)).map(|index| Step::Set(batch_key(pages, n, index))).collect()
            }
            Lane::Queue => vec![queue_step(n)],
            Lane::Restored => vec![restored_step(n)],
        }
    }

    /// What the lane holds after its commit `n`.
    pub(crate) fn state(self, n: u64) -> State {
        match self {
            Lane::Single { keys, .. } | Lane::Slow { keys } => in_turn(keys, n),
            Lane::Batch { pages } => batches(pages, n),
            Lane::Queue => replayed(self, QUEUE_CYCLE, n),
            Lane::Restored => replayed(self, RESTORED_CYCLE, n),
        }
    }
}

/// The last `keys` numbers, each at its key.
fn in_turn(keys: u64, n: u64) -> State {
    let first = (n + 1).saturating_sub(keys).max(1);
    (first..=n).map(|n| (Lane::key_in_turn(keys, n), n)).collect()
}

/// Every third batch of a page writes the page whole, so what holds is known from the last three.
fn batch_events(pages: u64, n: u64) -> u64 {
    if (n / pages).is_multiple_of(3) {
        return BATCH_EVENTS_MAX;
    }
    BATCH_EVENTS_MIN + mix(n) % (BATCH_EVENTS_MAX - BATCH_EVENTS_MIN)
}

fn batch_key(pages: u64, n: u64, index: u64) -> String {
    format!("p{:02}/{index:03}", n % pages)
}

fn batches(pages: u64, n: u64) -> State {
    // Two rounds before the one that is under way there may be the last whole one, and one more for its pages that this
    // round has not come to.
    let first = n.saturating_sub(4 * pages).max(1);
    let mut state = State::new();
    for n in first..=n {
        state.extend((0..batch_events(pages, n)).map(|index| (batch_key(pages, n, index), n)));
    }
    state
}

fn queue_step(n: u64) -> Step {
    let place = n % QUEUE_CYCLE;
    match place {
        0 => Step::Clear,
        _ if place.is_multiple_of(4) => Step::Set("first".to_owned()),
        _ if place % 4 == 3 => Step::Delete(format!("q{:03}", place - 2)),
        _ => Step::Set(format!("q{place:03}")),
    }
}

fn restored_step(n: u64) -> Step {
    match n % RESTORED_CYCLE {
        0 => Step::Clear,
        place @ 1..=6 => Step::Set(format!("r{place}")),
        7 => Step::Checkpoint,
        // One that was there and is not, three that have other values, one that was not there.
        8 => Step::Delete("r1".to_owned()),
        place @ 9..=11 => Step::Set(format!("r{}", place - 7)),
        12 => Step::Set("new".to_owned()),
        13 => Step::Restore,
        14 => Step::Release,
        _ => Step::Set("r6".to_owned()),
    }
}

/// The state from the begin of the cycle on, which is a clear.
fn replayed(lane: Lane, cycle: u64, n: u64) -> State {
    let (mut state, mut checkpoint) = (State::new(), State::new());
    for n in n - n % cycle..=n {
        // There is no commit 0; the state before the first one is as after a clear.
        for step in lane.commit(n) {
            match step {
                Step::Set(key) => drop(state.insert(key, n)),
                Step::Delete(key) => drop(state.remove(&key)),
                Step::Clear => state.clear(),
                Step::Checkpoint => checkpoint.clone_from(&state),
                Step::Restore => state.clone_from(&checkpoint),
                Step::Release => {}
            }
        }
    }
    state
}

#[cfg(test)]
mod tests;
