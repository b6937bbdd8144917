use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use proptest::prelude::*;

use super::{Keys, Kind, Version};
use crate::memtable::scopes::ScopeIndex;

const SCOPE: ScopeIndex = ScopeIndex(7);

fn version(seq: u64, record: u32) -> Version {
    Version { seq, record, kind: Kind::Set }
}

fn hash(key: &str) -> u64 {
    milepost_index::ScopeHash(3).key(key).0
}

/// What is done to one key: the versions of a commit, or everything above a `Seq` taken out again.
#[derive(Clone, Debug)]
enum Act {
    Commit(Vec<u8>),
    Fail(Vec<u8>),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let keys = || proptest::collection::vec(0..6u8, 1..5);
    proptest::collection::vec(prop_oneof![4 => keys().prop_map(Act::Commit), 1 => keys().prop_map(Act::Fail)], 1..60)
}

fn name(key: u8) -> String {
    // Of lengths around the ends of words.
    "k".repeat(usize::from(key) * 5 % 17 + 1) + &key.to_string()
}

proptest! {
    /// Commits that fail leave nothing behind, whatever comes before and after; every moment reads as it was.
    #[test]
    fn reads_as_a_map_of_lists(acts in acts(), base in prop_oneof![Just(0u64), Just(u64::from(u32::MAX) * 5)]) {
        let keys = Keys::new();
        let newest = AtomicU32::new(0);
        let mut model: BTreeMap<u8, Vec<Version>> = BTreeMap::new();
        let mut seq = base;
        for act in acts {
            let (of, fails) = match act {
                Act::Commit(of) => (of, false),
                Act::Fail(of) => (of, true),
            };
            for (record, key) in of.iter().enumerate() {
                let put = version(seq + 1, record as u32);
                keys.begin(seq + 1);
                keys.put(hash(&name(*key)), SCOPE, &name(*key), put, &newest);
                if !fails {
                    model.entry(*key).or_default().push(put);
                }
            }
            if fails {
                for key in of {
                    keys.cut(hash(&name(key)), SCOPE, &name(key), seq);
                }
            } else {
                seq += 1;
            }
        }
        for key in 0..6 {
            let expected = model.get(&key).cloned().unwrap_or_default();
            let found = keys.find(hash(&name(key)), SCOPE, &name(key));
            prop_assert_eq!(found.map(|entry| entry.versions()).unwrap_or_default(), expected.clone());
            for at in base..=seq + 1 {
                let expected = expected.iter().rev().find(|version| version.seq <= at).copied();
                prop_assert_eq!(found.and_then(|entry| entry.as_of(at)), expected, "as of {}", at);
            }
            prop_assert!(keys.find(hash(&name(key)), ScopeIndex(8), &name(key)).is_none());
        }
    }
}

/// A failed commit's versions went out by way of the list, and a reader between the two stores saw neither the list's
/// last nor the newest: the list now goes on holding what becomes the newest.
#[test]
fn readers_see_their_moment_while_versions_come_and_go() {
    let keys = Keys::new();
    let newest = AtomicU32::new(0);
    let (key, stop) = ("cursor", AtomicBool::new(false));
    keys.begin(1);
    for seq in 1..=100 {
        keys.put(hash(key), SCOPE, key, version(seq, 1), &newest);
    }
    std::thread::scope(|scope| {
        for reader in 0..2 {
            let (keys, stop) = (&keys, &stop);
            scope.spawn(move || {
                let mut turn = reader;
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let seq = turn % 100 + 1;
                    let entry = keys.find(hash(key), SCOPE, key).expect("put before");
                    assert_eq!(entry.as_of(seq), Some(version(seq, 1)));
                }
            });
        }
        for turn in 0..100_000u64 {
            // Never durable: all above 100 goes again.
            for seq in 101..=101 + turn % 3 {
                keys.put(hash(key), SCOPE, key, version(seq, turn as u32), &newest);
            }
            keys.cut(hash(key), SCOPE, key, 100);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn keys_of_all_lengths_are_told_apart() {
    let keys = Keys::new();
    let newest = AtomicU32::new(0);
    let long = "ä".repeat(512);
    let names: Vec<&str> = (1..=512).map(|letters| &long[..2 * letters]).collect();
    keys.begin(1);
    for (index, name) in names.iter().enumerate() {
        keys.put(hash(name), SCOPE, name, version(1, index as u32), &newest);
    }
    for (index, name) in names.iter().enumerate() {
        let entry = keys.find(hash(name), SCOPE, name).expect("put before");
        assert_eq!(&*entry.key(), *name);
        assert_eq!(entry.as_of(1), Some(version(1, index as u32)));
    }
    let came = std::iter::successors(keys.newest(&newest), super::KeyEntry::before);
    let came: Vec<Box<str>> = came.map(|entry| entry.key()).collect();
    assert!(came.iter().rev().map(|key| &**key).eq(names));
}

/// A fence and an idempotency key are no events of their commit, and stand before all of them. The name of a checkpoint
/// and a fork are events.
#[test]
fn claims_of_a_commit_are_told_from_events() {
    for (kind, record, is_of_commit) in [
        (Kind::Claim, 0, true),
        (Kind::Claim, 1, false),
        (Kind::Set, 0, false),
        (Kind::Expiring, 9, false),
        (Kind::Delete, 0, false),
    ] {
        let version = Version { seq: 1, record, kind };
        assert_eq!(version.is_claim_of_commit(), is_of_commit, "{version:?}");
        assert_eq!(version.expires(), kind == Kind::Expiring, "{version:?}");
    }
}
