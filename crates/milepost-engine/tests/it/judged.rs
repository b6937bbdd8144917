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

/// What a commit has taken away already is not there for what follows in it: the same as if there were two.
#[test]
fn what_meets_nothing_behind_the_events_before_it_is_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // `k=` sets, `-k` deletes, `!` clears a scope, `!!` it and those below.
    let rows: [(&[&str], usize); 15] = [
        (&["!a", "-a k"], 1),
        (&["!a", "!a"], 1),
        (&["!a", "-b k"], 2),
        (&["!a", "!b"], 2),
        (&["!a", "-a/b k"], 2),
        (&["!a", "!!a", "!a/b"], 2),
        (&["!!a", "-a/b k"], 1),
        (&["!!a", "!a/b", "!a"], 1),
        (&["!!a", "-b k"], 2),
        (&["=a x", "!a", "-a x", "-a k"], 2),
        (&["=b x", "!a", "-b x", "-b k", "!b"], 4),
        (&["-a k", "!a"], 1),
        (&["-a k", "=a x", "!a"], 3),
        (&["-a k", "=a x", "-a x", "!a"], 3),
        (&["!a", "=a k", "!a"], 3),
    ];
    for (steps, kept) in rows {
        let mut request = store.request();
        ["a", "a/b", "b"].iter().for_each(|of| request.add_set(&scope(of), "k", b"1").unwrap());
        let before = store.commit(request).unwrap().seq;
        let mut request = store.request();
        for step in steps {
            let (of, key) = step.trim_start_matches(['!', '-', '=']).split_once(' ').unwrap_or((&step[1..], ""));
            match &step[..1] {
                "=" => request.add_set(&scope(of), key, b"2").unwrap(),
                "-" => request.add_delete(&scope(of), key).unwrap(),
                _ if step.starts_with("!!") => {
                    request.add_clear_prefix(&ScopePrefix::parse(&step[2..]).unwrap()).unwrap();
                }
                _ => request.add_clear(&scope(of)).unwrap(),
            }
        }
        assert_eq!(store.commit(request).unwrap().seq, Seq(before.0 + 1), "{steps:?}");
        assert_eq!(store.commit_at(Seq(before.0 + 1)).unwrap().unwrap().events.len(), kept, "{steps:?}");
    }
}

/// From its time on, to the microsecond, a value is not there for conditions either.
#[test]
fn a_value_that_expires_with_the_commit_is_absent() {
    for (later, is_there) in [(-1, false), (0, false), (1, true)] {
        let dir = tempfile::tempdir().unwrap();
        let clock = SimClock::new(Timestamp(1_700_000_000_000_000));
        let parts = Parts { clock: Arc::new(clock.clone()), ..Parts::real() };
        let store = Checked { engine: Engine::open(parts, dir.path(), Settings::default()).unwrap() };
        let (s, now) = (scope("s"), Timestamp(1_700_000_001_000_000));
        let expires_at = Some(Timestamp(now.0 + later));
        store.commit(store.request().set_with(&s, "k", b"1", None, expires_at).unwrap()).unwrap();
        clock.set(now);
        let failed = Precondition::KeyAbsent { scope: s.clone(), key: Key::parse("k").unwrap() };
        match store.commit(store.request().require(failed.clone()).set(&s, "other", b"1").unwrap()) {
            Ok(receipt) => assert!(!is_there && receipt.at == now, "{later}"),
            Err(error) => {
                assert!(is_there, "{later}");
                assert_eq!(refusal(error), Refusal::Precondition { failed, actual: Some(Seq(1)) });
            }
        }
    }
}

/// A scope that nothing was ever written to has no version, and is told as that.
#[test]
fn the_version_that_a_scope_was_not_at_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    set(&store, "k", b"1");
    set(&store, "k", b"2");
    for (of, seq, actual) in [("s", 1, Some(2)), ("s", 0, Some(2)), ("none", 1, None), ("s/below", 2, None)] {
        let failed = Precondition::ScopeAt { scope: scope(of), seq: Seq(seq) };
        let request = store.request().require(failed.clone()).set(&scope("s"), "k", b"3").unwrap();
        let actual = actual.map(Seq);
        assert_eq!(refusal(store.commit(request).unwrap_err()), Refusal::Precondition { failed, actual });
    }
    let at_none = Precondition::ScopeAt { scope: scope("none"), seq: Seq::ZERO };
    store.commit(store.request().require(at_none).set(&scope("none"), "k", b"1").unwrap()).unwrap();
}

/// A hold keeps what lies at and below its place. So it is in the way of an erasure there, and of one of all that lies
/// around it; not of one of a scope above it, which takes nothing of what it keeps.
#[test]
fn a_hold_is_in_the_way_of_what_would_take_something_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let place = |prefix: &str| ScopePrefix::parse(prefix).unwrap();
    let hold = |prefix: &str| {
        let mut request = store.request();
        request.add_hold(&place(prefix), "case", None).unwrap();
        store.commit(request).unwrap();
    };
    let unhold = |request: &mut milepost_engine::Request, prefix: &str| {
        request.add_unhold(&place(prefix), "case").unwrap();
    };
    for (held, of, with_below, is_free) in [
        ("a/b", "a/b", false, false),
        ("a/b", "a/b/c", false, false),
        ("a/b", "a", false, true),
        ("a/b", "a", true, false),
        ("a/b", "a/bc", true, true),
        ("a/b", "", true, false),
        ("", "a", false, false),
        ("", "", true, false),
    ] {
        hold(held);
        let erase = |request: &mut milepost_engine::Request| match with_below {
            true => request.add_erase_prefix(&place(of), 0).unwrap(),
            false => request.add_erase_scope(&scope(of), 0).unwrap(),
        };
        let mut request = store.request();
        erase(&mut request);
        let case = format!("{of} with below: {with_below}, while {held} is held");
        match store.commit(request) {
            Ok(_) => assert!(is_free, "{case}"),
            Err(error) => {
                assert!(!is_free, "{case}");
                assert_eq!(refusal(error), Refusal::Held { prefix: place(held), name: "case".to_owned() });
            }
        }
        // Released in the same commit, it is in nobody's way.
        let mut request = store.request();
        unhold(&mut request, held);
        erase(&mut request);
        store.commit(request).unwrap();
    }
}
