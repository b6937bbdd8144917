//! What a policy is told is what it says; its numbers have limits.

use super::*;

#[test]
fn each_word_sets_its_own_number() {
    let seconds = Duration::from_secs;
    let policy = Policy::default()
        .keep_for(seconds(1))
        .keep_last(2)
        .expire_ended(seconds(3))
        .cold_after(seconds(4))
        .idempotency_for(seconds(5));
    let right = Policy {
        keep_for_us: Some(1_000_000),
        keep_last: Some(2),
        expire_ended_us: Some(3_000_000),
        cold_after_us: Some(4_000_000),
        idempotency_for_us: Some(5_000_000),
    };
    assert_eq!(policy, right);
    let none = Policy::default();
    assert_eq!(none.keep_for(seconds(1)), Policy { keep_for_us: Some(1_000_000), ..none });
    assert_eq!(none.keep_last(2), Policy { keep_last: Some(2), ..none });
    // A time that no number holds is as long as there is one, and then refused.
    assert_eq!(none.keep_for(Duration::MAX).keep_for_us, Some(u64::MAX));
}

#[test]
fn a_version_goes_for_its_age_or_its_number() {
    let (none, time) = (Policy::default(), Duration::from_secs(1));
    for (policy, keeps) in [
        (none, true),
        (none.expire_ended(time).cold_after(time).idempotency_for(time), true),
        (none.keep_for(time), false),
        (none.keep_last(1), false),
        (none.keep_for(time).keep_last(1), false),
    ] {
        assert_eq!(policy.keeps_everything(), keeps, "{policy:?}");
    }
}

/// FAULTS H1: limits are exact and named.
#[test]
fn numbers_beyond_a_limit_are_refused() {
    let with_time = |at: usize, time: u64| {
        let mut times = [None; 4];
        times[at] = Some(time);
        let [keep_for_us, expire_ended_us, cold_after_us, idempotency_for_us] = times;
        Policy { keep_for_us, expire_ended_us, cold_after_us, idempotency_for_us, keep_last: None }
    };
    let most = limits::POLICY_TIME_MAX_US;
    for at in 0..4 {
        assert_eq!(with_time(at, most).check(), Ok(()));
        let error = with_time(at, most + 1).check().unwrap_err();
        assert_eq!((error.what, error.actual, error.max), ("time of a policy", most + 1, most));
    }
    let most = limits::KEEP_LAST_MAX;
    assert_eq!(Policy::default().keep_last(most).check(), Ok(()));
    let error = Policy::default().keep_last(most + 1).check().unwrap_err();
    assert_eq!((error.what, error.actual, error.max), ("versions that a policy keeps", most + 1, most));
}

#[test]
fn names_of_holds_are_within_their_limit() {
    for (bytes, ok) in [(0, false), (1, true), (1024, true), (1025, false)] {
        let text = "h".repeat(bytes);
        assert_eq!(HoldName::parse(&text).map(|name| name.as_str().to_owned()).ok(), ok.then_some(text), "{bytes}");
    }
    assert_eq!(HoldName::from_bytes(b"case 7").unwrap().as_str(), "case 7");
    assert!(matches!(HoldName::from_bytes(b"ca\xff"), Err(ScopeError::NotUtf8 { offset: 2, .. })));
}
