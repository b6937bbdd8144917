//! STORE, the file that says whose backups lie in a place: whatever stands in it, a restore gives commits that were
//! made, or says why not, and no backup of a store is added to those of another one.

use std::path::{Path, PathBuf};

use milepost_engine::backup::{self, Rollback};

use crate::backup::{BACKUPS, backed_up, restore_with};

/// Behind these bytes stands their checksum.
const CHECKED_BYTES: usize = 32;

/// Any bytes as the whole file, and with the checksum made right.
pub fn check(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), mended(bytes)] {
        restore_with(&file(), &bytes);
        adds(&bytes);
    }
}

fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some((checked, crc)) = bytes.split_at_mut_checked(CHECKED_BYTES)
        && let Some(crc) = crc.first_chunk_mut()
    {
        *crc = crc32fast::hash(checked).to_le_bytes();
    }
    bytes
}

/// What is added is listed, beside what was there.
fn adds(bytes: &[u8]) {
    let machine = backed_up().with_disk(backed_up().disk.copy());
    machine.disk.put_file(&file(), bytes);
    let (engine, disk) = (machine.open_read_only().unwrap(), machine.parts().disk);
    if backup::create(&engine, Path::new(BACKUPS), Rollback::Refuse, &mut |_, _| {}).is_ok() {
        let listing = backup::list(&disk, Path::new(BACKUPS)).unwrap();
        assert_eq!(listing.backups.len(), 2);
    }
}

fn file() -> PathBuf {
    Path::new(BACKUPS).join("STORE")
}

/// The genuine one, and one that says another store.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let genuine = backed_up().disk.file_bytes(&file()).unwrap();
    let (mut newer, mut of_another) = (genuine.clone(), genuine.clone());
    newer[8] = 2;
    of_another[16] ^= 1;
    vec![
        ("cut", genuine[..30].to_vec()),
        ("newer", mended(&newer)),
        ("of-another-store", mended(&of_another)),
        ("longer", [&genuine[..], b"x"].concat()),
        ("genuine", genuine),
    ]
}
