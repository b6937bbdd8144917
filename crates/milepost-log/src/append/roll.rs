//! Rolling: the next segment is begun, then the open one is sealed.
//!
//! Invariant: in this order. Until the next segment has a durable name nothing has changed, so a full disk refuses the
//! roll and loses nothing. From then on the old segment is whole by the next one's first `Seq`, whether its footer gets
//! to the disk or not.

use std::sync::Arc;

use milepost_types::Seq;

use super::{LogWriter, Open};
use crate::{
    AppendError, SegmentId,
    begin::{begin_segment, stopped},
    format::header::first_written,
    seal::seal,
    segment::Part,
};

impl LogWriter {
    /// Begins the next segment, in a spare if one is ready, and seals the open one. Does nothing to an empty
    /// one.
    ///
    /// On [`AppendError::DiskFull`] and [`AppendError::Write`] the log is as it was.
    pub fn roll(&mut self) -> Result<(), AppendError> {
        if self.open.heap.frames() == 0 {
            return Ok(());
        }
        self.sync().map_err(AppendError::Stopped)?;
        let chain = self.open.chain;
        let id = SegmentId(self.open.header.id.0 + 1);
        let header = first_written(id, self.store, chain.next_seq, self.epoch, self.salts.next());
        let begun = begin_segment(&*self.disk, &self.log_dir, &self.latch, &header, self.shared.take())?;
        let next = Open::begun(header, begun, chain.last_at);
        let open = &self.open;
        let sealed = seal(&open.file, &open.header, open.heap.heap(), (chain.prev_crc, chain.last_at), open.end)
            .map_err(|error| stopped(&self.latch, self.open.heap.path(), "seal", &error))?;
        debug_assert_eq!(last_seq(&sealed), chain.next_seq.prev());
        let worn = self.reader.change(|parts| {
            let worn = parts.pop();
            parts.push(sealed);
            parts.push(Part::Heap(Arc::clone(next.heap.heap())));
            worn
        });
        self.open = next;
        // Hundreds of thousands of frames: freeing them here would make the next batch wait.
        worn.into_iter().for_each(|part| self.shared.wear(part));
        Ok(())
    }
}

fn last_seq(part: &Part) -> Seq {
    Seq(part.first_seq().0 + part.frames() as u64 - 1)
}
