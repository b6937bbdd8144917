//! What a haul does and for how long: the command line, resolved. Handed to every part as one line of JSON.
//!
//! Invariant: two forms, full and short, differ in numbers only: the same work, the same checks.

use std::{path::PathBuf, time::Duration};

use milepost::{Policy, limits};
use serde::{Deserialize, Serialize};

use crate::lanes::{LANES, Lane, Size};

/// The numbers of a haul.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The store.
    pub(crate) store: PathBuf,
    pub(crate) seed: u64,
    /// The short form: growth is judged with wider bounds, and latencies are only reported.
    pub(crate) is_short: bool,
    /// How long the work goes on.
    pub(crate) haul_ms: u64,
    /// A row is made so often.
    pub(crate) row_ms: u64,
    /// The writer is killed after a time between these; never, if there is none.
    pub(crate) kill_ms: Option<(u64, u64)>,
    /// Where a policy keeps for a duration, it is this.
    pub(crate) keep_ms: u64,
    /// Segments are compressed when they are so old.
    pub(crate) cold_ms: u64,
    pub(crate) size: Size,
    pub(crate) segment_bytes: u32,
    pub(crate) memory_bytes: u64,
    /// What the writer gives to the store, at most: keys, values and 64 bytes for each event.
    pub(crate) rate_bytes_per_min: u64,
    /// How long a turn of steady commits is, and one of commits as fast as possible after it.
    pub(crate) turn_ms: u64,
    /// Whether there is a reader that holds a view for the whole haul; how often it reads that whole.
    pub(crate) holder_ms: Option<u64>,
    /// How long the reader that follows rests between two rounds.
    pub(crate) reader_pause_ms: u64,
}

impl Plan {
    /// The numbers of the full form: the store as anybody opens it.
    pub(crate) fn full(store: PathBuf, minutes: u64) -> Plan {
        Plan {
            store,
            seed: 1,
            is_short: false,
            haul_ms: minutes * 60_000,
            row_ms: 60_000,
            kill_ms: Some((30_000, 90_000)),
            keep_ms: 120_000,
            cold_ms: 180_000,
            size: Size { single_keys: 20_000, slow_keys: 3000, batch_pages: 40, marks: 20_000 },
            segment_bytes: limits::SEGMENT_BYTES,
            memory_bytes: limits::MEMORY_BYTES,
            rate_bytes_per_min: 120 << 20,
            turn_ms: 15_000,
            holder_ms: Some(20_000),
            reader_pause_ms: 5,
        }
    }

    /// The numbers of the short form: small segments and little memory, so that in seconds happens what otherwise takes
    /// minutes.
    pub(crate) fn short(store: PathBuf, seconds: u64) -> Plan {
        Plan {
            is_short: true,
            haul_ms: seconds * 1000,
            row_ms: 2000,
            kill_ms: Some((2000, 6000)),
            keep_ms: 4000,
            cold_ms: 8000,
            size: Size { single_keys: 1000, slow_keys: 100, batch_pages: 4, marks: 2000 },
            segment_bytes: 1 << 20,
            memory_bytes: 4 << 20,
            turn_ms: 2000,
            holder_ms: Some(2000),
            ..Plan::full(store, 0)
        }
    }

    pub(crate) fn lanes(&self) -> [Lane; LANES] {
        Lane::all(self.size)
    }

    pub(crate) fn keep(&self) -> Duration {
        Duration::from_millis(self.keep_ms)
    }

    pub(crate) fn haul(&self) -> Duration {
        Duration::from_millis(self.haul_ms)
    }

    pub(crate) fn row(&self) -> Duration {
        Duration::from_millis(self.row_ms)
    }

    /// What is said of each prefix. The empty one is the root.
    pub(crate) fn policies(&self) -> [(&'static str, Policy); 6] {
        let keeps = Policy::default().keep_for(self.keep());
        [
            ("", keeps.cold_after(Duration::from_millis(self.cold_ms))),
            ("haul/single", keeps),
            ("haul/batch", Policy::default().keep_last(3)),
            ("haul/queue", Policy::default().keep_last(1)),
            ("haul/restored", Policy::default().keep_last(2)),
            ("haul/marks", Policy::default().keep_last(1)),
        ]
    }
}
