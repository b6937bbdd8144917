//! Cold segments in a store: every read answers as before, here, after opening again, after a crash at any operation
//! and with an index that is made anew; age makes them, compaction keeps them, copies carry them.

use std::{path::Path, sync::Arc, time::Duration};

use milepost_engine::{
    CommitError, Compacted, Engine, HistoryQuery, Index, Parts, SegmentFate, SegmentKind, Settings, Verdict, backup,
    salvage, verify,
};
use milepost_io::{Disk, Process, SimEntropy, SimRng};
use milepost_types::{At, Policy, ScopePrefix, Seq};

use crate::{
    compaction::{
        DIR, KEYS, Rig, answers, drawn,
        everywhere::{Failed, crash_everywhere, fail_everywhere},
        files_with, place, same,
    },
    scope,
};

fn compact_cold(store: &Engine) -> Compacted {
    let mut steps = 0;
    let done = store.compact_cold(&mut |_, _| {
        steps += 1;
        assert!(steps < 10_000, "a compaction comes to an end");
    });
    while store.step_recycle() {}
    done.unwrap()
}

fn kinds(store: &Engine) -> Vec<SegmentKind> {
    store.segments().iter().map(|segment| segment.kind).filter(|kind| *kind != SegmentKind::Dropped).collect()
}

fn is_all_cold(store: &Engine) -> bool {
    let kinds = kinds(store);
    kinds[..kinds.len() - 1].iter().all(|kind| *kind == SegmentKind::Cold) && kinds.len() > 1
}

fn checked(rig: &Rig) {
    let disk: Arc<dyn Disk> = Arc::new(rig.disk.clone());
    assert_eq!(verify(&disk, Path::new(DIR), &mut |_, _| {}).unwrap().verdict, Verdict::Clean);
}

#[test]
fn every_read_answers_as_before() {
    for seed in 300..330 {
        let mut rng = SimRng::new(seed);
        let mut rig = Rig::new(seed);
        for round in 0..4u64 {
            for n in 0..60 {
                drawn(&rig, &mut rng, 1 + round * 60 + n);
            }
            rig.move_horizons();
            let before = answers(&rig.store);
            let is_cold = rng.coin();
            let done = if is_cold { compact_cold(&rig.store) } else { rig.compact() };
            let when = format!("seed {seed}, round {round}, {done:?}");
            same(&answers(&rig.store), &before, &when);
            assert!(!is_cold || is_all_cold(&rig.store), "{when}: {:?}", kinds(&rig.store));
            rig = rig.again(if rng.coin() { Index::Keep } else { Index::Rebuild });
            same(&answers(&rig.store), &before, &when);
            checked(&rig);
        }
    }
}

#[test]
fn a_crash_at_any_operation_changes_nothing_that_anyone_can_see() {
    let (points, ended) = crash_everywhere(400..403, 120, &|store| store.compact_cold(&mut |_, _| {}).is_ok());
    assert!(points > 100 && ended.len() == 2, "{points} crashes, {ended:?}");
}

/// FAULTS B, C: the attempt is told, and can be made again, until all is cold.
#[test]
fn a_disk_that_fails_costs_the_attempt_and_nothing_else() {
    let Failed { failed, stopped, went_on } = fail_everywhere(500, 120, &|store| {
        let done = store.compact_cold(&mut |_, _| {});
        assert!(done.is_err() || is_all_cold(store));
        done
    });
    // For want of room it is tried again, with what is held for it.
    assert!(failed > 10 && stopped > 0 && went_on > 20, "{failed} failed, {stopped} stopped, {went_on} went on");
}

#[test]
fn age_makes_segments_cold_and_the_root_alone_says_which() {
    let rig = Rig::new(6);
    let mut request = rig.store.request();
    let refused = request.add_retain(&place("a"), &Policy::default().cold_after(Duration::from_secs(9))).unwrap_err();
    assert!(matches!(refused, CommitError::Limit(_)), "{refused}");
    assert!(refused.to_string().contains("for the root alone"), "{refused}");
    for n in 0..300u64 {
        rig.set("a", KEYS[n as usize % 5], &[n as u8; 40]);
    }
    assert_eq!(rig.compact(), Compacted::default(), "nothing was said");
    rig.retain("", Policy::default().cold_after(Duration::from_secs(100)));
    let told = rig.store.explain(&ScopePrefix::root()).unwrap();
    assert_eq!(told.policy.unwrap().policy.cold_after_us, Some(100_000_000));
    let fates = rig.store.survey(&mut |_, _| ()).unwrap();
    assert!(fates.iter().any(|survey| survey.fate == SegmentFate::Cold));
    while rig.store.step_compact().unwrap() {}
    let segments = rig.store.segments();
    let now = rig.store.last().at.0;
    for segment in &segments {
        let is_old = segment.last_at.is_some_and(|at| at.0 <= now - 100_000_000);
        assert_eq!(segment.kind == SegmentKind::Cold, is_old, "{segment:?}");
    }
    let stats = rig.store.stats();
    assert!(stats.cold_segments > 0 && stats.cold_file_bytes * 2 < stats.cold_bytes, "{stats:?}");
    assert!(segments.iter().any(|segment| segment.kind == SegmentKind::Sealed));
    // As it grows old the rest follows; what is cold is left alone.
    let before = rig.store.compacted();
    rig.clock.advance(200_000_000);
    rig.compact();
    assert!(rig.store.compacted().made_cold > before.made_cold && is_all_cold(&rig.store));
    let again = rig.compact();
    assert_eq!((again.rewritten, again.dropped), (0, 0));
    for (index, key) in KEYS.iter().enumerate() {
        let right = (0..300u64).rev().find(|n| *n as usize % 5 == index).unwrap();
        assert_eq!(rig.store.get("a", key).unwrap().unwrap().to_vec(), [right as u8; 40]);
    }
    checked(&rig);
}

/// What goes of a cold segment leaves the disk, and what is left stays cold. FAULTS J6: also what was erased.
#[test]
fn what_is_cold_stays_so_when_it_is_thinned() {
    let rig = Rig::new(7);
    for n in 0..200u64 {
        rig.set("a", KEYS[n as usize % 5], format!("the number is 4711/{n:040}").as_bytes());
        rig.set("d", &format!("other/{n}"), &[n as u8; 50]);
    }
    compact_cold(&rig.store);
    assert!(is_all_cold(&rig.store));
    rig.retain("a", Policy::default().keep_last(1));
    let done = rig.compact();
    assert!(done.rewritten > 0 && done.rewritten == done.made_cold, "{done:?}");
    let all: u64 = rig.store.segments().iter().map(|segment| segment.frames).sum();
    assert!(all < 220, "{all}");
    let mut request = rig.store.request();
    request.add_erase_scope(&scope("a"), 5).unwrap();
    rig.store.commit(request).unwrap();
    rig.compact();
    assert!(kinds(&rig.store).contains(&SegmentKind::Cold));
    let rig = rig.again(Index::Rebuild);
    // Its bytes are not seen in compressed files: all of them are read.
    let view = rig.store.view(At::Latest).unwrap();
    assert_eq!(view.scan("a", "").count(), 0);
    let sets = rig.store.history(HistoryQuery { prefix: place("a"), ..HistoryQuery::default() }).unwrap();
    assert_eq!(sets.filter(|change| change.as_ref().unwrap().new.is_some()).count(), 0);
    let mut values = Vec::new();
    rig.store
        .replay(Seq::FIRST)
        .for_each(&mut |_, body| {
            values.push(format!("{body:?}"));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert!(values.len() >= 200 && values.iter().all(|body| !body.contains("the number is")));
    assert_eq!(files_with(&rig.disk, b"the number is 4711"), Vec::<String>::new());
    for n in 0..200u64 {
        assert_eq!(view.get("d", &format!("other/{n}")).unwrap().unwrap().to_vec(), [n as u8; 50]);
    }
    checked(&rig);
}

fn latest(store: &Engine) -> Vec<String> {
    let view = store.view(At::Latest).unwrap();
    let of = |of: &str| view.scan(of, "").map(|entry| entry.unwrap()).collect::<Vec<_>>();
    let entries = ["a", "a/b", "a/c", "d", "e"].into_iter().flat_map(of);
    entries.map(|entry| format!("{} {:?} {}", entry.key, entry.value.to_vec(), entry.value.seq())).collect()
}

fn parts(rig: &Rig) -> Parts {
    let clock = Arc::clone(&rig.clock) as Arc<dyn milepost_io::Clock>;
    Parts {
        disk: Arc::new(rig.disk.clone()),
        clock,
        entropy: Arc::new(SimEntropy::new(9)),
        process: Process::simulated(),
    }
}

/// A process that reads beside it, a backup and what is restored from it, and a salvage: all say the same.
#[test]
fn readers_beside_it_and_copies_see_the_same() {
    let mut rng = SimRng::new(8);
    let rig = Rig::new(8);
    for n in 0..150 {
        drawn(&rig, &mut rng, 1 + n);
    }
    let reader = Engine::open_read_only(parts(&rig), Path::new(DIR)).unwrap();
    let held = reader.view(At::Latest).unwrap();
    let of_held = || held.scan("a", "").map(|entry| entry.unwrap().value.to_vec()).collect::<Vec<_>>();
    let values = of_held();
    rig.move_horizons();
    compact_cold(&rig.store);
    let right = answers(&rig.store);
    reader.refresh().unwrap();
    assert_eq!(latest(&reader), latest(&rig.store));
    assert_eq!(of_held(), values);
    same(&answers(&Engine::open_read_only(parts(&rig), Path::new(DIR)).unwrap()), &right, "opened beside it");
    let (to, back, saved) = (Path::new("/backups"), Path::new("/back"), Path::new("/saved"));
    backup::create(&rig.store, to, backup::Rollback::Refuse, &mut |_, _| {}).unwrap();
    for n in 150..200 {
        drawn(&rig, &mut rng, 1 + n);
    }
    rig.move_horizons();
    compact_cold(&rig.store);
    backup::create(&rig.store, to, backup::Rollback::Refuse, &mut |_, _| {}).unwrap();
    let right = answers(&rig.store);
    let parts = parts(&rig);
    rig.store.close().unwrap();
    let settings = Settings::default;
    backup::restore(parts.clone(), to, back, backup::Until::Newest, settings(), &mut |_, _| {}).unwrap();
    salvage(parts.clone(), Path::new(DIR), saved, settings(), &mut |_, _| {}).unwrap();
    let expected = latest(&rig.store);
    for dir in [back, saved] {
        let copy = Engine::open(parts.clone(), dir, Settings::default()).unwrap();
        assert_eq!(latest(&copy), expected, "{}", dir.display());
        copy.close().unwrap();
    }
    same(&answers(&rig.store), &right, "in the end");
}
