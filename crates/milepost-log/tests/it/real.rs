//! The same log on the real disk: what the simulated one does not have, above all real maps.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use milepost_io::{Disk, Latch, OpenMode, OsDisk, OsEntropy, Waited, is_asking_told, let_go};
use milepost_log::{
    CleanMark, Found, FoundLog, Known, KnownSegment, Log, LogSettings, Recycled, SegmentKind, Tail, create, find,
    find_from,
};
use milepost_types::Seq;

use crate::rig::{STORE, all, body, frame};

const SETTINGS: LogSettings = LogSettings { segment_bytes: 64 << 10 };

fn disk() -> Arc<dyn Disk> {
    Arc::new(OsDisk)
}

fn found(dir: &Path, segments: &[KnownSegment], clean: Option<CleanMark>) -> (FoundLog, u64) {
    let mut last = Seq::ZERO;
    let known = Known { store: STORE, segments, clean, is_locked: false };
    let found = find(disk(), dir, &known, &mut |frame| {
        assert_eq!(frame.seq, Seq(last.0 + 1));
        assert_eq!(frame.body, body(frame.seq, 0, size(frame.seq)));
        last = frame.seq;
        ControlFlow::Continue(())
    });
    (found.unwrap(), last.0)
}

fn size(seq: Seq) -> usize {
    (seq.0 as usize * 37) % 900
}

fn commit(log: &mut Log, count: u64) {
    for _ in 0..count {
        let first = log.writer.next_seq();
        let batch = (first.0..first.0 + 5).map(|seq| frame(Seq(seq), body(Seq(seq), 0, size(Seq(seq))))).collect();
        log.writer.append(batch).unwrap();
        while log.recycler.step() != Recycled::Nothing {}
    }
    log.writer.sync().unwrap();
}

#[test]
fn a_log_lives_on_the_real_disk() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let mut log = create(disk(), dir, STORE, 1, &OsEntropy, Latch::default(), SETTINGS).unwrap();
    commit(&mut log, 200);
    let held = log.reader.frame(Seq(3)).unwrap().frame().unwrap();
    let follower = found(dir, &log.writer.segments(), None).0.into_follower();
    let bodies = all(&log.reader);
    assert!(log.reader.segment_stats().iter().filter(|segment| segment.kind == SegmentKind::Sealed).count() > 5);
    drop(log);
    assert_eq!(all(&follower.reader()), bodies);

    for epoch in 2..5 {
        let (log, last) = found(dir, &[], None);
        assert_eq!((log.tail(), last as usize), (Tail::Clean, bodies.len() * (epoch as usize - 1)));
        let mut log = log.repair(epoch, &OsEntropy, Latch::default(), SETTINGS).unwrap();
        commit(&mut log, 200);
        let (segments, clean) = (log.writer.segments(), log.writer.clean_mark());
        drop(log);
        found(dir, &segments, Some(clean));
    }
    assert_eq!(held.body(), body(Seq(3), 0, size(Seq(3))));
}

/// FAULTS B5: a segment that is cut while it is mapped. Its frames are named errors, whether they were read before or
/// not; those of other segments are read. The process used to end at the first of them.
#[test]
fn a_segment_cut_under_its_map_is_an_error_for_its_frames() {
    let temp = tempfile::tempdir().unwrap();
    let mut log = create(disk(), temp.path(), STORE, 1, &OsEntropy, Latch::default(), SETTINGS).unwrap();
    commit(&mut log, 200);
    let (reader, last) = (log.reader.clone(), log.reader.last_seq());
    let segments = reader.segment_stats();
    let cut = &segments[2];
    assert!(cut.kind == SegmentKind::Sealed && segments.len() > 4);
    let is_cut = |seq: u64| (cut.first_seq.0..cut.first_seq.0 + cut.frames).contains(&seq);
    let held = reader.frame(segments[1].first_seq).unwrap().frame().unwrap();
    assert_eq!(all(&reader).len(), last.0 as usize);
    disk().open(cut.file.as_ref().unwrap(), OpenMode::Write).unwrap().set_bytes(5000).unwrap();
    for _ in 0..2 {
        for seq in 1..=last.0 {
            match reader.frame(Seq(seq)) {
                Ok(Found::Frame(frame)) => {
                    assert!(!is_cut(seq) && frame.body() == body(Seq(seq), 0, size(Seq(seq))), "{seq}")
                }
                Err(fault) => {
                    assert!(
                        is_cut(seq) && Some(&fault.file) == cut.file.as_ref() && fault.seq == Some(Seq(seq)),
                        "{seq}: {fault}"
                    );
                    assert!(fault.to_string().contains("can't be read"), "{fault}");
                }
                Ok(Found::Removed | Found::Ahead) => panic!("{seq} is not there"),
            }
        }
        let walked = reader.for_each_frame(Seq::FIRST, last, &mut |_| ControlFlow::Continue(()));
        assert_eq!(Some(walked.unwrap_err().file), cut.file);
    }
    assert_eq!(held.body(), body(held.seq(), 0, size(held.seq())));
    commit(&mut log, 1);
}

/// A frame says in its header how long it is. Where nothing of it is in memory the header used to be one read of the
/// disk, and the rest a second one: a read of a store that was just opened took half as long again.
#[test]
fn a_frame_that_is_not_in_memory_is_read_from_the_disk_at_once() {
    const FRAMES: u64 = 40;
    const BYTES: usize = 100_000;
    // Beside the program, on a disk mostly; a directory for temporary files may be in memory.
    let temp = tempfile::tempdir_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap();
    let dir = temp.path();
    let settings = LogSettings { segment_bytes: 1 << 20 };
    let mut log = create(disk(), dir, STORE, 1, &OsEntropy, Latch::default(), settings).unwrap();
    for seq in (1..=FRAMES).map(Seq) {
        log.writer.append(vec![frame(seq, body(seq, 0, BYTES))]).unwrap();
    }
    log.writer.sync().unwrap();
    let (segments, clean) = (log.writer.segments(), log.writer.clean_mark());
    let files: Vec<_> = log.reader.segment_stats().into_iter().filter_map(|segment| segment.file).collect();
    drop(log);
    files.iter().for_each(|file| let_go(file).unwrap());
    let known = Known { store: STORE, segments: &segments, clean: Some(clean), is_locked: false };
    let opened = find_from(disk(), dir, &known, Seq(FRAMES + 1), &mut |_| ControlFlow::Continue(())).unwrap();
    let reader = opened.into_follower().reader();
    let sealed = reader.segment_stats().into_iter().filter(|segment| segment.kind == SegmentKind::Sealed);
    let last = sealed.map(|segment| segment.first_seq.0 + segment.frames - 1).max().unwrap();
    assert!(last > FRAMES / 2);
    let before = Waited::so_far();
    for seq in (1..=last).rev().map(Seq) {
        let segments = reader.segments();
        let found = segments.find(seq).unwrap().frame().unwrap();
        assert_eq!(*found.body_from(0, BYTES).unwrap(), body(seq, 0, BYTES));
    }
    let waited = Waited::since(before, last * BYTES as u64 / 2).filter(|_| is_asking_told(dir).unwrap());
    match waited {
        Some(waited) => assert!(waited.pages < last / 4, "{} waits for {last} frames", waited.pages),
        None => eprintln!(
            "SKIPPED a_frame_that_is_not_in_memory_is_read_from_the_disk_at_once: what the disk reads is not counted"
        ),
    }
}
