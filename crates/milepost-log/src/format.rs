//! The bytes of a segment: header, frames, footer. Pure: bytes in, value or error out.
//!
//! ```text
//! segment   0            header, 64 bytes                          (format/header.rs)
//!           64           frames, each at an offset divisible by 8  (format/frame.rs)
//!                        cold: blocks of such frames, compressed    (format/block.rs)
//!           end          sealed: footer and trailer, to the end of the file (format/footer.rs)
//!                        open: zeros, to the end of the file
//! ```
//!
//! All integers are little-endian. Every checksum is CRC-32 (IEEE).
//!
//! Invariant: a value of a type in here came from bytes whose checksum was right, or was made by this program. There is
//! no other way from bytes to it.

pub mod block;
pub mod cold;
pub mod footer;
pub mod frame;
pub mod header;
pub mod kept;
pub mod times;
pub mod unpacked;

/// Frames and footers begin at multiples of this many bytes.
pub const ALIGN_BYTES: usize = 8;

/// The next offset at which a frame or a footer may begin.
#[must_use]
pub const fn align_up(offset: usize) -> usize {
    offset.next_multiple_of(ALIGN_BYTES)
}

/// What the checksums of a segment's frames begin with: made from the segment's salt, so that a frame of another
/// segment, or of an earlier life of the same file, does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub(crate) u32);

impl Seed {
    /// The seed of a segment with this salt.
    #[must_use]
    pub fn of_salt(salt: u64) -> Seed {
        Seed(crc32fast::hash(&salt.to_le_bytes()))
    }

    /// CRC-32 over the salt and then `bytes`.
    #[must_use]
    pub fn crc(self, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// The `u16` at an offset that the caller knows to be inside.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    let mut field = [0; 2];
    field.copy_from_slice(&bytes[offset..offset + 2]);
    u16::from_le_bytes(field)
}

/// The `u32` at an offset that the caller knows to be inside.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(field)
}

/// The `u64` at an offset that the caller knows to be inside.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(field)
}

/// Whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let mut words = bytes.chunks_exact(16);
    words.all(|word| word == [0; 16]) && words.remainder().iter().all(|byte| *byte == 0)
}

// The layout of an archive is format: another feature of rkyv, in any crate of the build, would change it unseen.
const _: fn(rkyv::Archived<u64>) -> rkyv::rend::u64_le = |number| number;
const _: () = assert!(align_of::<rkyv::Archived<u64>>() == 8 && size_of::<rkyv::Archived<Vec<u32>>>() == 8);
const _: () = assert!(size_of::<footer::ArchivedFooter>() == 72 && align_of::<footer::ArchivedFooter>() == 8);

#[cfg(test)]
mod tests;
