//! Reads see durable commits only, and a read that follows an acknowledgement sees it, from any handle.

use milepost::{At, ErrorKind, Store};

use super::{Place, bytes_of, get, scope};

#[test]
fn every_handle_sees_what_was_acknowledged_to_any() {
    let place = Place::new();
    let store = place.open();
    let reader = Store::read_only(place.path()).unwrap();
    let scope = scope("a/b");
    std::thread::scope(|threads| {
        for writer in 0..4u8 {
            let (store, reader, scope) = (store.clone(), &reader, &scope);
            threads.spawn(move || {
                let key = format!("k{writer}");
                for round in 0..50u8 {
                    let receipt = store.set(scope, &key, &[round]).unwrap();
                    assert_eq!(get(&store, scope, &key), Some(vec![round]));
                    assert_eq!(store.view(At::Latest).unwrap().get(scope, &key).unwrap().unwrap().seq(), receipt.seq);
                    assert!(reader.refresh().unwrap().seq >= receipt.seq);
                    assert_eq!(get(reader, scope, &key), Some(vec![round]));
                }
            });
        }
    });
    assert_eq!(reader.last(), store.last());
}

/// A reader leaves no trace: neither beside a writer, nor over a store that was killed.
#[test]
fn reading_only_never_changes_a_byte() {
    let place = Place::new();
    let store = place.open_small();
    for i in 0..40u8 {
        store.set(&scope("a"), &i.to_string(), &[i; 200]).unwrap();
    }
    let copy = place.copy();
    store.close().unwrap();
    for dir in [place.path(), copy.path()] {
        let before = bytes_of(&dir);
        let reader = Store::read_only(&dir).unwrap();
        assert_eq!(get(&reader, &scope("a"), "7"), Some(vec![7; 200]));
        assert_eq!(reader.set(&scope("a"), "k", b"").unwrap_err().kind(), ErrorKind::ReadOnly);
        reader.close().unwrap();
        drop(reader);
        assert!(bytes_of(&dir) == before, "reading changed {}", dir.display());
    }
}

#[test]
fn a_closed_store_takes_nothing_and_is_free() {
    let place = Place::new();
    let store = place.open();
    let clone = store.clone();
    assert_eq!(Store::open(place.path()).unwrap_err().kind(), ErrorKind::InUse);
    store.close().unwrap();
    assert_eq!(clone.set(&scope("a"), "k", b"").unwrap_err().kind(), ErrorKind::Closed);
    store.close().unwrap();
    let again = place.open();
    drop(clone);
    drop(store);
    assert_eq!(
        Store::open(place.path()).unwrap_err().kind(),
        ErrorKind::InUse,
        "an old handle freed the new one's lock"
    );
    again.set(&scope("a"), "k", b"1").unwrap();
}

/// The lock is on the directory: whoever removes files does not free it.
#[test]
fn removing_the_lock_file_does_not_let_a_second_writer_in() {
    let place = Place::new();
    let store = place.open();
    store.set(&scope("a"), "k", b"1").unwrap();
    let _ = std::fs::remove_file(place.path().join("LOCK"));
    assert_eq!(Store::open(place.path()).unwrap_err().kind(), ErrorKind::InUse);
    drop(store);
    let again = place.open();
    assert_eq!(get(&again, &scope("a"), "k").as_deref(), Some(&b"1"[..]));
}

#[test]
fn a_read_of_what_is_not_there_yet_says_so() {
    let place = Place::new();
    let store = place.open();
    store.set(&scope("a"), "k", b"1").unwrap();
    let error = store.view(milepost::Seq(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotYet);
    assert!(error.to_string().contains("no commit 2 yet, the last one is 1"), "{error}");
    assert!(store.commit_at(milepost::Seq(2)).unwrap().is_none());
    assert!(store.commit_at(milepost::Seq::ZERO).unwrap().is_none());
    let future = milepost::Timestamp(i64::MAX);
    assert_eq!(store.view(future).unwrap().seq(), milepost::Seq(1));
}
