//! The records of what retention is told: policies, holds, erasures.
//!
//! Invariant: a policy, a hold's name and its note that are read could have been written.

use super::{
    BodyEncoder, BodyError, BodyFault, COLD_AFTER, ERASE, ERASE_PREFIX, ERASE_SCOPE, EXPIRE_ENDED, HOLD,
    IDEMPOTENCY_FOR, KEEP_FOR, KEEP_LAST, KIND, MORE, RETAIN, UNHOLD, UNRETAIN, WITH_NOTE, decode::Cursor,
    encode::put_text, place_of, varint,
};
use crate::{
    Note, Policy, Scope, ScopePrefix,
    event::{check_key, check_note},
    limits::{self, LimitError},
    policy::check_hold_name,
    scope::ScopeError,
};

impl BodyEncoder {
    /// Adds a policy. On an error nothing was added.
    pub fn retain(&mut self, prefix: &ScopePrefix, policy: &Policy) -> Result<(), ScopeError> {
        self.retain_raw(prefix.as_str(), policy)
    }

    pub(super) fn retain_raw(&mut self, prefix: &str, policy: &Policy) -> Result<(), ScopeError> {
        policy.check()?;
        self.room(prefix.len() + 48)?;
        let (fields, more) = fields(policy);
        let present = |fields: &[Field]| {
            fields.iter().filter(|(_, field)| field.is_some()).fold(0, |flags, (flag, _)| flags | flag)
        };
        let which = present(&more);
        self.start(RETAIN | present(&fields) | if which != 0 { MORE } else { 0 });
        put_text(&mut self.records, prefix);
        fields.into_iter().filter_map(|(_, field)| field).for_each(|field| varint::put(&mut self.records, field));
        if which != 0 {
            self.records.push(which);
        }
        more.into_iter().filter_map(|(_, field)| field).for_each(|field| varint::put(&mut self.records, field));
        Ok(())
    }

    /// Adds that a prefix has no policy of its own any more.
    pub fn unretain(&mut self, prefix: &ScopePrefix) -> Result<(), ScopeError> {
        self.unretain_raw(prefix.as_str())
    }

    pub(super) fn unretain_raw(&mut self, prefix: &str) -> Result<(), ScopeError> {
        self.prefixed(UNRETAIN, prefix, 0).map_err(Into::into)
    }

    /// Adds a hold. On an error nothing was added.
    pub fn hold(&mut self, prefix: &ScopePrefix, name: &str, note: Option<&Note>) -> Result<(), ScopeError> {
        self.hold_raw(prefix.as_str(), name, note.map(Note::as_str))
    }

    pub(super) fn hold_raw(&mut self, prefix: &str, name: &str, note: Option<&str>) -> Result<(), ScopeError> {
        check_hold_name(name)?;
        note.map_or(Ok(()), check_note)?;
        let tag = HOLD | if note.is_some() { WITH_NOTE } else { 0 };
        self.prefixed(tag, prefix, name.len() + note.map_or(0, str::len))?;
        put_text(&mut self.records, name);
        if let Some(note) = note {
            put_text(&mut self.records, note);
        }
        Ok(())
    }

    /// Adds the release of a hold. On an error nothing was added.
    pub fn unhold(&mut self, prefix: &ScopePrefix, name: &str) -> Result<(), ScopeError> {
        self.unhold_raw(prefix.as_str(), name)
    }

    pub(super) fn unhold_raw(&mut self, prefix: &str, name: &str) -> Result<(), ScopeError> {
        check_hold_name(name)?;
        self.prefixed(UNHOLD, prefix, name.len())?;
        put_text(&mut self.records, name);
        Ok(())
    }

    /// Adds the erasure of a key, of whose values there were so many bytes. On an error nothing was added.
    pub fn erase(&mut self, scope: &Scope, key: &str, bytes: u64) -> Result<(), ScopeError> {
        self.erase_raw(scope.as_str(), key, bytes)
    }

    pub(super) fn erase_raw(&mut self, scope: &str, key: &str, bytes: u64) -> Result<(), ScopeError> {
        check_key(key)?;
        self.begin(scope, scope.len() + key.len())?;
        self.keyed(ERASE, key);
        varint::put(&mut self.records, bytes);
        Ok(())
    }

    /// Adds the erasure of a scope.
    pub fn erase_scope(&mut self, scope: &Scope, bytes: u64) -> Result<(), ScopeError> {
        self.erase_scope_raw(scope.as_str(), bytes)
    }

    pub(super) fn erase_scope_raw(&mut self, scope: &str, bytes: u64) -> Result<(), ScopeError> {
        self.begin(scope, scope.len())?;
        self.start(ERASE_SCOPE);
        varint::put(&mut self.records, bytes);
        Ok(())
    }

    /// Adds the erasure of all scopes at and below a prefix.
    pub fn erase_prefix(&mut self, prefix: &ScopePrefix, bytes: u64) -> Result<(), ScopeError> {
        self.erase_prefix_raw(prefix.as_str(), bytes)
    }

    pub(super) fn erase_prefix_raw(&mut self, prefix: &str, bytes: u64) -> Result<(), ScopeError> {
        self.prefixed(ERASE_PREFIX, prefix, 10)?;
        varint::put(&mut self.records, bytes);
        Ok(())
    }

    /// Begins a record that names its prefix itself.
    fn prefixed(&mut self, tag: u8, prefix: &str, rest: usize) -> Result<(), LimitError> {
        self.room(prefix.len() + rest)?;
        self.start(tag);
        put_text(&mut self.records, prefix);
        Ok(())
    }
}

/// A field of a policy, with its flag.
type Field = (u8, Option<u64>);

/// The fields of a policy in their order: those whose flags stand in the tag, and those whose flags stand in a byte of
/// their own.
fn fields(policy: &Policy) -> ([Field; 3], [Field; 2]) {
    let Policy { keep_for_us, keep_last, expire_ended_us, cold_after_us, idempotency_for_us } = *policy;
    let first = [(KEEP_FOR, keep_for_us), (KEEP_LAST, keep_last), (EXPIRE_ENDED, expire_ended_us)];
    (first, [(COLD_AFTER, cold_after_us), (IDEMPOTENCY_FOR, idempotency_for_us)])
}

/// Reads the policy whose record begins at `offset` of `body`.
pub fn policy_at(body: &[u8], offset: u32) -> Result<Policy, BodyError> {
    let (mut cursor, tag) = Cursor::at(body, offset, RETAIN, !KIND)?;
    Ok(cursor.policy_fields(tag)?.1)
}

/// Reads the note of the hold whose record begins at `offset` of `body`.
pub fn hold_at(body: &[u8], offset: u32) -> Result<Option<&str>, BodyError> {
    let (mut cursor, tag) = Cursor::at(body, offset, HOLD, WITH_NOTE)?;
    Ok(cursor.hold_fields(tag)?.2)
}

/// Reads how many bytes of values there were before the erasure whose record begins at `offset` of `body`.
pub fn erased_at(body: &[u8], offset: u32) -> Result<u64, BodyError> {
    let tag = place_of(body, offset)?.and_then(|place| body.get(place as usize)).copied().unwrap_or_default();
    let kind = if matches!(tag, ERASE_SCOPE | ERASE_PREFIX) { tag } else { ERASE };
    let (mut cursor, _) = Cursor::at(body, offset, kind, 0)?;
    match kind {
        ERASE => cursor.skip_name()?,
        ERASE_PREFIX => cursor.prefix().map(drop)?,
        _ => {}
    }
    cursor.varint()
}

impl<'a> Cursor<'a> {
    /// A prefix that stands in its record, empty for the root.
    pub(super) fn prefix(&mut self) -> Result<&'a str, BodyError> {
        let length = self.length(limits::SCOPE_BYTES_MAX)?;
        match self.take(length)? {
            [] => Ok(""),
            prefix => self.checked_path(prefix),
        }
    }

    pub(super) fn policy_fields(&mut self, tag: u8) -> Result<(&'a str, Policy), BodyError> {
        let prefix = self.prefix()?;
        let mut field = |flags: u8, flag: u8| if flags & flag == 0 { Ok(None) } else { self.varint().map(Some) };
        let mut policy = Policy {
            keep_for_us: field(tag, KEEP_FOR)?,
            keep_last: field(tag, KEEP_LAST)?,
            expire_ended_us: field(tag, EXPIRE_ENDED)?,
            ..Policy::default()
        };
        if tag & MORE != 0 {
            let which = self.which_more()?;
            let mut field = |flag: u8| if which & flag == 0 { Ok(None) } else { self.varint().map(Some) };
            (policy.cold_after_us, policy.idempotency_for_us) = (field(COLD_AFTER)?, field(IDEMPOTENCY_FOR)?);
        }
        policy.check().map_err(|_| self.fault(BodyFault::Length))?;
        Ok((prefix, policy))
    }

    /// Which fields of a policy follow whose flags have no room in the tag: at least one.
    fn which_more(&mut self) -> Result<u8, BodyError> {
        let offset = self.pos;
        match self.byte()? {
            0 => Err(BodyError { offset, what: BodyFault::Length }),
            which if which & !(COLD_AFTER | IDEMPOTENCY_FOR) != 0 => {
                Err(BodyError { offset, what: BodyFault::Unknown(which) })
            }
            which => Ok(which),
        }
    }

    /// Prefix, name and note.
    pub(super) fn hold_fields(&mut self, tag: u8) -> Result<(&'a str, &'a str, Option<&'a str>), BodyError> {
        let prefix = self.prefix()?;
        let name = self.text(limits::HOLD_NAME_BYTES_MAX)?;
        let name = self.checked_key(name.as_bytes())?;
        Ok((prefix, name, self.note(tag)?))
    }
}
