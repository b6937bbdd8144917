//! What an erasure would take, counted before it is made.

use milepost_engine::{Index, ToErase};

use super::{Rig, open, place};
use crate::scope;

fn counts(values: u64, bytes: u64, unreadable: u64) -> ToErase {
    ToErase { values, bytes, unreadable }
}

/// Every value counts that a key ever had, also one that was deleted. What can't be read any more is told beside: it
/// will go as well.
#[test]
fn what_there_is_to_erase_is_counted_over_all_the_past() {
    let rig = Rig::new(3);
    for n in 1..=3 {
        rig.set("a", "k0", &[n; 100]);
    }
    rig.set("a", "k1", &[4; 10]);
    rig.store.commit(rig.store.request().delete(&scope("a"), "k1").unwrap()).unwrap();
    rig.set("a/b", "k0", &[5; 50]);
    rig.set("ab", "k0", &[6; 50]);
    // Behind them their segment is full.
    for _ in 0..40 {
        rig.set("d", "other", &[7; 200]);
    }
    let check = |store: &milepost_engine::Engine, of_key, of_scope, with_below| {
        assert_eq!(store.to_erase_of_key("a", "k0").unwrap(), of_key);
        assert_eq!(store.to_erase(&place("a"), false).unwrap(), of_scope);
        assert_eq!(store.to_erase(&place("a"), true).unwrap(), with_below);
        assert_eq!(store.to_erase_of_key("a", "none").unwrap(), counts(0, 0, 0));
        assert_eq!(store.to_erase(&place("d"), true).unwrap(), counts(40, 40 * 200, 0));
    };
    check(&rig.store, counts(3, 300, 0), counts(4, 310, 0), counts(5, 360, 0));

    let Rig { disk, clock, store } = rig;
    store.close().unwrap();
    drop(store);
    let is_segment = |path: &&std::path::PathBuf| path.extension().is_some_and(|end| end == "seg");
    let path = disk.names().iter().filter(is_segment).min().unwrap().clone();
    let bytes = disk.file_bytes(&path).unwrap();
    for damaged in [[2; 100], [3; 100]] {
        let at = bytes.windows(100).position(|window| window == damaged).unwrap();
        disk.flip_bit(&path, 8 * at as u64);
    }
    let store = open(&disk, &clock, Index::Keep);
    check(&store, counts(1, 100, 2), counts(2, 110, 2), counts(3, 160, 2));
}
