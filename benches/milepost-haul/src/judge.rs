//! Whether something grows: the median of the last third of the rows against that of the middle third. The first third
//! is warming up: memory fills, retention begins to let go.
//!
//! Invariant: a verdict says both medians and its bound. What grows by its bound from one third to the next is never
//! called flat, and what has too few rows is not judged.
//!
//! Must not know: where rows come from.

use serde::Serialize;

use crate::{latency::Spread, plan::Plan, processes::Part, row::Row};

/// Rows of a third below which a median says nothing.
const ROWS_OF_A_THIRD_MIN: usize = 3;
const MIB: f64 = (1 << 20) as f64;
/// Commits are asked to keep within so many times what the disk itself takes for a sync.
const SYNCS_OF_A_COMMIT: f64 = 3.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Flat,
    Grows,
    /// Not judged in this form.
    Reported,
    TooShort,
    /// An aim.
    Reached,
    /// An aim that was not reached.
    Short,
}

/// One thing that was judged.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    /// Of the middle third; of an aim, what it is compared with.
    pub(crate) before: f64,
    /// Of the last third; of an aim, what was measured.
    pub(crate) after: f64,
    pub(crate) times: f64,
    pub(crate) times_max: f64,
    pub(crate) outcome: Outcome,
}

/// What is looked at in each row.
struct Measure {
    name: String,
    unit: &'static str,
    of: Look,
    bound: Bound,
}

/// What a row says of a measure, if it says anything.
type Look = Box<dyn Fn(&Row) -> Option<f64>>;

/// It grows if the last third has both more than `times` as much as the middle one, and more than `slack` more.
#[derive(Clone, Copy)]
struct Bound {
    times: f64,
    slack: f64,
    /// Reported and not judged.
    is_reported: bool,
    /// How much slower the disk itself became may be taken off.
    is_of_the_disk: bool,
}

/// The verdicts over all rows.
pub(crate) fn verdicts(rows: &[Row], plan: &Plan) -> Vec<Verdict> {
    measures(plan).iter().filter_map(|measure| verdict(rows, measure)).collect()
}

/// The aim of a commit: its p99.9 over the whole haul beside that of the disk's own sync. `None` without either.
pub(crate) fn aim(commit: &Spread, sync: &Spread) -> Option<Verdict> {
    let times = commit.p999_us / sync.p999_us;
    (commit.count > 0 && sync.count > 0).then(|| Verdict {
        name: "aim: commit p99.9 : sync".to_owned(),
        unit: "us",
        before: sync.p999_us,
        after: commit.p999_us,
        times,
        times_max: SYNCS_OF_A_COMMIT,
        outcome: if times <= SYNCS_OF_A_COMMIT { Outcome::Reached } else { Outcome::Short },
    })
}

/// What is looked at, and why each bound is what it is.
fn measures(plan: &Plan) -> Vec<Measure> {
    let segment = f64::from(plan.segment_bytes) / MIB;
    let mut measures = Vec::new();
    let mut add = |name: String, unit, of: Look, bound| {
        measures.push(Measure { name, unit, of, bound });
    };
    for part in Part::ALL {
        // Memory is bounded by settings, so it has to stay where it is. A tenth is what the moment of a sample makes:
        // a memtable half full or full. The slack is one freeze of the smallest setting. In the short form a third has
        // few samples, and a kill comes before memory is full.
        let bound = if plan.is_short { Bound::new(2.0, 32.0) } else { Bound::new(1.1, 4.0) };
        let memory = move |row: &Row| row.of(part.name()).map(|process| process.anonymous_bytes as f64 / MIB);
        add(format!("memory of the {}", part.name()), "MiB", Box::new(memory), bound);
        // Descriptors are a few and do not depend on how much is stored.
        let descriptors = move |row: &Row| row.of(part.name()).map(|process| process.descriptors as f64);
        add(format!("descriptors of the {}", part.name()), "", Box::new(descriptors), Bound::new(1.2, 8.0));
    }
    // Files and bytes swing with every pass of compaction and every merge: by a segment or two, and a third of what is
    // kept may be dead for good reason. What grows from nothing by as much each minute has in the last third 1.67 times
    // as much as in the middle one, so a bound has to stay well below that.
    // In the short form a third is seconds, and one pass takes a dozen small segments.
    let (times, swing): (f64, f64) = if plan.is_short { (1.35, 12.0) } else { (1.2, 2.0) };
    let files = Bound::new(times, swing.max(8.0));
    add("files".to_owned(), "", Box::new(|row| Some(row.store.files as f64)), files);
    let bytes = |row: &Row| Some(row.store.bytes as f64 / MIB);
    add("bytes of the store".to_owned(), "MiB", Box::new(bytes), Bound::new(times, swing * segment));
    let held = |row: &Row| Some(row.held_bytes() as f64 / MIB);
    add("removed files held".to_owned(), "MiB", Box::new(held), Bound::new(times, swing * segment));
    // Latencies of neighbouring minutes differ by a quarter on a quiet machine. Half as much again is more than noise;
    // what the disk itself became slower is taken off, since a neighbour's disk is not the store's growth. It sees a
    // latency that follows what was ever written, and not one that doubles in an hour: for that there are the rows.
    let latency = |slack| Bound { is_reported: plan.is_short, is_of_the_disk: true, ..Bound::new(1.5, slack) };
    add("commit p99".to_owned(), "us", Box::new(|row| p99(&row.commit)), latency(200.0));
    add("batch p99".to_owned(), "us", Box::new(|row| p99(&row.batch)), latency(1000.0));
    let bound = Bound { is_of_the_disk: false, ..latency(20.0) };
    add("read p99".to_owned(), "us", Box::new(|row| p99(&row.read)), bound);
    // What a crash costs must not grow with what was ever written.
    let open = |row: &Row| (row.open_us > 0).then_some(row.open_us as f64 / 1000.0);
    let bound = Bound { is_of_the_disk: false, ..latency(200.0) };
    add("longest opening".to_owned(), "ms", Box::new(open), bound);
    measures
}

impl Bound {
    fn new(times: f64, slack: f64) -> Bound {
        Bound { times, slack, is_reported: false, is_of_the_disk: false }
    }
}

fn p99(spread: &Spread) -> Option<f64> {
    (spread.count > 0).then_some(spread.p99_us)
}

fn verdict(rows: &[Row], measure: &Measure) -> Option<Verdict> {
    let (middle, last) = thirds(rows);
    let medians = |of: &dyn Fn(&Row) -> Option<f64>| {
        let values = |rows: &[Row]| rows.iter().filter_map(of).collect::<Vec<_>>();
        let (middle, last) = (values(middle), values(last));
        let enough = middle.len().min(last.len()) >= ROWS_OF_A_THIRD_MIN;
        Some((median(middle)?, median(last)?, enough))
    };
    let (before, after, enough) = medians(&measure.of)?;
    let bound = measure.bound;
    let disk = medians(&|row| p99(&row.sync)).map_or(1.0, |(before, after, _)| (after / before).max(1.0));
    let allowed = before * bound.times * if bound.is_of_the_disk { disk } else { 1.0 };
    let outcome = match () {
        () if bound.is_reported => Outcome::Reported,
        () if !enough => Outcome::TooShort,
        () if after > allowed && after - before > bound.slack => Outcome::Grows,
        () => Outcome::Flat,
    };
    let times = if before > 0.0 { after / before } else { 1.0 };
    Some(Verdict {
        name: measure.name.clone(),
        unit: measure.unit,
        before,
        after,
        times,
        times_max: bound.times,
        outcome,
    })
}

/// The middle third of the rows and the last.
fn thirds(rows: &[Row]) -> (&[Row], &[Row]) {
    let third = rows.len() / 3;
    let (before, last) = rows.split_at(rows.len() - third);
    (&before[before.len() - third..], last)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 1 { *middle } else { (middle + values[values.len() / 2 - 1]) / 2.0 })
}

#[cfg(test)]
mod tests;
