//! Frames that an opening has walked over are left in the file, and read when they are asked for.

use milepost_io::{Fault, FaultKind, Op};
use milepost_log::{Log, Recycled};
use milepost_types::Seq;

use crate::rig::{World, all, dir, segment_file};

/// Commits of many sizes, one larger than what is read at once, and the log opened again after a kill.
fn opened() -> (World, Log) {
    let mut world = World::new(8 << 20);
    let mut log = world.create().unwrap();
    for size in [10, 300_000, 0, 70_000, 70_000, 200_000, 1_500_000, 5, 90_000] {
        world.commit(&mut log, &[size, 40]);
    }
    drop(log);
    let mut world = world.after_kill();
    let (found, bodies) = world.find_locked().unwrap();
    world.judge(&bodies).unwrap();
    let log = world.repair(found).unwrap();
    world.segments = log.writer.segments();
    (world, log)
}

#[test]
fn all_of_it_can_be_read_and_gone_on_with() {
    let (mut world, mut log) = opened();
    world.commit(&mut log, &[30, 400_000]);
    assert_eq!(all(&log.reader), world.offered);
    // Backwards, so that no chunk is asked for by its first frame.
    let (mut world, mut log) = opened();
    world.commit(&mut log, &[7]);
    for seq in (1..=world.offered.len() as u64).rev() {
        let frame = log.reader.frame(Seq(seq)).unwrap().frame().unwrap();
        assert_eq!((frame.seq(), frame.body()), (Seq(seq), &*world.offered[seq as usize - 1]));
    }
}

/// An opening takes no memory for what nobody asks for: it reads the log once.
#[test]
fn an_opening_reads_once() {
    let (world, _) = opened();
    let bytes = world.sim.file_bytes(&segment_file(1)).unwrap().len() as u64;
    let before = world.sim.count(Op::Read);
    world.find_locked().unwrap();
    let reads = world.sim.count(Op::Read) - before;
    // By windows of a MiB, and a few of headers and tails; one commit is larger than a window.
    assert!(reads <= bytes / (1 << 20) + 6, "{reads} reads of {bytes} bytes");
}

/// What is left in the file is read in pieces of 256 KiB at most, of whole frames; a larger frame by itself.
#[test]
fn what_is_left_is_read_in_pieces() {
    const HALF: usize = (128 << 10) - 40;
    for (sizes, reads) in [
        (&[8][..], 1),
        (&[8; 100], 1),
        (&[HALF, HALF], 1),
        (&[HALF, HALF + 8], 2),
        (&[HALF, HALF, 8], 2),
        (&[300_000, 8, 8], 2),
        (&[8, 300_000, 300_000, 8], 4),
        (&[10_000; 30], 2),
    ] {
        let mut world = World::new(8 << 20);
        let mut log = world.create().unwrap();
        sizes.iter().for_each(|size| world.commit(&mut log, &[*size]));
        drop(log);
        let reader = world.find_locked().unwrap().0.into_follower().reader();
        let before = world.sim.count(Op::Read);
        assert_eq!(all(&reader), world.offered);
        assert_eq!(world.sim.count(Op::Read) - before, reads, "{} commits, the first of {}", sizes.len(), sizes[0]);
    }
}

/// FAULTS D1, B1: what was right when the log was opened may be damaged, or not to be read, when it is asked for. The
/// frame is named, and read again the next time.
#[test]
fn damage_after_the_opening_is_met_by_the_reader() {
    let (world, log) = opened();
    let file = segment_file(1);
    let content = world.sim.file_bytes(&file).unwrap();
    let target = &world.offered[6];
    let at = content.windows(target.len()).position(|window| window == target).unwrap();
    world.sim.flip_bit(&file, 8 * at as u64 + 3);
    // In a chunk with the one before it.
    let error = log.reader.frame(Seq(7)).unwrap_err();
    assert_eq!((error.seq, &*error.file), (Some(Seq(7)), &*file), "{error}");
    assert!(error.what.contains("checksum") && error.offset < at as u64, "{error}");
    world.sim.flip_bit(&file, 8 * at as u64 + 3);
    assert_eq!(log.reader.frame(Seq(7)).unwrap().frame().unwrap().body(), &**target);
    let name = Some(file.file_name().unwrap().to_string_lossy().into_owned());
    world.sim.inject(Fault { on: Op::Read, file: name, nth: 0, times: 1, what: FaultKind::Error(5) });
    let error = log.reader.frame(Seq(13)).unwrap_err();
    assert!(error.to_string().contains("can't be read"), "{error}");
    assert_eq!(log.reader.frame(Seq(13)).unwrap().frame().unwrap().body(), &*world.offered[12]);
}

/// FAULTS J6: who reads the segment as it was before it was sealed may ask for what is left in its file, when that has
/// been dropped already: then it must not be used again.
#[test]
fn a_file_is_not_used_again_while_something_is_left_in_it() {
    let (mut world, mut log) = opened();
    let mut frames = log.reader.frames(Seq(1), Seq(world.offered.len() as u64));
    assert_eq!(frames.next().unwrap().unwrap().body(), &*world.offered[0]);
    world.roll(&mut log).unwrap();
    world.commit(&mut log, &[10]);
    world.roll(&mut log).unwrap();
    let offered = world.offered.clone();
    world.drop_first(&mut log);
    while log.recycler.step() != Recycled::Nothing {}
    for (frame, body) in frames.by_ref().zip(&offered[1..]) {
        assert_eq!(frame.unwrap().body(), &**body);
    }
    drop(frames);
    let mut done = Vec::new();
    while done.last() != Some(&Recycled::Nothing) {
        done.push(log.recycler.step());
    }
    assert!(done.contains(&Recycled::Taken), "now nobody reads it any more: {done:?}");
    assert!(world.files().iter().any(|(path, _)| path.starts_with(dir().join("log")) && path.ends_with("spare-1.tmp")));
}
