//! The codec of a commit's body. Pure: bytes in, value or error out.
//!
//! ```text
//! u8        flags: 1 writer, 2 attempt, 4 idempotency key, 8 fences, 16 thinned, 32 digest; the other bits are zero
//! u8        stride: every 2^stride-th event has its offset in the table (0..=15)
//! varint    number of events
//! [writer]  varint length, UTF-8
//! [attempt] varint
//! [key]     varint length, UTF-8
//! [fences]  varint count, then each: varint length, scope in UTF-8, varint token
//! [digest]  16 bytes, of a thinned body with a key, or where the flag says so, which is only of one with a key that
//!           is not thinned: XXH3-128 of the records as first written
//! [origins] of a thinned body: u32, u32 for each event: where its record first began, and where it begins now
//! records   a scope record, or an event of the scope named last:
//!   0x00 scope         varint shared, varint rest, the rest of the bytes     (shared with the scope before)
//!   0x01 set           varint shared, varint rest, the rest of the key       (shared with the key before)
//!                      [0x10: content type] [0x20: i64 expiry] varint length, value
//!   0x02 delete        varint shared, varint rest, the rest of the key
//!   0x03 clear
//!   0x04 clear prefix  varint length, UTF-8
//!   0x05 checkpoint    varint shared, varint rest, the rest of the name     (shared with the key before)
//!                      [0x10: varint length, the note in UTF-8]
//!   0x06 release       varint shared, varint rest, the rest of the name
//!   0x07 fork          varint length, the origin in UTF-8, varint point
//!   0x08 retain        varint length, the prefix in UTF-8; a varint each:
//!                      [0x10: keep for, in us] [0x20: keep last] [0x40: expire ended, in us] [0x80: u8, which more:
//!                      1 cold after, in us, 2 idempotency for, in us; the other bits are zero, and not all of them]
//!   0x09 unretain      varint length, the prefix in UTF-8
//!   0x0a hold          varint length, the prefix in UTF-8, varint length, the name in UTF-8
//!                      [0x10: varint length, the note in UTF-8]
//!   0x0b unhold        varint length, the prefix in UTF-8, varint length, the name in UTF-8
//!   0x0c erase         varint shared, varint rest, the rest of the key, varint bytes  (shared with the key before)
//!   0x0d erase scope   varint bytes
//!   0x0e erase prefix  varint length, the prefix in UTF-8, varint bytes
//! table     u32 each: where the 2^stride-th, 2·2^stride-th … event begins; the first begins the table
//! u32       where the table begins
//! ```
//!
//! A thinned body is what is left of one from which events were removed. Its events are known by where their records
//! first began, so that an address that was given out once stays right: all functions here speak of those, whatever the
//! form of the body. One that was taken over into another log is not thinned there, since addresses begin anew: the
//! digest it has then says what it was repeated as.
//!
//! All integers are little-endian; a varint is LEB128 in its shortest form. A content type is one byte above 127 for
//! a well-known one, else its length and its text. A scope is written once for the events that follow, and a key shares
//! the bytes it begins with, so a batch of marks on files costs little more than what their paths don't share.
//!
//! Invariant: what [`Body::parse`] and [`Events`] accept can be encoded again by [`BodyEncoder`] and then says the
//! same; anything else is a [`BodyError`] that names the offset, and never a panic or a large allocation.

mod decode;
mod encode;
mod thin;
mod varint;

mod retention;

pub use decode::{Body, Events, ForkAt, Positioned, SetAt, fork_at, meta_of, note_at, place_of, set_at, set_in};
pub use encode::BodyEncoder;
pub use retention::{erased_at, hold_at, policy_at};
pub use thin::Thinned;

use thiserror::Error;

pub(crate) const HAS_WRITER: u8 = 1;
pub(crate) const HAS_ATTEMPT: u8 = 2;
pub(crate) const HAS_IDEMPOTENCY_KEY: u8 = 4;
pub(crate) const HAS_FENCES: u8 = 8;
pub(crate) const THINNED: u8 = 16;
/// Of a body that is not thinned: events were removed where it was taken over from.
pub(crate) const HAS_DIGEST: u8 = 32;
pub(crate) const FLAGS: u8 = HAS_WRITER | HAS_ATTEMPT | HAS_IDEMPOTENCY_KEY | HAS_FENCES | THINNED | HAS_DIGEST;
/// Bytes of the digest that a body with an idempotency key has of its content as first written, once some of it went.
pub(crate) const DIGEST_BYTES: usize = 16;
/// Bytes that a thinned body has for each event: where its record first began, and where it begins now.
pub(crate) const ORIGIN_BYTES: usize = 8;
pub(crate) const STRIDE_MAX: u8 = 15;

pub(crate) const SCOPE: u8 = 0x00;
pub(crate) const SET: u8 = 0x01;
pub(crate) const DELETE: u8 = 0x02;
pub(crate) const CLEAR: u8 = 0x03;
pub(crate) const CLEAR_PREFIX: u8 = 0x04;
pub(crate) const CHECKPOINT: u8 = 0x05;
pub(crate) const RELEASE: u8 = 0x06;
pub(crate) const FORK: u8 = 0x07;
pub(crate) const RETAIN: u8 = 0x08;
pub(crate) const UNRETAIN: u8 = 0x09;
pub(crate) const HOLD: u8 = 0x0a;
pub(crate) const UNHOLD: u8 = 0x0b;
pub(crate) const ERASE: u8 = 0x0c;
pub(crate) const ERASE_SCOPE: u8 = 0x0d;
pub(crate) const ERASE_PREFIX: u8 = 0x0e;
/// The highest kind that is known.
pub(crate) const KIND_MAX: u8 = ERASE_PREFIX;
pub(crate) const KIND: u8 = 0x0f;
pub(crate) const WITH_CONTENT_TYPE: u8 = 0x10;
pub(crate) const WITH_EXPIRY: u8 = 0x20;
pub(crate) const WITH_NOTE: u8 = 0x10;
pub(crate) const KEEP_FOR: u8 = 0x10;
pub(crate) const KEEP_LAST: u8 = 0x20;
pub(crate) const EXPIRE_ENDED: u8 = 0x40;
pub(crate) const MORE: u8 = 0x80;
/// In the byte that says which more there are.
pub(crate) const COLD_AFTER: u8 = 1;
pub(crate) const IDEMPOTENCY_FOR: u8 = 2;

/// Content types that take one byte, from 128 on. New ones go to the end.
pub(crate) const WELL_KNOWN: [&str; 5] =
    ["application/octet-stream", "text/plain", "application/json", "application/x-rkyv", "application/cbor"];

/// Bytes that are no body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {offset} of the commit's body")]
pub struct BodyError {
    /// Where in the body.
    pub offset: usize,
    /// What was found.
    pub what: BodyFault,
}

/// What is wrong with the bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyFault {
    /// It ends inside a field.
    #[error("body ends too early")]
    Truncated,
    /// A flag or kind of event that this version does not know: a newer version wrote it.
    #[error("unknown kind of event or flag {0:#04x}")]
    Unknown(u8),
    /// A varint that is too long, or not in its shortest form.
    #[error("malformed varint")]
    Varint,
    /// A length beyond a limit or beyond the body.
    #[error("length out of range")]
    Length,
    /// A name that is not UTF-8, or empty.
    #[error("malformed name")]
    Name,
    /// A table of positions that does not lead to the events.
    #[error("table of positions does not match the events")]
    Table,
    /// An event of another kind than the address says.
    #[error("no event of the kind expected")]
    Address,
    /// The event was removed from the commit. No damage.
    #[error("the event that began here was removed")]
    Removed,
    /// A fork from a point that is not before it: whoever followed it might walk in a circle.
    #[error("fork from a point that is not before it")]
    Point,
}

impl BodyError {
    /// Whether the bytes are no damage: a newer version wrote what this one does not know.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        match self.what {
            BodyFault::Unknown(_) => true,
            BodyFault::Truncated
            | BodyFault::Varint
            | BodyFault::Length
            | BodyFault::Name
            | BodyFault::Table
            | BodyFault::Address
            | BodyFault::Removed
            | BodyFault::Point => false,
        }
    }

    /// Whether the bytes are no damage: the event was there, and was removed.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.what == BodyFault::Removed
    }
}

#[cfg(test)]
mod tests;
