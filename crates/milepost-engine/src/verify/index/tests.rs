//! Runs that do not say what the log says, whole as they are.

use std::{path::Path, sync::Arc};

use milepost_io::{Disk, Latch, Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{Policy, Scope, ScopePrefix, Seq, Timestamp};

use crate::{
    Engine, Parts, Request, Settings, Threads, Verdict,
    manifest::{self, Manifest},
    verify,
};

const DIR: &str = "/store";

/// A store of some commits, each with one event more if that is said, most of them in runs. Two of them are the same
/// but for that: their log has the same identity, and the same salt.
fn store(more: &dyn Fn(u64, &mut Request)) -> SimDisk {
    let disk = SimDisk::new(1);
    let (clock, entropy) = (Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))), Arc::new(SimEntropy::new(7)));
    let parts = Parts { disk: Arc::new(disk.clone()), clock, entropy, process: Process::simulated() };
    let settings = Settings { threads: Threads::Stepped, memory_bytes: 8 << 10, ..Settings::default() };
    let engine = Engine::open(parts, Path::new(DIR), settings).unwrap();
    for n in 1..=60 {
        let scope = Scope::parse("a").unwrap();
        let mut request = engine.request().set(&scope, &format!("k{n:03}"), b"value").unwrap();
        more(n, &mut request);
        engine.commit(request).unwrap();
        while engine.step_index() {}
    }
    disk.copy()
}

fn listed(disk: &SimDisk) -> Manifest {
    manifest::read(disk, Path::new(DIR)).unwrap().unwrap()
}

/// What is wrong with a store, in words.
fn wrong(disk: &SimDisk) -> Vec<String> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    match verify(&disk, Path::new(DIR), &mut |_, _| {}).unwrap().verdict {
        Verdict::Corrupt(damage) => damage.into_iter().map(|damage| damage.what).collect(),
        Verdict::Clean | Verdict::TornTail { .. } => Vec::new(),
    }
}

/// A store with the log of one and the index of another.
fn mixed(log: &SimDisk, index: &SimDisk) -> SimDisk {
    let mixed = index.copy();
    for path in log.names().iter().filter(|path| path.extension() == Some("seg".as_ref())) {
        mixed.put_file(path, log.file_bytes(path).unwrap());
    }
    mixed
}

fn place(text: &str) -> ScopePrefix {
    ScopePrefix::parse(text).unwrap()
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

type Row = (&'static str, fn(&mut Request), &'static str, (u64, u64));

/// An event more in a commit: what it is missed by, and what a run holds of it, versions and clears.
const EVENTS: &[Row] = &[
    ("set", |r| r.add_set(&scope("a"), "more", b"1").unwrap(), "a version of a key of scope \"a\"", (1, 0)),
    ("delete", |r| r.add_delete(&scope("a"), "k001").unwrap(), "a version of a key of scope \"a\"", (1, 0)),
    ("clear", |r| r.add_clear(&scope("a")).unwrap(), "a clear of scope \"a\"", (0, 1)),
    ("clear prefix", |r| r.add_clear_prefix(&place("a")).unwrap(), "a clear of scope \"a/\"", (0, 1)),
    ("checkpoint", |r| r.add_checkpoint(&scope("a"), "now", None).unwrap(), "a version of a key of scope", (1, 0)),
    ("fork", |r| r.add_fork(&scope("f"), &scope("a"), Seq(2)).unwrap(), "a version of a key of scope", (1, 0)),
    ("retain", |r| r.add_retain(&place("a"), &Policy::default()).unwrap(), "a version of a key of scope", (1, 0)),
    ("hold", |r| r.add_hold(&place("a"), "audit", None).unwrap(), "a version of a key of scope", (1, 0)),
    ("erase", |r| r.add_erase(&scope("a"), "k002", 1).unwrap(), "a version of a key of scope \"a\"", (2, 0)),
    ("erase scope", |r| r.add_erase_scope(&scope("a"), 1).unwrap(), "a clear of scope \"a\"", (1, 1)),
    ("erase prefix", |r| r.add_erase_prefix(&place("a"), 1).unwrap(), "a clear of scope \"a/\"", (1, 1)),
];

#[test]
fn a_run_that_holds_more_or_less_than_the_log_is_told() {
    let without = store(&|_, _| {});
    assert!(wrong(&without).is_empty());
    for (name, add, missed, (versions, clears)) in EVENTS {
        let with = store(&|n, request| {
            if n == 5 {
                add(request)
            }
        });
        assert!(wrong(&with).is_empty(), "{name}");
        let found = wrong(&mixed(&with, &without));
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].starts_with(&format!("the run misses {missed}")), "{name}: {found:?}");
        let (of_log, of_run) = (58, (58 + versions, clears));
        let told = format!("the run holds {} versions and {} clears, the log {of_log} and 0", of_run.0, of_run.1);
        assert_eq!(wrong(&mixed(&without, &with)), [told], "{name}");
    }
}

/// The rows of MANIFEST must go on from the first commit, each where the one before ends.
#[test]
fn runs_that_do_not_follow_each_other_are_told() {
    let whole = store(&|_, _| {});
    let runs = listed(&whole).runs;
    assert!(runs.len() > 2 && runs[0].last_seq == 58, "{runs:?}");
    let changed = |change: &dyn Fn(&mut Manifest)| {
        let disk = whole.copy();
        let mut manifest = listed(&disk);
        change(&mut manifest);
        manifest::write(&disk, Path::new(DIR), &manifest, &Latch::default()).unwrap();
        wrong(&disk)
    };
    let told = |begins: u64, expected: u64| {
        format!("MANIFEST says that the run begins with seq {begins}, expected was {expected}")
    };
    assert!(changed(&|_| {}).is_empty());
    assert_eq!(changed(&|manifest| _ = manifest.runs.remove(0)), [told(59, 1)]);
    assert_eq!(changed(&|manifest| manifest.runs.swap(0, 1)), [told(59, 1), told(1, 60), told(60, 59)]);
    let ends_before_it_begins = changed(&|manifest| manifest.runs[0].last_seq = 0);
    assert_eq!((&ends_before_it_begins[0], &ends_before_it_begins[2]), (&told(1, 1), &told(59, 1)));
}
