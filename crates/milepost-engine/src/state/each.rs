//! Looking many keys up at once.
//!
//! A look-up is a chain of cache misses, but those of two keys do not wait for each other: so what the look-ups of a
//! group read is touched first, step by step for all of them, and the processor waits for all at once.
//!
//! Invariant: each key is answered as [`Tiers::find`] answers it.

use std::hint::black_box;

use milepost_index::Run;
use milepost_types::{Corruption, Seq};

use super::{Tiers, Version};
use crate::memtable::Name;

/// Keys of a group: what they touch fits into the first cache of the processor.
const GROUP: usize = 64;

impl Tiers {
    /// The versions that a read of these keys as of `seq` meets, appended to `found` in their order.
    pub(crate) fn find_each(
        &self,
        scope: &str,
        keys: &[&str],
        seq: Seq,
        found: &mut Vec<Option<Version>>,
    ) -> Result<(), Corruption> {
        found.reserve(keys.len());
        if seq.0 < self.last_erasure() {
            for key in keys {
                found.push(self.find(scope, key, seq)?);
            }
            return Ok(());
        }
        for group in keys.chunks(GROUP) {
            let mut names = Vec::with_capacity(GROUP);
            let scope_hash = Name::new(self.seed, scope, "").scope_hash;
            names.extend(group.iter().map(|key| Name { scope, key, scope_hash, key_hash: scope_hash.key(key) }));
            self.memtables().for_each(|memtable| memtable.touch_each(&names));
            self.runs.iter().filter(|run| run.facts().first_seq <= seq.0).for_each(|run| touch_slots(run, &names));
            let open = self.in_memory(&names, seq, found);
            self.in_runs(&names, &open, seq, found)?;
        }
        Ok(())
    }

    /// Answers what memory decides; the places, in the group and in `found`, of those that it does not.
    fn in_memory(&self, names: &[Name<'_>], seq: Seq, found: &mut Vec<Option<Version>>) -> Vec<(usize, usize)> {
        let mut open = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let decided = self.find_in_memory(name, seq);
            if decided.is_none() {
                open.push((index, found.len()));
            }
            found.push(decided.flatten());
        }
        open
    }

    /// Answers the rest, from the newest run to the oldest.
    fn in_runs(
        &self,
        names: &[Name<'_>],
        open: &[(usize, usize)],
        seq: Seq,
        found: &mut [Option<Version>],
    ) -> Result<(), Corruption> {
        let mut open = open.to_vec();
        for run in &self.runs {
            if open.is_empty() {
                break;
            }
            touch_blocks(run, open.iter().map(|(index, _)| &names[*index]));
            let mut rest = Vec::with_capacity(open.len());
            for (index, place) in open {
                match self.find_in_run(run, &names[index], seq)? {
                    Some(version) => found[place] = version,
                    None => rest.push((index, place)),
                }
            }
            open = rest;
        }
        Ok(())
    }
}

fn touch_slots(run: &Run, names: &[Name<'_>]) {
    black_box(names.iter().fold(0, |all, name| all ^ run.touch_slots(name.key_hash)));
}

fn touch_blocks<'a>(run: &Run, names: impl Iterator<Item = &'a Name<'a>>) {
    let mut blocks = [0; GROUP];
    let mut count = 0;
    for block in names.filter_map(|name| run.first_block(name.key_hash)) {
        blocks[count] = block;
        count += 1;
    }
    let blocks = &blocks[..count];
    black_box(blocks.iter().fold(0, |all, block| all ^ run.touch_bounds(*block)));
    black_box(blocks.iter().fold(0, |all, block| all ^ run.touch_block(*block)));
}
