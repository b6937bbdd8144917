use std::{path::Path, time::Duration};

use milepost_io::{SimClock, SimDisk};
use milepost_types::{At, Policy, Timestamp};

use super::*;
use crate::{Engine, Parts, Refusal, Settings, Threads};

/// A fork touches nothing of the scope that it is read from. One that came between the look at a task and the commit
/// that let the task go lost all that it had begun with.
#[test]
fn a_fork_of_a_moment_ago_keeps_what_it_reads() {
    for is_forked in [false, true] {
        let parts = Parts::simulated(&SimDisk::new(1), &SimClock::new(Timestamp(1_700_000_000_000_000)));
        let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
        let engine = Engine::open(parts, Path::new("/s"), settings).unwrap();
        let (task, copy) = (Scope::parse("task/a").unwrap(), Scope::parse("copy").unwrap());
        let policy = Policy::default().expire_ended(Duration::ZERO);
        let mut request = engine.request().set(&task, "k", b"v").unwrap();
        request.add_retain(&ScopePrefix::parse("task").unwrap(), &policy).unwrap();
        engine.commit(request).unwrap();
        let end = engine.commit(engine.request().set(&task, ENDED_KEY, b"\"done\"").unwrap()).unwrap();

        let shared = engine.shared();
        let tiers = shared.state.pin();
        let judging = Judging::now(shared, &tiers).unwrap();
        let ended = judging.ended("task/a").unwrap().unwrap();
        let requests = judging.expiries_of("task/a", &ended, shared.now()).unwrap();
        assert_eq!(requests.len(), 1);
        if is_forked {
            let mut request = engine.request();
            request.add_fork(&copy, &task, end.seq).unwrap();
            engine.commit(request).unwrap();
        }
        for request in requests {
            match engine.commit(request) {
                Ok(_) => assert!(!is_forked),
                Err(CommitError::Refused(why)) => {
                    assert!(is_forked && matches!(*why, Refusal::Precondition { .. }), "{why:?}");
                }
                Err(error) => panic!("{error}"),
            }
        }
        let value = |scope| engine.view(At::Latest).unwrap().get(scope, "k").unwrap().map(|value| value.to_vec());
        let kept = is_forked.then(|| b"v".to_vec());
        assert_eq!((value("task/a"), value("copy")), (kept.clone(), kept));
    }
}
