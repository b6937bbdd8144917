//! Who reads beside a process that compacts.

use std::{path::Path, sync::Arc, time::Duration};

use milepost_engine::{Engine, Index, Parts, ReadError, View};
use milepost_io::{Clock, Process, SimEntropy};
use milepost_types::{At, Event, Policy, ScopePrefix, Seq};

use super::{DIR, KEYS, Rig};
use crate::scope;

fn reader_beside(rig: &Rig) -> Engine {
    let parts = Parts {
        disk: Arc::new(rig.disk.clone()),
        clock: Arc::clone(&rig.clock) as Arc<dyn Clock>,
        entropy: Arc::new(SimEntropy::new(7)),
        process: Process::simulated(),
    };
    Engine::open_read_only(parts, Path::new(DIR)).unwrap()
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
            check(&held, (key, name), 40);
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
