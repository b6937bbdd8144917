//! How long something took, of many times: the percentiles that are shown of it.
//!
//! Invariant: a percentile is given only where so many times were measured that at least one of them lies above it:
//! what a thousandth is of a hundred times, nobody knows. The highest is always given, as percentile 100.

use std::{io, time::Duration};

use hdrhistogram::Histogram;

use crate::{bench::Measured, row::Point};

/// Each with the fewest times of which one lies above it.
const PERCENTILES: [(f64, u64); 5] = [(50.0, 2), (90.0, 10), (99.0, 100), (99.9, 1000), (99.99, 10_000)];
/// 10 ns to a minute, three digits.
const BOUNDS_NANOS: (u64, u64) = (10, 60_000_000_000);

/// Times.
pub(super) struct Latency(Histogram<u64>);

impl Latency {
    /// None yet.
    pub(super) fn new() -> io::Result<Latency> {
        Histogram::new_with_bounds(BOUNDS_NANOS.0, BOUNDS_NANOS.1, 3).map(Latency).map_err(io::Error::other)
    }

    /// One more.
    pub(super) fn record(&mut self, took: Duration) {
        self.0.saturating_record(took.as_nanos() as u64);
    }

    /// All of another.
    pub(super) fn add(&mut self, other: &Latency) -> io::Result<()> {
        self.0.add(&other.0).map_err(io::Error::other)
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Microseconds that so many percent of the times do not exceed.
    pub(super) fn micros(&self, percentile: f64) -> f64 {
        self.0.value_at_percentile(percentile) as f64 / 1000.0
    }

    /// The same, with the curve of all percentiles beside it.
    pub(super) fn micros_in_curve(&self, percentile: f64) -> Measured {
        Measured { number: self.micros(percentile), curve: self.curve() }
    }

    fn curve(&self) -> Vec<Point> {
        let known = PERCENTILES.into_iter().filter(|(_, least)| *least <= self.count()).map(|(percent, _)| percent);
        let shown = known.chain((self.count() > 0).then_some(100.0));
        shown.map(|percent| (percent, self.micros(percent))).collect()
    }
}

#[cfg(test)]
mod tests;
