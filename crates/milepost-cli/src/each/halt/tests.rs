use super::{Halt, HaltError};

#[test]
fn policies_are_read_and_nothing_else_is() {
    let rows = [
        ("never", Halt::Never),
        ("soon:1", Halt::Soon(1)),
        ("now:18446744073709551615", Halt::Now(u64::MAX)),
        ("now:2", Halt::Now(2)),
    ];
    for (text, halt) in rows {
        assert_eq!(text.parse(), Ok(halt), "{text}");
    }
    let others = [
        "",
        "Never",
        "never:1",
        "soon",
        "soon:",
        "soon:0",
        "soon:-1",
        "soon:+1",
        "now:1.5",
        "now:18446744073709551616",
        "now:1:2",
        "later:1",
        ":1",
        "1",
    ];
    for text in others {
        assert_eq!(text.parse::<Halt>(), Err(HaltError), "{text}");
    }
}

#[test]
fn a_run_halts_at_its_count_and_above() {
    assert!(!Halt::Never.is_reached(u64::MAX));
    for halt in [Halt::Soon(3), Halt::Now(3)] {
        let reached: Vec<bool> = (1..=4).map(|failures| halt.is_reached(failures)).collect();
        assert_eq!(reached, [false, false, true, true]);
    }
}
