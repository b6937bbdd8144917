//! A watch gives each commit once, in order, while others write; from this process and from another handle.

use std::time::Duration;

use milepost::{ScopePrefix, Seq, Store, Watch};

use super::{Place, scope};

const COMMITS: u64 = 300;

fn follow(mut watch: Watch, from: u64) {
    for seq in from..=COMMITS {
        let commit = loop {
            if let Some(commit) = watch.next_timeout(Duration::from_secs(20)).unwrap() {
                break commit;
            }
        };
        assert_eq!(commit.seq, Seq(seq));
    }
}

#[test]
fn each_commit_once_and_in_order() {
    let place = Place::new();
    let store = place.open_small();
    let reader = Store::read_only(place.path()).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| follow(store.watch(Seq::FIRST), 1));
        threads.spawn(|| follow(store.watch(Seq(100)), 100));
        threads.spawn(|| follow(reader.watch(Seq::FIRST), 1));
        for i in 0..COMMITS {
            store.set(&scope("a"), "k", &i.to_le_bytes()).unwrap();
        }
    });
}

#[test]
fn a_prefix_shows_what_touches_it_only() {
    let place = Place::new();
    let store = place.open();
    let mut watch = store.watch(Seq::FIRST).within(ScopePrefix::parse("a/b").unwrap());
    store.set(&scope("a/bc"), "k", b"").unwrap();
    store.commit().set(&scope("a/b"), "k", b"").set(&scope("c"), "k", b"").durable().unwrap();
    store.commit().clear_prefix(&ScopePrefix::parse("a").unwrap()).durable().unwrap();
    store.set(&scope("c"), "k", b"").unwrap();
    let seen: Vec<_> = std::iter::from_fn(|| watch.try_next().unwrap()).map(|c| (c.seq.0, c.events.len())).collect();
    assert_eq!(seen, [(2, 1), (3, 1)]);
}

/// Closing the store ends the wait of a watch instead of leaving it asleep.
#[test]
fn closing_wakes_a_watch() {
    let place = Place::new();
    let store = place.open();
    std::thread::scope(|threads| {
        let mut watch = store.watch(Seq::FIRST);
        let waits = threads.spawn(move || watch.next_timeout(Duration::from_secs(60)));
        store.close().unwrap();
        assert!(waits.join().unwrap().is_ok_and(|commit| commit.is_none()));
    });
}
