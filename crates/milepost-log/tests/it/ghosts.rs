//! FAULTS A4: what a lost batch has left on the disk never comes back, whatever is written in its place.
//!
//! The story: of a batch of three commits the power loss kept the third and lost the second. Recovery ends the log
//! after the first. A log of length, checksum and `Seq` alone would leave the third where it is; a new second commit
//! of the same length as the lost one then ends right before it, and the dead third commit is taken for the next one.

use milepost_io::Crash;
use milepost_log::Tail;
use milepost_types::Seq;

use crate::rig::{World, end_of, segment_file};

/// A world in which the second commit of a batch of three is lost, and the third is there.
fn second_of_three_lost(sizes: [usize; 3]) -> World {
    let mut world = World::new(1 << 16);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[40]);
    let begin = end_of(&log) as usize;
    world.append(&mut log, &sizes).unwrap();
    world.cut_ahead(&log);
    drop(log);
    let mut bytes = world.sim.file_bytes(&segment_file(1)).unwrap();
    let frame = |size: usize| (40 + size).next_multiple_of(8);
    let second = begin + frame(sizes[0]);
    bytes[second..second + frame(sizes[1])].fill(0);
    world.sim.put_file(&segment_file(1), &bytes);
    world
}

#[test]
fn the_third_commit_of_a_lost_batch_stays_dead() {
    let sizes = [500, 500, 500];
    for next in [vec![500], vec![100], vec![500, 10], vec![1040 - 40], vec![0]] {
        let mut world = second_of_three_lost(sizes);
        let (found, bodies) = world.find().unwrap();
        assert_eq!(bodies.len(), 2, "the first of the three is whole");
        assert!(matches!(found.tail(), Tail::Torn { .. }));
        drop(found);
        let mut log = world.open().unwrap();
        world.commit(&mut log, &next);
        drop(log);
        for crash in [Crash::LoseUnsynced, Crash::KeepAll] {
            let mut after = world.after_crash(crash, 0);
            let (_, bodies) = after.find().unwrap();
            assert_eq!(bodies, world.offered, "{next:?}");
            after.open().unwrap();
        }
    }
}

/// The second line of defence alone: the dead frames are put back behind the new commit, as if recovery had not cut
/// them. The chain and the epoch keep them out.
#[test]
fn dead_frames_do_not_pass_even_if_they_are_not_cut() {
    let sizes = [500, 500, 500];
    let dead = second_of_three_lost(sizes).sim.file_bytes(&segment_file(1)).unwrap();
    let mut world = second_of_three_lost(sizes);
    let mut log = world.open().unwrap();
    world.commit(&mut log, &[500]);
    let end = end_of(&log) as usize;
    drop(log);
    let mut bytes = world.sim.file_bytes(&segment_file(1)).unwrap();
    assert!(end < dead.len(), "the dead third frame begins where the new second one ends");
    bytes.resize(end, 0);
    bytes.extend_from_slice(&dead[end..]);
    world.sim.put_file(&segment_file(1), &bytes);
    let (found, bodies) = world.find().unwrap();
    assert_eq!(bodies, world.offered);
    assert!(matches!(found.tail(), Tail::Torn { .. }));
    // To a follower, too, they are neither commits nor damage.
    let mut follower = found.into_follower();
    let last = follower.refresh(&mut |frame| panic!("seq {} is dead", frame.seq));
    assert_eq!(last.unwrap(), Seq(world.offered.len() as u64));
}

/// The frames of a segment's earlier life: its file was used again for another segment.
#[test]
fn frames_of_an_earlier_life_do_not_pass() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..5 {
        world.commit(&mut log, &[900]);
    }
    let end = end_of(&log) as usize;
    drop(log);
    let old = world.sim.file_bytes(&segment_file(1)).unwrap();
    let mut open = world.sim.file_bytes(&segment_file(2)).unwrap();
    open.resize(end, 0);
    // As if it had been recycled without being zeroed: old frames stand right behind the new ones.
    open.extend_from_slice(&old[end..]);
    world.sim.put_file(&segment_file(2), &open);
    let (found, bodies) = world.find().unwrap();
    assert_eq!(bodies, world.offered);
    assert!(matches!(found.tail(), Tail::Torn { .. }));
}

/// After a torn batch of a crash in every epoch, only what was kept each time is there.
#[test]
fn many_lost_batches_leave_one_history() {
    let mut world = World::new(8192);
    let mut log = world.create().unwrap();
    for seed in 0..60 {
        world.commit(&mut log, &[70, 70]);
        world.append(&mut log, &[300, 300, 300, 300]).unwrap();
        drop(log);
        world = world.after_crash(Crash::Torn, seed);
        log = world.open().unwrap();
    }
    assert!(world.acked >= 120);
}
