//! A disk that says no: no room, short writes, failing syncs, reads that fail.

use std::io;

use milepost_io::{Crash, Disk as _, Fault, FaultKind, Latch, Op, SimEntropy};
use milepost_log::{AppendError, LogError, Recycled, SegmentKind, create};

use crate::{
    beside::{Beside, Event, When},
    rig::{STORE, World, all, dir, end_of, segment_file},
};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const EDQUOT: i32 = 122;
const EFBIG: i32 = 27;

fn fault(on: Op, nth: u64, times: u64, what: FaultKind) -> Fault {
    Fault { on, file: None, nth, times, what }
}

fn error(code: i32) -> FaultKind {
    FaultKind::Error(code)
}

/// A log with three commits, and zeros ahead to the end of the segment.
fn begun() -> (World, milepost_log::Log) {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[500, 300]);
    world.commit(&mut log, &[20]);
    (world, log)
}

/// The same without zeros ahead: a write was taken back, so the file ends with the last commit.
fn begun_grown() -> (World, milepost_log::Log) {
    let (mut world, mut log) = begun();
    world.sim.inject(fault(Op::Write, 0, 1, error(EIO)));
    world.append(&mut log, &[1]).unwrap_err();
    assert_eq!(world.sim.file_bytes(&segment_file(1)).unwrap().len() as u64, end_of(&log));
    (world, log)
}

fn open_segment(log: &milepost_log::Log) -> u64 {
    log.writer.segments().last().unwrap().id.0
}

/// FAULTS C1, C5: no room for a write; nothing is lost, reads go on, and with room commits go on, without a reopening.
#[test]
fn a_full_disk_refuses_and_recovers() {
    for (code, says) in [(ENOSPC, "disk is full"), (EDQUOT, "disk is full"), (EFBIG, "limit on a file's size")] {
        let (mut world, mut log) = begun();
        world.sim.inject(fault(Op::Write, 0, 3, error(code)));
        for _ in 0..3 {
            let refused = world.append(&mut log, &[100, 100]).unwrap_err();
            assert!(matches!(refused, AppendError::DiskFull { need: 288, .. }), "{refused:?}");
            assert!(refused.to_string().contains(says), "{refused}");
            assert_eq!(all(&log.reader), world.offered);
            assert_eq!(world.after_crash(Crash::KeepAll, 0).find().unwrap().1, world.offered);
        }
        world.commit(&mut log, &[100, 100]);
        assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
    }
}

/// FAULTS C1, C2: the disk fills up in the middle of a frame, at every byte; room returns; what is acknowledged then is
/// there after a crash.
#[test]
fn a_disk_that_fills_inside_a_frame_loses_nothing() {
    for room in (0..400).step_by(7) {
        let (mut world, mut log) = begun_grown();
        let used = world.sim.used_bytes();
        world.sim.set_capacity(Some(used + room));
        let mut refused = 0;
        for size in [100, 200, 50, 300] {
            match world.append(&mut log, &[size, 10]) {
                Ok(()) => world.sync(&mut log).unwrap(),
                Err(AppendError::DiskFull { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
        }
        assert!(refused > 0, "{room}");
        world.sim.set_capacity(None);
        world.commit(&mut log, &[64, 10]);
        let mut after = world.after_crash(Crash::LoseUnsynced, 0);
        assert_eq!(after.find().unwrap().1, world.offered);
        after.open().unwrap();
    }
}

/// FAULTS C1: no room at each operation of a roll: the log is as it was, and rolls when there is room.
#[test]
fn no_room_for_the_next_segment_changes_nothing() {
    for (on, nth) in [(Op::Create, 0), (Op::Write, 0), (Op::Rename, 0)] {
        let (mut world, mut log) = begun();
        let before = log.writer.segments();
        world.sim.inject(fault(on, nth, 1, error(ENOSPC)));
        let refused = world.roll(&mut log);
        assert!(matches!(refused, Err(AppendError::DiskFull { need: 64, .. })), "{on:?}: {refused:?}");
        assert_eq!(log.writer.segments(), before);
        assert_eq!(world.sim.names(), [segment_file(1)], "{on:?}: nothing is left of it");
        world.commit(&mut log, &[30]);
        assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
        world.roll(&mut log).unwrap();
        world.commit(&mut log, &[30]);
        assert_eq!(log.writer.segments().len(), before.len() + 1);
        assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
        assert_eq!(all(&world.open().unwrap().reader), world.offered);
    }
}

/// FAULTS C1: no room for the footer: the segment stays whole without it, and gets it at the next opening.
#[test]
fn no_room_for_a_footer_is_no_error() {
    let (mut world, mut log) = begun();
    // The first write of a roll is the header of the next segment, the second the footer.
    world.sim.inject(fault(Op::Write, 1, 1, error(ENOSPC)));
    world.roll(&mut log).unwrap();
    assert_eq!(log.writer.segments()[0].sealed, None);
    world.commit(&mut log, &[30]);
    assert_eq!(all(&log.reader), world.offered);
    let mut after = world.after_crash(Crash::LoseUnsynced, 0);
    let log = after.open().unwrap();
    let sealed = log.writer.segments()[0].sealed.expect("it is sealed now");
    assert_eq!(sealed.bytes, after.sim.file_bytes(&segment_file(1)).unwrap().len() as u64);
    assert_eq!(after.find().unwrap().1, world.offered);
}

/// The same where the last commit's padding is not there either: all of the segment is in its file, which is read
/// through a map, and no larger than it is.
#[test]
fn a_segment_without_a_footer_is_read_from_its_file() {
    let (mut world, mut log) = begun_grown();
    // No room for zeros ahead.
    world.sim.inject(fault(Op::Write, 1, 1, error(ENOSPC)));
    world.commit(&mut log, &[21]);
    world.sim.clear_faults();
    let end = end_of(&log);
    world.sim.inject(fault(Op::Allocate, 0, 1, error(EIO)));
    world.sim.inject(fault(Op::Write, 1, 1, error(ENOSPC)));
    world.roll(&mut log).unwrap();
    let stats = log.reader.segment_stats().remove(0);
    assert_eq!(log.writer.segments()[0].sealed, None);
    let bytes = world.sim.file_bytes(&segment_file(1)).unwrap().len() as u64;
    assert_eq!((stats.kind, stats.file_bytes, bytes), (SegmentKind::Open, end - 3, end - 3));
    world.commit(&mut log, &[30]);
    assert_eq!(all(&log.reader), world.offered);
}

/// A disk gives other bytes than were written, as a segment has just been sealed: it is not read then, and not said to
/// be sealed. What was written is read from memory on; what is wrong is for the next opening to find.
#[test]
fn a_file_that_does_not_say_what_was_written_is_not_read() {
    let rolled = |commits: usize, instead: Option<Vec<u8>>| {
        let mut world = World::new(4096);
        world.epoch = 1;
        let disk = Beside::quiet(&world.sim);
        let (entropy, settings) = (SimEntropy::new(1), world.settings());
        let mut log = create(disk.clone(), dir(), STORE, 1, &entropy, Latch::default(), settings).unwrap();
        (0..commits).for_each(|_| world.commit(&mut log, &[100]));
        // The first sync of a roll is that of the next segment's header.
        let event = |bytes| Event { when: When::Sync, nth: 1, files: vec![(segment_file(1), bytes)] };
        *disk.event.lock() = instead.map(event);
        world.roll(&mut log).unwrap();
        assert!(disk.event.lock().is_none());
        assert_eq!(all(&log.reader), world.offered);
        let kind = log.reader.segment_stats()[0].kind;
        assert_eq!(log.writer.segments()[0].sealed.is_some(), kind == SegmentKind::Sealed);
        (kind, world.sim.file_bytes(&segment_file(1)).unwrap())
    };
    let (kind, mut damaged) = rolled(3, None);
    assert_eq!(kind, SegmentKind::Sealed);
    damaged[64 + 144 + 60] ^= 1;
    *damaged.last_mut().unwrap() ^= 1;
    // That of a longer history is whole.
    for instead in [damaged, rolled(5, None).1] {
        assert_eq!(rolled(3, Some(instead)).0, SegmentKind::Open);
    }
}

/// FAULTS C1: on a disk that is full to the byte, where not even the padding of the last commit could be written, a
/// roll is refused before anything changes: a segment without its footer could not be compacted, which is what is
/// needed then.
#[test]
fn a_disk_full_to_the_byte_refuses_a_roll_and_takes_it_when_there_is_room() {
    let (mut world, mut log) = begun_grown();
    // No room for zeros ahead.
    world.sim.inject(fault(Op::Write, 1, 1, error(ENOSPC)));
    world.commit(&mut log, &[21]);
    assert_eq!(world.sim.file_bytes(&segment_file(1)).unwrap().len() as u64, end_of(&log) - 3);
    world.sim.set_capacity(Some(world.sim.used_bytes() + 64));
    assert!(matches!(world.roll(&mut log), Err(AppendError::DiskFull { .. })));
    assert_eq!(all(&log.reader), world.offered);
    world.sim.set_capacity(None);
    world.commit(&mut log, &[30]);
    world.roll(&mut log).unwrap();
    world.commit(&mut log, &[30]);
    assert_eq!(all(&log.reader), world.offered);
    let mut after = world.after_crash(Crash::LoseUnsynced, 0);
    assert!(after.open().unwrap().writer.segments()[0].sealed.is_some());
}

/// FAULTS C1: a roll needs room for a footer and a header, says so, and takes no more.
#[test]
fn a_roll_takes_the_room_that_it_says_it_needs() {
    let footer = {
        let (mut world, mut log) = begun_grown();
        let end = end_of(&log);
        world.roll(&mut log).unwrap();
        log.writer.segments()[0].sealed.unwrap().bytes - end
    };
    for (room, needed) in [(footer - 1, Some(footer + 64)), (footer + 63, Some(64)), (footer + 64, None)] {
        let (mut world, mut log) = begun_grown();
        world.sim.set_capacity(Some(world.sim.used_bytes() + room));
        match (world.roll(&mut log), needed) {
            (Ok(()), None) => {}
            (Err(AppendError::DiskFull { need, .. }), Some(needed)) => {
                assert_eq!(need, needed);
                assert_eq!(world.sim.names(), [segment_file(1)]);
                world.sim.set_capacity(None);
                world.roll(&mut log).unwrap();
            }
            (rolled, _) => panic!("{room} bytes: {rolled:?}"),
        }
        assert!(log.writer.segments()[0].sealed.is_some(), "{room} bytes");
        world.sim.set_capacity(None);
        world.commit(&mut log, &[30]);
        assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
    }
}

/// FAULTS B3: a system that takes no room ahead is nobody's error: the footer is written all the same.
#[test]
fn room_that_cannot_be_taken_ahead_is_done_without() {
    let (mut world, mut log) = begun_grown();
    world.sim.inject(fault(Op::Allocate, 0, 1, error(EIO)));
    world.roll(&mut log).unwrap();
    assert!(world.sim.faults_hit().iter().any(|fault| fault.on == Op::Allocate));
    assert!(log.writer.segments()[0].sealed.is_some());
    world.commit(&mut log, &[30]);
    assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
}

/// FAULTS B3: a segment could not be begun, and what there is of it not removed: the next attempt writes over it.
#[test]
fn what_is_left_of_a_segment_that_was_not_begun_is_written_over() {
    let (mut world, mut log) = begun();
    world.sim.inject(fault(Op::Write, 0, 1, error(EIO)));
    world.sim.inject(fault(Op::Remove, 0, 1, error(EIO)));
    assert!(matches!(world.roll(&mut log), Err(AppendError::Write(_))));
    assert_eq!(world.sim.names().len(), 2, "something is left");
    world.roll(&mut log).unwrap();
    world.commit(&mut log, &[30]);
    assert_eq!(world.sim.names(), [segment_file(1), segment_file(2)]);
    assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
}

/// FAULTS B3: an error of each operation of a roll that is not "no room": refused and as before, or the log stops.
/// Never anything in between.
#[test]
fn an_io_error_in_a_roll_refuses_or_stops() {
    let refuses = |on, nth| {
        let (mut world, mut log) = begun();
        world.sim.inject(fault(on, nth, 1, error(EIO)));
        let refused = world.roll(&mut log);
        assert!(matches!(refused, Err(AppendError::Write(_))), "{on:?} {nth}: {refused:?}");
        world.commit(&mut log, &[30]);
        world.roll(&mut log).unwrap();
        world.commit(&mut log, &[30]);
        assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
    };
    refuses(Op::Create, 0);
    refuses(Op::Write, 0);
    let stops = |on, nth| {
        let (mut world, mut log) = begun();
        world.sim.inject(fault(on, nth, 1, error(EIO)));
        let stopped = world.roll(&mut log);
        assert!(matches!(stopped, Err(AppendError::Stopped(_))), "{on:?} {nth}: {stopped:?}");
        let refused = world.append(&mut log, &[30]);
        assert!(matches!(refused, Err(AppendError::Stopped(_))), "{on:?} {nth}: {refused:?}");
        world.offered.truncate(world.acked);
        assert_eq!(all(&log.reader), world.offered, "reads go on");
        for crash in [Crash::LoseUnsynced, Crash::KeepAll] {
            let mut after = world.after_crash(crash, 0);
            after.open().unwrap_or_else(|error| panic!("{on:?} {nth} {crash:?}: {error}"));
        }
        // The next process finds the cache as it is, not all of it durable, and builds upon it.
        let mut next = world.after_kill();
        next.sim.clear_faults();
        let mut log = next.open().unwrap();
        next.commit(&mut log, &[70]);
        assert_eq!(next.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, next.offered, "{on:?} {nth}");
    };
    stops(Op::Rename, 0);
    stops(Op::SyncDir, 0);
    stops(Op::Sync, 0);
    stops(Op::Sync, 1);
    stops(Op::Write, 1);
    stops(Op::SetBytes, 0);
}

/// FAULTS B6: short writes are gone on with.
#[test]
fn short_writes_are_gone_on_with() {
    for bytes in [1, 7, 39, 100] {
        let (mut world, mut log) = begun();
        world.sim.inject(fault(Op::Write, 0, 3, FaultKind::ShortWrite { bytes }));
        world.commit(&mut log, &[300, 200]);
        world.commit(&mut log, &[30]);
        assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
    }
}

/// FAULTS B6: a short write and then an error: what was written is taken back, durably, before the next commit.
#[test]
fn half_a_write_is_taken_back() {
    for begun in [begun, begun_grown] {
        for bytes in [1, 39, 40, 200, 344, 345, 500] {
            for code in [EIO, ENOSPC] {
                let (mut world, mut log) = begun();
                let file = segment_file(open_segment(&log));
                let before = world.sim.file_bytes(&file).unwrap();
                world.sim.inject(fault(Op::Write, 0, 1, FaultKind::ShortWriteThenError { bytes, errno: code }));
                let refused = world.append(&mut log, &[300, 200]).unwrap_err();
                match code {
                    ENOSPC => assert!(matches!(refused, AppendError::DiskFull { .. }), "{refused:?}"),
                    _ => assert!(matches!(refused, AppendError::Write(_)), "{refused:?}"),
                }
                // Nothing but what was there before, on the disk itself.
                let after = world.sim.durable_bytes(&file).unwrap();
                assert!(after.len() <= before.len() && after[..] == before[..after.len()]);
                assert!(before[after.len()..].iter().all(|byte| *byte == 0));
                world.commit(&mut log, &[300, 200]);
                assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
            }
        }
    }
}

/// A write that was taken back synced what had been appended before it: that is a batch of its own, and damage in it is
/// no torn tail once a later batch follows.
#[test]
fn what_was_synced_by_taking_back_is_a_batch() {
    let (mut world, mut log) = begun();
    let at = end_of(&log);
    world.append(&mut log, &[100]).unwrap();
    world.sim.inject(fault(Op::Write, 0, 1, error(ENOSPC)));
    world.append(&mut log, &[700]).unwrap_err();
    assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
    world.commit(&mut log, &[50]);
    world.sim.flip_bit(&segment_file(1), (at + 60) * 8);
    let Err(LogError::Corrupt(corruption)) = world.find() else { panic!("taken for a torn tail") };
    assert_eq!(corruption.offset, at);
}

/// FAULTS B6: the write fails, and so does taking it back: the log stops, reads go on, and an opening tells the truth.
#[test]
fn a_write_that_cannot_be_taken_back_stops_the_log() {
    for on in [Op::SetBytes, Op::Sync] {
        let (mut world, mut log) = begun();
        world.sim.inject(fault(Op::Write, 0, 1, FaultKind::ShortWrite { bytes: 100 }));
        world.sim.inject(fault(Op::Write, 1, 1, error(EIO)));
        world.sim.inject(fault(on, 0, 1, error(EIO)));
        let stopped = world.append(&mut log, &[300]).unwrap_err();
        assert!(matches!(stopped, AppendError::Stopped(_)), "{stopped:?}");
        assert!(matches!(world.append(&mut log, &[1]), Err(AppendError::Stopped(_))));
        assert!(log.writer.sync().is_err());
        world.offered.truncate(world.acked);
        assert_eq!(all(&log.reader), world.offered);
        drop(log);
        for crash in [Crash::LoseUnsynced, Crash::KeepAll] {
            world.after_crash(crash, 0).open().unwrap();
        }
    }
}

/// FAULTS B1, B2: a sync fails once and then says OK. It is not tried again; the log stops; reads go on; and what an
/// opening shows is durable from then on.
#[test]
fn a_failed_sync_is_final() {
    for what in [error(EIO), error(ENOSPC), FaultKind::SyncFailsAndDropsPages] {
        let (mut world, mut log) = begun();
        world.append(&mut log, &[100, 50]).unwrap();
        let synced_before = world.sim.count(Op::Sync);
        world.sim.inject(fault(Op::Sync, 0, 1, what.clone()));
        let failure = log.writer.sync().unwrap_err();
        assert_eq!((failure.file.clone(), failure.operation.as_str()), (segment_file(1), "sync"));
        assert_eq!(log.writer.sync().unwrap_err(), failure);
        let stopped = log.writer.append(world.batch(log.writer.next_seq(), &[1])).unwrap_err().0;
        assert!(matches!(stopped, AppendError::Stopped(ref first) if *first == failure), "{stopped:?}");
        assert!(matches!(log.writer.roll(), Err(AppendError::Stopped(_))));
        assert_eq!(log.recycler.step(), Recycled::Nothing);
        assert_eq!(world.sim.count(Op::Sync) - synced_before, 1, "the sync was tried once");
        for seq in 1..=world.acked {
            let frame = log.reader.frame(milepost_types::Seq(seq as u64)).unwrap().frame().unwrap();
            assert_eq!(frame.body(), world.offered[seq - 1]);
        }
        drop(log);
        // Opened by the next process without a power loss: it reads the batch from the cache, though it never got to
        // the disk, and syncs say OK. What it shows must be there after a power loss all the same.
        let mut next = world.after_kill();
        let mut log = next.open().unwrap();
        let shown = all(&log.reader);
        next.commit(&mut log, &[7]);
        let after = next.after_crash(Crash::LoseUnsynced, 0);
        let bodies = after.find().unwrap().1;
        assert_eq!(bodies[..shown.len()], shown, "{what:?}");
        assert_eq!(bodies.len(), shown.len() + 1);
    }
}

/// FAULTS B3: each operation of repairing fails once. That opening fails with an error, the next one succeeds.
#[test]
fn an_error_in_repair_is_an_error_and_no_harm() {
    for code in [EIO, ENOSPC] {
        for on in [Op::Open, Op::Create, Op::Write, Op::Sync, Op::SetBytes, Op::SyncDir, Op::CreateDir, Op::Remove] {
            for nth in 0..8 {
                let (mut world, mut log) = begun();
                world.sim.inject(fault(Op::Write, 1, 1, error(ENOSPC)));
                world.roll(&mut log).unwrap();
                world.commit(&mut log, &[40]);
                world.append(&mut log, &[900]).unwrap();
                let end = end_of(&log);
                drop(log);
                world.sim.truncate(&segment_file(2), end - 100);
                world.sim.put_file(&dir().join("log/spare-1.tmp"), b"junk");
                world.offered.truncate(world.acked);
                world.sim.inject(fault(on, nth, 1, error(code)));
                let opened = world.open();
                if let Err(opened) = &opened {
                    let named =
                        matches!(opened, LogError::Io { .. } | LogError::DiskFull { .. } | LogError::Stopped(_));
                    assert!(named, "{on:?} {nth}: {opened}");
                }
                drop(opened);
                world.sim.clear_faults();
                let log = world.open().unwrap_or_else(|error| panic!("{on:?} {nth}: {error}"));
                assert_eq!(all(&log.reader), world.offered);
            }
        }
    }
}

/// FAULTS B1, C1: what is cut goes to the quarantine first, or nothing is cut. But where no room is left the log opens
/// all the same, or nothing in it could be removed: what is cut was never acknowledged.
#[test]
fn what_cannot_be_quarantined_is_cut_only_on_a_full_disk() {
    let dir = dir().join("quarantine");
    for on in [Op::CreateDir, Op::Create, Op::Write, Op::Sync, Op::SyncDir] {
        for code in [EIO, ENOSPC] {
            let (mut world, mut log) = begun_grown();
            world.append(&mut log, &[100]).unwrap();
            let end = end_of(&log) - 144;
            drop(log);
            world.offered.truncate(world.acked);
            let file = segment_file(1);
            world.sim.truncate(&file, end + 90);
            let torn = world.sim.file_bytes(&file).unwrap();
            world.sim.inject(Fault { on, file: Some("quarantine".to_owned()), nth: 0, times: 1, what: error(code) });
            let opened = world.open().map(drop);
            assert_eq!(world.sim.faults_hit().len(), 2, "{on:?}");
            let bytes = world.sim.file_bytes(&file).unwrap();
            if code == ENOSPC {
                opened.unwrap();
                assert_eq!(bytes[..], torn[..end as usize], "{on:?}");
                assert!(world.sim.list(&dir).map_or(true, |left| left.is_empty()), "{on:?}: half of it is left");
                continue;
            }
            let Err(LogError::Io { path, .. }) = opened else { panic!("{on:?}: {opened:?}") };
            assert_eq!((path.parent(), &bytes), (Some(&*dir), &torn), "{on:?}");
            world.sim.clear_faults();
            world.open().unwrap();
            let kept = world.sim.list(&dir).unwrap();
            let kept: Vec<_> = kept.iter().map(|entry| world.sim.file_bytes(&dir.join(&entry.name)).unwrap()).collect();
            assert!(kept.contains(&torn[end as usize..].to_vec()), "{on:?}");
        }
    }
}

/// FAULTS B4: a read that fails is an error that names the file; the log is not taken for shorter.
#[test]
fn a_failing_read_is_named() {
    for id in [1, 2] {
        for nth in 0..2 {
            let (mut world, mut log) = begun();
            world.roll(&mut log).unwrap();
            world.commit(&mut log, &[40]);
            drop(log);
            let file = Some(format!("{id:010}.seg"));
            world.sim.inject(Fault { on: Op::Read, file, nth, times: 1, what: error(EIO) });
            let failed = world.find().map(drop);
            let Err(LogError::Io { path, source, .. }) = failed else { panic!("{failed:?}") };
            assert_eq!(path, segment_file(id));
            assert_eq!(source.raw_os_error(), Some(EIO));
            world.open().unwrap();
        }
    }
}

/// FAULTS B9: the system gives no map: the segment is read into memory instead.
#[test]
fn no_map_is_no_error() {
    let (mut world, mut log) = begun();
    world.sim.inject(fault(Op::Map, 0, u64::MAX, error(12)));
    world.roll(&mut log).unwrap();
    world.commit(&mut log, &[40]);
    assert_eq!(all(&log.reader), world.offered);
    assert!(log.writer.segments()[0].sealed.is_some());
    drop(log);
    assert_eq!(all(&world.open().unwrap().reader), world.offered);
}

/// FAULTS C1: creating a log on a full disk is refused, and works when there is room.
#[test]
fn creating_on_a_full_disk_is_refused() {
    for on in [Op::CreateDir, Op::Create, Op::Write, Op::Rename] {
        let mut world = World::new(4096);
        world.sim.inject(fault(on, 0, 1, error(ENOSPC)));
        let refused = world.create().map(drop);
        match on {
            Op::CreateDir => {
                let full =
                    matches!(&refused, Err(LogError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull);
                assert!(full || matches!(refused, Err(LogError::DiskFull { .. })), "{refused:?}");
            }
            _ => assert!(matches!(refused, Err(LogError::DiskFull { .. })), "{on:?}: {refused:?}"),
        }
        let mut log = world.create().unwrap();
        world.commit(&mut log, &[5]);
        assert!(world.sim.list(&dir().join("log")).unwrap().len() == 1);
    }
}
