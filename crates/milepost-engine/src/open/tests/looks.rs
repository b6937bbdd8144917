//! How often a reader looks again at a store in which files are replaced meanwhile.

use std::{
    io::{self, ErrorKind},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use milepost_io::{DirEntry, DirId, DirLock, Disk, DiskFile, Latch, OpenMode, SimDisk};
use milepost_types::{Seq, limits};

use super::{DIR, fill, parts, scope};
use crate::{
    Engine, OpenError, Settings, Threads, manifest,
    open::{LOOKS_BEHIND_MAX, LOOKS_MAX, look},
};

/// A disk on which a file is not there when it is opened, as if a writer had replaced it since MANIFEST was read.
#[derive(Debug)]
struct Replaced {
    disk: SimDisk,
    /// How the name of the file ends.
    file: String,
    /// How often it is not there.
    gone: u64,
    /// Whether MANIFEST is another one each time.
    is_listed_anew: bool,
    /// How often it was opened.
    looks: AtomicU64,
}

impl Disk for Replaced {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let is_it = path.to_string_lossy().ends_with(&self.file);
        if is_it && self.looks.fetch_add(1, Ordering::Relaxed) < self.gone {
            if self.is_listed_anew {
                let mut manifest = manifest::read(&self.disk, Path::new(DIR)).unwrap().unwrap();
                manifest.epoch += 1;
                manifest::write(&self.disk, Path::new(DIR), &manifest, &Latch::default()).unwrap();
            }
            return Err(ErrorKind::NotFound.into());
        }
        self.disk.open(path, mode)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.disk.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_bytes(dir)
    }
    fn dir_id(&self, dir: &Path) -> io::Result<DirId> {
        self.disk.dir_id(dir)
    }
    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        self.disk.lock_dir(dir)
    }
    fn share_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        self.disk.share_dir(dir)
    }
}

/// What a reader finds of a store of which a sealed segment is gone for so many times, and how often it was.
fn found(gone: u64, is_listed_anew: bool) -> (Result<Seq, OpenError>, u64) {
    let disk = SimDisk::new(1);
    fill(&disk, true);
    let replaced = Replaced { disk, file: "0000000001.seg".to_owned(), gone, is_listed_anew, looks: AtomicU64::new(0) };
    let replaced = Arc::new(replaced);
    let disk: Arc<dyn Disk> = Arc::clone(&replaced) as _;
    let found = look(&disk, Path::new(DIR), &mut |_, _| {}).map(|sight| sight.log.last_seq());
    (found, gone.min(replaced.looks.load(Ordering::Relaxed)))
}

/// A writer that compacts takes files away that MANIFEST listed a moment ago. Where MANIFEST says something else each
/// time, a reader looks again for long; where it stays as it is, what is missing is missing.
#[test]
fn a_reader_looks_again_for_as_long_as_manifest_is_another_one() {
    for (gone, is_listed_anew, looks, is_found) in [
        (0, false, 0, true),
        (LOOKS_MAX - 1, false, LOOKS_MAX - 1, true),
        (LOOKS_MAX, false, LOOKS_MAX, false),
        (usize::MAX, false, LOOKS_MAX, false),
        (LOOKS_MAX + 1, true, LOOKS_MAX + 1, true),
        (LOOKS_BEHIND_MAX - 1, true, LOOKS_BEHIND_MAX - 1, true),
        (LOOKS_BEHIND_MAX, true, LOOKS_BEHIND_MAX, false),
        (usize::MAX, true, LOOKS_BEHIND_MAX, false),
    ] {
        let (found, looked) = found(gone as u64, is_listed_anew);
        assert_eq!(looked, looks as u64, "{gone}, listed anew: {is_listed_anew}");
        match found {
            Ok(last) => assert!(is_found && last == Seq(5), "{gone}, listed anew: {is_listed_anew}: {last}"),
            Err(OpenError::Io { source, .. }) => {
                assert!(!is_found && source.kind() == ErrorKind::NotFound, "{gone}, listed anew: {is_listed_anew}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Runs that are gone are looked for again, too, and then done without: all is in the log.
#[test]
fn a_reader_looks_again_for_runs_and_does_without() {
    let disk = SimDisk::new(1);
    let settings =
        Settings { threads: Threads::Stepped, memory_bytes: limits::MEMORY_BYTES_MIN, ..Settings::default() };
    let engine = Engine::open(parts(&disk), Path::new(DIR), settings).unwrap();
    for n in 0..100 {
        engine.commit(engine.request().set(&scope(), &format!("{n}"), b"1").unwrap()).unwrap();
        while engine.step_index() {}
    }
    engine.close().unwrap();
    drop(engine);
    let listed = manifest::known_runs(&manifest::read(&disk, Path::new(DIR)).unwrap().unwrap());
    let runs = listed.len();
    assert!(runs > 0);
    for (gone, is_listed_anew, looks, left) in [
        (0, false, 1, runs),
        (LOOKS_MAX - 1, false, LOOKS_MAX, runs),
        (LOOKS_MAX, false, LOOKS_MAX, 0),
        (LOOKS_MAX + 4, true, LOOKS_MAX + 5, runs),
        (usize::MAX, true, LOOKS_BEHIND_MAX, 0),
    ] {
        let (file, gone, disk) = (format!("{}.run", listed[0].id), gone as u64, disk.copy());
        let replaced = Arc::new(Replaced { disk, file, gone, is_listed_anew, looks: AtomicU64::new(0) });
        let disk: Arc<dyn Disk> = Arc::clone(&replaced) as _;
        let sight = look(&disk, Path::new(DIR), &mut |_, _| {}).unwrap();
        let found = (sight.state.load().runs().len(), replaced.looks.load(Ordering::Relaxed));
        assert_eq!(found, (left, looks as u64), "{gone}, listed anew: {is_listed_anew}");
    }
}
