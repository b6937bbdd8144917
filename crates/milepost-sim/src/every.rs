//! `milepost-sim --exhaustive LENGTH`: every short sequence, and every recovery cut off twice, on all cores.
//!
//! Invariant: nothing is drawn and nothing is left out; what was covered is printed part by part.

use std::io;

use milepost_io::{Clock as _, Crash, OsClock};
use milepost_sim::{
    check::Disagreement,
    exhaustive::{self, Before, CRASHES, KINDS, Kind, Looked},
};

use crate::cores::on_all_cores;

/// All ways in which a sequence begins.
const BEFORE: [Before; 3] = [Before::OneCommit, Before::Busy, Before::Retained];

/// Every sequence up to a length cut off at each operation of its last step; then, after each single step cut off
/// anywhere, recovery cut off at each of its own operations and the next recovery again.
pub(crate) fn run(out: &mut dyn io::Write, length: u32) -> Result<Looked, String> {
    let mut all = Looked::default();
    for length in 1..=length {
        let what = format!("sequences of {length} of {} kinds, each operation of the last", KINDS.len());
        all += timed(out, &what, || sequences(length))?;
    }
    for depth in [1, 2] {
        let what = format!("recovery cut off at each operation, {depth} deep, after each kind");
        all += timed(out, &what, || recoveries(depth))?;
    }
    Ok(all)
}

fn timed(out: &mut dyn io::Write, what: &str, part: impl FnOnce() -> Result<Looked, String>) -> Result<Looked, String> {
    let begun = OsClock.now().0;
    let looked = part()?;
    let ms = (OsClock.now().0 - begun) / 1_000;
    writeln!(out, "{what}: {looked}, {ms} ms").map_err(|error| error.to_string())?;
    Ok(looked)
}

fn wrong(Disagreement(what): Disagreement) -> String {
    what
}

fn sequences(length: u32) -> Result<Looked, String> {
    let all = KINDS.len().pow(length);
    let one = |index: u64| {
        let mut looked = Looked::default();
        for before in BEFORE {
            exhaustive::sequences(before, length, index as usize, all, &mut |kinds| {
                looked += exhaustive::sequence(before, kinds, &CRASHES)?;
                Ok(())
            })
            .map_err(wrong)?;
        }
        Ok(looked)
    };
    let mut looked = Looked::default();
    on_all_cores(all as u64, one, |found: Looked| looked += found)?;
    Ok(looked)
}

fn recoveries(depth: u32) -> Result<Looked, String> {
    let mut places: Vec<(Before, Kind, u64)> = Vec::new();
    for before in BEFORE {
        for kind in KINDS {
            let cuts = exhaustive::cuts(before, &[kind]).map_err(wrong)?;
            places.extend((0..cuts).map(|cut| (before, kind, cut)));
        }
    }
    let one = |index: u64| {
        let (before, kind, cut) = places[index as usize];
        exhaustive::recovery_at(before, &[kind], cut, &[Crash::Torn, Crash::KeepAll], depth).map_err(wrong)
    };
    let mut looked = Looked::default();
    on_all_cores(places.len() as u64, one, |found: Looked| looked += found)?;
    Ok(looked)
}
