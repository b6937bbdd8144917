//! Zeros ahead: where a batch makes the file grow, zeros are written behind it, before the one sync that covers both.
//! The batches that follow are written over them.
//!
//! A sync of a file that grows writes the file system's own books, too; here one sync in many does. Zeros in the same
//! file cost no sync of their own, which would make the log's wait.
//!
//! Invariant: zeros come after the batch, and only behind its end. So a batch never lacks the room that they took, and
//! whatever a crash leaves of them, past the last frame there is nothing but zeros. Zeros that can't be written are
//! nobody's error: the file goes on growing with each batch.

use milepost_io::write_all_at;

use super::{LogWriter, Open};
use crate::format::ALIGN_BYTES;

/// At least a block of most file systems: a smaller piece would not be met by a second batch.
const AHEAD_BYTES_MIN: u64 = 4 << 10;
/// The slowest commits are those whose sync covers zeros. More than this makes them slower, and commits hardly more.
const AHEAD_BYTES_MAX: u64 = 128 << 10;
/// Batches of this size use the zeros up at once: they would only be written twice.
const LARGE_BATCH_BYTES: usize = 32 << 10;
/// After the disk refused zeros, this many bytes are appended before the next try.
const RETRY_AFTER_BYTES: u64 = 1 << 20;

const _: () = assert!(LARGE_BATCH_BYTES as u64 * 4 <= AHEAD_BYTES_MAX, "zeros are for several batches");

static ZEROS: [u8; AHEAD_BYTES_MAX as usize + ALIGN_BYTES] = [0; AHEAD_BYTES_MAX as usize + ALIGN_BYTES];

impl LogWriter {
    /// Writes zeros behind a batch of so many bytes that was appended just now, if it took the last of them: as many as
    /// the segment holds, so that a small log stays a small file, and never beyond the size of a segment.
    pub(super) fn write_ahead(&mut self, batch_bytes: usize) {
        let Open { file, end, file_bytes, ahead_from, .. } = &mut self.open;
        if *file_bytes > *end || *end < *ahead_from || batch_bytes >= LARGE_BATCH_BYTES {
            return;
        }
        let ahead = (*end).clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX);
        let until = (*end + ahead).min(u64::from(self.settings.segment_bytes));
        if until <= *end {
            return;
        }
        // Without the padding of the last frame the file ends before `end`.
        let zeros = &ZEROS[..(until - *file_bytes) as usize];
        match write_all_at(file, zeros, *file_bytes) {
            Ok(()) => *file_bytes = until,
            Err(short) => {
                *file_bytes += short.written as u64;
                *ahead_from = *end + RETRY_AFTER_BYTES;
            }
        }
    }
}
