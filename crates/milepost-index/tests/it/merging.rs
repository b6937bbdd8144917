use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use milepost_index::{BuildError, Mark, Merge, RunId, RunSource, ScopeSeqs, Source, Stepped, Version, WholeBlock};
use milepost_io::SimRng;
use milepost_types::Corruption;
use proptest::prelude::*;

use crate::rig::{Model, STORE, Shape, check, dir, disk, history, merged, open};

/// Some disjoint ranges of commits that cover the whole of it.
fn ranges(model: &Model, count: u64, rng: &mut SimRng) -> Vec<(u64, u64)> {
    let mut ranges = Vec::new();
    let mut first = model.first_seq;
    for left in (0..count).rev() {
        let most = model.last_seq - first;
        let last = if left == 0 { model.last_seq } else { first + rng.below(most / (left + 1) + 1) };
        ranges.push((first, last));
        if last == model.last_seq {
            break;
        }
        first = last + 1;
    }
    ranges
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_merge_answers_as_the_run_built_at_once(seed: u64, events in 1..1200_usize, runs in 1..7_u64, hot in 0..16_u64, budget in 1..300_usize) {
        let model = history(seed, Shape { events, scopes: 12, keys: 60, hot });
        let disk = disk();
        let mut rng = SimRng::new(seed);
        let ranges = ranges(&model, runs, &mut rng);
        let parts: Vec<_> = ranges
            .iter()
            .zip(0..)
            .map(|((first, last), id)| Arc::new(model.part(*first, *last).run(&disk, id)))
            .collect();

        let merge = Merge::of_runs(Arc::new(disk.clone()), &dir(), STORE, RunId(100), &parts).unwrap();
        let facts = merged(merge, budget).unwrap();
        let run = open(&disk, &facts).unwrap();
        check(&model, &run).unwrap();
        run.verify().unwrap();

        // Some of them in memory, without changes.
        let sources = ranges.iter().zip(&parts).map(|((first, last), run)| {
            let of_run: Box<dyn Source> = Box::new(RunSource::new(Arc::clone(run)));
            if rng.coin() { model.part(*first, *last).source() } else { of_run }
        });
        let merge = Merge::begin(Arc::new(disk.clone()), &dir(), model.plan(100), sources.collect()).unwrap();
        let facts = merged(merge, usize::MAX).unwrap();
        let run = open(&disk, &facts).unwrap();
        check(&model, &run).unwrap();
        run.verify().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    /// Names that come nearly in order, as those of most jobs do, with some that come again: blocks are copied up to
    /// where another run has a key, and from there on.
    #[test]
    fn a_merge_of_nearly_disjoint_runs_answers_as_one_built_at_once(
        seed: u64,
        keys in 1000..4000_u64,
        runs in 1..5_u64,
        again in 0..200_u64,
        budget in 1..3000_usize,
    ) {
        let model = nearly_in_order(seed, keys, again);
        let disk = disk();
        let whole = model.run(&disk, 100);
        let mut rng = SimRng::new(seed);
        let ranges = ranges(&model, runs, &mut rng);
        let part = |(index, (first, last)): (u64, &(u64, u64))| Arc::new(model.part(*first, *last).run(&disk, index));
        let mut parts: Vec<_> = (0..).zip(&ranges).map(part).collect();
        // Twice: what was copied is copied again.
        if parts.len() > 2 {
            let merge = Merge::of_runs(Arc::new(disk.clone()), &dir(), STORE, RunId(50), &parts[..2]).unwrap();
            let run = open(&disk, &merged(merge, budget).unwrap()).unwrap();
            parts.splice(..2, [Arc::new(run)]);
        }
        let merge = Merge::of_runs(Arc::new(disk.clone()), &dir(), STORE, RunId(101), &parts).unwrap();
        let run = open(&disk, &merged(merge, budget).unwrap()).unwrap();
        check(&model, &run).unwrap();
        run.verify().unwrap();
        prop_assert_eq!((run.key_count(), run.version_count()), (whole.key_count(), whole.version_count()));
        // Few blocks are short.
        prop_assert!(run.facts().bytes <= whole.facts().bytes * 5 / 4 + 4096, "{} bytes, built at once {}", run.facts().bytes, whole.facts().bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// All versions of some keys, of some scopes, and of all, too.
    #[test]
    fn a_merge_that_leaves_versions_out_answers_as_if_they_had_never_been(
        seed: u64,
        events in 1..1200_usize,
        runs in 1..7_u64,
        hot in 0..16_u64,
        of_eight in 0..9_u64,
        budget in 1..300_usize,
    ) {
        let model = history(seed, Shape { events, scopes: 12, keys: 60, hot });
        let disk = disk();
        let mut rng = SimRng::new(seed);
        let salt = rng.below(u64::MAX);
        let keeps = |version: Version| (version.seq ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 < of_eight;
        let parts: Vec<_> = ranges(&model, runs, &mut rng)
            .iter()
            .zip(0..)
            .map(|((first, last), id)| Arc::new(model.part(*first, *last).run(&disk, id)))
            .collect();
        let mut merge = Merge::of_runs(Arc::new(disk.clone()), &dir(), STORE, RunId(100), &parts).unwrap();
        let facts = loop {
            if let Stepped::Done(facts) = merge.step_keeping(budget, &mut |version| Ok(keeps(version))).unwrap() {
                break facts;
            }
        };
        let run = open(&disk, &facts).unwrap();
        check(&model.kept(keeps), &run).unwrap();
        run.verify().unwrap();
    }
}

/// Marks of two jobs: directories in order, files in them not, a few marked again by a later commit.
fn nearly_in_order(seed: u64, keys: u64, again: u64) -> Model {
    let mut rng = SimRng::new(seed);
    let mut model = Model::new(1, 1);
    let (mut seq, mut record) = (1, 9);
    for number in 0..keys {
        let nth = if again > 0 && rng.below(keys) < again { rng.below(number + 1) } else { number ^ 13 };
        let scope = if nth % 1024 < 900 { "job/a" } else { "job/b" };
        let kind = [".parquet", ".gz"][(nth / 32 % 2) as usize];
        let key = format!("/srv/{:04}/{:03x}{kind}", nth / 32, nth.wrapping_mul(2_654_435_761) >> 7 & 0xfff);
        model.put(scope, &key, Version { seq, record, kind: 0 });
        (seq, record) = if number % 100 == 99 { (seq + 1, 9) } else { (seq, record + 20) };
    }
    model.last_seq = seq;
    model
}

/// A block is copied only as it is: with its flaws it is an error, as it is where its keys are read one by one.
#[test]
fn damage_in_a_block_that_is_copied_is_met() {
    let model = nearly_in_order(5, 3000, 0);
    let disk = disk();
    let middle = model.last_seq / 2;
    let [first, last] = [(1, middle), (middle + 1, model.last_seq)]
        .map(|(first, last)| model.part(first, last).build(&disk, first).unwrap());
    let path = first.id.path(&dir());
    let bytes = disk.file_bytes(&path).unwrap();
    for at in [100, 2000, 3500] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        disk.put_file(&path, damaged);
        let parts = [first, last].map(|facts| Arc::new(open(&disk, &facts).unwrap()));
        let merge = Merge::of_runs(Arc::new(disk.clone()), &dir(), STORE, RunId(100), &parts).unwrap();
        let error = merged(merge, 1000).unwrap_err();
        assert!(matches!(&error, BuildError::Corrupt(damage) if damage.file == path), "{error}");
    }
}

#[test]
fn a_merge_of_nothing_is_empty() {
    let disk = disk();
    let model = Model::new(1, 1);
    let merge = Merge::begin(Arc::new(disk.clone()), &dir(), model.plan(3), Vec::new()).unwrap();
    let facts = merged(merge, 1).unwrap();
    check(&model, &open(&disk, &facts).unwrap()).unwrap();
}

#[test]
fn a_merge_that_is_dropped_leaves_nothing() {
    let disk = disk();
    let model = history(3, Shape { events: 300, scopes: 5, keys: 50, hot: 0 });
    for steps in 0..40 {
        let sources = vec![model.source()];
        let mut merge = Merge::begin(Arc::new(disk.clone()), &dir(), model.plan(3), sources).unwrap();
        for _ in 0..steps {
            assert_eq!(merge.step(5).unwrap(), Stepped::More);
        }
        drop(merge);
        assert_eq!(disk.names(), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
#[should_panic(expected = "in order")]
fn runs_out_of_order_are_a_mistake_of_the_caller() {
    let disk = disk();
    let [a, b] = [Model::new(1, 5), Model::new(5, 9)].map(|model| Arc::new(model.run(&disk, model.first_seq)));
    let _ = Merge::of_runs(Arc::new(disk), &dir(), STORE, RunId(100), &[a, b]);
}

/// A run of which it is counted how often it is asked for a change.
struct Asked {
    run: RunSource,
    has_changes: bool,
    asked: Arc<AtomicU64>,
}

impl Source for Asked {
    fn next_scope(&mut self) -> Result<bool, Corruption> {
        self.run.next_scope()
    }
    fn scope(&self) -> &str {
        self.run.scope()
    }
    fn seqs(&self) -> ScopeSeqs {
        self.run.seqs()
    }
    fn next_clear(&mut self) -> Result<Option<Mark>, Corruption> {
        self.run.next_clear()
    }
    fn next_key(&mut self) -> Result<bool, Corruption> {
        self.run.next_key()
    }
    fn key(&self) -> &str {
        self.run.key()
    }
    fn is_at_block(&self) -> bool {
        self.run.is_at_block()
    }
    fn take_block(&mut self, bound: Option<&str>, blocks: u32) -> Result<Option<WholeBlock<'_>>, Corruption> {
        self.run.take_block(bound, blocks)
    }
    fn next_version(&mut self) -> Result<Option<Version>, Corruption> {
        self.run.next_version()
    }
    fn has_changes(&self) -> bool {
        self.has_changes
    }
    fn next_change(&mut self) -> Result<Option<Version>, Corruption> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.run.next_change()
    }
}

/// The versions of a scope are not collected in memory where all that have it give them in the order of events; where
/// one does not, nobody is asked for them.
#[test]
fn changes_are_taken_as_they_are_given_or_not_at_all() {
    let model = nearly_in_order(5, 850, 100);
    let disk = disk();
    let middle = model.last_seq / 2;
    let parts = [(1, middle), (middle + 1, model.last_seq)]
        .map(|(first, last)| (model.part(first, last), Arc::new(model.part(first, last).run(&disk, first))));
    for give in [[true, true], [true, false], [false, true], [false, false]] {
        let counts = [0; 2].map(|_| Arc::new(AtomicU64::new(0)));
        let sources = parts.iter().zip(give).zip(&counts).map(|(((_, run), has_changes), asked)| {
            let asked = Arc::clone(asked);
            Box::new(Asked { run: RunSource::new(Arc::clone(run)), has_changes, asked }) as Box<dyn Source>
        });
        let merge = Merge::begin(Arc::new(disk.clone()), &dir(), model.plan(100), sources.collect()).unwrap();
        let run = open(&disk, &merged(merge, 50).unwrap()).unwrap();
        run.verify().unwrap();
        for ((part, run), asked) in parts.iter().zip(&counts) {
            // Once more: there is none behind the last.
            assert_eq!(part.scopes.len(), 1);
            let all = run.version_count() + 1;
            let expected = if give == [true; 2] { all } else { 0 };
            assert_eq!(asked.load(Ordering::Relaxed), expected, "{give:?}");
        }
    }
}

/// A step goes on for as many keys, versions and changes as it was granted: others wait for it.
#[test]
fn a_merge_takes_as_many_steps_as_there_is_to_do() {
    let mut model = Model::new(1, 2000);
    for nth in 0..1200_u32 {
        let (key, seq) = (format!("{:04}", nth % 400), 1 + u64::from(nth));
        model.put("job", &key, Version { seq, record: 9, kind: 0 });
    }
    let disk = disk();
    let parts = [(1, 800), (801, 2000)].map(|(first, last)| Arc::new(model.part(first, last).run(&disk, first)));
    for budget in [10, 100] {
        let mut merge = Merge::of_runs(Arc::new(disk.clone()), &dir(), STORE, RunId(100), &parts).unwrap();
        let mut steps = 1;
        let facts = loop {
            match merge.step(budget).unwrap() {
                Stepped::More => steps += 1,
                Stepped::Done(facts) => break facts,
            }
        };
        // Keys, versions, changes; at the end a file, 64 bytes for a key.
        let work = 400 + 1200 + 1200 + facts.bytes / 64;
        let expected = work as usize / budget;
        assert!(
            (expected * 3 / 4..expected * 5 / 4 + 20).contains(&steps),
            "{steps} steps of {budget}, for {expected}"
        );
        open(&disk, &facts).unwrap().verify().unwrap();
    }
}
