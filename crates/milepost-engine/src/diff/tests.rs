//! The difference from what changed against the difference by the walk, over random histories.

use std::{path::Path, sync::Arc};

use milepost_io::{SimClock, SimDisk, SimRng};
use milepost_types::{At, ContentType, Policy, Scope, ScopePrefix, Seq, Timestamp};

use super::{
    Diff, Found, Side,
    changed::{self, Stretch},
    walk,
};
use crate::{CommitError, Engine, Index, Parts, Request, Settings, Threads, View, state::Wanted};

const CHECKPOINTS: [&str; 2] = ["first", "second"];
const SCOPES: [&str; 6] = ["a", "a/b", "a/bc", "f", "f/g", "none"];
const BEGINNING: i64 = 1_700_000_000_000_000;

/// Where changes were told, and how often only a walk could tell them.
#[derive(Debug, Default)]
struct Told {
    in_memory: u32,
    by_records: u32,
    by_all: u32,
    differences: u64,
    /// Those between two scopes.
    of_forks: u64,
    /// Keys that were looked at because they were erased.
    erased: u64,
    walked: u32,
    /// Segments that were dropped or written anew meanwhile.
    compacted: u64,
}

struct World {
    disk: SimDisk,
    clock: Arc<SimClock>,
    engine: Option<Engine>,
    rng: SimRng,
    /// Scopes that began as others.
    forked: Vec<String>,
    memory_bytes: u64,
    /// One value in so many expires.
    expiring: u64,
    /// One commit in so many clears or forks.
    turning: u64,
    /// Whether the past goes now and then, but for its checkpoints.
    compacting: bool,
    told: Told,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = SimRng::new(seed);
        let (expiring, turning) = ([u64::MAX, 200, 5][rng.below(3) as usize], [1000, 60, 8][rng.below(3) as usize]);
        let memory_bytes = [4 << 10, 110 << 10, 1 << 20][rng.below(3) as usize];
        let (disk, clock) = (SimDisk::new(seed), Arc::new(SimClock::new(Timestamp(BEGINNING))));
        let told = Told::default();
        let compacting = seed.is_multiple_of(2);
        let forked = Vec::new();
        let mut world =
            World { disk, clock, engine: None, rng, forked, memory_bytes, expiring, turning, compacting, told };
        world.open();
        world
    }

    fn open(&mut self) {
        self.engine = None;
        let parts = Parts::simulated(&self.disk, &self.clock);
        let settings = Settings {
            // What the index knows of what was removed is then gone as well.
            index: if self.rng.below(2) == 0 { Index::Rebuild } else { Index::Keep },
            threads: Threads::Stepped,
            segment_bytes: 8 << 10,
            memory_bytes: self.memory_bytes,
            ..Settings::default()
        };
        self.engine = Some(Engine::open(parts, Path::new("/s"), settings).unwrap());
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    fn scope(&mut self) -> Scope {
        let forked = self.forked.iter().map(String::as_str);
        let names: Vec<&str> = SCOPES[..SCOPES.len() - 1].iter().copied().chain(forked).collect();
        Scope::parse(names[self.rng.below(names.len() as u64) as usize]).unwrap()
    }

    /// Has a new scope begin as another one was, if that held anything then.
    fn fork(&mut self) {
        let (name, origin) = (format!("t{}", self.forked.len()), self.scope());
        // Mostly a moment ago, so that much is the same.
        let last = self.engine().last().seq.0;
        let point =
            if self.rng.below(3) == 0 { self.rng.below(last + 1) } else { last - self.rng.below(last.min(9) + 1) };
        let (scope, mut request) = (Scope::parse(&name).unwrap(), self.engine().request());
        request.add_fork(&scope, &origin, Seq(point)).unwrap();
        if self.rng.below(3) == 0 {
            request = request.set(&scope, &format!("item/{:03}", self.rng.below(50)), b"own").unwrap();
        }
        if self.put(request) {
            self.forked.push(name);
        }
    }

    fn commit(&mut self) {
        if self.rng.below(20) == 0 {
            self.fork();
        }
        let mut request = self.engine().request();
        if self.rng.below(self.turning) == 0 {
            let (scope, last) = (self.scope(), self.engine().last().seq.0);
            request = match self.rng.below(5) {
                4 => {
                    request.add_erase_scope(&scope, 0).unwrap();
                    request
                }
                0 => request.clear(&scope).unwrap(),
                1 => request.clear_prefix(&ScopePrefix::parse(scope.as_str()).unwrap()).unwrap(),
                _ => {
                    let origin = self.scope();
                    request = request.clear(&scope).unwrap();
                    self.put(request);
                    let mut request = self.engine().request();
                    request.add_fork(&scope, &origin, Seq(self.rng.below(last + 1))).unwrap();
                    request
                }
            };
        } else {
            for _ in 0..=self.rng.below(6) {
                request = self.event(request);
            }
        }
        self.put(request);
    }

    fn event(&mut self, request: Request) -> Request {
        let (scope, key) = (self.scope(), format!("item/{:03}", self.rng.below(50)));
        if self.rng.below(40) == 0 {
            let mut request = request;
            request.add_checkpoint(&scope, CHECKPOINTS[self.rng.below(2) as usize], None).unwrap();
            return request;
        }
        if self.rng.below(30) == 0 {
            let mut request = request;
            request.add_erase(&scope, &key, 0).unwrap();
            return request;
        }
        if self.rng.below(4) == 0 {
            return request.delete(&scope, &key).unwrap();
        }
        // Few values, so that a key often gets the one that it had.
        let value = [b"one".as_slice(), b"two", b""][self.rng.below(3) as usize];
        let content_type = Some(ContentType::TEXT).filter(|_| self.rng.below(4) == 0);
        let soon = Timestamp(self.engine().last().at.0 + self.rng.below(40) as i64);
        let expires_at = Some(soon).filter(|_| self.rng.below(self.expiring) == 0);
        request.set_with(&scope, &key, value, content_type.as_ref(), expires_at).unwrap()
    }

    /// Whether it was taken.
    fn put(&self, request: Request) -> bool {
        match self.engine().commit(request) {
            Ok(_) => true,
            // A fork onto what lives, or from itself.
            Err(CommitError::Refused(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn view(&mut self) -> View {
        let last = self.engine().last();
        let at = match self.rng.below(12) {
            0 => At::Latest,
            8.. => {
                let (scope, name) = (self.scope(), CHECKPOINTS[self.rng.below(2) as usize].to_owned());
                let at = At::Checkpoint { scope, name };
                if self.engine().view(at.clone()).is_ok() { at } else { At::Latest }
            }
            1 => At::Time(Timestamp(BEGINNING + self.rng.below((last.at.0 - BEGINNING) as u64 + 50) as i64)),
            2 => At::Seq(Seq(last.seq.0.saturating_sub(self.rng.below(4)))),
            _ => At::Seq(Seq(self.rng.below(last.seq.0 + 1))),
        };
        let view = self.engine().view(at).unwrap();
        // As a restore has it.
        if self.rng.below(6) == 0 { View { at: Some(last.at), ..view } } else { view }
    }

    fn check(&mut self) {
        let (old, new) = (self.view(), self.view());
        let near = At::Seq(Seq(old.seq.0.saturating_sub(self.rng.below(3))));
        let near = self.engine().view(near).unwrap();
        if self.compacting && self.rng.below(3) == 0 {
            self.compact();
        }
        for (old, new) in [(&old, &new), (&near, &old)] {
            for scope in SCOPES {
                self.same(scope, old, new);
            }
            // Scopes that were forked from each other, or from the same, or not.
            for _ in 0..12 {
                let [one, other] = [(); 2].map(|()| self.scope());
                self.same_of(Side { scope: one.as_str(), view: old }, Side { scope: other.as_str(), view: new });
            }
        }
    }

    fn compact(&mut self) {
        let prefix = ScopePrefix::parse(["a", "a/b", "f", "t1", ""][self.rng.below(5) as usize]).unwrap();
        let policy = Policy { keep_last: Some(self.rng.below(3)), ..Policy::default() };
        self.retain(&prefix, &policy);
    }

    /// Takes out what such a policy does not keep.
    fn retain(&mut self, prefix: &ScopePrefix, policy: &Policy) {
        let mut request = self.engine().request();
        request.add_retain(prefix, policy).unwrap();
        self.put(request);
        let done = self.engine().compact(&mut |_, _| {}).unwrap();
        self.told.compacted += done.dropped + done.rewritten;
    }

    fn same(&mut self, scope: &str, old: &View, new: &View) {
        self.same_of(Side { scope, view: old }, Side { scope, view: new });
    }

    fn same_of(&mut self, old: Side<'_>, new: Side<'_>) {
        // Before the horizon there is nothing to tell.
        if [old, new].into_iter().any(|side| side.view.may_see_in_store(side.scope).is_err()) {
            return;
        }
        let asked = format!("{} at {} and {} at {}", old.scope, old.view.seq, new.scope, new.view.seq);
        let tiers = old.view.pin.shared.state.pin();
        let lineage = old.view.pin.shared.lineage(&tiers);
        let walked = lines(walk::gather(&lineage, old, new).unwrap(), old, new);
        let found: Vec<_> = old.view.diff(old.scope, new.view, new.scope).unwrap().map(Result::unwrap).collect();
        assert_eq!(found.iter().map(line).collect::<Vec<_>>(), walked, "{asked}");
        let Some(changed) = changed::gather(&lineage, old, new).unwrap() else {
            self.told.walked += 1;
            return;
        };
        self.told.differences += walked.len() as u64;
        if old.scope != new.scope {
            self.told.of_forks += walked.len() as u64;
        }
        assert_eq!(lines(changed, old, new), walked, "{asked}");
        let ancestry = |side: Side<'_>| lineage.ancestry(side.scope, side.view.seq).unwrap();
        let ways = changed::ways(&lineage, (old, &ancestry(old)), (new, &ancestry(new))).unwrap().unwrap();
        self.told.erased += ways.keys.len() as u64;
        for Stretch { scope, before, last } in ways.stretches {
            let changes = tiers.changes(&scope, (before, last), &mut { u64::MAX }).unwrap().unwrap();
            self.told.in_memory += u32::from(!changes.keys.is_empty());
            for wanted in changes.commits {
                match wanted {
                    Wanted::Records(..) => self.told.by_records += 1,
                    Wanted::All(_) => self.told.by_all += 1,
                }
            }
        }
    }
}

fn line(difference: &super::Difference) -> String {
    format!("{difference:?} {:?}", [&difference.old, &difference.new].map(|side| side.as_deref().map(<[u8]>::to_vec)))
}

fn lines(found: Vec<Found>, old: Side<'_>, new: Side<'_>) -> Vec<String> {
    let of = |side: Side<'_>| (side.view.clone(), side.scope.to_owned());
    let diff = Diff { found: found.into_iter(), old: of(old), new: of(new), erasure: Seq::MAX, held: None };
    diff.map(|difference| line(&difference.unwrap())).collect()
}

#[test]
fn what_changed_tells_the_same_as_the_walk() {
    let mut all = Told::default();
    for seed in 0..16 {
        let mut world = World::new(seed);
        for _ in 0..300 {
            world.commit();
            match world.rng.below(40) {
                0..8 => {
                    for _ in 0..world.rng.below(60) {
                        world.engine().step_index();
                    }
                }
                8 => world.open(),
                9..13 => world.check(),
                _ => {}
            }
        }
        let Told { in_memory, by_records, by_all, differences, of_forks, erased, walked, compacted } = world.told;
        all.compacted += compacted;
        all.in_memory += in_memory;
        all.by_records += by_records;
        all.by_all += by_all;
        all.differences += differences;
        all.of_forks += of_forks;
        all.erased += erased;
        all.walked += walked;
    }
    let least = [all.in_memory, all.by_records, all.by_all, all.walked, all.erased as u32].into_iter().min();
    let much = [all.differences, all.of_forks].into_iter().min();
    assert!(least > Some(200) && much > Some(2000) && all.compacted > 50, "every way was gone: {all:?}");
}

/// Each view of a checkpoint was walked, as one before a horizon is: a diff from it, and a restore to it, cost what
/// exists and not what changed.
#[test]
fn a_checkpoint_is_not_walked_to() {
    let mut world = World::new(0);
    let scope = Scope::parse("a").unwrap();
    let mut request = world.engine().request();
    request.add_checkpoint(&scope, "first", None).unwrap();
    for number in 0..100 {
        request = request.set(&scope, &format!("item/{number:03}"), b"one").unwrap();
    }
    world.put(request);
    let check = |world: &mut World, differences| {
        let then = world.engine().view(At::Checkpoint { scope: scope.clone(), name: "first".to_owned() }).unwrap();
        let now = world.engine().view(At::Latest).unwrap();
        world.told = Told::default();
        world.same("a", &then, &now);
        assert_eq!((world.told.walked, world.told.differences), (0, differences));
    };
    for round in 0..3 {
        world.put(world.engine().request().set(&scope, "item/007", &[round]).unwrap());
    }
    world.put(world.engine().request().delete(&scope, "item/008").unwrap());
    check(&mut world, 2);
    // Behind it the horizon has moved, and what it saw is kept: what is gone between then and now makes no difference.
    let (prefix, policy) = (ScopePrefix::parse("a").unwrap(), Policy { keep_last: Some(0), ..Policy::default() });
    world.retain(&prefix, &policy);
    assert!(world.told.compacted > 0);
    assert!(world.engine().view(At::Seq(Seq(2))).unwrap().may_see_in_store("a").is_err());
    check(&mut world, 2);
    // One that is open since before is not walked either.
    let old = world.engine().view(At::Latest).unwrap();
    for round in 0..3 {
        world.put(world.engine().request().set(&scope, "item/009", &[round]).unwrap());
    }
    world.put(world.engine().request().set(&scope, "item/010", b"two").unwrap());
    world.told = Told::default();
    world.retain(&prefix, &policy);
    assert!(world.told.compacted > 0);
    let new = world.engine().view(At::Latest).unwrap();
    world.same("a", &old, &new);
    assert_eq!((world.told.walked, world.told.differences), (0, 2));
}

/// A fork has no version of what it began with: that it expires is known to the origin alone.
#[test]
fn what_was_inherited_expires_between_two_moments() {
    let mut world = World::new(0);
    let (origin, fork) = (Scope::parse("a").unwrap(), Scope::parse("f").unwrap());
    let soon = Some(Timestamp(world.engine().last().at.0.max(BEGINNING) + 1000));
    let request = world.engine().request().set_with(&origin, "k", b"v", None, soon).unwrap();
    world.put(request.set(&origin, "l", b"v").unwrap());
    let mut request = world.engine().request();
    request.add_fork(&fork, &origin, Seq(1)).unwrap();
    world.put(request);
    for _ in 0..2 {
        world.put(world.engine().request().set(&fork, "m", b"v").unwrap());
        world.clock.advance(1000);
    }
    let view = |seq| world.engine().view(At::Seq(Seq(seq))).unwrap();
    let (old, new) = (view(3), view(4));
    world.same("f", &old, &new);
    let keys: Vec<_> =
        old.diff("f", &new, "f").unwrap().map(|difference| difference.unwrap().key.to_string()).collect();
    assert_eq!((keys, world.told.walked), (vec!["k".to_owned()], 1));
    // At one time nothing expires.
    let old = View { at: Some(new.at().unwrap()), ..old };
    world.same("f", &old, &new);
    assert_eq!((world.told.walked, world.told.differences), (1, 0));
}

/// Nothing shows through a fork any more that was erased as a whole since, at moments before that neither: no version
/// says so of what it began with. An erasure before the fork takes nothing of that.
#[test]
fn what_a_fork_began_with_is_walked_to_once_it_was_erased_as_a_whole() {
    for (is_erased_since, walked, differences) in [(false, 0, 1), (true, 1, 2)] {
        let mut world = World::new(0);
        (world.told, world.compacting) = (Told::default(), false);
        let [origin, fork] = ["a", "f"].map(|name| Scope::parse(name).unwrap());
        let erase = |world: &World| {
            let mut request = world.engine().request();
            request.add_erase_scope(&fork, 0).unwrap();
            assert!(world.put(request));
        };
        world.put(world.engine().request().set(&origin, "k", b"v").unwrap().set(&origin, "l", b"v").unwrap());
        world.put(world.engine().request().set(&fork, "k", b"before").unwrap());
        erase(&world);
        let mut request = world.engine().request();
        request.add_fork(&fork, &origin, Seq(1)).unwrap();
        assert!(world.put(request.set(&fork, "m", b"own").unwrap()));
        if is_erased_since {
            erase(&world);
        }
        let view = world.engine().view(At::Seq(Seq(4))).unwrap();
        world.same_of(Side { scope: "f", view: &view }, Side { scope: "a", view: &view });
        let told = view.diff("f", &view, "a").unwrap().count();
        assert_eq!((world.told.walked, told), (walked, differences), "erased since: {is_erased_since}");
    }
}

/// With more versions than keys the walk is the shorter way.
#[test]
fn a_key_that_changed_often_is_walked_to() {
    let mut world = World::new(0);
    (world.memory_bytes, world.told) = (4 << 10, Told::default());
    world.open();
    let scope = Scope::parse("a").unwrap();
    for round in 0..100_u64 {
        let key = if round == 0 { "cold" } else { "hot" };
        world.put(world.engine().request().set(&scope, key, &round.to_le_bytes()).unwrap());
        // A commit freezes what is full; here it becomes a run, so that the next commit may freeze again. No step is
        // taken to merge runs.
        while round > 95 && world.engine().stats().frozen_bytes > 0 && world.engine().step_index() {}
    }
    assert!(world.engine().stats().runs > 1);
    for (from, walked) in [(99, 0), (98, 0), (50, 1), (0, 2)] {
        let [old, new] = [from, 100].map(|seq| world.engine().view(At::Seq(Seq(seq))).unwrap());
        world.same("a", &old, &new);
        assert_eq!(world.told.walked, walked, "from {from}");
    }
}

/// Two values are the same if they have the same bytes, are said to be the same thing, and go at the same time.
#[test]
fn values_that_can_be_told_apart_are_told() {
    type Given = Option<(&'static [u8], Option<ContentType>, Option<i64>)>;
    let world = World::new(0);
    let (soon, later, past) = (Some(BEGINNING + 1_000_000), Some(BEGINNING + 2_000_000), Some(BEGINNING - 1));
    let plain: Given = Some((b"v", None, None));
    let (text, json) = (Some(ContentType::TEXT), Some(ContentType::JSON));
    let rows: [(Given, Given, Option<&str>); 14] = [
        (None, plain.clone(), Some("added")),
        (plain.clone(), None, Some("removed")),
        (plain.clone(), plain.clone(), None),
        (plain.clone(), Some((b"w", None, None)), Some("changed")),
        (plain.clone(), Some((b"", None, None)), Some("changed")),
        (plain.clone(), Some((b"v", text.clone(), None)), Some("changed")),
        (Some((b"v", text.clone(), None)), Some((b"v", json, None)), Some("changed")),
        (Some((b"v", text.clone(), soon)), Some((b"v", text, soon)), None),
        (plain.clone(), Some((b"v", None, soon)), Some("changed")),
        (Some((b"v", None, soon)), Some((b"v", None, later)), Some("changed")),
        (Some((b"v", None, soon)), Some((b"v", None, soon)), None),
        (Some((b"v", None, past)), plain.clone(), Some("added")),
        (plain, Some((b"v", None, past)), Some("removed")),
        (Some((b"v", None, past)), None, None),
    ];
    let mut request = world.engine().request();
    for (number, (old, new, _)) in rows.iter().enumerate() {
        for (scope, given) in [("a", old), ("f", new)] {
            if let Some((value, content_type, expires_at)) = given {
                let (scope, key) = (Scope::parse(scope).unwrap(), format!("{number:02}"));
                let expires_at = expires_at.map(Timestamp);
                request = request.set_with(&scope, &key, value, content_type.as_ref(), expires_at).unwrap();
            }
        }
    }
    world.put(request);
    let view = world.engine().view(At::Latest).unwrap();
    let told: Vec<(String, &str)> = view
        .diff("a", &view, "f")
        .unwrap()
        .map(|difference| difference.unwrap())
        .map(|difference| (difference.key.to_string(), difference.kind().name()))
        .collect();
    let expected = rows.iter().enumerate().filter_map(|(number, (.., told))| Some((format!("{number:02}"), (*told)?)));
    assert_eq!(told, expected.collect::<Vec<_>>());
}
