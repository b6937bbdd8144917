//! Views as of a time, against views as of the position of the same commit.

use std::{collections::VecDeque, io};

use milepost_engine::{Engine, Ticket};
use milepost_types::{At, Receipt, Seq};

use crate::{
    bench::Bench,
    event::Event,
    figure::{Aim, Figure, Row, Sample, Unit},
    load, store,
};

const NAMES: [&str; 1] = ["engine::view/at=time"];
/// Thousands of commits of one event: two sealed segments and one that is open.
const THOUSANDS: u64 = 1000;
const IN_FLIGHT: usize = 512;

/// From a time to the state at it.
pub(crate) const MOMENTS: Figure = Figure { names: &NAMES, run };

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let turns = store::with(bench, |engine, _| {
        let receipts = write(engine, bench.amount(THOUSANDS) * 1000)?;
        let by_time = |receipt: Receipt| At::Time(receipt.at);
        let by_seq = |receipt: Receipt| At::Seq(receipt.seq);
        bench.take_turns(&mut [
            Box::new(|| view_all(engine, bench, &receipts, by_time)),
            Box::new(|| view_all(engine, bench, &receipts, by_seq)),
        ])
    })?;
    Ok(vec![Row {
        name: NAMES[0],
        unit: Unit::PerSecond,
        aim: Aim { at_least: Some(1e6), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some(("as of its seq".to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    }])
}

/// Commits so many events one by one, many in flight.
fn write(engine: &Engine, commits: u64) -> io::Result<Vec<Receipt>> {
    let (scope, mut event) = (store::scope()?, Event::new());
    let (mut receipts, mut in_flight) = (Vec::with_capacity(commits as usize), VecDeque::<Ticket>::new());
    for number in 0..commits {
        if in_flight.len() == IN_FLIGHT
            && let Some(ticket) = in_flight.pop_front()
        {
            receipts.push(ticket.wait().map_err(io::Error::other)?);
        }
        event.number(number, number);
        let mut request = engine.request();
        request.add_set(&scope, event.key(), event.value()).map_err(io::Error::other)?;
        in_flight.push_back(engine.submit(request).map_err(io::Error::other)?);
    }
    for ticket in in_flight {
        receipts.push(ticket.wait().map_err(io::Error::other)?);
    }
    Ok(receipts)
}

/// Opens views at commits drawn at random, and checks that each is at its own.
fn view_all(engine: &Engine, bench: &Bench, receipts: &[Receipt], at: impl Fn(Receipt) -> At) -> io::Result<Sample> {
    let mut dice = 0_u64;
    let load = load::run_here(bench.turn(), || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let receipt = receipts[((u128::from(dice) * receipts.len() as u128) >> 64) as usize];
        let Seq(found) = engine.view(at(receipt)).map_err(io::Error::other)?.seq();
        if found == receipt.seq.0 { Ok(()) } else { Err(io::Error::other(format!("{found} is not {}", receipt.seq))) }
    })?;
    Ok(Sample::of_load(&load, 1))
}
