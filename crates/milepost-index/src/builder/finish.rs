//! The end of building: the sections that waited are put behind the blocks, then slots, checksums, and the name.
//!
//! Invariant: the file is synced before it is renamed, and the directory before the run is said to be built.

use std::mem;

use super::{RunBuilder, slots::KeySlots, spill::Spill};
use crate::{
    BuildError, RunFacts,
    format::meta::{self, Section},
};

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Keys are still added.
    Keys,
    /// This part is next: they are counted from 0.
    Part(usize),
    /// The slots of keys are next.
    KeySlots,
    /// The slots of scopes are next.
    ScopeSlots,
    /// The end of the file is next.
    Tail,
}

const PARTS: usize = 7;

impl RunBuilder {
    /// Does a part of what is to be done after the last key: copies about so many bytes, or puts keys into their slots
    /// until it has read as many of hashes. The facts once the run is durable.
    pub(crate) fn finish_step(&mut self, budget_bytes: u64) -> Result<Option<RunFacts>, BuildError> {
        match self.stage {
            Stage::Keys => {
                self.end_scope()?;
                self.end_offsets()?;
                self.stage = Stage::Part(0);
            }
            Stage::Part(PARTS) => self.begin_key_slots()?,
            Stage::Part(part) => self.copy_parts(part, budget_bytes)?,
            Stage::KeySlots => self.put_key_slots(budget_bytes)?,
            Stage::ScopeSlots => {
                self.put_scope_slots()?;
                self.stage = Stage::Tail;
            }
            Stage::Tail => return self.put_tail().map(Some),
        }
        Ok(None)
    }

    /// Where the last block and the last name end: one more entry in each table.
    fn end_offsets(&mut self) -> Result<(), BuildError> {
        let end = self.meta.sections.blocks.bytes as u32;
        self.parts.offsets.buffer.extend_from_slice(&end.to_le_bytes());
        self.parts.offsets.settle(&mut self.files)?;
        let end = self.parts.names.end();
        self.parts.restarts.buffer.extend_from_slice(&end.to_le_bytes());
        self.parts.restarts.settle(&mut self.files)
    }

    /// Copies parts, this one first, for as long as the budget lasts: most are small.
    fn copy_parts(&mut self, mut part: usize, budget_bytes: u64) -> Result<(), BuildError> {
        let mut left = budget_bytes;
        while part < PARTS && left > 0 {
            left = left.saturating_sub(self.copy(part, left)?);
            let Stage::Part(next) = self.stage else { break };
            part = next;
        }
        Ok(())
    }

    /// Copies a part; how many bytes.
    fn copy(&mut self, part: usize, budget_bytes: u64) -> Result<u64, BuildError> {
        let (parts, sections) = (&mut self.parts, &mut self.meta.sections);
        let rows: [(&mut Spill, &mut Section); PARTS] = [
            (&mut parts.offsets, &mut sections.block_offsets),
            (&mut parts.versions, &mut sections.versions),
            (&mut parts.changes, &mut sections.changes),
            (&mut parts.clears, &mut sections.clears),
            (&mut parts.scopes, &mut sections.scopes),
            (&mut parts.names, &mut sections.names),
            (&mut parts.restarts, &mut sections.restarts),
        ];
        let (spill, section) = rows.into_iter().nth(part).expect("a stage counts the parts");
        if section.at == 0 {
            self.out.align(&self.files)?;
            *section = Section { at: self.out.bytes(), bytes: spill.bytes() };
        }
        let mut chunk = Vec::new();
        let mut copied = 0;
        while copied < budget_bytes {
            let bytes = spill.next_chunk(&mut chunk, &mut self.files)?;
            if bytes.is_empty() {
                self.stage = Stage::Part(part + 1);
                break;
            }
            self.out.put(bytes, &self.files)?;
            copied += bytes.len() as u64;
        }
        Ok(copied)
    }

    fn begin_key_slots(&mut self) -> Result<(), BuildError> {
        let shape = self.meta.key_shape();
        super::check_room("slots", shape.bytes())?;
        self.out.align(&self.files)?;
        self.meta.sections.key_slots = Section { at: self.out.bytes(), bytes: shape.bytes() };
        self.key_slots = Some(KeySlots::new(shape));
        self.stage = Stage::KeySlots;
        Ok(())
    }

    /// Writes slots that are made, or else makes some.
    fn put_key_slots(&mut self, budget_bytes: u64) -> Result<(), BuildError> {
        let slots = self.key_slots.as_mut().expect("they were begun");
        let made = slots.take(budget_bytes);
        if made.is_empty() {
            slots.fill(&self.hashes, &self.files, budget_bytes)?;
        } else {
            self.out.put(made, &self.files)?;
        }
        if !slots.go_on() {
            self.hashes.forget(&mut self.files);
            self.key_slots = None;
            self.stage = Stage::ScopeSlots;
        }
        Ok(())
    }

    fn put_scope_slots(&mut self) -> Result<(), BuildError> {
        let hashes = mem::take(&mut self.scope_hashes);
        let shape = self.meta.scope_shape();
        let mut table = vec![0; shape.bytes() as usize];
        for (hash, number) in hashes.into_iter().zip(0..) {
            let is_in = shape.insert(&mut table, 0, shape.home(hash), hash, number)
                || shape.insert(&mut table, 0, 0, hash, number);
            assert!(is_in, "there are more slots than names");
        }
        self.meta.sections.scope_slots = self.put_section(&table)?;
        Ok(())
    }

    fn put_section(&mut self, bytes: &[u8]) -> Result<Section, BuildError> {
        super::check_room("slots", bytes.len() as u64)?;
        self.out.align(&self.files)?;
        let section = Section { at: self.out.bytes(), bytes: bytes.len() as u64 };
        self.out.put(bytes, &self.files)?;
        Ok(section)
    }

    fn put_tail(&mut self) -> Result<RunFacts, BuildError> {
        let (tail, crc) = meta::encode(&self.header, self.out.finish_pages(), &self.meta);
        self.out.append(&tail, &self.files)?;
        self.out.sync(&self.files)?;
        self.files.publish(self.out.path())?;
        let plan = self.plan;
        let (id, first_seq, last_seq) = (plan.id, plan.first_seq, plan.last_seq);
        Ok(RunFacts { id, first_seq, last_seq, bytes: self.out.bytes(), crc })
    }
}
