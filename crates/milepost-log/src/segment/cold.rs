//! Frames of a cold [`Sealed`] segment: their blocks are decompressed for whoever reads them.
//!
//! Invariant: a block's checksum is made every time before it is decompressed, so no page that comes back from the disk
//! as another one is taken for it. A read of one value costs the block that it lies in; a walk costs each block once,
//! and leaves the cache to those who read values.

use std::{ops::Range, sync::Arc};

use arc_swap::ArcSwapOption;
use milepost_io::Unreadable;
use milepost_types::{Corruption, Seq, limits::THINNED_BYTES_MAX};

use super::{BlockCache, BodyPart, Met, MetBody, Sealed, sealed::check_seq};
use crate::{
    FrameView,
    format::{
        block::BLOCK_BYTES,
        cold::{BlockPlace, BlockTable, Unfit},
        frame::{CheckedHeader, FRAME_HEADER_BYTES, Frame, FrameHeader},
        header::SEGMENT_HEADER_BYTES,
        u32_at,
        unpacked::Unpacked,
    },
};

/// Blocks of one read that are kept in the cache: more are a large value, and would push out all else.
const KEPT_BLOCKS_MAX: usize = 4;

/// What a cold segment has that others have not.
#[derive(Debug)]
pub(crate) struct Cold {
    blocks: BlockTable,
    /// Whether bodies in it may be thinned.
    pub(super) is_thinned: bool,
    /// That of the reader that shows the segment, by whom it is set.
    cache: ArcSwapOption<BlockCache>,
}

impl Cold {
    pub(super) fn new(blocks: BlockTable, is_thinned: bool) -> Cold {
        Cold { blocks, is_thinned, cache: ArcSwapOption::empty() }
    }

    pub(super) fn set_cache(&self, cache: &Arc<BlockCache>) {
        self.cache.store(Some(Arc::clone(cache)));
    }
}

impl Sealed {
    /// The header of the frame with this index.
    pub(super) fn meet_cold<'a>(&'a self, cold: &Cold, index: usize) -> Result<Option<Met<'a>>, Corruption> {
        let seq = self.seq_of(index);
        let Some((offset, bytes)) = self.cold_header(cold, index)? else { return Ok(None) };
        let corrupt = |what: String| self.corruption(u64::from(offset), seq, what);
        let header = CheckedHeader::decode(&bytes, self.seed).map_err(|fault| corrupt(fault.to_string()))?.header();
        check_seq(header.seq, seq).map_err(corrupt)?;
        self.check_end(offset as usize, &header).map_err(corrupt)?;
        let body = MetBody::Packed(header.body_bytes as usize);
        Ok(Some(Met { seq, at: header.at, offset: u64::from(offset), body }))
    }

    /// The checksum of that header, which the next one repeats.
    pub(super) fn cold_header_crc(&self, cold: &Cold, index: usize) -> Result<Option<u32>, Corruption> {
        Ok(self.cold_header(cold, index)?.map(|(_, bytes)| u32_at(&bytes, FRAME_HEADER_BYTES - 4)))
    }

    /// Where the frame with this index begins, and the bytes of its header, unchecked.
    fn cold_header(&self, cold: &Cold, index: usize) -> Result<Option<(u32, BodyPart<'static>)>, Corruption> {
        let seq = self.seq_of(index);
        let Some(offset) = self.offset(index).map_err(|fault| self.unreadable(seq, fault))? else { return Ok(None) };
        let at = offset as usize;
        self.cold_bytes(cold, at..at + FRAME_HEADER_BYTES, seq).map(|bytes| Some((offset, bytes)))
    }

    /// At least these bytes of a frame's body.
    pub(super) fn cold_body(
        &self,
        cold: &Cold,
        met: &Met<'_>,
        range: Range<usize>,
    ) -> Result<BodyPart<'static>, Corruption> {
        let body_at = met.offset as usize + FRAME_HEADER_BYTES;
        let part = self.cold_bytes(cold, body_at + range.start..body_at + range.end, met.seq)?;
        let BodyPart::Shared { bytes, range: given } = part else { unreachable!("no block is borrowed") };
        // What else there is of the last block, up to the end of the body.
        let rest = met.body.len() - range.start;
        let end = bytes.len().min(given.start + rest);
        Ok(BodyPart::Shared { bytes, range: given.start..end })
    }

    /// These bytes of the segment as it is read, by the cache.
    fn cold_bytes(&self, cold: &Cold, raw: Range<usize>, seq: Seq) -> Result<BodyPart<'static>, Corruption> {
        if raw.is_empty() {
            // An empty body at the end of all begins where no block does.
            return Ok(BodyPart::Shared { bytes: Arc::default(), range: 0..0 });
        }
        let unfit = |fault| self.unfit(seq, fault);
        let first =
            cold.blocks.find(raw.start, |range| self.read(range)).map_err(|fault| self.unreadable(seq, fault))?;
        let Some(first) = first else {
            return Err(self.corruption(raw.start as u64, seq, "no block holds the frame".to_owned()));
        };
        if raw.end <= first.raw.end {
            let bytes = self.block(cold, &first, true).map_err(unfit)?;
            return Ok(BodyPart::Shared { bytes, range: raw.start - first.raw.start..raw.end - first.raw.start });
        }
        let is_kept = raw.len() <= KEPT_BLOCKS_MAX * BLOCK_BYTES;
        let (mut place, mut gathered) = (first, Vec::new());
        loop {
            let bytes = self.block(cold, &place, is_kept).map_err(unfit)?;
            gathered.extend_from_slice(&bytes[raw.start.saturating_sub(place.raw.start)..]);
            if raw.end <= place.raw.end {
                return Ok(BodyPart::Shared { bytes: gathered.into(), range: 0..raw.len() });
            }
            if place.index + 1 == cold.blocks.count() {
                return Err(self.corruption(
                    place.stored.start as u64,
                    seq,
                    "the last block ends in a frame".to_owned(),
                ));
            }
            let next = cold.blocks.place(place.index + 1, |range| self.read(range));
            place = next.map_err(|fault| self.unreadable(seq, fault))?;
        }
    }

    fn block(&self, cold: &Cold, place: &BlockPlace, is_kept: bool) -> Result<Arc<[u8]>, Unfit<Unreadable>> {
        let cache = cold.cache.load();
        if let Some(bytes) = cache.as_ref().and_then(|cache| cache.get(self.name(), place.index)) {
            return Ok(bytes);
        }
        // One read of the disk for a block on two pages.
        self.map.will_need(place.stored.clone());
        let stored = self.read(place.stored.clone()).map_err(Unfit::Unreadable)?;
        let mut bytes = Vec::with_capacity(place.raw.len());
        let unpacked = place.unpack(stored, self.seed, &mut bytes);
        unpacked.map_err(|what| Unfit::Block { at: place.stored.start, what })?;
        let bytes: Arc<[u8]> = bytes.into();
        if let Some(cache) = cache.as_ref().filter(|_| is_kept) {
            cache.put(self.name(), place.index, &bytes);
        }
        Ok(bytes)
    }

    /// The frame with this index, checked, in memory of the caller's.
    pub(super) fn view_cold<'u>(
        &self,
        cold: &Cold,
        index: usize,
        unpacked: &'u mut Unpacked,
    ) -> Result<Option<FrameView<'u>>, Corruption> {
        let seq = self.seq_of(index);
        let Some(offset) = self.offset(index).map_err(|fault| self.unreadable(seq, fault))? else { return Ok(None) };
        let (at, unfit) = (offset as usize, |fault| self.unfit(seq, fault));
        let corrupt = |what: String| self.corruption(u64::from(offset), seq, what);
        if at == SEGMENT_HEADER_BYTES {
            self.map.will_read_from(at);
        }
        let read = |range: Range<usize>| {
            self.map.will_read_on(range.clone());
            self.read(range)
        };
        let header = unpacked.range(&cold.blocks, self.seed, at..at + FRAME_HEADER_BYTES, read).map_err(unfit)?;
        let header = CheckedHeader::decode(header, self.seed).map_err(|fault| corrupt(fault.to_string()))?.header();
        let end = self.check_end(at, &header).map_err(corrupt)?;
        let bytes = unpacked.range(&cold.blocks, self.seed, at..end, read).map_err(unfit)?;
        let frame = Frame::decode(bytes, self.seed).map_err(|fault| corrupt(fault.to_string()))?;
        check_seq(frame.header.seq, seq).map_err(corrupt)?;
        Ok(Some(FrameView {
            seq,
            at: frame.header.at,
            batch_first: frame.header.batch_first(),
            body: frame.body,
            body_crc: frame.header.body_crc,
            epoch: frame.header.epoch,
            segment: self.name(),
            offset: u64::from(offset),
        }))
    }

    /// Where a frame ends. Nothing is made room for that no frame has.
    fn check_end(&self, at: usize, header: &FrameHeader) -> Result<usize, String> {
        let (end, body_bytes) = (at + header.frame_bytes(), header.body_bytes);
        if body_bytes as usize > THINNED_BYTES_MAX || end > self.end {
            return Err(format!("a body of {body_bytes} bytes can't be here"));
        }
        Ok(end)
    }

    /// Bytes of the file that can be read now.
    fn read(&self, range: Range<usize>) -> Result<&[u8], Unreadable> {
        self.map.check_readable(range.clone())?;
        // The table was checked when it was read; a page of it may have come back as another one.
        Ok(self.map.get(range).unwrap_or_default())
    }

    fn unfit(&self, seq: Seq, fault: Unfit<Unreadable>) -> Corruption {
        match fault {
            Unfit::Unreadable(fault) => self.unreadable(seq, fault),
            Unfit::Block { at, what } => self.corruption(at as u64, seq, what.to_string()),
        }
    }
}
