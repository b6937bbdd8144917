use super::*;

/// FAULTS G1, G2: all that wall clocks do.
#[test]
fn a_clock_moves_only_when_told_to() {
    let clock = SimClock::new(Timestamp(100));
    let same = clock.clone();
    assert_eq!((clock.now(), clock.now()), (Timestamp(100), Timestamp(100)));
    same.advance(5);
    assert_eq!(clock.now(), Timestamp(105));
    clock.jump(-205);
    assert_eq!((clock.now(), same.now()), (Timestamp(-100), Timestamp(-100)), "backwards");
    clock.set(Timestamp(0));
    assert_eq!(same.now(), Timestamp(0));
}

/// FAULTS G3.
#[test]
fn the_ends_of_time_stop_a_clock() {
    let clock = SimClock::new(Timestamp(i64::MAX - 1));
    clock.jump(10);
    assert_eq!(clock.now(), Timestamp(i64::MAX));
    clock.advance(u64::MAX);
    assert_eq!(clock.now(), Timestamp(i64::MAX));
    clock.set(Timestamp(i64::MIN + 1));
    clock.jump(-10);
    assert_eq!(clock.now(), Timestamp(i64::MIN));
}
