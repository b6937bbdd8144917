//! Damage that no crash explains: flipped bits, cut files, files that are missing, old or another store's.
//!
//! Invariant: a damaged store never answers wrongly. It says what it always said, or it names the damage; only what was
//! written last to a store that was not closed may count as torn. An opening that is refused changes nothing. Damage of
//! the index is named by verify, and mended by an opening that meets it.
//!
//! Must not know: what any byte means. Every bit of every file is fair game.

mod judge;
mod script;

use std::path::{Path, PathBuf};

use milepost_io::SimDisk;
use milepost_types::{Seq, Timestamp, limits};

use crate::{
    check::{self, Agreed, Disagreement, disagree},
    machine::{Machine, STORE},
    model::{Model, Outcome},
    world::{BEGINNING, request},
};

use judge::Asked;
pub use judge::{Damage, Found};

/// Files that lie in a store and that nothing depends on: a note of a backup, and what was cut from a segment.
const BESIDE: [(&str, &[u8]); 2] = [
    ("noted/0123456789abcdef.note", b"number 3\nseq 5\nat 1\nmade_at 2\ndir /backups\n"),
    ("quarantine/0000000001-4096-1.bytes", b"torn"),
];

/// How a specimen was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Closed.
    Closed,
    /// Killed, with everything on the disk.
    Killed,
    /// Closed after all of it was made cold.
    Cold,
    /// Of all kinds of records, and closed after compaction has taken some.
    Thinned,
}

/// A small store with several segments, and what it says.
#[derive(Debug)]
pub struct Specimen {
    machine: Machine,
    model: Model,
    left: Left,
    /// Path and bytes of every file.
    files: Vec<(PathBuf, Vec<u8>)>,
    /// An older copy: the same store, some commits ago.
    older: Vec<(PathBuf, Vec<u8>)>,
    /// The last commit before the last batch.
    floor: Seq,
    /// The last commit before the last segment.
    sealed: Seq,
}

impl Specimen {
    /// Makes one. Another `seed` makes another store with the same history.
    pub fn new(seed: u64, left: Left) -> Result<Specimen, Disagreement> {
        let mut machine = Machine::new(seed, 4 << 10, BEGINNING);
        machine.memory_bytes = limits::MEMORY_BYTES_MIN;
        let mut model = Model::default();
        let mut older = Vec::new();
        let script = if left == Left::Thinned { script::all() } else { script::plain() };
        let open =
            |machine: &Machine| machine.open().map_err(|error| Disagreement(format!("opening a specimen: {error}")));
        let mut engine = open(&machine)?;
        let mut sealed = Seq::ZERO;
        for (index, ask) in script.iter().enumerate() {
            let wall = Timestamp(BEGINNING.0 + 1_000 * index as i64);
            machine.clock.set(wall);
            let (segments, last) = (engine.stats().segments, model.last().seq);
            let receipt = request(&engine, ask).and_then(|request| engine.commit(request));
            match (receipt, model.commit_next(ask, wall)) {
                (Ok(receipt), Outcome::Appended(commit)) if receipt.seq == commit.seq => {}
                (receipt, outcome) => return disagree(format!("making a specimen: {receipt:?}, {outcome:?}")),
            }
            if engine.stats().segments > segments {
                sealed = last;
            }
            // The last commits are in no run yet.
            while index + 2 < script.len() && engine.step_index() {}
            if index + 3 == script.len() {
                engine.close().map_err(|error| Disagreement(format!("closing a specimen: {error}")))?;
                drop(engine);
                older = files(&machine.disk);
                engine = open(&machine)?;
            }
        }
        let machine = match left {
            Left::Closed => {
                engine.close().map_err(|error| Disagreement(format!("closing a specimen: {error}")))?;
                machine.clone()
            }
            Left::Killed => machine.with_disk(machine.disk.kill()),
            Left::Cold | Left::Thinned => {
                let made = match left {
                    Left::Cold => engine.compact_cold(&mut |_, _| {}),
                    _ => engine.compact(&mut |_, _| {}),
                };
                made.map_err(|error| Disagreement(format!("compacting a specimen: {error}")))?;
                while engine.step_recycle() {}
                let left = check::commits(&engine, Seq::FIRST)?;
                model.take_less(&left, check::horizons(&engine)).map_err(Disagreement)?;
                engine.close().map_err(|error| Disagreement(format!("closing a specimen: {error}")))?;
                sealed = model.last().seq;
                machine.clone()
            }
        };
        drop(engine);
        if left == Left::Thinned {
            for (name, bytes) in BESIDE {
                machine.disk.put_file(&Path::new(STORE).join(name), bytes);
            }
        }
        let files = files(&machine.disk);
        let floor = Seq(model.last().seq.0 - 1);
        Ok(Specimen { machine, model, left, files, older, floor, sealed })
    }

    /// Every file: where it is, and its bytes.
    #[must_use]
    pub fn files(&self) -> &[(PathBuf, Vec<u8>)] {
        &self.files
    }

    /// The files of the older copy.
    #[must_use]
    pub fn older(&self) -> &[(PathBuf, Vec<u8>)] {
        &self.older
    }

    /// How it was left.
    #[must_use]
    pub fn left(&self) -> Left {
        self.left
    }

    /// A machine with this store on it, one file replaced, or taken away.
    fn with(&self, path: &Path, bytes: Option<&[u8]>) -> Machine {
        let disk = SimDisk::new(1);
        for (name, intact) in &self.files {
            match bytes {
                _ if name != path => disk.put_file(name, intact),
                Some(bytes) => disk.put_file(name, bytes),
                None => {}
            }
        }
        self.machine.with_disk(disk)
    }

    /// Flips one bit and looks at what the store says.
    pub fn flip(&self, file: usize, bit: usize) -> Result<Found, Disagreement> {
        let (path, intact) = &self.files[file];
        let mut bytes = intact.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let place = |Disagreement(what)| {
            let (byte, bit) = (bit / 8, bit % 8);
            Disagreement(format!("{:?}, {} with bit {bit} of byte {byte} flipped: {what}", self.left, path.display()))
        };
        // All bits of a byte are met by the same questions, so one of them is asked about in every way.
        let asked = if bit % 8 == bit / 8 % 8 { Asked::All } else { Asked::Keys };
        self.judge(&self.with(path, Some(&bytes)), Damage::Bytes { path }, asked).map_err(place)
    }

    /// Cuts a file to a length and looks at what the store says.
    pub fn cut(&self, file: usize, length: usize) -> Result<Found, Disagreement> {
        let (path, intact) = &self.files[file];
        let place = |Disagreement(what)| {
            Disagreement(format!("{:?}, {} cut to {length} bytes: {what}", self.left, path.display()))
        };
        self.judge(&self.with(path, Some(&intact[..length])), Damage::Cut { path }, Asked::All).map_err(place)
    }

    /// Takes a file away and looks at what the store says.
    pub fn lose(&self, file: usize) -> Result<Found, Disagreement> {
        let path = &self.files[file].0;
        let place = |Disagreement(what)| Disagreement(format!("{:?}, {} missing: {what}", self.left, path.display()));
        self.judge(&self.with(path, None), Damage::Missing { path }, Asked::All).map_err(place)
    }

    /// Puts another file in the place of one and looks at what the store says.
    pub fn swap(&self, path: &Path, bytes: &[u8], whose: &str) -> Result<Found, Disagreement> {
        let place = |Disagreement(what)| {
            Disagreement(format!("{:?}, {} replaced by that of {whose}: {what}", self.left, path.display()))
        };
        self.judge(&self.with(path, Some(bytes)), Damage::Swapped { path }, Asked::All).map_err(place)
    }

    /// Nothing is damaged: the store says everything. Without this, the other checks would prove little.
    pub fn intact(&self) -> Agreed {
        match self.judge(&self.with(Path::new("/nothing"), None), Damage::None, Asked::All)? {
            Found::Whole => Ok(()),
            other => disagree(format!("an intact specimen is {other:?}")),
        }
    }
}

/// Whether nothing depends on a file: who holds the store, room that is held, a note, what was cut from the log.
#[must_use]
pub fn says_nothing(path: &Path) -> bool {
    path.ends_with("LOCK") || path.ends_with("RESERVE") || BESIDE.iter().any(|(name, _)| path.ends_with(name))
}

/// Whether a file is one of the index, which can be made anew from the log.
#[must_use]
pub fn is_index(path: &Path) -> bool {
    path.extension() == Some("run".as_ref())
}

/// Every file below the store's directory.
fn files(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let with_bytes = |path: PathBuf| disk.file_bytes(&path).map(|bytes| (path, bytes));
    disk.names().into_iter().filter_map(with_bytes).collect()
}
