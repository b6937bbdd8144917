use std::sync::Arc;

use milepost_index::{Merge, RunId, RunSource, Source};
use milepost_io::SimRng;
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
    fn a_merge_is_the_run_built_at_once(seed: u64, events in 1..1200_usize, runs in 1..7_u64, hot in 0..16_u64, budget in 1..300_usize) {
        let model = history(seed, Shape { events, scopes: 12, keys: 60, hot });
        let disk = disk();
        let expected = model.build(&disk, 100).unwrap();
        let expected_bytes = disk.file_bytes(&RunId(100).path(&dir())).unwrap();
        let mut rng = SimRng::new(seed);
        let ranges = ranges(&model, runs, &mut rng);
        let parts: Vec<_> = ranges
            .iter()
            .zip(0..)
            .map(|((first, last), id)| Arc::new(model.part(*first, *last).run(&disk, id)))
            .collect();

        let merge = Merge::of_runs(Arc::new(disk.clone()), &dir(), STORE, RunId(100), &parts).unwrap();
        let facts = merged(merge, budget).unwrap();
        prop_assert_eq!(facts, expected);
        prop_assert!(disk.file_bytes(&RunId(100).path(&dir())).unwrap() == expected_bytes);

        // Some of them in memory, without changes.
        let sources = ranges.iter().zip(&parts).map(|((first, last), run)| {
            let of_run: Box<dyn Source> = Box::new(RunSource::new(Arc::clone(run)));
            if rng.coin() { model.part(*first, *last).source() } else { of_run }
        });
        let merge = Merge::begin(Arc::new(disk.clone()), &dir(), model.plan(100), sources.collect()).unwrap();
        prop_assert_eq!(merged(merge, usize::MAX).unwrap(), expected);
        let run = open(&disk, &facts).unwrap();
        check(&model, &run).unwrap();
        run.verify().unwrap();
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
            assert_eq!(merge.step(5).unwrap(), milepost_index::Stepped::More);
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
