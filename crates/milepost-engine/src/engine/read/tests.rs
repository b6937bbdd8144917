//! Moments at the edges of what there is, and waiting for the next commit.

use std::path::Path;

use milepost_io::{SimClock, SimDisk};
use milepost_types::Scope;

use super::*;
use crate::{Filling, Parts, Purpose, Settings, Stamped, Threads};

const DIR: &str = "/s";

fn parts(disk: &SimDisk) -> Parts {
    Parts::simulated(disk, &SimClock::new(Timestamp(1_700_000_000_000_000)))
}

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, ..Settings::default() }
}

fn receipt(seq: u64, at: i64) -> Receipt {
    Receipt { seq: Seq(seq), at: Timestamp(at) }
}

/// A store with these commits. What comes before the first is gone, so that nobody knows when it was.
fn store_of(disk: &SimDisk, commits: &[Receipt]) -> Engine {
    let mut filling = Filling::begin(parts(disk), Path::new(DIR), Purpose::Import, settings()).unwrap();
    if let Some(first) = commits.first() {
        filling.pass(first.seq.prev(), Stamped::Before(first.at)).unwrap();
    }
    for place in commits {
        let request = filling.request().set(&Scope::parse("a").unwrap(), "k", &place.seq.0.to_le_bytes()).unwrap();
        filling.push(*place, request, None).unwrap();
    }
    filling.finish().unwrap();
    Engine::open(parts(disk), Path::new(DIR), settings()).unwrap()
}

/// Before the first commit nothing is known; where there was never one, there is nothing at any time.
#[test]
fn a_time_before_the_first_commit_is_told_as_that() {
    let store = store_of(&SimDisk::new(1), &[receipt(1, 100), receipt(2, 200)]);
    let seq_at = |store: &Engine, at| match store.view(At::Time(Timestamp(at))) {
        Ok(view) => Ok(view.seq().0),
        Err(ReadError::BeforeFirst { asked, first, at: first_at }) => {
            assert_eq!(asked, Timestamp(at));
            Err((first.0, first_at.0))
        }
        Err(error) => panic!("{error}"),
    };
    for (at, seq) in [(i64::MIN, None), (99, None), (100, Some(1)), (199, Some(1)), (200, Some(2)), (i64::MAX, Some(2))]
    {
        assert_eq!(seq_at(&store, at), seq.ok_or((1, 100)), "{at}");
    }
    let empty = Engine::open(parts(&SimDisk::new(2)), Path::new(DIR), settings()).unwrap();
    for at in [i64::MIN, 0, i64::MAX] {
        assert_eq!(seq_at(&empty, at), Ok(0), "{at}");
    }
}

#[test]
fn a_commit_that_is_not_there_yet_is_no_moment() {
    let store = store_of(&SimDisk::new(1), &[receipt(1, 100), receipt(2, 200)]);
    for (seq, is_there) in [(0, true), (1, true), (2, true), (3, false), (u64::MAX, false)] {
        match store.view(At::Seq(Seq(seq))) {
            Ok(view) => assert!(is_there && view.seq() == Seq(seq), "{seq}"),
            Err(ReadError::Future { asked, last }) => {
                assert!(!is_there && (asked, last) == (Seq(seq), Seq(2)), "{seq}");
            }
            Err(error) => panic!("{seq}: {error}"),
        }
        let commit = store.commit_at(Seq(seq)).unwrap().map(|commit| commit.seq);
        assert_eq!(commit, Some(Seq(seq)).filter(|_| is_there && seq > 0), "{seq}");
    }
}

/// Of commits before the first segment that is left it is known that they were before its first.
#[test]
fn when_a_commit_was_made_is_known_also_where_it_is_gone() {
    let store = store_of(&SimDisk::new(1), &[receipt(6, 600), receipt(7, 700)]);
    let at = |seq| store.shared().stamp(Seq(seq)).map(|at| at.0).ok();
    assert_eq!([1, 5, 6, 7, 8].map(at), [Some(599), Some(599), Some(600), Some(700), None]);
    for (seq, at) in [(0, i64::MIN), (3, 599), (6, 600), (7, 700)] {
        assert_eq!(store.view(At::Seq(Seq(seq))).unwrap().at().unwrap(), Timestamp(at), "{seq}");
    }
}

/// Whoever waits is told when the commit is there. Once they have gone, nobody is called any more with each commit.
#[test]
fn who_waits_for_a_commit_is_told_when_it_is_there() {
    let store = store_of(&SimDisk::new(1), &[receipt(1, 100), receipt(2, 200)]);
    let shared = store.shared();
    let wait = |seq, millis| shared.wait_for(Seq(seq), Duration::from_millis(millis));
    let waiting = || *shared.watch_gate.lock();
    assert!(wait(1, 1_000_000_000) && wait(2, 1_000_000_000), "they are there");
    assert!(!wait(3, 1));
    assert_eq!(waiting(), 0);
    std::thread::scope(|threads| {
        let waiters: Vec<_> = (0..2).map(|_| threads.spawn(|| wait(3, 1_000_000_000))).collect();
        while waiting() < 2 {
            std::thread::yield_now();
        }
        store.commit(store.request().set(&Scope::parse("a").unwrap(), "k", b"1").unwrap()).unwrap();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    });
    assert_eq!(waiting(), 0);
    store.close().unwrap();
    assert!(!wait(4, 1_000_000_000), "there is none to come");
    assert_eq!(waiting(), 0);
}
