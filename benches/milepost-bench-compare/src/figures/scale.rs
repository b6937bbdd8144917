//! What grows with the store, and how: the same questions to a million, ten million and a hundred million versions,
//! with the page cache full and with nothing in it.
//!
//! Invariant: one store of an engine at a time, filled, asked and removed. A cold answer is one for which the engine
//! was closed, the system let go of every page of its files, and it was opened again; the reads of the disk are counted
//! by the system, of the whole disk.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::Instant,
};

use hdrhistogram::Histogram;

use super::{
    Figure, Needs,
    disk::bytes_of,
    get::{self, READS_PER_LOOK},
    history, scope,
};
use crate::{
    bench::{Bench, Contender},
    data::{Data, KEYS_PER_SCOPE, Source, scaled},
    load::{Hand, Load},
    memory::Peak,
    peer::{Hold, Peer, Reader},
    peers::Kind,
    row::{Row, Unit},
    stores::files,
    victim,
};

/// Versions of each key, of which compaction is then to leave the half.
const VERSIONS: u64 = 20;
/// Reads of a cold store: enough for a p99, few enough that they do not warm it.
const COLD_READS: u64 = 1000;
/// Events that a replay is timed for: all of a small store.
const REPLAYED_MAX: u64 = 10_000_000;

/// The figures of a size, in the order of the numbers of a turn.
macro_rules! names {
    ($size:literal) => {
        &[
            concat!("scale::load/versions=", $size),
            concat!("scale::memory/versions=", $size),
            concat!("scale::settle/versions=", $size),
            concat!("scale::disk/versions=", $size),
            concat!("scale::latest/versions=", $size),
            concat!("scale::as_of/versions=", $size),
            concat!("scale::scope/versions=", $size),
            concat!("scale::history/versions=", $size),
            concat!("scale::replay/versions=", $size),
            concat!("scale::open_closed/versions=", $size),
            concat!("scale::cold_open/versions=", $size),
            concat!("scale::cold_as_of_p50/versions=", $size),
            concat!("scale::cold_as_of_p99/versions=", $size),
            concat!("scale::cold_as_of_disk_reads/versions=", $size),
            concat!("scale::open_killed/versions=", $size),
            concat!("scale::compact/versions=", $size),
            concat!("scale::compacted_disk/versions=", $size),
        ]
    };
}

/// What the numbers of a turn count.
const UNITS: [Unit; 17] = [
    Unit::PerSecond,
    Unit::Bytes,
    Unit::Seconds,
    Unit::Bytes,
    Unit::PerSecond,
    Unit::PerSecond,
    Unit::Micros,
    Unit::Micros,
    Unit::PerSecond,
    Unit::Seconds,
    Unit::Seconds,
    Unit::Micros,
    Unit::Micros,
    Unit::Count,
    Unit::Seconds,
    Unit::Seconds,
    Unit::Bytes,
];

/// A million versions, of every engine.
pub(super) const MILLION: Figure =
    Figure { names: names!("1m"), needs: Needs::Nothing, run: |bench, names, _| run(bench, names, &bench.kinds, 50) };
/// Ten million, of every engine.
pub(super) const TEN_MILLION: Figure = Figure {
    names: names!("10m"),
    needs: Needs::Nothing,
    run: |bench, names, _| if bench.large { run(bench, names, &bench.kinds, 500) } else { Ok(Vec::new()) },
};
/// A hundred million, of Milepost alone: the others would take hours to fill.
pub(super) const HUNDRED_MILLION: Figure = Figure {
    names: names!("100m"),
    needs: Needs::Nothing,
    run: |bench, names, _| {
        let milepost: Vec<_> = bench.milepost().into_iter().collect();
        if bench.large { run(bench, names, &milepost, 5000) } else { Ok(Vec::new()) }
    },
};

fn run(bench: &Bench, names: &[&'static str], kinds: &[&'static Kind], scopes: u64) -> io::Result<Vec<Row>> {
    let data = Data { scopes: scaled(scopes, bench.scale), versions: VERSIONS };
    let contenders = kinds.iter().map(|kind| Contender::new(kind.name, move || turn(bench, kind, data)));
    // One round: each fills a store of its own.
    let mut rows = bench.take_turns(names, Unit::Count, 1, contenders.collect())?;
    for row in &mut rows {
        let unit = names.iter().zip(UNITS).find(|(name, _)| **name == row.figure).map(|(_, unit)| unit);
        row.unit = unit.unwrap_or(row.unit);
    }
    Ok(rows)
}

fn turn(bench: &Bench, kind: &'static Kind, data: Data) -> io::Result<Vec<f64>> {
    let dir = bench.dir.join(format!("scale-{}", kind.name));
    fs::create_dir(&dir)?;
    let events = data.events() as f64;
    let mut numbers = Vec::new();

    let peer = (kind.open)(&dir)?;
    let (peak, started) = (Peak::watch()?, Instant::now());
    fill(&*peer, data)?;
    let loaded = started.elapsed().as_secs_f64();
    peer.settle()?;
    let settled = started.elapsed().as_secs_f64() - loaded;
    numbers.extend([events / loaded, peak.end()? as f64, settled, bytes_of(&dir)? as f64 / events]);
    eprintln!("  {}: {} events written in {loaded:.1} s, settled in {settled:.1} s", kind.name, data.events());

    numbers.extend(warm(bench, &*peer, data)?);
    let (peer, took) = reopen(kind, &dir, peer, data)?;
    numbers.push(took);
    peer.close()?;
    numbers.extend(cold(kind, &dir, data)?);

    let last = victim::kill_while_writing(bench, kind, &dir, data)?;
    let started = Instant::now();
    let peer = (kind.open)(&dir)?;
    if peer.last()? < last {
        return Err(io::Error::other(format!("commit {last} was acknowledged and is not there")));
    }
    peer.read(Hold::EachRead, &mut |reader| get::as_of(data, reader, &mut Hand::new(0)))?;
    numbers.push(started.elapsed().as_secs_f64());

    numbers.extend(compacted(&*peer, &dir, data)?);
    peer.close()?;
    fs::remove_dir_all(&dir)?;
    Ok(numbers)
}

fn fill(peer: &dyn Peer, data: Data) -> io::Result<()> {
    let mut events = Vec::new();
    for commit in 1..=data.commits() {
        data.fill(commit, &mut events);
        peer.commit(commit, &events)?;
    }
    Ok(())
}

/// Reads per second of the latest and of a random commit, microseconds of a scope and of a history, events per second
/// of a replay. Everything is read once before, as far as memory holds it.
fn warm(bench: &Bench, peer: &dyn Peer, data: Data) -> io::Result<[f64; 5]> {
    let replayed = replay(peer, data)?;
    let load = |reads_per_look| Load { threads: 1, time: bench.turn() * 3, reads_per_look, hold: Hold::EachRead };
    let many = |read: fn(Data, &mut dyn Reader, &mut Hand) -> io::Result<()>, reads_per_look| {
        load(reads_per_look).run(peer, &|reader, hand| read(data, reader, hand))
    };
    let (latest, as_of) = (many(get::latest, READS_PER_LOOK)?, many(get::as_of, READS_PER_LOOK)?);
    let (scope, history) = (many(scope::read, 1)?, many(history::read, 1)?);
    Ok([latest, as_of, 1e6 / scope, 1e6 / history, replayed])
}

fn replay(peer: &dyn Peer, data: Data) -> io::Result<f64> {
    let (mut count, expected, started) = (0, data.events().min(REPLAYED_MAX), Instant::now());
    let mut took = 0.0;
    // What is beyond is read too, so that the cache holds what it can of it.
    peer.read(Hold::EachRead, &mut |reader| {
        reader.replay(&mut |_, _| {
            count += 1;
            if count == expected {
                took = started.elapsed().as_secs_f64();
            }
            Ok(())
        })
    })?;
    if count == data.events() {
        Ok(expected as f64 / took)
    } else {
        Err(io::Error::other(format!("{count} of {} events are there", data.events())))
    }
}

/// Closes and opens, and reads one key: seconds of opening and reading.
fn reopen(kind: &Kind, dir: &Path, peer: Box<dyn Peer>, data: Data) -> io::Result<(Box<dyn Peer>, f64)> {
    peer.close()?;
    let started = Instant::now();
    let peer = (kind.open)(dir)?;
    peer.read(Hold::EachRead, &mut |reader| get::as_of(data, reader, &mut Hand::new(0)))?;
    Ok((peer, started.elapsed().as_secs_f64()))
}

/// With nothing in the page cache: seconds of opening and the first read, then the p50 and p99 of a read as of a random
/// commit in microseconds, and how often the disk was read for one.
fn cold(kind: &Kind, dir: &Path, data: Data) -> io::Result<[f64; 4]> {
    forget(dir)?;
    let started = Instant::now();
    let peer = (kind.open)(dir)?;
    let (mut hand, mut opened) = (Hand::new(1), 0.0);
    let mut took = Histogram::<u64>::new_with_bounds(10, 60_000_000_000, 3).map_err(io::Error::other)?;
    let mut reads = 0;
    peer.read(Hold::EachRead, &mut |reader| {
        get::as_of(data, reader, &mut hand)?;
        opened = started.elapsed().as_secs_f64();
        let before = disk_reads(dir)?;
        for _ in 0..COLD_READS {
            let started = Instant::now();
            get::as_of(data, reader, &mut hand)?;
            took.saturating_record(started.elapsed().as_nanos() as u64);
        }
        reads = disk_reads(dir)? - before;
        Ok(())
    })?;
    peer.close()?;
    let micros = |quantile| took.value_at_quantile(quantile) as f64 / 1000.0;
    Ok([opened, micros(0.5), micros(0.99), reads as f64 / COLD_READS as f64])
}

/// Has the system let go of all pages of a closed store.
fn forget(dir: &Path) -> io::Result<()> {
    for path in files(dir)? {
        let file = File::open(path)?;
        file.sync_all()?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}

/// Reads that the disk under a directory has answered so far, as the system counts them.
fn disk_reads(dir: &Path) -> io::Result<u64> {
    let device = fs::metadata(dir)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let file = format!("/sys/dev/block/{major}:{minor}/stat");
    let stats = fs::read_to_string(&file)
        .map_err(|error| io::Error::other(format!("{file}: {error}; scale:: needs a disk whose reads are counted")))?;
    let reads = stats.split_whitespace().next().and_then(|reads| reads.parse().ok());
    reads.ok_or_else(|| io::Error::other("the system says nothing of the disk's reads"))
}

/// Keeps the newer half of the versions of each key from now on: seconds until that is done, bytes left for each
/// version that is kept. An engine without such a rule keeps everything.
fn compacted(peer: &dyn Peer, dir: &Path, data: Data) -> io::Result<[f64; 2]> {
    peer.keep_newest(VERSIONS / 2)?;
    let started = Instant::now();
    peer.settle()?;
    let took = started.elapsed().as_secs_f64();
    Ok([took, bytes_of(dir)? as f64 / (data.scopes * KEYS_PER_SCOPE * VERSIONS / 2) as f64])
}
