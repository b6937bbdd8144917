//! Files of the index that are lost, between two openings or under an open store.
//!
//! Invariant: the log is the truth (DESIGN, invariant 2): whatever is lost of the index, every answer is the model's,
//! to the byte, for who writes and for who only reads.

use std::path::PathBuf;

use super::World;
use crate::{
    check::{self, Agreed, disagree},
    damage::is_index,
    workload::{Lost, LostRuns},
};

impl World {
    /// Some files of the index are gone. Then the store is read without them.
    pub(super) fn lose_index(&mut self, lost: LostRuns) -> Agreed {
        match lost.when {
            Lost::Open => {
                self.remove_runs(lost.which, ["open/no index beside", "open/a part of the index beside"]);
                self.beside()
            }
            Lost::Closed => {
                self.close()?;
                self.open_without(lost.which)
            }
            Lost::Killed => {
                self.cut_off();
                self.open_without(lost.which)
            }
        }
    }

    /// Who only reads comes first, as nothing is made anew by it.
    fn open_without(&mut self, which: u64) -> Agreed {
        if self.is_off() {
            return Ok(());
        }
        self.remove_runs(which, ["open/no index", "open/a part of the index"]);
        if self.doubt.is_empty() && !self.is_disturbed() {
            match self.machine.open_read_only() {
                Ok(reader) => check::everything(&reader, &self.model, self.wall, &mut self.dice)?,
                Err(error) => return disagree(format!("a read-only opening with runs missing: {error}")),
            }
        }
        self.open_again()
    }

    fn remove_runs(&mut self, which: u64, [all_lost, some_lost]: [&'static str; 2]) {
        let runs: Vec<PathBuf> = self.machine.disk.names().into_iter().filter(|path| is_index(path)).collect();
        let lost = runs.iter().enumerate().filter(|(index, _)| which >> (index % 64) & 1 == 1);
        let lost: Vec<&PathBuf> = lost.map(|(_, path)| path).collect();
        for path in &lost {
            self.machine.disk.remove_name(path);
        }
        match lost.len() {
            0 => {}
            all if all == runs.len() => self.coverage.hit(all_lost),
            _ => self.coverage.hit(some_lost),
        }
    }
}
