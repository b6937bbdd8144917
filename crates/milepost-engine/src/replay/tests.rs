//! Where a walk begins and ends, and what it keeps from being removed.

use std::path::Path;

use milepost_io::{SimClock, SimDisk};
use milepost_types::{Scope, Timestamp};

use super::*;
use crate::{Engine, Filling, Parts, Purpose, Settings, Stamped, Threads};

const DIR: &str = "/s";

fn parts(disk: &SimDisk) -> Parts {
    Parts::simulated(disk, &SimClock::new(Timestamp(1_700_000_000_000_000)))
}

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, ..Settings::default() }
}

fn set(store: &Engine) -> Seq {
    store.commit(store.request().set(&Scope::parse("a").unwrap(), "k", b"1").unwrap()).unwrap().seq
}

fn store_of(commits: u64) -> Engine {
    let store = Engine::open(parts(&SimDisk::new(1)), Path::new(DIR), settings()).unwrap();
    for _ in 0..commits {
        set(&store);
    }
    store
}

/// From which commit on nothing may be removed.
fn pinned(store: &Engine) -> Option<u64> {
    store.shared().pins.pinned().from
}

#[test]
fn a_replay_shows_each_commit_from_its_beginning_to_what_was_the_end() {
    let store = store_of(5);
    for from in 0..8 {
        let right: Vec<u64> = (from.max(1)..=5).collect();
        let (mut replay, walk, iter) = (store.replay(Seq(from)), store.replay(Seq(from)), store.replay(Seq(from)));
        if from == 7 {
            set(&store);
        }
        let mut walked = Vec::new();
        let visit = &mut |receipt: Receipt, body: &Body<'_>| {
            assert_eq!(body.event_count(), 1);
            walked.push(receipt.seq.0);
            ControlFlow::Continue(())
        };
        walk.for_each(visit).unwrap();
        assert_eq!(walked, right, "from {from}");
        let shown: Vec<u64> = std::iter::from_fn(|| replay.next().unwrap()).map(|commit| commit.seq.0).collect();
        assert_eq!(shown, right, "from {from}");
        assert!(replay.next().unwrap().is_none() && replay.next().unwrap().is_none());
        assert_eq!(iter.into_iter().map(|commit| commit.unwrap().seq.0).collect::<Vec<_>>(), right);
    }
}

/// Who watches for months keeps what comes next, and a little of what it has seen.
#[test]
fn a_watch_lets_go_of_what_it_has_shown() {
    let store = store_of(600);
    let mut watch = store.watch(Seq::FIRST);
    for seq in 1..=600 {
        let before = 1 + (seq - 1) / PINNED_MAX * PINNED_MAX;
        assert_eq!(pinned(&store), Some(before), "before {seq}");
        assert_eq!(watch.try_next().unwrap().unwrap().seq, Seq(seq));
    }
    assert_eq!(pinned(&store), Some(1 + 600 / PINNED_MAX * PINNED_MAX));
    assert!(watch.try_next().unwrap().is_none());
    assert_eq!(pinned(&store), Some(601), "all that it needs is to come");
    assert!(watch.try_next().unwrap().is_none());
    assert_eq!(pinned(&store), Some(601));
    assert_eq!(set(&store), Seq(601));
    assert_eq!(watch.try_next().unwrap().unwrap().seq, Seq(601));
    drop(watch);
    assert_eq!(pinned(&store), None);
}

/// At the end there may be commits of which nothing is left: they are passed, and not kept for anybody.
#[test]
fn a_watch_passes_what_is_gone_at_the_end() {
    let disk = SimDisk::new(1);
    let mut filling = Filling::begin(parts(&disk), Path::new(DIR), Purpose::Import, settings()).unwrap();
    let request = filling.request().set(&Scope::parse("a").unwrap(), "k", b"1").unwrap();
    filling.push(Receipt { seq: Seq(1), at: Timestamp(1) }, request, None).unwrap();
    filling.pass(Seq(9), Stamped::Between(Timestamp(2), Timestamp(9))).unwrap();
    filling.finish().unwrap();
    let store = Engine::open(parts(&disk), Path::new(DIR), settings()).unwrap();
    let mut watch = store.watch(Seq::ZERO);
    assert_eq!(watch.try_next().unwrap().unwrap().seq, Seq(1));
    assert!(watch.try_next().unwrap().is_none());
    assert_eq!(pinned(&store), Some(10));
    assert_eq!(set(&store), Seq(10));
    assert_eq!(watch.try_next().unwrap().unwrap().seq, Seq(10));
}

/// Who asks without time to wait is answered at once, and so is who waits at a store that is closed.
#[test]
fn nobody_waits_longer_than_they_said() {
    let store = store_of(1);
    let mut watch = store.watch(Seq::FIRST);
    assert_eq!(watch.next_timeout(Duration::ZERO).unwrap().unwrap().seq, Seq(1));
    assert!(watch.next_timeout(Duration::ZERO).unwrap().is_none());
    assert!(watch.next_timeout(Duration::from_millis(1)).unwrap().is_none());
    store.close().unwrap();
    assert!(watch.next_timeout(Duration::from_secs(1_000_000)).unwrap().is_none());
}
