//! Every bit flipped, every length cut, files missing, swapped or put in from elsewhere: what comes out is a right
//! prefix, a torn tail, or an error that names the place. Never a wrong byte, never a gap that is stepped over.

use std::ops::ControlFlow;

use milepost_io::{Disk as _, SimDisk};
use milepost_log::{
    Known, LogError, SealedFacts, SegmentId, StoreId, Tail, find,
    format::{
        footer::{self, Footer},
        header::SegmentHeader,
        times::Times,
    },
};
use milepost_types::Seq;

use crate::rig::{World, at, dir, end_of, segment_file};

/// Three segments: two sealed, and an open one with three batches, the last of them of two commits.
fn small_world() -> World {
    let mut world = World::new(512);
    let mut log = world.create().unwrap();
    for sizes in [&[60][..], &[5, 70], &[100], &[40, 41, 42], &[30]] {
        world.commit(&mut log, sizes);
        if log.writer.needs_roll(150) {
            world.roll(&mut log).unwrap();
        }
    }
    while world.segments.len() < 3 {
        world.commit(&mut log, &[33]);
        if log.writer.needs_roll(200) {
            world.roll(&mut log).unwrap();
        }
    }
    world.commit(&mut log, &[20]);
    world.commit(&mut log, &[25]);
    world.commit(&mut log, &[3, 17]);
    world.cut_ahead(&log);
    assert_eq!(world.segments.iter().filter(|segment| segment.sealed.is_some()).count(), 2);
    world
}

/// What a damaged log may look like.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// So many commits, all of them right, and a clean end.
    Prefix(usize),
    /// So many commits, all of them right, and a torn tail.
    Torn(usize),
    /// An error that names this file.
    Named(String),
}

/// The same for a reader as for whoever holds the store's lock, and reads once.
fn outcome(world: &World) -> Outcome {
    let [beside, locked] = [false, true].map(|is_locked| outcome_as(world, &Known { is_locked, ..world.known() }));
    assert_eq!(beside, locked);
    beside
}

fn outcome_as(world: &World, known: &Known<'_>) -> Outcome {
    let mut bodies = Vec::new();
    let found = find(world.disk(), dir(), known, &mut |frame| {
        bodies.push(frame.body.to_vec());
        ControlFlow::Continue(())
    });
    // Also before an error only right commits are shown.
    assert_eq!(bodies[..], world.offered[..bodies.len()], "wrong bytes");
    match found {
        Ok(found) if matches!(found.tail(), Tail::Torn { .. }) => Outcome::Torn(bodies.len()),
        Ok(_) => Outcome::Prefix(bodies.len()),
        Err(LogError::Corrupt(corruption)) => {
            assert!(corruption.seq.is_none_or(|seq| seq.0 <= world.offered.len() as u64 + 1), "{corruption}");
            Outcome::Named(corruption.file.file_name().unwrap().to_string_lossy().into_owned())
        }
        Err(
            LogError::NewerFormat { file, .. } | LogError::OtherStore { file, .. } | LogError::Misnamed { file, .. },
        ) => Outcome::Named(file.file_name().unwrap().to_string_lossy().into_owned()),
        Err(error) => panic!("{error}"),
    }
}

fn segments(world: &World) -> Vec<u64> {
    world.segments.iter().map(|segment| segment.id.0).collect()
}

/// FAULTS D1: with a fresh manifest, and with one that knows the first segment only.
#[test]
fn every_flipped_bit_is_met_or_harmless() {
    for fresh in [true, false] {
        let mut world = small_world();
        if !fresh {
            world.segments.truncate(1);
            world.segments[0].sealed = None;
        }
        let total = world.offered.len();
        for id in 1..=3 {
            let file = segment_file(id);
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = world.sim.file_bytes(&file).unwrap();
            let footer_at = footer_at(&bytes);
            for bit in 0..bytes.len() as u64 * 8 {
                world.sim.flip_bit(&file, bit);
                let found = outcome(&world);
                let at = (bit / 8) as usize;
                let expected = if id == 3 {
                    // In the open segment only the last batch may be taken for torn.
                    match last_batch_frames(&bytes).iter().rposition(|begin| at >= *begin) {
                        Some(frame) => Outcome::Torn(total - 2 + frame),
                        None => Outcome::Named(name.clone()),
                    }
                } else if !fresh && at >= footer_at {
                    // The frames prove themselves; the footer is made anew from them.
                    Outcome::Prefix(total)
                } else {
                    Outcome::Named(name.clone())
                };
                assert_eq!(found, expected, "bit {bit} of {name}, fresh manifest: {fresh}");
                world.sim.flip_bit(&file, bit);
            }
        }
        assert_eq!(outcome(&world), Outcome::Prefix(total));
    }
}

/// FAULTS D1: the same in the zeros ahead of the last commit: something stands where nothing was written.
#[test]
fn every_flipped_bit_ahead_is_torn() {
    let mut world = World::new(512);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[60, 24]);
    let (end, file) = (end_of(&log), segment_file(1));
    assert_eq!(world.sim.file_bytes(&file).unwrap().len(), 512);
    for bit in end * 8..512 * 8 {
        world.sim.flip_bit(&file, bit);
        assert_eq!(outcome(&world), Outcome::Torn(2), "bit {bit}");
        world.sim.flip_bit(&file, bit);
    }
    assert_eq!(outcome(&world), Outcome::Prefix(2));
}

/// Where the footer of a sealed file begins, read from its trailer.
fn footer_at(bytes: &[u8]) -> usize {
    let trailer = &bytes[bytes.len() - 24..];
    let archive = u32::from_le_bytes(trailer[..4].try_into().unwrap()) as usize;
    bytes.len().saturating_sub(24 + archive)
}

/// Where the two frames of the last batch begin: bodies of 3 and 17 bytes, the second without padding.
fn last_batch_frames(bytes: &[u8]) -> [usize; 2] {
    [bytes.len() - 57 - 48, bytes.len() - 57]
}

/// FAULTS D2.
#[test]
fn every_truncation_is_a_prefix_or_named() {
    for fresh in [true, false] {
        let mut world = small_world();
        if !fresh {
            world.segments.truncate(1);
            world.segments[0].sealed = None;
        }
        let total = world.offered.len();
        for id in 1..=3 {
            let file = segment_file(id);
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = world.sim.file_bytes(&file).unwrap();
            for length in 0..bytes.len() {
                world.sim.truncate(&file, length as u64);
                match outcome(&world) {
                    Outcome::Named(found) => {
                        assert_eq!(found, name);
                        assert!(id < 3 || length < 64, "the open segment can end anywhere, {length}");
                    }
                    Outcome::Prefix(found) if id < 3 => {
                        // All but the footer, and the padding before it.
                        assert!(!fresh && length + 8 > footer_at(&bytes) && found == total, "{length} of {name}");
                    }
                    Outcome::Torn(_) if id < 3 => panic!("{length} of {name} is no torn tail"),
                    Outcome::Prefix(found) | Outcome::Torn(found) => assert!(found < total || length + 8 > bytes.len()),
                }
                world.sim.put_file(&file, &bytes);
            }
        }
    }
}

/// FAULTS D2, A2: below the mark of a clean close a missing byte is damage, not a torn tail.
#[test]
fn nothing_is_torn_below_a_clean_mark() {
    let mut world = small_world();
    let log = world.open().unwrap();
    world.close(log);
    let file = segment_file(3);
    let bytes = world.sim.file_bytes(&file).unwrap();
    for length in 0..bytes.len() {
        world.sim.truncate(&file, length as u64);
        assert!(matches!(outcome(&world), Outcome::Named(_)), "{length}");
        world.sim.put_file(&file, &bytes);
    }
    for bit in 0..bytes.len() as u64 * 8 {
        world.sim.flip_bit(&file, bit);
        assert!(matches!(outcome(&world), Outcome::Named(_)), "bit {bit}");
        world.sim.flip_bit(&file, bit);
    }
    // The same number of commits, but the log ends elsewhere than it was closed.
    world.clean.as_mut().unwrap().end += 8;
    assert!(matches!(outcome(&world), Outcome::Named(_)));
}

/// FAULTS D3: damage with later batches behind it refuses the log and names the first commit that is gone; a reader
/// that was open before serves what is below and above.
#[test]
fn damage_in_the_middle_is_named_and_the_rest_is_served() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..9 {
        world.commit(&mut log, &[1000]);
    }
    drop(log);
    let file = segment_file(2);
    // The second of the three frames of segment 2: commit 5, in the middle of its body.
    let offset = 64 + 1040;
    world.sim.flip_bit(&file, (offset + 500) * 8);
    let Err(LogError::Corrupt(corruption)) = world.find() else { panic!("the damage was not met") };
    assert_eq!((&corruption.file, corruption.offset, corruption.seq), (&file, offset, Some(Seq(5))));
    world.sim.flip_bit(&file, (offset + 500) * 8);

    // Rolled, but not read from the map yet: the first read after the roll meets the damage.
    let mut log = world.open().unwrap();
    world.commit(&mut log, &[1000, 10]);
    let id = log.writer.segments().last().unwrap().id;
    let first = log.writer.segments().last().unwrap().first_seq;
    let begin = log.reader.segment_stats().last().unwrap().clone();
    assert!(begin.frames >= 2);
    let second_at = second_frame_at(&world.sim, id);
    world.sim.flip_bit(&segment_file(id.0), (second_at + 45) * 8);
    world.roll(&mut log).unwrap();
    let damaged = Seq(first.0 + 1);
    let corruption = log.reader.frame(damaged).unwrap_err();
    assert_eq!((corruption.file, corruption.offset, corruption.seq), (segment_file(id.0), second_at, Some(damaged)));
    let read: Vec<_> = log.reader.frames(Seq(1), Seq::MAX).collect();
    assert_eq!(read.len(), world.offered.len());
    for (index, frame) in read.into_iter().enumerate() {
        match frame {
            Ok(frame) => assert_eq!(frame.body(), world.offered[index]),
            Err(corruption) => assert_eq!((index as u64 + 1, corruption.seq), (damaged.0, Some(damaged))),
        }
    }
    let mut visited = 0;
    let stopped = log.reader.for_each_frame(Seq(1), Seq::MAX, &mut |_| {
        visited += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((stopped.unwrap_err().seq, visited), (Some(damaged), damaged.0 - 1));
}

/// A frame stands where another one should: both are whole, only their places are wrong.
#[test]
fn frames_that_changed_places_are_met() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[100]);
    world.commit(&mut log, &[100]);
    let bytes = world.sim.file_bytes(&segment_file(1)).unwrap();
    let mut swapped = bytes.clone();
    swapped.resize(64 + 2 * 144, 0);
    swapped[64..].rotate_left(144);
    world.sim.put_file(&segment_file(1), &swapped);
    world.roll(&mut log).unwrap();
    for seq in [1, 2] {
        let corruption = log.reader.frame(Seq(seq)).unwrap_err();
        assert_eq!((corruption.offset, corruption.seq), (64 + 144 * (seq - 1), Some(Seq(seq))));
    }
}

fn second_frame_at(sim: &SimDisk, id: SegmentId) -> u64 {
    let bytes = sim.file_bytes(&segment_file(id.0)).unwrap();
    let body = u32::from_le_bytes(bytes[64..68].try_into().unwrap());
    64 + u64::from(40 + body).next_multiple_of(8)
}

/// FAULTS D3: whole batches overwritten, in every way that leaves a later batch.
#[test]
fn no_batch_is_skipped_for_a_later_one() {
    for (what, range) in [("one frame", 120..176), ("two batches", 120..288), ("all but the last", 64..288)] {
        for fill in [0, 0xff] {
            let mut world = World::new(4096);
            let mut log = world.create().unwrap();
            for _ in 0..5 {
                world.commit(&mut log, &[16]);
            }
            world.cut_ahead(&log);
            drop(log);
            let file = segment_file(1);
            let mut bytes = world.sim.file_bytes(&file).unwrap();
            assert_eq!(bytes.len(), 64 + 5 * 56);
            bytes[range.clone()].fill(fill);
            world.sim.put_file(&file, &bytes);
            let Err(LogError::Corrupt(corruption)) = world.find() else { panic!("{what} was skipped") };
            assert_eq!(corruption.offset, range.start as u64, "{what}");
            assert!(corruption.what.contains("a later batch stands behind it"), "{corruption}");
        }
    }
}

/// FAULTS D3: the bytes of a batch are not damaged but gone, and a later one stands in their place.
#[test]
fn a_batch_that_was_cut_out_is_missed() {
    for (what, cut) in [("one of many", 120..176), ("the one before the last", 232..288)] {
        let mut world = World::new(4096);
        let mut log = world.create().unwrap();
        for _ in 0..5 {
            world.commit(&mut log, &[16]);
        }
        drop(log);
        let mut bytes = world.sim.file_bytes(&segment_file(1)).unwrap();
        bytes.drain(cut.clone());
        world.sim.put_file(&segment_file(1), &bytes);
        let Err(LogError::Corrupt(corruption)) = world.find() else { panic!("{what} is gone, and nobody says so") };
        assert_eq!(corruption.offset, cut.start as u64, "{what}");
    }
}

/// FAULTS D1: a footer whose checksums are right and which says something else than the frames.
#[test]
fn a_footer_that_lies_is_found_out() {
    let world = small_world();
    let file = segment_file(1);
    let bytes = world.sim.file_bytes(&file).unwrap();
    let header = SegmentHeader::decode(&bytes).unwrap();
    let view = footer::decode(&bytes, header.crc(), header.seed()).unwrap();
    let stamps: Vec<i64> = (view.first_seq.0..=view.last_seq.0).map(|seq| at(Seq(seq)).0).collect();
    let truth = Footer {
        first_seq: view.first_seq.0,
        last_seq: view.last_seq.0,
        first_at: view.first_at.0,
        last_at: view.last_at.0,
        last_crc: view.last_crc,
        offsets: (0..view.frames()).map(|index| view.offset(&bytes, index)).collect(),
        times: Times::of(&stamps),
    };
    type Lie = fn(&mut Footer);
    let lies: [(&str, Lie); 8] = [
        ("nothing", |_| {}),
        ("an offset", |footer| footer.offsets[1] += 8),
        ("the first time", |footer| footer.first_at -= 1),
        ("the last time", |footer| footer.last_at += 1),
        ("a time", |footer| footer.times.steps.iter_mut().skip(1).for_each(|step| *step += 1)),
        ("the last crc", |footer| footer.last_crc ^= 1),
        ("the range", |footer| (footer.first_seq, footer.last_seq) = (footer.first_seq + 1, footer.last_seq + 1)),
        ("the count", |footer| {
            footer.last_seq -= 1;
            footer.offsets.pop();
            footer.times.steps.pop();
        }),
    ];
    // A manifest that lists the lie as it is; and one that does not know of the seal, so that the footer does not
    // count.
    let (mut listing, mut stale) = (world.clone(), world.clone());
    stale.segments.truncate(1);
    stale.segments[0].sealed = None;
    for (what, lie) in lies {
        let mut footer = truth.clone();
        lie(&mut footer);
        let mut lying = bytes[..view.begins_at].to_vec();
        let (encoded, crc) = footer::encode(&footer, header.crc(), header.seed());
        lying.extend(encoded);
        listing.segments[0].sealed =
            Some(SealedFacts { last_seq: Seq(footer.last_seq), bytes: lying.len() as u64, crc });
        for world in [&listing, &stale] {
            world.sim.put_file(&file, &lying);
        }
        match what {
            "nothing" => assert_eq!(outcome(&listing), Outcome::Prefix(world.offered.len())),
            _ => assert_eq!(outcome(&listing), Outcome::Named("0000000001.seg".to_owned()), "{what}"),
        }
        assert_eq!(outcome(&stale), Outcome::Prefix(world.offered.len()), "{what}");
    }
}

/// FAULTS D5: a sealed segment that is not the one that the manifest lists.
#[test]
fn what_the_manifest_says_of_a_sealed_segment_is_checked() {
    type Other = fn(&mut SealedFacts);
    let others: [(&str, Other); 4] = [
        ("size", |facts| facts.bytes += 1),
        ("crc", |facts| facts.crc ^= 1),
        ("more commits", |facts| facts.last_seq.0 += 1),
        ("fewer commits", |facts| facts.last_seq.0 -= 1),
    ];
    for (what, other) in others {
        let mut world = small_world();
        other(world.segments[0].sealed.as_mut().unwrap());
        assert_eq!(outcome(&world), Outcome::Named("0000000001.seg".to_owned()), "{what}");
    }
    let mut world = small_world();
    world.segments[1].first_seq.0 += 1;
    assert_eq!(outcome(&world), Outcome::Named("0000000002.seg".to_owned()));
}

/// The segments' epochs never decrease.
#[test]
fn a_segment_of_an_earlier_epoch_is_refused() {
    let mut world = World::new(4096);
    world.epoch = 6;
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    world.roll(&mut log).unwrap();
    for (epoch, expected) in [(6, Outcome::Named("0000000002.seg".to_owned())), (7, Outcome::Prefix(1))] {
        let header = SegmentHeader::decode(&world.sim.file_bytes(&segment_file(2)).unwrap()).unwrap();
        world.sim.put_file(&segment_file(2), SegmentHeader { epoch, ..header }.encode());
        assert_eq!(outcome(&world), expected);
    }
}

/// FAULTS D4: a segment is missing between two that are there, and the one before it has no footer.
#[test]
fn a_gap_between_segments_is_named() {
    let mut world = small_world();
    world.segments.truncate(1);
    world.segments[0].sealed = None;
    let bytes = world.sim.file_bytes(&segment_file(1)).unwrap();
    world.sim.truncate(&segment_file(1), footer_at(&bytes) as u64);
    world.sim.remove_name(&segment_file(2));
    let Err(LogError::MissingSegment { file, .. }) = world.find() else { panic!("not missed") };
    assert_eq!(file, segment_file(2));
}

/// FAULTS D4: the range of commits in a missing segment is named.
#[test]
fn a_missing_segment_is_named() {
    for id in 1..=3 {
        for fresh in [true, false] {
            let mut world = small_world();
            let firsts: Vec<Seq> = world.segments.iter().map(|segment| segment.first_seq).collect();
            if !fresh {
                world.segments.truncate(1);
                world.segments[0].sealed = None;
            }
            world.sim.remove(&segment_file(id)).unwrap();
            let Err(LogError::MissingSegment { file, first, last }) = world.find() else {
                panic!("segment {id} is missing, and nobody says so")
            };
            assert_eq!((file, first), (segment_file(id), firsts[id as usize - 1]));
            if fresh {
                assert_eq!(last, firsts.get(id as usize).map(|next| next.prev()));
            }
        }
    }
}

/// FAULTS D4: also the open segment, if it was the one in which the log was closed.
#[test]
fn the_segment_of_the_clean_mark_is_missed() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    world.roll(&mut log).unwrap();
    world.close(log);
    world.segments.truncate(1);
    world.segments[0].sealed = None;
    // Without its footer, the first segment looks like the last.
    let bytes = world.sim.file_bytes(&segment_file(1)).unwrap();
    world.sim.truncate(&segment_file(1), footer_at(&bytes) as u64);
    world.sim.remove(&segment_file(2)).unwrap();
    let Err(LogError::MissingSegment { file, first, last }) = world.find() else { panic!("not missed") };
    assert_eq!((file, first, last), (segment_file(2), Seq(2), Some(Seq(1))));
}

/// FAULTS D5: every segment swapped for each other one, for one of another store, and for an older copy of itself.
#[test]
fn files_from_elsewhere_are_refused() {
    let world = small_world();
    let files: Vec<Vec<u8>> =
        segments(&world).iter().map(|id| world.sim.file_bytes(&segment_file(*id)).unwrap()).collect();
    for target in 1..=3 {
        for (source, bytes) in (1..).zip(&files) {
            if source == target {
                continue;
            }
            world.sim.put_file(&segment_file(target), bytes);
            let Err(LogError::Misnamed { file, found }) = world.find() else { panic!("{source} as {target}") };
            assert_eq!(
                (file, found),
                (segment_file(target), milepost_log::SegmentName { id: SegmentId(source), generation: 0 })
            );
        }
        let other = StoreId([9; 16]);
        let mut known = world.known();
        known.store = other;
        world.sim.put_file(&segment_file(target), &files[target as usize - 1]);
        let refused = find(world.disk(), dir(), &known, &mut |_| ControlFlow::Continue(())).map(drop);
        assert!(matches!(refused, Err(LogError::OtherStore { expected, .. }) if expected == other), "{refused:?}");
    }
    // The same history written by another store: same bytes in the frames, other salt.
    let mut twin = World::new(512);
    twin.epoch = 100;
    let mut log = twin.create().unwrap();
    for _ in 0..12 {
        twin.commit(&mut log, &[60]);
    }
    for id in 1..=2 {
        world.sim.put_file(&segment_file(id), twin.sim.file_bytes(&segment_file(id)).unwrap());
        assert!(matches!(outcome(&world), Outcome::Named(_)), "a twin's segment {id}");
        world.sim.put_file(&segment_file(id), &files[id as usize - 1]);
    }
    assert_eq!(outcome(&world), Outcome::Prefix(world.offered.len()));
}

/// FAULTS D5: an older copy of a segment, from before it was sealed.
#[test]
fn an_older_copy_of_a_sealed_segment_is_refused() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    let mut copies = Vec::new();
    for _ in 0..3 {
        world.commit(&mut log, &[1000]);
        copies.push(world.sim.file_bytes(&segment_file(1)).unwrap());
    }
    world.commit(&mut log, &[1000]);
    for (commits, copy) in (1u64..).zip(&copies) {
        world.sim.put_file(&segment_file(1), copy);
        let Outcome::Named(name) = outcome(&world) else { panic!("a copy with {commits} commits was taken") };
        assert_eq!(name, "0000000001.seg");
    }
    // A manifest that does not know that it was sealed: the segment that follows tells what is missing.
    world.segments.truncate(1);
    world.segments[0].sealed = None;
    for copy in &copies[..2] {
        world.sim.put_file(&segment_file(1), copy);
        assert!(matches!(outcome(&world), Outcome::Named(_)));
    }
    world.sim.put_file(&segment_file(1), &copies[2]);
    assert_eq!(outcome(&world), Outcome::Prefix(4), "whole but for its footer");
    world.open().unwrap();
}

/// FAULTS E1: a newer version is named with both versions, and nothing is written.
#[test]
fn a_newer_format_is_refused() {
    for id in 1..=3 {
        let world = small_world();
        let file = segment_file(id);
        let mut bytes = world.sim.file_bytes(&file).unwrap();
        bytes[8] = 9;
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        world.sim.put_file(&file, &bytes);
        let before = world.sim.operations();
        let refused = world.find().map(drop);
        assert!(
            matches!(&refused, Err(LogError::NewerFormat { file: found, found: 9, supported: 1 }) if *found == file),
            "{refused:?}"
        );
        assert_eq!(world.sim.operations(), before);
    }
}

/// FAULTS A3: a torn tail can be anything, as long as no later batch is in it: what is there is never shown, and the
/// log goes on where it ended.
#[test]
fn junk_behind_the_last_batch_is_torn() {
    let file = segment_file(3);
    let bytes = small_world().sim.file_bytes(&file).unwrap();
    let end = bytes.len().next_multiple_of(8);
    // A batch of this very log, from before: its frames are whole, and long past.
    let stale = bytes[64..end - 56].to_vec();
    for junk in [vec![1; 3], vec![0xff; 700], [vec![0; 90], vec![5; 10]].concat(), stale] {
        let mut world = small_world();
        let mut torn = bytes.clone();
        torn.resize(end, 0);
        torn.extend_from_slice(&junk);
        world.sim.put_file(&file, &torn);
        assert_eq!(outcome(&world), Outcome::Torn(world.offered.len()));
        let mut log = world.open().unwrap();
        world.commit(&mut log, &[junk.len()]);
        drop(log);
        world.open().unwrap();
    }
}

/// FAULTS G3: at the last `Seq` there can be, nothing wraps.
#[test]
fn the_last_seq_is_the_end() {
    let mut world = World::new(4096);
    drop(world.create().unwrap());
    let file = segment_file(1);
    let mut bytes = world.sim.file_bytes(&file).unwrap();
    for first in [u64::MAX - 1, u64::MAX] {
        bytes[48..56].copy_from_slice(&first.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        world.sim.put_file(&file, &bytes);
        world.segments[0].first_seq = Seq(first);
        let found = find(world.disk(), dir(), &world.known(), &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(found.last_seq(), Seq(first - 1));
        let mut log = world.repair(found).unwrap();
        assert_eq!(log.writer.next_seq(), Seq(first));
        if first < u64::MAX {
            log.writer.append(world.batch(Seq(first), &[10])).unwrap();
            log.writer.sync().unwrap();
            assert_eq!(log.writer.next_seq(), Seq::MAX);
            assert_eq!(log.reader.frames(Seq(first), Seq::MAX).count(), 1);
        }
        bytes.truncate(64);
    }
}
