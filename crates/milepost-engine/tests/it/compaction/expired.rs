//! Values that had expired, and that compaction took.

use std::{path::Path, time::Duration};

use milepost_engine::{ChangeKind, Engine, HistoryQuery, Index, Subject};
use milepost_io::Clock;
use milepost_types::{At, Key, Policy, Precondition, ScopePrefix, Timestamp};

use super::{DIR, KEYS, Rig, files_with, frame_bytes, place};
use crate::scope;

/// A value that had expired was removed, and the next compaction asked the log when it would: each one after that
/// failed, for good.
#[test]
fn what_has_expired_goes_and_the_next_compaction_goes_on() {
    let rig = Rig::new(8);
    rig.retain("", Policy::default().keep_last(0));
    // One alone in its commit, and one beside what stays.
    for (of, beside) in [("a", false), ("a/b", true)] {
        let soon = Some(Timestamp(rig.clock.now().0 + 5_000_000));
        let mut request = rig.store.request().set_with(&scope(of), "k0", &[7; 3000], None, soon).unwrap();
        if beside {
            request = request.set(&scope(of), "k1", b"stays").unwrap();
        }
        rig.store.commit(request).unwrap();
        rig.clock.advance(6_000_000);
        let before = frame_bytes(&rig.store);
        for n in 0..3u8 {
            rig.set("a", "k2", &[n]);
            rig.compact();
        }
        assert!(frame_bytes(&rig.store) + 2000 < before);
        // The index may know of it still, and nobody else does.
        let store = &rig.store;
        assert_eq!(store.get(of, "k0").unwrap().map(|value| value.to_vec()), None);
        let view = store.view(At::Latest).unwrap();
        assert_eq!(view.get(of, "k0").unwrap().map(|value| value.to_vec()), None);
        assert!(view.get_many(of, &["k0"]).unwrap()[0].is_none());
        assert_eq!(view.versions(of, &["k0"]).unwrap(), [None]);
        assert_eq!(view.scan(of, "").inspect(|entry| assert!(entry.is_ok())).count(), 1);
        assert_eq!(view.diff(of, &view, "none").unwrap().inspect(|found| assert!(found.is_ok())).count(), 1);
        assert_eq!(store.to_erase_of_key(of, "k0").unwrap().values, 0);
        store.explain(&place(of)).unwrap();
        let absent = Precondition::KeyAbsent { scope: scope(of), key: Key::parse("k0").unwrap() };
        store.commit(store.request().delete(&scope(of), "k0").unwrap().require(absent)).unwrap();
    }
    assert_eq!(rig.store.get("a/b", "k1").unwrap().unwrap().to_vec(), b"stays");
}

/// A value that had expired, and a delete, were among the newest versions that a policy kept by their number, for good:
/// a value that was to be gone after a minute stayed in the files, and of a queue each key that ever came.
#[test]
fn by_their_number_no_values_stay_of_a_key_that_is_gone() {
    for last in [0, 1, 3] {
        let mut rig = Rig::new(13);
        rig.retain("a", Policy::default().keep_last(last));
        let empty = frame_bytes(&rig.store);
        let soon = Some(Timestamp(rig.clock.now().0 + 5_000_000));
        for n in 0..40 {
            let key = format!("come and gone {n}");
            for value in 0..3u8 {
                rig.set("a", &key, &[value; 20]);
            }
            rig.store.commit(rig.store.request().delete(&scope("a"), &key).unwrap()).unwrap();
            rig.set("a", "to be cleared", b"of the scope below");
        }
        rig.set("a", "expires", b"an older value");
        let request = rig.store.request().set_with(&scope("a"), "expires", b"CANARY", None, soon).unwrap();
        rig.store.commit(request).unwrap();
        rig.set("a/b", "cleared", b"CANARY");
        rig.store.commit(rig.store.request().clear(&scope("a/b")).unwrap()).unwrap();
        rig.clock.advance(6_000_000);
        rig.set("a", "lives", b"1");
        for index in [Index::Keep, Index::Rebuild, Index::Keep, Index::Keep] {
            rig.compact();
            rig = rig.again(index);
            let view = rig.store.view(At::Latest).unwrap();
            let keys: Vec<_> = view.scan("a", "").map(|entry| entry.unwrap().key).collect();
            assert_eq!(keys.len(), 2, "of {last}: {keys:?}");
            assert_eq!(files_with(&rig.disk, b"CANARY"), Vec::<String>::new(), "of {last}");
        }
        let left = frame_bytes(&rig.store);
        assert!(left < empty + 300 + 100 * last, "of {last}: {left} bytes, {empty} without any key");
        assert_eq!(files_with(&rig.disk, b"come and gone"), Vec::<String>::new(), "of {last}");
        let changes = rig.store.history(HistoryQuery { prefix: place("a"), ..HistoryQuery::default() }).unwrap();
        let values = changes.filter(|change| change.as_ref().unwrap().kind == ChangeKind::Set).count() as u64;
        assert_eq!(values, 1 + last.max(1), "of {last}");
    }
}

/// Deleted, and set again: of a key that is there the newest values stay, those before the delete among them, and the
/// delete, which the history would lie without. With a time besides, what was deleted goes that long after.
#[test]
fn of_a_key_that_came_back_the_newest_values_stay() {
    let rig = Rig::new(14);
    rig.retain("", Policy::default().keep_last(3));
    for n in 0..4u8 {
        rig.set("a", "k", &[n]);
    }
    rig.store.commit(rig.store.request().delete(&scope("a"), "k").unwrap()).unwrap();
    for n in 4..6u8 {
        rig.set("a", "k", &[n]);
    }
    for _ in 0..3 {
        rig.compact();
    }
    let query = HistoryQuery { prefix: place("a"), ..HistoryQuery::default() };
    let told: Vec<_> = rig.store.history(query).unwrap().map(Result::unwrap).collect();
    let told: Vec<_> = told.iter().map(|change| (change.kind, change.new.as_ref().map(|new| new.to_vec()))).collect();
    let set = |n: u8| (ChangeKind::Set, Some(vec![n]));
    assert_eq!(told, [set(3), (ChangeKind::Delete, None), set(4), set(5)]);

    rig.retain("a", Policy::default().keep_last(3).keep_for(Duration::from_secs(60)));
    let explained = || rig.store.explain(&place("a")).unwrap();
    assert_eq!((explained().next_goes_at, explained().goes_now), (None, 0));
    rig.clock.advance(1_000_000);
    let at = rig.store.commit(rig.store.request().delete(&scope("a"), "k").unwrap()).unwrap().at;
    assert_eq!((explained().next_goes_at, explained().goes_now), (Some(Timestamp(at.0 + 60_000_000)), 0));
    rig.clock.advance(59_000_000);
    rig.compact();
    assert_eq!((explained().versions, explained().goes_now), (5, 0));
    rig.clock.advance(1_000_000);
    assert_eq!((explained().next_goes_at, explained().goes_now), (None, 5));
}

/// Values that have expired since, and beside them so much that stays that of the segment a third goes, and of the run
/// less.
fn values_that_expire(rig: &Rig) {
    let soon = Some(Timestamp(rig.clock.now().0 + 5_000_000));
    for key in KEYS {
        let request = rig.store.request().set_with(&scope("a"), key, &[7; 600], None, soon).unwrap();
        rig.store.commit(request).unwrap();
    }
    rig.clock.advance(6_000_000);
    rig.set("a", "live", b"1");
    for n in 0..40u8 {
        rig.set("d", &format!("stays/{n}"), &[n; 30]);
    }
}

/// A value that had expired was removed, and the index still knew of it: a clear of its scope, which took another key,
/// was told to have replaced what was removed, where there was nothing.
#[test]
fn a_clear_replaces_nothing_that_had_expired() {
    let rig = Rig::new(9);
    rig.retain("a", Policy::default().keep_last(0));
    values_that_expire(&rig);
    while rig.store.step_compact().unwrap() {}
    let done = rig.store.compacted();
    assert!(done.rewritten == 1 && done.runs == 0, "{done:?}");
    // The index still knows them, and nobody else does: to each read they have expired, and are not missing.
    let (store, parts) = (&rig.store, rig.parts());
    let reader = Engine::open_read_only(parts, Path::new(DIR)).unwrap();
    for engine in [store, &reader] {
        assert!(engine.get("a", KEYS[0]).unwrap().is_none());
        for at in [At::Latest, At::Seq(store.last().seq)] {
            let view = engine.view(at).unwrap();
            assert!(KEYS.iter().all(|key| view.get("a", key).unwrap().is_none()));
            assert_eq!(view.get_many("a", &["live", KEYS[1]]).unwrap().iter().flatten().count(), 1);
            assert_eq!(view.versions("a", &["live", KEYS[2]]).unwrap().iter().flatten().count(), 1);
            let keys: Vec<_> = view.scan("a", "").map(|entry| entry.unwrap().key.to_string()).collect();
            assert_eq!(keys, ["live"]);
            assert_eq!(view.diff("a", &view, "none").unwrap().map(Result::unwrap).count(), 1);
        }
    }
    let cleared = rig.store.commit(rig.store.request().clear(&scope("a")).unwrap()).unwrap().seq;
    let query = HistoryQuery { prefix: place("a"), since: Some(cleared), ..HistoryQuery::default() };
    let told: Vec<_> = rig.store.history(query).unwrap().map(Result::unwrap).collect();
    let told: Vec<_> = told.iter().map(|change| (&change.subject, change.kind, change.old_removed)).collect();
    assert_eq!(told, [(&Subject::Key(Key::parse("live").unwrap()), ChangeKind::Clear, false)]);
}

/// "No time decides it" was said of a value that goes at a time that everybody knows.
#[test]
fn when_an_expiring_value_goes_is_told_and_it_goes_then() {
    let rig = Rig::new(11);
    let keep = Duration::from_secs(60);
    rig.retain("a", Policy::default().keep_for(keep));
    let soon = Timestamp(rig.clock.now().0 + 5_000_000);
    let request = rig.store.request().set_with(&scope("a"), "k", &[7; 600], None, Some(soon)).unwrap();
    rig.store.commit(request).unwrap();
    let explained = || rig.store.explain(&place("a")).unwrap();
    assert_eq!((explained().next_goes_at, explained().goes_now), (Some(Timestamp(soon.0 + 60_000_000)), 0));
    rig.clock.advance(7_000_000);
    rig.set("b", "k", b"the first commit whose reads do not see it");
    let goes_at = Timestamp(rig.store.last().at.0 + 60_000_000);
    assert_eq!((explained().next_goes_at, explained().goes_now), (Some(goes_at), 0), "{:?}", explained());
    rig.clock.advance(59_000_000);
    assert_eq!((explained().next_goes_at, explained().goes_now), (Some(goes_at), 0), "{:?}", explained());
    rig.clock.advance(2_000_000);
    assert_eq!((explained().next_goes_at, explained().goes_now), (None, 1), "{:?}", explained());
}

/// Of the whole store it was said that no policy speaks of it, beside versions that go by one.
#[test]
fn what_speaks_of_places_below_is_told() {
    let rig = Rig::new(12);
    rig.set("a/b", "k", b"1");
    rig.retain("a", Policy::default().keep_last(1));
    rig.retain("a/b", Policy::default().keep_last(2));
    let told = |of: &ScopePrefix| {
        let told = rig.store.explain(of).unwrap();
        let below = told.policies_below.iter().map(|set| set.prefix.as_str().to_owned()).collect::<Vec<_>>();
        (told.policy.map(|set| set.prefix.as_str().to_owned()), below)
    };
    assert_eq!(told(&ScopePrefix::root()), (None, vec!["a".to_owned(), "a/b".to_owned()]));
    assert_eq!(told(&place("a")), (Some("a".to_owned()), vec!["a/b".to_owned()]));
    assert_eq!(told(&place("a/b")), (Some("a/b".to_owned()), vec![]));
    assert_eq!(told(&place("ab")), (None, vec![]));
}

/// A reader was told that such a value was missing, where the writer said that it had expired: another place kept less
/// of its past, and the index still knew what was gone.
#[test]
fn what_had_expired_has_expired_whatever_other_places_keep() {
    let rig = Rig::new(10);
    rig.retain("a", Policy::default().keep_for(Duration::from_secs(60)));
    rig.retain("z", Policy::default().keep_last(1));
    values_that_expire(&rig);
    rig.clock.advance(61_000_000);
    let since = rig.set("z", "k", b"1");
    rig.set("z", "k", b"2");
    while rig.store.step_compact().unwrap() {}
    let done = rig.store.compacted();
    assert!(done.rewritten > 0 && done.runs == 0, "{done:?}");
    let horizon = |of: &str| rig.store.horizons().into_iter().find(|row| row.prefix == place(of)).unwrap().seq;
    assert!(horizon("a") <= since && since < horizon("z"), "{:?}", rig.store.horizons());
    let reader = Engine::open_read_only(rig.parts(), Path::new(DIR)).unwrap();
    for engine in [&rig.store, &reader] {
        let view = engine.view(At::Seq(since)).unwrap();
        assert!(view.get("a", KEYS[0]).unwrap().is_none());
        assert_eq!(view.scan("a", "").map(|entry| entry.unwrap().key.to_string()).collect::<Vec<_>>(), ["live"]);
        assert_eq!(view.diff("a", &view, "none").unwrap().map(Result::unwrap).count(), 1);
    }
}
