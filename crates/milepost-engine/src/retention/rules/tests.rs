//! What policies and holds say of a place.

use std::time::Duration;

use super::*;

fn prefix(text: &str) -> ScopePrefix {
    ScopePrefix::parse(text).unwrap()
}

fn rules(policies: &[(&str, Policy)], holds: &[&str]) -> Rules {
    let policy = |(at, policy): &(&str, Policy)| PolicySet {
        prefix: prefix(at),
        policy: *policy,
        seq: Seq::FIRST,
        at: Timestamp(1),
        writer: None,
    };
    let hold = |at: &&str| HoldSet {
        prefix: prefix(at),
        name: HoldName::parse("case").unwrap(),
        note: None,
        seq: Seq::FIRST,
        at: Timestamp(1),
        writer: None,
    };
    Rules { policies: policies.iter().map(policy).collect(), holds: holds.iter().map(hold).collect() }
}

fn expiring() -> Policy {
    Policy::default().expire_ended(Duration::from_secs(9))
}

/// Of the policies that hold a place the longest speaks. What the engine keeps for itself none speaks of.
#[test]
fn the_longest_prefix_speaks_of_a_place() {
    let last = |versions| Policy::default().keep_last(versions);
    let rules = rules(&[("", last(1)), ("a", last(2)), ("a/b", last(3)), ("ab", last(4))], &["a/b", "c"]);
    let rows = [
        ("x", Some(1), false),
        ("a", Some(2), false),
        ("a/x", Some(2), false),
        ("a/b", Some(3), true),
        ("a/b/c", Some(3), true),
        ("a/bc", Some(2), false),
        ("ab/c", Some(4), false),
        ("c/d", Some(1), true),
        ("$/policy", None, false),
    ];
    for (place, speaks, is_held) in rows {
        let found = rules.policy_of(place).and_then(|set| set.policy.keep_last);
        assert_eq!((found, rules.hold_of(place).is_some()), (speaks, is_held), "{place}");
    }
    assert_eq!(rules.root(), Some(&last(1)));
    assert!(!rules.holds_all());
    assert_eq!(self::rules(&[("a", last(2))], &[]).root(), None);
    assert!(self::rules(&[], &["a", ""]).holds_all());
}

/// Policies, a scope, and whether anything may expire for its end.
type Row<'a> = (&'a [(&'a str, Policy)], &'a str, bool);

/// Whether anything may expire for the end of a task: by the policy that speaks of it, or of a place below.
#[test]
fn what_may_expire_for_a_task_lies_at_it_or_below() {
    let kept = Policy::default();
    let rows: [Row<'_>; 10] = [
        (&[], "a", false),
        (&[("", kept)], "a", false),
        (&[("", expiring())], "a", true),
        (&[("a", expiring())], "a", true),
        (&[("a", expiring())], "a/b", true),
        (&[("a", expiring()), ("a/b", kept)], "a/b", false),
        (&[("a", kept), ("a/b", expiring())], "a", true),
        (&[("a/b", expiring())], "a/c", false),
        (&[("a/b", expiring())], "a/bc", false),
        (&[("a", kept), ("b", expiring())], "a", false),
    ];
    for (policies, scope, right) in rows {
        assert_eq!(rules(policies, &[]).expires_within(scope), right, "{scope} by {policies:?}");
    }
}

#[test]
fn keys_are_remembered_as_the_root_says_or_for_a_month() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    assert_eq!(u128::from(idempotency_for_us(None)), days(30).as_micros());
    assert_eq!(u128::from(idempotency_for_us(Some(&Policy::default()))), days(30).as_micros());
    let said = Policy::default().idempotency_for(days(2));
    assert_eq!(u128::from(idempotency_for_us(Some(&said))), days(2).as_micros());
}
