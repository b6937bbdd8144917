//! `milepost-sim reliability`: everything that the simulator holds the store to, in one run that prints its figures.
//!
//! Invariant: what is looked at depends on the seed and on the amount asked for, never on the time, on the number of
//! threads or on their order; the trace that is printed is therefore the same for the same arguments. Whatever should
//! be met and was not makes the run fail.

use std::{fmt::Display, io, path::PathBuf};

use milepost_io::{Clock as _, Crash, OsClock};
use milepost_sim::{
    check::Disagreement,
    coverage::{Coverage, EXPECTED},
    damage::{Found, Left, Specimen, is_index, says_nothing},
    exhaustive::{self, Before, KINDS, Looked},
    rounds::{self, Failed, Tally},
    small,
};

use crate::cores::on_all_cores;

/// How much is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    /// Where the seeds begin.
    pub(crate) seed: u64,
    /// Crash states of small stores.
    pub(crate) states: u64,
    /// Rounds with every fault in larger stores.
    pub(crate) rounds: u64,
    /// Length of the exhaustive sequences, of which one in `stride` is taken.
    pub(crate) length: u32,
    /// Of the longest sequences, one in so many.
    pub(crate) stride: u64,
}

fn rounds(count: u64, round: impl Fn(u64) -> Result<Tally, Failed> + Sync) -> Result<Tally, String> {
    let mut sum = Tally::default();
    on_all_cores(count, |index| round(index).map_err(|failed| failed.to_string()), |one: Tally| sum.merge(&one))?;
    Ok(sum)
}

/// What was looked at, and how long that took.
struct Table<'a> {
    out: &'a mut dyn io::Write,
    begun: i64,
    coverage: Coverage,
}

impl Table<'_> {
    fn line(&mut self, what: &str, found: impl Display) -> Result<(), String> {
        let ms = (OsClock.now().0 - self.begun).max(0) / 1_000;
        self.begun = OsClock.now().0;
        writeln!(self.out, "{what:<42} {found:<62} {ms:>7} ms").map_err(|error| error.to_string())
    }
}

/// Runs all of it and prints the figures; the error says what was wrong.
pub(crate) fn run(out: &mut dyn io::Write, amount: Amount) -> Result<(), String> {
    let mut table = Table { out, begun: OsClock.now().0, coverage: Coverage::default() };
    crash_states(&mut table, amount)?;
    same_seed_twice(&mut table, amount)?;
    sequences(&mut table, amount)?;
    recoveries(&mut table)?;
    damage(&mut table)?;
    faults(&mut table, amount)?;
    let missing = table.coverage.missing(&EXPECTED);
    table.line("must be met at least once", format!("{} of {}", EXPECTED.len() - missing.len(), EXPECTED.len()))?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("never met: {missing:?}")),
    }
}

fn crash_states(table: &mut Table<'_>, amount: Amount) -> Result<(), String> {
    let begun = OsClock.now().0;
    let count = amount.states.div_ceil(small::STATES_EACH);
    let sum = rounds(count, |index| small::round(amount.seed.wrapping_add(index)))?;
    let us = (OsClock.now().0 - begun).max(1) as u64;
    let rate = sum.states.saturating_mul(1_000_000) / us;
    table.coverage.merge(&sum.coverage);
    table.line(
        "crash states of small stores",
        format!("{}, {rate} a second, {} differ, trace {:016x}", sum.states, sum.disks, sum.trace),
    )
}

fn same_seed_twice(table: &mut Table<'_>, amount: Amount) -> Result<(), String> {
    let seeds = 24;
    let traces = |_| -> Result<(u64, u64), String> {
        let small = rounds(seeds, |index| small::round(amount.seed.wrapping_add(index)))?.trace;
        Ok((small, rounds(seeds, |index| rounds::round(amount.seed.wrapping_add(index)))?.trace))
    };
    let (first, second) = (traces(1)?, traces(2)?);
    if first != second {
        return Err(format!("the same seeds gave other traces: {first:x?}, {second:x?}"));
    }
    table.line("the same seed twice, the same trace", format!("{} rounds", 2 * seeds))
}

/// Every sequence, but of the longest one in `stride`, each cut off at every operation of its last step.
fn sequences(table: &mut Table<'_>, amount: Amount) -> Result<(), String> {
    for length in 1..=amount.length {
        let stride = if length == amount.length { amount.stride.max(1) } else { 1 };
        let all = (KINDS.len() as u64).pow(length);
        let mut looked = Looked::default();
        let one = |index: u64| {
            let mut looked = Looked::default();
            for before in [Before::OneCommit, Before::Busy, Before::Retained] {
                let first = usize::try_from(index * stride).expect("few sequences");
                let only = all as usize;
                exhaustive::sequences(before, length, first, only, &mut |kinds| {
                    looked += exhaustive::sequence(before, kinds, &Crash::ALL)?;
                    Ok(())
                })
                .map_err(|Disagreement(what)| what)?;
            }
            Ok(looked)
        };
        on_all_cores(all.div_ceil(stride), one, |found: Looked| looked += found)?;
        let share = if stride == 1 { "every one".to_owned() } else { format!("one in {stride}") };
        table.line(
            &format!("sequences of {length} of {} kinds", KINDS.len()),
            format!("{share}, every operation, {looked}"),
        )?;
    }
    Ok(())
}

fn recoveries(table: &mut Table<'_>) -> Result<(), String> {
    let mut looked = Looked::default();
    let one = |index: u64| {
        let kinds = [KINDS[index as usize]];
        // What a crash of the largest kinds leaves is recovered from in a hundred thousand ways: one is enough there.
        let crashes = [Crash::PrefixOfWrites];
        exhaustive::recovery(Before::OneCommit, &kinds, &crashes, 1).map_err(|Disagreement(what)| what)
    };
    on_all_cores(KINDS.len() as u64, one, |found: Looked| looked += found)?;
    table.line("recovery cut off at every operation", format!("after every kind, {looked}"))?;
    let deep = exhaustive::recovery(Before::OneCommit, &[exhaustive::Kind::Set], &[Crash::Torn], 2);
    let deep = deep.map_err(|Disagreement(what)| what)?;
    table.line("recovery cut off at every two operations", format!("after a set, {deep}"))
}

/// Every bit, every length, every file missing or swapped, of a store that was left in each way.
fn damage(table: &mut Table<'_>) -> Result<(), String> {
    let wrong = |Disagreement(what): Disagreement| what;
    let other = Specimen::new(8, Left::Closed).map_err(wrong)?;
    for left in [Left::Closed, Left::Killed, Left::Cold, Left::Thinned] {
        let specimen = Specimen::new(7, left).map_err(wrong)?;
        specimen.intact().map_err(wrong)?;
        let places = places(&specimen);
        let bytes = places.len();
        let mut found = [0u64; 4];
        let flips = |index: u64| {
            let (file, byte) = places[index as usize];
            (0..8).map(|bit| specimen.flip(file, byte * 8 + bit).map_err(wrong)).collect::<Result<Vec<Found>, _>>()
        };
        on_all_cores(places.len() as u64, flips, |all| all.into_iter().for_each(|one| found[one as usize] += 1))?;
        table.line(&format!("every bit of {bytes} bytes, {left:?}"), told(&found))?;
        let mut found = [0u64; 4];
        let cuts = |index: u64| {
            let (file, length) = places[index as usize];
            specimen.cut(file, length).map_err(wrong)
        };
        on_all_cores(places.len() as u64, cuts, |one| found[one as usize] += 1)?;
        table.line(&format!("every length of every file, {left:?}"), told(&found))?;
        let mut found = [0u64; 4];
        for file in 0..specimen.files().len() {
            found[specimen.lose(file).map_err(wrong)? as usize] += 1;
        }
        for (path, _) in specimen.files() {
            let all =
                [(specimen.files(), "this store"), (specimen.older(), "an older copy"), (other.files(), "another")];
            for (elsewhere, bytes, whose) in
                all.iter().flat_map(|(files, whose)| files.iter().map(move |(path, bytes)| (path, bytes, *whose)))
            {
                if is_index(path) == is_index(elsewhere) {
                    found[specimen.swap(path, bytes, whose).map_err(wrong)? as usize] += 1;
                }
            }
        }
        table.line(&format!("every file missing or another, {left:?}"), told(&found))?;
    }
    Ok(())
}

/// Every byte of every file by the file and its place; of the room that is held, behind what it says, one in 509.
fn places(specimen: &Specimen) -> Vec<(usize, usize)> {
    let of_file = |(file, (path, bytes)): (usize, &(PathBuf, Vec<u8>))| {
        let says_nothing = says_nothing(path);
        let counts = move |byte: &usize| !says_nothing || *byte < 256 || byte.is_multiple_of(509);
        (0..bytes.len()).filter(counts).map(move |byte| (file, byte))
    };
    specimen.files().iter().enumerate().flat_map(of_file).collect()
}

fn told([whole, torn, named, refused]: &[u64; 4]) -> String {
    format!("{whole} whole, {torn} torn, {named} named, {refused} refused")
}

fn faults(table: &mut Table<'_>, amount: Amount) -> Result<(), String> {
    let sum = rounds(amount.rounds, |index| rounds::round(amount.seed.wrapping_add(index)))?;
    table.coverage.merge(&sum.coverage);
    table.line(
        "rounds with every fault",
        format!("{}, {} states, {} differ, trace {:016x}", sum.rounds, sum.states, sum.disks, sum.trace),
    )
}
