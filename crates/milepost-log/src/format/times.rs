//! When the frames of a segment were stamped, in little more than two bytes each: enough to find a moment among them.
//!
//! Frames stand in blocks of 64. Of a block the timestamp of its first frame is kept, and a shift; of a frame its step:
//! its distance from that, shifted right so that the block's last one fits into two bytes. So a moment is found by a
//! search through the first timestamps, in two lines of steps, and, where frames share a step with it, in those frames.
//! At a thousand commits a second and more the shift is 0, and no two share one.
//!
//! Invariant: first timestamps increase, and the steps of a block begin with 0 and never decrease.

use std::ops::Range;

use milepost_types::Timestamp;
use rkyv::{Archive, Serialize};

use super::{u16_at, u64_at};

/// Frames of a block: their steps are two lines of the processor's cache.
pub const BLOCK_FRAMES: usize = 64;

/// The timestamps of a segment's frames.
#[derive(Archive, Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Timestamp of the first frame of each block.
    pub firsts: Vec<i64>,
    /// Distance of each frame from the first one of its block, shifted.
    pub steps: Vec<u16>,
    /// By how many bits the distances of each block are shifted.
    pub shifts: Vec<u8>,
}

impl Times {
    /// Of the timestamps of all frames, in order.
    #[must_use]
    pub fn of(stamps: &[i64]) -> Times {
        let mut times = Times::default();
        for block in stamps.chunks(BLOCK_FRAMES) {
            let (first, last) = (block[0], block[block.len() - 1]);
            let shift = shift_for(distance(first, last));
            times.firsts.push(first);
            times.shifts.push(shift);
            times.steps.extend(block.iter().map(|at| (distance(first, *at) >> shift) as u16));
        }
        times
    }
}

impl ArchivedTimes {
    /// Whether there is a step for each frame, and whether they never go back.
    pub(super) fn is_sound(&self, frames: usize, first_at: Timestamp) -> bool {
        let blocks = frames.div_ceil(BLOCK_FRAMES);
        let firsts = self.firsts.iter().map(|first| first.to_native());
        self.steps.len() == frames
            && self.firsts.len() == blocks
            && self.shifts.len() == blocks
            && self.firsts.first().is_some_and(|first| first.to_native() == first_at.0)
            && firsts.is_sorted()
            && self.shifts.iter().all(|shift| u32::from(*shift) < u64::BITS)
            && self
                .steps
                .chunks(BLOCK_FRAMES)
                .all(|block| block[0] == 0 && block.iter().map(|step| step.to_native()).is_sorted())
    }
}

/// Where the times of a footer lie in its file. They were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimesView {
    firsts_at: usize,
    shifts_at: usize,
    steps_at: usize,
    frames: usize,
}

impl TimesView {
    /// `place` says where in the file something of the archive lies.
    pub(super) fn of(times: &ArchivedTimes, place: impl Fn(*const u8) -> usize) -> TimesView {
        TimesView {
            firsts_at: place(times.firsts.as_ptr().cast()),
            shifts_at: place(times.shifts.as_ptr()),
            steps_at: place(times.steps.as_ptr().cast()),
            frames: times.steps.len(),
        }
    }

    /// How many frames are stamped at or before a moment: see `FooterView::frames_until`.
    pub(super) fn frames_until<'f, E>(
        &self,
        at: i64,
        read: impl Fn(Range<usize>) -> Result<&'f [u8], E>,
    ) -> Result<Range<usize>, E> {
        let first_of = |block: usize| {
            let place = self.firsts_at + 8 * block;
            read(place..place + 8).map(|bytes| u64_at(bytes, 0).cast_signed())
        };
        // The blocks that begin at or before the moment.
        let (mut low, mut high) = (0, self.frames.div_ceil(BLOCK_FRAMES));
        while low < high {
            let middle = low.midpoint(high);
            if first_of(middle)? <= at { low = middle + 1 } else { high = middle }
        }
        let Some(block) = low.checked_sub(1) else { return Ok(0..0) };
        let begin = block * BLOCK_FRAMES;
        let end = self.frames.min(begin + BLOCK_FRAMES);
        let (steps, _) = read(self.steps_at + 2 * begin..self.steps_at + 2 * end)?.as_chunks();
        let shift = read(self.shifts_at + block..self.shifts_at + block + 1)?[0];
        let within = until(steps, first_of(block)?, shift, at);
        Ok(begin + within.start..begin + within.end)
    }

    /// Whether the frame with this index may be stamped `at`.
    pub(super) fn fits(&self, file: &[u8], index: usize, at: i64) -> bool {
        let block = index / BLOCK_FRAMES;
        let first = u64_at(file, self.firsts_at + 8 * block).cast_signed();
        index < self.frames && fits(u16_at(file, self.steps_at + 2 * index), first, file[self.shifts_at + block], at)
    }

    /// When the frame with this index was stamped at the earliest.
    pub(super) fn stamp(&self, file: &[u8], index: usize) -> i64 {
        let block = index / BLOCK_FRAMES;
        let first = u64_at(file, self.firsts_at + 8 * block).cast_signed();
        let step = u64::from(u16_at(file, self.steps_at + 2 * index));
        first.wrapping_add((step << file[self.shifts_at + block]).cast_signed())
    }
}

/// How many frames of a block are stamped at or before `at`: no fewer than the start of the range, no more than its
/// end. `steps` are little-endian; `first` is the block's first timestamp, which is not later.
#[must_use]
pub fn until(steps: &[[u8; 2]], first: i64, shift: u8, at: i64) -> Range<usize> {
    let Ok(step) = u16::try_from(distance(first, at) >> shift) else {
        return steps.len()..steps.len();
    };
    let end = steps.iter().filter(|other| u16::from_le_bytes(**other) <= step).count();
    // Unshifted, a frame that shares the step shares the moment.
    let start = if shift == 0 { end } else { steps.iter().filter(|other| u16::from_le_bytes(**other) < step).count() };
    start..end
}

/// Whether a frame of a block may be stamped `at`.
#[must_use]
pub fn fits(step: u16, first: i64, shift: u8, at: i64) -> bool {
    at >= first && distance(first, at) >> shift == u64::from(step)
}

fn distance(first: i64, at: i64) -> u64 {
    debug_assert!(first <= at, "{first} <= {at}");
    at.wrapping_sub(first).cast_unsigned()
}

/// The smallest shift that brings a distance into a step.
fn shift_for(distance: u64) -> u8 {
    (u64::BITS - (distance >> u16::BITS).leading_zeros()) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every answer against a search one by one.
    fn check(stamps: &[i64]) {
        let times = Times::of(stamps);
        let mut moments: Vec<i64> =
            stamps.iter().flat_map(|at| [at.saturating_sub(1), *at, at.saturating_add(1)]).collect();
        moments.extend([i64::MIN, -1, 0, 1, i64::MAX]);
        for (block, stamps) in stamps.chunks(BLOCK_FRAMES).enumerate() {
            let steps = &times.steps[block * BLOCK_FRAMES..][..stamps.len()];
            let (first, shift) = (times.firsts[block], times.shifts[block]);
            assert_eq!((first, steps[0], shift < 64), (stamps[0], 0, true));
            assert!(steps.iter().zip(stamps).all(|(step, at)| fits(*step, first, shift, *at)));
            let steps: Vec<[u8; 2]> = steps.iter().map(|step| step.to_le_bytes()).collect();
            for at in moments.iter().filter(|at| **at >= first) {
                let right = stamps.iter().filter(|stamp| *stamp <= at).count();
                let found = until(&steps, first, shift, *at);
                assert!(found.start <= right && right <= found.end, "{at} in {stamps:?}: {found:?}, not {right}");
            }
        }
    }

    #[test]
    fn shifts_are_as_small_as_they_can_be() {
        let rows = [(0, 0), (65535, 0), (65536, 1), (131_071, 1), (131_072, 2), (u64::MAX >> 1, 47), (u64::MAX, 48)];
        for (distance, shift) in rows {
            assert_eq!(shift_for(distance), shift, "{distance}");
            assert!(distance >> shift <= u64::from(u16::MAX));
        }
    }

    #[test]
    fn the_ends_of_time_are_found() {
        check(&[i64::MIN, i64::MAX]);
        check(&[i64::MIN]);
        check(&[i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX]);
    }

    proptest! {
        #[test]
        fn every_moment_is_found(
            begin in any::<i32>(),
            gaps in proptest::collection::vec(prop_oneof![1..3i64, 1..500i64, 1..100_000i64, 1..10_000_000_000i64], 1..300),
        ) {
            let stamps: Vec<i64> = gaps
                .iter()
                .scan(i64::from(begin), |at, gap| {
                    *at += gap;
                    Some(*at)
                })
                .collect();
            check(&stamps);
        }
    }
}
