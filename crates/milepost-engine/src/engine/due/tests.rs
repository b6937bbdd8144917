use std::path::Path;

use milepost_io::{Fault, FaultKind, Op, Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{Policy, Scope, ScopePrefix};

use super::*;
use crate::{Engine, Parts, Settings};

const BEGIN: Timestamp = Timestamp(1_700_000_000_000_000);

fn open(settings: Settings) -> Engine {
    open_on(&SimDisk::new(1), &SimClock::new(BEGIN), settings)
}

fn open_on(disk: &SimDisk, clock: &SimClock, settings: Settings) -> Engine {
    let parts = Parts {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SimEntropy::new(1)),
        process: Process::simulated(),
    };
    Engine::open(parts, Path::new("/s"), Settings { threads: Threads::Stepped, ..settings }).unwrap()
}

/// A policy was forgotten with the memory that had it, once that had become a run: a pass that was to take what it does
/// not keep waited until the log had grown, or for an hour.
#[test]
fn a_policy_is_seen_to_also_when_a_run_has_it_already() {
    let engine = open(Settings { memory_bytes: 64 << 10, ..Settings::default() });
    let scope = Scope::parse("user/17").unwrap();
    let set = |n: u64| engine.commit(engine.request().set(&scope, &format!("k{n}"), &[7; 500]).unwrap()).unwrap();
    set(0);
    while engine.step_compact().unwrap() {}
    assert!(engine.shared().is_compaction_due(), "there was no pass yet");
    let mut request = engine.request();
    request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
    engine.commit(request).unwrap();
    while engine.step_compact().unwrap() {}
    assert!(!engine.shared().is_compaction_due());
    let mut request = engine.request();
    request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(2)).unwrap();
    engine.commit(request).unwrap();
    for n in 1..200 {
        set(n);
        while engine.step_index() {}
    }
    assert!(engine.stats().runs > 0);
    assert!(engine.shared().is_compaction_due(), "of the second policy");
}

/// An erasure that came while a pass was under way, which had counted before it, counted as seen by it: its bytes
/// stayed until the log had grown, or for an hour.
#[test]
fn what_is_erased_while_a_pass_is_under_way_is_for_the_next_one() {
    let engine = open(Settings::default());
    let scope = Scope::parse("user/17").unwrap();
    let mut request = engine.request();
    request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
    request.add_set(&scope, "k", b"secret").unwrap();
    engine.commit(request).unwrap();

    assert!(engine.shared().is_compaction_due());
    assert!(engine.step_compact().unwrap(), "it counts");
    let mut request = engine.request();
    request.add_erase_scope(&scope, 6).unwrap();
    engine.commit(request).unwrap();
    while engine.step_compact().unwrap() {}
    assert_eq!(engine.compacted().passes, 1);
    assert!(engine.shared().is_compaction_due(), "what was erased meanwhile");
    while engine.step_compact().unwrap() {}
    assert!(!engine.shared().is_compaction_due(), "all of it was seen to");
}

/// Something that was set and erased, in the open segment.
fn erase(engine: &Engine) {
    let scope = Scope::parse("user/17").unwrap();
    let mut request = engine.request();
    request.add_set(&scope, "k", b"secret").unwrap();
    engine.commit(request).unwrap();
    let mut request = engine.request();
    request.add_erase_scope(&scope, 6).unwrap();
    engine.commit(request).unwrap();
}

/// Where there was no room to seal the open segment, the next pass was due at once, and so on for as long as that was
/// so.
#[test]
fn a_segment_that_finds_no_room_to_be_sealed_is_tried_again_later() {
    let (disk, clock) = (SimDisk::new(1), SimClock::new(BEGIN));
    let engine = open_on(&disk, &clock, Settings::default());
    erase(&engine);
    clock.advance(3_600_000_000);
    let full = FaultKind::Error(28);
    disk.inject(Fault { on: Op::Create, file: Some("log/".to_owned()), nth: 0, times: u64::MAX, what: full });
    while engine.step_compact().unwrap() {}
    assert_eq!(engine.segments().len(), 1, "there is no room for another one");
    assert!(!engine.shared().is_compaction_due(), "the disk is as full as before");
    disk.clear_faults();
    clock.advance(3_600_000_000);
    while engine.step_compact().unwrap() {}
    assert!(engine.segments().len() > 1);
}

/// A store was opened while the clock was a year ahead: what was erased stayed in the open segment for that year.
#[test]
fn a_clock_that_was_ahead_at_the_opening_keeps_nothing_that_was_erased() {
    let (disk, clock) = (SimDisk::new(1), SimClock::new(Timestamp(BEGIN.0 + 365 * 86_400_000_000)));
    let engine = open_on(&disk, &clock, Settings::default());
    clock.set(BEGIN);
    erase(&engine);
    while engine.step_compact().unwrap() {}
    assert!(engine.segments().len() > 1, "the open one is sealed");
}

/// A third is counted in records: of fewer, what stays would be carried along for little.
#[test]
fn the_open_segment_is_sealed_after_an_hour_where_a_third_of_it_goes() {
    for (goes, stays, is_sealed) in [(1, 2, true), (1, 3, false), (2, 4, true), (2, 5, false), (0, 3, false)] {
        let (disk, clock) = (SimDisk::new(1), SimClock::new(BEGIN));
        let engine = open_on(&disk, &clock, Settings::default());
        let mut request = engine.request();
        // The policy is a record itself.
        request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
        let (replaced, kept) = (Scope::parse("a").unwrap(), Scope::parse("d").unwrap());
        (0..=goes).for_each(|n| request.add_set(&replaced, "k", &[n; 9]).unwrap());
        (2..stays).for_each(|n| request.add_set(&kept, &format!("k{n}"), &[n; 9]).unwrap());
        engine.commit(request).unwrap();
        while engine.step_compact().unwrap() {}
        assert_eq!(engine.segments().len(), 1, "an hour is not over");
        clock.advance(3_600_000_000);
        while engine.step_compact().unwrap() {}
        assert_eq!(engine.segments().len() > 1, is_sealed, "{goes} go, {stays} stay");
        engine.compact(&mut |_, _| {}).unwrap();
        assert_eq!(engine.segments().len() > 1, goes > 0, "by hand it is sealed for anything, and for no less");
    }
}

/// Who found the disk full has one pass begin, whatever is due, and not one after the other.
#[test]
fn room_that_is_wanted_begins_one_pass() {
    let engine = open(Settings::default());
    let scope = Scope::parse("a").unwrap();
    let mut request = engine.request();
    request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
    request.add_set(&scope, "k", b"1").unwrap();
    engine.commit(request).unwrap();
    while engine.step_compact().unwrap() {}
    let shared = engine.shared();
    let end = || (0..50).find(|_| !shared.compact_gently()).expect("it comes to an end");
    end();
    let passes = engine.compacted().passes;
    end();
    assert_eq!(engine.compacted().passes, passes, "none is due");
    shared.room_wanted.store(true, Ordering::Release);
    end();
    assert_eq!(engine.compacted().passes, passes + 1);
}
