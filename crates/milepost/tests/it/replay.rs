//! The same log gives the same state and the same answers, and history tells what happened.

use milepost::{At, ScopePrefix, Seq, Store, Writer, json};

use super::{Dice, Place, bytes_of, export, random_commit, scope, state};

#[test]
fn a_log_answers_the_same_wherever_it_is_opened() {
    let place = Place::new();
    let store = place.open_small();
    let mut dice = Dice(4);
    for _ in 0..200 {
        random_commit(&store, &mut dice);
    }
    let (commits, latest) = (export(&store), state(&store.view(At::Latest).unwrap()));
    store.close().unwrap();
    let copies = [place.copy(), place.copy()];
    // What is not the log may go at any time.
    std::fs::remove_file(copies[1].path().join("LOCK")).unwrap();
    for copy in &copies {
        let openings: [&dyn Fn() -> Store; 3] =
            [&|| Store::read_only(copy.path()).unwrap(), &|| copy.open(), &|| copy.open_small()];
        for open in openings {
            let store = open();
            assert_eq!(export(&store), commits);
            assert_eq!(state(&store.view(At::Latest).unwrap()), latest);
        }
    }
}

/// Commits written to another store by their JSON give the same commits but for their stamps.
#[test]
fn an_export_can_be_taken_in_elsewhere() {
    let (place, other) = (Place::new(), Place::new());
    let (store, copy) = (place.open(), other.open());
    let mut dice = Dice(5);
    for _ in 0..100 {
        random_commit(&store, &mut dice);
    }
    for line in export(&store).lines() {
        json::parse_commit(line.as_bytes()).unwrap().add_to(copy.commit()).durable().unwrap();
    }
    let events = |store: &Store| -> Vec<_> {
        store.replay(Seq::FIRST).map(|commit| commit.unwrap()).map(|commit| (commit.seq, commit.events)).collect()
    };
    assert!(events(&store) == events(&copy));
}

#[test]
fn replay_starts_anywhere_and_keeps_to_its_prefix() {
    let place = Place::new();
    let store = place.open();
    for i in 0..10u8 {
        let name = if i % 2 == 0 { "a/even" } else { "a/odd" };
        store.commit().set(&scope(name), "k", &[i]).set(&scope("b"), "k", &[i]).durable().unwrap();
    }
    store.commit().clear_prefix(&ScopePrefix::parse("a").unwrap()).durable().unwrap();
    let seqs = |from, prefix: &str| -> Vec<u64> {
        let prefix = ScopePrefix::parse(prefix).unwrap();
        store.replay(Seq(from)).within(prefix).map(|commit| commit.unwrap().seq.0).collect()
    };
    assert_eq!(seqs(1, ""), (1..=11).collect::<Vec<_>>());
    assert_eq!(seqs(7, "a/odd"), [8, 10, 11], "a clear around the prefix touches it");
    assert_eq!(seqs(1, "a/o"), [11], "a prefix is whole segments");
    assert_eq!(seqs(1, "b").len(), 10);
    assert!(seqs(12, "").is_empty());
    assert!(seqs(u64::MAX, "").is_empty());
    assert!(store.replay(Seq(3)).within((&scope("b")).into()).all(|commit| commit.unwrap().events.len() == 1));
}

#[test]
fn history_says_who_when_and_from_what_to_what() {
    let place = Place::new();
    let store = place.open();
    let (a, b) = (scope("a"), scope("a/b"));
    let by = |name: &str| Writer::new(name).unwrap().attempt(2);
    store.commit().writer(by("one")).set(&a, "k", b"1").set(&b, "k", b"x").durable().unwrap();
    let second = store.commit().writer(by("two")).set(&a, "k", b"2").durable().unwrap();
    store.commit().writer(by("one")).delete(&a, "k").delete(&a, "never").durable().unwrap();
    store.commit().writer(by("two")).clear_prefix(&(&a).into()).durable().unwrap();
    let show = |changes: milepost::History| -> Vec<String> {
        let text =
            |value: Option<milepost::Value>| value.map_or("-".into(), |v| String::from_utf8(v.to_vec()).unwrap());
        changes
            .map(|change| change.unwrap())
            .map(|c| {
                let (kind, key) = (c.kind.name(), c.key().unwrap().to_string());
                let writer = c.writer.unwrap();
                format!("{} {writer} {kind} {}:{key} {}>{}", c.seq, c.scope, text(c.old), text(c.new))
            })
            .collect()
    };
    let all = [
        "1 one#2 set a:k ->1",
        "1 one#2 set a/b:k ->x",
        "2 two#2 set a:k 1>2",
        "3 one#2 delete a:k 2>-",
        "4 two#2 clear a/b:k x>-",
    ];
    assert_eq!(show(store.history(&a).iter()), all);
    let mut newest = show(store.history(ScopePrefix::root()).newest_first().iter());
    newest.reverse();
    assert_eq!(newest, all);
    assert_eq!(show(store.history(&b).iter()), [all[1], all[4]]);
    assert_eq!(show(store.history(&a).writer("two").iter()), [all[2], all[4]]);
    assert_eq!(show(store.history(&a).since(second.at).until(Seq(3)).iter()), [all[2], all[3]]);
    assert_eq!(show(store.history(&a).until(second.at).key("k").since(Seq(2)).iter()), [all[2]]);
    assert!(show(store.history(&scope("c")).iter()).is_empty());
}

/// Opening for writing and closing again adds nothing to the log.
#[test]
fn opening_and_closing_leaves_the_log_alone() {
    let place = Place::new();
    place.open().set(&scope("a"), "k", b"1").map(drop).unwrap();
    let log = || bytes_of(&place.path().join("log"));
    let before = export(&place.open());
    for _ in 0..3 {
        place.open().close().unwrap();
    }
    assert_eq!(export(&place.open()), before);
    let small = log().iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    assert!(small < 1 << 20, "a store of one commit that was closed takes {small} bytes");
}
