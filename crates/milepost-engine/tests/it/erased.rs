//! What is erased while somebody walks, or has a plan: from then on it is not shown, and does not come back.

mod since;

use std::{ops::ControlFlow, path::Path};

use milepost_engine::{ChangeKind, CommitError, Engine, ErasedSince, HistoryQuery, Parts, Refusal, Settings};
use milepost_types::{At, Event, ScopePrefix, Seq};

use crate::{Checked, scope};

const KEYS: u32 = 100;
const ERASED: &str = "k050";

/// With little memory: what is set soon freezes it.
fn filled(dir: &Path) -> Checked {
    let settings = Settings { memory_bytes: 64 << 10, ..Settings::default() };
    let store = Checked { engine: Engine::open(Parts::real(), dir, settings).unwrap() };
    let mut request = store.request();
    for n in 0..KEYS {
        request.add_set(&scope("o"), &format!("k{n:03}"), b"secret").unwrap();
    }
    store.commit(request).unwrap();
    store
}

fn erase(store: &Checked, of: &str, key: &str) -> Seq {
    let mut request = store.request();
    request.add_erase(&scope(of), key, 0).unwrap();
    store.commit(request).unwrap().seq
}

fn erase_all(store: &Checked, of: &str) {
    let mut request = store.request();
    request.add_erase_scope(&scope(of), 0).unwrap();
    store.commit(request).unwrap();
}

fn fork(store: &Checked) {
    let mut request = store.request();
    request.add_fork(&scope("f"), &scope("o"), Seq(1)).unwrap();
    store.commit(request).unwrap();
}

/// Up to a thousand keys were looked up before the first was shown, and an erasure that a newer memtable held was
/// never seen.
#[test]
fn a_scan_that_has_begun_does_not_show_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    fork(&store);
    for (of, is_frozen) in [("o", false), ("f", true)] {
        let view = store.view(At::Latest).unwrap();
        let mut scan = view.scan(of, "");
        let keys: Vec<String> = scan.by_ref().take(40).map(|entry| entry.unwrap().key.to_string()).collect();
        assert_eq!(keys.last().map(String::as_str), Some("k039"));
        if is_frozen {
            for n in 0..3000 {
                let request = store.request().set(&scope("other"), &format!("{n:05}"), &[0; 50]).unwrap();
                drop(store.submit(request).unwrap());
            }
        }
        let gone = if is_frozen { "k060" } else { ERASED };
        erase(&store, "o", gone);
        let rest: Vec<String> = scan.map(|entry| entry.unwrap().key.to_string()).collect();
        assert!(!rest.iter().any(|key| key == gone), "{of}: {rest:?}");
        assert_eq!(rest.first().map(String::as_str), Some("k040"));
        assert_eq!(rest.last().map(String::as_str), Some("k099"));
    }
    let view = store.view(At::Latest).unwrap();
    let mut scan = view.scan("o", "");
    scan.next().unwrap().unwrap();
    erase_all(&store, "o");
    assert_eq!(scan.count(), 0);
}

#[test]
fn a_diff_that_has_begun_does_not_show_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let mut request = store.request();
    request.add_set(&scope("o"), "k099", b"other").unwrap();
    store.commit(request).unwrap();
    let [zero, old, new] = [0, 1, 2].map(|seq| store.view(At::Seq(Seq(seq))).unwrap());
    let mut from_nothing = zero.diff("o", &old, "o").unwrap();
    let mut of_one = old.diff("o", &new, "o").unwrap();
    assert_eq!(from_nothing.next().unwrap().unwrap().key.as_str(), "k000");
    erase(&store, "o", ERASED);
    let rest: Vec<String> = from_nothing.map(|difference| difference.unwrap().key.to_string()).collect();
    assert_eq!(rest.len(), KEYS as usize - 2);
    assert!(!rest.iter().any(|key| key == ERASED));
    let changed = of_one.next().unwrap().unwrap();
    assert_eq!((&**changed.old.as_ref().unwrap(), &**changed.new.as_ref().unwrap()), (&b"secret"[..], &b"other"[..]));
    assert!(of_one.next().is_none());
}

#[test]
fn a_history_that_has_begun_does_not_show_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    fork(&store);
    let mut request = store.request();
    request.add_set(&scope("f"), ERASED, b"own").unwrap();
    store.commit(request).unwrap();
    let history = |prefix: &str| {
        let prefix = ScopePrefix::parse(prefix).unwrap();
        store.history(HistoryQuery { prefix, ..HistoryQuery::default() }).unwrap()
    };
    let (mut of_origin, mut of_fork) = (history("o"), history("f"));
    assert_eq!(of_origin.next().unwrap().unwrap().key().unwrap().as_str(), "k000");
    erase(&store, "o", ERASED);
    let rest: Vec<_> = of_origin.map(|change| change.unwrap()).collect();
    assert_eq!(rest.len(), KEYS as usize - 2);
    assert!(!rest.iter().any(|change| change.key().is_some_and(|key| key.as_str() == ERASED)));
    // What the fork had it from is gone, and what it was given itself is there.
    let own = of_fork.find(|change| change.as_ref().is_ok_and(|change| change.key().is_some())).unwrap().unwrap();
    assert_eq!((own.old.as_deref(), own.new.as_deref()), (None, Some(&b"own"[..])));
}

/// An erasure meanwhile concerns what it erased: a value that the same commit had set before is still the old one, and
/// a checkpoint that is named like the key stays.
#[test]
fn a_history_that_has_begun_tells_all_else_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    fork(&store);
    let mut request = store.request();
    request.add_set(&scope("o"), "k001", b"first").unwrap();
    request.add_set(&scope("o"), "k001", b"second").unwrap();
    request.add_checkpoint(&scope("o"), ERASED, None).unwrap();
    store.commit(request).unwrap();
    let prefix = ScopePrefix::parse("o").unwrap();
    let mut history = store.history(HistoryQuery { prefix, ..HistoryQuery::default() }).unwrap();
    assert_eq!(history.next().unwrap().unwrap().key().unwrap().as_str(), "k000");
    erase(&store, "o", ERASED);
    let text = |value: Option<milepost_engine::Value>| value.map(|value| String::from_utf8(value.to_vec()).unwrap());
    let rest = history.map(|change| change.unwrap()).filter(|change| change.seq > Seq(1));
    let told: Vec<_> =
        rest.map(|change| (change.kind.name(), text(change.old), change.old_removed, text(change.new))).collect();
    let some = |value: &str| Some(value.to_owned());
    let expected = [
        ("set", some("secret"), false, some("first")),
        ("set", some("first"), false, some("second")),
        ("checkpoint", None, false, None),
    ];
    assert_eq!(told, expected);
}

/// What was erased of a fork does not show through from its origin, in its history either.
#[test]
fn the_history_of_a_fork_begins_without_what_was_erased_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    fork(&store);
    erase(&store, "f", ERASED);
    for key in ["k010", ERASED] {
        store.commit(store.request().set(&scope("f"), key, b"own").unwrap()).unwrap();
    }
    let prefix = ScopePrefix::parse("f").unwrap();
    let history = store.history(HistoryQuery { prefix, ..HistoryQuery::default() }).unwrap();
    let sets = history.map(|change| change.unwrap()).filter(|change| change.kind == ChangeKind::Set);
    let told: Vec<_> =
        sets.map(|change| (change.key().unwrap().to_string(), change.old.map(|old| old.to_vec()))).collect();
    assert_eq!(told, [("k010".to_owned(), Some(b"secret".to_vec())), (ERASED.to_owned(), None)]);
}

/// The condition of a restore is on its own scope: an erasure where a fork has its values from passed it, and the
/// restore wrote them anew, as values that nobody had erased.
#[test]
fn a_restore_that_was_planned_does_not_bring_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    fork(&store);
    let mut request = store.request();
    request.add_clear(&scope("f")).unwrap();
    store.commit(request).unwrap();
    let plan = || store.restoration(&scope("f"), At::Seq(Seq(2))).unwrap();
    let of_fork = plan();
    assert_eq!(of_fork.differences().len(), KEYS as usize);
    // The request is made before, too.
    let request = of_fork.add_to(store.request()).unwrap();
    erase(&store, "o", ERASED);
    for late in [request, of_fork.add_to(store.request()).unwrap()] {
        match store.commit(late) {
            Err(CommitError::Refused(refusal)) => assert!(matches!(*refusal, Refusal::Erased { .. }), "{refusal}"),
            other => panic!("{other:?}"),
        }
    }
    store.commit(plan().add_to(store.request()).unwrap()).unwrap();
    let now = store.view(At::Latest).unwrap();
    assert_eq!(now.get("f", ERASED).unwrap().map(|value| value.to_vec()), None);
    assert_eq!(now.scan("f", "").count(), KEYS as usize - 1);
}

/// What of a moment was erased since: each key that was erased or lay in a scope that was, and whether it had a value.
fn told_of(store: &Checked, of: &str, at: Seq) -> (ErasedSince, Vec<String>) {
    let mut keys = Vec::new();
    let view = store.view(At::Seq(at)).unwrap();
    let told = view.each_erased_since(of, &mut |erased| {
        keys.push(format!("{} {} {}", erased.key, erased.by, erased.is_sure));
        ControlFlow::Continue(())
    });
    (told.unwrap(), keys)
}

/// A fork reads through to its origin past what the scope held before, and what was cleared before; not past what was
/// cleared since.
#[test]
fn what_a_fork_lacks_since_an_erasure_of_its_origin_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let commit = |request| store.commit(request).unwrap().seq;
    commit(store.request().set(&scope("f"), "k007", b"before the fork").unwrap());
    commit(store.request().set(&scope("f"), "own", b"before the fork").unwrap());
    commit(store.request().clear(&scope("f")).unwrap());
    fork(&store);
    let forked = commit(store.request().set(&scope("f"), "k008", b"its own").unwrap());
    let cleared = commit(store.request().clear(&scope("f")).unwrap());
    let by_key = ["k007", "k008"].map(|key| erase(&store, "o", key));

    let (told, keys) = told_of(&store, "f", forked);
    assert_eq!(told, ErasedSince { keys: 1, perhaps: 0, whole: None }, "{keys:?}");
    assert_eq!(keys, [format!("k007 {} true", by_key[0])]);
    assert_eq!(told_of(&store, "f", cleared), (ErasedSince::default(), Vec::new()));

    erase_all(&store, "o");
    let by = store.last().seq;
    let (told, keys) = told_of(&store, "f", forked);
    assert_eq!(told, ErasedSince { keys: u64::from(KEYS) - 1, perhaps: 0, whole: Some(by) });
    assert_eq!(keys.len(), KEYS as usize - 1, "but for k008, which is its own");
    assert_eq!((keys[6].as_str(), keys[7].as_str()), (&*format!("k006 {by} true"), &*format!("k007 {by} true")));
}

/// A commit may set what it erases, before and behind that: what stands before it is shown to nobody, what stands
/// behind it to everybody, as if they were commits of their own.
#[test]
fn of_what_a_commit_sets_and_erases_is_shown_what_stands_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = Checked { engine: Engine::open(Parts::real(), dir.path(), Settings::default()).unwrap() };
    let set = |of: &str, key: &str| Event::Set {
        scope: scope(of),
        key: milepost_types::Key::parse(key).unwrap(),
        value: b"1".to_vec(),
        content_type: None,
        expires_at: None,
    };
    let (a, key) = (scope("a"), milepost_types::Key::parse("k").unwrap());
    let erase = Event::Erase { scope: a.clone(), key: key.clone(), bytes: 1 };
    let erase_scope = Event::EraseScope { scope: scope("b"), bytes: 1 };
    let delete = Event::Delete { scope: a, key };
    let rows = [
        (set("a", "k"), false),
        (set("b", "k"), false),
        (set("a", "other"), true),
        (set("b", "other"), false),
        (set("c", "k"), true),
        (delete, false),
        (set("a", "k"), false),
        (erase, true),
        (set("a", "k"), true),
        (erase_scope, true),
        (set("b", "k"), true),
        (set("a", "k"), true),
    ];
    for end in 1..=rows.len() {
        let mut request = store.request();
        rows[..end].iter().for_each(|(event, _)| request.add_event(event).unwrap());
        let seq = store.commit(request).unwrap().seq;
        // What has no erasure behind it in this commit is there still.
        let (is_erased, all_erased) = (end > 7, end > 9);
        let stays = |(event, stays): &&(Event, bool)| match event {
            Event::Set { scope, .. } if scope.as_str() == "b" => *stays || !all_erased,
            _ => *stays || !is_erased,
        };
        let left: Vec<Event> = rows[..end].iter().filter(stays).map(|(event, _)| event.clone()).collect();
        assert_eq!(store.commit_at(seq).unwrap().unwrap().events, left, "{end} events");
        let shown = store.replay(seq).next().unwrap().unwrap();
        assert_eq!((shown.seq, shown.events), (seq, left), "{end} events");
        // The next one begins from nothing.
        let mut request = store.request().clear_prefix(&ScopePrefix::root()).unwrap();
        request.add_erase_prefix(&ScopePrefix::parse("none").unwrap(), 0).unwrap();
        store.commit(request).unwrap();
    }
}
