use super::*;

/// What is told may leave something out only where it names damage, and nothing wrong is let through anywhere.
#[test]
fn only_where_damage_is_named_may_something_be_missing() {
    let (one, two, three, gap) = (Some(1), Some(2), Some(3), None);
    let rows: [(&[Option<u32>], bool); 12] = [
        (&[one, two, three], true),
        (&[gap], true),
        (&[one, gap], true),
        (&[gap, three], true),
        (&[one, gap, three], true),
        (&[one, gap, gap, two, three], true),
        (&[], false),
        (&[one, two], false),
        (&[one, three], false),
        (&[gap, two], false),
        (&[two, one, three], false),
        (&[one, gap, Some(9)], false),
    ];
    for (told, right) in rows {
        let judged = within(told, &[1, 2, 3], || "asked".to_owned());
        assert_eq!(judged.is_ok(), right, "{told:?}: {judged:?}");
    }
    assert!(within(&[one], &[], || "asked".to_owned()).is_err());
}
