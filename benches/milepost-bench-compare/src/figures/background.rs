//! Commits of one event by one thread of Milepost, at rest and right after a burst of large ones, which gives all
//! background work something to do. Without any background work both are the same.
//!
//! The commits are the log's own latencies, so there is no peer beside them.

use std::{fs, io, time::Instant};

use super::{Figure, Needs, latency::Latency};
use crate::{
    bench::{Bench, Contender, Measured},
    data::{Data, Dice, Source, scaled},
    event::Event,
    peer::Peer,
    row::{Row, Unit},
    stores::Stores,
};

/// Commits of a thousand events in a burst.
const BURST: u64 = 500;

/// p50 and p99.
pub(super) const BACKGROUND: Figure =
    Figure { names: &["commit::p50/events=1", "commit::p99/events=1"], needs: Needs::Nothing, run };

fn run(bench: &Bench, names: &[&'static str], _: &mut Stores) -> io::Result<Vec<Row>> {
    let Some(kind) = bench.milepost() else { return Ok(Vec::new()) };
    let dir = bench.dir.join("background");
    fs::create_dir(&dir)?;
    let peer = (kind.open)(&dir)?;
    let rows = bench.take_turns(
        names,
        Unit::Micros,
        bench.rounds,
        vec![
            Contender::new(format!("{}, at rest", kind.name), || {
                peer.settle()?;
                commits(bench, &*peer)
            }),
            Contender::new(format!("{}, after a burst", kind.name), || {
                burst(bench, &*peer)?;
                commits(bench, &*peer)
            }),
        ],
    )?;
    peer.close()?;
    fs::remove_dir_all(&dir)?;
    Ok(rows)
}

fn burst(bench: &Bench, peer: &dyn Peer) -> io::Result<()> {
    let (data, mut events) = (Data::versions(1.0), Vec::new());
    for commit in peer.last()? + 1..=peer.last()? + scaled(BURST, bench.scale) {
        data.fill(commit, &mut events);
        peer.commit(commit, &events)?;
    }
    Ok(())
}

/// Commits for one turn; p50 and p99 in microseconds, the other percentiles beside the latter.
fn commits(bench: &Bench, peer: &dyn Peer) -> io::Result<Vec<Measured>> {
    let (data, mut dice, mut event) = (Data::versions(1.0), Dice::new(0), Event::new());
    let mut took = Latency::new()?;
    let (started, mut version) = (Instant::now(), peer.last()?);
    while started.elapsed() < bench.turn() {
        version += 1;
        data.pick(&mut dice).name(&mut event);
        event.number(version);
        let before = Instant::now();
        peer.commit(version, &[event])?;
        took.record(before.elapsed());
    }
    Ok(vec![took.micros(50.0).into(), took.micros_in_curve(99.0)])
}
