use std::sync::Arc;

use milepost_engine::{CommitError, Engine, Parts, Refusal, Settings};
use milepost_io::SimClock;
use milepost_types::{Event, Key, Precondition, Scope, ScopePrefix, Seq, Timestamp, Writer};

use crate::{Checked, open, scope};

fn refusal(error: CommitError) -> Refusal {
    match error {
        CommitError::Refused(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

fn set(store: &Checked, key: &str, value: &[u8]) -> Seq {
    store.commit(store.request().set(&scope("s"), key, value).unwrap()).unwrap().seq
}

#[test]
fn a_failed_precondition_names_itself_and_the_version_and_appends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (s, key) = (scope("s"), Key::parse("k").unwrap());
    let at = |seq| Precondition::KeyAt { scope: s.clone(), key: key.clone(), seq };
    let absent = Precondition::KeyAbsent { scope: s.clone(), key: key.clone() };
    let below = |bound: &[u8]| Precondition::ValueBelow { scope: s.clone(), key: key.clone(), bound: bound.to_vec() };
    let try_with = |p: Precondition| store.commit(store.request().require(p).set(&s, "k", b"5").unwrap());
    assert_eq!(refusal(try_with(at(Seq(1))).unwrap_err()), Refusal::Precondition { failed: at(Seq(1)), actual: None });
    assert_eq!(try_with(absent.clone()).unwrap().seq, Seq(1));
    let refused = refusal(try_with(absent.clone()).unwrap_err());
    assert_eq!(refused, Refusal::Precondition { failed: absent, actual: Some(Seq(1)) });
    assert_eq!(refused.to_string(), "key k of scope s was required to be absent; its version is 1");
    assert_eq!(try_with(at(Seq(1))).unwrap().seq, Seq(2));
    assert!(try_with(below(b"5")).is_err());
    assert_eq!(try_with(below(b"6")).unwrap().seq, Seq(3));
    let scope_at = |seq| Precondition::ScopeAt { scope: s.clone(), seq };
    assert!(try_with(scope_at(Seq(2))).is_err());
    assert_eq!(try_with(scope_at(Seq(3))).unwrap().seq, Seq(4));
}

#[test]
fn deletes_of_what_is_absent_are_no_events() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let s = scope("s");
    let nothing = store.commit(store.request().delete(&s, "k").unwrap()).unwrap();
    assert_eq!((nothing.seq, store.last().seq), (Seq::ZERO, Seq::ZERO));
    set(&store, "k", b"1");
    let mixed = store.request().delete(&s, "absent").unwrap().delete(&s, "k").unwrap().delete(&s, "k").unwrap();
    assert_eq!(store.commit(mixed).unwrap().seq, Seq(2));
    assert_eq!(store.commit_at(Seq(2)).unwrap().unwrap().events.len(), 1);
    assert_eq!(store.commit(store.request().clear(&s).unwrap()).unwrap().seq, Seq(2));
    // Set and taken away in one commit: both are events, for history's sake.
    let both = store.request().set(&s, "t", b"").unwrap().delete(&s, "t").unwrap().clear(&s).unwrap();
    assert_eq!(store.commit(both).unwrap().seq, Seq(3));
    assert_eq!(store.commit_at(Seq(3)).unwrap().unwrap().events.len(), 2);
}

#[test]
fn an_idempotency_key_answers_with_the_first_outcome_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let store = open(dir.path());
        let request =
            |value: &[u8]| store.request().idempotency_key("once").unwrap().set(&scope("s"), "k", value).unwrap();
        assert_eq!(store.commit(request(b"1")).unwrap().seq, Seq(1), "round {round}");
        assert_eq!(store.commit(request(b"1")).unwrap().seq, Seq(1));
        let conflict = refusal(store.commit(request(b"2")).unwrap_err());
        assert_eq!(conflict, Refusal::IdempotencyConflict { key: "once".to_owned(), first: Seq(1) });
        assert_eq!(store.last().seq, Seq(1));
    }
}

#[test]
fn a_lower_fencing_token_is_refused_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let s = scope("task/t");
    for round in 0..2 {
        let store = open(dir.path());
        let claim = |name: &str, token: u64| {
            let request = store.request().writer(Writer::new(name).unwrap()).fence(&s, token).unwrap();
            store.commit(request.set(&s, "k", name.as_bytes()).unwrap())
        };
        if round == 0 {
            claim("a", 1).unwrap();
            claim("b", 2).unwrap();
        }
        claim("b", 2).unwrap();
        for (name, token) in [("a", 1), ("a", 2)] {
            match refusal(claim(name, token).unwrap_err()) {
                Refusal::Fenced { highest: 2, holder: Some(holder), .. } => assert_eq!(holder.name(), "b"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn an_expired_value_is_gone_from_its_time_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let s = scope("s");
    let first = store.commit(store.request().set(&s, "a", b"").unwrap()).unwrap();
    let soon = Timestamp(first.at.0 + 1);
    let request = store.request().set_with(&s, "k", b"v", None, Some(soon)).unwrap();
    store.commit(request).unwrap();
    assert!(store.get("s", "k").unwrap().is_none(), "expired already");
    let never = store.request().set_with(&s, "k", b"v", None, Some(Timestamp::MAX)).unwrap();
    store.commit(never).unwrap();
    assert!(store.get("s", "k").unwrap().is_some());
    let view = store.view(milepost_types::At::Time(Timestamp::MAX)).unwrap();
    assert!(view.get("s", "k").unwrap().is_none());
}

/// A delete is an event if it takes a value away, also one that the same commit has set.
#[test]
fn a_delete_of_what_was_set_expired_is_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp(1_700_000_000_000_000);
    let parts = Parts { clock: Arc::new(SimClock::new(now)), ..Parts::real() };
    let store = Checked { engine: Engine::open(parts, dir.path(), Settings::default()).unwrap() };
    // The clock stands still: each commit is stamped one microsecond behind the one before.
    for (number, (later, events)) in (0..).zip([(-1, 1), (0, 1), (1, 2), (-1, 1)]) {
        let expires_at = Some(Timestamp(now.0 + number + later));
        let request = store.request().set_with(&scope("s"), "k", b"v", None, expires_at).unwrap();
        let receipt = store.commit(request.delete(&scope("s"), "k").unwrap()).unwrap();
        assert_eq!(receipt.at, Timestamp(now.0 + number));
        assert_eq!(store.commit_at(receipt.seq).unwrap().unwrap().events.len(), events, "{number}: {later}");
    }
}

/// A clear of the reserved root once took every fence away, and a zombie attempt could commit again.
#[test]
fn what_the_store_keeps_for_itself_can_not_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for reserved in ["$", "$/fence", "$/idempotency"] {
        let prefix = ScopePrefix::parse(reserved).unwrap();
        let stored = Scope::from_stored(reserved).unwrap();
        assert!(store.request().clear_prefix(&prefix).is_err());
        assert!(store.request().event(&Event::ClearPrefix { prefix }).is_err());
        assert!(store.request().set(&stored, "k", b"").is_err());
        assert!(store.request().delete(&stored, "k").is_err());
        assert!(store.request().clear(&stored).is_err());
    }
}

/// What one commit holds and erases is judged in its order, as if there were two.
#[test]
fn nothing_is_erased_that_the_same_commit_holds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let place = |prefix: &str| ScopePrefix::parse(prefix).unwrap();
    for of in ["a", "a/b", "ab"] {
        store.commit(store.request().set(&scope(of), "k", b"1").unwrap()).unwrap();
    }
    let held = |prefix: &str| {
        let mut request = store.request();
        request.add_hold(&place(prefix), "case 17", None).unwrap();
        request
    };
    for prefix in ["", "a", "a/b"] {
        let mut request = held(prefix);
        request.add_erase_scope(&scope("a/b"), 1).unwrap();
        match refusal(store.commit(request).unwrap_err()) {
            Refusal::Held { prefix: named, name } => assert_eq!((named, name.as_str()), (place(prefix), "case 17")),
            other => panic!("{other:?}"),
        }
    }
    let last = store.last().seq;
    // Not what lies beside it; not what is erased first; not what is let go again.
    let mut beside = held("a");
    beside.add_erase_scope(&scope("ab"), 1).unwrap();
    beside.add_unhold(&place("a"), "case 17").unwrap();
    beside.add_erase(&scope("a"), "k", 1).unwrap();
    beside.add_erase_prefix(&place("a/b"), 1).unwrap();
    beside.add_hold(&place(""), "case 18", None).unwrap();
    assert_eq!(store.commit(beside).unwrap().seq, Seq(last.0 + 1));
    for of in ["a", "a/b", "ab"] {
        assert!(store.get(of, "k").unwrap().is_none(), "{of}");
    }
}
