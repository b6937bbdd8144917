//! What goes back to a past moment lacks what was erased since, and says so: a restore, a fork, a difference. Whether
//! the values are still in the files or not.

use std::{ops::ControlFlow, time::Duration};

use milepost::{At, Index, Policy, Scope, ScopePrefix, Seq, Store, Writer};

use super::Place;

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

/// What a moment of a scope lacks: each key with the commit that erased it, `?` where it may not have been there; then
/// the commit that erased all of it. The counts must be those of the keys.
fn lacks(store: &Store, at: impl Into<At>, of: &Scope) -> String {
    let mut keys = Vec::new();
    let told = store.view(at).unwrap().each_erased(of, |erased| {
        keys.push((erased.is_sure, format!("{}@{}{}", erased.key, erased.by, if erased.is_sure { "" } else { "?" })));
        ControlFlow::Continue(())
    });
    let told = told.unwrap();
    let sure = keys.iter().filter(|(is_sure, _)| *is_sure).count() as u64;
    assert_eq!((told.keys, told.perhaps), (sure, keys.len() as u64 - sure));
    assert_eq!(told.is_nothing(), keys.is_empty() && told.whole.is_none());
    let whole = told.whole.map(|by| format!("all@{by}"));
    keys.into_iter().map(|(_, text)| text).chain(whole).collect::<Vec<_>>().join(" ")
}

/// The store as it is, read by another handle, opened again, and with all runs made anew.
fn each_way(place: &Place, store: Store, check: impl Fn(&Store)) -> Store {
    check(&store);
    check(&Store::read_only(place.path()).unwrap());
    drop(store);
    check(&place.open_small());
    let rebuilt = Store::options().index(Index::Rebuild).memory_bytes(4096).open(place.path()).unwrap();
    check(&rebuilt);
    drop(rebuilt);
    place.open_small()
}

/// Commits from 1 on: two keys; one deleted; one set later; a checkpoint. The moment is commit 4.
fn written(place: &Place) -> (Store, Scope, Seq) {
    let (store, user) = (place.open_small(), scope("user/17"));
    store.commit().set(&user, "mail", b"ann@example.org").set(&user, "name", b"ann").durable().unwrap();
    store.commit().set(&user, "phone", b"1").set(&user, "theme", b"dark").durable().unwrap();
    store.delete(&user, "phone").unwrap();
    let point = store.checkpoint(&user, "good").unwrap().seq;
    assert_eq!(point, Seq(4));
    store.set(&user, "name", b"bob").unwrap();
    (store, user, point)
}

#[test]
fn a_restore_says_which_keys_were_erased_since() {
    let place = Place::new();
    let (store, user, point) = written(&place);
    assert_eq!(lacks(&store, point, &user), "");
    store.erase(&user, "mail").unwrap();
    store.erase(&user, "phone").unwrap();
    let last = store.set(&user, "mail", b"new@example.org").unwrap().seq;
    assert_eq!(last, Seq(8));
    let check = |mail: &'static str| {
        let user = &user;
        move |store: &Store| {
            // The phone was deleted by then, which a delete that is still there shows.
            let found = lacks(store, At::checkpoint(user, "good"), user);
            assert_eq!(found.split(' ').next(), Some(mail), "{found}");
            assert!(mail.ends_with('?') || found == mail, "{found}");
            assert_eq!(lacks(store, Seq(7), user), "", "at or behind the erasure nothing is missing that was there");
            assert_eq!(lacks(store, At::Latest, user), "");
            assert_eq!(lacks(store, Seq(4), &scope("user/18")), "");
            let restore = store.restore(user, At::checkpoint(user, "good")).unwrap();
            let keys: Vec<_> = restore.differences().iter().map(|found| found.key.to_string()).collect();
            assert_eq!(keys, ["mail", "name"], "the new address goes, the old one does not come back");
            let told = restore.erased();
            assert_eq!(told.keys + told.perhaps, found.split(' ').count() as u64);
            let mut named = 0;
            let again = restore.each_erased(|_| {
                named += 1;
                ControlFlow::Break(())
            });
            assert_eq!((named, again.unwrap().is_nothing()), (1, false), "who breaks off is told no more");
        }
    };
    let store = each_way(&place, store, check("mail@6"));
    // The bytes go, then what the index knows of them.
    store.compact().unwrap();
    let store = each_way(&place, store, |store| {
        let found = lacks(store, point, &user);
        assert!(found.starts_with("mail@6"), "{found}");
        check(if found.starts_with("mail@6?") { "mail@6?" } else { "mail@6" })(store);
    });
    store.restore(&user, point).unwrap().durable().unwrap();
    assert!(store.get(&user, "mail").unwrap().is_none());
    assert_eq!(store.get(&user, "name").unwrap().as_deref(), Some(&b"ann"[..]));
}

#[test]
fn a_scope_that_was_erased_as_a_whole_is_never_silent() {
    let place = Place::new();
    let (store, user, point) = written(&place);
    let below = scope("user/17/orders");
    store.set(&below, "first", b"a lamp").unwrap();
    store.erase_scope(&user).unwrap();
    assert_eq!(lacks(&store, Seq(6), &below), "", "a scope below keeps its own");
    store.set(&user, "mail", b"new@example.org").unwrap();
    let store = each_way(&place, store, |store| {
        assert_eq!(lacks(store, point, &user), "mail@7 name@7 theme@7 all@7");
        assert_eq!(lacks(store, Seq(1), &user), "mail@7 name@7 all@7");
    });
    store.erase_prefix(&ScopePrefix::parse("user").unwrap()).unwrap();
    assert_eq!(lacks(&store, Seq(8), &user), "mail@9 all@9");
    assert_eq!(lacks(&store, Seq(8), &below), "first@9 all@9");
    store.compact().unwrap();
    let store = each_way(&place, store, |store| {
        for at in [Seq(1), point, Seq(8)] {
            assert!(lacks(store, at, &user).ends_with("all@9"), "names may be gone, not that there were some");
        }
        assert_eq!(store.restore(&below, Seq(8)).unwrap().erased().whole, Some(Seq(9)));
        assert_eq!(lacks(store, Seq(9), &user), "");
    });
    // Of what the rebuilt index does not know the names are not told.
    drop(store);
    let rebuilt = Store::options().index(Index::Rebuild).open(place.path()).unwrap();
    assert_eq!(lacks(&rebuilt, point, &user), "all@9");
}

/// Retention removes nothing that a read behind the horizon can meet, but for tasks that have ended: those it erases.
#[test]
fn a_task_that_expired_after_its_end_is_not_silent() {
    let place = Place::new();
    let (store, task) = (place.open_small(), scope("task/etl"));
    let policy = Policy::default().expire_ended(Duration::ZERO);
    store.retention().set(&ScopePrefix::parse("task").unwrap(), policy).unwrap();
    let before = store.set(&task, "file", b"40000").unwrap().seq;
    store.task(&task, Writer::new("w").unwrap()).unwrap().end().unwrap();
    store.compact().unwrap();
    let by = store.last().seq;
    assert!(store.view(At::Latest).unwrap().scan(&task, "").next().is_none());
    let store = each_way(&place, store, |store| {
        assert_eq!(store.restore(&task, before).unwrap().erased().whole, Some(by));
    });
    assert!(store.restore(&task, before).unwrap().durable().unwrap().is_none());
}

#[test]
fn a_fork_lacks_what_its_origin_had_erased_and_a_difference_says_it_of_each_side() {
    let place = Place::new();
    let (store, user, point) = written(&place);
    let copy = scope("copy/17");
    store.fork(&user, point, &copy).unwrap();
    store.erase(&user, "mail").unwrap();
    store.erase(&copy, "theme").unwrap();
    let late = scope("copy/18");
    let forked = store.fork(&user, point, &late).unwrap().seq;
    assert_eq!(forked, Seq(9));
    each_way(&place, store, |store| {
        assert_eq!(lacks(store, point, &user), "mail@7", "what a fork erased its origin has");
        assert_eq!(lacks(store, Seq(6), &copy), "mail@7 theme@8");
        assert_eq!(lacks(store, Seq(7), &copy), "theme@8");
        // A fork made since never showed it; its origin's moment says what it lacks.
        assert_eq!(lacks(store, forked, &late), "");
        assert_eq!(store.restore(&copy, Seq(6)).unwrap().erased().keys, 2);
        let (old, new) = (store.view(Seq(1)).unwrap(), store.view(At::Latest).unwrap());
        let found: Vec<_> = old.diff(&user, &new, &user).unwrap().map(|found| found.unwrap().key.to_string()).collect();
        assert_eq!(found, ["name", "theme"], "the erased address is no difference");
        assert_eq!(
            (lacks(store, Seq(1), &user), lacks(store, At::Latest, &user)),
            ("mail@7".to_owned(), String::new())
        );
    });
}

/// A value that had expired by then is no loss, and one of a key that was cleared or set anew is not told twice.
#[test]
fn what_was_gone_by_itself_is_not_told() {
    let place = Place::new();
    let (store, of) = (place.open_small(), scope("a"));
    let first = store.set(&of, "first", b"1").unwrap();
    let soon = milepost::Timestamp(first.at.0 + 1);
    let commit = store.commit().set_with(
        &of,
        "soon",
        b"2",
        &milepost::SetOptions { expires_at: Some(soon), ..Default::default() },
    );
    commit.durable().unwrap();
    store.clear(&of).unwrap();
    store.set(&of, "kept", b"3").unwrap();
    let point = store.last().seq;
    store.erase_scope(&of).unwrap();
    each_way(&place, store, |store| {
        assert_eq!(lacks(store, point, &of), "kept@5 all@5");
        assert_eq!(lacks(store, Seq(2), &of), "first@5 all@5");
        assert_eq!(lacks(store, Seq(3), &of), "all@5");
    });
}

/// One damaged frame kept all around it from being erased: what an erasure takes was counted first, and the count is an
/// answer only.
#[test]
fn damage_keeps_nothing_from_being_erased() {
    let dir = tempfile::tempdir().unwrap();
    let (at, user) = (dir.path().join("state"), scope("user/17"));
    let options = || Store::options().segment_bytes(4096).memory_bytes(milepost::limits::MEMORY_BYTES_MIN);
    let store = options().open(&at).unwrap();
    for n in 0..60 {
        store.set(&user, &format!("k{n}"), &[b'x'; 200]).unwrap();
    }
    store.set(&user, "k0", b"DAMAGED").unwrap();
    for n in 0..60 {
        store.set(&user, &format!("k{n}"), &[b'y'; 200]).unwrap();
    }
    store.close().unwrap();
    let segments = std::fs::read_dir(at.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut damaged = 0;
    for path in segments {
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(found) = bytes.windows(7).position(|window| window == b"DAMAGED") {
            bytes[found] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
    let store = options().open(&at).unwrap();
    let erased = store.erase_scope(&user).unwrap();
    assert_eq!((erased.values, erased.bytes, erased.unreadable), (120, 120 * 200, 1));
    assert!(store.get(&user, "k7").unwrap().is_none());
}
