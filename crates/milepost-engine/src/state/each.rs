//! Looking many keys up at once.
//!
//! Many keys are often those of a directory or two: then a run is asked with a [`Finger`], which needs no hash. Where
//! they come in about their order, most runs have none from the first to the last of a group, and are not asked. Else
//! each run is asked for a group of them at once ([`Run::find_each`]).
//!
//! Invariant: each key is answered as [`Tiers::find`] answers it.

use milepost_index::{Finger, KeyHash, Near, Run};
use milepost_types::{Corruption, Seq};

use super::{Tiers, Version, look, tiers::decided};
use crate::memtable::{Met, Name};

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
            self.touch_in_memory(&names, seq);
            for (run, _) in self.runs.iter().zip(&ways).filter(|(_, way)| matches!(way, Way::ByHash)) {
                names.iter().for_each(|name| run.aim(name.key_hash));
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
            let mut rest = Vec::new();
            let mut keep = |open: (usize, usize), met| match decided(met) {
                Some(version) => found[open.1] = version,
                None => rest.push(open),
            };
            match way {
                Way::Not => continue,
                Way::Near(finger) if !finger.may_hold_any(low, high) => continue,
                Way::Near(_) => {
                    for open in open {
                        keep(open, self.ask_near(run, way, &names[open.0], seq)?);
                    }
                }
                Way::ByHash => {
                    let keys: Vec<(KeyHash, &str)> =
                        open.iter().map(|(index, _)| (names[*index].key_hash, names[*index].key)).collect();
                    let all = look::look_each(run, self.seed, names[0].scope, &keys, seq)?;
                    open.into_iter().zip(all).for_each(|(open, met)| keep(open, met));
                }
            }
            open = rest;
        }
        Ok(())
    }

    /// What a run has of a key that may lie near the one before; from then on it is asked by hash if it does not.
    #[inline]
    fn ask_near(&self, run: &Run, way: &mut Way<'_>, name: &Name<'_>, seq: Seq) -> Result<Met, Corruption> {
        if let Way::Near(finger) = way {
            match finger.find(name.key, seq.0)? {
                Near::Known(found) => return look::met_here(run, found),
                Near::Far => *way = Way::ByHash,
            }
        }
        look::look(run, name, self.seed, seq, |_| {})
    }
}
