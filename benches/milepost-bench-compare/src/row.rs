//! [`Row`]: what one engine reached in one figure, with the sync of the same rounds beside it.
//!
//! Invariant: a ratio is computed from the medians shown and from nothing else; every point of a curve is a median of
//! points that were measured.

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things per second: more is better.
    PerSecond,
    /// Bytes on disk per byte that the user gave: less is better.
    Fold,
    /// Microseconds: less is better.
    Micros,
    /// Nanoseconds: less is better.
    Nanos,
    /// Seconds: less is better.
    Seconds,
    /// Bytes: less is better.
    Bytes,
    /// How many: less is better.
    Count,
}

/// A point of a curve: x and y.
pub(crate) type Point = (f64, f64);

/// What came out.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// `module::op/key=value`.
    pub(crate) figure: &'static str,
    /// Who, and how if there is more than one way.
    pub(crate) engine: String,
    /// What the numbers count.
    pub(crate) unit: Unit,
    /// A number for each round.
    pub(crate) rounds: Vec<f64>,
    /// What the number was made of, if it was measured: the median of the rounds at each x, in the order of x. A y
    /// counts what the numbers count.
    pub(crate) curve: Vec<Point>,
    /// The median of Milepost, or of the first way of it, in the same rounds.
    pub(crate) milepost: Option<f64>,
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

/// More than this, and the cores were not ours: the numbers say little.
const OTHERS_PERCENT_MAX: f64 = 10.0;

impl Row {
    /// The median of the rounds.
    pub(crate) fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// The lowest and the highest round.
    pub(crate) fn range(&self) -> (f64, f64) {
        let low = self.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        (low, self.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    /// This median over that of Milepost.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.milepost.map(|milepost| self.median() / milepost)
    }
}

impl Conditions {
    /// Whether other processes took so much that the numbers say little.
    pub(crate) fn disturbed(self) -> bool {
        self.others_percent.is_some_and(|percent| percent > OTHERS_PERCENT_MAX)
    }
}

/// The middle one; of an even count the mean of the two in the middle.
///
/// # Panics
///
/// If there is none: a figure always runs at least one round.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    assert!(!numbers.is_empty(), "a median needs at least one number");
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) }
}

/// At each x of any round, the median of the rounds that have a point there.
pub(crate) fn median_curve(rounds: &[Vec<Point>]) -> Vec<Point> {
    let mut xs: Vec<f64> = rounds.iter().flatten().map(|(x, _)| *x).collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    let at = |x: f64| rounds.iter().flatten().filter(move |point| point.0 == x).map(|(_, y)| *y);
    xs.into_iter().map(|x| (x, median(at(x).collect()))).collect()
}

#[cfg(test)]
mod tests;
