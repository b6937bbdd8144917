use std::path::PathBuf;

use super::*;
use crate::{lanes::value, writer::commits::Worker};

/// A store with commits of the first lane, all of them acknowledged.
fn acknowledged(commits: u64) -> (tempfile::TempDir, Plan, Store, Acknowledged) {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::short(dir.path().join("store"), 1);
    let store = Store::open(&plan.store).unwrap();
    let mut acknowledged = Acknowledged::new();
    for (place, lane) in plan.lanes().into_iter().enumerate() {
        let worker = Worker::new(&store, lane).unwrap();
        for n in 1..=commits {
            let seq = worker.commit(n).unwrap().0.durable().unwrap().seq.0;
            acknowledged.add(Ack { lane: place, n, seq }).unwrap();
        }
    }
    (dir, plan, store, acknowledged)
}

#[test]
fn what_is_there_is_found() {
    let (_dir, plan, store, mut acknowledged) = acknowledged(20);
    assert_eq!(look(&plan, &mut acknowledged).unwrap().looked_for, 160);
    // What was looked for is not looked for again; that it is there is.
    assert_eq!(look(&plan, &mut acknowledged).unwrap().looked_for, 0);
    store.close().unwrap();
    assert_eq!(verify(&plan).unwrap().commits, 160);
}

/// A commit that was acknowledged and is not there: the last of a lane, or one that others followed.
#[test]
fn what_was_lost_is_found() {
    let lost = |ack: Ack| {
        let (_dir, plan, _store, mut acknowledged) = acknowledged(20);
        acknowledged.add(ack).unwrap();
        look(&plan, &mut acknowledged).map(drop).unwrap_err().to_string()
    };
    assert!(lost(Ack { lane: 0, n: 21, seq: 161 }).contains("LOST: 21 was acknowledged of single/0, 20 is there"));
    assert!(lost(Ack { lane: 6, n: 21, seq: 161 }).contains("LOST: 21 was acknowledged of queue"));
    assert!(lost(Ack { lane: LANES, n: 3, seq: 0 }).contains("LOST: 3 was acknowledged of marks, 0 is there"));
    assert!(lost(Ack { lane: 1, n: 20, seq: 20 }).contains("LOST: commit 20 of single/1"));
    assert!(acknowledged(3).3.add(Ack { lane: 0, n: 2, seq: 2 }).is_err(), "a lane does not go back");
}

#[test]
fn a_store_with_something_else_in_it_is_not_clean() {
    let (_dir, plan, store, _) = acknowledged(2);
    store.close().unwrap();
    std::fs::write(plan.store.join("log").join("stray"), value::bytes("a", "b", 1)).unwrap();
    assert!(verify(&plan).is_err());
    let nowhere = Plan { store: PathBuf::from("/nowhere/store"), ..plan };
    assert!(verify(&nowhere).is_err());
}
