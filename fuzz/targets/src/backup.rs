//! A backup's own file: whatever stands in it, a restore gives commits that were made, or says why not, and touches
//! nothing but the directory that it was told.
//!
//! The decoder is the engine's own; it is reached by listing, verifying and restoring a backup whose file was
//! exchanged.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use milepost_engine::{
    Engine, Settings, Threads,
    backup::{self, Rollback, Until},
};
use milepost_io::Disk;
use milepost_sim::machine::Machine;

use crate::store::{Original, original, replayed};

const HEADER_BYTES: usize = 32;
pub(crate) const BACKUPS: &str = "/backups";
const RESTORED: &str = "/restored";

/// Any bytes as the whole file, and as what stands behind its header.
pub fn check(bytes: &[u8]) {
    let restore = |bytes: &[u8]| restore_with(&file(), bytes);
    restore(bytes);
    restore(&with_header(bytes));
    if let Some(archive) = bytes.get(HEADER_BYTES..) {
        restore(&with_header(archive));
    }
}

/// A header that fits, before these bytes.
fn with_header(archive: &[u8]) -> Vec<u8> {
    let mut bytes = b"MPSTBKUP\x01\0\0\0".to_vec();
    bytes.extend_from_slice(&(archive.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(archive).to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.resize(HEADER_BYTES, 0);
    bytes.extend_from_slice(archive);
    bytes
}

/// The store of the other targets with a backup beside it, made once.
pub(crate) fn backed_up() -> &'static Machine {
    static BACKED_UP: OnceLock<Machine> = OnceLock::new();
    BACKED_UP.get_or_init(|| {
        let machine = original().machine.clone();
        let machine = machine.with_disk(machine.disk.copy());
        let engine = machine.open_read_only().unwrap();
        backup::create(&engine, Path::new(BACKUPS), Rollback::Refuse, &mut |_, _| {}).unwrap();
        machine
    })
}

fn file() -> PathBuf {
    Path::new(BACKUPS).join("backups/0000000001.backup")
}

/// The genuine one.
pub(crate) fn genuine() -> Vec<u8> {
    backed_up().disk.file_bytes(&file()).unwrap()
}

/// A file of the place has other bytes: what can be restored is what was committed.
pub(crate) fn restore_with(file: &Path, bytes: &[u8]) {
    let Original { commits, .. } = original();
    let disk = backed_up().disk.copy();
    disk.put_file(file, bytes);
    let machine = backed_up().with_disk(disk);
    let shared: Arc<dyn Disk> = Arc::new(machine.disk.clone());
    let outside = |machine: &Machine| {
        let mut names = machine.disk.names();
        names.retain(|name| !name.starts_with(RESTORED));
        names
    };
    let before = outside(&machine);
    let _ = backup::list(&shared, Path::new(BACKUPS));
    let verified = backup::verify(&shared, Path::new(BACKUPS), None, &mut |_, _| {});
    let settings = Settings { threads: Threads::Stepped, segment_bytes: machine.segment_bytes, ..Settings::default() };
    let (from, into) = (Path::new(BACKUPS), Path::new(RESTORED));
    let restored = backup::restore(machine.parts(), from, into, Until::Newest, settings, &mut |_, _| {});
    assert_eq!(before, outside(&machine), "a restore touched other files");
    if restored.is_err() {
        assert!(Engine::open_read_only(machine.parts(), into).is_err(), "what is not restored can be opened");
        return;
    }
    assert!(verified.is_ok_and(|report| report.is_clean()), "what is restored was said to be damaged");
    let engine = Engine::open_read_only(machine.parts(), into).unwrap();
    for commit in replayed(&engine).unwrap_or_default() {
        assert_eq!(Some(&commit), commits.iter().find(|made| made.seq == commit.seq));
    }
}
