use super::median_curve;

#[test]
fn a_curve_is_the_median_at_each_x() {
    for (rounds, curve) in [
        (vec![], vec![]),
        (vec![vec![], vec![]], vec![]),
        (vec![vec![(50.0, 3.0), (99.0, 7.0)]], vec![(50.0, 3.0), (99.0, 7.0)]),
        // A round without a point says nothing about it.
        (vec![vec![(1.0, 9.0)], vec![(1.0, 1.0), (2.0, 5.0)], vec![(1.0, 4.0)]], vec![(1.0, 4.0), (2.0, 5.0)]),
    ] {
        assert_eq!(median_curve(&rounds), curve);
    }
}
