//! The reading side of [`Engine`]: moments, the newest commit, and moving on.

use std::{ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};

use milepost_log::{Found, FrameRef};
use milepost_types::{At, Commit, Corruption, Receipt, Seq, Timestamp, body::BodyError};

use super::{Engine, Shared};
use crate::{
    History, HistoryQuery, ReadError, Replay, Value, View, Watch,
    error::Unreadable,
    lineage::{Bodies, Lineage},
    open,
    retention::{Needs, Pin},
    state::{Tiers, Version},
    view::{Before, Held},
};

/// What is said where the log lacks a commit.
pub(crate) const NO_FRAME: &str = "no frame where one must be";

impl Engine {
    /// The last durable commit; [`Seq::ZERO`] for an empty store.
    #[must_use]
    pub fn last(&self) -> Receipt {
        let seq = self.shared().published();
        match self.shared().frame(seq) {
            Ok(frame) => Receipt { seq, at: frame.at() },
            // It may have been removed, or can't be read: when it was made is known all the same.
            Err(_) => Receipt { seq, at: self.shared().published_at() },
        }
    }

    /// The state at a moment.
    pub fn view(&self, at: At) -> Result<View, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        if at == At::Latest {
            return Ok(self.latest());
        }
        let last = shared.published();
        // What it holds before anything is asked of the store, which then knows as much, or more that is gone.
        let held = self.is_read_only().then(|| Arc::new(Held::of(shared)));
        let (mut pinned, mut too_early) = (None, None);
        let (seq, at) = match at {
            At::Latest => (last, Some(shared.now())),
            At::Seq(asked) if asked > last => return Err(ReadError::Future { asked, last }),
            At::Seq(seq) => (seq, None),
            At::Time(time) => {
                too_early = shared.too_early(time, last);
                (shared.reader.seq_at(time)?.min(last), Some(time))
            }
            At::Checkpoint { scope, name } => {
                let seq = shared.checkpoint(&scope, &name, last)?;
                // What was lost may have been its release.
                let is_sure = !shared.state.load().is_any_lost_since(seq)?;
                pinned = Some(scope).filter(|_| is_sure);
                (seq, None)
            }
        };
        // The pin first: whoever moves the horizons looks at the pins afterwards.
        let pin = Pin::new(self.hold(), Needs::Point(seq));
        // The commit by which it would be found out later may be gone from the log by then.
        let at = at.or_else(|| held.as_ref().and_then(|held| held.stamp(seq)));
        let horizons = shared.retention.horizons();
        let is_before = seq < horizons.last() || pinned.is_some();
        // Of a scope whose past is not kept, that is said instead.
        if let Some(error) = too_early.clone().filter(|_| !is_before) {
            return Err(error);
        }
        let before = is_before.then(|| Arc::new(Before { horizons, pinned, too_early }));
        Ok(View { pin, seq, at, before, held })
    }

    /// The state now.
    fn latest(&self) -> View {
        let shared = self.shared();
        if self.is_read_only() {
            return self.latest_beside();
        }
        loop {
            let seq = shared.published();
            let pin = Pin::new(self.hold(), Needs::Point(seq));
            // If a horizon has moved past it meanwhile, there are newer commits to be seen.
            if seq >= shared.retention.last_horizon() {
                return View { pin, seq, at: Some(shared.now()), before: None, held: None };
            }
        }
    }

    /// The same beside a writer. While a refresh takes up what compaction has left, the newest commit that was
    /// published may be before what there is: then it is waited for.
    fn latest_beside(&self) -> View {
        let shared = self.shared();
        let look = || {
            let seq = shared.published();
            let pin = Pin::new(self.hold(), Needs::Point(seq));
            let held = Some(Arc::new(Held::of(shared)));
            View { pin, seq, at: Some(shared.now()), before: None, held }
        };
        let view = look();
        if view.seq >= shared.retention.taken_up() {
            return view;
        }
        drop(shared.beside.lock());
        let view = look();
        // Where MANIFEST speaks of more than there is, each read says what is gone.
        let held = view.held.clone().filter(|_| view.seq >= shared.retention.taken_up());
        View { held, ..view }
    }

    /// The newest value of a key.
    pub fn get(&self, scope: &str, key: &str) -> Result<Option<Value>, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        let last = shared.published();
        let segments = shared.reader.segments();
        let glance = |version: Version| segments.glance(Seq(version.seq), version.record);
        let tiers = shared.state.load();
        // A horizon has moved past it, in the time between the lines above: what they met may have been replaced since.
        if last < shared.retention.last_horizon() {
            return self.latest().get(scope, key);
        }
        let version = shared.lineage(&tiers).find_glancing(scope, key, last, glance)?;
        let Some(version) = version else { return Ok(None) };
        match shared.value(&segments, version, || Ok(shared.now())) {
            // It was replaced, and compaction took it, between two of the lines above: what replaced it is there.
            Err(ReadError::Removed { .. }) if shared.published() > last => self.get(scope, key),
            // It had expired, and compaction took it. The index knows of it still.
            Err(ReadError::Removed { .. }) if version.expires() => Ok(None),
            value => value,
        }
    }

    /// Who changed what, when, from what to what.
    pub fn history(&self, query: HistoryQuery) -> Result<History, ReadError> {
        self.shared().may_read()?;
        History::new(self.hold(), query)
    }

    /// Every durable commit from `from` on, in order, up to the last one there is now.
    #[must_use]
    pub fn replay(&self, from: Seq) -> Replay {
        Replay::new(self.hold(), from, self.shared().published())
    }

    /// Every durable commit from `from` on, in order, those to come included.
    #[must_use]
    pub fn watch(&self, from: Seq) -> Watch {
        Watch::new(self.hold(), from)
    }

    /// The commit at a position, as far as it was kept; `None` if there is none yet, or none any more.
    pub fn commit_at(&self, seq: Seq) -> Result<Option<Commit>, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        if seq == Seq::ZERO || seq > shared.published() {
            return Ok(None);
        }
        match shared.reader.frame(seq).map_err(ReadError::Corrupt)? {
            Found::Frame(frame) => shared.commit(&frame),
            Found::Removed => Ok(None),
            Found::Ahead => Err(ReadError::Corrupt(shared.corruption(seq, NO_FRAME))),
        }
    }

    /// Moves a read-only store on to the newest durable commit. A store opened for writing is always there.
    pub fn refresh(&self) -> Result<Receipt, ReadError> {
        self.shared().refresh()?;
        Ok(self.last())
    }
}

impl Bodies for Shared {
    type Error = ReadError;

    fn with_body<T>(
        &self,
        seq: Seq,
        read: impl FnOnce(Receipt, &[u8]) -> Result<T, BodyError>,
    ) -> Result<T, ReadError> {
        let frame = self.frame(seq)?;
        let found = read(Receipt { seq, at: frame.at() }, frame.body());
        Ok(found.map_err(|error| self.unreadable(seq, &error))?)
    }
}

impl Shared {
    /// What is to be said of a time before the first commit. Where there is none yet, there is nothing at any time.
    fn too_early(&self, time: Timestamp, last: Seq) -> Option<ReadError> {
        let at = self.reader.first_at().filter(|first| last > Seq::ZERO && time < *first)?;
        Some(ReadError::BeforeFirst { asked: time, first: self.reader.first_seq(), at })
    }

    /// The time that a read of the newest state takes place at: never before the last commit, so that a clock that runs
    /// backwards brings nothing back that had expired.
    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now().max(self.published_at())
    }

    /// Answers for scopes and what they were forked from.
    #[inline]
    pub(crate) fn lineage<'a>(&'a self, tiers: &'a Tiers) -> Lineage<'a, Shared> {
        Lineage { tiers, bodies: self }
    }

    /// The frame of a durable commit.
    #[inline]
    pub(crate) fn frame(&self, seq: Seq) -> Result<FrameRef, ReadError> {
        match self.reader.frame(seq) {
            Ok(Found::Frame(frame)) => Ok(frame),
            Ok(Found::Removed) => Err(ReadError::Removed { seq }),
            Ok(Found::Ahead) => Err(ReadError::Corrupt(self.corruption(seq, NO_FRAME))),
            Err(corruption) => Err(ReadError::Corrupt(corruption)),
        }
    }

    /// When a durable commit was made, whether it is still there or not. Of one before the first segment that is left
    /// nothing is known but that it was before that: the last moment which leads to what was there then.
    pub(crate) fn stamp(&self, seq: Seq) -> Result<Timestamp, ReadError> {
        match self.reader.stamp(seq)? {
            Some(at) => Ok(at),
            None => match self.reader.first_at().filter(|_| seq < self.reader.first_seq()) {
                Some(first) => Ok(Timestamp(first.0.saturating_sub(1))),
                None => Err(ReadError::Removed { seq }),
            },
        }
    }

    /// The first commit from one `Seq` to another that is there.
    pub(crate) fn next_commit(&self, from: Seq, last: Seq) -> Result<Option<Commit>, ReadError> {
        for frame in self.reader.frames(from, last) {
            if let Some(commit) = self.commit(&frame.map_err(ReadError::Corrupt)?)? {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    /// A body that can't be read, with its place.
    pub(crate) fn unreadable(&self, seq: Seq, error: &BodyError) -> Unreadable {
        let (file, offset) = self.place_of(seq);
        Unreadable::new(file, offset, seq, error)
    }

    /// Damage inside the body of a commit.
    pub(crate) fn corruption(&self, seq: Seq, what: &str) -> Corruption {
        let (file, offset) = self.place_of(seq);
        Corruption { file, offset, seq: Some(seq), what: what.to_owned() }
    }

    /// The file and the offset of a frame, as far as they can be found.
    fn place_of(&self, seq: Seq) -> (PathBuf, u64) {
        let log = self.dir.join(open::LOG);
        let mut place = None;
        let walked = self.reader.for_each_frame(seq, seq, &mut |frame| {
            place = Some((log.join(format!("{}.seg", frame.segment)), frame.offset));
            ControlFlow::Break(())
        });
        match walked {
            Ok(()) => place.unwrap_or((log, 0)),
            Err(corruption) => (corruption.file, corruption.offset),
        }
    }

    /// Waits until a commit at `seq` is durable, at most for `timeout`; whether it is.
    pub(crate) fn wait_for(&self, seq: Seq, timeout: Duration) -> bool {
        let mut watchers = self.watch_gate.lock();
        *watchers += 1;
        let missing = |_: &mut u32| self.published() < seq && !self.is_closed();
        let _ = self.watch_bell.wait_while_for(&mut watchers, missing, timeout);
        *watchers -= 1;
        drop(watchers);
        self.published() >= seq
    }
}

#[cfg(test)]
mod tests;
