//! [`Stats`]: what an open store says of its sizes.

use std::sync::atomic::Ordering;

use milepost_log::SegmentKind;
use milepost_types::Receipt;

use super::Engine;
use crate::{Horizon, ReserveStats, Written};

/// Sizes and counts of an open store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The store's identity, in hexadecimal.
    pub store: String,
    /// How often it was opened for writing.
    pub epoch: u32,
    /// The last durable commit.
    pub last: Receipt,
    /// Scopes that were ever written to: one whose keys were all deleted or cleared has its history still. One counts
    /// once for each run that knows it, and once for memory; a run counts a cleared prefix as well.
    pub scopes_ever: u64,
    /// Keys that were ever set, counted the same way.
    pub keys_ever: u64,
    /// Versions of them that are kept.
    pub versions: u64,
    /// Bytes of memory of the versions that are in no run yet, and nothing is done about.
    pub memtable_bytes: u64,
    /// Bytes of memory of those whose run is being written.
    pub frozen_bytes: u64,
    /// Files that versions are kept in.
    pub runs: u64,
    /// Their bytes.
    pub run_bytes: u64,
    /// Batches since this opening that found memory full while a run was being written.
    pub late_runs: u64,
    /// Why the last attempt to write a run failed, if it did.
    pub run_failure: Option<String>,
    /// Segments of the log.
    pub segments: u64,
    /// Bytes of frames in the log, as they are read.
    pub log_bytes: u64,
    /// Room that is held on the disk for what gives room back.
    pub reserve: ReserveStats,
    /// Segments that are compressed.
    pub cold_segments: u64,
    /// Bytes of frames in them, as they are read.
    pub cold_bytes: u64,
    /// Bytes of their files.
    pub cold_file_bytes: u64,
    /// Bytes of memory of what was read from them a while ago.
    pub cold_cache_bytes: u64,
    /// What was written since this opening, it included, and for how many bytes of commits: by a store that was opened
    /// read-only, what the writer had written when it last wrote MANIFEST before this opening. It does so whenever a
    /// segment is full, the index or compaction has changed a file, and when it closes.
    pub written: Written,
    /// From where on the past of each place can be read, where that is not from the first commit on; sorted by prefix.
    /// What no row speaks of can be read from its first commit on.
    pub horizons: Vec<Horizon>,
    /// Whether compaction does nothing by itself for the time being: [`crate::CompactionPause`].
    pub is_compaction_paused: bool,
    /// Batches written since this opening, each with one sync.
    pub batches: u64,
    /// Bytes that lie in quarantine: torn tails that openings have cut, and what a salvage found damaged.
    pub quarantine_bytes: u64,
    /// Bytes of a torn tail that this opening moved to quarantine.
    pub torn_bytes: u64,
}

impl Engine {
    /// A number that nobody else draws, in this store or in a copy of it.
    #[must_use]
    pub fn draw(&self) -> u64 {
        let mut bytes = [0; 8];
        self.shared().parts.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Sizes and counts.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let sizes = shared.state.load().sizes();
        let log = shared.reader.segment_stats();
        let cold = || log.iter().filter(|segment| segment.kind == SegmentKind::Cold);
        Stats {
            store: shared.store.to_string(),
            epoch: shared.epoch,
            last: self.last(),
            scopes_ever: sizes.scopes,
            keys_ever: sizes.keys,
            versions: sizes.versions,
            memtable_bytes: sizes.active_bytes,
            frozen_bytes: sizes.frozen_bytes,
            runs: sizes.runs,
            run_bytes: sizes.run_bytes,
            late_runs: shared.indexing.late(),
            run_failure: shared.indexing.failure(),
            segments: log.iter().filter(|segment| segment.kind != SegmentKind::Dropped).count() as u64,
            log_bytes: log.iter().map(|segment| segment.frame_bytes).sum(),
            reserve: shared.reserve.stats(),
            cold_segments: cold().count() as u64,
            cold_bytes: cold().map(|segment| segment.frame_bytes).sum(),
            cold_file_bytes: cold().map(|segment| segment.file_bytes).sum(),
            cold_cache_bytes: shared.reader.cold_cache_bytes(),
            written: shared.meters.written(),
            horizons: self.horizons(),
            is_compaction_paused: shared.is_compaction_paused(),
            batches: shared.batches.load(Ordering::Relaxed),
            quarantine_bytes: shared.quarantine_bytes(),
            torn_bytes: shared.torn_bytes,
        }
    }
}
