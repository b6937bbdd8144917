//! Policies and holds are history; what is erased no moment shows, wherever it is kept.

use std::time::Duration;

use milepost::{
    At, ChangeKind, ErrorKind, HoldName, Index, Note, Policy, Scope, ScopePrefix, Seq, Store, Subject, Writer,
};

use super::Place;

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn prefix(text: &str) -> ScopePrefix {
    ScopePrefix::parse(text).unwrap()
}

fn text(store: &Store, at: impl Into<At>, of: &Scope, key: &str) -> Option<String> {
    let value = store.view(at).unwrap().get(of, key).unwrap();
    value.map(|value| String::from_utf8_lossy(&value).into_owned())
}

/// The store as it is, opened again, read by another handle, and with all runs made anew.
fn each_way(place: &Place, store: Store, check: impl Fn(&Store)) -> Store {
    check(&store);
    check(&Store::read_only(place.path()).unwrap());
    drop(store);
    check(&place.open());
    let rebuilt = Store::options().index(Index::Rebuild).memory_bytes(4096).open(place.path()).unwrap();
    check(&rebuilt);
    drop(rebuilt);
    let store = place.open();
    check(&store);
    store
}

#[test]
fn what_is_erased_no_moment_shows() {
    let place = Place::new();
    let store = Store::options().memory_bytes(4096).open(place.path()).unwrap();
    let (user, other, below) = (scope("user/17"), scope("user/18"), scope("user/17/orders"));
    let first = store.set(&user, "mail", b"ann@example.org").unwrap();
    store.commit().set(&user, "mail", b"ann@example.com").set(&user, "name", b"ann").durable().unwrap();
    store.set(&other, "mail", b"bob@example.org").unwrap();
    store.set(&below, "first", b"a lamp").unwrap();
    store.checkpoint(&user, "begin").unwrap();
    let point = store.last().seq;
    let fork = scope("copy/17");
    store.fork(&user, At::Latest, &fork).unwrap();
    assert_eq!(text(&store, At::Latest, &fork, "mail").as_deref(), Some("ann@example.com"));
    let open = store.view(At::Latest).unwrap();

    let by = Writer::new("ann").unwrap();
    let erased = store.retention().by(by.clone()).erase(&user, "mail").unwrap();
    assert_eq!((erased.values, erased.bytes), (2, 30));
    assert!(open.get(&user, "mail").unwrap().is_none(), "even in a view that is open");
    store.set(&user, "mail", b"new@example.org").unwrap();

    let store = each_way(&place, store, |store| {
        for at in [At::Seq(first.seq), At::Seq(point), At::checkpoint(&user, "begin"), At::Time(first.at)] {
            assert_eq!(text(store, at, &user, "mail"), None);
        }
        assert_eq!(text(store, point, &user, "name").as_deref(), Some("ann"), "other keys are as they were");
        assert_eq!(text(store, first.seq, &other, "mail"), None);
        assert_eq!(text(store, point, &other, "mail").as_deref(), Some("bob@example.org"));
        assert_eq!(text(store, At::Latest, &user, "mail").as_deref(), Some("new@example.org"));
        assert_eq!(text(store, At::Latest, &fork, "mail"), None, "nor through a fork");
        assert_eq!(text(store, At::Latest, &fork, "name").as_deref(), Some("ann"));
        let keys = store.view(point).unwrap().scan(&user, "").map(|entry| entry.unwrap().key.as_str().to_owned());
        assert_eq!(keys.collect::<Vec<_>>(), ["name"]);
        let changes: Vec<_> = store.history(&user).key("mail").iter().map(Result::unwrap).collect();
        let kinds: Vec<ChangeKind> = changes.iter().map(|change| change.kind).collect();
        assert_eq!(kinds, [ChangeKind::Erase, ChangeKind::Set]);
        assert_eq!(changes[0].writer.as_ref(), Some(&by));
        let bytes = |subject: &Subject| matches!(subject, Subject::Erased { bytes: 30, with_below: false, .. });
        assert!(bytes(&changes[0].subject) && changes[0].old.is_none() && changes[0].new.is_none());
        assert!(store.diff(&user, Seq(1), point).unwrap().all(|found| found.unwrap().key.as_str() == "name"));
    });

    assert_eq!(store.erase_scope(&user).unwrap().values, 2);
    let store = each_way(&place, store, |store| {
        assert!((1..=store.last().seq.0).all(|seq| store.view(Seq(seq)).unwrap().scan(&user, "").next().is_none()));
        assert_eq!(text(store, point, &below, "first").as_deref(), Some("a lamp"), "scopes below keep theirs");
    });
    store.erase_prefix(&prefix("user")).unwrap();
    each_way(&place, store, |store| {
        for of in [&user, &other, &below] {
            assert!((1..=store.last().seq.0).all(|seq| store.view(Seq(seq)).unwrap().scan(of, "").next().is_none()));
        }
        assert_eq!(store.history(prefix("user")).kind(ChangeKind::Erase).iter().count(), 3);
    });
}

#[test]
fn policies_and_holds_are_said_told_and_kept_in_history() {
    let place = Place::new();
    let store = place.open();
    let (retention, by) = (store.retention(), Writer::new("ann").unwrap());
    let (task, case) = (prefix("task"), HoldName::parse("case 17").unwrap());
    let policy = Policy::default().keep_for(Duration::from_secs(86_400)).keep_last(3);
    retention.clone().by(by.clone()).set(&task, policy).unwrap();
    retention.set(&ScopePrefix::root(), Policy::default()).unwrap();
    retention.hold(&prefix("task/etl"), &case, Some(&Note::parse("why").unwrap())).unwrap();
    let load = scope("task/etl/load");
    store.set(&load, "k", b"1").unwrap();
    drop(retention);

    let store = each_way(&place, store, |store| {
        let policies = store.retention().policies().unwrap();
        let said: Vec<_> = policies.iter().map(|set| (set.prefix.as_str(), set.policy)).collect();
        assert_eq!(said, [("", Policy::default()), ("task", policy)]);
        assert_eq!(policies[1].writer.as_ref(), Some(&by));
        let told = store.retention().explain(&scope("task/etl/load")).unwrap();
        assert_eq!(told.policy.map(|set| set.prefix), Some(prefix("task")));
        assert_eq!(told.hold.map(|hold| hold.name), Some(HoldName::parse("case 17").unwrap()));
        assert_eq!((told.versions, told.goes_now), (1, 0));
    });

    let refused = |result: milepost::Result<milepost::Erasure>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Held);
        assert!(error.to_string().contains("case 17"), "{error}");
    };
    refused(store.erase(&load, "k"));
    refused(store.erase_scope(&load));
    refused(store.erase_prefix(&prefix("task/etl/load")));
    refused(store.erase_prefix(&task));
    refused(store.erase_prefix(&ScopePrefix::root()));
    store.erase_prefix(&prefix("task/etl2")).unwrap();
    let before = store.last().seq;
    store.retention().release(&task, &case).unwrap();
    assert_eq!(store.last().seq, before, "another prefix has no such hold");
    store.retention().release(&prefix("task/etl"), &case).unwrap();
    store.erase(&load, "k").unwrap();
    store.retention().unset(&task).unwrap();
    let kinds = store.history(ScopePrefix::root()).iter().map(|change| change.unwrap().kind.name());
    let kinds: Vec<&str> = kinds.collect();
    assert_eq!(kinds, ["retain", "retain", "hold", "erase", "unhold", "erase", "unretain"]);
}

/// What the rule would let go, by example: nothing is removed by asking.
#[test]
fn explain_counts_what_would_go() {
    let place = Place::new();
    let store = place.open();
    let of = scope("a");
    for value in [b"1", b"2", b"3", b"4"] {
        store.set(&of, "k", value).unwrap();
    }
    store.set(&of, "gone", b"1").unwrap();
    store.delete(&of, "gone").unwrap();
    let goes = || store.retention().explain(&of).unwrap().goes_now;
    assert_eq!(goes(), 0, "without a policy everything is kept");
    store.retention().set(&prefix("a"), Policy::default().keep_last(2)).unwrap();
    assert_eq!(goes(), 4, "a key that was deleted keeps nothing");
    store.retention().set(&prefix("a"), Policy::default().keep_last(1)).unwrap();
    assert_eq!(goes(), 5);
    store.checkpoint(&of, "here").unwrap();
    let two = store.view(Seq(2)).unwrap();
    assert_eq!(goes(), 4, "what is being read stays");
    drop(two);
    assert_eq!(goes(), 5);
    store.retention().set(&prefix("a"), Policy::default().keep_for(Duration::from_secs(3600))).unwrap();
    let told = store.retention().explain(&of).unwrap();
    assert_eq!(told.goes_now, 0);
    assert!(told.next_goes_at.is_some_and(|at| at > store.last().at));
    assert_eq!(told.horizon, None, "explaining moves nothing");
}

/// Found by mixing: a scope whose only key had been deleted before it was erased was there again in the past.
#[test]
fn an_erased_scope_that_held_nothing_any_more_is_gone_from_the_past() {
    let place = Place::new();
    let store = Store::options().memory_bytes(4096).open(place.path()).unwrap();
    let (erased, other) = (scope("a/bc"), scope("x"));
    store.commit().set(&other, "k", b"1").set(&erased, "k", b"").durable().unwrap();
    store.delete(&erased, "k").unwrap();
    let absent = milepost::Precondition::KeyAbsent { scope: scope("f"), key: milepost::Key::parse("k1").unwrap() };
    let gone = milepost::Event::EraseScope { scope: erased.clone(), bytes: 7 };
    store.commit().require(absent).delete(&other, "none").event(&gone).durable().unwrap();
    each_way(&place, store, |store| {
        let scopes = store.view(Seq(1)).unwrap().scopes(&ScopePrefix::root()).unwrap();
        assert_eq!(scopes, std::slice::from_ref(&other));
    });
}

/// A backup that was made before an erasure holds what was erased: the answer says where.
#[test]
fn an_erasure_names_the_backups_that_hold_it_still() -> milepost::Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let (store, scope) = (Store::open(dir.path().join("state"))?, Scope::parse("user/17")?);
    store.set(&scope, "mail", b"ann@example.org")?;
    let place = dir.path().join("backups");
    store.backup(&place)?;
    store.backup(&place)?;
    assert_eq!(store.erase(&scope, "mail")?.not_covered, std::slice::from_ref(&place));
    // What the store lets go of is in the backup still.
    let other = Scope::parse("user/18")?;
    store.set(&other, "mail", b"bob@example.org")?;
    store.backup(&place)?;
    store.delete(&other, "mail")?;
    store.retention().set(&(&other).into(), Policy::default().keep_for(Duration::ZERO))?;
    store.compact()?;
    let erased = store.erase(&other, "mail")?;
    assert_eq!((erased.values, erased.not_covered), (0, vec![place]));
    Ok(())
}

/// What goes with the next compaction left out the scopes of tasks whose time after the end was over.
#[test]
fn what_expires_with_the_next_compaction_is_among_what_goes() {
    let place = Place::new();
    let store = place.open();
    let (task, part) = (scope("task/1"), scope("task/1/part"));
    for value in [b"1", b"2"] {
        store.set(&task, "k", value).unwrap();
        store.set(&part, "k", value).unwrap();
    }
    let policy = Policy::default().expire_ended(Duration::ZERO);
    store.retention().set(&ScopePrefix::parse("task").unwrap(), policy).unwrap();
    let goes = |place: &Scope| {
        let told = store.retention().explain(place).unwrap();
        (told.versions, told.goes_now)
    };
    assert_eq!((goes(&task), goes(&part)), ((4, 0), (2, 0)));
    store.task(&task, Writer::new("w").unwrap()).unwrap().end().unwrap();
    let (of_task, of_part) = (goes(&task), goes(&part));
    assert!(of_task.0 == of_task.1 && of_task.0 >= 4, "{of_task:?}");
    assert_eq!(of_part, (2, 2));
}
