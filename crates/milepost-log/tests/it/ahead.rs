//! Zeros ahead of the open segment's frames: how many, what refuses them, what a crash leaves of them.

use std::collections::HashSet;

use milepost_io::{Crash, Fault, FaultKind, Op};
use milepost_log::{AppendError, Log};

use crate::rig::{CRASHES, World, all, end_of, segment_file};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const EFBIG: i32 = 27;

const SEGMENT_BYTES: u32 = 4 << 20;

fn begun(segment_bytes: u32) -> (World, Log) {
    let mut world = World::new(segment_bytes);
    let log = world.create().unwrap();
    (world, log)
}

fn file_bytes(world: &World) -> u64 {
    world.sim.file_bytes(&segment_file(1)).unwrap().len() as u64
}

/// Commits of so many bytes each, until the segment ends there or later.
fn fill_to(world: &mut World, log: &mut Log, size: usize, end: u64) {
    while end_of(log) < end {
        world.commit(log, &[size]);
    }
}

/// Whatever stands behind the last frame is zero.
fn assert_zeros_behind(world: &World, log: &Log) {
    let bytes = world.sim.file_bytes(&segment_file(log.writer.segments().last().unwrap().id.0)).unwrap();
    assert!(bytes[(end_of(log) as usize).min(bytes.len())..].iter().all(|byte| *byte == 0));
}

/// What the zeros are for: few syncs make the file grow. How many, by the size of commits.
#[test]
fn few_commits_make_the_file_grow() {
    for (size, commits, grown_max) in [(100, 4000, 10), (1000, 1000, 14), (10_000, 100, 16)] {
        let (mut world, mut log) = begun(SEGMENT_BYTES);
        let (mut grown, mut before) = (0, file_bytes(&world));
        for _ in 0..commits {
            world.commit(&mut log, &[size]);
            let now = file_bytes(&world);
            assert!(now >= end_of(&log));
            grown += u32::from(now > before);
            before = now;
        }
        assert!(grown <= grown_max, "{grown} of {commits} commits of {size} bytes");
        assert_zeros_behind(&world, &log);
    }
}

/// A small log is a small file; a large one has 128 KiB ahead at most.
#[test]
fn there_is_as_much_ahead_as_the_log_holds() {
    let (mut world, mut log) = begun(SEGMENT_BYTES);
    world.commit(&mut log, &[20]);
    assert_eq!(file_bytes(&world), end_of(&log) + 4096);
    let mut most = 0;
    while end_of(&log) < 1 << 20 {
        world.commit(&mut log, &[3000]);
        let ahead = file_bytes(&world) - end_of(&log);
        assert!(ahead <= end_of(&log).clamp(4096, 128 << 10), "{ahead} at {}", end_of(&log));
        most = ahead.max(most);
    }
    assert_eq!(most, 128 << 10);
}

/// Zeros end where the segment does.
#[test]
fn no_zeros_beyond_the_segment() {
    let (mut world, mut log) = begun(100_000);
    fill_to(&mut world, &mut log, 3000, 90_000);
    assert!(file_bytes(&world) <= 100_000 && log.writer.segments().len() == 1);
    fill_to(&mut world, &mut log, 3000, 96_000);
    assert_eq!((file_bytes(&world), log.writer.segments().len()), (100_000, 1));
    // A commit larger than a segment has nothing ahead.
    let (mut world, mut log) = begun(4096);
    world.commit(&mut log, &[20_000]);
    assert_eq!(file_bytes(&world), 64 + 40 + 20_000);
    world.commit(&mut log, &[1]);
    assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
}

/// Large batches would write everything twice.
#[test]
fn large_batches_have_no_zeros_ahead() {
    let (mut world, mut log) = begun(SEGMENT_BYTES);
    for _ in 0..20 {
        world.commit(&mut log, &[40_000]);
        assert_eq!(file_bytes(&world), end_of(&log));
    }
    world.commit(&mut log, &[30]);
    assert_eq!(file_bytes(&world), end_of(&log) + (128 << 10));
}

/// One sync covers a batch and its zeros, and there is no write before the batch: it lacks no room that zeros took.
#[test]
fn zeros_cost_a_write_and_no_sync() {
    let (mut world, mut log) = begun(SEGMENT_BYTES);
    let before = (world.sim.count(Op::Write), world.sim.count(Op::Sync));
    world.commit(&mut log, &[100]);
    assert_eq!((world.sim.count(Op::Write), world.sim.count(Op::Sync)), (before.0 + 2, before.1 + 1));
    world.commit(&mut log, &[100]);
    assert_eq!((world.sim.count(Op::Write), world.sim.count(Op::Sync)), (before.0 + 3, before.1 + 2));
    // Exactly the room for a batch, to the byte.
    let (mut world, mut log) = begun(SEGMENT_BYTES);
    world.sim.set_capacity(Some(world.sim.used_bytes() + 40 + 100));
    world.commit(&mut log, &[100]);
    assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
}

/// FAULTS B6, C1, C5: zeros are refused, in whole or in part. That is no error, and they are not tried at each batch.
#[test]
fn refused_zeros_are_nobodys_error() {
    for code in [ENOSPC, EIO, EFBIG] {
        for bytes in [0, 1, 5, 100, 4000] {
            let (mut world, mut log) = begun(SEGMENT_BYTES);
            // A length with padding, which is then not written either.
            let what = match bytes {
                0 => FaultKind::Error(code),
                bytes => FaultKind::ShortWriteThenError { bytes, errno: code },
            };
            world.sim.inject(Fault { on: Op::Write, file: None, nth: 1, times: 1, what });
            world.commit(&mut log, &[21]);
            assert_eq!(file_bytes(&world), end_of(&log) - 3 + bytes as u64);
            assert_zeros_behind(&world, &log);
            assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
            world.sim.clear_faults();
            let before = world.sim.count(Op::Write);
            let mut commits = 0;
            while end_of(&log) + 10_040 < 1 << 20 {
                world.commit(&mut log, &[10_000]);
                commits += 1;
            }
            assert_eq!(world.sim.count(Op::Write) - before, commits, "zeros were tried in vain");
            world.commit(&mut log, &[10_000]);
            world.commit(&mut log, &[10_000]);
            assert!(file_bytes(&world) > end_of(&log) + 10_000, "they are tried again");
            assert_eq!(all(&world.after_crash(Crash::LoseUnsynced, 0).open().unwrap().reader), world.offered);
        }
    }
}

/// Zeros that were refused are tried again once a MiB was appended since, and not before; also where some of them had
/// been written by then.
#[test]
fn refused_zeros_are_tried_again_a_mebibyte_later() {
    for written in [1, 4000] {
        for (less, tried) in [(0, true), (8, false)] {
            let (mut world, mut log) = begun(SEGMENT_BYTES);
            world.commit(&mut log, &[40_000]);
            let what = FaultKind::ShortWriteThenError { bytes: written, errno: EIO };
            world.sim.inject(Fault { on: Op::Write, file: None, nth: 1, times: 1, what });
            world.commit(&mut log, &[24]);
            assert_eq!(file_bytes(&world), end_of(&log) + written as u64);
            let again = end_of(&log) + (1 << 20) - less;
            // A large batch, which has no zeros behind it, and a small one that ends there.
            let large = again - end_of(&log) - 64 - 40;
            world.commit(&mut log, &[large as usize]);
            world.commit(&mut log, &[24]);
            assert_eq!(end_of(&log), again);
            assert_eq!(file_bytes(&world) > again, tried, "{less} bytes less, {written} were written");
            assert_zeros_behind(&world, &log);
        }
    }
}

/// FAULTS B6, C1: a batch is refused where zeros were refused before it, in part: what had been appended stays whole.
#[test]
fn a_batch_that_fails_behind_refused_zeros_takes_nothing_with_it() {
    for written in [1, 50, 100, 4000] {
        let (mut world, mut log) = begun(SEGMENT_BYTES);
        let what = FaultKind::ShortWriteThenError { bytes: written, errno: ENOSPC };
        world.sim.inject(Fault { on: Op::Write, file: None, nth: 1, times: 1, what });
        world.commit(&mut log, &[21]);
        world.sim.inject(Fault { on: Op::Write, file: None, nth: 0, times: 1, what: FaultKind::Error(ENOSPC) });
        world.append(&mut log, &[5000]).unwrap_err();
        assert_zeros_behind(&world, &log);
        assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
        world.commit(&mut log, &[70]);
        assert_eq!(all(&world.after_crash(Crash::LoseUnsynced, 0).open().unwrap().reader), world.offered);
    }
}

/// FAULTS C1, C2: the disk is full: commits go on within what is ahead, to the last byte, then they are refused; and go
/// on when there is room.
#[test]
fn a_full_disk_takes_what_is_ahead() {
    let (mut world, mut log) = begun(SEGMENT_BYTES);
    fill_to(&mut world, &mut log, 3000, 300_000);
    let (used, frame) = (world.sim.used_bytes(), 88);
    let fitting = (file_bytes(&world) - end_of(&log)) / frame;
    world.sim.set_capacity(Some(used));
    for _ in 0..fitting {
        world.commit(&mut log, &[48]);
    }
    assert!(fitting > 30 && world.sim.used_bytes() == used);
    let refused = world.append(&mut log, &[500]);
    assert!(matches!(refused, Err(AppendError::DiskFull { .. })), "{refused:?}");
    assert_zeros_behind(&world, &log);
    assert_eq!(all(&log.reader), world.offered);
    assert_eq!(world.after_crash(Crash::LoseUnsynced, 0).find().unwrap().1, world.offered);
    world.sim.set_capacity(None);
    world.commit(&mut log, &[500]);
    assert!(file_bytes(&world) > end_of(&log) + 1000);
    let mut after = world.after_crash(Crash::LoseUnsynced, 0);
    assert_eq!(all(&after.open().unwrap().reader), world.offered);
}

/// FAULTS B6: a batch that failed is taken back, and what was ahead with it.
#[test]
fn a_failed_batch_takes_the_zeros_with_it() {
    let (mut world, mut log) = begun(SEGMENT_BYTES);
    fill_to(&mut world, &mut log, 3000, 50_000);
    for bytes in [1, 39, 100, 4000] {
        let what = FaultKind::ShortWriteThenError { bytes, errno: ENOSPC };
        world.sim.inject(Fault { on: Op::Write, file: None, nth: 0, times: 1, what });
        world.append(&mut log, &[5000]).unwrap_err();
        assert_eq!(file_bytes(&world), end_of(&log));
        world.commit(&mut log, &[70]);
        assert!(file_bytes(&world) > end_of(&log) + 4000);
        assert_zeros_behind(&world, &log);
        assert_eq!(world.after_crash(Crash::KeepAll, 0).find().unwrap().1, world.offered);
    }
}

/// FAULTS A2, A3, A7: the power goes off with a batch and its zeros not yet synced. Each is lost, kept or torn by
/// itself; whatever is left, the log opens and goes on.
#[test]
fn a_crash_leaves_zeros_or_nothing() {
    let (mut world, mut log) = begun(SEGMENT_BYTES);
    world.commit(&mut log, &[100]);
    world.commit(&mut log, &[3900]);
    let (end, room) = (end_of(&log) as usize, file_bytes(&world) as usize);
    world.append(&mut log, &[3000]).unwrap();
    let (whole, grown) = (world.sim.file_bytes(&segment_file(1)).unwrap(), end_of(&log) as usize);
    assert!(room < grown && grown + 4000 < whole.len(), "the batch made the file grow");
    let mut met = HashSet::new();
    for (crash, _) in CRASHES {
        for seed in 0..60 {
            let mut after = world.after_crash(crash, seed);
            let left = after.sim.file_bytes(&segment_file(1)).unwrap();
            let mut batch = left[end..left.len().min(grown)].to_vec();
            batch.resize(grown - end, 0);
            assert!(left.iter().skip(grown).all(|byte| *byte == 0));
            met.insert((
                match () {
                    () if batch == whole[end..grown] => "batch kept",
                    () if batch.iter().all(|byte| *byte == 0) => "batch lost",
                    () => "batch torn",
                },
                match left.len() {
                    bytes if bytes == whole.len() => "zeros kept",
                    bytes if bytes <= grown => "zeros lost",
                    _ => "zeros torn",
                },
            ));
            let mut log = after.open().unwrap();
            assert_zeros_behind(&after, &log);
            after.commit(&mut log, &[11, 700]);
            after.commit(&mut log, &[12]);
            assert_zeros_behind(&after, &log);
            let again = after.after_crash(Crash::LoseUnsynced, 0);
            assert_eq!(again.find().unwrap().1, after.offered, "{crash:?}, seed {seed}");
        }
    }
    for batch in ["batch kept", "batch lost", "batch torn"] {
        for zeros in ["zeros kept", "zeros lost"] {
            assert!(met.contains(&(batch, zeros)), "{batch}, {zeros} was never met: {met:?}");
        }
    }
}

/// Zeros that an earlier opening left are written over by the next.
#[test]
fn what_is_ahead_is_gone_on_with() {
    let (mut world, mut log) = begun(SEGMENT_BYTES);
    fill_to(&mut world, &mut log, 3000, 300_000);
    let bytes = file_bytes(&world);
    world.close(log);
    let mut log = world.open().unwrap();
    assert!(bytes > end_of(&log) + 1000);
    world.commit(&mut log, &[900]);
    assert_eq!(file_bytes(&world), bytes);
    // Sealed, the file is cut where its footer ends.
    world.roll(&mut log).unwrap();
    assert_eq!(log.writer.segments()[0].sealed.unwrap().bytes, file_bytes(&world));
    assert!(file_bytes(&world) < bytes);
}
