//! The simulated machine: a disk in memory that crashes and fails as disks do, a clock and randomness in hand.
//!
//! Invariant: everything is drawn from a seed, so that the same calls give the same bytes, the same crashes and the
//! same [`SimDisk::trace_hash`]. A disk keeps apart what reads see and what a power loss would leave: of each file the
//! durable bytes and the writes since its last sync, of each directory the durable names and the changes since its last
//! sync. What a file is does not depend on its names.
//!
//! Knows nothing of what is stored on it.

mod clock;
mod crash;
mod damage;
mod disk;
mod faults;
mod file;
mod names;
mod rng;
mod state;

use std::{fmt, sync::Arc};

use parking_lot::{Mutex, MutexGuard};

pub use clock::SimClock;
pub use crash::Crash;
pub use faults::{Fault, FaultKind, Op};
pub use rng::{SimEntropy, SimRng};

use state::State;

/// A disk in memory. A clone is the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk without bounds; it holds the root directory. The seed decides how much is done of a write in which
    /// the power goes off.
    #[must_use]
    pub fn new(seed: u64) -> SimDisk {
        SimDisk::of(State::new(seed))
    }

    fn of(state: State) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Another disk in the same state, held by nobody. This one goes on.
    #[must_use]
    pub fn copy(&self) -> SimDisk {
        SimDisk::of(self.state().let_go())
    }

    /// Kills whoever uses this disk: the same disk, with all that was written to the cache, its faults and its counts,
    /// held by nobody. Handles and locks on this one fail from now on, as do other calls.
    #[must_use]
    pub fn kill(&self) -> SimDisk {
        let mut state = self.state();
        let next = state.let_go();
        state.is_off = true;
        SimDisk::of(next)
    }

    /// Takes the power away: every call fails from now on. [`SimDisk::crash`] gives it back, as another disk.
    pub fn power_off(&self) {
        self.state().is_off = true;
    }

    /// Takes the power away in the middle of the mutating operation that comes after so many others. That operation is
    /// not done, but for a write, of which some may be.
    pub fn power_off_after(&self, operations: u64) {
        self.state().operations_left = Some(operations);
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// Mutating operations so far, failed ones included; those that were refused because a name was there or missing
    /// are not counted. See [`Op::mutates`].
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Calls of one kind so far, counted in the same way.
    #[must_use]
    pub fn count(&self, op: Op) -> u64 {
        self.state().count(op)
    }

    /// A hash over all mutating operations, their places and their bytes, and over all crashes before.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.state().trace
    }

    /// Puts a fault in.
    ///
    /// # Panics
    ///
    /// If what goes wrong can't go wrong with that kind of call.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.inject(fault);
    }

    /// Takes all faults out. Those that were hit stay known.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        state.faults.clear();
        for inode in state.files.values_mut() {
            inode.error_due = None;
        }
    }

    /// The faults that were hit, in order, each as often as it was.
    #[must_use]
    pub fn faults_hit(&self) -> Vec<Fault> {
        self.state().faults.hit().to_vec()
    }

    /// Bounds the room that all files may take together. A write gets as far as there is room. Overwriting needs none,
    /// and a file that is grown by setting its size takes it only when it is written.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// The room that all files take together, those open without a name included.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let mut disk = f.debug_struct("SimDisk");
        disk.field("files", &state.names.files().len()).field("operations", &state.operations);
        disk.field("is_off", &state.is_off).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
