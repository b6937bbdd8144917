//! Segments written anew and dropped: what is kept is found where it was, what is removed is told from what is missing,
//! and whatever is cut off on the way changes nothing.

use std::ops::ControlFlow;

use milepost_io::{Crash, Disk as _, Fault, FaultKind, Op};
use milepost_log::{
    Dropped, Form, Found, FrameBytes, FrameView, Log, LogReader, Recycled, RewriteError, Rewritten, Rewrote, SegmentId,
    Verdict, format::header::SegmentHeader,
};
use milepost_types::{Seq, Timestamp};

use crate::rig::{CRASHES, World, at, dir};

const FORMS: [Form; 2] = [Form::Raw, Form::Compressed];

/// What a test lets become of a commit: every third goes, every fifth of the others is cut to half.
fn judge(frame: FrameView<'_>) -> Verdict {
    match frame.seq.0 {
        seq if seq.is_multiple_of(3) => Verdict::Remove,
        seq if seq.is_multiple_of(5) => Verdict::Thinned(frame.body[..frame.body.len() / 2].to_vec()),
        _ => Verdict::Keep,
    }
}

/// What is expected of a commit once its segment was written anew.
fn expected(world: &World, seq: u64) -> Option<Vec<u8>> {
    let body = &world.offered[seq as usize - 1];
    if seq.is_multiple_of(3) {
        None
    } else if seq.is_multiple_of(5) {
        Some(body[..body.len() / 2].to_vec())
    } else {
        Some(body.clone())
    }
}

/// A log of some segments of commits of many sizes, the last of them open.
fn filled() -> (World, Log) {
    let mut world = World::new(4096);
    world.epoch = 4;
    let mut log = world.create().unwrap();
    for round in 0..40 {
        world.commit(&mut log, &[round * 13 % 300, 7, 200 + round]);
    }
    assert!(log.writer.segments().len() > 4);
    (world, log)
}

fn rewrite(log: &mut Log, first: u64, last: u64, form: Form) -> Result<Rewritten, RewriteError> {
    let mut rewrite = log.rewriter.begin(SegmentId(first)..=SegmentId(last), form)?;
    loop {
        if let Rewrote::Done(rewritten) = rewrite.step(500, &mut judge)? {
            return Ok(rewritten);
        }
    }
}

/// As the engine does it: MANIFEST, then readers.
fn adopt(world: &mut World, log: &Log, rewritten: &Rewritten) -> Vec<Dropped> {
    world.segments = log.rewriter.listed_with(rewritten);
    let dropped = log.rewriter.replace(rewritten);
    assert_eq!(log.writer.segments(), world.segments);
    dropped
}

fn recycle(log: &mut Log, dropped: Vec<Dropped>) {
    dropped.into_iter().for_each(|dropped| log.recycler.recycle(dropped));
    while log.recycler.step() != Recycled::Nothing {}
}

/// All that a reader says of the commits up to `thinned`, which were judged, and of those behind.
fn check(world: &World, reader: &LogReader, thinned: std::ops::RangeInclusive<u64>) {
    let last = world.offered.len() as u64;
    let wanted = |seq: u64| {
        if thinned.contains(&seq) { expected(world, seq) } else { Some(world.offered[seq as usize - 1].clone()) }
    };
    for seq in 1..=last {
        match (reader.frame(Seq(seq)).unwrap(), wanted(seq)) {
            (Found::Frame(frame), Some(body)) => {
                assert_eq!((frame.seq(), frame.at(), frame.body()), (Seq(seq), at(Seq(seq)), &body[..]));
            }
            (Found::Removed, None) => {}
            (found, _) => panic!("{seq}: {found:?}"),
        }
    }
    assert!(matches!(reader.frame(Seq(last + 1)).unwrap(), Found::Ahead));
    let kept: Vec<(u64, Vec<u8>)> = (1..=last).filter_map(|seq| wanted(seq).map(|body| (seq, body))).collect();
    let mut walked = Vec::new();
    reader
        .for_each_frame(Seq(1), Seq(last), &mut |frame| {
            walked.push((frame.seq.0, frame.body.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(walked, kept);
    let held: Vec<_> = reader.frames(Seq(1), Seq(last)).map(|frame| frame.unwrap()).collect();
    assert_eq!(held.iter().map(|frame| (frame.seq().0, frame.body().to_vec())).collect::<Vec<_>>(), kept);
    // Every commit is stamped ten microseconds after the one before, so a moment leads to the same as ever.
    for moment in 0..=last as i64 * 10 + 15 {
        let right = (moment / 10).min(last as i64) as u64;
        assert_eq!(reader.seq_at(Timestamp(moment)).unwrap(), Seq(right), "{moment}");
    }
}

/// The range of commits of some segments.
fn range(world: &World, first: u64, last: u64) -> std::ops::RangeInclusive<u64> {
    let of = |id: u64| world.segments.iter().find(|segment| segment.id.0 == id).unwrap().first_seq.0;
    of(first)..=of(last + 1) - 1
}

/// Opens the log again, and checks it; also from a reader's side.
fn reopened(world: &mut World, thinned: std::ops::RangeInclusive<u64>) -> Log {
    let found = find_all(world, &thinned);
    let log = world.repair(found).unwrap();
    check(world, &log.reader, thinned);
    world.segments = log.writer.segments();
    log
}

fn find_all(world: &World, thinned: &std::ops::RangeInclusive<u64>) -> milepost_log::FoundLog {
    let mut seqs = Vec::new();
    let found = milepost_log::find(world.disk(), dir(), &world.known(), &mut |frame| {
        seqs.push(frame.seq.0);
        ControlFlow::Continue(())
    })
    .unwrap();
    let last = world.offered.len() as u64;
    let kept: Vec<u64> = (1..=last).filter(|seq| !thinned.contains(seq) || seq % 3 != 0).collect();
    assert_eq!(seqs, kept);
    found
}

#[test]
fn what_is_kept_is_where_it_was() {
    FORMS.into_iter().for_each(check_what_is_kept_is_where_it_was);
}

fn check_what_is_kept_is_where_it_was(form: Form) {
    for (first, last) in [(1, 1), (2, 2), (2, 4), (1, 4)] {
        let (mut world, mut log) = filled();
        let thinned = range(&world, first, last);
        let rewritten = rewrite(&mut log, first, last, form).unwrap();
        check(&world, &log.reader, 0..=0);
        let dropped = adopt(&mut world, &log, &rewritten);
        assert_eq!(dropped.len() as u64, last - first + 1);
        check(&world, &log.reader, thinned.clone());
        let used = world.sim.used_bytes();
        recycle(&mut log, dropped);
        log.recycler.discard();
        assert!(world.sim.used_bytes() < used);
        world.commit(&mut log, &[100, 3000, 2000]);
        check(&world, &log.reader, thinned.clone());
        drop(log);
        let mut log = reopened(&mut world, thinned.clone());
        // Once more, what was written anew before.
        let again = rewrite(&mut log, first, first, form);
        let rewritten = again.unwrap();
        assert!(rewritten.known().generation > 1);
        adopt(&mut world, &log, &rewritten);
        drop(log);
        let listed = world.sim.list(&dir().join("log")).unwrap().len();
        let mut world = world.after_crash(Crash::LoseUnsynced, 0);
        let thinned_twice = |seq: u64| seq.is_multiple_of(5) && !seq.is_multiple_of(3) && thinned.contains(&seq);
        for seq in (1..=world.offered.len() as u64).filter(|seq| thinned_twice(*seq)) {
            let body = &mut world.offered[seq as usize - 1];
            body.truncate(body.len() / 2);
        }
        let mut log = reopened(&mut world, thinned);
        recycle(&mut log, Vec::new());
        log.recycler.discard();
        assert!(world.sim.list(&dir().join("log")).unwrap().len() < listed, "what counts no more is gone");
    }
}

/// A whole segment that went leaves a hole that is no damage; a file that is missing is.
#[test]
fn dropped_segments_are_removed_not_missing() {
    let (mut world, mut log) = filled();
    let (second, fourth) = (range(&world, 2, 2), range(&world, 4, 4));
    for ids in [2..=2, 4..=4, 3..=3] {
        let ids = SegmentId(*ids.start())..=SegmentId(*ids.end());
        world.segments = log.rewriter.listed_without(&ids).unwrap();
        let dropped = log.rewriter.drop_segments(&ids);
        recycle(&mut log, dropped);
        assert_eq!(log.writer.segments(), world.segments);
    }
    let holes: Vec<_> = world.segments.iter().filter(|segment| segment.dropped.is_some()).collect();
    assert_eq!(holes.len(), 1, "neighbours are one");
    let gone = *second.start()..=*fourth.end();
    for pass in 0..2 {
        for seq in 1..=world.offered.len() as u64 {
            let found = log.reader.frame(Seq(seq)).unwrap();
            assert_eq!(matches!(found, Found::Removed), gone.contains(&seq), "{pass} {seq}");
        }
        let before = at(Seq(gone.start() - 1));
        assert_eq!(log.reader.seq_at(before).unwrap(), Seq(gone.start() - 1));
        assert_eq!(log.reader.seq_at(at(Seq(gone.end() + 1))).unwrap(), Seq(gone.end() + 1));
        let within = log.reader.seq_at(at(Seq(gone.start() + 1))).unwrap();
        assert!(gone.contains(&within.0));
        // Of what went, only when the first and the last were made is known.
        let stamps = [*gone.start(), gone.start() + 1, *gone.end()].map(|seq| log.reader.stamp(Seq(seq)).unwrap());
        let [first, last] = [*gone.start(), *gone.end()].map(|seq| Some(at(Seq(seq))));
        assert_eq!(stamps, [first, last, last]);
        let begun: Vec<u64> = log.reader.stretches(Seq(u64::MAX)).unwrap().iter().map(|one| one.segment().0).collect();
        assert!(begun.contains(&1) && !begun.iter().any(|id| (2..=4).contains(id)), "{begun:?}");
        drop(log);
        let found =
            milepost_log::find(world.disk(), dir(), &world.known(), &mut |_| ControlFlow::Continue(())).unwrap();
        log = world.repair(found).unwrap();
    }
    // The first ones leave nothing.
    let ids = SegmentId(1)..=SegmentId(1);
    world.segments = log.rewriter.listed_without(&ids).unwrap();
    log.rewriter.drop_segments(&ids);
    assert_eq!(log.reader.first_seq(), Seq(gone.end() + 1));
    assert!(world.segments.iter().all(|segment| segment.dropped.is_none()));
    let open = log.writer.segments().last().unwrap().id;
    assert!(log.rewriter.listed_without(&(open..=open)).is_none(), "the open segment stays");
    assert!(matches!(log.rewriter.begin(open..=open, Form::Raw), Err(RewriteError::NotSealed { .. })));
}

/// Power loss at every operation of a rewrite, before and after MANIFEST lists it: either all is as it was, or as it
/// was meant to be.
#[test]
fn a_rewrite_cut_off_anywhere_changes_nothing() {
    FORMS.into_iter().for_each(check_a_rewrite_cut_off_anywhere_changes_nothing);
}

fn check_a_rewrite_cut_off_anywhere_changes_nothing(form: Form) {
    let (world, log) = filled();
    drop(log);
    let mut operations = 0;
    loop {
        let mut world = world.after_kill();
        let found = find_all(&world, &(0..=0));
        let mut log = world.repair(found).unwrap();
        world.segments = log.writer.segments();
        let thinned = range(&world, 2, 3);
        let started = world.sim.operations();
        world.sim.power_off_after(operations);
        let rewritten = rewrite(&mut log, 2, 3, form);
        let is_whole = rewritten.is_ok();
        let mut listed = false;
        if let Ok(rewritten) = rewritten {
            let dropped = adopt(&mut world, &log, &rewritten);
            listed = true;
            dropped.into_iter().for_each(|dropped| log.recycler.recycle(dropped));
            while !matches!(log.recycler.step(), Recycled::Nothing | Recycled::GaveUp) {}
        }
        let cut_off = world.sim.is_off();
        drop(log);
        for (crash, seeds) in CRASHES {
            for seed in 0..seeds {
                let mut after = world.after_crash(crash, seed);
                let mut log = reopened(&mut after, if listed { thinned.clone() } else { 0..=0 });
                recycle(&mut log, Vec::new());
                after.commit(&mut log, &[50]);
                drop(log);
                reopened(&mut after, if listed { thinned.clone() } else { 0..=0 });
            }
        }
        if !cut_off {
            assert!(is_whole && world.sim.operations() > started + 8);
            return;
        }
        operations += 1;
    }
}

/// FAULTS B, C: whatever the disk refuses, the segments are as they were, nothing is left, and it can be tried again.
#[test]
fn a_disk_that_refuses_leaves_the_segments_as_they_were() {
    FORMS.into_iter().for_each(check_a_disk_that_refuses_leaves_the_segments_as_they_were);
}

fn check_a_disk_that_refuses_leaves_the_segments_as_they_were(form: Form) {
    for on in [Op::Create, Op::Write, Op::Sync, Op::Rename, Op::SyncDir] {
        for code in [5, 28] {
            for nth in 0..2 {
                let (mut world, mut log) = filled();
                let names = world.sim.list(&dir().join("log")).unwrap();
                let what = FaultKind::Error(code);
                world.sim.inject(Fault { on, file: None, nth, times: 1, what });
                let refused = rewrite(&mut log, 2, 3, form);
                if world.sim.faults_hit().is_empty() {
                    continue;
                }
                match refused {
                    Err(RewriteError::DiskFull { .. }) => assert_eq!(code, 28, "{on:?}"),
                    Err(RewriteError::Failed(_)) => assert_eq!(code, 5, "{on:?}"),
                    other => panic!("{on:?}: {other:?}"),
                }
                world.sim.clear_faults();
                assert_eq!(world.sim.list(&dir().join("log")).unwrap(), names, "{on:?}");
                check(&world, &log.reader, 0..=0);
                world.commit(&mut log, &[10]);
                let thinned = range(&world, 2, 3);
                let rewritten = rewrite(&mut log, 2, 3, form).unwrap();
                adopt(&mut world, &log, &rewritten);
                check(&world, &log.reader, thinned);
            }
        }
    }
}

/// A file that another process may have mapped is not written over.
#[test]
fn a_file_is_not_recycled_while_another_process_reads() {
    let (mut world, mut log) = filled();
    let sharing = world.sim.share_dir(&dir().join("log")).unwrap().unwrap();
    let file = world.sim.open(&crate::rig::segment_file(2), milepost_io::OpenMode::Read).unwrap();
    let before = world.sim.file_bytes(&crate::rig::segment_file(2)).unwrap();
    let rewritten = rewrite(&mut log, 2, 2, Form::Raw).unwrap();
    let dropped = adopt(&mut world, &log, &rewritten);
    dropped.into_iter().for_each(|dropped| log.recycler.recycle(dropped));
    while log.recycler.step() == Recycled::Freed {}
    assert!(world.sim.file_bytes(&crate::rig::segment_file(2)).is_none(), "removed");
    assert_eq!(&file.map().unwrap()[..], &before[..]);
    drop((sharing, rewritten));
    let rewritten = rewrite(&mut log, 2, 2, Form::Raw).unwrap();
    let dropped = adopt(&mut world, &log, &rewritten);
    dropped.into_iter().for_each(|dropped| log.recycler.recycle(dropped));
    assert_eq!(log.recycler.step(), Recycled::Taken);
}

/// Damage in a segment that was written anew: every bit, every cut, and files in each other's place.
#[test]
fn damage_in_a_rewritten_segment_is_met() {
    FORMS.into_iter().for_each(check_damage_in_a_rewritten_segment_is_met);
}

fn check_damage_in_a_rewritten_segment_is_met(form: Form) {
    let (mut world, mut log) = filled();
    let thinned = range(&world, 2, 2);
    let rewritten = rewrite(&mut log, 2, 2, form).unwrap();
    adopt(&mut world, &log, &rewritten);
    let name = dir().join(format!("log/{}.seg", rewritten.known().name()));
    let newer = rewrite(&mut log, 2, 2, form).unwrap();
    let newer_name = dir().join(format!("log/{}.seg", newer.known().name()));
    drop(log);
    let whole = world.sim.file_bytes(&name).unwrap();
    let damaged = |bytes: Vec<u8>| {
        let world = world.after_kill();
        world.sim.put_file(&name, bytes);
        milepost_log::find(world.disk(), dir(), &world.known(), &mut |_| ControlFlow::Continue(())).map(drop)
    };
    damaged(whole.to_vec()).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(damaged(bytes).is_err(), "bit {bit} of {}", whole.len());
    }
    for length in 0..whole.len() {
        assert!(damaged(whole[..length].to_vec()).is_err(), "{length} of {}", whole.len());
    }
    let swapped = damaged(world.sim.file_bytes(&newer_name).unwrap().to_vec()).unwrap_err();
    assert!(swapped.to_string().contains("is in truth segment"), "{swapped}");
    let gone = world.after_kill();
    gone.sim.remove(&name).unwrap();
    let missing =
        milepost_log::find(gone.disk(), dir(), &gone.known(), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(missing.to_string().contains("is missing"), "{missing}");
    find_all(&world, &thinned);
}

/// A follower that was behind is told that what it looks for was written anew, and goes on.
#[test]
fn a_follower_goes_on_behind_what_was_written_anew() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[100]);
    let found = milepost_log::find(world.disk(), dir(), &world.known(), &mut |_| ControlFlow::Continue(())).unwrap();
    let mut follower = found.into_follower();
    for _ in 0..20 {
        world.commit(&mut log, &[500, 600]);
    }
    let thinned = range(&world, 2, 3);
    let rewritten = rewrite(&mut log, 2, 3, Form::Raw).unwrap();
    let dropped = adopt(&mut world, &log, &rewritten);
    let before = follower.reader();
    recycle(&mut log, dropped);
    let behind = follower.refresh(&mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(behind, milepost_log::LogError::Compacted { .. }), "{behind}");
    let seen = follower.last_seq();
    let mut seqs = Vec::new();
    let again = milepost_log::find_from(world.disk(), dir(), &world.known(), Seq(seen.0 + 1), &mut |frame| {
        seqs.push(frame.seq.0);
        ControlFlow::Continue(())
    });
    follower.go_on_with(again.unwrap());
    assert!(seqs.iter().all(|seq| *seq > seen.0 && (!thinned.contains(seq) || seq % 3 != 0)));
    check(&world, &before, thinned.clone());
    world.commit(&mut log, &[700, 800]);
    follower.refresh(&mut |_| ControlFlow::Continue(())).unwrap();
    check(&world, &before, thinned);
}

/// What the engine reports of a rewrite; given up before it is listed, it leaves nothing.
#[test]
fn a_rewrite_says_what_it_came_to() {
    for form in FORMS {
        let (mut world, mut log) = filled();
        let names = world.sim.list(&dir().join("log")).unwrap();
        let judged = range(&world, 2, 3);
        let sources: Vec<_> = world.segments[1..3].iter().map(|known| known.name()).collect();
        let rewritten = rewrite(&mut log, 2, 3, form).unwrap();
        assert_eq!(rewritten.replaced(), sources);
        assert_eq!(rewritten.frames(), judged.clone().filter(|seq| expected(&world, *seq).is_some()).count());
        let known = rewritten.known();
        assert_eq!((known.id, known.generation, known.first_seq), (SegmentId(2), 1, Seq(*judged.start())));
        let file = dir().join(format!("log/{}.seg", known.name()));
        assert_eq!(world.sim.file_bytes(&file).unwrap().len() as u64, rewritten.bytes());
        assert_eq!(known.sealed.unwrap().bytes, rewritten.bytes());
        // It counts as begun by whoever had begun the first of its sources.
        let header = SegmentHeader::decode(&world.sim.file_bytes(&file).unwrap()).unwrap();
        assert_eq!((header.name(), header.form, header.first_seq), (known.name(), form, known.first_seq));
        assert_eq!((header.epoch, header.store), (5, crate::rig::STORE));
        rewritten.discard();
        assert_eq!(world.sim.list(&dir().join("log")).unwrap(), names);
        check(&world, &log.reader, 0..=0);
        // Each attempt has a name of its own.
        let again = log.rewriter.begin(SegmentId(2)..=SegmentId(2), form).unwrap();
        assert_eq!(again.name().generation, 2);
        drop(again);
        assert_eq!(world.sim.list(&dir().join("log")).unwrap(), names, "dropped before it is done");
        let rewritten = rewrite(&mut log, 2, 3, form).unwrap();
        let dropped = adopt(&mut world, &log, &rewritten);
        assert_eq!(dropped.len(), 2);
        check(&world, &log.reader, judged);
    }
}

/// Bodies of a segment need a search for their records only where one may have been thinned.
#[test]
fn it_is_known_where_a_body_may_be_thinned() {
    for form in FORMS {
        for keeps_all in [false, true] {
            let (mut world, mut log) = filled();
            let mut rewrite = log.rewriter.begin(SegmentId(2)..=SegmentId(2), form).unwrap();
            let mut keep = |frame: FrameView<'_>| if keeps_all { Verdict::Keep } else { judge(frame) };
            let rewritten = loop {
                if let Rewrote::Done(rewritten) = rewrite.step(500, &mut keep).unwrap() {
                    break rewritten;
                }
            };
            adopt(&mut world, &log, &rewritten);
            let judged = range(&world, 2, 2);
            let segments = log.reader.segments();
            for seq in 1..=world.offered.len() as u64 {
                let Found::Frame(found) = segments.find(Seq(seq)).unwrap() else { continue };
                // One that was written anew as it is only says so where it is compressed.
                let may_be = judged.contains(&seq) && !(keeps_all && form == Form::Compressed);
                assert_eq!((found.may_be_thinned(), found.at()), (may_be, at(Seq(seq))), "{form:?} {keeps_all} {seq}");
                assert_eq!(log.reader.is_as_written(Seq(seq), Seq(seq)), !may_be);
            }
            let stats = log.reader.segment_stats();
            let is_thinned: Vec<bool> = stats.iter().map(|segment| segment.is_thinned).collect();
            let right = (0..stats.len()).map(|index| index == 1 && !(keeps_all && form == Form::Compressed));
            assert_eq!(is_thinned, right.collect::<Vec<_>>());
        }
    }
}

/// Segments go side by side as one goes alone; what is asked for and is no such row is refused, and nothing changes.
#[test]
fn segments_side_by_side_are_dropped_at_once() {
    let (mut world, mut log) = filled();
    let ids = |first, last| SegmentId(first)..=SegmentId(last);
    let open = log.writer.segments().last().unwrap().id.0;
    let before = log.writer.segments();
    for (first, last) in [(4, 2), (2, open), (open, open), (2, 99), (0, 2), (99, 2)] {
        assert!(log.rewriter.listed_without(&ids(first, last)).is_none(), "{first} to {last}");
        assert!(log.rewriter.drop_segments(&ids(first, last)).is_empty(), "{first} to {last}");
        let refused = log.rewriter.begin(ids(first, last), Form::Raw);
        let Err(RewriteError::NotSealed { first: named_first, last: named_last }) = refused else {
            panic!("{first} to {last}: {refused:?}")
        };
        assert_eq!((named_first.0, named_last.0), (first, last));
    }
    assert_eq!(log.writer.segments(), before);
    let gone = range(&world, 2, 4);
    world.segments = log.rewriter.listed_without(&ids(2, 4)).unwrap();
    assert_eq!(log.rewriter.drop_segments(&ids(2, 4)).len(), 3);
    assert_eq!((log.writer.segments(), world.segments.len()), (world.segments.clone(), before.len() - 2));
    for seq in 1..=world.offered.len() as u64 {
        assert_eq!(matches!(log.reader.frame(Seq(seq)).unwrap(), Found::Removed), gone.contains(&seq), "{seq}");
    }
    // What stands before a hole and what stands behind it is written anew as ever, but not the hole.
    assert!(log.rewriter.begin(ids(2, 2), Form::Raw).is_err() && log.rewriter.begin(ids(1, 5), Form::Raw).is_err());
    assert!(log.rewriter.begin(ids(1, 1), Form::Raw).is_ok() && log.rewriter.begin(ids(5, 5), Form::Raw).is_ok());
}

/// A step is done after as many bytes as it was given, by the bodies that it met; a commit that is gone already, or
/// empty, counts as a byte, so that no step goes on for ever.
#[test]
fn a_step_goes_as_far_as_its_budget() {
    let (mut world, mut log) = filled();
    let judged = range(&world, 2, 3);
    let whole: Vec<usize> = judged.clone().map(|seq| world.offered[seq as usize - 1].len()).collect();
    let left: Vec<usize> = judged.map(|seq| expected(&world, seq).map_or(0, |body| body.len())).collect();
    for (last, bodies) in [(3, whole), (2, left)] {
        for budget in [usize::MAX, 1000, 333, 1, 0] {
            let (mut right, mut spent) = (1, 0);
            for bytes in &bodies {
                if spent >= budget.max(1) {
                    (right, spent) = (right + 1, 0);
                }
                spent += bytes.max(&1);
            }
            let mut rewrite = log.rewriter.begin(SegmentId(2)..=SegmentId(last), Form::Raw).unwrap();
            let mut steps = 1;
            while matches!(rewrite.step(budget, &mut |_| Verdict::Keep).unwrap(), Rewrote::More) {
                steps += 1;
            }
            assert_eq!(steps, right, "{budget}");
        }
        // Segments 2 and 3 are one from now on, of which some commits are gone.
        if last == 3 {
            let rewritten = rewrite(&mut log, 2, last, Form::Raw).unwrap();
            adopt(&mut world, &log, &rewritten);
        }
    }
}

/// What is written is synced in pieces of 128 KiB, no more and no fewer: a sync of the log waits for one at most.
#[test]
fn a_new_file_is_written_and_synced_in_pieces() {
    for form in FORMS {
        for sizes in [&[1000; 300][..], &[300_000, 50, 50_000, 131_000, 10]] {
            let mut world = World::new(1 << 20);
            let mut log = world.create().unwrap();
            sizes.iter().for_each(|size| world.commit(&mut log, &[*size]));
            world.roll(&mut log).unwrap();
            let done = |world: &World| (world.sim.count(Op::Write), world.sim.count(Op::Sync));
            let (writes, syncs) = done(&world);
            let mut rewrite = log.rewriter.begin(SegmentId(1)..=SegmentId(1), form).unwrap();
            let Rewrote::Done(rewritten) = rewrite.step(usize::MAX, &mut |_| Verdict::Keep).unwrap() else {
                panic!("there is no more to do")
            };
            let pieces = rewritten.bytes().div_ceil(128 << 10);
            assert!(pieces > 2);
            assert_eq!(done(&world), (writes + pieces, syncs + pieces), "{form:?}, {} bytes", rewritten.bytes());
            adopt(&mut world, &log, &rewritten);
            assert_eq!(crate::rig::all(&log.reader), world.offered);
        }
    }
}

/// Commits a few microseconds apart, among others seconds away: the footer does not know which of them a moment lies
/// behind. The frames say it; those that are gone count with what stands before the next frame.
#[test]
fn moments_between_commits_that_the_footer_cant_tell_apart_are_found() {
    let close = 5 << 20;
    let stamps = [1 << 20, close, close + 10, close + 20, close + 30, 9 << 20];
    for form in FORMS {
        let mut world = World::new(4096);
        let mut log = world.create().unwrap();
        for (seq, at) in (1..).map(Seq).zip(stamps) {
            let commit = FrameBytes { at: Timestamp(at), ..crate::rig::frame(seq, vec![7; 30]) };
            log.writer.append(vec![commit]).map_err(|(error, _)| error).unwrap();
        }
        world.sync(&mut log).unwrap();
        world.roll(&mut log).unwrap();
        let mut rewrite = log.rewriter.begin(SegmentId(1)..=SegmentId(1), form).unwrap();
        let mut goes = |view: FrameView<'_>| if [3, 5].contains(&view.seq.0) { Verdict::Remove } else { Verdict::Keep };
        let Rewrote::Done(rewritten) = rewrite.step(usize::MAX, &mut goes).unwrap() else { panic!("no end") };
        adopt(&mut world, &log, &rewritten);
        for (moment, seq) in [
            (stamps[0] - 1, 0),
            (stamps[0], 1),
            (close - 1, 1),
            (close, 3),
            (close + 19, 3),
            (close + 20, 5),
            (close + 31, 5),
            (stamps[5] - 1, 5),
            (stamps[5], 6),
        ] {
            assert_eq!(log.reader.seq_at(Timestamp(moment)).unwrap(), Seq(seq), "{form:?}, {moment}");
        }
    }
}
