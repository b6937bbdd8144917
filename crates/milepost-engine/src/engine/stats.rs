//! [`Stats`]: what an open store says of its sizes.

use milepost_types::Receipt;

use crate::ReserveStats;

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
    /// Bytes of frames in the log.
    pub log_bytes: u64,
    /// Room that is held on the disk for what gives room back.
    pub reserve: ReserveStats,
    /// Batches written since this opening, each with one sync.
    pub batches: u64,
    /// Bytes of a torn tail that this opening moved to quarantine.
    pub torn_bytes: u64,
}
