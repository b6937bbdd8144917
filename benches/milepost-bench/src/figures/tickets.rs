//! One thread with 64 commits in flight, against 64 threads with one each.

use std::{collections::VecDeque, io, time::Instant};

use milepost_engine::{Engine, Ticket};

use super::threads::commit_to;
use crate::{
    bench::Bench,
    contest::Shape,
    event::Event,
    figure::{Aim, Figure, Row, Sample, Unit},
    load::{self, Load},
    store,
};

const NAMES: [&str; 1] = ["engine::submit/tickets=64"];
const IN_FLIGHT: usize = 64;

/// Tickets against threads.
pub(crate) const TICKETS: Figure = Figure { names: &NAMES, run };

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let shape = Shape { threads: IN_FLIGHT, events: 1 };
    let turns = store::with(bench, |engine, _| {
        // Keys of both must be new: tickets count down the turns that threads count up.
        let (mut turn, mut number) = (0, 500 * load::NUMBERS_PER_TURN);
        bench.take_turns(&mut [
            Box::new(|| submit_to(engine, bench, &mut number).map(|load| Sample::of_load(&load, 1))),
            Box::new(|| commit_to(engine, bench, shape, &mut turn).map(|load| Sample::of_load(&load, 1))),
        ])
    })?;
    Ok(vec![Row {
        name: NAMES[0],
        unit: Unit::PerSecond,
        aim: Aim { ratio_at_least: Some(0.8), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some(("our 64 threads".to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    }])
}

/// Keeps 64 tickets in flight and waits for the oldest. A latency is from submitting to being told.
fn submit_to(engine: &Engine, bench: &Bench, number: &mut u64) -> io::Result<Load> {
    let (scope, mut event) = (store::scope()?, Event::new());
    let mut in_flight: VecDeque<(Instant, Ticket)> = VecDeque::with_capacity(IN_FLIGHT);
    let (started, mut latency) = (Instant::now(), load::histogram());
    while started.elapsed() < bench.turn() {
        if in_flight.len() == IN_FLIGHT {
            let (submitted, ticket) = in_flight.pop_front().expect("64 tickets are in flight");
            let _receipt = ticket.wait().map_err(io::Error::other)?;
            latency.saturating_record(submitted.elapsed().as_nanos() as u64);
        }
        *number += 1;
        event.number(*number, *number);
        let mut request = engine.request();
        request.add_set(&scope, event.key(), event.value()).map_err(io::Error::other)?;
        in_flight.push_back((Instant::now(), engine.submit(request).map_err(io::Error::other)?));
    }
    let elapsed = started.elapsed();
    let acts = latency.len();
    for (_, ticket) in in_flight {
        let _receipt = ticket.wait().map_err(io::Error::other)?;
    }
    Ok(Load { acts, elapsed, latency })
}
