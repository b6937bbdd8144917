use super::*;

fn readings(clock: &SimClock, count: usize) -> Vec<i64> {
    (0..count).map(|_| clock.now().0).collect()
}

/// FAULTS G1, G2: all that wall clocks do.
#[test]
fn a_clock_moves_only_when_told_to() {
    let clock = SimClock::new(Timestamp(100));
    let same = clock.clone();
    assert_eq!(readings(&clock, 2), [100, 100]);
    same.advance(5);
    assert_eq!(readings(&clock, 1), [105]);
    clock.set_step(3);
    assert_eq!((clock.now(), same.now(), clock.now()), (Timestamp(105), Timestamp(108), Timestamp(111)));
    clock.freeze();
    clock.advance(1000);
    assert_eq!(readings(&clock, 2), [114, 114], "frozen");
    clock.jump(-200);
    assert_eq!(readings(&clock, 2), [-86, -86], "set by hand, and still frozen");
    clock.unfreeze();
    assert_eq!(readings(&clock, 2), [-86, -83]);
    clock.set(Timestamp(0));
    clock.set_step(-1);
    assert_eq!(readings(&clock, 3), [0, -1, -2], "backwards");
}

/// FAULTS G3.
#[test]
fn the_ends_of_time_stop_a_clock() {
    let clock = SimClock::new(Timestamp(i64::MAX - 1));
    clock.set_step(10);
    assert_eq!(readings(&clock, 3), [i64::MAX - 1, i64::MAX, i64::MAX]);
    clock.advance(u64::MAX);
    assert_eq!(readings(&clock, 1), [i64::MAX]);
    clock.set(Timestamp(i64::MIN + 1));
    clock.jump(-10);
    assert_eq!(readings(&clock, 1), [i64::MIN]);
}
