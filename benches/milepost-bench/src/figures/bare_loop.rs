//! The bare loop against itself: the best way to share a sync against the textbook's, to show what the baselines are.

use std::io;

use crate::{
    bare::VARIANTS,
    bench::Bench,
    contest::{self, Shape, commit_all},
    figure::{Aim, Figure, Row, Sample, Unit},
};

const NAMES: [&str; 2] = ["bare::commit/threads=8", "bare::commit/threads=64"];

/// With 8 threads.
pub(crate) const EIGHT: Figure = Figure { names: &[NAMES[0]], run: |bench| against_textbook(bench, NAMES[0], 8) };
/// With 64.
pub(crate) const SIXTY_FOUR: Figure = Figure { names: &[NAMES[1]], run: |bench| against_textbook(bench, NAMES[1], 64) };

fn against_textbook(bench: &Bench, name: &'static str, threads: usize) -> io::Result<Vec<Row>> {
    let shape = Shape { threads, events: 1 };
    let (best, textbook) = (contest::best(bench, shape)?, &VARIANTS[0]);
    let paths = [bench.path("best"), bench.path("textbook")];
    let logs = [(best.make)(bench.bare_file(&paths[0])?), (textbook.make)(bench.bare_file(&paths[1])?)];
    let turn = |log: usize| commit_all(logs[log].as_ref(), shape, bench.turn()).map(|load| Sample::of_load(&load, 1));
    let turns = bench.take_turns(&mut [Box::new(|| turn(0)), Box::new(|| turn(1))])?;
    for path in &paths {
        std::fs::remove_file(path)?;
    }
    eprintln!("  the best bare loop with {threads} threads is {}", best.name);
    Ok(vec![Row {
        name,
        unit: Unit::PerSecond,
        aim: Aim::default(),
        measured: turns.samples[0],
        baseline: Some((textbook.name.to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    }])
}
