//! What is shown to whoever walks the log, or has gathered addresses: all of it, but what was erased since.
//!
//! Invariant: an erased value is shown by no read from the moment on that the erasure is durable, whether its bytes
//! are in a file still or not. What is shown then is what compaction leaves of the commit.

use milepost_log::FrameRef;
use milepost_types::{
    Commit, EventRef, Seq,
    body::{Body, BodyError, Thinned},
};

use super::Shared;
use crate::{
    ReadError,
    state::{ErasedOf, Mark, Tiers},
};

impl Shared {
    /// The last commit that readers see and that may have erased anything. Whoever gathers addresses to read from them
    /// later asks before and again then.
    #[inline]
    pub(crate) fn last_erasure(&self) -> Seq {
        Seq(self.state.load().last_erasure_ever()).min(self.published())
    }

    /// The commit of a frame; `None` if nothing of it is there any more.
    pub(crate) fn commit(&self, frame: &FrameRef) -> Result<Option<Commit>, ReadError> {
        let seq = frame.seq();
        let whole = Body::parse(frame.body()).map_err(|error| self.unreadable(seq, &error))?;
        let left = self.left_of(seq, &whole)?;
        let body = match &left {
            Some(bytes) => Body::parse(bytes).map_err(|error| self.unreadable(seq, &error))?,
            None => whole,
        };
        if body.says_nothing() {
            return Ok(None);
        }
        let fault = |error: BodyError| self.unreadable(seq, &error);
        let meta = body.meta().map_err(fault)?;
        let mut owned = Vec::with_capacity(body.event_count() as usize);
        let mut events = body.events();
        while let Some(found) = events.next().map_err(fault)? {
            let event = found.event.to_event();
            owned.push(event.map_err(|error| self.corruption(seq, &error.to_string()))?);
        }
        Ok(Some(Commit { seq, at: frame.at(), meta, digest: body.kept_digest(), events: owned }))
    }

    /// The body of a commit without what was erased since; `None` if nothing was.
    pub(crate) fn left_of(&self, seq: Seq, body: &Body<'_>) -> Result<Option<Vec<u8>>, ReadError> {
        let tiers = self.state.load();
        if tiers.last_erasure_ever() < seq.0 {
            return Ok(None);
        }
        let fault = |error: BodyError| self.unreadable(seq, &error);
        let mut erased = Erased { tiers: &tiers, seq, scope: None };
        let (mut is_any, mut events) = (false, body.events());
        while let Some(found) = events.next().map_err(fault)? {
            is_any |= erased.takes(found.offset, &found.event)?;
        }
        if !is_any {
            return Ok(None);
        }
        let mut failed = None;
        let thinned = body.thin(&mut |found| match erased.takes(found.offset, &found.event) {
            Ok(takes) => !takes,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(match thinned.map_err(fault)? {
            Thinned::All => None,
            Thinned::Some(bytes) => Some(bytes),
            Thinned::Nothing => Some(body.husk().map_err(fault)?),
        })
    }
}

/// Asks of the events of a commit whether they were erased.
struct Erased<'t> {
    tiers: &'t Tiers,
    seq: Seq,
    /// The scope that was asked about last: most commits have one.
    scope: Option<(String, Option<ErasedOf<'t>>)>,
}

impl Erased<'_> {
    fn takes(&mut self, record: u32, event: &EventRef<'_>) -> Result<bool, ReadError> {
        let (EventRef::Set { scope, key, .. } | EventRef::Delete { scope, key }) = event else { return Ok(false) };
        if self.scope.as_ref().is_none_or(|(last, _)| last != scope) {
            self.scope = Some((scope.to_string(), self.tiers.erased_of(scope)?));
        }
        let of = self.scope.as_ref().and_then(|(_, erased)| erased.as_ref());
        let mark = of.map_or(Ok(None), |erased| erased.mark(key))?;
        Ok(mark.is_some_and(|mark| mark > Mark { seq: self.seq.0, record }))
    }
}
