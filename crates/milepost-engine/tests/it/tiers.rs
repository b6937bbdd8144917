//! Versions that move from memory into runs, and from run to run, with the store opened again in between and its index
//! damaged: every answer stays what maps say.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use milepost_engine::{
    Change, ChangeKind, CommitError, Engine, HistoryQuery, Index, Parts, ReadError, Refusal, Settings, Threads, Value,
    Verdict,
};
use milepost_io::{Disk, Fault, FaultKind, Op, Process, SimClock, SimDisk, SimEntropy, SimRng};
use milepost_types::{At, ScopePrefix, Seq, Timestamp};

use crate::scope;

const SCOPES: [&str; 5] = ["a", "a/b", "a/b/c", "a/bc", "z"];

fn key(number: u64) -> String {
    format!("item/{number:03}")
}

/// `None` for a key that went.
type Bytes = Option<Vec<u8>>;

/// What the store must answer: for each key its changes, for each scope the commits that touched it.
#[derive(Default)]
struct Model {
    /// Newest last.
    keys: BTreeMap<(&'static str, String), Vec<(u64, Bytes)>>,
    touched: BTreeMap<&'static str, Vec<u64>>,
    /// Idempotency keys, and the commit of each.
    claims: BTreeMap<u64, Seq>,
    /// Changes of keys: sets, deletes and clears of what was there.
    changes: u64,
    last: u64,
}

impl Model {
    fn at(&self, scope: &'static str, key: &str, seq: u64) -> Option<&Vec<u8>> {
        let versions = self.keys.get(&(scope, key.to_owned()))?;
        versions.iter().rev().find(|(at, _)| *at <= seq)?.1.as_ref()
    }

    fn put(&mut self, scope: &'static str, key: &str, value: Bytes) {
        self.changes += 1;
        self.keys.entry((scope, key.to_owned())).or_default().push((self.last, value));
        self.touch(scope);
    }

    fn touch(&mut self, scope: &'static str) {
        self.touched.entry(scope).or_default().push(self.last);
    }

    fn live(&self, holds: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
        let live = self
            .keys
            .iter()
            .filter(|((scope, _), versions)| holds(scope) && versions.last().is_some_and(|(_, value)| value.is_some()));
        live.map(|(name, _)| name.clone()).collect()
    }

    fn clear(&mut self, holds: impl Fn(&str) -> bool) {
        for (scope, key) in self.live(&holds) {
            self.put(scope, &key, None);
        }
        for scope in SCOPES.into_iter().filter(|scope| holds(scope)) {
            if self.touched.contains_key(scope) {
                self.touch(scope);
            }
        }
    }
}

/// A store on a simulated disk, and what it must answer.
struct World {
    disk: SimDisk,
    engine: Option<Engine>,
    model: Model,
    rng: SimRng,
    memory_bytes: u64,
}

fn open(disk: &SimDisk, memory_bytes: u64, index: Index) -> Engine {
    let clock = Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000)));
    let parts = Parts {
        disk: Arc::new(disk.clone()),
        clock,
        entropy: Arc::new(SimEntropy::new(7)),
        process: Process::simulated(),
    };
    let settings =
        Settings { threads: Threads::Stepped, segment_bytes: 8 << 10, memory_bytes, index, ..Settings::default() };
    Engine::open(parts, Path::new("/s"), settings).unwrap()
}

impl World {
    fn new(seed: u64, memory_bytes: u64) -> World {
        let disk = SimDisk::new(seed);
        let engine = Some(open(&disk, memory_bytes, Index::Keep));
        World { disk, engine, model: Model::default(), rng: SimRng::new(seed), memory_bytes }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    fn reopen(&mut self, index: Index) {
        self.engine = None;
        self.engine = Some(open(&self.disk, self.memory_bytes, index));
    }

    fn commit(&mut self) {
        let engine = self.engine().clone();
        let mut request = engine.request();
        let place = self.rng.below(SCOPES.len() as u64) as usize;
        let name = SCOPES[place];
        self.model.last += 1;
        let kind = self.rng.below(30);
        match kind {
            0 => request = request.clear(&scope(name)).unwrap(),
            1 => request = request.clear_prefix(&ScopePrefix::parse(name).unwrap()).unwrap(),
            3..6 => {
                let key = key(self.rng.below(60));
                request = request.delete(&scope(name), &key).unwrap();
                if self.model.at(name, &key, self.model.last).is_none() {
                    // It meets nothing, and is no event.
                    self.model.last -= 1;
                    assert_eq!(engine.commit(request).unwrap().seq, Seq(self.model.last));
                    return;
                }
                self.model.put(name, &key, None);
            }
            _ => {
                for _ in 0..=self.rng.below(4) {
                    let key = key(self.rng.below(60));
                    let value = format!("{} {}", self.model.last, self.rng.below(1000)).into_bytes();
                    request = request.set(&scope(name), &key, &value).unwrap();
                    self.model.put(name, &key, Some(value));
                }
            }
        }
        // What is kept from the first time it is seen on: the later one of the same key is a repetition.
        let claim = self.rng.below(40);
        if kind > 1 && !self.model.claims.contains_key(&claim) {
            request = request.idempotency_key(&format!("claim {claim}")).unwrap();
            self.model.claims.insert(claim, Seq(self.model.last));
        }
        if kind == 2 {
            request = request.fence(&scope(name), self.model.last).unwrap();
        }
        let holds = |of: &str| match kind {
            0 => of == name,
            _ => ScopePrefix::parse(name).unwrap().holds(of),
        };
        if kind <= 1 {
            if self.model.live(holds).is_empty() {
                // It meets nothing, and is no event.
                self.model.last -= 1;
            } else {
                self.model.clear(holds);
            }
        }
        assert_eq!(engine.commit(request).unwrap().seq, Seq(self.model.last), "kind {kind}");
    }

    /// Compares; damage that is named is let pass if it may be there.
    fn check(&mut self, may_be_damaged: bool) {
        let engine = self.engine().clone();
        let moments = [0, self.model.last / 3, self.model.last.saturating_sub(1), self.model.last];
        let named = |error: ReadError| match error {
            ReadError::Corrupt(at) if may_be_damaged && at.file.starts_with("/s/index") => {}
            other => panic!("{other}"),
        };
        for seq in moments {
            let view = engine.view(At::Seq(Seq(seq))).unwrap();
            for name in SCOPES {
                let mut right = Vec::new();
                for number in 0..60 {
                    let key = key(number);
                    let value = self.model.at(name, &key, seq);
                    right.extend(value.map(|value| (key.clone(), value.clone())));
                    match view.get(name, &key) {
                        Ok(found) => {
                            assert_eq!(found.map(|found| found.to_vec()).as_ref(), value, "{name} {key} at {seq}")
                        }
                        Err(error) => named(error),
                    }
                }
                // More keys than are looked up side by side, one of them never set.
                let keys: Vec<String> = (0..=150).map(|number| key(number % 61)).collect();
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                match view.versions(name, &keys) {
                    Ok(found) => {
                        for (key, version) in keys.iter().zip(found) {
                            assert_eq!(
                                version.is_some(),
                                self.model.at(name, key, seq).is_some(),
                                "{name} {key} at {seq}"
                            );
                            let one = view.get(name, key).map(|value| value.map(|value| value.seq()));
                            one.map_or_else(named, |one| assert_eq!(version, one, "{name} {key} at {seq}"));
                        }
                    }
                    Err(error) => named(error),
                }
                match view.get_many(name, &keys) {
                    Ok(found) => {
                        for (key, value) in keys.iter().zip(found) {
                            let right = self.model.at(name, key, seq);
                            assert_eq!(value.map(|value| value.to_vec()).as_ref(), right, "{name} {key} at {seq}");
                        }
                    }
                    Err(error) => named(error),
                }
                let found: Result<Vec<_>, _> = view.scan(name, "item").collect();
                match found {
                    Ok(found) => {
                        let plain = found.iter().map(|entry| (entry.key.as_str().to_owned(), entry.value.to_vec()));
                        assert_eq!(plain.collect::<Vec<_>>(), right, "{name} at {seq}");
                    }
                    Err(error) => named(error),
                }
                let touched = self.model.touched.get(name).and_then(|all| all.iter().rev().find(|at| **at <= seq));
                match view.scope_version(name) {
                    Ok(found) => assert_eq!(found.0, touched.copied().unwrap_or(0), "{name} at {seq}"),
                    Err(error) => named(error),
                }
            }
        }
        match engine.history(HistoryQuery::default()).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(changes) => self.changes(&changes),
            Err(error) => named(error),
        }
        if may_be_damaged {
            return;
        }
        for (claim, first) in &self.model.claims {
            let again = engine.request().idempotency_key(&format!("claim {claim}")).unwrap();
            let again = engine.commit(again.set(&scope("z"), "other", b"content").unwrap());
            let Err(CommitError::Refused(refusal)) = again else { panic!("{again:?}") };
            assert!(matches!(*refusal, Refusal::IdempotencyConflict { first: found, .. } if found == *first));
        }
        let stats = engine.stats();
        assert_eq!(stats.run_failure, None);
    }

    /// All changes there were, oldest first: each from what there was to what there is.
    fn changes(&self, changes: &[Change]) {
        assert_eq!(changes.len() as u64, self.model.changes);
        // What the last change of a key in the commit has left: a commit may change one twice.
        let mut left: BTreeMap<(&'static str, String), (u64, Bytes)> = BTreeMap::new();
        for change in changes {
            let bytes = |value: &Option<Value>| value.as_ref().map(|value| value.to_vec());
            let name = SCOPES.into_iter().find(|name| *name == change.scope.as_str()).unwrap();
            let (key, seq) = (change.key().unwrap().as_str(), change.seq.0);
            let (old, new) = (bytes(&change.old), bytes(&change.new));
            let place = (name, key.to_owned());
            let before = match left.get(&place) {
                Some((of, left)) if *of == seq => left.clone(),
                _ => self.model.at(name, key, seq - 1).cloned(),
            };
            assert_eq!((old, change.old_removed), (before, false), "{name} {key} before {seq}");
            assert_eq!(new.is_some(), change.kind == ChangeKind::Set, "{name} {key} at {seq}");
            left.insert(place, (seq, new));
        }
        for ((name, key), (seq, new)) in left {
            assert_eq!(new.as_ref(), self.model.at(name, &key, seq), "{name} {key} at {seq}");
        }
    }

    fn verify(&self) {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let report = milepost_engine::verify(&disk, Path::new("/s"), &mut |_, _| {}).unwrap();
        assert_eq!(report.verdict, Verdict::Clean);
        assert_eq!(report.runs, self.engine().stats().runs);
    }

    fn runs(&self) -> Vec<PathBuf> {
        self.disk.names().into_iter().filter(|path| path.extension().is_some_and(|end| end == "run")).collect()
    }
}

/// Random work, with runs made at random moments, and the store closed, killed and opened again.
#[test]
fn answers_stay_the_same_wherever_versions_are() {
    for (seed, memory_bytes) in (0..10).zip([4 << 10, 110 << 10, 4 << 10, 4 << 10, 100 << 10].into_iter().cycle()) {
        let mut world = World::new(seed, memory_bytes);
        let mut most_runs = 0;
        for round in 0..500 {
            world.commit();
            match world.rng.below(20) {
                0..4 => {
                    for _ in 0..world.rng.below(60) {
                        world.engine().step_index();
                    }
                }
                4 if round % 3 == 0 => world.reopen(Index::Keep),
                5 if round % 3 == 0 => {
                    let killed = world.disk.kill();
                    world.engine = None;
                    world.disk = killed;
                    world.reopen(Index::Keep);
                }
                _ => {}
            }
            most_runs = most_runs.max(world.engine().stats().runs);
            if round % 100 == 99 {
                world.check(false);
                world.verify();
            }
        }
        assert!(most_runs > 0, "seed {seed}: runs were made");
        while world.engine().step_index() {}
        world.check(false);
        assert!(world.engine().stats().runs <= most_runs);
        // What is left behind is removed by the next opening at the latest.
        world.reopen(Index::Keep);
        assert_eq!(world.runs().len() as u64, world.engine().stats().runs);
        world.verify();
    }
}

/// Runs that were merged into others go as soon as nobody reads them: while the store is open, not with the next
/// opening.
#[test]
fn runs_that_nobody_reads_go_while_the_store_is_open() {
    let mut world = World::new(3, 4 << 10);
    let write = |world: &mut World| {
        for _ in 0..150 {
            world.commit();
            while world.engine().step_index() {}
        }
    };
    write(&mut world);
    assert_eq!(world.runs().len() as u64, world.engine().stats().runs);
    let mut scan = world.engine().view(At::Latest).unwrap().scan("a", "");
    assert!(scan.next().is_some());
    let held: BTreeSet<PathBuf> = world.runs().into_iter().collect();
    write(&mut world);
    let there: BTreeSet<PathBuf> = world.runs().into_iter().collect();
    assert!(there.is_superset(&held), "what a scan walks over stays");
    assert!(there.len() as u64 > world.engine().stats().runs, "and was merged meanwhile");
    drop(scan);
    while world.engine().step_index() {}
    assert_eq!(world.runs().len() as u64, world.engine().stats().runs);
    world.check(false);
}

/// FAULTS D4, invariant 2: what is gone of the index is made anew from the log, with the same answers.
#[test]
fn an_index_that_is_gone_is_made_anew() {
    for seed in 0..24 {
        let mut world = World::new(seed, if seed % 2 == 0 { 4 << 10 } else { 110 << 10 });
        for _ in 0..300 {
            world.commit();
            world.engine().step_index();
        }
        while world.engine().step_index() {}
        world.engine().close().unwrap();
        let runs = world.runs();
        let one = world.rng.below(runs.len() as u64) as usize;
        match seed % 4 {
            0 => runs.iter().for_each(|path| world.disk.remove_name(path)),
            1 => world.disk.remove_name(&runs[one]),
            2 => {
                let bytes = world.disk.file_bytes(&runs[one]).unwrap();
                world.disk.truncate(&runs[one], world.rng.below(bytes.len() as u64));
            }
            // A run under another one's name.
            _ => {
                let other = world.disk.file_bytes(&runs[(one + 1) % runs.len()]).unwrap();
                world.disk.put_file(&runs[one], other);
            }
        }
        // A reader beside has to make do without the lost ones too.
        let parts = Parts { disk: Arc::new(world.disk.clone()), ..Parts::real() };
        let reader = Engine::open_read_only(parts, Path::new("/s")).unwrap();
        assert_eq!(reader.last().seq.0, world.model.last);
        drop(reader);
        world.reopen(Index::Keep);
        world.check(false);
        world.commit();
        world.check(false);
        world.verify();
        let there: BTreeSet<PathBuf> = world.runs().into_iter().collect();
        assert_eq!(there.len() as u64, world.engine().stats().runs, "no file is left that does not count");
    }
}

/// FAULTS D1, invariant 5: a flipped bit in a run gives a named error or the right answer, and a new index mends it.
#[test]
fn a_flipped_bit_in_a_run_is_named_and_mended() {
    let mut world = World::new(3, 110 << 10);
    for _ in 0..600 {
        world.commit();
        world.engine().step_index();
    }
    while world.engine().step_index() {}
    world.engine().close().unwrap();
    let whole = world.disk.copy();
    let runs = world.runs();
    assert!(!runs.is_empty());
    for flip in 0..120_u64 {
        world.disk = whole.copy();
        let run = &runs[(flip % runs.len() as u64) as usize];
        let bits = world.disk.file_bytes(run).unwrap().len() as u64 * 8;
        world.disk.flip_bit(run, world.rng.below(bits));
        let disk: Arc<dyn Disk> = Arc::new(world.disk.clone());
        let report = milepost_engine::verify(&disk, Path::new("/s"), &mut |_, _| {}).unwrap();
        assert!(matches!(report.verdict, Verdict::Corrupt(_)), "{report:?}");
        world.reopen(Index::Keep);
        world.check(true);
        while world.engine().step_index() {}
        world.reopen(Index::Rebuild);
        world.check(false);
        world.verify();
    }
}

/// FAULTS C3: a run that can't be written stops nothing, and is written when there is room again.
#[test]
fn a_run_that_fails_is_tried_again() {
    let fault = |on, what| Fault { on, file: Some(".run".to_owned()), nth: 0, times: 1, what };
    let faults = [
        fault(Op::Create, FaultKind::Error(28)),
        fault(Op::Write, FaultKind::Error(28)),
        fault(Op::Write, FaultKind::Error(5)),
        fault(Op::Sync, FaultKind::SyncFailsAndDropsPages),
        fault(Op::Rename, FaultKind::Error(5)),
        fault(Op::Map, FaultKind::Error(12)),
        Fault { file: Some("index".to_owned()), ..fault(Op::SyncDir, FaultKind::Error(5)) },
    ];
    for (seed, fault) in (0..).zip(faults) {
        let mut world = World::new(seed, 4 << 10);
        for _ in 0..50 {
            world.commit();
            world.engine().step_index();
        }
        while world.engine().step_index() {}
        world.disk.inject(fault.clone());
        for _ in 0..100 {
            world.commit();
            if !world.engine().step_index() && world.engine().stats().run_failure.is_some() {
                break;
            }
        }
        assert!(world.engine().stats().run_failure.is_some(), "{fault:?} was met");
        assert_eq!(world.engine().failure(), None, "commits go on after {fault:?}");
        world.commit();
        while world.engine().step_index() {}
        world.check(false);
        world.verify();
        world.reopen(Index::Keep);
        world.check(false);
    }
}

/// Threads of the engine, real files: memory stays near its limit, whatever comes; a reader beside takes up the runs.
#[test]
fn memory_stays_bounded_while_threads_make_runs() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { memory_bytes: 1 << 20, segment_bytes: 1 << 20, ..Settings::default() };
    let store = Engine::open(Parts::real(), dir.path(), settings.clone()).unwrap();
    let reader = Engine::open_read_only(Parts::real(), dir.path()).unwrap();
    for round in 0..200_u64 {
        let mut request = store.request();
        for number in 0..200 {
            request = request.set(&scope("many"), &key(round * 200 + number), &round.to_le_bytes()).unwrap();
        }
        store.commit(request).unwrap();
    }
    let view = store.view(At::Latest).unwrap();
    assert_eq!(view.scan("many", "").count(), 40_000);
    store.close().unwrap();
    let again = Engine::open(Parts::real(), dir.path(), settings).unwrap();
    let stats = again.stats();
    assert!(stats.runs > 0 && stats.memtable_bytes < 1 << 20, "{stats:?}");
    for number in (0..40_000_u64).step_by(977) {
        let right = (number / 200).to_le_bytes();
        assert_eq!(again.get("many", &key(number)).unwrap().unwrap().to_vec(), right);
    }
    assert_eq!(reader.refresh().unwrap().seq, Seq(200));
    assert_eq!(reader.view(At::Latest).unwrap().scan("many", "").count(), 40_000);
}

/// A clean close leaves the next opening nothing to fold, and is no more than that if no run can be made.
#[test]
fn a_clean_close_leaves_nothing_to_fold() {
    for has_room in [true, false] {
        let disk = SimDisk::new(1);
        let parts = Parts { disk: Arc::new(disk.clone()), ..Parts::real() };
        // Too large to be frozen by what comes.
        let settings = Settings { memory_bytes: 8 << 20, threads: Threads::Stepped, ..Settings::default() };
        let store = Engine::open(parts.clone(), Path::new("/s"), settings.clone()).unwrap();
        for round in 0..20_u64 {
            let mut request = store.request();
            for number in 0..200 {
                request = request.set(&scope("many"), &key(round * 200 + number), &round.to_le_bytes()).unwrap();
            }
            store.commit(request).unwrap();
        }
        let held = store.stats().memtable_bytes;
        assert_eq!((store.stats().runs, held > 100_000), (0, true));
        if !has_room {
            let file = Some(".run".to_owned());
            disk.inject(Fault { on: Op::Create, file, nth: 0, times: 9, what: FaultKind::Error(28) });
        }
        store.close().unwrap();
        disk.clear_faults();
        let again = Engine::open(parts, Path::new("/s"), settings).unwrap();
        let stats = again.stats();
        assert_eq!((stats.runs, stats.memtable_bytes < held / 2), (u64::from(has_room), has_room), "{stats:?}");
        for number in 0..4000_u64 {
            let right = (number / 200).to_le_bytes();
            assert_eq!(again.get("many", &key(number)).unwrap().unwrap().to_vec(), right);
        }
    }
}

/// Every batch is frozen and every run is tiny: readers meet each swap of tiers, and none of them sees a commit late, a
/// view change, or a key twice.
#[test]
fn readers_never_notice_that_tiers_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { memory_bytes: 4 << 10, segment_bytes: 64 << 10, ..Settings::default() };
    let store = Engine::open(Parts::real(), dir.path(), settings).unwrap();
    let (done, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let number = |value: Value| u64::from_le_bytes(value.to_vec().try_into().unwrap());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for round in 1..=1500_u64 {
                let value = round.to_le_bytes();
                let mut request = store.request().set(&scope("s"), "all", &value).unwrap();
                request = request.set(&scope("s"), &key(round % 50), &value).unwrap();
                acknowledged.store(store.commit(request).unwrap().seq.0, Ordering::SeqCst);
            }
            done.store(true, Ordering::SeqCst);
        });
        for _ in 0..2 {
            threads.spawn(|| {
                let mut held = None;
                while !done.load(Ordering::SeqCst) {
                    let before = acknowledged.load(Ordering::SeqCst);
                    let found = store.get("s", "all").unwrap().map_or(0, number);
                    assert!(found >= before, "read {found} after {before} was acknowledged");
                    let view = store.view(At::Latest).unwrap();
                    let seq = view.seq().0;
                    assert_eq!(view.get("s", "all").unwrap().map_or(0, number), seq);
                    assert_eq!(view.scan("s", "item").count() as u64, seq.min(50));
                    let (then, past) = held.get_or_insert_with(|| (seq, view.clone()));
                    assert_eq!(past.get("s", "all").unwrap().map_or(0, number), *then);
                    let newest = past.scan("s", "item").map(|entry| number(entry.unwrap().value)).max();
                    assert_eq!(newest.unwrap_or(0), *then);
                    if seq > *then + 300 {
                        held = None;
                    }
                }
            });
        }
    });
    assert!(store.stats().runs > 0);
    store.close().unwrap();
    let report = milepost_engine::verify(&Parts::real().disk, dir.path(), &mut |_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Clean);
}

/// Writers of large commits fill memory faster than one thread makes runs of it: they are slowed down to that, and
/// memory stays within a few of their commits of what was set.
#[test]
fn large_commits_do_not_outrun_the_making_of_runs() {
    let dir = tempfile::tempdir().unwrap();
    let memory_bytes = 6 << 20;
    let store = Engine::open(Parts::real(), dir.path(), Settings { memory_bytes, ..Settings::default() }).unwrap();
    let most = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for writer in 0..6_u64 {
            let (store, most) = (&store, &most);
            threads.spawn(move || {
                for round in 0..20 {
                    let mut request = store.request();
                    for number in 0..2000 {
                        let number = (writer * 20 + round) * 2000 + number;
                        request = request.set(&scope("many"), &key(number), b"1").unwrap();
                    }
                    store.commit(request).unwrap();
                    let stats = store.stats();
                    most.fetch_max(stats.memtable_bytes + stats.frozen_bytes, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(store.stats().runs > 0);
    let most = most.into_inner();
    assert!(most < 2 * memory_bytes, "{most} bytes of memory");
    store.close().unwrap();
}
