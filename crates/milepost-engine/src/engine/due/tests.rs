use std::path::Path;

use milepost_io::{SimClock, SimDisk, SimEntropy};
use milepost_types::{Policy, Scope, ScopePrefix};

use super::*;
use crate::{Engine, Parts, Settings};

/// An erasure that came while a pass was under way, which had counted before it, counted as seen by it: its bytes
/// stayed until the log had grown, or for an hour.
#[test]
fn what_is_erased_while_a_pass_is_under_way_is_for_the_next_one() {
    let parts = Parts {
        disk: Arc::new(SimDisk::new(1)),
        clock: Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))),
        entropy: Arc::new(SimEntropy::new(1)),
    };
    let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
    let engine = Engine::open(parts, Path::new("/s"), settings).unwrap();
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
