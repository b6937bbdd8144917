//! Segments of frames small and large, whole, cut, damaged and with zeros behind, walked as a whole and by windows.

use std::{ops::ControlFlow, path::Path};

use milepost_io::{Disk, OpenMode, SimDisk, write_all_at};
use milepost_types::{Seq, Timestamp};

use super::*;
use crate::{
    SegmentId, StoreId,
    chain::Chain,
    format::{
        frame::frame_bytes,
        header::{SEGMENT_HEADER_BYTES, SegmentHeader, first_written},
    },
    recover::walk,
};

/// xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn header() -> SegmentHeader {
    first_written(SegmentId(1), StoreId([7; 16]), Seq(1), 1, 99)
}

/// The file of a segment, and what is known of it.
fn segment(dice: &mut Dice) -> (Vec<u8>, Expected) {
    let header = header();
    let (mut bytes, mut chain) = (header.encode().to_vec(), Chain::begin(&header, Timestamp::MIN));
    let mut batch_first = 1;
    let frames = dice.below(60) as u64;
    for seq in 1..=frames {
        let body = vec![seq as u8; [dice.below(9), dice.below(200), dice.below(9000)][dice.below(3)]];
        let begin = bytes.len();
        bytes.resize(begin + 40, 0);
        bytes.extend_from_slice(&body);
        if dice.below(3) > 0 {
            batch_first = seq;
        }
        let at = Timestamp(seq.cast_signed());
        chain.write(&mut bytes[begin..], crc32fast::hash(&body), at, Seq(batch_first), header.seed());
        bytes.resize(begin + frame_bytes(body.len()), 0);
    }
    match dice.below(8) {
        0 => bytes.truncate(SEGMENT_HEADER_BYTES + dice.below(bytes.len() - SEGMENT_HEADER_BYTES + 1)),
        1 => bytes.resize(bytes.len() + dice.below(20_000), 0),
        2 => bytes.extend((0..dice.below(20_000)).map(|n| n as u8)),
        3 if bytes.len() > SEGMENT_HEADER_BYTES => {
            let at = SEGMENT_HEADER_BYTES + dice.below(bytes.len() - SEGMENT_HEADER_BYTES);
            bytes[at] ^= 1 << dice.below(8);
        }
        4 => {
            let behind = 1 + dice.below(30_000);
            bytes.resize(bytes.len() + behind, 0);
            let at = bytes.len() - 1 - dice.below(behind);
            bytes[at] = 1;
        }
        _ => {}
    }
    let next_first = [None, Some(Seq(frames + 1))][dice.below(2)];
    let promised = (Seq(dice.below(frames as usize + 1) as u64), "it was said");
    (bytes, Expected { next_first, promised, footer: None })
}

#[test]
fn a_walk_by_windows_finds_what_a_whole_walk_finds() {
    let dice = &mut Dice(0x9e37_79b9_7f4a_7c15);
    let mut stops = std::collections::BTreeMap::new();
    for round in 0..600 {
        let (bytes, expected) = segment(dice);
        let sim = SimDisk::new(1);
        let file = sim.open(Path::new("/segment"), OpenMode::CreateNew).unwrap();
        write_all_at(&*file, &bytes, 0).unwrap();
        let begin = Position { at: SEGMENT_HEADER_BYTES, chain: Chain::begin(&header(), Timestamp::MIN) };
        let mut whole = (begin, Vec::new());
        let stop = walk(&bytes, header().seed(), &mut whole.0, &expected, &mut |frame, at| {
            whole.1.push((frame.header, frame.body.to_vec(), at));
            ControlFlow::Continue(())
        });
        *stops.entry(format!("{stop:?}").split(['(', ' ']).next().unwrap().to_owned()).or_insert(0) += 1;
        for window_bytes in [1, 40, 1 << 10, 4096, 10_000, 1 << 20] {
            let mut walked = (begin, Vec::new());
            let found = walk_file(&*file, window_bytes, header().seed(), &mut walked.0, &expected, &mut |frame, at| {
                walked.1.push((frame.header, frame.body.to_vec(), at));
                ControlFlow::Continue(())
            });
            assert_eq!(found.unwrap(), stop, "round {round}, windows of {window_bytes}");
            assert_eq!(walked.1, whole.1, "round {round}, windows of {window_bytes}");
            assert_eq!((walked.0.at, walked.0.chain), (whole.0.at, whole.0.chain), "round {round}");
        }
    }
    for stop in ["End", "Torn", "Corrupt"] {
        assert!(stops.get(stop).is_some_and(|times| *times > 20), "{stops:?}");
    }
}

/// The whole walk would have it to the end; a break has to end this one, too.
#[test]
fn a_break_ends_it() {
    let dice = &mut Dice(5);
    let (bytes, expected) = std::iter::repeat_with(|| segment(dice)).find(|(bytes, _)| bytes.len() > 50_000).unwrap();
    let sim = SimDisk::new(1);
    let file = sim.open(Path::new("/segment"), OpenMode::CreateNew).unwrap();
    write_all_at(&*file, &bytes, 0).unwrap();
    let mut position = Position { at: SEGMENT_HEADER_BYTES, chain: Chain::begin(&header(), Timestamp::MIN) };
    let mut visited = 0;
    let stop = walk_file(&*file, 64, header().seed(), &mut position, &expected, &mut |_, _| {
        visited += 1;
        if visited == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((stop.unwrap(), visited, position.chain.next_seq), (Stop::Interrupted, 3, Seq(3)));
}

/// A whole frame that does not continue the log is damage where a later batch stands behind it, however far, and the
/// torn end of the log where none does: no window is enough to tell.
#[test]
fn what_is_no_frame_of_the_log_is_judged_by_all_that_follows() {
    let header = header();
    for (before, is_later, zeros) in [(1, true, 0), (1, true, 20_000), (1, false, 20_000), (0, true, 20_000)] {
        let (mut bytes, mut chain) = (header.encode().to_vec(), Chain::begin(&header, Timestamp::MIN));
        let mut put = |chain: &mut Chain, seq: u64, batch_first: u64| {
            let begin = bytes.len();
            bytes.resize(begin + frame_bytes(100), 0);
            bytes[begin + 40..begin + 140].fill(seq as u8);
            let crc = crc32fast::hash(&bytes[begin + 40..begin + 140]);
            let at = Timestamp(seq.cast_signed());
            chain.write(&mut bytes[begin..begin + 140], crc, at, Seq(batch_first), header.seed());
        };
        if before > 0 {
            put(&mut chain, 1, 1);
        }
        let mut other = Chain { prev_crc: 7, ..chain };
        let next = chain.next_seq.0;
        put(&mut other, next, next);
        let stands_at = SEGMENT_HEADER_BYTES + before * frame_bytes(100);
        put(&mut other, next + 1, if is_later { next + 1 } else { next });
        let behind = stands_at + frame_bytes(100);
        bytes.splice(behind..behind, vec![0; zeros]);
        let sim = SimDisk::new(1);
        let file = sim.open(Path::new("/segment"), OpenMode::CreateNew).unwrap();
        write_all_at(&*file, &bytes, 0).unwrap();
        for window_bytes in [1, 200, 1 << 10, 4096, 1 << 20] {
            let expected = Expected { next_first: None, promised: (Seq::ZERO, "it was said"), footer: None };
            let mut position = Position { at: SEGMENT_HEADER_BYTES, chain: Chain::begin(&header, Timestamp::MIN) };
            let visit: &mut VisitFrame<'_> = &mut |_, _| ControlFlow::Continue(());
            let stop = walk_file(&*file, window_bytes, header.seed(), &mut position, &expected, visit).unwrap();
            let right = match is_later {
                true => Stop::Corrupt(
                    "the frame here does not continue the frame before it, but a later batch stands behind it"
                        .to_owned(),
                ),
                false => Stop::Torn(2 * frame_bytes(100) + zeros - 4),
            };
            assert_eq!((stop, position.at), (right, stands_at), "{before} before, {zeros} zeros, {window_bytes}");
        }
    }
}
