//! A store of one log on a simulated disk. It plays the part of the engine: it keeps what a manifest would say, and it
//! remembers what was appended and what was acknowledged, so that whatever is found later can be judged.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::mortal::Mortal;
use milepost_io::{Crash, Disk, Latch, SimDisk, SimEntropy};
use milepost_log::{
    AppendError, CleanMark, Dropped, Found, FoundLog, FrameBytes, Known, KnownSegment, Log, LogError, LogReader,
    LogSettings, SegmentId, StoreId, create, find,
};
use milepost_types::{Seq, Timestamp};

pub(crate) const STORE: StoreId = StoreId(*b"store of a test!");

/// Where the store lies on the simulated disk.
pub(crate) fn dir() -> &'static Path {
    Path::new("/store")
}

pub(crate) fn segment_file(id: u64) -> PathBuf {
    dir().join(format!("log/{id:010}.seg"))
}

/// Every way to lose what was not synced, and how many seeds are worth trying.
pub(crate) const CRASHES: [(Crash, u64); 8] = [
    (Crash::LoseUnsynced, 1),
    (Crash::KeepAll, 1),
    (Crash::Torn, 8),
    (Crash::PrefixOfWrites, 3),
    (Crash::OneMissing, 4),
    (Crash::OneAlone, 4),
    (Crash::LoseNames, 1),
    (Crash::LoseData, 1),
];

/// How much the manifest of a test knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manifests {
    /// Written after every roll.
    Fresh,
    /// Only the first segment, and never that it was sealed: a crash may come before every later manifest.
    Stale,
}

/// What survives outside the log.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) sim: SimDisk,
    /// The process that uses the disk, if it is to be killed.
    pub(crate) process: Option<Mortal>,
    pub(crate) segment_bytes: u32,
    pub(crate) manifests: Manifests,
    pub(crate) epoch: u32,
    pub(crate) segments: Vec<KnownSegment>,
    pub(crate) clean: Option<CleanMark>,
    /// The bodies that were offered, from the first commit on. Those beyond `acked` may be there or not.
    pub(crate) offered: Vec<Vec<u8>>,
    /// Commits whose sync said OK.
    pub(crate) acked: usize,
}

impl World {
    pub(crate) fn new(segment_bytes: u32) -> World {
        let sim = SimDisk::new(1);
        sim.create_dir(dir()).unwrap();
        sim.sync_dir(Path::new("/")).unwrap();
        World {
            sim,
            process: None,
            segment_bytes,
            manifests: Manifests::Fresh,
            epoch: 0,
            segments: Vec::new(),
            clean: None,
            offered: Vec::new(),
            acked: 0,
        }
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        match &self.process {
            Some(process) => Arc::new(process.clone()),
            None => Arc::new(self.sim.clone()),
        }
    }

    pub(crate) fn settings(&self) -> LogSettings {
        LogSettings { segment_bytes: self.segment_bytes }
    }

    pub(crate) fn create(&mut self) -> Result<Log, LogError> {
        self.epoch += 1;
        let entropy = SimEntropy::new(u64::from(self.epoch));
        let log = create(self.disk(), dir(), STORE, self.epoch, &entropy, Latch::default(), self.settings())?;
        self.segments = log.writer.segments();
        Ok(log)
    }

    pub(crate) fn known(&self) -> Known<'_> {
        Known { store: STORE, segments: &self.segments, clean: self.clean, is_locked: false }
    }

    /// Reads the log to its end, as a reader does; the bodies of its commits.
    pub(crate) fn find(&self) -> Result<(FoundLog, Vec<Vec<u8>>), LogError> {
        self.find_as(&self.known())
    }

    /// The same, as whoever holds the store's lock does.
    pub(crate) fn find_locked(&self) -> Result<(FoundLog, Vec<Vec<u8>>), LogError> {
        self.find_as(&Known { is_locked: true, ..self.known() })
    }

    fn find_as(&self, known: &Known<'_>) -> Result<(FoundLog, Vec<Vec<u8>>), LogError> {
        let mut bodies = Vec::new();
        let found = find(self.disk(), dir(), known, &mut |frame| {
            assert_eq!(frame.seq, Seq((self.dropped() + bodies.len()) as u64 + 1), "frames are visited in order");
            assert_eq!(frame.at, at(frame.seq));
            assert!(frame.batch_first <= frame.seq);
            bodies.push(frame.body.to_vec());
            ControlFlow::Continue(())
        })?;
        // What was dropped is not missed.
        bodies.splice(0..0, self.offered[..self.dropped()].iter().cloned());
        assert_eq!(found.last_seq(), Seq(bodies.len() as u64));
        Ok((found, bodies))
    }

    /// How many commits were dropped with their segments.
    pub(crate) fn dropped(&self) -> usize {
        self.segments.first().map_or(0, |first| first.first_seq.0 as usize - 1)
    }

    /// The world as it is after a power loss now. This one goes on.
    pub(crate) fn after_crash(&self, how: Crash, seed: u64) -> World {
        World { sim: self.sim.copy().crash(how, seed), process: None, ..self.clone() }
    }

    /// All that is on the disk: two worlds with the same files are recovered alike.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let content = |path: PathBuf| {
            let bytes = self.sim.file_bytes(&path).unwrap_or_default();
            (path, bytes)
        };
        self.sim.names().into_iter().map(content).collect()
    }

    /// The world as it is when its process was killed now: nothing is lost, but not all is durable. This one goes on.
    pub(crate) fn after_kill(&self) -> World {
        World { sim: self.sim.copy(), process: None, ..self.clone() }
    }

    /// Whether the bodies are what may be there: all that was acknowledged, and then whole commits in order.
    pub(crate) fn judge(&self, bodies: &[Vec<u8>]) -> Result<(), String> {
        if bodies.len() < self.acked {
            return Err(format!("{} commits are there, {} were acknowledged", bodies.len(), self.acked));
        }
        for (index, body) in bodies.iter().enumerate() {
            if self.offered.get(index) != Some(body) {
                return Err(format!("commit {} is not what was written", index + 1));
            }
        }
        Ok(())
    }

    /// Reads the log, judges it, and makes it ready for writing. What is there counts as acknowledged from now on.
    pub(crate) fn open(&mut self) -> Result<Log, LogError> {
        let (found, bodies) = self.find_locked()?;
        self.judge(&bodies).unwrap_or_else(|what| panic!("{what}"));
        self.repair_keeping(found, bodies)
    }

    /// Makes a log that was found ready for writing; its commits count as acknowledged from now on.
    pub(crate) fn repair_keeping(&mut self, found: FoundLog, bodies: Vec<Vec<u8>>) -> Result<Log, LogError> {
        let log = self.repair(found)?;
        assert_eq!(all(&log.reader), bodies[self.dropped()..], "the reader shows what was found");
        self.acked = bodies.len();
        self.offered = bodies;
        self.wrote_manifest(&log);
        Ok(log)
    }

    pub(crate) fn repair(&mut self, found: FoundLog) -> Result<Log, LogError> {
        self.epoch += 1;
        self.clean = None;
        found.repair(self.epoch, &SimEntropy::new(u64::from(self.epoch)), Latch::default(), self.settings())
    }

    fn wrote_manifest(&mut self, log: &Log) {
        if self.manifests == Manifests::Fresh {
            self.segments = log.writer.segments();
        }
    }

    /// Appends commits with bodies of these sizes. They count as offered, unless the log says that nothing was
    /// appended.
    pub(crate) fn append(&mut self, log: &mut Log, sizes: &[usize]) -> Result<(), AppendError> {
        let first = log.writer.next_seq();
        let batch = self.batch(first, sizes);
        self.offered.truncate(first.0 as usize - 1);
        self.offered.extend(batch.iter().map(|frame| frame.body.clone()));
        let appended = log.writer.append(batch);
        self.wrote_manifest(log);
        appended.map_err(|(error, batch)| {
            assert_eq!(batch.len(), sizes.len(), "the batch is given back");
            if !matches!(error, AppendError::Stopped(_)) {
                self.offered.truncate(first.0 as usize - 1);
            }
            error
        })
    }

    pub(crate) fn sync(&mut self, log: &mut Log) -> Result<(), milepost_io::Failure> {
        log.writer.sync()?;
        self.acked = self.offered.len();
        Ok(())
    }

    /// Appends and syncs.
    pub(crate) fn commit(&mut self, log: &mut Log, sizes: &[usize]) {
        self.append(log, sizes).unwrap();
        self.sync(log).unwrap();
    }

    pub(crate) fn roll(&mut self, log: &mut Log) -> Result<(), AppendError> {
        let rolled = log.writer.roll();
        self.wrote_manifest(log);
        rolled
    }

    pub(crate) fn close(&mut self, log: Log) {
        self.segments = log.writer.segments();
        self.clean = Some(log.writer.clean_mark());
    }

    /// Drops the first segment, as compaction would, and gives its file to the recycler.
    pub(crate) fn drop_first(&mut self, log: &mut Log) {
        if self.manifests == Manifests::Fresh
            && let Some((id, dropped)) = drop_first_segment(log)
        {
            self.segments.retain(|segment| segment.id != id);
            log.recycler.recycle(dropped);
        }
    }

    /// Cuts the open segment's file behind the last byte of the last commit, as it is where no zeros could be written.
    pub(crate) fn cut_ahead(&self, log: &Log) {
        let last = 40 + self.offered.last().unwrap().len();
        let padding = last.next_multiple_of(8) - last;
        let file = segment_file(log.writer.segments().last().unwrap().id.0);
        self.sim.truncate(&file, end_of(log) - padding as u64);
    }

    pub(crate) fn batch(&self, first: Seq, sizes: &[usize]) -> Vec<FrameBytes> {
        let seqs = (first.0..).map(Seq);
        seqs.zip(sizes).map(|(seq, size)| frame(seq, body(seq, self.epoch, *size))).collect()
    }
}

/// Drops the first segment, without a word of it in the manifest; `None` if it is the open one.
pub(crate) fn drop_first_segment(log: &Log) -> Option<(SegmentId, Dropped)> {
    let id = log.writer.segments()[0].id;
    log.rewriter.listed_without(&(id..=id))?;
    log.rewriter.drop_segments(&(id..=id)).pop().map(|dropped| (id, dropped))
}

/// Where the last frame of the open segment ends.
pub(crate) fn end_of(log: &Log) -> u64 {
    64 + log.reader.segment_stats().last().unwrap().frame_bytes
}

/// When a commit is stamped.
pub(crate) fn at(seq: Seq) -> Timestamp {
    Timestamp(seq.0 as i64 * 10)
}

/// A body that no other commit has, not even the same commit in another epoch.
pub(crate) fn body(seq: Seq, epoch: u32, size: usize) -> Vec<u8> {
    let mut mixed = seq.0 << 32 | u64::from(epoch);
    let mut byte = || {
        mixed = mixed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (mixed >> 56) as u8
    };
    (0..size).map(|_| byte()).collect()
}

pub(crate) fn frame(seq: Seq, body: Vec<u8>) -> FrameBytes {
    FrameBytes { body_crc: crc32fast::hash(&body), body, seq, at: at(seq) }
}

/// The bodies of all commits that a reader shows, read in every way that there is.
pub(crate) fn all(reader: &LogReader) -> Vec<Vec<u8>> {
    let (first, last) = (reader.first_seq(), reader.last_seq());
    let mut bodies = Vec::new();
    reader
        .for_each_frame(first, last, &mut |frame| {
            bodies.push(frame.body.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    let kept: Vec<_> = reader.frames(first, last).map(|frame| frame.unwrap().body().to_vec()).collect();
    assert_eq!(kept, bodies);
    for (seq, body) in (first.0..).map(Seq).zip(&bodies) {
        let frame = reader.frame(seq).unwrap().frame().unwrap();
        assert_eq!((frame.seq(), frame.at(), frame.body()), (seq, at(seq), &body[..]));
        assert_eq!(reader.stamp(seq).unwrap(), Some(at(seq)));
        assert!(reader.epoch(seq).unwrap().is_some_and(|epoch| epoch > 0));
    }
    assert_eq!(reader.frame(Seq(last.0 + 1)).unwrap().map(|frame| frame.seq()), Found::Ahead);
    assert_eq!((reader.stamp(Seq(last.0 + 1)).unwrap(), reader.epoch(Seq(last.0 + 1)).unwrap()), (None, None));
    bodies
}
