//! [`Queue`]: what waits for a leader; [`Generation`]: what one leader takes at once, and how its callers learn the
//! outcome.
//!
//! Invariant: a generation's outcomes are written once, before `done` is set; a caller that sees `done` sees them. All
//! callers of a generation are woken by one system call. The queue is bounded: what does not fit is refused, and one
//! commit always fits.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    task::Waker,
};

use milepost_types::{Receipt, limits};
use parking_lot::Mutex;

use super::Sealed;
use crate::CommitError;

/// What became of one commit.
pub(crate) type Outcome = Result<Receipt, CommitError>;

/// How the callers of one generation learn what became of it.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// 0 until the outcomes are there, then 1. Paired with `sleepers`: both are SeqCst, so that either the leader sees
    /// a sleeper or the sleeper sees `done`.
    done: AtomicU32,
    sleepers: AtomicU32,
    /// 0 until the generation's first caller, if it is one that waits, is to lead it, then 1. A word of its own: that
    /// caller is woken before all others, so that the next write begins while the callers of the last are being woken.
    lead: AtomicU32,
    outcomes: OnceLock<Vec<Outcome>>,
    /// By the commit's index; one for each ticket that was polled.
    wakers: Mutex<Vec<Option<Waker>>>,
}

impl Fate {
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst) == 1
    }

    /// The outcome of the commit at `index`, once it is there.
    pub(crate) fn outcome(&self, index: u32) -> Option<Outcome> {
        if !self.is_done() {
            return None;
        }
        self.outcomes.get().and_then(|outcomes| outcomes.get(index as usize)).cloned()
    }

    /// Sleeps until the outcomes are there.
    pub(crate) fn wait(&self) {
        if self.is_done() {
            return;
        }
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !self.is_done() {
            atomic_wait::wait(&self.done, 0);
        }
    }

    /// Sleeps until this generation is to be led, or its outcomes are there.
    pub(crate) fn wait_for_lead(&self) {
        while self.lead.load(Ordering::SeqCst) == 0 && !self.is_done() {
            atomic_wait::wait(&self.lead, 0);
        }
    }

    /// Has the first caller lead.
    fn give_lead(&self) {
        self.lead.store(1, Ordering::SeqCst);
        atomic_wait::wake_one(&self.lead);
    }

    /// Wakes `waker` when the outcomes are there; `true` if they are there already.
    pub(crate) fn wake_later(&self, index: u32, waker: &Waker) -> bool {
        let mut wakers = self.wakers.lock();
        if self.is_done() {
            return true;
        }
        let index = index as usize;
        if wakers.len() <= index {
            wakers.resize(index + 1, None);
        }
        wakers[index] = Some(waker.clone());
        false
    }

    /// Says what became of every commit, once.
    pub(crate) fn complete(&self, outcomes: Vec<Outcome>) {
        if self.outcomes.set(outcomes).is_err() {
            return;
        }
        self.done.store(1, Ordering::SeqCst);
        if self.lead.swap(1, Ordering::SeqCst) == 0 {
            atomic_wait::wake_one(&self.lead);
        }
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            atomic_wait::wake_all(&self.done);
        }
        // No lock is held across a wake-up.
        let wakers = std::mem::take(&mut *self.wakers.lock());
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// What one leader takes at once.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    pub(crate) commits: Vec<Sealed>,
    pub(crate) bytes: usize,
    pub(crate) fate: Arc<Fate>,
    /// Whether its first caller waits for it and can lead it.
    has_successor: bool,
}

/// A commit's place in the queue.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) fate: Arc<Fate>,
    /// Which of the fate's outcomes is this commit's.
    pub(crate) index: u32,
    pub(crate) role: Role,
}

/// What a caller does for its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It came first and waits: it leads when the generation's turn comes.
    Successor,
    /// It waits for the successor, and does not push ahead of it: what comes meanwhile shares the sync.
    Follower,
    /// Nobody who waits came first: whoever comes to wait may lead.
    Volunteer,
}

/// Whose turn it is to lead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing waits.
    Nobody,
    /// The first caller of the oldest generation, who has been told.
    Caller,
    /// A thread of the engine: nobody waits for the oldest generation.
    Thread,
}

/// What waits for a leader.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    generations: VecDeque<Generation>,
    sizes: Waits,
}

/// How much waits, of all generations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waits {
    pub(crate) commits: usize,
    pub(crate) bytes: usize,
}

impl Queue {
    /// Adds a commit. `can_lead` says that the caller will wait for it, and lead if it comes first.
    pub(crate) fn push(&self, commit: Sealed, can_lead: bool) -> Result<Place, CommitError> {
        let bytes = commit.frame_bytes();
        let mut waiting = self.waiting.lock();
        let sizes = &mut waiting.sizes;
        if sizes.commits >= limits::QUEUE_COMMITS_MAX
            || (sizes.commits > 0 && sizes.bytes + bytes > limits::QUEUE_BYTES_MAX)
        {
            return Err(CommitError::QueueFull { commits: sizes.commits, bytes: sizes.bytes });
        }
        sizes.commits += 1;
        sizes.bytes += bytes;
        if waiting.generations.back().is_none_or(|last| last.bytes + bytes > limits::BATCH_BYTES_MAX) {
            waiting.generations.push_back(Generation { has_successor: can_lead, ..Generation::default() });
        }
        let generation = waiting.generations.back_mut().expect("pushed just above if there was none");
        let index = generation.commits.len() as u32;
        generation.commits.push(commit);
        generation.bytes += bytes;
        let role = match (index, generation.has_successor) {
            (0, true) => Role::Successor,
            (_, true) => Role::Follower,
            (_, false) => Role::Volunteer,
        };
        Ok(Place { fate: Arc::clone(&generation.fate), index, role })
    }

    /// Takes the oldest generation.
    pub(crate) fn take(&self) -> Option<Generation> {
        let mut waiting = self.waiting.lock();
        let generation = waiting.generations.pop_front()?;
        waiting.sizes.commits -= generation.commits.len();
        waiting.sizes.bytes -= generation.bytes;
        Some(generation)
    }

    /// Tells the one who is to lead next, if it is a caller.
    pub(crate) fn hand_on(&self) -> Next {
        let fate = {
            let waiting = self.waiting.lock();
            match waiting.generations.front() {
                None => return Next::Nobody,
                Some(oldest) if !oldest.has_successor => return Next::Thread,
                Some(oldest) => Arc::clone(&oldest.fate),
            }
        };
        fate.give_lead();
        Next::Caller
    }

    /// How much waits.
    pub(crate) fn sizes(&self) -> Waits {
        self.waiting.lock().sizes
    }

    /// Whether the oldest generation has nobody who waits for it.
    pub(crate) fn is_for_thread(&self) -> bool {
        self.waiting.lock().generations.front().is_some_and(|oldest| !oldest.has_successor)
    }
}

#[cfg(test)]
mod tests;
