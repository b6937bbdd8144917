use milepost_io::Crash;
use milepost_sim::{
    check::Agreed,
    exhaustive::{self, Before, Kind, Looked},
    model::Ask,
    workload::{Compacts, Faults, Step},
    world::{Taste, World},
};
use milepost_types::{Event, Key, Scope, limits};

fn check(before: Before, length: u32, first: usize, stride: usize) -> u64 {
    let mut looked = Looked::default();
    let agreed: Agreed = exhaustive::sequences(before, length, first, stride, &mut |kinds| {
        looked += exhaustive::sequence(before, kinds, &Crash::ALL)?;
        Ok(())
    });
    if let Err(wrong) = agreed {
        panic!("{wrong}");
    }
    looked.states
}

/// FAULTS A2..A7: every kind of step alone.
#[test]
fn every_step_cut_off_anywhere() {
    assert!(check(Before::OneCommit, 1, 0, 1) > 500);
}

/// FAULTS A4: a batch of three loses some of its sectors; then a commit of the length of the lost one, or of another,
/// takes its place. The frames behind it never come back, however often the store is opened.
#[test]
fn frames_of_a_lost_batch_stay_lost() {
    let mut lost = 0;
    for seed in 0..60 {
        for (crash, next) in [(Crash::OneMissing, Kind::Flight), (Crash::Torn, Kind::Flight), (Crash::Torn, Kind::Set)]
        {
            let taste = Taste {
                segment_bytes: 64 << 10,
                memory_bytes: limits::MEMORY_BYTES_MIN,
                faults: Faults::None,
                crashes_each: 0,
                compacts: Compacts::Never,
            };
            let mut world = World::new(seed, taste).unwrap_or_else(|wrong| panic!("{wrong}"));
            let mut play = || {
                world.act(&Kind::Set.step(0))?;
                world.power_off_after(1);
                world.act(&Kind::Flight.step(1))?;
                world.lose_power_as(crash)?;
                lost += 4 - world.model().len();
                let Step::Flight(asks) = next.step(2) else { return world.act(&next.step(2)) };
                world.act(&Step::Commit(asks[0].clone()))?;
                world.lose_power_as(Crash::KeepAll)?;
                world.act(&Step::Kill)?;
                world.finish()
            };
            play().unwrap_or_else(|wrong| panic!("seed {seed}, {crash:?}, then {next:?}: {wrong}"));
        }
    }
    assert!(lost > 60, "only {lost} commits were lost");
}

/// Commits in flight that are more than one batch holds are led in several: the power may go off between them.
#[test]
fn a_flight_larger_than_a_batch_is_kept_up_to_the_last_sync() {
    let ask = |place: u8| {
        let event = Event::Set {
            scope: Scope::parse("a").unwrap(),
            key: Key::parse("k").unwrap(),
            value: vec![place; limits::BATCH_BYTES_MAX / 2 + 1],
            content_type: None,
            expires_at: None,
        };
        Ask { events: vec![event], ..Ask::default() }
    };
    let mut kept = Vec::new();
    for cut in [1, 2, 9, 200] {
        let taste = Taste {
            segment_bytes: 64 << 20,
            memory_bytes: limits::MEMORY_BYTES_MIN,
            faults: Faults::None,
            crashes_each: 0,
            compacts: Compacts::Never,
        };
        let mut world = World::new(1, taste).unwrap_or_else(|wrong| panic!("{wrong}"));
        world.power_off_after(cut);
        let flight = world.act(&Step::Flight((0..3).map(ask).collect()));
        let end = flight.and_then(|()| world.lose_power_as(Crash::LoseUnsynced));
        end.unwrap_or_else(|wrong| panic!("cut off at {cut}: {wrong}"));
        kept.push(world.model().len());
    }
    assert_eq!(kept, [0, 1, 3, 3]);
}

/// FAULTS A5: the power goes off at every operation of recovery, and again at every operation of the next one.
#[test]
fn recovery_cut_off_twice_anywhere() {
    for (kind, depth) in [(Kind::Set, 2), (Kind::Roll, 1), (Kind::Flight, 1)] {
        let states = exhaustive::recovery(Before::OneCommit, &[kind], &[Crash::PrefixOfWrites], depth);
        let looked = states.unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(looked.states > 100 && looked.disks > 20, "{kind:?}: only {looked}");
    }
}

/// Every pair, and a part of all triples; the program does all of them with `--exhaustive 3`.
#[test]
fn sequences_cut_off_anywhere() {
    assert!(check(Before::OneCommit, 2, 0, 2) > 2_000);
    assert!(check(Before::OneCommit, 3, 5, 97) > 500);
}

/// The same in a store of several segments, whose rolls left something to recycle.
#[test]
fn sequences_with_recycling_cut_off_anywhere() {
    assert!(check(Before::Busy, 1, 0, 1) > 20);
    assert!(check(Before::Busy, 2, 0, 5) > 20);
}

/// A compaction is cut off at every operation, and so is what comes before it and after it.
#[test]
fn sequences_with_compaction_cut_off_anywhere() {
    assert!(check(Before::Retained, 1, 0, 1) > 200);
    assert!(check(Before::Retained, 2, 0, 5) > 500);
}

/// The power goes off at every operation of a compaction, and again at every operation of the opening after it.
#[test]
fn compaction_and_its_recovery_cut_off_anywhere() {
    let looked = exhaustive::recovery(Before::Retained, &[Kind::Compact], &[Crash::PrefixOfWrites], 1);
    let looked = looked.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(looked.states > 100 && looked.disks > 20, "only {looked}");
}
