//! Lists whose commits come at any pace, asked for every moment.

use std::{path::Path, sync::Arc};

use milepost_io::SimDisk;

use super::*;
use crate::{RunBuilder, RunId, RunPlan, ScopeHash, ScopeSeqs};

/// A run with a key that has these versions: its scope has them as changes.
fn run_of(seqs: &[u64]) -> Run {
    let disk = SimDisk::new(0);
    let plan = RunPlan { store: [1; 16], id: RunId(1), first_seq: seqs[0], last_seq: seqs[seqs.len() - 1] };
    let mut builder = RunBuilder::begin(Arc::new(disk.clone()), Path::new("/"), plan).unwrap();
    builder.scope("a", ScopeSeqs::default(), &[]).unwrap();
    builder.key("k", seqs.iter().rev().map(|seq| version(*seq))).unwrap();
    let facts = builder.finish().unwrap();
    Run::open(&disk, Path::new("/"), [1; 16], &facts).unwrap()
}

fn version(seq: u64) -> Version {
    Version { seq, record: 5, kind: 0 }
}

/// Commits that come evenly, ever slower, ever faster, in two heaps, and from one end of all numbers to the other: the
/// guess where a moment stands is right, or wrong in either direction by much or by all.
#[test]
fn every_moment_is_found_whatever_the_pace() {
    type Pace = Box<dyn Fn(u64) -> u64>;
    let count: u64 = 700;
    let heaps = |nth: u64| if nth < 350 { 10 + nth } else { 1 << 40 | nth };
    let paces: [(&str, Pace); 6] = [
        ("even", Box::new(|nth| 10 + 3 * nth)),
        ("slower", Box::new(|nth| 10 + nth * nth * nth)),
        ("faster", Box::new(move |nth| (1 << 50) - (count - nth).pow(3))),
        ("heaps", Box::new(heaps)),
        ("late", Box::new(move |nth| if nth == 0 { 1 } else { (1 << 50) + 2 * nth })),
        ("all", Box::new(move |nth| 1 + nth * (u64::MAX / count))),
    ];
    for (what, pace) in paces {
        let seqs: Vec<u64> = (0..count).map(pace).collect();
        let run = run_of(&seqs);
        let hash = ScopeHash::of(ScopeHash::seed(&[1; 16]), "a");
        let (view, versions) =
            (run.scope(hash, "a").unwrap().unwrap(), run.versions(hash.key("k"), "a", "k").unwrap().unwrap());
        for (nth, seq) in seqs.iter().enumerate() {
            let before = nth.checked_sub(1).map(|before| seqs[before]);
            assert_eq!(versions.as_of(*seq), Ok(Some(version(*seq))), "{what}, version {nth}");
            assert_eq!(versions.as_of(seq - 1), Ok(before.map(version)), "{what}, right before version {nth}");
            assert_eq!(run.last_change(&view, *seq), Ok(Some(*seq)), "{what}, change {nth}");
            assert_eq!(run.last_change(&view, seq - 1), Ok(before), "{what}, right before change {nth}");
            let two: Vec<Version> = seqs[nth..].iter().take(2).map(|seq| version(*seq)).collect();
            let last = two.last().unwrap().seq;
            assert_eq!(
                run.changes(&view, *seq, last).unwrap().collect::<Result<Vec<_>, _>>().unwrap(),
                two,
                "{what}, {nth}"
            );
        }
    }
}

/// Where commits come evenly the place in the index is known at once, however far apart they are.
#[test]
fn a_guess_is_right_where_commits_come_evenly() {
    let last = 1000;
    for pace in [1, 7, 1 << 40, u64::MAX / (last + 2)] {
        for group in [0, 1, 499, 999, last] {
            let (first_seq, last_seq, seq) = (5, 5 + last * pace, 5 + group * pace);
            assert_eq!(guess(first_seq, last_seq, seq, last), group, "up by {pace}");
            assert_eq!(guess(last_seq, first_seq, last_seq - group * pace, last), group, "down by {pace}");
            assert_eq!(guess(first_seq, last_seq, last_seq + pace, last), last, "behind the last");
        }
    }
    assert_eq!(guess(7, 7, 7, 3), 0, "all of one commit");
}
