//! Power loss at every operation of a build and of a merge, in every way. A build that said it was done is there,
//! whole; else there is no file that counts, or the whole one.

use std::sync::Arc;

use milepost_index::{Merge, Run, RunFacts, RunId, list};
use milepost_io::{Crash, SimDisk};

use crate::rig::{Model, STORE, Shape, check, dir, disk, history, merged, open};

fn model() -> Model {
    history(5, Shape { events: 400, scopes: 6, keys: 50, hot: 3 })
}

/// Builds until the power fails at the operation after so many others: what was said to be built.
fn crashes(build: &dyn Fn(&SimDisk) -> Option<RunFacts>, before: &SimDisk, model: &Model, id: u64) {
    let reference = before.copy();
    let facts = build(&reference).unwrap();
    let operations = reference.operations() - before.operations();
    assert!(operations >= 5, "create, write, sync, rename, sync of the directory");
    for after in 0..=operations {
        let disk = before.copy();
        disk.power_off_after(after);
        let built = build(&disk);
        assert_eq!(built.is_some(), after == operations);
        for crash in Crash::ALL {
            for seed in 0..4 {
                let found = disk.crash(crash, seed);
                let context = format!("{crash:?} {seed} after {after} operations");
                judge(&found, built.as_ref(), &facts, model, &context);
                // What is left is in nobody's way: the run is built again.
                let again = build(&found).unwrap();
                assert_eq!(again, facts, "{context}");
                let names = list(&found, &dir()).unwrap();
                assert!(names.runs.contains(&RunId(id)), "{context}");
            }
        }
    }
}

fn judge(disk: &SimDisk, built: Option<&RunFacts>, facts: &RunFacts, model: &Model, context: &str) {
    let listing = list(disk, &dir()).unwrap();
    assert_eq!(listing.strays, Vec::<String>::new(), "{context}");
    let is_there = listing.runs.contains(&facts.id);
    assert!(is_there || built.is_none(), "{context}: what was built is gone");
    if is_there {
        let run = open(disk, facts).unwrap_or_else(|error| panic!("{context}: {error}"));
        run.verify().unwrap_or_else(|error| panic!("{context}: {error}"));
        check(model, &run).unwrap();
    }
}

#[test]
fn a_build_is_there_whole_or_not_at_all() {
    let model = model();
    crashes(&|disk| model.build(disk, 9).ok(), &disk(), &model, 9);
}

#[test]
fn a_merge_is_there_whole_or_not_at_all() {
    let (model, before) = (model(), disk());
    let middle = u64::midpoint(model.first_seq, model.last_seq);
    let parts = [(model.first_seq, middle), (middle + 1, model.last_seq)];
    let parts: Vec<Arc<Run>> =
        parts.iter().zip(0..).map(|((first, last), id)| Arc::new(model.part(*first, *last).run(&before, id))).collect();
    let build = |disk: &SimDisk| {
        let merge = Merge::of_runs(Arc::new(disk.clone()), &dir(), STORE, RunId(9), &parts).ok()?;
        merged(merge, 7).ok()
    };
    crashes(&build, &before, &model, 9);
}
