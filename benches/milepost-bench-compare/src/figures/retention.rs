//! A store that keeps a few versions of each key, overwritten again and again: how long commits take meanwhile, what
//! goes to the disk, and what is left on it.
//!
//! How fast it goes is shown over the run: a store that does not keep up with what it lets go gets slower and slower.
//! The drawing of the events is part of that time, a small one and the same for all.
//!
//! An engine without such a rule removes, in each commit, the versions that the commit lets go, which this program
//! remembers for it: so all keep the same.

use std::{collections::VecDeque, fs, io, time::Instant};

use super::{Figure, Needs, disk::bytes_of, latency::Latency};
use crate::{
    bench::{Bench, Contender, Measured},
    data::{Dice, KEYS_PER_SCOPE, Place, scaled},
    event::{Event, USER_BYTES},
    peer::{Gone, Hold, Peer, Reader},
    peers::Kind,
    row::{Row, Unit},
    stores::Stores,
};

const SCOPES: u64 = 100;
const BATCH: usize = 200;
/// Two million events.
const COMMITS: u64 = 10_000;
/// Newest versions of each key that are kept.
const KEPT: usize = 3;

/// Stretches of a run whose speed is shown.
const STRETCHES: u64 = 20;

const CHURN: &str = "retention::churn/batch=200";
const LEFT: &str = "retention::left/kept=3";
const WRITTEN: &str = "retention::written/kept=3";

/// A hundred thousand keys.
pub(super) const RETENTION: Figure = Figure {
    names: &["retention::p99/batch=200", "retention::p999/batch=200", "retention::max/batch=200", CHURN, LEFT, WRITTEN],
    needs: Needs::Nothing,
    run,
};

fn run(bench: &Bench, names: &[&'static str], _: &mut Stores) -> io::Result<Vec<Row>> {
    let contenders = bench.kinds.iter().map(|kind| Contender::new(kind.name, || overwrite(bench, kind))).collect();
    let mut rows = bench.take_turns(names, Unit::Micros, bench.rounds, contenders)?;
    for row in &mut rows {
        row.unit = match row.figure {
            CHURN => Unit::PerSecond,
            // Of the bytes of scope, key and value that must be kept, and of those that were given.
            LEFT | WRITTEN => Unit::Fold,
            _ => Unit::Micros,
        };
    }
    Ok(rows)
}

fn overwrite(bench: &Bench, kind: &Kind) -> io::Result<Vec<Measured>> {
    let dir = bench.dir.join(format!("retention-{}", kind.name));
    fs::create_dir(&dir)?;
    let peer = (kind.open)(&dir)?;
    peer.keep_newest(KEPT as u64)?;
    let before = written_bytes()?;
    let mut job = Job::new(scaled(SCOPES, bench.scale));
    let (took, churn) = job.run(&*peer, scaled(COMMITS, bench.scale))?;
    peer.settle()?;
    let written = written_bytes()? - before;
    job.check(&*peer)?;
    peer.close()?;
    let (left, given) = (bytes_of(&dir)?, took.count() * BATCH as u64 * USER_BYTES);
    fs::remove_dir_all(&dir)?;
    let left = left as f64 / (job.kept() * USER_BYTES) as f64;
    let p999_and_max = [99.9, 100.0].map(|percent| took.micros(percent).into());
    let folds = [left, written as f64 / given as f64].map(Measured::from);
    Ok([took.micros_in_curve(99.0)].into_iter().chain(p999_and_max).chain([churn]).chain(folds).collect())
}

/// What was written, and what of it must be there.
struct Job {
    /// Of each key the versions that are kept, oldest first: commit, place and number.
    kept: Vec<VecDeque<(u64, u32, u64)>>,
    dice: Dice,
    number: u64,
}

impl Job {
    fn new(scopes: u64) -> Job {
        let kept = vec![VecDeque::with_capacity(KEPT + 1); (scopes * KEYS_PER_SCOPE) as usize];
        Job { kept, dice: Dice::new(0), number: 0 }
    }

    fn kept(&self) -> u64 {
        self.kept.iter().map(|versions| versions.len() as u64).sum()
    }

    /// How long the commits took, and events per second: of the run, and of each stretch of it by the events written
    /// until its end.
    fn run(&mut self, peer: &dyn Peer, commits: u64) -> io::Result<(Latency, Measured)> {
        let (mut took, mut curve) = (Latency::new()?, Vec::new());
        let (before, mut events, mut gone) = (peer.last()?, Vec::new(), Vec::new());
        let began = Instant::now();
        let (mut stretch_began, mut done_before) = (began, 0);
        for done in 1..=commits {
            self.draw(before + done, &mut events, &mut gone);
            let started = Instant::now();
            peer.replace(before + done, &events, &gone)?;
            took.record(started.elapsed());
            if done * STRETCHES / commits > done_before * STRETCHES / commits {
                curve.push(((done * BATCH as u64) as f64, per_second(done - done_before, stretch_began)));
                (stretch_began, done_before) = (Instant::now(), done);
            }
        }
        Ok((took, Measured { number: per_second(commits, began), curve }))
    }

    /// The events of a commit, of keys drawn by lot, none twice, and the versions that go with it.
    fn draw(&mut self, version: u64, events: &mut Vec<Event>, gone: &mut Vec<Gone>) {
        events.clear();
        gone.clear();
        while events.len() < BATCH {
            let key = self.dice.below(self.kept.len() as u64);
            let versions = &mut self.kept[key as usize];
            if versions.back().is_some_and(|(newest, ..)| *newest == version) {
                continue;
            }
            let mut event = event_of(key);
            self.number += 1;
            versions.push_back((version, events.len() as u32, self.number));
            if versions.len() > KEPT
                && let Some((version, place, _)) = versions.pop_front()
            {
                gone.push(Gone { event, version, place });
            }
            event.number(self.number);
            events.push(event);
        }
    }

    /// All that must be kept is there.
    fn check(&self, peer: &dyn Peer) -> io::Result<()> {
        peer.read(Hold::EachRead, &mut |reader| {
            (0..).zip(&self.kept).try_for_each(|(key, kept)| is_kept(reader, key, kept))
        })
    }
}

fn is_kept(reader: &mut dyn Reader, key: u64, kept: &VecDeque<(u64, u32, u64)>) -> io::Result<()> {
    let (event, mut newest_first) = (event_of(key), kept.iter().rev());
    reader.history(event.scope(), event.key(), &mut |version, number| match newest_first.next() {
        Some((right, _, of)) if (*right, *of) != (version, number) => {
            Err(io::Error::other(format!("key {key}: version {version} is {number}, expected was {of} of {right}")))
        }
        // What is older may be there or not.
        Some(_) | None => Ok(()),
    })?;
    match newest_first.next() {
        Some((version, ..)) => Err(io::Error::other(format!("key {key}: version {version} is gone"))),
        None => Ok(()),
    }
}

/// Events per second of so many commits.
fn per_second(commits: u64, since: Instant) -> f64 {
    (commits * BATCH as u64) as f64 / since.elapsed().as_secs_f64()
}

fn event_of(key: u64) -> Event {
    let mut event = Event::new();
    Place { scope: key / KEYS_PER_SCOPE, key: key % KEYS_PER_SCOPE }.name(&mut event);
    event
}

/// Bytes that this process has had written to the disk, and what it started.
fn written_bytes() -> io::Result<u64> {
    milepost_machine::pids().into_iter().map(|pid| written_by(pid).map_err(|error| named(pid, &error))).sum()
}

fn written_by(pid: u32) -> io::Result<u64> {
    let told = match fs::read_to_string(format!("/proc/{pid}/io")) {
        // It ended meanwhile, and counts with its parent.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        told => told?,
    };
    let line = told.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.trim().parse().ok()).ok_or_else(|| io::Error::other("it says nothing"))
}

fn named(pid: u32, error: &io::Error) -> io::Error {
    io::Error::other(format!("/proc/{pid}/io: {error}"))
}
