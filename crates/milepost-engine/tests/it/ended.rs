//! Tasks that have ended within each other, what is cleared below them, and what a hold keeps of what was erased.

use std::time::Duration;

use milepost_engine::{ENDED_KEY, Index};
use milepost_types::{Policy, Timestamp, Writer};

use crate::{
    compaction,
    expiry::{DAY, Rig, place},
    scope,
};

fn expire_after(days: u64) -> Policy {
    Policy::default().expire_ended(Duration::from_secs(days * 86_400))
}

/// A place goes with the first of the tasks above it whose time comes, and with none if a policy of its own keeps it.
#[test]
fn of_tasks_within_each_other_that_have_ended_the_sooner_is_told() {
    let rig = Rig::new(61);
    for of in ["task/a", "task/a/b", "task/a/b/c"] {
        rig.set(of, "k", b"1");
    }
    let told = || {
        let above = rig.store.explain(&place("task/a/b/c")).unwrap().ended_above;
        above.map(|above| (above.task.to_string(), above.expires_at))
    };
    assert_eq!(told(), None);
    rig.end("task/a/b");
    let inner = Some(("task/a/b".to_owned(), Some(Timestamp(rig.store.last().at.0 + 10 * DAY))));
    assert_eq!(told(), inner);
    // The one around it can only end later: an end within it is work of it.
    rig.days(3);
    rig.end("task/a");
    assert_eq!(told(), inner, "three days before the outer one");
    rig.tell(|request| request.add_retain(&place("task/a/b/c"), &Policy::default()).unwrap());
    assert_eq!(told().map(|(_, at)| at), Some(None), "neither takes it");
}

/// That all below a place was cleared since the end of a task is work that goes on, also when nothing is left of the
/// scopes that it met: the task stays until it ends again.
#[test]
fn a_task_goes_on_where_all_below_was_cleared_since_its_end() {
    for (prefix, stays) in [("task/a/b", true), ("task/b", false), ("task/ab", false)] {
        let rig = Rig::new(62);
        let policy = expire_after(10).keep_for(Duration::ZERO);
        rig.tell(|request| request.add_retain(&place("task"), &policy).unwrap());
        for of in ["task/a", "task/a/x", "task/a/b/c", "task/b/c", "task/ab/c"] {
            rig.set(of, "k", b"1");
        }
        // Before the end it says nothing.
        rig.tell(|request| request.add_clear_prefix(&place("task/a/b")).unwrap());
        rig.set("task/a/b/d", "k", b"1");
        rig.end("task/a");
        let ended = || rig.store.explain(&place("task/a")).unwrap().ended;
        assert_eq!(ended(), 1, "{prefix}");
        rig.days(2);
        rig.tell(|request| request.add_clear_prefix(&place(prefix)).unwrap());
        assert_eq!(ended(), u64::from(!stays), "{prefix}");
        rig.days(1);
        rig.compact();
        rig.compact();
        assert_eq!(ended(), u64::from(!stays), "{prefix}, compacted");
        rig.days(11);
        rig.compact();
        rig.compact();
        assert_eq!(rig.is_there("task/a"), stays, "{prefix}");
        rig.end("task/a");
        rig.days(11);
        rig.compact();
        assert!(!rig.is_there("task/a"), "{prefix}: said again, it ends");
    }
}

/// What the commit does besides that says that a task has ended is no work behind its end: it claims the task, clears
/// what is below, or sets something there.
#[test]
fn what_the_last_commit_of_a_task_does_besides_is_no_work_behind_its_end() {
    for does in ["nothing else", "claims it", "clears below", "clears all below", "sets below"] {
        let rig = Rig::new(65);
        for of in ["task/a", "task/a/b"] {
            rig.set(of, "k", b"1");
        }
        let mut request = rig.store.request();
        match does {
            "claims it" => request = request.fence(&scope("task/a"), 7).unwrap(),
            "clears below" => request.add_clear(&scope("task/a/b")).unwrap(),
            "clears all below" => request.add_clear_prefix(&place("task/a/b")).unwrap(),
            "sets below" => request.add_set(&scope("task/a/b"), "last", b"1").unwrap(),
            _ => {}
        }
        request.add_set(&scope("task/a"), ENDED_KEY, b"ended").unwrap();
        rig.store.commit(request).unwrap();
        assert_eq!(rig.store.explain(&place("task/a")).unwrap().ended, 1, "it {does}");
        rig.days(11);
        rig.compact();
        assert!(!rig.is_there("task/a"), "it {does}");
    }
}

/// What somebody erased below a task since its end is work, and a task below that expired is none, also when no name
/// is left of what was there.
#[test]
fn a_task_goes_on_where_somebody_erased_below_it_and_not_where_a_task_expired() {
    for (writer, bytes, stays) in [("ann", 0, true), ("retention", 1, true), ("retention", 0, false)] {
        for index in [Index::Keep, Index::Rebuild] {
            let mut rig = compaction::Rig::new(66);
            rig.retain("", expire_after(10).keep_for(Duration::ZERO));
            for of in ["task/a", "task/a/b", "task/a/b/c"] {
                rig.set(of, "k", b"1");
            }
            rig.set("task/a", ENDED_KEY, b"ended");
            let mut erase = rig.store.request().writer(Writer::new(writer).unwrap());
            erase.add_erase_prefix(&place("task/a/b"), bytes).unwrap();
            rig.store.commit(erase).unwrap();
            for n in 0..30 {
                rig.set("elsewhere", "k", &[n; 300]);
            }
            rig.compact();
            rig = rig.again(index);
            assert!(rig.store.explain(&place("task/a/b")).unwrap().scopes == 0 || index == Index::Keep);
            let ended = rig.store.explain(&place("task/a")).unwrap().ended;
            assert_eq!(ended, u64::from(!stays), "{bytes} bytes by {writer}, {index:?}");
            rig.clock.advance(11 * DAY.unsigned_abs());
            rig.compact();
            let is_there = rig.store.get("task/a", "k").unwrap().is_some();
            assert_eq!(is_there, stays, "{bytes} bytes by {writer}, {index:?}");
        }
    }
}

/// What was erased under a hold stays in the files: as many values as stood before the erasure, without deletes, and
/// without what was set since.
#[test]
fn values_that_were_erased_under_a_hold_are_counted() {
    let rig = compaction::Rig::new(63);
    let told = || rig.store.explain(&place("a")).unwrap();
    rig.set("a", "k0", b"1");
    rig.set("a", "k0", b"2");
    rig.store.commit(rig.store.request().delete(&scope("a"), "k0").unwrap()).unwrap();
    rig.set("a", "k1", b"never erased");
    let mut erase = rig.store.request();
    erase.add_erase(&scope("a"), "k0", 0).unwrap();
    rig.store.commit(erase).unwrap();
    assert_eq!(told().erased_held, 0, "nothing keeps them");
    let mut hold = rig.store.request();
    hold.add_hold(&place("a"), "audit", None).unwrap();
    rig.store.commit(hold).unwrap();
    rig.set("a", "k0", b"3");
    assert_eq!((told().erased_held, told().scopes), (2, 1));
    rig.compact();
    assert_eq!(told().erased_held, 2, "the hold keeps them");
    let mut release = rig.store.request();
    release.add_unhold(&place("a"), "audit").unwrap();
    rig.store.commit(release).unwrap();
    assert_eq!(told().erased_held, 0);
}

/// A policy and a hold give a place a horizon of its own, which says nothing while all of its past can be read.
#[test]
fn horizons_that_say_nothing_are_not_told() {
    let rig = compaction::Rig::new(64);
    for n in 0..20 {
        rig.set("a", "k0", &[n; 300]);
        rig.set("d", "k0", &[n; 300]);
    }
    let horizons = || rig.store.horizons().into_iter().map(|row| row.prefix.to_string()).collect::<Vec<_>>();
    rig.retain("d", Policy::default());
    rig.compact();
    assert!(horizons().is_empty(), "{:?}", horizons());
    rig.retain("a", Policy::default().keep_last(1));
    rig.compact();
    assert_eq!(horizons(), ["a"]);
}
