//! Single durable events by one thread and by many, against the bare loop.

use std::io;

use milepost_engine::Engine;

use crate::{
    bare::{BareFile, push_frame},
    bench::Bench,
    contest::{self, Shape, commit_all},
    event::{Event, SCOPE},
    figure::{Aim, Figure, Row, Sample, Unit},
    load::{self, Load},
    store,
};

const NAMES: [&str; 3] = ["engine::commit/threads=1", "engine::commit/threads=8", "engine::commit/threads=64"];

/// One thread.
pub(crate) const ONE: Figure = Figure { names: &[NAMES[0]], run: |bench| one(bench).map(|row| vec![row]) };
/// 8 threads.
pub(crate) const EIGHT: Figure = Figure { names: &[NAMES[1]], run: |bench| many(bench, NAMES[1], 8) };
/// 64 threads.
pub(crate) const SIXTY_FOUR: Figure = Figure { names: &[NAMES[2]], run: |bench| many(bench, NAMES[2], 64) };

/// One turn of the engine: every thread commits batches of the shape's events, all keys new. `turn` counts the turns on
/// this store.
pub(crate) fn commit_to(engine: &Engine, bench: &Bench, shape: Shape, turn: &mut u64) -> io::Result<Load> {
    let scope = store::scope()?;
    let start = *turn * load::NUMBERS_PER_TURN;
    *turn += 1;
    load::run(shape.threads, bench.turn(), |thread| {
        let (mut event, scope) = (Event::new(), scope.clone());
        let mut number = start + thread as u64 * load::NUMBERS_PER_THREAD;
        move || {
            let numbers = (number..number + shape.events).map(|number| (number, number));
            number += shape.events;
            store::commit(engine, &scope, &mut event, numbers)
        }
    })
}

fn one(bench: &Bench) -> io::Result<Row> {
    let path = bench.path("bare");
    let mut file = bench.bare_file(&path)?;
    let shape = Shape { threads: 1, events: 1 };
    let turns = store::with(bench, |engine, _| {
        let mut turn = 0;
        bench.take_turns(&mut [
            Box::new(|| commit_to(engine, bench, shape, &mut turn).map(|load| Sample::of_load(&load, 1))),
            Box::new(|| bare_loop(bench, &mut file).map(|load| Sample::of_load(&load, 1))),
        ])
    })?;
    std::fs::remove_file(&path)?;
    Ok(Row {
        name: NAMES[0],
        unit: Unit::PerSecond,
        aim: Aim { ratio_at_least: Some(0.95), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some(("bare loop".to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    })
}

/// The loop itself: no lock, no atomic, nothing shared.
fn bare_loop(bench: &Bench, file: &mut BareFile) -> io::Result<Load> {
    let (mut event, mut frame, mut number) = (Event::new(), Vec::new(), 0);
    load::run_here(bench.turn(), || {
        number += 1;
        event.number(number, number);
        frame.clear();
        push_frame(&mut frame, &[SCOPE.as_bytes(), event.key().as_bytes(), event.value()]);
        file.write(&frame)?;
        file.sync()
    })
}

fn many(bench: &Bench, name: &'static str, threads: usize) -> io::Result<Vec<Row>> {
    let shape = Shape { threads, events: 1 };
    let best = contest::best(bench, shape)?;
    let path = bench.path("bare");
    let log = (best.make)(bench.bare_file(&path)?);
    let turns = store::with(bench, |engine, _| {
        let mut turn = 0;
        bench.take_turns(&mut [
            Box::new(|| commit_to(engine, bench, shape, &mut turn).map(|load| Sample::of_load(&load, 1))),
            Box::new(|| commit_all(log.as_ref(), shape, bench.turn()).map(|load| Sample::of_load(&load, 1))),
        ])
    })?;
    drop(log);
    std::fs::remove_file(&path)?;
    Ok(vec![Row {
        name,
        unit: Unit::PerSecond,
        aim: Aim { ratio_at_least: Some(0.85), p99_ratio_at_most: Some(2.0), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some((format!("bare {}", best.name), turns.samples[1])),
        conditions: turns.conditions,
    }])
}
