//! What dropped segments and rolls leave behind: spares, removed files, freed memory.

use milepost_io::{Crash, Disk as _, Fault, FaultKind, Op};
use milepost_log::{AppendError, Found, Log, Recycled};
use milepost_types::Seq;

use crate::rig::{World, all, dir, drop_first_segment, segment_file};

const SEGMENT_BYTES: u32 = 64 << 10;

fn names(world: &World) -> Vec<String> {
    world.sim.list(&dir().join("log")).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// Appends so many bytes in commits of 8 KiB.
fn fill(world: &mut World, log: &mut Log, bytes: usize) {
    for _ in 0..bytes / (8 << 10) {
        world.commit(log, &[(8 << 10) - 40]);
    }
}

/// A log of several segments.
fn filled() -> (World, Log) {
    let mut world = World::new(SEGMENT_BYTES);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 256 << 10);
    (world, log)
}

/// Steps until nothing is left to do; what was done, but for memory that was freed.
fn steps(log: &mut Log) -> Vec<Recycled> {
    let mut done = Vec::new();
    loop {
        match log.recycler.step() {
            Recycled::Nothing => return done,
            Recycled::Freed => {}
            // Pieces in a row are one here, however small they are.
            Recycled::Zeroed(more) => match done.last_mut() {
                Some(Recycled::Zeroed(bytes)) => *bytes += more,
                _ => done.push(Recycled::Zeroed(more)),
            },
            step => done.push(step),
        }
    }
}

/// Drops the first segment without handing it over.
fn drop_first(world: &mut World, log: &mut Log) -> milepost_log::Dropped {
    world.segments.remove(0);
    drop_first_segment(log).unwrap().1
}

/// No file is made ahead, however much is written: what there is to do is left by rolls and by what was dropped.
#[test]
fn there_is_only_what_was_left() {
    let mut world = World::new(SEGMENT_BYTES);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 56 << 10);
    assert!(!log.writer.take_recycling_wanted());
    assert_eq!(log.recycler.step(), Recycled::Nothing);
    fill(&mut world, &mut log, 128 << 10);
    assert!(log.writer.take_recycling_wanted());
    assert!(!log.writer.take_recycling_wanted(), "asked once, it is seen to");
    let before = world.sim.operations();
    assert_eq!([log.recycler.step(), log.recycler.step()], [Recycled::Freed, Recycled::Nothing]);
    assert_eq!(world.sim.operations(), before);
    assert!(names(&world).iter().all(|name| name.ends_with(".seg")));
    let dropped = drop_first(&mut world, &mut log);
    log.recycler.recycle(dropped);
    assert!(log.writer.take_recycling_wanted());
    assert_ne!(log.recycler.step(), Recycled::Nothing);
}

/// FAULTS J6: the file of a dropped segment is used again only when nobody reads it any more, and of what it held
/// nothing is left anywhere.
#[test]
fn a_recycled_segment_holds_nothing_of_its_past() {
    let (mut world, mut log) = filled();
    let held = log.reader.frame(Seq(2)).unwrap().frame().unwrap();
    let old = held.body().to_vec();
    let (id, dropped) = drop_first_segment(&log).unwrap();
    assert_eq!((id.0, dropped.file()), (1, &*segment_file(1)));
    assert!(matches!(log.reader.frame(Seq(2)).unwrap(), Found::Removed));
    log.recycler.recycle(dropped);
    // The reader still holds the map.
    assert_eq!(steps(&mut log), []);
    assert_eq!(held.body(), old);
    assert!(names(&world).contains(&"0000000001.seg".to_owned()));
    drop(held);
    world.segments.remove(0);
    let bytes = world.sim.file_bytes(&segment_file(1)).unwrap().len() as u64;
    assert_eq!(steps(&mut log), [Recycled::Taken, Recycled::Ready(bytes)]);
    assert!(!names(&world).contains(&"0000000001.seg".to_owned()));
    for name in names(&world) {
        let bytes = world.sim.file_bytes(&dir().join("log").join(&name)).unwrap();
        assert!(!bytes.windows(64).any(|window| window == &old[..64]), "{name}");
    }
    // It serves as a segment again, and is gone on with after a crash.
    world.roll(&mut log).unwrap();
    assert!(names(&world).iter().all(|name| name.ends_with(".seg")));
    let file = segment_file(log.writer.segments().last().unwrap().id.0);
    fill(&mut world, &mut log, 16 << 10);
    assert_eq!(world.sim.file_bytes(&file).unwrap().len() as u64, bytes, "written where zeros stood");
    drop(log);
    let mut world = world.after_crash(Crash::Torn, 3);
    let mut log = world.open().unwrap();
    fill(&mut world, &mut log, 128 << 10);
    let first = log.reader.first_seq();
    assert_eq!(all(&log.reader), &world.offered[first.0 as usize - 1..]);
}

/// FAULTS J6: a file is zeroed to its end, however many pieces that takes, before it is ready.
#[test]
fn a_large_segment_is_zeroed_whole() {
    let mut world = World::new(300 << 10);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 640 << 10);
    world.drop_first(&mut log);
    let done = steps(&mut log);
    let spare = world.sim.file_bytes(&dir().join("log/spare-1.tmp")).unwrap();
    assert!(spare.len() > 256 << 10 && spare.iter().all(|byte| *byte == 0), "{} bytes", spare.len());
    assert_eq!(done, [Recycled::Taken, Recycled::Zeroed(256 << 10), Recycled::Ready(spare.len() as u64)]);
}

/// FAULTS J6: also a segment that had outgrown its size.
#[test]
fn a_recycled_oversize_segment_is_cut() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[30_000]);
    let old = world.offered[0][29_000..29_064].to_vec();
    world.commit(&mut log, &[10]);
    world.drop_first(&mut log);
    assert_eq!(steps(&mut log), [Recycled::Taken, Recycled::Ready(4096)]);
    let spare = dir().join("log/spare-1.tmp");
    assert_eq!(world.sim.file_bytes(&spare).unwrap(), vec![0; 4096]);
    for (path, bytes) in world.files() {
        assert!(!bytes.windows(64).any(|window| window == old), "{}", path.display());
    }
}

/// One spare is kept; the room of the other files is given back, before the spare is zeroed, which takes longer.
#[test]
fn files_beyond_the_spare_are_removed() {
    let (mut world, mut log) = filled();
    let used = world.sim.used_bytes();
    for _ in 0..3 {
        let dropped = drop_first(&mut world, &mut log);
        log.recycler.recycle(dropped);
    }
    let done = steps(&mut log);
    assert!(
        matches!(done[..], [Recycled::Taken, Recycled::Removed, Recycled::Removed, Recycled::Ready(_)]),
        "{done:?}"
    );
    assert!(world.sim.used_bytes() < used - u64::from(SEGMENT_BYTES));
    assert_eq!(names(&world).iter().filter(|name| name.starts_with("spare")).count(), 1);
    log.recycler.discard();
    assert!(names(&world).iter().all(|name| name.ends_with(".seg")));
}

/// Spares, ready or half made, are removed by the next opening.
#[test]
fn spares_do_not_outlive_a_crash() {
    for stop_at in 1..4 {
        let mut world = World::new(300 << 10);
        let mut log = world.create().unwrap();
        fill(&mut world, &mut log, 640 << 10);
        world.drop_first(&mut log);
        while log.recycler.step() != Recycled::Taken {}
        for _ in 1..stop_at {
            log.recycler.step();
        }
        assert!(names(&world).contains(&"spare-1.tmp".to_owned()));
        for crash in [Crash::LoseUnsynced, Crash::KeepAll] {
            let mut after = world.after_crash(crash, 0);
            after.open().unwrap();
            assert!(names(&after).iter().all(|name| name.ends_with(".seg")), "{crash:?}");
        }
    }
}

/// FAULTS B1, J6: a disk that fails in the background makes no spare, and nothing of the file is left: the log goes on.
/// What is dropped later is removed.
#[test]
fn a_file_that_fails_is_removed() {
    for (on, file) in [
        (Op::Rename, "0000000001.seg"),
        (Op::SyncDir, "log"),
        (Op::Open, "spare"),
        (Op::SetBytes, "spare"),
        (Op::Write, "spare"),
        (Op::Sync, "spare"),
    ] {
        for code in [5, 28] {
            let (mut world, mut log) = filled();
            world.drop_first(&mut log);
            let what = FaultKind::Error(code);
            world.sim.inject(Fault { on, file: Some(file.to_owned()), nth: 0, times: 1, what });
            assert_eq!(steps(&mut log).last(), Some(&Recycled::GaveUp), "{on:?}");
            world.sim.clear_faults();
            let is_left = |name: &String| name == "0000000001.seg" || name.starts_with("spare");
            assert!(!names(&world).iter().any(is_left), "{on:?}: {:?}", names(&world));
            world.drop_first(&mut log);
            assert_eq!(steps(&mut log), [Recycled::Removed]);
            fill(&mut world, &mut log, 128 << 10);
            assert_eq!(all(&log.reader), world.offered[world.dropped()..]);
        }
    }
}

/// FAULTS C1: the disk is full, but a spare is ready: the log goes on in it.
#[test]
fn a_full_disk_is_left_for_the_spare() {
    let (mut world, mut log) = filled();
    world.drop_first(&mut log);
    steps(&mut log);
    // Nothing is ahead: a large batch was the last.
    world.roll(&mut log).unwrap();
    world.drop_first(&mut log);
    steps(&mut log);
    world.commit(&mut log, &[60_000]);
    assert!(!log.writer.wants_roll(), "nothing was refused");
    world.sim.set_capacity(Some(world.sim.used_bytes()));
    let refused = world.append(&mut log, &[3000]);
    assert!(matches!(refused, Err(AppendError::DiskFull { .. })), "{refused:?}");
    assert!(log.writer.wants_roll());
    world.roll(&mut log).unwrap();
    world.commit(&mut log, &[5000]);
    assert!(!log.writer.wants_roll());
    assert_eq!(all(&log.reader), world.offered[world.dropped()..]);
    world.sim.set_capacity(None);
    world.after_crash(Crash::LoseUnsynced, 0).open().unwrap();
}

/// A segment without a commit is as good a place as the next: it is not left for a spare.
#[test]
fn an_empty_segment_is_not_left_for_the_spare() {
    let (mut world, mut log) = filled();
    world.roll(&mut log).unwrap();
    world.drop_first(&mut log);
    assert!(matches!(steps(&mut log)[..], [Recycled::Taken, Recycled::Ready(_)]));
    world.sim.set_capacity(Some(world.sim.used_bytes()));
    let refused = world.append(&mut log, &[3000]);
    assert!(matches!(refused, Err(AppendError::DiskFull { .. })), "{refused:?}");
    assert!(!log.writer.wants_roll());
    world.sim.set_capacity(None);
    world.commit(&mut log, &[3000]);
    assert_eq!(all(&log.reader), world.offered[world.dropped()..]);
}

#[test]
fn the_open_segment_is_not_dropped() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    assert!(drop_first_segment(&log).is_none());
    world.roll(&mut log).unwrap();
    assert!(drop_first_segment(&log).is_some());
    assert!(drop_first_segment(&log).is_none());
    assert_eq!((log.reader.first_seq(), log.reader.last_seq()), (Seq(2), Seq(1)));
}

/// Where the disk needs its room no spare is kept, and none is made until that is over.
#[test]
fn a_spare_gives_its_room_back() {
    let is_spare = |name: &String| name.starts_with("spare");
    for half_made in [false, true] {
        let (mut world, mut log) = filled();
        world.drop_first(&mut log);
        match half_made {
            false => assert!(matches!(steps(&mut log)[..], [Recycled::Taken, Recycled::Ready(_)])),
            true => while log.recycler.step() != Recycled::Taken {},
        }
        assert!(names(&world).iter().any(is_spare));
        log.recycler.keep_spares(false);
        assert!(!names(&world).iter().any(is_spare));
        world.drop_first(&mut log);
        assert_eq!(steps(&mut log), [Recycled::Removed]);
        log.recycler.keep_spares(true);
        world.drop_first(&mut log);
        assert!(matches!(steps(&mut log)[..], [Recycled::Taken, Recycled::Ready(_)]));
        // To say so again changes nothing.
        log.recycler.keep_spares(true);
        // No two spares have one name.
        assert_eq!(names(&world).into_iter().filter(is_spare).collect::<Vec<_>>(), ["spare-2.tmp"]);
        world.roll(&mut log).unwrap();
        assert!(!names(&world).iter().any(is_spare), "it was used");
    }
}

/// Whoever closes the log waits for readers no longer than they read.
#[test]
fn it_is_known_whether_somebody_still_reads_what_was_dropped() {
    let (mut world, mut log) = filled();
    assert!(!log.recycler.waits_for_readers());
    let held = log.reader.frame(Seq(1)).unwrap().frame().unwrap();
    world.drop_first(&mut log);
    let (first, second) = (segment_file(1), segment_file(2));
    assert_eq!(steps(&mut log), []);
    assert!(log.recycler.waits_for_readers());
    // One that nobody reads does not wait for the other one.
    world.drop_first(&mut log);
    assert!(matches!(steps(&mut log)[..], [Recycled::Taken, Recycled::Ready(_)]));
    assert!(world.sim.file_bytes(&first).is_some() && world.sim.file_bytes(&second).is_none());
    assert!(log.recycler.waits_for_readers());
    drop(held);
    assert_eq!(steps(&mut log), [Recycled::Removed]);
    assert!(!log.recycler.waits_for_readers() && world.sim.file_bytes(&first).is_none());
}
