//! Who reads beside a process that compacts.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use milepost_engine::{Engine, Index, ReadError, Request, View};
use milepost_io::SimDisk;
use milepost_types::{At, Event, Policy, ScopePrefix, Seq};

use super::{DIR, KEYS, Rig};
use crate::scope;

fn reader_beside(rig: &Rig) -> Engine {
    Engine::open_read_only(rig.parts(), Path::new(DIR)).unwrap()
}

/// A process that reads beside the one that compacts is never told a wrong value of the past: the right one, or that
/// the past is not kept. An index that was made of what compaction has left knows nothing of what is gone.
#[test]
fn a_reader_beside_it_is_told_the_truth() {
    for (index, rounds) in [(Index::Keep, 1), (Index::Keep, 40), (Index::Rebuild, 40)] {
        let mut rig = Rig::new(6);
        rig.retain("a", Policy::default().keep_last(1));
        for n in 2..=60u64 {
            rig.set("a", KEYS[n as usize % 5], &n.to_le_bytes());
        }
        let reader = reader_beside(&rig);
        let held = reader.view(At::Seq(Seq(40))).unwrap();
        let mut next = 61_u64;
        for _ in 0..rounds {
            for _ in 0..20 {
                rig.set("a", KEYS[next as usize % 5], &next.to_le_bytes());
                next += 1;
            }
            rig.compact();
        }
        rig = rig.again(index);
        reader.refresh().unwrap();
        // The newest version of a key at or below a commit, as all were written.
        let right = |key: usize, seq: u64| (2..=seq).rev().find(|n| *n as usize % 5 == key);
        let check = |view: &View, (key, name): (usize, &str), seq: u64| match view.get("a", name) {
            Ok(value) => {
                assert_eq!(value.map(|value| value.to_vec()), right(key, seq).map(|n| n.to_le_bytes().to_vec()));
                true
            }
            Err(ReadError::BeforeHorizon { .. } | ReadError::Removed { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        let last = reader.last().seq.0;
        assert_eq!(last, next - 1, "{rounds}");
        for (key, name) in KEYS.into_iter().enumerate() {
            assert!(check(&held, (key, name), 40), "a view that is held answers the same");
            for seq in 2..last {
                check(&reader.view(At::Seq(Seq(seq))).unwrap(), (key, name), seq);
            }
            assert!(check(&reader.view(At::Latest).unwrap(), (key, name), last));
            assert_eq!(reader.get("a", name).unwrap().unwrap().to_vec(), right(key, last).unwrap().to_le_bytes());
        }
        drop(rig);
    }
}

/// A reader that fell behind found the log anew, from which a delete had gone with all that it hid, and went on with
/// the index that it had: which still knew the value, and nothing of the delete.
#[test]
fn what_was_deleted_is_deleted_to_a_reader_that_fell_behind() {
    for keys in [1, 5] {
        let rig = Rig::new(8);
        rig.retain("", Policy::default().keep_for(Duration::ZERO));
        for key in &KEYS[..keys] {
            rig.set("a", key, b"there");
        }
        let reader = reader_beside(&rig);
        // Into the next segments.
        for n in 0..200u64 {
            rig.set("d", KEYS[0], &n.to_le_bytes());
        }
        for key in &KEYS[..keys] {
            rig.store.commit(rig.store.request().delete(&scope("a"), key).unwrap()).unwrap();
        }
        for n in 0..400u64 {
            rig.set("e", KEYS[0], &n.to_le_bytes());
            if n % 20 == 0 {
                rig.compact();
            }
        }
        let deletes = rig.store.replay(Seq::FIRST).into_iter().map(Result::unwrap);
        let deletes = deletes.filter(|commit| commit.events.iter().any(|event| matches!(event, Event::Delete { .. })));
        assert_eq!(deletes.count(), 0, "or this tests nothing");
        assert_eq!(reader.refresh().unwrap(), rig.store.last());
        for key in &KEYS[..keys] {
            assert!(reader.get("a", key).unwrap().is_none());
        }
        let view = reader.view(At::Latest).unwrap();
        let found: Vec<String> = view.scan("a", "").map(|entry| entry.unwrap().key.to_string()).collect();
        assert_eq!(found, [""; 0]);
        assert_eq!(view.scopes(&ScopePrefix::root()).unwrap(), [scope("d"), scope("e")]);
    }
}

/// A view of a store beside its writer answered until the first refresh that had to find log and index anew, and then
/// that the past is not kept: it read from what the store has, in which its pin keeps nothing.
#[test]
fn a_view_beside_it_answers_the_same_for_as_long_as_it_is_held() {
    let rig = Rig::new(6);
    rig.retain("", Policy::default().keep_last(1));
    for key in KEYS {
        rig.set("a", key, b"then");
    }
    let gone = rig.store.request().set(&scope("b"), "gone", b"soon").unwrap();
    rig.store.commit(gone).unwrap();
    let reader = reader_beside(&rig);
    let point = reader.last().seq;
    let views = [reader.view(At::Latest).unwrap(), reader.view(At::Seq(point)).unwrap()];
    let entries = |view: &View| -> Vec<(String, Vec<u8>)> {
        let scan = view.scan("a", "").map(Result::unwrap);
        scan.map(|entry| (entry.key.to_string(), entry.value.to_vec())).collect()
    };
    let mut begun = views[0].scan("a", "");
    assert_eq!(begun.next().unwrap().unwrap().value.to_vec(), b"then");
    let (before, at) = (entries(&views[0]), views.each_ref().map(|view| view.at().unwrap()));
    assert_eq!(before.len(), KEYS.len());
    rig.store.commit(rig.store.request().clear(&scope("b")).unwrap()).unwrap();
    let mut refused = 0;
    for round in 0..12u64 {
        for n in 0..60u64 {
            rig.set("a", KEYS[n as usize % KEYS.len()], &[round as u8; 100]);
        }
        rig.compact();
        // Not after every round: who falls behind can't follow the log.
        if round % 3 == 2 {
            reader.refresh().unwrap();
        }
        refused += u32::from(reader.view(At::Seq(point)).unwrap().get("a", KEYS[0]).is_err());
        for (view, at) in views.iter().zip(at) {
            assert_eq!(entries(view), before, "round {round}");
            assert_eq!((view.seq(), view.at().unwrap()), (point, at));
            assert_eq!(view.get("b", "gone").unwrap().unwrap().to_vec(), b"soon");
            assert_eq!(view.get_many("a", &KEYS).unwrap().iter().flatten().count(), KEYS.len());
            assert_eq!(view.versions("b", &["gone", "never"]).unwrap(), [Some(point), None]);
            assert_eq!(view.scopes(&ScopePrefix::root()).unwrap(), [scope("a"), scope("b")]);
            assert_eq!(view.scope_version("b").unwrap(), point);
            assert_eq!(view.clone().get("a", KEYS[1]).unwrap().unwrap().to_vec(), b"then");
        }
    }
    assert!(refused > 0, "the reader did not take up what compaction has left: this tests nothing");
    assert!(begun.all(|entry| entry.unwrap().value.to_vec() == b"then"), "a scan that had begun goes on");
    // What asks the store for more than the view holds is told the truth.
    let latest = reader.view(At::Latest).unwrap();
    assert!(matches!(views[1].diff("a", &latest, "a"), Err(ReadError::BeforeHorizon { .. })));
}

/// A view that is held is no way to what was erased: where the store knows of an erasure, and the view's index does
/// not, the store answers.
#[test]
fn what_was_erased_is_erased_to_a_view_that_is_held() {
    let rig = Rig::new(6);
    rig.retain("", Policy::default().keep_last(1));
    for key in KEYS {
        rig.set("a", key, b"secret");
    }
    let reader = reader_beside(&rig);
    let held = reader.view(At::Latest).unwrap();
    assert_eq!(held.get("a", KEYS[0]).unwrap().unwrap().to_vec(), b"secret");
    // Into the next segments, so that the reader meets the erasure in none that it can follow.
    for n in 0..200usize {
        rig.set("a", KEYS[1 + n % (KEYS.len() - 1)], &[7; 100]);
    }
    let mut erase = rig.store.request();
    erase.add_erase(&scope("a"), KEYS[0], 0).unwrap();
    rig.store.commit(erase).unwrap();
    for _ in 0..6 {
        for n in 0..60usize {
            rig.set("a", KEYS[1 + n % (KEYS.len() - 1)], &[7; 100]);
        }
        rig.compact();
    }
    reader.refresh().unwrap();
    let is_gone = |found: Result<Option<milepost_engine::Value>, ReadError>| match found {
        Ok(value) => value.is_none(),
        Err(ReadError::BeforeHorizon { .. }) => true,
        Err(error) => panic!("{error}"),
    };
    assert!(is_gone(held.get("a", KEYS[0])));
    assert!(held.get_many("a", &KEYS[..1]).is_ok_and(|found| found[0].is_none()) || held.get("a", KEYS[0]).is_err());
    let seen = held.scan("a", "").filter_map(Result::ok).filter(|entry| entry.key.as_str() == KEYS[0]);
    assert_eq!(seen.count(), 0);
    // Of all else the store has only what it keeps, and says so.
    let is_before = |error: ReadError| matches!(error, ReadError::BeforeHorizon { .. });
    assert!(held.get("a", KEYS[1]).is_err_and(is_before));
    assert!(held.get_many("a", &KEYS[1..]).is_err_and(is_before));
    assert!(held.versions("a", &KEYS[1..]).is_err_and(is_before));
    assert!(held.scope_version("a").is_err_and(is_before));
    assert!(held.scopes(&ScopePrefix::root()).is_err_and(is_before));
    assert!(held.scan("a", "").next().unwrap().is_err_and(is_before));
}

/// What was erased elsewhere changes nothing of a checkpoint: its own scope is read as it was, from what the store
/// keeps for it, until it is released; of other scopes it keeps nothing.
#[test]
fn a_view_at_a_checkpoint_outlives_an_erasure_elsewhere() {
    let rig = Rig::new(6);
    rig.retain("", Policy::default().keep_last(1));
    for key in KEYS {
        rig.set("a", key, b"then");
        rig.set("d", key, b"secret");
    }
    let mut request = rig.store.request();
    request.add_checkpoint(&scope("a"), "good", None).unwrap();
    rig.store.commit(request).unwrap();
    let reader = reader_beside(&rig);
    let held = reader.view(At::checkpoint(&scope("a"), "good")).unwrap();
    let go_on = |with: &dyn Fn(&mut Request)| {
        for round in 0..6u64 {
            for n in 0..60usize {
                rig.set("a", KEYS[n % KEYS.len()], &[round as u8; 100]);
                rig.set("d", KEYS[1 + n % (KEYS.len() - 1)], &[round as u8; 9]);
            }
            if round == 2 {
                let mut request = rig.store.request();
                with(&mut request);
                rig.store.commit(request).unwrap();
            }
            rig.compact();
        }
        reader.refresh().unwrap();
    };
    let is_before = |error: ReadError| matches!(error, ReadError::BeforeHorizon { .. });
    go_on(&|request| request.add_erase(&scope("d"), KEYS[0], 0).unwrap());
    let values = held.get_many("a", &KEYS).unwrap();
    assert!(values.iter().all(|value| value.as_ref().unwrap().to_vec() == b"then"));
    assert_eq!(held.scan("a", "").map(|entry| entry.unwrap().value.to_vec()).collect::<Vec<_>>(), [b"then"; 5]);
    assert!(held.get("d", KEYS[1]).is_err_and(is_before));
    go_on(&|request| request.add_release(&scope("a"), "good").unwrap());
    assert!(held.get("a", KEYS[1]).is_err_and(is_before));
}

/// While a view was held, each refresh added the writer's new segments to those of the handle, and let none of them go:
/// what went into a store of 17 MB for 40 seconds held 50 MB of removed files.
#[test]
fn a_view_that_is_held_keeps_its_own_files_and_no_others() {
    let rig = Rig::new(6);
    rig.retain("", Policy::default().keep_last(1));
    for key in KEYS {
        rig.set("a", key, b"then");
    }
    let reader = reader_beside(&rig);
    let held = reader.view(At::Latest).unwrap();
    for round in 0..12u64 {
        for n in 0..60usize {
            rig.set("a", KEYS[n % KEYS.len()], &[round as u8; 100]);
            // Often enough never to fall behind: the log is followed, and not found anew.
            reader.refresh().unwrap();
        }
        rig.compact();
        reader.refresh().unwrap();
        let (seen, there) = (reader.segments().len(), rig.store.segments().len());
        assert!(seen <= there + 1, "round {round}: the handle has {seen} segments, the store {there}");
        assert_eq!(held.get("a", KEYS[0]).unwrap().unwrap().to_vec(), b"then");
    }
}

/// A view at a checkpoint is kept by it. When it was released, and compaction had taken what it kept, a diff of that
/// view answered from what was left, as if all had been there: keys as added that had been changed, others not at all.
#[test]
fn a_view_at_a_checkpoint_that_was_released_is_told_the_truth() {
    let rig = Rig::new(6);
    rig.retain("", Policy::default().keep_last(1));
    for key in KEYS {
        rig.set("a", key, b"then");
    }
    let mut request = rig.store.request();
    request.add_checkpoint(&scope("a"), "good", None).unwrap();
    rig.store.commit(request).unwrap();
    rig.set("a", KEYS[0], b"later");
    rig.compact();
    let reader = reader_beside(&rig);
    let held = reader.view(At::checkpoint(&scope("a"), "good")).unwrap();
    let changed = |reader: &Engine| {
        let now = reader.view(At::Latest).unwrap();
        let found = held.diff("a", &now, "a").and_then(Iterator::collect::<Result<Vec<_>, _>>);
        found.map(|found| found.into_iter().map(|d| d.old.map(|old| old.to_vec())).collect::<Vec<_>>())
    };
    assert_eq!(changed(&reader).unwrap(), [Some(b"then".to_vec())]);
    let mut request = rig.store.request();
    request.add_release(&scope("a"), "good").unwrap();
    rig.store.commit(request).unwrap();
    let mut refused = 0;
    for round in 0..8u64 {
        for n in 0..60u64 {
            rig.set("a", KEYS[n as usize % KEYS.len()], &[round as u8; 100]);
        }
        rig.compact();
        reader.refresh().unwrap();
        match changed(&reader) {
            Ok(found) => assert!(found.iter().all(|old| old.as_deref() == Some(b"then")), "round {round}: {found:?}"),
            Err(ReadError::BeforeHorizon { .. } | ReadError::Removed { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        assert_eq!(held.get("a", KEYS[1]).unwrap().unwrap().to_vec(), b"then", "it holds what it shows");
    }
    assert!(refused > 0, "the reader did not take up what compaction has left: this tests nothing");
}

/// The checkpoint keeps what the view shows, also in what was taken up of the writer since.
#[test]
fn a_view_at_a_checkpoint_that_is_kept_is_compared_as_before() {
    let rig = Rig::new(6);
    rig.retain("", Policy::default().keep_last(1));
    rig.set("a", KEYS[0], b"then");
    let mut request = rig.store.request();
    request.add_checkpoint(&scope("a"), "good", None).unwrap();
    rig.store.commit(request).unwrap();
    rig.set("a", KEYS[0], b"later");
    rig.compact();
    let reader = reader_beside(&rig);
    let held = reader.view(At::checkpoint(&scope("a"), "good")).unwrap();
    for round in 0..4u64 {
        for n in 0..60u64 {
            rig.set("a", KEYS[n as usize % KEYS.len()], &[round as u8; 100]);
        }
        rig.compact();
        reader.refresh().unwrap();
        let now = reader.view(At::Latest).unwrap();
        let found: Vec<_> = held.diff("a", &now, "a").unwrap().map(Result::unwrap).collect();
        assert_eq!(found.len(), KEYS.len(), "round {round}");
        assert_eq!(found[0].old.as_ref().map(|old| old.to_vec()).as_deref(), Some(&b"then"[..]));
    }
}

/// Who read beside a store that was put back to an older copy of itself was ended by an assertion, halfway between the
/// two, and then showed old values as the newest.
#[test]
fn a_store_that_is_put_back_to_an_older_copy_is_noticed() {
    let rig = Rig::new(6);
    rig.retain("", Policy::default().keep_last(1));
    for n in 0..200usize {
        rig.set("a", KEYS[n % KEYS.len()], &[1; 100]);
    }
    rig.compact();
    let files = |disk: &SimDisk| -> Vec<(PathBuf, Vec<u8>)> {
        disk.names().into_iter().filter_map(|path| Some((path.clone(), disk.file_bytes(&path)?))).collect()
    };
    let older = files(&rig.disk);
    for round in 0..6u8 {
        for n in 0..60usize {
            rig.set("a", KEYS[n % KEYS.len()], &[2 + round; 100]);
        }
        rig.compact();
    }
    let reader = reader_beside(&rig);
    let last = reader.last();
    rig.store.close().unwrap();
    files(&rig.disk).iter().for_each(|(path, _)| rig.disk.remove_name(path));
    older.iter().for_each(|(path, bytes)| rig.disk.put_file(path, bytes));
    let mut noticed = 0;
    for _ in 0..3 {
        match reader.refresh() {
            Ok(now) => assert_eq!(now.seq, last.seq),
            Err(ReadError::RolledBack { last: there, seen }) => {
                assert!(there < seen && seen == last.seq);
                noticed += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(reader.last().seq, last.seq);
        assert_eq!(reader.get("a", KEYS[0]).unwrap().unwrap().to_vec(), [7; 100], "the newest that it has seen");
    }
    assert_eq!(noticed, 3);
}

/// The newest value of a key was asked for as of the commit that the handle had published, in an index that a refresh
/// of another thread had just taken up, and that knows nothing as old as that any more: a key that had a value at all
/// times had none.
#[test]
fn the_newest_value_is_there_while_another_thread_refreshes() {
    let rig = Rig::new(6);
    rig.retain("", Policy::default().keep_last(1));
    for key in KEYS {
        rig.set("a", key, b"then");
    }
    let reader = reader_beside(&rig);
    let is_done = AtomicBool::new(false);
    let goes_on = &|| !is_done.load(Ordering::Relaxed);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while goes_on() {
                // A writer that does nothing else takes away file after file before it is opened: no damage, and no
                // error.
                reader.refresh().unwrap();
            }
        });
        for key in [KEYS[0], KEYS[1]] {
            let reader = &reader;
            threads.spawn(move || {
                while goes_on() {
                    assert!(reader.get("a", key).unwrap().is_some(), "{key} has a value at all times");
                }
            });
        }
        for round in 0..80u64 {
            for n in 0..60usize {
                rig.set("a", KEYS[n % KEYS.len()], &[round as u8; 100]);
            }
            rig.compact();
        }
        is_done.store(true, Ordering::Relaxed);
    });
}
