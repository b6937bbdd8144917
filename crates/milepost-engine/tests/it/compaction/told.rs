//! What histories tell after a compaction: every value that is there as it was; of one that may have gone, that.

use std::collections::BTreeMap;

use milepost_engine::{Change, Engine, HistoryQuery, Index, Value};
use milepost_io::SimRng;
use milepost_types::{Policy, ScopePrefix};

use super::{Rig, SCOPES, drawn, place};
use crate::scope;

/// Commit, scope, subject, kind.
type Place = (u64, String, String, &'static str);
/// The old value, whether it was removed, the new value.
type Values = (Option<Vec<u8>>, bool, Option<Vec<u8>>);

fn told(store: &Engine) -> BTreeMap<Place, Values> {
    let bytes = |value: &Option<Value>| value.as_ref().map(|value| value.to_vec());
    let told = |change: Change| {
        let place = (change.seq.0, change.scope.to_string(), format!("{:?}", change.subject), change.kind.name());
        (place, (bytes(&change.old), change.old_removed, bytes(&change.new)))
    };
    store.history(HistoryQuery::default()).unwrap().map(|change| told(change.unwrap())).collect()
}

/// The changes of one key, one line each.
fn lines(store: &Engine, of: &str) -> Vec<String> {
    let query = HistoryQuery { prefix: place(of), ..HistoryQuery::default() };
    let text = |value: &Option<Value>| {
        value.as_ref().map_or("none".to_owned(), |value| String::from_utf8_lossy(value).into_owned())
    };
    let line = |change: Change| {
        let old = if change.old_removed { "removed".to_owned() } else { text(&change.old) };
        change.key().map(|_| format!("{}: {old} -> {}", change.seq, text(&change.new)))
    };
    store.history(query).unwrap().filter_map(|change| line(change.unwrap())).collect()
}

/// An old value that was gone was told as none, or as an older one that was kept for a checkpoint.
#[test]
fn an_old_value_that_may_be_gone_is_told_as_removed() {
    for checkpoint in [false, true] {
        let mut rig = Rig::new(11);
        for n in 1..=7 {
            rig.set("a", "k0", format!("v{n}").as_bytes());
            if checkpoint && n == 3 {
                let mut request = rig.store.request();
                request.add_checkpoint(&scope("a"), "third", None).unwrap();
                rig.store.commit(request).unwrap();
            }
        }
        rig.set("d", "other", b"kept");
        rig.retain("a", Policy::default().keep_last(2));
        rig.compact();
        // Behind the horizon nothing was replaced that is gone.
        rig.set("a", "k0", b"v8");
        let right: &[&str] = match checkpoint {
            false => &["6: removed -> v6", "7: v6 -> v7", "10: v7 -> v8"],
            true => &["3: removed -> v3", "7: removed -> v6", "8: v6 -> v7", "11: v7 -> v8"],
        };
        for index in [Index::Keep, Index::Rebuild, Index::Keep] {
            assert_eq!(lines(&rig.store, "a"), right, "{index:?}");
            rig = rig.again(index);
        }
        assert_eq!(lines(&rig.store, "d").len(), 1);
    }
}

/// A delete is told although what it took is gone: it hides what a checkpoint keeps.
#[test]
fn a_delete_of_what_is_gone_is_told() {
    let mut rig = Rig::new(12);
    rig.set("a", "k0", b"v1");
    let mut request = rig.store.request();
    request.add_checkpoint(&scope("a"), "first", None).unwrap();
    rig.store.commit(request).unwrap();
    rig.set("a", "k0", b"v2");
    rig.store.commit(rig.store.request().delete(&scope("a"), "k0").unwrap()).unwrap();
    rig.retain("a", Policy::default().keep_last(2));
    rig.compact();
    for index in [Index::Keep, Index::Rebuild, Index::Keep] {
        assert_eq!(lines(&rig.store, "a"), ["1: none -> v1", "4: removed -> none"], "{index:?}");
        rig = rig.again(index);
    }
}

/// The horizon is a commit itself: what it replaced may be gone, and what the one behind it replaced is there.
#[test]
fn what_was_replaced_at_the_horizon_may_be_gone() {
    let rig = Rig::new(13);
    rig.retain("a", Policy::default().keep_last(1));
    for n in 1..=4 {
        rig.set("a", "k0", format!("v{n}").as_bytes());
    }
    rig.compact();
    assert_eq!(horizon(&rig.store, "a"), 5);
    rig.set("a", "k0", b"v5");
    assert_eq!(lines(&rig.store, "a"), ["5: removed -> v4", "6: v4 -> v5"]);
}

/// Whether anything is gone between two changes is looked up in the commits between them, up to so many. Beyond that
/// the value may be gone.
#[test]
fn a_value_is_looked_for_through_so_many_commits() {
    for (apart, told) in [(63, "v1 -> v2"), (64, "v1 -> v2"), (65, "removed -> v2"), (66, "removed -> v2")] {
        let rig = Rig::new(14);
        rig.retain("a", Policy::default().keep_last(9));
        rig.retain("d", Policy::default().keep_last(1));
        // Their segment is written anew without them, and with what is kept beside.
        for n in 0..20 {
            rig.set("d", "k0", &[n; 100]);
        }
        let first = rig.set("a", "k0", b"v1").0;
        for n in 1..apart {
            rig.set("e", &format!("{n}"), b"kept");
        }
        rig.set("a", "k0", b"v2");
        for _ in 0..20 {
            rig.set("d", "k0", &[9; 100]);
        }
        assert!(rig.compact().rewritten > 0);
        let last = format!("{}: {told}", first + apart);
        assert_eq!(lines(&rig.store, "a"), [format!("{first}: removed -> v1"), last], "{apart} commits apart");
    }
}

/// From where on a scope's past can be read.
fn horizon(store: &Engine, of: &str) -> u64 {
    let of = ScopePrefix::parse(of).unwrap();
    let rows = store.horizons().into_iter().filter(|row| row.prefix.holds(of.as_str()));
    rows.max_by_key(|row| row.prefix.as_str().len()).map_or(0, |row| row.seq.0)
}

#[test]
fn what_a_history_tells_is_true() {
    let (mut removed, mut told_before, mut whole) = (0, 0, 0);
    for seed in 200..230 {
        let mut rng = SimRng::new(seed);
        let mut rig = Rig::new(seed);
        // Each change as it was first told, when nothing of it was gone.
        let mut truth: BTreeMap<Place, Values> = BTreeMap::new();
        for n in 0..240u64 {
            drawn(&rig, &mut rng, 1 + n);
            for (place, values) in told(&rig.store).into_iter().filter(|(place, _)| place.0 == rig.store.last().seq.0) {
                truth.entry(place).or_insert(values);
            }
            if n % 40 != 39 {
                continue;
            }
            rig.move_horizons();
            let before = told(&rig.store);
            rig.compact();
            let index = if rng.coin() { Index::Keep } else { Index::Rebuild };
            rig = rig.again(index);
            let after = told(&rig.store);
            for (place, values) in &after {
                let first = truth.get(place);
                let (old, old_removed, new) = values;
                assert!(!old_removed || place.0 <= horizon(&rig.store, &place.1), "seed {seed}: {place:?}");
                match first {
                    // What was cleared after it had been deleted, and its delete has gone.
                    None => assert!(*old_removed && new.is_none(), "seed {seed}: {place:?} {values:?}"),
                    Some(first) => {
                        assert_eq!(new, &first.2, "seed {seed}, {index:?}: {place:?}");
                        // What was inherited may have been erased of the origin since.
                        let is_right = old == &first.0 || before.get(place).is_some_and(|before| *old == before.0);
                        assert!(*old_removed || is_right, "seed {seed}, {index:?}: {place:?} {old:?} {first:?}");
                    }
                }
                removed += u64::from(*old_removed);
                told_before += u64::from(!old_removed && old.is_some() && place.0 <= horizon(&rig.store, &place.1));
            }
            let is_behind = |place: &&Place| !SCOPES.contains(&&*place.1) || place.0 > horizon(&rig.store, &place.1);
            for place in before.keys().filter(is_behind) {
                assert_eq!(after.get(place), before.get(place), "seed {seed}, {index:?}: {place:?}");
                whole += 1;
            }
        }
    }
    assert!(removed > 100 && told_before > 100 && whole > 1000, "{removed} {told_before} {whole}");
}
