//! Rolling: the next segment is begun, then the open one is sealed.
//!
//! Invariant: in this order. Until the next segment has a durable name nothing has changed, so a full disk refuses the
//! roll and loses nothing. From then on the old segment is whole by the next one's first `Seq`, whether its footer gets
//! to the disk or not.

use std::{path::Path, sync::Arc};

use milepost_io::{Disk, DiskFile as _, Latch, Room};
use milepost_types::{Seq, Timestamp};

use super::{LogWriter, Open};
use crate::{
    AppendError, SegmentId,
    begin::{Begun, begin_segment, refusal, stopped},
    format::header::{SEGMENT_HEADER_BYTES, SegmentHeader, first_written},
    recycle::Spare,
    seal::{footer_of, seal},
    segment::{DroppedPart, Part},
};

/// How the next segment is begun: `begin_segment`, or for later.
pub(super) type Begin = fn(&dyn Disk, &Path, &Latch, &SegmentHeader, Option<Spare>) -> Result<Begun, AppendError>;

impl LogWriter {
    /// Begins the next segment, in a spare if one is ready, and seals the open one. Does nothing to an empty
    /// one.
    ///
    /// On [`AppendError::DiskFull`] and [`AppendError::Write`] the log is as it was.
    pub fn roll(&mut self) -> Result<(), AppendError> {
        if self.open.heap.frames() == 0 {
            return Ok(());
        }
        let Open { header, chain, .. } = &self.open;
        let (id, place) = (SegmentId(header.id.0 + 1), (chain.next_seq, chain.last_at));
        self.roll_behind(id, place, None, begin_segment)
    }

    /// The same into a segment that begins with this `Seq`, behind commits that are `gone`, the last of them stamped at
    /// this moment.
    pub(super) fn roll_behind(
        &mut self,
        id: SegmentId,
        (first_seq, last_at): (Seq, Timestamp),
        gone: Option<DroppedPart>,
        begin: Begin,
    ) -> Result<(), AppendError> {
        self.sync().map_err(AppendError::Stopped)?;
        let chain = self.open.chain;
        let footer = footer_of(&self.open.header, self.open.heap.heap(), (chain.prev_crc, chain.last_at));
        self.room_for(&footer)?;
        let header = first_written(id, self.store, first_seq, self.epoch, self.salts.next());
        let begun = begin(&*self.disk, &self.log_dir, &self.latch, &header, self.shared.take())?;
        let next = Open::begun(header, begun, last_at);
        let open = &self.open;
        let sealed = seal(&open.file, &open.header, open.heap.heap(), &footer, open.end)
            .map_err(|error| stopped(&self.latch, self.open.heap.path(), "seal", &error))?;
        debug_assert_eq!(last_seq(&sealed), chain.next_seq.prev());
        let worn = self.reader.change(|parts| {
            let worn = parts.pop();
            parts.push(sealed);
            parts.extend(gone.map(|gone| Part::Dropped(Arc::new(gone))));
            parts.push(Part::Heap(Arc::clone(next.heap.heap())));
            worn
        });
        self.open = next;
        // Hundreds of thousands of frames: freeing them here would make the next batch wait.
        worn.into_iter().for_each(|part| self.shared.wear(part));
        Ok(())
    }
}

impl LogWriter {
    /// Takes room for the footer before anything changes. A segment without one can't be written anew or dropped before
    /// the next opening, and on a full disk that is what is needed. A spare is begun in all the same: it is there, and
    /// room is not.
    fn room_for(&mut self, footer: &[u8]) -> Result<(), AppendError> {
        let Open { file, end, file_bytes, .. } = &mut self.open;
        let needed = *end + footer.len() as u64;
        if *file_bytes >= needed || self.shared.is_ready() {
            return Ok(());
        }
        match file.allocate(*file_bytes, needed - *file_bytes) {
            Ok(()) => *file_bytes = needed,
            Err(error) if Room::is_lacking(&error) => {
                // Some of it may have been taken.
                file.set_bytes(*file_bytes)
                    .map_err(|error| stopped(&self.latch, self.open.heap.path(), "cut", &error))?;
                return Err(match refusal(&*self.disk, &self.log_dir, self.open.heap.path(), "grow", &error) {
                    AppendError::DiskFull { free, .. } => {
                        AppendError::DiskFull { need: footer.len() as u64 + SEGMENT_HEADER_BYTES as u64, free }
                    }
                    refusal @ (AppendError::Write(_) | AppendError::Stopped(_)) => refusal,
                });
            }
            // Then it is written without: whatever is wrong is told by that.
            Err(_) => {}
        }
        Ok(())
    }
}

fn last_seq(part: &Part) -> Seq {
    Seq(part.first_seq().0 + part.frames() as u64 - 1)
}
