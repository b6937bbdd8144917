//! Reads of a random key: as it is, as it was at a random commit, as it was at a random time.

use std::io;

use super::{Figure, Needs};
use crate::{
    bench::{Bench, Contender},
    data::{Data, KEYS_PER_SCOPE},
    load::{Hand, Load},
    peer::{Hold, Reader},
    row::{Row, Unit},
    stores::{Store, Stores},
};

/// Reads between two looks at the clock.
pub(super) const READS_PER_LOOK: u32 = 64;

/// The newest of a million keys with one version.
pub(super) const LATEST_OF_KEYS: Figure = Figure {
    names: &["get::latest/keys=1m,versions=1,threads=1", "get::latest/keys=1m,versions=1,threads=2"],
    needs: Needs::Keys,
    run: |bench, names, stores| by_threads(bench, names, stores, Data::keys(bench.scale), latest),
};
/// The same as of a commit.
pub(super) const AS_OF_OF_KEYS: Figure = Figure {
    names: &["get::as_of/keys=1m,versions=1,threads=1", "get::as_of/keys=1m,versions=1,threads=2"],
    needs: Needs::Keys,
    run: |bench, names, stores| by_threads(bench, names, stores, Data::keys(bench.scale), as_of),
};
/// The newest of a hundred thousand keys with twenty versions.
pub(super) const LATEST_OF_VERSIONS: Figure = Figure {
    names: &["get::latest/keys=100k,versions=20,threads=1", "get::latest/keys=100k,versions=20,threads=2"],
    needs: Needs::Versions,
    run: |bench, names, stores| by_threads(bench, names, stores, Data::versions(bench.scale), latest),
};
/// The same as of a random commit.
pub(super) const AS_OF_OF_VERSIONS: Figure = Figure {
    names: &["get::as_of/keys=100k,versions=20,threads=1", "get::as_of/keys=100k,versions=20,threads=2"],
    needs: Needs::Versions,
    run: |bench, names, stores| by_threads(bench, names, stores, Data::versions(bench.scale), as_of),
};
/// What a read by time costs more than one by commit: of the engines that keep a time.
pub(super) const BY_TIME: Figure =
    Figure { names: &["get::by_time/keys=100k,versions=20,more"], needs: Needs::Versions, run: by_time };

type Read = fn(Data, &mut dyn Reader, &mut Hand) -> io::Result<()>;

fn by_threads(bench: &Bench, names: &[&'static str], stores: &Stores, data: Data, read: Read) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (threads, name) in (1..).zip(names) {
        let mut contenders = Vec::new();
        for store in &stores.list {
            for (engine, hold) in store.ways() {
                let load = Load { threads, time: bench.turn(), reads_per_look: READS_PER_LOOK, hold };
                contenders.push(Contender::new(engine, move || {
                    load.run(&*store.peer, &|reader, hand| read(data, reader, hand)).map(|rate| vec![rate])
                }));
            }
        }
        rows.extend(bench.take_turns(&[name], Unit::PerSecond, bench.rounds, contenders)?);
    }
    Ok(rows)
}

pub(super) fn latest(data: Data, reader: &mut dyn Reader, hand: &mut Hand) -> io::Result<()> {
    let place = data.pick(&mut hand.dice);
    place.name(&mut hand.event);
    let found = reader.latest(hand.event.scope(), hand.event.key())?;
    expect(found, data.last_number(place))
}

pub(super) fn as_of(data: Data, reader: &mut dyn Reader, hand: &mut Hand) -> io::Result<()> {
    let place = data.pick(&mut hand.dice);
    let commit = data.pick_version(&mut hand.dice);
    place.name(&mut hand.event);
    let found = reader.as_of(hand.event.scope(), hand.event.key(), commit)?;
    expect(found, data.number_as_of(place, commit))
}

/// Whether a read found what it had to.
pub(super) fn expect(found: Option<u64>, expected: u64) -> io::Result<()> {
    if found == Some(expected) { Ok(()) } else { Err(io::Error::other(format!("read {found:?}, expected {expected}"))) }
}

/// The difference in nanoseconds, within each turn. Whoever reads first finds caches cold: so a part of the turn goes
/// by uncounted, and both ways have a part near its beginning and one near its end.
fn by_time(bench: &Bench, names: &[&'static str], stores: &mut Stores) -> io::Result<Vec<Row>> {
    let data = Data::versions(bench.scale);
    let load = Load { threads: 1, time: bench.turn() / 5, reads_per_look: READS_PER_LOOK, hold: Hold::EachRead };
    let mut contenders = Vec::new();
    for store in &stores.list {
        let Some(times) = times(store, data.events() / KEYS_PER_SCOPE)? else { continue };
        contenders.push(Contender::new(store.kind.name, move || {
            let by_commit = || load.run(&*store.peer, &|reader, hand| as_of(data, reader, hand)).map(|rate| 1e9 / rate);
            let by_time = || {
                let rate = load.run(&*store.peer, &|reader, hand| {
                    let place = data.pick(&mut hand.dice);
                    let commit = data.pick_version(&mut hand.dice);
                    place.name(&mut hand.event);
                    let time_us = times[commit as usize - 1];
                    let found = reader.as_of_time(hand.event.scope(), hand.event.key(), time_us)?;
                    expect(found, data.number_as_of(place, commit))
                });
                rate.map(|rate| 1e9 / rate)
            };
            by_commit()?;
            let (first, second, third, fourth) = (by_commit()?, by_time()?, by_time()?, by_commit()?);
            Ok(vec![(second + third - first - fourth) / 2.0])
        }));
    }
    if contenders.is_empty() {
        return Ok(Vec::new());
    }
    bench.take_turns(names, Unit::Nanos, bench.rounds, contenders)
}

/// When each commit was made, if the engine keeps that.
fn times(store: &Store, commits: u64) -> io::Result<Option<Vec<i64>>> {
    let mut times = Some(Vec::new());
    store.peer.read(Hold::EachRead, &mut |reader| {
        for commit in 1..=commits {
            let time = reader.time_of(commit)?;
            times = times.take().zip(time).map(|(mut times, time)| {
                times.push(time);
                times
            });
        }
        Ok(())
    })?;
    Ok(times)
}
