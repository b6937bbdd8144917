//! [`Met`]: a frame of which the header was read. [`BodyPart`]: some of its body.

use std::{ops::Deref, ops::Range, sync::Arc};

use milepost_types::{Seq, Timestamp};

use crate::FrameView;

/// A frame whose header was read. Whether its body can be read was not asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Met<'a> {
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    /// Where it stands in the segment as it is read.
    pub(crate) offset: u64,
    pub(crate) body: MetBody<'a>,
}

/// The body of a frame whose header was read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MetBody<'a> {
    /// In the map, or in memory.
    There(&'a [u8]),
    /// So many bytes, in blocks.
    Packed(usize),
}

impl<'a> Met<'a> {
    #[inline]
    pub(crate) fn of_view(view: FrameView<'a>) -> Met<'a> {
        Met { seq: view.seq, at: view.at, offset: view.offset, body: MetBody::There(view.body) }
    }
}

impl MetBody<'_> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            MetBody::There(body) => body.len(),
            MetBody::Packed(bytes) => *bytes,
        }
    }
}

/// Bytes of a commit's body: borrowed from the log where they stand in it as they are, else shared with whoever else
/// reads the same block.
#[derive(Clone, Debug)]
pub enum BodyPart<'a> {
    /// From the map of a segment, or from the memory of the open one.
    Borrowed(&'a [u8]),
    /// Of a compressed segment.
    Shared {
        /// A block or more.
        bytes: Arc<[u8]>,
        /// Which of them.
        range: Range<usize>,
    },
}

impl Deref for BodyPart<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            BodyPart::Borrowed(bytes) => bytes,
            BodyPart::Shared { bytes, range } => &bytes[range.clone()],
        }
    }
}

impl BodyPart<'_> {
    /// Some of it, to keep. What is small does not keep the block.
    pub(crate) fn share((bytes, given): (&Arc<[u8]>, &Range<usize>), range: Range<usize>) -> (Arc<[u8]>, u32) {
        let begin = given.start + range.start;
        if 2 * range.len() >= bytes.len() {
            return (Arc::clone(bytes), begin as u32);
        }
        (bytes[begin..begin + range.len()].into(), 0)
    }
}

#[cfg(test)]
mod tests;
