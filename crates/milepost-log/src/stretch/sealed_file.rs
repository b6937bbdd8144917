//! [`SealedFile`]: the bytes of a sealed segment, all of them checked before anything of it is shown.
//!
//! Pure: the bytes of a file in, frames out.

use std::{ops::ControlFlow, path::Path};

use milepost_types::{Corruption, Seq, Timestamp};

use super::Provenance;
use crate::{
    FrameView, KnownSegment, SealedFacts, SegmentId, StoreId,
    chain::Chain,
    format::{
        footer::{self, FooterView},
        frame::Frame,
        header::{FORMAT_VERSION, HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader},
    },
    recover::{Expected, Position, Stop, walk, walk_kept},
};

/// A sealed segment, every checksum of which is right.
#[derive(Debug)]
pub struct SealedFile<'a> {
    bytes: &'a [u8],
    header: SegmentHeader,
    footer: FooterView,
}

impl<'a> SealedFile<'a> {
    /// Checks header, frames and footer, and that they agree. `file` is named where they don't.
    pub fn check(bytes: &'a [u8], file: &Path) -> Result<SealedFile<'a>, Corruption> {
        let corrupt = |offset: usize, seq: Option<Seq>, what: String| Corruption {
            file: file.to_owned(),
            offset: offset as u64,
            seq,
            what,
        };
        let header = SegmentHeader::decode(bytes).map_err(|fault| corrupt(0, None, fault_text(fault)))?;
        let first = Some(header.first_seq);
        let footer =
            footer::decode_of(&header, bytes).map_err(|fault| corrupt(bytes.len(), first, fault.to_string()))?;
        let disagrees = || corrupt(footer.begins_at, first, "the footer does not say what the frames say".to_owned());
        // Every index below is counted from it.
        if footer.first_seq != header.first_seq {
            return Err(disagrees());
        }
        let sealed = SealedFile { bytes, header, footer };
        let (mut frames, mut agrees) = (0, true);
        let (stop, position) = sealed.walk(&mut |frame, at| {
            let index = (frame.header.seq.0 - footer.first_seq.0) as usize;
            agrees &= frames < footer.frames()
                && footer.offset(bytes, frames) as usize == at
                && footer.fits(bytes, index, frame.header.at)
                && (index > 0 || frame.header.at == footer.first_at);
            frames += 1;
        });
        let chain = position.chain;
        match stop {
            Stop::Sealed if agrees && chain.prev_crc == footer.last_crc && chain.last_at == footer.last_at => {
                Ok(sealed)
            }
            Stop::Corrupt(what) => Err(corrupt(position.at, Some(chain.next_seq), what)),
            Stop::Sealed | Stop::End | Stop::Torn(_) | Stop::UnfinishedSeal | Stop::Interrupted => Err(disagrees()),
        }
    }

    fn walk(&self, visit: &mut dyn FnMut(&Frame<'_>, usize)) -> (Stop, Position) {
        let chain = Chain::begin(&self.header, Timestamp::MIN);
        let mut position = Position { at: SEGMENT_HEADER_BYTES, chain };
        if self.footer.kept().is_some() {
            let stop = walk_kept(self.bytes, &self.header, &self.footer, &mut position, &mut |frame, _, at| {
                visit(frame, at);
                ControlFlow::Continue(())
            });
            return (stop, position);
        }
        let expected = Expected {
            next_first: None,
            promised: (self.footer.last_seq, "the footer lists it"),
            footer: Some(self.footer),
        };
        let stop = walk(self.bytes, self.header.seed(), &mut position, &expected, &mut |frame, at| {
            visit(frame, at);
            ControlFlow::Continue(())
        });
        (stop, position)
    }

    /// Whose segment it is.
    #[must_use]
    pub fn store(&self) -> StoreId {
        self.header.store
    }

    /// Epoch of the writer that began it.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.header.epoch
    }

    /// What a manifest says of it.
    #[must_use]
    pub fn known(&self) -> KnownSegment {
        let FooterView { last_seq, archive_crc, .. } = self.footer;
        let facts = SealedFacts { last_seq, bytes: self.bytes.len() as u64, crc: archive_crc };
        let SegmentHeader { id, generation, first_seq, .. } = self.header;
        KnownSegment { id, generation, first_seq, sealed: Some(facts), dropped: None }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> SegmentId {
        self.header.id
    }

    /// Its first and its last commit.
    #[must_use]
    pub fn range(&self) -> (Seq, Seq) {
        (self.header.first_seq, self.footer.last_seq)
    }

    /// When they were stamped.
    #[must_use]
    pub fn times(&self) -> (Timestamp, Timestamp) {
        (self.footer.first_at, self.footer.last_at)
    }

    /// Which history of its file it is.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        Provenance { salt: self.header.salt, last_crc: self.footer.last_crc }
    }

    /// Calls `visit` for every frame that is there, in order.
    pub fn for_each_frame(&self, visit: &mut dyn FnMut(FrameView<'_>)) {
        self.walk(&mut |frame, at| {
            visit(FrameView::of(frame, self.header.name(), at as u64));
        });
    }
}

fn fault_text(fault: HeaderFault) -> String {
    match fault {
        HeaderFault::Newer { found } => {
            format!("format version {found}, this program reads up to {FORMAT_VERSION}; upgrade to read it")
        }
        HeaderFault::Short | HeaderFault::Magic | HeaderFault::Crc | HeaderFault::Content => fault.to_string(),
    }
}
