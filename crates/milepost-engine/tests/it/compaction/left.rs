//! What compaction leaves in the index, and of what was claimed.

use std::{path::Path, sync::Arc, time::Duration};

use milepost_engine::{CommitError, Compacted, HistoryQuery, Index, Verdict, backup, verify};
use milepost_io::Disk;
use milepost_types::{At, Policy, Seq};

use super::{DIR, KEYS, Rig, place};
use crate::scope;

/// A store that is left alone for years must not fill the disk with the addresses of what is gone.
#[test]
fn the_index_forgets_what_the_log_does_not_hold_any_more() {
    let rig = Rig::new(9);
    rig.retain("a", Policy::default().keep_last(2));
    rig.retain("d", Policy::default().keep_for(Duration::ZERO));
    for n in 0..600u64 {
        rig.set("a", KEYS[n as usize % 5], &[n as u8; 40]);
        rig.set("d", &format!("run/{n:04}"), b"done");
        rig.set("e", "kept", b"all of it");
        rig.store.commit(rig.store.request().delete(&scope("d"), &format!("run/{n:04}")).unwrap()).unwrap();
    }
    let before = rig.store.stats();
    let done = rig.compact();
    assert!(done.runs > 0, "{done:?}");
    let after = rig.store.stats();
    // 600 of "e", the last two of each key of "a", and what is in no run yet.
    assert!(before.versions >= 2400 && after.versions < 700, "{before:?}, {after:?}");
    assert!(after.run_bytes * 2 < before.run_bytes, "{before:?}, {after:?}");
    assert_eq!(rig.compact(), Compacted { passes: 1, ..Compacted::default() }, "there is nothing left to do");
    let view = rig.store.view(At::Latest).unwrap();
    assert_eq!(view.scan("a", "").count(), 5);
    assert_eq!(view.scan("d", "").count(), 0);
    let query = |of| HistoryQuery { prefix: place(of), ..HistoryQuery::default() };
    let count = |rig: &Rig, of| rig.store.history(query(of)).unwrap().inspect(|found| assert!(found.is_ok())).count();
    let (kept, counts) = (rig.store.stats().versions, ["a", "d", "e"].map(|of| count(&rig, of)));
    let rig = rig.again(Index::Rebuild);
    assert_eq!(["a", "d", "e"].map(|of| count(&rig, of)), counts, "an index made anew knows no more and no less");
    let anew = rig.store.stats().versions;
    assert!(anew <= kept && kept - anew < 10, "but for what was in memory: {kept}, made anew {anew}");
}

/// Each commit of a task claims its scope, and all claims but the newest are of no use. They go with their commits, and
/// of commits that stay they stay: compaction took them for something to be gained, and wrote the same segment again
/// and again, without an end.
#[test]
fn claims_that_are_of_no_use_go_with_their_commits() {
    let rig = Rig::new(10);
    rig.retain("d", Policy::default().keep_last(1));
    let claimed = |token, n: u64| {
        let request = rig.store.request().fence(&scope("task"), token).unwrap();
        let request = request.fence(&scope("other"), n).unwrap();
        rig.store.commit(request.set(&scope("a"), &format!("item/{n}"), b"done").unwrap()).unwrap();
        // Nothing but what is claimed, and nothing but what goes.
        rig.store.commit(rig.store.request().fence(&scope("task"), token).unwrap()).unwrap();
        let request = rig.store.request().fence(&scope("task"), token).unwrap();
        rig.store.commit(request.set(&scope("d"), "k0", &[n as u8; 30]).unwrap()).unwrap();
    };
    (1..=60).for_each(|n| claimed(1 + n / 20, n));
    let done = rig.compact();
    assert!(done.passes < 6 && done.bytes_after < done.bytes_before, "{done:?}");
    let frames: u64 = rig.store.segments().iter().map(|segment| segment.frames).sum();
    assert!((60..70).contains(&frames), "sixty items, and little else: {frames}");
    let rig = rig.again(Index::Rebuild);
    let late = rig.store.request().fence(&scope("task"), 3).unwrap().set(&scope("a"), "late", b"").unwrap();
    assert!(matches!(rig.store.commit(late), Err(CommitError::Refused(_))), "4 has claimed it");
    assert_eq!(rig.store.view(At::Latest).unwrap().scan("a", "").count(), 60);
    assert!(rig.compact().passes < 3);
}

/// The last touch of a scope may be a delete of which nothing is left. What its version is then follows from the log,
/// and does not depend on whether the index was made anew since.
#[test]
fn the_version_of_a_scope_follows_from_the_log() {
    let mut rig = Rig::new(11);
    rig.retain("a", Policy::default().keep_for(Duration::ZERO));
    for n in 0..20 {
        rig.set("a", "k0", &[n; 400]);
        rig.store.commit(rig.store.request().delete(&scope("a"), "k0").unwrap()).unwrap();
        rig.set("d", "k0", &[n; 40]);
    }
    for _ in 0..2 {
        rig.compact();
        let version = |rig: &Rig| rig.store.view(At::Latest).unwrap().scope_version("a").unwrap();
        let kept = version(&rig);
        rig = rig.again(Index::Rebuild);
        assert_eq!(version(&rig), kept);
    }
}

/// Where commits were slow, the time of one that was removed is known about; of the last one of a segment it has to
/// be known exactly: a backup says of each piece when it ends, and no such backup could be read.
#[test]
fn a_backup_knows_when_a_segment_ends_whose_last_commit_is_gone() {
    let rig = Rig::new(12);
    rig.retain("a", Policy::default().keep_last(1));
    for n in 0..400u64 {
        rig.set("a", KEYS[n as usize % 5], &[n as u8; 40]);
        if n % 16 == 0 {
            rig.set("d", "kept", &[n as u8; 40]);
        }
    }
    rig.compact();
    let to = Path::new("/copies");
    backup::create(&rig.store, to, backup::Rollback::Refuse, &mut |_, _| {}).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(rig.disk.clone());
    let report = backup::verify(&disk, to, None, &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.backups.iter().all(|(_, damage)| damage.is_empty()), "{report:?}");
}

/// A hold that was acknowledged keeps all that was there then, wherever a pass of compaction stood: what it had
/// planned, or was writing, is judged anew.
#[test]
fn a_hold_set_in_the_middle_of_a_pass_keeps_what_is_left() {
    let mut kept_all = 0;
    for steps in 0..60 {
        let rig = Rig::new(13);
        rig.retain("a", Policy::default().keep_last(1));
        for n in 0..200u64 {
            rig.set("a", KEYS[n as usize % 5], &[n as u8; 60]);
            // Some segments die whole, some are written anew.
            if n / 50 == 1 {
                rig.set("d", "k0", &[n as u8; 9]);
            }
        }
        let has_more = (0..steps).all(|_| rig.store.step_compact().unwrap());
        let history = || {
            let query = HistoryQuery { prefix: place("a"), ..HistoryQuery::default() };
            rig.store.history(query).unwrap().map(|change| change.unwrap().seq).collect::<Vec<_>>()
        };
        let before = history();
        let mut request = rig.store.request();
        request.add_hold(&place("a"), "case 17", None).unwrap();
        rig.store.commit(request).unwrap();
        // The same pass goes on.
        while rig.store.step_compact().unwrap() {}
        rig.compact();
        let mut after = history();
        // The policy and the hold are changes themselves.
        after.retain(|seq| before.contains(seq));
        assert_eq!(after, before, "after {steps} steps");
        kept_all += u64::from(before.len() > 150);
        if !has_more {
            break;
        }
    }
    assert!(kept_all > 2, "{kept_all}");
}

/// The last commit of a store was removed, and `verify` named the one before it as the last.
#[test]
fn the_last_commit_is_the_last_when_nothing_of_it_is_left() {
    let rig = Rig::new(11);
    rig.retain("d", Policy::default().keep_for(Duration::ZERO));
    rig.set("e", "k0", b"kept");
    rig.set("d", "k0", b"there");
    rig.store.commit(rig.store.request().delete(&scope("d"), "k0").unwrap()).unwrap();
    let last = rig.store.last();
    rig.compact();
    assert!(rig.store.commit_at(last.seq).unwrap().is_none(), "or this tests nothing");
    assert_eq!(rig.store.last(), last);
    rig.store.close().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(rig.disk.clone());
    let report = verify(&disk, Path::new(DIR), &mut |_, _| {}).unwrap();
    assert_eq!((report.verdict, report.commits, report.last, report.last_at), (Verdict::Clean, 2, last.seq, last.at));
}

/// They were once replayed, watched and exported until a compaction came by, though no read showed them.
#[test]
fn what_was_erased_is_replayed_to_nobody() {
    let rig = Rig::new(11);
    let key = |name: &str| rig.store.request().idempotency_key(name).unwrap();
    let commit = |request| rig.store.commit(request).unwrap();
    let set = |of: &str, key: &str| rig.store.request().set(&scope(of), key, b"canary").unwrap();
    commit(key("beside").set(&scope("a"), "k0", b"canary").unwrap().set(&scope("d"), "k0", b"stays").unwrap());
    commit(set("a", "k1"));
    commit(rig.store.request().delete(&scope("a"), "k1").unwrap());
    commit(key("alone").set(&scope("a"), "k2", b"canary").unwrap());
    commit(set("a/b", "k0"));
    commit(set("e", "k0").set(&scope("e"), "k1", b"stays").unwrap());
    let mut erase = rig.store.request();
    erase.add_erase_scope(&scope("a"), 24).unwrap();
    erase.add_erase(&scope("e"), "k0", 6).unwrap();
    commit(erase);
    commit(rig.store.request().set(&scope("a"), "k0", b"stays").unwrap());
    let shown = || {
        let replayed: Vec<_> = rig.store.replay(Seq::FIRST).into_iter().map(Result::unwrap).collect();
        let mut walked = Vec::new();
        let walk = rig.store.replay(Seq::FIRST).for_each(&mut |receipt, body| {
            walked.push((receipt.seq, body.event_count() as usize));
            std::ops::ControlFlow::Continue(())
        });
        walk.unwrap();
        assert_eq!(walked, replayed.iter().map(|commit| (commit.seq, commit.events.len())).collect::<Vec<_>>());
        let mut watch = rig.store.watch(Seq::FIRST);
        let watched: Vec<_> = std::iter::from_fn(|| watch.try_next().unwrap()).collect();
        assert_eq!(watched, replayed);
        let each = (1..=rig.store.last().seq.0).filter_map(|seq| rig.store.commit_at(Seq(seq)).unwrap());
        assert_eq!(each.collect::<Vec<_>>(), replayed);
        replayed
    };
    let before = shown();
    let seqs: Vec<u64> = before.iter().map(|commit| commit.seq.0).collect();
    assert_eq!(seqs, [1, 4, 5, 6, 7, 8], "of two nothing is left");
    assert_eq!(before.iter().map(|commit| commit.events.len()).collect::<Vec<_>>(), [1, 0, 1, 1, 2, 1]);
    rig.compact();
    assert_eq!(shown(), before, "as compaction leaves it");
}

/// A checkpoint keeps its own scope. The list of scopes below it was told without those of which nothing was left.
#[test]
fn a_checkpoint_does_not_speak_for_the_scopes_below() {
    let rig = Rig::new(12);
    rig.retain("a", Policy::default().keep_for(Duration::ZERO));
    rig.set("a/b", "k0", b"here");
    rig.set("a/b/c", "k0", b"below");
    let mut request = rig.store.request();
    request.add_checkpoint(&scope("a/b"), "good", None).unwrap();
    rig.store.commit(request).unwrap();
    rig.store.commit(rig.store.request().delete(&scope("a/b/c"), "k0").unwrap()).unwrap();
    for n in 0..20_u64 {
        rig.set("a/b", "k0", &n.to_le_bytes());
    }
    rig.compact();
    let view = rig.store.view(At::Checkpoint { scope: scope("a/b"), name: "good".to_owned() }).unwrap();
    assert_eq!(view.get("a/b", "k0").unwrap().unwrap().to_vec(), b"here");
    let told = view.scopes(&place("a/b"));
    assert!(matches!(told, Err(milepost_engine::ReadError::BeforeHorizon { .. })), "{told:?}");
}

/// What a checkpoint keeps of a scope is hidden by the clear that came behind it, of the scope or of all below a place:
/// the clear stays for as long as that does, or the value would be there again for an index that is made anew.
#[test]
fn a_clear_stays_for_what_a_checkpoint_keeps_of_what_it_met() {
    for (of, cleared) in [("a", "a"), ("a", "a/"), ("a/b", "a/"), ("a/b/c", "a/"), ("a/b", "a/b/")] {
        let rig = Rig::new(16);
        rig.retain("", Policy::default().keep_for(Duration::ZERO));
        rig.set(of, "k0", b"then");
        let mut request = rig.store.request();
        request.add_checkpoint(&scope(of), "good", None).unwrap();
        rig.store.commit(request).unwrap();
        let mut request = rig.store.request();
        match cleared.strip_suffix('/') {
            Some(prefix) => request.add_clear_prefix(&place(prefix)).unwrap(),
            None => request.add_clear(&scope(cleared)).unwrap(),
        }
        rig.store.commit(request).unwrap();
        for n in 0..20 {
            rig.set("e", "k0", &[n; 600]);
        }
        rig.compact();
        let rig = rig.again(Index::Rebuild);
        let good = rig.store.view(At::Checkpoint { scope: scope(of), name: "good".to_owned() }).unwrap();
        assert_eq!(good.get(of, "k0").unwrap().unwrap().to_vec(), b"then", "{of}, cleared by {cleared}");
        assert!(rig.store.get(of, "k0").unwrap().is_none(), "{of} was cleared by {cleared}");
        // With the checkpoint the value goes, and then the clear.
        let mut request = rig.store.request();
        request.add_release(&scope(of), "good").unwrap();
        rig.store.commit(request).unwrap();
        rig.set("e", "k0", b"last");
        rig.compact();
        let rig = rig.again(Index::Rebuild);
        rig.compact();
        assert!(rig.store.get(of, "k0").unwrap().is_none(), "{of} was cleared by {cleared}");
        let left: Vec<u64> = rig.store.replay(Seq::FIRST).into_iter().map(|commit| commit.unwrap().seq.0).collect();
        assert_eq!(left, [1, rig.store.last().seq.0], "{of}, cleared by {cleared}");
    }
}

/// What was counted as staying for a view may go by the time that it is written anew, if the view was closed since.
/// Then nothing is left of the segment, and it is dropped.
#[test]
fn a_segment_goes_whole_when_the_view_is_closed_that_needed_it() {
    let mut passes = 0;
    for steps in 0..60 {
        let rig = Rig::new(15);
        rig.retain("a", Policy::default().keep_last(1));
        // As large as a segment, nearly: what is set between two of them has one for itself.
        let fill = |key| rig.set("d", key, &[7; 3300]);
        fill("k0");
        rig.set("a", "k0", &[1; 900]);
        let seen = rig.set("a", "k0", &[2; 900]);
        fill("k1");
        rig.set("a", "k0", &[3; 900]);
        fill("k2");
        let view = rig.store.view(At::Seq(seen)).unwrap();
        let before = rig.file_bytes();
        let has_more = (0..steps).all(|_| rig.store.step_compact().unwrap());
        assert_eq!(view.get("a", "k0").unwrap().unwrap().to_vec(), [2; 900]);
        drop(view);
        // The same pass goes on: one by hand would begin anew.
        while rig.store.step_compact().unwrap() {}
        rig.compact();
        let done = rig.store.compacted();
        assert_eq!(done.dropped, 1, "after {steps} steps: {done:?}");
        assert_eq!(done.bytes_before - done.bytes_after, before - rig.file_bytes(), "after {steps} steps: {done:?}");
        let left: Vec<u64> = rig.store.replay(Seq::FIRST).into_iter().map(|commit| commit.unwrap().seq.0).collect();
        assert_eq!(left, [1, 2, 5, 6, 7], "after {steps} steps");
        passes = steps;
        if !has_more {
            break;
        }
    }
    assert!((4..59).contains(&passes), "{passes}");
}
