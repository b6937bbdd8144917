//! What a survey counts of runs, against what they know and what of that stands in the log.

use std::{collections::BTreeMap, path::Path, time::Duration};

use milepost_io::{SimClock, SimDisk, SimRng};
use milepost_types::{Policy, Scope, ScopePrefix, Timestamp};

use super::*;
use crate::{Engine, Index, Parts, Settings, Threads, compaction::Stage};

const SCOPES: [&str; 5] = ["a", "a/b", "a/c", "d", "e"];
const KEYS: [&str; 4] = ["k0", "k1", "k2", "k3"];

struct World {
    disk: SimDisk,
    clock: Arc<SimClock>,
}

impl World {
    fn open(&self) -> Engine {
        let parts = Parts::simulated(&self.disk, &self.clock);
        let settings = Settings {
            segment_bytes: 4 << 10,
            memory_bytes: 8 << 10,
            threads: Threads::Stepped,
            index: Index::Keep,
            ..Settings::default()
        };
        Engine::open(parts, Path::new("/s"), settings).unwrap()
    }
}

fn drawn(engine: &Engine, rng: &mut SimRng) {
    let scope = |text| Scope::parse(text).unwrap();
    let (of, key) = (scope(SCOPES[rng.index(5)]), KEYS[rng.index(4)]);
    let mut request = engine.request();
    match rng.below(24) {
        0 => request.add_clear(&of).unwrap(),
        1 => request.add_clear_prefix(&ScopePrefix::parse("a").unwrap()).unwrap(),
        2 => request.add_erase(&of, key, 1).unwrap(),
        3 => request.add_erase_scope(&of, 1).unwrap(),
        4 => request.add_erase_prefix(&ScopePrefix::parse("a").unwrap(), 1).unwrap(),
        5 | 6 => request.add_delete(&of, key).unwrap(),
        7 => request = request.fence(&scope("task"), 7).unwrap(),
        _ => request.add_set(&of, key, &[7; 50]).unwrap(),
    }
    engine.commit(request).unwrap();
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
        let marks = tiers.own_marks(name).unwrap().into_iter();
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

/// By this, runs are written anew: what is counted twice, or not at all, would be done for nothing, or never.
#[test]
fn what_is_counted_of_runs_is_what_they_know_and_what_the_log_does_not_hold() {
    let (mut absent, mut goes, mut thinned) = (0, 0, 0);
    for seed in 0..6 {
        let (mut rng, clock) = (SimRng::new(seed), Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))));
        let world = World { disk: SimDisk::new(seed), clock };
        let engine = world.open();
        let mut request = engine.request();
        let policy = Policy::default().keep_for(Duration::ZERO).idempotency_for(Duration::from_secs(30));
        request.add_retain(&ScopePrefix::root(), &policy).unwrap();
        engine.commit(request).unwrap();
        for round in 0..12 {
            for _ in 0..40 {
                world.clock.advance(1_000_000);
                drawn(&engine, &mut rng);
            }
            // To the end of a pass, or to where segments are written anew and runs are not yet.
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
            absent += survey.runs.iter().map(|run| run.absent).sum::<u64>();
            goes += of_runs;
        }
    }
    assert!(absent > 100 && goes > 100 && thinned > 0, "{absent} {goes} {thinned}");
}

#[test]
fn a_segment_is_in_the_way_if_it_is_not_sealed_and_another_one_follows_it() {
    let engine = World { disk: SimDisk::new(1), clock: Arc::new(SimClock::new(Timestamp(1))) }.open();
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
