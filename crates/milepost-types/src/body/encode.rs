//! [`BodyEncoder`]: events in, the bytes of a body out.
//!
//! The caller's own thread does this; the leader only copies the body behind its frame's header.

use super::{
    CHECKPOINT, CLEAR, CLEAR_PREFIX, DELETE, DIGEST_BYTES, FORK, HAS_ATTEMPT, HAS_DIGEST, HAS_FENCES,
    HAS_IDEMPOTENCY_KEY, HAS_WRITER, RELEASE, SCOPE, SET, WELL_KNOWN, WITH_CONTENT_TYPE, WITH_EXPIRY, WITH_NOTE,
    varint,
};
use crate::{
    ContentType, Digest, Event, EventRef, Key, Meta, Note, Scope, ScopePrefix, Seq, Timestamp,
    event::{check_checkpoint_name, check_key, check_note},
    limits::{self, LimitError},
    scope::ScopeError,
};

/// Below this many bytes an event, on average, the table has an entry for every 16th only.
const SPARSE_TABLE_BELOW_BYTES: usize = 64;
const SPARSE_STRIDE: u8 = 4;
/// The limit of a value in what is kept of a body: no store has it.
const OF_KEPT: usize = limits::COMMIT_BYTES_MAX;

const _: () = assert!(OF_KEPT > limits::VALUE_BYTES_CEILING);

/// Collects events and their encoding.
#[derive(Debug)]
pub struct BodyEncoder {
    /// Encoded records, without meta and table.
    pub(super) records: Vec<u8>,
    /// Where each event begins in `records`.
    starts: Vec<u32>,
    scope: String,
    key: Vec<u8>,
    value_bytes_max: usize,
}

impl Default for BodyEncoder {
    fn default() -> BodyEncoder {
        BodyEncoder::new(limits::VALUE_BYTES_MAX)
    }
}

impl BodyEncoder {
    /// An encoder that refuses values above `value_bytes_max`.
    #[must_use]
    pub fn new(value_bytes_max: usize) -> BodyEncoder {
        // Room for a commit of one small event, so that it takes no growing.
        BodyEncoder {
            records: Vec::with_capacity(256),
            starts: Vec::with_capacity(4),
            scope: String::with_capacity(64),
            key: Vec::with_capacity(64),
            value_bytes_max,
        }
    }

    /// An encoder of what is kept of a body: whatever was in one fits.
    pub(super) fn of_kept() -> BodyEncoder {
        BodyEncoder::new(OF_KEPT)
    }

    /// The records, and where the event of each begins in them.
    pub(super) fn records(&self) -> (&[u8], &[u32]) {
        (&self.records, &self.starts)
    }

    /// How many events were added.
    #[must_use]
    pub fn events(&self) -> usize {
        self.starts.len()
    }

    /// How many bytes the records take so far.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.records.len()
    }

    /// About how many bytes of memory it keeps.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.records.capacity() + self.starts.capacity() * size_of::<u32>()
    }

    /// Adds a set. On an error nothing was added.
    pub fn set(
        &mut self,
        scope: &Scope,
        key: &str,
        value: &[u8],
        content_type: Option<&ContentType>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), ScopeError> {
        self.set_raw(scope.as_str(), key, value, content_type.map(ContentType::as_str), expires_at)
    }

    fn set_raw(
        &mut self,
        scope: &str,
        key: &str,
        value: &[u8],
        content_type: Option<&str>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), ScopeError> {
        check_key(key)?;
        limits::check("value", "bytes", value.len(), 0, self.value_bytes_max)?;
        let tag = SET
            | if content_type.is_some() { WITH_CONTENT_TYPE } else { 0 }
            | if expires_at.is_some() { WITH_EXPIRY } else { 0 };
        self.begin(scope, scope.len() + key.len() + value.len())?;
        self.keyed(tag, key);
        if let Some(text) = content_type {
            match WELL_KNOWN.iter().position(|known| *known == text) {
                Some(index) => self.records.push(0x80 | index as u8),
                None => {
                    self.records.push(text.len() as u8);
                    self.records.extend_from_slice(text.as_bytes());
                }
            }
        }
        if let Some(at) = expires_at {
            self.records.extend_from_slice(&at.0.to_le_bytes());
        }
        varint::put(&mut self.records, value.len() as u64);
        self.records.extend_from_slice(value);
        Ok(())
    }

    /// Adds a delete. On an error nothing was added.
    pub fn delete(&mut self, scope: &Scope, key: &str) -> Result<(), ScopeError> {
        self.delete_raw(scope.as_str(), key)
    }

    fn delete_raw(&mut self, scope: &str, key: &str) -> Result<(), ScopeError> {
        check_key(key)?;
        self.begin(scope, scope.len() + key.len())?;
        self.keyed(DELETE, key);
        Ok(())
    }

    /// Adds the clearing of a scope.
    pub fn clear(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        self.clear_raw(scope.as_str())
    }

    fn clear_raw(&mut self, scope: &str) -> Result<(), ScopeError> {
        self.begin(scope, scope.len())?;
        self.start(CLEAR);
        Ok(())
    }

    /// Adds the clearing of a scope prefix.
    pub fn clear_prefix(&mut self, prefix: &ScopePrefix) -> Result<(), ScopeError> {
        self.clear_prefix_raw(prefix.as_str())
    }

    fn clear_prefix_raw(&mut self, prefix: &str) -> Result<(), ScopeError> {
        self.room(prefix.len())?;
        self.start(CLEAR_PREFIX);
        varint::put(&mut self.records, prefix.len() as u64);
        self.records.extend_from_slice(prefix.as_bytes());
        Ok(())
    }

    /// Adds a checkpoint. On an error nothing was added.
    pub fn checkpoint(&mut self, scope: &Scope, name: &str, note: Option<&Note>) -> Result<(), ScopeError> {
        self.checkpoint_raw(scope.as_str(), name, note.map(Note::as_str))
    }

    fn checkpoint_raw(&mut self, scope: &str, name: &str, note: Option<&str>) -> Result<(), ScopeError> {
        check_checkpoint_name(name)?;
        note.map_or(Ok(()), check_note)?;
        self.begin(scope, scope.len() + name.len() + note.map_or(0, str::len))?;
        self.keyed(CHECKPOINT | if note.is_some() { WITH_NOTE } else { 0 }, name);
        if let Some(note) = note {
            put_text(&mut self.records, note);
        }
        Ok(())
    }

    /// Adds the release of a checkpoint. On an error nothing was added.
    pub fn release(&mut self, scope: &Scope, name: &str) -> Result<(), ScopeError> {
        self.release_raw(scope.as_str(), name)
    }

    fn release_raw(&mut self, scope: &str, name: &str) -> Result<(), ScopeError> {
        check_checkpoint_name(name)?;
        self.begin(scope, scope.len() + name.len())?;
        self.keyed(RELEASE, name);
        Ok(())
    }

    /// Adds a fork.
    pub fn fork(&mut self, scope: &Scope, origin: &Scope, point: Seq) -> Result<(), ScopeError> {
        self.fork_raw(scope.as_str(), origin.as_str(), point)
    }

    fn fork_raw(&mut self, scope: &str, origin: &str, point: Seq) -> Result<(), ScopeError> {
        self.begin(scope, scope.len() + origin.len())?;
        self.start(FORK);
        put_text(&mut self.records, origin);
        varint::put(&mut self.records, point.0);
        Ok(())
    }

    /// Adds an event of any kind.
    pub fn event(&mut self, event: &Event) -> Result<(), ScopeError> {
        match event {
            Event::Set { scope, key, value, content_type, expires_at } => {
                self.set(scope, Key::as_str(key), value, content_type.as_ref(), *expires_at)
            }
            Event::Delete { scope, key } => self.delete(scope, key.as_str()),
            Event::Clear { scope } => self.clear(scope),
            Event::ClearPrefix { prefix } => self.clear_prefix(prefix),
            Event::Checkpoint { scope, name, note } => self.checkpoint(scope, name.as_str(), note.as_ref()),
            Event::Release { scope, name } => self.release(scope, name.as_str()),
            Event::Fork { scope, origin, point } => self.fork(scope, origin, *point),
            Event::Retain { prefix, policy } => self.retain(prefix, policy),
            Event::Unretain { prefix } => self.unretain(prefix),
            Event::Hold { prefix, name, note } => self.hold(prefix, name.as_str(), note.as_ref()),
            Event::Unhold { prefix, name } => self.unhold(prefix, name.as_str()),
            Event::Erase { scope, key, bytes } => self.erase(scope, key.as_str(), *bytes),
            Event::EraseScope { scope, bytes } => self.erase_scope(scope, *bytes),
            Event::ErasePrefix { prefix, bytes } => self.erase_prefix(prefix, *bytes),
        }
    }

    /// Adds an event that was read from another body, whose names were checked when it was written.
    pub fn copy(&mut self, event: &EventRef<'_>) -> Result<(), ScopeError> {
        match *event {
            EventRef::Set { scope, key, value, content_type, expires_at } => {
                self.set_raw(scope, key, value, content_type, expires_at)
            }
            EventRef::Delete { scope, key } => self.delete_raw(scope, key),
            EventRef::Clear { scope } => self.clear_raw(scope),
            EventRef::ClearPrefix { prefix } => self.clear_prefix_raw(prefix),
            EventRef::Checkpoint { scope, name, note } => self.checkpoint_raw(scope, name, note),
            EventRef::Release { scope, name } => self.release_raw(scope, name),
            EventRef::Fork { scope, origin, point } => self.fork_raw(scope, origin, point),
            EventRef::Retain { prefix, policy } => self.retain_raw(prefix, &policy),
            EventRef::Unretain { prefix } => self.unretain_raw(prefix),
            EventRef::Hold { prefix, name, note } => self.hold_raw(prefix, name, note),
            EventRef::Unhold { prefix, name } => self.unhold_raw(prefix, name),
            EventRef::Erase { scope, key, bytes } => self.erase_raw(scope, key, bytes),
            EventRef::EraseScope { scope, bytes } => self.erase_scope_raw(scope, bytes),
            EventRef::ErasePrefix { prefix, bytes } => self.erase_prefix_raw(prefix, bytes),
        }
    }

    /// The body of all that was added. The encoder is as new afterwards, and keeps its memory.
    ///
    /// Refuses a body above [`limits::COMMIT_BYTES_MAX`]. A body without events is allowed here: it is what is left of
    /// a commit whose deletes all met absent keys, and still keeps its idempotency key.
    pub fn finish(&mut self, meta: &Meta) -> Result<Vec<u8>, LimitError> {
        self.finish_kept(meta, None)
    }

    /// The same of what is left of a commit: the digest, which only one with an idempotency key has, says what it is
    /// repeated as.
    pub fn finish_kept(&mut self, meta: &Meta, digest: Option<Digest>) -> Result<Vec<u8>, LimitError> {
        let body = self.body(meta, digest);
        self.forget();
        body
    }

    /// An empty encoder that refuses values above `value_bytes_max`, with the memory of this one.
    #[must_use]
    pub fn reused(mut self, value_bytes_max: usize) -> BodyEncoder {
        self.forget();
        BodyEncoder { value_bytes_max, ..self }
    }

    fn forget(&mut self) {
        self.records.clear();
        self.starts.clear();
        self.scope.clear();
        self.key.clear();
    }

    fn body(&self, meta: &Meta, digest: Option<Digest>) -> Result<Vec<u8>, LimitError> {
        let events = self.starts.len();
        let sparse = self.records.len() < events * SPARSE_TABLE_BELOW_BYTES;
        let stride = if sparse { SPARSE_STRIDE } else { 0 };
        let entries = events.saturating_sub(1) >> stride;
        let mut bytes = Vec::with_capacity(64 + self.records.len() + 4 * entries + 4);
        put_meta(&mut bytes, meta, stride, events)?;
        // What is left of the largest commit may have no room for it.
        let rest = DIGEST_BYTES + self.records.len() + 4 * entries + 4;
        let fits = meta.idempotency_key.is_some() && bytes.len() + rest <= limits::COMMIT_BYTES_MAX;
        if let Some(digest) = digest.filter(|_| fits) {
            bytes[0] |= HAS_DIGEST;
            bytes.extend_from_slice(&digest.0);
        }
        let base = bytes.len() as u32;
        bytes.extend_from_slice(&self.records);
        let table = bytes.len() as u32;
        for index in 1..=entries {
            bytes.extend_from_slice(&(base + self.starts[index << stride]).to_le_bytes());
        }
        bytes.extend_from_slice(&table.to_le_bytes());
        limits::check("commit", "bytes", bytes.len(), 0, limits::COMMIT_BYTES_MAX)?;
        Ok(bytes)
    }

    /// A body of no event that nobody sent.
    #[must_use]
    pub fn nothing() -> Vec<u8> {
        BodyEncoder::new(0).body(&Meta::default(), None).expect("nothing is within every limit")
    }

    /// Checks that one more event of about `bytes` fits, before anything is added.
    pub(super) fn room(&self, bytes: usize) -> Result<(), LimitError> {
        limits::check("commit", "events", self.starts.len() + 1, 1, limits::COMMIT_EVENTS_MAX)?;
        let is_of_kept = self.value_bytes_max == OF_KEPT;
        let bytes_max = if is_of_kept { limits::THINNED_BYTES_MAX } else { limits::COMMIT_BYTES_MAX };
        limits::check("commit", "bytes", self.records.len() + bytes, 0, bytes_max)
    }

    pub(super) fn begin(&mut self, scope: &str, bytes: usize) -> Result<(), LimitError> {
        self.room(bytes)?;
        if self.scope == scope {
            return Ok(());
        }
        let shared = shared_bytes(self.scope.as_bytes(), scope.as_bytes());
        self.records.push(SCOPE);
        put_rest(&mut self.records, shared, scope.as_bytes());
        self.scope.clear();
        self.scope.push_str(scope);
        Ok(())
    }

    pub(super) fn start(&mut self, tag: u8) {
        self.starts.push(self.records.len() as u32);
        self.records.push(tag);
    }

    pub(super) fn keyed(&mut self, tag: u8, key: &str) {
        self.start(tag);
        let shared = shared_bytes(&self.key, key.as_bytes());
        put_rest(&mut self.records, shared, key.as_bytes());
        self.key.truncate(shared);
        self.key.extend_from_slice(&key.as_bytes()[shared..]);
    }
}

fn put_meta(out: &mut Vec<u8>, meta: &Meta, stride: u8, events: usize) -> Result<(), LimitError> {
    let attempt = meta.writer.as_ref().and_then(|w| w.attempt_number());
    let flag = |on: bool, flag: u8| if on { flag } else { 0 };
    out.push(
        flag(meta.writer.is_some(), HAS_WRITER)
            | flag(attempt.is_some(), HAS_ATTEMPT)
            | flag(meta.idempotency_key.is_some(), HAS_IDEMPOTENCY_KEY)
            | flag(!meta.fences.is_empty(), HAS_FENCES),
    );
    out.push(stride);
    varint::put(out, events as u64);
    if let Some(writer) = &meta.writer {
        put_text(out, writer.name());
    }
    if let Some(attempt) = attempt {
        varint::put(out, u64::from(attempt));
    }
    if let Some(key) = &meta.idempotency_key {
        limits::check("idempotency key", "bytes", key.len(), 1, limits::IDEMPOTENCY_KEY_BYTES_MAX)?;
        put_text(out, key);
    }
    if !meta.fences.is_empty() {
        limits::check("commit", "fences", meta.fences.len(), 0, limits::FENCES_MAX)?;
        varint::put(out, meta.fences.len() as u64);
        for fence in &meta.fences {
            let token = usize::try_from(fence.token).unwrap_or(usize::MAX);
            limits::check("fencing token", "as its number", token, 0, limits::FENCING_TOKEN_MAX as usize)?;
            put_text(out, fence.scope.as_str());
            varint::put(out, fence.token);
        }
    }
    Ok(())
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    varint::put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_rest(out: &mut Vec<u8>, shared: usize, name: &[u8]) {
    varint::put(out, shared as u64);
    varint::put(out, (name.len() - shared) as u64);
    out.extend_from_slice(&name[shared..]);
}

fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    let most = a.len().min(b.len());
    let whole = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count() * 8;
    whole + a[whole..most].iter().zip(&b[whole..most]).take_while(|(a, b)| a == b).count()
}
