//! [`Settings`] are values; [`Parts`] are the components a store is built on.

use std::{sync::Arc, time::Duration};

use milepost_io::{Clock, Disk, Entropy, OsClock, OsDisk, OsEntropy, Process};
use milepost_types::limits;

/// What the store takes from outside.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for identities and salts.
    pub entropy: Arc<dyn Entropy>,
    /// Who the holder of a store says it is.
    pub process: Process,
}

#[cfg(test)]
impl Parts {
    /// A disk and a clock that a test has in its hands.
    pub(crate) fn simulated(disk: &milepost_io::SimDisk, clock: &milepost_io::SimClock) -> Parts {
        let entropy = Arc::new(milepost_io::SimEntropy::new(7));
        Parts { disk: Arc::new(disk.clone()), clock: Arc::new(clock.clone()), entropy, process: Process::simulated() }
    }
}

impl Parts {
    /// The real disk, clock and randomness of this machine, and this process.
    #[must_use]
    pub fn real() -> Parts {
        let (disk, clock, entropy) = (Arc::new(OsDisk), Arc::new(OsClock), Arc::new(OsEntropy));
        Parts { disk, clock, entropy, process: Process::this() }
    }
}

/// Who drives the background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// Threads of the engine.
    Spawned,
    /// The caller, by calling the `step_…` functions: for simulation. A commit still leads itself.
    Stepped,
}

/// What to do where there is no store yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// Make one.
    IfMissing,
    /// Fail with [`crate::OpenError::Missing`].
    Never,
}

/// What to do with the runs that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Use them. One that is missing or damaged is made anew from the log, with those after it.
    Keep,
    /// Make all of them anew from the log.
    Rebuild,
}

/// How a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What to do where there is no store yet.
    pub create: Create,
    /// Who drives the background work.
    pub threads: Threads,
    /// Bytes at which a segment is sealed.
    pub segment_bytes: u32,
    /// The largest value that is taken.
    pub value_bytes_max: usize,
    /// Bytes of memory for the versions that are in no run yet: those that are folded into, and those whose run is
    /// being written. Also bounds how much of the log the next opening reads. While runs are written more slowly than
    /// commits come it is passed by a little: callers of large commits then help to write them.
    pub memory_bytes: u64,
    /// What to do with the runs that are there.
    pub index: Index,
    /// Whether what retention does not keep is taken out of the log by the engine's own thread.
    pub compaction: bool,
    /// After so long that thread looks whether there is anything to do, where nothing has woken it.
    pub look_every: Duration,
    /// Bytes of blocks of cold segments that are kept decompressed for the next read; 0 for none.
    pub cold_cache_bytes: u64,
}

/// What is folded in 3 ms: making a run of it when the store is closed takes about as long, with its syncs.
const FOLDED_BYTES_MAX: u64 = 1 << 20;

impl Settings {
    /// Bytes at which a memtable is frozen. There are two of them, and the one that is folded into grows for as long as
    /// the run of the other takes: most of the memory is for that.
    pub(crate) fn memtable_bytes_max(&self) -> u64 {
        self.memory_bytes / 8
    }

    /// Bytes of a memtable at which an opening makes a run of it: so many it folds sooner than it writes them.
    pub(crate) fn replayed_bytes_max(&self) -> u64 {
        self.memory_bytes / 2
    }

    /// Bytes of memory that a clean close leaves for the next opening to fold.
    pub(crate) fn folded_bytes_max(&self) -> u64 {
        (self.memory_bytes / 32).min(FOLDED_BYTES_MAX)
    }

    /// Bytes of a segment that a clean close leaves open, to be read whole by the next opening.
    pub(crate) fn unsealed_bytes_max(&self) -> u64 {
        u64::from(self.segment_bytes / 16)
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            create: Create::IfMissing,
            threads: Threads::Spawned,
            segment_bytes: limits::SEGMENT_BYTES,
            value_bytes_max: limits::VALUE_BYTES_MAX,
            memory_bytes: limits::MEMORY_BYTES,
            index: Index::Keep,
            compaction: true,
            look_every: Duration::from_secs(60),
            cold_cache_bytes: limits::COLD_CACHE_BYTES,
        }
    }
}
