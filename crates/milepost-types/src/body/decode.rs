//! [`Body`]: a body whose frame was checked, read in place. [`Events`] walks it.

use super::{
    BodyError, BodyFault, CHECKPOINT, CLEAR, CLEAR_PREFIX, DELETE, DIGEST_BYTES, ERASE, ERASE_PREFIX, ERASE_SCOPE,
    FLAGS, FORK, HAS_ATTEMPT, HAS_DIGEST, HAS_FENCES, HAS_IDEMPOTENCY_KEY, HAS_WRITER, HOLD, KIND, KIND_MAX,
    ORIGIN_BYTES, RELEASE, RETAIN, SCOPE, SET, STRIDE_MAX, THINNED, UNHOLD, UNRETAIN, WELL_KNOWN, WITH_CONTENT_TYPE,
    WITH_EXPIRY, WITH_NOTE, varint,
};
use crate::{Digest, EventRef, Fence, Meta, Scope, Seq, Timestamp, Writer, limits, scope::check_path};

/// A body whose outer structure was checked. Its events are checked as they are walked.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    bytes: &'a [u8],
    events: u32,
    stride: u8,
    flags: u8,
    /// Where the meta fields begin and end, the records begin, and the table begins.
    meta: usize,
    meta_end: usize,
    records: usize,
    table: usize,
}

/// An event with the place of its record in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positioned<'a> {
    /// The event.
    pub event: EventRef<'a>,
    /// Which event of the commit, from 0.
    pub index: u32,
    /// Where its record began in the body as first written: what [`set_at`] takes.
    pub offset: u32,
}

/// A set's own fields, read at its offset without its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAt<'a> {
    /// The bytes.
    pub value: &'a [u8],
    /// What they are.
    pub content_type: Option<&'a str>,
    /// From when on the value counts as gone.
    pub expires_at: Option<Timestamp>,
}

/// A fork's own fields, read at its offset without the scope that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkAt<'a> {
    /// The scope that it begins as.
    pub origin: &'a str,
    /// After which commit.
    pub point: Seq,
}

impl<'a> Body<'a> {
    /// Checks the outer structure of a body.
    pub fn parse(bytes: &'a [u8]) -> Result<Body<'a>, BodyError> {
        let mut cursor = Cursor { bytes, pos: 0, end: bytes.len() };
        let flags = cursor.byte()?;
        if flags & !FLAGS != 0 {
            return Err(BodyError { offset: 0, what: BodyFault::Unknown(flags) });
        }
        if flags & HAS_ATTEMPT != 0 && flags & HAS_WRITER == 0 {
            return Err(BodyError { offset: 0, what: BodyFault::Length });
        }
        if flags & HAS_DIGEST != 0 && flags & (HAS_IDEMPOTENCY_KEY | THINNED) != HAS_IDEMPOTENCY_KEY {
            return Err(BodyError { offset: 0, what: BodyFault::Length });
        }
        let stride = cursor.byte()?;
        if stride > STRIDE_MAX {
            return Err(cursor.fault(BodyFault::Table));
        }
        let events = cursor.length(limits::COMMIT_EVENTS_MAX)?;
        let entries = events.saturating_sub(1) >> stride;
        let tail = 4 * entries + 4;
        let table = bytes.len().checked_sub(tail).filter(|table| *table >= cursor.pos);
        let table = table.ok_or_else(|| cursor.fault(BodyFault::Truncated))?;
        if read_u32(bytes, bytes.len() - 4) as usize != table {
            return Err(BodyError { offset: bytes.len() - 4, what: BodyFault::Table });
        }
        let meta = cursor.pos;
        cursor.end = table;
        cursor.skip_meta(flags)?;
        let meta_end = cursor.pos;
        cursor.take(digest_bytes(flags))?;
        if flags & THINNED != 0 {
            let origins = cursor.take(ORIGIN_BYTES * events)?.as_chunks::<ORIGIN_BYTES>().0;
            // In order, so that one can be searched for.
            if !origins.is_sorted_by(|before, next| read_u32(before, 0) < read_u32(next, 0)) {
                return Err(cursor.fault(BodyFault::Table));
            }
        }
        Ok(Body { bytes, events: events as u32, stride, flags, meta, meta_end, records: cursor.pos, table })
    }

    /// How many events it holds.
    #[must_use]
    pub fn event_count(&self) -> u32 {
        self.events
    }

    /// The bytes of all records.
    pub(super) fn records(&self) -> &'a [u8] {
        &self.bytes[self.records..self.table]
    }

    /// The bytes of writer, idempotency key and fences, and which of them there are.
    pub(super) fn meta_bytes(&self) -> (&'a [u8], u8) {
        (&self.bytes[self.meta..self.meta_end], self.flags & !(THINNED | HAS_DIGEST))
    }

    /// Whether events were removed from it.
    #[must_use]
    pub fn is_thinned(&self) -> bool {
        self.flags & THINNED != 0
    }

    /// Of a body with an idempotency key from which events were removed, here or where it was taken over from: what is
    /// known of its records as first written.
    #[must_use]
    pub fn kept_digest(&self) -> Option<Digest> {
        let kept = self.bytes[self.meta_end..].first_chunk::<DIGEST_BYTES>();
        kept.filter(|_| digest_bytes(self.flags) != 0).map(|digest| Digest(*digest))
    }

    /// Writer, idempotency key and fences.
    pub fn meta(&self) -> Result<Meta, BodyError> {
        Cursor { bytes: self.bytes, pos: self.meta, end: self.meta_end }.meta(self.flags)
    }

    /// Whether it carries an idempotency key or fences, which the engine folds beside the events.
    #[must_use]
    pub fn has_claims(&self) -> bool {
        self.flags & (HAS_IDEMPOTENCY_KEY | HAS_FENCES) != 0
    }

    /// Walks the events in order.
    #[must_use]
    pub fn events(&self) -> Events<'a> {
        Events {
            cursor: Cursor { bytes: self.bytes, pos: self.records, end: self.table },
            body: *self,
            index: 0,
            scope: String::new(),
            key: Vec::new(),
        }
    }

    /// Where the record of the event at `index` first began, and where it begins now; the same in a body that was never
    /// thinned.
    fn origin(&self, index: u32, now: u32) -> (u32, u32) {
        if !self.is_thinned() {
            return (now, now);
        }
        let at = self.records - ORIGIN_BYTES * (self.events - index) as usize;
        (read_u32(self.bytes, at), read_u32(self.bytes, at + 4))
    }

    /// Where the event at `index` is to begin, if the table has an entry for it.
    fn table_entry(&self, index: u32) -> Option<u32> {
        let stride = 1u32 << self.stride;
        if index == 0 || !index.is_multiple_of(stride) {
            return None;
        }
        Some(read_u32(self.bytes, self.table + 4 * (index / stride - 1) as usize))
    }
}

/// A walk over the events of a body. Names are put together in buffers of the walk, so each event is borrowed from it
/// and gone with the next step.
#[derive(Debug)]
pub struct Events<'a> {
    body: Body<'a>,
    cursor: Cursor<'a>,
    index: u32,
    /// Checked when it was read; empty before the first.
    scope: String,
    key: Vec<u8>,
}

impl Events<'_> {
    /// The next event, `None` after the last, or what is wrong with the bytes there.
    #[expect(clippy::should_implement_trait, reason = "an event borrows from the walk, which Iterator can't say")]
    pub fn next(&mut self) -> Result<Option<Positioned<'_>>, BodyError> {
        if self.index == self.body.events {
            if self.cursor.pos != self.cursor.end {
                return Err(self.cursor.fault(BodyFault::Length));
            }
            return Ok(None);
        }
        let mut offset = self.cursor.pos;
        let mut tag = self.cursor.byte()?;
        if tag == SCOPE {
            let mut name = std::mem::take(&mut self.scope).into_bytes();
            self.cursor.name(&mut name, limits::SCOPE_BYTES_MAX)?;
            self.scope = String::from_utf8(name).map_err(|_| self.cursor.fault(BodyFault::Name))?;
            self.cursor.checked_path(self.scope.as_bytes())?;
            offset = self.cursor.pos;
            tag = self.cursor.byte()?;
        }
        let offset = offset as u32;
        if self.body.table_entry(self.index).is_some_and(|entry| entry != offset) {
            return Err(self.cursor.fault(BodyFault::Table));
        }
        let index = self.index;
        let (origin, now) = self.body.origin(index, offset);
        if now != offset {
            return Err(self.cursor.fault(BodyFault::Table));
        }
        self.index += 1;
        let event = self.event(tag)?;
        Ok(Some(Positioned { event, index, offset: origin }))
    }

    #[inline]
    fn scope(&self) -> Result<&str, BodyError> {
        if self.scope.is_empty() { Err(self.cursor.fault(BodyFault::Name)) } else { Ok(&self.scope) }
    }

    #[inline]
    fn event(&mut self, tag: u8) -> Result<EventRef<'_>, BodyError> {
        match tag & KIND {
            SET if tag & !(KIND | WITH_CONTENT_TYPE | WITH_EXPIRY) == 0 => {
                self.cursor.name(&mut self.key, limits::KEY_BYTES_MAX)?;
                let set = self.cursor.set_fields(tag)?;
                Ok(EventRef::Set {
                    scope: self.scope()?,
                    key: self.cursor.checked_key(&self.key)?,
                    value: set.value,
                    content_type: set.content_type,
                    expires_at: set.expires_at,
                })
            }
            DELETE if tag == DELETE => {
                self.cursor.name(&mut self.key, limits::KEY_BYTES_MAX)?;
                let (scope, key) = (self.scope()?, self.cursor.checked_key(&self.key)?);
                Ok(EventRef::Delete { scope, key })
            }
            CLEAR if tag == CLEAR => Ok(EventRef::Clear { scope: self.scope()? }),
            CLEAR_PREFIX if tag == CLEAR_PREFIX => Ok(EventRef::ClearPrefix { prefix: self.cursor.prefix()? }),
            CHECKPOINT if tag & !(KIND | WITH_NOTE) == 0 => {
                self.cursor.name(&mut self.key, limits::CHECKPOINT_NAME_BYTES_MAX)?;
                let note = self.cursor.note(tag)?;
                let scope = self.scope()?;
                Ok(EventRef::Checkpoint { scope, name: self.cursor.checked_key(&self.key)?, note })
            }
            RELEASE if tag == RELEASE => {
                self.cursor.name(&mut self.key, limits::CHECKPOINT_NAME_BYTES_MAX)?;
                let scope = self.scope()?;
                Ok(EventRef::Release { scope, name: self.cursor.checked_key(&self.key)? })
            }
            FORK if tag == FORK => {
                let ForkAt { origin, point } = self.cursor.fork_fields()?;
                Ok(EventRef::Fork { scope: self.scope()?, origin, point })
            }
            RETAIN => {
                let (prefix, policy) = self.cursor.policy_fields(tag)?;
                Ok(EventRef::Retain { prefix, policy })
            }
            UNRETAIN if tag == UNRETAIN => Ok(EventRef::Unretain { prefix: self.cursor.prefix()? }),
            HOLD if tag & !(KIND | WITH_NOTE) == 0 => {
                let (prefix, name, note) = self.cursor.hold_fields(tag)?;
                Ok(EventRef::Hold { prefix, name, note })
            }
            UNHOLD if tag == UNHOLD => {
                let (prefix, name, _) = self.cursor.hold_fields(tag)?;
                Ok(EventRef::Unhold { prefix, name })
            }
            ERASE if tag == ERASE => {
                self.cursor.name(&mut self.key, limits::KEY_BYTES_MAX)?;
                let bytes = self.cursor.varint()?;
                Ok(EventRef::Erase { scope: self.scope()?, key: self.cursor.checked_key(&self.key)?, bytes })
            }
            ERASE_SCOPE if tag == ERASE_SCOPE => {
                let bytes = self.cursor.varint()?;
                Ok(EventRef::EraseScope { scope: self.scope()?, bytes })
            }
            ERASE_PREFIX if tag == ERASE_PREFIX => {
                Ok(EventRef::ErasePrefix { prefix: self.cursor.prefix()?, bytes: self.cursor.varint()? })
            }
            _ => Err(BodyError { offset: self.cursor.pos - 1, what: BodyFault::Unknown(tag) }),
        }
    }
}

/// Reads the set whose record first began at `offset` of `body`, without its names.
pub fn set_at(body: &[u8], offset: u32) -> Result<SetAt<'_>, BodyError> {
    let (mut cursor, tag) = Cursor::at(body, offset, SET, WITH_CONTENT_TYPE | WITH_EXPIRY)?;
    cursor.skip_name()?;
    cursor.set_fields(tag)
}

/// Reads the set whose record begins with `record`, without its names.
#[inline]
pub fn set_in(record: &[u8]) -> Result<SetAt<'_>, BodyError> {
    let mut cursor = Cursor { bytes: record, pos: 0, end: record.len() };
    let tag = cursor.tag(SET, WITH_CONTENT_TYPE | WITH_EXPIRY)?;
    cursor.skip_name()?;
    cursor.set_fields(tag)
}

/// Where the record now begins that first began at `offset`, given the beginning of a body; `None` if it was removed.
pub fn place_of(beginning: &[u8], offset: u32) -> Result<Option<u32>, BodyError> {
    let mut cursor = Cursor { bytes: beginning, pos: 0, end: beginning.len() };
    let flags = cursor.byte()?;
    if flags & !FLAGS != 0 {
        return Err(BodyError { offset: 0, what: BodyFault::Unknown(flags) });
    }
    if flags & THINNED == 0 {
        return Ok(Some(offset));
    }
    cursor.byte()?;
    let events = cursor.length(limits::COMMIT_EVENTS_MAX)?;
    cursor.skip_meta(flags)?;
    cursor.take(digest_bytes(flags))?;
    let origins = cursor.take(ORIGIN_BYTES * events)?.as_chunks::<ORIGIN_BYTES>().0;
    let found = origins.binary_search_by_key(&offset, |pair| read_u32(pair, 0));
    Ok(found.ok().map(|index| read_u32(&origins[index], 4)))
}

/// Bytes of the digest in a body with these flags.
fn digest_bytes(flags: u8) -> usize {
    let has_digest = flags & HAS_IDEMPOTENCY_KEY != 0 && flags & (THINNED | HAS_DIGEST) != 0;
    if has_digest { DIGEST_BYTES } else { 0 }
}

/// Reads writer, idempotency key and fences from the beginning of a body: as much of it as they take.
pub fn meta_of(beginning: &[u8]) -> Result<Meta, BodyError> {
    let mut cursor = Cursor { bytes: beginning, pos: 0, end: beginning.len() };
    let flags = cursor.byte()?;
    if flags & !FLAGS != 0 {
        return Err(BodyError { offset: 0, what: BodyFault::Unknown(flags) });
    }
    cursor.byte()?;
    cursor.length(limits::COMMIT_EVENTS_MAX)?;
    cursor.meta(flags)
}

/// Reads the note of the checkpoint whose record first began at `offset` of `body`, without its names.
pub fn note_at(body: &[u8], offset: u32) -> Result<Option<&str>, BodyError> {
    let (mut cursor, tag) = Cursor::at(body, offset, CHECKPOINT, WITH_NOTE)?;
    cursor.skip_name()?;
    cursor.note(tag)
}

/// Reads the fork whose record first began at `offset` of `body`.
pub fn fork_at(body: &[u8], offset: u32) -> Result<ForkAt<'_>, BodyError> {
    let (mut cursor, _) = Cursor::at(body, offset, FORK, 0)?;
    cursor.fork_fields()
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) pos: usize,
    pub(super) end: usize,
}

impl<'a> Cursor<'a> {
    /// Behind the tag of the record that first began at `offset` and must be of this kind, with no other flags than
    /// these.
    pub(super) fn at(bytes: &'a [u8], offset: u32, kind: u8, flags: u8) -> Result<(Cursor<'a>, u8), BodyError> {
        let removed = || BodyError { offset: offset as usize, what: BodyFault::Removed };
        let place = place_of(bytes, offset)?.ok_or_else(removed)?;
        let mut cursor = Cursor { bytes, pos: place as usize, end: bytes.len() };
        let tag = cursor.tag(kind, flags).map_err(|fault| BodyError { offset: offset as usize, ..fault })?;
        Ok((cursor, tag))
    }

    /// Reads the tag of a record that must be of this kind, with no other flags than these.
    #[inline]
    fn tag(&mut self, kind: u8, flags: u8) -> Result<u8, BodyError> {
        let offset = self.pos;
        let tag = self.byte()?;
        if tag & !flags == kind {
            return Ok(tag);
        }
        let known = tag & KIND != kind && tag & KIND <= KIND_MAX;
        Err(BodyError { offset, what: if known { BodyFault::Address } else { BodyFault::Unknown(tag) } })
    }

    #[cold]
    pub(super) fn fault(&self, what: BodyFault) -> BodyError {
        BodyError { offset: self.pos, what }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, BodyError> {
        Ok(self.take(1)?[0])
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], BodyError> {
        match self.bytes.get(self.pos..self.end).and_then(|rest| rest.get(..count)) {
            Some(taken) => {
                self.pos += count;
                Ok(taken)
            }
            None => Err(self.fault(BodyFault::Truncated)),
        }
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, BodyError> {
        let rest = self.bytes.get(self.pos..self.end).unwrap_or_default();
        match varint::get(rest) {
            Ok((value, taken)) => {
                self.pos += taken;
                Ok(value)
            }
            Err(what) => Err(self.fault(what)),
        }
    }

    #[inline]
    pub(super) fn length(&mut self, max: usize) -> Result<usize, BodyError> {
        match usize::try_from(self.varint()?) {
            Ok(length) if length <= max => Ok(length),
            _ => Err(self.fault(BodyFault::Length)),
        }
    }

    pub(super) fn text(&mut self, max: usize) -> Result<&'a str, BodyError> {
        let length = self.length(max)?;
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() => Ok(text),
            _ => Err(self.fault(BodyFault::Name)),
        }
    }

    /// Reads a name that shares its first bytes with the one in `buffer`, into `buffer`.
    #[inline]
    fn name(&mut self, buffer: &mut Vec<u8>, max: usize) -> Result<(), BodyError> {
        let shared = self.length(max)?;
        let rest = self.length(max)?;
        if shared > buffer.len() || shared + rest > max || shared + rest == 0 {
            return Err(self.fault(BodyFault::Length));
        }
        let bytes = self.take(rest)?;
        buffer.truncate(shared);
        buffer.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    pub(super) fn skip_name(&mut self) -> Result<(), BodyError> {
        self.length(limits::KEY_BYTES_MAX)?;
        let rest = self.length(limits::KEY_BYTES_MAX)?;
        self.take(rest)?;
        Ok(())
    }

    /// Reads writer, idempotency key and fences, as far as the flags name them.
    fn meta(&mut self, flags: u8) -> Result<Meta, BodyError> {
        let mut meta = Meta::default();
        if flags & HAS_WRITER != 0 {
            let name = self.text(limits::WRITER_BYTES_MAX)?;
            meta.writer = Some(Writer::new(name).map_err(|_| self.fault(BodyFault::Name))?);
        }
        if flags & HAS_ATTEMPT != 0 {
            let attempt = u32::try_from(self.varint()?).map_err(|_| self.fault(BodyFault::Length))?;
            meta.writer = meta.writer.map(|writer| writer.attempt(attempt));
        }
        if flags & HAS_IDEMPOTENCY_KEY != 0 {
            meta.idempotency_key = Some(self.text(limits::IDEMPOTENCY_KEY_BYTES_MAX)?.to_owned());
        }
        if flags & HAS_FENCES != 0 {
            for _ in 0..self.length(limits::FENCES_MAX)? {
                let scope = self.text(limits::SCOPE_BYTES_MAX)?;
                let scope = Scope::from_stored(scope).map_err(|_| self.fault(BodyFault::Name))?;
                let token = self.varint()?;
                if token > limits::FENCING_TOKEN_MAX {
                    return Err(self.fault(BodyFault::Length));
                }
                meta.fences.push(Fence { scope, token });
            }
        }
        Ok(meta)
    }

    pub(super) fn note(&mut self, tag: u8) -> Result<Option<&'a str>, BodyError> {
        if tag & WITH_NOTE == 0 {
            return Ok(None);
        }
        let note = self.text(limits::NOTE_BYTES_MAX)?;
        self.checked_key(note.as_bytes()).map(Some)
    }

    fn fork_fields(&mut self) -> Result<ForkAt<'a>, BodyError> {
        let length = self.length(limits::SCOPE_BYTES_MAX)?;
        let origin = self.take(length)?;
        Ok(ForkAt { origin: self.checked_path(origin)?, point: Seq(self.varint()?) })
    }

    /// The text of a name. That it is not empty was seen before, or is seen by who asks: no path may be.
    #[inline]
    fn checked<'b>(&self, name: &'b [u8]) -> Result<&'b str, BodyError> {
        std::str::from_utf8(name).map_err(|_| self.fault(BodyFault::Name))
    }

    /// A key, a checkpoint's name or a note that a writer could have written.
    #[inline]
    pub(super) fn checked_key<'b>(&self, name: &'b [u8]) -> Result<&'b str, BodyError> {
        if name.contains(&0) {
            return Err(self.fault(BodyFault::Name));
        }
        self.checked(name)
    }

    /// A scope that a writer, or the store itself, could have written.
    pub(super) fn checked_path<'b>(&self, name: &'b [u8]) -> Result<&'b str, BodyError> {
        let text = self.checked(name)?;
        check_path(text).map_err(|_| self.fault(BodyFault::Name))?;
        Ok(text)
    }

    #[inline]
    fn set_fields(&mut self, tag: u8) -> Result<SetAt<'a>, BodyError> {
        let content_type = if tag & WITH_CONTENT_TYPE != 0 { Some(self.content_type()?) } else { None };
        let expires_at = if tag & WITH_EXPIRY != 0 {
            let bytes = self.take(8)?;
            Some(Timestamp(i64::from_le_bytes(bytes.try_into().expect("took 8 bytes"))))
        } else {
            None
        };
        let length = self.length(limits::COMMIT_BYTES_MAX)?;
        Ok(SetAt { value: self.take(length)?, content_type, expires_at })
    }

    fn content_type(&mut self) -> Result<&'a str, BodyError> {
        let byte = self.byte()?;
        if byte >= 0x80 {
            let known = WELL_KNOWN.get(usize::from(byte & 0x7f)).copied();
            return known.ok_or_else(|| self.fault(BodyFault::Unknown(byte)));
        }
        let bytes = self.take(usize::from(byte))?;
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && bytes.iter().all(|b| (0x20..0x7f).contains(b)) => Ok(text),
            _ => Err(self.fault(BodyFault::Name)),
        }
    }

    fn skip_meta(&mut self, flags: u8) -> Result<(), BodyError> {
        if flags & HAS_WRITER != 0 {
            self.text(limits::WRITER_BYTES_MAX)?;
        }
        if flags & HAS_ATTEMPT != 0 {
            self.varint()?;
        }
        if flags & HAS_IDEMPOTENCY_KEY != 0 {
            self.text(limits::IDEMPOTENCY_KEY_BYTES_MAX)?;
        }
        if flags & HAS_FENCES != 0 {
            for _ in 0..self.length(limits::FENCES_MAX)? {
                self.text(limits::SCOPE_BYTES_MAX)?;
                self.varint()?;
            }
        }
        Ok(())
    }
}

fn read_u32(bytes: &[u8], offset: usize) -> u32 {
    match bytes.get(offset..offset + 4) {
        Some(found) => u32::from_le_bytes(found.try_into().expect("a range of 4 bytes")),
        None => 0,
    }
}
