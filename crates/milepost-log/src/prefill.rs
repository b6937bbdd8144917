//! [`Prefiller`]: makes files of zeros ahead of their use as segments, and files of dropped segments into such.
//!
//! Syncing a write over blocks that were written before costs about two thirds of one that makes the file grow. So the
//! next segment is written full of zeros in the background, a piece at a time. A process that commits little never
//! begins one; a writer that outruns it simply grows its file.
//!
//! Invariant: a spare that is handed over is all zeros, synced, under a name that no opening takes for a segment. The
//! file of a dropped segment is renamed before it is overwritten, and only when no reader holds its map any more.
//!
//! Knows nothing of frames.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use milepost_io::{Disk, DiskFile, Latch, OpenMode, Room, write_all_at};
use parking_lot::Mutex;

use crate::{
    names,
    segment::{Part, Sealed},
};

/// Bytes written and synced by one step: a sync of the log that comes meanwhile waits for them. With 1 MiB the slowest
/// hundredth of commits by 64 threads took 4.4 ms, with 128 KiB 2.6 ms, at the same rate.
const STEP_BYTES: usize = 128 << 10;
/// The smallest spare, unless segments are smaller.
const SPARE_BYTES_MIN: u64 = 1 << 20;
/// Nothing is prefilled before this many bytes were appended.
const AFTER_BYTES: u64 = 64 << 10;
/// After running out of room, this many bytes are appended before the next try.
const RETRY_AFTER_BYTES: u64 = 1 << 20;

static ZEROS: [u8; STEP_BYTES] = [0; STEP_BYTES];

/// A file of zeros, ready to become a segment.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) bytes: u64,
}

/// A segment that the log has dropped; its file can be used again.
#[derive(Debug)]
pub struct Dropped {
    /// Held by nobody else once the last reader has let go of it.
    sealed: Arc<Sealed>,
}

impl Dropped {
    pub(crate) fn new(sealed: Arc<Sealed>) -> Dropped {
        Dropped { sealed }
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.sealed.path()
    }
}

/// What writer and prefiller share. The locks are held for a push or a take only, never across IO.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Bytes appended in this opening. Counted by the writer; a hint, hence relaxed.
    appended: AtomicU64,
    /// Whether `ready` holds a spare: what the writer asks before every batch, without the lock. A hint, hence relaxed.
    is_ready: AtomicBool,
    ready: Mutex<Option<Spare>>,
    /// Files of segments that were dropped before this opening.
    retired: Mutex<Vec<PathBuf>>,
    /// What the writer needs no more, and is too slow to free for it.
    worn: Mutex<Vec<Part>>,
}

/// How many worn parts may wait before the writer frees them itself: nobody drives the prefiller.
const WORN_PARTS_MAX: usize = 2;

impl Shared {
    pub(crate) fn new(retired: Vec<PathBuf>) -> Shared {
        Shared { retired: Mutex::new(retired), ..Shared::default() }
    }

    pub(crate) fn count_appended(&self, bytes: u64) {
        self.appended.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> Option<Spare> {
        let spare = self.ready.lock().take();
        self.is_ready.store(false, Ordering::Relaxed);
        spare
    }

    /// Leaves memory for the prefiller to free.
    pub(crate) fn wear(&self, part: Part) {
        let mut worn = self.worn.lock();
        if worn.len() < WORN_PARTS_MAX {
            worn.push(part);
        }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefilled {
    /// There was nothing to do.
    Nothing,
    /// Memory of old segments was freed.
    Freed,
    /// The file of a dropped segment was taken, to be zeroed next.
    Recycled,
    /// This many bytes of zeros were written and synced.
    Zeroed(u64),
    /// A spare of this size is ready.
    Ready(u64),
    /// There is no room for a spare; the try was undone, another follows after more was appended.
    NoRoom,
    /// The disk fails; no spare is made any more in this opening. The log goes on without.
    GaveUp,
}

/// A spare in the making.
#[derive(Debug)]
struct Work {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// Bytes zeroed and synced so far.
    zeroed: u64,
    bytes: u64,
}

/// Prepares the files of coming segments; driven a step at a time, by a thread or by a test.
#[derive(Debug)]
pub struct Prefiller {
    disk: Arc<dyn Disk>,
    log_dir: PathBuf,
    latch: Latch,
    segment_bytes: u64,
    /// Bytes in the log when it was opened.
    logged_before: u64,
    shared: Arc<Shared>,
    work: Option<Work>,
    dropped: Vec<Dropped>,
    /// Number of the next spare's name.
    next_number: u64,
    /// Nothing is begun before this many bytes were appended.
    begin_after: u64,
    gave_up: bool,
}

impl Prefiller {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        log_dir: PathBuf,
        latch: Latch,
        segment_bytes: u32,
        logged_before: u64,
        shared: Arc<Shared>,
    ) -> Prefiller {
        Prefiller {
            disk,
            log_dir,
            latch,
            segment_bytes: u64::from(segment_bytes),
            logged_before,
            shared,
            work: None,
            dropped: Vec::new(),
            next_number: 1,
            begin_after: AFTER_BYTES.min(u64::from(segment_bytes)),
            gave_up: false,
        }
    }

    /// Hands over a segment that the manifest no longer lists: its file becomes a spare once nobody in this process
    /// reads it any more.
    ///
    /// Only for a store that no other process reads: a file that one has mapped must be removed instead.
    pub fn recycle(&mut self, dropped: Dropped) {
        self.dropped.push(dropped);
    }

    /// Does a bounded piece of work, and says which.
    pub fn step(&mut self) -> Prefilled {
        let worn = std::mem::take(&mut *self.shared.worn.lock());
        if !worn.is_empty() {
            drop(worn);
            return Prefilled::Freed;
        }
        if self.gave_up || self.latch.failure().is_some() {
            return Prefilled::Nothing;
        }
        let done = match self.work.take() {
            Some(work) => self.go_on(work),
            None => self.begin(),
        };
        done.unwrap_or_else(|error| {
            if Room::is_lacking(&error) {
                self.begin_after = self.shared.appended.load(Ordering::Relaxed).saturating_add(RETRY_AFTER_BYTES);
                return Prefilled::NoRoom;
            }
            self.gave_up = true;
            Prefilled::GaveUp
        })
    }

    /// Removes the spare, whether ready or half made: for closing the log.
    pub fn discard(&mut self) {
        let ready = self.shared.take().map(|spare| spare.path);
        let half_made = self.work.take().map(|work| work.path);
        for path in ready.into_iter().chain(half_made) {
            // What can't be removed now is removed by the next opening.
            let _ = self.disk.remove(&path);
        }
    }

    /// Begins a spare if one is wanted.
    fn begin(&mut self) -> io::Result<Prefilled> {
        if self.shared.is_ready() {
            return Ok(Prefilled::Nothing);
        }
        if let Some(file) = self.free_file() {
            return self.begin_recycled(&file);
        }
        let appended = self.shared.appended.load(Ordering::Relaxed);
        if appended < self.begin_after {
            return Ok(Prefilled::Nothing);
        }
        let logged = self.logged_before.saturating_add(appended);
        let wanted = logged.checked_next_power_of_two().unwrap_or(u64::MAX).max(SPARE_BYTES_MIN);
        let (path, file) = self.create()?;
        self.go_on(Work { path, file, zeroed: 0, bytes: wanted.min(self.segment_bytes) })
    }

    /// A file of a dropped segment that nobody reads any more.
    fn free_file(&mut self) -> Option<PathBuf> {
        if let Some(file) = self.shared.retired.lock().pop() {
            return Some(file);
        }
        // One holder: this. Nobody can take another hold of it, since the reader's list has dropped it before.
        let free = self.dropped.iter().position(|dropped| Arc::strong_count(&dropped.sealed) == 1)?;
        Some(self.dropped.swap_remove(free).file().to_owned())
    }

    fn begin_recycled(&mut self, segment: &Path) -> io::Result<Prefilled> {
        let path = self.spare_name();
        self.disk.rename(segment, &path)?;
        // The old name is gone for good before a byte of the file changes.
        self.disk.sync_dir(&self.log_dir)?;
        let file = self.disk.open(&path, OpenMode::Write)?;
        let bytes = file.bytes()?.min(self.segment_bytes);
        file.set_bytes(bytes)?;
        self.work = Some(Work { path, file, zeroed: 0, bytes });
        Ok(Prefilled::Recycled)
    }

    fn spare_name(&mut self) -> PathBuf {
        let path = names::spare(&self.log_dir, self.next_number);
        self.next_number += 1;
        path
    }

    fn create(&mut self) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
        loop {
            let path = self.spare_name();
            match self.disk.open(&path, OpenMode::CreateNew) {
                // One that the opening could not remove.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| (path, file)),
            }
        }
    }

    /// Writes and syncs the next piece of zeros. A file that fails is thrown away, and with it the error's doubt.
    fn go_on(&mut self, mut work: Work) -> io::Result<Prefilled> {
        let piece = &ZEROS[..STEP_BYTES.min((work.bytes - work.zeroed) as usize)];
        let written = write_all_at(&*work.file, piece, work.zeroed).map_err(|short| short.error);
        if let Err(error) = written.and_then(|()| work.file.sync()) {
            let _ = self.disk.remove(&work.path);
            return Err(error);
        }
        work.zeroed += piece.len() as u64;
        if work.zeroed < work.bytes {
            self.work = Some(work);
            return Ok(Prefilled::Zeroed(piece.len() as u64));
        }
        let Work { path, file, bytes, .. } = work;
        *self.shared.ready.lock() = Some(Spare { path, file, bytes });
        self.shared.is_ready.store(true, Ordering::Relaxed);
        Ok(Prefilled::Ready(bytes))
    }
}
