//! Point reads in memory by two threads while a writer commits, and what the writer loses by them.
//!
//! Every value read is checked against the one it must be. The writer's loss has a loss beside it that no engine can
//! avoid: that of the bare loop while two threads read a hash map.

mod history;
pub(super) mod mixed;

use std::{cell::RefCell, io};

use milepost_engine::Engine;

use crate::{
    bare::{BareFile, push_frame},
    bench::Bench,
    event::{Event, SCOPE},
    figure::{Aim, Figure, Row, Sample, Unit, median},
    store,
};
pub(super) use history::History;
use mixed::Mixed;
pub(super) use mixed::Reader;

const SMALL: [&str; 4] = [
    "engine::get/keys=100k,at=latest",
    "engine::get/keys=100k,at=random",
    "engine::commit/keys=100k,readers=latest",
    "engine::commit/keys=100k,readers=random",
];
const LARGE: [&str; 4] = [
    "engine::get/keys=1m,at=latest",
    "engine::get/keys=1m,at=random",
    "engine::commit/keys=1m,readers=latest",
    "engine::commit/keys=1m,readers=random",
];

/// 100 000 keys with 20 versions each.
pub(crate) const FEW_KEYS: Figure = Figure { names: &SMALL, run: |bench| reads(bench, &SMALL, 100, 20) };
/// A million keys with two.
pub(crate) const MANY_KEYS: Figure = Figure { names: &LARGE, run: |bench| reads(bench, &LARGE, 1000, 2) };

fn reads(bench: &Bench, names: &[&'static str; 4], thousands: u64, versions: u64) -> io::Result<Vec<Row>> {
    let history = History { blocks: bench.amount(thousands), versions };
    store::with_all_in_memory(bench, |engine, _| {
        history.write(engine)?;
        measure(bench, names, engine, history)
    })
}

/// Five turns a round: both kinds of reads beside the writer, the writer alone; the same of the bare loop.
fn measure(bench: &Bench, names: &[&'static str; 4], engine: &Engine, history: History) -> io::Result<Vec<Row>> {
    let path = bench.path("bare");
    let bare = RefCell::new(bench.bare_file(&path)?);
    let map = history.map();
    // The writer's rates: beside reads of the latest, of the past, alone; the bare writer's beside readers, alone.
    let rates: [RefCell<Vec<f64>>; 5] = Default::default();
    let keep = |turn: usize, mixed: Mixed| {
        rates[turn].borrow_mut().push(mixed.writer);
        mixed.reader
    };
    let time = bench.turn();
    let turns = bench.take_turns(&mut [
        Box::new(|| mixed::run(time, 2, history.latest(engine), history.writer(engine)?).map(|mixed| keep(0, mixed))),
        Box::new(|| mixed::run(time, 2, history.random(engine), history.writer(engine)?).map(|mixed| keep(1, mixed))),
        Box::new(|| mixed::run(time, 0, history.latest(engine), history.writer(engine)?).map(|mixed| keep(2, mixed))),
        Box::new(|| mixed::run(time, 2, history.in_map(&map), bare_writer(&bare)).map(|mixed| keep(3, mixed))),
        Box::new(|| mixed::run(time, 0, history.in_map(&map), bare_writer(&bare)).map(|mixed| keep(4, mixed))),
    ])?;
    std::fs::remove_file(&path)?;
    let rates = rates.map(RefCell::into_inner);
    let bare_loss = loss(&rates[3], &rates[4]);
    let rows = names.iter().enumerate().map(|(index, name)| {
        let of_reads = index < 2;
        let baseline = if of_reads { turns.samples[3] } else { bare_loss };
        let aim = if of_reads { (Some(1.5e6), None) } else { (None, Some(5.0)) };
        Row {
            name,
            unit: if of_reads { Unit::PerSecond } else { Unit::Percent },
            aim: Aim { at_least: aim.0, at_most: aim.1, ..Aim::default() },
            measured: if of_reads { turns.samples[index] } else { loss(&rates[index - 2], &rates[2]) },
            baseline: Some((
                if of_reads { "hash map, one version" } else { "bare loop, hash map" }.to_owned(),
                baseline,
            )),
            conditions: turns.conditions,
        }
    });
    Ok(rows.collect())
}

/// Percent that a writer loses, round by round, by what goes on beside it.
fn loss(beside: &[f64], alone: &[f64]) -> Sample {
    Sample::value(median(beside.iter().zip(alone).map(|(beside, alone)| 100.0 * (1.0 - beside / alone)).collect()))
}

/// Commits to the bare loop, one event at a time.
fn bare_writer(file: &RefCell<BareFile>) -> impl FnMut() -> io::Result<()> {
    let (mut event, mut frame, mut number) = (Event::new(), Vec::new(), 0);
    move || {
        number += 1;
        event.number(number, number);
        frame.clear();
        push_frame(&mut frame, &[SCOPE.as_bytes(), event.key().as_bytes(), event.value()]);
        let mut file = file.borrow_mut();
        file.write(&frame)?;
        file.sync()
    }
}
