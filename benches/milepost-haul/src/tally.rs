//! What is gathered while a row lasts, and over the whole haul.
//!
//! Invariant: what goes into a row goes into the whole, once.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use milepost_machine::Ticks;

use crate::{
    census::{OfProcess, OfStore},
    latency::{Counts, Latencies, Spread},
    processes::Part,
    row::Row,
    said::Kind,
};

pub(crate) struct Tally {
    began: Instant,
    row_began: Instant,
    ticks: Option<Ticks>,
    latencies: Latencies,
    pub(crate) whole: Latencies,
    processes: BTreeMap<&'static str, OfProcess>,
    open: Duration,
    checks: u64,
    pub(crate) checks_in_all: u64,
    pub(crate) kills: u64,
    pub(crate) open_longest: Duration,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        let now = Instant::now();
        Tally {
            began: now,
            row_began: now,
            ticks: Ticks::now(),
            latencies: Latencies::default(),
            whole: Latencies::default(),
            processes: BTreeMap::new(),
            open: Duration::ZERO,
            checks: 0,
            checks_in_all: 0,
            kills: 0,
            open_longest: Duration::ZERO,
        }
    }

    pub(crate) fn add(&mut self, latencies: &[(Kind, Counts)], checks: u64) {
        latencies.iter().for_each(|(kind, counts)| self.latencies.add(*kind, counts));
        self.checks += checks;
        self.checks_in_all += checks;
    }

    pub(crate) fn opened(&mut self, took: Duration) {
        self.open = self.open.max(took);
        self.open_longest = self.open_longest.max(took);
    }

    pub(crate) fn sample(&mut self, part: Part, seen: OfProcess) {
        let most = self.processes.entry(part.name()).or_default();
        *most = most.most(seen);
    }

    /// The row, and the next one begins.
    pub(crate) fn row(&mut self, store: OfStore) -> Row {
        let (now, ticks) = (Instant::now(), Ticks::now());
        let seconds = (now - self.row_began).as_secs_f64();
        let spread = |kind| Spread::of(self.latencies.of(kind));
        let (commit, batch) = (spread(Kind::Commit), spread(Kind::Batch));
        let row = Row {
            at_s: (now - self.began).as_secs_f64(),
            seconds,
            commits_per_s: (commit.count + batch.count) as f64 / seconds,
            commit,
            batch,
            read: spread(Kind::Read),
            scan: spread(Kind::Scan),
            refresh: spread(Kind::Refresh),
            sync: spread(Kind::Sync),
            processes: std::mem::take(&mut self.processes),
            store,
            others_percent: ticks.zip(self.ticks).and_then(|(now, before)| now.percent_of_others_since(before)),
            kills: self.kills,
            open_us: std::mem::take(&mut self.open).as_micros() as u64,
            checks: std::mem::take(&mut self.checks),
        };
        self.whole.add_all(&std::mem::take(&mut self.latencies));
        (self.row_began, self.ticks) = (now, ticks);
        row
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }
}
