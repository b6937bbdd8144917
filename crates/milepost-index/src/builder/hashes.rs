//! [`Hashes`]: the hashes of keys, each with its block, on their way to slots.
//!
//! They wait apart by their highest bits, in memory while they are few and in a file from then on: the slots of a group
//! lie beside each other, so that they are made in a part of the table that a cache of the processor holds, and the
//! table in parts that memory holds.
//!
//! Invariant: what is read back is what was put in, group by group, in its order: every piece in the file has a
//! checksum, which is compared when it is read.

use std::path::PathBuf;

use milepost_io::{DiskFile, read_exact_at, write_all_at};
use milepost_types::Corruption;

use super::files::Files;
use crate::{
    BuildError,
    format::varint::{self, Fields},
};

/// Groups: one for each value of the highest byte of a hash.
pub(super) const GROUPS: usize = 256;
/// Bytes that a group keeps in memory: all of them those of some two million keys.
const GROUP_ROOM_BYTES: usize = 64 << 10;
/// Bytes of a hash in its group.
const HASH_BYTES: usize = 7;

#[derive(Debug)]
pub(super) struct Hashes {
    /// Of keys that are in no block yet.
    waiting: Vec<u64>,
    groups: Vec<Group>,
    group_room: usize,
    file: Option<(Box<dyn DiskFile>, PathBuf)>,
    written: u64,
}

/// For each hash its bytes but the highest, then a varint: how far its block is behind that of the one before.
#[derive(Clone, Debug, Default)]
struct Group {
    /// What is not in the file.
    bytes: Vec<u8>,
    /// The block of the last one.
    block: u64,
    pieces: Vec<Piece>,
}

/// A part of a group in the file.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: u64,
    bytes: u32,
    crc: u32,
}

impl Hashes {
    pub(super) fn new() -> Hashes {
        Hashes::with_room(GROUP_ROOM_BYTES)
    }

    /// With so many bytes of each group in memory.
    pub(super) fn with_room(group_room: usize) -> Hashes {
        Hashes { waiting: Vec::new(), groups: vec![Group::default(); GROUPS], group_room, file: None, written: 0 }
    }

    /// Adds the hash of the next key.
    #[inline]
    pub(super) fn push(&mut self, hash: u64) {
        self.waiting.push(hash);
    }

    /// The first keys that are in no block are in this one, which is behind all before.
    pub(super) fn are_in(&mut self, block: u64, keys: usize, files: &mut Files) -> Result<(), BuildError> {
        for hash in &self.waiting[..keys] {
            let group = &mut self.groups[group_of(*hash)];
            group.bytes.extend_from_slice(&hash.to_le_bytes()[..HASH_BYTES]);
            varint::put(&mut group.bytes, block - group.block);
            group.block = block;
            if group.bytes.len() >= self.group_room {
                let file = match &mut self.file {
                    Some(file) => file,
                    none => none.insert(files.create("hashes")?),
                };
                let piece = group.flush(file, self.written, files)?;
                self.written += u64::from(piece.bytes);
            }
        }
        self.waiting.drain(..keys);
        Ok(())
    }

    /// Calls `each` with the hashes of a group and their blocks; how many bytes they took.
    pub(super) fn read(&self, group: usize, files: &Files, mut each: impl FnMut(u64, u64)) -> Result<u64, BuildError> {
        let of = &self.groups[group];
        let mut bytes = Vec::new();
        for piece in &of.pieces {
            let (file, path) = self.file.as_ref().expect("what was written is in a file");
            let begin = bytes.len();
            bytes.resize(begin + piece.bytes as usize, 0);
            let read = read_exact_at(&**file, &mut bytes[begin..], piece.at);
            read.map_err(|error| files.failure("read", path, 0, error))?;
            if crc32fast::hash(&bytes[begin..]) != piece.crc {
                let what = "what is read back is not what was written".to_owned();
                return Err(Corruption { file: path.clone(), offset: piece.at, seq: None, what }.into());
            }
        }
        bytes.extend_from_slice(&of.bytes);
        let (mut fields, mut block) = (Fields::new(&bytes), 0);
        let high = (group as u64) << (8 * HASH_BYTES);
        while !fields.is_at_end() {
            let mut hash = [0; 8];
            let next = fields.take(HASH_BYTES).and_then(|low| {
                hash[..HASH_BYTES].copy_from_slice(low);
                fields.varint()
            });
            block += next.expect("these bytes are as they were put");
            each(high | u64::from_le_bytes(hash), block);
        }
        Ok(bytes.len() as u64)
    }

    /// Forgets all of them, and removes the file.
    pub(super) fn forget(&mut self, files: &mut Files) {
        self.groups = Vec::new();
        if let Some((_, path)) = self.file.take() {
            files.remove(&path);
        }
    }
}

impl Group {
    /// Puts what is in memory into the file.
    fn flush(
        &mut self,
        (file, path): &(Box<dyn DiskFile>, PathBuf),
        at: u64,
        files: &Files,
    ) -> Result<Piece, BuildError> {
        let need = self.bytes.len() as u64;
        write_all_at(&**file, &self.bytes, at).map_err(|short| files.failure("write", path, need, short.error))?;
        let piece = Piece { at, bytes: need as u32, crc: crc32fast::hash(&self.bytes) };
        self.pieces.push(piece);
        self.bytes.clear();
        Ok(piece)
    }
}

#[inline]
fn group_of(hash: u64) -> usize {
    (hash >> (8 * HASH_BYTES)) as usize
}
