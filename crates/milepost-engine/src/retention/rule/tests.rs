use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::*;

/// One event of a key's scope.
#[derive(Clone, Copy, Debug)]
enum Did {
    Set,
    /// A value that is gone for reads from this commit on.
    Expires(u64),
    Delete,
    Clear,
}

/// A key's past: what each event did, and after how many commits the next one came.
fn pasts() -> impl Strategy<Value = Vec<(Did, u64)>> {
    let did = prop_oneof![
        4 => Just(Did::Set),
        2 => (0_u64..40).prop_map(Did::Expires),
        2 => Just(Did::Delete),
        1 => Just(Did::Clear),
    ];
    vec((did, 0_u64..4), 0..14)
}

/// What there is: each event by its place.
fn placed(past: &[(Did, u64)]) -> Vec<(Mark, Did)> {
    let (mut seq, mut record) = (1, 0);
    let mut placed = Vec::new();
    for (did, step) in past {
        seq += step;
        record += 10;
        placed.push((Mark { seq, record }, *did));
    }
    placed
}

/// What a read as of a commit meets: the naive model, which walks all events.
fn read(events: &[(Mark, Did)], at: u64) -> Option<Mark> {
    let mut met = None;
    for (place, did) in events.iter().filter(|(place, _)| place.seq <= at) {
        met = match did {
            Did::Set => Some(*place),
            Did::Expires(gone) => Some(*place).filter(|_| *gone > at),
            Did::Delete | Did::Clear => None,
        };
    }
    met
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let points = vec(0_u64..40, 0..4);
    let from = prop_oneof![3 => Just(None), 1 => (0_u64..40).prop_map(Some)];
    (0_u64..40, points, prop_oneof![2 => Just(0), 1 => 0_u64..4], from).prop_map(
        |(horizon, mut points, keep_last, keep_from)| {
            points.sort_unstable();
            Wanted { horizon, points, keep_last, keep_from, ..Wanted::default() }
        },
    )
}

fn judged(events: &[(Mark, Did)], wanted: &Wanted) -> Vec<(Mark, Fate)> {
    let version = |(place, did): &(Mark, Did)| {
        let kind = match did {
            Did::Set => Kind::Set,
            Did::Expires(_) => Kind::Expiring,
            Did::Delete => Kind::Delete,
            Did::Clear => return None,
        };
        Some(Version { seq: place.seq, record: place.record, kind })
    };
    let versions: Vec<Version> = events.iter().filter_map(version).collect();
    let clears: Vec<Mark> =
        events.iter().filter(|(_, did)| matches!(did, Did::Clear)).map(|(place, _)| *place).collect();
    let gone_at = |version: &Version| {
        events.iter().find_map(|(place, did)| match did {
            Did::Expires(gone) if (place.seq, place.record) == (version.seq, version.record) => Some(*gone),
            Did::Expires(_) | Did::Set | Did::Delete | Did::Clear => None,
        })
    };
    let mut has_expired = |version: &Version| gone_at(version).is_some_and(|gone| gone <= wanted.horizon);
    let fates = fates(&versions, &clears, wanted, &mut has_expired);
    let place = |version: &Version| Mark { seq: version.seq, record: version.record };
    versions.iter().map(place).zip(fates).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    /// Taking away any part of the gone, and the bare once nothing older is left, changes no read that is possible.
    #[test]
    fn what_goes_is_never_missed(past in pasts(), wanted in wanted(), drawn in any::<u64>()) {
        let events = placed(&past);
        let fates = judged(&events, &wanted);
        let mut left = events.clone();
        let mut bits = drawn;
        for (place, fate) in &fates {
            bits = bits.rotate_left(1);
            if *fate == Fate::Gone && bits & 1 == 1 {
                left.retain(|(at, _)| at != place);
            }
        }
        // Bare ones go once nothing older of the key is left.
        for (place, _) in fates.iter().filter(|(_, fate)| *fate == Fate::Bare) {
            if !left.iter().any(|(at, did)| at < place && !matches!(did, Did::Clear)) {
                left.retain(|(at, _)| at != place);
            }
        }
        for at in (wanted.horizon..wanted.horizon + 60).chain(wanted.points.iter().copied()) {
            prop_assert_eq!(read(&left, at), read(&events, at), "as of {}, {:?} of {:?}", at, &left, &events);
        }
    }

    /// What nothing wants is gone. Behind the horizon each stays, for the history: also one that no read meets, since
    /// the same commit set the key again.
    #[test]
    fn what_stays_has_a_reason(past in pasts(), wanted in wanted()) {
        let events = placed(&past);
        let fates = judged(&events, &wanted);
        let reads = (wanted.horizon..wanted.horizon + 60).chain(wanted.points.iter().copied());
        let met: BTreeSet<Mark> = reads.filter_map(|at| read(&events, at)).collect();
        let is_value = |at: &Mark| events.iter().any(|(place, did)| place == at && !matches!(did, Did::Delete));
        let has_value = read(&events, wanted.horizon).is_some();
        for (index, (place, fate)) in fates.iter().enumerate() {
            let newer = fates[index + 1..].iter().filter(|(later, _)| is_value(later)).count() as u64;
            let by_number = has_value && is_value(place) && newer < wanted.keep_last;
            let by_walk = wanted.keep_from.is_some_and(|from| place.seq >= from);
            let is_set = events.iter().any(|(at, did)| at == place && matches!(did, Did::Set));
            if met.contains(place) || by_number || by_walk {
                prop_assert_eq!(*fate, Fate::Stays);
            } else if is_set && place.seq <= wanted.horizon {
                prop_assert_eq!(*fate, Fate::Gone, "{:?} of {:?}", place, &events);
            }
        }
    }

    /// The horizon only moves on: what is gone at one horizon is gone, or bare, at every later one. But for what a
    /// number keeps again, if it is there still, since the key has a value again.
    #[test]
    fn a_later_horizon_wants_no_more(past in pasts(), wanted in wanted(), later in 0_u64..20) {
        let events = placed(&past);
        let further = Wanted { horizon: wanted.horizon + later, ..wanted.clone() };
        if wanted.keep_last > 0 && read(&events, wanted.horizon).is_none() {
            return Ok(());
        }
        for (now, then) in judged(&events, &wanted).iter().zip(judged(&events, &further)) {
            if now.1 == Fate::Gone {
                prop_assert_eq!(then.1, Fate::Gone);
            }
        }
    }
}

/// The story, versions, clears, what is wanted, the fates.
type Example = (&'static str, Vec<Version>, Vec<Mark>, Wanted, &'static str);

/// Rows: what happened, by commit; what is wanted; the fates.
#[test]
fn by_example() {
    let set = |seq| Version { seq, record: 0, kind: Kind::Set };
    let delete = |seq| Version { seq, record: 0, kind: Kind::Delete };
    let expiring = |seq| Version { seq, record: 0, kind: Kind::Expiring };
    let mark = |seq| Mark { seq, record: 5 };
    let at = |horizon| Wanted { horizon, ..Wanted::default() };
    let last = |keep_last| Wanted { keep_last, ..at(9) };
    let rows: Vec<Example> = vec![
        ("the newest stays", vec![set(1), set(2)], vec![], at(9), "gs"),
        ("what the horizon sees stays", vec![set(1), set(5), set(9)], vec![], at(8), "gss"),
        ("the horizon at the very commit", vec![set(1), set(5)], vec![], at(5), "gs"),
        ("a delete goes when it is bare", vec![set(1), delete(2)], vec![], at(9), "gb"),
        ("a delete behind the horizon stays", vec![set(1), delete(12)], vec![], at(9), "ss"),
        ("a clear ends what it met", vec![set(1)], vec![mark(2)], at(9), "g"),
        ("a clear behind the horizon", vec![set(1)], vec![mark(12)], at(9), "s"),
        (
            "a point keeps what it sees",
            vec![set(1), set(3), set(7)],
            vec![],
            Wanted { points: vec![4], ..at(9) },
            "gss",
        ),
        ("and the delete that ends it", vec![set(1), delete(7)], vec![], Wanted { points: vec![4], ..at(9) }, "ss"),
        ("two newest", vec![set(1), set(3), set(7)], vec![], Wanted { keep_last: 2, ..at(9) }, "gss"),
        ("a delete is no version", vec![set(1), set(3), delete(4), set(7)], vec![], last(2), "gsss"),
        (
            "of several only the one that ends a value",
            vec![set(3), delete(4), delete(5), set(7)],
            vec![],
            last(2),
            "ssgs",
        ),
        ("a delete that nothing stands before", vec![delete(1), set(7)], vec![], last(2), "gs"),
        ("deleted, whatever the number", vec![set(1), set(3), delete(7)], vec![], last(3), "ggb"),
        ("cleared, whatever the number", vec![set(1), set(3)], vec![mark(7)], last(3), "gg"),
        ("deleted behind the horizon", vec![set(1), set(3), delete(12)], vec![], last(2), "sss"),
        ("cleared behind the horizon", vec![set(1), set(3)], vec![mark(12)], last(2), "ss"),
        (
            "a point keeps what it sees of what was deleted, and the delete",
            vec![set(1), set(3), delete(7)],
            vec![],
            Wanted { points: vec![4], ..last(3) },
            "gss",
        ),
        ("expired, whatever the number", vec![set(1), expiring(3)], vec![], last(3), "gb"),
        ("expired, and replaced", vec![set(1), expiring(3), set(7)], vec![], last(3), "sss"),
        ("from a commit on", vec![set(1), set(3), set(7)], vec![], Wanted { keep_from: Some(3), ..at(9) }, "gss"),
        (
            "erased, whatever wants it",
            vec![set(1), set(3), delete(5), set(7)],
            vec![],
            Wanted { points: vec![2, 4], keep_last: 9, erased: Some(Mark { seq: 5, record: 0 }), ..at(1) },
            "ggss",
        ),
        (
            "a delete that hides what a fork began with",
            vec![delete(4)],
            vec![],
            Wanted { forked: Some(mark(2)), ..at(9) },
            "s",
        ),
    ];
    for (story, versions, clears, wanted, right) in rows {
        let fates = fates(&versions, &clears, &wanted, &mut |_| true);
        let letters: String = fates
            .iter()
            .map(|fate| match fate {
                Fate::Stays => 's',
                Fate::Bare => 'b',
                Fate::Gone => 'g',
            })
            .collect();
        assert_eq!(letters, right, "{story}");
    }
}
