//! A store of two million events before and after it was made cold: bytes on the disk, random reads, replay.
//!
//! The newest values lie in a twentieth of the log, of which the cache holds a good part; those of random moments in
//! all of it.

use std::{io, path::Path};

use milepost_engine::{Engine, Parts, Settings};

use super::{
    reads::{History, Reader},
    replay::replay,
};
use crate::{
    bench::Bench,
    event::SCOPE,
    figure::{Aim, Figure, Row, Sample, Unit},
    load, store,
};

const NAMES: [&str; 4] = [
    "engine::cold/events=2m,bytes",
    "engine::cold/events=2m,get=latest",
    "engine::cold/events=2m,get=random",
    "engine::cold/events=2m,replay",
];
/// A hundred thousand keys, in thousands.
const THOUSANDS: u64 = 100;
const VERSIONS: u64 = 20;
/// Bytes of scope, key and value.
const USER_BYTES: u64 = SCOPE.len() as u64 + 23 + 103;

/// All of them, over two stores of the same events.
pub(crate) const COLD: Figure = Figure { names: &NAMES, run };

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let history = History { blocks: bench.amount(THOUSANDS), versions: VERSIONS };
    let events = history.blocks * 1000 * VERSIONS;
    let dirs = [bench.path("cold"), bench.path("raw")];
    let mut bytes = Vec::new();
    for (dir, is_cold) in dirs.iter().zip([true, false]) {
        let engine = open(dir)?;
        history.write(&engine)?;
        if is_cold {
            engine.compact_cold(&mut |_, _| {}).map_err(io::Error::other)?;
        }
        // What is in memory goes into runs.
        engine.close().map_err(io::Error::other)?;
        bytes.push(Sample::value(100.0 * store::bytes_below(dir)? as f64 / (events * USER_BYTES) as f64));
    }
    let [cold, raw] = [open(&dirs[0])?, open(&dirs[1])?];
    let turns = bench.take_turns(&mut [
        Box::new(|| get(bench, history.latest(&cold))),
        Box::new(|| get(bench, history.latest(&raw))),
        Box::new(|| get(bench, history.random(&cold))),
        Box::new(|| get(bench, history.random(&raw))),
        Box::new(|| super::replay::rate(events, || replay(&cold, events))),
        Box::new(|| super::replay::rate(events, || replay(&raw, events))),
    ])?;
    for (engine, dir) in [cold, raw].iter().zip(&dirs) {
        engine.close().map_err(io::Error::other)?;
        std::fs::remove_dir_all(dir)?;
    }
    let row = |index: usize, unit, aim, measured, raw| Row {
        name: NAMES[index],
        unit,
        aim,
        measured,
        baseline: Some(("the same, not cold".to_owned(), raw)),
        conditions: turns.conditions,
    };
    let (none, samples) = (Aim::default(), &turns.samples);
    let quick = Aim { p99_us_at_most: Some(30.0), ..none };
    Ok(vec![
        row(0, Unit::Percent, Aim { at_most: Some(40.0), ..none }, bytes[0], bytes[1]),
        row(1, Unit::PerSecond, quick, samples[0], samples[1]),
        row(2, Unit::PerSecond, quick, samples[2], samples[3]),
        row(3, Unit::PerSecond, none, samples[4], samples[5]),
    ])
}

fn open(dir: &Path) -> io::Result<Engine> {
    Engine::open(Parts::real(), dir, Settings::default()).map_err(io::Error::other)
}

/// Reads over and over, one thread.
fn get(bench: &Bench, read: impl Fn(&mut Reader) -> io::Result<()>) -> io::Result<Sample> {
    let mut reader = Reader::new(1);
    Ok(Sample::of_load(&load::run_here(bench.turn(), || read(&mut reader))?, 1))
}
