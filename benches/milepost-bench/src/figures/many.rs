//! Many keys at once beside one after the other, as of a random moment, in a store that is mostly in runs.
//!
//! Every value read is checked against the one it must be.

use std::io;

use milepost_engine::Settings;

use super::reads::{History, Reader};
use crate::{
    bench::Bench,
    figure::{Aim, Figure, Row, Sample, Unit},
    load, store,
};

const NAMES: [&str; 1] = ["engine::get_many/keys=64,of=100k,at=random"];
/// Keys that are read as of one moment.
const KEYS: u64 = 64;
/// Memory for versions that holds a small part of them.
const LITTLE_MEMORY: u64 = 16 << 20;
/// 64 of 100 000 keys with twenty versions each.
pub(crate) const AT_ONCE: Figure = Figure { names: &NAMES, run };

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let history = History { blocks: bench.amount(100), versions: 20 };
    let settings = Settings { memory_bytes: LITTLE_MEMORY, ..Settings::default() };
    let turns = store::with_settings(bench, settings, |engine, _| {
        history.write(engine)?;
        // Until no run is made any more, by the engine's thread or here.
        while engine.step_index() {}
        let reads = |at_once: bool| {
            let (mut reader, read) = (Reader::new(1), history.many(engine, KEYS, at_once));
            load::run_here(bench.turn(), || read(&mut reader)).map(|load| Sample::of_load(&load, KEYS))
        };
        bench.take_turns(&mut [Box::new(|| reads(true)), Box::new(|| reads(false))])
    })?;
    Ok(vec![Row {
        name: NAMES[0],
        unit: Unit::PerSecond,
        aim: Aim { ratio_at_least: Some(2.0), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some(("one by one".to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    }])
}
