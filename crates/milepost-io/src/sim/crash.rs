//! [`Crash`]: what a power loss leaves.
//!
//! Invariant: what was synced is always left, whole. Of the rest each way of crashing leaves other parts: sectors of
//! writes, new sizes, and steps of names, each of which is a unit that is kept or lost. What is drawn depends on the
//! seed alone.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{
    SimDisk,
    file::{File, Of, Unit},
    names::{FileId, Names},
    rng::SimRng,
    state::{Inode, State},
};

/// In which way what was not synced is kept or lost.
///
/// A unit is a sector of 512 bytes of one unsynced write, a new size of a file, or a change of names. A new size of a
/// file that is kept implies the earlier ones, a change of names is kept only with those it builds upon. Where a file
/// has grown and the bytes were lost, it reads zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crash {
    /// Everything that was not synced is lost.
    LoseUnsynced,
    /// Nothing is lost.
    KeepAll,
    /// Each unit is kept or lost by itself: sectors of one write torn apart, later writes kept without earlier ones,
    /// new names for empty files.
    Torn,
    /// What was done up to some moment is kept, to the sector.
    PrefixOfWrites,
    /// One unit is lost.
    OneMissing,
    /// One unit is kept, with all new sizes of its file; of the names all or none, if it is no name.
    OneAlone,
    /// Bytes and sizes of all files are kept, changes of names are lost.
    LoseNames,
    /// Bytes and sizes of all files are lost, changes of names are kept.
    LoseData,
}

impl Crash {
    /// Every way.
    pub const ALL: [Crash; 8] = [
        Crash::LoseUnsynced,
        Crash::KeepAll,
        Crash::Torn,
        Crash::PrefixOfWrites,
        Crash::OneMissing,
        Crash::OneAlone,
        Crash::LoseNames,
        Crash::LoseData,
    ];
}

impl SimDisk {
    /// Takes the power away, and gives the disk as it is found when the power is back.
    ///
    /// This disk stays off: its files and locks fail from now on. It can be asked again, for what another crash at the
    /// same moment would have left. The same `seed` leaves the same.
    #[must_use]
    pub fn crash(&self, how: Crash, seed: u64) -> SimDisk {
        let mut state = self.state();
        state.is_off = true;
        SimDisk::of(after_crash(&state, how, seed))
    }
}

fn after_crash(state: &State, how: Crash, seed: u64) -> State {
    let mut fate = Fate::drawn(state, how, seed);
    let names = state.names.after_crash(&mut |stamp, index| fate.keeps_step(stamp, index));
    let files = fate.files(state, &names);
    state.reborn(names, files, &[how as u64, seed])
}

/// What was drawn for one crash.
struct Fate {
    how: Crash,
    rng: SimRng,
    /// With [`Crash::Torn`]: how many of 16 units are kept.
    kept_of_16: u64,
    /// The unit that is missing or alone. The steps of names come first, then the units of each file.
    chosen: usize,
    /// Whether the unit that is alone is one of a file and names are kept around it.
    names_kept: bool,
    /// With [`Crash::PrefixOfWrites`]: the change that the power went off in, and how many of its units are kept.
    last: u64,
    kept_of_last: usize,
}

/// The units of one file.
#[derive(Clone, Copy)]
struct Units {
    /// Number of the first.
    first: usize,
    count: usize,
    /// With [`Crash::Torn`]: how many of its new sizes are kept.
    sizes_kept: usize,
}

impl Fate {
    fn drawn(state: &State, how: Crash, seed: u64) -> Fate {
        let mut rng = SimRng::new(seed);
        let kept_of_16 = [2, 8, 8, 14][rng.index(4)];
        let mut fate = Fate { how, rng, kept_of_16, chosen: 0, names_kept: false, last: u64::MAX, kept_of_last: 0 };
        match how {
            Crash::OneMissing | Crash::OneAlone => {
                let units = state.files.values().map(|inode| inode.content.units());
                let steps = state.names.units();
                fate.chosen = fate.rng.index(steps + units.sum::<usize>());
                fate.names_kept = fate.chosen >= steps && fate.rng.coin();
            }
            Crash::PrefixOfWrites => fate.draw_moment(state),
            _ => {}
        }
        fate
    }

    /// Draws after how many units, in the order of their changes, the power went off.
    fn draw_moment(&mut self, state: &State) {
        let of_files = state.files.values().flat_map(|inode| inode.content.unit_stamps());
        let mut stamps: Vec<u64> = state.names.unit_stamps().chain(of_files).collect();
        stamps.sort_unstable();
        let kept = self.rng.index(stamps.len() + 1);
        if let Some(last) = stamps.get(kept) {
            self.last = *last;
            self.kept_of_last = kept - stamps.partition_point(|stamp| stamp < last);
        }
    }

    /// Whether a unit belongs to the time before the power went off. Asked in the order of the units of a change.
    fn is_in_time(&mut self, stamp: u64) -> bool {
        if stamp == self.last && self.kept_of_last > 0 {
            self.kept_of_last -= 1;
            return true;
        }
        stamp < self.last
    }

    fn coin(&mut self) -> bool {
        self.rng.below(16) < self.kept_of_16
    }

    fn keeps_step(&mut self, stamp: u64, index: usize) -> bool {
        match self.how {
            Crash::LoseUnsynced | Crash::LoseNames => false,
            Crash::KeepAll | Crash::LoseData => true,
            Crash::Torn => self.coin(),
            Crash::PrefixOfWrites => self.is_in_time(stamp),
            Crash::OneMissing => index != self.chosen,
            Crash::OneAlone => self.names_kept || index == self.chosen,
        }
    }

    fn keeps_unit(&mut self, unit: Unit, units: Units) -> bool {
        match self.how {
            Crash::LoseUnsynced | Crash::LoseData => false,
            Crash::KeepAll | Crash::LoseNames => true,
            Crash::Torn => match unit.what {
                Of::Sector => self.coin(),
                Of::Size { nth } => nth < units.sizes_kept,
            },
            Crash::PrefixOfWrites => self.is_in_time(unit.stamp),
            Crash::OneMissing => units.first + unit.index != self.chosen,
            Crash::OneAlone => match unit.what {
                Of::Sector => units.first + unit.index == self.chosen,
                Of::Size { .. } => (units.first..units.first + units.count).contains(&self.chosen),
            },
        }
    }

    /// The files that still have a name.
    fn files(&mut self, state: &State, names: &Names) -> BTreeMap<FileId, Inode> {
        let paths: BTreeMap<FileId, PathBuf> = names.files().into_iter().map(|(path, file)| (file, path)).collect();
        let mut first = state.names.units();
        let mut files = BTreeMap::new();
        for (file, inode) in &state.files {
            let count = inode.content.units();
            if let Some(path) = paths.get(file) {
                let bytes = self.content(&inode.content, first, count);
                let path = if **path == *inode.path { Arc::clone(&inode.path) } else { Arc::from(path.as_path()) };
                files.insert(*file, Inode::new(path, File::durable(bytes)));
            }
            first += count;
        }
        files
    }

    fn content(&mut self, content: &File, first: usize, count: usize) -> Arc<Vec<u8>> {
        let sizes_kept = match self.how {
            Crash::Torn if count > 0 => self.rng.index(content.sizes() + 1),
            _ => 0,
        };
        content.after_crash(&mut |unit| self.keeps_unit(unit, Units { first, count, sizes_kept }))
    }
}

#[cfg(test)]
mod tests;
