//! [`Inserter`]: folds commits into the memtable, a group of keys at a time.
//!
//! Invariant: all that was handed in stands in the memtable once the inserter is gone, versions of a key in the order
//! in
//! which they came.
//!
//! A new key's place in the tables is a cache miss, and the next key's does not depend on it: so all the places of a
//! group are touched first, and the processor waits for them at once.

use std::{hint::black_box, ops::Range, sync::atomic::Ordering};

use milepost_types::{
    EventRef, Seq,
    body::{Body, BodyError},
};

use super::{
    FENCE, FORK, IDEMPOTENCY, Kind, Mark, Memtable, ScopeState, Version, checkpoints_of, hash_key, hash_scope,
};

/// Keys of a group: their slots and lines fit into the first cache many times over.
const GROUP: usize = 32;

/// Folds commits in, one after the other.
#[derive(Debug)]
pub(crate) struct Inserter<'m> {
    memtable: &'m Memtable,
    /// What is not in the tables yet.
    group: Vec<Put<'m>>,
    /// The names of the group's keys, one behind the other.
    names: String,
}

#[derive(Debug)]
struct Put<'m> {
    state: &'m ScopeState,
    hash: u64,
    name: Range<usize>,
    version: Version,
}

impl<'m> Inserter<'m> {
    pub(super) fn new(memtable: &'m Memtable) -> Inserter<'m> {
        Inserter { memtable, group: Vec::new(), names: String::new() }
    }

    /// Folds the events of the commit at `seq` in.
    pub(crate) fn insert(&mut self, seq: Seq, body: &Body<'_>) -> Result<(), BodyError> {
        let memtable = self.memtable;
        let mut current: Option<&ScopeState> = None;
        let mut events = body.events();
        while let Some(found) = events.next()? {
            let record = found.offset;
            match found.event {
                EventRef::Set { scope, key, expires_at, .. } => {
                    let kind = if expires_at.is_some() { Kind::Expiring } else { Kind::Set };
                    let state = scope_of(memtable, &mut current, scope);
                    state.set(seq);
                    self.put(state, seq, key, Version { seq: seq.0, record, kind });
                }
                EventRef::Delete { scope, key } => {
                    let state = scope_of(memtable, &mut current, scope);
                    self.put(state, seq, key, Version { seq: seq.0, record, kind: Kind::Delete });
                }
                EventRef::Clear { scope } => {
                    let state = scope_of(memtable, &mut current, scope);
                    state.touch(seq);
                    state.clear(Mark { seq: seq.0, record });
                }
                EventRef::ClearPrefix { prefix } => {
                    let name = format!("{prefix}/");
                    memtable.scopes.find_or_add(hash_scope(&name), &name).clear(Mark { seq: seq.0, record });
                }
                EventRef::Checkpoint { scope, name, .. } => {
                    let state = scope_of(memtable, &mut None, &checkpoints_of(scope));
                    self.put(state, seq, name, Version { seq: seq.0, record, kind: Kind::Claim });
                }
                EventRef::Release { scope, name } => {
                    let state = scope_of(memtable, &mut None, &checkpoints_of(scope));
                    self.put(state, seq, name, Version { seq: seq.0, record, kind: Kind::Delete });
                }
                EventRef::Fork { scope, .. } => {
                    // Pairs with the load in `Memtable::has_forks`.
                    memtable.has_forks.store(true, Ordering::Release);
                    let state = scope_of(memtable, &mut None, FORK);
                    self.put(state, seq, scope, Version { seq: seq.0, record, kind: Kind::Claim });
                }
            }
        }
        if body.has_claims() {
            let meta = body.meta()?;
            let version = Version { seq: seq.0, record: 0, kind: Kind::Claim };
            if let Some(key) = &meta.idempotency_key {
                self.put(scope_of(memtable, &mut None, IDEMPOTENCY), seq, key, version);
            }
            for fence in &meta.fences {
                self.put(scope_of(memtable, &mut None, FENCE), seq, fence.scope.as_str(), version);
            }
        }
        Ok(())
    }

    fn put(&mut self, state: &'m ScopeState, seq: Seq, key: &str, version: Version) {
        state.touch(seq);
        let begin = self.names.len();
        self.names.push_str(key);
        self.group.push(Put { state, hash: hash_key(state.hash, key), name: begin..self.names.len(), version });
        if self.group.len() == GROUP {
            self.put_group();
        }
    }

    fn put_group(&mut self) {
        let keys = &self.memtable.keys;
        let places = self.group.iter().map(|put| keys.touch_slot(put.hash));
        let mut touched = [0; GROUP];
        for (at, place) in touched.iter_mut().zip(places) {
            *at = place;
        }
        black_box(touched.iter().map(|place| keys.touch_line(*place)).fold(0, |all, word| all ^ word));
        for put in self.group.drain(..) {
            let key = &self.names[put.name];
            keys.put(put.hash, put.state.index, key, put.version, &put.state.newest_key);
        }
        self.names.clear();
    }
}

impl Drop for Inserter<'_> {
    fn drop(&mut self) {
        self.put_group();
    }
}

/// The state of a scope, looked up once for a run of events of the same scope.
fn scope_of<'m>(memtable: &'m Memtable, current: &mut Option<&'m ScopeState>, scope: &str) -> &'m ScopeState {
    match *current {
        Some(state) if &*state.name == scope => state,
        _ => {
            let state = memtable.scopes.find_or_add(hash_scope(scope), scope);
            *current = Some(state);
            state
        }
    }
}
