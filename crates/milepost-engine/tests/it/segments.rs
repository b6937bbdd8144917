//! Segments written anew and dropped under an open store: what is kept is read as before, here, in another process and
//! after opening again; what was removed is told from damage.

use std::path::Path;

use milepost_engine::{Engine, Index, Parts, ReadError, Settings, Threads, Verdict, verify};
use milepost_log::{Form, Rewrote, SegmentKind, Verdict as Fate};
use milepost_types::{
    At, EventRef, Seq,
    body::{Body, Thinned},
};

use crate::scope;

const ROUNDS: u64 = 300;

fn settings() -> Settings {
    Settings { segment_bytes: 8 << 10, memory_bytes: 16 << 10, threads: Threads::Stepped, ..Settings::default() }
}

fn open(dir: &Path) -> Engine {
    Engine::open(Parts::real(), dir, settings()).unwrap()
}

/// Ten keys that are overwritten for ever, each round one of them and one that is written once.
fn fill(store: &Engine, rounds: std::ops::Range<u64>) {
    for n in rounds {
        let request = store.request().set(&scope("s"), &format!("hot/{}", n % 10), &[n as u8; 60]).unwrap();
        let request = request.set(&scope("s"), &format!("cold/{n:04}"), &n.to_le_bytes()).unwrap();
        store.commit(request).unwrap();
        while store.step_index() {}
    }
}

/// Keeps what is written once, and of the others what is newest.
fn fate(store: &Engine, seq: Seq, body: &[u8]) -> Fate {
    let thinned = Body::parse(body).unwrap().thin(&mut |found| match found.event {
        EventRef::Set { key, .. } if key.starts_with("hot/") => {
            store.get("s", key).unwrap().is_some_and(|newest| newest.seq() == seq)
        }
        _ => !seq.0.is_multiple_of(7),
    });
    match thinned.unwrap() {
        Thinned::All => Fate::Keep,
        Thinned::Some(body) => Fate::Thinned(body),
        Thinned::Nothing => Fate::Remove,
    }
}

/// Writes all sealed segments anew, a few at a time, with commits in between.
fn compact(store: &Engine) {
    let sealed: Vec<_> = store.segments().into_iter().filter(|segment| segment.kind != SegmentKind::Open).collect();
    for some in sealed.chunks(3) {
        let (first, last) = (some[0].name.id, some[some.len() - 1].name.id);
        let mut rewrite = store.begin_rewrite(first..=last, Form::Raw).unwrap();
        let rewritten = loop {
            match rewrite.step(2000, &mut |frame| fate(store, frame.seq, frame.body)).unwrap() {
                Rewrote::More => fill(store, ROUNDS..ROUNDS + 1),
                Rewrote::Done(rewritten) => break rewritten,
            }
        };
        store.adopt(rewritten).unwrap();
    }
    while store.step_recycle() {}
}

/// What a store says of the keys of [`fill`] after [`compact`], up to a round.
fn check(store: &Engine) {
    for n in 0..ROUNDS {
        let found = store.get("s", &format!("cold/{n:04}"));
        match found {
            Ok(Some(value)) => assert_eq!(value.to_vec(), n.to_le_bytes()),
            Err(ReadError::Removed { seq }) => assert_eq!(seq, Seq(n + 1)),
            // An index that was made anew knows nothing of it.
            Ok(None) => assert_eq!((n + 1) % 7, 0),
            other => panic!("{n}: {other:?}"),
        }
    }
    for n in 0..10 {
        let value = store.get("s", &format!("hot/{n}")).unwrap().unwrap();
        assert_eq!(value[0], value[59]);
        assert!(value.seq().0 > ROUNDS - 10);
    }
    // Every commit is shown that is there, once, in order.
    let seqs: Vec<u64> = store.replay(Seq::FIRST).into_iter().map(|commit| commit.unwrap().seq.0).collect();
    assert!(seqs.is_sorted() && seqs.len() > 200, "{}", seqs.len());
    let removed = (1..seqs[seqs.len() - 1]).find(|seq| !seqs.contains(seq)).unwrap();
    assert_eq!(store.commit_at(Seq(removed)).unwrap(), None);
    let view = store.view(At::Seq(Seq(removed))).unwrap();
    let at = view.at().unwrap();
    assert_eq!(store.view(At::Time(at)).unwrap().seq(), Seq(removed));
}

fn is_clean(dir: &Path) {
    let report = verify(&Parts::real().disk, dir, &mut |_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Clean);
}

#[test]
fn what_is_kept_is_read_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 0..ROUNDS);
    let view = store.view(At::Latest).unwrap();
    let kept = view.get("s", "hot/3").unwrap().unwrap();
    let (bytes, log_bytes) = (kept.to_vec(), store.stats().log_bytes);
    compact(&store);
    assert!(store.stats().log_bytes * 10 < log_bytes * 9, "{} of {log_bytes}", store.stats().log_bytes);
    assert_eq!(kept.to_vec(), bytes, "what is held stays");
    check(&store);
    is_clean(dir.path());
    drop(view);
    // Opened again: with the index, without it, for reading.
    store.close().unwrap();
    is_clean(dir.path());
    for index in [Index::Keep, Index::Rebuild] {
        let store = Engine::open(Parts::real(), dir.path(), Settings { index, ..settings() }).unwrap();
        check(&store);
        let reader = Engine::open_read_only(Parts::real(), dir.path()).unwrap();
        check(&reader);
        fill(&store, ROUNDS + 1..ROUNDS + 40);
        reader.refresh().unwrap();
        compact(&store);
        store.close().unwrap();
        is_clean(dir.path());
    }
}

/// A reader that fell behind goes on, though what it would have read next is gone.
#[test]
fn a_reader_that_fell_behind_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 0..2);
    let reader = Engine::open_read_only(Parts::real(), dir.path()).unwrap();
    fill(&store, 2..ROUNDS);
    compact(&store);
    let last = reader.refresh().unwrap();
    assert_eq!(last, store.last());
    check(&store);
    for n in 0..10 {
        let key = format!("hot/{n}");
        assert_eq!(reader.get("s", &key).unwrap().unwrap().seq(), store.get("s", &key).unwrap().unwrap().seq());
    }
    fill(&store, ROUNDS + 1..ROUNDS + 3);
    assert_eq!(reader.refresh().unwrap(), store.last());
}

/// A repeated request is told from another one after all that it wrote was removed.
#[test]
fn a_thinned_commit_still_knows_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let request = |value: &[u8]| {
        let request = store.request().idempotency_key("once").unwrap();
        request.set(&scope("s"), "hot/1", value).unwrap().set(&scope("t"), "k", value).unwrap()
    };
    let first = store.commit(request(b"first")).unwrap();
    fill(&store, 0..ROUNDS);
    let segment = store.segments()[0].name.id;
    let mut rewrite = store.begin_rewrite(segment..=segment, Form::Raw).unwrap();
    let husk = |seq: Seq, body: &[u8]| {
        if seq == first.seq { Fate::Thinned(Body::parse(body).unwrap().husk().unwrap()) } else { Fate::Keep }
    };
    let Rewrote::Done(rewritten) = rewrite.step(usize::MAX, &mut |frame| husk(frame.seq, frame.body)).unwrap() else {
        panic!("not bounded by that")
    };
    store.adopt(rewritten).unwrap();
    assert_eq!(store.commit(request(b"first")).unwrap(), first);
    assert!(store.commit(request(b"other")).unwrap_err().to_string().contains("once"));
    assert!(matches!(store.get("t", "k"), Err(ReadError::Removed { seq }) if seq == first.seq));
    store.close().unwrap();
    is_clean(dir.path());
}

/// Segments that went whole: their commits are removed, not missing, here and after opening again.
#[test]
fn dropped_segments_are_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 0..ROUNDS);
    let segments = store.segments();
    let (second, third) = (&segments[1], &segments[2]);
    assert!(store.drop_segments(&(second.name.id..=third.name.id)).unwrap());
    assert!(
        !store.drop_segments(&(segments[segments.len() - 1].name.id..=segments[segments.len() - 1].name.id)).unwrap()
    );
    while store.step_recycle() {}
    let gone = second.first_seq.0..third.first_seq.0 + third.commits;
    let look = |store: &Engine| {
        for n in 0..ROUNDS {
            match store.get("s", &format!("cold/{n:04}")) {
                Ok(Some(value)) => assert!(!gone.contains(&value.seq().0)),
                Err(ReadError::Removed { seq }) => assert!(gone.contains(&seq.0)),
                other => panic!("{n}: {other:?}"),
            }
        }
        assert_eq!(store.replay(Seq::FIRST).into_iter().count() as u64, ROUNDS - (gone.end - gone.start));
    };
    look(&store);
    store.close().unwrap();
    is_clean(dir.path());
    let store = open(dir.path());
    look(&store);
    fill(&store, ROUNDS..ROUNDS + 2);
    store.close().unwrap();
    is_clean(dir.path());
    assert!(Engine::open_read_only(Parts::real(), dir.path()).is_ok());
}
