//! A backup made while threads commit is one moment of the store.

use std::sync::atomic::{AtomicBool, Ordering};

use milepost::{
    Seq, Store,
    backup::{self, Until},
};

use super::{Place, scope};

#[test]
fn backups_while_threads_commit_are_moments() {
    let (place, restored) = (Place::new(), tempfile::tempdir().unwrap());
    let store = place.open_small();
    let backups = restored.path().join("backups");
    let stop = AtomicBool::new(false);
    let mut made = Vec::new();
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let (store, stop) = (&store, &stop);
            threads.spawn(move || {
                let scope = scope(&format!("task/{thread}"));
                for n in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    store.set(&scope, &format!("k{}", n % 50), &n.to_le_bytes()).unwrap();
                }
            });
        }
        // A reader as another process would be, and the writer itself, in turn.
        for round in 0..6 {
            let before = store.last().seq;
            let backup = if round % 2 == 0 {
                store.backup(&backups).unwrap()
            } else {
                Store::read_only(place.path()).unwrap().backup(&backups).unwrap()
            };
            assert!(backup.last.seq >= before, "what was acknowledged before is in it");
            made.push(backup);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(backup::verify(&backups, None, &mut |_, _| {}).unwrap().is_clean());
    let commits: Vec<_> = store.replay(Seq::FIRST).map(|commit| commit.unwrap()).collect();
    for backup in made {
        let dir = restored.path().join(format!("restored-{}", backup.number));
        let done = backup::restore(&backups, &dir, Until::Backup(backup.number), &mut |_, _| {}).unwrap();
        assert_eq!(done.last, backup.last);
        let found: Vec<_> = Store::read_only(&dir).unwrap().replay(Seq::FIRST).map(|commit| commit.unwrap()).collect();
        assert!(found == commits[..backup.last.seq.0 as usize], "backup {}", backup.number);
    }
    // Those that the reader made are noted until somebody opens the store for writing.
    assert_eq!(store.backups().unwrap()[0].number, 6);
}
