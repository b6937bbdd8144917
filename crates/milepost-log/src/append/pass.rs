//! Passing: the log goes on behind commits that were removed where it is copied from.
//!
//! What is left is what compaction leaves of segments that it has dropped: a word in the manifest, and a segment that
//! begins behind them. So it costs the same for any number of them, and whoever reads the log knows it already.
//!
//! Invariant: until the manifest lists the segments the log can't be opened again: recovery finds that a segment does
//! not follow the one before it. So only a store that nobody opens before it is whole may pass. Before they are listed
//! they are made durable: until then neither the header of the open one nor their names are, which saves two syncs of
//! four for each gap.

use std::sync::Arc;

use milepost_io::DiskFile as _;
use milepost_types::{Seq, Timestamp};

use super::{LogWriter, Open};
use crate::{
    AppendError, DroppedFacts, SegmentId,
    begin::{begin_for_later, begin_segment, stopped},
    format::header::first_written,
    names,
    segment::{DroppedPart, Part},
};

impl LogWriter {
    /// Goes on behind commits through `last`, none of which is there. `times` says when the first and the last of them
    /// were stamped. Without it nothing may be before them: the log begins behind them, and says nothing of them.
    ///
    /// On [`AppendError::DiskFull`] and [`AppendError::Write`] the log is as it was.
    ///
    /// # Panics
    ///
    /// If they do not continue the log.
    pub fn pass(&mut self, last: Seq, times: Option<(Timestamp, Timestamp)>) -> Result<(), AppendError> {
        let first = self.next_seq();
        assert!(first <= last && last < Seq::MAX, "seq {first} to {last} were passed");
        assert!(times.is_some() || first == Seq::FIRST, "when seq {first} to {last} were stamped is not known");
        assert!(times.is_none_or(|(first_at, _)| first_at > self.last_at()), "seq {first} was passed before the last");
        let word = |name| {
            let (first_at, last_at) = times?;
            let facts = DroppedFacts { last_seq: last, first_at, last_at };
            Some(DroppedPart::new(name, first, facts).expect("in order, as was just looked at"))
        };
        let last_at = times.map_or(Timestamp::MIN, |(_, last_at)| last_at);
        let open = self.open.header.id;
        if self.open.heap.frames() > 0 {
            let gone = word(names::first_written(SegmentId(open.0 + 1)));
            self.is_named = false;
            return self.roll_behind(SegmentId(open.0 + 2), (Seq(last.0 + 1), last_at), gone, begin_for_later);
        }
        self.replace_empty(word(names::first_written(open)), (Seq(last.0 + 1), last_at))
    }

    /// Makes durable what passing has left for later: before the manifest lists the segments. An error is final.
    pub fn sync_names(&mut self) -> Result<(), AppendError> {
        self.sync().map_err(AppendError::Stopped)?;
        if self.is_named {
            return Ok(());
        }
        // Its header, where no commit is in it.
        self.open.file.sync().map_err(|error| AppendError::Stopped(self.fail("sync", &error)))?;
        self.disk.sync_dir(&self.log_dir).map_err(|error| stopped(&self.latch, &self.log_dir, "sync", &error))?;
        self.is_named = true;
        Ok(())
    }

    /// Begins a segment in the place of the open one, in which no commit is; the word of what was passed takes its
    /// name.
    fn replace_empty(
        &mut self,
        gone: Option<DroppedPart>,
        (first_seq, last_at): (Seq, Timestamp),
    ) -> Result<(), AppendError> {
        self.sync().map_err(AppendError::Stopped)?;
        let id = SegmentId(self.open.header.id.0 + 1);
        let header = first_written(id, self.store, first_seq, self.epoch, self.salts.next());
        let begun = begin_segment(&*self.disk, &self.log_dir, &self.latch, &header, self.shared.take())?;
        let next = Open::begun(header, begun, last_at);
        let empty = self.open.heap.path().to_owned();
        let removed = self.disk.remove(&empty).and_then(|()| self.disk.sync_dir(&self.log_dir));
        removed.map_err(|error| stopped(&self.latch, &empty, "remove", &error))?;
        self.reader.change(|parts| {
            parts.pop();
            // One word for all that was passed side by side, as compaction has it.
            let before = gone.and_then(|gone| match parts.last() {
                Some(Part::Dropped(before)) => before.and(&gone),
                Some(Part::Sealed(_) | Part::Heap(_)) | None => None,
            });
            if before.is_some() {
                parts.pop();
            }
            parts.extend(before.or(gone).map(|word| Part::Dropped(Arc::new(word))));
            parts.push(Part::Heap(Arc::clone(next.heap.heap())));
        });
        self.open = next;
        Ok(())
    }
}
