//! Small rounds: a short sequence of steps, cut off somewhere in its last, and many states of that one moment.
//!
//! Invariant: a round depends on its seed alone and looks at exactly [`STATES_EACH`] states, so that so many rounds
//! from a seed are so many states, whichever thread runs which. Half of the states come from a recovery that was cut
//! off itself, a quarter from one that was cut off twice.

use std::panic::{AssertUnwindSafe, catch_unwind};

use milepost_io::Crash;

use crate::{
    check::Disagreement,
    dice::Dice,
    exhaustive::{self, Before, KINDS, Kind},
    rounds::{Failed, Tally, said},
    world::Seen,
};

/// States that one round looks at.
pub const STATES_EACH: u64 = 64;
const STEPS_MOST: usize = 3;
const CUTS: u64 = 24;

/// One round. Its trace is that of the disk that was cut off.
pub fn round(seed: u64) -> Result<Tally, Failed> {
    let failed = |what: String| Failed { seed, what };
    match catch_unwind(AssertUnwindSafe(|| play(seed))) {
        Ok(played) => played.map_err(|Disagreement(what)| failed(what)),
        Err(panic) => Err(failed(format!("panic: {}", said(&*panic)))),
    }
}

fn play(seed: u64) -> Result<Tally, Disagreement> {
    let mut dice = Dice::new(!seed);
    let before = match dice.below(8) {
        0 | 1 => Before::Busy,
        2 => Before::Retained,
        _ => Before::OneCommit,
    };
    let mut kinds: Vec<Kind> = (0..=dice.index(STEPS_MOST)).map(|_| *dice.pick(&KINDS)).collect();
    if before == Before::Retained {
        *kinds.last_mut().expect("at least one") = Kind::Compact;
    }
    let cut = dice.below(CUTS);
    let at = |Disagreement(what)| Disagreement(format!("{before:?}, then {kinds:?} cut off at {cut}: {what}"));
    let mut world = exhaustive::world(before, seed).map_err(at)?;
    for (place, kind) in kinds.iter().enumerate() {
        if place + 1 == kinds.len() {
            world.power_off_after(cut);
        }
        world.act(&kind.step(place)).map_err(at)?;
    }
    let trace = world.trace_hash();
    let (mut seen, disks) = (Seen::default(), world.disks);
    for state in 0..STATES_EACH {
        let crash = Crash::ALL[(state % Crash::ALL.len() as u64) as usize];
        let recoveries_cut = [0, 1, 0, 2][(state / Crash::ALL.len() as u64 % 4) as usize];
        world.look_through(crash, recoveries_cut, &mut seen).map_err(at)?;
    }
    let commits = world.model().len() as u64;
    let disks = world.disks - disks;
    Ok(Tally { rounds: 1, states: STATES_EACH, disks, commits, coverage: world.coverage, trace })
}
