//! The difference of two moments of a large scope between which little changed, and of a fork and what it was forked
//! from, beside a scan of that scope.
//!
//! Every difference is counted and checked: the old value is the key's first one, the new one its second.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use milepost_engine::{Difference, Engine, Settings};
use milepost_types::{At, Scope, Seq};

use crate::{
    bench::Bench,
    event::{self, Event},
    figure::{Aim, Figure, Row, Sample, Unit},
    load, store,
};

const MEMORY: [&str; 3] = [
    "engine::diff/changes=1000,keys=1m",
    "engine::diff/changes=1000,keys=1m,from=checkpoint",
    "engine::diff/changes=1000,keys=1m,from=fork",
];
const RUNS: [&str; 3] = [
    "engine::diff/changes=1000,keys=1m,in=runs",
    "engine::diff/changes=1000,keys=1m,in=runs,from=checkpoint",
    "engine::diff/changes=1000,keys=1m,in=runs,from=fork",
];
/// The checkpoint that stands before the changes.
const CHECKPOINT: &str = "before";
/// The scope that begins as the other one was before the changes.
const FORK: &str = "task/trial";
/// Thousands of keys, and as many commits.
const THOUSANDS: u64 = 1000;
const CHANGES: u64 = 1000;
/// Memory for versions that holds a small part of the keys.
const LITTLE_MEMORY: u64 = 16 << 20;
/// The longest wait for runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The changes are in memory.
pub(crate) const IN_MEMORY: Figure = Figure { names: &MEMORY, run: |bench| run(bench, MEMORY, Settings::default()) };
/// The changes are in a run, as nearly all keys are.
pub(crate) const IN_RUNS: Figure = Figure {
    names: &RUNS,
    run: |bench| run(bench, RUNS, Settings { memory_bytes: LITTLE_MEMORY, ..Settings::default() }),
};

fn run(bench: &Bench, names: [&'static str; 3], settings: Settings) -> io::Result<Vec<Row>> {
    let in_runs = settings.memory_bytes == LITTLE_MEMORY;
    let turns = store::with_settings(bench, settings, |engine, _| {
        let keys = bench.amount(THOUSANDS) * 1000;
        let (before, after) = write(engine, keys)?;
        if in_runs && !bench.smoke {
            push_into_runs(engine, keys)?;
        }
        let scope = store::scope()?;
        let (was, is) = (At::Seq(before), At::Seq(after));
        let named = At::Checkpoint { scope: scope.clone(), name: CHECKPOINT.to_owned() };
        bench.take_turns(&mut [
            Box::new(|| diff(engine, bench, (scope.as_str(), was.clone()), is.clone())),
            Box::new(|| diff(engine, bench, (scope.as_str(), named.clone()), is.clone())),
            Box::new(|| diff(engine, bench, (FORK, is.clone()), is.clone())),
            Box::new(|| scan(engine, bench, after, keys)),
        ])
    })?;
    let row = |index: usize| Row {
        name: names[index],
        unit: Unit::PerSecond,
        aim: Aim { at_least: Some(200.0), p99_us_at_most: Some(5000.0), ..Aim::default() },
        measured: turns.samples[index],
        baseline: Some(("scan of the scope".to_owned(), turns.samples[names.len()])),
        conditions: turns.conditions,
    };
    Ok((0..names.len()).map(row).collect())
}

/// Sets all keys, a thousand to a commit, and then some anew, one to a commit, and forks what was before: the moments
/// before and after that.
fn write(engine: &Engine, keys: u64) -> io::Result<(Seq, Seq)> {
    let (scope, mut event) = (store::scope()?, Event::new());
    for thousand in 0..keys / 1000 {
        let numbers = thousand * 1000..(thousand + 1) * 1000;
        store::commit(engine, &scope, &mut event, numbers.map(|number| (number, number)))?;
    }
    let mut request = engine.request();
    request.add_checkpoint(&scope, CHECKPOINT, None).map_err(io::Error::other)?;
    let before = engine.commit(request).map_err(io::Error::other)?.seq;
    for change in 0..CHANGES {
        let key = changed_key(change, keys);
        store::commit(engine, &scope, &mut event, [(key, key + 1)])?;
    }
    let mut request = engine.request();
    request.add_fork(&Scope::parse(FORK).map_err(io::Error::other)?, &scope, before).map_err(io::Error::other)?;
    let after = engine.commit(request).map_err(io::Error::other)?.seq;
    Ok((before, after))
}

/// Keys far from each other, in no order: the factor is prime.
fn changed_key(change: u64, keys: u64) -> u64 {
    change * 7919 * (keys / CHANGES) % keys
}

/// Fills memory with keys of another scope, again and again, so that what was there before is in runs.
fn push_into_runs(engine: &Engine, keys: u64) -> io::Result<()> {
    let (scope, mut event) = (Scope::parse("task/other").map_err(io::Error::other)?, Event::new());
    let began = Instant::now();
    for thousand in 0..keys / 1000 / 2 {
        let numbers = thousand * 1000..(thousand + 1) * 1000;
        store::commit(engine, &scope, &mut event, numbers.map(|number| (number, number)))?;
        // With something frozen, nothing else is frozen.
        while thousand % 100 == 99 && engine.stats().frozen_bytes > 0 {
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other("no run was made of what is frozen"));
            }
            thread::yield_now();
        }
    }
    Ok(())
}

fn diff(engine: &Engine, bench: &Bench, (of, before): (&str, At), after: At) -> io::Result<Sample> {
    let scope = store::scope()?;
    let load = load::run_here(bench.turn(), || {
        let [old, new] = [&before, &after].map(|at| engine.view(at.clone()).map_err(io::Error::other));
        let (old, new) = (old?, new?);
        let mut found = 0;
        for difference in old.diff(of, &new, scope.as_str()).map_err(io::Error::other)? {
            check(&difference.map_err(io::Error::other)?)?;
            found += 1;
        }
        if found == CHANGES { Ok(()) } else { Err(io::Error::other(format!("{found} differences"))) }
    })?;
    Ok(Sample::of_load(&load, 1))
}

fn check(difference: &Difference) -> io::Result<()> {
    let number = |value: &Option<milepost_engine::Value>| value.as_deref().map(event::number_of).transpose();
    match (number(&difference.old)?, number(&difference.new)?) {
        (Some(old), Some(new)) if new == old + 1 && difference.key.as_str().ends_with(&old.to_string()) => Ok(()),
        (old, new) => Err(io::Error::other(format!("{} went from {old:?} to {new:?}", difference.key))),
    }
}

fn scan(engine: &Engine, bench: &Bench, at: Seq, keys: u64) -> io::Result<Sample> {
    let scope = store::scope()?;
    let load = load::run_here(bench.turn(), || {
        let view = engine.view(At::Seq(at)).map_err(io::Error::other)?;
        let found = view.scan(scope.as_str(), "").try_fold(0, |found, entry| entry.map(|_| found + 1));
        let found: u64 = found.map_err(io::Error::other)?;
        if found == keys { Ok(()) } else { Err(io::Error::other(format!("{found} keys"))) }
    })?;
    Ok(Sample::of_load(&load, 1))
}
