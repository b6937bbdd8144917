//! A store that keeps a few versions of each key, overwritten again and again: what compaction does to commits beside
//! it, what it writes, and what is left.

use std::{fs, io, time::Instant};

use milepost_engine::{Engine, Settings};
use milepost_types::{Policy, ScopePrefix, limits};

use crate::{
    bench::Bench,
    event::Event,
    figure::{Aim, Figure, Row, Sample, Unit},
    load::{self, Load},
    store,
};

const NAMES: [&str; 5] = [
    "engine::compaction/overwrites,commits",
    "engine::compaction/overwrites,p99.9",
    "engine::compaction/overwrites,longest",
    "engine::compaction/overwrites,left",
    "engine::compaction/overwrites,written",
];
const KEYS: u64 = 100_000;
/// Newest versions of each key that are kept.
const KEPT: u64 = 3;
const BATCH: u64 = 200;
/// Bytes of key and value of an event: the scope stands once in a batch.
const USER_BYTES: u64 = 23 + 103;
/// Commits: two million events.
const COMMITS: u64 = 10_000;

/// All of them, over one workload.
pub(crate) const OVERWRITES: Figure = Figure { names: &NAMES, run };

/// What a turn came to.
struct Overwritten {
    load: Load,
    /// Bytes of segments and runs when compaction had nothing to do any more.
    left: u64,
    /// Bytes that went to the disk, as the system counts them.
    written: u64,
}

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let (mut left, mut written) = (Vec::new(), Vec::new());
    let (mut longest, mut longest_without) = (0.0_f64, 0.0_f64);
    let turns = bench.take_turns(&mut [
        Box::new(|| {
            let done = overwrite(bench, true)?;
            let must = (bench.amount(KEYS) * KEPT * USER_BYTES) as f64;
            left.push(done.left as f64 / must);
            written.push(done.written as f64 / (bench.amount(COMMITS) * BATCH) as f64);
            longest = longest.max(done.load.longest_us());
            Ok(Sample::of_load(&done.load, 1))
        }),
        Box::new(|| {
            let load = overwrite(bench, false)?.load;
            longest_without = longest_without.max(load.longest_us());
            Ok(Sample::of_load(&load, 1))
        }),
    ])?;
    let without = "the same without compaction";
    let row = |index: usize, unit, aim, measured, baseline: Option<Sample>| Row {
        name: NAMES[index],
        unit,
        aim,
        measured,
        baseline: baseline.map(|baseline| (without.to_owned(), baseline)),
        conditions: turns.conditions,
    };
    let (ours, theirs) = (turns.samples[0], turns.samples[1]);
    let seconds = |us: f64| Sample::value(us / 1e6);
    let p999 = |sample: Sample| seconds(sample.latency.map_or(f64::NAN, |latency| latency.p999_us));
    let commits = Aim { p99_ratio_at_most: Some(1.2), ..Aim::default() };
    let tail = Aim { ratio_at_most: Some(2.0), ..Aim::default() };
    let pause = Aim { at_most: Some(0.02), ..Aim::default() };
    let half_more = Aim { at_most: Some(150.0), ..Aim::default() };
    Ok(vec![
        row(0, Unit::PerSecond, commits, ours, Some(theirs)),
        row(1, Unit::Seconds, tail, p999(ours), Some(p999(theirs))),
        // Of all rounds: not a median.
        row(2, Unit::Seconds, pause, seconds(longest), Some(seconds(longest_without))),
        // Of the keys and values of the versions that must be kept.
        row(3, Unit::Percent, half_more, Sample::value(100.0 * crate::figure::median(left)), None),
        // For each event.
        row(4, Unit::Bytes, Aim::default(), Sample::value(crate::figure::median(written)), None),
    ])
}

fn overwrite(bench: &Bench, compaction: bool) -> io::Result<Overwritten> {
    let segment_bytes = limits::SEGMENT_BYTES / 4;
    store::with_settings(bench, Settings { compaction, segment_bytes, ..Settings::default() }, |engine, dir| {
        let mut request = engine.request();
        request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(KEPT)).map_err(io::Error::other)?;
        engine.commit(request).map_err(io::Error::other)?;
        let before = written_bytes()?;
        let load = commits(bench, engine)?;
        if compaction {
            settle(engine)?;
        }
        Ok(Overwritten { load, left: store::bytes_below(dir)?, written: written_bytes()? - before })
    })
}

/// Overwrites random keys: how long each commit took.
fn commits(bench: &Bench, engine: &Engine) -> io::Result<Load> {
    let (scope, mut event, keys) = (store::scope()?, Event::new(), bench.amount(KEYS));
    let (mut latency, started) = (load::histogram(), Instant::now());
    let mut state = 1_u64;
    for commit in 0..bench.amount(COMMITS) {
        let numbers = (0..BATCH).map(|index| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % keys, commit * BATCH + index)
        });
        let numbers: Vec<(u64, u64)> = numbers.collect();
        let begun = Instant::now();
        store::commit(engine, &scope, &mut event, numbers)?;
        latency.saturating_record(begun.elapsed().as_nanos() as u64);
    }
    Ok(Load { acts: latency.len(), elapsed: started.elapsed(), latency })
}

/// Does what the store's own thread would do in time, until a pass finds nothing that is worth it.
fn settle(engine: &Engine) -> io::Result<()> {
    let done = || (engine.compacted().dropped, engine.compacted().rewritten, engine.compacted().runs);
    loop {
        let before = done();
        while engine.step_compact().map_err(io::Error::other)? {}
        if done() == before {
            while engine.step_recycle() || engine.step_index() {}
            return Ok(());
        }
    }
}

/// Bytes that this process has had written to the disk.
fn written_bytes() -> io::Result<u64> {
    let told = fs::read_to_string("/proc/self/io")?;
    let line = told.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.trim().parse().ok()).ok_or_else(|| io::Error::other("/proc/self/io says nothing"))
}
