//! [`Value`]: the bytes of one version, borrowed from the log.

use std::{fmt, ops::Deref};

use milepost_log::{FoundFrame, FrameRef};
use milepost_types::{
    Seq, Timestamp,
    body::{BodyError, set_at},
};

/// One version of a key: its bytes, and where they come from. Cheap to clone; holds on to its part of the log.
#[derive(Clone)]
pub struct Value {
    frame: FrameRef,
    /// Where the set's record begins in the commit's body.
    record: u32,
    /// Where its bytes are in the body.
    start: usize,
    end: usize,
    expires_at: Option<Timestamp>,
}

impl Value {
    #[inline]
    pub(crate) fn of_record(found: &FoundFrame<'_>, record: u32) -> Result<Value, BodyError> {
        let body = found.view().body;
        let set = set_at(body, record)?;
        let start = set.value.as_ptr() as usize - body.as_ptr() as usize;
        let (end, expires_at) = (start + set.value.len(), set.expires_at);
        Ok(Value { frame: found.hold(), record, start, end, expires_at })
    }

    /// The commit that set it: the key's version.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.frame.seq()
    }

    /// When it was committed.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.frame.at()
    }

    /// From when on it counts as gone.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// What the bytes are, if the writer said so.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        set_at(self.frame.body(), self.record).ok().and_then(|set| set.content_type)
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.frame.body()[self.start..self.end]
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes of seq {})", self.len(), self.seq())
    }
}

impl PartialEq<[u8]> for Value {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}
