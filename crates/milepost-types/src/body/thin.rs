//! Thinning: what is left of a body when some of its events go. It is a body like any other, but that its events are
//! known by where their records first began.
//!
//! Invariant: what is kept says the same as before, at the same address; nothing is left of what is not. A commit with
//! an idempotency key can still tell whether it is repeated, or another one is sent under its key.

use xxhash_rust::xxh3::xxh3_128;

use super::{Body, BodyEncoder, BodyError, BodyFault, ORIGIN_BYTES, Positioned, STRIDE_MAX, THINNED, varint};
use crate::{Digest, limits};

/// What is left of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thinned {
    /// Every event is kept: the body as it is.
    All,
    /// Some are: a body of those.
    Some(Vec<u8>),
    /// None is. Who sent it and under which key is then in [`Body::husk`].
    Nothing,
}

impl Body<'_> {
    /// What is left of it when only those events are kept of which `keep` says so. It is asked for each, in order.
    pub fn thin(&self, keep: &mut dyn FnMut(&Positioned<'_>) -> bool) -> Result<Thinned, BodyError> {
        let mut kept = BodyEncoder::of_kept();
        let mut origins = Vec::new();
        let mut events = self.events();
        while let Some(found) = events.next()? {
            if !keep(&found) {
                continue;
            }
            let offset = found.offset as usize;
            // Names and sizes were checked when it was written.
            kept.copy(&found.event).map_err(|_| BodyError { offset, what: BodyFault::Length })?;
            origins.push(found.offset);
        }
        match origins.len() {
            0 => Ok(Thinned::Nothing),
            all if all == self.event_count() as usize => Ok(Thinned::All),
            _ => self.with_records(&kept, &origins).map(Thinned::Some),
        }
    }

    /// What is left of it when no event is: writer, idempotency key and fences.
    pub fn husk(&self) -> Result<Vec<u8>, BodyError> {
        self.with_records(&BodyEncoder::of_kept(), &[])
    }

    /// Whether nothing is left of it: no event, and nothing that it claimed.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        self.event_count() == 0 && !self.has_claims()
    }

    /// The same events as a body of their own, for another log: they get new addresses there. One with an idempotency
    /// key goes on knowing what it is repeated as.
    pub fn plain(&self) -> Result<Vec<u8>, BodyError> {
        let mut kept = BodyEncoder::of_kept();
        let mut events = self.events();
        while let Some(found) = events.next()? {
            let offset = found.offset as usize;
            kept.copy(&found.event).map_err(|_| BodyError { offset, what: BodyFault::Length })?;
        }
        let plain = kept.finish_kept(&self.meta()?, self.kept_digest());
        plain.map_err(|_| BodyError { offset: 0, what: BodyFault::Length })
    }

    /// Whether another body holds the same events: a repeated request, told from another one under the same key. Which
    /// writer and attempt sent it does not count.
    ///
    /// Of a thinned body only one with an idempotency key knows; any other holds what nothing else does.
    #[must_use]
    pub fn holds_the_same(&self, other: &Body<'_>) -> bool {
        let is_whole = |body: &Body<'_>| !body.is_thinned() && body.kept_digest().is_none();
        if is_whole(self) && is_whole(other) {
            return self.records() == other.records();
        }
        self.digest().is_some_and(|digest| other.digest() == Some(digest))
    }

    /// Of the records as first written; `None` where that is not known any more.
    fn digest(&self) -> Option<Digest> {
        if let kept @ Some(_) = self.kept_digest() {
            return kept;
        }
        (!self.is_thinned()).then(|| Digest(xxh3_128(self.records()).to_le_bytes()))
    }

    fn with_records(&self, kept: &BodyEncoder, origins: &[u32]) -> Result<Vec<u8>, BodyError> {
        let (meta, flags) = self.meta_bytes();
        let (records, starts) = kept.records();
        let mut bytes = Vec::with_capacity(64 + meta.len() + origins.len() * ORIGIN_BYTES + records.len());
        // The origins say where every event begins, so the table has as few entries as it may.
        bytes.extend_from_slice(&[flags | THINNED, STRIDE_MAX]);
        varint::put(&mut bytes, origins.len() as u64);
        bytes.extend_from_slice(meta);
        if flags & super::HAS_IDEMPOTENCY_KEY != 0 {
            let digest = self.digest().expect("a thinned body with a key has it, any other is made one");
            bytes.extend_from_slice(&digest.0);
        }
        let base = (bytes.len() + origins.len() * ORIGIN_BYTES) as u32;
        for (origin, start) in origins.iter().zip(starts) {
            bytes.extend_from_slice(&origin.to_le_bytes());
            bytes.extend_from_slice(&(base + start).to_le_bytes());
        }
        bytes.extend_from_slice(records);
        let table = bytes.len() as u32;
        for start in starts.iter().step_by(1 << STRIDE_MAX).skip(1) {
            bytes.extend_from_slice(&(base + start).to_le_bytes());
        }
        bytes.extend_from_slice(&table.to_le_bytes());
        if bytes.len() > limits::THINNED_BYTES_MAX {
            return Err(BodyError { offset: 0, what: BodyFault::Length });
        }
        Ok(bytes)
    }
}
