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
