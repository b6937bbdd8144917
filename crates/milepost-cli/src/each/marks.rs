//! The way of a mark: from the thread whose command ended, through the handover file, to the log.
//!
//! One thread makes marks durable: it takes all that wait, commits them as one, and takes what has come meanwhile. So a
//! mark never waits for a timer, few marks are one small commit each, and many share their paths and their sync. The
//! threads that run commands go on at once.
//!
//! Invariant: from the end of its command on, an item's mark is in the handover file, or its slot waits until it is
//! durable; and an item is in hand (read, running, or with a mark on its way) until its mark is durable, so that one
//! that stands in the input twice runs once.
//!
//! Locks: `state` before none; `in_hand` before none. No lock is held while the log is written; `state` is held for the
//! one plain write to the handover file, which keeps its records in order and whole.
//!
//! Knows nothing of processes and screens.

use std::{collections::HashSet, sync::Arc, time::Duration};

use milepost::{ErrorKind, Receipt};
use parking_lot::{Condvar, Mutex};

use super::{error::EachError, handover::Handover, job::Job, outlook::Earlier};

/// Marks that wait for the log before a slot has to wait as well: some seconds of work, and a bound on memory.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// Marks of one commit.
const COMMIT_MARKS_MAX: usize = 4096;
/// Bytes at which a commit is full; one mark is always let in.
const COMMIT_BYTES_MAX: usize = 8 << 20;

/// While nothing ends, it is looked so often whether there is something new to say of what is left.
const LOOK_EVERY: Duration = Duration::from_secs(1);

struct Waiting {
    item: Arc<[u8]>,
    mark: Vec<u8>,
    earlier: Earlier,
}

/// What the thread that commits is to do.
enum Next {
    Commit(Vec<Waiting>),
    /// Nothing has ended for a while.
    Look,
    End,
}

struct State {
    handover: Handover,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    /// Marks handed over and not durable yet, in all.
    unsettled: u64,
    /// Marks that have become durable, in all.
    durable: u64,
    last: Option<Receipt>,
    /// No more marks come.
    is_closed: bool,
    /// The log took no more: nothing is waited for any longer.
    has_failed: bool,
}

/// Marks on their way.
pub(super) struct Marks {
    state: Mutex<State>,
    /// Something waits, or the end has come: for the thread that commits.
    work: Condvar,
    /// Something has become durable, or failed: for the threads that wait for room.
    settled: Condvar,
    /// Items read and not yet durably marked. Bounded by what may be read ahead.
    in_hand: Mutex<HashSet<Arc<[u8]>>>,
}

impl Marks {
    pub(super) fn new(handover: Handover) -> Marks {
        let state = State {
            handover,
            waiting: Vec::new(),
            waiting_bytes: 0,
            unsettled: 0,
            durable: 0,
            last: None,
            is_closed: false,
            has_failed: false,
        };
        Marks { state: Mutex::new(state), work: Condvar::new(), settled: Condvar::new(), in_hand: Mutex::default() }
    }

    /// Takes an item in hand; `false` if it is already.
    pub(super) fn take(&self, item: &Arc<[u8]>) -> bool {
        self.in_hand.lock().insert(Arc::clone(item))
    }

    /// Lets go of an item that is not to be marked.
    pub(super) fn let_go(&self, item: &[u8]) {
        self.in_hand.lock().remove(item);
    }

    /// Hands over the mark of an item whose command has ended. On return it survives the end of this process.
    pub(super) fn push(&self, item: Arc<[u8]>, mark: Vec<u8>, earlier: Earlier) {
        let mut state = self.state.lock();
        while state.waiting_bytes > WAITING_BYTES_MAX && !state.has_failed {
            self.settled.wait(&mut state);
        }
        let is_handed_over = state.handover.push(&item, &mark).is_ok();
        let must_settle = !is_handed_over || state.handover.is_long();
        state.waiting_bytes += item.len() + mark.len();
        state.waiting.push(Waiting { item, mark, earlier });
        state.unsettled += 1;
        if state.waiting.len() == 1 {
            self.work.notify_one();
        }
        // No room on the disk for the handover file: then only the log keeps the mark, and says so if it can't.
        while must_settle && state.unsettled > 0 && !state.has_failed {
            self.settled.wait(&mut state);
        }
    }

    /// Says that no more marks come.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.work.notify_one();
    }

    /// Makes marks durable until there are no more, or until the log takes no more.
    pub(super) fn commit_all(&self, job: &Job) -> Result<(), EachError> {
        let outcome = self.commit_each(job);
        if outcome.is_err() {
            self.state.lock().has_failed = true;
            self.settled.notify_all();
        }
        outcome
    }

    fn commit_each(&self, job: &Job) -> Result<(), EachError> {
        loop {
            let mut batch = match self.next() {
                Next::Commit(batch) => batch,
                Next::Look => {
                    match job.tell() {
                        // No mark waits for it: there may be room when the next one comes.
                        Err(EachError::Store(error)) if error.kind() == ErrorKind::DiskFull => {}
                        told => told?,
                    }
                    continue;
                }
                Next::End => return Ok(()),
            };
            // Neighbours share the beginning of their names in the log.
            batch.sort_unstable_by(|a, b| a.item.cmp(&b.item));
            let committed = job.commit(batch.iter().map(|w| (&*w.item, &*w.mark, w.earlier)));
            self.state.lock().settle(batch.len() as u64, committed?);
            self.settled.notify_all();
            // Durable first, out of hand then: who finds an item neither in hand nor marked may run it.
            let mut in_hand = self.in_hand.lock();
            for waiting in &batch {
                in_hand.remove(&waiting.item);
            }
        }
    }

    /// How many marks have become durable, and the commit of the last.
    pub(super) fn durable(&self) -> (u64, Option<Receipt>) {
        let state = self.state.lock();
        (state.durable, state.last)
    }

    fn next(&self) -> Next {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.is_closed {
                return Next::End;
            }
            if self.work.wait_for(&mut state, LOOK_EVERY).timed_out() && state.waiting.is_empty() {
                return Next::Look;
            }
        }
        let mut bytes = 0;
        let mut count = 0;
        for waiting in state.waiting.iter().take(COMMIT_MARKS_MAX) {
            bytes += waiting.item.len() + waiting.mark.len();
            if count > 0 && bytes > COMMIT_BYTES_MAX {
                break;
            }
            count += 1;
        }
        let batch: Vec<Waiting> = state.waiting.drain(..count).collect();
        state.waiting_bytes -= batch.iter().map(|w| w.item.len() + w.mark.len()).sum::<usize>();
        Next::Commit(batch)
    }
}

impl State {
    fn settle(&mut self, count: u64, receipt: Receipt) {
        self.durable += count;
        self.unsettled -= count;
        self.last = Some(receipt);
        if self.unsettled == 0 {
            self.handover.all_durable();
        }
    }
}

#[cfg(test)]
mod tests;
