//! Opening and the first right read: of a store whose process was killed with SIGKILL while it wrote, and of one that
//! was closed.
//!
//! Invariant: each round opens the same bytes, a copy of the store as the kill left it; the last acknowledged commit
//! must be in it. A kill leaves the page cache: this times what an engine does on opening, and proves nothing about
//! power loss.

use std::{fs, io, path::Path, time::Instant};

use super::{Figure, Needs, get::expect};
use crate::{
    bench::{Bench, Contender},
    data::{Data, KEYS_PER_SCOPE, Place},
    event::Event,
    peer::{Hold, Peer},
    peers::Kind,
    row::{Row, Unit},
    stores, victim,
};

/// Two million events.
pub(super) const MILLIONS: Figure = Figure {
    names: &["open::killed/events=2m", "open::closed/events=2m"],
    needs: Needs::Nothing,
    run: |bench, names, _| run(bench, names, Data::versions(bench.scale), bench.rounds),
};
/// Twenty million, if they were asked for; one round, since each takes gigabytes.
pub(super) const LARGE: Figure = Figure {
    names: &["open::killed/events=20m", "open::closed/events=20m"],
    needs: Needs::Nothing,
    run: |bench, names, _| {
        if bench.large { run(bench, names, Data::large(bench.scale), 1) } else { Ok(Vec::new()) }
    },
};

fn run(bench: &Bench, names: &[&'static str], data: Data, rounds: u32) -> io::Result<Vec<Row>> {
    let mut contenders = Vec::new();
    for kind in &bench.kinds {
        let killed = bench.dir.join(format!("killed-{}", kind.name));
        let last = victim::kill_one(bench, kind, &killed, data)?;
        eprintln!("  {}: killed after commit {last}", kind.name);
        let (opened, mut left) = (bench.dir.join(format!("opened-{}", kind.name)), rounds);
        contenders.push(Contender::new(kind.name, move || {
            left -= 1;
            if left == 0 {
                fs::rename(&killed, &opened)?
            } else {
                stores::copy(&killed, &opened)?
            }
            let took = open_twice(kind, &opened, data, last)?;
            fs::remove_dir_all(&opened)?;
            Ok(took)
        }));
    }
    bench.take_turns(names, Unit::Seconds, rounds, contenders)
}

/// Seconds of opening after the kill, and of opening again after a clean close.
fn open_twice(kind: &Kind, dir: &Path, data: Data, last: u64) -> io::Result<Vec<f64>> {
    let mut took = Vec::new();
    for _ in 0..2 {
        let started = Instant::now();
        let peer = (kind.open)(dir)?;
        read_back(&*peer, data, last)?;
        took.push(started.elapsed().as_secs_f64());
        let found = peer.last()?;
        if found < last {
            return Err(io::Error::other(format!("commit {last} was acknowledged, the last one found is {found}")));
        }
        peer.close()?;
    }
    Ok(took)
}

/// Reads the last key of the last acknowledged commit.
fn read_back(peer: &dyn Peer, data: Data, last: u64) -> io::Result<()> {
    let place = Place { scope: data.scope_of(last), key: KEYS_PER_SCOPE - 1 };
    let mut event = Event::new();
    place.name(&mut event);
    peer.read(Hold::EachRead, &mut |reader| {
        expect(reader.as_of(event.scope(), event.key(), last)?, data.number_as_of(place, last))
    })
}
