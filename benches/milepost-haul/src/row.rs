//! One row: what a minute was like.
//!
//! Invariant: every number is of this row's time alone; what was not measured says so.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    census::{OfProcess, OfStore},
    latency::Spread,
};

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Row {
    /// The end of it, since the haul began.
    pub(crate) at_s: f64,
    pub(crate) seconds: f64,
    /// Commits of all kinds, per second.
    pub(crate) commits_per_s: f64,
    pub(crate) commit: Spread,
    pub(crate) batch: Spread,
    pub(crate) read: Spread,
    pub(crate) scan: Spread,
    pub(crate) refresh: Spread,
    pub(crate) sync: Spread,
    /// By the name of the part, the most of it that was seen.
    pub(crate) processes: BTreeMap<&'static str, OfProcess>,
    pub(crate) store: OfStore,
    /// Percent of the processors.
    pub(crate) others_percent: Option<f64>,
    /// Since the haul began.
    pub(crate) kills: u64,
    /// The longest opening, by the writer or, after a kill, by the parent to read.
    pub(crate) open_us: u64,
    /// Things that readers compared.
    pub(crate) checks: u64,
}

impl Row {
    pub(crate) fn of(&self, part: &str) -> Option<&OfProcess> {
        self.processes.get(part)
    }

    /// Removed files that some process still maps, of all processes together.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.processes.values().map(|process| process.held_bytes).sum()
    }
}
