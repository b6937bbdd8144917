//! Every event in the order of the commits, and beside it what it costs to read Milepost's segments and checksum them,
//! no more.

use std::{
    fs::File,
    hint,
    io::{self, Read},
    path::Path,
    time::Instant,
};

use super::{Figure, Needs};
use crate::{
    bench::{Bench, Contender},
    data::{Data, KEYS_PER_SCOPE, Place},
    event::Event,
    peer::{Hold, Peer},
    peers::MILEPOST,
    row::{Row, Unit},
    stores::{Stores, files},
};

/// Bytes of a read of the bare scan.
const READ_BYTES: usize = 1 << 20;

/// Everything.
pub(super) const REPLAY: Figure = Figure { names: &["replay::all/events=2m"], needs: Needs::Versions, run };

fn run(bench: &Bench, names: &[&'static str], stores: &mut Stores) -> io::Result<Vec<Row>> {
    let (data, mut contenders) = (Data::versions(bench.scale), Vec::new());
    for store in &stores.list {
        contenders.push(Contender::new(store.kind.name, move || rate(data, || replay(&*store.peer, data))));
    }
    for store in stores.list.iter().filter(|store| store.kind.name == MILEPOST) {
        contenders.push(Contender::new("bare scan of its segments", move || rate(data, || scan(&store.dir))));
    }
    bench.take_turns(names, Unit::PerSecond, bench.rounds, contenders)
}

fn rate(data: Data, act: impl FnOnce() -> io::Result<()>) -> io::Result<Vec<f64>> {
    let started = Instant::now();
    act()?;
    Ok(vec![data.events() as f64 / started.elapsed().as_secs_f64()])
}

/// Compares every event with the one that was written: none missing, none twice, none out of order.
fn replay(peer: &dyn Peer, data: Data) -> io::Result<()> {
    let (mut events, mut expected) = (0, Event::new());
    peer.read(Hold::EachRead, &mut |reader| {
        reader.replay(&mut |at, number| {
            let commit = events / KEYS_PER_SCOPE + 1;
            let place = Place { scope: data.scope_of(commit), key: events % KEYS_PER_SCOPE };
            place.name(&mut expected);
            let names = at.scope == expected.scope().as_bytes() && at.key == expected.key().as_bytes();
            if at.version != commit || !names || number != data.number_as_of(place, commit) {
                return Err(io::Error::other(format!("event {events} is {at:?} with number {number}")));
            }
            events += 1;
            Ok(())
        })
    })?;
    if events == data.events() { Ok(()) } else { Err(io::Error::other(format!("{events} events were replayed"))) }
}

/// Reads and checksums all bytes of the log: what a scan costs before it knows anything of frames and events.
fn scan(dir: &Path) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let is_segment = |path: &&std::path::PathBuf| path.extension().is_some_and(|extension| extension == "seg");
    for segment in files(dir)?.iter().filter(is_segment) {
        let (mut file, mut hasher) = (File::open(segment)?, crc32fast::Hasher::new());
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
        hint::black_box(hasher.finalize());
    }
    Ok(())
}
