use super::{QUICK_BYTES_MAX, RUNS_MAX, plan, quick};

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

/// Runs come faster than the process lives to merge them: none of the merges is done but those that take an instant.
#[test]
fn where_only_what_is_quick_is_ever_done_runs_do_not_pile_up() {
    let mut sizes = vec![58 << 20, 14 << 20, 6 << 20, 3 << 20];
    let mut written = 0;
    for _ in 0..4000 {
        sizes.insert(0, 330_000_u64);
        if let Some(range) = plan(&sizes).filter(|range| sizes[range.clone()].iter().sum::<u64>() <= QUICK_BYTES_MAX) {
            written += sizes[range.clone()].iter().sum::<u64>();
            let merged = sizes[range.clone()].iter().sum();
            sizes.splice(range, [merged]);
        }
    }
    // Those of some five million bytes each are left: one of 16 that came.
    let large = sizes.iter().filter(|bytes| **bytes > QUICK_BYTES_MAX / 2).count();
    assert!(sizes.len() - large <= RUNS_MAX && large <= 4000 / 16 + 14, "{sizes:?}");
    assert!(written <= 5 * 4000 * 330_000, "{written} bytes were written");
}

#[test]
fn what_is_quick_is_asked_of_many_only() {
    assert_eq!(quick(&[1; RUNS_MAX]), None);
    assert_eq!(quick(&[1; RUNS_MAX + 1]), Some(0..RUNS_MAX + 1));
    let mut sizes = [QUICK_BYTES_MAX / 4; RUNS_MAX + 1];
    assert_eq!(quick(&sizes), Some(0..4));
    sizes[3] += 1;
    assert_eq!(quick(&sizes), None);
    assert_eq!(plan(&[5 << 20; RUNS_MAX + 1]), Some(0..RUNS_MAX + 1), "what is not quick is merged as ever");
}
