//! The bytes of a run. Pure: bytes in, value or error out.
//!
//! ```text
//! run    0    header, 64 bytes                               (format/header.rs)
//!        64   sections, each at an offset divisible by 64, zeros between them
//!               key blocks       keys with the newest version of each   (format/block.rs, columns.rs)
//!               block offsets    u32 each: where a block begins in its section; one more, where the last one ends
//!               older versions   lists, newest first                    (format/list.rs)
//!               changes          a list for each scope, oldest first    (format/list.rs)
//!               clears           12 bytes each: Seq u64, record u32; those of a scope together, oldest first
//!               scopes           56 bytes each                          (format/scope.rs)
//!               scope names      shared prefixes left out               (format/front.rs)
//!               name restarts    u32 each: where every 4th name begins in its section; one more, where the last ends
//!               key slots        from a hash to a block of keys         (format/slots.rs)
//!               scope slots      from a hash to a scope                 (format/slots.rs)
//!             page checksums: u32 each, over every 4096 bytes of all that stands before; the last page may be shorter
//!             meta, a rkyv archive; trailer, 24 bytes        (format/meta.rs)
//! ```
//!
//! All integers are little-endian. Every checksum is CRC-32 (IEEE). A varint is LEB128, at most ten bytes.
//!
//! Invariant: whatever the bytes are, reading them ends with a value or an error, and takes no more memory than they
//! have.

pub mod bits;
pub mod block;
pub mod columns;
pub mod front;
pub mod header;
pub mod list;
pub mod meta;
pub mod scope;
pub mod slots;
pub mod step;
pub mod varint;

use thiserror::Error;

/// Bytes of a page: what one checksum covers.
pub const PAGE_BYTES: usize = 4096;
/// Sections begin at multiples of this many bytes: a line of the processor's cache.
pub const SECTION_ALIGN_BYTES: usize = 64;
/// Bytes of a key or of a scope's name, at least 1.
pub const NAME_BYTES_MAX: usize = 1100;

/// Bytes that no builder writes, though their checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// The `u32` at an offset that the caller knows to be inside.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(field)
}

/// The `u64` at an offset that the caller knows to be inside.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(field)
}

#[cfg(test)]
mod tests;
