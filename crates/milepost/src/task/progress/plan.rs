//! What a batch of marks comes to, given what is marked already: events of one commit, and the counts after it.
//!
//! Invariant: an item has one state. Done is final, and so is skipped but for done: a late word of a worker that lost
//! its lease takes nothing back, and no lease from whoever has it now. What changes nothing is no event.

use std::collections::BTreeMap;

use milepost_engine::Request;
use milepost_types::{Key, Precondition, Seq, limits};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    counts::{Counts, State},
    error::ProgressError,
    leases::Leases,
    places::Places,
    queue::{Batch, Mark, Say},
};
use crate::{Error, Result, View};

/// Each is on a condition, and there is another one of the counts.
const LEASES_GIVEN_UP_MAX: usize = limits::PRECONDITIONS_MAX - 1;

/// What is known of the marks of a batch beforehand.
struct Known {
    done: Vec<Option<Seq>>,
    /// Asked only where any can be.
    failed: Vec<Option<Seq>>,
    skipped: Vec<Option<Seq>>,
    leased: Vec<Option<Seq>>,
}

/// Adds a batch to a request; the counts after it, and whether there is anything to commit.
pub(crate) fn add(
    request: &mut Request,
    batch: &Batch,
    places: &Places,
    view: &View,
    counts: Counts,
    leases: &Leases,
) -> Result<(Counts, bool)> {
    let keys: Vec<&str> = batch.marks().map(|mark| mark.key).collect();
    let says_failed = batch.marks().any(|mark| mark.say == Say::Failed);
    let known = Known::ask(&keys, places, view, &counts, says_failed && !leases.is_empty())?;
    let mut plan = Plan { request, places, view, counts, leases_given_up: 0, changes: false };
    if repeats(&keys) {
        let mut states = BTreeMap::new();
        for (index, mark) in batch.marks().enumerate() {
            let from = states.get(mark.key).copied().unwrap_or_else(|| known.state(index, &counts));
            let to = plan.mark(&mark, from, known.lease(index, leases))?;
            states.insert(mark.key, to);
        }
    } else {
        for (index, mark) in batch.marks().enumerate() {
            plan.mark(&mark, known.state(index, &counts), known.lease(index, leases))?;
        }
    }
    Ok((plan.counts, plan.changes))
}

impl Known {
    fn ask(keys: &[&str], places: &Places, view: &View, counts: &Counts, asks_leases: bool) -> Result<Known> {
        let ask = |place, any: bool| if any { view.versions(place, keys) } else { Ok(Vec::new()) };
        Ok(Known {
            done: view.versions(&places.done, keys)?,
            failed: ask(&places.failed, counts.failed > 0 || counts.retrying > 0)?,
            skipped: ask(&places.skipped, counts.skipped > 0)?,
            leased: ask(&places.leased, asks_leases)?,
        })
    }

    /// The lease of an item, if it is one of ours.
    fn lease(&self, index: usize, leases: &Leases) -> Option<Seq> {
        self.leased.get(index).copied().flatten().filter(|seq| leases.has(*seq))
    }

    fn state(&self, index: usize, counts: &Counts) -> State {
        let of = |all: &[Option<Seq>]| all.get(index).copied().flatten();
        if self.done[index].is_some() {
            return State::Done;
        }
        if of(&self.skipped).is_some() {
            return State::Skipped;
        }
        match of(&self.failed) {
            Some(seq) if counts.is_retried(seq) => State::Retrying,
            Some(_) => State::Failed,
            None => State::Pending,
        }
    }
}

struct Plan<'a> {
    request: &'a mut Request,
    places: &'a Places,
    view: &'a View,
    counts: Counts,
    /// How many were, so far.
    leases_given_up: usize,
    changes: bool,
}

impl Plan<'_> {
    /// Adds the events of a mark; the state after it. `lease` is the commit of the lease that its worker has.
    fn mark(&mut self, mark: &Mark<'_>, from: State, lease: Option<Seq>) -> Result<State> {
        let (place, to) = match mark.say {
            Say::Done => (&self.places.done, State::Done),
            Say::Failed => (&self.places.failed, State::Failed),
            Say::Skipped => (&self.places.skipped, State::Skipped),
        };
        // A lease of a done item goes by itself; a failed one is to be free as soon as it is retried.
        if let Some(seq) = lease.filter(|_| to == State::Failed && from <= to) {
            self.give_up(mark.key, seq)?;
        }
        // The same again may have something new to tell; less than that has not.
        let tells = to > from || (to == from && !mark.value.is_empty());
        if !tells {
            return Ok(from);
        }
        if !mark.beside.is_empty() {
            self.beside(mark)?;
        }
        self.request.add_set(place, mark.key, mark.value)?;
        match from {
            State::Failed | State::Retrying if to != State::Failed => {
                self.request.add_delete(&self.places.failed, mark.key)?;
            }
            State::Skipped if to != State::Skipped => self.request.add_delete(&self.places.skipped, mark.key)?,
            State::Pending | State::Retrying | State::Failed | State::Skipped | State::Done => {}
        }
        self.counts.change(from, to);
        self.changes = true;
        Ok(to)
    }

    /// Gives up a lease, unless it ends meanwhile and another worker takes it. Those beyond the conditions that a
    /// commit can have end by themselves.
    fn give_up(&mut self, key: &str, seq: Seq) -> Result<()> {
        self.leases_given_up += 1;
        if self.leases_given_up > LEASES_GIVEN_UP_MAX {
            return Ok(());
        }
        let (scope, of) = (self.places.leased.clone(), Key::parse(key)?);
        self.request.add_require(Precondition::KeyAt { scope, key: of, seq });
        self.changes = true;
        Ok(self.request.add_delete(&self.places.leased, key)?)
    }

    /// Keeps the bytes of an item that has only its hash for a key.
    fn beside(&mut self, mark: &Mark<'_>) -> Result<()> {
        match self.view.get(&self.places.long, mark.key)? {
            Some(kept) if *kept == *mark.beside => Ok(()),
            Some(_) => {
                let (scope, key) = (self.places.long.clone(), mark.key.to_owned());
                Err(Error::from(ProgressError::Collision { scope, key }))
            }
            None => Ok(self.request.add_set(&self.places.long, mark.key, mark.beside)?),
        }
    }
}

/// Whether a key may be there twice. Keys that ascend, as those of a list in order do, need no more than a look at
/// each.
fn repeats(keys: &[&str]) -> bool {
    if keys.is_sorted_by(|a, b| a < b) {
        return false;
    }
    let mut hashes: Vec<u64> = keys.iter().map(|key| xxh3_64(key.as_bytes())).collect();
    hashes.sort_unstable();
    !hashes.is_sorted_by(|a, b| a < b)
}
