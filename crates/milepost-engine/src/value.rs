//! [`Value`]: the bytes of one version, borrowed from the log; of a cold segment, decompressed.

use std::{fmt, ops::Deref};

use milepost_log::{BodyPart, FoundFrame, FrameRef};
use milepost_types::{
    Corruption, Seq, Timestamp,
    body::{BodyError, BodyFault, place_of, set_in},
};

/// Bytes of a record that are looked at first: most values begin in them and end in the same page.
const RECORD_BYTES: usize = 64;

/// What `read` makes of a commit's body from `at` on, and the part that it read: more of it for as long as it says that
/// there is a fault, which may be that it ends.
#[inline]
fn read_with_part<'f, T>(
    found: &FoundFrame<'f>,
    at: usize,
    read: impl Fn(&[u8]) -> Result<T, BodyError>,
) -> Result<Result<(T, BodyPart<'f>), BodyError>, Corruption> {
    let mut count = RECORD_BYTES;
    loop {
        let body = found.body_from(at, count)?;
        match read(&body) {
            Ok(made) => return Ok(Ok((made, body))),
            Err(error) if at + body.len() >= found.body_bytes() => return Ok(Err(error)),
            // Of a compressed segment each try decompresses all of it again: few tries, and not far beyond the end.
            Err(_) => count = body.len().max(count).saturating_mul(4),
        }
    }
}

/// What `read` makes of a commit's body from `at` on.
#[inline]
pub(crate) fn read_part<T>(
    found: &FoundFrame<'_>,
    at: usize,
    read: impl Fn(&[u8]) -> Result<T, BodyError>,
) -> Result<Result<T, BodyError>, Corruption> {
    Ok(read_with_part(found, at, read)?.map(|(made, _)| made))
}

/// One version of a key: its bytes, and where they come from. Cheap to clone; holds on to its part of the log.
#[derive(Clone)]
pub struct Value {
    /// From where the set's record begins in the commit's body, to where its bytes end.
    frame: FrameRef,
    /// Where its bytes are in that.
    start: usize,
    end: usize,
    expires_at: Option<Timestamp>,
}

impl Value {
    /// The value that a record sets. Reads no more of the commit's body than the record.
    #[inline]
    pub(crate) fn of_record(found: &FoundFrame<'_>, record: u32) -> Result<Result<Value, BodyError>, Corruption> {
        let record = if found.may_be_thinned() {
            let removed = BodyError { offset: record as usize, what: BodyFault::Removed };
            match read_part(found, 0, |body| place_of(body, record))?.and_then(|place| place.ok_or(removed)) {
                Ok(place) => place,
                Err(error) => return Ok(Err(error)),
            }
        } else {
            record
        };
        let read = read_with_part(found, record as usize, |body| {
            let set = set_in(body)?;
            let start = set.value.as_ptr().addr() - body.as_ptr().addr();
            Ok((start, start + set.value.len(), set.expires_at))
        })?;
        Ok(read.map(|((start, end, expires_at), part)| Value {
            frame: found.hold_part((record as usize, &part), 0..end),
            start,
            end,
            expires_at,
        }))
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
        set_in(self.frame.body()).ok().and_then(|set| set.content_type)
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

#[cfg(test)]
mod tests;
