//! What is told of what retention makes of a place: each number, on worlds that are small enough to count by hand.

use std::time::Duration;

use milepost_engine::{ENDED_KEY, Explanation, Request};
use milepost_types::{At, Policy, Receipt, Seq, Timestamp};

use crate::{
    compaction::{Rig, place},
    scope,
};

const SECOND: u64 = 1_000_000;

fn tell(rig: &Rig, what: impl FnOnce(&mut Request)) -> Receipt {
    rig.clock.advance(SECOND);
    let mut request = rig.store.request();
    what(&mut request);
    rig.store.commit(request).unwrap()
}

fn explained(rig: &Rig, of: &str) -> Explanation {
    rig.store.explain(&place(of)).unwrap()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// So many seconds later.
fn later(at: Timestamp, seconds: i64) -> Option<Timestamp> {
    Some(Timestamp(at.0 + seconds * SECOND as i64))
}

#[test]
fn what_is_kept_of_a_place_and_what_goes_is_counted() {
    let rig = Rig::new(71);
    rig.retain("a", Policy::default().keep_last(2));
    for n in 0..4 {
        rig.set("a", "k0", &[n]);
    }
    rig.set("a", "k1", b"deleted");
    tell(&rig, |request| request.add_checkpoint(&scope("a"), "old", None).unwrap());
    tell(&rig, |request| request.add_delete(&scope("a"), "k1").unwrap());
    rig.set("a/b", "k0", b"1");
    rig.set("ab", "k0", b"1");
    rig.set("ab", "k0", b"2");
    let seen = rig.store.view(At::Seq(rig.store.last().seq)).unwrap();
    let told = explained(&rig, "a");
    assert_eq!((told.scopes, told.versions, told.goes_now), (2, 7, 2), "of k0 the first two: {told:?}");
    // The horizon would be at the last commit, which the view is not before.
    assert_eq!((told.points, told.horizon, told.next_horizon.map(|row| row.seq)), (1, None, Some(seen.seq())));
    assert_eq!((told.next_goes_at, told.erased_held), (None, 0), "no time decides it");

    // Behind the view, and with a second checkpoint that is the last commit.
    tell(&rig, |request| request.add_release(&scope("a"), "old").unwrap());
    tell(&rig, |request| request.add_checkpoint(&scope("a"), "new", None).unwrap());
    let told = explained(&rig, "a");
    assert_eq!(told.points, 2, "the view, of each scope; the checkpoint is not before the horizon: {told:?}");
    assert_eq!(told.goes_now, 4, "and what was deleted, with its delete");
    assert_eq!(explained(&rig, "a/b").points, 1);
    drop(seen);
    assert_eq!(explained(&rig, "a").points, 0);
    let told = explained(&rig, "");
    assert_eq!((told.scopes, told.versions, told.goes_now), (3, 9, 4), "nothing is said of ab: {told:?}");

    rig.compact();
    assert_eq!(explained(&rig, "a").horizon.map(|row| row.seq), Some(rig.store.last().seq));
}

/// What was said of what is kept is told in the order of the places, and so are the horizons, where they say more than
/// that of the place around.
#[test]
fn what_was_said_is_told_in_the_order_of_the_places() {
    let rig = Rig::new(76);
    rig.set("a", "k0", b"1");
    for (prefix, last) in [("b", 1), ("", 2), ("a/b", 3), ("a", 4)] {
        rig.retain(prefix, Policy::default().keep_last(last));
    }
    for (prefix, name) in [("b", "y"), ("a", "z"), ("b", "x")] {
        tell(&rig, |request| request.add_hold(&place(prefix), name, None).unwrap());
    }
    let policies = rig.store.policies().unwrap();
    let policies = policies.iter().map(|set| (set.prefix.as_str(), set.policy.keep_last, set.seq.0));
    let right = [("", Some(2), 3), ("a", Some(4), 5), ("a/b", Some(3), 4), ("b", Some(1), 2)];
    assert_eq!(policies.collect::<Vec<_>>(), right);
    let holds = rig.store.holds().unwrap();
    let holds = holds.iter().map(|set| (set.prefix.as_str(), set.name.as_str(), set.seq.0));
    assert_eq!(holds.collect::<Vec<_>>(), [("a", "z", 7), ("b", "x", 8), ("b", "y", 6)]);
    let told = explained(&rig, "a");
    assert_eq!(told.policies_below.iter().map(|set| set.prefix.to_string()).collect::<Vec<_>>(), ["a/b"]);
    assert!(told.holds_below.is_empty() && told.hold.is_some_and(|set| set.prefix == place("a")));
    let told = explained(&rig, "");
    assert_eq!((told.policies_below.len(), told.holds_below.len(), told.hold), (3, 3, None));

    let horizons = || rig.store.horizons().into_iter().map(|row| (row.prefix.to_string(), row.seq)).collect::<Vec<_>>();
    assert!(horizons().is_empty());
    rig.compact();
    let last = rig.store.last().seq;
    // Of what is held it stays where it was, which is told beside one around it that has moved.
    let right = [("", last), ("a", Seq::ZERO), ("a/b", Seq::ZERO), ("b", Seq::ZERO)];
    assert_eq!(horizons(), right.map(|(prefix, seq)| (prefix.to_owned(), seq)));
}

/// A place of which a policy was set has a horizon of its own. While that is where it began, nothing is told of it.
#[test]
fn a_horizon_is_told_once_it_has_moved() {
    let rig = Rig::new(72);
    rig.set("a", "k0", b"1");
    rig.set("a", "k0", b"2");
    rig.retain("a", Policy::default().keep_for(seconds(3600)));
    rig.compact();
    let told = explained(&rig, "a");
    assert_eq!((told.horizon, told.next_horizon), (None, None));
    rig.clock.advance(3600 * SECOND);
    let at = rig.set("b", "k0", b"3");
    rig.clock.advance(3600 * SECOND);
    let told = explained(&rig, "a");
    assert_eq!((told.horizon, told.next_horizon.map(|row| row.seq)), (None, Some(at)));
    rig.compact();
    let told = explained(&rig, "a");
    assert_eq!((told.horizon.map(|row| row.seq), told.next_horizon.map(|row| row.seq)), (Some(at), Some(at)));
}

/// What happens to a key after it was set twice, and what is kept; then with which of the events from the first set on,
/// counted from 0, the time begins after which a version goes. None: no time decides it.
type Row = (&'static str, fn(&mut Request), Policy, Option<usize>);

/// A version goes so long after what ended it: the next one, a delete, a clear. One that a number keeps goes with the
/// key.
#[test]
fn when_the_next_version_goes_is_told() {
    let keep = |last: u64| {
        let policy = Policy::default().keep_for(seconds(60));
        if last == 0 { policy } else { policy.keep_last(last) }
    };
    let nothing: fn(&mut Request) = |request| request.add_set(&scope("e"), "other", b"").unwrap();
    let delete: fn(&mut Request) = |request| request.add_delete(&scope("a"), "k").unwrap();
    let clear: fn(&mut Request) = |request| request.add_clear(&scope("a")).unwrap();
    let set: fn(&mut Request) = |request| request.add_set(&scope("a"), "k", b"3").unwrap();
    let rows: [Row; 13] = [
        ("replaced", nothing, keep(0), Some(1)),
        ("replaced, the newest stays", nothing, keep(1), Some(1)),
        ("of two that stay", nothing, keep(2), None),
        ("of three", nothing, keep(3), None),
        ("deleted", delete, keep(0), Some(1)),
        ("deleted, of one that stays", delete, keep(1), Some(1)),
        ("deleted, of two that stay", delete, keep(2), Some(2)),
        ("deleted, of three", delete, keep(3), Some(2)),
        ("cleared", clear, keep(0), Some(1)),
        ("cleared, of two that stay", clear, keep(2), Some(2)),
        ("set again, of two that stay", set, keep(2), Some(1)),
        ("set again, of three", set, keep(3), None),
        ("kept for ever", delete, Policy::default(), None),
    ];
    for (story, happens, policy, ends) in rows {
        let rig = Rig::new(73);
        rig.retain("a", policy);
        let mut at = Vec::new();
        for n in 0..2 {
            at.push(tell(&rig, |request| request.add_set(&scope("a"), "k", &[n]).unwrap()).at);
        }
        at.push(tell(&rig, happens).at);
        let told = explained(&rig, "a");
        assert_eq!(told.next_goes_at, ends.and_then(|ends| later(at[ends], 60)), "{story}");
        // Of several keys, the soonest.
        let one = tell(&rig, |request| request.add_set(&scope("a/b"), "k", b"1").unwrap());
        let two = tell(&rig, |request| request.add_set(&scope("a/b"), "k", b"2").unwrap());
        assert!(one.at < two.at);
        let of_both = explained(&rig, "a").next_goes_at;
        let alone = explained(&rig, "a/b").next_goes_at;
        assert_eq!(of_both, told.next_goes_at.into_iter().chain(alone).min(), "{story}");
        // Once it has gone, the next one is told.
        rig.clock.advance(61 * SECOND);
        tell(&rig, |request| request.add_set(&scope("e"), "k", b"").unwrap());
        rig.compact();
        assert!(explained(&rig, "a").next_goes_at.is_none_or(|next| next > two.at), "{story}");
    }
}

/// Tasks that a hold keeps are told apart from those that go; of these the first is told, and all that goes with it.
#[test]
fn tasks_that_have_ended_are_counted_and_when_the_first_goes() {
    let rig = Rig::new(74);
    rig.retain("task", Policy::default().keep_for(seconds(3600)).expire_ended(seconds(600)));
    for of in ["task/a", "task/b", "task/c", "task/d"] {
        rig.set(of, "k", b"1");
        rig.set(&format!("{of}/below"), "k", b"1");
        rig.set(&format!("{of}/below"), "k", b"2");
    }
    let told = explained(&rig, "task");
    assert_eq!((told.ended, told.ended_kept, told.next_expires_at), (0, 0, None));
    let end = |of: &str| tell(&rig, |request| request.add_set(&scope(of), ENDED_KEY, b"ended").unwrap()).at;
    let [_, b, c] = ["task/a", "task/b", "task/c"].map(end);
    tell(&rig, |request| request.add_hold(&place("task/a"), "case", None).unwrap());
    let told = explained(&rig, "task");
    assert_eq!((told.ended, told.ended_kept, told.next_expires_at), (3, 1, later(b, 600)));
    tell(&rig, |request| request.add_hold(&place("task/b/below"), "case", None).unwrap());
    let told = explained(&rig, "task");
    assert_eq!((told.ended, told.ended_kept, told.next_expires_at), (3, 2, later(c, 600)));
    assert_eq!((told.scopes, told.versions, told.goes_now), (8, 15, 0));
    let of_c = explained(&rig, "task/c");
    assert_eq!((of_c.ended, of_c.ended_above, of_c.next_expires_at), (1, None, later(c, 600)), "none is above it");
    assert!(of_c.next_goes_at.is_some(), "the first of two values goes after an hour");
    assert_eq!(explained(&rig, "task/b/below").next_goes_at, None, "it is held");

    // Its time has come: all of it goes with the next pass, whatever else would keep it.
    rig.clock.advance(600 * SECOND);
    tell(&rig, |request| request.add_set(&scope("e"), "k", b"1").unwrap());
    for of in ["task", "task/c"] {
        let told = explained(&rig, of);
        assert_eq!(told.goes_now, 4, "{of}: {told:?}");
    }
    let below = explained(&rig, "task/c/below");
    assert_eq!((below.versions, below.goes_now, below.next_goes_at), (2, 2, None), "for the task above: {below:?}");
    assert_eq!(below.ended_above.map(|above| above.task.to_string()).as_deref(), Some("task/c"));
    assert_eq!(explained(&rig, "task/b/below").goes_now, 0, "it is held");
    assert_eq!(explained(&rig, "task/d/below").goes_now, 0, "it has not ended");
    rig.compact();
    assert!(rig.store.get("task/c", "k").unwrap().is_none() && rig.store.get("task/b", "k").unwrap().is_some());
}

/// Two tasks within each other that end in one commit go at the same time: the outer one is told, and of each itself
/// only what is above it.
#[test]
fn of_tasks_that_end_together_the_outer_one_is_told() {
    let rig = Rig::new(75);
    rig.retain("task", Policy::default().expire_ended(seconds(600)));
    for of in ["task/a", "task/a/b", "task/a/b/c"] {
        rig.set(of, "k", b"1");
    }
    let end = tell(&rig, |request| {
        request.add_set(&scope("task/a/b"), ENDED_KEY, b"ended").unwrap();
        request.add_set(&scope("task/a"), ENDED_KEY, b"ended").unwrap();
    });
    let above = |of: &str| explained(&rig, of).ended_above.map(|above| (above.task.to_string(), above.expires_at));
    let outer = Some(("task/a".to_owned(), later(end.at, 600)));
    assert_eq!(["task/a/b/c", "task/a/b", "task/a", "task"].map(above), [outer.clone(), outer, None, None]);
}
