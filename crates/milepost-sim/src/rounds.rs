//! Rounds: one seed, one world, a number of steps; and the counts of many of them.
//!
//! Invariant: a round depends on its seed alone, never on the rounds before it, on the thread or on the time.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use milepost_types::limits;

use crate::{
    check::Disagreement,
    coverage::Coverage,
    dice::Dice,
    histories,
    workload::{Compacts, Faults},
    world::{Taste, World},
};

/// A round in so many looks at two histories of one store, too.
const HISTORIES_EVERY: u64 = 8;

/// What one round came to, or many.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many rounds.
    pub rounds: u64,
    /// Crash states met.
    pub states: u64,
    /// Of those, the ones that differed from the others of their moment: each was recovered from and compared.
    pub disks: u64,
    /// Commits that were in the stores at the end.
    pub commits: u64,
    /// What was met.
    pub coverage: Coverage,
    /// What was done to the disks, in one number that does not depend on the order of the rounds.
    pub trace: u64,
}

impl Tally {
    /// Takes up another.
    pub fn merge(&mut self, other: &Tally) {
        self.rounds += other.rounds;
        self.states += other.states;
        self.disks += other.disks;
        self.commits += other.commits;
        self.coverage.merge(&other.coverage);
        self.trace = self.trace.wrapping_add(other.trace);
    }
}

/// A seed that shows something wrong.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

impl std::error::Error for Failed {}

/// The taste of a seed, and how many steps it takes.
#[must_use]
pub fn taste(seed: u64) -> (Taste, usize) {
    let mut dice = Dice::new(!seed);
    let taste = Taste {
        segment_bytes: *dice.pick(&[4 << 10, 4 << 10, 4 << 10, 16 << 10, 64 << 10]),
        memory_bytes: *dice.pick(&[
            limits::MEMORY_BYTES_MIN,
            limits::MEMORY_BYTES_MIN,
            120 << 10,
            limits::MEMORY_BYTES,
        ]),
        faults: *dice.pick(&[
            Faults::PowerLoss,
            Faults::PowerLoss,
            Faults::All,
            Faults::All,
            Faults::All,
            Faults::None,
        ]),
        crashes_each: *dice.pick(&[8, 16, 32]),
        compacts: Compacts::Never,
    };
    let steps = 10 + dice.index(70);
    let compacts = if dice.once_in(2) { Compacts::Often } else { Compacts::Never };
    (Taste { compacts, ..taste }, steps)
}

/// One round.
pub fn round(seed: u64) -> Result<Tally, Failed> {
    let (taste, steps) = taste(seed);
    let failed = |what: String| Failed { seed, what };
    let played = catch_unwind(AssertUnwindSafe(|| -> Result<Tally, Disagreement> {
        let mut world = World::new(seed, taste)?;
        world.run(steps)?;
        if seed.is_multiple_of(HISTORIES_EVERY) {
            histories::check(seed, &mut world.coverage)?;
        }
        let commits = world.model().len() as u64;
        let (states, disks, coverage) = (world.states, world.disks, world.coverage.clone());
        Ok(Tally { rounds: 1, states, disks, commits, coverage, trace: world.trace_hash() })
    }));
    match played {
        Ok(played) => played.map_err(|Disagreement(what)| failed(what)),
        Err(panic) => Err(failed(format!("panic: {}", said(&*panic)))),
    }
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of unknown kind")
}
