//! The part that writes: opens the store, looks whether it holds what it must, and writes until it is killed.
//!
//! Eight threads, each with a lane of its own (see [`crate::lanes`]), and one that marks items of a job:
//!
//! | what | how fast |
//! | --- | --- |
//! | single durable events, four threads | 50 a second each in one turn, as fast as possible in the next |
//! | single events over many keys | 10 a second |
//! | batches of 100 to 1000 events | 2 a second |
//! | sets, deletes and a clear every 200 commits | 50 a second |
//! | a checkpoint, changes, a restore to it, its release, every 16 commits | 20 a second |
//! | marks of a job, 100 to a commit, all taken back at the end of a cycle | 500 a second |
//!
//! All of it together is bounded by the plan's rate, which only the fast turns meet.
//!
//! Invariant: a thread says nothing of a commit before the store has acknowledged it, and begins its next one after.

mod board;
pub(crate) mod commits;

use std::{
    io, thread,
    time::{Duration, Instant},
};

use milepost::{ScopePrefix, Store};

use self::{board::Board, commits::Worker};
use crate::{
    check,
    ending::Ending,
    fault::{At, Fault},
    lanes::{LANES, Lane, value},
    latency::Recorder,
    marks,
    pace::{Budget, EVENT_BYTES, Pace, is_fast_turn},
    plan::Plan,
    said::{Kind, Said},
};

/// How often latencies are said: what a kill takes away of them is no more.
const BEAT: Duration = Duration::from_millis(250);
const STEADY_COMMITS_PER_S: u64 = 50;
const MARKS_OF_A_FLUSH: u64 = 100;

/// What the threads share.
struct Desk<'a> {
    plan: &'a Plan,
    store: &'a Store,
    ending: &'a Ending,
    board: Board,
    recorder: Recorder,
    budget: Budget,
    began: Instant,
}

/// Writes until it is asked to end, and closes the store.
pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    let ending = Ending::listen();
    let began = Instant::now();
    let options = Store::options().segment_bytes(plan.segment_bytes).memory_bytes(plan.memory_bytes);
    let store = options.open(&plan.store).at(|| "opening for writing".to_owned())?;
    let open_us = began.elapsed().as_micros() as u64;
    let mut found = check::heads(&store, &plan.lanes())?;
    let heads = found.clone();
    found.push(marks::count(&store, plan.size.marks)?);
    Said::Opened { open_us, torn_bytes: store.stats().torn_bytes, found }.say()?;
    set_policies(&store, plan)?;
    let desk = Desk {
        plan,
        store: &store,
        ending: &ending,
        board: Board::default(),
        recorder: Recorder::default(),
        budget: Budget::new(plan.rate_bytes_per_min),
        began,
    };
    desk.work(&heads)?;
    store.close().at(|| "closing".to_owned())?;
    Ok(Said::Closed.say()?)
}

/// Policies are events: what is said already is not said again by each opening.
fn set_policies(store: &Store, plan: &Plan) -> Result<(), Fault> {
    let place = || "setting policies".to_owned();
    let known = store.retention().policies().at(place)?;
    for (prefix, policy) in plan.policies() {
        let prefix = if prefix.is_empty() {
            ScopePrefix::root()
        } else {
            ScopePrefix::parse(prefix).map_err(milepost::Error::from).at(place)?
        };
        if known.iter().any(|set| set.prefix == prefix && set.policy == policy) {
            continue;
        }
        store.retention().set(&prefix, policy).at(place)?;
    }
    Ok(())
}

impl Desk<'_> {
    /// All threads, until the end is asked for or one of them fails.
    fn work(&self, heads: &[u64]) -> Result<(), Fault> {
        thread::scope(|threads| {
            let lanes = self.plan.lanes().into_iter().zip(heads).enumerate();
            let mut workers: Vec<_> = lanes
                .map(|(place, (lane, head))| {
                    threads.spawn(move || self.until_the_end(|| self.write(place, lane, *head)))
                })
                .collect();
            workers.push(threads.spawn(|| self.until_the_end(|| self.mark())));
            workers.push(threads.spawn(|| self.until_the_end(|| self.say_acknowledged())));
            workers.push(threads.spawn(|| self.until_the_end(|| self.say_latencies())));
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the writer panicked").into()))
            })
        })
    }

    /// A thread that fails ends the others.
    fn until_the_end(&self, act: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
        let outcome = act();
        self.ending.tell();
        self.board.wake();
        outcome
    }

    /// One lane, from the commit after `n` on.
    fn write(&self, place: usize, lane: Lane, mut n: u64) -> Result<(), Fault> {
        let worker = Worker::new(self.store, lane)?;
        let mut pace = Pace::per_second(match lane {
            Lane::Single { .. } | Lane::Queue => STEADY_COMMITS_PER_S,
            Lane::Slow { .. } => 10,
            Lane::Batch { .. } => 2,
            Lane::Restored => 20,
        });
        let kind = if matches!(lane, Lane::Batch { .. }) { Kind::Batch } else { Kind::Commit };
        while !self.ending.is_asked() {
            n += 1;
            let is_fast = matches!(lane, Lane::Single { .. }) && is_fast_turn(self.began.elapsed(), self.plan.turn_ms);
            if !is_fast {
                pace.wait();
            }
            let (commit, bytes) = worker.commit(n)?;
            self.budget.take(bytes);
            let before = Instant::now();
            let receipt = commit.durable().at(|| format!("in commit {n} of {}", lane.name()))?;
            self.recorder.record(kind, before.elapsed());
            self.board.acknowledged(place, n, receipt.seq.0);
        }
        Ok(())
    }

    /// Marks items, cycle after cycle.
    fn mark(&self) -> Result<(), Fault> {
        let progress = marks::job(self.store)?;
        let items = self.plan.size.marks;
        let done = marks::count(self.store, items)?;
        let (mut cycle, mut index) = (done / items, done % items);
        if marks::has_rest(self.store, cycle)? {
            progress.reset_all().at(|| "taking back the marks of the last cycle".to_owned())?;
        }
        let mut pace = Pace::per_second(500);
        while !self.ending.is_asked() {
            let item = marks::item(cycle, index);
            let result = marks::result(cycle, index);
            pace.wait();
            self.budget.take(EVENT_BYTES + (item.len() + result.len()) as u64);
            progress.done_with(&item, &result).at(|| format!("marking {item}"))?;
            index += 1;
            if index % MARKS_OF_A_FLUSH == 0 {
                progress.flush().at(|| format!("making marks durable up to {item}"))?;
                self.board.acknowledged(LANES, cycle * items + index, 0);
            }
            if index == items {
                (cycle, index) = (cycle + 1, 0);
                let seq = marks::begin(self.store, cycle)?;
                progress.reset_all().at(|| format!("beginning cycle {cycle} of the marks"))?;
                self.board.acknowledged(LANES, cycle * items, seq);
            }
        }
        progress.flush().at(|| "making the last marks durable".to_owned())
    }

    fn say_acknowledged(&self) -> Result<(), Fault> {
        while let Some(acks) = self.board.take(self.ending) {
            Said::Acked(acks).say()?;
            // What comes within a millisecond is one line.
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn say_latencies(&self) -> Result<(), Fault> {
        while !self.ending.is_asked() {
            thread::sleep(BEAT);
            Said::Beat { latencies: self.recorder.take(), checks: 0 }.say()?;
        }
        Ok(())
    }
}

/// The value that says which commit of a lane it is.
fn head_value(lane: Lane, n: u64) -> Vec<u8> {
    value::bytes(crate::lanes::HEADS, &lane.name(), n)
}
