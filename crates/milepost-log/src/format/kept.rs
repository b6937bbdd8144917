//! The archive in the footer of a segment that was written anew: which commits of its range are kept, where their
//! frames stand, and when each commit was stamped, the removed ones too.
//!
//! A removed commit costs a bit, its share of a rank and its time: two bytes and a third in all. The time is kept so
//! that a moment leads to the `Seq` that it always led to.
//!
//! Invariant: a bit for every `Seq` of the range; before each word the number of bits set in all words before; offsets
//! of the kept frames, as in any footer.

use std::ops::Range;

use milepost_types::{Seq, Timestamp};
use rkyv::{Archive, Serialize, rancor, util::AlignedVec};

use super::{
    Seed,
    footer::{self, FooterFault, FooterView, end_of_ordered},
    header::SEGMENT_HEADER_BYTES,
    times::{Times, TimesView},
    u32_at, u64_at,
};

/// Commits of a word of bits.
const WORD: usize = u64::BITS as usize;

/// What the footer of a segment that was written anew says.
#[derive(Archive, Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// `Seq` of the first commit, kept or not.
    pub first_seq: u64,
    /// `Seq` of the last commit, kept or not.
    pub last_seq: u64,
    /// Timestamp of the first commit.
    pub first_at: i64,
    /// Timestamp of the last commit.
    pub last_at: i64,
    /// Header checksum of the last frame; of the segment's header if there is none.
    pub last_crc: u32,
    /// Zero.
    pub reserved: u32,
    /// A bit for each commit: whether it is kept.
    pub bits: Vec<u64>,
    /// How many are kept in the words of bits before each.
    pub ranks: Vec<u32>,
    /// Where each kept frame begins.
    pub offsets: Vec<u32>,
    /// When each commit was stamped.
    pub times: Times,
}

const _: () = assert!(size_of::<ArchivedKept>() == 88);

/// Where in the file of a footer it stands which commits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptTable {
    bits_at: usize,
    ranks_at: usize,
    /// How many are kept.
    pub count: usize,
}

impl Kept {
    /// Of the stamps of all commits and, in order, index and offset of those that are kept.
    #[must_use]
    pub fn of(first_seq: Seq, stamps: &[i64], kept: &[(u32, u32)]) -> Kept {
        let mut bits = vec![0; stamps.len().div_ceil(WORD)];
        for (index, _) in kept {
            bits[*index as usize / WORD] |= 1 << (*index as usize % WORD);
        }
        let before = |count: &mut u32, word: &u64| {
            let before = *count;
            *count += word.count_ones();
            Some(before)
        };
        Kept {
            first_seq: first_seq.0,
            last_seq: first_seq.0 + stamps.len() as u64 - 1,
            first_at: stamps[0],
            last_at: stamps[stamps.len() - 1],
            ranks: bits.iter().scan(0, before).collect(),
            bits,
            offsets: kept.iter().map(|(_, offset)| *offset).collect(),
            times: Times::of(stamps),
            ..Kept::default()
        }
    }
}

/// The bytes of footer and trailer, and the checksum of the archive.
#[must_use]
pub fn encode(kept: &Kept, segment_crc: u32, seed: Seed) -> (Vec<u8>, u32) {
    let archive = rkyv::to_bytes::<rancor::Error>(kept).expect("an archive in memory can only fail to allocate");
    footer::with_trailer(&archive, segment_crc, seed)
}

/// Reads and checks the footer of a whole segment file that was written anew.
pub fn decode(file: &[u8], segment_crc: u32, seed: Seed) -> Result<FooterView, FooterFault> {
    let (archive, begins_at, archive_crc) = footer::archive_of(file, segment_crc, seed)?;
    let mut copy = AlignedVec::<16>::with_capacity(archive.len());
    copy.extend_from_slice(archive);
    let kept = rkyv::access::<ArchivedKept, rancor::Error>(&copy).map_err(|_| FooterFault::Content)?;
    let place = |table: *const u8| begins_at + (table.addr() - copy.as_ptr().addr());
    view_of(kept, place, (begins_at, begins_at), archive_crc)
}

/// What an archive says, if it can be. `place` says where in the file something of the archive lies; then where the
/// footer begins, and where the last frame ends.
pub(super) fn view_of(
    kept: &ArchivedKept,
    place: impl Fn(*const u8) -> usize + Copy,
    (begins_at, frames_end): (usize, usize),
    archive_crc: u32,
) -> Result<FooterView, FooterFault> {
    let view = FooterView {
        begins_at,
        frames_end,
        first_seq: Seq(kept.first_seq.to_native()),
        last_seq: Seq(kept.last_seq.to_native()),
        first_at: Timestamp(kept.first_at.to_native()),
        last_at: Timestamp(kept.last_at.to_native()),
        last_crc: kept.last_crc.to_native(),
        archive_crc,
        offsets_at: place(kept.offsets.as_ptr().cast()),
        times: TimesView::of(&kept.times, place),
        frames: kept.times.steps.len(),
        kept: Some(KeptTable {
            bits_at: place(kept.bits.as_ptr().cast()),
            ranks_at: place(kept.ranks.as_ptr().cast()),
            count: kept.offsets.len(),
        }),
        blocks: None,
        is_thinned: true,
    };
    let is_sound = view.counts(&kept.times)
        && bits_are_sound(kept, view.frames)
        && offsets_are_sound(kept, frames_end)
        && kept.reserved.to_native() == 0;
    if is_sound { Ok(view) } else { Err(FooterFault::Content) }
}

/// Whether there is a bit for each commit, and an offset for each that is set.
fn bits_are_sound(kept: &ArchivedKept, frames: usize) -> bool {
    let words = frames.div_ceil(WORD);
    let rest = frames % WORD;
    let mut count = 0;
    let ranked = kept.bits.iter().zip(kept.ranks.iter()).all(|(word, rank)| {
        let is_right = rank.to_native() == count;
        count += word.to_native().count_ones();
        is_right
    });
    kept.bits.len() == words
        && kept.ranks.len() == words
        && ranked
        && count as usize == kept.offsets.len()
        && (rest == 0 || kept.bits.last().is_some_and(|word| word.to_native() >> rest == 0))
}

fn offsets_are_sound(kept: &ArchivedKept, frames_end: usize) -> bool {
    let first = kept.offsets.first().map_or(SEGMENT_HEADER_BYTES as u32, |first| first.to_native());
    let ends_at = end_of_ordered(kept.offsets.iter().map(|offset| offset.to_native()));
    first as usize == SEGMENT_HEADER_BYTES && ends_at.is_some_and(|end| end <= frames_end)
}

impl KeptTable {
    /// Where in the file it stands whether a commit is kept, and how many are before it.
    #[must_use]
    #[inline]
    pub fn places(&self, index: usize) -> (usize, usize) {
        (self.bits_at + 8 * (index / WORD), self.ranks_at + 4 * (index / WORD))
    }

    /// Where in the file the bits of so many commits lie.
    #[must_use]
    pub fn bits(&self, frames: usize) -> Range<usize> {
        self.bits_at..self.bits_at + 8 * frames.div_ceil(WORD)
    }

    /// The place of a commit among those that are kept; `None` if it was removed. `file` is the file of the footer.
    #[must_use]
    #[inline]
    pub fn rank(&self, file: &[u8], index: usize) -> Option<usize> {
        let (bits_at, ranks_at) = self.places(index);
        let (word, bit) = (u64_at(file, bits_at), index % WORD);
        if word >> bit & 1 == 0 {
            return None;
        }
        Some(u32_at(file, ranks_at) as usize + (word & ((1 << bit) - 1)).count_ones() as usize)
    }

    /// The first commit from this one on that is kept, below `end`.
    #[must_use]
    pub fn next_kept(&self, file: &[u8], mut index: usize, end: usize) -> Option<usize> {
        while index < end {
            let word = u64_at(file, self.places(index).0) >> (index % WORD);
            if word != 0 {
                return Some(index + word.trailing_zeros() as usize).filter(|index| *index < end);
            }
            index = (index / WORD + 1) * WORD;
        }
        None
    }
}

#[cfg(test)]
mod tests;
