use milepost::Seq;

use super::*;
use crate::{lanes::Size, writer::commits::Worker};

const SIZE: Size = Size { single_keys: 5, slow_keys: 3, batch_pages: 2, marks: 10 };

/// A store with so many commits of each lane.
fn filled(commits: u64) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    for lane in Lane::all(SIZE) {
        let worker = Worker::new(&store, lane).unwrap();
        for n in 1..=commits {
            worker.commit(n).unwrap().0.durable().unwrap();
        }
    }
    (dir, store)
}

fn lanes_of(store: &Store) -> Result<Vec<u64>, Fault> {
    let found = all(store, &Lane::all(SIZE))?;
    assert_eq!(heads(store, &Lane::all(SIZE)).unwrap(), found);
    Ok(found)
}

#[test]
fn what_was_written_is_right_now_and_then() {
    let (_dir, store) = filled(33);
    assert_eq!(lanes_of(&store).unwrap(), [33; 8]);
    // The lanes were written one after the other: 33 commits of the first, then those of the second.
    let view = store.view(Seq(33 + 7)).unwrap();
    let found: Vec<_> = Lane::all(SIZE)[..3].iter().map(|lane| whole(&view, *lane).unwrap()).collect();
    assert_eq!(found, [33, 7, 0]);
}

/// Whatever is not as it must be is said to be wrong: one lost commit, one old value, one key too many or too few.
#[test]
fn what_is_wrong_is_found() {
    type Change = fn(&Store) -> milepost::Result<milepost::Receipt>;
    let cases: [(&str, Change); 6] = [
        ("an old value", |store| {
            store.set(&scope("single/0").unwrap(), "k00002", &value::bytes("single/0", "k00002", 27))
        }),
        ("a value of another key", |store| {
            store.set(&scope("single/1").unwrap(), "k00002", &value::bytes("single/1", "k00001", 32))
        }),
        ("a key too few", |store| store.delete(&scope("batch").unwrap(), "p00/007")),
        ("a key too many", |store| store.set(&scope("queue").unwrap(), "q999", &value::bytes("queue", "q999", 30))),
        ("a clear that nobody said", |store| store.clear(&scope("restored").unwrap())),
        ("a head that went back", |store| {
            store.set(&scope(HEADS).unwrap(), "queue", &value::bytes(HEADS, "queue", 31))
        }),
    ];
    for (name, change) in cases {
        let (_dir, store) = filled(33);
        change(&store).unwrap();
        let found = all(&store, &Lane::all(SIZE));
        assert!(matches!(found, Err(Fault::Wrong(_))), "{name}: {found:?}");
    }
}

#[test]
fn a_history_with_a_gap_is_found() {
    let (_dir, store) = filled(33);
    let lane = Lane::all(SIZE)[0];
    let scope = scope("single/0").unwrap();
    let read = |store: &Store| -> Vec<Change> {
        store.history(&scope).key("k00002").newest_first().iter().map(Result::unwrap).collect()
    };
    let whole = read(&store);
    assert_eq!(whole.len(), 7);
    changes(lane, 5, "k00002", &whole).unwrap();
    let mut turned = whole.clone();
    turned.swap(2, 3);
    assert!(changes(lane, 5, "k00002", &turned).is_err());
    store.set(&scope, "k00002", &value::bytes("single/0", "k00002", 42)).unwrap();
    assert!(changes(lane, 5, "k00002", &read(&store)).is_err(), "42 follows 32, and 37 is lost");
}
