//! [`Request`]: a commit being put together, validated and encoded by the caller's own thread.

use milepost_log::format::frame::{FRAME_HEADER_BYTES, frame_bytes};
use milepost_types::{
    ContentType, Digest, Event, EventRef, Fence, Meta, Note, Policy, Precondition, Receipt, Scope, ScopeError,
    ScopePrefix, Seq, Timestamp, Writer,
    body::{Body, BodyError},
    limits,
    scope::is_reserved,
};

use super::{InPipeline, encoder::Encoder};
use crate::CommitError;

/// A commit being put together: events, who writes, and under which conditions. Nothing of it is stored before it is
/// committed; an event that is refused leaves the request as it was.
#[derive(Debug)]
#[must_use = "a request does nothing until it is committed or submitted"]
pub struct Request {
    encoder: Encoder,
    meta: Meta,
    preconditions: Vec<Precondition>,
    unerased: Option<Box<Unerased>>,
    takes_away: bool,
    /// Whether it has an event that takes nothing away.
    adds: bool,
    /// Or erases: whether it may be refused for its events.
    forks: bool,
    /// Whether it was made before, and is taken over: then the names that the store keeps for itself are allowed.
    is_recorded: bool,
    /// Whether it is judged, and nothing more.
    only_asks: bool,
}

/// Of what a scope was read from, as of a point, nothing may have been erased behind the last commit that was known.
#[derive(Clone, Debug)]
pub(crate) struct Unerased {
    pub(crate) scope: Scope,
    pub(crate) point: Seq,
    pub(crate) known: Seq,
}

/// A request encoded for the queue.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) body: Vec<u8>,
    pub(crate) body_crc: u32,
    /// How many events it has.
    pub(crate) events: usize,
    pub(crate) preconditions: Vec<Precondition>,
    pub(crate) unerased: Option<Box<Unerased>>,
    pub(crate) meta: Meta,
    /// Whether it takes anything away, so that the leader has to look for what is absent already, or held.
    pub(crate) takes_away: bool,
    /// Whether each of its events takes away, or says what is kept: on a full disk it is let in, since it may be what
    /// gives room back.
    pub(crate) gives_room: bool,
    /// Whether it forks or erases, so that the leader has to look whether it can.
    pub(crate) forks: bool,
    /// The place that it has already: it was made before. What it says is kept as it is: no precondition is judged, and
    /// nothing is left out.
    pub(crate) recorded: Option<Receipt>,
    /// It is judged, and changes nothing whatever the verdict.
    pub(crate) only_asks: bool,
    /// Its place in a pipeline, if it came through one.
    pub(crate) in_pipeline: Option<InPipeline>,
}

impl Request {
    pub(crate) fn new(value_bytes_max: usize) -> Request {
        Request {
            encoder: Encoder::new(value_bytes_max),
            meta: Meta::default(),
            preconditions: Vec::new(),
            unerased: None,
            takes_away: false,
            adds: false,
            forks: false,
            is_recorded: false,
            only_asks: false,
        }
    }

    /// Has its fences and preconditions judged, at a place in the order like any other, and appends nothing: it is
    /// refused as the commit would be, or comes back with the receipt of the commit before.
    pub fn only_ask(self) -> Request {
        Request { only_asks: true, ..self }
    }

    /// A commit that was made before, to be committed at the place it had.
    pub(crate) fn recorded() -> Request {
        Request { is_recorded: true, ..Request::new(limits::VALUE_BYTES_CEILING) }
    }

    /// Says who writes.
    pub fn writer(mut self, writer: Writer) -> Request {
        self.meta.writer = Some(writer);
        self
    }

    /// Makes a repetition of this request answer with the first outcome.
    pub fn idempotency_key(mut self, key: &str) -> Result<Request, CommitError> {
        limits::check("idempotency key", "bytes", key.len(), 1, limits::IDEMPOTENCY_KEY_BYTES_MAX)?;
        self.meta.idempotency_key = Some(key.to_owned());
        Ok(self)
    }

    /// Claims a scope: commits that claim it with a lower token, or with an equal one under another writer's name, are
    /// refused from then on.
    pub fn fence(mut self, scope: &Scope, token: u64) -> Result<Request, CommitError> {
        self.not_reserved(scope.as_str())?;
        let number = usize::try_from(token).unwrap_or(usize::MAX);
        // The highest of all would be the last one for good: only what was committed once may have it.
        let most = limits::FENCING_TOKEN_MAX - u64::from(!self.is_recorded);
        limits::check("fencing token", "as its number", number, 0, most as usize)?;
        limits::check("commit", "fences", self.meta.fences.len() + 1, 0, limits::FENCES_MAX)?;
        self.meta.fences.push(Fence { scope: scope.clone(), token });
        Ok(self)
    }

    /// Adds a precondition. All must hold at the commit's place in the order.
    pub fn require(mut self, precondition: Precondition) -> Request {
        self.add_require(precondition);
        self
    }

    /// The same, in place.
    pub fn add_require(&mut self, precondition: Precondition) {
        self.preconditions.push(precondition);
    }

    /// Has it refused if anything was erased of what it says again.
    pub(crate) fn unerased(self, of: Unerased) -> Request {
        Request { unerased: Some(Box::new(of)), ..self }
    }

    /// Adds a set.
    pub fn set(self, scope: &Scope, key: &str, value: &[u8]) -> Result<Request, CommitError> {
        self.set_with(scope, key, value, None, None)
    }

    /// Adds a set with a content type and an expiry.
    pub fn set_with(
        mut self,
        scope: &Scope,
        key: &str,
        value: &[u8],
        content_type: Option<&ContentType>,
        expires_at: Option<Timestamp>,
    ) -> Result<Request, CommitError> {
        self.add_set_with(scope, key, value, content_type, expires_at)?;
        Ok(self)
    }

    /// Adds a delete.
    pub fn delete(mut self, scope: &Scope, key: &str) -> Result<Request, CommitError> {
        self.add_delete(scope, key)?;
        Ok(self)
    }

    /// Adds the clearing of a scope.
    pub fn clear(mut self, scope: &Scope) -> Result<Request, CommitError> {
        self.add_clear(scope)?;
        Ok(self)
    }

    /// Adds the clearing of a scope and all below it.
    pub fn clear_prefix(mut self, prefix: &ScopePrefix) -> Result<Request, CommitError> {
        self.add_clear_prefix(prefix)?;
        Ok(self)
    }

    /// Adds an event of any kind.
    pub fn event(mut self, event: &Event) -> Result<Request, CommitError> {
        self.add_event(event)?;
        Ok(self)
    }

    /// Adds a set, in place.
    pub fn add_set(&mut self, scope: &Scope, key: &str, value: &[u8]) -> Result<(), CommitError> {
        self.add_set_with(scope, key, value, None, None)
    }

    /// Adds a set with a content type and an expiry, in place.
    pub fn add_set_with(
        &mut self,
        scope: &Scope,
        key: &str,
        value: &[u8],
        content_type: Option<&ContentType>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), CommitError> {
        self.not_reserved(scope.as_str())?;
        self.adds = true;
        Ok(self.encoder.set(scope, key, value, content_type, expires_at)?)
    }

    /// Adds a set below `$`, in place: of what the store keeps for itself.
    pub(crate) fn add_kept(&mut self, scope: &Scope, key: &str, value: &[u8]) -> Result<(), CommitError> {
        debug_assert!(is_reserved(scope.as_str()));
        self.adds = true;
        Ok(self.encoder.set(scope, key, value, Some(&ContentType::TEXT), None)?)
    }

    /// Adds a delete, in place.
    pub fn add_delete(&mut self, scope: &Scope, key: &str) -> Result<(), CommitError> {
        self.not_reserved(scope.as_str())?;
        self.takes_away = true;
        Ok(self.encoder.delete(scope, key)?)
    }

    /// Adds the clearing of a scope, in place.
    pub fn add_clear(&mut self, scope: &Scope) -> Result<(), CommitError> {
        self.not_reserved(scope.as_str())?;
        self.takes_away = true;
        Ok(self.encoder.clear(scope)?)
    }

    /// Adds the clearing of a scope and all below it, in place.
    pub fn add_clear_prefix(&mut self, prefix: &ScopePrefix) -> Result<(), CommitError> {
        self.not_reserved(prefix.as_str())?;
        self.takes_away = true;
        Ok(self.encoder.clear_prefix(prefix)?)
    }

    /// Adds an event of any kind, in place.
    pub fn add_event(&mut self, event: &Event) -> Result<(), CommitError> {
        match event {
            Event::Set { scope, key, value, content_type, expires_at } => {
                self.add_set_with(scope, key.as_str(), value, content_type.as_ref(), *expires_at)
            }
            Event::Delete { scope, key } => self.add_delete(scope, key.as_str()),
            Event::Clear { scope } => self.add_clear(scope),
            Event::ClearPrefix { prefix } => self.add_clear_prefix(prefix),
            Event::Checkpoint { scope, name, note } => self.add_checkpoint(scope, name.as_str(), note.as_ref()),
            Event::Release { scope, name } => self.add_release(scope, name.as_str()),
            Event::Fork { scope, origin, point } => self.add_fork(scope, origin, *point),
            Event::Retain { prefix, policy } => self.add_retain(prefix, policy),
            Event::Unretain { prefix } => self.add_unretain(prefix),
            Event::Hold { prefix, name, note } => self.add_hold(prefix, name.as_str(), note.as_ref()),
            Event::Unhold { prefix, name } => self.add_unhold(prefix, name.as_str()),
            Event::Erase { scope, key, bytes } => self.add_erase(scope, key.as_str(), *bytes),
            Event::EraseScope { scope, bytes } => self.add_erase_scope(scope, *bytes),
            Event::ErasePrefix { prefix, bytes } => self.add_erase_prefix(prefix, *bytes),
        }
    }

    /// Gives the state of a scope after this commit a name, in place. A name given again moves on.
    pub fn add_checkpoint(&mut self, scope: &Scope, name: &str, note: Option<&Note>) -> Result<(), CommitError> {
        self.not_reserved(scope.as_str())?;
        self.adds = true;
        Ok(self.encoder.checkpoint(scope, name, note)?)
    }

    /// Lets the name of a checkpoint go, in place; one that is not there gives no event.
    pub fn add_release(&mut self, scope: &Scope, name: &str) -> Result<(), CommitError> {
        self.not_reserved(scope.as_str())?;
        self.takes_away = true;
        Ok(self.encoder.release(scope, name)?)
    }

    /// Lets a scope begin as another one was after some commit, in place.
    pub fn add_fork(&mut self, scope: &Scope, origin: &Scope, point: Seq) -> Result<(), CommitError> {
        self.not_reserved(scope.as_str())?;
        self.not_reserved(origin.as_str())?;
        (self.forks, self.adds) = (true, true);
        Ok(self.encoder.fork(scope, origin, point)?)
    }

    /// Says what of the past is kept below a prefix, in place.
    pub fn add_retain(&mut self, prefix: &ScopePrefix, policy: &Policy) -> Result<(), CommitError> {
        self.not_reserved(prefix.as_str())?;
        let of_the_root = [
            (policy.cold_after_us, "the prefix of a policy with cold_after, which is for the root alone,"),
            (policy.idempotency_for_us, "the prefix of a policy with idempotency_for, which is for the root alone,"),
        ];
        for (_, what) in of_the_root.into_iter().filter(|(said, _)| !self.is_recorded && said.is_some()) {
            limits::check(what, "bytes", prefix.as_str().len(), 0, 0)?;
        }
        Ok(self.encoder.retain(prefix, policy)?)
    }

    /// Takes the policy of a prefix away, in place; one that has none gives no event.
    pub fn add_unretain(&mut self, prefix: &ScopePrefix) -> Result<(), CommitError> {
        self.not_reserved(prefix.as_str())?;
        self.takes_away = true;
        Ok(self.encoder.unretain(prefix)?)
    }

    /// Has nothing below a prefix removed until the hold of this name is released, in place.
    pub fn add_hold(&mut self, prefix: &ScopePrefix, name: &str, note: Option<&Note>) -> Result<(), CommitError> {
        self.not_reserved(prefix.as_str())?;
        self.adds = true;
        Ok(self.encoder.hold(prefix, name, note)?)
    }

    /// Releases a hold, in place; one that is not there gives no event.
    pub fn add_unhold(&mut self, prefix: &ScopePrefix, name: &str) -> Result<(), CommitError> {
        self.not_reserved(prefix.as_str())?;
        self.takes_away = true;
        Ok(self.encoder.unhold(prefix, name)?)
    }

    /// Erases all that a key ever was, in place. `bytes` is what the history will say of its values.
    pub fn add_erase(&mut self, scope: &Scope, key: &str, bytes: u64) -> Result<(), CommitError> {
        self.not_reserved(scope.as_str())?;
        (self.takes_away, self.forks) = (true, true);
        Ok(self.encoder.erase(scope, key, bytes)?)
    }

    /// Erases all that a scope ever held, in place.
    pub fn add_erase_scope(&mut self, scope: &Scope, bytes: u64) -> Result<(), CommitError> {
        self.not_reserved(scope.as_str())?;
        (self.takes_away, self.forks) = (true, true);
        Ok(self.encoder.erase_scope(scope, bytes)?)
    }

    /// Erases all that a scope and those below it ever held, in place.
    pub fn add_erase_prefix(&mut self, prefix: &ScopePrefix, bytes: u64) -> Result<(), CommitError> {
        self.not_reserved(prefix.as_str())?;
        (self.takes_away, self.forks) = (true, true);
        Ok(self.encoder.erase_prefix(prefix, bytes)?)
    }

    /// How many events it has.
    #[must_use]
    pub fn events(&self) -> usize {
        self.encoder.events()
    }

    /// About how many bytes it will take in the log.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.encoder.record_bytes() + FRAME_HEADER_BYTES
    }

    pub(crate) fn seal(self) -> Result<Sealed, CommitError> {
        limits::check("commit", "preconditions", self.preconditions.len(), 0, limits::PRECONDITIONS_MAX)?;
        self.seal_own(None)
    }

    /// The same of what the store itself asks for, and of what is left of a commit that was made before: the digest
    /// says what it was repeated as.
    pub(crate) fn seal_own(mut self, digest: Option<Digest>) -> Result<Sealed, CommitError> {
        // Of one that was made before, the key may be all that is left.
        let is_key_kept = self.is_recorded && self.meta.idempotency_key.is_some();
        if self.encoder.events() == 0 && self.meta.fences.is_empty() && !is_key_kept {
            return Err(CommitError::Empty);
        }
        let events = self.encoder.events();
        let body = self.encoder.finish_kept(&self.meta, digest)?;
        Ok(Sealed {
            body_crc: crc32fast::hash(&body),
            body,
            events,
            preconditions: self.preconditions,
            unerased: self.unerased,
            meta: self.meta,
            takes_away: self.takes_away,
            gives_room: !self.adds && events > 0,
            forks: self.forks,
            recorded: None,
            only_asks: self.only_asks,
            in_pipeline: None,
        })
    }

    /// What the store keeps for itself is not for writers: a clear of `$` would take every fence away.
    fn not_reserved(&self, scope: &str) -> Result<(), ScopeError> {
        if !self.is_recorded && is_reserved(scope) {
            return Err(ScopeError::Reserved { text: scope.to_owned() });
        }
        Ok(())
    }
}

impl Sealed {
    /// A body that was committed before, at this place.
    pub(crate) fn recorded(place: Receipt, body: Vec<u8>) -> Result<Sealed, BodyError> {
        let parsed = Body::parse(&body)?;
        let meta = parsed.meta()?;
        let (mut forks, mut count, mut events) = (false, 0, parsed.events());
        while let Some(found) = events.next()? {
            count += 1;
            forks |= matches!(found.event, EventRef::Fork { .. });
        }
        let body_crc = crc32fast::hash(&body);
        Ok(Sealed {
            body,
            body_crc,
            events: count,
            preconditions: Vec::new(),
            unerased: None,
            meta,
            takes_away: false,
            gives_room: false,
            forks,
            recorded: Some(place),
            only_asks: false,
            in_pipeline: None,
        })
    }

    /// Bytes that it takes in a segment.
    pub(crate) fn frame_bytes(&self) -> usize {
        frame_bytes(self.body.len())
    }
}

#[cfg(test)]
mod tests;
