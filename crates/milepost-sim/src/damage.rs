//! Damage that no crash explains: flipped bits, cut files, files that are missing, old or another store's.
//!
//! Invariant: a damaged store never answers wrongly. It says what it always said, or it names the damage; only what was
//! written last to a store that was not closed may count as torn. An opening that is refused changes nothing. Damage of
//! the index is named by verify, and mended by an opening that meets it.
//!
//! Must not know: what any byte means. Every bit of every file is fair game.

mod judge;

use std::path::{Path, PathBuf};

use milepost_io::SimDisk;
use milepost_types::{Event, Key, Scope, Seq, Timestamp, limits};

use crate::{
    check::{Agreed, Disagreement, disagree},
    machine::Machine,
    model::{Ask, Model, Outcome},
    world::{BEGINNING, request},
};

use judge::Asked;
pub use judge::{Damage, Found};

/// How a specimen was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Closed.
    Closed,
    /// Killed, with everything on the disk.
    Killed,
    /// Closed after all of it was made cold.
    Cold,
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

fn small(key: &str, value: &str, bytes: usize) -> Ask {
    let mut value = value.as_bytes().to_vec();
    value.resize(bytes.max(value.len()), b'=');
    Ask { events: vec![set("a/b", key, value)], ..Ask::default() }
}

fn with(mut ask: Ask, more: [Event; 2]) -> Ask {
    ask.events.extend(more);
    ask
}

fn set(of: &str, name: &str, value: Vec<u8>) -> Event {
    Event::Set { scope: scope(of), key: key(name), value, content_type: None, expires_at: None }
}

fn scope(path: &str) -> Scope {
    Scope::parse(path).expect("a scope")
}

fn key(name: &str) -> Key {
    Key::parse(name).expect("a key")
}

impl Specimen {
    /// Makes one. Another `seed` makes another store with the same history.
    pub fn new(seed: u64, left: Left) -> Result<Specimen, Disagreement> {
        let mut machine = Machine::new(seed, 4 << 10, BEGINNING);
        machine.memory_bytes = limits::MEMORY_BYTES_MIN;
        let mut model = Model::default();
        let mut older = Vec::new();
        let script = [
            small("k", "first", 9),
            small("k1", "second", 30),
            small("k2", "rolls", 3_500),
            small("k", "third", 900),
            with(
                small("key/with/path", "fourth", 12),
                [set("a", "k", b"beside".to_vec()), Event::Delete { scope: scope("a/b"), key: key("k1") }],
            ),
            with(
                small("k", "last but one", 20),
                [Event::Clear { scope: scope("a") }, set("a", "k1", b"after".to_vec())],
            ),
            small("k1", "last", 20),
        ];
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
            Left::Cold => {
                let made = engine.compact_cold(&mut |_, _| {});
                made.map_err(|error| Disagreement(format!("making a specimen cold: {error}")))?;
                while engine.step_recycle() {}
                engine.close().map_err(|error| Disagreement(format!("closing a specimen: {error}")))?;
                sealed = model.last().seq;
                machine.clone()
            }
        };
        drop(engine);
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
