use std::path::Path;

use milepost_io::{Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{Policy, Scope, ScopePrefix};

use super::*;
use crate::{Engine, Parts, Settings};

fn open(settings: Settings) -> Engine {
    let parts = Parts {
        disk: Arc::new(SimDisk::new(1)),
        clock: Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))),
        entropy: Arc::new(SimEntropy::new(1)),
        process: Process::simulated(),
    };
    Engine::open(parts, Path::new("/s"), Settings { threads: Threads::Stepped, ..settings }).unwrap()
}

/// A policy was forgotten with the memory that had it, once that had become a run: a pass that was to take what it does
/// not keep waited until the log had grown, or for an hour.
#[test]
fn a_policy_is_seen_to_also_when_a_run_has_it_already() {
    let engine = open(Settings { memory_bytes: 64 << 10, ..Settings::default() });
    let scope = Scope::parse("user/17").unwrap();
    let set = |n: u64| engine.commit(engine.request().set(&scope, &format!("k{n}"), &[7; 500]).unwrap()).unwrap();
    set(0);
    while engine.step_compact().unwrap() {}
    assert!(engine.shared().is_compaction_due(), "there was no pass yet");
    let mut request = engine.request();
    request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
    engine.commit(request).unwrap();
    while engine.step_compact().unwrap() {}
    assert!(!engine.shared().is_compaction_due());
    let mut request = engine.request();
    request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(2)).unwrap();
    engine.commit(request).unwrap();
    for n in 1..200 {
        set(n);
        while engine.step_index() {}
    }
    assert!(engine.stats().runs > 0);
    assert!(engine.shared().is_compaction_due(), "of the second policy");
}

/// An erasure that came while a pass was under way, which had counted before it, counted as seen by it: its bytes
/// stayed until the log had grown, or for an hour.
#[test]
fn what_is_erased_while_a_pass_is_under_way_is_for_the_next_one() {
    let engine = open(Settings::default());
    let scope = Scope::parse("user/17").unwrap();
    let mut request = engine.request();
    request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
    request.add_set(&scope, "k", b"secret").unwrap();
    engine.commit(request).unwrap();

    assert!(engine.shared().is_compaction_due());
    assert!(engine.step_compact().unwrap(), "it counts");
    let mut request = engine.request();
    request.add_erase_scope(&scope, 6).unwrap();
    engine.commit(request).unwrap();
    while engine.step_compact().unwrap() {}
    assert_eq!(engine.compacted().passes, 1);
    assert!(engine.shared().is_compaction_due(), "what was erased meanwhile");
    while engine.step_compact().unwrap() {}
    assert!(!engine.shared().is_compaction_due(), "all of it was seen to");
}
