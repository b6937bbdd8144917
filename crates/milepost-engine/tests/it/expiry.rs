//! Scopes of tasks that have ended go, when their time has come: those and no others, held to a model over drawn
//! histories, and after a crash at any operation all of one or nothing of it.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use milepost_engine::{ChangeKind, ENDED_KEY, Engine, HistoryQuery, Index, Parts, Request, Settings, Threads};
use milepost_io::{Crash, Process, SimClock, SimDisk, SimEntropy, SimRng};
use milepost_types::{HoldName, Policy, ScopePrefix, Seq, Timestamp, Writer};

use crate::scope;

const DIR: &str = "/s";
pub(crate) const DAY: i64 = 86_400_000_000;

pub(crate) struct Rig {
    disk: SimDisk,
    clock: Arc<SimClock>,
    pub(crate) store: Engine,
}

fn open(disk: &SimDisk, clock: &Arc<SimClock>, index: Index) -> Engine {
    let parts = Parts {
        disk: Arc::new(disk.clone()),
        clock: Arc::clone(clock) as Arc<dyn milepost_io::Clock>,
        entropy: Arc::new(SimEntropy::new(7)),
        process: Process::simulated(),
    };
    let (segment_bytes, memory_bytes, threads) = (4 << 10, 8 << 10, Threads::Stepped);
    let settings = Settings { segment_bytes, memory_bytes, threads, index, ..Settings::default() };
    Engine::open(parts, Path::new(DIR), settings).unwrap()
}

pub(crate) fn place(prefix: &str) -> ScopePrefix {
    ScopePrefix::parse(prefix).unwrap()
}

fn hold() -> HoldName {
    HoldName::parse("audit").unwrap()
}

impl Rig {
    pub(crate) fn new(seed: u64) -> Rig {
        let clock = Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000)));
        let disk = SimDisk::new(seed);
        let store = open(&disk, &clock, Index::Keep);
        let rig = Rig { disk, clock, store };
        let policy = Policy::default().expire_ended(Duration::from_secs(10 * 86_400));
        rig.tell(|request| request.add_retain(&place("task"), &policy).unwrap());
        rig
    }

    pub(crate) fn tell(&self, what: impl FnOnce(&mut Request)) -> Seq {
        self.clock.advance(1_000_000);
        let mut request = self.store.request();
        what(&mut request);
        let seq = self.store.commit(request).unwrap().seq;
        while self.store.step_index() {}
        seq
    }

    pub(crate) fn set(&self, of: &str, key: &str, value: &[u8]) -> Seq {
        self.tell(|request| request.add_set(&scope(of), key, value).unwrap())
    }

    pub(crate) fn end(&self, of: &str) -> Seq {
        self.set(of, ENDED_KEY, b"ended")
    }

    fn claim(&self, of: &str, attempt: u64) {
        self.clock.advance(1_000_000);
        self.store.commit(self.store.request().fence(&scope(of), attempt).unwrap()).unwrap();
    }

    pub(crate) fn days(&self, days: i64) {
        self.clock.advance((days * DAY).unsigned_abs());
    }

    pub(crate) fn compact(&self) {
        self.store.compact(&mut |_, _| {}).unwrap();
    }

    fn clock_now(&self) -> i64 {
        milepost_io::Clock::now(&*self.clock).0
    }

    pub(crate) fn is_there(&self, of: &str) -> bool {
        self.store.get(of, "k").unwrap().is_some()
    }
}

type Row = (&'static str, fn(&Rig), bool);

/// What happens to `task/a`, which holds `k` and has `task/a/below`, before its time has come, and whether it goes.
const STORIES: &[Row] = &[
    (
        "it ended",
        |rig| {
            rig.end("task/a");
        },
        true,
    ),
    ("it did not end", |_| {}, false),
    (
        "it ended, and somebody committed there",
        |rig| {
            rig.end("task/a");
            rig.set("task/a", "other", b"1");
        },
        false,
    ),
    (
        "it ended, and somebody committed below",
        |rig| {
            rig.end("task/a");
            rig.set("task/a/below", "other", b"1");
        },
        false,
    ),
    (
        "it ended, and a new attempt claimed it",
        |rig| {
            rig.end("task/a");
            rig.claim("task/a", 2);
        },
        false,
    ),
    (
        "it ended, and was taken back",
        |rig| {
            rig.end("task/a");
            rig.tell(|request| request.add_delete(&scope("task/a"), ENDED_KEY).unwrap());
        },
        false,
    ),
    (
        "it ended, went on, and ended again",
        |rig| {
            rig.end("task/a");
            rig.set("task/a", "other", b"1");
            rig.end("task/a");
        },
        true,
    ),
    (
        "it ended and is held",
        |rig| {
            rig.end("task/a");
            rig.tell(|request| request.add_hold(&place("task/a"), hold().as_str(), None).unwrap());
        },
        false,
    ),
    (
        "what is below it is held",
        |rig| {
            rig.tell(|request| request.add_hold(&place("task/a/below"), hold().as_str(), None).unwrap());
            rig.end("task/a");
        },
        false,
    ),
    (
        "it ended, and a fork reads through to it",
        |rig| {
            let seq = rig.end("task/a");
            rig.tell(|request| request.add_fork(&scope("copy"), &scope("task/a"), seq).unwrap());
        },
        false,
    ),
    (
        "it ended, and a longer prefix keeps it",
        |rig| {
            rig.end("task/a");
            rig.tell(|request| request.add_retain(&place("task/a"), &Policy::default()).unwrap());
        },
        false,
    ),
    (
        "it ended, with a checkpoint",
        |rig| {
            rig.tell(|request| request.add_checkpoint(&scope("task/a"), "half", None).unwrap());
            rig.end("task/a");
        },
        true,
    ),
    (
        "a task above it ended",
        |rig| {
            rig.end("task");
        },
        true,
    ),
    (
        "one beside it ended",
        |rig| {
            rig.end("task/ab");
        },
        false,
    ),
];

#[test]
fn what_has_ended_goes_when_its_time_has_come() {
    for (story, happens, goes) in STORIES {
        let rig = Rig::new(1);
        for of in ["task/a", "task/a/below", "other"] {
            rig.set(of, "k", b"value");
        }
        happens(&rig);
        rig.days(9);
        rig.compact();
        assert!(rig.is_there("task/a") && rig.is_there("task/a/below"), "{story}: too early");
        let told = rig.store.explain(&place("task")).unwrap();
        rig.days(2);
        rig.compact();
        assert_eq!((rig.is_there("task/a"), rig.is_there("task/a/below")), (!goes, !goes), "{story}");
        assert!(rig.is_there("other"), "{story}");
        assert_eq!(told.next_expires_at.is_some(), told.ended > told.ended_kept, "{story}");
        if *goes {
            assert!(told.ended > 0, "{story}");
            let past = rig.store.view(milepost_types::At::Seq(Seq(4))).unwrap();
            assert!(past.get("task/a", "k").unwrap().is_none(), "{story}: its past is there");
            assert!(rig.store.checkpoints(&place("task/a")).unwrap().is_empty(), "{story}");
            let erasures = rig.store.history(HistoryQuery::default()).unwrap().map(Result::unwrap);
            let by: Vec<_> = erasures.filter(|change| change.kind == ChangeKind::Erase).map(|c| c.writer).collect();
            assert!(!by.is_empty() && by.iter().all(|by| *by == Some(Writer::new("retention").unwrap())), "{story}");
        }
    }
}

/// A place below a task, what is said of it, and after how many days from the task's end it goes; `None` if it stays.
type Place = (&'static str, Option<Option<u64>>, Option<i64>);

/// What a longer policy keeps was erased with the task around it. Rows: the task ends, of which nothing else is said
/// than that it goes after ten days; then what is said of places below it, and when they go. The scope of the task goes
/// with the last of them, since its end stands there.
const PLACES: &[(&str, &[Place])] = &[
    ("nothing else is said", &[("task/a", None, Some(10)), ("task/a/x", None, Some(10))]),
    (
        "a longer prefix keeps it",
        &[
            ("task/a", None, Some(10)),
            ("task/a/audit", Some(None), None),
            ("task/a/audit/x", None, None),
            ("task/a/x", None, Some(10)),
        ],
    ),
    (
        "a longer prefix keeps it for longer",
        &[("task/a", None, Some(30)), ("task/a/audit", Some(Some(30)), Some(30)), ("task/a/x", None, Some(10))],
    ),
    (
        "a longer prefix keeps it for less",
        &[("task/a", None, Some(10)), ("task/a/audit", Some(Some(4)), Some(4)), ("task/a/x", None, Some(10))],
    ),
    (
        "the task's own policy keeps it, and one below does not",
        &[("task/a", Some(None), None), ("task/a/tmp", Some(Some(4)), Some(4)), ("task/a/x", None, None)],
    ),
    (
        "kept, within what is kept for longer",
        &[
            ("task/a", None, Some(20)),
            ("task/a/b", Some(Some(20)), Some(20)),
            ("task/a/b/c", Some(None), None),
            ("task/a/b/c/d", Some(Some(3)), Some(3)),
        ],
    ),
];

#[test]
fn each_scope_of_a_task_goes_as_its_own_policy_says() {
    for (story, places) in PLACES {
        let rig = Rig::new(2);
        for (of, says, _) in *places {
            rig.set(of, "k", b"value");
            rig.tell(|request| request.add_checkpoint(&scope(of), "half", None).unwrap());
            if let Some(after) = says {
                let policy = after.map_or(Policy::default(), |days| {
                    Policy::default().expire_ended(Duration::from_secs(days * 86_400))
                });
                rig.tell(|request| request.add_retain(&place(of), &policy).unwrap());
            }
        }
        rig.end("task/a");
        let ended_at = rig.store.last().at.0;
        for day in 0..33 {
            rig.compact();
            for (of, _, goes) in *places {
                let is_gone = goes.is_some_and(|after| ended_at + after * DAY <= rig.clock_now());
                assert_eq!(rig.is_there(of), !is_gone, "{story}: {of} on day {day}");
                let named = rig.store.checkpoints(&place(of)).unwrap();
                assert_eq!(
                    named.iter().any(|named| named.scope.as_str() == *of),
                    !is_gone,
                    "{story}: {of}'s checkpoint"
                );
                if *of != "task/a" && rig.is_there("task/a") {
                    let above = rig.store.explain(&place(of)).unwrap().ended_above;
                    let below = places.iter().filter(|(other, ..)| place(of).holds(other) && rig.is_there(other));
                    let next = below.filter_map(|(.., goes)| *goes).min().map(|after| ended_at + after * DAY);
                    let told = above.as_ref().map(|above| (above.task.as_str(), above.expires_at.map(|at| at.0)));
                    let goes_on_for_it = places.iter().any(|(other, _, goes)| goes.is_some() && rig.is_there(other));
                    assert_eq!(told, goes_on_for_it.then_some(("task/a", next)), "{story}: {of} on day {day}");
                }
            }
            rig.days(1);
        }
        // And what is kept is so for good, in the files.
        rig.store.close().unwrap();
        for index in [Index::Keep, Index::Rebuild] {
            let store = open(&rig.disk, &rig.clock, index);
            for (of, _, goes) in *places {
                assert_eq!(store.get(of, "k").unwrap().is_some(), goes.is_none(), "{story}: {of}, {index:?}");
            }
            store.close().unwrap();
        }
    }
}

/// What a longer policy keeps may be held, or forked: that keeps it alone, and the task goes.
#[test]
fn what_keeps_a_scope_that_stays_keeps_no_other() {
    let rig = Rig::new(3);
    for of in ["task/a", "task/a/audit"] {
        rig.set(of, "k", b"value");
    }
    rig.tell(|request| request.add_retain(&place("task/a/audit"), &Policy::default()).unwrap());
    rig.tell(|request| request.add_hold(&place("task/a/audit"), hold().as_str(), None).unwrap());
    let seq = rig.end("task/a");
    rig.tell(|request| request.add_fork(&scope("copy"), &scope("task/a/audit"), seq).unwrap());
    rig.days(11);
    rig.compact();
    assert_eq!(["task/a", "task/a/audit", "copy"].map(|of| rig.is_there(of)), [false, true, true]);
}

/// A task below another one expired, and that counted as work of the one above: this never went any more.
#[test]
fn a_task_goes_also_when_one_below_it_went_before() {
    let rig = Rig::new(4);
    for of in ["task/a", "task/a/b"] {
        rig.set(of, "k", b"value");
    }
    rig.end("task/a/b");
    rig.days(5);
    rig.end("task/a");
    rig.days(6);
    rig.compact();
    assert_eq!(["task/a", "task/a/b"].map(|of| rig.is_there(of)), [true, false]);
    rig.days(5);
    rig.compact();
    assert_eq!(["task/a", "task/a/b"].map(|of| rig.is_there(of)), [false, false]);
}

/// Tasks within each other whose times have all come go in one pass, the inner ones first, as each is work of the one
/// around it: a pass came to the outer one first, and left it for the next.
#[test]
fn tasks_within_each_other_go_in_one_pass() {
    let rig = Rig::new(4);
    let tasks = ["task/a", "task/a/b", "task/a/b/c"];
    for of in tasks {
        rig.set(of, "k", b"value");
    }
    for of in tasks {
        rig.end(of);
    }
    rig.days(11);
    while rig.store.step_compact().unwrap() {}
    assert_eq!((tasks.map(|of| rig.is_there(of)), rig.store.compacted().passes), ([false; 3], 1));
}

/// The clock leaps ahead as a pass begins, and is set right before the next step: the pass went by what it had said at
/// first, and a task went ten days too early, by a commit stamped before its time.
#[test]
fn a_clock_that_was_ahead_for_a_moment_lets_nothing_go() {
    let rig = Rig::new(4);
    rig.set("task/a", "k", b"value");
    rig.end("task/a");
    let right = rig.clock_now();
    rig.days(11);
    assert!(rig.store.step_compact().unwrap(), "a pass has begun");
    rig.clock.set(Timestamp(right));
    while rig.store.step_compact().unwrap() {}
    assert!(rig.is_there("task/a"));
    rig.days(11);
    rig.compact();
    assert!(!rig.is_there("task/a"), "its time has come");
}

/// The same of what a policy keeps for a time: the horizon would move over all of it, and horizons don't move back.
#[test]
fn a_clock_that_was_ahead_for_a_moment_moves_no_horizon() {
    for looked_before in [false, true] {
        let rig = Rig::new(4);
        let policy = Policy::default().keep_for(Duration::from_secs(86_400));
        // Nothing expires: a pass begins with the horizons.
        rig.tell(|request| request.add_unretain(&place("task")).unwrap());
        rig.tell(|request| request.add_retain(&place("kept"), &policy).unwrap());
        let first = rig.set("kept", "k", b"first");
        rig.set("kept", "k", b"second");
        assert!(!looked_before || rig.store.step_compact().unwrap(), "a pass has begun");
        let right = rig.clock_now();
        rig.days(2);
        assert!(rig.store.step_compact().unwrap(), "a pass goes on");
        rig.clock.set(Timestamp(right));
        while rig.store.step_compact().unwrap() {}
        let read = |rig: &Rig| Some(rig.store.view(first.into()).ok()?.get("kept", "k").ok()??.to_vec());
        assert_eq!(read(&rig), Some(b"first".to_vec()), "looked before: {looked_before}");
        rig.days(2);
        rig.compact();
        assert_eq!(read(&rig), None, "its time is over");
    }
}

/// Tasks that end and expire all the time don't keep a pass from its end: it lets go what had expired when it began.
#[test]
fn tasks_that_end_meanwhile_are_for_the_next_pass() {
    let rig = Rig::new(4);
    rig.tell(|request| request.add_retain(&place("task"), &Policy::default().expire_ended(Duration::ZERO)).unwrap());
    let end = |n: u32| {
        let task = format!("task/{n:05}");
        rig.set(&task, "k", b"value");
        rig.end(&task);
    };
    end(0);
    let mut steps = 0;
    while rig.store.step_compact().unwrap() {
        steps += 1;
        assert!(steps < 100, "the pass never comes to its end");
        end(steps);
    }
    assert!(!rig.is_there("task/00000") && rig.is_there(&format!("task/{steps:05}")));
}

/// Of a task with more scopes below it than a commit can have conditions all go that are to go, and no other, also if
/// the power fails between two commits.
#[test]
fn of_a_very_large_task_some_stays() {
    let rig = Rig::new(6);
    rig.tell(|request| request.add_retain(&place("task/a/audit"), &Policy::default()).unwrap());
    rig.set("task/a/audit", "k", b"value");
    for n in 0..25 {
        rig.tell(|request| {
            (0..100).for_each(|m| request.add_set(&scope(&format!("task/a/part/{n}-{m}")), "k", b"value").unwrap());
        });
    }
    rig.end("task/a");
    rig.days(11);
    rig.store.close().unwrap();
    let left = |store: &Engine| store.view(milepost_types::At::Latest).unwrap().scopes(&place("task/a")).unwrap().len();
    let mut midway = 0;
    for after in (0..60).step_by(5) {
        let disk = rig.disk.copy();
        let store = open(&disk, &rig.clock, Index::Keep);
        disk.power_off_after(after);
        let _ = store.compact(&mut |_, _| {});
        drop(store);
        let store = open(&disk.crash(Crash::KeepAll, after), &rig.clock, Index::Keep);
        midway += u32::from((3..2503).contains(&left(&store)));
        store.compact(&mut |_, _| {}).unwrap();
        assert_eq!(left(&store), 1, "off after {after}");
        assert!(store.get("task/a/audit", "k").unwrap().is_some());
    }
    assert!(midway > 0, "no crash between two commits");
}

/// What was drawn of a task.
#[derive(Clone, Debug, Default)]
struct Told {
    is_there: bool,
    /// When it ended, if nothing was committed since.
    ended: Option<i64>,
    is_held: bool,
    is_forked: bool,
}

#[test]
fn those_that_go_are_those_of_the_model() {
    let (mut gone, mut kept) = (0, 0);
    for seed in 0..12 {
        let mut rng = SimRng::new(seed);
        let rig = Rig::new(seed);
        let mut model: BTreeMap<String, Told> = BTreeMap::new();
        for n in 0..150_u64 {
            let of = format!("task/{}", rng.below(6));
            let told = model.entry(of.clone()).or_default();
            let now = |rig: &Rig| rig.store.last().at.0;
            match rng.below(10) {
                0..=3 => {
                    rig.set(&of, "k", &n.to_le_bytes());
                    (told.is_there, told.ended) = (true, None);
                }
                4 | 5 => {
                    rig.end(&of);
                    told.ended = Some(now(&rig));
                }
                6 => {
                    rig.claim(&of, n);
                    told.ended = None;
                }
                7 => {
                    if told.is_held {
                        rig.tell(|request| request.add_unhold(&place(&of), hold().as_str()).unwrap());
                    } else {
                        rig.tell(|request| request.add_hold(&place(&of), hold().as_str(), None).unwrap());
                    }
                    told.is_held = !told.is_held;
                }
                8 if !told.is_forked && told.is_there && rng.below(4) == 0 => {
                    let (copy, last) = (scope(&format!("copy/{n}")), rig.store.last().seq);
                    rig.tell(|request| request.add_fork(&copy, &scope(&of), last).unwrap());
                    told.is_forked = true;
                }
                _ => {
                    rig.days(rng.below(8) as i64);
                    let now = rig.clock_now();
                    rig.compact();
                    for (of, told) in &mut model {
                        let is_due = told.ended.is_some_and(|at| at + 10 * DAY <= now);
                        if is_due && !told.is_held && !told.is_forked {
                            gone += u32::from(told.is_there);
                            *told = Told::default();
                        }
                        kept += u32::from(told.is_there);
                        assert_eq!(rig.is_there(of), told.is_there, "seed {seed}, {n}: {of}, {told:?}");
                    }
                }
            }
        }
        rig.store.close().unwrap();
        for index in [Index::Keep, Index::Rebuild] {
            let store = open(&rig.disk, &rig.clock, index);
            for (of, told) in &model {
                assert_eq!(store.get(of, "k").unwrap().is_some(), told.is_there, "seed {seed}, {index:?}: {of}");
            }
            store.close().unwrap();
        }
    }
    assert!(gone > 20 && kept > 100, "{gone} gone, {kept} kept");
}

#[test]
fn a_crash_takes_all_of_a_task_or_nothing() {
    let rig = Rig::new(5);
    for of in ["task/a", "task/a/b", "task/a/c", "task/z"] {
        rig.set(of, "k", &[7; 600]);
    }
    rig.end("task/a");
    rig.days(11);
    rig.store.close().unwrap();
    let (mut points, mut gone) = (0, 0);
    for after in 0.. {
        let disk = rig.disk.copy();
        let store = open(&disk, &rig.clock, Index::Keep);
        disk.power_off_after(after);
        let done = store.compact(&mut |_, _| {});
        let was_off = disk.is_off();
        drop(store);
        let how = [Crash::LoseUnsynced, Crash::Torn, Crash::KeepAll, Crash::LoseNames][points % 4];
        let store = open(&disk.crash(how, after), &rig.clock, Index::Keep);
        let there = ["task/a", "task/a/b", "task/a/c"].map(|of| store.get(of, "k").unwrap().is_some());
        assert!(there == [true; 3] || there == [false; 3], "off after {after}: {there:?}");
        assert!(done.is_err() || there == [false; 3]);
        gone += u32::from(there == [false; 3]);
        assert!(store.get("task/z", "k").unwrap().is_some());
        store.compact(&mut |_, _| {}).unwrap();
        assert!(store.get("task/a", "k").unwrap().is_none());
        points += 1;
        if !was_off {
            break;
        }
    }
    assert!(points > 10 && gone > 3, "{points} crashes, {gone} gone");
}

/// Work on a task that had ended, of which retention keeps nothing: what was set there was deleted, cleared or has
/// expired since. With it went that the task goes on, and the task expired for its old end, with all that it held.
type Work = (&'static str, fn(&Rig, &str));

const WORK: &[Work] = &[
    ("a delete", |rig, at| {
        rig.tell(|request| request.add_delete(&scope(at), "gone").unwrap());
    }),
    ("a value that has expired", |rig, at| {
        let soon = Some(Timestamp(rig.clock_now() + 2_000_000));
        rig.tell(|request| request.add_set_with(&scope(at), "soon", b"1", None, soon).unwrap());
    }),
    ("a set and a delete", |rig, at| {
        rig.set(at, "twice", b"1");
        rig.tell(|request| request.add_delete(&scope(at), "twice").unwrap());
    }),
    ("a clear below", |rig, _| {
        rig.tell(|request| request.add_clear(&scope("task/a/below")).unwrap());
    }),
    ("a clear of all below a place", |rig, _| {
        rig.tell(|request| request.add_clear_prefix(&place("task/a/below")).unwrap());
    }),
];

#[test]
fn a_task_goes_on_also_where_nothing_of_the_work_is_left() {
    for (story, work) in WORK {
        for at in ["task/a", "task/a/below", "task/a/new/place"] {
            // Of what is not there nothing is deleted.
            let is_nothing = *story == "a delete" && at.ends_with("new/place");
            for expires_only_later in [false, true].into_iter().filter(|_| !is_nothing) {
                let rig = Rig::new(4);
                let present = Policy::default().keep_for(Duration::ZERO);
                let both = present.expire_ended(Duration::from_secs(10 * 86_400));
                let first = if expires_only_later { &present } else { &both };
                rig.tell(|request| request.add_retain(&place("task"), first).unwrap());
                for of in ["task/a", "task/a/below"] {
                    // Nor is what came after an erasure taken for what it erased.
                    rig.set(of, "gone", b"value");
                    rig.tell(|request| request.add_erase(&scope(of), "gone", 0).unwrap());
                    rig.set(of, "k", b"value");
                    rig.set(of, "gone", b"value");
                }
                rig.end("task/a");
                work(&rig, at);
                let is_below = story.starts_with("a clear");
                // What comes elsewhere moves the horizon behind it, and it leaves the files.
                for day in 0..3 {
                    rig.days(1);
                    rig.set("elsewhere", "k", &[day; 1000]);
                    rig.compact();
                }
                rig.tell(|request| request.add_retain(&place("task"), &both).unwrap());
                rig.days(20);
                rig.compact();
                rig.compact();
                assert!(rig.is_there("task/a"), "{story} at {at}");
                assert!(is_below || rig.is_there("task/a/below"), "{story} at {at}");
                // Said again, it ends.
                rig.end("task/a");
                rig.days(11);
                rig.compact();
                assert!(!rig.is_there("task/a") && !rig.is_there("task/a/below"), "{story} at {at}");
            }
        }
    }
}

/// Of a task of thousands of scopes only the first were looked at once more before all of it went.
#[test]
fn of_a_task_of_many_scopes_the_last_is_asked_as_well() {
    let rig = Rig::new(5);
    let name = |n: u32| format!("task/a/{n:05}");
    for from in (0..3000).step_by(500) {
        rig.tell(|request| (from..from + 500).for_each(|n| request.add_set(&scope(&name(n)), "k", b"v").unwrap()));
    }
    rig.set("task/a", "k", b"value");
    rig.end("task/a");
    rig.days(11);
    rig.compact();
    assert!((0..3000).all(|n| !rig.is_there(&name(n))) && !rig.is_there("task/a"));
    assert_eq!(rig.store.explain(&place("task/a")).unwrap().ended_above, None);
}
