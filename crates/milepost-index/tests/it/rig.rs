//! A history of events, a model made of it, a run built of it, and every question asked of both.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_index::{
    BuildError, KeyHash, Mark, Merge, Near, OpenRunError, Run, RunBuilder, RunFacts, RunId, RunPlan, ScopeHash,
    ScopeSeqs, Source, Stepped, Version,
};
use milepost_io::{SimDisk, SimRng};
use milepost_types::Corruption;

pub(crate) const STORE: [u8; 16] = *b"a store's own id";

pub(crate) fn dir() -> PathBuf {
    PathBuf::from("/store/index")
}

/// A disk with the directory of runs.
pub(crate) fn disk() -> SimDisk {
    let disk = SimDisk::new(7);
    milepost_io::Disk::create_dir(&disk, &dir()).unwrap();
    for dir in ["/", "/store", "/store/index"] {
        milepost_io::Disk::sync_dir(&disk, Path::new(dir)).unwrap();
    }
    disk
}

/// What is known of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelScope {
    pub(crate) seqs: ScopeSeqs,
    pub(crate) clears: Vec<Mark>,
    /// Oldest first.
    pub(crate) keys: BTreeMap<String, Vec<Version>>,
}

/// Everything in a range of commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) scopes: BTreeMap<String, ModelScope>,
}

impl Model {
    pub(crate) fn new(first_seq: u64, last_seq: u64) -> Model {
        Model { first_seq, last_seq, scopes: BTreeMap::new() }
    }

    /// An event on a key; later than all before, or a claim beside another.
    pub(crate) fn put(&mut self, scope: &str, key: &str, version: Version) {
        let state = self.scopes.entry(scope.to_owned()).or_default();
        state.seqs.touched = version.seq;
        if version.kind < 2 {
            state.seqs.last_set = version.seq;
        }
        let versions = state.keys.entry(key.to_owned()).or_default();
        if versions.last() != Some(&version) {
            versions.push(version);
        }
    }

    pub(crate) fn clear(&mut self, scope: &str, mark: Mark) {
        let state = self.scopes.entry(scope.to_owned()).or_default();
        state.seqs.touched = mark.seq;
        state.clears.push(mark);
    }

    /// The part of the history from one commit to another.
    pub(crate) fn part(&self, first_seq: u64, last_seq: u64) -> Model {
        let mut part = Model::new(first_seq, last_seq);
        let range = first_seq..=last_seq;
        for (name, scope) in &self.scopes {
            for mark in scope.clears.iter().filter(|mark| range.contains(&mark.seq)) {
                part.clear(name, *mark);
            }
            let mut touched = part.scopes.get(name).map_or(0, |scope| scope.seqs.touched);
            for (key, versions) in &scope.keys {
                for version in versions.iter().filter(|version| range.contains(&version.seq)) {
                    let last_set = part.scopes.get(name).map_or(0, |scope| scope.seqs.last_set);
                    touched = touched.max(version.seq);
                    part.put(name, key, *version);
                    let state = part.scopes.get_mut(name).unwrap();
                    state.seqs = ScopeSeqs { touched, last_set: state.seqs.last_set.max(last_set) };
                }
            }
        }
        part
    }

    /// What is left of it if only some versions and clears are kept. When a scope was changed stays as it was.
    pub(crate) fn kept(&self, keeps: impl Fn(Version) -> bool) -> Model {
        let mut kept = self.clone();
        for scope in kept.scopes.values_mut() {
            scope.keys.values_mut().for_each(|versions| versions.retain(|version| keeps(*version)));
            scope.keys.retain(|_, versions| !versions.is_empty());
            scope.clears.retain(|mark| keeps(Version { seq: mark.seq, record: mark.record, kind: 0 }));
        }
        kept.scopes.retain(|_, scope| !(scope.keys.is_empty() && scope.clears.is_empty()));
        kept
    }

    pub(crate) fn plan(&self, id: u64) -> RunPlan {
        RunPlan { store: STORE, id: RunId(id), first_seq: self.first_seq, last_seq: self.last_seq }
    }

    pub(crate) fn build(&self, disk: &SimDisk, id: u64) -> Result<RunFacts, BuildError> {
        let mut builder = RunBuilder::begin(Arc::new(disk.clone()), &dir(), self.plan(id))?;
        for (name, scope) in &self.scopes {
            builder.scope(name, scope.seqs, &scope.clears)?;
            for (key, versions) in &scope.keys {
                builder.key(key, versions.iter().rev().copied())?;
            }
        }
        builder.finish()
    }

    /// The run, built and open.
    pub(crate) fn run(&self, disk: &SimDisk, id: u64) -> Run {
        let facts = self.build(disk, id).unwrap();
        open(disk, &facts).unwrap()
    }

    /// As a source of versions, without changes.
    pub(crate) fn source(&self) -> Box<dyn Source> {
        Box::new(ModelSource { left: self.scopes.clone(), scope: None, key: None, clears: 0 })
    }
}

pub(crate) fn open(disk: &SimDisk, facts: &RunFacts) -> Result<Run, OpenRunError> {
    Run::open(disk, &dir(), STORE, facts)
}

pub(crate) fn merged(mut merge: Merge, budget: usize) -> Result<RunFacts, BuildError> {
    loop {
        if let Stepped::Done(facts) = merge.step(budget)? {
            return Ok(facts);
        }
    }
}

struct ModelSource {
    left: BTreeMap<String, ModelScope>,
    scope: Option<(String, ModelScope)>,
    key: Option<(String, Vec<Version>)>,
    clears: usize,
}

impl Source for ModelSource {
    fn next_scope(&mut self) -> Result<bool, Corruption> {
        self.scope = self.left.pop_first();
        self.clears = 0;
        Ok(self.scope.is_some())
    }

    fn scope(&self) -> &str {
        &self.scope.as_ref().unwrap().0
    }

    fn seqs(&self) -> ScopeSeqs {
        self.scope.as_ref().unwrap().1.seqs
    }

    fn next_clear(&mut self) -> Result<Option<Mark>, Corruption> {
        self.clears += 1;
        Ok(self.scope.as_ref().unwrap().1.clears.get(self.clears - 1).copied())
    }

    fn next_key(&mut self) -> Result<bool, Corruption> {
        self.key = self.scope.as_mut().unwrap().1.keys.pop_first();
        Ok(self.key.is_some())
    }

    fn key(&self) -> &str {
        &self.key.as_ref().unwrap().0
    }

    fn next_version(&mut self) -> Result<Option<Version>, Corruption> {
        Ok(self.key.as_mut().unwrap().1.pop())
    }
}

/// What a history is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) events: usize,
    pub(crate) scopes: usize,
    pub(crate) keys: usize,
    /// Of 16 events, how many go to the first key of the first scope.
    pub(crate) hot: u64,
}

/// A history drawn from a seed.
pub(crate) fn history(seed: u64, shape: Shape) -> Model {
    let mut rng = SimRng::new(seed);
    let first_seq = [1, 2, 1000, u64::from(u32::MAX) - 5, 1 << 40][rng.index(5)];
    let mut model = Model::new(first_seq, first_seq);
    let scopes: Vec<String> = (0..shape.scopes.max(1)).map(|nth| name(&mut rng, nth)).collect();
    let (mut seq, mut record) = (first_seq, 0_u32);
    for _ in 0..shape.events {
        // Mostly commits of one event, or many in one; now and then a gap.
        match rng.below(8) {
            0..=3 => (seq, record) = (seq + 1, [9, 9, 9, 40][rng.index(4)]),
            4 => (seq, record) = (seq + 1 + [0, 1, 200, 70_000][rng.index(4)], rng.below(300) as u32),
            _ => record = record.saturating_add([3, 30, 256, 257, 70_000][rng.index(5)]),
        }
        let hot = rng.below(16) < shape.hot;
        let scope = &scopes[if hot { 0 } else { rng.index(scopes.len()) }];
        if rng.below(40) == 0 {
            model.clear(scope, Mark { seq, record });
        } else if rng.below(30) == 0 {
            let claim = Version { seq, record: 0, kind: 3 };
            for key in ["one", "other"] {
                model.put("$/fence", key, claim);
            }
        } else {
            let key = if hot { "0".to_owned() } else { key(&mut rng, shape.keys) };
            let kind = [0, 0, 0, 1, 2, 15][rng.index(6)];
            model.put(scope, &key, Version { seq, record, kind });
        }
    }
    model.last_seq = seq + rng.below(3);
    model
}

fn name(rng: &mut SimRng, nth: usize) -> String {
    match rng.below(6) {
        0 => format!("{nth}"),
        1 => format!("task/etl/2026-11-24/load/{nth}"),
        2 => format!("task/etl/2026-11-24/load/{nth}/"),
        3 => format!("a/\u{e9}\u{301}/{}\u{1f5fb}{nth}", "x".repeat(rng.index(40))),
        4 => format!("{}{nth}", "long/".repeat(218)),
        _ => format!("$/{nth}"),
    }
}

fn key(rng: &mut SimRng, keys: usize) -> String {
    let nth = rng.index(keys.max(1));
    match nth % 7 {
        0 => format!("{nth}"),
        1 => format!("/data/in/file-{nth:08}"),
        2 => format!("\u{1f5fb}{nth}\u{fc}"),
        3 => format!("{}{nth}", "p".repeat(1090)),
        4 => "q".repeat(nth + 1).chars().take(1100).collect(),
        5 => format!("{:x}", nth.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        _ => format!("cursor/{nth}/\0"),
    }
}

/// The newest version at or before `seq`.
pub(crate) fn as_of(versions: &[Version], seq: u64) -> Option<Version> {
    versions.iter().rev().find(|version| version.seq <= seq).copied()
}

/// Asks a run everything that the model knows.
pub(crate) fn check(model: &Model, run: &Run) -> Result<(), Corruption> {
    let seed = ScopeHash::seed(&STORE);
    assert_eq!(run.scope_count() as usize, model.scopes.len());
    let clears: usize = model.scopes.values().map(|scope| scope.clears.len()).sum();
    assert_eq!((run.has_clears(), run.clear_count()), (clears > 0, clears as u64));
    let keys = || model.scopes.values().flat_map(|scope| scope.keys.values());
    assert_eq!((run.key_count(), run.version_count()), (keys().count() as u64, keys().flatten().count() as u64));
    let mut walk = run.scopes_from("")?;
    for (ordinal, (name, scope)) in (0..).zip(&model.scopes) {
        let view = run.scope(ScopeHash::of(seed, name), name)?.unwrap_or_else(|| panic!("scope {name:?} is lost"));
        assert_eq!(walk.read_next()?, Some((&**name, view)));
        assert_eq!((view.ordinal(), view.keys(), view.seqs()), (ordinal, scope.keys.len() as u64, scope.seqs));
        assert_eq!(run.scope_at(ordinal)?, view);
        assert_eq!(run.scopes_from(name)?.read_next()?, Some((&**name, view)));
        check_scope(model, run, name, scope, &view)?;
    }
    assert_eq!(walk.read_next()?, None);
    for absent in ["", "a", "task/etl/2026-11-24/load", "zzz", "\u{10ffff}"] {
        if !model.scopes.contains_key(absent) {
            assert_eq!(run.scope(ScopeHash::of(seed, absent), absent)?, None);
            let hash = ScopeHash::of(seed, absent).key("0");
            assert_eq!(run.find(hash, absent, "0", u64::MAX)?, None);
        }
        let next = model.scopes.range(absent.to_owned()..).next().map(|(name, _)| name.clone());
        assert_eq!(run.scopes_from(absent)?.read_next()?.map(|(name, _)| name.to_owned()), next);
    }
    Ok(())
}

fn check_scope(
    model: &Model,
    run: &Run,
    name: &str,
    scope: &ModelScope,
    view: &milepost_index::ScopeView,
) -> Result<(), Corruption> {
    let hash = ScopeHash::of(ScopeHash::seed(&STORE), name);
    assert_eq!(run.clears(view)?, scope.clears);
    for seq in moments(model) {
        let last = scope.clears.iter().rev().find(|mark| mark.seq <= seq).copied();
        assert_eq!(run.last_clear(view, seq)?, last);
    }
    let mut walk = run.keys_from(view, "")?;
    for (key, versions) in &scope.keys {
        let newest_first: Vec<Version> = versions.iter().rev().copied().collect();
        let (found, walked) = walk.read_next()?.unwrap_or_else(|| panic!("key {key:?} of {name:?} is lost"));
        assert_eq!(found, key);
        assert_eq!(walked.count_all(), versions.len() as u64);
        assert_eq!(walked.collect::<Result<Vec<_>, _>>()?, newest_first);
        assert!(run.may_hold(hash.key(key)), "{key:?} of {name:?} is here");
        let found = run.versions(hash.key(key), name, key)?.unwrap();
        assert_eq!(found.newest(), newest_first[0]);
        assert_eq!(found.clone().collect::<Result<Vec<_>, _>>()?, newest_first);
        for seq in moments(model).into_iter().chain(near(versions)) {
            assert_eq!(found.as_of(seq)?, as_of(versions, seq), "{key:?} of {name:?} as of {seq}");
            assert_eq!(run.find(hash.key(key), name, key, seq)?, as_of(versions, seq));
        }
        assert_eq!(run.keys_from(view, key)?.read_next()?.unwrap().0, key);
        // A hash that is right does not prove anything.
        assert_eq!(run.find(hash.key(key), "another scope", key, u64::MAX)?, None);
    }
    assert!(walk.read_next()?.is_none());
    for absent in ["absent", "\0", "/data/in/file-00000008x", "q", "\u{10ffff}"] {
        if !scope.keys.contains_key(absent) {
            assert_eq!(run.find(hash.key(absent), name, absent, u64::MAX)?, None);
        }
        let next = scope.keys.range(absent.to_owned()..).next().map(|(key, _)| key.clone());
        assert_eq!(run.keys_from(view, absent)?.read_next()?.map(|(key, _)| key.to_owned()), next);
    }
    check_many(model, run, name, scope, view)?;
    let mut changes: Vec<Version> = scope.keys.values().flatten().copied().collect();
    changes.sort_unstable();
    changes.dedup();
    assert_eq!(view.changes(), changes.len() as u64);
    for kind in (0..20).chain([31, 32, 33, 255]) {
        assert_eq!(view.has_kind(kind), changes.iter().any(|change| change.kind == kind), "kind {kind}");
    }
    let moments = moments(model);
    for (from, to) in moments.iter().flat_map(|from| moments.iter().map(move |to| (*from, *to))) {
        let expected: Vec<Version> =
            changes.iter().filter(|change| from <= change.seq && change.seq <= to).copied().collect();
        assert_eq!(run.changes(view, from, to)?.collect::<Result<Vec<_>, _>>()?, expected, "{from} to {to}");
    }
    for seq in moments.into_iter().chain(near(&changes)) {
        let expected = changes.iter().map(|change| change.seq).filter(|change| *change <= seq).max();
        assert_eq!(run.last_change(view, seq)?, expected, "at {seq}");
    }
    Ok(())
}

/// Many keys at once, and by a finger that goes up, down and to and fro, past keys that there are and keys that there
/// are not.
fn check_many(
    model: &Model,
    run: &Run,
    name: &str,
    scope: &ModelScope,
    view: &milepost_index::ScopeView,
) -> Result<(), Corruption> {
    let mut asked: Vec<String> = scope.keys.keys().cloned().collect();
    asked.extend(scope.keys.keys().step_by(3).map(|key| format!("{key}\0")));
    asked.extend(["", "\0", "/data/in/file-00000008x", "q", "\u{10ffff}"].map(str::to_owned));
    let mut turned = asked.clone();
    turned.reverse();
    let mut far = asked.clone();
    far.sort_unstable_by_key(|key| {
        key.bytes().fold(7_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
    });
    asked.sort_unstable();
    let hash = ScopeHash::of(ScopeHash::seed(&STORE), name);
    let mut all = vec![None; 3];
    for seq in moments(model) {
        for keys in [&asked, &turned, &far] {
            let hashed: Vec<(KeyHash, &str)> = keys.iter().map(|key| (hash.key(key), &**key)).collect();
            hashed.iter().for_each(|(hash, _)| run.aim(*hash));
            run.find_each(name, &hashed, seq, &mut all)?;
            let right = keys.iter().map(|key| scope.keys.get(key).and_then(|versions| as_of(versions, seq)));
            assert_eq!(all, right.collect::<Vec<_>>(), "{keys:?} of {name:?} as of {seq}");
            run.find_each("another scope", &hashed, seq, &mut all)?;
            assert_eq!(all, vec![None; keys.len()], "a hash that is right does not prove anything");
            let mut finger = run.finger(*view)?;
            for key in keys {
                assert!(finger.may_hold_any(key, key) || !scope.keys.contains_key(key), "{key:?}");
                match finger.find(key, seq)? {
                    Near::Known(found) => {
                        assert_eq!(found, scope.keys.get(key).and_then(|versions| as_of(versions, seq)), "{key:?}");
                    }
                    Near::Far => break,
                }
            }
        }
    }
    Ok(())
}

/// Some moments: outside, at the ends, and between.
fn moments(model: &Model) -> Vec<u64> {
    let (first, last) = (model.first_seq, model.last_seq);
    let middle = u64::midpoint(first, last);
    let mut moments = vec![0, first - 1, first, middle, last, u64::MAX];
    moments.dedup();
    moments
}

/// Moments at and beside some versions of a key.
fn near(versions: &[Version]) -> Vec<u64> {
    let some = versions.iter().step_by(versions.len().div_ceil(40).max(1));
    some.chain(versions.iter().rev().step_by(33)).flat_map(|version| [version.seq - 1, version.seq]).collect()
}
