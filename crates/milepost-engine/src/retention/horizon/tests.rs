use super::*;

fn prefix(text: &str) -> ScopePrefix {
    ScopePrefix::parse(text).unwrap()
}

fn seq_of(horizons: &Horizons, scope: &str) -> u64 {
    horizons.of(scope).0
}

#[test]
fn the_longest_prefix_speaks_and_nothing_moves_back() {
    let mut horizons = Horizons::default();
    assert_eq!((seq_of(&horizons, "a/b"), horizons.last()), (0, Seq::ZERO));
    horizons.add(&prefix("a"));
    assert!(horizons.advance(|_| Some((Seq(7), Timestamp(70)))));
    // A place that is named later begins where the one around it stood: what is before may be gone.
    horizons.add(&prefix("a/b"));
    horizons.add(&prefix(""));
    let to = |at: &ScopePrefix| if at.as_str() == "a/b" { None } else { Some((Seq(9), Timestamp(90))) };
    assert!(horizons.advance(to));
    let found = ["a", "a/b", "a/b/c", "a/bc", "x", "$/policy"].map(|scope| seq_of(&horizons, scope));
    assert_eq!(found, [9, 7, 7, 9, 9, 0]);
    assert!(!horizons.advance(|_| Some((Seq(3), Timestamp(30)))), "never back");
    assert_eq!((seq_of(&horizons, "a"), horizons.last()), (9, Seq(9)));
    assert_eq!(Horizons::new(horizons.rows().iter().rev().cloned().collect()), horizons);
}

/// Who is asked to move to where it stands stays as it is, with the time that it was given.
#[test]
fn a_place_that_is_named_again_or_moved_to_where_it_stands_stays_as_it_is() {
    let mut horizons = Horizons::default();
    for name in ["b", "a/b", "", "a"] {
        horizons.add(&prefix(name));
    }
    assert!(horizons.advance(|at| (at.as_str() == "a").then_some((Seq(7), Timestamp(70)))));
    let before = horizons.clone();
    for name in ["a", "", "b", "a/b"] {
        horizons.add(&prefix(name));
    }
    assert!(!horizons.advance(|_| Some((Seq::ZERO, Timestamp(5)))));
    assert!(!horizons.advance(|at| (at.as_str() == "a").then_some((Seq(7), Timestamp(71)))));
    assert_eq!(horizons, before);
    let rows = horizons.rows().iter().map(|row| (row.prefix.as_str(), row.seq.0, row.at));
    let none = Timestamp::MIN;
    assert_eq!(rows.collect::<Vec<_>>(), [("", 0, none), ("a", 7, Timestamp(70)), ("a/b", 0, none), ("b", 0, none)]);
    assert!(horizons.advance(|at| (at.as_str() == "b").then_some((Seq(1), Timestamp(2)))), "by one commit");
}

/// That a log was filled with what was taken over is known for good, whichever is said later.
#[test]
fn up_to_where_a_log_was_filled_is_never_less_than_it_was() {
    let horizons = Horizons::new(vec![Horizon { prefix: prefix("a"), seq: Seq(3), at: Timestamp(30) }]);
    assert_eq!(horizons.filled(), Seq::ZERO);
    let filled = horizons.filled_through(Seq(9));
    assert_eq!((filled.filled(), filled.rows().len()), (Seq(9), 1));
    let again = filled.clone().filled_through(Seq(4));
    assert_eq!(again, filled);
    assert_eq!(again.filled_through(Seq(10)).filled(), Seq(10));
}
