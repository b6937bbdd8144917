//! [`Beside`]: what a store that was opened read-only knows of the writer's, and moving on with it.
//!
//! Invariant: files that the writer has replaced are let go by a refresh when nothing that is being read here needs
//! them, at the latest by one that comes half a second after they last were: their room comes back then. A view holds
//! what it reads from, whatever is found anew. What a walk here needs stays, unless the log can't be followed without
//! finding it anew.

use std::ops::ControlFlow;

use milepost_log::{Follower, LogError, SegmentName};
use milepost_types::{Receipt, Timestamp, body::Body};

use super::Shared;
use crate::{
    OpenError, ReadError,
    error::Unreadable,
    manifest::{self, Manifest, Mark, SegmentState},
    open,
};

/// While its writer compacts, a store is found anew for room no more often than so many times what that takes,
const REST_TIMES: i64 = 9;
/// and as often as this in any case, so that room comes back within a second. In microseconds.
const REST_MAX: i64 = 500_000;

/// Of a store opened read-only: what follows the log, and what was seen of MANIFEST.
#[derive(Debug)]
pub(crate) struct Beside {
    follower: Follower,
    seen: Option<Seen>,
    /// When the store was last found anew, and when that may be done again for room.
    rest: (Timestamp, Timestamp),
}

/// What a MANIFEST said, by its mark.
#[derive(Debug)]
struct Seen {
    mark: Mark,
    /// Whether files are held here that it does not list any more.
    replaced: bool,
}

impl Beside {
    pub(crate) fn new(follower: Follower) -> Beside {
        Beside { follower, seen: None, rest: (Timestamp::MIN, Timestamp::MIN) }
    }

    fn found_again(&mut self, began: Timestamp, ended: Timestamp) {
        // What was found may be of a newer MANIFEST than was seen: that shows by its mark.
        if let Some(seen) = &mut self.seen {
            seen.replaced = false;
        }
        let rest = ended.0.saturating_sub(began.0).saturating_mul(REST_TIMES).clamp(0, REST_MAX);
        self.rest = (ended, Timestamp(ended.0.saturating_add(rest)));
    }
}

impl Shared {
    pub(crate) fn refresh(&self) -> Result<(), ReadError> {
        self.may_read()?;
        let mut guard = self.beside.lock();
        let Some(beside) = guard.as_mut() else { return Ok(()) };
        match self.follow(&mut beside.follower) {
            Err(LogError::Compacted { .. }) => self.find_again(beside),
            Err(error) => Err(self.unfound(OpenError::of_log(&self.dir, error))),
            Ok(Some(fault)) => Err(fault.into()),
            Ok(None) if self.has_runs_to_take_up() || self.holds_what_was_replaced(beside) => {
                match self.find_again(beside) {
                    Err(error @ ReadError::RolledBack { .. }) => Err(error),
                    // If it can't be done now, memory grows, or files that were removed keep their room.
                    Err(error) => {
                        tracing::debug!(dir = %self.dir.display(), %error, "what the writer has made is taken up later");
                        Ok(())
                    }
                    Ok(()) => Ok(()),
                }
            }
            Ok(None) => Ok(()),
        }
    }

    fn unfound(&self, error: OpenError) -> ReadError {
        match error {
            OpenError::Corrupt(corruption) => ReadError::Corrupt(corruption),
            OpenError::NewerCommit(commit) => ReadError::NewerCommit(commit),
            other @ (OpenError::Io { .. }
            | OpenError::Permission { .. }
            | OpenError::NewerFormat { .. }
            | OpenError::DiskFull { .. }
            | OpenError::Stopped(_)
            | OpenError::Missing { .. }
            | OpenError::NotAStore { .. }
            | OpenError::ManifestMissing { .. }
            | OpenError::InUse { .. }
            | OpenError::NoIndex { .. }
            | OpenError::Limit(_)) => ReadError::Io { path: self.dir.join(open::LOG), message: other.to_string() },
        }
    }

    /// Folds what became durable since, and shows it; what kept a commit from being read, if one did.
    fn follow(&self, follower: &mut Follower) -> Result<Option<Unreadable>, LogError> {
        let mut last = Receipt { seq: self.published(), at: self.published_at() };
        let mut fault: Option<Unreadable> = None;
        let tiers = self.state.load();
        let mut inserter = tiers.inserter();
        let walked = follower.refresh(&mut |frame| match Body::parse(frame.body)
            .and_then(|body| inserter.insert(frame.seq, &body))
        {
            Ok(()) => {
                last = Receipt { seq: frame.seq, at: frame.at };
                ControlFlow::Continue(())
            }
            Err(error) => {
                fault = Some(open::unreadable(&self.dir, &frame, &error));
                ControlFlow::Break(())
            }
        });
        drop(inserter);
        if last.seq > self.published() {
            self.publish(last);
        }
        walked.map(|_| fault)
    }

    /// Finds log and index anew, as MANIFEST now knows them: what followed was compacted since, or there is an index of
    /// what stands here in memory, or files that were removed are held. The index of before would not do for a log from
    /// which a delete may be gone with all that it hid.
    fn find_again(&self, beside: &mut Beside) -> Result<(), ReadError> {
        let began = self.parts.clock.now();
        let looked = open::look(&self.parts.disk, &self.dir, &mut |_, _| {});
        let open::Sight { manifest, state, log } = looked.map_err(|error| self.unfound(error))?;
        let last = Receipt { seq: log.last_seq(), at: log.last_at() };
        let seen = self.published().max(beside.follower.last_seq());
        if last.seq < seen || (last.seq == self.published() && last.at != self.published_at()) {
            return Err(ReadError::RolledBack { last: last.seq, seen });
        }
        // Of what comes now, commits may be missing: first, from where on nothing is.
        self.retention.take_up(manifest::known_horizons(&manifest.horizons));
        self.state.replace(&state);
        self.took_up_runs();
        beside.follower.go_on_with(log);
        beside.found_again(began, self.parts.clock.now());
        if last.seq > self.published() {
            self.publish(last);
        }
        Ok(())
    }

    /// Whether files are held here that the writer has replaced, and that nothing needs which is being read here. What
    /// can't be looked at now is looked at by the next refresh.
    fn holds_what_was_replaced(&self, beside: &mut Beside) -> bool {
        let Ok(Some(mark)) = manifest::mark(&*self.parts.disk, &self.dir) else { return false };
        if beside.seen.as_ref().is_none_or(|seen| seen.mark != mark) {
            let Ok(Some(manifest)) = manifest::read(&*self.parts.disk, &self.dir) else { return false };
            beside.seen = Some(Seen { mark, replaced: self.has_unlisted(&manifest) });
        }
        if !beside.seen.as_ref().is_some_and(|seen| seen.replaced) {
            return false;
        }
        // A view has what it needs.
        let is_needed = self.pins.pinned().from.is_some_and(|from| from <= self.published().0);
        let (ended, until) = beside.rest;
        // The clock may run backwards.
        let rests = (ended..until).contains(&self.parts.clock.now());
        !is_needed && !rests
    }

    /// Whether a segment or a run is held here that a manifest does not list. A newer segment it need not list yet.
    fn has_unlisted(&self, manifest: &Manifest) -> bool {
        let rows = &manifest.segments;
        let is_unlisted = |name: SegmentName| {
            let row = rows.binary_search_by_key(&name.id.0, |row| row.id).map(|place| &rows[place]);
            match row {
                Ok(row) => row.generation != name.generation || matches!(row.state, SegmentState::Dropped(_)),
                Err(place) => place < rows.len(),
            }
        };
        let held = self.reader.segment_stats();
        held.iter().any(|part| part.file.is_some() && is_unlisted(part.name))
            || self.state.load().runs().iter().any(|run| manifest.runs.iter().all(|row| row.id != run.facts().id.0))
    }
}

#[cfg(test)]
mod tests;
