use std::path::Path;

use milepost_io::{Fault, FaultKind, Op, Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{Policy, Scope, ScopePrefix};

use super::*;
use crate::{Engine, Parts, Request, Settings};

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
    assert!(shared.compact_gently(), "one has begun");
    // Wanted while it is under way: another one, when this has come to its end.
    shared.room_wanted.store(true, Ordering::Release);
    end();
    assert_eq!(engine.compacted().passes, passes + 2);
    let pause = engine.pause_compaction();
    shared.room_wanted.store(true, Ordering::Release);
    assert!(!shared.compact_gently() && shared.room_wanted.load(Ordering::Acquire), "it is paused");
    drop(pause);
    end();
    assert_eq!(engine.compacted().passes, passes + 3);
}

/// What came while a pass was under way is for the next one, so whoever was told that one has ended looks again.
#[test]
fn a_thread_looks_again_when_a_pass_has_ended_and_rests_when_none_is_due() {
    let engine = open(Settings::default());
    erase(&engine);
    let shared = engine.shared();
    let mut looks = Vec::new();
    while looks.last() != Some(&(false, 1)) {
        looks.push((shared.compact_gently(), engine.compacted().passes));
        assert!(looks.len() < 50, "{looks:?}");
    }
    assert!(looks.contains(&(true, 1)), "{looks:?}");
    assert!(looks.iter().all(|(is_more, passes)| *is_more || *passes == 1), "not halfway: {looks:?}");
}

/// Where nothing can go, because nothing was ever said of what is kept, nobody looks again and again.
#[test]
fn a_store_of_which_nothing_can_go_is_left_alone() {
    let engine = open(Settings::default());
    engine.commit(engine.request().set(&Scope::parse("user/18").unwrap(), "k", b"1").unwrap()).unwrap();
    for _ in 0..3 {
        assert!(!engine.shared().compact_gently());
    }
    assert_eq!(engine.compacted().passes, 0);
}

/// Whether a thread has begun that compacts.
fn has_thread(engine: &Engine) -> bool {
    let told = format!("{:?}", engine.shared().workers);
    let of_compact = told.split("compact: Worker").nth(1).expect("it is one of the workers");
    of_compact.split("stopping").next().is_some_and(|worker| worker.contains("Some(Running"))
}

/// A process of one commit begins no thread, where nothing was ever said of what is kept. Once it was, here or before,
/// a thread looks from time to time; of an erasure as well.
#[test]
fn a_thread_begins_when_there_may_be_something_to_do_and_not_before() {
    let retain = |request: &mut Request| {
        request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
    };
    let erase = |request: &mut Request| request.add_erase(&Scope::parse("a").unwrap(), "k", 0).unwrap();
    type Tell<'a> = &'a dyn Fn(&mut Request);
    let tellings: [(Tell<'_>, bool); 3] = [(&retain, true), (&erase, true), (&retain, false)];
    for (tell, is_let) in tellings {
        let (disk, clock) = (SimDisk::new(1), SimClock::new(BEGIN));
        let settings = Settings { look_every: Duration::from_secs(3600), compaction: is_let, ..Settings::default() };
        let open = || Engine::open(Parts::simulated(&disk, &clock), Path::new("/s"), settings.clone()).unwrap();
        let engine = open();
        engine.commit(engine.request().set(&Scope::parse("a").unwrap(), "k", b"1").unwrap()).unwrap();
        assert!(!has_thread(&engine), "nothing can go");
        let mut request = engine.request();
        tell(&mut request);
        engine.commit(request).unwrap();
        assert_eq!(has_thread(&engine), is_let);
        engine.close().unwrap();
        let again = open();
        assert_eq!(has_thread(&again), is_let, "from the opening on");
        again.close().unwrap();
        let reader = Engine::open_read_only(Parts::simulated(&disk, &clock), Path::new("/s")).unwrap();
        assert!(!has_thread(&reader), "who only reads");
    }
}

/// Compaction by itself is for the one who writes, with threads of the engine's own, unless it was told not to.
#[test]
fn only_a_writer_with_threads_of_its_own_compacts_by_itself() {
    for (compaction, threads, is_so) in [
        (true, Threads::Spawned, true),
        (false, Threads::Spawned, false),
        (true, Threads::Stepped, false),
        (false, Threads::Stepped, false),
    ] {
        let (disk, clock) = (SimDisk::new(1), SimClock::new(BEGIN));
        let settings = Settings { compaction, threads, ..Settings::default() };
        let engine = Engine::open(Parts::simulated(&disk, &clock), Path::new("/s"), settings).unwrap();
        assert_eq!(engine.shared().compacts_by_itself(), is_so, "{compaction}, {threads:?}");
        engine.close().unwrap();
        let reader = Engine::open_read_only(Parts::simulated(&disk, &clock), Path::new("/s")).unwrap();
        assert!(!reader.shared().compacts_by_itself());
    }
}

/// What the next pass is compared with: each reason by itself begins one, met to the byte, the commit and the
/// microsecond, and missed by one.
#[test]
fn a_pass_is_due_for_each_reason_by_itself() {
    let (disk, clock) = (SimDisk::new(1), SimClock::new(BEGIN));
    let engine = open_on(&disk, &clock, Settings { segment_bytes: 4 << 10, ..Settings::default() });
    let scope = Scope::parse("user/18").unwrap();
    for n in 0..90_u64 {
        engine.commit(engine.request().set(&scope, &format!("k{n}"), &[7; 1000]).unwrap()).unwrap();
    }
    erase(&engine);
    let shared = engine.shared();
    let now = shared.as_it_is();
    let hour = Duration::from_secs(3600).as_micros() as i64;
    let is_due = |last: LastPass| {
        shared.compactor.lock().last = Some(last);
        shared.is_compaction_due()
    };
    assert!(now.told > 1 && !is_due(now), "nothing has changed");
    assert!(is_due(LastPass { told: now.told - 1, ..now }), "something was erased");
    assert!(!is_due(LastPass { told: now.told + 1, ..now }));
    assert!(is_due(LastPass { at: Timestamp(now.at.0 + 1), ..now }), "the clock was ahead");
    assert!(is_due(LastPass { at: Timestamp(now.at.0 - hour), ..now }), "an hour has gone by");
    assert!(!is_due(LastPass { at: Timestamp(now.at.0 - hour + 1), ..now }));

    // By a segment, or by an eighth if that is more.
    let segment_bytes = u64::from(shared.settings.segment_bytes);
    let was = |log_bytes| LastPass { log_bytes, ..now };
    let last_by_an_eighth = (0..now.log_bytes).rev().find(|was| was + was / 8 <= now.log_bytes).unwrap();
    assert!(last_by_an_eighth / 8 > segment_bytes, "a store of many segments");
    assert!(is_due(was(last_by_an_eighth)) && !is_due(was(last_by_an_eighth + 1)));
    assert!(!is_due(was(now.log_bytes - segment_bytes)), "less than an eighth");
    let small = open(Settings { segment_bytes: 4 << 10, ..Settings::default() });
    for n in 0..8 {
        small.commit(small.request().set(&scope, &format!("k{n}"), &[7; 1000]).unwrap()).unwrap();
    }
    let (shared, now) = (small.shared(), small.shared().as_it_is());
    let is_due = |log_bytes| {
        shared.compactor.lock().last = Some(LastPass { log_bytes, ..now });
        shared.is_compaction_due()
    };
    assert!((8000..32_000).contains(&now.log_bytes));
    for was in 0..now.log_bytes {
        assert_eq!(is_due(was), now.log_bytes - was >= segment_bytes, "{was} of {}", now.log_bytes);
    }
}

/// The open segment is sealed soon for what was erased, and after an hour for what a policy takes; never for nothing.
#[test]
fn the_open_segment_is_sealed_when_its_time_has_come() {
    const HOUR: i64 = 3_600_000_000;
    let clock = SimClock::new(BEGIN);
    let engine =
        open_on(&SimDisk::new(1), &clock, Settings { look_every: Duration::from_secs(60), ..Settings::default() });
    erase(&engine);
    let shared = engine.shared();
    let now = shared.as_it_is();
    // Whether it holds what was erased, and enough of what goes; how long ago it was sealed, and the last pass ended.
    let is_due = |has_erased, is_worth_it, sealed_ago: i64, ended_ago: Option<i64>| {
        let compactor = Compactor {
            open_has_erased: has_erased,
            is_open_worth_it: is_worth_it,
            since: Timestamp(now.at.0 - sealed_ago),
            last: ended_ago.map(|ago| LastPass { at: Timestamp(now.at.0 - ago), ..now }),
            ..Compactor::default()
        };
        shared.is_sealing_due(&compactor)
    };
    let rows = [
        ((true, false, 60_000_000, Some(0)), true),
        ((true, false, 59_999_999, Some(0)), false),
        ((true, false, 0, Some(0)), false),
        ((true, false, 59_999_999, Some(HOUR)), false),
        ((true, false, -1, Some(0)), true),
        ((false, true, HOUR, Some(HOUR)), true),
        ((false, true, HOUR - 1, Some(HOUR)), false),
        ((false, true, HOUR, Some(HOUR - 1)), false),
        ((false, true, HOUR, None), true),
        ((false, true, HOUR - 1, None), false),
        ((false, true, -1, None), true),
        ((true, true, HOUR, Some(0)), true),
        ((false, false, HOUR, Some(HOUR)), false),
        ((false, false, -1, None), false),
    ];
    for (row, right) in rows {
        let (has_erased, is_worth_it, sealed_ago, ended_ago) = row;
        assert_eq!(is_due(has_erased, is_worth_it, sealed_ago, ended_ago), right, "{row:?}");
    }
    // A pass is due for what was erased as soon as it can be sealed, and not before.
    let mut compactor = shared.compactor.lock();
    (compactor.last, compactor.open_has_erased, compactor.since) = (Some(now), true, now.at);
    drop(compactor);
    assert!(!shared.is_compaction_due());
    shared.compactor.lock().since = Timestamp(now.at.0 - 60_000_000);
    assert!(shared.is_compaction_due());
    shared.compactor.lock().open_has_erased = false;
    assert!(!shared.is_compaction_due());
}
