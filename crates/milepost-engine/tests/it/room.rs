//! FAULTS C4: on a full disk what only takes away is taken, compaction gives the room back, and then all commits are
//! taken again, by the same handle. Again and again, after kills, and after a crash at any operation on the way.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use milepost_engine::{CommitError, CompactError, Engine, Parts, Pipeline, Request, Settings, Threads};
use milepost_io::{Crash, Disk, Fault, FaultKind, Op, OpenMode, Process, SimClock, SimDisk, SimEntropy, SimRng};
use milepost_types::{CheckpointName, HoldName, Policy, ScopePrefix, Seq, Timestamp};

use crate::scope;

const DIR: &str = "/s";
const ENOSPC: i32 = 28;

/// A store on a small disk, and what it must hold.
struct Rig {
    disk: SimDisk,
    clock: Arc<SimClock>,
    store: Engine,
    /// By key; what was acknowledged last.
    expected: BTreeMap<String, Vec<u8>>,
    next: u64,
}

fn open(disk: &SimDisk, clock: &Arc<SimClock>) -> Engine {
    let parts = Parts {
        disk: Arc::new(disk.clone()),
        clock: Arc::clone(clock) as Arc<dyn milepost_io::Clock>,
        entropy: Arc::new(SimEntropy::new(7)),
        process: Process::simulated(),
    };
    let settings =
        Settings { segment_bytes: 16 << 10, memory_bytes: 64 << 10, threads: Threads::Stepped, ..Settings::default() };
    Engine::open(parts, Path::new(DIR), settings).unwrap()
}

fn place(prefix: &str) -> ScopePrefix {
    ScopePrefix::parse(prefix).unwrap()
}

fn is_full(error: &CommitError) -> bool {
    matches!(error, CommitError::DiskFull { .. })
}

impl Rig {
    /// Another one, of a copy of the disk as it is.
    fn copy(&self) -> Rig {
        let disk = self.disk.copy();
        Rig {
            store: open(&disk, &self.clock),
            disk,
            clock: Arc::clone(&self.clock),
            expected: self.expected.clone(),
            next: self.next,
        }
    }

    fn new(capacity: u64) -> Rig {
        let clock = Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000)));
        let disk = SimDisk::new(1);
        disk.set_capacity(Some(capacity));
        let store = open(&disk, &clock);
        Rig { disk, clock, store, expected: BTreeMap::new(), next: 0 }
    }

    fn commit(&self, request: Request) -> Result<Seq, CommitError> {
        self.clock.advance(1_000_000);
        let done = self.store.commit(request).map(|receipt| receipt.seq);
        while self.store.step_recycle() {}
        done
    }

    fn set(&mut self, bytes: usize) -> Result<Seq, CommitError> {
        self.next += 1;
        let (key, value) = (format!("k{}", self.next % 30), vec![self.next as u8; bytes]);
        let seq = self.commit(self.store.request().set(&scope("a"), &key, &value).unwrap())?;
        self.expected.insert(key, value);
        while self.store.step_index() {}
        Ok(seq)
    }

    fn request(&self, what: impl FnOnce(&mut Request)) -> Request {
        let mut request = self.store.request();
        what(&mut request);
        request
    }

    fn retain(&self, policy: Policy) -> Result<Seq, CommitError> {
        self.commit(self.request(|request| request.add_retain(&place("a"), &policy).unwrap()))
    }

    fn fill(&mut self, bytes: usize) {
        let error = loop {
            if let Err(error) = self.set(bytes) {
                break error;
            }
            assert!(self.next < 100_000, "the disk never fills");
        };
        assert!(is_full(&error), "{error}");
    }

    fn compact(&self) -> Result<(), CompactError> {
        let mut steps = 0;
        self.store
            .compact(&mut |_, _| {
                steps += 1;
                assert!(steps < 10_000, "a compaction comes to an end");
            })
            .map(drop)
    }

    fn check(&self, when: &str) {
        for (key, value) in &self.expected {
            let found = self.store.get("a", key).unwrap();
            assert_eq!(found.as_deref(), Some(&**value), "{when}: {key}");
        }
    }

    /// The same store after its process was killed.
    fn killed(&mut self) {
        let disk = self.disk.kill();
        self.store = open(&disk, &self.clock);
        self.disk = disk;
    }

    fn close(self) {
        self.store.close().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let report = milepost_engine::verify(&disk, Path::new(DIR), &mut |_, _| {}).unwrap();
        assert_eq!(report.verdict, milepost_engine::Verdict::Clean);
    }
}

type Row = (&'static str, fn(&mut Request), bool);

/// What a commit on a full disk may say: every kind of event, and whether it may have of the reserve.
const EVENTS: &[Row] = &[
    ("delete", |r| r.add_delete(&scope("a"), "k1").unwrap(), true),
    ("clear", |r| r.add_clear(&scope("b")).unwrap(), true),
    ("clear prefix", |r| r.add_clear_prefix(&place("c")).unwrap(), true),
    ("erase", |r| r.add_erase(&scope("a"), "k2", 1).unwrap(), true),
    ("erase scope", |r| r.add_erase_scope(&scope("b/1"), 1).unwrap(), true),
    ("erase prefix", |r| r.add_erase_prefix(&place("c/1"), 1).unwrap(), true),
    ("retain", |r| r.add_retain(&place("a"), &Policy::default().keep_last(1)).unwrap(), true),
    ("unretain", |r| r.add_unretain(&place("d")).unwrap(), true),
    ("unhold", |r| r.add_unhold(&place("d"), "audit").unwrap(), true),
    ("release", |r| r.add_release(&scope("b"), "done").unwrap(), true),
    (
        "two that take away",
        |r| {
            r.add_delete(&scope("a"), "k3").unwrap();
            r.add_clear(&scope("b/2")).unwrap();
        },
        true,
    ),
    ("set", |r| r.add_set(&scope("b/3"), "x", &[1; 5000]).unwrap(), false),
    ("checkpoint", |r| r.add_checkpoint(&scope("a"), "now", None).unwrap(), false),
    ("fork", |r| r.add_fork(&scope("f"), &scope("a"), Seq(9)).unwrap(), false),
    ("hold", |r| r.add_hold(&place("a"), "audit", None).unwrap(), false),
    (
        "one that takes away and one that does not",
        |r| {
            r.add_delete(&scope("a"), "k4").unwrap();
            r.add_set(&scope("b/3"), "x", b"1").unwrap();
        },
        false,
    ),
];

#[test]
fn what_only_takes_away_is_taken_and_nothing_else() {
    let mut rig = Rig::new(1 << 20);
    let names = (CheckpointName::parse("done").unwrap(), HoldName::parse("audit").unwrap());
    rig.commit(rig.request(|request| {
        for name in ["b", "b/1", "b/2", "c", "c/1"] {
            request.add_set(&scope(name), "k", b"v").unwrap();
        }
        request.add_checkpoint(&scope("b"), names.0.as_str(), None).unwrap();
        request.add_retain(&place("d"), &Policy::default().keep_last(3)).unwrap();
        request.add_hold(&place("d"), names.1.as_str(), None).unwrap();
    }))
    .unwrap();
    rig.fill(3000);
    // The last bytes: from here on there is room for nothing.
    while rig.commit(rig.store.request().set(&scope("a"), "k9", b"1").unwrap()).is_ok() {}
    rig.expected.clear();
    let whole = rig.store.stats().reserve;
    assert_eq!(whole.bytes, whole.whole, "what takes room has none of the reserve");
    assert!(whole.whole >= 64 << 10);
    for (name, add, may) in EVENTS {
        let before = rig.store.stats().reserve.bytes;
        let done = rig.commit(rig.request(add));
        match (done, may) {
            (Ok(_), true) => {}
            (Err(error), false) if is_full(&error) => assert_eq!(rig.store.stats().reserve.bytes, before, "{name}"),
            (done, _) => panic!("{name}: {done:?}"),
        }
    }
    assert!(rig.store.stats().reserve.bytes < whole.whole);
    assert_eq!(rig.store.get("a", "k1").unwrap().as_deref(), None);
    assert!(rig.store.failure().is_none());
    rig.close();
}

/// What was given comes back with the next step once there is room, and that step says that it did something.
#[test]
fn a_step_makes_the_reserve_whole_once_there_is_room() {
    let mut rig = Rig::new(1 << 20);
    rig.fill(3000);
    while rig.commit(rig.store.request().set(&scope("a"), "k9", b"1").unwrap()).is_ok() {}
    rig.commit(rig.request(|r| r.add_delete(&scope("a"), "k1").unwrap())).unwrap();
    let is_whole = || rig.store.stats().reserve.bytes == rig.store.stats().reserve.whole;
    assert!(!is_whole() && !rig.store.step_recycle());
    rig.disk.set_capacity(Some(2 << 20));
    assert!(rig.store.step_recycle() && is_whole());
    while rig.store.step_recycle() {}
    assert!(is_whole());
}

/// A reserve that is used up is an end, not a way around: removals are refused as well, reads go on, and room on the
/// disk is all that is needed. MANIFEST can still be written: the store is closed and opened.
#[test]
fn a_reserve_that_is_used_up_is_made_whole_again() {
    let mut rig = Rig::new(1 << 20);
    rig.fill(3000);
    let mut removed = 0_u32;
    let error = loop {
        // Absent keys give no event: each has to be there.
        let key = format!("k{}", removed % 30);
        match rig.commit(rig.request(|r| r.add_erase(&scope("a"), &key, 0).unwrap())) {
            Ok(_) => removed += 1,
            Err(error) => break error,
        }
        assert!(removed < 100_000, "the reserve is never used up");
    };
    assert!(is_full(&error), "{error}");
    assert!(removed > 100, "{removed}");
    rig.expected.clear();
    rig.store.close().unwrap();
    rig.killed();
    assert!(rig.store.stats().reserve.bytes < rig.store.stats().reserve.whole);
    assert!(is_full(&rig.set(10).unwrap_err()));
    rig.disk.set_capacity(Some(2 << 20));
    rig.set(10).unwrap();
    let reserve = rig.store.stats().reserve;
    assert_eq!(reserve.bytes, reserve.whole);
    rig.check("there is room again");
    rig.close();
}

#[test]
fn fifty_times_in_a_row_with_kills_between() {
    let mut rng = SimRng::new(3);
    for (capacity, bytes) in [(1 << 20, 3000), (512 << 10, 900), (768 << 10, 9000)] {
        let mut rig = Rig::new(capacity);
        rig.retain(Policy::default().keep_last(1)).unwrap();
        for round in 0..50 {
            let when = format!("{capacity}, values of {bytes}, round {round}");
            rig.fill(bytes / 2 + rng.index(bytes));
            rig.check(&when);
            if rng.below(3) == 0 {
                rig.killed();
                rig.check(&when);
            }
            match rng.below(3) {
                0 => {
                    rig.commit(rig.request(|r| r.add_delete(&scope("a"), "k7").unwrap())).unwrap();
                    rig.expected.remove("k7");
                }
                1 => {
                    let erased = rig.commit(rig.request(|r| r.add_erase_scope(&scope("a"), 0).unwrap()));
                    erased.unwrap_or_else(|error| panic!("{when}: {error}"));
                    rig.expected.clear();
                }
                _ => {}
            }
            if rng.below(3) == 0 {
                rig.killed();
                rig.check(&when);
            }
            rig.compact().unwrap_or_else(|error| panic!("{when}: {error}, {:?}", rig.store.stats()));
            for n in 0..5 {
                let stats = rig.store.stats();
                rig.set(100).unwrap_or_else(|error| panic!("{when}, commit {n}: {error}, {stats:?}"));
            }
            let reserve = rig.store.stats().reserve;
            assert_eq!(reserve.bytes, reserve.whole, "{when}");
            rig.check(&when);
        }
        rig.close();
    }
}

/// The way out of a full disk, cut off at every operation: all that was told is there, and the way can be gone again.
#[test]
fn a_crash_anywhere_on_the_way_out_leaves_the_way_open() {
    let mut rig = Rig::new(768 << 10);
    rig.retain(Policy::default().keep_last(1)).unwrap();
    rig.fill(2000);
    let mut points = 0;
    for after in (0..).step_by(3) {
        let mut tried = rig.copy();
        tried.disk.power_off_after(after);
        let gone = tried.commit(tried.request(|r| r.add_delete(&scope("a"), "k7").unwrap()));
        if gone.is_ok() {
            tried.expected.remove("k7");
        }
        let told = gone.is_ok() && tried.compact().is_ok() && tried.set(100).is_ok();
        let was_off = tried.disk.is_off();
        assert!(was_off || told);
        let how = [Crash::LoseUnsynced, Crash::Torn, Crash::KeepAll, Crash::LoseNames][points % 4];
        let disk = tried.disk.crash(how, after);
        tried.store = open(&disk, &rig.clock);
        tried.disk = disk;
        if gone.is_err() {
            // Told or not, it may be there.
            tried.expected.remove("k7");
        }
        let unsure = format!("k{}", tried.next % 30);
        if !told && tried.next > rig.next {
            tried.expected.remove(&unsure);
        }
        let when = format!("off after {after}, {how:?}");
        tried.check(&when);
        tried.commit(tried.request(|r| r.add_delete(&scope("a"), "k8").unwrap())).unwrap();
        tried.expected.remove("k8");
        tried.compact().unwrap_or_else(|error| panic!("{when}: {error}, {:?}", tried.store.stats()));
        tried.set(100).unwrap_or_else(|error| panic!("{when}: {error}, {:?}", tried.store.stats()));
        tried.check(&when);
        tried.close();
        points += 1;
        if !was_off {
            break;
        }
    }
    assert!(points > 50, "{points}");
}

/// FAULTS C3: full in the middle of a compaction, at every write of it, once or from then on: the log is as it was,
/// nothing is left behind, and the next attempt gets there. One that says that it is done has taken out all that goes:
/// where the end of the open segment found no room, so that it could not be written anew, that was said, too, and what
/// had been erased stayed in its file.
#[test]
fn a_disk_that_fills_under_a_compaction_costs_the_attempt_only() {
    let mut rig = Rig::new(8 << 20);
    rig.retain(Policy::default().keep_last(1)).unwrap();
    for _ in 0..200 {
        rig.set(700).unwrap();
    }
    // So that the open segment has something that goes.
    rig.next -= 1;
    rig.set(700).unwrap();
    for times in [u64::MAX, 1] {
        let (mut refused, mut unsealed) = (0, 0);
        for nth in 0.. {
            let Some((was_refused, was_unsealed)) = full_at(&rig, nth, times) else { break };
            refused += u32::from(was_refused);
            unsealed += u32::from(was_unsealed);
        }
        assert!(refused > 3 || times == 1, "{refused}");
        assert_eq!(unsealed, 1, "the open segment has its end written once");
    }
}

/// A compaction of a copy, in which so many writes from this one on find no room, and what comes after it. Whether it
/// was refused, and whether an opening had to come before the next one; nothing if that write never came.
fn full_at(rig: &Rig, nth: u64, times: u64) -> Option<(bool, bool)> {
    let mut tried = rig.copy();
    // With all of them the reserve's growth included.
    tried.disk.inject(Fault { on: Op::Write, file: None, nth, times, what: FaultKind::Error(ENOSPC) });
    let done = tried.compact();
    let was_hit = !tried.disk.faults_hit().is_empty();
    tried.disk.clear_faults();
    let when = format!("write {nth}, {times} times: {done:?}");
    tried.check(&when);
    let dead = |rig: &Rig| rig.store.survey(&mut |_, _| {}).unwrap().iter().map(|of| of.goes).sum::<u64>();
    assert!(done.is_err() || dead(&tried) == 0, "{when}: it said that all of it was taken out");
    let names = tried.disk.names();
    let left = names.iter().filter(|path| path.to_string_lossy().contains("new-"));
    assert_eq!(left.count(), 0, "{when}: {names:?}");
    assert!(!tried.disk.names().iter().any(|path| path.ends_with("MANIFEST.tmp")), "{when}");
    let again = tried.compact();
    let is_unsealed = matches!(again, Err(CompactError::NotSealed(_)));
    if is_unsealed {
        tried.killed();
        tried.compact().unwrap_or_else(|error| panic!("{when}, opened again, then {error}"));
    } else {
        again.unwrap_or_else(|error| panic!("{when}, then {error}"));
    }
    assert_eq!(dead(&tried), 0, "{when}");
    tried.set(100).unwrap();
    tried.check(&when);
    tried.close();
    was_hit.then_some((done.is_err(), is_unsealed))
}

/// A commit that takes room and one that gives it, led together by one who finds the disk full.
#[test]
fn of_one_batch_what_takes_away_is_taken() {
    let mut rig = Rig::new(1 << 20);
    rig.fill(3000);
    let set = |n: u8| rig.store.request().set(&scope("a"), "k5", &[n; 9000]).unwrap();
    let tickets: Vec<_> = [
        set(1),
        rig.request(|r| r.add_delete(&scope("a"), "k1").unwrap()),
        set(2),
        rig.request(|r| r.add_clear(&scope("a")).unwrap()),
    ]
    .into_iter()
    .map(|request| rig.store.submit(request).unwrap())
    .collect();
    assert_eq!(rig.store.step_leader().commits, 4);
    let done: Vec<bool> = tickets.into_iter().map(|ticket| ticket.wait().is_ok()).collect();
    assert_eq!(done, [false, true, false, true]);
    assert!(rig.store.get("a", "k5").unwrap().is_none() && rig.store.get("a", "k1").unwrap().is_none());
    rig.expected.clear();
    rig.close();
}

/// The same through a pipeline: what takes away is made before the first that is refused, and not behind it. A commit
/// that somebody else has between them is made.
#[test]
fn in_a_pipeline_nothing_is_taken_behind_what_there_is_no_room_for() {
    let mut rig = Rig::new(1 << 20);
    rig.fill(3000);
    let delete = |key: &str| rig.request(|r| r.add_delete(&scope("a"), key).unwrap());
    let mut pipeline = Pipeline::default();
    let mut tickets = vec![rig.store.submit_in(&mut pipeline, delete("k1")).unwrap()];
    let set = rig.store.request().set(&scope("a"), "k5", &[1; 9000]).unwrap();
    tickets.push(rig.store.submit_in(&mut pipeline, set).unwrap());
    tickets.push(rig.store.submit_in(&mut pipeline, delete("k2")).unwrap());
    tickets.push(rig.store.submit(delete("k3")).unwrap());
    assert_eq!(rig.store.step_leader().commits, 4);
    tickets.push(rig.store.submit_in(&mut pipeline, delete("k4")).unwrap());
    while rig.store.step_leader().commits > 0 {}
    let done: Vec<_> = tickets.into_iter().map(milepost_engine::Ticket::wait).collect();
    assert!(done[0].is_ok() && done[3].is_ok(), "{done:?}");
    assert!(done[1].as_ref().is_err_and(is_full), "{done:?}");
    let skipped = |index: usize| matches!(done[index], Err(CommitError::Skipped));
    assert!(skipped(2) && skipped(4), "{done:?}");
    let there = ["k1", "k2", "k3", "k4"].map(|key| rig.store.get("a", key).unwrap().is_some());
    assert_eq!(there, [false, true, false, true]);
    rig.expected.clear();
    rig.close();
}

/// Another file takes the room that the store's commits would have had.
#[test]
fn a_small_store_on_a_disk_that_others_have_filled() {
    let mut rig = Rig::new(1 << 20);
    rig.set(100).unwrap();
    rig.killed();
    let free = rig.disk.free_bytes(Path::new("/")).unwrap();
    rig.disk.open(Path::new("/ballast"), OpenMode::CreateNew).unwrap().allocate(0, free).unwrap();
    assert!(is_full(&rig.set(9000).unwrap_err()));
    rig.killed();
    rig.check("killed on a full disk");
    rig.commit(rig.request(|r| r.add_delete(&scope("a"), "k1").unwrap())).unwrap();
    rig.store.close().unwrap();
    rig.killed();
    assert!(rig.store.get("a", "k1").unwrap().is_none());
    rig.disk.remove(Path::new("/ballast")).unwrap();
    rig.expected.clear();
    rig.set(9000).unwrap();
    rig.check("there is room again");
    rig.close();
}
