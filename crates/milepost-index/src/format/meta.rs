//! The end of a run: page checksums, meta, trailer.
//!
//! ```text
//! page checksums  u32 each
//! meta            rkyv archive (little-endian) of `Meta`: where each section stands, and how much is in it
//! trailer         the last 24 bytes of the file
//!    0  meta bytes   u32
//!    4  pages        u32  how many page checksums
//!    8  reserved     u32  zero
//!   12  crc          u32  over the header, the page checksums, the meta and bytes 0 to 11 of the trailer
//!   16  magic        8    "MPSTREN\0"
//! ```
//!
//! The checksum of the trailer covers the checksums of all pages: it identifies the content of the run.
//!
//! Invariant: sections stand in order, do not overlap, and end before the page checksums. [`Tail::decode`] is the only
//! way from bytes to a [`Meta`], and demands it.

use rkyv::{Archive, Deserialize, Serialize, rancor, util::AlignedVec};

use super::{
    Malformed, PAGE_BYTES, SECTION_ALIGN_BYTES, block::BLOCK_KEYS, header::RUN_HEADER_BYTES, scope::CLEAR_BYTES,
    scope::SCOPE_BYTES, slots::Shape, u32_at,
};

/// Bytes of the trailer.
pub const TRAILER_BYTES: usize = 24;

const MAGIC: [u8; 8] = *b"MPSTREN\0";

/// Where a section stands in the file.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Where it begins.
    pub at: u64,
    /// How long it is.
    pub bytes: u64,
}

/// The sections, in the order in which they stand.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// Blocks of keys.
    pub blocks: Section,
    /// Where each block begins.
    pub block_offsets: Section,
    /// Older versions of keys.
    pub versions: Section,
    /// Changes of scopes.
    pub changes: Section,
    /// Clears of scopes.
    pub clears: Section,
    /// Records of scopes.
    pub scopes: Section,
    /// Names of scopes.
    pub names: Section,
    /// Where names are spelled out.
    pub restarts: Section,
    /// From hashes to keys.
    pub key_slots: Section,
    /// From hashes to scopes.
    pub scope_slots: Section,
}

/// What a run says of itself.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Where everything stands.
    pub sections: Sections,
    /// Keys.
    pub keys: u64,
    /// Versions of all keys.
    pub versions: u64,
    /// Events that cleared a scope.
    pub clears: u64,
    /// Blocks of keys.
    pub blocks: u32,
    /// Scopes.
    pub scopes: u32,
}

impl Sections {
    /// All, in order.
    #[must_use]
    pub fn all(&self) -> [Section; 10] {
        [
            self.blocks,
            self.block_offsets,
            self.versions,
            self.changes,
            self.clears,
            self.scopes,
            self.names,
            self.restarts,
            self.key_slots,
            self.scope_slots,
        ]
    }
}

impl Meta {
    /// How the slots of keys are laid out.
    #[must_use]
    pub fn key_shape(&self) -> Shape {
        Shape::of(self.keys, u64::from(self.blocks))
    }

    /// How the slots of scopes are laid out.
    #[must_use]
    pub fn scope_shape(&self) -> Shape {
        Shape::of(u64::from(self.scopes), u64::from(self.scopes))
    }

    /// Whether the sections are as long as the counts say and stand in order before `end`.
    fn is_sound(&self, end: u64) -> bool {
        let mut at = RUN_HEADER_BYTES as u64;
        for section in self.sections.all() {
            at = at.next_multiple_of(SECTION_ALIGN_BYTES as u64);
            if section.at != at || section.bytes > u64::from(u32::MAX) {
                return false;
            }
            at += section.bytes;
        }
        let (blocks, scopes) = (u64::from(self.blocks), u64::from(self.scopes));
        let counted = self.keys <= blocks * BLOCK_KEYS as u64 && self.keys >= blocks && self.versions >= self.keys;
        if at != end || !counted || self.clears > u64::from(u32::MAX) {
            return false;
        }
        let sections = &self.sections;
        sections.block_offsets.bytes == (blocks + 1) * 4
            && sections.clears.bytes == self.clears * CLEAR_BYTES as u64
            && sections.scopes.bytes == scopes * SCOPE_BYTES as u64
            && sections.restarts.bytes == (scopes.div_ceil(super::front::RESTART_NAMES as u64) + 1) * 4
            && sections.key_slots.bytes == self.key_shape().bytes()
            && sections.scope_slots.bytes == self.scope_shape().bytes()
    }
}

/// The end of a run, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// What the run says of itself.
    pub meta: Meta,
    /// Where the page checksums begin: the end of all that they cover.
    pub table_at: usize,
    /// How many pages they cover.
    pub pages: usize,
    /// What identifies the content.
    pub crc: u32,
}

/// The bytes of page checksums, meta and trailer, and the checksum that identifies the content.
#[must_use]
pub fn encode(header: &[u8; RUN_HEADER_BYTES], page_crcs: &[u32], meta: &Meta) -> (Vec<u8>, u32) {
    let archive = rkyv::to_bytes::<rancor::Error>(meta).expect("an archive in memory can only fail to allocate");
    let mut bytes: Vec<u8> = page_crcs.iter().flat_map(|crc| crc.to_le_bytes()).collect();
    bytes.extend_from_slice(&archive);
    bytes.extend_from_slice(&u32::try_from(archive.len()).expect("a meta has some hundred bytes").to_le_bytes());
    let pages = u32::try_from(page_crcs.len()).expect("ten sections of 4 GiB have fewer than 2^32 pages");
    bytes.extend_from_slice(&pages.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    let crc = crc_of(header, &bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&MAGIC);
    (bytes, crc)
}

fn crc_of(header: &[u8], tail: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(tail);
    hasher.finalize()
}

impl Tail {
    /// Where the end of a whole file begins, if its last bytes are right: of the others only the header may be read
    /// before that.
    #[must_use]
    pub fn begins_at(file: &[u8]) -> Option<usize> {
        let trailer = &file[file.len().checked_sub(TRAILER_BYTES)?..];
        let bytes = TRAILER_BYTES + u32_at(trailer, 0) as usize + 4 * u32_at(trailer, 4) as usize;
        file.len().checked_sub(bytes)
    }

    /// Reads the end of a whole file.
    pub fn decode(file: &[u8]) -> Result<Tail, Malformed> {
        let trailer_at = file
            .len()
            .checked_sub(TRAILER_BYTES)
            .filter(|at| *at >= RUN_HEADER_BYTES && file[at + 16..] == MAGIC)
            .ok_or(Malformed("the file does not end with a run's trailer"))?;
        let trailer = &file[trailer_at..];
        let (meta_bytes, pages) = (u32_at(trailer, 0) as usize, u32_at(trailer, 4) as usize);
        let meta_at = trailer_at.checked_sub(meta_bytes);
        let table_at = meta_at.and_then(|at| at.checked_sub(pages.checked_mul(4)?));
        let (Some(meta_at), Some(table_at)) = (meta_at, table_at.filter(|at| *at >= RUN_HEADER_BYTES)) else {
            return Err(Malformed("the run's trailer says more than the file holds"));
        };
        let crc = u32_at(trailer, 12);
        if crc_of(&file[..RUN_HEADER_BYTES], &file[table_at..trailer_at + 12]) != crc {
            return Err(Malformed("run trailer checksum mismatch"));
        }
        let mut archive = AlignedVec::<16>::with_capacity(meta_bytes);
        archive.extend_from_slice(&file[meta_at..trailer_at]);
        let meta = rkyv::from_bytes::<Meta, rancor::Error>(&archive).map_err(|_| NOT_SOUND)?;
        let covered = table_at.div_ceil(PAGE_BYTES) == pages;
        if !covered || !meta.is_sound(table_at as u64) || u32_at(trailer, 8) != 0 {
            return Err(NOT_SOUND);
        }
        Ok(Tail { meta, table_at, pages, crc })
    }
}

const NOT_SOUND: Malformed = Malformed("the run's meta does not fit the file");

#[cfg(test)]
mod tests;
