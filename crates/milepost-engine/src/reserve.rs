//! [`Reserve`]: room that a store holds on its disk for what gives room back.
//!
//! A file that says nothing but how large it is when it is whole. On a full disk it is cut, a few blocks at a time,
//! for commits that only take away, for MANIFEST, and for segments that are written anew; it grows again when there is
//! room.
//!
//! Invariant: while it is short no other commit is taken: it is made whole first. Its size when whole stands in the
//! file, so neither a crash nor a closing makes anybody forget that it is short. Nothing depends on it: an error here
//! is the end of the attempt, and a file that can't be understood is made anew.
//!
//! Knows nothing of commits, segments, or who asks.

mod format;

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use milepost_io::{Disk, DiskFile, OpenMode, Room, read_some_at, write_all_at};
use parking_lot::Mutex;

use format::{HEAD_BYTES, head, whole_of};

/// Its name in the store's directory.
pub(crate) const RESERVE: &str = "RESERVE";

/// What most file systems give room by.
const BLOCK_BYTES: u64 = 4 << 10;
/// The smallest reserve: MANIFEST, a segment's beginning and a few commits of a small store fit into it.
const RESERVE_BYTES_MIN: u64 = 64 << 10;
/// The reserve takes no more of the room that there is than one part in so many.
const PLENTY_PARTS: u64 = 4;
/// It covers a segment of this part of the log, up to the size of a whole one,
const LOG_PARTS: u64 = 16;
/// and a row of MANIFEST, twice, is no larger than this for each segment.
const SEGMENT_ROW_BYTES: u64 = 256;
/// It grows only by so many parts of what it is, at least.
const GROWTH_PARTS: u64 = 4;

/// None is larger: that of a log of as many segments as one can have.
const RESERVE_BYTES_MAX: u64 = 1 << 40;

/// What room is given for. The less it takes, the more of the reserve is for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// MANIFEST, and what an opening needs.
    Manifest,
    /// A commit that only takes away.
    Removal,
    /// A segment that is written anew.
    Rewrite,
}

/// Room held on a disk.
#[derive(Debug)]
pub(crate) struct Reserve {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Innermost of all locks; held across the file's own IO.
    held: Mutex<Held>,
    /// Whether `held` is short of its whole size: what the one who leads asks before every batch. Changed under the
    /// lock; relaxed, since whoever leads has either cut it himself or may as well come a moment later.
    is_short: AtomicBool,
    /// Whether somebody is to look whether it is large enough. A hint, hence relaxed.
    is_look_wanted: AtomicBool,
    /// Whether what was given is in use still: until it is not, it does not come back.
    is_lent: AtomicBool,
    /// Bytes of the open segment at which to look again. A hint, hence relaxed.
    look_at: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    /// `None` where there is no reserve, or the store is not open for writing.
    file: Option<Box<dyn DiskFile>>,
    bytes: u64,
    whole: u64,
}

/// The size of the reserve of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReserveStats {
    /// Bytes that are held now.
    pub bytes: u64,
    /// Bytes that are held when it is whole; 0 if there is none.
    pub whole: u64,
}

impl Reserve {
    /// The reserve that a store has, for whoever writes to it.
    pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Reserve {
        let path = dir.join(RESERVE);
        let held = match disk.open(&path, OpenMode::Write) {
            Ok(file) => read(&*file).map(|(bytes, whole)| {
                // Grown, and cut off before that was written down.
                let _ = if bytes > whole { file.set_bytes(whole) } else { Ok(()) };
                Held { file: Some(file), bytes: bytes.min(whole), whole }
            }),
            Err(_) => None,
        };
        let held = held.unwrap_or_else(|| {
            let _ = disk.remove(&path);
            Held::default()
        });
        Reserve::of(disk, dir, held)
    }

    /// What a reader sees of it.
    pub(crate) fn look(disk: Arc<dyn Disk>, dir: &Path) -> Reserve {
        let found = disk.open(&dir.join(RESERVE), OpenMode::Read).ok().and_then(|file| read(&*file));
        let (bytes, whole) = found.unwrap_or_default();
        Reserve::of(disk, dir, Held { file: None, bytes, whole })
    }

    fn of(disk: Arc<dyn Disk>, dir: &Path, held: Held) -> Reserve {
        Reserve {
            disk,
            dir: dir.to_owned(),
            is_short: AtomicBool::new(held.bytes < held.whole),
            held: Mutex::new(held),
            is_look_wanted: AtomicBool::new(true),
            is_lent: AtomicBool::new(false),
            look_at: AtomicU64::new(RESERVE_BYTES_MIN * LOG_PARTS / 2),
        }
    }

    pub(crate) fn stats(&self) -> ReserveStats {
        let held = self.held.lock();
        ReserveStats { bytes: held.bytes, whole: held.whole }
    }

    /// Whether some of it was given, and has not come back.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Bytes that are still to be had for this.
    pub(crate) fn to_give(&self, what: For) -> u64 {
        self.held.lock().to_give(what)
    }

    /// Gives so many bytes back to the disk, and a little more; whether it did.
    pub(crate) fn give(&self, what: For, need: u64) -> bool {
        let mut held = self.held.lock();
        let to_give = held.to_give(what);
        if to_give == 0 || need > to_give {
            return false;
        }
        // A block more: what is written may begin within one.
        let given = (need.max(1).next_multiple_of(BLOCK_BYTES) + BLOCK_BYTES).min(to_give);
        let bytes = held.bytes - given;
        let Some(file) = &held.file else { return false };
        if file.set_bytes(bytes).is_err() {
            return false;
        }
        // Some file systems give freed blocks out again only once that is written down.
        let _ = file.sync();
        held.bytes = bytes;
        self.is_short.store(true, Ordering::Relaxed);
        true
    }

    /// Tries something, and while there is no room for it, gives some and tries again. `lacks` says how much is
    /// lacking.
    pub(crate) fn with<T, E>(
        &self,
        what: For,
        lacks: impl Fn(&E) -> Option<u64>,
        mut attempt: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut asked = 0;
        loop {
            let error = match attempt() {
                Ok(done) => {
                    // MANIFEST needs room for a moment only: it takes no more than the old one did.
                    if asked > 0 && what == For::Manifest {
                        self.take_back();
                    }
                    return Ok(done);
                }
                Err(error) => error,
            };
            // Twice as much each time: what was said to be lacking may have been a part of it only.
            let Some(need) = lacks(&error) else { return Err(error) };
            asked = need.max(2 * asked);
            if !self.give(what, asked) {
                return Err(error);
            }
        }
    }

    /// Takes back what was given. On an error nothing has changed.
    pub(crate) fn make_whole(&self) -> Result<(), Lacking> {
        if !self.is_short() {
            return Ok(());
        }
        let mut held = self.held.lock();
        let (bytes, whole) = (held.bytes, held.whole);
        let Some(file) = &held.file else { return Ok(()) };
        if self.is_lent.load(Ordering::Relaxed) {
            // Unless there is so much by now that it is enough for both.
            let free = self.disk.free_bytes(&self.dir).unwrap_or(0);
            if free / PLENTY_PARTS < whole - bytes {
                let free = Some(Room::Free(free));
                return Err(Lacking { need: whole - bytes, free, error: ErrorKind::StorageFull.into() });
            }
        }
        let taken = file.allocate(bytes, whole - bytes).and_then(|()| file.sync());
        if let Err(error) = taken {
            let _ = file.set_bytes(bytes);
            let free = Room::lacking(&*self.disk, &self.dir, &error);
            return Err(Lacking { need: whole - bytes, free, error });
        }
        held.bytes = whole;
        self.is_short.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Takes back as much as there is room for.
    fn take_back(&self) {
        let mut held = self.held.lock();
        let missing = held.whole - held.bytes;
        let Some(file) = &held.file else { return };
        let mut taken = missing;
        while taken >= BLOCK_BYTES {
            if file.allocate(held.bytes, taken).is_ok() {
                held.bytes += taken;
                break;
            }
            let _ = file.set_bytes(held.bytes);
            taken = (taken / 2).next_multiple_of(BLOCK_BYTES).min(taken - BLOCK_BYTES);
        }
        self.is_short.store(held.bytes < held.whole, Ordering::Relaxed);
    }

    /// Makes it as large as a log of this size is worth, if there is plenty of room; whether anything changed.
    pub(crate) fn keep_for(&self, log: LogSize) -> bool {
        let whole = log.reserve_bytes();
        let mut held = self.held.lock();
        if whole < held.whole + held.whole / GROWTH_PARTS || self.is_short() {
            return false;
        }
        let free = self.disk.free_bytes(&self.dir).unwrap_or(0);
        if free / PLENTY_PARTS < whole - held.bytes {
            return false;
        }
        let grown = match held.file.take() {
            Some(file) => self.grow(file, held.bytes, whole),
            None => self.make(whole),
        };
        match grown {
            Ok(file) => *held = Held { file: Some(file), bytes: whole, whole },
            Err(error) => {
                tracing::debug!(dir = %self.dir.display(), %error, "no reserve for a full disk; it is tried again");
                let _ = self.disk.remove(&self.dir.join(RESERVE));
                *held = Held::default();
                return false;
            }
        }
        true
    }

    fn make(&self, whole: u64) -> io::Result<Box<dyn DiskFile>> {
        let path = self.dir.join(RESERVE);
        if let Err(error) = self.disk.remove(&path)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error);
        }
        let file = self.disk.open(&path, OpenMode::CreateNew)?;
        let file = self.grow(file, 0, whole)?;
        self.disk.sync_dir(&self.dir)?;
        Ok(file)
    }

    /// The room first, then the word of it: a crash between them leaves what an opening cuts.
    fn grow(&self, file: Box<dyn DiskFile>, bytes: u64, whole: u64) -> io::Result<Box<dyn DiskFile>> {
        file.allocate(bytes, whole - bytes)?;
        write_all_at(&*file, head(whole).as_bytes(), 0).map_err(|short| short.error)?;
        file.sync()?;
        Ok(file)
    }

    /// Gives all there is for a segment that is written anew; none of it comes back before [`Lent`] is dropped.
    pub(crate) fn lend(self: &Arc<Reserve>) -> Option<Lent> {
        let lent = Lent(Arc::clone(self));
        self.is_lent.store(true, Ordering::Relaxed);
        self.give(For::Rewrite, self.to_give(For::Rewrite)).then_some(lent)
    }

    /// Has somebody look whether it is large enough.
    pub(crate) fn look_again(&self) {
        self.is_look_wanted.store(true, Ordering::Relaxed);
    }

    /// Notes how large the open segment has become, and has somebody look if that is large enough; whether that is new.
    pub(crate) fn note_growth(&self, open_bytes: u64) -> bool {
        if open_bytes < self.look_at.load(Ordering::Relaxed) {
            return false;
        }
        self.look_at.store(open_bytes + open_bytes / GROWTH_PARTS, Ordering::Relaxed);
        !self.is_look_wanted.swap(true, Ordering::Relaxed)
    }

    /// Whether a look is wanted; it is no more.
    pub(crate) fn take_look(&self) -> bool {
        self.is_look_wanted.load(Ordering::Relaxed) && self.is_look_wanted.swap(false, Ordering::Relaxed)
    }
}

/// Room of the reserve that is in use. There is one at most: only whoever compacts has it.
#[derive(Debug)]
pub(crate) struct Lent(Arc<Reserve>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.is_lent.store(false, Ordering::Relaxed);
    }
}

/// Why the reserve is short still.
#[derive(Debug)]
pub(crate) struct Lacking {
    /// Bytes that are missing.
    pub(crate) need: u64,
    /// The room there is; `None` if room is not what is lacking.
    pub(crate) free: Option<Room>,
    pub(crate) error: io::Error,
}

impl Held {
    fn to_give(&self, what: For) -> u64 {
        let kept = match what {
            For::Manifest => 0,
            For::Removal => self.whole / 6,
            For::Rewrite => self.whole / 3,
        };
        if self.file.is_none() {
            return 0;
        }
        // The block that says how large it is stays.
        self.bytes.saturating_sub(kept.max(BLOCK_BYTES)) / BLOCK_BYTES * BLOCK_BYTES
    }
}

/// What the size of a reserve depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSize {
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
    /// Bytes of a whole segment.
    pub(crate) segment_bytes: u64,
}

impl LogSize {
    /// A segment, and half as much for what a rewrite leaves to others.
    fn reserve_bytes(self) -> u64 {
        let segment = (self.bytes / LOG_PARTS).min(self.segment_bytes);
        let bytes = (segment + segment / 2).max(RESERVE_BYTES_MIN).max(self.segments * SEGMENT_ROW_BYTES);
        bytes.min(RESERVE_BYTES_MAX).next_multiple_of(BLOCK_BYTES)
    }
}

/// The bytes that a reserve has and those of a whole one; `None` if it is none.
fn read(file: &dyn DiskFile) -> Option<(u64, u64)> {
    let mut text = [0; HEAD_BYTES];
    let found = read_some_at(file, &mut text, 0).ok()?;
    let whole = whole_of(text.get(..found)?)?;
    let bytes = file.bytes().ok()?;
    Some((bytes, whole))
}

#[cfg(test)]
mod tests;
