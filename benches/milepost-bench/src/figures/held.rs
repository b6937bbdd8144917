//! What a reader costs everybody else that holds an old view all the time: two stores do the same in turns, beside one
//! of them a view of the first version of every key is held from the end of the filling on.
//!
//! The view keeps the files of runs that merges replace, so it costs disk; nothing else is to differ.

use std::{cell::Cell, io};

use milepost_engine::Engine;
use milepost_types::{At, Seq};

use super::{
    reads::{History, Reader, mixed},
    threads::commit_to,
};
use crate::{
    bench::Bench,
    contest::Shape,
    figure::{Aim, Figure, Row, Sample, Unit},
    load, store,
};

const NAMES: [&str; 5] = [
    "engine::held/commit,threads=64",
    "engine::held/commit,threads=64,events=100",
    "engine::held/get,at=latest",
    "engine::held/get,at=random",
    "engine::held/get_many,keys=64,at=random",
];
/// Keys that are read at once.
const KEYS: u64 = 64;
/// What is measured, in the order of the names.
type Measure<'a> = &'a dyn Fn(&Engine, &mut u64) -> io::Result<Sample>;

/// 100 000 keys with twenty versions each, and what is committed behind them.
pub(crate) const HELD: Figure = Figure { names: &NAMES, run };

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let history = History { blocks: bench.amount(100), versions: 20 };
    let time = bench.turn();
    let commits = |threads, events| {
        move |engine: &Engine, turn: &mut u64| {
            let load = commit_to(engine, bench, Shape { threads, events }, turn)?;
            Ok(Sample::of_load(&load, events))
        }
    };
    let latest =
        |engine: &Engine, _: &mut u64| Ok(mixed::run(time, 2, history.latest(engine), history.writer(engine)?)?.reader);
    let random =
        |engine: &Engine, _: &mut u64| Ok(mixed::run(time, 2, history.random(engine), history.writer(engine)?)?.reader);
    let many = |engine: &Engine, _: &mut u64| {
        let (mut reader, read) = (Reader::new(1), history.many(engine, KEYS, true));
        Ok(Sample::of_load(&load::run_here(time, || read(&mut reader))?, KEYS))
    };
    let (single, batches) = (commits(64, 1), commits(64, 100));
    let measures: [Measure<'_>; 5] = [&single, &batches, &latest, &random, &many];
    store::with_named(bench, "held", |held, _| {
        store::with(bench, |free, _| {
            history.write(held)?;
            history.write(free)?;
            let view = held.view(At::Seq(Seq(history.blocks))).map_err(io::Error::other)?;
            // The keys of the first turn are those of the history.
            let (mut turn, mut rows) = (1, Vec::new());
            for (name, measure) in NAMES.into_iter().zip(measures) {
                rows.push(beside(bench, name, measure, [held, free], &mut turn)?);
            }
            // Held to the end, and still a view of what it was.
            history.check_first(&view)?;
            Ok(rows)
        })
    })
}

/// The same of both stores, in turns.
fn beside(
    bench: &Bench,
    name: &'static str,
    measure: Measure<'_>,
    [held, free]: [&Engine; 2],
    turn: &mut u64,
) -> io::Result<Row> {
    let next = Cell::new(*turn);
    let measured = |engine| {
        let mut turn = next.get();
        let sample = measure(engine, &mut turn)?;
        next.set(turn);
        Ok(sample)
    };
    let turns = bench.take_turns(&mut [Box::new(|| measured(held)), Box::new(|| measured(free))])?;
    *turn = next.get();
    Ok(Row {
        name,
        unit: Unit::PerSecond,
        aim: Aim { ratio_at_least: Some(0.95), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some(("no view held".to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    })
}
