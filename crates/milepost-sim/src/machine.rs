//! [`Machine`]: a simulated computer with one store on it.
//!
//! Invariant: whatever opens the store does it here, with background work stepped by hand and everything from outside
//! simulated.

use std::{path::Path, sync::Arc};

use milepost_engine::{Create, Engine, Index, OpenError, Parts, Report, Settings, Threads};
use milepost_io::{Clock as _, Disk, Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{Timestamp, limits};

/// Where the store is.
pub const STORE: &str = "/store";

/// The disk, the clock and the randomness, and how the store is opened.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The disk.
    pub disk: SimDisk,
    /// The wall clock.
    pub clock: SimClock,
    /// Randomness.
    pub entropy: SimEntropy,
    /// Bytes at which a segment is sealed.
    pub segment_bytes: u32,
    /// Bytes of memory for versions.
    pub memory_bytes: u64,
}

impl Machine {
    /// A machine with an empty disk.
    #[must_use]
    pub fn new(seed: u64, segment_bytes: u32, now: Timestamp) -> Machine {
        let (clock, entropy) = (SimClock::new(now), SimEntropy::new(seed));
        Machine { disk: SimDisk::new(seed), clock, entropy, segment_bytes, memory_bytes: limits::MEMORY_BYTES }
    }

    /// The same machine with another disk in it.
    #[must_use]
    pub fn with_disk(&self, disk: SimDisk) -> Machine {
        Machine { disk, ..self.clone() }
    }

    /// What the engine takes from outside.
    #[must_use]
    pub fn parts(&self) -> Parts {
        Parts {
            disk: Arc::new(self.disk.clone()),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(self.entropy.clone()),
            process: Process::simulated(),
        }
    }

    /// What the clock says.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Opens the store for writing.
    pub fn open(&self) -> Result<Engine, OpenError> {
        self.open_as(Create::IfMissing)
    }

    /// Opens the store for writing, and makes its index anew.
    pub fn open_rebuilding(&self) -> Result<Engine, OpenError> {
        self.open_with(Create::IfMissing, Index::Rebuild)
    }

    /// Opens the store for writing, with a say about one that is not there.
    pub fn open_as(&self, create: Create) -> Result<Engine, OpenError> {
        self.open_with(create, Index::Keep)
    }

    fn open_with(&self, create: Create, index: Index) -> Result<Engine, OpenError> {
        let (segment_bytes, memory_bytes) = (self.segment_bytes, self.memory_bytes);
        let settings =
            Settings { create, threads: Threads::Stepped, segment_bytes, memory_bytes, index, ..Settings::default() };
        Engine::open(self.parts(), Path::new(STORE), settings)
    }

    /// Opens the store for reading.
    pub fn open_read_only(&self) -> Result<Engine, OpenError> {
        Engine::open_read_only(self.parts(), Path::new(STORE))
    }

    /// Checks every byte of the store.
    pub fn verify(&self) -> Result<Report, OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        milepost_engine::verify(&disk, Path::new(STORE), &mut |_, _| {})
    }
}
