use super::plan;

#[test]
fn those_that_are_together_as_large_as_the_one_behind_are_merged_with_it() {
    let rows: [(&[u64], Option<std::ops::Range<usize>>); 13] = [
        (&[], None),
        (&[10], None),
        (&[10, 10, 10], None),
        (&[10, 10, 10, 10], Some(0..4)),
        (&[9, 10, 20, 40], None),
        (&[11, 10, 10, 10], Some(0..4)),
        (&[5, 5, 10, 20, 40], Some(0..5)),
        (&[10, 10, 10, 10, 41], Some(0..4)),
        (&[10, 10, 20, 40, 100], Some(0..4)),
        (&[1, 2, 10, 5], Some(0..4)),
        (&[1, 1, 1, 1, 1 << 30, 1 << 30], Some(0..4)),
        (&[1 << 28, 1 << 28, 1 << 29, 1 << 30], Some(0..4)),
        (&[10, 10, 10, 10, 1 << 40], Some(0..4)),
    ];
    for (sizes, expected) in rows {
        assert_eq!(plan(sizes), expected, "{sizes:?}");
    }
}

/// Runs come one by one and are merged as planned: there are never many, and nothing is written often.
#[test]
fn few_runs_are_left_and_little_is_written() {
    for spread in [1, 3, 20] {
        let (mut sizes, mut written, mut all) = (Vec::<u64>::new(), 0, 0);
        for number in 0..4000_u64 {
            sizes.insert(0, 1000 + 1000 * (number * 7919 % spread));
            all += sizes[0];
            while let Some(range) = plan(&sizes) {
                let merged: u64 = sizes[range.clone()].iter().sum();
                written += merged;
                sizes.splice(range, [merged]);
            }
            assert!(sizes.len() <= 14, "{} runs", sizes.len());
        }
        let tenths = written * 10 / all;
        assert!(tenths <= 70, "spread {spread}: each byte was written {tenths} tenths");
    }
}
