//! What a survey counts of runs and of segments, against what they know and what of that stands in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use milepost_io::{SimClock, SimDisk, SimRng};
use milepost_types::{Policy, Scope, ScopePrefix, Timestamp, Writer};

use super::*;
use crate::{Engine, Index, Parts, Settings, Threads, compaction::Stage, state::FORK};

const SCOPES: [&str; 5] = ["a", "a/b", "a/c", "d", "e"];
const KEYS: [&str; 4] = ["k0", "k1", "k2", "k3"];

struct World {
    disk: SimDisk,
    clock: Arc<SimClock>,
}

impl World {
    fn new(seed: u64) -> World {
        World { disk: SimDisk::new(seed), clock: Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))) }
    }

    fn open(&self) -> Engine {
        self.open_with(Index::Keep)
    }

    fn open_with(&self, index: Index) -> Engine {
        let parts = Parts::simulated(&self.disk, &self.clock);
        let settings = Settings {
            segment_bytes: 4 << 10,
            memory_bytes: 8 << 10,
            threads: Threads::Stepped,
            index,
            ..Settings::default()
        };
        Engine::open(parts, Path::new("/s"), settings).unwrap()
    }
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn place(text: &str) -> ScopePrefix {
    ScopePrefix::parse(text).unwrap()
}

fn drawn(engine: &Engine, rng: &mut SimRng) {
    let (of, key) = (scope(SCOPES[rng.index(5)]), KEYS[rng.index(4)]);
    let mut request = engine.request();
    match rng.below(30) {
        0 => request.add_clear(&of).unwrap(),
        1 => request.add_clear_prefix(&place("a")).unwrap(),
        2 => request.add_erase(&of, key, 1).unwrap(),
        3 => request.add_erase_scope(&of, 1).unwrap(),
        4 => request.add_erase_prefix(&place("a"), 1).unwrap(),
        5 | 6 => request.add_delete(&of, key).unwrap(),
        7 => request = request.fence(&scope("task"), 7).unwrap(),
        // As retention itself does it: these go as well, once they are long ago.
        8 | 9 => {
            request = request.writer(Writer::new("retention").unwrap());
            request.add_erase_scope(&of, 0).unwrap();
        }
        10 => {
            request = request.writer(Writer::new("retention").unwrap());
            request.add_erase_prefix(&place("a"), 0).unwrap();
        }
        11 => request.add_fork(&of, &scope(SCOPES[rng.index(5)]), engine.last().seq.prev()).unwrap(),
        12 => request = request.idempotency_key(&format!("once/{}", engine.last().seq)).unwrap(),
        // What is claimed beside what goes.
        13 => request = request.fence(&scope("task"), 7).unwrap().set(&of, key, &[7; 50]).unwrap(),
        14 if rng.coin() => request.add_clear_prefix(&ScopePrefix::root()).unwrap(),
        15 => request.add_checkpoint(&of, "c", None).unwrap(),
        16 => request.add_release(&of, "c").unwrap(),
        _ => request.add_set(&of, key, &[7; 50]).unwrap(),
    }
    // Refused: a fork onto state.
    let _ = engine.commit(request);
    while engine.step_index() {}
}

/// Has runs hold all that memory does.
fn flush(engine: &Engine) {
    let state = &engine.shared().state;
    if state.load().active_first() <= state.published() {
        state.freeze(state.published());
    }
    while engine.step_index() {}
}

fn surveyed(engine: &Engine) -> Survey {
    let segments = engine.segments();
    let mut survey = Survey::new(engine.shared().state.pin(), &segments, ColdFrom::default());
    // Pieces of few versions: what is gone on with is counted once.
    while survey.step(engine.shared(), 3).unwrap() {}
    survey
}

/// By the last commit of each run: how many versions and clears it knows, and how many of them the log does not hold.
fn known(engine: &Engine) -> BTreeMap<u64, (u64, u64)> {
    let shared = engine.shared();
    let tiers = shared.state.pin();
    let mut known: BTreeMap<u64, (u64, u64)> = tiers.runs().iter().map(|run| (run.facts().last_seq, (0, 0))).collect();
    let mut count = |version: Version| {
        let stands = match shared.reader.segments().find(Seq(version.seq)).unwrap() {
            Found::Frame(_) if version.is_claim_of_commit() => true,
            Found::Frame(found) => place_of(found.hold().unwrap().body(), version.record).unwrap().is_some(),
            Found::Removed | Found::Ahead => false,
        };
        let (_, counted) = known.range_mut(version.seq..).next().expect("all is in runs");
        *counted = (counted.0 + 1, counted.1 + u64::from(!stands));
    };
    let mut names = tiers.every_scope("").unwrap();
    while let Some(name) = names.read_next().unwrap() {
        // A clear of the root stays for good, and is counted as of its segment alone.
        let marks = tiers.own_marks(name).unwrap().into_iter().filter(|_| name != ROOT);
        marks.map(|mark| Version { seq: mark.seq, record: mark.record, kind: Kind::Delete }).for_each(&mut count);
        if is_prefix(name) {
            continue;
        }
        let orders = tiers.key_orders(name);
        let mut keys = tiers.keys(name, &orders, "").unwrap();
        while keys.read_next().unwrap().is_some() {
            keys.versions_ever().unwrap().into_iter().for_each(&mut count);
        }
    }
    known
}

/// What is counted of a segment: what stays, what goes, and whether any of that was erased.
type Counted = (u64, u64, bool);

/// The same as a survey counts, by a look at each version and each clear by itself: whether it is wanted, and what
/// stands in the log at its place.
struct Plain<'a> {
    judging: Judging<'a>,
    survey: &'a Survey,
    segments: BTreeMap<u64, Counted>,
    voids: Vec<Mark>,
    /// The first of what the index knows of each key, and where a scope began as a fork.
    placed: Vec<(String, Version)>,
}

impl Plain<'_> {
    fn count(&mut self, seq: u64, counted: Counted) {
        let holds = |tally: &&Tally| tally.first_seq <= seq && (seq <= tally.last_seq || !tally.is_sealed);
        let Some(tally) = self.survey.tallies.iter().find(holds) else { return };
        let (stays, goes, is_erased) = self.segments.entry(tally.id.0).or_default();
        (*stays, *goes, *is_erased) = (*stays + counted.0, *goes + counted.1, *is_erased | counted.2);
    }

    /// Every version of the keys of a scope.
    fn versions(&self, name: &str) -> Vec<(String, Vec<Version>)> {
        let tiers = self.judging.tiers;
        let orders = tiers.key_orders(name);
        let (mut keys, mut found) = (tiers.keys(name, &orders, "").unwrap(), Vec::new());
        while let Some(key) = keys.read_next().unwrap().map(str::to_owned) {
            found.push((key, keys.versions_ever().unwrap()));
        }
        found
    }

    /// Whether anything stands before a clear of what it meets: a value, a delete, or that a scope began as a fork.
    fn is_void(&self, name: &str, mark: Mark) -> bool {
        let meets = |scope: &str| match name.strip_suffix('/') {
            Some(prefix) => place(prefix).holds(scope),
            None => scope == name,
        };
        !self.placed.iter().any(|(scope, version)| mark.stands_after(version) && meets(scope))
    }

    fn mark(&mut self, name: &str, mark: Mark) {
        let version = Version { seq: mark.seq, record: mark.record, kind: Kind::Delete };
        if name == ROOT || !self.is_void(name, mark) || !self.judging.void_goes(name, mark).unwrap() {
            self.count(mark.seq, (1, 0, false));
        } else if !matches!(stands(self.judging.shared, version), Stands::Nothing) {
            self.voids.push(mark);
            self.count(mark.seq, (0, 1, false));
        }
    }

    fn version(&mut self, version: Version, goes: bool, is_erased: bool) {
        if !goes {
            return self.count(version.seq, (1, 0, false));
        }
        match stands(self.judging.shared, version) {
            Stands::Nothing => {}
            Stands::Erasure => self.count(version.seq, (1, 0, false)),
            Stands::Record if !version.is_claim_of_commit() => self.count(version.seq, (0, 1, is_erased)),
            Stands::Record => {
                let frame = self.judging.shared.reader.frame(Seq(version.seq)).unwrap();
                let Found::Frame(frame) = frame else { panic!("it stands there") };
                let body = Body::parse(frame.body()).unwrap();
                // What a commit claims goes with the commit.
                if body.event_count() == 0 && !self.judging.claims_stay(Seq(version.seq), &body).unwrap() {
                    self.count(version.seq, (0, 1, is_erased));
                }
            }
        }
    }
}

fn stands(shared: &Shared, version: Version) -> Stands {
    match shared.reader.segments().find(Seq(version.seq)).unwrap() {
        Found::Removed | Found::Ahead => Stands::Nothing,
        Found::Frame(_) if version.is_claim_of_commit() => Stands::Record,
        Found::Frame(found) => match (found.hold().unwrap().body(), version.record) {
            (body, record) if place_of(body, record).unwrap().is_none() => Stands::Nothing,
            (body, record) if erased_at(body, record).is_ok() => Stands::Erasure,
            _ => Stands::Record,
        },
    }
}

fn counted_plainly(engine: &Engine, survey: &Survey) -> (BTreeMap<u64, Counted>, Vec<Mark>) {
    let tiers = engine.shared().state.pin();
    let judging = Judging::now(engine.shared(), &tiers).unwrap();
    let segments = survey.tallies.iter().map(|tally| (tally.id.0, Counted::default())).collect();
    let mut plain = Plain { judging, survey, segments, voids: Vec::new(), placed: Vec::new() };
    let (mut all, mut names) = (tiers.every_scope("").unwrap(), Vec::new());
    while let Some(name) = all.read_next().unwrap() {
        names.push(name.to_owned());
    }
    for scope in names.iter().filter(|name| !is_prefix(name) && !is_reserved(name)) {
        let found = plain.versions(scope).into_iter();
        let firsts = found.filter_map(|(_, versions)| Some((scope.clone(), *versions.first()?)));
        plain.placed.extend(firsts);
    }
    let found = plain.versions(FORK).into_iter();
    let forks = found.filter_map(|(scope, versions)| Some((scope, *versions.first()?)));
    plain.placed.extend(forks);
    for name in &names {
        for mark in tiers.own_marks(name).unwrap() {
            plain.mark(name, mark);
        }
        if is_prefix(name) || name == ERASED || name == ERASED_BELOW {
            continue;
        }
        let of = plain.judging.scope(name).unwrap();
        for (key, versions) in plain.versions(name) {
            let fates = plain.judging.key(&of, &key, &versions).unwrap();
            for (index, (version, fate)) in versions.iter().zip(fates).enumerate() {
                let is_erased = of.is_erased(&key, version).unwrap();
                plain.version(*version, fate.goes_at(index), is_erased);
            }
        }
    }
    plain.voids.sort_unstable();
    (plain.segments, plain.voids)
}

/// All that the index knows, whatever of it the log holds.
fn all_known(engine: &Engine) -> BTreeSet<String> {
    let tiers = engine.shared().state.pin();
    let (mut names, mut known) = (tiers.every_scope("").unwrap(), BTreeSet::new());
    while let Some(name) = names.read_next().unwrap() {
        known.extend(tiers.own_marks(name).unwrap().into_iter().map(|mark| format!("{name} {mark:?}")));
        if is_prefix(name) {
            continue;
        }
        let orders = tiers.key_orders(name);
        let mut keys = tiers.keys(name, &orders, "").unwrap();
        while let Some(key) = keys.read_next().unwrap().map(str::to_owned) {
            known.extend(keys.versions_ever().unwrap().iter().map(|version| format!("{name} {key} {version:?}")));
        }
    }
    known
}

/// By this, runs are written anew: what is counted twice, or not at all, would be done for nothing, or never.
#[test]
fn what_is_counted_of_runs_is_what_they_know_and_what_the_log_does_not_hold() {
    let (mut absent, mut goes, mut thinned) = (0, 0, 0);
    let (mut voids, mut erased) = (0, 0);
    for seed in 0..4 {
        let (mut rng, world) = (SimRng::new(seed), World::new(seed));
        let engine = world.open();
        retain(&engine, Policy::default().keep_for(Duration::ZERO).idempotency_for(Duration::from_secs(30)));
        for round in 0..12 {
            for _ in 0..40 {
                world.clock.advance(1_000_000);
                drawn(&engine, &mut rng);
            }
            // To the end of a pass, or to where segments are written anew and runs are not yet.
            engine.step_compact().unwrap();
            if round % 2 == 0 {
                engine.shared().compactor.lock().worth = Worth::Anything;
            }
            while !matches!(engine.shared().compactor.lock().stage, Stage::Index { .. }) {
                if !engine.step_compact().unwrap() {
                    break;
                }
            }
            if round % 3 == 2 {
                while engine.step_compact().unwrap() {}
                thinned = engine.compacted().runs;
            } else {
                engine.shared().compactor.lock().stage = Stage::Idle;
            }
            flush(&engine);
            let (survey, known) = (surveyed(&engine), known(&engine));
            for run in &survey.runs {
                let counted = (run.versions, run.absent);
                assert_eq!(counted, known[&run.last_seq], "seed {seed}, {round}: {run:?}");
                assert!(run.absent + run.goes <= run.versions);
            }
            let of_runs: u64 = survey.runs.iter().map(|run| run.goes).sum();
            assert_eq!(of_runs, survey.tallies.iter().map(|tally| tally.goes).sum::<u64>(), "seed {seed}, {round}");
            let (segments, right) = counted_plainly(&engine, &survey);
            let counted = survey.tallies.iter().map(|of| (of.id.0, (of.stays, of.goes, of.is_erased)));
            assert_eq!(counted.collect::<BTreeMap<_, _>>(), segments, "seed {seed}, {round}");
            erased += survey.tallies.iter().filter(|tally| tally.is_erased).count();
            let mut survey = survey;
            assert_eq!(survey.take_voids(), right, "seed {seed}, {round}");
            voids += right.len();
            absent += survey.runs.iter().map(|run| run.absent).sum::<u64>();
            goes += of_runs;
        }
    }
    assert!(absent > 100 && goes > 100 && thinned > 0, "{absent} {goes} {thinned}");
    assert!(voids > 20 && erased > 5, "{voids} {erased}");
}

/// A pass by hand ends when there is nothing left to do: then the index knows what the log holds, which is what one
/// that is made anew from it would know, and another pass changes nothing.
#[test]
fn after_a_compaction_by_hand_the_index_knows_what_the_log_holds() {
    let mut forgotten = 0;
    for seed in 20..23 {
        let (mut rng, world) = (SimRng::new(seed), World::new(seed));
        let mut engine = world.open();
        retain(&engine, Policy::default().keep_for(Duration::ZERO).idempotency_for(Duration::from_secs(30)));
        for round in 0..4 {
            for _ in 0..60 {
                world.clock.advance(1_000_000);
                drawn(&engine, &mut rng);
            }
            flush(&engine);
            let before = all_known(&engine).len();
            engine.compact(&mut |_, _| {}).unwrap();
            let again = engine.compact(&mut |_, _| {}).unwrap();
            assert!(again.dropped == 0 && again.runs == 0, "seed {seed}, {round}: {again:?}");
            assert!(again.bytes_before <= again.bytes_after, "seed {seed}, {round}: {again:?}");
            let known = all_known(&engine);
            forgotten += before - known.len();
            engine.close().unwrap();
            engine = world.open_with(Index::Rebuild);
            assert_eq!(known, all_known(&engine), "seed {seed}, {round}");
        }
    }
    assert!(forgotten > 150, "{forgotten}");
}

fn retain(engine: &Engine, policy: Policy) {
    let mut request = engine.request();
    request.add_retain(&ScopePrefix::root(), &policy).unwrap();
    engine.commit(request).unwrap();
}

/// What is committed while a survey is under way stands in the open segment, and is counted there.
#[test]
fn commits_that_come_meanwhile_are_counted_as_of_the_open_segment() {
    let engine = World::new(3).open();
    let set = |key: &str| engine.commit(engine.request().set(&scope("d"), key, b"1").unwrap()).unwrap();
    set("k0");
    let mut survey = Survey::new(engine.shared().state.pin(), &engine.segments(), ColdFrom::default());
    set("k1");
    while survey.step(engine.shared(), 100).unwrap() {}
    assert_eq!(survey.tallies.iter().map(|tally| (tally.last_seq, tally.stays)).collect::<Vec<_>>(), [(1, 2)]);
}

/// A pass takes so many erasures and clears, and no more. Those that come behind are for the next: they count as
/// staying.
#[test]
fn erasures_behind_the_last_that_a_pass_takes_stay_for_the_next() {
    let world = World::new(4);
    let engine = world.open();
    retain(&engine, Policy::default().idempotency_for(Duration::from_secs(1)));
    let mut request = engine.request().writer(Writer::new("retention").unwrap());
    request.add_erase_scope(&scope("d"), 0).unwrap();
    engine.commit(request).unwrap();
    world.clock.advance(2_000_000);
    engine.commit(engine.request().set(&scope("e"), "k0", b"1").unwrap()).unwrap();
    let counted = |taken: usize| {
        let mut survey = Survey::new(engine.shared().state.pin(), &engine.segments(), ColdFrom::default());
        (0..taken).for_each(|_| assert!(survey.voids.take(Mark { seq: 0, record: 0 })));
        while survey.step(engine.shared(), 100).unwrap() {}
        let counted: Vec<(u64, u64)> = survey.tallies.iter().map(|tally| (tally.stays, tally.goes)).collect();
        (counted, survey.take_voids().len() - taken)
    };
    // The policy and the value stay.
    assert_eq!(counted(0), (vec![(2, 1)], 1));
    assert_eq!(counted((1 << 20) - 1), (vec![(2, 1)], 1));
    assert_eq!(counted(1 << 20), (vec![(3, 0)], 0));
}

#[test]
fn a_segment_is_in_the_way_if_it_is_not_sealed_and_another_one_follows_it() {
    let engine = World::new(1).open();
    let tally = |id: u64, is_sealed, goes| Tally {
        id: SegmentId(id),
        first_seq: id,
        last_seq: id,
        bytes: 1,
        is_sealed,
        is_thinned: false,
        form: Form::Raw,
        is_cold_due: false,
        stays: 1,
        goes,
        is_erased: false,
    };
    let stuck = |tallies: &[Tally], worth| {
        let mut survey = surveyed(&engine);
        survey.tallies = tallies.to_vec();
        survey.stuck(worth).map(|id| id.0)
    };
    let (sealed, open) = (|id| tally(id, true, 1), |id, goes| tally(id, false, goes));
    for worth in [Worth::AThird, Worth::Anything, Worth::Cold] {
        assert_eq!(stuck(&[], worth), None);
        assert_eq!(stuck(&[sealed(1), sealed(2), open(3, 1)], worth), None, "the last one is written to");
        assert_eq!(stuck(&[sealed(1), open(2, 1), open(3, 1)], worth), Some(2));
        // Where nothing goes there is nothing to do for it, but to compress it.
        let of_nothing = (worth == Worth::Cold).then_some(1);
        assert_eq!(stuck(&[open(1, 0), sealed(2), open(3, 0)], worth), of_nothing);
    }
}
