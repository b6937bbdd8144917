//! A log that goes on behind commits that are gone where it is copied from: what it says of them, in every form in
//! which a reader meets it.

use std::ops::ControlFlow;

use milepost_io::{Disk as _, Op};
use milepost_log::{Found, Log, LogReader, SegmentKind, find};
use milepost_types::{Seq, Timestamp};

use crate::rig::{World, at, body, dir, frame};

/// Commits one with its own stamp.
fn commit(world: &World, log: &mut Log) {
    let seq = log.writer.next_seq();
    log.writer.append(vec![frame(seq, body(seq, world.epoch, 100))]).map_err(|(error, _)| error).unwrap();
    log.writer.sync().unwrap();
}

fn pass(log: &mut Log, last: u64) {
    let times = (at(log.writer.next_seq()), at(Seq(last)));
    log.writer.pass(Seq(last), Some(times)).unwrap();
}

/// Commits 1 and 2, a gap, 6, two gaps side by side, 20.
fn with_gaps() -> (World, Log) {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    commit(&world, &mut log);
    commit(&world, &mut log);
    pass(&mut log, 5);
    commit(&world, &mut log);
    pass(&mut log, 9);
    pass(&mut log, 19);
    commit(&world, &mut log);
    log.writer.sync_names().unwrap();
    world.segments = log.writer.segments();
    (world, log)
}

fn check(reader: &LogReader) {
    assert_eq!((reader.first_seq(), reader.last_seq(), reader.first_at()), (Seq(1), Seq(20), Some(at(Seq(1)))));
    for seq in 1..=20 {
        let found = reader.frame(Seq(seq)).unwrap().map(|frame| (frame.seq(), frame.at()));
        let is_there = [1, 2, 6, 20].contains(&seq);
        assert_eq!(found, if is_there { Found::Frame((Seq(seq), at(Seq(seq)))) } else { Found::Removed });
        // Of a gap the first stamp and the last are known.
        let stamps = match seq {
            3 => (30, 30),
            4..=5 => (50, 30),
            7 => (70, 70),
            8..=19 => (190, 70),
            _ => (seq as i64 * 10, seq as i64 * 10),
        };
        let told = (reader.stamp(Seq(seq)).unwrap(), reader.stamp_at_least(Seq(seq)).unwrap());
        assert_eq!(told, (Some(Timestamp(stamps.0)), Some(Timestamp(stamps.1))), "{seq}");
        assert_eq!(reader.epoch(Seq(seq)).unwrap().is_some(), is_there);
        for from in 1..=seq {
            let holds_gap = (from..=seq).any(|seq| ![1, 2, 6, 20].contains(&seq));
            assert_eq!(reader.is_as_written(Seq(from), Seq(seq)), !holds_gap, "{from} to {seq}");
        }
    }
    let seq_of = |seq| reader.frame(Seq(seq)).unwrap().map(|frame| frame.seq());
    assert_eq!(seq_of(21), Found::Ahead);
    assert_eq!((reader.stamp(Seq(21)).unwrap(), reader.stamp_at_least(Seq(21)).unwrap()), (None, None));
    assert_eq!((seq_of(0), reader.stamp(Seq(0)).unwrap()), (Found::Ahead, None));
    // A moment in a gap leads behind it: nothing is shown there that had been replaced by then.
    for (moment, seq) in [(9, 0), (10, 1), (29, 2), (30, 5), (59, 5), (60, 6), (69, 6), (70, 19), (199, 19), (200, 20)]
    {
        assert_eq!(reader.seq_at(Timestamp(moment)).unwrap(), Seq(seq), "{moment}");
    }
    let walked: Vec<u64> = reader.frames(Seq(0), Seq(99)).map(|frame| frame.unwrap().seq().0).collect();
    assert_eq!(walked, [1, 2, 6, 20]);
    let kinds: Vec<_> = reader.segment_stats().iter().map(|one| (one.kind, one.commits, one.frames)).collect();
    let (sealed, gap) = (SegmentKind::Sealed, SegmentKind::Dropped);
    assert_eq!(kinds, [(sealed, 2, 2), (gap, 3, 0), (sealed, 1, 1), (gap, 13, 0), (SegmentKind::Open, 1, 1)]);
}

#[test]
fn commits_that_were_passed_are_removed_and_not_missing() {
    let (mut world, log) = with_gaps();
    check(&log.reader);
    drop(log);
    let mut walked = Vec::new();
    let found = find(world.disk(), dir(), &world.known(), &mut |frame| {
        walked.push(frame.seq.0);
        ControlFlow::Continue(())
    });
    assert_eq!(walked, [1, 2, 6, 20]);
    let mut log = world.repair(found.unwrap()).unwrap();
    assert_eq!(log.writer.segments(), world.segments);
    check(&log.reader);
    commit(&world, &mut log);
    assert_eq!(log.reader.last_seq(), Seq(21));
}

/// Two gaps side by side are one, as compaction has it, from the first stamp of the first to the last of the last.
#[test]
fn gaps_side_by_side_are_one() {
    let (world, log) = with_gaps();
    let gaps: Vec<_> = world.segments.iter().filter(|known| known.dropped.is_some()).collect();
    let facts: Vec<_> = gaps.iter().map(|gap| (gap.first_seq, gap.dropped.unwrap())).collect();
    assert_eq!((facts.len(), facts[1].0, facts[1].1.last_seq), (2, Seq(7), Seq(19)));
    assert_eq!((facts[1].1.first_at, facts[1].1.last_at), (at(Seq(7)), at(Seq(19))));
    // Each has the number of a segment that is not there, and each segment that is there a greater one.
    assert!(world.segments.is_sorted_by(|one, next| one.id < next.id));
    assert_eq!(log.writer.last_at(), at(Seq(20)));
    for known in &world.segments {
        let file = dir().join(format!("log/{}.seg", known.name()));
        assert_eq!(world.sim.file_bytes(&file).is_some(), known.dropped.is_none());
    }
    assert_eq!(world.sim.list(&dir().join("log")).unwrap().len(), 3);
}

/// A log can begin behind commits of which nothing is known.
#[test]
fn a_log_may_begin_behind_what_is_gone() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    log.writer.pass(Seq(7), None).unwrap();
    assert_eq!((log.reader.first_seq(), log.writer.next_seq(), log.reader.first_at()), (Seq(8), Seq(8), None));
    commit(&world, &mut log);
    log.writer.sync_names().unwrap();
    world.segments = log.writer.segments();
    assert_eq!(world.segments.len(), 1);
    let found = log.reader.frame(Seq(7)).unwrap().map(|frame| frame.seq());
    assert_eq!((log.reader.first_at(), found), (Some(at(Seq(8))), Found::Removed));
    assert_eq!((log.reader.stamp(Seq(7)).unwrap(), log.reader.seq_at(Timestamp(5)).unwrap()), (None, Seq(7)));
}

/// Names are left for later while a store is filled, and are durable before the manifest lists them; once.
#[test]
fn names_are_synced_once_before_they_are_listed() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    commit(&world, &mut log);
    let dirs = |world: &World| world.sim.count(Op::SyncDir);
    let before = dirs(&world);
    log.writer.sync_names().unwrap();
    assert_eq!(dirs(&world), before, "there is nothing to sync");
    pass(&mut log, 5);
    commit(&world, &mut log);
    pass(&mut log, 9);
    assert_eq!(dirs(&world), before);
    log.writer.sync_names().unwrap();
    assert_eq!(dirs(&world), before + 1);
    log.writer.sync_names().unwrap();
    assert_eq!(dirs(&world), before + 1);
    // What was synced is there after a crash, with the header of the segment in which no commit is.
    world.segments = log.writer.segments();
    let after = world.after_crash(milepost_io::Crash::LoseUnsynced, 0);
    let mut walked = Vec::new();
    let found = find(after.disk(), dir(), &after.known(), &mut |frame| {
        walked.push(frame.seq.0);
        ControlFlow::Continue(())
    });
    assert_eq!((found.unwrap().last_seq(), walked), (Seq(9), vec![1, 6]));
}

#[test]
fn what_does_not_continue_the_log_is_not_passed() {
    let refused = |last: u64, times: Option<(i64, i64)>| {
        let world = &mut World::new(4096);
        let mut log = world.create().unwrap();
        commit(world, &mut log);
        let times = times.map(|(first, last)| (Timestamp(first), Timestamp(last)));
        let pass = std::panic::AssertUnwindSafe(|| log.writer.pass(Seq(last), times).unwrap());
        std::panic::catch_unwind(pass).is_err()
    };
    assert!(!refused(2, Some((11, 11))) && !refused(u64::MAX - 1, Some((11, 99))));
    assert!(refused(1, Some((11, 11))), "it is there");
    assert!(refused(u64::MAX, Some((11, 99))), "no commit would follow");
    assert!(refused(2, None), "there is one before it");
    assert!(refused(2, Some((10, 20))), "as late as the one before it");
    assert!(refused(3, Some((20, 19))), "backwards");
}
