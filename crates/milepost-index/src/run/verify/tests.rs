//! The versions of a scope that has more of them than are held at once.

use std::{path::Path, sync::Arc};

use milepost_io::SimDisk;

use super::*;
use crate::{RunBuilder, RunId, RunPlan, ScopeSeqs};

/// A scope of three keys that are written in turn, some of them by one commit.
fn run_of(commits: u64) -> Run {
    let disk = SimDisk::new(0);
    let plan = RunPlan { store: [1; 16], id: RunId(1), first_seq: 1, last_seq: commits };
    let mut builder = RunBuilder::begin(Arc::new(disk.clone()), Path::new("/"), plan).unwrap();
    builder.scope("a", ScopeSeqs::default(), &[]).unwrap();
    for key in 0..3_u32 {
        let seqs = (1..=commits).rev().filter(|seq| seq % 3 == u64::from(key) || seq % 5 == 0);
        builder.key(&format!("{key}"), seqs.map(|seq| Version { seq, record: 9 + key, kind: 0 })).unwrap();
    }
    let facts = builder.finish().unwrap();
    Run::open(&disk, Path::new("/"), [1; 16], &facts).unwrap()
}

/// However many versions are held, and wherever the commits that are compared together end.
#[test]
fn changes_are_compared_in_as_many_rounds_as_it_takes() {
    for commits in [3, 5, 6, 30] {
        let run = run_of(commits);
        let view = run.scope_at(0).unwrap();
        for versions_held in [1, 2, 3, 4, 7, 20, 1000] {
            assert_eq!(run.verify_changes(&view, versions_held), Ok(()), "{commits} commits, {versions_held} held");
        }
    }
}

/// A scope that says of one change less than there is: the last round misses it.
#[test]
fn a_change_that_is_missing_is_missed() {
    let run = run_of(30);
    let whole = run.scope_at(0).unwrap();
    for versions_held in [1, 3, 1000] {
        let mut view = whole;
        view.record.changes -= 1;
        let error = run.verify_changes(&view, versions_held).unwrap_err();
        assert_eq!(error.what, "changes are not the versions of the keys", "{versions_held} held");
    }
}
