//! Preconditions, fencing tokens and idempotency keys: judged at the commit's place in the order; they survive a
//! restart.

use milepost::{ErrorKind, Precondition, Refusal, Seq, Store, Writer};

use super::{Place, get, scope};

fn kind<T: std::fmt::Debug>(result: milepost::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Runs the same check on a store as it is, and as it is found after a restart.
fn also_after_a_restart(prepare: impl Fn(&Store), check: impl Fn(&Store)) {
    let place = Place::new();
    let store = place.open();
    prepare(&store);
    let killed = place.copy();
    check(&store);
    store.close().unwrap();
    check(&killed.open());
    let closed = Place::new();
    let store = closed.open();
    prepare(&store);
    store.close().unwrap();
    check(&closed.open());
}

#[test]
fn preconditions_compare_with_what_is_there() {
    let a = scope("a");
    also_after_a_restart(
        |store| {
            store.set(&a, "k", b"5").unwrap();
            store.set(&a, "other", b"").unwrap();
            store.set(&a, "gone", b"").unwrap();
            store.delete(&a, "gone").unwrap();
        },
        |store| {
            let last = store.last().seq;
            let tries = |require: Precondition| store.commit().require(require).set(&scope("b"), "k", b"").durable();
            let key = |text| milepost::Key::parse(text).unwrap();
            let (at, absent) = (
                |key_text, seq| Precondition::KeyAt { scope: a.clone(), key: key(key_text), seq: Seq(seq) },
                |key_text| Precondition::KeyAbsent { scope: a.clone(), key: key(key_text) },
            );
            let below =
                |bound: &[u8]| Precondition::ValueBelow { scope: a.clone(), key: key("k"), bound: bound.to_vec() };
            for refused in [
                at("k", 2),
                at("gone", 3),
                at("never", 1),
                absent("k"),
                below(b"5"),
                below(b"49"),
                Precondition::ScopeAt { scope: a.clone(), seq: Seq(2) },
                Precondition::ScopeAt { scope: scope("never"), seq: Seq(1) },
            ] {
                assert_eq!(kind(tries(refused.clone())), ErrorKind::Conflict, "{refused:?}");
            }
            assert_eq!(store.last().seq, last, "a refused commit was appended");
            for holds in [
                at("k", 1),
                absent("gone"),
                absent("never"),
                below(b"50"),
                below(b"6"),
                Precondition::ScopeAt { scope: a.clone(), seq: Seq(4) },
                Precondition::ScopeAt { scope: scope("never"), seq: Seq::ZERO },
            ] {
                tries(holds.clone()).unwrap_or_else(|error| panic!("{holds:?}: {error}"));
            }
        },
    );
}

#[test]
fn a_refused_commit_leaves_nothing_and_names_itself() {
    let place = Place::new();
    let store = place.open();
    let (a, b) = (scope("a"), scope("b"));
    let version = store.set(&a, "k", b"1").unwrap().seq;
    store.set(&a, "k", b"2").unwrap();
    let commit = store.commit().set(&b, "k", b"").require_version(&a, "k", version).set(&a, "k", b"3");
    let error = commit.durable().unwrap_err();
    let Some(Refusal::Precondition { failed: Precondition::KeyAt { seq, .. }, actual }) = error.refusal() else {
        panic!("{error:?}")
    };
    assert_eq!((*seq, *actual), (version, Some(Seq(2))));
    assert!(
        error.to_string().contains("key k of scope a was required to be at version 1; its version is 2"),
        "{error}"
    );
    assert_eq!((get(&store, &b, "k"), store.last().seq), (None, Seq(2)));
}

/// Of many that want the same thing at the same time, exactly one gets it.
#[test]
fn one_of_many_wins() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    for round in 0..20 {
        let key = round.to_string();
        let won: u32 = std::thread::scope(|threads| {
            let tries = |me: u8| {
                let (store, a, key) = (&store, &a, &key);
                move || store.commit().require_absent(a, key).set(a, key, &[me]).durable().is_ok()
            };
            let threads: Vec<_> = (0..8).map(|me| threads.spawn(tries(me))).collect();
            threads.into_iter().map(|thread| u32::from(thread.join().unwrap())).sum()
        });
        assert_eq!(won, 1);
    }
}

#[test]
fn a_lower_fencing_token_is_refused() {
    let a = scope("a");
    let by = |store: &Store, name: &str, token| {
        store.commit().writer(Writer::new(name).unwrap()).fence(&a, token).set(&a, "k", name.as_bytes()).durable()
    };
    also_after_a_restart(
        |store| {
            by(store, "first", 2).unwrap();
        },
        |store| {
            assert_eq!(kind(by(store, "zombie", 1)), ErrorKind::Fenced);
            assert_eq!(kind(by(store, "other", 2)), ErrorKind::Fenced);
            assert_eq!(kind(by(store, "other", u64::MAX)), ErrorKind::Invalid);
            assert!(by(store, "first", 2).is_ok());
            assert!(by(store, "second", 3).is_ok());
            assert_eq!(kind(by(store, "first", 2)), ErrorKind::Fenced);
            assert_eq!(get(store, &a, "k").as_deref(), Some(&b"second"[..]));
        },
    );
}

#[test]
fn an_idempotency_key_answers_with_the_first_outcome() {
    let a = scope("a");
    let set = |store: &Store, value: &[u8]| store.commit().idempotency_key("once").set(&a, "k", value).durable();
    also_after_a_restart(
        |store| {
            set(store, b"1").unwrap();
            store.set(&a, "k", b"2").unwrap();
        },
        |store| {
            let last = store.last().seq;
            let again = set(store, b"1").unwrap();
            assert_eq!(again.seq, Seq(1));
            assert_eq!(again.at, store.commit_at(Seq(1)).unwrap().unwrap().at);
            let error = set(store, b"3").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(error.to_string().contains("used by commit 1 for other content"), "{error}");
            assert_eq!(store.last().seq, last);
            assert_eq!(get(store, &a, "k").as_deref(), Some(&b"2"[..]));
        },
    );
}

/// A repeat inside the same batch, sent before the first is durable.
#[test]
fn a_repeat_under_way_is_a_repeat() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    let submit = |_| store.commit().idempotency_key("once").set(&a, "k", b"1").submit().unwrap();
    let tickets: Vec<_> = (0..50).map(submit).collect();
    for ticket in tickets {
        assert_eq!(ticket.wait().unwrap().seq, Seq(1));
    }
    assert_eq!(store.last().seq, Seq(1));
}
