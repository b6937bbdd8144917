//! [`Rewriter`]: changes what sealed segments hold, beside the one who appends. [`Rewrite`]: one or more of them on
//! their way into a new file.
//!
//! Order, and which crash it survives: the new file is whole and durable under a name of its own; then the manifest
//! lists it in place of the old ones; then readers see it; then the old files go. A crash before the manifest leaves a
//! file that counts for nothing, one after it old files that count for nothing: the next opening for writing sees to
//! either. Nothing depends on the new file until it is listed, so an error in it, of a sync too, is the end of this
//! attempt and of nothing else.
//!
//! Invariant: a commit that is kept has the same `Seq`, time, epoch and, unless its body was thinned, bytes as before.
//! Segments are replaced as a whole, and never the open one.
//!
//! Knows nothing of what a body says: what of it is kept is for the judge to say.

mod out;
mod packing;

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc};

use milepost_io::{Disk, Failure, Latch, Room};
use milepost_types::{Corruption, Seq};
use thiserror::Error;

pub use crate::format::header::Form;
use crate::{
    DroppedFacts, Found, FrameView, KnownSegment, LogReader, SegmentId, SegmentName, StoreId,
    begin::Salts,
    format::{header::SegmentHeader, unpacked::Unpacked},
    recycle::Dropped,
    segment::{DroppedPart, Part},
};
use out::Out;

/// What becomes of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// It stays with this body.
    Thinned(Vec<u8>),
    /// It goes.
    Remove,
}

/// Decides what becomes of each commit, in order.
pub type Judge<'a> = dyn FnMut(FrameView<'_>) -> Verdict + 'a;

/// Why segments were not written anew. The log is as it was, and nothing is left of the attempt.
#[derive(Clone, Debug, Error)]
pub enum RewriteError {
    /// No room. It can be tried again when there is.
    #[error("{}", .free.too_little_for(*.need, None))]
    DiskFull {
        /// Bytes needed.
        need: u64,
        /// What there was.
        free: Room,
    },
    /// The new file could not be written.
    #[error("{0}; the segments are as they were")]
    Failed(Failure),
    /// Damage in what was to be written anew.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// These are not sealed segments side by side, behind one that is sealed.
    #[error("segments {first} to {last} can't be written anew")]
    NotSealed {
        /// The first of them.
        first: SegmentId,
        /// The last.
        last: SegmentId,
    },
    /// The log takes nothing more, since this failure.
    #[error("the log has stopped: {0}")]
    Stopped(Failure),
}

/// What a step did.
#[derive(Debug)]
pub enum Rewrote {
    /// There is more to do.
    More,
    /// The new file is whole and durable. It counts once the manifest lists it.
    Done(Rewritten),
}

/// Segments that were written anew; nobody sees them yet.
#[derive(Debug)]
pub struct Rewritten {
    part: Part,
    replaced: Vec<SegmentName>,
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl Rewritten {
    /// What the manifest is to say of it.
    #[must_use]
    pub fn known(&self) -> KnownSegment {
        self.part.known()
    }

    /// What it stands in the place of.
    #[must_use]
    pub fn replaced(&self) -> &[SegmentName] {
        &self.replaced
    }

    /// How many commits are left.
    #[must_use]
    pub fn frames(&self) -> usize {
        match &self.part {
            Part::Sealed(sealed) => sealed.kept(),
            Part::Heap(_) | Part::Dropped(_) => 0,
        }
    }

    /// Bytes of the new file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.part.known().sealed.map_or(0, |facts| facts.bytes)
    }

    /// Removes the new file: for a manifest that could not be written. Not where nobody knows whether it was.
    pub fn discard(self) {
        let _ = self.disk.remove(&self.path);
    }
}

/// Segments on their way into a new file. Dropped before it is done, it leaves nothing.
#[derive(Debug)]
pub struct Rewrite {
    latch: Latch,
    sources: Vec<Part>,
    /// Which source, and which commit of it, comes next.
    source: usize,
    index: usize,
    /// Of the source.
    unpacked: Unpacked,
    out: Out,
}

/// Changes what sealed segments hold; driven by a thread or by a test.
#[derive(Debug)]
pub struct Rewriter {
    disk: Arc<dyn Disk>,
    log_dir: PathBuf,
    store: StoreId,
    latch: Latch,
    salts: Salts,
    /// The last generation that was given to a file. Each gets its own, so that no name is used twice.
    generation: u32,
    reader: LogReader,
}

impl Rewriter {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        (log_dir, store): (PathBuf, StoreId),
        latch: Latch,
        (salts, generation): (Salts, u32),
        reader: LogReader,
    ) -> Rewriter {
        Rewriter { disk, log_dir, store, latch, salts, generation, reader }
    }

    /// Begins to write sealed segments anew, as one.
    pub fn begin(&mut self, ids: RangeInclusive<SegmentId>, form: Form) -> Result<Rewrite, RewriteError> {
        if let Some(failure) = self.latch.failure() {
            return Err(RewriteError::Stopped(failure));
        }
        let sources = self.sources(&ids)?;
        let Part::Sealed(first) = &sources[0] else { unreachable!("only sealed ones are sources") };
        self.generation = self.generation.checked_add(1).expect("segments are not written anew 2^32 times");
        let header = SegmentHeader {
            id: first.name().id,
            generation: self.generation,
            form,
            store: self.store,
            first_seq: first.first_seq(),
            epoch: first.epoch(),
            salt: self.salts.next(),
        };
        let is_thinned = sources.iter().any(Part::may_be_thinned);
        let out = Out::begin(Arc::clone(&self.disk), &self.log_dir, header, is_thinned)?;
        let unpacked = Unpacked::default();
        Ok(Rewrite { latch: self.latch.clone(), sources, source: 0, index: 0, unpacked, out })
    }

    /// The parts with these numbers: sealed ones, side by side, none of them dropped. The one before them is sealed as
    /// well: that tells a follower in another process that more came behind it.
    fn sources(&self, ids: &RangeInclusive<SegmentId>) -> Result<Vec<Part>, RewriteError> {
        let shape = self.reader.shape();
        let is_sealed = |part: &Part| matches!(part, Part::Sealed(sealed) if sealed.facts().is_some());
        let first = shape.parts.iter().position(|part| part.name().id == *ids.start());
        let last = shape.parts.iter().position(|part| part.name().id == *ids.end());
        if let (Some(first), Some(last)) = (first, last)
            && first <= last
            && shape.parts[first..=last].iter().all(is_sealed)
            && shape.parts[..first].last().is_none_or(|before| is_sealed(before) || matches!(before, Part::Dropped(_)))
        {
            return Ok(shape.parts[first..=last].to_vec());
        }
        Err(RewriteError::NotSealed { first: *ids.start(), last: *ids.end() })
    }

    /// What the manifest is to list for the new file to count.
    #[must_use]
    pub fn listed_with(&self, rewritten: &Rewritten) -> Vec<KnownSegment> {
        let mut parts = self.reader.shape().parts.clone();
        replace(&mut parts, rewritten);
        parts.iter().map(Part::known).collect()
    }

    /// Shows readers the new file, which the manifest lists. The old ones are for the recycler.
    pub fn replace(&self, rewritten: &Rewritten) -> Vec<Dropped> {
        dropped(self.reader.change(|parts| replace(parts, rewritten)))
    }

    /// What the manifest is to list for sealed segments to be gone; `None` if one of them is not sealed or not there.
    #[must_use]
    pub fn listed_without(&self, ids: &RangeInclusive<SegmentId>) -> Option<Vec<KnownSegment>> {
        let mut parts = self.reader.shape().parts.clone();
        take_out(&mut parts, ids)?;
        Some(parts.iter().map(Part::known).collect())
    }

    /// Lets sealed segments go, which the manifest does not list any more. Their files are for the recycler.
    pub fn drop_segments(&self, ids: &RangeInclusive<SegmentId>) -> Vec<Dropped> {
        dropped(self.reader.change(|parts| take_out(parts, ids)).unwrap_or_default())
    }
}

fn dropped(parts: Vec<Part>) -> Vec<Dropped> {
    let sealed = |part: Part| match part {
        Part::Sealed(sealed) => Some(Dropped::new(Arc::clone(sealed.shared()))),
        Part::Heap(_) | Part::Dropped(_) => None,
    };
    parts.into_iter().filter_map(sealed).collect()
}

/// Puts the new part in the place of those that it was made of; returns those.
fn replace(parts: &mut Vec<Part>, rewritten: &Rewritten) -> Vec<Part> {
    let is_old = |part: &Part| rewritten.replaced.contains(&part.name());
    let first = parts.iter().position(is_old).expect("only whoever rewrites replaces sealed segments");
    let count = parts[first..].iter().take_while(|part| is_old(part)).count();
    assert!(count == rewritten.replaced.len(), "{count} segments are there of {:?}", rewritten.replaced);
    parts.splice(first..first + count, [rewritten.part.clone()]).collect()
}

/// Takes sealed parts out, and leaves word of them unless they are the first; returns them.
fn take_out(parts: &mut Vec<Part>, ids: &RangeInclusive<SegmentId>) -> Option<Vec<Part>> {
    let first = parts.iter().position(|part| part.name().id == *ids.start())?;
    let last = parts.iter().position(|part| part.name().id == *ids.end())?;
    let is_closed = |part: &Part| match part {
        Part::Sealed(sealed) => sealed.facts().is_some(),
        Part::Dropped(_) => true,
        Part::Heap(_) => false,
    };
    if first > last || !parts[first..=last].iter().all(is_closed) {
        return None;
    }
    let (mut begin, mut end) = (first, last + 1);
    // Neighbours that are gone already become one with them.
    while begin > 0 && matches!(parts[begin - 1], Part::Dropped(_)) {
        begin -= 1;
    }
    while matches!(parts[end], Part::Dropped(_)) {
        end += 1;
    }
    let word = if begin == 0 { None } else { Some(Part::Dropped(Arc::new(word_of(&parts[begin..end])?))) };
    Some(parts.splice(begin..end, word).collect())
}

/// What is kept in mind of parts that go.
fn word_of(parts: &[Part]) -> Option<DroppedPart> {
    let (first, last) = (parts.first()?, parts.last()?);
    let last_at = match last {
        Part::Sealed(sealed) => sealed.last_at()?,
        Part::Dropped(dropped) => dropped.facts().last_at,
        Part::Heap(_) => return None,
    };
    let last_seq = Seq(last.first_seq().0 + last.frames() as u64 - 1);
    DroppedPart::new(first.name(), first.first_seq(), DroppedFacts { last_seq, first_at: first.first_at()?, last_at })
}

impl Rewrite {
    /// Which file it is going to be.
    #[must_use]
    pub fn name(&self) -> SegmentName {
        self.out.name()
    }

    /// Writes some more commits: of about so many bytes, at least one. What was written is synced in small pieces as
    /// they come, so that no sync of the log has to wait for much.
    ///
    /// After an error nothing is left of the new file, and the rewrite is of no use any more.
    pub fn step(&mut self, budget_bytes: usize, judge: &mut Judge<'_>) -> Result<Rewrote, RewriteError> {
        let stepped = self.write_some(budget_bytes, judge);
        if stepped.is_err() {
            self.out.discard();
        }
        stepped
    }

    fn write_some(&mut self, budget_bytes: usize, judge: &mut Judge<'_>) -> Result<Rewrote, RewriteError> {
        let mut spent = 0;
        while let Some(source) = self.sources.get(self.source) {
            if let Some(failure) = self.latch.failure() {
                return Err(RewriteError::Stopped(failure));
            }
            if self.index == source.frames() {
                (self.source, self.index) = (self.source + 1, 0);
                self.unpacked.clear();
                continue;
            }
            if spent >= budget_bytes.max(1) {
                return Ok(Rewrote::More);
            }
            let view = match source.view(self.index, &mut self.unpacked)? {
                Found::Frame(view) => view,
                Found::Removed | Found::Ahead => {
                    self.out.removed(source.stamp(self.index)?);
                    // Commits that are gone already are passed quickly, but not for ever.
                    spent += 1;
                    self.index += 1;
                    continue;
                }
            };
            match judge(view) {
                Verdict::Keep => self.out.frame(&view, view.body)?,
                Verdict::Thinned(body) => self.out.frame(&view, &body)?,
                Verdict::Remove => self.out.removed(view.at),
            }
            spent += view.body.len().max(1);
            self.index += 1;
        }
        let replaced = self.sources.iter().map(Part::name).collect();
        let (part, path) = self.out.finish()?;
        Ok(Rewrote::Done(Rewritten { part, replaced, disk: self.out.disk(), path }))
    }
}
