//! Commits through a pipeline: of what was sent, the first so many are made, whatever refuses the next, and wherever in
//! the batches it stands.

use std::{path::Path, sync::Arc};

use milepost_engine::{CommitError, Engine, Parts, Pipeline, Settings, Threads, Ticket};
use milepost_io::{Fault, FaultKind, Op, Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{Key, Precondition, Seq, Timestamp};

use crate::scope;

const DIR: &str = "/s";
const ENOSPC: i32 = 28;

fn open(disk: &SimDisk) -> Engine {
    let parts = Parts {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))),
        entropy: Arc::new(SimEntropy::new(7)),
        process: Process::simulated(),
    };
    let settings =
        Settings { segment_bytes: 4 << 10, memory_bytes: 64 << 10, threads: Threads::Stepped, ..Settings::default() };
    Engine::open(parts, Path::new(DIR), settings).unwrap()
}

fn key(n: usize) -> String {
    format!("k{n}")
}

fn send(store: &Engine, pipeline: &mut Pipeline, n: usize) -> Ticket {
    let request = store.request().set(&scope("a"), &key(n), &[7; 500]).unwrap();
    store.submit_in(pipeline, request).unwrap()
}

/// One that is refused for its condition ends it, in its own batch and in those to come; no other caller's commits are
/// touched by that, nor those of another pipeline.
#[test]
fn what_is_judged_and_refused_ends_it() {
    let store = open(&SimDisk::new(1));
    let (mut pipeline, mut other) = (Pipeline::default(), Pipeline::default());
    let mut tickets = vec![send(&store, &mut pipeline, 0), send(&store, &mut other, 1)];
    let absent = Precondition::KeyAbsent { scope: scope("a"), key: Key::parse(&key(0)).unwrap() };
    let request = store.request().require(absent).set(&scope("a"), &key(2), b"1").unwrap();
    tickets.push(store.submit_in(&mut pipeline, request).unwrap());
    tickets.extend([send(&store, &mut pipeline, 3), send(&store, &mut other, 4)]);
    assert_eq!(store.step_leader().commits, 5);
    tickets.extend([send(&store, &mut pipeline, 5), send(&store, &mut other, 6)]);
    while store.step_leader().commits > 0 {}
    let done: Vec<_> = tickets.into_iter().map(Ticket::wait).collect();
    assert_eq!(
        [0, 1, 4, 6].map(|n| done[n].as_ref().ok().map(|receipt| receipt.seq)),
        [1, 2, 3, 4].map(|n| Some(Seq(n)))
    );
    assert!(matches!(done[2], Err(CommitError::Refused(_))), "{done:?}");
    assert!([3, 5].iter().all(|n| matches!(done[*n], Err(CommitError::Skipped))), "{done:?}");
    for (n, outcome) in done.iter().enumerate() {
        assert_eq!(store.get("a", &key(n)).unwrap().is_some(), outcome.is_ok(), "{n}");
    }
}

/// What the queue does not take was not sent, and may be sent again.
#[test]
fn what_is_not_taken_is_none_of_it() {
    let store = open(&SimDisk::new(1));
    let mut pipeline = Pipeline::default();
    let empty = store.submit_in(&mut pipeline, store.request());
    assert!(matches!(empty, Err(CommitError::Empty)), "{empty:?}");
    let ticket = send(&store, &mut pipeline, 0);
    assert_eq!(store.step_leader().commits, 1);
    assert_eq!(ticket.wait().unwrap().seq, Seq(1));
}

/// Each write of a run fails once, as the batches fall: what was made is what came first, and it is there when the
/// store is opened again.
#[test]
fn whatever_write_fails_what_was_made_came_first() {
    const SENT: usize = 40;
    let mut was_cut = 0;
    for nth in 0.. {
        let disk = SimDisk::new(1);
        let store = open(&disk);
        disk.inject(Fault { on: Op::Write, file: None, nth, times: 1, what: FaultKind::Error(ENOSPC) });
        let mut pipeline = Pipeline::default();
        let mut tickets = Vec::new();
        for n in 0..SENT {
            tickets.push(send(&store, &mut pipeline, n));
            if n % 3 == 0 {
                store.step_leader();
            }
        }
        while store.step_leader().commits > 0 {}
        let done: Vec<bool> = tickets.into_iter().map(|ticket| ticket.wait().is_ok()).collect();
        let made = done.iter().take_while(|is_made| **is_made).count();
        assert!(done[made..].iter().all(|is_made| !is_made), "write {nth}: {done:?}");
        drop(store);
        let store = open(&disk);
        for n in 0..SENT {
            assert_eq!(store.get("a", &key(n)).unwrap().is_some(), n < made, "write {nth}, commit {n} of {made}");
        }
        if disk.faults_hit().is_empty() {
            break;
        }
        was_cut += usize::from(made < SENT);
    }
    assert!(was_cut > 10, "only {was_cut} writes refused a commit");
}
