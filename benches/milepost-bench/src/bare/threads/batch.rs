//! [`Batch`]: the mark that callers wait for, and [`Waiting`]: the frames that no one has taken yet.
//!
//! Invariant: one wake-up call per batch, however many wait.

use std::{
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

const OPEN: u32 = 0;
const DURABLE: u32 = 1;
const FAILED: u32 = 2;

/// The frames of one write and one sync.
pub(crate) struct Batch {
    /// Open until its sync returned. Release on the way in pairs with acquire in `wait`.
    done: AtomicU32,
    /// The same for the one who leads the next batch, where that one is woken before the others.
    successor: AtomicU32,
}

impl Batch {
    fn new() -> Arc<Batch> {
        Arc::new(Batch { done: AtomicU32::new(OPEN), successor: AtomicU32::new(OPEN) })
    }

    /// Waits until it is durable.
    pub(crate) fn wait(&self) -> io::Result<()> {
        wait_for(&self.done)
    }

    /// Waits as the leader of the next batch.
    pub(crate) fn wait_as_successor(&self) -> io::Result<()> {
        wait_for(&self.successor)
    }

    /// Marks it and wakes whoever waits, the next leader first if it waits apart.
    pub(crate) fn finish(&self, outcome: &io::Result<()>) {
        let mark = if outcome.is_ok() { DURABLE } else { FAILED };
        self.done.store(mark, Ordering::Release);
        if self.successor.swap(mark, Ordering::AcqRel) == OPEN {
            atomic_wait::wake_one(&self.successor);
        }
        atomic_wait::wake_all(&self.done);
    }
}

fn wait_for(word: &AtomicU32) -> io::Result<()> {
    loop {
        match word.load(Ordering::Acquire) {
            DURABLE => return Ok(()),
            FAILED => return Err(io::Error::other("the batch was not synced")),
            _ => atomic_wait::wait(word, OPEN),
        }
    }
}

/// The frames that wait, in order.
struct Open {
    frames: Vec<u8>,
    batch: Arc<Batch>,
    /// The batch before it, for its leader to wait for.
    before: Arc<Batch>,
}

/// The open batch. The lock guards a copy of a few bytes and is never held across IO or a wake-up.
pub(crate) struct Waiting {
    open: Mutex<Open>,
    /// How many frames wait; written under the lock, read without it by a gathering leader.
    count: AtomicUsize,
}

/// What a caller learns when it has put its frame down.
pub(crate) struct Joined {
    /// The batch it is in.
    pub(crate) batch: Arc<Batch>,
    /// The batch before, if the caller is the first of its batch.
    pub(crate) first_after: Option<Arc<Batch>>,
}

impl Waiting {
    pub(crate) fn new() -> Waiting {
        let before = Batch::new();
        before.finish(&Ok(()));
        Waiting {
            open: Mutex::new(Open { frames: Vec::new(), batch: Batch::new(), before }),
            count: AtomicUsize::new(0),
        }
    }

    /// Puts a frame down.
    pub(crate) fn join(&self, frame: &[u8]) -> Joined {
        let mut open = self.open.lock();
        let first = self.count.fetch_add(1, Ordering::AcqRel) == 0;
        open.frames.extend_from_slice(frame);
        Joined { batch: Arc::clone(&open.batch), first_after: first.then(|| Arc::clone(&open.before)) }
    }

    /// How many frames wait.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Takes all that waits into `frames`, which must be empty, and opens the next batch. `None` if nothing waits.
    pub(crate) fn take(&self, frames: &mut Vec<u8>) -> Option<(Arc<Batch>, usize)> {
        debug_assert!(frames.is_empty(), "a batch must have been written before the next is taken");
        let next = Batch::new();
        let mut open = self.open.lock();
        let count = self.count.swap(0, Ordering::AcqRel);
        if count == 0 {
            return None;
        }
        mem::swap(&mut open.frames, frames);
        let batch = mem::replace(&mut open.batch, next);
        open.before = Arc::clone(&batch);
        Some((batch, count))
    }
}
