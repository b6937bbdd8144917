//! The atomic unit: [`Commit`] as read back, with its [`Meta`]; [`Precondition`]s, [`Fence`]s and the [`Receipt`].

use std::{fmt, sync::Arc};

use crate::{
    Event, Key, Scope, Seq, Timestamp,
    limits::{self, LimitError},
};

/// Who commits: a name, and which attempt of its task it is.
///
/// ```
/// use milepost_types::Writer;
/// let writer = Writer::new("worker-7")?.attempt(3);
/// assert_eq!(writer.to_string(), "worker-7#3");
/// # Ok::<(), milepost_types::LimitError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    name: Arc<str>,
    attempt: Option<u32>,
}

impl Writer {
    /// A writer by name: any UTF-8 text of 1 to 256 bytes.
    pub fn new(name: &str) -> Result<Writer, LimitError> {
        limits::check("writer", "bytes", name.len(), 1, limits::WRITER_BYTES_MAX)?;
        Ok(Writer { name: name.into(), attempt: None })
    }

    /// The same writer, in its `attempt`th attempt.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Writer {
        self.attempt = Some(attempt);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which attempt, if it was said.
    #[must_use]
    pub fn attempt_number(&self) -> Option<u32> {
        self.attempt
    }
}

/// Escaped for a screen; the attempt follows after `#`.
impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&crate::scope::Escaped(&self.name), f)?;
        match self.attempt {
            Some(attempt) => write!(f, "#{attempt}"),
            None => Ok(()),
        }
    }
}

/// A claim on a scope: commits with a lower token than the highest seen for it are refused from then on, and so are
/// those with an equal one from a writer of another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Which scope.
    pub scope: Scope,
    /// The token, at most [`limits::FENCING_TOKEN_MAX`].
    pub token: u64,
}

/// What a commit carries beside its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Who wrote it.
    pub writer: Option<Writer>,
    /// Makes a repeated request answer with the first outcome.
    pub idempotency_key: Option<String>,
    /// The scopes it claimed.
    pub fences: Vec<Fence>,
}

/// A condition judged at the commit's place in the order. A failed one refuses the whole commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The key has no value.
    KeyAbsent {
        /// Whose state.
        scope: Scope,
        /// Which key.
        key: Key,
    },
    /// The key's value was set by the commit at `seq`.
    KeyAt {
        /// Whose state.
        scope: Scope,
        /// Which key.
        key: Key,
        /// The version expected.
        seq: Seq,
    },
    /// The last commit that touched the scope is the one at `seq`; [`Seq::ZERO`] for a scope never touched.
    ScopeAt {
        /// Which scope.
        scope: Scope,
        /// The version expected.
        seq: Seq,
    },
    /// The key has no value, or one that is below `bound` in the order of bytes.
    ValueBelow {
        /// Whose state.
        scope: Scope,
        /// Which key.
        key: Key,
        /// The bound.
        bound: Vec<u8>,
    },
}

/// Where a durable commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Its position. Of a commit that changed nothing (it deleted only absent keys) and was not appended: the position
    /// it would have read from.
    pub seq: Seq,
    /// Its timestamp.
    pub at: Timestamp,
}

/// What a commit with an idempotency key said as it was first written: told by a hash, once some of it went.
///
/// ```
/// use milepost_types::Digest;
/// let digest = Digest([0xa7; 16]);
/// assert_eq!(digest.to_string(), "a7".repeat(16));
/// assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Reads what its display writes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Digest> {
        let is_canonical = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_canonical)?;
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = (number >> (8 * (15 - index))) as u8;
        }
        Some(Digest(bytes))
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A durable commit, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its position.
    pub seq: Seq,
    /// Its timestamp.
    pub at: Timestamp,
    /// Who wrote it and what it claimed.
    pub meta: Meta,
    /// Of one with an idempotency key from which compaction took events: what it is repeated as.
    pub digest: Option<Digest>,
    /// Its events in order.
    pub events: Vec<Event>,
}

#[cfg(test)]
mod tests;
