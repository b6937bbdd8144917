//! Marks of a job: how fast they become durable, by one worker and by many.

mod many;

use std::io;

use milepost::{Scope, Store, task::ProgressOptions};

use crate::{
    bare::push_frame,
    bench::Bench,
    figure::{Aim, Figure, Row, Sample, Unit},
    load::{self, Load},
};

pub(crate) use many::{MANY_ITEMS, part};

const NAMES: [&str; 2] = ["task::progress/marks,batch=1000", "task::progress/marks,threads=64"];
const BATCH: usize = 1000;
/// Items that a worker says in one act, for the clock to be read seldom.
const ACT: u64 = 100;

/// One worker, durable in batches of 1000.
pub(crate) const ONE_WORKER: Figure = Figure {
    names: &[NAMES[0]],
    run: |bench| marks(bench, NAMES[0], 1, Aim { at_least: Some(2e6), ..Aim::default() }),
};
/// 64 workers of one job.
pub(crate) const MANY_WORKERS: Figure = Figure {
    names: &[NAMES[1]],
    run: |bench| marks(bench, NAMES[1], 64, Aim { at_least: Some(1.5e6), ..Aim::default() }),
};

fn marks(bench: &Bench, name: &'static str, workers: usize, aim: Aim) -> io::Result<Vec<Row>> {
    let turns = bench.take_turns(&mut [
        Box::new(|| Ok(rate(&job(bench, workers)?))),
        Box::new(|| Ok(Sample::value(bare(bench)?.rate() * BATCH as f64))),
    ])?;
    Ok(vec![Row {
        name,
        unit: Unit::PerSecond,
        aim,
        measured: turns.samples[0],
        baseline: Some(("bare loop of 1000 paths".to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    }])
}

fn rate(load: &Load) -> Sample {
    Sample::value(load.rate() * ACT as f64)
}

/// A turn on a store of its own: until the last mark is durable.
fn job(bench: &Bench, workers: usize) -> io::Result<Load> {
    let dir = bench.path("progress");
    let store = Store::open(&dir).map_err(io::Error::other)?;
    let scope = Scope::parse("task/nightly/2026-11-24/load/0").map_err(io::Error::other)?;
    let options = ProgressOptions { batch_marks: BATCH, ..ProgressOptions::default() };
    let progress = store.progress_with(&scope, "checksum", &options).map_err(io::Error::other)?;
    let mut load = load::run(workers, bench.turn(), |worker| {
        let (mut path, mut number) = (String::new(), worker as u64 * load::NUMBERS_PER_THREAD);
        let progress = progress.clone();
        move || {
            for _ in 0..ACT {
                many::path(number, &mut path);
                number += 1;
                progress.done(&path).map_err(io::Error::other)?;
            }
            Ok(())
        }
    })?;
    let began = std::time::Instant::now();
    progress.flush().map_err(io::Error::other)?;
    load.elapsed += began.elapsed();
    store.close().map_err(io::Error::other)?;
    drop((progress, store));
    std::fs::remove_dir_all(&dir)?;
    Ok(load)
}

/// The least there is: the paths of a batch, one write, one sync.
fn bare(bench: &Bench) -> io::Result<Load> {
    let path = bench.path("bare");
    let mut file = bench.bare_file(&path)?;
    let (mut item, mut payload, mut frame, mut number) = (String::new(), Vec::new(), Vec::new(), 0);
    let load = load::run_here(bench.turn(), || {
        payload.clear();
        for _ in 0..BATCH {
            many::path(number, &mut item);
            number += 1;
            payload.extend_from_slice(item.as_bytes());
        }
        frame.clear();
        push_frame(&mut frame, &[&payload]);
        file.write(&frame)?;
        file.sync()
    })?;
    std::fs::remove_file(&path)?;
    Ok(load)
}
