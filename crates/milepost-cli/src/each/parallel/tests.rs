use super::{Parallel, ParallelError};

#[test]
fn numbers_and_shares_are_read_and_nothing_else_is() {
    let rows = [
        ("1", Ok(Parallel::Count(1))),
        ("4096", Ok(Parallel::Count(4096))),
        ("50%", Ok(Parallel::Percent(50))),
        ("250%", Ok(Parallel::Percent(250))),
        ("0", Err(ParallelError::Zero)),
        ("00%", Err(ParallelError::Zero)),
        ("4097", Err(ParallelError::TooMany)),
        ("99999999999999999999999", Err(ParallelError::TooMany)),
        ("", Err(ParallelError::Malformed)),
        ("%", Err(ParallelError::Malformed)),
        ("+1", Err(ParallelError::Malformed)),
        ("-1", Err(ParallelError::Malformed)),
        ("1.5", Err(ParallelError::Malformed)),
        ("50 %", Err(ParallelError::Malformed)),
        ("all", Err(ParallelError::Malformed)),
    ];
    for (text, parallel) in rows {
        assert_eq!(text.parse(), parallel, "{text}");
    }
}

#[test]
fn a_share_is_of_the_processors_and_one_at_least() {
    let rows = [(50, 8, 4), (50, 1, 1), (1, 8, 1), (100, 3, 3), (75, 2, 1), (200, 2, 4), (usize::MAX, 2, 4096)];
    for (percent, processors, slots) in rows {
        assert_eq!(Parallel::Percent(percent).slots(processors), slots, "{percent}% of {processors}");
    }
    assert_eq!(Parallel::Count(9).slots(2), 9);
}
