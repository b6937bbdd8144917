//! Durable commits by one thread and by many at once: each commits events of new keys, waits until they are durable,
//! and commits the next.
//!
//! An engine is used as its documentation says to use it with many threads. Where there are eight or more it has a
//! second row, with a group commit of this program before it: so that it is not the missing of one that is compared.
//!
//! Invariant: every turn has a new store, and when it is over that holds the commits that were acknowledged, all of
//! them and no others, those of a thread in the order in which it made them.

mod group;

use std::{
    fs, io, mem,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use group::Group;

use super::{Figure, Needs, latency::Latency};
use crate::{
    bench::{Bench, Contender, Measured},
    event::Event,
    peer::{Hold, Peer, Versions},
    peers::{Kind, MILEPOST},
    row::{Row, Unit},
};

/// One event to a commit.
pub(super) const SINGLE: Figure = Figure {
    names: &[
        "commit::single/writers=1",
        "commit::single_p99/writers=1",
        "commit::single/writers=2",
        "commit::single_p99/writers=2",
        "commit::single/writers=4",
        "commit::single_p99/writers=4",
        "commit::single/writers=8",
        "commit::single_p99/writers=8",
        "commit::single/writers=16",
        "commit::single_p99/writers=16",
        "commit::single/writers=32",
        "commit::single_p99/writers=32",
        "commit::single/writers=64",
        "commit::single_p99/writers=64",
    ],
    needs: Needs::Nothing,
    run: |bench, names, _| run(bench, names, &[1, 2, 4, 8, 16, 32, 64].map(|writers| Crowd { writers, events: 1 })),
};
/// Many.
pub(super) const BATCHES: Figure = Figure {
    names: &[
        "commit::batches/writers=1,events=1000",
        "commit::batches_p99/writers=1,events=1000",
        "commit::batches/writers=64,events=100",
        "commit::batches_p99/writers=64,events=100",
    ],
    needs: Needs::Nothing,
    run: |bench, names, _| run(bench, names, &[Crowd { writers: 1, events: 1000 }, Crowd { writers: 64, events: 100 }]),
};

/// From so many writers on there is a row with a group commit before the engine.
const GROUPED_FROM: u64 = 8;

/// Who commits, and how much at a time.
#[derive(Clone, Copy)]
pub(super) struct Crowd {
    /// Threads.
    pub(super) writers: u64,
    /// Events of a commit.
    pub(super) events: u64,
}

/// How a commit gets to the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Straight.
    Own,
    /// Through a [`Group`].
    Grouped,
}

/// The names are pairs: per second, and p99.
fn run(bench: &Bench, names: &[&'static str], crowds: &[Crowd]) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (names, &crowd) in names.chunks(2).zip(crowds) {
        let mut contenders = Vec::new();
        for kind in &bench.kinds {
            contenders.push(Contender::new(kind.name, move || turn(bench, kind, crowd, Way::Own)));
            if crowd.writers >= GROUPED_FROM && kind.name != MILEPOST {
                let engine = format!("{}, grouped", kind.name);
                contenders.push(Contender::new(engine, move || turn(bench, kind, crowd, Way::Grouped)));
            }
        }
        rows.extend(bench.take_turns(names, Unit::PerSecond, bench.rounds, contenders)?);
    }
    for row in rows.iter_mut().filter(|row| row.figure.contains("_p99")) {
        row.unit = Unit::Micros;
    }
    Ok(rows)
}

fn turn(bench: &Bench, kind: &Kind, crowd: Crowd, way: Way) -> io::Result<Vec<Measured>> {
    let dir = bench.dir.join(format!("commit-{}", kind.name));
    fs::create_dir(&dir)?;
    let peer = (kind.open)(&dir)?;
    let measured = measure(&*peer, crowd, bench.turn() / 4, way)?;
    peer.close()?;
    fs::remove_dir_all(&dir)?;
    Ok(measured)
}

/// Events per second, and p99 with the curve of latencies.
pub(super) fn measure(peer: &dyn Peer, crowd: Crowd, time: Duration, way: Way) -> io::Result<Vec<Measured>> {
    let versions = Versions::after(peer.last()?);
    peer.expect_writers(if way == Way::Grouped { 1 } else { crowd.writers })?;
    let group = Group::new(peer, &versions);
    let own = |commit: &mut [Vec<Event>; 1]| peer.append(&versions, commit);
    let grouped = |commit: &mut [Vec<Event>; 1]| group.append(mem::take(&mut commit[0]));
    let append: Append<'_> = if way == Way::Grouped { &grouped } else { &own };

    let barrier = Barrier::new(crowd.writers as usize);
    let written: Vec<Written> = thread::scope(|scope| {
        let work = |writer| Writer::new(writer, crowd.events).work(time, &barrier, append);
        let spawned: Vec<_> = (0..crowd.writers).map(|writer| scope.spawn(move || work(writer))).collect();
        let panicked = || io::Error::other("a thread that writes panicked");
        spawned.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect::<io::Result<_>>()
    })?;
    check(peer, crowd, &written)?;

    let mut took = Latency::new()?;
    written.iter().try_for_each(|written| took.add(&written.took))?;
    let began = written.iter().map(|written| written.began).min();
    let ended = written.iter().map(|written| written.ended).max();
    let seconds = began.zip(ended).map_or(0.0, |(began, ended)| (ended - began).as_secs_f64());
    Ok(vec![((took.count() * crowd.events) as f64 / seconds).into(), took.micros_in_curve(99.0)])
}

/// Makes a commit durable; its version. May take the events away.
type Append<'a> = &'a (dyn Fn(&mut [Vec<Event>; 1]) -> io::Result<u64> + Sync);

/// A thread that commits events of its own scope, with keys and numbers that count up from 1.
struct Writer {
    events: u64,
    last: Event,
    acknowledged: Vec<u64>,
}

/// What a thread did.
struct Written {
    /// The versions that were acknowledged, in that order.
    acknowledged: Vec<u64>,
    /// How long the counted ones took, each from the call to its return.
    took: Latency,
    began: Instant,
    ended: Instant,
}

impl Writer {
    fn new(writer: u64, events: u64) -> Writer {
        let mut last = Event::new();
        last.place(writer, 0);
        Writer { events, last, acknowledged: Vec::new() }
    }

    /// Commits, together with the others, after a while that does not count.
    fn work(mut self, time: Duration, barrier: &Barrier, append: Append<'_>) -> io::Result<Written> {
        let warmed = self.commit(time / 5, append, &mut Latency::new()?);
        barrier.wait();
        warmed?;
        let (mut took, began) = (Latency::new()?, Instant::now());
        self.commit(time, append, &mut took)?;
        Ok(Written { acknowledged: self.acknowledged, took, began, ended: Instant::now() })
    }

    fn commit(&mut self, time: Duration, append: Append<'_>, took: &mut Latency) -> io::Result<()> {
        let (mut commit, began) = ([Vec::new()], Instant::now());
        loop {
            commit[0].clear();
            for _ in 0..self.events {
                self.last.step();
                commit[0].push(self.last);
            }
            let started = Instant::now();
            self.acknowledged.push(append(&mut commit)?);
            let ended = Instant::now();
            took.record(ended - started);
            if ended - began >= time {
                return Ok(());
            }
        }
    }
}

/// The store holds what was acknowledged and nothing else.
fn check(peer: &dyn Peer, crowd: Crowd, written: &[Written]) -> io::Result<()> {
    let wrong = |what: String| Err(io::Error::other(what));
    // Which thread made each commit, and its how manyth it was.
    let mut makers: Vec<(u64, u64, u64)> = Vec::new();
    for (writer, written) in (0..).zip(written) {
        makers.extend((0..).zip(&written.acknowledged).map(|(nth, version)| (*version, writer, nth)));
    }
    makers.sort_unstable();
    if let Some((expected, found)) = (1..).zip(&makers).find(|(expected, (version, ..))| expected != version) {
        return wrong(format!("version {} was acknowledged in place of {expected}", found.0));
    }
    let (last, acknowledged) = (peer.last()?, makers.len() as u64);
    if last != acknowledged {
        return wrong(format!("{acknowledged} commits were acknowledged, the last one found is {last}"));
    }
    let (mut events, mut expected) = (0, Event::new());
    peer.read(Hold::EachRead, &mut |reader| {
        reader.replay(&mut |at, number| {
            let Some(&(version, writer, nth)) = makers.get((events / crowd.events) as usize) else {
                return wrong(format!("{at:?} was never acknowledged"));
            };
            let key = nth * crowd.events + events % crowd.events + 1;
            expected.place(writer, key);
            let names = at.scope == expected.scope().as_bytes() && at.key == expected.key().as_bytes();
            if at.version != version || !names || number != key {
                return wrong(format!(
                    "event {events} is {at:?} with number {number}, of writer {writer}'s commit {nth}"
                ));
            }
            events += 1;
            Ok(())
        })
    })?;
    let expected = acknowledged * crowd.events;
    if events == expected { Ok(()) } else { wrong(format!("{events} of {expected} events are there")) }
}
