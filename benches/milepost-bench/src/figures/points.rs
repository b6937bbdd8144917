//! Checkpoint, restore and fork of a scope of a million keys, each beside a small commit: none of them may cost what
//! there is, only what changes.

use std::{
    cell::Cell,
    io,
    time::{Duration, Instant},
};

use milepost_engine::Engine;
use milepost_types::{At, Scope, Seq};

use crate::{
    bench::Bench,
    event::Event,
    figure::{Aim, Figure, Row, Sample, Unit},
    load::{self, Load},
    store,
};

const NAMES: [&str; 4] = [
    "engine::checkpoint/keys=1m",
    "engine::restore/changes=10,keys=1m",
    "engine::restore/changes=10,keys=1m,to=checkpoint",
    "engine::fork/keys=1m",
];
/// Thousands of keys, and as many commits.
const THOUSANDS: u64 = 1000;
/// Keys that a restore puts back.
const CHANGES: u64 = 10;
/// As many small commits as one of these may take.
const COMMITS: f64 = 3.0;

/// All of them, over one store.
pub(crate) const POINTS: Figure = Figure { names: &NAMES, run };

/// What is timed, over and over: how long one took.
type Timed<'a> = &'a mut dyn FnMut() -> io::Result<Duration>;

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let turns = store::with(bench, |engine, _| {
        let keys = bench.amount(THOUSANDS) * 1000;
        let point = write(engine, keys)?;
        let (scope, names) = (store::scope()?, Cell::new(0_u64));
        let other = Scope::parse("task/other").map_err(io::Error::other)?;
        bench.take_turns(&mut [
            Box::new(|| repeat(bench, &mut || checkpoint(engine, &scope, next(&names)))),
            Box::new(|| repeat(bench, &mut || restore(engine, &scope, next(&names) * CHANGES % keys))),
            Box::new(|| repeat(bench, &mut || restore_to_checkpoint(engine, &scope, next(&names) * CHANGES % keys))),
            Box::new(|| repeat(bench, &mut || fork(engine, &scope, point, next(&names), keys))),
            Box::new(|| repeat(bench, &mut || small(engine, &other, next(&names)))),
        ])
    })?;
    let aim = Aim { p50_ratio_at_most: Some(COMMITS), ..Aim::default() };
    let row = |index: usize| Row {
        name: NAMES[index],
        unit: Unit::PerSecond,
        aim,
        measured: turns.samples[index],
        baseline: Some(("a small commit".to_owned(), turns.samples[NAMES.len()])),
        conditions: turns.conditions,
    };
    Ok((0..NAMES.len()).map(row).collect())
}

fn next(names: &Cell<u64>) -> u64 {
    names.set(names.get() + 1);
    names.get()
}

/// Sets all keys, a thousand to a commit: the moment after that.
fn write(engine: &Engine, keys: u64) -> io::Result<Seq> {
    let (scope, mut event) = (store::scope()?, Event::new());
    for thousand in 0..keys / 1000 {
        let numbers = thousand * 1000..(thousand + 1) * 1000;
        store::commit(engine, &scope, &mut event, numbers.map(|number| (number, number)))?;
    }
    Ok(engine.last().seq)
}

/// Does one thing until it took a turn's time, whatever was done in between.
fn repeat(bench: &Bench, act: Timed<'_>) -> io::Result<Sample> {
    let (mut latency, mut elapsed) = (load::histogram(), Duration::ZERO);
    while elapsed < bench.turn() {
        let took = act()?;
        latency.saturating_record(took.as_nanos() as u64);
        elapsed += took;
    }
    Ok(Sample::of_load(&Load { acts: latency.len(), elapsed, latency }, 1))
}

fn small(engine: &Engine, scope: &Scope, number: u64) -> io::Result<Duration> {
    let (mut event, started) = (Event::new(), Instant::now());
    store::commit(engine, scope, &mut event, [(number, number)])?;
    Ok(started.elapsed())
}

fn checkpoint(engine: &Engine, scope: &Scope, number: u64) -> io::Result<Duration> {
    let started = Instant::now();
    let mut request = engine.request();
    request.add_checkpoint(scope, &format!("after-{number}"), None).map_err(io::Error::other)?;
    engine.commit(request).map_err(io::Error::other)?;
    Ok(started.elapsed())
}

fn restore(engine: &Engine, scope: &Scope, first: u64) -> io::Result<Duration> {
    let point = engine.last().seq;
    restore_to(engine, scope, first, At::Seq(point))
}

fn restore_to_checkpoint(engine: &Engine, scope: &Scope, first: u64) -> io::Result<Duration> {
    let name = format!("before-{first}");
    let mut request = engine.request();
    request.add_checkpoint(scope, &name, None).map_err(io::Error::other)?;
    engine.commit(request).map_err(io::Error::other)?;
    restore_to(engine, scope, first, At::Checkpoint { scope: scope.clone(), name })
}

/// Changes a few keys, and takes the time of putting them back as they were at the point, which is the last commit.
fn restore_to(engine: &Engine, scope: &Scope, first: u64, point: At) -> io::Result<Duration> {
    store::commit(engine, scope, &mut Event::new(), (first..first + CHANGES).map(|key| (key, key + 1)))?;
    let started = Instant::now();
    let restoration = engine.restoration(scope, point).map_err(io::Error::other)?;
    let request = restoration.add_to(engine.request()).map_err(io::Error::other)?;
    engine.commit(request).map_err(io::Error::other)?;
    let took = started.elapsed();
    let changed = restoration.differences().len() as u64;
    if changed == CHANGES { Ok(took) } else { Err(io::Error::other(format!("{changed} keys put back"))) }
}

/// Forks into a new scope, and reads a key there.
fn fork(engine: &Engine, origin: &Scope, point: Seq, number: u64, keys: u64) -> io::Result<Duration> {
    let scope = Scope::parse(&format!("task/fork/{number}")).map_err(io::Error::other)?;
    let started = Instant::now();
    let mut request = engine.request();
    request.add_fork(&scope, origin, point).map_err(io::Error::other)?;
    engine.commit(request).map_err(io::Error::other)?;
    let took = started.elapsed();
    let mut event = Event::new();
    event.number(number % keys, number % keys);
    let found = engine.get(scope.as_str(), event.key()).map_err(io::Error::other)?;
    if found.as_deref() == Some(event.value()) { Ok(took) } else { Err(io::Error::other("a fork without its keys")) }
}
