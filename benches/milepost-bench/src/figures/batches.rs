//! Events in batches: one writer with 1000 in each commit, 64 writers with 100.

use std::io;

use super::threads::commit_to;
use crate::{
    bench::Bench,
    contest::{self, Shape, commit_all},
    figure::{Aim, Figure, Row, Sample, Unit},
    store,
};

const NAMES: [&str; 2] = ["engine::commit/events=1000", "engine::commit/threads=64,events=100"];

/// One writer, 1000 events in each commit.
pub(crate) const ONE_WRITER: Figure = Figure {
    names: &[NAMES[0]],
    run: |bench| {
        let aim = Aim { at_least: Some(1.8e6), ..Aim::default() };
        batches(bench, NAMES[0], Shape { threads: 1, events: 1000 }, aim)
    },
};
/// 64 writers, 100 events in each commit.
pub(crate) const MANY_WRITERS: Figure = Figure {
    names: &[NAMES[1]],
    run: |bench| {
        let aim = Aim { at_least: Some(2e6), p99_us_at_most: Some(8000.0), ..Aim::default() };
        batches(bench, NAMES[1], Shape { threads: 64, events: 100 }, aim)
    },
};

/// A store per turn, so that no turn pays for the memory that the one before filled.
fn batches(bench: &Bench, name: &'static str, shape: Shape, aim: Aim) -> io::Result<Vec<Row>> {
    let best = contest::best(bench, shape)?;
    let path = bench.path("bare");
    let log = (best.make)(bench.bare_file(&path)?);
    let turns = bench.take_turns(&mut [
        Box::new(|| {
            let load = store::with(bench, |engine, _| commit_to(engine, bench, shape, &mut 0))?;
            Ok(Sample::of_load(&load, shape.events))
        }),
        Box::new(|| commit_all(log.as_ref(), shape, bench.turn()).map(|load| Sample::of_load(&load, shape.events))),
    ])?;
    drop(log);
    std::fs::remove_file(&path)?;
    Ok(vec![Row {
        name,
        unit: Unit::PerSecond,
        aim,
        measured: turns.samples[0],
        baseline: Some((format!("bare {}", best.name), turns.samples[1])),
        conditions: turns.conditions,
    }])
}
