//! Compaction that is watched, and paused.

use std::{path::Path, sync::Arc};

use milepost_engine::{CompactError, Compacted, Engine, Index, Parts, SegmentFate, SegmentSurvey};
use milepost_io::{Clock, Fault, FaultKind, Op, Process, SimEntropy};
use milepost_types::{At, Policy};

use super::{DIR, KEYS, Rig, answers, same};
use crate::scope;

fn surveyed(rig: &Rig) -> Vec<SegmentSurvey> {
    let mut told = Vec::new();
    let survey = rig.store.survey(&mut |seen, all| told.push((seen, all))).unwrap();
    assert!(told.is_sorted() && told.iter().all(|(seen, all)| seen <= all), "{told:?}");
    assert!(told.last().is_some_and(|(seen, all)| seen == all), "{told:?}");
    for segment in &survey {
        assert_eq!(segment.live_bytes() + segment.dead_bytes(), segment.segment.file_bytes);
    }
    survey
}

/// Segments of which all goes, of which half goes, of which little goes, and of which nothing does.
fn mixed() -> Rig {
    let rig = Rig::new(11);
    rig.retain("a", Policy::default().keep_last(1));
    let value = |n: u64| [n as u8; 200];
    for n in 0..60u64 {
        rig.set("a", KEYS[0], &value(n));
    }
    for n in 0..120u64 {
        let (of, key) = if n % 2 == 0 { ("a", KEYS[0]) } else { ("d", KEYS[1]) };
        rig.set(of, key, &value(n));
    }
    for n in 0..120u64 {
        rig.set(if n % 10 == 0 { "a" } else { "d" }, KEYS[0], &value(n));
    }
    for n in 0..60u64 {
        rig.set("d", KEYS[2], &value(n));
    }
    rig
}

fn gained(rig: &Rig, before: u64) -> u64 {
    before - rig.file_bytes()
}

/// Within a tenth: a commit that is gone leaves a bit and its time.
fn is_about(told: u64, gained: u64) -> bool {
    told.abs_diff(gained) * 10 <= gained
}

#[test]
fn what_a_compaction_would_gain_is_what_it_gains() {
    let rig = mixed();
    let survey = surveyed(&rig);
    let fates = |of: fn(&SegmentSurvey) -> SegmentFate, is: SegmentFate| {
        survey.iter().filter(|segment| of(segment) == is).count()
    };
    assert!(fates(|of| of.fate, SegmentFate::Dropped) > 0, "{survey:?}");
    assert!(fates(|of| of.by_itself, SegmentFate::Rewritten) > 0, "{survey:?}");
    let is_left = |of: &&SegmentSurvey| of.by_itself == SegmentFate::Stays && of.fate == SegmentFate::Rewritten;
    let left: u64 = survey.iter().filter(is_left).map(SegmentSurvey::dead_bytes).sum();
    assert!(left > 0, "little goes of some: {survey:?}");
    let by_itself: u64 = survey.iter().map(SegmentSurvey::gain_by_itself).sum();
    let dead: u64 = survey.iter().map(SegmentSurvey::dead_bytes).sum();

    let before = rig.file_bytes();
    while rig.store.step_compact().unwrap() {}
    assert!(is_about(by_itself, gained(&rig, before)), "{by_itself} was told, {} came", gained(&rig, before));
    rig.compact();
    assert!(is_about(dead, gained(&rig, before)), "{dead} was told, {} came", gained(&rig, before));
    assert_eq!(surveyed(&rig).iter().map(SegmentSurvey::dead_bytes).sum::<u64>(), 0, "nothing is left to gain");
    assert_eq!(surveyed(&rig).iter().map(|of| of.goes).sum::<u64>(), 0);
}

/// What is told of a compaction is what it did: on the way the bytes of the segments that it takes, one after the
/// other until all are seen to; in the end how many went whole and how many were written anew, and the bytes.
#[test]
fn what_a_compaction_says_that_it_did_is_what_it_did() {
    for is_by_hand in [true, false] {
        let rig = mixed();
        let fate = |of: &SegmentSurvey| if is_by_hand { of.fate } else { of.by_itself };
        let survey = surveyed(&rig);
        let taken = survey.iter().filter(|of| fate(of) != SegmentFate::Stays);
        let (taken, before) = (taken.map(|of| of.segment.file_bytes).sum::<u64>(), rig.file_bytes());
        // Stretches of the same fate side by side.
        let fates: Vec<SegmentFate> = survey.iter().map(fate).collect();
        let dropped = fates.chunk_by(|one, next| one == next).filter(|of| of[0] == SegmentFate::Dropped).count();
        let mut told = Vec::new();
        let done = if is_by_hand {
            rig.store.compact(&mut |seen, all| told.push((seen, all))).unwrap()
        } else {
            while rig.store.step_compact().unwrap() {}
            rig.store.compacted()
        };
        assert_eq!(done.dropped, dropped as u64, "{done:?}, {fates:?}");
        assert!(done.rewritten > 0 && done.made_cold == 0 && done.bytes_after > 0, "{done:?}");
        assert_eq!(done.bytes_before - done.bytes_after, gained(&rig, before), "{done:?}");
        assert_eq!(rig.store.compacted(), done, "it is the first of this opening");
        if is_by_hand {
            assert!(told.iter().all(|(seen, all)| seen <= all), "{told:?}");
            let of_first: Vec<u64> = told.iter().filter(|(_, all)| *all == taken).map(|(seen, _)| *seen).collect();
            assert!(of_first.is_sorted() && of_first.len() > 3, "{taken}: {told:?}");
            assert_eq!((of_first[0], of_first.last()), (0, Some(&taken)), "{told:?}");
            assert_eq!(told.iter().map(|(_, all)| *all).max(), Some(taken), "{told:?}");
        } else {
            assert_eq!((done.passes, done.bytes_before), (1, taken), "{done:?}");
        }
    }
}

/// A thread may begin a pass of its own while somebody waits for one by hand, which takes all that goes: that the
/// other one has ended, which leaves what is not worth its while, is not the end of it.
#[test]
fn a_pass_of_another_does_not_stand_for_the_one_that_was_asked_for() {
    let rig = mixed();
    while rig.store.step_compact().unwrap() {}
    assert!(surveyed(&rig).iter().any(|of| of.goes > 0), "some of it is not worth a pass of its own accord");
    let mut steps = 0;
    let done = rig.store.compact(&mut |_, _| {
        steps += 1;
        if steps == 2 {
            // The pass by hand is given up, and another one begins of its own accord.
            drop(rig.store.pause_compaction());
            assert!(rig.store.step_compact().unwrap());
        }
        assert!(steps < 10_000, "a compaction comes to an end");
    });
    assert!(done.unwrap().passes > 1);
    let left: Vec<SegmentSurvey> = surveyed(&rig).into_iter().filter(|of| of.goes > 0).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// How many bytes go is judged by the number of records. Where what stays is much smaller than what goes, segments come
/// out that are small: they become one before the compaction ends, which was asked for all of it.
#[test]
fn segments_that_come_out_small_become_one() {
    let rig = Rig::new(13);
    rig.retain("a", Policy::default().keep_last(1));
    for n in 0..12_u8 {
        let mut request = rig.store.request().set(&scope("a"), KEYS[0], &[n; 3600]).unwrap();
        for key in KEYS {
            request = request.set(&scope("d"), &format!("{key}/{n}"), &[n]).unwrap();
        }
        rig.store.commit(request).unwrap();
    }
    let before = rig.store.segments().len();
    let done = rig.compact();
    assert!(done.dropped == 0 && done.rewritten as usize >= before - 2, "{done:?} of {before}");
    assert!(rig.store.segments().len() <= 4, "{:?}", rig.store.segments());
    let again = rig.compact();
    assert_eq!((again.rewritten, again.passes), (0, 1));
    assert_eq!(rig.store.view(At::Latest).unwrap().scan("d", "").count(), 60);
}

/// What there was no room for is told, and not taken for done. It can be asked for again when there is.
#[test]
fn a_compaction_without_room_says_so_and_is_made_when_there_is_some() {
    let rig = mixed();
    let full =
        Fault { on: Op::Create, file: Some("log/".to_owned()), nth: 0, times: u64::MAX, what: FaultKind::Error(28) };
    rig.disk.inject(full);
    for _ in 0..2 {
        let told = rig.store.compact(&mut |_, _| {});
        assert!(matches!(told, Err(CompactError::DiskFull { .. })), "{told:?}");
        assert!(surveyed(&rig).iter().any(|of| of.goes > 0));
    }
    assert!(rig.store.compacted().dropped > 0, "what goes whole needs no room");
    rig.disk.clear_faults();
    assert!(rig.compact().rewritten > 0);
    assert!(surveyed(&rig).iter().all(|of| of.goes == 0));
}

/// Who only reads a store, and who has closed it, changes nothing of it.
#[test]
fn a_store_that_is_only_read_or_closed_is_not_compacted() {
    let rig = mixed();
    let clock = Arc::clone(&rig.clock) as Arc<dyn Clock>;
    let (disk, entropy) = (Arc::new(rig.disk.clone()), Arc::new(SimEntropy::new(9)));
    let parts = Parts { disk, clock, entropy, process: Process::simulated() };
    let reader = Engine::open_read_only(parts, Path::new(DIR)).unwrap();
    rig.store.close().unwrap();
    let before = changes(&rig);
    for store in [&reader, &rig.store] {
        assert!(!store.step_compact().unwrap());
        let mut told = 0;
        assert_eq!(store.compact(&mut |_, _| told += 1).unwrap(), Compacted::default());
        assert_eq!((told, changes(&rig)), (0, before));
    }
}

/// Everything that a store does to its disk, by a count of what changes something.
fn changes(rig: &Rig) -> u64 {
    [Op::Create, Op::Write, Op::SetBytes, Op::Allocate, Op::Rename, Op::Remove, Op::Sync]
        .map(|op| rig.disk.count(op))
        .iter()
        .sum()
}

#[test]
fn nothing_is_rewritten_while_it_is_paused() {
    let rig = mixed();
    let (one, two) = (rig.store.pause_compaction(), rig.store.pause_compaction());
    assert!(rig.store.stats().is_compaction_paused);
    let (before, horizons) = (changes(&rig), rig.store.horizons());
    for still in [two, one] {
        for _ in 0..1000 {
            assert!(!rig.store.step_compact().unwrap());
        }
        assert_eq!((changes(&rig), rig.store.horizons()), (before, horizons.clone()));
        assert_eq!(rig.store.compacted(), Compacted::default());
        drop(still);
    }
    assert!(!rig.store.stats().is_compaction_paused);
    let bytes = rig.file_bytes();
    while rig.store.step_compact().unwrap() {}
    let done = rig.store.compacted();
    assert!(done.passes == 1 && done.dropped > 0 && done.rewritten > 0, "{done:?}");
    assert!(gained(&rig, bytes) > 0);
}

#[test]
fn what_is_asked_for_by_hand_is_done_though_it_is_paused() {
    let rig = mixed();
    let pause = rig.store.pause_compaction();
    let bytes = rig.file_bytes();
    let done = rig.compact();
    assert!(done.dropped > 0 && done.rewritten > 0 && gained(&rig, bytes) > 0, "{done:?}");
    assert!(rig.store.stats().is_compaction_paused);
    // And begun again where it is paused meanwhile.
    for n in 0..200u64 {
        rig.set("a", KEYS[0], &[n as u8; 200]);
    }
    let (mut pauses, bytes) = (vec![pause], rig.file_bytes());
    let done = rig.store.compact(&mut |_, _| {
        if pauses.len() < 5 {
            pauses.push(rig.store.pause_compaction());
        }
    });
    assert!(done.unwrap().bytes_before > 0 && gained(&rig, bytes) > 0);
    assert_eq!(pauses.len(), 5);
}

/// A pass that is under way is given up, wherever it is: what it had begun to write is gone, and what is there is read.
#[test]
fn a_pass_under_way_is_given_up() {
    let mut stopped_with_a_file = 0;
    for steps in 1..40 {
        let rig = mixed();
        let has_more = (0..steps).all(|_| rig.store.step_compact().unwrap());
        let begun = rig.disk.names().len();
        let pause = rig.store.pause_compaction();
        let (files, bytes) = (rig.disk.names(), rig.file_bytes());
        stopped_with_a_file += u64::from(files.len() < begun);
        let told = answers(&rig.store);
        for _ in 0..100 {
            assert!(!rig.store.step_compact().unwrap());
        }
        assert_eq!((rig.disk.names(), rig.file_bytes()), (files, bytes), "{steps}");
        drop(pause);
        while rig.store.step_compact().unwrap() {}
        assert!(!has_more || gained(&rig, bytes) > 0 || rig.store.compacted().passes > 0, "{steps}");
        same(&answers(&rig.store), &told, "after it went on");
        let rig = rig.again(Index::Rebuild);
        same(&answers(&rig.store), &told, "opened again");
    }
    assert!(stopped_with_a_file > 0, "or this tests nothing");
}

/// What holds a pause may outlive the store.
#[test]
fn a_pause_keeps_no_store_open() {
    let rig = mixed();
    let pause = rig.store.pause_compaction();
    let rig = rig.again(Index::Keep);
    assert!(!rig.store.stats().is_compaction_paused, "it is another opening");
    drop(pause);
    while rig.store.step_compact().unwrap() {}
    assert!(rig.store.compacted().dropped > 0);
}

/// Of many versions it is told on the way how many were looked at.
#[test]
fn a_survey_says_how_far_it_is() {
    let rig = Rig::new(12);
    for part in 0..4 {
        let mut request = rig.store.request();
        (0..3000).for_each(|n| request.add_set(&scope("a"), &format!("{part}/{n}"), b"").unwrap());
        rig.store.commit(request).unwrap();
    }
    let mut told = Vec::new();
    rig.store.survey(&mut |seen, all| told.push((seen, all))).unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!((9_000..12_000).contains(&told[0].0), "{told:?}");
    assert!(told.iter().all(|(_, all)| *all == 12_000) && told[1].0 == 12_000, "{told:?}");
}
