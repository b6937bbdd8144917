//! Room for what gives room back: who keeps the reserve whole, and who empties what is in its way.

use std::sync::atomic::Ordering;

use super::Shared;
use crate::{open, reserve::Lent};

impl Shared {
    /// Makes the reserve whole, or as large as the log is worth by now; whether anything was done.
    pub(super) fn step_reserve(&self) -> bool {
        let was_short = self.reserve.is_short();
        if self.is_closed() || !(self.reserve.take_look() || was_short) {
            return false;
        }
        if was_short && self.reserve.make_whole().is_err() {
            self.keep_spares(false);
            return false;
        }
        self.keep_spares(true);
        was_short | self.reserve.keep_for(open::log_size(&self.reader, self.settings.segment_bytes))
    }

    /// Says whether files of dropped segments are kept for the next ones, or their room given back to the disk.
    pub(crate) fn keep_spares(&self, keep: bool) {
        if let Some(recycler) = self.recycler.lock().as_mut() {
            recycler.keep_spares(keep);
        }
    }

    /// Room for a segment that is written anew: of what was dropped, of spares, and of the reserve.
    pub(super) fn room_for_rewrite(&self) -> Option<Lent> {
        self.keep_spares(false);
        while self.step_recycle() {}
        self.keep_spares(false);
        self.reserve.lend()
    }

    /// Whether room was wanted since this was last asked.
    pub(super) fn take_room_wanted(&self) -> bool {
        self.room_wanted.load(Ordering::Acquire) && self.room_wanted.swap(false, Ordering::AcqRel)
    }
}
