//! Everything that Milepost takes from outside: the disk, the clock, randomness and what the process is called, each
//! real and simulated.
//!
//! Invariant: no other crate touches a file, a clock or a source of randomness but through these traits, so that every
//! crash and every fault can be simulated from a seed.
//!
//! Knows nothing of frames, segments or state.

mod fork;
mod grown;
mod latch;
mod map;
mod memory;
mod metered;
mod os;
mod placed;
mod room;
mod signal;
mod sim;
mod spread;
mod thread;
mod timer;
mod waited;
mod whole;

use std::{fmt, io, path::Path};

use milepost_types::Timestamp;

pub use fork::ForkGuard;
pub use grown::{Grower, Grown};
pub use latch::{Failure, Latch, LatchedFile};
pub use map::{Map, Unreadable};
pub use memory::{prefetch, touched_words, zeroed_words};
pub use metered::{Meter, Metered};
pub use os::{OsClock, OsDisk, OsEntropy};
pub use placed::Placed;
pub use room::Room;
pub use signal::ignore_file_size_signal;
pub use sim::{Crash, Fault, FaultKind, Op, SimClock, SimDisk, SimEntropy, SimRng};
pub use spread::{Held, Spread};
pub use thread::spawn;
pub use timer::{Stopwatch, sleep};
pub use waited::{Waited, is_asking_told, let_go};
pub use whole::{
    NotReplaced, ShortWrite, next_name, read_exact_at, read_file, read_some_at, write_all_at, write_file_atomically,
};

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading. The file must exist.
    Read,
    /// For reading and writing. The file must exist.
    Write,
    /// For reading and writing. The file must not exist; it is created empty, and its name is durable only after
    /// [`Disk::sync_dir`].
    CreateNew,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name, without its directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// A directory, whatever its name: no other one has the same for as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirId(pub(crate) u64, pub(crate) u64);

/// A file system, as far as a store needs one.
///
/// Names (create, rename, remove) are durable only after [`Disk::sync_dir`] of their directory.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>>;
    /// Creates a directory and those above it that are missing. One that exists is no error.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted. Names that are not UTF-8 are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Renames a file, replacing `to` if it exists.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes that can still be written below a directory.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// Which directory the name leads to.
    fn dir_id(&self, dir: &Path) -> io::Result<DirId>;
    /// Locks a directory for one writer among all processes, by a lock that goes with its holder and not with a file:
    /// removing files does not free it. `None` if it is held already.
    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>>;
    /// Locks a directory beside any number of others who do the same, in any process. `None` while somebody holds it by
    /// [`Disk::lock_dir`], which in turn is refused for as long as one of these is held.
    fn share_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>>;
}

/// An open file. All calls may be made from several threads.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Reads at an offset; less than asked for at the end of the file, or whenever the system likes.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset, growing the file where needed; may write less than asked for.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Has the system begin to write out what was written here, so that a sync that follows other work waits for
    /// less. A
    /// hint: it promises nothing, and what goes wrong is told by the sync.
    fn begin_sync(&self, offset: u64, bytes: u64);
    /// Makes what was written durable, with the size that reading it back needs (fdatasync).
    ///
    /// Never retry it after an error: the kernel may have dropped the pages, and the next call may say OK.
    fn sync(&self) -> io::Result<()>;
    /// The size in bytes.
    fn bytes(&self) -> io::Result<u64>;
    /// Cuts the file, or grows it with zeros.
    fn set_bytes(&self, bytes: u64) -> io::Result<()>;
    /// Takes room for these bytes on the disk, whole or not at all, and lets the file end behind them. What was not
    /// written reads as zeros. Where the file system can't take room without writing, zeros are written.
    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Maps the whole file for reading. Only for files that nobody changes any more (decision record 1).
    fn map(&self) -> io::Result<Map>;
}

/// A held lock; dropping it frees the directory.
pub trait DirLock: fmt::Debug + Send + Sync {}

/// The wall clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// What the wall clock says now. It may jump, stand still or run backwards.
    fn now(&self) -> Timestamp;
}

/// A source of randomness, for identities and salts; not for secrets.
pub trait Entropy: fmt::Debug + Send + Sync {
    /// Fills a buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// What a process is called: it stands in files, so that people know who wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The number that the system gave it.
    pub id: u32,
    /// The name of its machine, on one line.
    pub host: String,
}

impl Process {
    /// The process of a simulation, the same whoever runs it.
    #[must_use]
    pub fn simulated() -> Process {
        Process { id: 1, host: "simulated".into() }
    }
}

#[cfg(test)]
mod tests;
