//! A [`Figure`] is a thing to measure; a [`Row`] is what came out, with the baseline of the same run beside it.
//!
//! Invariant: a verdict is computed from the numbers shown and from nothing else.

mod sample;

use std::io;

pub(crate) use sample::{Latency, Sample, median};

use crate::bench::Bench;

/// A thing to measure.
pub(crate) struct Figure {
    /// `module::op/key=value`, one for each row that comes out.
    pub(crate) names: &'static [&'static str],
    /// Measures it.
    pub(crate) run: fn(&Bench) -> io::Result<Vec<Row>>,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things per second: more is better.
    PerSecond,
    /// Bytes: less is better.
    Bytes,
    /// Seconds: less is better.
    Seconds,
    /// Percent: less is better.
    Percent,
}

/// What is wanted of a row. All of it must hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Aim {
    /// At least this.
    pub(crate) at_least: Option<f64>,
    /// At most this.
    pub(crate) at_most: Option<f64>,
    /// Measured over baseline, at least.
    pub(crate) ratio_at_least: Option<f64>,
    /// Measured over baseline, at most.
    pub(crate) ratio_at_most: Option<f64>,
    /// Microseconds of the p99, at most.
    pub(crate) p99_us_at_most: Option<f64>,
    /// p50 over the baseline's, at most.
    pub(crate) p50_ratio_at_most: Option<f64>,
    /// p99 over the baseline's, at most.
    pub(crate) p99_ratio_at_most: Option<f64>,
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Row {
    /// The name of the figure.
    pub(crate) name: &'static str,
    /// What the numbers count.
    pub(crate) unit: Unit,
    /// What is wanted.
    pub(crate) aim: Aim,
    /// Ours: medians over the rounds.
    pub(crate) measured: Sample,
    /// What it is compared with, and its medians.
    pub(crate) baseline: Option<(String, Sample)>,
    /// Under which it was measured.
    pub(crate) conditions: Conditions,
}

/// What the machine gave while the rounds of a figure ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// The median fdatasync.
    pub(crate) sync_p50_us: f64,
    /// Percent of the cores that other processes took, if the system tells.
    pub(crate) others_percent: Option<f64>,
}

/// More than this, and a fdatasync waits for a core instead of the disk: neither "reached" nor "short" proves anything.
const OTHERS_PERCENT_MAX: f64 = 10.0;

impl Conditions {
    /// Whether other processes took so much that the numbers say little.
    pub(crate) fn disturbed(&self) -> bool {
        self.others_percent.is_some_and(|percent| percent > OTHERS_PERCENT_MAX)
    }
}

/// Whether the aim was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of it.
    Reached,
    /// Not all of it.
    Short,
}

impl Row {
    /// Measured over baseline; of two losses a ratio says nothing.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let compared = self.baseline.as_ref().filter(|_| self.unit != Unit::Percent);
        compared.map(|(_, baseline)| self.measured.value / baseline.value)
    }

    /// Whether all of the aim was reached. A number that the aim needs and that is missing is short of it.
    pub(crate) fn verdict(&self) -> Verdict {
        let baseline = self.baseline.as_ref().and_then(|(_, baseline)| baseline.latency);
        let ratio_of = |quantile: fn(&Latency) -> f64| {
            self.measured.latency.zip(baseline).map(|(ours, baseline)| quantile(&ours) / quantile(&baseline))
        };
        let p99 = self.measured.latency.map(|latency| latency.p99_us);
        let (value, ratio) = (Some(self.measured.value), self.ratio());
        let low = [(self.aim.at_least, value), (self.aim.ratio_at_least, ratio)];
        let high = [
            (self.aim.at_most, value),
            (self.aim.ratio_at_most, ratio),
            (self.aim.p99_us_at_most, p99),
            (self.aim.p50_ratio_at_most, ratio_of(|latency| latency.p50_us)),
            (self.aim.p99_ratio_at_most, ratio_of(|latency| latency.p99_us)),
        ];
        let reached = low.iter().all(|(aim, found)| aim.is_none_or(|aim| found.is_some_and(|found| found >= aim)))
            && high.iter().all(|(aim, found)| aim.is_none_or(|aim| found.is_some_and(|found| found <= aim)));
        if reached { Verdict::Reached } else { Verdict::Short }
    }
}

#[cfg(test)]
mod tests;
