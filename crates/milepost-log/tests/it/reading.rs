//! Reads of a log with segments of every kind: any range, any part of a body, and what is said of each commit and each
//! segment.

use std::ops::ControlFlow;

use milepost_log::{
    BodyPart, Form, Found, FrameView, Log, LogReader, Rewrote, SegmentId, SegmentKind, SegmentStats, Verdict, find_from,
};
use milepost_types::Seq;

use crate::rig::{World, at, dir};

/// Commits of each segment: two batches of three.
const EACH: u64 = 6;
const SIZES: [usize; 3] = [500, 0, 31];
/// The kinds of its segments.
const KINDS: [SegmentKind; 6] = [
    SegmentKind::Sealed,
    SegmentKind::Rewritten,
    SegmentKind::Cold,
    SegmentKind::Dropped,
    SegmentKind::Sealed,
    SegmentKind::Open,
];
const LAST: u64 = EACH * KINDS.len() as u64;

/// Whether a commit is there still. Of the second segment the first and the last are gone too.
fn is_there(seq: u64) -> bool {
    ![7, 9, 12, 14, 15].contains(&seq) && kind_of(seq) != SegmentKind::Dropped
}

fn kind_of(seq: u64) -> SegmentKind {
    KINDS[((seq - 1) / EACH) as usize]
}

fn rewrite(world: &mut World, log: &mut Log, id: u64, form: Form) {
    let mut rewrite = log.rewriter.begin(SegmentId(id)..=SegmentId(id), form).unwrap();
    let mut judge = |frame: FrameView<'_>| if is_there(frame.seq.0) { Verdict::Keep } else { Verdict::Remove };
    let rewritten = loop {
        if let Rewrote::Done(rewritten) = rewrite.step(1000, &mut judge).unwrap() {
            break rewritten;
        }
    };
    world.segments = log.rewriter.listed_with(&rewritten);
    log.rewriter.replace(&rewritten);
}

/// Six segments, the last two of them of a second opening.
fn of_every_kind() -> (World, Log) {
    let mut world = World::new(1 << 20);
    let mut log = world.create().unwrap();
    for segment in 0..KINDS.len() {
        if segment > 0 {
            world.roll(&mut log).unwrap();
        }
        if segment == 4 {
            drop(log);
            log = world.open().unwrap();
        }
        (0..2).for_each(|_| world.commit(&mut log, &SIZES));
    }
    rewrite(&mut world, &mut log, 2, Form::Raw);
    rewrite(&mut world, &mut log, 3, Form::Compressed);
    let fourth = SegmentId(4)..=SegmentId(4);
    world.segments = log.rewriter.listed_without(&fourth).unwrap();
    log.rewriter.drop_segments(&fourth);
    (world, log)
}

#[test]
fn any_range_is_read_in_any_way() {
    let (world, log) = of_every_kind();
    for from in 0..=LAST + 2 {
        for to in 0..=LAST + 2 {
            let right: Vec<u64> = (from.max(1)..=to.min(LAST)).filter(|seq| is_there(*seq)).collect();
            let kept = log.reader.frames(Seq(from), Seq(to)).map(|frame| frame.unwrap());
            let kept: Vec<_> = kept.map(|frame| (frame.seq().0, frame.body().to_vec())).collect();
            let mut visited = Vec::new();
            let walk = log.reader.for_each_frame(Seq(from), Seq(to), &mut |view| {
                visited.push((view.seq.0, view.body.to_vec()));
                ControlFlow::Continue(())
            });
            walk.unwrap();
            assert_eq!(visited.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), right, "{from} to {to}");
            assert!(visited.iter().all(|(seq, body)| *body == world.offered[*seq as usize - 1]));
            assert_eq!(visited, kept);
        }
    }
}

/// A frame is shown with its batch, its epoch and its place, wherever it lies.
#[test]
fn all_is_told_of_each_commit() {
    let (world, log) = of_every_kind();
    let mut ends = [64; KINDS.len()];
    let mut visited = 0;
    let walk = log.reader.for_each_frame(Seq(1), Seq(LAST), &mut |view| {
        let (seq, index) = (view.seq.0, ((view.seq.0 - 1) / EACH) as usize);
        // What is written anew is no batch any more.
        let is_anew = matches!(kind_of(seq), SegmentKind::Rewritten | SegmentKind::Cold);
        let batch_first = if is_anew { seq } else { (seq - 1) / 3 * 3 + 1 };
        let epoch = if index < 4 { 1 } else { 2 };
        assert_eq!((view.at, view.batch_first, view.epoch), (at(view.seq), Seq(batch_first), epoch), "{seq}");
        assert_eq!((view.segment, view.offset), (world.segments[index].name(), ends[index]), "{seq}");
        assert_eq!((view.body, view.body_crc), (&world.offered[seq as usize - 1][..], crc32fast::hash(view.body)));
        ends[index] += (40 + view.body.len() as u64).next_multiple_of(8);
        visited += 1;
        ControlFlow::Continue(())
    });
    walk.unwrap();
    assert_eq!(visited, (1..=LAST).filter(|seq| is_there(*seq)).count());
    let epoch = |seq| log.reader.epoch(Seq(seq)).unwrap();
    for seq in 1..=LAST {
        let written_in = if seq <= 4 * EACH { 1 } else { 2 };
        assert_eq!(epoch(seq), is_there(seq).then_some(written_in), "{seq}");
        // Steps of ten microseconds are known exactly, also of what is gone, but not of what was dropped.
        let stamps = (log.reader.stamp(Seq(seq)).unwrap(), log.reader.stamp_at_least(Seq(seq)).unwrap());
        let right = match seq {
            19 => (at(Seq(19)), at(Seq(19))),
            20..=24 => (at(Seq(24)), at(Seq(19))),
            _ => (at(Seq(seq)), at(Seq(seq))),
        };
        assert_eq!(stamps, (Some(right.0), Some(right.1)), "{seq}");
    }
    assert_eq!((epoch(0), epoch(LAST + 1)), (None, None));
}

#[test]
fn all_is_told_of_each_segment() {
    let (world, log) = of_every_kind();
    let mut right = Vec::new();
    for (index, kind) in KINDS.into_iter().enumerate() {
        let first = index as u64 * EACH + 1;
        let seqs: Vec<u64> = (first..first + EACH).filter(|seq| is_there(*seq)).collect();
        let bytes = |seq: &u64| (40 + world.offered[*seq as usize - 1].len() as u64).next_multiple_of(8);
        let frame_bytes = seqs.iter().map(bytes).sum();
        let name = world.segments[index].name();
        let file = Some(dir().join(format!("log/{name}.seg"))).filter(|_| kind != SegmentKind::Dropped);
        let on_disk = file.as_ref().map_or(0, |file| world.sim.file_bytes(file).unwrap().len() as u64);
        right.push(SegmentStats {
            name,
            file,
            first_seq: Seq(first),
            commits: EACH,
            frames: seqs.len() as u64,
            frame_bytes,
            last_at: (!matches!(kind, SegmentKind::Dropped | SegmentKind::Open)).then_some(at(Seq(first + EACH - 1))),
            is_thinned: seqs.len() < EACH as usize,
            // What is written ahead of the last frame is not in use.
            file_bytes: if kind == SegmentKind::Open { 64 + frame_bytes } else { on_disk },
            kind,
        });
    }
    assert_eq!(log.reader.segment_stats(), right);
    for from in 1..=LAST {
        for to in from..=LAST {
            let touched = ((from - 1) / EACH) as usize..=((to - 1) / EACH) as usize;
            let is_as_written =
                KINDS[touched].iter().all(|kind| *kind == SegmentKind::Sealed || *kind == SegmentKind::Open);
            assert_eq!(log.reader.is_as_written(Seq(from), Seq(to)), is_as_written, "{from} to {to}");
        }
    }
}

/// What is before the first commit is gone, and was there; seq 0 never was.
#[test]
fn what_is_before_the_log_is_told_from_what_is_behind_it() {
    let (mut world, mut log) = of_every_kind();
    let first = SegmentId(1)..=SegmentId(1);
    world.segments = log.rewriter.listed_without(&first).unwrap();
    log.rewriter.drop_segments(&first);
    let found = |seq: u64| {
        let segments = log.reader.segments();
        let found = segments.find(Seq(seq)).unwrap().map(|_| ());
        assert_eq!(log.reader.frame(Seq(seq)).unwrap().map(|_| ()), found);
        found
    };
    assert_eq!(
        [0, 1, 6, 7, 8].map(found),
        [Found::Ahead, Found::Removed, Found::Removed, Found::Removed, Found::Frame(())]
    );
    assert_eq!([LAST, LAST + 1, u64::MAX].map(found), [Found::Frame(()), Found::Ahead, Found::Ahead]);
    assert_eq!((log.reader.first_seq(), log.reader.first_at()), (Seq(7), Some(at(Seq(7)))));
    for seq in [0, 1, 6] {
        let told = (log.reader.stamp(Seq(seq)).unwrap(), log.reader.stamp_at_least(Seq(seq)).unwrap());
        assert_eq!((told, log.reader.epoch(Seq(seq)).unwrap()), ((None, None), None));
    }
    world.commit(&mut log, &[5]);
    assert_eq!(log.reader.last_seq(), Seq(LAST + 1));
}

/// Whoever asks for a part of a body gets that part, and what can be read with it: from the map or from memory what is
/// left of the page in which it ends, from a compressed segment what is left of the block. All of that can be kept.
#[test]
fn a_part_of_a_body_comes_with_what_is_read_with_it() {
    for (kind, form) in [
        (SegmentKind::Open, None),
        (SegmentKind::Rewritten, Some(Form::Raw)),
        (SegmentKind::Cold, Some(Form::Compressed)),
    ] {
        let mut world = World::new(1 << 20);
        let mut log = world.create().unwrap();
        for size in [10_000, 100, 0, 4096 - 40, 20_000, 300] {
            world.commit(&mut log, &[size]);
        }
        if let Some(form) = form {
            world.roll(&mut log).unwrap();
            rewrite_all(&mut world, &mut log, form);
        }
        assert_eq!(log.reader.segment_stats()[0].kind, kind);
        let mut offset = 64;
        for (seq, body) in (1..).zip(&world.offered) {
            let segments = log.reader.segments();
            let found = segments.find(Seq(seq)).unwrap().frame().unwrap();
            assert_eq!((found.body_bytes(), found.at()), (body.len(), at(Seq(seq))));
            for begin in [0, 1, 99, 4095, 4096, 9999, 10_001, usize::MAX] {
                for count in [0, 1, 50, 4096, 5000, usize::MAX] {
                    let part = found.body_from(begin, count).unwrap();
                    let from = begin.min(body.len());
                    let asked = from.saturating_add(count).min(body.len());
                    let body_at = offset + 40;
                    let page_end = (body_at + asked).next_multiple_of(4096) - body_at;
                    match &part {
                        BodyPart::Borrowed(_) => {
                            assert_eq!(part.len(), page_end.min(body.len()) - from, "{seq} {begin} {count}")
                        }
                        BodyPart::Shared { .. } => assert!(from + part.len() >= asked, "{seq} {begin} {count}"),
                    }
                    assert_eq!(part[..], body[from..from + part.len()]);
                    for range in [0..part.len(), part.len() / 3..part.len(), part.len() / 4..part.len() / 2] {
                        let held = found.hold_part((from, &part), range.clone());
                        assert_eq!((held.seq(), held.at(), held.body()), (Seq(seq), at(Seq(seq)), &part[range]));
                    }
                }
            }
            offset += (40 + body.len()).next_multiple_of(8);
        }
    }
}

fn rewrite_all(world: &mut World, log: &mut Log, form: Form) {
    let mut rewrite = log.rewriter.begin(SegmentId(1)..=SegmentId(1), form).unwrap();
    let Rewrote::Done(rewritten) = rewrite.step(usize::MAX, &mut |_| Verdict::Keep).unwrap() else { panic!("no end") };
    world.segments = log.rewriter.listed_with(&rewritten);
    log.rewriter.replace(&rewritten);
}

/// FAULTS D1: of a segment that nobody walked each frame is checked when it is first read, whichever were read before,
/// and again after it was found damaged.
#[test]
fn each_frame_is_checked_when_it_is_first_read() {
    const COMMITS: u64 = 140;
    for is_anew in [false, true] {
        let mut world = World::new(1 << 20);
        let mut log = world.create().unwrap();
        for _ in 0..COMMITS {
            world.commit(&mut log, &[20]);
        }
        world.roll(&mut log).unwrap();
        if is_anew {
            rewrite_all(&mut world, &mut log, Form::Raw);
        }
        drop(log);
        let file = dir().join(format!("log/{}.seg", world.segments[0].name()));
        let read = |reader: &LogReader, seq: u64| match reader.frame(Seq(seq)) {
            Ok(found) => {
                assert_eq!(found.frame().unwrap().body(), world.offered[seq as usize - 1], "{seq}");
                true
            }
            Err(corruption) => {
                assert_eq!((&corruption.file, corruption.seq), (&file, Some(Seq(seq))));
                false
            }
        };
        for damaged in [1, 2, 64, 65, 66, 128, 129, COMMITS] {
            let flipped = world.after_kill();
            flipped.sim.flip_bit(&file, (64 + 64 * (damaged - 1) + 45) * 8);
            // Another one's frame, whole.
            let swapped = world.after_kill();
            let mut bytes = world.sim.file_bytes(&file).unwrap();
            let (begin, other) = (64 + 64 * (damaged as usize - 1), 64 + 64 * (damaged as usize % 100));
            bytes.copy_within(other..other + 64, begin);
            swapped.sim.put_file(&file, bytes);
            for world in [flipped, swapped] {
                let opened = || {
                    let found = find_from(world.disk(), dir(), &world.known(), Seq(COMMITS + 1), &mut |_| {
                        ControlFlow::Continue(())
                    });
                    found.unwrap().into_follower().reader()
                };
                let last = opened();
                assert!((1..=COMMITS).filter(|seq| *seq != damaged).all(|seq| read(&last, seq)), "{damaged}");
                assert!(!read(&last, damaged) && !read(&last, damaged), "{damaged}");
                let first = opened();
                assert!(!read(&first, damaged), "{damaged}");
                assert!((1..=COMMITS).rev().all(|seq| read(&first, seq) == (seq != damaged)), "{damaged}");
            }
        }
    }
}
