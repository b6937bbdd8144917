//! A backup made while threads commit is one moment of the store; what was erased is in none that is made afterwards.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use milepost::{
    Policy, ScopePrefix, Seq, SetOptions, Store, Timestamp,
    backup::{self, Rollback, Until},
};

use super::{Place, bytes_of, get, scope};

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

const SECRET: &str = "ann@example.org";

/// The files of a directory in which the secret stands.
fn files_with_secret(dir: &Path) -> Vec<PathBuf> {
    let has = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    bytes_of(dir).into_iter().filter(|(_, bytes)| has(bytes)).map(|(path, _)| path).collect()
}

/// FAULTS J6, of backups: once a compaction has taken it out of the files, a value that was erased is in no file that
/// a later backup needs, be its place a new one or one that had the value before. Earlier backups have it still, the
/// answer of the erasure names their place, and it goes with them.
#[test]
fn what_was_erased_is_in_no_later_backup() {
    let (task, user) = (scope("task/a"), scope("user/17"));
    for is_small in [true, false] {
        let (place, out) = (Place::new(), tempfile::tempdir().unwrap());
        let store = if is_small { place.open_small() } else { place.open() };
        let (before, fresh, restored) = (out.path().join("b"), out.path().join("f"), out.path().join("r"));
        let restore = |number| {
            let _ = std::fs::remove_dir_all(&restored);
            backup::restore(&before, &restored, Until::Backup(number), &mut |_, _| {}).unwrap();
            Store::open(&restored).unwrap()
        };
        store.set(&user, "mail", SECRET.as_bytes()).unwrap();
        for n in 0..200_u32 {
            store.set(&task, &format!("k{}", n % 7), &[n as u8; 100]).unwrap();
        }
        store.backup(&before).unwrap();
        // Also in the segment that grows, of which each backup brings a part.
        store.set(&user, "mail again", SECRET.as_bytes()).unwrap();
        store.backup(&before).unwrap();
        for key in ["mail", "mail again"] {
            let erased = store.erase(&user, key).unwrap();
            assert_eq!(erased.not_covered, [before.canonicalize().unwrap()]);
        }
        // Erased, and not compacted yet: this one may have it, as the guide says.
        assert_eq!(store.backup(&before).unwrap().number, 3);
        store.compact().unwrap();
        assert_eq!(files_with_secret(&place.path()), Vec::<PathBuf>::new());

        assert_eq!(store.backup(&before).unwrap().number, 4);
        store.backup(&fresh).unwrap();
        assert_eq!(files_with_secret(&fresh), Vec::<PathBuf>::new());
        let store = restore(4);
        assert_eq!(files_with_secret(&restored), Vec::<PathBuf>::new());
        assert!(get(&store, &task, "k3").is_some() && get(&store, &user, "mail").is_none());
        drop(store);
        // The others are whole: they have it, and a store that is made of one shows it.
        assert!(files_with_secret(&before).iter().all(|path| path.starts_with(before.join("pieces"))));
        assert_eq!(get(&restore(2), &user, "mail again").as_deref(), Some(SECRET.as_bytes()));
        assert_eq!(backup::prune(&before, 1).unwrap().backups, 3);
        assert_eq!(files_with_secret(&before), Vec::<PathBuf>::new());
        assert!(backup::verify(&before, None, &mut |_, _| {}).unwrap().is_clean());
        assert!(get(&restore(4), &task, "k3").is_some());
    }
}

/// Compaction may drop the segment of the very last commits. A backup said then that it ended before them, at the time
/// of one that was gone, and a store restored from it gave the places of those out again.
#[test]
fn a_backup_ends_with_the_last_commit_even_where_that_is_gone() {
    let (place, out) = (Place::new(), tempfile::tempdir().unwrap());
    let store = place.open_small();
    let past = Policy::default().keep_for(std::time::Duration::ZERO);
    store.retention().set(&ScopePrefix::root(), past).unwrap();
    let kept = store.set(&scope("asset"), "k", b"kept").unwrap();
    store.compact().unwrap();
    let task = scope("task/a");
    for n in 0..300_u32 {
        store.set(&task, &format!("k{}", n % 7), &[n as u8; 100]).unwrap();
    }
    // All of it is cleared, and the last of it has expired long ago: neither stays.
    store.clear(&task).unwrap();
    let long_ago = SetOptions { expires_at: Some(Timestamp(1)), ..SetOptions::default() };
    let last = store.commit().set_with(&task, "k", b"gone", &long_ago).durable().unwrap();
    store.compact().unwrap();
    store.compact().unwrap();
    let left: Vec<Seq> = store.replay(Seq::FIRST).map(|commit| commit.unwrap().seq).collect();
    assert!(left.last() < Some(&last.seq), "{left:?}");

    let dir = out.path().join("b");
    let made = store.backup(&dir).unwrap();
    assert_eq!(made.last, last);
    assert!(backup::verify(&dir, None, &mut |_, _| {}).unwrap().is_clean());
    for until in [Until::Newest, Until::Seq(last.seq), Until::Time(last.at)] {
        let to = tempfile::tempdir().unwrap();
        let done = backup::restore(&dir, to.path(), until, &mut |_, _| {}).unwrap();
        assert_eq!(done.last, last, "{until:?}");
        let restored = Store::open(to.path()).unwrap();
        assert_eq!(get(&restored, &scope("asset"), "k").as_deref(), Some(&b"kept"[..]));
        let next = restored.set(&task, "k", b"next").unwrap();
        assert!(Some(next.seq) == last.seq.next() && next.at > last.at, "{next:?} after {last:?}");
        drop(restored);
        assert!(Store::read_only(to.path()).unwrap().replay(Seq::FIRST).all(|commit| commit.is_ok()));
    }
    // As of a moment in the past that is not kept.
    let to = tempfile::tempdir().unwrap();
    let refused = backup::restore(&dir, to.path(), Until::Time(kept.at), &mut |_, _| {}).unwrap_err();
    assert_eq!(refused.kind(), milepost::ErrorKind::BeforeHorizon, "{refused}");
}

/// A place was remembered once a backup there was whole: an erasure beside one under way, or after one that was killed,
/// did not name it, and a restored store never knew of the backup that it is made of.
#[test]
fn an_erasure_names_every_place_that_may_hold_the_bytes() {
    let (place, dirs) = (Place::new(), tempfile::tempdir().unwrap());
    let (store, scope) = (place.open_small(), scope("user/17"));
    store.set(&scope, "mail", SECRET.as_bytes()).unwrap();
    let cut_off = dirs.path().join("cut-off");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.backup_with(&cut_off, Rollback::Refuse, &mut |_, _| {
            let erased = store.erase(&scope, "other").unwrap();
            assert_eq!(erased.not_covered, [cut_off.as_path()], "beside a backup");
            panic!("as if it were killed");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(store.backups().unwrap()[0].number, 0, "begun, and none came to its end");
    assert_eq!(store.erase(&scope, "other").unwrap().not_covered, [cut_off.as_path()], "behind it");
    store.close().unwrap();
    let store = place.open_small();
    assert_eq!(store.erase(&scope, "other").unwrap().not_covered, [cut_off.as_path()], "opened again");
    store.backup(&cut_off).unwrap();
    assert_eq!(store.backups().unwrap()[0].number, 1);
    // A place that takes no backup holds nothing.
    let strange = dirs.path().join("strange");
    std::fs::create_dir(&strange).unwrap();
    std::fs::write(strange.join("file"), "somebody's").unwrap();
    store.backup(&strange).unwrap_err();
    assert_eq!(store.backups().unwrap().len(), 1);

    let restored = dirs.path().join("restored");
    backup::restore(&cut_off, &restored, Until::Newest, &mut |_, _| ()).unwrap();
    let copy = Store::open(&restored).unwrap();
    assert_eq!(copy.erase_scope(&scope).unwrap().not_covered, [cut_off.as_path()], "where it was restored from");
    copy.close().unwrap();
    assert_eq!(milepost::verify(&restored, &mut |_, _| ()).unwrap().verdict, milepost::Verdict::Clean);
}

/// The way out of a damaged piece that operations name: it is removed, and the next backup brings it again, for all
/// backups that need it.
#[test]
fn a_piece_that_is_damaged_is_brought_again_once_it_is_removed() {
    let (place, dirs) = (Place::new(), tempfile::tempdir().unwrap());
    let (store, backups) = (place.open_small(), dirs.path().join("backups"));
    for n in 0..40 {
        store.set(&scope("a"), &format!("k{n}"), &[b'x'; 400]).unwrap();
    }
    store.backup(&backups).unwrap();
    let mut pieces: Vec<_> =
        std::fs::read_dir(backups.join("pieces")).unwrap().map(|file| file.unwrap().path()).collect();
    pieces.sort();
    let mut bytes = std::fs::read(&pieces[0]).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&pieces[0], bytes).unwrap();
    store.backup(&backups).unwrap();
    let report = || backup::verify(&backups, None, &mut |_, _| ()).unwrap();
    assert!(report().backups.iter().all(|(_, damage)| damage.len() == 1), "{:?}", report());
    std::fs::remove_file(&pieces[0]).unwrap();
    assert!(store.backup(&backups).unwrap().new_bytes > 4000);
    assert!(report().is_clean(), "{:?}", report());
}

/// A backup of a damaged store named its own copy, which was removed by then, and not the segment of the store.
#[test]
fn a_backup_of_a_damaged_store_names_the_segment() {
    let dirs = tempfile::tempdir().unwrap();
    let at = dirs.path().join("state");
    let options = || Store::options().segment_bytes(4096).memory_bytes(milepost::limits::MEMORY_BYTES_MIN);
    let store = options().open(&at).unwrap();
    for n in 0..200 {
        store.set(&scope("a"), &format!("k{n}"), &[b'x'; 200]).unwrap();
    }
    store.close().unwrap();
    let mut segments: Vec<_> = std::fs::read_dir(at.join("log")).unwrap().map(|file| file.unwrap().path()).collect();
    segments.sort();
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&segments[0], bytes).unwrap();
    let store = options().open(&at).unwrap();
    let error = store.backup(dirs.path().join("backups")).unwrap_err();
    assert_eq!(error.kind(), milepost::ErrorKind::Corrupt);
    assert!(error.to_string().contains(&segments[0].display().to_string()), "{error}");
}

/// A salvage left the notes of backups behind: an erasure in the new store named no place.
#[test]
fn a_salvaged_store_remembers_its_backups() {
    let dirs = tempfile::tempdir().unwrap();
    let [at, beside, salvaged] = ["state", "beside", "salvaged"].map(|name| dirs.path().join(name));
    let store = Store::open(&at).unwrap();
    store.set(&scope("user/17"), "mail", SECRET.as_bytes()).unwrap();
    // What a process that can't commit has made is a note until the next opening for writing.
    Store::read_only(&at).unwrap().backup(&beside).unwrap();
    store.close().unwrap();
    milepost::salvage(&at, &salvaged, &mut |_, _| ()).unwrap();
    let store = Store::open(&salvaged).unwrap();
    assert_eq!(store.erase_scope(&scope("user/17")).unwrap().not_covered, [beside.as_path()]);
}
