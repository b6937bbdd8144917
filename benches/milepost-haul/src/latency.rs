//! Histograms of how long things took, in nanoseconds: gathered by many threads, sent, put together again.
//!
//! Invariant: no sample is dropped and none counted twice; what is longer than a minute counts as a minute.

use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::Serialize;

use crate::said::Kind;

const NANOS_MAX: u64 = 60_000_000_000;

/// How often each value was met.
pub(crate) type Counts = Vec<(u64, u64)>;

/// A histogram of nanoseconds up to a minute, three digits exact.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(10, NANOS_MAX, 3).expect("the bounds are valid")
}

/// A histogram for each kind.
pub(crate) struct Latencies(Vec<Histogram<u64>>);

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies(Kind::ALL.iter().map(|_| histogram()).collect())
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, kind: Kind, took: Duration) {
        self.0[kind as usize].saturating_record(took.as_nanos() as u64);
    }

    pub(crate) fn of(&self, kind: Kind) -> &Histogram<u64> {
        &self.0[kind as usize]
    }

    pub(crate) fn add(&mut self, kind: Kind, counts: &Counts) {
        for (value, count) in counts {
            self.0[kind as usize].saturating_record_n(*value, *count);
        }
    }

    pub(crate) fn add_all(&mut self, other: &Latencies) {
        for kind in Kind::ALL {
            self.add(kind, &counts(other.of(kind)));
        }
    }

    /// What was recorded, and nothing is recorded any more.
    pub(crate) fn take(&mut self) -> Vec<(Kind, Counts)> {
        let taken = std::mem::take(self);
        Kind::ALL.iter().map(|kind| (*kind, counts(taken.of(*kind)))).filter(|(_, counts)| !counts.is_empty()).collect()
    }
}

/// Where the threads of a part record.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Latencies>);

impl Recorder {
    pub(crate) fn record(&self, kind: Kind, took: Duration) {
        self.0.lock().record(kind, took);
    }

    pub(crate) fn take(&self) -> Vec<(Kind, Counts)> {
        self.0.lock().take()
    }
}

fn counts(histogram: &Histogram<u64>) -> Counts {
    histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect()
}

/// What a row says of a histogram, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
}

impl Spread {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Spread {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Spread {
            count: histogram.len(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max() as f64 / 1000.0,
        }
    }
}

#[cfg(test)]
mod tests;
