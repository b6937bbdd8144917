//! [`create`]: an empty log.

use std::{path::Path, sync::Arc};

use milepost_io::{Disk, Entropy, Latch, OpenMode, Room};
use milepost_types::{Seq, Timestamp};

use crate::{
    AppendError, Log, LogError, LogSettings, SegmentId, StoreId,
    append::{Open, Parts},
    begin::{Salts, begin_segment},
    format::{
        header::{SEGMENT_HEADER_BYTES, first_written},
        is_zero,
    },
    names,
    recover::{list, read_to_end},
};

/// What a file system that grants whole blocks needs for a directory.
const DIRECTORY_BYTES: u64 = 4096;

/// Puts an empty segment behind sealed ones that were copied into a store's directory, durably: the log goes on in it.
pub fn begin_behind(
    disk: &dyn Disk,
    dir: &Path,
    store: StoreId,
    (id, first_seq): (SegmentId, Seq),
    epoch: u32,
    entropy: &dyn Entropy,
) -> Result<(), LogError> {
    let header = first_written(id, store, first_seq, epoch, Salts::new(entropy).next());
    let begun = begin_segment(disk, &names::log_dir(dir), &Latch::default(), &header, None);
    begun.map(drop).map_err(not_begun)
}

fn not_begun(error: AppendError) -> LogError {
    match error {
        AppendError::DiskFull { need, free } => LogError::DiskFull { need, free },
        AppendError::Write(failure) | AppendError::Stopped(failure) => LogError::Stopped(failure),
    }
}

/// Creates an empty log in a store's directory: its directories and its first segment, durable.
///
/// An empty segment left there by a creation that was interrupted is replaced; anything else in it is an error.
pub fn create(
    disk: Arc<dyn Disk>,
    dir: &Path,
    store: StoreId,
    epoch: u32,
    entropy: &dyn Entropy,
    latch: Latch,
    settings: LogSettings,
) -> Result<Log, LogError> {
    let log_dir = names::log_dir(dir);
    disk.create_dir(&log_dir).map_err(|error| match Room::lacking(&*disk, dir, &error) {
        Some(free) => LogError::DiskFull { need: DIRECTORY_BYTES, free },
        None => LogError::io("create", &log_dir)(error),
    })?;
    disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
    let listing = list(&*disk, dir)?;
    for id in &listing.segments {
        let path = names::segment(&log_dir, names::first_written(*id));
        let file = disk.open(&path, OpenMode::Read).map_err(LogError::io("open", &path))?;
        let frames = read_to_end(&*file, SEGMENT_HEADER_BYTES as u64).map_err(LogError::io("read", &path))?;
        if *id != SegmentId::FIRST || !is_zero(&frames) {
            return Err(LogError::NotEmpty { file: path });
        }
    }
    let mut salts = Salts::new(entropy);
    let header = first_written(SegmentId::FIRST, store, Seq::FIRST, epoch, salts.next());
    let begun = begin_segment(&*disk, &log_dir, &latch, &header, None).map_err(not_begun)?;
    let open = Open::begun(header, begun, Timestamp::MIN);
    let parts = Parts { disk, log_dir, store, epoch, latch, settings, salts, retired: Vec::new(), generation: 0 };
    Ok(Log::assemble(parts, Vec::new(), open))
}
