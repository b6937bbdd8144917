//! When clears, erasures and claims go, story by story: each condition met, and missed by one commit.

use std::{path::Path, time::Duration};

use milepost_io::{SimClock, SimDisk};
use milepost_types::{At, Policy, Scope, Timestamp, Writer};

use super::*;
use crate::{ENDED_KEY, Engine, Horizon, Parts, Request, Settings, Threads, retention::Horizons, state::Tiers};

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn place(text: &str) -> ScopePrefix {
    ScopePrefix::parse(text).unwrap()
}

struct World {
    engine: Engine,
}

impl World {
    fn new() -> World {
        let parts = Parts::simulated(&SimDisk::new(1), &SimClock::new(Timestamp(1_700_000_000_000_000)));
        let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
        World { engine: Engine::open(parts, Path::new("/s"), settings).unwrap() }
    }

    fn commit(&self, request: Request) -> u64 {
        self.engine.commit(request).unwrap().seq.0
    }

    fn tell(&self, what: impl FnOnce(&mut Request)) -> u64 {
        let mut request = self.engine.request();
        what(&mut request);
        self.commit(request)
    }

    fn set(&self, of: &str, key: &str) -> u64 {
        self.tell(|request| request.add_set(&scope(of), key, b"1").unwrap())
    }

    fn claim(&self, of: &str) -> u64 {
        self.commit(self.engine.request().fence(&scope(of), 1).unwrap())
    }

    fn fork(&self, of: &str, origin: &str) -> u64 {
        let point = self.engine.last().seq;
        self.tell(|request| request.add_fork(&scope(of), &scope(origin), point).unwrap())
    }

    /// An erasure of a scope, or with a slash behind it of all below a prefix.
    fn erase(&self, name: &str, by: Option<&str>, bytes: u64) -> u64 {
        let mut request = self.engine.request();
        if let Some(by) = by {
            request = request.writer(Writer::new(by).unwrap());
        }
        match name.strip_suffix('/') {
            Some(prefix) => request.add_erase_prefix(&place(prefix), bytes).unwrap(),
            None => request.add_erase_scope(&scope(name), bytes).unwrap(),
        }
        self.commit(request)
    }

    /// As retention itself does it.
    fn expire(&self, name: &str) -> u64 {
        self.erase(name, Some(RETENTION_WRITER), 0)
    }

    /// A clear of something that is there.
    fn clear(&self, name: &str) -> u64 {
        match name.strip_suffix('/') {
            Some(prefix) => {
                self.set(&format!("{prefix}/x"), "to be cleared");
                self.tell(|request| request.add_clear_prefix(&place(prefix)).unwrap())
            }
            None => {
                self.set(name, "to be cleared");
                self.tell(|request| request.add_clear(&scope(name)).unwrap())
            }
        }
    }

    fn judge<R>(&self, ask: impl FnOnce(&mut Judging<'_>, &Tiers) -> R) -> R {
        let tiers = self.engine.shared().state.pin();
        let mut judging = Judging::now(self.engine.shared(), &tiers).unwrap();
        ask(&mut judging, &tiers)
    }

    /// Whether the last clear or erasure of this name goes, with the horizon of the root at a commit, and all through
    /// another one forgotten.
    fn goes(&self, name: &str, horizon: u64, forgotten: u64) -> bool {
        self.judge(|judging, tiers| {
            let row = Horizon { prefix: ScopePrefix::root(), seq: Seq(horizon), at: Timestamp(1) };
            (judging.horizons, judging.forgotten) = (Horizons::new(vec![row]), Seq(forgotten));
            let mark = tiers.own_marks(name).unwrap().pop().expect("it is there");
            judging.void_goes(name, mark).unwrap()
        })
    }

    /// A policy, and what it says of the clears so far.
    fn retain(&self, prefix: &str, policy: Policy) {
        self.tell(|request| request.add_retain(&place(prefix), &policy).unwrap());
    }
}

fn present() -> Policy {
    Policy::default().keep_for(Duration::ZERO)
}

/// A clear that hides nothing goes when the horizon has come to it, where a policy lets anything go.
#[test]
fn a_clear_goes_when_its_horizon_has_come_to_it() {
    for name in ["a", "a/"] {
        for policy in [Some(present()), Some(Policy::default().keep_last(1)), Some(Policy::default()), None] {
            let world = World::new();
            policy.into_iter().for_each(|policy| world.retain("", policy));
            let at = world.clear(name);
            let takes = policy.is_some_and(|policy| !policy.keeps_everything());
            let goes = [at - 1, at, at + 1].map(|horizon| world.goes(name, horizon, 0));
            assert_eq!(goes, [false, takes, takes], "{name} by {policy:?}");
        }
    }
}

/// A hold keeps the clears at its place and below; of all below a place also one that is held within it.
#[test]
fn a_hold_keeps_the_clears_that_meet_its_place() {
    let rows = [
        ("a", "a", true),
        ("a", "", true),
        ("a", "a/b", false),
        ("a", "ab", false),
        ("a/", "a", true),
        ("a/", "", true),
        ("a/", "a/b", true),
        ("a/", "ab", false),
        ("a/b", "a", true),
        ("a/b/", "a", true),
    ];
    for (name, held, is_kept) in rows {
        let world = World::new();
        world.retain("", present());
        let at = world.clear(name);
        assert!(world.goes(name, at, 0), "{name}: or this tests nothing");
        world.tell(|request| request.add_hold(&place(held), "case", None).unwrap());
        assert_eq!(world.goes(name, at, 0), !is_kept, "{name} with a hold on {held}");
    }
}

/// Whoever goes through all commits from one on finds each clear from there on.
#[test]
fn who_goes_through_all_commits_meets_the_clears_from_there_on() {
    for name in ["a", "a/"] {
        let world = World::new();
        world.retain("", present());
        let at = world.clear(name);
        for (from, is_kept) in [(at - 1, true), (at, true), (at + 1, false)] {
            let reading = world.engine.replay(Seq(from)).into_iter();
            assert_eq!(world.goes(name, at, 0), !is_kept, "{name} from {from}");
            drop(reading);
        }
    }
}

/// An erasure of all that a clear met stands for it, whatever the horizon. An erasure of a scope does not stand for a
/// clear of those below it, and none for what was cleared since.
#[test]
fn a_clear_goes_for_an_erasure_of_all_that_it_met() {
    let rows = [("a", "a", true), ("a/b", "a/", true), ("a", "a/b", false), ("a/", "a", false), ("a/", "a/", false)];
    for (cleared, erased, goes) in rows {
        let world = World::new();
        world.clear(cleared);
        assert!(!world.goes(cleared, 0, 0), "{cleared}");
        world.erase(erased, Some("ann"), 1);
        let mark = world.judge(|_, tiers| tiers.own_marks(cleared).unwrap()[0]);
        let is_gone = world.judge(|judging, _| judging.void_goes(cleared, mark).unwrap());
        assert_eq!(is_gone, goes, "{cleared}, and {erased} erased");
        if cleared != erased {
            world.clear(cleared);
            assert!(!world.goes(cleared, 0, 0), "{cleared} again, behind the erasure of {erased}");
        }
    }
}

/// In one commit as well: what stands behind the erasure was not erased.
#[test]
fn of_one_commit_what_was_cleared_is_told_from_what_was_erased() {
    let world = World::new();
    world.set("a", "k");
    let at = world.tell(|request| {
        request.add_clear(&scope("a")).unwrap();
        request.add_set(&scope("a"), "k", b"2").unwrap();
        request.add_erase_scope(&scope("a"), 1).unwrap();
        request.add_set(&scope("a"), "k", b"3").unwrap();
        request.add_clear(&scope("a")).unwrap();
    });
    let marks = world.judge(|_, tiers| tiers.own_marks("a").unwrap());
    assert!(marks.iter().all(|mark| mark.seq == at) && marks.len() == 3, "{marks:?}");
    let told: Vec<_> = world.judge(|judging, _| {
        marks
            .iter()
            .map(|mark| (judging.is_erasure("a", *mark).unwrap(), judging.void_goes("a", *mark).unwrap()))
            .collect()
    });
    assert_eq!(told, [(false, true), (true, false), (false, false)]);
}

/// What is erased first, and last, is an erasure; a clear before it, between and behind is none.
#[test]
fn an_erasure_is_told_from_a_clear_wherever_it_stands() {
    for (one, other) in [("a", "d"), ("a/", "d/")] {
        let world = World::new();
        let mut told = Vec::new();
        for round in 0..5 {
            match round {
                1 | 3 => world.erase(one, None, 1),
                _ => world.clear(one),
            };
            let is_erasure = |name: &str| {
                world.judge(|judging, tiers| {
                    let mark = tiers.own_marks(name).unwrap().pop().expect("it is there");
                    judging.is_erasure(name, mark).unwrap()
                })
            };
            told.push(is_erasure(one));
            world.clear(other);
            assert!(!is_erasure(other), "{other}, {round}");
        }
        assert_eq!(told, [false, true, false, true, false], "{one}");
        let again = world.judge(|judging, tiers| {
            let marks = tiers.own_marks(one).unwrap();
            marks.iter().map(|mark| judging.is_erasure(one, *mark).unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(again, told, "{one}, when more was erased");
    }
}

/// An erasure of retention's own goes once it is as long ago as keys are remembered. What somebody else erased stays,
/// since it is history, be it nothing that they erased, or they name themselves as retention does.
#[test]
fn only_an_erasure_of_retention_itself_goes_and_only_when_it_is_long_ago() {
    for name in ["a", "a/"] {
        let by = [
            (Some(RETENTION_WRITER), 0, true),
            (Some(RETENTION_WRITER), 1, false),
            (Some("ann"), 0, false),
            (None, 0, false),
            (None, 1, false),
        ];
        for (by, bytes, is_own) in by {
            let world = World::new();
            world.retain("", present());
            let at = world.erase(name, by, bytes);
            let goes = [at - 1, at, at + 1].map(|forgotten| world.goes(name, 99, forgotten));
            assert_eq!(goes, [false, is_own, is_own], "{name} by {by:?}, {bytes} bytes");
        }
    }
}

/// An erasure goes behind the claims that came before it, wherever they are in what it erased.
#[test]
fn an_erasure_stays_while_a_claim_from_before_it_is_left() {
    let rows: [(&str, &[&str], bool); 7] = [
        ("a", &["a"], true),
        ("a", &["a/b", "ab", "d"], false),
        ("a/", &["a"], true),
        ("a/", &["ab", "a/b"], true),
        ("a/", &["a-b", "ab", "d"], false),
        ("a/b/", &["a", "a/bc", "a/b-c"], false),
        ("a/b/", &["a/bc", "a/b/c/d"], true),
    ];
    for (name, claimed, stays) in rows {
        let world = World::new();
        for of in claimed {
            world.claim(of);
        }
        let at = world.expire(name);
        assert_eq!(world.goes(name, 99, at), !stays, "{name}, behind claims on {claimed:?}");
        let world = World::new();
        let at = world.expire(name);
        for of in claimed {
            world.claim(of);
        }
        assert!(world.goes(name, 99, at), "{name}, before claims on {claimed:?}");
    }
}

/// A claim is asked for until all of its scope was erased behind it, and that is long ago.
#[test]
fn a_claim_is_forgotten_with_what_was_erased_behind_it() {
    for erased in ["a", "a/", "b", "a/b"] {
        let world = World::new();
        world.erase("a", None, 1);
        let claim = world.claim("a");
        world.set("d", "k");
        let at = world.erase(erased, None, 1);
        world.erase("a", None, 1);
        let first = if erased.starts_with("a/b") || erased == "b" { at + 1 } else { at };
        let is_forgotten = |claim: Option<u64>, forgotten: u64| {
            world.judge(|judging, _| {
                judging.forgotten = Seq(forgotten);
                judging.fence_is_forgotten("a", claim).unwrap()
            })
        };
        let told = [claim, first - 1, first, first + 1].map(|forgotten| is_forgotten(Some(claim), forgotten));
        assert_eq!(told, [false, false, true, true], "{erased}");
        assert!(!is_forgotten(None, 99) && !is_forgotten(Some(first + 1), 99), "{erased}");
        world.tell(|request| request.add_hold(&place("a"), "case", None).unwrap());
        assert!(!is_forgotten(Some(claim), first), "held");
    }
    World::new().judge(|judging, _| {
        judging.forgotten = Seq(9);
        assert_eq!([8, 9, 10].map(|seq| judging.is_long_ago(Seq(seq))), [true, true, false]);
    });
}

/// That a clear touched last what is of a task that had ended says that the task goes on: it stays, for as long as
/// nothing else says it.
#[test]
fn a_clear_that_says_that_a_task_goes_on_stays() {
    for name in ["task", "task/b", "task/b/"] {
        let world = World::new();
        world.retain("", present());
        let before = world.clear(name);
        assert!(world.goes(name, before, 0), "{name}: no task has ended");
        let end = world.set("task", ENDED_KEY);
        assert!(world.goes(name, end, 0), "{name}: it was cleared before the end");
        let cleared = world.clear(name);
        let says_it = name != "task";
        // Of its own scope, the end is cleared with all else.
        assert_eq!(world.goes(name, cleared, 0), !says_it, "{name}");
        let first = world.judge(|_, tiers| tiers.own_marks(name).unwrap().pop().expect("it is there"));
        let again = world.clear(name);
        let goes = world.judge(|judging, _| {
            let row = Horizon { prefix: ScopePrefix::root(), seq: Seq(again), at: Timestamp(1) };
            judging.horizons = Horizons::new(vec![row]);
            judging.void_goes(name, first).unwrap()
        });
        assert!(goes, "{name}: one that says it is enough");
        assert_eq!(world.goes(name, again, 0), !says_it, "{name}");
    }
}

/// What the commit clears besides that says that a task has ended says nothing of its going on.
#[test]
fn a_clear_by_the_last_commit_of_a_task_goes() {
    let world = World::new();
    world.retain("", present());
    for of in ["task/a", "task/b", "task/b/c"] {
        world.set(of, "k");
    }
    let end = world.tell(|request| {
        request.add_clear(&scope("task/a")).unwrap();
        request.add_clear_prefix(&place("task/b")).unwrap();
        request.add_set(&scope("task"), ENDED_KEY, b"ended").unwrap();
    });
    assert!(world.goes("task/a", end, 0) && world.goes("task/b/", end, 0));
    world.set("task/a", "to be cleared");
    let behind = world.tell(|request| request.add_clear(&scope("task/a")).unwrap());
    assert!(!world.goes("task/a", behind, 0) && world.goes("task/b/", behind, 0), "one behind it does");
}

/// Where forks stand first that a clear may hide: at a scope, or anywhere below a prefix.
#[test]
fn the_first_fork_below_a_place_is_found() {
    let world = World::new();
    let first = |name: &str| world.judge(|judging, _| judging.first_fork(name).unwrap().map(|mark| mark.seq));
    world.set("d", "k");
    assert_eq!(["a", "a/", "d"].map(first), [None; 3]);
    let seqs = ["a/z", "ab", "a/c", "a", "a/b/c", "a-b"].map(|of| world.fork(of, "d"));
    let [z, ab, c, a, bc, _] = seqs.map(Some);
    let rows = [("a", a), ("a/", z), ("ab", ab), ("ab/", ab), ("a/b", None), ("a/b/", bc), ("a/c", c), ("a/c/", c)];
    for (name, right) in rows {
        assert_eq!(first(name), right, "{name}");
    }
    assert_eq!(["d", "d/", "b/"].map(first), [None; 3]);
}

/// A clear that hides what a fork began with stays, or it would show again.
#[test]
fn what_a_fork_began_with_and_was_cleared_does_not_come_back() {
    for name in ["copy", "copies/"] {
        for rebuilt in [false, true] {
            let disk = SimDisk::new(1);
            let clock = SimClock::new(Timestamp(1_700_000_000_000_000));
            let open = |index| {
                let (threads, segment_bytes) = (Threads::Stepped, 4 << 10);
                let settings = Settings { threads, segment_bytes, index, ..Settings::default() };
                Engine::open(Parts::simulated(&disk, &clock), Path::new("/s"), settings).unwrap()
            };
            let world = World { engine: open(crate::Index::Keep) };
            world.retain("", present());
            world.set("d", "k");
            world.fork("copy", "d");
            world.fork("copies/one", "d");
            match name.strip_suffix('/') {
                Some(prefix) => world.tell(|request| request.add_clear_prefix(&place(prefix)).unwrap()),
                None => world.tell(|request| request.add_clear(&scope(name)).unwrap()),
            };
            for n in 0..20 {
                clock.advance(1_000_000);
                world.tell(|request| request.add_set(&scope("e"), "k", &[n; 600]).unwrap());
            }
            world.engine.compact(&mut |_, _| {}).unwrap();
            let mut engine = world.engine;
            if rebuilt {
                engine.close().unwrap();
                engine = open(crate::Index::Rebuild);
            }
            let read = |of: &str| engine.view(At::Latest).unwrap().get(of, "k").unwrap().is_some();
            let right = [name != "copy", name != "copies/", true];
            assert_eq!(["copy", "copies/one", "d"].map(read), right, "{name} was cleared, index rebuilt: {rebuilt}");
        }
    }
}
