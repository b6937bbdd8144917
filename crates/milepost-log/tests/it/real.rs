//! The same log on the real disk: what the simulated one does not have, above all real maps.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use milepost_io::{Disk, Latch, OsDisk, OsEntropy};
use milepost_log::{CleanMark, FoundLog, Known, KnownSegment, Log, LogSettings, Prefilled, Tail, create, find};
use milepost_types::Seq;

use crate::rig::{STORE, all, body, frame};

const SETTINGS: LogSettings = LogSettings { segment_bytes: 64 << 10 };

fn disk() -> Arc<dyn Disk> {
    Arc::new(OsDisk)
}

fn found(dir: &Path, segments: &[KnownSegment], clean: Option<CleanMark>) -> (FoundLog, u64) {
    let mut last = Seq::ZERO;
    let known = Known { store: STORE, segments, clean };
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
        if log.writer.wants_roll() {
            log.writer.roll().unwrap();
        }
        log.writer.append(batch).unwrap();
        while log.prefiller.step() != Prefilled::Nothing {}
    }
    log.writer.sync().unwrap();
}

#[test]
fn a_log_lives_on_the_real_disk() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let mut log = create(disk(), dir, STORE, 1, &OsEntropy, Latch::default(), SETTINGS).unwrap();
    commit(&mut log, 200);
    let held = log.reader.frame(Seq(3)).unwrap().unwrap();
    let follower = found(dir, &log.writer.segments(), None).0.into_follower();
    let bodies = all(&log.reader);
    assert!(log.reader.segment_stats().iter().filter(|segment| segment.sealed).count() > 5);
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
