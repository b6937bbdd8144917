//! [`State`]: everything that one simulated disk is, behind its one lock.
//!
//! Invariant: every call passes [`State::begin`] before it does anything. There it is decided whether the power is on,
//! the operation is counted and hashed, and faults are met; so a call that fails there has changed nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
};

use super::{
    faults::{FaultKind, Faults, Op},
    file::{FILE_BYTES_MAX, File},
    names::{DirId, FileId, Names, Node, Place, errno},
    rng::{SimRng, mix},
};

/// What a disk without a capacity says is free.
const FREE_BYTES_UNBOUNDED: u64 = 1 << 40;

/// A file, and who holds it.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) content: File,
    /// Its name, or the last one that it had; faults are matched against it.
    pub(super) path: Arc<Path>,
    /// Whether a name stands for it.
    pub(super) is_named: bool,
    /// Handles that hold it open.
    pub(super) handles: u32,
    /// Given by the next write.
    pub(super) error_due: Option<i32>,
}

impl Inode {
    pub(super) fn new(path: Arc<Path>, content: File) -> Inode {
        Inode { content, path, is_named: true, handles: 0, error_due: None }
    }
}

/// How a directory is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Alone,
    Shared,
}

/// Everything that a disk is.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) files: BTreeMap<FileId, Inode>,
    next_file: FileId,
    pub(super) names: Names,
    /// Position of the next change among all changes.
    stamp: u64,
    pub(super) is_off: bool,
    /// Mutating operations until the power goes off.
    pub(super) operations_left: Option<u64>,
    pub(super) operations: u64,
    counts: [u64; Op::COUNT],
    pub(super) trace: u64,
    pub(super) faults: Faults,
    pub(super) capacity: Option<u64>,
    /// Who holds each directory: so many shared ones, or one alone.
    locks: BTreeMap<DirId, (Hold, u32)>,
    /// Draws how much of the write during which the power goes off is done.
    rng: SimRng,
}

impl State {
    pub(super) fn new(seed: u64) -> State {
        State {
            files: BTreeMap::new(),
            next_file: 0,
            names: Names::new(),
            stamp: 0,
            is_off: false,
            operations_left: None,
            operations: 0,
            counts: [0; Op::COUNT],
            trace: mix(seed),
            faults: Faults::default(),
            capacity: None,
            locks: BTreeMap::new(),
            rng: SimRng::new(seed),
        }
    }

    /// The same disk, held by nobody.
    pub(super) fn let_go(&self) -> State {
        let mut state = State { locks: BTreeMap::new(), ..self.clone() };
        for inode in state.files.values_mut() {
            inode.handles = 0;
        }
        state.sweep();
        state
    }

    /// The disk after a crash that left these names and files: switched on, held by nobody, without faults.
    pub(super) fn reborn(&self, names: Names, files: BTreeMap<FileId, Inode>, crash: &[u64]) -> State {
        let mut reborn = State {
            files,
            next_file: self.next_file,
            names,
            stamp: self.stamp,
            capacity: self.capacity,
            trace: self.trace,
            ..State::new(0)
        };
        for what in crash {
            reborn.note(*what);
        }
        reborn.rng = SimRng::new(reborn.trace);
        reborn
    }

    /// Takes a lock if it is free; whether it was.
    pub(super) fn lock(&mut self, directory: DirId, hold: Hold) -> bool {
        let (held, count) = self.locks.entry(directory).or_insert((hold, 0));
        let is_free = *count == 0 || (*held, hold) == (Hold::Shared, Hold::Shared);
        if is_free {
            *count += 1;
        }
        is_free
    }

    pub(super) fn unlock(&mut self, directory: DirId, hold: Hold) {
        if let Some((held, count)) = self.locks.get_mut(&directory)
            && *held == hold
        {
            *count -= 1;
            if *count == 0 {
                self.locks.remove(&directory);
            }
        }
    }

    pub(super) fn count(&self, op: Op) -> u64 {
        self.counts[op as usize]
    }

    /// Mixes something that was done into the trace.
    pub(super) fn note(&mut self, what: u64) {
        self.trace = mix(self.trace ^ what).wrapping_add(what);
    }

    fn note_bytes(&mut self, bytes: &[u8]) {
        self.note(hash_of(bytes, 0));
    }

    pub(super) fn power(&self) -> io::Result<()> {
        if self.is_off { Err(power_is_off()) } else { Ok(()) }
    }

    /// Whether the power goes off at the next mutating operation.
    fn ends_now(&self) -> bool {
        self.operations_left == Some(0)
    }

    /// Begins a call: fails if the power is off or goes off, or with a fault's error; gives what else goes wrong.
    pub(super) fn begin(&mut self, op: Op, path: &Path) -> io::Result<Option<FaultKind>> {
        self.begin_with(op, &[path])
    }

    /// The same, of a call with several paths.
    pub(super) fn begin_with(&mut self, op: Op, paths: &[&Path]) -> io::Result<Option<FaultKind>> {
        self.power()?;
        if op.mutates() {
            if self.ends_now() {
                self.is_off = true;
                return Err(power_is_off());
            }
            if let Some(left) = &mut self.operations_left {
                *left -= 1;
            }
            self.operations += 1;
            self.note(op as u64);
            for path in paths {
                self.note_bytes(path.as_os_str().as_encoded_bytes());
            }
        }
        self.counts[op as usize] += 1;
        match self.faults.meet(op, paths) {
            Some(FaultKind::Error(code)) => Err(errno(code)),
            Some(FaultKind::Panic) => panic!("a panic was injected into {op:?} of {paths:?}"),
            other => Ok(other),
        }
    }

    pub(super) fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    pub(super) fn inode(&mut self, file: FileId) -> &mut Inode {
        self.files.get_mut(&file).expect("a file lives as long as a name or a handle does")
    }

    /// A new file with a name that is not durable yet.
    pub(super) fn create(&mut self, place: Place, path: &Path) -> FileId {
        let file = self.new_file(path, File::default());
        let stamp = self.next_stamp();
        self.names.put(stamp, place, Node::File(file));
        file
    }

    pub(super) fn new_file(&mut self, path: &Path, content: File) -> FileId {
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, Inode::new(path.into(), content));
        file
    }

    /// Writes what the power, the faults and the room allow; how many bytes that was.
    pub(super) fn write(&mut self, file: FileId, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.power()?;
        if self.ends_now() {
            self.write_at_power_off(file, bytes, offset);
            self.is_off = true;
            return Err(power_is_off());
        }
        let path = Arc::clone(&self.inode(file).path);
        let fault = self.begin(Op::Write, &path)?;
        if let Some(code) = self.inode(file).error_due.take() {
            return Err(errno(code));
        }
        let bytes_max = match fault {
            Some(FaultKind::ShortWrite { bytes }) => bytes,
            Some(FaultKind::ShortWriteThenError { bytes: 0, errno: code }) => return Err(errno(code)),
            Some(FaultKind::ShortWriteThenError { bytes, errno: code }) => {
                self.inode(file).error_due = Some(code);
                bytes
            }
            _ => usize::MAX,
        };
        self.note(offset);
        self.note_bytes(bytes);
        self.write_as_far_as_there_is_room(file, &bytes[..bytes.len().min(bytes_max)], offset)
    }

    /// The power goes off while a write is under way: nothing of it got to the cache, or some, or all.
    fn write_at_power_off(&mut self, file: FileId, bytes: &[u8], offset: u64) {
        let done = match self.rng.below(3) {
            0 => 0,
            1 => bytes.len(),
            _ => self.rng.index(bytes.len() + 1),
        };
        // The power is as good as off: nobody hears whether there was room.
        let _ = self.write_as_far_as_there_is_room(file, &bytes[..done], offset);
    }

    fn write_as_far_as_there_is_room(&mut self, file: FileId, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= FILE_BYTES_MAX);
        if end.is_none() {
            return Err(errno(libc::EFBIG));
        }
        let mut count = bytes.len();
        if self.capacity.is_some() {
            let room = self.free_bytes();
            count = self.inode(file).content.fitting(offset as usize, bytes.len(), room);
        }
        if count == 0 {
            return Err(errno(libc::ENOSPC));
        }
        let stamp = self.next_stamp();
        self.inode(file).content.write(stamp, &bytes[..count], offset as usize);
        Ok(count)
    }

    /// Takes room for bytes that read as zeros; behind the end of a file only, as whoever reserves does it.
    pub(super) fn allocate(&mut self, file: FileId, offset: u64, bytes: u64) -> io::Result<()> {
        let path = Arc::clone(&self.inode(file).path);
        self.begin(Op::Allocate, &path)?;
        (self.note(offset), self.note(bytes));
        if offset.saturating_add(bytes) > FILE_BYTES_MAX {
            return Err(errno(libc::EFBIG));
        }
        if self.inode(file).content.bytes() as u64 > offset {
            return Err(errno(libc::EOPNOTSUPP));
        }
        if bytes > self.free_bytes() {
            return Err(errno(libc::ENOSPC));
        }
        let stamp = self.next_stamp();
        self.inode(file).content.allocate(stamp, (offset + bytes) as usize);
        Ok(())
    }

    pub(super) fn set_bytes(&mut self, file: FileId, bytes: u64) -> io::Result<()> {
        let path = Arc::clone(&self.inode(file).path);
        self.begin(Op::SetBytes, &path)?;
        self.note(bytes);
        if bytes > FILE_BYTES_MAX {
            return Err(errno(libc::EFBIG));
        }
        let stamp = self.next_stamp();
        self.inode(file).content.set_bytes(stamp, bytes as usize);
        Ok(())
    }

    pub(super) fn sync(&mut self, file: FileId) -> io::Result<()> {
        let path = Arc::clone(&self.inode(file).path);
        if self.begin(Op::Sync, &path)? == Some(FaultKind::SyncFailsAndDropsPages) {
            self.inode(file).content.drop_unsynced();
            return Err(errno(libc::EIO));
        }
        self.inode(file).content.sync();
        Ok(())
    }

    /// The file lost its name.
    pub(super) fn unname(&mut self, file: FileId) {
        self.inode(file).is_named = false;
    }

    pub(super) fn used_bytes(&self) -> u64 {
        let held = self.files.values().filter(|inode| inode.is_named || inode.handles > 0);
        held.map(|inode| inode.content.used_bytes()).sum()
    }

    pub(super) fn free_bytes(&self) -> u64 {
        match self.capacity {
            Some(capacity) => capacity.saturating_sub(self.used_bytes()),
            None => FREE_BYTES_UNBOUNDED,
        }
    }

    /// Forgets files that nobody can get at any more, not even after a crash.
    pub(super) fn sweep(&mut self) {
        if self.files.values().all(|inode| inode.is_named || inode.handles > 0) {
            return;
        }
        let named: BTreeSet<FileId> = self.names.all_files().collect();
        self.files.retain(|file, inode| inode.handles > 0 || named.contains(file));
    }
}

/// A hash of bytes, of their number and of what comes before them.
pub(super) fn hash_of(bytes: &[u8], before: u64) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let mut hash = bytes.len() as u64 ^ before;
    for word in words {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    for byte in rest {
        hash = (hash.rotate_left(23) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    hash
}

pub(super) fn power_is_off() -> io::Error {
    io::Error::other("power is off")
}
