//! [`Inserter`]: folds commits into the memtable, a group of keys at a time.
//!
//! Invariant: all that was handed in stands in the memtable once the inserter is gone, versions of a key in the order
//! in which they came.
//!
//! A new key's place in the tables is a cache miss, and the next key's does not depend on it: so all the places of a
//! group are touched first, and the processor waits for them at once.

use std::{
    hint::black_box,
    ops::{Deref, Range},
    sync::atomic::Ordering,
};

use milepost_index::ScopeHash;
use milepost_types::{
    EventRef, Seq,
    body::{Body, BodyError},
};

use super::{
    ERASED, ERASED_BELOW, FENCE, FORK, IDEMPOTENCY, Kind, Mark, Memtable, POLICY, ScopeState, Version, checkpoints_of,
    erased_keys_of, holds_of, prefix_key, scopes::ScopeIndex,
};

/// Keys of a group: their slots and lines fit into the first cache many times over.
const GROUP: usize = 32;

/// Folds commits in, one after the other.
#[derive(Debug)]
pub(crate) struct Inserter<M: Deref<Target = Memtable>> {
    memtable: M,
    group: Group,
}

/// What is not in the tables yet.
#[derive(Debug, Default)]
struct Group {
    puts: Vec<Put>,
    /// The names of the keys, one behind the other.
    names: String,
}

#[derive(Debug)]
struct Put {
    scope: ScopeIndex,
    hash: u64,
    name: Range<usize>,
    version: Version,
}

impl Memtable {
    fn erases(&self, seq: Seq) {
        // Pairs with the load in `Memtable::last_erasure`.
        self.last_erasure.fetch_max(seq.0, Ordering::Release);
    }
}

impl<M: Deref<Target = Memtable>> Inserter<M> {
    pub(crate) fn new(memtable: M) -> Inserter<M> {
        Inserter { memtable, group: Group::default() }
    }

    /// What it folds into.
    pub(crate) fn memtable(&self) -> &Memtable {
        &self.memtable
    }

    /// Folds the events of the commit at `seq` in.
    pub(crate) fn insert(&mut self, seq: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        let Inserter { memtable, group } = self;
        let memtable: &Memtable = memtable;
        memtable.keys.begin(seq.0);
        let mut current: Option<&ScopeState> = None;
        let mut events = body.events();
        while let Some(found) = events.next()? {
            let record = found.offset;
            match found.event {
                EventRef::Set { scope, key, expires_at, .. } => {
                    let kind = if expires_at.is_some() { Kind::Expiring } else { Kind::Set };
                    let state = scope_of(memtable, &mut current, scope);
                    state.set(seq);
                    if kind == Kind::Expiring {
                        state.expires();
                    }
                    group.put(memtable, state, key, Version { seq: seq.0, record, kind });
                }
                EventRef::Delete { scope, key } => {
                    let state = scope_of(memtable, &mut current, scope);
                    group.put(memtable, state, key, Version { seq: seq.0, record, kind: Kind::Delete });
                }
                EventRef::Clear { scope } => {
                    let state = scope_of(memtable, &mut current, scope);
                    state.touch(seq);
                    state.clear(Mark { seq: seq.0, record });
                }
                EventRef::ClearPrefix { prefix } => {
                    let name = format!("{prefix}/");
                    scope_of(memtable, &mut None, &name).clear(Mark { seq: seq.0, record });
                }
                EventRef::Checkpoint { scope, name, .. } => {
                    let state = scope_of(memtable, &mut None, &checkpoints_of(scope));
                    group.put(memtable, state, name, Version { seq: seq.0, record, kind: Kind::Claim });
                }
                EventRef::Release { scope, name } => {
                    let state = scope_of(memtable, &mut None, &checkpoints_of(scope));
                    group.put(memtable, state, name, Version { seq: seq.0, record, kind: Kind::Delete });
                }
                EventRef::Fork { scope, .. } => {
                    // Pairs with the load in `Memtable::has_forks`.
                    memtable.has_forks.store(true, Ordering::Release);
                    let state = scope_of(memtable, &mut None, FORK);
                    group.put(memtable, state, scope, Version { seq: seq.0, record, kind: Kind::Claim });
                }
                EventRef::Retain { .. }
                | EventRef::Unretain { .. }
                | EventRef::Hold { .. }
                | EventRef::Unhold { .. }
                | EventRef::Erase { .. }
                | EventRef::EraseScope { .. }
                | EventRef::ErasePrefix { .. } => group.told(memtable, seq, record, &found.event),
            }
        }
        if body.has_claims() {
            let meta = body.meta()?;
            let version = Version { seq: seq.0, record: 0, kind: Kind::Claim };
            if let Some(key) = &meta.idempotency_key {
                group.put(memtable, scope_of(memtable, &mut None, IDEMPOTENCY), key, version);
            }
            for fence in &meta.fences {
                group.put(memtable, scope_of(memtable, &mut None, FENCE), fence.scope.as_str(), version);
            }
        }
        Ok(())
    }
}

impl Group {
    /// Folds what retention is told. An erasure takes the present away as well: a read of the newest state asks nothing
    /// else.
    fn told(&mut self, memtable: &Memtable, seq: Seq, record: u32, event: &EventRef<'_>) {
        let version = |kind| Version { seq: seq.0, record, kind };
        let (scope, key, kind) = match *event {
            EventRef::Retain { prefix, .. } => (POLICY.into(), prefix_key(prefix), Kind::Claim),
            EventRef::Unretain { prefix } => (POLICY.into(), prefix_key(prefix), Kind::Delete),
            EventRef::Hold { prefix, name, .. } => (holds_of(prefix), name, Kind::Claim),
            EventRef::Unhold { prefix, name } => (holds_of(prefix), name, Kind::Delete),
            EventRef::Erase { scope, key, .. } => {
                memtable.erases(seq);
                self.put(memtable, scope_of(memtable, &mut None, scope), key, version(Kind::Delete));
                (erased_keys_of(scope).into(), key, Kind::Claim)
            }
            EventRef::EraseScope { scope, .. } => {
                memtable.erases(seq);
                let state = scope_of(memtable, &mut None, scope);
                state.touch(seq);
                state.clear(Mark { seq: seq.0, record });
                (ERASED.into(), scope, Kind::Claim)
            }
            EventRef::ErasePrefix { prefix, .. } => {
                memtable.erases(seq);
                scope_of(memtable, &mut None, &format!("{prefix}/")).clear(Mark { seq: seq.0, record });
                (ERASED_BELOW.into(), prefix_key(prefix), Kind::Claim)
            }
            EventRef::Set { .. }
            | EventRef::Delete { .. }
            | EventRef::Clear { .. }
            | EventRef::ClearPrefix { .. }
            | EventRef::Checkpoint { .. }
            | EventRef::Release { .. }
            | EventRef::Fork { .. } => return,
        };
        memtable.last_told.fetch_max(seq.0, Ordering::Relaxed);
        self.put(memtable, scope_of(memtable, &mut None, &scope), key, version(kind));
    }

    fn put(&mut self, memtable: &Memtable, state: &ScopeState, key: &str, version: Version) {
        state.touch(Seq(version.seq));
        let begin = self.names.len();
        self.names.push_str(key);
        let name = begin..self.names.len();
        self.puts.push(Put { scope: state.index, hash: ScopeHash(state.hash).key(key).0, name, version });
        if self.puts.len() == GROUP {
            self.settle(memtable);
        }
    }

    /// Puts all of it into the tables.
    fn settle(&mut self, memtable: &Memtable) {
        let keys = &memtable.keys;
        let places = self.puts.iter().map(|put| keys.touch_slot(put.hash));
        let mut touched = [0; GROUP];
        for (at, place) in touched.iter_mut().zip(places) {
            *at = place;
        }
        black_box(touched.iter().map(|place| keys.touch_line(*place)).fold(0, |all, word| all ^ word));
        for put in self.puts.drain(..) {
            let state = memtable.scopes.at(put.scope);
            keys.put(put.hash, put.scope, &self.names[put.name], put.version, &state.newest_key);
        }
        self.names.clear();
    }
}

impl<M: Deref<Target = Memtable>> Drop for Inserter<M> {
    fn drop(&mut self) {
        self.group.settle(&self.memtable);
    }
}

/// The state of a scope, looked up once for a run of events of the same scope.
fn scope_of<'m>(memtable: &'m Memtable, current: &mut Option<&'m ScopeState>, scope: &str) -> &'m ScopeState {
    match *current {
        Some(state) if &*state.name == scope => state,
        _ => {
            let state = memtable.scopes.find_or_add(ScopeHash::of(memtable.seed, scope).0, scope);
            *current = Some(state);
            state
        }
    }
}
