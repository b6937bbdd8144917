use super::plan;

#[test]
fn four_of_a_size_are_merged_with_what_stands_between() {
    let rows: [(&[u64], Option<std::ops::Range<usize>>); 9] = [
        (&[], None),
        (&[10, 10, 10], None),
        (&[10, 10, 10, 10], Some(0..4)),
        (&[10, 10, 10, 100, 10], None),
        (&[100, 10, 10, 10, 10, 100], Some(1..5)),
        (&[100, 10, 100, 10, 100, 100], Some(0..6)),
        (&[100, 100, 3000, 100, 100], None),
        (&[1 << 30, 1 << 30, 1 << 30, 1 << 30], None),
        (&[1 << 40, 10, 10, 10, 10], Some(1..5)),
    ];
    for (sizes, expected) in rows {
        assert_eq!(plan(sizes), expected, "{sizes:?}");
    }
}

/// Runs come one by one and are merged as planned: there are never many, and nothing is written often.
#[test]
fn few_runs_are_left_and_little_is_written() {
    for spread in [1, 3, 20] {
        let (mut sizes, mut written) = (Vec::<u64>::new(), 0);
        for number in 0..4000_u64 {
            sizes.insert(0, 1000 + 1000 * (number * 7919 % spread));
            while let Some(range) = plan(&sizes) {
                let merged: u64 = sizes[range.clone()].iter().sum();
                written += merged;
                sizes.splice(range, [merged]);
            }
            assert!(sizes.len() <= 24, "{} runs", sizes.len());
        }
        let all: u64 = sizes.iter().sum();
        assert!(written / all <= 7, "each byte was written {} times", written / all);
    }
}
