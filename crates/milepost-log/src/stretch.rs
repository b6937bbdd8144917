//! [`Stretch`]: the commits of one segment, as whoever copies a log takes them. [`SealedFile`]: the same as a file of
//! its own.
//!
//! Invariant: a stretch holds what it is made of: it can be read for as long as it is held, whatever becomes of the
//! file's name. What it gives was durable, if the `Seq` that bounds it was.
//!
//! Where a segment is sealed, its file is copied as it stands. Of one that grows, a sealed file is made of the frames
//! there are: it carries the salt and the number of its segment, and every frame is a batch of its own, since it was
//! synced before it was copied.

mod sealed_file;

use std::{ops::Range, path::Path};

use milepost_types::{Corruption, Seq, Timestamp};

pub use sealed_file::SealedFile;

use crate::{
    Found, FrameView, LogReader, SegmentId,
    chain::Chain,
    format::{
        footer::{self, Footer},
        frame::{FRAME_HEADER_BYTES, frame_bytes},
        header::{Form, SEGMENT_HEADER_BYTES, SegmentHeader},
        times::Times,
        u32_at,
        unpacked::Unpacked,
    },
    segment::Part,
};

/// The commits of one segment, up to some.
#[derive(Clone, Debug)]
pub struct Stretch {
    part: Part,
    header: SegmentHeader,
    last_seq: Seq,
}

/// What tells one history of a segment's file from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The segment's salt: new for every life of its file.
    pub salt: u64,
    /// Header checksum of the last frame. By the chain, it stands for all frames before it.
    pub last_crc: u32,
}

impl LogReader {
    /// The segments at this moment, each up to `last`; those that begin later, or were dropped, are left out.
    pub fn stretches(&self, last: Seq) -> Result<Vec<Stretch>, Corruption> {
        let shape = self.shape();
        let mut stretches = Vec::new();
        for part in shape.parts.iter().filter(|part| part.frames() > 0 && part.first_seq() <= last) {
            let end = Seq(part.first_seq().0 + part.frames() as u64 - 1);
            if let Some(header) = part.header()? {
                stretches.push(Stretch { header, part: part.clone(), last_seq: end.min(last) });
            }
        }
        Ok(stretches)
    }
}

impl Part {
    /// `None` of one that was dropped.
    fn header(&self) -> Result<Option<SegmentHeader>, Corruption> {
        match self {
            Part::Heap(heap) => Ok(Some(*heap.header())),
            Part::Sealed(sealed) => {
                let bytes = sealed.readable(0..SEGMENT_HEADER_BYTES)?;
                let header = SegmentHeader::decode(bytes).map_err(|fault| Corruption {
                    file: sealed.path().to_owned(),
                    offset: 0,
                    seq: Some(self.first_seq()),
                    what: fault.to_string(),
                })?;
                Ok(Some(header))
            }
            Part::Dropped(_) => Ok(None),
        }
    }
}

impl Stretch {
    /// Number of the segment.
    #[must_use]
    pub fn segment(&self) -> SegmentId {
        self.header.id
    }

    /// The first commit of the segment.
    #[must_use]
    pub fn first_seq(&self) -> Seq {
        self.header.first_seq
    }

    /// The last commit.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// Which history it is, through a commit of it.
    pub fn provenance(&self, seq: Seq) -> Result<Provenance, Corruption> {
        let mut last_crc = self.header.crc();
        // Where the commit itself was removed, the one before it stands for the same history.
        for seq in (self.header.first_seq.0..=seq.0).rev() {
            if let Some(crc) = self.header_crc(Seq(seq))? {
                last_crc = crc;
                break;
            }
        }
        Ok(Provenance { salt: self.header.salt, last_crc })
    }

    /// When a commit was stamped.
    pub fn at(&self, seq: Seq) -> Result<Timestamp, Corruption> {
        self.part.stamp((seq.0 - self.header.first_seq.0) as usize)
    }

    /// Bytes of the file, if all of it is this stretch: a sealed segment with its footer.
    #[must_use]
    pub fn whole_bytes(&self) -> Option<usize> {
        match &self.part {
            Part::Sealed(sealed) => {
                let facts = sealed.facts().filter(|facts| facts.last_seq == self.last_seq);
                facts.map(|_| sealed.bytes().len())
            }
            Part::Heap(_) | Part::Dropped(_) => None,
        }
    }

    /// That file.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.part {
            Part::Sealed(sealed) => Some(sealed.path()),
            Part::Heap(_) | Part::Dropped(_) => None,
        }
    }

    /// Bytes of that file. They are not checked.
    pub fn read(&self, range: Range<usize>) -> Result<&[u8], Corruption> {
        match &self.part {
            Part::Sealed(sealed) => sealed.readable(range),
            Part::Heap(_) | Part::Dropped(_) => Ok(&[]),
        }
    }

    /// About how many bytes [`Stretch::seal`] gives for the commits from one on.
    pub fn bytes_from(&self, from: Seq) -> Result<u64, Corruption> {
        let mut bytes = SEGMENT_HEADER_BYTES as u64;
        self.each(from, &mut |view| bytes += (frame_bytes(view.body.len()) + size_of::<u32>()) as u64)?;
        Ok(bytes)
    }

    /// The commits from one on, as the file of a sealed segment. All are in the epoch in which the segment was begun:
    /// so it is no later one than that of the segments behind it.
    pub fn seal(&self, from: Seq) -> Result<Vec<u8>, Corruption> {
        let header = SegmentHeader { first_seq: from, form: Form::Raw, ..self.header };
        let mut sealing = Sealing::new(header);
        self.each(from, &mut |view| sealing.push(view))?;
        Ok(sealing.finish())
    }

    fn each(&self, from: Seq, take: &mut dyn FnMut(&FrameView<'_>)) -> Result<(), Corruption> {
        let mut unpacked = Unpacked::default();
        for seq in from.0..=self.last_seq.0 {
            if let Found::Frame(view) = self.part.view(self.index(Seq(seq)), &mut unpacked)? {
                take(&view);
            }
        }
        Ok(())
    }

    /// The checksum of the header of a frame; `None` if it was removed.
    fn header_crc(&self, seq: Seq) -> Result<Option<u32>, Corruption> {
        let mut unpacked = Unpacked::default();
        let index = self.index(seq);
        match &self.part {
            Part::Sealed(sealed) => sealed.header_crc(index, &mut unpacked),
            Part::Heap(heap) => {
                let bytes = heap.get(index).map(|frame| heap.bytes(frame)).transpose()?;
                Ok(bytes.map(|bytes| u32_at(bytes, FRAME_HEADER_BYTES - 4)))
            }
            Part::Dropped(_) => Ok(None),
        }
    }

    fn index(&self, seq: Seq) -> usize {
        (seq.0 - self.header.first_seq.0) as usize
    }
}

/// A sealed segment in the making, in memory.
struct Sealing {
    header: SegmentHeader,
    chain: Chain,
    bytes: Vec<u8>,
    offsets: Vec<u32>,
    stamps: Vec<i64>,
}

impl Sealing {
    fn new(header: SegmentHeader) -> Sealing {
        let chain = Chain::begin(&header, Timestamp::MIN);
        Sealing { header, chain, bytes: header.encode().to_vec(), offsets: Vec::new(), stamps: Vec::new() }
    }

    fn push(&mut self, view: &FrameView<'_>) {
        let begin = self.bytes.len();
        self.offsets.push(begin as u32);
        self.stamps.push(view.at.0);
        self.bytes.resize(begin + FRAME_HEADER_BYTES, 0);
        self.bytes.extend_from_slice(view.body);
        let body_crc = crc32fast::hash(view.body);
        self.chain.write(&mut self.bytes[begin..], body_crc, view.at, view.seq, self.header.seed());
        self.bytes.resize(begin + frame_bytes(view.body.len()), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let footer = Footer {
            first_seq: self.header.first_seq.0,
            last_seq: self.chain.next_seq.0 - 1,
            first_at: self.stamps.first().copied().unwrap_or_default(),
            last_at: self.chain.last_at.0,
            last_crc: self.chain.prev_crc,
            offsets: self.offsets,
            times: Times::of(&self.stamps),
        };
        let (footer, _) = footer::encode(&footer, self.header.crc(), self.header.seed());
        self.bytes.extend_from_slice(&footer);
        self.bytes
    }
}
