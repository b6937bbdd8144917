//! Looking many keys up at once.
//!
//! A look-up is a chain of cache misses, but those of two keys do not wait for each other: so what the look-ups of a
//! group read is touched first, step by step for all of them, and the processor waits for all at once.
//!
//! Many keys are often those of a directory or two: then a run is asked with a [`Finger`], which needs no hash. Where
//! they come in about their order, most runs have none from the first to the last of a group, and are not asked.
//!
//! Invariant: each key is answered as [`Tiers::find`] answers it.

use std::hint::black_box;

use milepost_index::{Finger, Near, Run};
use milepost_types::{Corruption, Seq};

use super::{Tiers, Version, look};
use crate::memtable::Name;

/// Keys of a group: what they touch fits into the first cache of the processor.
pub(crate) const GROUP: usize = 64;
/// With fewer keys, none are taken to be near each other.
const NEAR_MIN: usize = 128;

/// How a run is asked.
enum Way<'a> {
    /// Not at all: it has no version of the scope that a read meets.
    Not,
    /// From one key to the next.
    Near(Box<Finger<'a>>),
    ByHash,
}

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
        let ways = self.runs.iter().map(|run| self.way(run, scope, keys.len(), seq));
        let mut ways = ways.collect::<Result<Vec<Way<'_>>, _>>()?;
        let scope_hash = Name::new(self.seed, scope, "").scope_hash;
        for group in keys.chunks(GROUP) {
            let mut names = Vec::with_capacity(GROUP);
            names.extend(group.iter().map(|key| Name { scope, key, scope_hash, key_hash: scope_hash.key(key) }));
            self.memtables().for_each(|memtable| memtable.touch_each(&names));
            for (run, way) in self.runs.iter().zip(&ways) {
                if matches!(way, Way::ByHash) {
                    touch_slots(run, &names);
                }
            }
            let open = self.in_memory(&names, seq, found);
            self.in_runs(&names, &mut ways, &open, seq, found)?;
        }
        Ok(())
    }

    fn way<'a>(&self, run: &'a Run, scope: &str, keys: usize, seq: Seq) -> Result<Way<'a>, Corruption> {
        if run.facts().first_seq > seq.0 {
            return Ok(Way::Not);
        }
        // What was cleared is found out by name.
        if keys < NEAR_MIN || run.has_clears() {
            return Ok(Way::ByHash);
        }
        let view = look::scope(run, self.seed, scope)?.filter(|view| view.keys() > 0);
        view.map_or(Ok(Way::Not), |view| Ok(Way::Near(Box::new(run.finger(view)?))))
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
        ways: &mut [Way<'_>],
        open: &[(usize, usize)],
        seq: Seq,
        found: &mut [Option<Version>],
    ) -> Result<(), Corruption> {
        let mut open = open.to_vec();
        let keys = || open.iter().map(|(index, _)| names[*index].key);
        let Some((low, high)) = keys().min().zip(keys().max()) else { return Ok(()) };
        for (run, way) in self.runs.iter().zip(ways) {
            if open.is_empty() {
                break;
            }
            match way {
                Way::Not => continue,
                Way::ByHash => touch_blocks(run, open.iter().map(|(index, _)| &names[*index])),
                Way::Near(finger) if !finger.may_hold_any(low, high) => continue,
                Way::Near(_) => {}
            }
            let mut rest = Vec::with_capacity(open.len());
            for (index, place) in open {
                match self.ask(run, way, &names[index], seq)? {
                    Some(version) => found[place] = version,
                    None => rest.push((index, place)),
                }
            }
            open = rest;
        }
        Ok(())
    }

    /// What a run decides about a key; `None` if that is for older ones to say.
    #[inline]
    fn ask(
        &self,
        run: &Run,
        way: &mut Way<'_>,
        name: &Name<'_>,
        seq: Seq,
    ) -> Result<Option<Option<Version>>, Corruption> {
        if let Way::Near(finger) = way {
            match finger.find(name.key, seq.0)? {
                Near::Known(found) => return look::met(run, found),
                Near::Far => *way = Way::ByHash,
            }
        }
        self.find_in_run(run, name, seq)
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
