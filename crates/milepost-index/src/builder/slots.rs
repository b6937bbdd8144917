//! [`KeySlots`]: makes the slots of keys, in slabs of lines that memory holds.
//!
//! What finds no room in a slab goes to the beginning of the next one, from the last to the first: so it is looked
//! first what the last slab will leave for it.
//!
//! Invariant: between the home of a hash and the line where it stands no line has an empty slot.

use super::{
    files::Files,
    hashes::{GROUPS, Hashes},
};
use crate::{
    BuildError,
    format::slots::{LINE_BYTES, Shape},
};

/// Bytes of a slab, about.
const SLAB_BYTES: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct KeySlots {
    shape: Shape,
    /// Groups of hashes of a slab.
    slab_groups: usize,
    /// Whether the last slab is made only to know what it leaves for the first.
    is_ahead: bool,
    /// The groups of this slab that are still to be put in.
    next: usize,
    end: usize,
    first_line: u64,
    lines: Vec<u8>,
    /// What found no room in the slab before, and in this one.
    carried: Vec<(u64, u64)>,
    left_over: Vec<(u64, u64)>,
    /// Whether all of the slab is in it.
    is_made: bool,
    /// Bytes of it that were taken.
    taken: usize,
}

impl KeySlots {
    pub(super) fn new(shape: Shape) -> KeySlots {
        KeySlots::in_slabs(shape, SLAB_BYTES)
    }

    /// In slabs of about so many bytes.
    pub(super) fn in_slabs(shape: Shape, slab_bytes: u64) -> KeySlots {
        let slabs = shape.bytes().div_ceil(slab_bytes).clamp(1, GROUPS as u64) as usize;
        let slab_groups = GROUPS.div_ceil(slabs);
        let mut slots = KeySlots {
            shape,
            slab_groups,
            is_ahead: slab_groups < GROUPS,
            next: 0,
            end: 0,
            first_line: 0,
            lines: Vec::new(),
            carried: Vec::new(),
            left_over: Vec::new(),
            is_made: false,
            taken: 0,
        };
        slots.begin(if slots.is_ahead { (GROUPS - 1) / slab_groups * slab_groups } else { 0 });
        slots
    }

    /// Begins the slab that begins with a group.
    fn begin(&mut self, group: usize) {
        let line_of = |group: usize| match group {
            GROUPS => self.shape.lines(),
            group => self.shape.home((group as u64) << 56),
        };
        let end = GROUPS.min(group + self.slab_groups);
        let (first, behind) = (line_of(group), line_of(end));
        (self.next, self.end, self.first_line) = (group, end, first);
        self.lines.clear();
        self.lines.resize((behind - first) as usize * LINE_BYTES, 0);
        (self.is_made, self.taken) = (false, 0);
    }

    /// Puts groups in, until about so many bytes of hashes were read or the slab is made.
    pub(super) fn fill(&mut self, hashes: &Hashes, files: &Files, budget_bytes: u64) -> Result<(), BuildError> {
        let mut read = 0;
        while self.next < self.end {
            if read >= budget_bytes {
                return Ok(());
            }
            let (shape, first, lines, left_over) = (self.shape, self.first_line, &mut self.lines, &mut self.left_over);
            read += hashes.read(self.next, files, |hash, block| {
                if !shape.insert(lines, first, shape.home(hash), hash, block) {
                    left_over.push((hash, block));
                }
            })?;
            self.next += 1;
        }
        self.end_slab()
    }

    fn end_slab(&mut self) -> Result<(), BuildError> {
        if std::mem::take(&mut self.is_ahead) {
            self.carried = std::mem::take(&mut self.left_over);
            self.begin(0);
            return Ok(());
        }
        let is_last = self.end == GROUPS;
        if self.slab_groups == GROUPS {
            self.carried = std::mem::take(&mut self.left_over);
        } else if is_last {
            // The first slab has them already.
            self.left_over.clear();
        }
        for (hash, block) in std::mem::take(&mut self.carried) {
            if !self.shape.insert(&mut self.lines, self.first_line, self.first_line, hash, block) {
                self.left_over.push((hash, block));
            }
        }
        if is_last && !self.left_over.is_empty() {
            // A fifth of all slots is empty, and no hash comes from this far: a slab without an empty one is not met.
            let max = self.shape.bytes();
            return Err(BuildError::RunFull { what: "slots", need: max + self.left_over.len() as u64, max });
        }
        self.carried = std::mem::take(&mut self.left_over);
        self.is_made = true;
        Ok(())
    }

    /// The next bytes of the table that are made, about so many; none where more must be put in first, or at the end.
    pub(super) fn take(&mut self, budget_bytes: u64) -> &[u8] {
        if !self.is_made {
            return &[];
        }
        let budget = usize::try_from(budget_bytes).unwrap_or(usize::MAX).max(1);
        let begin = self.taken;
        self.taken = self.lines.len().min(begin.saturating_add(budget));
        &self.lines[begin..self.taken]
    }

    /// Goes to the next slab if all of this one was taken; `false` at the end.
    pub(super) fn go_on(&mut self) -> bool {
        if self.is_made && self.taken == self.lines.len() {
            if self.end == GROUPS {
                return false;
            }
            self.begin(self.end);
        }
        true
    }
}

#[cfg(test)]
mod tests;
