//! Which way to share a sync is the best on this machine, for a number of threads and a size of frames.
//!
//! Invariant: the variants take turns, and the best median wins; the winner is then measured afresh, so that its luck
//! in the contest does not count.

use std::{io, time::Duration};

use crate::{
    bare::{GroupLog, VARIANTS, Variant, push_frame},
    bench::Bench,
    event::{Event, SCOPE},
    figure::median,
    load::{self, Load},
};

/// Rounds of a contest; short ones, because there are many variants.
const ROUNDS: usize = 3;

/// What each thread commits.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Threads that commit.
    pub(crate) threads: usize,
    /// Events in each commit.
    pub(crate) events: u64,
}

/// The best variant for a shape.
pub(crate) fn best(bench: &Bench, shape: Shape) -> io::Result<&'static Variant> {
    let turn = if bench.smoke { Duration::from_millis(10) } else { Duration::from_millis(300) };
    let mut rates = vec![Vec::new(); VARIANTS.len()];
    for _ in 0..ROUNDS {
        for (variant, rates) in VARIANTS.iter().zip(&mut rates) {
            let path = bench.path("contest");
            let log = (variant.make)(bench.bare_file(&path)?);
            rates.push(commit_all(log.as_ref(), shape, turn)?.rate());
            std::fs::remove_file(&path)?;
        }
    }
    let medians: Vec<f64> = rates.into_iter().map(median).collect();
    let best = medians.iter().zip(VARIANTS).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, variant)| variant).ok_or_else(|| io::Error::other("no variant of the bare loop"))
}

/// One turn of a bare log: every thread commits frames of the shape's events, and waits for each to be durable.
pub(crate) fn commit_all(log: &dyn GroupLog, shape: Shape, time: Duration) -> io::Result<Load> {
    load::run(shape.threads, time, |thread| {
        let (mut event, mut payload, mut frame) = (Event::new(), Vec::new(), Vec::new());
        let mut number = thread as u64 * load::NUMBERS_PER_THREAD;
        move || {
            payload.clear();
            for _ in 0..shape.events {
                number += 1;
                event.number(number, number);
                payload.extend_from_slice(event.key().as_bytes());
                payload.extend_from_slice(event.value());
            }
            frame.clear();
            push_frame(&mut frame, &[SCOPE.as_bytes(), &payload]);
            log.commit(&frame)
        }
    })
}
