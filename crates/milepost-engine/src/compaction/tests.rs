//! What is told of compactions, and which segments are cold.

use std::time::Duration;

use milepost_log::{SegmentKind, SegmentName};
use milepost_types::{Policy, ScopePrefix, Seq};

use super::{cold::is_sealed, *};
use crate::retention::PolicySet;

fn segment(kind: SegmentKind, last_at: Option<i64>) -> SegmentStats {
    SegmentStats {
        name: SegmentName { id: SegmentId(1), generation: 0 },
        file: None,
        first_seq: Seq::FIRST,
        commits: 1,
        frames: 1,
        frame_bytes: 90,
        last_at: last_at.map(Timestamp),
        is_thinned: false,
        file_bytes: 100,
        kind,
    }
}

/// Whoever asks twice is told what was done between: each number by itself.
#[test]
fn what_was_done_since_is_told_number_by_number() {
    let of = |from: u64| Compacted {
        passes: from,
        dropped: 2 * from,
        rewritten: 3 * from,
        made_cold: 5 * from,
        bytes_before: 7 * from,
        bytes_after: 11 * from,
        runs: 13 * from,
    };
    assert_eq!(of(9).since(&of(4)), of(5));
    assert_eq!(of(9).since(&of(9)), Compacted::default());
    assert_eq!(of(9).since(&Compacted::default()), of(9));
}

/// What is said to be gained is what goes, and of its own accord nothing is gained of a segment that stays then.
#[test]
fn the_bytes_of_a_segment_are_those_that_stay_and_those_that_go() {
    use SegmentFate::{Cold, Dropped, Rewritten, Stays};
    let rows = [
        (3, 1, 75, 25, Rewritten, 25),
        (3, 1, 75, 25, Stays, 0),
        (3, 1, 75, 25, Cold, 25),
        (0, 4, 0, 100, Dropped, 100),
        (4, 0, 100, 0, Stays, 0),
    ];
    for (stays, goes, live, dead, by_itself, gain) in rows {
        let segment = segment(SegmentKind::Sealed, None);
        let told = SegmentSurvey { segment, stays, goes, fate: Rewritten, by_itself };
        assert_eq!((told.live_bytes(), told.dead_bytes(), told.gain_by_itself()), (live, dead, gain), "{told:?}");
    }
}

/// The root's policy says from which age on a segment is compressed: one that is sealed, whose newest commit is as old,
/// and that is not compressed yet.
#[test]
fn what_is_as_old_as_the_policy_says_is_to_be_compressed_once() {
    use SegmentKind::{Cold, Dropped, Open, Rewritten, Sealed};

    let policy = |prefix: &str, policy| PolicySet {
        prefix: ScopePrefix::parse(prefix).unwrap(),
        policy,
        seq: Seq::FIRST,
        at: Timestamp(0),
        writer: None,
    };
    let after = Policy { cold_after_us: Some(30), ..Policy::default().keep_for(Duration::ZERO) };
    let by = |policies| ColdFrom::by(&Rules { policies, holds: Vec::new() }, Timestamp(100));
    let from = by(vec![policy("", after)]);
    assert!(
        [by(vec![]), by(vec![policy("a", after)]), by(vec![policy("", Policy::default())])]
            .into_iter()
            .all(|none| none == ColdFrom::default())
    );
    let rows = [
        (Sealed, Some(70), true),
        (Sealed, Some(71), false),
        (Sealed, None, false),
        (Rewritten, Some(70), true),
        (Cold, Some(70), false),
        (Open, Some(70), false),
        (Dropped, Some(70), false),
    ];
    for (kind, last_at, is_due) in rows {
        assert_eq!(from.is_due(&segment(kind, last_at)), is_due, "{kind:?} of {last_at:?}");
        assert!(!ColdFrom::default().is_due(&segment(kind, last_at)), "nothing is said");
        let all = matches!(kind, Sealed | Rewritten) && last_at.is_some();
        assert_eq!(ColdFrom::ALL.is_due(&segment(kind, last_at)), all, "by hand, {kind:?} of {last_at:?}");
        assert_eq!(is_sealed(&segment(kind, last_at)), matches!(kind, Sealed | Rewritten | Cold));
    }
}
