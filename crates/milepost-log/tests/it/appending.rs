//! Append, sync, roll, read.

use std::ops::ControlFlow;

use milepost_io::SimRng;
use milepost_log::{FrameBytes, KnownSegment, SegmentId, SegmentKind, format::header::SegmentHeader};
use milepost_types::{Seq, Timestamp};

use crate::rig::{World, all, at, end_of, frame, segment_file};

#[test]
fn what_was_appended_is_read_back() {
    let mut world = World::new(1 << 20);
    let mut log = world.create().unwrap();
    assert_eq!((log.writer.next_seq(), log.writer.last_at()), (Seq(1), Timestamp::MIN));
    assert!(all(&log.reader).is_empty());
    for sizes in [&[100][..], &[0], &[1, 2, 3], &[7, 8, 9, 4000], &[], &[0, 0]] {
        world.commit(&mut log, sizes);
        assert_eq!(all(&log.reader), world.offered);
        assert_eq!(log.writer.next_seq(), Seq(world.offered.len() as u64 + 1));
        assert_eq!(log.writer.open_bytes(), end_of(&log));
    }
    assert_eq!(log.writer.last_at(), at(Seq(11)));
    assert_eq!(all(&world.open().unwrap().reader), world.offered);
}

#[test]
fn a_frame_outlives_its_log() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[50]);
    let from_memory = log.reader.frame(Seq(1)).unwrap().frame().unwrap();
    world.roll(&mut log).unwrap();
    let from_map = log.reader.frame(Seq(1)).unwrap().frame().unwrap();
    drop(log);
    assert_eq!(from_memory.body(), from_map.body());
    assert_eq!((from_map.seq(), from_map.clone().at()), (Seq(1), at(Seq(1))));
}

#[test]
fn segments_are_sealed_when_full_and_a_batch_stays_together() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..40 {
        world.commit(&mut log, &[300, 10, 500]);
    }
    let segments = log.writer.segments();
    assert!(segments.len() > 5, "{segments:?}");
    for (index, segment) in segments.iter().enumerate() {
        assert_eq!(segment.id, SegmentId(index as u64 + 1));
        // Batches are of three.
        assert_eq!(segment.first_seq.0 % 3, 1, "{segment:?}");
        let bytes = world.sim.file_bytes(&segment_file(segment.id.0)).unwrap().len();
        match segment.sealed {
            Some(facts) => {
                assert_eq!(facts.bytes, bytes as u64);
                assert_eq!(facts.last_seq.next(), Some(segments[index + 1].first_seq));
            }
            None => assert_eq!(index, segments.len() - 1),
        }
    }
    assert_eq!(all(&log.reader), world.offered);
    let stats = log.reader.segment_stats();
    assert_eq!(stats.iter().map(|segment| segment.frames).sum::<u64>(), 120);
    assert!(stats.iter().all(|segment| segment.frame_bytes <= 4096 - 64));
    assert_eq!(stats.iter().filter(|segment| segment.kind == SegmentKind::Open).count(), 1);
    assert_eq!(stats[0].frame_bytes, stats[0].frames / 3 * (344 + 56 + 544));
    assert_eq!(world.find().unwrap().0.segments(), segments);
}

/// FAULTS H1: a batch larger than a segment gets one of its own.
#[test]
fn an_oversize_batch_has_a_segment_of_its_own() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    world.commit(&mut log, &[20_000]);
    world.commit(&mut log, &[3000, 3000, 3000]);
    world.commit(&mut log, &[10]);
    let firsts: Vec<Seq> = log.writer.segments().iter().map(|segment| segment.first_seq).collect();
    assert_eq!(firsts, [Seq(1), Seq(2), Seq(3), Seq(6)]);
    assert_eq!(all(&log.reader), world.offered);
    world.open().unwrap();
}

#[test]
fn an_empty_segment_is_not_rolled() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.roll(&mut log).unwrap();
    assert!(!log.writer.needs_roll(1 << 30) && !log.writer.wants_roll());
    let (id, first_seq) = (SegmentId::FIRST, Seq::FIRST);
    assert_eq!(log.writer.segments(), [KnownSegment { id, generation: 0, first_seq, sealed: None, dropped: None }]);
    world.commit(&mut log, &[10]);
    assert!(!log.writer.needs_roll(4096 - 64 - 56));
    assert!(log.writer.needs_roll(4096 - 64 - 55));
}

#[test]
fn ranges_are_read_as_far_as_they_are_there() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..30 {
        world.commit(&mut log, &[400]);
    }
    for (from, to, first, count) in [
        (1, 30, 1, 30),
        (0, 30, 1, 30),
        (0, u64::MAX, 1, 30),
        (12, 17, 12, 6),
        (30, 99, 30, 1),
        (31, 99, 31, 0),
        (u64::MAX, u64::MAX, 31, 0),
        (7, 6, 7, 0),
        (0, 0, 1, 0),
    ] {
        let expected: Vec<u64> = (first..first + count).collect();
        let frames = log.reader.frames(Seq(from), Seq(to)).map(|frame| frame.unwrap().seq().0);
        assert_eq!(frames.collect::<Vec<_>>(), expected, "{from}..{to}");
        let mut visited = Vec::new();
        log.reader
            .for_each_frame(Seq(from), Seq(to), &mut |frame| {
                visited.push(frame.seq.0);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(visited, expected, "{from}..{to}");
    }
    let mut visited = 0;
    log.reader
        .for_each_frame(Seq(1), Seq(30), &mut |frame| {
            visited += 1;
            if frame.seq == Seq(12) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(visited, 12);
    assert!(log.reader.frame(Seq(0)).unwrap().frame().is_none());
    assert!(log.reader.frame(Seq::MAX).unwrap().frame().is_none());
}

#[test]
fn times_lead_to_commits() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    assert_eq!(log.reader.seq_at(Timestamp::MAX), Ok(Seq(0)));
    for _ in 0..30 {
        world.commit(&mut log, &[400]);
    }
    assert_eq!(log.reader.seq_at(Timestamp::MIN), Ok(Seq(0)));
    assert_eq!(log.reader.seq_at(Timestamp(9)), Ok(Seq(0)));
    for seq in 1..=30 {
        for (offset, expected) in [(-1, seq - 1), (0, seq), (9, seq)] {
            let moment = Timestamp(at(Seq(seq)).0 + offset);
            assert_eq!(log.reader.seq_at(moment), Ok(Seq(expected)), "{moment}");
        }
    }
    assert_eq!(log.reader.seq_at(Timestamp::MAX), Ok(Seq(30)));
    // Right after a roll, the open segment is empty.
    world.roll(&mut log).unwrap();
    assert_eq!(log.reader.seq_at(Timestamp::MAX), Ok(Seq(30)));
}

/// The same for commits at any pace, in segments of many blocks: against a search one by one.
#[test]
fn every_moment_leads_to_its_commit() {
    for seed in 0..12 {
        let mut rng = SimRng::new(seed);
        let mut world = World::new(16 << 10);
        let mut log = world.create().unwrap();
        let mut stamps = Vec::new();
        let mut now = -5_000_000_i64;
        while stamps.len() < 700 {
            // Bursts, an even pace, pauses of days; the first ones before 1970.
            let gap = [1, 1, 300, 1_000_000, 90_000_000_000][rng.index(5)];
            let mut batch = Vec::new();
            for _ in 0..1 + rng.index(90) {
                now += 1 + rng.index(gap) as i64;
                stamps.push(now);
                let body = vec![7; rng.index(60)];
                batch.push(FrameBytes { at: Timestamp(now), ..frame(Seq(stamps.len() as u64), body) });
            }
            log.writer.append(batch).unwrap();
            log.writer.sync().unwrap();
            if log.writer.needs_roll(1000) && rng.index(3) > 0 {
                log.writer.roll().unwrap();
            }
        }
        let moments = stamps.iter().flat_map(|at| [at - 1, *at, at + 1, at + rng.index(1 << 20) as i64]);
        for at in moments.chain([i64::MIN, i64::MAX, -5_000_000, 0]) {
            let right = Seq(stamps.partition_point(|stamp| *stamp <= at) as u64);
            assert_eq!(log.reader.seq_at(Timestamp(at)), Ok(right), "seed {seed}, {at}");
        }
        assert!(log.reader.segment_stats().len() > 2);
    }
}

/// Every segment has a salt of its own, and every opening begins another row of them.
#[test]
fn salts_differ() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for round in 0..12 {
        world.commit(&mut log, &[10]);
        if round % 3 == 0 {
            drop(log);
            log = world.open().unwrap();
        }
        world.roll(&mut log).unwrap();
    }
    let salts: std::collections::HashSet<u64> = (1..=13)
        .map(|id| SegmentHeader::decode(&world.sim.file_bytes(&segment_file(id)).unwrap()).unwrap().salt)
        .collect();
    assert_eq!(salts.len(), 13);
}

/// One write and one sync for a batch, whatever its size; nothing else touches the disk.
#[test]
fn a_batch_is_one_write_and_one_sync() {
    let mut world = World::new(1 << 20);
    let mut log = world.create().unwrap();
    // The first also writes the zeros that others are written over.
    world.commit(&mut log, &[1]);
    for sizes in [&[100][..], &[10, 20, 30], &[1000; 50]] {
        let before = world.sim.operations();
        world.commit(&mut log, sizes);
        assert_eq!(world.sim.operations() - before, 2);
    }
    let before = world.sim.operations();
    world.sync(&mut log).unwrap();
    assert_eq!(world.sim.operations(), before, "there was nothing to sync");
}

#[test]
#[should_panic(expected = "seq 7 was appended, expected was 1")]
fn a_gap_is_a_programmers_error() {
    let world = World::new(4096);
    let mut log = world.clone().create().unwrap();
    let _ = log.writer.append(world.batch(Seq(7), &[1]));
}

#[test]
#[should_panic(expected = "does not continue")]
fn a_stamp_that_stands_still_is_a_programmers_error() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[1]);
    let mut batch = world.batch(Seq(2), &[1]);
    batch[0].at = at(Seq(1));
    let _ = log.writer.append(batch);
}

/// Many threads read while one writes and rolls; each sees a prefix that only grows.
#[test]
fn readers_run_beside_the_writer() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    let (reader, done) = (log.reader.clone(), std::sync::atomic::AtomicBool::new(false));
    let expected = |seq: Seq| crate::rig::body(seq, 1, 30 + seq.0 as usize % 7);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = Seq(0);
                while !done.load(std::sync::atomic::Ordering::Acquire) || seen < reader.last_seq() {
                    for frame in reader.frames(Seq(seen.0 + 1), Seq::MAX) {
                        let frame = frame.unwrap();
                        assert_eq!(frame.seq(), Seq(seen.0 + 1));
                        assert_eq!(frame.body(), expected(frame.seq()));
                        seen = frame.seq();
                    }
                    let middle = Seq(seen.0 / 2 + 1);
                    if let Some(frame) = reader.frame(middle).unwrap().frame() {
                        assert_eq!(frame.body(), expected(middle));
                    }
                }
                assert_eq!(seen, Seq(3000));
            });
        }
        for seq in 1..=3000 {
            world.append(&mut log, &[30 + seq % 7]).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    });
    assert!(log.writer.segments().len() > 20);
}

/// Whoever copies the log up to a commit gets the segments that begin by then, each as far as that.
#[test]
fn stretches_end_where_they_are_asked_to() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..3 {
        world.commit(&mut log, &[10, 20, 30]);
        world.roll(&mut log).unwrap();
    }
    let check = |last: u64, expected: &[[u64; 3]]| {
        let stretches = log.reader.stretches(Seq(last)).unwrap();
        let found = stretches.iter().map(|one| [one.segment().0, one.first_seq().0, one.last_seq().0]);
        assert_eq!(found.collect::<Vec<_>>(), expected, "through {last}");
    };
    check(0, &[]);
    check(1, &[[1, 1, 1]]);
    check(3, &[[1, 1, 3]]);
    check(4, &[[1, 1, 3], [2, 4, 4]]);
    check(99, &[[1, 1, 3], [2, 4, 6], [3, 7, 9]]);
    let second = &log.reader.stretches(Seq(5)).unwrap()[1];
    assert_eq!((second.at(Seq(4)).unwrap(), second.at(Seq(5)).unwrap()), (at(Seq(4)), at(Seq(5))));
}
