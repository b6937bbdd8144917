//! Which runs a merge takes, what is told of one that is not made, and which files count when a store is opened.

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
        let last = self.last;
        self.indexer.step(&self.state, &mut |listed| {
            // Each commit by one run, and those that are not there yet by none.
            let firsts = listed.iter().map(|run| run.first_seq);
            let behind = std::iter::once(1).chain(listed.iter().map(|run| run.last_seq + 1));
            assert!(firsts.zip(behind).all(|(first, behind)| first == behind), "{listed:?}");
            assert!(listed.last().is_some_and(|run| run.last_seq <= last), "{listed:?}");
            Ok(())
        })
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
        assert_eq!(self.files().len(), runs.len(), "no other files are left");
    }

    /// The numbers of the runs that lie there.
    fn files(&self) -> Vec<u64> {
        let found = milepost_index::list(&self.disk, Path::new("/s/index")).unwrap();
        found.runs.into_iter().map(|id| id.0).collect()
    }

    /// What MANIFEST would say of the runs, in the order of their commits.
    fn facts(&self) -> Vec<RunFacts> {
        self.state.pin().runs().iter().rev().map(|run| run.facts()).collect()
    }

    fn fail(&self, on: Op, file: &str) {
        let what = FaultKind::Error(5);
        self.disk.inject(Fault { on, file: Some(file.to_owned()), nth: 0, times: 1, what });
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
    world.freeze();
    world.fail(Op::CreateDir, "index");
    let told = world.step().unwrap_err().to_string();
    assert!(told.contains("/s/index"), "of the directory: {told}");
    world.fail(Op::Create, "index/");
    let told = world.step().unwrap_err().to_string();
    assert!(told.contains("/s/index/"), "of the file: {told}");
    world.fail(Op::Map, "index/");
    let told = loop {
        if let Err(error) = world.step() {
            break error.to_string();
        }
    };
    assert!(told.contains("/s/index/"), "of the file that was made: {told}");
    let path = Path::new("/s/MANIFEST");
    let refused = || OpenError::io("write", path, std::io::Error::other("no such luck"));
    let stopped = || OpenError::Stopped(Failure::new(path, "sync", "no such luck"));
    let rows: [(&dyn Fn() -> OpenError, &[u64]); 2] = [(&refused, &[]), (&stopped, &[4])];
    for (why, left) in rows {
        let World { state, indexer, .. } = &mut world;
        let told = loop {
            if let Err(error) = indexer.step(state, &mut |_| Err(why())) {
                break error.to_string();
            }
        };
        assert!(told.contains("MANIFEST") && told.contains("no such luck"), "of the list: {told}");
        assert!(world.state.load().frozen().is_some() && world.runs().is_empty(), "nothing has changed");
        // After a sync that failed it is not known which MANIFEST is there: what it may list stays.
        assert_eq!(world.files(), left, "{told}");
    }
    // And no other takes its number.
    while world.state.load().frozen().is_some() {
        world.step().unwrap();
    }
    assert_eq!((world.runs(), world.files()), (vec![(1, 1)], vec![4, 5]));
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

/// An opening that is refused leaves the files as they were: those of before, merged or not, and none of its own.
#[test]
fn runs_that_were_made_by_an_opening_that_is_refused_are_removed() {
    let mut world = World::new();
    world.add(2);
    world.indexer = Indexer::new(Arc::new(world.disk.clone()), Path::new("/s"), STORE, 3);
    world.add(2);
    while world.step().unwrap() {}
    assert_eq!((world.runs(), world.files()), (vec![(1, 4)], vec![1, 2, 5]), "of its own none that is merged is left");
    world.add(1);
    world.freeze();
    assert!(world.step().unwrap(), "one more is on its way");
    assert_eq!(world.files(), [1, 2, 5, 6]);
    let World { state, indexer, .. } = &mut world;
    indexer.discard(state);
    assert_eq!(world.files(), [1, 2]);
    let left = world.disk.names().into_iter().filter(|path| path.to_string_lossy().contains("/index/"));
    assert_eq!(left.count(), 2, "nor what was on its way");
}

/// What MANIFEST lists is opened, up to the first run that does not follow the one before it, or is not there: the log
/// says again what the others said.
#[test]
fn runs_are_opened_from_the_first_commit_on_without_a_gap() {
    let mut world = World::new();
    world.add(4);
    while world.step().unwrap() {}
    world.add(2);
    let all = world.facts();
    assert_eq!(all.iter().map(|run| (run.first_seq, run.last_seq)).collect::<Vec<_>>(), [(1, 4), (5, 5), (6, 6)]);
    let opened = |listed: &[RunFacts]| {
        let found = open(&world.disk, Path::new("/s"), STORE, listed).unwrap();
        assert_eq!(found.last_seq(), Seq(found.runs.last().map_or(0, |run| run.facts().last_seq)));
        (spans(found.runs.iter()), found.lost)
    };
    let [merged, five, six] = all[..] else { panic!("{all:?}") };
    assert_eq!(opened(&all), (vec![(1, 4), (5, 5), (6, 6)], None));
    assert_eq!(opened(&[]), (vec![], None));
    for (listed, left, expected) in [
        (vec![merged, six], vec![(1, 4)], "seq 6 to 6, expected was 5"),
        (vec![five, six], vec![], "seq 5 to 5, expected was 1"),
        (vec![merged, merged], vec![(1, 4)], "seq 1 to 4, expected was 5"),
        (vec![RunFacts { last_seq: 0, ..merged }], vec![], "seq 1 to 0, expected was 1"),
    ] {
        let (found, lost) = opened(&listed);
        assert_eq!(found, left, "{listed:?}");
        assert!(lost.as_ref().is_some_and(|why| why.contains(expected)), "{lost:?}");
    }
    world.disk.remove_name(&five.id.path(Path::new("/s/index")));
    let (found, lost) = opened(&all);
    assert!(found == [(1, 4)] && lost.is_some(), "{found:?} {lost:?}");
}

#[test]
fn a_run_gets_a_number_above_all_that_are_listed_or_lie_there() {
    let mut world = World::new();
    let next = |world: &World, listed: &[u64]| {
        let facts = |id: &u64| RunFacts { id: RunId(*id), first_seq: 1, last_seq: 1, bytes: 0, crc: 0 };
        next_id(&world.disk, Path::new("/s"), &listed.iter().map(facts).collect::<Vec<_>>()).unwrap()
    };
    assert_eq!((next(&world, &[]), next(&world, &[7])), (1, 8), "before there is a directory");
    world.add(3);
    let most = RunId::MAX.0;
    for (listed, id) in [(&[][..], 4), (&[1, 2], 4), (&[3], 4), (&[9, 5], 10), (&[most], most + 1), (&[most + 1, 5], 6)]
    {
        assert_eq!(next(&world, listed), id, "{listed:?}");
    }
}

/// A run that nobody lists was made of commits that were durable all the same; but of another store it says nothing.
#[test]
fn what_runs_cover_is_told_whether_they_are_listed_or_not() {
    let mut world = World::new();
    let told = |world: &World| covered(&world.disk, Path::new("/s"), STORE);
    assert_eq!(told(&world), Seq::ZERO);
    world.add(3);
    assert_eq!((told(&world), covered(&world.disk, Path::new("/s"), [7; 16])), (Seq(3), Seq::ZERO));
    world.disk.put_file(Path::new("/s/index/000009.run"), b"no run at all");
    assert_eq!(told(&world), Seq(3));
    world.disk.remove_name(Path::new("/s/index/000003.run"));
    assert_eq!(told(&world), Seq(2));
}

#[test]
fn files_that_are_not_listed_are_removed_and_strangers_are_left() {
    let mut world = World::new();
    clean(&world.disk, Path::new("/s"), &[]);
    world.add(3);
    let facts = world.facts();
    for name in ["000007.run.tmp", "notes.txt"] {
        world.disk.put_file(&Path::new("/s/index").join(name), b"left");
    }
    clean(&world.disk, Path::new("/s"), &facts[1..]);
    assert_eq!(world.files(), [2, 3]);
    let left = ["000007.run.tmp", "notes.txt"].map(|name| world.disk.file_bytes(&Path::new("/s/index").join(name)));
    assert_eq!(left.map(|bytes| bytes.is_some()), [false, true]);
}

/// Where runs belong there may be nothing, a file of somebody else's, or a disk that fails.
#[test]
fn a_directory_that_can_not_be_listed_is_told() {
    let mut world = World::new();
    world.add(1);
    let next = |world: &World| next_id(&world.disk, Path::new("/s"), &[]).map_err(|error| error.to_string());
    world.fail(Op::List, "index");
    let told = next(&world).unwrap_err();
    assert!(told.contains("/s/index") && !told.contains("move it away"), "{told}");
    assert_eq!(next(&world), Ok(2));
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/s")).unwrap();
    disk.put_file(Path::new("/s/index"), b"left");
    let told = next(&World { disk, ..world }).unwrap_err();
    assert!(told.contains("a file is there; move it away"), "{told}");
}
