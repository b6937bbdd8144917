//! [`Keeping`]: what of a commit stays when its segment is written anew.
//!
//! Invariant: only records go that the rule calls gone, by all versions of their key, and clears and erasures that the
//! survey found to hide nothing. Forks stay, and what the store was told of retention.

use std::collections::HashMap;

use milepost_log::{FrameView, Verdict};
use milepost_types::{
    EventRef,
    body::{Body, BodyError, Thinned},
};

use crate::{
    ReadError,
    retention::{Judging, OfScope},
    state::{Mark, checkpoints_of},
};

/// The judge of a step.
pub(crate) struct Keeping<'a> {
    judging: Judging<'a>,
    /// Of the scopes that were met.
    scopes: HashMap<String, OfScope<'a>>,
    /// Clears and erasures that hide nothing any more, in order.
    voids: &'a [Mark],
    /// What kept it from judging: then nothing goes.
    fault: Option<ReadError>,
}

impl<'a> Keeping<'a> {
    pub(crate) fn new(judging: Judging<'a>, voids: &'a [Mark]) -> Keeping<'a> {
        Keeping { judging, scopes: HashMap::new(), voids, fault: None }
    }

    /// What becomes of a commit.
    pub(crate) fn verdict(&mut self, frame: FrameView<'_>) -> Verdict {
        match self.thinned(frame) {
            Ok(verdict) => verdict,
            Err(error) => {
                self.fault.get_or_insert(error);
                Verdict::Keep
            }
        }
    }

    /// Why nothing may come of it, if something was in the way.
    pub(crate) fn end(self) -> Result<(), ReadError> {
        self.fault.map_or(Ok(()), Err)
    }

    fn thinned(&mut self, frame: FrameView<'_>) -> Result<Verdict, ReadError> {
        let shared = self.judging.shared;
        let unreadable = |error: BodyError| ReadError::from(shared.unreadable(frame.seq, &error));
        let body = Body::parse(frame.body).map_err(unreadable)?;
        let mut fault = None;
        let thinned = body.thin(&mut |found| match self.stays(frame.seq.0, found.offset, &found.event) {
            Ok(stays) => stays,
            Err(error) => {
                fault.get_or_insert(error);
                true
            }
        });
        if let Some(error) = fault {
            return Err(error);
        }
        Ok(match thinned.map_err(unreadable)? {
            Thinned::All => Verdict::Keep,
            Thinned::Some(bytes) => Verdict::Thinned(bytes),
            Thinned::Nothing if !self.judging.claims_stay(frame.seq, &body)? => Verdict::Remove,
            // Its own already.
            Thinned::Nothing if body.event_count() == 0 => Verdict::Keep,
            Thinned::Nothing => Verdict::Thinned(body.husk().map_err(unreadable)?),
        })
    }

    fn stays(&mut self, seq: u64, record: u32, event: &EventRef<'_>) -> Result<bool, ReadError> {
        match event {
            EventRef::Set { scope, key, .. } | EventRef::Delete { scope, key } => {
                self.version(scope, key, (seq, record))
            }
            EventRef::Checkpoint { scope, name, .. } | EventRef::Release { scope, name } => {
                self.version(&checkpoints_of(scope), name, (seq, record))
            }
            EventRef::Clear { scope } | EventRef::EraseScope { scope, .. } => self.mark(scope, (seq, record)),
            EventRef::ClearPrefix { prefix } | EventRef::ErasePrefix { prefix, .. } => {
                self.mark(&format!("{prefix}/"), (seq, record))
            }
            EventRef::Fork { .. }
            | EventRef::Retain { .. }
            | EventRef::Unretain { .. }
            | EventRef::Hold { .. }
            | EventRef::Unhold { .. }
            | EventRef::Erase { .. } => Ok(true),
        }
    }

    /// Whether a clear or an erasure stays. What was said of its place since it was found is asked again.
    fn mark(&self, name: &str, (seq, record): (u64, u32)) -> Result<bool, ReadError> {
        let mark = Mark { seq, record };
        Ok(self.voids.binary_search(&mark).is_err() || !self.judging.void_goes(name, mark)?)
    }

    /// Whether the version of a key that a commit made stays; `record` is where its record first began.
    fn version(&mut self, scope: &str, key: &str, (seq, record): (u64, u32)) -> Result<bool, ReadError> {
        if !self.scopes.contains_key(scope) {
            self.scopes.insert(scope.to_owned(), self.judging.scope(scope)?);
        }
        let of = &self.scopes[scope];
        if of.keeps_all() {
            return Ok(true);
        }
        let versions = self.judging.tiers.versions_ever(scope, key)?;
        let Some(index) = versions.iter().position(|version| (version.seq, version.record) == (seq, record)) else {
            // The index knows all that was committed: this is none of its business.
            return Ok(true);
        };
        let fates = self.judging.key(of, key, &versions)?;
        Ok(!fates[index].goes_at(index))
    }
}
