//! How long the disk itself takes for a sync, while the haul goes on: what a commit's latency is compared with.
//!
//! Twenty times a second 4 KiB are written over in a file of zeros beside the store, and its fdatasync is timed alone.
//! The file has all its blocks, so no sync of it waits for an allocation.
//!
//! Invariant: the probe knows nothing of the store, and the store nothing of it, but that both share the disk.

use std::{fs::OpenOptions, io, os::unix::fs::FileExt, path::Path, sync::Arc, thread, time::Instant};

use crate::{latency::Recorder, pace::Pace, said::Kind};

const SYNCS_PER_S: u64 = 20;
const BLOCK: [u8; 4096] = [0x5a; 4096];
const BLOCKS: u64 = 1024;

/// Starts the probe on a file that it makes. An error ends it, and is said; the rows have no syncs from then on.
pub(crate) fn start(file: &Path) -> io::Result<Arc<Recorder>> {
    let file = OpenOptions::new().create(true).write(true).truncate(true).open(file)?;
    for block in 0..BLOCKS {
        file.write_all_at(&[0; 4096], block * 4096)?;
    }
    file.sync_all()?;
    let recorder = Arc::new(Recorder::default());
    let records = Arc::clone(&recorder);
    thread::spawn(move || {
        let mut pace = Pace::per_second(SYNCS_PER_S);
        for number in 0_u64.. {
            pace.wait();
            let written = file.write_all_at(&BLOCK, number % BLOCKS * 4096);
            let before = Instant::now();
            if let Err(error) = written.and_then(|()| file.sync_data()) {
                eprintln!("milepost-haul: the probe of the disk has ended: {error}");
                return;
            }
            records.record(Kind::Sync, before.elapsed());
        }
    });
    Ok(recorder)
}
