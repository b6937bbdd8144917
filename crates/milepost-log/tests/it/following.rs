//! A reader beside a writer, each with its own handles.

use std::{ops::ControlFlow, path::PathBuf};

use milepost_io::{Crash, Fault, FaultKind, Op};
use milepost_log::{Follower, LogError, SegmentKind, find};
use milepost_types::Seq;

use crate::{
    beside::{Beside, Event, When},
    rig::{World, all, dir, segment_file},
};

fn follow(world: &World) -> Follower {
    world.find().unwrap().0.into_follower()
}

/// Refreshes; the bodies that were shown.
fn refresh(follower: &mut Follower) -> Result<Vec<Vec<u8>>, LogError> {
    let mut shown = Vec::new();
    let last = follower.refresh(&mut |frame| {
        shown.push(frame.body.to_vec());
        ControlFlow::Continue(())
    })?;
    assert_eq!((last, last), (follower.last_seq(), follower.reader().last_seq()));
    Ok(shown)
}

#[test]
fn a_follower_sees_each_commit_once_across_rolls_and_openings() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    let mut follower = follow(&world);
    let reader = follower.reader();
    let mut seen = 0;
    for round in 0..60 {
        match round % 4 {
            0 => world.commit(&mut log, &[700, 20]),
            1 => world.commit(&mut log, &[9000]),
            2 => {
                drop(log);
                log = world.open().unwrap();
            }
            _ => {
                for _ in 0..6 {
                    world.commit(&mut log, &[1000, 0, 1]);
                }
                while log.recycler.step() != milepost_log::Recycled::Nothing {}
            }
        }
        let shown = refresh(&mut follower).unwrap();
        assert_eq!(shown, world.offered[seen..]);
        seen = world.offered.len();
        assert_eq!(all(&reader), world.offered);
        assert!(refresh(&mut follower).unwrap().is_empty());
    }
    let stats = reader.segment_stats();
    assert!(
        stats.len() > 50 && stats.iter().filter(|segment| segment.kind == SegmentKind::Open).count() == 1,
        "{stats:?}"
    );
}

/// Whole commits that are not synced yet are made durable by the follower, before it shows them.
#[test]
fn what_was_shown_survives_a_power_loss() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    let mut follower = follow(&world);
    world.append(&mut log, &[100, 200]).unwrap();
    assert_eq!(refresh(&mut follower).unwrap().len(), 2);
    world.acked = 3;
    let after = world.after_crash(Crash::LoseUnsynced, 0);
    let (_, bodies) = after.find().unwrap();
    after.judge(&bodies).unwrap();
    // The same for what an opening for reading shows.
    world.append(&mut log, &[100, 200]).unwrap();
    assert_eq!(world.find().unwrap().1.len(), 5);
    world.acked = 5;
    let after = world.after_crash(Crash::LoseUnsynced, 0);
    after.judge(&after.find().unwrap().1).unwrap();
}

#[test]
fn a_partial_frame_is_not_there_yet() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    let mut follower = follow(&world);
    let file = segment_file(1);
    world.commit(&mut log, &[100, 200]);
    world.cut_ahead(&log);
    let whole = world.sim.file_bytes(&file).unwrap();
    // The second commit of the batch ends with the file.
    for length in 120..whole.len() {
        world.sim.truncate(&file, length as u64);
        let shown = refresh(&mut follower).unwrap();
        assert_eq!(shown, world.offered[1..][..usize::from(length == 120 + 140)], "{length}");
        world.sim.put_file(&file, &whole);
        if length < 120 + 140 {
            continue;
        }
        assert_eq!(follower.last_seq(), Seq(2));
    }
    follower = follow(&world);
    assert_eq!(follower.last_seq(), Seq(3));
}

/// Large frames do not fit the window that is read at once.
#[test]
fn large_commits_are_followed() {
    let mut world = World::new(4 << 20);
    let mut log = world.create().unwrap();
    let mut follower = follow(&world);
    for sizes in [&[700_000][..], &[250_000, 250_000, 250_000], &[262_104], &[262_103, 10], &[1]] {
        world.commit(&mut log, sizes);
        assert_eq!(refresh(&mut follower).unwrap().len(), sizes.len());
    }
    assert_eq!(all(&follower.reader()), world.offered);
}

#[test]
fn a_visitor_can_pause() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    let mut follower = follow(&world);
    for _ in 0..5 {
        world.commit(&mut log, &[10, 10]);
    }
    let mut seqs = Vec::new();
    for expected in 1..=10 {
        let paused = follower.refresh(&mut |frame| {
            seqs.push(frame.seq.0);
            ControlFlow::Break(())
        });
        assert!(matches!(paused, Err(LogError::Interrupted { seq }) if seq == Seq(expected)));
    }
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>());
    assert!(refresh(&mut follower).unwrap().is_empty());
}

/// A bad frame with a later batch behind it is damage, also for a follower.
#[test]
fn damage_is_met() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    let mut follower = follow(&world);
    world.commit(&mut log, &[100]);
    world.commit(&mut log, &[100]);
    world.sim.flip_bit(&segment_file(1), (64 + 50) * 8);
    let Err(LogError::Corrupt(corruption)) = refresh(&mut follower) else { panic!("not met") };
    assert_eq!((corruption.offset, corruption.seq), (64, Some(Seq(1))));
    // Only the last batch is damaged: for a follower that looks like a commit that is not there yet.
    world.sim.flip_bit(&segment_file(1), (64 + 50) * 8);
    world.sim.flip_bit(&segment_file(1), (64 + 140 + 4 + 50) * 8);
    assert_eq!(refresh(&mut follower).unwrap().len(), 1);
}

#[test]
fn a_segment_that_comes_too_early_is_damage() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    let mut follower = follow(&world);
    world.commit(&mut log, &[10]);
    world.roll(&mut log).unwrap();
    world.sim.truncate(&segment_file(1), 120);
    let Err(LogError::Corrupt(corruption)) = refresh(&mut follower) else { panic!("not met") };
    assert_eq!((corruption.file, corruption.seq), (segment_file(1), Some(Seq(2))));
}

/// The writer's write failed halfway, after whole frames: it takes them back while the follower is about to show them.
#[test]
fn what_is_taken_back_is_not_shown() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    let before = world.sim.file_bytes(&segment_file(1)).unwrap();
    let disk = Beside::new(&world.sim, When::Open(PathBuf::new()), vec![(segment_file(1), before)]);
    let found = find(disk.clone(), dir(), &world.known(), &mut |_| ControlFlow::Continue(())).unwrap();
    let mut follower = found.into_follower();
    world.append(&mut log, &[100, 200]).unwrap();
    disk.event.lock().as_mut().unwrap().when = When::Sync;
    assert!(refresh(&mut follower).unwrap().is_empty());
    assert_eq!(follower.last_seq(), Seq(1));
}

/// The same with an opening for reading: it had read what the writer's failed write left, and synced and showed it
/// after that was taken back, so that somebody could act on what never was. What came into its place since is shown.
#[test]
fn what_is_taken_back_is_not_shown_by_an_opening() {
    // (bytes of what is taken back, bytes of what is written in its place)
    for (failed, instead) in [(&[100, 200][..], &[][..]), (&[100, 200], &[100]), (&[50], &[300, 10]), (&[0], &[0])] {
        let mut world = World::new(4096);
        let mut log = world.create().unwrap();
        world.commit(&mut log, &[10]);
        let mut other = World { sim: world.after_kill().sim, ..world.clone() };
        let before = world.sim.file_bytes(&segment_file(1)).unwrap();
        world.append(&mut log, failed).unwrap();
        let taken_back = match instead {
            [] => before,
            sizes => {
                let mut log = other.open().unwrap();
                other.commit(&mut log, sizes);
                other.sim.file_bytes(&segment_file(1)).unwrap()
            }
        };
        let disk = Beside::new(&world.sim, When::Sync, vec![(segment_file(1), taken_back)]);
        let mut bodies = Vec::new();
        let found = find(disk, dir(), &world.known(), &mut |frame| {
            bodies.push(frame.body.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(bodies, other.offered, "{failed:?}, {instead:?}");
        assert_eq!(found.last_seq(), Seq(bodies.len() as u64));
        assert_eq!(all(&found.into_follower().reader()), other.offered);
    }
}

/// A read beside a write saw a later batch before an earlier one. Read again, both are there.
#[test]
fn what_looks_damaged_is_read_again() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..4 {
        world.commit(&mut log, &[100]);
    }
    let whole = world.sim.file_bytes(&segment_file(1)).unwrap();
    let mut torn = whole.clone();
    torn[64 + 144..64 + 2 * 144].fill(0);
    world.sim.put_file(&segment_file(1), &torn);
    assert!(matches!(world.find(), Err(LogError::Corrupt(_))), "it stays so: damage");
    let disk = Beside::new(&world.sim, When::Sync, vec![(segment_file(1), whole)]);
    let mut seqs = Vec::new();
    let found = find(disk, dir(), &world.known(), &mut |frame| {
        seqs.push(frame.seq.0);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((seqs, found.last_seq()), (vec![1, 2, 3, 4], Seq(4)));
}

/// The writer appends and rolls after the follower has read the old segment to its end, and before it looks for the
/// next.
#[test]
fn what_was_appended_before_a_roll_is_not_missed() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    let earlier = world.after_kill();
    world.commit(&mut log, &[20]);
    world.roll(&mut log).unwrap();
    world.commit(&mut log, &[30]);
    let disk = Beside::new(&earlier.sim, When::Open(segment_file(2)), world.files());
    let found = find(disk, dir(), &earlier.known(), &mut |_| ControlFlow::Continue(())).unwrap();
    let mut follower = found.into_follower();
    assert_eq!(refresh(&mut follower).unwrap(), world.offered[1..]);
}

/// The same with an opening for reading: the segment that it took for the last was sealed, and another one begun.
#[test]
fn an_opening_beside_a_roll_goes_on_in_the_next_segment() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    let earlier = world.after_kill();
    world.roll(&mut log).unwrap();
    world.commit(&mut log, &[30]);
    let disk = Beside::new(&earlier.sim, When::Open(segment_file(1)), world.files());
    let mut seqs = Vec::new();
    find(disk, dir(), &earlier.known(), &mut |frame| {
        seqs.push(frame.seq.0);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seqs, [1, 2]);
}

/// If it was shown all the same, the follower says so when another commit stands in its place.
#[test]
fn another_history_is_noticed() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    let mut other = World { sim: world.after_crash(Crash::KeepAll, 0).sim, ..world.clone() };
    let mut follower = follow(&world);
    world.commit(&mut log, &[100]);
    assert_eq!(refresh(&mut follower).unwrap().len(), 1);
    // From the same beginning, two commits that the follower has not seen.
    let mut other_log = other.open().unwrap();
    other.commit(&mut other_log, &[100]);
    other.commit(&mut other_log, &[50]);
    world.sim.put_file(&segment_file(1), other.sim.file_bytes(&segment_file(1)).unwrap());
    let Err(LogError::Corrupt(corruption)) = refresh(&mut follower) else { panic!("not noticed") };
    assert_eq!(corruption.seq, Some(Seq(3)));
    assert!(corruption.what.contains("does not continue what was read"), "{corruption}");
}

/// A follower, too, reads a place again at which it has seen damage and a later batch behind: a page may come late.
/// Where it stays so it is damage; where another frame stands by then, it is told that it was another history.
#[test]
fn a_follower_reads_again_what_looks_damaged() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    // A log of the same beginning, the first commit of which is another one of the same length.
    let mut twin = World { sim: World::new(4096).sim, epoch: 0, ..world.clone() };
    let mut twin_log = twin.create().unwrap();
    twin.commit(&mut twin_log, &[97]);
    world.commit(&mut log, &[100]);
    let disk = Beside::quiet(&world.sim);
    let mut followers = [(); 3].map(|()| {
        let found = find(disk.clone(), dir(), &world.known(), &mut |_| ControlFlow::Continue(()));
        found.unwrap().into_follower()
    });
    for (world, log) in [(&mut world, &mut log), (&mut twin, &mut twin_log)] {
        world.commit(log, &[100]);
        world.commit(log, &[100]);
    }
    let whole = world.sim.file_bytes(&segment_file(1)).unwrap();
    let mut damaged = whole.clone();
    damaged[64 + 144 + 50] ^= 1;
    let other = twin.sim.file_bytes(&segment_file(1)).unwrap();
    let by_then = [(damaged.clone(), "a later batch stands behind it"), (other, "does not continue what was read")];
    for ((bytes, told), follower) in by_then.into_iter().zip(&mut followers) {
        world.sim.put_file(&segment_file(1), &damaged);
        *disk.event.lock() = Some(Event { when: When::Bytes, nth: 1, files: vec![(segment_file(1), bytes)] });
        let Err(LogError::Corrupt(corruption)) = refresh(follower) else { panic!("{told}") };
        assert_eq!((corruption.offset, corruption.seq), (64 + 144, Some(Seq(2))));
        assert!(corruption.what.contains(told), "{corruption}");
    }
    world.sim.put_file(&segment_file(1), &damaged);
    *disk.event.lock() = Some(Event { when: When::Bytes, nth: 1, files: vec![(segment_file(1), whole)] });
    assert!(refresh(&mut followers[2]).unwrap().is_empty(), "nothing that was seen damaged is shown");
    assert!(disk.event.lock().is_none());
    assert_eq!(refresh(&mut followers[2]).unwrap(), world.offered[1..]);
}

/// A disk that fails is no end of the log: the follower says so, and goes on when the disk does.
#[test]
fn a_segment_that_cannot_be_opened_is_there_all_the_same() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[10]);
    let mut follower = follow(&world);
    world.commit(&mut log, &[20]);
    world.roll(&mut log).unwrap();
    world.commit(&mut log, &[30]);
    let file = Some("0000000002.seg".to_owned());
    world.sim.inject(Fault { on: Op::Open, file, nth: 0, times: 1, what: FaultKind::Error(5) });
    let Err(LogError::Io { path, source, .. }) = refresh(&mut follower) else { panic!("nobody was told") };
    assert_eq!((path, source.raw_os_error()), (segment_file(2), Some(5)));
    assert_eq!(follower.last_seq(), Seq(2), "what came before it was shown");
    assert_eq!(refresh(&mut follower).unwrap(), world.offered[2..]);
}

/// The footer of another history is not taken for that of what was shown: that is read from memory until its own comes.
#[test]
fn a_footer_that_tells_of_other_commits_is_not_believed() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[100]);
    let mut other = world.after_kill();
    let mut follower = follow(&world);
    world.commit(&mut log, &[100]);
    world.roll(&mut log).unwrap();
    let own = world.sim.file_bytes(&segment_file(1)).unwrap();
    // As if it had not come yet.
    world.sim.truncate(&segment_file(1), 64 + 2 * 144);
    let mut kind = |expected: SegmentKind| {
        refresh(&mut follower).unwrap();
        assert_eq!(all(&follower.reader()), world.offered);
        assert_eq!(follower.reader().segment_stats()[0].kind, expected);
    };
    kind(SegmentKind::Open);
    let mut other_log = other.open().unwrap();
    other.commit(&mut other_log, &[100]);
    other.commit(&mut other_log, &[100]);
    other.roll(&mut other_log).unwrap();
    world.sim.put_file(&segment_file(1), other.sim.file_bytes(&segment_file(1)).unwrap());
    kind(SegmentKind::Open);
    world.sim.put_file(&segment_file(1), own);
    kind(SegmentKind::Sealed);
}

/// A follower that runs at the same time as the writer, for real: it sees every commit once, in order.
#[test]
fn a_follower_runs_beside_the_writer() {
    let mut world = World::new(16 << 10);
    let mut log = world.create().unwrap();
    let mut follower = follow(&world);
    let done = std::sync::atomic::AtomicBool::new(false);
    let expected = |seq: u64| crate::rig::body(Seq(seq), 1, 20 + seq as usize % 50);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = 0;
            loop {
                let last_round = done.load(std::sync::atomic::Ordering::Acquire);
                for body in refresh(&mut follower).unwrap() {
                    seen += 1;
                    assert_eq!(body, expected(seen));
                }
                if last_round {
                    break;
                }
            }
            assert_eq!(seen, 3000);
        });
        for seq in (1..=3000).step_by(3) {
            world.commit(&mut log, &[20 + seq % 50, 20 + (seq + 1) % 50, 20 + (seq + 2) % 50]);
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    });
}
