use milepost_io::Crash;
use milepost_sim::{
    check::Agreed,
    exhaustive::{self, Before, Kind},
};

fn check(before: Before, length: u32, first: usize, stride: usize) -> u64 {
    let mut states = 0;
    let agreed: Agreed = exhaustive::sequences(before, length, first, stride, &mut |kinds| {
        states += exhaustive::sequence(before, kinds, &Crash::ALL)?;
        Ok(())
    });
    if let Err(wrong) = agreed {
        panic!("{wrong}");
    }
    states
}

/// FAULTS A2..A7: every kind of step alone.
#[test]
fn every_step_cut_off_anywhere() {
    assert!(check(Before::OneCommit, 1, 0, 1) > 500);
}

/// FAULTS A5: the power goes off at every operation of recovery, and again at every operation of the next one.
#[test]
fn recovery_cut_off_twice_anywhere() {
    for (kind, depth) in [(Kind::Set, 2), (Kind::Roll, 1), (Kind::Flight, 1)] {
        let states = exhaustive::recovery(Before::OneCommit, &[kind], &[Crash::PrefixOfWrites], depth);
        let states = states.unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(states > 100, "{kind:?}: only {states}");
    }
}

/// Every pair, and a part of all triples; the program does all of them with `--exhaustive 3`.
#[test]
fn sequences_cut_off_anywhere() {
    assert!(check(Before::OneCommit, 2, 0, 2) > 2_000);
    assert!(check(Before::OneCommit, 3, 5, 97) > 500);
}

/// The same in a store that is busy enough to prepare segments ahead.
#[test]
fn sequences_with_prefilled_segments_cut_off_anywhere() {
    assert!(check(Before::Busy, 1, 0, 1) > 20);
    assert!(check(Before::Busy, 2, 0, 5) > 20);
}
