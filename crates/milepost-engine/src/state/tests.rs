//! One state in a single memtable, another cut into tiers in all ways: both answer every question the same.

use std::path::Path;

use milepost_index::{Merge, RunId, RunPlan, Source, Stepped};
use milepost_io::{Disk, SimDisk, SimRng};
use milepost_types::{
    EventRef, Fence, Meta, Scope, ScopePrefix, Timestamp,
    body::{Body, BodyEncoder},
    limits,
};

use super::*;
use milepost_index::ScopeHash;

mod counted;
mod erased;

const STORE: [u8; 16] = *b"sixteen bytes id";
const SCOPES: [&str; 6] = ["a", "a/b", "a/b/c", "a/bc", "a-b", "task/x/1"];
const PREFIXES: [&str; 4] = ["", "a", "a/b", "task"];

fn keys() -> Vec<String> {
    (0..40).map(|number| format!("k/{number:03}")).collect()
}

/// Runs without clears are asked in another way: so there are histories without any.
fn commit(rng: &mut SimRng, has_clears: bool) -> Vec<u8> {
    let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_MAX);
    let keys = keys();
    let (mut meta, mut last) = (Meta::default(), 0);
    for _ in 0..=rng.below(6) {
        let scope = SCOPES[rng.below(6) as usize];
        // Often the same key again.
        last = if rng.below(3) == 0 { last } else { rng.below(40) as usize };
        let key = keys[last].as_str();
        let event = match rng.below(40).max(if has_clears { 0 } else { 2 }) {
            0 => EventRef::Clear { scope },
            1 => EventRef::ClearPrefix { prefix: PREFIXES[rng.below(4) as usize] },
            2..8 => EventRef::Delete { scope, key },
            8..12 => EventRef::Set { scope, key, value: b"", content_type: None, expires_at: Some(Timestamp(7)) },
            _ => EventRef::Set { scope, key, value: b"v", content_type: None, expires_at: None },
        };
        encoder.copy(&event).unwrap();
    }
    if rng.below(4) == 0 {
        meta.idempotency_key = Some(format!("key {}", rng.below(30)));
        let scope = Scope::parse(SCOPES[rng.below(6) as usize]).unwrap();
        meta.fences = vec![Fence { scope: scope.clone(), token: 7 }, Fence { scope, token: 8 }];
    }
    encoder.finish(&meta).unwrap()
}

fn insert(state: &State, seq: u64, body: &[u8]) {
    state.load().insert(Seq(seq), &Body::parse(body).unwrap()).unwrap();
}

/// Makes a run of sources, in small steps.
fn run(disk: &SimDisk, id: u64, first: u64, last: u64, sources: Vec<Box<dyn Source>>) -> Arc<Run> {
    let dir = Path::new("/index");
    let plan = RunPlan { store: STORE, id: RunId(id), first_seq: first, last_seq: last };
    let mut merge = Merge::begin(Arc::new(disk.clone()), dir, plan, sources).unwrap();
    loop {
        if let Stepped::Done(facts) = merge.step(5).unwrap() {
            let run = Run::open(disk, dir, STORE, &facts).unwrap();
            run.verify().unwrap();
            return Arc::new(run);
        }
    }
}

fn flush(disk: &SimDisk, state: &State, id: u64) {
    let frozen = Arc::clone(state.pin().frozen().unwrap());
    let (first, last) = (frozen.first.0, frozen.last.0);
    let source = Box::new(MemtableSource::new(frozen));
    state.flushed(&run(disk, id, first, last, vec![source]));
}

fn merge(disk: &SimDisk, state: &State, id: u64, from: usize, count: usize) {
    let parts: Vec<Arc<Run>> = state.pin().runs()[from..from + count].iter().rev().cloned().collect();
    let source = |run: &Arc<Run>| Box::new(milepost_index::RunSource::new(Arc::clone(run))) as Box<dyn Source>;
    let (first, last) = (parts[0].facts().first_seq, parts[count - 1].facts().last_seq);
    let merged = run(disk, id, first, last, parts.iter().map(source).collect());
    state.merged(&parts, &merged);
}

/// Memory is frozen behind a commit, or a run is made of it, or two of them are merged, as it is drawn.
fn move_on(disk: &SimDisk, state: &State, seq: u64, rng: &mut SimRng) {
    match rng.below(10) {
        0..3 if state.load().frozen().is_none() => state.freeze(Seq(seq)),
        // A run is made or merged once at most behind a commit: so the commit's number is its name.
        3..6 if state.load().frozen().is_some() => flush(disk, state, seq),
        6 if state.load().runs().len() > 3 => merge(disk, state, seq, rng.index(2), 2),
        _ => {}
    }
}

fn same(right: &Tiers, found: &Tiers, seq: Seq) {
    let reserved = |scope| [(IDEMPOTENCY, "key 3"), (IDEMPOTENCY, "key 17"), (FENCE, scope)];
    for scope in SCOPES.into_iter().chain(["none", "a/b/c/d"]) {
        assert_eq!(found.scope_version(scope, seq), right.scope_version(scope, seq), "{scope} at {seq}");
        assert_eq!(found.last_clear(scope, seq), right.last_clear(scope, seq), "{scope} at {seq}");
        assert_eq!(found.marks(scope), right.marks(scope), "{scope}");
        assert_eq!(found.is_surely_empty(scope), right.is_surely_empty(scope), "{scope}");
        for (scope, key) in keys().iter().map(|key| (scope, key.as_str())).chain(reserved(scope)) {
            assert_eq!(found.find(scope, key, seq), right.find(scope, key, seq), "{scope} {key} at {seq}");
            assert_eq!(found.claim(scope, key, seq), right.claim(scope, key, seq), "{scope} {key}");
            let mut versions = right.versions(scope, key).unwrap();
            versions.dedup();
            let mut tiered = found.versions(scope, key).unwrap();
            tiered.dedup();
            assert_eq!(tiered, versions, "{scope} {key}");
        }
        let mut many: Vec<String> = (0..5).flat_map(|_| keys()).collect();
        many.extend(keys().iter().rev().map(|key| format!("{key}/none")));
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut each = Vec::new();
        found.find_each(scope, &many, seq, &mut each).unwrap();
        let one_by_one = many.iter().map(|key| right.find(scope, key, seq));
        assert_eq!(Ok(each), one_by_one.collect::<Result<Vec<_>, _>>(), "{scope} at {seq}");
        for from in ["", "k/011", "k/011x", "z"] {
            assert_eq!(walk(found, scope, seq, from), walk(right, scope, seq, from), "{scope} from {from} at {seq}");
        }
    }
    for prefix in ["", "a", "a/b", "task", "$", "none"] {
        assert_eq!(scopes(found, prefix), scopes(right, prefix), "{prefix}");
    }
}

type Listed = (String, Option<Version>, Vec<Version>);

fn walk(tiers: &Tiers, scope: &str, seq: Seq, from: &str) -> Vec<Listed> {
    let orders = tiers.key_orders(scope);
    let clear = tiers.last_clear(scope, seq).unwrap();
    let mut keys = tiers.keys(scope, &orders, from).unwrap();
    let mut listed = Vec::new();
    while let Some(key) = keys.read_next().unwrap() {
        let key = key.to_owned();
        listed.push((key, keys.seen(seq, clear).unwrap(), keys.versions().unwrap()));
    }
    // What a failed commit left is a name without a version.
    listed.retain(|(_, _, versions)| !versions.is_empty());
    listed
}

fn scopes(tiers: &Tiers, prefix: &str) -> Vec<String> {
    let mut cursor = tiers.scopes(&ScopePrefix::parse(prefix).unwrap()).unwrap();
    let mut names = Vec::new();
    while let Some(name) = cursor.read_next().unwrap() {
        names.push(name.to_owned());
    }
    names
}

#[test]
fn tiers_answer_as_one_memtable() {
    for seed in 0..12 {
        let mut rng = SimRng::new(seed);
        let disk = SimDisk::new(seed);
        disk.create_dir(Path::new("/index")).unwrap();
        let seed_of_hashes = ScopeHash::seed(&STORE);
        let (right, found) = (State::new(seed_of_hashes, Vec::new()), State::new(seed_of_hashes, Vec::new()));
        let mut next_id = 1;
        let mut frozen_pins = Vec::new();
        for seq in 1..=150 {
            if rng.below(10) == 0 {
                let failed = commit(&mut rng, seed % 2 == 0);
                for state in [&right, &found] {
                    insert(state, seq, &failed);
                    state.load().forget(Seq(seq - 1), &Body::parse(&failed).unwrap()).unwrap();
                }
            }
            let body = commit(&mut rng, seed % 2 == 0);
            insert(&right, seq, &body);
            insert(&found, seq, &body);
            match rng.below(12) {
                0..2 if found.load().frozen().is_none() => found.freeze(Seq(seq)),
                2..4 if found.load().frozen().is_some() => {
                    flush(&disk, &found, next_id);
                    next_id += 1;
                }
                4 => {
                    let runs = found.load().runs().len() as u64;
                    if runs > 1 {
                        let from = rng.below(runs - 1);
                        let count = 2 + rng.below(runs - from - 1);
                        merge(&disk, &found, next_id, from as usize, count as usize);
                        next_id += 1;
                    }
                }
                5 => frozen_pins.push((Seq(seq), found.pin())),
                _ => {}
            }
            if seq % 25 == 0 {
                for moment in [1, seq / 2, seq - 1, seq, u64::MAX] {
                    same(&right.load(), &found.load(), Seq(moment));
                }
            }
        }
        // What was pinned goes on answering for what there was.
        for (seq, pinned) in frozen_pins {
            for scope in SCOPES {
                let strip = |listed: Vec<Listed>| -> Vec<(String, Option<Version>)> {
                    listed.into_iter().map(|(key, seen, _)| (key, seen)).filter(|(_, seen)| seen.is_some()).collect()
                };
                assert_eq!(strip(walk(&pinned, scope, seq, "")), strip(walk(&right.load(), scope, seq, "")));
            }
        }
    }
}

/// A crafted run has right checksums. Names in it that no writer can write would have panicked whoever read them back.
#[test]
fn names_in_a_crafted_run_are_damage() {
    let disk = SimDisk::new(1);
    let dir = Path::new("/index");
    disk.create_dir(dir).unwrap();
    let (longest, longer) = ("k".repeat(limits::KEY_BYTES_MAX), "k".repeat(limits::KEY_BYTES_MAX + 1));
    let rows = [
        ("a", "k\0", false),
        ("a", &*longer, false),
        ("a//b", "k", false),
        ("$/checkpoint/a/./b", "k", false),
        ("a", &*longest, true),
        ("$/checkpoint/a/b", "k", true),
    ];
    for (id, (scope, key, may_be_written)) in (1..).zip(rows) {
        let plan = RunPlan { store: STORE, id: RunId(id), first_seq: 1, last_seq: 1 };
        let mut builder = milepost_index::RunBuilder::begin(Arc::new(disk.clone()), dir, plan).unwrap();
        let version = milepost_index::Version { seq: 1, record: 1, kind: 0 };
        builder.scope(scope, milepost_index::ScopeSeqs { touched: 1, last_set: 1 }, &[]).unwrap();
        builder.key(key, [version]).unwrap();
        let facts = builder.finish().unwrap();
        let run = Arc::new(Run::open(&disk, dir, STORE, &facts).unwrap());
        let state = State::new(ScopeHash::seed(&STORE), vec![run]);
        let tiers = state.load();
        let orders = tiers.key_orders(scope);
        let scopes = tiers.scopes(&ScopePrefix::root()).map(drop);
        let keys = tiers.keys(scope, &orders, "").map(drop);
        match scopes.and(keys) {
            Ok(()) => assert!(may_be_written, "{scope:?} {key:?}"),
            Err(fault) => assert!(!may_be_written && fault.what.contains("that a writer can write"), "{fault:?}"),
        }
    }
}

/// Whoever leads makes no table of megabytes: the one that was made beforehand takes the place, once.
#[test]
fn what_was_prepared_takes_the_place_of_what_is_frozen() {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/index")).unwrap();
    let (state, mut rng) = (State::new(7, Vec::new()), SimRng::new(1));
    let like = Memtable::new(7);
    for seq in 1..=2000 {
        let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_MAX);
        let key = format!("{seq}");
        let event = EventRef::Set { scope: "a", key: &key, value: b"v", content_type: None, expires_at: None };
        encoder.copy(&event).unwrap();
        like.insert(Seq(seq), &Body::parse(&encoder.finish(&Meta::default()).unwrap()).unwrap()).unwrap();
    }
    insert(&state, 1, &commit(&mut rng, false));
    let unprepared = Memtable::after(state.load().active()).bytes();
    state.prepare(&like);
    state.freeze(Seq(1));
    assert_eq!(state.load().active().bytes(), Memtable::after(&like).bytes());
    assert!(state.load().active().bytes() > unprepared);

    flush(&disk, &state, 1);
    insert(&state, 2, &commit(&mut rng, false));
    let own = Memtable::after(state.load().active()).bytes();
    state.freeze(Seq(2));
    assert_eq!(state.load().active().bytes(), own);
}
