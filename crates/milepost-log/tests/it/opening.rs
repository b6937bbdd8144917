//! Find and repair, without damage.

use std::{ops::ControlFlow, path::Path};

use milepost_io::{Disk as _, OpenMode};
use milepost_log::{CleanMark, Known, LogError, SegmentId, SegmentName, StoreId, Tail, find, find_from};
use milepost_types::{Seq, Timestamp};

use crate::rig::{World, all, at, dir, end_of, segment_file};

fn names(world: &World, dir: &str) -> Vec<String> {
    world.sim.list(&crate::rig::dir().join(dir)).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn an_empty_log_is_empty() {
    let mut world = World::new(4096);
    drop(world.create().unwrap());
    let (found, bodies) = world.find().unwrap();
    assert!(bodies.is_empty());
    assert_eq!((found.tail(), found.last_seq(), found.last_at()), (Tail::Empty, Seq(0), Timestamp::MIN));
    let mut log = world.open().unwrap();
    world.commit(&mut log, &[5]);
    assert_eq!(world.find().unwrap().0.tail(), Tail::Clean);
}

#[test]
fn a_closed_log_needs_nothing_but_syncs() {
    for sizes in [&[][..], &[100], &[100, 3500], &[100, 3500, 4000]] {
        let mut world = World::new(4096);
        let mut log = world.create().unwrap();
        for size in sizes {
            world.commit(&mut log, &[*size]);
        }
        world.close(log);
        let (found, _) = world.find().unwrap();
        assert_eq!(found.last_seq(), Seq(sizes.len() as u64));
        let before = world.sim.operations();
        world.repair(found).unwrap();
        assert_eq!(world.sim.operations() - before, 1, "the directory is synced, nothing else");
    }
}

/// The mark may lie in an empty segment: the log was rolled and then closed.
#[test]
fn a_log_closed_right_after_a_roll_opens() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    world.roll(&mut log).unwrap();
    world.close(log);
    assert_eq!(world.clean, Some(CleanMark { segment: SegmentId(2), end: 64, last_seq: Seq(1) }));
    world.open().unwrap();
}

#[test]
fn openings_raise_the_epoch_and_go_on() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for round in 0..20 {
        world.commit(&mut log, &[200, 300 + round]);
        drop(log);
        log = world.open().unwrap();
    }
    assert_eq!(all(&log.reader).len(), 40);
    drop(log);
    let (found, _) = world.find().unwrap();
    assert_eq!(found.last_epoch(), 20);
    world.epoch = 10;
    let refused = world.repair(found).map(drop);
    assert!(matches!(refused, Err(LogError::EpochNotRaised { epoch: 11, last: 20 })), "{refused:?}");
}

#[test]
fn a_torn_tail_goes_to_the_quarantine() {
    for torn in [1usize, 39, 40, 41, 63, 64] {
        let mut world = World::new(4096);
        let mut log = world.create().unwrap();
        world.commit(&mut log, &[10]);
        world.append(&mut log, &[24]).unwrap();
        world.cut_ahead(&log);
        let file = segment_file(1);
        let bytes = world.sim.file_bytes(&file).unwrap();
        world.sim.truncate(&file, (bytes.len() - 64 + torn) as u64);
        // One byte of the frame's checksum of its own is missing, or the whole body is there.
        let whole = torn == 64;
        let (found, bodies) = world.find().unwrap();
        assert_eq!(bodies.len(), if whole { 2 } else { 1 }, "{torn}");
        if whole {
            continue;
        }
        let left = bytes[120..120 + torn].iter().rposition(|byte| *byte != 0).unwrap() + 1;
        assert_eq!(found.tail(), Tail::Torn { file: file.clone(), offset: 120, bytes: left as u64 });
        drop(found);
        let mut log = world.open().unwrap();
        assert_eq!(names(&world, "quarantine"), [format!("0000000001-120-{}.bytes", world.epoch)]);
        let kept = dir().join(format!("quarantine/0000000001-120-{}.bytes", world.epoch));
        assert_eq!(world.sim.file_bytes(&kept).unwrap(), bytes[120..120 + left]);
        assert_eq!(world.sim.file_bytes(&file).unwrap(), bytes[..120]);
        world.commit(&mut log, &[24]);
        world.open().unwrap();
    }
}

/// FAULTS A7, D7: what never became a segment is removed without a word; what is not the log's is listed and left.
#[test]
fn leftovers_are_removed_and_strays_are_not() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    drop(log);
    for name in ["spare-1.tmp", "spare-77.tmp", "new-0000000002.tmp", "notes.txt", "2.seg", "0000000002.seg.bak"] {
        world.sim.put_file(&dir().join("log").join(name), b"MPSTSEG\0 and then nothing");
    }
    world.sim.put_file(&dir().join("log/spare-2.tmp"), b"");
    let (found, _) = world.find().unwrap();
    assert_eq!(found.strays(), ["0000000002.seg.bak", "2.seg", "notes.txt"]);
    assert_eq!(found.tail(), Tail::Clean);
    world.repair(found).unwrap();
    assert_eq!(names(&world, "log"), ["0000000001.seg", "0000000002.seg.bak", "2.seg", "notes.txt"]);
}

/// FAULTS A6: a creation that was interrupted is begun again; a log that holds something is not overwritten.
#[test]
fn creating_twice_replaces_only_an_empty_log() {
    let mut world = World::new(4096);
    drop(world.create().unwrap());
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    drop(log);
    let refused = world.create().map(drop);
    assert!(matches!(&refused, Err(LogError::NotEmpty { file }) if *file == segment_file(1)), "{refused:?}");
    world.open().unwrap();
}

#[test]
fn no_log_is_an_error() {
    let world = World::new(4096);
    assert!(matches!(world.find(), Err(LogError::NoLog { .. })));
    world.sim.create_dir(&dir().join("log")).unwrap();
    assert!(matches!(world.find(), Err(LogError::NoLog { .. })));
}

#[test]
fn a_visitor_can_stop_the_walk() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..12 {
        world.commit(&mut log, &[900]);
    }
    // In the open segment as in sealed ones, whether or not somebody may be writing it.
    for (last, is_locked) in [(6, false), (6, true), (11, false), (11, true), (12, false)] {
        let mut visited = 0;
        let known = Known { is_locked, ..world.known() };
        let stopped = find(world.disk(), dir(), &known, &mut |frame| {
            visited += 1;
            if frame.seq == Seq(last) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(stopped, Err(LogError::Interrupted { seq }) if seq == Seq(last)), "{last}");
        assert_eq!(visited, last);
    }
}

#[test]
fn finding_changes_nothing() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..12 {
        world.commit(&mut log, &[900]);
    }
    world.append(&mut log, &[30]).unwrap();
    let end = end_of(&log);
    drop(log);
    let file = segment_file(world.segments.last().unwrap().id.0);
    world.sim.truncate(&file, end - 5);
    world.sim.put_file(&dir().join("log/spare-1.tmp"), b"junk");
    let before = world.files();
    let (found, bodies) = world.find().unwrap();
    assert!(matches!(found.tail(), Tail::Torn { .. }));
    let reader = found.into_follower().reader();
    assert_eq!(all(&reader), bodies);
    assert_eq!(reader.seq_at(at(Seq(7))), Ok(Seq(7)));
    assert_eq!(world.files(), before);
}

/// Segments of this store from before the first that the manifest lists were dropped: one becomes a spare.
#[test]
fn a_dropped_segment_does_not_come_back() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..12 {
        world.commit(&mut log, &[900]);
    }
    drop(log);
    let dropped = world.segments.remove(0);
    let first = world.segments[0].first_seq;
    let mut seqs = Vec::new();
    let found = find(world.disk(), dir(), &world.known(), &mut |frame| {
        seqs.push(frame.seq);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((seqs[0], seqs.len() as u64), (first, 13 - first.0));
    assert!(found.strays().is_empty());
    let mut log = world.repair(found).unwrap();
    assert_eq!(log.reader.first_seq(), first);
    assert_eq!(log.reader.seq_at(at(Seq(1))), Ok(first.prev()));
    while !matches!(log.recycler.step(), milepost_log::Recycled::Ready(_)) {}
    assert!(!names(&world, "log").contains(&format!("{}.seg", dropped.id)));
    assert!(world.sim.open(Path::new("/store/log/0000000001.seg"), OpenMode::Read).is_err());
}

/// Whoever knows the first commits is not shown them, and finds the same log; a segment that is passed is read later.
#[test]
fn what_is_known_is_not_visited() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for size in [100, 3500, 700, 3000, 60, 3900, 10, 20] {
        world.commit(&mut log, &[size]);
    }
    drop(log);
    assert!(world.segments.len() > 3, "several segments are sealed");
    for from in 1..=9 {
        let mut seen = Vec::new();
        let found = find_from(world.disk(), dir(), &world.known(), Seq(from), &mut |frame| {
            seen.push(frame.seq.0);
            ControlFlow::Continue(())
        });
        let found = found.unwrap();
        assert_eq!(seen, (from..=8).collect::<Vec<_>>());
        assert_eq!((found.last_seq(), found.last_at(), found.tail()), (Seq(8), at(Seq(8)), Tail::Clean));
        let reader = found.into_follower().reader();
        for (seq, body) in (1..).zip(&world.offered) {
            assert_eq!(reader.frame(Seq(seq)).unwrap().frame().unwrap().body(), body);
        }
    }
    // Damage below is not met by opening, but by the read.
    world.sim.flip_bit(&segment_file(1), 8 * (64 + 48));
    let skipped = |from| find_from(world.disk(), dir(), &world.known(), Seq(from), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(skipped(1), Err(LogError::Corrupt(_))));
    assert!(skipped(8).unwrap().into_follower().reader().frame(Seq(1)).is_err());
}

/// What refuses an opening is told with what can be done about it.
#[test]
fn errors_say_what_is_wrong_and_what_to_do() {
    let file = segment_file(17);
    let missing = |first, last| LogError::MissingSegment { file: file.clone(), first: Seq(first), last };
    let id = |byte| StoreId([byte; 16]);
    for (error, told) in [
        (
            missing(5, Some(Seq(9))),
            "/store/log/0000000017.seg is missing, and with it the commits from seq 5 to 9; put it back from a backup",
        ),
        (
            missing(5, None),
            "/store/log/0000000017.seg is missing, and with it the commits from seq 5; put it back from a backup",
        ),
        (
            LogError::OtherStore { file: file.clone(), expected: id(1), found: id(0xab) },
            "/store/log/0000000017.seg belongs to store abababababababababababababababab, \
             not to 01010101010101010101010101010101; put back the file of this store",
        ),
        (
            LogError::Misnamed { file: file.clone(), found: SegmentName { id: SegmentId(3), generation: 2 } },
            "/store/log/0000000017.seg is in truth segment 0000000003-2; give every segment its own name back",
        ),
    ] {
        assert_eq!(error.to_string(), told);
    }
}
