//! Pieces: written, read back, and checked.
//!
//! Invariant: a file has the name of a piece only if it was durable and read back whole before. [`open`] gives nothing
//! of a piece but for the very bytes that the backup names.

use std::{
    io::ErrorKind,
    ops::Range,
    path::{Path, PathBuf},
};

use milepost_io::{Disk, DiskFile, Map, OpenMode, write_all_at};
use milepost_log::{Provenance, SealedFile, SegmentId, StoreId, Stretch};
use milepost_types::{Corruption, Seq, Timestamp};

use super::{
    BackupError,
    format::PieceRow,
    names::{self, PieceId},
};

/// Bytes copied at once.
const COPY_BYTES: usize = 1 << 20;

/// What a piece is to be made of.
pub(super) enum Source<'a> {
    /// The file of a sealed segment, of so many bytes.
    File(&'a Stretch, usize),
    /// Bytes made for it.
    Bytes(&'a [u8]),
}

impl Source<'_> {
    fn bytes(&self) -> usize {
        match self {
            Source::File(_, bytes) => *bytes,
            Source::Bytes(bytes) => bytes.len(),
        }
    }

    fn read(&self, range: Range<usize>) -> Result<&[u8], Corruption> {
        match self {
            Source::File(stretch, _) => stretch.read(range),
            Source::Bytes(bytes) => Ok(&bytes[range]),
        }
    }

    /// What is wrong with a copy, told of the file that it is a copy of where that says the same.
    fn blamed(&self, copy: &[u8], error: BackupError) -> BackupError {
        match (self, error) {
            (Source::File(stretch, bytes), BackupError::Corrupt(found))
                if stretch.read(0..*bytes).is_ok_and(|original| original == copy) =>
            {
                let file = stretch.file().map_or(found.file, Path::to_owned);
                BackupError::Corrupt(Corruption { file, ..found })
            }
            (_, error) => error,
        }
    }
}

impl PieceRow {
    pub(super) fn id(&self) -> PieceId {
        PieceId { first: Seq(self.first_seq), last: Seq(self.last_seq), hash: self.hash }
    }

    pub(super) fn provenance(&self) -> Provenance {
        Provenance { salt: self.salt, last_crc: self.last_crc }
    }
}

/// Where pieces are kept.
pub(super) struct Shelf<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) dir: &'a Path,
    pub(super) store: StoreId,
}

impl Shelf<'_> {
    /// Writes a piece under its name, durable but for the name, and reads it back. `told` is called with bytes as they
    /// are written. A file that does not come to that is removed.
    pub(super) fn write(
        &self,
        source: &Source<'_>,
        (first, last): (Seq, Seq),
        told: &mut dyn FnMut(u64),
    ) -> Result<(PieceId, u64), BackupError> {
        let path = names::new_piece(self.dir, first);
        let written = self.write_new(&path, source, (first, last), told);
        written.inspect_err(|_| {
            // What can't be removed is worthless, and removed by whoever prunes.
            let _ = self.disk.remove(&path);
        })
    }

    fn write_new(
        &self,
        path: &Path,
        source: &Source<'_>,
        (first, last): (Seq, Seq),
        told: &mut dyn FnMut(u64),
    ) -> Result<(PieceId, u64), BackupError> {
        let bytes = source.bytes();
        let failed = |action, source| BackupError::write(self.disk, self.dir, bytes as u64, action, path, source);
        let file = self.create(path).map_err(|error| failed("create", error))?;
        let mut hasher = blake3::Hasher::new();
        let mut at = 0;
        while at < bytes {
            let end = bytes.min(at + COPY_BYTES);
            let part = source.read(at..end)?;
            hasher.update(part);
            write_all_at(&*file, part, at as u64).map_err(|short| failed("write", short.error))?;
            told(part.len() as u64);
            at = end;
        }
        file.sync().map_err(|error| failed("sync", error))?;
        let id = PieceId { first, last, hash: *hasher.finalize().as_bytes() };
        let (map, path_read) = self.map(path)?;
        self.check(&map, &path_read, &id).map_err(|error| source.blamed(&map, error))?;
        let named = id.path(self.dir);
        self.disk.rename(path, &named).map_err(|error| failed("rename", error))?;
        Ok((id, bytes as u64))
    }

    fn create(&self, path: &Path) -> std::io::Result<Box<dyn DiskFile>> {
        match self.disk.open(path, OpenMode::CreateNew) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.disk.remove(path)?;
                self.disk.open(path, OpenMode::CreateNew)
            }
            opened => opened,
        }
    }

    /// Makes the names of pieces durable.
    pub(super) fn sync(&self) -> Result<(), BackupError> {
        let dir = self.dir.join(names::PIECES);
        self.disk.sync_dir(&dir).map_err(BackupError::io("sync", &dir))
    }

    /// The bytes of a piece's file, readable but not checked.
    pub(super) fn open(&self, id: &PieceId) -> Result<(Map, PathBuf), BackupError> {
        self.map(&id.path(self.dir))
    }

    /// Whether a piece's file is there, with so many bytes.
    pub(super) fn has(&self, id: &PieceId, bytes: u64) -> bool {
        let file = self.disk.open(&id.path(self.dir), OpenMode::Read);
        file.and_then(|file| file.bytes()).is_ok_and(|found| found == bytes)
    }

    fn map(&self, path: &Path) -> Result<(Map, PathBuf), BackupError> {
        let corrupt =
            |offset, what| BackupError::Corrupt(Corruption { file: path.to_owned(), offset, seq: None, what });
        let file = match self.disk.open(path, OpenMode::Read) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(corrupt(0, "the piece is missing".to_owned()));
            }
            opened => opened.map_err(BackupError::io("open", path))?,
        };
        if file.bytes().map_err(BackupError::io("read the size of", path))? == 0 {
            return Err(corrupt(0, "the piece is empty".to_owned()));
        }
        let map = file.map().map_err(BackupError::io("map", path))?;
        let readable = map.check_readable(0..map.len());
        readable.map_err(|fault| corrupt(fault.at as u64, fault.to_string()))?;
        Ok((map, path.to_owned()))
    }

    /// Checks that a piece is what its name says, and every checksum in it.
    pub(super) fn check<'m>(&self, map: &'m Map, path: &Path, id: &PieceId) -> Result<SealedFile<'m>, BackupError> {
        let corrupt = |what: String| {
            BackupError::Corrupt(Corruption { file: path.to_owned(), offset: 0, seq: Some(id.first), what })
        };
        if *blake3::hash(map).as_bytes() != id.hash {
            // The place in it is worth more than that the hash is another one.
            SealedFile::check(map, path)?;
            return Err(corrupt("the piece is not the one that the backup lists: its hash is another one".to_owned()));
        }
        let sealed = SealedFile::check(map, path)?;
        if sealed.store() != self.store {
            return Err(corrupt(format!("the piece is of store {}, not of {}", sealed.store(), self.store)));
        }
        if sealed.range() != (id.first, id.last) {
            let (first, last) = sealed.range();
            return Err(corrupt(format!(
                "the piece holds seq {first} to {last}, expected was {} to {}",
                id.first, id.last
            )));
        }
        Ok(sealed)
    }

    /// The same, against all that a backup says of it; `after` is when the commit before it was stamped.
    pub(super) fn check_row<'m>(
        &self,
        map: &'m Map,
        path: &Path,
        row: &PieceRow,
        after: Timestamp,
    ) -> Result<SealedFile<'m>, BackupError> {
        let sealed = self.check(map, path, &row.id())?;
        let agrees = map.len() as u64 == row.bytes
            && sealed.id() == SegmentId(row.segment)
            && sealed.provenance().salt == row.salt
            && sealed.times().1 == Timestamp(row.last_at)
            && sealed.times().0 > after;
        if agrees {
            return Ok(sealed);
        }
        let (file, seq) = (path.to_owned(), Some(Seq(row.first_seq)));
        let what = "the piece does not say what the backup says of it".to_owned();
        Err(BackupError::Corrupt(Corruption { file, offset: 0, seq, what }))
    }
}
