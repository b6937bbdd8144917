//! Spares, early rolls, recycled segments.

use milepost_io::{Crash, Disk as _, Fault, FaultKind, Op};
use milepost_log::{AppendError, Log, Prefilled};
use milepost_types::Seq;

use crate::rig::{World, all, dir, segment_file};

fn names(world: &World) -> Vec<String> {
    world.sim.list(&dir().join("log")).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// Appends so many bytes in commits of 8 KiB.
fn fill(world: &mut World, log: &mut Log, bytes: usize) {
    for _ in 0..bytes / (8 << 10) {
        world.commit(log, &[(8 << 10) - 40]);
    }
}

/// Steps until nothing is left to do; what was done.
fn steps(log: &mut Log) -> Vec<Prefilled> {
    let mut done = Vec::new();
    loop {
        match log.prefiller.step() {
            Prefilled::Nothing => return done,
            // Pieces in a row are one here, however small they are.
            Prefilled::Zeroed(more) => match done.last_mut() {
                Some(Prefilled::Zeroed(bytes)) => *bytes += more,
                _ => done.push(Prefilled::Zeroed(more)),
            },
            step => done.push(step),
        }
    }
}

#[test]
fn a_process_that_commits_little_prefills_nothing() {
    let mut world = World::new(8 << 20);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 56 << 10);
    let before = world.sim.operations();
    assert_eq!(steps(&mut log), []);
    assert_eq!((world.sim.operations(), names(&world).len()), (before, 1));
    fill(&mut world, &mut log, 8 << 10);
    assert!(matches!(steps(&mut log)[..], [Prefilled::Zeroed(_), Prefilled::Ready(0x10_0000)]));
    assert_eq!(names(&world), ["0000000001.seg", "spare-1.tmp"]);
}

/// The sizes of spares follow the log: a small store does not get a large file.
#[test]
fn spares_are_as_large_as_the_log() {
    for (logged, segment_bytes, expected) in [
        (64 << 10, 8 << 20, 1 << 20),
        (1 << 20, 8 << 20, 1 << 20),
        ((1 << 20) + (8 << 10), 8 << 20, 2 << 20),
        (3 << 20, 8 << 20, 4 << 20),
        (5 << 20, 4 << 20, 4 << 20),
        (128 << 10, 256 << 10, 256 << 10),
    ] {
        let mut world = World::new(segment_bytes);
        let mut log = world.create().unwrap();
        fill(&mut world, &mut log, logged);
        assert_eq!(steps(&mut log).last(), Some(&Prefilled::Ready(expected)), "{logged} of {segment_bytes}");
    }
}

#[test]
fn a_growing_segment_is_left_for_a_spare() {
    let mut world = World::new(8 << 20);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 128 << 10);
    steps(&mut log);
    assert!(!log.writer.wants_roll(), "the open segment holds too little");
    fill(&mut world, &mut log, 128 << 10);
    assert!(log.writer.wants_roll());
    world.roll(&mut log).unwrap();
    assert_eq!(names(&world), ["0000000001.seg", "0000000002.seg"]);
    let bytes = |world: &World| world.sim.file_bytes(&segment_file(2)).unwrap().len();
    assert_eq!(bytes(&world), 1 << 20);
    fill(&mut world, &mut log, 512 << 10);
    assert_eq!(bytes(&world), 1 << 20, "written where zeros stood");
    assert!(!log.writer.wants_roll(), "there is room in the prefilled file");
    steps(&mut log);
    assert!(!log.writer.wants_roll());
    // It is outrun: the file grows, until a spare is there.
    fill(&mut world, &mut log, 512 << 10);
    assert!(log.writer.wants_roll());
    world.roll(&mut log).unwrap();
    // Sealed, it is cut where its footer ends.
    let sealed = log.writer.segments()[1].sealed.unwrap();
    assert_eq!(bytes(&world) as u64, sealed.bytes);
    assert_eq!(all(&log.reader), world.offered);
    for crash in [Crash::LoseUnsynced, Crash::KeepAll] {
        let mut after = world.after_crash(crash, 0);
        after.open().unwrap();
        assert!(names(&after).iter().all(|name| name.ends_with(".seg")), "spares are removed");
    }
}

/// Past its last frame a prefilled segment is zeros, so recovery goes on in it.
#[test]
fn a_prefilled_segment_is_gone_on_with() {
    let mut world = World::new(1 << 20);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 512 << 10);
    steps(&mut log);
    world.roll(&mut log).unwrap();
    fill(&mut world, &mut log, 16 << 10);
    drop(log);
    let mut world = world.after_crash(Crash::Torn, 3);
    let mut log = world.open().unwrap();
    assert_eq!(world.sim.file_bytes(&segment_file(2)).unwrap().len(), 1 << 20);
    fill(&mut world, &mut log, 16 << 10);
    assert_eq!(all(&world.open().unwrap().reader).len(), 64 + 4);
}

/// FAULTS C1: no room for a spare: what was written of it is given back at once, and it is tried again later.
#[test]
fn no_room_for_a_spare_takes_no_room() {
    let mut world = World::new(4 << 20);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 2 << 20);
    let used = world.sim.used_bytes();
    world.sim.set_capacity(Some(used + (1 << 20) + 1000));
    assert_eq!(steps(&mut log), [Prefilled::Zeroed(1 << 20), Prefilled::NoRoom]);
    assert_eq!(names(&world), ["0000000001.seg"]);
    fill(&mut world, &mut log, 512 << 10);
    assert_eq!(steps(&mut log), [], "not before more was appended");
    world.sim.set_capacity(None);
    fill(&mut world, &mut log, 512 << 10);
    assert_eq!(steps(&mut log).last(), Some(&Prefilled::Ready(4 << 20)));
}

/// FAULTS B1: a disk that fails in the background makes no spare; the log goes on by growing.
#[test]
fn a_failing_spare_is_given_up() {
    for on in [Op::Create, Op::Write, Op::Sync] {
        let mut world = World::new(1 << 20);
        let mut log = world.create().unwrap();
        fill(&mut world, &mut log, 128 << 10);
        world.sim.inject(Fault { on, file: Some("spare".to_owned()), nth: 0, times: 1, what: FaultKind::Error(5) });
        assert_eq!(steps(&mut log), [Prefilled::GaveUp]);
        assert_eq!(names(&world), ["0000000001.seg"]);
        fill(&mut world, &mut log, 2 << 20);
        assert_eq!(steps(&mut log).iter().filter(|step| **step != Prefilled::Freed).count(), 0);
        assert_eq!(all(&log.reader), world.offered);
    }
}

/// FAULTS C1: the disk is full, but a spare is ready: the log goes on in it.
#[test]
fn a_full_disk_is_left_for_the_spare() {
    let mut world = World::new(1 << 20);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 64 << 10);
    steps(&mut log);
    assert!(!log.writer.wants_roll());
    world.sim.set_capacity(Some(world.sim.used_bytes()));
    let refused = world.append(&mut log, &[5000]);
    assert!(matches!(refused, Err(AppendError::DiskFull { .. })), "{refused:?}");
    assert!(log.writer.wants_roll());
    world.roll(&mut log).unwrap();
    fill(&mut world, &mut log, 64 << 10);
    assert_eq!(all(&log.reader), world.offered);
    world.sim.set_capacity(None);
    world.after_crash(Crash::LoseUnsynced, 0).open().unwrap();
}

/// FAULTS J6: the file of a dropped segment is used again only when nobody reads it any more, and of what it held
/// nothing is left anywhere.
#[test]
fn a_recycled_segment_holds_nothing_of_its_past() {
    let mut world = World::new(64 << 10);
    let mut log = world.create().unwrap();
    fill(&mut world, &mut log, 256 << 10);
    steps(&mut log);
    log.prefiller.discard();
    assert!(names(&world).iter().all(|name| name.ends_with(".seg")));
    let held = log.reader.frame(Seq(2)).unwrap().unwrap();
    let old = held.body().to_vec();
    let (id, dropped) = log.writer.drop_first_segment().unwrap();
    assert_eq!((id.0, dropped.file()), (1, &*segment_file(1)));
    assert!(log.reader.frame(Seq(2)).unwrap().is_none());
    log.prefiller.recycle(dropped);
    // The reader still holds the map: a fresh spare is made instead.
    assert_eq!(steps(&mut log), [Prefilled::Ready(64 << 10)]);
    assert_eq!(held.body(), old);
    assert!(names(&world).contains(&"0000000001.seg".to_owned()));
    drop(held);
    world.segments.remove(0);
    world.roll(&mut log).unwrap();
    assert_eq!(steps(&mut log).iter().filter(|step| **step == Prefilled::Recycled).count(), 1);
    assert!(!names(&world).contains(&"0000000001.seg".to_owned()));
    for name in names(&world) {
        let bytes = world.sim.file_bytes(&dir().join("log").join(&name)).unwrap();
        assert!(!bytes.windows(64).any(|window| window == &old[..64]), "{name}");
    }
    // And it serves as a segment again.
    fill(&mut world, &mut log, 128 << 10);
    let first = log.reader.first_seq();
    let expected = &world.offered[first.0 as usize - 1..];
    assert_eq!(all(&log.reader), expected);
}

/// FAULTS J6: also a segment that had outgrown its size.
#[test]
fn a_recycled_oversize_segment_is_cut() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[30_000]);
    let old = world.offered[0][29_000..29_064].to_vec();
    world.commit(&mut log, &[10]);
    steps(&mut log);
    log.prefiller.discard();
    world.drop_first(&mut log);
    assert_eq!(steps(&mut log), [Prefilled::Recycled, Prefilled::Ready(4096)]);
    let spare = dir().join("log/spare-2.tmp");
    assert_eq!(world.sim.file_bytes(&spare).unwrap(), vec![0; 4096]);
    for (path, bytes) in world.files() {
        assert!(!bytes.windows(64).any(|window| window == old), "{}", path.display());
    }
}

#[test]
fn the_open_segment_is_not_dropped() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    assert!(log.writer.drop_first_segment().is_none());
    world.roll(&mut log).unwrap();
    assert!(log.writer.drop_first_segment().is_some());
    assert!(log.writer.drop_first_segment().is_none());
    assert_eq!((log.reader.first_seq(), log.reader.last_seq()), (Seq(2), Seq(1)));
}
