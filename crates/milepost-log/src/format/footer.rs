//! The footer of a sealed segment: where each of its frames begins, and when each was stamped.
//!
//! ```text
//! footer   at the end of the last frame, an offset divisible by 8
//!   archive     rkyv archive (little-endian) of `Footer`, its root at its end
//! trailer  the last 24 bytes of the file
//!    0  archive bytes      u32
//!    4  archive crc        u32  over the segment's salt and the archive
//!    8  segment header crc u32  the crc at byte 60 of the file: binds the footer to its segment
//!   12  trailer crc        u32  over bytes 0 to 11
//!   16  magic              8  "MPSTFTR\0"
//! ```
//!
//! A segment that was written anew has another archive (`format/kept.rs`) in the same place, a cold one a third
//! (`format/cold.rs`).
//!
//! Invariant: offsets increase, are divisible by 8, begin at 64 and end before the footer; there is one for every `Seq`
//! from the first to the last, and so is a step of time. [`FooterView`] exists only after that was checked, and then
//! finds an offset or a moment without reading the archive again.

use std::ops::Range;

use milepost_types::{Seq, Timestamp};
use rkyv::{Archive, Serialize, rancor, util::AlignedVec};
use thiserror::Error;

use super::{
    ALIGN_BYTES, Seed,
    cold::{self, BlockTable},
    header::{Form, SEGMENT_HEADER_BYTES, SegmentHeader},
    kept::{self, KeptTable},
    times::{ArchivedTimes, Times, TimesView},
    u32_at,
};

/// Bytes of the trailer, the last of a sealed file.
pub const TRAILER_BYTES: usize = 24;

const MAGIC: [u8; 8] = *b"MPSTFTR\0";

/// What a footer says.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// `Seq` of the first frame.
    pub first_seq: u64,
    /// `Seq` of the last frame.
    pub last_seq: u64,
    /// Timestamp of the first frame.
    pub first_at: i64,
    /// Timestamp of the last frame.
    pub last_at: i64,
    /// Header checksum of the last frame.
    pub last_crc: u32,
    /// Where each frame begins.
    pub offsets: Vec<u32>,
    /// When each frame was stamped.
    pub times: Times,
}

/// Bytes that are no footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FooterFault {
    /// The file does not end with a trailer.
    #[error("the file does not end with a footer")]
    Missing,
    /// A trailer whose checksum is wrong, or of another segment.
    #[error("footer trailer checksum mismatch")]
    Trailer,
    /// The archive's checksum is wrong.
    #[error("footer checksum mismatch")]
    Crc,
    /// The checksum is right, but what it says can't be.
    #[error("the footer's offsets do not fit the segment")]
    Content,
}

/// A checked footer: its numbers, and where in the file its table of offsets lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FooterView {
    /// Where the footer begins in the file.
    pub begins_at: usize,
    /// Where the last frame ends as the segment is read: there, if its frames stand in the file as they are.
    pub frames_end: usize,
    /// `Seq` of the first frame.
    pub first_seq: Seq,
    /// `Seq` of the last frame.
    pub last_seq: Seq,
    /// Timestamp of the first frame.
    pub first_at: Timestamp,
    /// Timestamp of the last frame.
    pub last_at: Timestamp,
    /// Header checksum of the last frame.
    pub last_crc: u32,
    /// Checksum of the archive.
    pub archive_crc: u32,
    /// Where each frame begins; of those that are kept, where not all are.
    pub(super) offsets_at: usize,
    pub(super) times: TimesView,
    /// How many commits it tells of.
    pub(super) frames: usize,
    /// Which commits are kept; `None` where all are.
    pub(super) kept: Option<KeptTable>,
    /// Where the blocks are, if the frames are compressed.
    pub(super) blocks: Option<BlockTable>,
    /// Whether bodies may be thinned.
    pub(super) is_thinned: bool,
}

/// The bytes of footer and trailer, and the checksum of the archive.
#[must_use]
pub fn encode(footer: &Footer, segment_crc: u32, seed: Seed) -> (Vec<u8>, u32) {
    let archive = rkyv::to_bytes::<rancor::Error>(footer).expect("an archive in memory can only fail to allocate");
    with_trailer(&archive, segment_crc, seed)
}

/// The bytes of an archive and its trailer, and the checksum of the archive.
pub(super) fn with_trailer(archive: &[u8], segment_crc: u32, seed: Seed) -> (Vec<u8>, u32) {
    let archive_crc = seed.crc(archive);
    let mut bytes = Vec::with_capacity(archive.len() + TRAILER_BYTES);
    bytes.extend_from_slice(archive);
    let archive_bytes = u32::try_from(archive.len()).expect("a segment holds fewer than 2^30 / 8 frames");
    let mut trailer = [0; TRAILER_BYTES];
    trailer[..4].copy_from_slice(&archive_bytes.to_le_bytes());
    trailer[4..8].copy_from_slice(&archive_crc.to_le_bytes());
    trailer[8..12].copy_from_slice(&segment_crc.to_le_bytes());
    let trailer_crc = crc32fast::hash(&trailer[..12]);
    trailer[12..16].copy_from_slice(&trailer_crc.to_le_bytes());
    trailer[16..].copy_from_slice(&MAGIC);
    bytes.extend_from_slice(&trailer);
    (bytes, archive_crc)
}

/// Whether the last bytes of a file look like a trailer: worth mapping the file and reading the footer.
#[must_use]
pub fn ends_with_trailer(tail: &[u8]) -> bool {
    tail.len() >= TRAILER_BYTES && tail.ends_with(&MAGIC)
}

/// Where the footer of a whole segment file begins, if its last bytes are right: before that, only they may be read.
#[must_use]
pub fn begins_at(file: &[u8]) -> Option<usize> {
    let trailer_at = file.len().checked_sub(TRAILER_BYTES)?;
    trailer_at.checked_sub(u32_at(&file[trailer_at..], 0) as usize)
}

/// Whether the last bytes of a file are the trailer of this very segment.
#[must_use]
pub fn is_sealed(tail: &[u8], segment_crc: u32) -> bool {
    tail.len().checked_sub(TRAILER_BYTES).is_some_and(|at| check_trailer(&tail[at..], segment_crc).is_ok())
}

fn check_trailer(trailer: &[u8], segment_crc: u32) -> Result<(), FooterFault> {
    if trailer[16..] != MAGIC {
        return Err(FooterFault::Missing);
    }
    if crc32fast::hash(&trailer[..12]) != u32_at(trailer, 12) || u32_at(trailer, 8) != segment_crc {
        return Err(FooterFault::Trailer);
    }
    Ok(())
}

/// Reads and checks the footer of a whole segment file.
pub fn decode_of(header: &SegmentHeader, file: &[u8]) -> Result<FooterView, FooterFault> {
    let (crc, seed) = (header.crc(), header.seed());
    match (header.generation, header.form) {
        (0, _) => decode(file, crc, seed),
        (_, Form::Raw) => kept::decode(file, crc, seed),
        (_, Form::Compressed) => cold::decode(file, crc, seed),
    }
}

/// The same of a segment as it was first written.
pub fn decode(file: &[u8], segment_crc: u32, seed: Seed) -> Result<FooterView, FooterFault> {
    let (archive, begins_at, archive_crc) = archive_of(file, segment_crc, seed)?;
    read_archive(archive, begins_at, archive_crc)
}

/// The archive of a footer, where it begins, and its checksum, which was checked.
pub(super) fn archive_of(file: &[u8], segment_crc: u32, seed: Seed) -> Result<(&[u8], usize, u32), FooterFault> {
    let trailer_at = file.len().checked_sub(TRAILER_BYTES).ok_or(FooterFault::Missing)?;
    let trailer = &file[trailer_at..];
    check_trailer(trailer, segment_crc)?;
    let begins_at = begins_at(file).ok_or(FooterFault::Trailer)?;
    if begins_at < SEGMENT_HEADER_BYTES || !begins_at.is_multiple_of(ALIGN_BYTES) {
        return Err(FooterFault::Content);
    }
    let archive = &file[begins_at..trailer_at];
    let archive_crc = u32_at(trailer, 4);
    if seed.crc(archive) != archive_crc {
        return Err(FooterFault::Crc);
    }
    Ok((archive, begins_at, archive_crc))
}

/// Validates the archive in an aligned copy, and notes where its table of offsets lies.
fn read_archive(archive: &[u8], begins_at: usize, archive_crc: u32) -> Result<FooterView, FooterFault> {
    let mut copy = AlignedVec::<16>::with_capacity(archive.len());
    copy.extend_from_slice(archive);
    let footer = rkyv::access::<ArchivedFooter, rancor::Error>(&copy).map_err(|_| FooterFault::Content)?;
    let place = |table: *const u8| begins_at + (table.addr() - copy.as_ptr().addr());
    let view = FooterView {
        begins_at,
        frames_end: begins_at,
        first_seq: Seq(footer.first_seq.to_native()),
        last_seq: Seq(footer.last_seq.to_native()),
        first_at: Timestamp(footer.first_at.to_native()),
        last_at: Timestamp(footer.last_at.to_native()),
        last_crc: footer.last_crc.to_native(),
        archive_crc,
        offsets_at: place(footer.offsets.as_ptr().cast()),
        times: TimesView::of(&footer.times, place),
        frames: footer.offsets.len(),
        kept: None,
        blocks: None,
        is_thinned: false,
    };
    let starts_first = footer.offsets.first().is_some_and(|first| first.to_native() as usize == SEGMENT_HEADER_BYTES);
    let offsets = footer.offsets.iter().map(|offset| offset.to_native());
    let is_sound =
        view.counts(&footer.times) && starts_first && end_of_ordered(offsets).is_some_and(|end| end <= begins_at);
    if is_sound { Ok(view) } else { Err(FooterFault::Content) }
}

/// Where frames that begin at these offsets end at the earliest; `None` if they can't begin there.
pub(super) fn end_of_ordered(offsets: impl Iterator<Item = u32>) -> Option<usize> {
    let mut end = SEGMENT_HEADER_BYTES;
    let mut ordered = true;
    for offset in offsets {
        let offset = offset as usize;
        ordered &= offset >= end && offset.is_multiple_of(ALIGN_BYTES);
        end = offset + super::frame::FRAME_HEADER_BYTES;
    }
    ordered.then_some(end)
}

impl FooterView {
    /// Whether its numbers fit each other and the times.
    pub(super) fn counts(&self, times: &ArchivedTimes) -> bool {
        let frames = self.last_seq.0.checked_sub(self.first_seq.0).and_then(|count| count.checked_add(1));
        frames == Some(self.frames as u64)
            && self.first_seq > Seq::ZERO
            && self.first_at <= self.last_at
            && times.is_sound(self.frames, self.first_at)
    }

    /// How many commits the segment is of: those that were removed are counted.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Which commits are kept; `None` where all are.
    #[must_use]
    pub fn kept(&self) -> Option<&KeptTable> {
        self.kept.as_ref()
    }

    /// Where the blocks are; `None` where the frames stand in the file as they are.
    #[must_use]
    pub fn blocks(&self) -> Option<&BlockTable> {
        self.blocks.as_ref()
    }

    /// Whether bodies may be thinned.
    #[must_use]
    pub fn is_thinned(&self) -> bool {
        self.is_thinned
    }

    /// Where the frame with this index begins, in a segment that keeps all; `file` is the file that the footer was read
    /// from.
    #[must_use]
    pub fn offset(&self, file: &[u8], index: usize) -> u32 {
        u32_at(file, self.offset_at(index))
    }

    /// Where in the file it stands where the frame with this index begins; the index among those that are kept.
    #[must_use]
    #[inline]
    pub fn offset_at(&self, index: usize) -> usize {
        assert!(index < self.frames, "frame {index} of {}", self.frames);
        self.offsets_at + 4 * index
    }

    /// How many frames are stamped at or before a moment: no fewer than the start of the range, no more than its end.
    /// `read` gives bytes of the file that the footer was read from.
    pub fn frames_until<'f, E>(
        &self,
        at: Timestamp,
        read: impl Fn(Range<usize>) -> Result<&'f [u8], E>,
    ) -> Result<Range<usize>, E> {
        self.times.frames_until(at.0, read)
    }

    /// Whether the frame with this index may be stamped `at`; `file` is the file that the footer was read from.
    #[must_use]
    pub fn fits(&self, file: &[u8], index: usize, at: Timestamp) -> bool {
        self.times.fits(file, index, at.0)
    }

    /// When the commit with this index was stamped at the earliest.
    #[must_use]
    pub fn stamp(&self, file: &[u8], index: usize) -> Timestamp {
        Timestamp(self.times.stamp(file, index))
    }
}
