//! Idempotency keys: each is remembered for as long as it was said, whatever compaction takes of its commit, and then
//! forgotten, whether or not compaction came by.

use std::time::Duration;

use milepost_engine::{Engine, Index};
use milepost_io::Clock;
use milepost_types::{HoldName, Policy, Receipt, ScopePrefix, Seq, Timestamp, limits};

use super::{Rig, place};
use crate::scope;

/// The keys that are remembered, each with its commit.
pub(super) fn keys(store: &Engine) -> Vec<String> {
    let remembered = store.explain(&ScopePrefix::root()).unwrap().idempotency_for_us;
    let since = store.last().at.0.saturating_sub_unsigned(remembered);
    let commits = store.replay(Seq::FIRST).into_iter().map(Result::unwrap).filter(|commit| commit.at.0 > since);
    let named = commits.filter_map(|commit| Some(format!("{} by {}", commit.meta.idempotency_key?, commit.seq)));
    named.collect()
}

/// Each replaces what the one before set.
fn send(rig: &Rig, n: u64) -> Receipt {
    let request = rig.store.request().idempotency_key(&format!("request {n}")).unwrap();
    let request = request.set(&scope("a"), "k0", &n.to_le_bytes()).unwrap().set(&scope("a"), "k1", &[n as u8]).unwrap();
    rig.store.commit(request).unwrap()
}

fn sent(seed: u64, policy: Policy) -> (Rig, Vec<Receipt>) {
    let rig = Rig::new(seed);
    rig.retain("", policy);
    let mut first = Vec::new();
    for n in 0..300 {
        rig.clock.advance(1_000_000);
        first.push(send(&rig, n));
        while rig.store.step_index() {}
    }
    (rig, first)
}

/// How many commits with a key there are.
fn with_key(store: &Engine) -> usize {
    let keyed = |commit: &milepost_types::Commit| commit.meta.idempotency_key.is_some();
    store.replay(Seq::FIRST).into_iter().filter(|commit| keyed(commit.as_ref().unwrap())).count()
}

const NEWEST: Policy = Policy {
    keep_for_us: None,
    keep_last: Some(1),
    expire_ended_us: None,
    cold_after_us: None,
    idempotency_for_us: None,
};

/// They once stayed for ever, though a window for them had been begun.
#[test]
fn a_key_is_forgotten_in_time_and_not_before() {
    let policy = NEWEST.idempotency_for(Duration::from_secs(100));
    let mut verdicts = Vec::new();
    for way in ["untouched", "compacted", "opened again", "index made anew"] {
        let (rig, first) = sent(3, policy);
        let rig = match way {
            "untouched" => rig,
            _ => {
                let done = rig.compact();
                assert!(done.dropped + done.rewritten > 0, "{done:?}");
                // The open segment is not written anew.
                assert!((99..=140).contains(&with_key(&rig.store)), "{way}: {}", with_key(&rig.store));
                match way {
                    "compacted" => rig,
                    "opened again" => rig.again(Index::Keep),
                    _ => rig.again(Index::Rebuild),
                }
            }
        };
        // Another request under a key that is remembered is refused; that changes nothing.
        let other = |n: u64| {
            let request = rig.store.request().idempotency_key(&format!("request {n}")).unwrap();
            rig.store.commit(request.set(&scope("a"), "k0", b"other").unwrap())
        };
        assert!(other(201).is_err() && other(299).is_err(), "{way}");
        let again: Vec<Receipt> = [299, 250, 202, 201, 200, 199, 100, 0, 0].map(|n| send(&rig, n)).into();
        let last = first[299];
        assert_eq!(again[..4], [299, 250, 202, 201].map(|n: usize| first[n]), "{way}");
        // The last commit is a hundred seconds younger than that of 199; what follows takes places of its own.
        assert!(again[4] == first[200] || again[4].seq > last.seq, "{way}");
        assert!(again[5..].iter().all(|receipt| receipt.seq > last.seq), "{way}: {again:?}");
        assert_eq!(again[7], again[8], "{way}: a key that is used again is remembered again");
        verdicts.push(again);
    }
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
}

/// Where nothing is said, for thirty days; a hold on everything keeps them all, and so does who reads them.
#[test]
fn what_is_held_or_read_stays_remembered() {
    let (rig, first) = sent(4, NEWEST);
    rig.compact();
    assert_eq!(with_key(&rig.store), 300);
    let told = rig.store.explain(&ScopePrefix::root()).unwrap();
    assert_eq!(told.idempotency_for_us, limits::IDEMPOTENCY_FOR_US);
    let mut hold = rig.store.request();
    hold.add_hold(&ScopePrefix::root(), HoldName::parse("case").unwrap().as_str(), None).unwrap();
    rig.store.commit(hold).unwrap();
    rig.clock.advance(limits::IDEMPOTENCY_FOR_US / 2);
    rig.set("d", "k0", b"half");
    assert_eq!(send(&rig, 0), first[0]);
    rig.clock.advance(limits::IDEMPOTENCY_FOR_US / 2);
    rig.set("d", "k0", b"whole");
    rig.compact();
    assert_eq!(with_key(&rig.store), 300, "held");
    let mut release = rig.store.request();
    release.add_unhold(&ScopePrefix::root(), "case").unwrap();
    rig.store.commit(release).unwrap();
    let reading = rig.store.replay(Seq(100)).into_iter();
    rig.compact();
    let read: Vec<u64> = reading.map(|commit| commit.unwrap().seq.0).collect();
    assert_eq!((read[0], read.len()), (100, (rig.store.last().seq.0 - 99) as usize), "who reads finds all of it");
    let done = rig.compact();
    assert!(done.dropped > 0, "{done:?}");
    assert!(with_key(&rig.store) < 40, "{}", with_key(&rig.store));
    assert!(rig.clock.now() > Timestamp(0) && send(&rig, 0).seq > first[299].seq);
}

/// The newest use of a key had gone, an older one had not, and the window was made longer: the index still named the
/// one that had gone, an index that was made anew the other, and the two answered differently.
#[test]
fn a_window_made_longer_speaks_of_the_uses_that_are_left() {
    let again = |rig: &Rig, name: &str| {
        let request = rig.store.request().idempotency_key("used twice").unwrap();
        rig.store.commit(request.set(&scope(name), "k0", b"once").unwrap()).unwrap()
    };
    let mut verdicts = Vec::new();
    for index in [Index::Keep, Index::Rebuild] {
        let rig = Rig::new(6);
        let policy = NEWEST.idempotency_for(Duration::from_secs(10));
        rig.retain("", policy);
        let older = again(&rig, "b");
        rig.clock.advance(20_000_000);
        rig.set("a", "k1", b"forgets the older use");
        let newer = again(&rig, "a");
        assert!(newer.seq > older.seq);
        for n in 0..100 {
            rig.set("a", "k0", &[n; 100]);
        }
        // What stays keeps the index from being made anew for what goes.
        for n in 0..600 {
            rig.set("c", &format!("k{n}"), b"stays");
        }
        while rig.store.step_compact().unwrap() {}
        let left: Vec<String> = keys_ever(&rig.store, "used twice");
        assert_eq!(left, [older.seq.to_string()], "the newer use is gone, the older stays with its value");
        rig.retain("", policy.idempotency_for(Duration::from_secs(3600)));
        let rig = rig.again(index);
        verdicts.push(again(&rig, "b"));
        assert_eq!(verdicts[0], older);
    }
    assert_eq!(verdicts[0], verdicts[1]);
}

/// The commits that used a key, remembered or not.
fn keys_ever(store: &Engine, key: &str) -> Vec<String> {
    let commits = store.replay(Seq::FIRST).into_iter().map(Result::unwrap);
    commits.filter(|commit| commit.meta.idempotency_key.as_deref() == Some(key)).map(|c| c.seq.to_string()).collect()
}

#[test]
fn a_window_is_said_of_the_root_alone() {
    let rig = Rig::new(5);
    let mut request = rig.store.request();
    let policy = Policy::default().idempotency_for(Duration::from_secs(9));
    let refused = request.add_retain(&place("a"), &policy).unwrap_err();
    assert!(refused.to_string().contains("idempotency_for, which is for the root alone"), "{refused}");
    request.add_retain(&ScopePrefix::root(), &policy).unwrap();
}
