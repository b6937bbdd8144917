//! Every event of a store, once and in order, against the bytes of its log read and checksummed.

use std::{
    fs::File,
    hint,
    io::{self, Read},
    ops::ControlFlow,
    path::Path,
    time::Instant,
};

use milepost_engine::Engine;
use milepost_types::{EventRef, Seq};

use crate::{
    bench::Bench,
    event::Event,
    figure::{Aim, Figure, Row, Sample, Unit},
    store,
};

const NAMES: [&str; 1] = ["engine::replay/events=5m"];
const COMMITS: u64 = 5000;
const EVENTS_PER_COMMIT: u64 = 1000;
/// Bytes of a value.
const VALUE_BYTES: u64 = 103;

/// Replay of everything.
pub(crate) const REPLAY: Figure = Figure { names: &NAMES, run };

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let events = bench.amount(COMMITS) * EVENTS_PER_COMMIT;
    let turns = store::with(bench, |engine, dir| {
        let (scope, mut event) = (store::scope()?, Event::new());
        for first in (0..events).step_by(EVENTS_PER_COMMIT as usize) {
            store::commit(
                engine,
                &scope,
                &mut event,
                (first..first + EVENTS_PER_COMMIT).map(|number| (number, number)),
            )?;
        }
        bench.take_turns(&mut [
            Box::new(|| rate(events, || replay(engine, events))),
            Box::new(|| rate(events, || scan(dir))),
        ])
    })?;
    Ok(vec![Row {
        name: NAMES[0],
        unit: Unit::PerSecond,
        aim: Aim { at_least: Some(10e6), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some(("read + CRC32 of the files".to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    }])
}

pub(super) fn rate(events: u64, act: impl FnOnce() -> io::Result<()>) -> io::Result<Sample> {
    let started = Instant::now();
    act()?;
    Ok(Sample::value(events as f64 / started.elapsed().as_secs_f64()))
}

/// Decodes every event of every commit and checks that none is missing.
pub(super) fn replay(engine: &Engine, expected: u64) -> io::Result<()> {
    let (mut events, mut bytes, mut last) = (0, 0, Seq::ZERO);
    let mut fault = None;
    let outcome = engine.replay(Seq::FIRST).for_each(&mut |receipt, body| {
        let mut of_commit = body.events();
        if last.next() != Some(receipt.seq) {
            fault = Some(format!("seq {} came after seq {last}", receipt.seq));
            return ControlFlow::Break(());
        }
        last = receipt.seq;
        loop {
            match of_commit.next() {
                Ok(Some(positioned)) => {
                    events += 1;
                    if let EventRef::Set { value, .. } = hint::black_box(positioned.event) {
                        bytes += value.len() as u64;
                    }
                }
                Ok(None) => return ControlFlow::Continue(()),
                Err(error) => {
                    fault = Some(error.to_string());
                    return ControlFlow::Break(());
                }
            }
        }
    });
    outcome.map_err(io::Error::other)?;
    if fault.is_none() && (events, bytes) != (expected, expected * VALUE_BYTES) {
        fault = Some(format!("replayed {events} events with {bytes} bytes of values, written were {expected} events"));
    }
    fault.map_or(Ok(()), |fault| Err(io::Error::other(fault)))
}

/// Reads and checksums all bytes of the log: what a scan costs before it knows anything of frames and events.
fn scan(dir: &Path) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    for segment in store::segments(dir)? {
        let (mut file, mut hasher) = (File::open(segment)?, crc32fast::Hasher::new());
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
        hint::black_box(hasher.finalize());
    }
    Ok(())
}
