//! A store that is left alone: what belongs to what is over goes as well, so that the log is no larger after many days
//! than after a few.

use std::time::Duration;

use milepost_engine::{ChangeKind, CommitError, ENDED_KEY, Engine, HistoryQuery, Index, Refusal};
use milepost_types::{Policy, Receipt, Seq, Writer};

use crate::{
    compaction::{Rig, place},
    scope,
};

const DAY_US: u64 = 86_400_000_000;
const DAYS: fn(u64) -> Duration = |days| Duration::from_secs(days * 86_400);

fn tell(rig: &Rig, what: impl FnOnce(&mut milepost_engine::Request)) -> Receipt {
    rig.clock.advance(1_000_000);
    let mut request = rig.store.request();
    what(&mut request);
    let receipt = rig.store.commit(request).unwrap();
    while rig.store.step_index() {}
    receipt
}

fn claim(store: &Engine, of: &str, attempt: u64) -> Result<Receipt, CommitError> {
    store.commit(store.request().fence(&scope(of), attempt).unwrap().set(&scope(of), "k", b"1").unwrap())
}

fn index_bytes(rig: &Rig) -> u64 {
    rig.store.stats().run_bytes
}

/// A day of work, then the pass of the night.
fn day(rig: &Rig, work: &mut dyn FnMut(&Rig)) {
    work(rig);
    rig.clock.advance(DAY_US);
    // The last of the day: horizons and windows are told by stamps.
    tell(rig, |request| request.add_set(&scope("clock"), "today", b"1").unwrap());
    rig.compact();
}

/// The log after twice as many days as it takes to reach its size has the same size.
fn does_not_grow(rig: &Rig, days: u64, mut work: impl FnMut(&Rig, u64)) {
    let mut sizes = Vec::new();
    for n in 0..2 * days {
        day(rig, &mut |rig| work(rig, n));
        if n + 1 >= days {
            sizes.push((rig.file_bytes(), index_bytes(rig)));
        }
    }
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    let at_most = |first: u64| first + first / 4 + (4 << 10);
    assert!(last.0 <= at_most(first.0) && last.1 <= at_most(first.1), "log and index of {days} days: {sizes:?}");
}

/// Of each task that had expired the claim of its last attempt and the erasure, 166 bytes with stamps, once stayed for
/// ever: six gigabytes a year at a hundred thousand tasks a day.
#[test]
fn tasks_that_come_and_go_leave_nothing() {
    for policy in [Policy::default(), Policy::default().keep_for(DAYS(1)), Policy::default().keep_last(1)] {
        let rig = Rig::new(1);
        rig.retain("", policy.idempotency_for(DAYS(5)).expire_ended(DAYS(2)));
        // Of what stays by that policy.
        tell(&rig, |request| request.add_retain(&place("clock"), &Policy::default().keep_last(1)).unwrap());
        does_not_grow(&rig, 14, |rig, day| {
            for n in 0..12 {
                let of = format!("task/{day}/{n}");
                for attempt in 1..3 {
                    claim(&rig.store, &of, attempt).unwrap();
                }
                tell(rig, |request| request.add_set(&scope(&of), ENDED_KEY, b"ended").unwrap());
            }
        });
    }
}

/// Ten thousand attempts of one task, and the clears by which each began.
#[test]
fn attempts_and_clears_of_a_task_that_goes_on_leave_nothing() {
    let rig = Rig::new(2);
    rig.retain("", Policy::default().keep_for(DAYS(1)));
    let mut attempt = 0;
    does_not_grow(&rig, 8, |rig, _| {
        for n in 0..12_u64 {
            attempt += 1;
            claim(&rig.store, "task", attempt).unwrap();
            tell(rig, |request| request.add_set(&scope("task/part/of"), "k", b"1").unwrap());
            tell(rig, |request| match n % 2 {
                0 => request.add_clear(&scope("task")).unwrap(),
                _ => request.add_clear_prefix(&place("task")).unwrap(),
            });
        }
    });
    assert!(matches!(claim(&rig.store, "task", attempt - 1), Err(CommitError::Refused(_))), "the newest claim stays");
}

fn is_fenced(outcome: Result<Receipt, CommitError>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(CommitError::Refused(refusal)) if matches!(*refusal, Refusal::Fenced { .. }) => true,
        Err(error) => panic!("{error}"),
    }
}

/// A worker of an attempt that was given up may wake within the window in which keys are remembered, and is refused;
/// then the scope is as new. Whether or not compaction came by, and what the index was made of, changes nothing of it.
#[test]
fn a_late_attempt_is_refused_for_as_long_as_keys_are_remembered() {
    for way in ["untouched", "compacted", "opened again", "index made anew"] {
        let mut rig = Rig::new(3);
        rig.retain("", Policy::default().keep_last(1).idempotency_for(DAYS(30)));
        for of in ["task/gone", "task/below/it", "task/twice", "task/lives", "task/claimed"] {
            claim(&rig.store, of, 5).unwrap();
        }
        for of in ["task/gone", "task/twice"] {
            tell(&rig, |request| request.add_erase_scope(&scope(of), 1).unwrap());
        }
        tell(&rig, |request| request.add_erase_prefix(&place("task/below"), 1).unwrap());
        tell(&rig, |request| request.add_erase_scope(&scope("task/claimed"), 1).unwrap());
        claim(&rig.store, "task/claimed", 6).unwrap();
        tell(&rig, |request| request.add_clear(&scope("task/lives")).unwrap());
        for days in [29, 2] {
            rig.clock.advance(days * DAY_US);
            for n in 0..200_u64 {
                rig.set("other", "k", &n.to_le_bytes().repeat(20));
            }
            if way != "untouched" {
                rig.compact();
            }
            rig = match way {
                "opened again" => rig.again(Index::Keep),
                "index made anew" => rig.again(Index::Rebuild),
                _ => rig,
            };
            let late = days == 2;
            if late {
                // What is forgotten is not remembered for being erased again.
                tell(&rig, |request| request.add_erase_scope(&scope("task/twice"), 1).unwrap());
            }
            for of in ["task/gone", "task/below/it", "task/twice"] {
                assert_eq!(is_fenced(claim(&rig.store, of, 4)), !late, "{way}, {of}, {days} days");
            }
            for (of, attempt) in [("task/lives", 4), ("task/claimed", 5)] {
                assert!(is_fenced(claim(&rig.store, of, attempt)), "{way}, {of}, {days} days");
            }
        }
        // A claim that came behind the window counts as any other.
        assert!(is_fenced(claim(&rig.store, "task/gone", 3)), "{way}");
    }
}

/// What somebody erased by hand is history for good, and so is what a hold keeps.
#[test]
fn erasures_by_hand_stay() {
    let rig = Rig::new(4);
    rig.retain("", Policy::default().keep_last(1).idempotency_for(DAYS(1)).expire_ended(DAYS(1)));
    for of in ["task/erased", "task/held", "task/ended"] {
        claim(&rig.store, of, 1).unwrap();
    }
    let ann = Writer::new("ann").unwrap();
    let mut request = rig.store.request().writer(ann.clone());
    request.add_erase_scope(&scope("task/erased"), 1).unwrap();
    let by_ann = rig.store.commit(request).unwrap().seq;
    // Of what was nothing as well.
    let mut request = rig.store.request().writer(ann.clone());
    request.add_erase_scope(&scope("task/never"), 0).unwrap();
    let of_nothing = rig.store.commit(request).unwrap().seq;
    for of in ["task/held", "task/ended"] {
        tell(&rig, |request| request.add_set(&scope(of), ENDED_KEY, b"ended").unwrap());
    }
    rig.clock.advance(2 * DAY_US);
    rig.compact();
    let erasures = |rig: &Rig| {
        let changes = rig.store.history(HistoryQuery::default()).unwrap().map(Result::unwrap);
        let told = changes.filter(|change| change.kind == ChangeKind::Erase);
        told.map(|change| (change.scope.to_string(), change.seq, change.writer)).collect::<Vec<_>>()
    };
    assert_eq!(erasures(&rig).len(), 4);
    tell(&rig, |request| request.add_hold(&place("task/held"), "case", None).unwrap());
    rig.clock.advance(2 * DAY_US);
    for n in 0..300_u64 {
        rig.set("other", "k", &n.to_le_bytes().repeat(20));
    }
    for _ in 0..3 {
        rig.compact();
        rig.set("other", "k", b"1");
    }
    let rig = rig.again(Index::Rebuild);
    rig.compact();
    let left = erasures(&rig);
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(left[0], ("task/erased".to_owned(), by_ann, Some(ann.clone())));
    assert_eq!(left[1], ("task/never".to_owned(), of_nothing, Some(ann)));
    assert_eq!(left[2].0, "task/held");
    assert!(rig.store.get("task/ended", "k").unwrap().is_none() && rig.store.last().seq > Seq(300));
}
