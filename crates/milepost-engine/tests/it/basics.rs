use milepost_engine::{ChangeKind, Engine, HistoryQuery, OpenError, Parts, Settings};
use milepost_types::{At, Key, ScopePrefix, Seq, Timestamp, Writer};

use crate::{open, scope};

#[test]
fn what_is_committed_is_read_now_and_as_of_any_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (scope("task/a"), scope("task/b"));
    for round in 0..3 {
        let store = open(dir.path());
        if round == 0 {
            let one = store.commit(store.request().set(&a, "k", b"1").unwrap()).unwrap();
            let two = store.commit(store.request().set(&a, "k", b"2").unwrap().set(&b, "x", b"").unwrap()).unwrap();
            let three = store.commit(store.request().delete(&a, "k").unwrap()).unwrap();
            assert_eq!([one.seq, two.seq, three.seq], [Seq(1), Seq(2), Seq(3)]);
            assert!(one.at < two.at && two.at < three.at);
        }
        assert_eq!(store.last().seq, Seq(3));
        let at = |seq| store.view(At::Seq(Seq(seq))).unwrap();
        assert_eq!(at(0).get("task/a", "k").unwrap().map(|value| value.to_vec()), None);
        assert_eq!(at(1).get("task/a", "k").unwrap().map(|value| value.to_vec()), Some(b"1".to_vec()));
        assert_eq!(at(2).get("task/a", "k").unwrap().map(|value| value.to_vec()), Some(b"2".to_vec()));
        assert_eq!(at(3).get("task/a", "k").unwrap().map(|value| value.to_vec()), None);
        assert_eq!(store.get("task/b", "x").unwrap().unwrap().seq(), Seq(2));
        assert!(store.view(At::Seq(Seq(4))).is_err(), "the future");
        let second = store.commit_at(Seq(2)).unwrap().unwrap().at;
        assert_eq!(store.view(At::Time(second)).unwrap().seq(), Seq(2));
        assert_eq!(store.view(At::Time(Timestamp(second.0 - 1))).unwrap().seq(), Seq(1));
        let scopes = store.view(At::Latest).unwrap().scopes(&ScopePrefix::root()).unwrap();
        assert_eq!(scopes, std::slice::from_ref(&b));
        assert_eq!(at(1).scopes(&ScopePrefix::root()).unwrap(), std::slice::from_ref(&a));
    }
}

#[test]
fn a_scan_is_in_order_and_ends_with_its_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let s = scope("s");
    for key in ["b/2", "a", "b/1", "c", "b"] {
        store.commit(store.request().set(&s, key, key.as_bytes()).unwrap()).unwrap();
    }
    let keys = |prefix: &str, after: Option<&str>| -> Vec<String> {
        let view = store.view(At::Latest).unwrap();
        view.scan_from("s", prefix, after).map(|entry| entry.unwrap().key.as_str().to_owned()).collect()
    };
    assert_eq!(keys("", None), ["a", "b", "b/1", "b/2", "c"]);
    assert_eq!(keys("b/", None), ["b/1", "b/2"]);
    assert_eq!(keys("b", Some("b/1")), ["b/2"]);
    assert_eq!(keys("b", Some("b")), ["b/1", "b/2"], "behind the key itself");
    assert_eq!(keys("b", Some("a")), ["b", "b/1", "b/2"], "what comes before the prefix is passed anyway");
    assert_eq!([keys("b", Some("c")), keys("", Some("c")), keys("d", None)], [const { Vec::<String>::new() }; 3]);
    store.commit(store.request().set(&s, "b/0", b"").unwrap().delete(&s, "c").unwrap()).unwrap();
    assert_eq!(keys("", None), ["a", "b", "b/0", "b/1", "b/2"]);
    store.commit(store.request().clear(&s).unwrap().set(&s, "z", b"").unwrap()).unwrap();
    assert_eq!(keys("", None), ["z"]);
    // What the store keeps for itself is shown by no scan.
    store.commit(store.request().idempotency_key("once").unwrap().set(&s, "z", b"").unwrap()).unwrap();
    assert_eq!(store.view(At::Latest).unwrap().scan("$/idempotency", "").count(), 0);
}

/// A scan looks up more and more keys at a time: wherever such a piece ends, and whatever of it is gone, each key comes
/// once.
#[test]
fn a_scan_of_any_length_shows_each_key_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, s) = (open(dir.path()), scope("s"));
    let key = |n: usize| format!("{n:05}");
    for (from, count) in [(0, 15), (15, 1), (16, 1), (17, 30), (47, 1), (48, 1), (49, 3000)] {
        let mut request = store.request();
        (from..from + count).for_each(|n| request.add_set(&s, &key(n), b"1").unwrap());
        store.commit(request).unwrap();
        let view = store.view(At::Latest).unwrap();
        let shown: Vec<String> = view.scan("s", "").map(|entry| entry.unwrap().key.to_string()).collect();
        assert_eq!(shown, (0..from + count).map(key).collect::<Vec<_>>());
    }
    let mut request = store.request();
    (0..3049).filter(|n| n % 100 != 7).for_each(|n| request.add_delete(&s, &key(n)).unwrap());
    store.commit(request).unwrap();
    let view = store.view(At::Latest).unwrap();
    let shown: Vec<String> = view.scan("s", "").map(|entry| entry.unwrap().key.to_string()).collect();
    assert_eq!(shown, (7..3049).step_by(100).map(key).collect::<Vec<_>>());
}

#[test]
fn history_says_from_what_to_what() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let s = scope("s/t");
    let writer = Writer::new("w").unwrap().attempt(2);
    store.commit(store.request().writer(writer.clone()).set(&s, "k", b"1").unwrap()).unwrap();
    store.commit(store.request().set(&s, "k", b"2").unwrap().set(&s, "other", b"o").unwrap()).unwrap();
    store.commit(store.request().clear_prefix(&ScopePrefix::parse("s").unwrap()).unwrap()).unwrap();
    let key = Some(Key::parse("k").unwrap());
    let query = HistoryQuery { key, prefix: ScopePrefix::parse("s").unwrap(), ..HistoryQuery::default() };
    let changes: Vec<_> = store
        .history(query.clone())
        .unwrap()
        .map(|change| change.unwrap())
        .map(|c| (c.seq.0, c.kind, c.old.map(|v| v.to_vec()), c.new.map(|v| v.to_vec()), c.writer))
        .collect();
    assert_eq!(
        changes,
        [
            (1, ChangeKind::Set, None, Some(b"1".to_vec()), Some(writer)),
            (2, ChangeKind::Set, Some(b"1".to_vec()), Some(b"2".to_vec()), None),
            (3, ChangeKind::Clear, Some(b"2".to_vec()), None, None),
        ]
    );
    let newest = HistoryQuery { newest_first: true, since: Some(Seq(2)), ..query.clone() };
    let seqs: Vec<u64> = store.history(newest).unwrap().map(|change| change.unwrap().seq.0).collect();
    assert_eq!(seqs, [3, 2]);
    let by = HistoryQuery { writer: Some("w".to_owned()), ..query };
    assert_eq!(store.history(by).unwrap().count(), 1);
}

#[test]
fn replay_and_watch_show_every_commit_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let s = scope("s");
    for n in 0..10u8 {
        store.commit(store.request().set(&s, "k", &[n]).unwrap()).unwrap();
    }
    let seqs: Vec<u64> = store.replay(Seq(4)).into_iter().map(|commit| commit.unwrap().seq.0).collect();
    assert_eq!(seqs, (4..=10).collect::<Vec<u64>>());
    let mut watch = store.watch(Seq(10));
    assert_eq!(watch.try_next().unwrap().unwrap().seq, Seq(10));
    assert!(watch.try_next().unwrap().is_none());
    let writer = store.engine.clone();
    let thread = milepost_io::spawn("test-writer", move || {
        writer.commit(writer.request().set(&scope("s"), "k", b"live").unwrap()).unwrap();
    });
    let live = watch.next_timeout(std::time::Duration::from_secs(30)).unwrap().unwrap();
    assert_eq!(live.seq, Seq(11));
    thread.unwrap().join().unwrap();
}

/// What the store keeps for itself, and prefixes that were cleared, were once counted as scopes and keys of the user.
#[test]
fn stats_count_what_users_wrote_and_say_that_it_may_be_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, s) = (open(dir.path()), scope("a/b"));
    let request = store.request().idempotency_key("once").unwrap().fence(&s, 1).unwrap();
    store.commit(request.set(&s, "k", b"1").unwrap().set(&s, "l", b"1").unwrap()).unwrap();
    store.commit(store.request().fence(&s, 2).unwrap().set(&s, "k", b"2").unwrap()).unwrap();
    let counts = |store: &Engine| {
        let stats = store.stats();
        (stats.scopes_ever, stats.keys_ever, stats.versions)
    };
    assert_eq!(counts(&store), (1, 2, 3));
    store.commit(store.request().clear_prefix(&ScopePrefix::parse("a").unwrap()).unwrap()).unwrap();
    assert_eq!(counts(&store), (1, 2, 3), "a clear is no version");
    drop(store);
    assert_eq!(counts(&open(dir.path())), (1, 2, 3));
}

#[test]
fn a_second_writer_is_told_who_holds_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    match Engine::open(Parts::real(), dir.path(), Settings::default()) {
        Err(OpenError::InUse { holder: Some(holder), .. }) => {
            let this = milepost_io::Process::this();
            assert_eq!((holder.pid, holder.host), (this.id, this.host));
        }
        other => panic!("{other:?}"),
    }
    // FAULTS F1: removing the LOCK file does not free the store.
    std::fs::remove_file(dir.path().join("LOCK")).unwrap();
    let again = Engine::open(Parts::real(), dir.path(), Settings::default());
    assert!(matches!(again, Err(OpenError::InUse { holder: None, .. })));
    store.close().unwrap();
    drop(open(dir.path()));
}

/// A cleanly closed store with more than one segment was called corrupt: the mark of the clean close was held against
/// the sealed segments too, which end before it.
#[test]
fn a_clean_close_says_nothing_of_the_segments_before_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 4096, ..Settings::default() };
    let store = Engine::open(Parts::real(), dir.path(), settings).unwrap();
    for _ in 0..4 {
        store.commit(store.request().set(&scope("s"), "k", &[7; 3900]).unwrap()).unwrap();
    }
    assert!(store.stats().segments > 2);
    store.close().unwrap();
    assert_eq!(open(dir.path()).last().seq, Seq(4));
}

/// A set that had expired at the beginning of time was left out of the history.
#[test]
fn history_shows_what_was_set_expired() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let request = store.request().set_with(&scope("s"), "k", b"v", None, Some(Timestamp::MIN)).unwrap();
    store.commit(request).unwrap();
    let changes: Vec<_> = store.history(HistoryQuery::default()).unwrap().map(|change| change.unwrap()).collect();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].new.as_ref().unwrap().to_vec(), b"v");
}

#[test]
fn a_value_is_as_good_as_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(store.request().set(&scope("s"), "k", b"one").unwrap()).unwrap();
    let value = store.get("s", "k").unwrap().unwrap();
    assert!(value == *b"one".as_slice() && value != *b"two".as_slice() && value != *b"".as_slice());
}

/// Names are made of it that nobody else has: in this store, in another one, or in a copy.
#[test]
fn no_number_is_drawn_twice() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let stores = dirs.each_ref().map(|dir| open(dir.path()));
    let drawn: std::collections::BTreeSet<u64> =
        stores.iter().flat_map(|store| (0..50).map(move |_| store.draw())).collect();
    assert_eq!(drawn.len(), 100);
}
