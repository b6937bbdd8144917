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

const NAMES: [&str; 3] = [
    "engine::compaction/overwrites,commits",
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

/// All three, over one workload.
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
    let turns = bench.take_turns(&mut [
        Box::new(|| {
            let done = overwrite(bench, true)?;
            let must = (bench.amount(KEYS) * KEPT * USER_BYTES) as f64;
            left.push(done.left as f64 / must);
            written.push(done.written as f64 / (bench.amount(COMMITS) * BATCH) as f64);
            Ok(Sample::of_load(&done.load, 1))
        }),
        Box::new(|| Ok(Sample::of_load(&overwrite(bench, false)?.load, 1))),
    ])?;
    let row = |index: usize, unit, aim, measured| Row {
        name: NAMES[index],
        unit,
        aim,
        measured,
        baseline: None,
        conditions: turns.conditions,
    };
    let commits = Aim { p99_ratio_at_most: Some(1.2), ..Aim::default() };
    let half_more = Aim { at_most: Some(150.0), ..Aim::default() };
    Ok(vec![
        Row {
            baseline: Some(("the same without compaction".to_owned(), turns.samples[1])),
            ..row(0, Unit::PerSecond, commits, turns.samples[0])
        },
        // Of the keys and values of the versions that must be kept.
        row(1, Unit::Percent, half_more, Sample::value(100.0 * crate::figure::median(left))),
        // For each event.
        row(2, Unit::Bytes, Aim::default(), Sample::value(crate::figure::median(written))),
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
        Ok(Overwritten { load, left: bytes_below(dir)?, written: written_bytes()? - before })
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

fn bytes_below(dir: &std::path::Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // A spare is on its way to be a segment again.
        if entry.path().extension().is_some_and(|extension| extension == "tmp") {
            continue;
        }
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// Bytes that this process has had written to the disk.
fn written_bytes() -> io::Result<u64> {
    let told = fs::read_to_string("/proc/self/io")?;
    let line = told.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.trim().parse().ok()).ok_or_else(|| io::Error::other("/proc/self/io says nothing"))
}
