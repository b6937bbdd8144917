//! What a part says to the parent: a line of JSON each, on its standard output.
//!
//! Invariant: what was acknowledged is said after the store said it, never before; a line without its end was not said.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::latency::Counts;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// The writer has opened the store, and found each lane, and the marks last, at this number.
    Opened { open_us: u64, torn_bytes: u64, found: Vec<u64> },
    /// Newly acknowledged: of a lane, by its place in [`crate::lanes::Lane::all`] or one behind for the marks, all up
    /// to commit `n`, which stands at `seq`.
    Acked(Vec<Ack>),
    /// What took how long since the last beat, and how much was compared.
    Beat { latencies: Vec<(Kind, Counts)>, checks: u64 },
    /// It ends, since something is wrong.
    Failed { is_wrong_answer: bool, text: String },
    /// It was asked to end, and has: the writer has closed the store.
    Closed,
}

/// All commits of a lane up to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ack {
    pub(crate) lane: usize,
    pub(crate) n: u64,
    pub(crate) seq: u64,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A commit of up to three events, from its call to its return.
    Commit,
    /// A commit of a hundred to a thousand.
    Batch,
    /// A value of a key, of the newest state or of a past one.
    Read,
    /// A whole scope.
    Scan,
    /// A reader's refresh.
    Refresh,
    /// The sync of the probe.
    Sync,
}

impl Kind {
    pub(crate) const ALL: [Kind; 6] = [Kind::Commit, Kind::Batch, Kind::Read, Kind::Scan, Kind::Refresh, Kind::Sync];
}

impl Said {
    /// Says it. An error means that nobody listens any more.
    pub(crate) fn say(&self) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        let mut out = io::stdout().lock();
        out.write_all(&line)?;
        out.flush()
    }
}
