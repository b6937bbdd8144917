//! Cold segments: what is read from them by whatever way is what was committed; damage is met by the read that meets
//! it, and told apart from all else; a salvage gets what is whole.

use std::{collections::BTreeMap, ops::ControlFlow, path::PathBuf};

use milepost_log::{
    BodyPart, Bounds, Form, Found, Log, LogReader, Reached, Remnant, Rewrote, SealedFacts, SegmentId, SegmentKind,
    Verdict, Wreck, find_from,
    format::{
        align_up,
        block::{BLOCK_BYTES, BLOCK_BYTES_MAX, BlockHeader, Packer, unpack},
        cold::{self, Cold},
        frame::{FrameHeader, frame_bytes},
        header::SegmentHeader,
        kept::Kept,
    },
    wrecks,
};
use milepost_types::{Seq, limits::THINNED_BYTES_MAX};
use proptest::prelude::*;

use crate::rig::{World, all, at, dir};

/// A log of commits of these sizes, one after the other, all sealed segments of it made cold; the file of the first.
fn cold(sizes: &[usize], segment_bytes: u32) -> (World, Log, PathBuf) {
    let mut world = World::new(segment_bytes);
    let mut log = world.create().unwrap();
    for size in sizes {
        world.commit(&mut log, &[*size]);
    }
    // Only what another segment follows is sealed.
    world.commit(&mut log, &[segment_bytes as usize]);
    let segments = log.writer.segments();
    let (first, last) = (segments[0].id, segments[segments.len() - 2].id);
    let mut rewrite = log.rewriter.begin(first..=last, Form::Compressed).unwrap();
    let rewritten = loop {
        if let Rewrote::Done(rewritten) = rewrite.step(5000, &mut |_| Verdict::Keep).unwrap() {
            break rewritten;
        }
    };
    world.segments = log.rewriter.listed_with(&rewritten);
    log.rewriter.replace(&rewritten);
    let file = dir().join(format!("log/{}.seg", rewritten.known().name()));
    (world, log, file)
}

/// Opens the log as if an index knew all of it: no frame is walked.
fn reopened(world: &World) -> Result<LogReader, milepost_log::LogError> {
    let from = Seq(world.offered.len() as u64 + 1);
    Ok(find_from(world.disk(), dir(), &world.known(), from, &mut |_| ControlFlow::Continue(()))?
        .into_follower()
        .reader())
}

/// What a read by any way says of a commit: its body, or the words of an error.
fn every_way(reader: &LogReader, seq: u64, body: &[u8]) -> Vec<Result<Vec<u8>, String>> {
    let whole = |found: Found<milepost_log::FrameRef>| {
        let frame = found.frame().expect("nothing was removed");
        assert_eq!((frame.seq(), frame.at()), (Seq(seq), at(Seq(seq))));
        frame.body().to_vec()
    };
    let mut told = vec![reader.frame(Seq(seq)).map(whole).map_err(|error| error.to_string())];
    told.extend(reader.frames(Seq(seq), Seq(seq)).map(|frame| match frame {
        Ok(frame) => Ok(frame.body().to_vec()),
        Err(error) => Err(error.to_string()),
    }));
    let mut walked = Vec::new();
    let walk = reader.for_each_frame(Seq(seq), Seq(seq), &mut |view| {
        walked = view.body.to_vec();
        ControlFlow::Continue(())
    });
    told.push(walk.map(|()| walked).map_err(|error| error.to_string()));
    // A part in the middle, as a value is read; the rest is what it must be.
    let segments = reader.segments();
    let (begin, count) = (body.len() / 3, 50.min(body.len() - body.len() / 3));
    let part = segments.find(Seq(seq)).and_then(|found| {
        let found = found.frame().expect("nothing was removed");
        assert_eq!(found.body_bytes(), body.len());
        let part = found.body_from(begin, count)?;
        assert!(part.len() >= count, "{} of {count}", part.len());
        let held = found.hold_part((begin, &part), 0..part.len()).body().to_vec();
        assert_eq!(held, part.to_vec());
        Ok([&body[..begin], &held, &body[begin + held.len()..]].concat())
    });
    told.push(part.map_err(|error| error.to_string()));
    told
}

/// The body of the last frame, when it was empty, was looked for in a block behind the last one.
#[test]
fn an_empty_body_at_the_end_of_a_segment_comes_back() {
    let (world, log, _) = cold(&[10, 0], 1 << 20);
    for told in every_way(&log.reader, 2, &world.offered[1]) {
        assert_eq!(told.as_ref(), Ok(&Vec::new()));
    }
}

#[test]
fn sizes_around_a_block_come_back() {
    let around = [BLOCK_BYTES - 48, BLOCK_BYTES - 40, BLOCK_BYTES - 39, BLOCK_BYTES, 2 * BLOCK_BYTES, 100_000, 0, 1];
    let (world, log, _) = cold(&around, 1 << 20);
    for reader in [log.reader.clone(), reopened(&world).unwrap()] {
        for (index, body) in world.offered.iter().enumerate() {
            for told in every_way(&reader, index as u64 + 1, body) {
                assert_eq!(told.as_ref(), Ok(body), "{index}");
            }
        }
        assert!(reader.segment_stats().iter().any(|segment| segment.kind == SegmentKind::Cold));
    }
}

/// The one read costs the block that it lies in; what is held is not the block.
#[test]
fn a_part_of_a_large_commit_costs_one_block() {
    let (world, log, _) = cold(&[400_000], 1 << 20);
    log.reader.set_cold_cache_bytes(16 << 20);
    let before = log.reader.cold_cache_bytes();
    let segments = log.reader.segments();
    let found = segments.find(Seq(1)).unwrap().frame().unwrap();
    let part = found.body_from(201_000, 60).unwrap();
    let BodyPart::Shared { bytes, range } = &part else { panic!("{part:?}") };
    assert!(bytes.len() <= BLOCK_BYTES && range.len() >= 60);
    assert_eq!(part[..60], world.offered[0][201_000..201_060]);
    // That block, and the header of the frame.
    let kept = log.reader.cold_cache_bytes() - before;
    assert!(kept <= BLOCK_BYTES as u64 + 300, "{kept}");
    // A walk leaves the cache alone.
    let kept = log.reader.cold_cache_bytes();
    for frame in log.reader.frames(Seq(1), Seq(9)) {
        frame.unwrap();
    }
    log.reader.for_each_frame(Seq(1), Seq(9), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(log.reader.cold_cache_bytes(), kept);
}

/// The blocks of a cold segment, as they stand in its file before the footer: where each begins, and what is in front.
fn blocks(bytes: &[u8]) -> Vec<(usize, BlockHeader)> {
    let header = SegmentHeader::decode(bytes).unwrap();
    let (mut blocks, mut at) = (Vec::new(), 64);
    while let Ok(block) = unpack(&bytes[at..], header.seed(), &mut Vec::new()) {
        blocks.push((at, block));
        at += block.block_bytes();
    }
    blocks
}

/// A read of one value costs a block: it is filled, and no fuller than that; what is larger is divided evenly.
#[test]
fn frames_go_into_blocks_as_long_as_they_fit() {
    for (sizes, right) in [
        (&[2008, 2008][..], &[4096][..]),
        (&[2008, 2001], &[4096]),
        (&[2008, 2009], &[2048, 2056]),
        (&[2008, 2000, 0], &[4088, 40]),
        (&[4056], &[4096]),
        (&[10, 4057, 10], &[56, 40, 4064, 56]),
        (&[8200], &[40, 2734, 2734, 2732]),
        (&[8192], &[40, 4096, 4096]),
    ] {
        let (world, log, file) = cold(sizes, 1 << 20);
        let found: Vec<_> = blocks(&world.sim.file_bytes(&file).unwrap()).into_iter().map(|(_, block)| block).collect();
        assert_eq!(found.iter().map(|block| block.raw_bytes).collect::<Vec<_>>(), right, "{sizes:?}");
        let mut raw_at = 64;
        for block in found {
            assert_eq!(block.raw_at, raw_at);
            raw_at += block.raw_bytes;
        }
        assert_eq!(all(&log.reader), world.offered);
    }
}

/// What a reader keeps of cold segments is blocks of values that were read, to the byte; nothing where it may keep
/// nothing.
#[test]
fn what_is_kept_of_cold_segments_can_be_told_and_set() {
    let (world, log, file) = cold(&[30_000, 10], 1 << 20);
    let costs: Vec<u64> = blocks(&world.sim.file_bytes(&file).unwrap())
        .into_iter()
        .map(|(_, block)| u64::from(block.raw_bytes) + 96)
        .collect();
    let reader = &log.reader;
    assert_eq!(reader.cold_cache_bytes(), 0);
    let segments = reader.segments();
    let found = segments.find(Seq(1)).unwrap().frame().unwrap();
    assert_eq!(reader.cold_cache_bytes(), costs[0], "its header");
    for _ in 0..2 {
        assert_eq!(found.body_from(0, 10).unwrap()[..10], world.offered[0][..10]);
        assert_eq!(reader.cold_cache_bytes(), costs[0] + costs[1]);
    }
    reader.set_cold_cache_bytes(0);
    assert_eq!(found.body_from(29_990, 10).unwrap()[..], world.offered[0][29_990..]);
    assert_eq!(reader.cold_cache_bytes(), costs[0] + costs[1]);
    // It has sixteen parts, and no part has room for half a byte.
    let fresh = reopened(&world).unwrap();
    fresh.set_cold_cache_bytes(15);
    assert_eq!(fresh.frame(Seq(2)).unwrap().frame().unwrap().body(), world.offered[1]);
    let kept = fresh.cold_cache_bytes();
    fresh.set_cold_cache_bytes(16 << 20);
    assert_eq!(fresh.frame(Seq(2)).unwrap().frame().unwrap().body(), world.offered[1]);
    assert_eq!((kept, fresh.cold_cache_bytes()), (0, *costs.last().unwrap()));
}

/// Up to four blocks of a value are kept; one that is larger would push out all else.
#[test]
fn a_large_value_is_not_kept() {
    let (world, log, _) = cold(&[60_000], 1 << 20);
    let body = &world.offered[0];
    for (count, is_kept) in [(2 * BLOCK_BYTES, true), (4 * BLOCK_BYTES, true), (4 * BLOCK_BYTES + 1, false)] {
        let reader = reopened(&world).unwrap();
        let segments = reader.segments();
        let found = segments.find(Seq(1)).unwrap().frame().unwrap();
        let before = reader.cold_cache_bytes();
        assert_eq!(found.body_from(5000, count).unwrap()[..count], body[5000..][..count]);
        assert_eq!(reader.cold_cache_bytes() - before >= count as u64, is_kept, "{count}");
        assert!(is_kept || reader.cold_cache_bytes() == before);
    }
    drop(log);
}

/// A length that no frame has, under checksums that are right, is refused before room is made for it.
#[test]
fn a_length_that_no_frame_has_is_refused() {
    let (mut world, log, file) = cold(&[10], 1 << 20);
    drop(log);
    let header = SegmentHeader::decode(&world.sim.file_bytes(&file).unwrap()).unwrap();
    for (body_bytes, end, fits) in [
        (100, 64 + 144, true),
        (100, 64 + 143, false),
        (THINNED_BYTES_MAX, 64 + frame_bytes(THINNED_BYTES_MAX), true),
        (THINNED_BYTES_MAX + 1, 64 + frame_bytes(THINNED_BYTES_MAX + 1), false),
    ] {
        let (bytes, facts) = file_of_one(&header, body_bytes, end);
        world.sim.put_file(&file, bytes);
        world.segments[0].sealed = Some(facts);
        let reader = reopened(&world).unwrap();
        let found = reader.segments().find(Seq(1)).map(|found| found.frame().unwrap().body_bytes());
        if fits {
            assert_eq!(found, Ok(body_bytes));
            continue;
        }
        let walked = reader.for_each_frame(Seq(1), Seq(1), &mut |_| ControlFlow::Continue(()));
        for refused in [found.unwrap_err(), walked.unwrap_err()] {
            assert_eq!((&refused.file, refused.offset, refused.seq), (&file, 64, Some(Seq(1))));
            assert_eq!(refused.what, format!("a body of {body_bytes} bytes can't be here"));
        }
    }
}

/// The file of a cold segment that ends at `end` as it is read, of one commit that says that it has so many bytes. Of
/// its blocks only the first is one.
fn file_of_one(header: &SegmentHeader, body_bytes: usize, end: usize) -> (Vec<u8>, SealedFacts) {
    let (seed, mut file) = (header.seed(), header.encode().to_vec());
    let frame = FrameHeader {
        body_bytes: body_bytes as u32,
        body_crc: 0,
        prev_crc: header.crc(),
        epoch: header.epoch,
        seq: Seq(1),
        at: at(Seq(1)),
        batch_offset: 0,
    };
    let mut cold = Cold { kept: Kept::of(Seq(1), &[at(Seq(1)).0], &[(0, 64)]), ..Cold::default() };
    (cold.raw_starts, cold.stored_starts) = (vec![64, 104], vec![64]);
    Packer::new().pack(64, &frame.encode(seed).0, seed, &mut file);
    let mut raw_end = 104;
    while raw_end < end {
        raw_end = end.min(raw_end + BLOCK_BYTES_MAX);
        cold.raw_starts.push(raw_end as u32);
        cold.stored_starts.push(file.len() as u32);
        file.extend([9; 17]);
    }
    cold.stored_starts.push(file.len() as u32);
    file.resize(align_up(file.len()), 0);
    let (footer, crc) = cold::encode(&cold, header.crc(), seed);
    file.extend(footer);
    let facts = SealedFacts { last_seq: Seq(1), bytes: file.len() as u64, crc };
    (file, facts)
}

#[test]
fn what_is_cold_stays_readable_as_it_is_written_anew() {
    let (mut world, mut log, _) = cold(&[300, 5000, 20_000, 10, 10], 1 << 20);
    for form in [Form::Compressed, Form::Raw, Form::Compressed] {
        let id = SegmentId(1);
        let mut rewrite = log.rewriter.begin(id..=id, form).unwrap();
        let rewritten = loop {
            if let Rewrote::Done(rewritten) = rewrite.step(1, &mut |_| Verdict::Keep).unwrap() {
                break rewritten;
            }
        };
        world.segments = log.rewriter.listed_with(&rewritten);
        log.rewriter.replace(&rewritten);
        for (index, body) in world.offered.iter().enumerate() {
            assert!(every_way(&log.reader, index as u64 + 1, body).into_iter().all(|told| told.as_ref() == Ok(body)));
        }
    }
}

/// FAULTS D1: every bit of the file, met by whoever reads what it is of; never a wrong byte.
#[test]
fn every_flipped_bit_is_met_by_the_read_of_what_it_is_of() {
    let (world, log, file) = cold(&[700, 30, 9000, 64], 16 << 10);
    drop(log);
    let whole = world.sim.file_bytes(&file).unwrap();
    let (mut refused, mut told_of) = (0, BTreeMap::new());
    for bit in 0..whole.len() * 8 {
        let world = world.after_kill();
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        world.sim.put_file(&file, bytes);
        // Header and footer are read when the log is opened.
        let Ok(reader) = reopened(&world) else {
            refused += 1;
            continue;
        };
        let mut met = 0;
        for (index, body) in world.offered.iter().enumerate() {
            for told in every_way(&reader, index as u64 + 1, body) {
                match told {
                    Ok(told) => assert_eq!(&told, body, "bit {bit}, seq {}", index + 1),
                    Err(error) => {
                        assert!(error.contains("-1.seg"), "{error}");
                        *told_of.entry(index).or_insert(0) += 1;
                        met += 1;
                    }
                }
            }
        }
        assert!(met > 0, "bit {bit} of {} was met by nobody", whole.len());
    }
    assert!(refused > 64 * 8 && told_of.len() == 4, "{refused}, {told_of:?}");
}

/// What a salvage finds of the file: the commits, and where it says that something is damaged.
fn salvaged(world: &World, file: &std::path::Path) -> (BTreeMap<u64, Vec<u8>>, Vec<u64>) {
    let found = wrecks(&*world.disk(), dir()).unwrap();
    let wreck: &Wreck = found.iter().find(|wreck| wreck.file == file).unwrap();
    let (mut commits, mut damage) = (BTreeMap::new(), Vec::new());
    let mut reached = Reached::before(Seq(1), Seq(0));
    let bounds = Bounds { next_first: Some(Seq(world.offered.len() as u64)), is_sealed: true };
    let each = wreck.each(&*world.disk(), &bounds, &mut reached, &mut |remnant| match remnant {
        Remnant::Frame(view) => assert!(commits.insert(view.seq.0, view.body.to_vec()).is_none()),
        Remnant::Damage { offset, .. } => damage.push(offset),
        Remnant::Removed { .. } | Remnant::Torn { .. } => panic!("{remnant:?}"),
    });
    each.unwrap();
    assert_eq!(wreck.first, Some(Seq(1)));
    (commits, damage)
}

#[test]
fn a_salvage_gets_what_is_whole() {
    let sizes = [2000, 2500, 3000, 20_000, 50, 3500, 2000, 90];
    let (world, log, file) = cold(&sizes, 64 << 10);
    drop(log);
    let whole = world.sim.file_bytes(&file).unwrap();
    let (all, damage) = salvaged(&world, &file);
    assert_eq!((all.len(), damage), (sizes.len(), vec![]));
    let right =
        |commits: &BTreeMap<u64, Vec<u8>>| commits.iter().all(|(seq, body)| *body == world.offered[*seq as usize - 1]);
    assert!(right(&all));
    let starts: Vec<usize> = blocks(&whole).into_iter().map(|(at, _)| at).collect();
    let (last_at, last) = blocks(&whole).pop().unwrap();
    let ends_at = last_at + last.block_bytes();
    for at in (0..64).chain((64..whole.len()).step_by(11)) {
        let world = world.after_kill();
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x10;
        world.sim.put_file(&file, bytes);
        let (commits, damage) = salvaged(&world, &file);
        assert!(right(&commits), "byte {at}");
        // The header and the footer cost nothing, a block no more than what has a part in it.
        let lost = sizes.len() - commits.len();
        assert!(lost <= 4, "byte {at} of {}: {lost} are lost", whole.len());
        // The header, the block or all behind the blocks, once.
        let begins = starts.iter().chain([&ends_at]).rfind(|begins| **begins <= at).map_or(0, |begins| *begins as u64);
        assert_eq!(damage, [begins], "byte {at} of {}", whole.len());
        assert!(at >= 64 || lost == 0, "byte {at}: the header costs nothing");
    }
    for length in (64..whole.len()).step_by(11) {
        let world = world.after_kill();
        world.sim.put_file(&file, &whole[..length]);
        assert!(right(&salvaged(&world, &file).0), "{length}");
    }
    // Where it ends between two blocks nothing is damaged, and what is missing is told all the same.
    for length in starts {
        let world = world.after_kill();
        world.sim.put_file(&file, &whole[..length]);
        let (commits, damage) = salvaged(&world, &file);
        assert!(right(&commits) && commits.len() < sizes.len() && damage.len() == 1, "{length}: {damage:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever commits, whatever goes of them, however far a step goes: all is read that was kept, by every way.
    #[test]
    fn a_cold_log_reads_as_a_raw_one(
        sizes in prop::collection::vec(prop_oneof![0..60usize, 0..3000usize, 7000..9000usize, 0..60_000usize], 1..25),
        budget in 1..20_000usize,
        kept in any::<u32>(),
        cache in prop_oneof![Just(0), Just(5000), Just(1 << 20)],
    ) {
        let mut world = World::new(64 << 10);
        let mut log = world.create().unwrap();
        for size in &sizes {
            world.commit(&mut log, &[*size]);
        }
        world.commit(&mut log, &[64 << 10]);
        log.reader.set_cold_cache_bytes(cache);
        let segments = log.writer.segments();
        let ids = segments[0].id..=segments[segments.len() - 2].id;
        let keeps = |seq: Seq| kept >> (seq.0 % 32) & 1 == 1 || seq.0 > sizes.len() as u64;
        let mut judge =
            |view: milepost_log::FrameView<'_>| if keeps(view.seq) { Verdict::Keep } else { Verdict::Remove };
        let mut rewrite = log.rewriter.begin(ids, Form::Compressed).unwrap();
        let rewritten = loop {
            if let Rewrote::Done(rewritten) = rewrite.step(budget, &mut judge).unwrap() {
                break rewritten;
            }
        };
        world.segments = log.rewriter.listed_with(&rewritten);
        log.rewriter.replace(&rewritten);
        let mut walked = Vec::new();
        let found = milepost_log::find(world.disk(), dir(), &world.known(), &mut |view| {
            walked.push((view.seq, view.body.to_vec()));
            ControlFlow::Continue(())
        });
        let walked_right: Vec<_> = (1..=world.offered.len() as u64)
            .filter(|seq| keeps(Seq(*seq)))
            .map(|seq| (Seq(seq), world.offered[seq as usize - 1].clone()))
            .collect();
        prop_assert_eq!(walked, walked_right);
        for reader in [log.reader.clone(), found.unwrap().into_follower().reader()] {
            // Each log has a cache of its own.
            reader.set_cold_cache_bytes(cache);
            for (index, body) in world.offered.iter().enumerate() {
                let seq = index as u64 + 1;
                if keeps(Seq(seq)) {
                    for told in every_way(&reader, seq, body) {
                        prop_assert_eq!(told.as_ref(), Ok(body));
                    }
                } else {
                    prop_assert!(matches!(reader.frame(Seq(seq)).unwrap(), Found::Removed));
                }
                prop_assert_eq!(reader.seq_at(at(Seq(seq))).unwrap(), Seq(seq));
            }
            prop_assert!(cache == 0 || reader.cold_cache_bytes() <= cache + 16 * (BLOCK_BYTES as u64 + 100));
        }
    }
}
