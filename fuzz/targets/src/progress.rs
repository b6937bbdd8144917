//! A job of many items: any bytes as an item, as a key where items are kept, and as the counts beside them.

use std::time::Duration;

use milepost::{
    ErrorKind, Key, Scope, Store,
    task::{Found, Progress, ProgressOptions},
};

use crate::store::empty;

/// Bytes of an item at the most.
const ITEM_BYTES_MAX: usize = 1 << 20;

/// A byte for what the others are, then those.
pub fn check(bytes: &[u8]) {
    let Some((what, rest)) = bytes.split_first() else { return };
    let (store, job) = store();
    match what % 3 {
        0 => item(&job, rest),
        1 => key(&store, &job, rest),
        _ => counts(&store, &job, rest),
    }
}

fn store() -> (Store, Progress) {
    let store = empty();
    // Marks are committed by the flush alone.
    let options = ProgressOptions { batch_delay: Duration::from_secs(3600), ..ProgressOptions::default() };
    let job = store.progress_with(&scope("task/load"), "job", &options).unwrap();
    (store, job)
}

fn scope(path: &str) -> Scope {
    Scope::parse(path).unwrap()
}

/// An item is what was marked, to the byte; no other one is taken for it.
fn item(job: &Progress, item: &[u8]) {
    if let Err(error) = job.done_with(item, b"result") {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(item.is_empty() || item.len() > ITEM_BYTES_MAX || item.contains(&0), "{error}");
        return;
    }
    job.flush().unwrap();
    assert!(matches!(job.find(item).unwrap(), Found::Done(value) if *value == *b"result"));
    let listed: Vec<Vec<u8>> = job.results().unwrap().map(|marked| marked.unwrap().item).collect();
    assert_eq!(listed, [item]);
    let begin = &item[..item.len() / 2];
    for other in [begin.to_vec(), [item, b"x"].concat(), [b"\x01", item].concat(), [b"\x02", item].concat()] {
        if !other.is_empty() {
            assert!(matches!(job.find(other).unwrap(), Found::Pending), "another item has the same key");
        }
    }
}

/// Whatever somebody has put among the items is listed, or it is said that its item is missing.
fn key(store: &Store, job: &Progress, key: &[u8]) {
    let Ok(key) = Key::from_bytes(key) else { return };
    let set = |place: &str, value: &[u8]| store.set(&scope(place), key.as_str(), value).unwrap();
    set("task/load/.progress/job/done", b"by hand");
    let listed: Vec<_> = job.results().unwrap().collect();
    assert_eq!(listed.len(), 1);
    match &listed[0] {
        Ok(marked) => {
            assert_eq!(*marked.value, *b"by hand");
            let _ = job.find(&marked.item);
        }
        Err(_) => {
            set("task/load/.progress/job/long", b"an item");
            assert_eq!(job.results().unwrap().next().unwrap().unwrap().item, b"an item");
        }
    }
}

/// Counts that nobody has counted: they are told, or refused; and a job goes on with those that are told.
fn counts(store: &Store, job: &Progress, counts: &[u8]) {
    store.set(&scope("task/load/.progress/job"), "counts", counts).unwrap();
    let Ok(summary) = job.summary() else {
        job.done("a").unwrap();
        assert!(job.flush().is_err(), "counts that can't be read are counted on");
        return;
    };
    let _ = (summary.left(), summary.eta());
    job.done("a").unwrap();
    job.flush().unwrap();
    assert_eq!(job.summary().unwrap().done, summary.done.saturating_add(1));
    let _ = job.summary().unwrap().left();
}

/// Items of each form that a key can have, keys that no item has, counts at their ends.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let with = |what: u8, rest: &[u8]| [&[what][..], rest].concat();
    let hashed = format!("\u{2}{:032x}", 7);
    vec![
        ("text", with(0, b"/usr/share/doc/a b")),
        ("no-text", with(0, b"caf\xe9\\")),
        ("marked-text", with(0, b"\x01a")),
        ("nul", with(0, b"a\0")),
        ("long", with(0, &[b'x'; 1025])),
        ("key", with(1, b"a\\x41")),
        ("escaped", with(1, b"\x01caf\\xe9\\\\")),
        ("escaped-wrongly", with(1, b"\x01caf\\x")),
        ("hashed", with(1, hashed.as_bytes())),
        ("counts", with(2, br#"{"done":2,"failed":1,"skipped":0,"total":9,"began":1764000000000000}"#)),
        ("counts-at-their-ends", with(2, &ends())),
        ("counts-of-nobody", with(2, br#"{"done":-1}"#)),
    ]
}

fn ends() -> Vec<u8> {
    let (most, least) = (u64::MAX, i64::MIN);
    format!(r#"{{"done":{most},"failed":{most},"skipped":{most},"retried":{most},"total":1,"began":{least}}}"#).into()
}
