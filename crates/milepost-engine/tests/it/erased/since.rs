//! What of a moment was erased since, held to a plain list of all that happened.

use std::ops::ControlFlow;

use milepost_engine::ErasedSince;
use milepost_io::{Clock, SimRng};
use milepost_types::{At, Seq, Timestamp};

use crate::{
    compaction::{Rig, files_with, place},
    scope,
};

const SCOPES: [&str; 4] = ["a", "a/b", "d", "f"];
const KEYS: [&str; 4] = ["k0", "k1", "k2", "k3"];

/// What a commit did; each does one thing.
#[derive(Clone, Copy, Debug)]
enum Did {
    Set(&'static str, &'static str, Option<Timestamp>),
    Delete(&'static str, &'static str),
    Clear(&'static str),
    ClearBelow(&'static str),
    Erase(&'static str, &'static str),
    EraseScope(&'static str),
    EraseBelow(&'static str),
    Fork(&'static str, &'static str, u64),
}

fn is_below(scope: &str, prefix: &str) -> bool {
    scope.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Did {
    fn erases_all(self, of: &str) -> bool {
        match self {
            Did::EraseScope(scope) => scope == of,
            Did::EraseBelow(prefix) => is_below(of, prefix),
            _ => false,
        }
    }

    fn clears(self, of: &str) -> bool {
        match self {
            Did::Clear(scope) => scope == of,
            Did::ClearBelow(prefix) => is_below(of, prefix),
            _ => self.erases_all(of),
        }
    }

    fn erases(self, of: &str, key: &str) -> bool {
        self.erases_all(of) || matches!(self, Did::Erase(scope, erased) if (scope, erased) == (of, key))
    }

    /// Whether it is a version of a key.
    fn is_of(self, of: &str, key: &str) -> bool {
        match self {
            Did::Set(scope, named, _) | Did::Delete(scope, named) | Did::Erase(scope, named) => {
                (scope, named) == (of, key)
            }
            _ => false,
        }
    }
}

/// All that happened, each with its commit.
#[derive(Default)]
struct Told(Vec<(u64, Timestamp, Did)>);

/// One of the scopes that a moment is read from: the scope, as of which commit, and the fork that it began with.
type Part = (&'static str, u64, u64);

impl Told {
    fn last(&self, through: u64, is_wanted: impl Fn(Did) -> bool) -> Option<(u64, Did)> {
        let found = self.0.iter().rev().find(|(seq, _, did)| *seq <= through && is_wanted(*did));
        found.map(|(seq, _, did)| (*seq, *did))
    }

    fn parts(&self, scope: &'static str, seq: u64) -> Vec<Part> {
        let fork = self.last(seq, |did| matches!(did, Did::Fork(forked, ..) if forked == scope));
        let Some((forked, Did::Fork(_, origin, point))) = fork else { return vec![(scope, seq, 0)] };
        let own = vec![(scope, seq, forked)];
        // What was cleared since shows nothing of it.
        if self.last(seq, |did| did.clears(scope)).is_some_and(|(cleared, _)| cleared > forked) {
            return own;
        }
        own.into_iter().chain(self.parts(origin, point)).collect()
    }

    /// What a moment lacks of a key: the commit that erased it last, and whether it surely was there.
    fn lacks(&self, parts: &[Part], key: &str, moment: u64) -> Option<(u64, bool)> {
        let at = self.0.iter().find(|(seq, ..)| *seq == moment).map(|(_, at, _)| *at)?;
        let own = |(scope, seq, forked): &Part| {
            self.last(*seq, |did| did.is_of(scope, key)).filter(|(found, _)| found > forked)
        };
        let found = parts.iter().position(|part| own(part).is_some());
        let passed = &parts[..found.map_or(parts.len(), |index| index + 1)];
        let erased = passed.iter().filter_map(|(scope, ..)| self.last(u64::MAX, |did| did.erases(scope, key)));
        let by = erased.map(|(by, _)| by).max().filter(|by| *by > moment)?;
        let Some(index) = found else {
            // Erased by its name, and never there as far as anybody knows.
            let is_named = |scope: &str| {
                self.last(u64::MAX, |did| matches!(did, Did::Erase(of, named) if (of, named) == (scope, key)))
            };
            let is_named = parts.iter().any(|(scope, ..)| is_named(scope).is_some_and(|(by, _)| by > moment));
            return is_named.then_some((by, false));
        };
        let (scope, seq, _) = parts[index];
        let (set, did) = own(&parts[index])?;
        let Did::Set(_, _, expires_at) = did else { return None };
        let is_cleared = self.last(seq, |did| did.clears(scope)).is_some_and(|(cleared, _)| cleared > set);
        // What was erased of an origin between the fork and the moment was not there any more.
        let is_gone = passed.iter().any(|(scope, seq, _)| {
            self.last(moment, |did| did.erases(scope, key)).is_some_and(|(erased, _)| erased > *seq)
        });
        let is_there = !is_cleared && !is_gone && expires_at.is_none_or(|expires_at| expires_at > at);
        is_there.then_some((by, true))
    }
}

fn drawn(rig: &Rig, rng: &mut SimRng, told: &mut Told) {
    rig.clock.advance(1_000_000);
    let (of, key, last) = (SCOPES[rng.index(4)], KEYS[rng.index(4)], rig.store.last().seq);
    let mut request = rig.store.request();
    let did = match rng.below(24) {
        0 => Did::Clear(of),
        1 => Did::ClearBelow("a"),
        2..5 => Did::Erase(of, key),
        5 => Did::EraseScope(of),
        6 => Did::EraseBelow("a"),
        7 | 8 => Did::Delete(of, key),
        9..12 => Did::Fork(of, SCOPES[rng.index(4)], last.0.saturating_sub(rng.below(6))),
        12..15 => Did::Set(of, key, Some(Timestamp(rig.clock.now().0 + rng.below(30) as i64 * 1_000_000))),
        _ => Did::Set(of, key, None),
    };
    match did {
        Did::Set(of, key, expires_at) => request.add_set_with(&scope(of), key, b"v", None, expires_at).unwrap(),
        Did::Delete(of, key) => request.add_delete(&scope(of), key).unwrap(),
        Did::Clear(of) => request.add_clear(&scope(of)).unwrap(),
        Did::ClearBelow(prefix) => request.add_clear_prefix(&place(prefix)).unwrap(),
        Did::Erase(of, key) => request.add_erase(&scope(of), key, 0).unwrap(),
        Did::EraseScope(of) => request.add_erase_scope(&scope(of), 0).unwrap(),
        Did::EraseBelow(prefix) => request.add_erase_prefix(&place(prefix), 0).unwrap(),
        Did::Fork(of, origin, point) => request.add_fork(&scope(of), &scope(origin), Seq(point)).unwrap(),
    }
    // Refused: a fork onto state. What takes nothing away is no commit.
    let committed = rig.store.commit(request).ok().filter(|receipt| receipt.seq > last);
    told.0.extend(committed.map(|receipt| (receipt.seq.0, receipt.at, did)));
    while rig.store.step_index() {}
}

/// Every key that a moment showed and that was erased since is told once, in order, and no other: whatever was set,
/// cleared, forked and erased before and behind it.
#[test]
fn what_was_erased_since_a_moment_is_told_as_by_a_list_of_all_that_happened() {
    let (mut sure, mut perhaps, mut whole) = (0, 0, 0);
    for seed in 0..24 {
        let (rig, mut rng, mut list) = (Rig::new(seed), SimRng::new(seed), Told::default());
        while list.0.len() < 70 {
            drawn(&rig, &mut rng, &mut list);
        }
        for moment in 1..=rig.store.last().seq.0 {
            let view = rig.store.view(At::Seq(Seq(moment))).unwrap();
            for of in SCOPES {
                let parts = list.parts(of, moment);
                let lacks = KEYS.iter().filter_map(|key| Some((*key, list.lacks(&parts, key, moment)?)));
                let right: Vec<(String, u64, bool)> =
                    lacks.map(|(key, (by, is_sure))| (key.to_owned(), by, is_sure)).collect();
                // Of an origin that was erased as a whole by then, though behind the fork, the moment showed nothing.
                let was_shown = |(scope, seq, _): &&Part| {
                    list.last(moment, |did| did.erases_all(scope)).is_none_or(|(erased, _)| erased <= *seq)
                };
                let shown = parts.iter().take_while(was_shown);
                let erased = shown.filter_map(|(scope, ..)| list.last(u64::MAX, |did| did.erases_all(scope)));
                let counted = ErasedSince {
                    keys: right.iter().filter(|(.., is_sure)| *is_sure).count() as u64,
                    perhaps: right.iter().filter(|(.., is_sure)| !is_sure).count() as u64,
                    whole: erased.map(|(by, _)| Seq(by)).max().filter(|by| by.0 > moment),
                };
                let mut keys = Vec::new();
                let told = view.each_erased_since(of, &mut |erased| {
                    keys.push((erased.key.to_string(), erased.by.0, erased.is_sure));
                    ControlFlow::Continue(())
                });
                assert_eq!((told.unwrap(), &keys), (counted, &right), "seed {seed}, {of} at {moment}: {:?}", list.0);
                assert_eq!(counted.is_nothing(), right.is_empty() && counted.whole.is_none());
                // Who breaks off is told no more.
                for stop in 1..=keys.len() {
                    let mut visited = 0;
                    let told = view.each_erased_since(of, &mut |_| {
                        visited += 1;
                        if visited == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    });
                    let told = told.unwrap();
                    assert_eq!((visited, told.keys + told.perhaps), (stop, stop as u64), "seed {seed}, {of}");
                }
                (sure, perhaps) = (sure + counted.keys, perhaps + counted.perhaps);
                whole += u64::from(counted.whole.is_some());
            }
        }
    }
    assert!(sure > 1000 && perhaps > 100 && whole > 1000, "{sure} {perhaps} {whole}");
}

/// What a fork had erased of its own by a moment it did not show then, though it was set and erased once more since,
/// and compaction has taken of it whatever it may.
#[test]
fn what_a_fork_had_erased_itself_is_not_told_as_there() {
    for is_whole in [false, true] {
        let rig = Rig::new(82);
        let point = rig.set("a", "k", b"inherited");
        let mut fork = rig.store.request();
        fork.add_fork(&scope("b"), &scope("a"), point).unwrap();
        rig.store.commit(fork).unwrap();
        let erase = || {
            let mut request = rig.store.request();
            if is_whole {
                request.add_erase_scope(&scope("b"), 0).unwrap();
            } else {
                request.add_erase(&scope("b"), "k", 0).unwrap();
            }
            rig.store.commit(request).unwrap().seq
        };
        let moment = erase();
        rig.set("b", "k", b"set once more");
        let by = erase();
        let told = || {
            let (view, mut keys) = (rig.store.view(At::Seq(moment)).unwrap(), Vec::new());
            let told = view.each_erased_since("b", &mut |erased| {
                keys.push((erased.by, erased.is_sure));
                ControlFlow::Continue(())
            });
            (keys, told.unwrap().whole)
        };
        let right = (Vec::new(), is_whole.then_some(by));
        assert_eq!(told(), right);
        // All of that lies in runs.
        for n in 0..60 {
            rig.set("d", &format!("k{n}"), &[n; 90]);
        }
        rig.compact();
        assert!(rig.store.compacted().runs > 0);
        assert_eq!(told(), right, "is it whole: {is_whole}");
    }
}

/// When the bytes of a value have gone, it is not known any more when it would have expired: one that would for sure
/// was there, of another that may be. When the index has forgotten it, nothing is sure.
#[test]
fn a_value_that_would_have_expired_may_have_been_there() {
    let rig = Rig::new(81);
    let later = Some(Timestamp(rig.clock.now().0 + 3_600_000_000));
    for (key, expires_at) in [("expires", later), ("stays", None)] {
        let request = rig.store.request().set_with(&scope("a"), key, &[b'x'; 1500], None, expires_at).unwrap();
        rig.store.commit(request).unwrap();
    }
    let moment = rig.set("d", "k", b"the moment");
    // What stays keeps the run from being written anew.
    for n in 0..60 {
        rig.set("d", &format!("k{n}"), &[n; 90]);
    }
    let mut erase = rig.store.request();
    for key in ["expires", "stays"] {
        erase.add_erase(&scope("a"), key, 1500).unwrap();
    }
    rig.store.commit(erase).unwrap();
    let told = || {
        let (view, mut keys) = (rig.store.view(At::Seq(moment)).unwrap(), Vec::new());
        let told = view.each_erased_since("a", &mut |erased| {
            keys.push((erased.key.to_string(), erased.is_sure));
            ControlFlow::Continue(())
        });
        assert_eq!(told.unwrap().whole, None);
        keys
    };
    let is = |expires, stays| vec![("expires".to_owned(), expires), ("stays".to_owned(), stays)];
    assert_eq!(told(), is(true, true));
    while rig.store.step_compact().unwrap() {}
    while rig.store.step_recycle() {}
    assert!(files_with(&rig.disk, &[b'x'; 1500]).is_empty(), "the bytes are gone");
    assert_eq!(rig.store.compacted().runs, 0, "and the index knows of them still");
    assert_eq!(told(), is(false, true));
    rig.compact();
    assert!(rig.store.compacted().runs > 0);
    assert_eq!(told(), is(false, false));
}
