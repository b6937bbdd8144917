use milepost_engine::{Difference, ReadError, Request};
use milepost_types::{At, ContentType, Precondition, Seq, Timestamp, limits};

use crate::{Checked, open, scope};

fn set(store: &Checked, of: &str, pairs: &[(&str, &str)]) -> Seq {
    let request = pairs
        .iter()
        .fold(store.request(), |request, (key, value)| request.set(&scope(of), key, value.as_bytes()).unwrap());
    store.commit(request).unwrap().seq
}

fn text(differences: &[Difference]) -> Vec<String> {
    let side = |value: &Option<milepost_engine::Value>| match value {
        Some(value) => String::from_utf8_lossy(value).into_owned(),
        None => "-".to_owned(),
    };
    let line = |d: &Difference| format!("{} {} {}>{}", d.kind().name(), d.key, side(&d.old), side(&d.new));
    differences.iter().map(line).collect()
}

fn diff(store: &Checked, of: (&str, u64), to: (&str, u64)) -> Vec<String> {
    let (old, new) = (store.view(At::Seq(Seq(of.1))).unwrap(), store.view(At::Seq(Seq(to.1))).unwrap());
    let found: Vec<_> = old.diff(of.0, &new, to.0).unwrap().map(Result::unwrap).collect();
    text(&found)
}

fn delete(store: &Checked, of: &str, key: &str) -> Seq {
    store.commit(store.request().delete(&scope(of), key).unwrap()).unwrap().seq
}

#[test]
fn a_diff_tells_each_key_whose_value_is_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    set(&store, "s", &[("a", "1"), ("b", "1"), ("c", "1")]);
    set(&store, "s", &[("b", "2"), ("d", "2")]);
    delete(&store, "s", "c");
    set(&store, "s", &[("a", "1")]);
    assert_eq!(diff(&store, ("s", 1), ("s", 4)), ["changed b 1>2", "removed c 1>-", "added d ->2"]);
    assert_eq!(diff(&store, ("s", 4), ("s", 1)), ["changed b 2>1", "added c ->1", "removed d 2>-"]);
    assert_eq!(diff(&store, ("s", 3), ("s", 4)), Vec::<String>::new(), "set to the same value");
    assert_eq!(diff(&store, ("s", 0), ("s", 1)).len(), 3);
    assert_eq!(diff(&store, ("none", 4), ("s", 4)).len(), 3);
    let mut request = store.request();
    request.add_fork(&scope("f"), &scope("s"), Seq(2)).unwrap();
    store.commit(request).unwrap();
    delete(&store, "f", "a");
    assert_eq!(diff(&store, ("f", 5), ("s", 2)), Vec::<String>::new());
    assert_eq!(diff(&store, ("f", 6), ("s", 4)), ["added a ->1", "removed c 1>-"]);
}

#[test]
fn a_value_of_another_type_or_expiry_differs() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let s = scope("s");
    let with = |content_type: Option<&ContentType>, expires_at| {
        let request = store.request().set_with(&s, "k", b"v", content_type, expires_at).unwrap();
        store.commit(request).unwrap().seq
    };
    with(None, None);
    with(Some(&ContentType::TEXT), None);
    with(Some(&ContentType::TEXT), Some(Timestamp::MAX));
    assert_eq!(diff(&store, ("s", 1), ("s", 2)), ["changed k v>v"]);
    assert_eq!(diff(&store, ("s", 2), ("s", 3)), ["changed k v>v"]);
    // The same version, gone on one side.
    let (now, then) = (store.view(At::Latest).unwrap(), store.view(At::Time(Timestamp::MAX)).unwrap());
    let found: Vec<_> = now.diff("s", &then, "s").unwrap().map(Result::unwrap).collect();
    assert_eq!(text(&found), ["removed k v>-"]);
}

#[test]
fn a_restore_is_one_commit_of_the_difference() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let s = scope("s");
    let json = store.request().set_with(&s, "a", b"{}", Some(&ContentType::JSON), Some(Timestamp::MAX)).unwrap();
    store.commit(json.set(&s, "b", b"1").unwrap().set(&s, "c", b"1").unwrap()).unwrap();
    let mut request = store.request();
    request.add_checkpoint(&s, "good", None).unwrap();
    store.commit(request).unwrap();
    set(&store, "s", &[("a", "bad"), ("d", "bad"), ("c", "1")]);
    delete(&store, "s", "b");
    let plan = store.restoration(&s, At::checkpoint(&s, "good")).unwrap();
    assert_eq!(text(plan.differences()), ["changed a bad>{}", "added b ->1", "removed d bad>-"]);
    assert_eq!((plan.point(), store.last().seq), (Seq(2), Seq(4)), "a plan writes nothing");
    assert_eq!(store.commit(plan.add_to(store.request()).unwrap()).unwrap().seq, Seq(5));
    let view = store.view(At::Latest).unwrap();
    let value = view.get("s", "a").unwrap().unwrap();
    assert_eq!((value.content_type(), value.expires_at()), (Some("application/json"), Some(Timestamp::MAX)));
    assert_eq!(diff(&store, ("s", 1), ("s", 5)), Vec::<String>::new());
    assert_eq!(diff(&store, ("s", 1), ("s", 4)).len(), 3, "history stays");
    assert!(store.restoration(&s, At::Seq(Seq(1))).unwrap().differences().is_empty());
}

/// Whether it is within what a commit may hold is said before it is committed: it brings a condition of its own, unless
/// there is nothing to restore.
#[test]
fn a_restore_that_does_not_fit_is_told_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let s = scope("s");
    set(&store, "s", &[("a", "1")]);
    set(&store, "s", &[("a", "2")]);
    let with = |conditions: usize| {
        let untouched = || Precondition::ScopeAt { scope: s.clone(), seq: Seq(2) };
        (0..conditions).fold(store.request(), |request, _| request.require(untouched()))
    };
    let most = limits::PRECONDITIONS_MAX;
    for (at, conditions, fits) in
        [(1, 0, true), (1, most - 1, true), (1, most, false), (2, most, true), (2, most + 1, true)]
    {
        let plan = store.restoration(&s, At::Seq(Seq(at))).unwrap();
        assert_eq!(plan.fits(with(conditions)).is_ok(), fits, "to {at}, beside {conditions} conditions");
    }
    assert_eq!(store.last().seq, Seq(2), "nothing is written");
}

#[test]
fn a_restore_does_not_undo_what_it_has_not_seen() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    set(&store, "s", &[("a", "1")]);
    set(&store, "s", &[("a", "2")]);
    let plan = store.restoration(&scope("s"), At::Seq(Seq(1))).unwrap();
    set(&store, "s", &[("b", "3")]);
    let refused = store.commit(plan.add_to(store.request()).unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), "scope s was required to be at version 2; its version is 3");
    // Another scope, and a checkpoint of this one, are no matter.
    let plan = store.restoration(&scope("s"), At::Seq(Seq(1))).unwrap();
    set(&store, "t", &[("b", "3")]);
    let mut request: Request = store.request();
    request.add_checkpoint(&scope("s"), "c", None).unwrap();
    store.commit(request).unwrap();
    store.commit(plan.add_to(store.request()).unwrap()).unwrap();
}

#[test]
fn what_has_expired_since_stays_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = store.commit(store.request().set(&scope("t"), "k", b"").unwrap()).unwrap();
    let soon = Some(Timestamp(first.at.0 + 2));
    store.commit(store.request().set_with(&scope("s"), "k", b"v", None, soon).unwrap()).unwrap();
    set(&store, "s", &[("l", "1")]);
    let plan = store.restoration(&scope("s"), At::Seq(Seq(2))).unwrap();
    assert_eq!(text(plan.differences()), ["removed l 1>-"]);
}

#[test]
fn a_fork_can_be_restored_to_its_beginning_and_to_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    set(&store, "o", &[("a", "1"), ("b", "1")]);
    let mut request = store.request();
    request.add_fork(&scope("f"), &scope("o"), Seq(1)).unwrap();
    store.commit(request).unwrap();
    delete(&store, "f", "a");
    let plan = store.restoration(&scope("f"), At::Seq(Seq(2))).unwrap();
    assert_eq!(text(plan.differences()), ["added a ->1"]);
    store.commit(plan.add_to(store.request()).unwrap()).unwrap();
    let plan = store.restoration(&scope("f"), At::Seq(Seq(1))).unwrap();
    assert_eq!(text(plan.differences()), ["removed a 1>-", "removed b 1>-"]);
    store.commit(plan.add_to(store.request()).unwrap()).unwrap();
    assert!(store.view(At::Latest).unwrap().scan("f", "").next().is_none());
    assert_eq!(diff(&store, ("f", 4), ("o", 1)), Vec::<String>::new());
}

/// It was an assertion.
#[test]
fn views_of_two_handles_are_not_compared() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (open(one.path()), open(other.path()));
    set(&one, "s", &[("a", "1")]);
    set(&other, "s", &[("a", "1")]);
    let views = [&one, &other].map(|store| store.view(At::Latest).unwrap());
    assert!(matches!(views[0].diff("s", &views[1], "s"), Err(ReadError::TwoHandles)));
    let twice = [&one, &one].map(|store| store.view(At::Latest).unwrap());
    assert_eq!(twice[0].diff("s", &twice[1], "s").unwrap().count(), 0);
}
