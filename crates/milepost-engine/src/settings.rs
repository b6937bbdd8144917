//! [`Settings`] are values; [`Parts`] are the components a store is built on.

use std::sync::Arc;

use milepost_io::{Clock, Disk, Entropy, OsClock, OsDisk, OsEntropy};
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
}

impl Parts {
    /// The real disk, clock and randomness of this machine.
    #[must_use]
    pub fn real() -> Parts {
        Parts { disk: Arc::new(OsDisk), clock: Arc::new(OsClock), entropy: Arc::new(OsEntropy) }
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
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            create: Create::IfMissing,
            threads: Threads::Spawned,
            segment_bytes: limits::SEGMENT_BYTES,
            value_bytes_max: limits::VALUE_BYTES_MAX,
        }
    }
}
