//! Which runs a merge takes, and what is told of one that is not made.

use std::ops::RangeInclusive;

use milepost_index::ScopeHash;
use milepost_io::{Failure, Fault, FaultKind, Op, SimDisk};
use milepost_types::{
    EventRef, Meta, Seq,
    body::{Body, BodyEncoder},
    limits,
};

use super::*;
use crate::state::Kind;

const STORE: [u8; 16] = *b"sixteen bytes id";

/// Runs on a disk of their own, each of one commit as long as nothing is merged.
struct World {
    disk: SimDisk,
    state: State,
    indexer: Indexer,
    last: u64,
}

impl World {
    fn new() -> World {
        let disk = SimDisk::new(1);
        disk.create_dir(Path::new("/s")).unwrap();
        let mut indexer = Indexer::new(Arc::new(disk.clone()), Path::new("/s"), STORE, 1);
        indexer.opened();
        World { disk, state: State::new(ScopeHash::seed(&STORE), Vec::new()), indexer, last: 0 }
    }

    /// Folds a commit, and has memory wait for its run.
    fn freeze(&mut self) {
        self.last += 1;
        let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_MAX);
        let (key, other) = (format!("k{}", self.last % 4), format!("own/{}", self.last));
        for key in [key.as_str(), other.as_str()] {
            encoder
                .copy(&EventRef::Set { scope: "a", key, value: b"v", content_type: None, expires_at: None })
                .unwrap();
        }
        let body = encoder.finish(&Meta::default()).unwrap();
        self.state.load().insert(Seq(self.last), &Body::parse(&body).unwrap()).unwrap();
        self.state.publish(Seq(self.last));
        self.state.freeze(Seq(self.last));
    }

    fn step(&mut self) -> Result<bool, IndexError> {
        self.indexer.step(&self.state, &mut |_| Ok(()))
    }

    /// As many runs more, and no merge goes on meanwhile.
    fn add(&mut self, count: usize) {
        for _ in 0..count {
            self.freeze();
            while self.state.load().frozen().is_some() {
                self.step().unwrap();
            }
        }
    }

    /// The first and last commits of runs, in order.
    fn runs(&self) -> Vec<(u64, u64)> {
        spans(self.state.pin().runs().iter().rev())
    }

    fn merges(&self) -> Vec<Vec<(u64, u64)>> {
        self.indexer.merges.iter().map(|merging| spans(merging.parts.iter())).collect()
    }

    /// Steps until nothing is left to do; what there is answers as it should.
    fn end(&mut self) {
        while self.step().unwrap() {}
        let runs = self.runs();
        assert!(runs.first().is_some_and(|run| run.0 == 1) && runs.last().is_some_and(|run| run.1 == self.last));
        assert!(runs.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{runs:?} adjoin");
        for seq in 1..=self.last {
            let found = self.state.load().find("a", &format!("own/{seq}"), Seq::MAX).unwrap();
            assert_eq!(found.map(|version| (version.seq, version.kind)), Some((seq, Kind::Set)));
        }
        let known: u64 = self.state.pin().runs().iter().map(|run| run.version_count()).sum();
        assert_eq!(known, 2 * self.last);
        let files = self.disk.names().iter().filter(|path| path.extension().is_some_and(|kind| kind == "run")).count();
        assert_eq!(files, runs.len(), "no other files are left");
    }
}

fn spans<'a>(runs: impl Iterator<Item = &'a Arc<Run>>) -> Vec<(u64, u64)> {
    runs.map(|run| (run.facts().first_seq, run.facts().last_seq)).collect()
}

fn each(seqs: RangeInclusive<u64>) -> Vec<(u64, u64)> {
    seqs.map(|seq| (seq, seq)).collect()
}

/// The last part of a merge may be of one commit, which is then its first and its last.
#[test]
fn a_merge_that_begins_beside_another_takes_none_of_its_runs() {
    let mut world = World::new();
    world.add(3);
    assert!(!world.step().unwrap(), "three are left as they are");
    world.add(1);
    assert!(world.step().unwrap());
    assert_eq!(world.merges(), [each(1..=4)]);
    // Sixteen that come meanwhile are not many yet.
    world.add(16);
    assert!(world.indexer.begin_merging(&world.state.pin()).unwrap().is_none());
    world.add(1);
    assert!(world.step().unwrap());
    assert_eq!(world.merges(), [each(1..=4), each(5..=21)]);
    // Nor does a third one begin beside two.
    world.add(17);
    assert!(world.indexer.begin_merging(&world.state.pin()).unwrap().is_none());
    world.end();
}

/// Thins a run of all that a commit told; whether it knows less then.
fn thinned(world: &mut World, mut merging: Merging, gone: u64) -> bool {
    let facts = loop {
        if let Some(facts) = merging.step_keeping(&mut |version| Ok(version.seq != gone)).unwrap() {
            break facts;
        }
    };
    let World { state, indexer, .. } = world;
    indexer.end_thinning(&merging, &facts, state, &mut |_| Ok(())).unwrap()
}

#[test]
fn what_is_thinned_is_what_holds_the_commits_and_no_merge_takes_it() {
    let mut world = World::new();
    world.add(8);
    let thin = |world: &mut World, seqs: RangeInclusive<u64>| {
        let tiers = world.state.pin();
        let begun = world.indexer.begin_thinning(&tiers, &seqs).unwrap();
        begun.map(|merging| spans(merging.parts.iter()))
    };
    assert_eq!(thin(&mut world, 3..=5), Some(each(3..=5)));
    assert_eq!(thin(&mut world, 8..=8), Some(each(8..=8)));
    assert_eq!(thin(&mut world, 7..=20), Some(each(7..=8)));
    assert_eq!(thin(&mut world, 9..=20), None);
    // For as long as it goes on, only newer ones are merged.
    world.add(3);
    let tiers = world.state.pin();
    let mut merging = world.indexer.begin_thinning(&tiers, &(7..=7)).unwrap().unwrap();
    assert_eq!(world.indexer.free_runs(&tiers), 4);
    assert!(world.step().unwrap());
    assert_eq!(world.merges(), [each(8..=11)]);
    // A merge of what is thinned would come to nothing, and is given up. Another one goes on.
    drop(merging);
    merging = world.indexer.begin_thinning(&tiers, &(2..=7)).unwrap().unwrap();
    assert_eq!(world.merges(), [each(8..=11)]);
    assert!(thinned(&mut world, merging, 5), "it knows two versions less");
    drop(tiers);
    assert_eq!(world.runs()[..3], [(1, 1), (2, 7), (8, 8)]);
    let tiers = world.state.pin();
    let merging = world.indexer.begin_thinning(&tiers, &(8..=8)).unwrap();
    assert!(world.merges().is_empty(), "of what it is made of");
    assert!(!thinned(&mut world, merging.unwrap(), 5), "nothing of that commit is in it");
}

#[test]
fn what_kept_a_run_from_being_made_is_told_and_tried_again() {
    let mut world = World::new();
    let fail = |world: &World, on, file: &str| {
        let what = FaultKind::Error(5);
        world.disk.inject(Fault { on, file: Some(file.to_owned()), nth: 0, times: 1, what });
    };
    world.freeze();
    fail(&world, Op::CreateDir, "index");
    let told = world.step().unwrap_err().to_string();
    assert!(told.contains("/s/index"), "of the directory: {told}");
    fail(&world, Op::Create, "index/");
    let told = world.step().unwrap_err().to_string();
    assert!(told.contains("/s/index/"), "of the file: {told}");
    fail(&world, Op::Map, "index/");
    let told = loop {
        if let Err(error) = world.step() {
            break error.to_string();
        }
    };
    assert!(told.contains("/s/index/"), "of the file that was made: {told}");
    let refused = || OpenError::Stopped(Failure::new(Path::new("/s/MANIFEST"), "sync", "no such luck"));
    let World { state, indexer, .. } = &mut world;
    let told = loop {
        if let Err(error) = indexer.step(state, &mut |_| Err(refused())) {
            break error.to_string();
        }
    };
    assert!(told.contains("MANIFEST") && told.contains("no such luck"), "of the list: {told}");
    assert!(world.state.load().frozen().is_some() && world.runs().is_empty(), "nothing has changed");
    // Which MANIFEST is there is not known: that file stays, and no other takes its number.
    let made: Vec<_> = world.disk.names().into_iter().filter(|path| path.starts_with("/s/index")).collect();
    while world.state.load().frozen().is_some() {
        world.step().unwrap();
    }
    assert_eq!(world.runs(), [(1, 1)]);
    assert!(made.iter().all(|path| world.disk.names().contains(path)), "{made:?}");
}

/// A panic would come again with each step, and leaves what it was at half done.
#[test]
fn after_a_step_that_has_panicked_no_run_is_made() {
    let mut world = World::new();
    world.freeze();
    world.indexer.is_stepping = true;
    let told = world.step().unwrap_err().to_string();
    assert!(told.contains("panicked") && told.contains("open the store again"), "{told}");
}
