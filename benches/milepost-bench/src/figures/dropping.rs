//! A task of ten million events that has ended, let go by its policy: the commit that says so, until when the disk has
//! its bytes back, and what is written for it.
//!
//! Another task has commits before and behind, so that only the segments at the edges are shared.
//!
//! Invariant: the steps are those of the store's own thread, driven here so that each can be timed.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use milepost_engine::{ENDED_KEY, Engine, Settings};
use milepost_types::{Policy, Scope, ScopePrefix};

use crate::{
    bench::Bench,
    event::Event,
    figure::{Aim, Figure, Row, Sample, Unit, median},
    store,
};

const NAMES: [&str; 6] = [
    "engine::compaction/drop,commit",
    "engine::compaction/drop,unlinks",
    "engine::compaction/drop,back",
    "engine::compaction/drop,left",
    "engine::compaction/drop,written",
    "engine::compaction/drop,settled",
];
/// Events of a commit, as of a task that marks a page of items at once.
const BATCH: u64 = 2000;
/// Events of the other task, before and behind.
const OTHERS: u64 = 1000;

/// All of them, over one store.
pub(crate) const DROPPING: Figure = Figure { names: &NAMES, run };

/// What a turn came to.
struct Dropped {
    /// The step in which the commit was made that lets the task go.
    commit: Duration,
    /// The steps that take segments away whole, and remove their files.
    unlinks: Duration,
    /// From the commit until all segments of the task are gone.
    back: Duration,
    /// From the commit until nothing is worth a pass any more, runs of the index thinned.
    settled: Duration,
    /// Bytes of the segments that were written anew.
    written: u64,
    /// Bytes on the disk when nothing is left to do.
    left: u64,
}

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let mut turns_of = Vec::new();
    let turns = bench.take_turns(&mut [Box::new(|| {
        let dropped = drop_task(bench)?;
        let sample = Sample::value(dropped.commit.as_secs_f64());
        turns_of.push(dropped);
        Ok(sample)
    })])?;
    let of = |number: fn(&Dropped) -> f64| Sample::value(median(turns_of.iter().map(number).collect()));
    let row = |index: usize, unit, at_most, measured| Row {
        name: NAMES[index],
        unit,
        aim: Aim { at_most, ..Aim::default() },
        measured,
        baseline: None,
        conditions: turns.conditions,
    };
    Ok(vec![
        row(0, Unit::Seconds, Some(0.01), of(|turn| turn.commit.as_secs_f64())),
        row(1, Unit::Seconds, Some(0.01), of(|turn| turn.unlinks.as_secs_f64())),
        row(2, Unit::Seconds, None, of(|turn| turn.back.as_secs_f64())),
        row(3, Unit::Bytes, None, of(|turn| turn.left as f64)),
        row(4, Unit::Bytes, None, of(|turn| turn.written as f64)),
        row(5, Unit::Seconds, None, of(|turn| turn.settled.as_secs_f64())),
    ])
}

fn drop_task(bench: &Bench) -> io::Result<Dropped> {
    store::with_settings(bench, Settings { compaction: false, ..Settings::default() }, |engine, dir| {
        let (task, other) = (store::scope()?, Scope::parse("task/other").map_err(io::Error::other)?);
        let mut event = Event::new();
        let events = bench.amount(bench.items);
        store::commit(engine, &other, &mut event, (0..OTHERS).map(|number| (number, number)))?;
        for first in (0..events).step_by(BATCH as usize) {
            let numbers = (first..events.min(first + BATCH)).map(|number| (number, number));
            store::commit(engine, &task, &mut event, numbers)?;
        }
        let mut request = engine.request();
        let policy = Policy::default().expire_ended(Duration::ZERO);
        request.add_retain(&ScopePrefix::root(), &policy).map_err(io::Error::other)?;
        request.add_set(&task, ENDED_KEY, b"").map_err(io::Error::other)?;
        engine.commit(request).map_err(io::Error::other)?;
        store::commit(engine, &other, &mut event, (OTHERS..2 * OTHERS).map(|number| (number, number)))?;
        while engine.step_index() {}
        let dropped = steps(engine, dir)?;
        if engine.view(milepost_types::At::Latest).map_err(io::Error::other)?.scan(task.as_str(), "").next().is_some() {
            return Err(io::Error::other("the task is still there"));
        }
        Ok(dropped)
    })
}

/// Passes until nothing is worth one, step by step.
fn steps(engine: &Engine, dir: &Path) -> io::Result<Dropped> {
    let (segments, bytes) = (store::segments(dir)?.len(), on_disk(dir)?);
    let (mut began, last) = (None, engine.last().seq);
    let (mut commit, mut unlinks, mut back) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let done = || (engine.compacted().dropped, engine.compacted().rewritten, engine.compacted().runs);
    loop {
        let pass = done();
        loop {
            let (before, step) = (done(), Instant::now());
            let is_more = engine.step_compact().map_err(io::Error::other)?;
            if began.is_none() && engine.last().seq > last {
                (began, commit) = (Some(Instant::now()), step.elapsed());
            }
            if done().0 > before.0 {
                unlinks += step.elapsed() + remove(engine, dir)?;
            }
            if done() != before {
                back = began.map_or(back, |began| if done().2 == before.2 { began.elapsed() } else { back });
            }
            if !is_more {
                break;
            }
        }
        if done() == pass {
            break;
        }
    }
    while engine.step_recycle() || engine.step_index() {}
    let began = began.ok_or_else(|| io::Error::other("no commit let the task go"))?;
    let (settled, compacted, left) = (began.elapsed(), engine.compacted(), on_disk(dir)?);
    eprintln!(
        "  {bytes} bytes in {segments} segments before, {left} in {} after; stretches: {} dropped, {} written anew",
        store::segments(dir)?.len(),
        compacted.dropped,
        compacted.rewritten
    );
    Ok(Dropped { commit, unlinks, back, settled, written: compacted.bytes_after, left })
}

/// Has the files of what was dropped removed, by this thread or by the store's own: how long it took until no file is
/// left but of what the log consists of. One of them is zeroed for the next segment afterwards.
fn remove(engine: &Engine, dir: &Path) -> io::Result<Duration> {
    let began = Instant::now();
    let listed = engine.segments().iter().filter(|segment| segment.file.is_some()).count();
    while store::segments(dir)?.len() > listed {
        engine.step_recycle();
    }
    let took = began.elapsed();
    while engine.step_recycle() {}
    Ok(took)
}

/// Bytes that all files of a directory take on the disk, with what is on its way to be used again.
fn on_disk(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { on_disk(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
