//! [`DroppedPart`]: commits that are gone with their segments: what the manifest still knows of them.
//!
//! Invariant: it is of at least one commit, and of no file.

use milepost_types::Seq;

use crate::{DroppedFacts, SegmentName};

/// Commits that are gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DroppedPart {
    name: SegmentName,
    first_seq: Seq,
    facts: DroppedFacts,
}

impl DroppedPart {
    /// `None` if that can't be.
    pub(crate) fn new(name: SegmentName, first_seq: Seq, facts: DroppedFacts) -> Option<DroppedPart> {
        let is_sound = first_seq > Seq::ZERO
            && first_seq <= facts.last_seq
            && facts.last_seq < Seq::MAX
            && facts.first_at <= facts.last_at;
        is_sound.then_some(DroppedPart { name, first_seq, facts })
    }

    pub(crate) fn name(&self) -> SegmentName {
        self.name
    }

    pub(crate) fn first_seq(&self) -> Seq {
        self.first_seq
    }

    pub(crate) fn facts(&self) -> DroppedFacts {
        self.facts
    }

    /// One word for these and those right behind them.
    pub(crate) fn and(&self, behind: &DroppedPart) -> Option<DroppedPart> {
        let facts = DroppedFacts { first_at: self.facts.first_at, ..behind.facts };
        DroppedPart::new(self.name, self.first_seq, facts)
    }

    /// How many commits are gone.
    pub(crate) fn frames(&self) -> usize {
        (self.facts.last_seq.0 - self.first_seq.0 + 1) as usize
    }
}
