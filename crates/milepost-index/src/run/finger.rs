//! [`Finger`]: look-ups of many keys of one scope that lie near each other.
//!
//! A look-up by hash touches a line of slots and a block, both somewhere in memory. Whoever asks for the files of a
//! directory one after the other asks for keys that stand in one block: so the block of the key before is looked at
//! first, then the one before that, since files of a directory that come in no order are often in two; and from there
//! its neighbours, by steps that double. A block that is asked for a second key is read whole: the next key asked for
//! is often the next one that stands there.
//!
//! Invariant: answers as [`Run::find`] does, or says that keys lie too far from each other for it to be of use.

use std::cmp::Ordering;

use milepost_types::Corruption;

use super::{Run, ScopeView, Versions};
use crate::{
    Version,
    format::{
        Malformed,
        block::{Block, Entry},
    },
    pages::Damage,
};

/// Steps of a search that are granted at the beginning, and that may be saved.
const CREDIT_MAX: u32 = 128;

/// What a look near the key before came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// The newest version at or before the `Seq` asked for, if there is one.
    Known(Option<Version>),
    /// The keys asked for lie too far from each other: from now on, [`Run::find`] is quicker.
    Far,
}

/// Where the last look-up ended.
#[derive(Debug)]
pub struct Finger<'a> {
    run: &'a Run,
    scope: ScopeView,
    place: Option<Place<'a>>,
    /// The one before.
    left: Option<Place<'a>>,
    /// How many steps of a search may still be made. Each key that is asked for grants one more.
    credit: u32,
    /// Room for the first key of a block.
    room: Vec<u8>,
    /// The first and the last key of the scope.
    first: Vec<u8>,
    last: Vec<u8>,
}

/// The keys and versions of a block, if it was asked for more than one.
#[derive(Debug, Default)]
struct Whole {
    keys: Vec<u8>,
    /// Where each key ends, and its versions. None if it was not read.
    entries: Vec<(usize, Entry)>,
    /// Behind the key that was found last.
    next: usize,
}

/// A block, and between which keys it stands.
#[derive(Debug)]
struct Place<'a> {
    number: u32,
    block: Block<'a>,
    at: u64,
    first: Vec<u8>,
    last: Vec<u8>,
    /// The first key of the next block.
    next: Option<Vec<u8>>,
    /// Whether it was asked for a key before.
    was_asked: bool,
    whole: Whole,
}

impl Run {
    /// For looking many keys of a scope up, one after the other.
    pub fn finger(&self, scope: ScopeView) -> Result<Finger<'_>, Corruption> {
        let (room, first, last) = (Vec::new(), Vec::new(), Vec::new());
        let (place, left) = (None, None);
        let mut finger = Finger { run: self, scope, place, left, credit: CREDIT_MAX, room, first, last };
        finger.read_ends().map_err(|damage| self.corrupt(damage))?;
        Ok(finger)
    }
}

impl<'a> Finger<'a> {
    fn read_ends(&mut self) -> Result<(), Damage> {
        let record = &self.scope.record;
        if let Some(more) = record.blocks.checked_sub(1) {
            let (first, at) = self.block(record.first_block)?;
            let (last, last_at) = self.block(record.first_block + more)?;
            first.put_first_key(&mut self.first).map_err(Damage::at(at))?;
            last.put_last_key(&mut self.last).map_err(Damage::at(last_at))?;
        }
        Ok(())
    }

    /// Whether any key from `low` to `high`, both included, may be here; surely not if it says so.
    #[inline]
    #[must_use]
    pub fn may_hold_any(&self, low: &str, high: &str) -> bool {
        low.as_bytes() <= &*self.last && &*self.first <= high.as_bytes()
    }

    /// The newest version of a key at or before `seq`.
    #[inline]
    pub fn find(&mut self, key: &str, seq: u64) -> Result<Near, Corruption> {
        match self.near(key.as_bytes()) {
            Ok(Near::Known(Some(newest))) if newest.seq > seq => self.older(key, seq),
            near => near.map_err(|damage| self.run.corrupt(damage)),
        }
    }

    /// The newest version of a key.
    fn near(&mut self, key: &[u8]) -> Result<Near, Damage> {
        self.credit = (self.credit + 1).min(CREDIT_MAX);
        if let Some(entry) = self.place.as_mut().and_then(|place| place.whole.is_next(key)) {
            return Ok(Near::Known(Some(entry.newest)));
        }
        if !self.is_at(key) {
            std::mem::swap(&mut self.place, &mut self.left);
            if !self.is_at(key) {
                std::mem::swap(&mut self.place, &mut self.left);
                if !self.go_to(key)? {
                    return Ok(Near::Far);
                }
            }
        }
        let Some(place) = &mut self.place else { return Ok(Near::Known(None)) };
        let entry = place.find(self.run, key)?;
        Ok(Near::Known(entry.map(|entry| entry.newest)))
    }

    /// Whether no other block than the one it is at can hold the key.
    #[inline]
    fn is_at(&self, key: &[u8]) -> bool {
        self.place.as_ref().is_some_and(|place| place.spans(key, self.scope.record.first_block))
    }

    /// The newest version at or before `seq` of a key whose newest version is above it, in the block of the finger.
    #[cold]
    fn older(&self, key: &str, seq: u64) -> Result<Near, Corruption> {
        let Some(place) = &self.place else { return Ok(Near::Known(None)) };
        let entry = place.block.find(key.as_bytes()).map_err(Damage::at(place.at));
        let Some(entry) = entry.map_err(|damage| self.run.corrupt(damage))? else { return Ok(Near::Known(None)) };
        Versions::new(self.run, entry).as_of(seq).map(Near::Known)
    }

    /// Goes to the block that holds a key if any does, by steps that double; `false` if no more steps are granted.
    fn go_to(&mut self, key: &[u8]) -> Result<bool, Damage> {
        let (begin, end) = (self.scope.record.first_block, self.scope.record.first_block + self.scope.record.blocks);
        // The block is the last that does not begin above the key: before `high`, and not before `low`.
        let (mut low, mut high) = (begin, end);
        if let Some(place) = &self.place {
            let mut step = 1;
            if *key < *place.first {
                high = place.number;
                while high - begin > step && self.compare(high - step, key)? == Ordering::Greater {
                    high -= step;
                    step *= 2;
                }
                low = high.saturating_sub(step).max(begin);
            } else {
                low = place.number + 1;
                while end - low > step && self.compare(low + step, key)? != Ordering::Greater {
                    low += step;
                    step *= 2;
                }
                high = end.min(low + step);
            }
        }
        while high - low > 1 {
            let middle = u32::midpoint(low, high);
            if self.compare(middle, key)? == Ordering::Greater {
                high = middle;
            } else {
                low = middle;
            }
        }
        if self.credit == 0 {
            return Ok(false);
        }
        let place = if low < high { Some(self.place_at(low, end)?) } else { None };
        self.left = std::mem::replace(&mut self.place, place);
        Ok(true)
    }

    /// How the first key of a block compares with a key. One step of a search.
    fn compare(&mut self, number: u32, key: &[u8]) -> Result<Ordering, Damage> {
        self.credit = self.credit.saturating_sub(1);
        let (block, at) = self.block(number)?;
        self.room.clear();
        block.put_first_key(&mut self.room).map_err(Damage::at(at))?;
        Ok((*self.room).cmp(key))
    }

    fn place_at(&self, number: u32, end: u32) -> Result<Place<'a>, Damage> {
        let (block, at) = self.block(number)?;
        let (first, last, whole) = (Vec::new(), Vec::new(), Whole::default());
        let mut place = Place { number, block, at, first, last, next: None, whole, was_asked: false };
        block.put_first_key(&mut place.first).map_err(Damage::at(at))?;
        block.put_last_key(&mut place.last).map_err(Damage::at(at))?;
        if number + 1 < end {
            let ((next, at), mut first) = (self.block(number + 1)?, Vec::new());
            next.put_first_key(&mut first).map_err(Damage::at(at))?;
            place.next = Some(first);
        }
        Ok(place)
    }

    fn block(&self, number: u32) -> Result<(Block<'a>, u64), Damage> {
        let (bytes, at) = self.run.block(number)?;
        let block = Block::read(bytes).map_err(Damage::at(at))?;
        if block.scope() == self.scope.ordinal() {
            Ok((block, at))
        } else {
            Err(Damage { at, what: "a block is of another scope" })
        }
    }
}

impl Whole {
    fn read(&mut self, block: &Block<'_>) -> Result<(), Malformed> {
        let read = block.read_all(&mut self.keys, &mut self.entries);
        // Nothing of a block that can't be read is kept.
        if read.is_err() {
            self.entries.clear();
        }
        read
    }

    fn key(&self, index: usize) -> &[u8] {
        let begin = index.checked_sub(1).map_or(0, |before| self.entries[before].0);
        &self.keys[begin..self.entries[index].0]
    }

    /// The versions of the next key, if it is this one.
    #[inline]
    fn is_next(&mut self, key: &[u8]) -> Option<Entry> {
        let (_, entry) = *self.entries.get(self.next)?;
        if self.key(self.next) != key {
            return None;
        }
        self.next += 1;
        Some(entry)
    }

    /// The versions of a key.
    fn find(&mut self, key: &[u8]) -> Option<Entry> {
        let (mut low, mut high) = (0, self.entries.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.key(middle) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.next = low;
        self.is_next(key)
    }
}

impl Place<'_> {
    /// The versions of a key.
    fn find(&mut self, run: &Run, key: &[u8]) -> Result<Option<Entry>, Damage> {
        if *key < *self.first || *key > *self.last {
            return Ok(None);
        }
        let damaged = Damage::at(self.at);
        if !std::mem::replace(&mut self.was_asked, true) {
            let entry = self.block.find(key).map_err(damaged)?;
            return entry.map_or(Ok(None), |entry| run.check_seq(entry.newest.seq, self.at).map(|()| Some(entry)));
        }
        if self.whole.entries.is_empty() {
            self.whole.read(&self.block).map_err(damaged)?;
            let covered = self.whole.entries.iter().try_for_each(|(_, entry)| run.check_seq(entry.newest.seq, self.at));
            // Nor of one that can't be.
            covered.inspect_err(|_| self.whole.entries.clear())?;
        }
        Ok(self.whole.find(key))
    }

    /// Whether no other block can hold the key; the scope's first block is this one.
    #[inline]
    fn spans(&self, key: &[u8], first_block: u32) -> bool {
        (*key >= *self.first || self.number == first_block) && self.next.as_ref().is_none_or(|next| *key < **next)
    }
}

#[cfg(test)]
mod tests;
