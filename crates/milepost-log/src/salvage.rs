//! Reading a damaged log: [`wrecks`] finds its segments, [`Wreck::each`] gives what is whole in one, and what is not.
//!
//! Nothing here stops at damage, and nothing is written. A frame counts if its checksums are right under the segment's
//! salt and it stands behind the last one in `Seq`, time and epoch. Where the chain is broken, the next such frame is
//! looked for: no other bytes pass for one, since nobody knows the salt.
//!
//! Invariant: a frame is given once, in order of `Seq`. What stands between two frames that are given, and is not zero
//! at the end of a log, is given as damage; only what no whole frame follows, and nobody promised, is a torn tail.

mod image;
mod read;
mod seed;

use std::{
    cmp::Reverse,
    fmt,
    path::{Path, PathBuf},
};

use milepost_io::Disk;
use milepost_types::{Receipt, Seq, Timestamp};

use crate::{
    FrameView, LogError, SegmentName,
    chain::Chain,
    format::{
        ALIGN_BYTES, Seed, cold,
        footer::{self, FooterView, TRAILER_BYTES},
        frame::Frame,
        header::{Form, HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader},
        is_zero, kept,
    },
    names,
    recover::{later_batch, list, newer, nonzero_bytes},
};
use image::Image;
use read::Bytes;

/// The file of a segment, in whatever state.
#[derive(Clone, Debug)]
pub struct Wreck {
    /// What it is by its name.
    pub named: SegmentName,
    /// Its file.
    pub file: PathBuf,
    /// Its header, if that is whole.
    pub header: Option<SegmentHeader>,
    /// Its first commit, as far as it can be told.
    pub first: Option<Seq>,
}

/// What is known from outside of the segment that is read.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The first commit of the segment that follows, if one does.
    pub next_first: Option<Seq>,
    /// Whether MANIFEST lists it as sealed.
    pub is_sealed: bool,
}

/// How far reading has come.
#[derive(Clone, Copy, Debug)]
pub struct Reached {
    /// The last commit that was given.
    pub last: Receipt,
    /// The highest epoch that was met.
    pub epoch: u32,
    /// Commits up to this one were durable, by all that is known.
    pub promised: Seq,
}

impl Reached {
    /// Before the first commit, if that is `first`. Commits up to `promised` were durable.
    #[must_use]
    pub fn before(first: Seq, promised: Seq) -> Reached {
        Reached { last: Receipt { seq: first.prev(), at: Timestamp::MIN }, epoch: 0, promised }
    }
}

/// A part of a segment.
#[derive(Debug)]
pub enum Remnant<'a> {
    /// A whole frame.
    Frame(FrameView<'a>),
    /// Commits that were removed: they are not lost, nothing is left of them on purpose. Given before the frames.
    Removed {
        /// The first.
        first: Seq,
        /// The last.
        last: Seq,
        /// When they were stamped.
        stamps: RemovedStamps<'a>,
    },
    /// Bytes that are no frame, and should be.
    Damage {
        /// Where they begin.
        offset: u64,
        /// As they are; those that can't be read as zeros.
        bytes: &'a [u8],
        /// What is wrong.
        what: String,
    },
    /// The remains of a batch that was never acknowledged.
    Torn {
        /// Where they begin.
        offset: u64,
        /// As they are.
        bytes: &'a [u8],
    },
}

/// When commits that were removed were stamped.
#[derive(Clone, Copy)]
pub struct RemovedStamps<'a> {
    file: &'a [u8],
    footer: &'a FooterView,
}

impl RemovedStamps<'_> {
    /// When the commit at a `Seq` was stamped, which is one of those: exactly if it is the last of its segment, else
    /// as near as the footer knows, and no later.
    #[must_use]
    pub fn at(&self, seq: Seq) -> Timestamp {
        match (seq.0 - self.footer.first_seq.0) as usize {
            index if index + 1 == self.footer.frames() => self.footer.last_at,
            index => self.footer.stamp(self.file, index),
        }
    }
}

impl fmt::Debug for RemovedStamps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemovedStamps(of a segment from seq {})", self.footer.first_seq)
    }
}

/// The files of segments in a store's directory, by their first commit; those of which nothing can be told come last.
pub fn wrecks(disk: &dyn Disk, dir: &Path) -> Result<Vec<Wreck>, LogError> {
    let log_dir = names::log_dir(dir);
    let mut wrecks = Vec::new();
    for named in list(disk, dir)?.names() {
        let file = names::segment(&log_dir, named);
        let bytes = Bytes::begin(disk, &file, SEGMENT_HEADER_BYTES)?;
        let header = match SegmentHeader::decode(&bytes.bytes) {
            Err(HeaderFault::Newer { found }) => return Err(newer(&file, found)),
            header => header.ok(),
        };
        let first = match header {
            Some(header) => Some(header.first_seq),
            None => first_frame(&Bytes::read(disk, &file)?.bytes, named),
        };
        wrecks.push(Wreck { named, file, header, first });
    }
    // What was written anew comes before what it stands in the place of, and takes that place.
    let order = |wreck: &Wreck| (wreck.first.unwrap_or(Seq::MAX), wreck.named.id, Reverse(wreck.named.generation));
    wrecks.sort_by_key(order);
    Ok(wrecks)
}

fn first_frame(bytes: &[u8], named: SegmentName) -> Option<Seq> {
    if let Some(seed) = cold_seed(bytes, named) {
        return footer_of(bytes, Form::Compressed, (seed, None)).ok().map(|footer| footer.first_seq);
    }
    let seed = seed::of(bytes)?;
    let frame = next_frame(bytes, SEGMENT_HEADER_BYTES, seed, &|_| true)?;
    Frame::decode(&bytes[frame..], seed).ok().map(|frame| frame.header.seq)
}

/// Where the next whole frame stands that is wanted, from an offset on.
fn next_frame(bytes: &[u8], from: usize, seed: Seed, wanted: &dyn Fn(&Frame<'_>) -> bool) -> Option<usize> {
    let mut at = from;
    while at < bytes.len() {
        if Frame::decode(&bytes[at..], seed).is_ok_and(|frame| wanted(&frame)) {
            return Some(at);
        }
        at += ALIGN_BYTES;
    }
    None
}

impl Wreck {
    /// Gives all that is in the segment, in order. `found` is how far reading has come, and is moved on.
    pub fn each(
        &self,
        disk: &dyn Disk,
        bounds: &Bounds,
        found: &mut Reached,
        give: &mut dyn FnMut(Remnant<'_>),
    ) -> Result<(), LogError> {
        let read = Bytes::read(disk, &self.file)?;
        let bytes = &read.bytes[..];
        let head = &bytes[..bytes.len().min(SEGMENT_HEADER_BYTES)];
        let (seed, form) = match SegmentHeader::decode(bytes) {
            Ok(header) => {
                found.epoch = found.epoch.max(header.epoch);
                (header.seed(), header.form)
            }
            Err(fault) => {
                give(Remnant::Damage { offset: 0, bytes: head, what: fault.to_string() });
                let Some(told) = told_by_content(bytes, self.named) else {
                    let rest = bytes.get(SEGMENT_HEADER_BYTES..).unwrap_or_default();
                    if !rest.is_empty() {
                        let what = "no whole frame, and no header to find one by".to_owned();
                        give(Remnant::Damage { offset: SEGMENT_HEADER_BYTES as u64, bytes: rest, what });
                    }
                    return Ok(());
                };
                told
            }
        };
        let footer = self.footer(bytes, (seed, form));
        let mut bounds = *bounds;
        if let Some(Ok(view)) = &footer {
            // Of segments that were written anew as one the old files may be there, which begin before this one ends.
            let behind = view.last_seq.next().unwrap_or(Seq::MAX);
            bounds.next_first = bounds.next_first.map(|first| first.max(behind));
            found.promised = found.promised.max(view.last_seq);
            each_removed(bytes, view, give);
        }
        let is_footed = footer.as_ref().is_some_and(Result::is_ok);
        match form {
            Form::Raw => {
                let (end, fault) = match &footer {
                    Some(Ok(view)) => (view.begins_at, None),
                    Some(Err(what)) => (bytes.len(), Some(what.clone())),
                    None => (bytes.len(), bounds.is_sealed.then(|| "the footer is missing".to_owned())),
                };
                let walk = Walk { wreck: self, read: &read, bytes: &bytes[..end], seed, bounds: &bounds, is_footed };
                let stopped = walk.frames(found, give);
                if let Some(what) = fault.filter(|_| stopped < end) {
                    give(Remnant::Damage { offset: stopped as u64, bytes: &bytes[stopped..], what });
                }
            }
            Form::Compressed => {
                let view = footer.as_ref().and_then(|footer| footer.as_ref().ok());
                self.each_packed((bytes, seed, view), &bounds, found, give);
            }
        }
        if let Some(Ok(view)) = footer
            && view.kept().is_some()
        {
            // Also past commits at its end that were removed: what an older file holds of them is not wanted.
            found.last.seq = found.last.seq.max(view.last_seq);
            found.last.at = found.last.at.max(view.last_at);
        }
        Ok(())
    }

    /// The same of a segment whose blocks are compressed. What is damaged is told as it stands in the file.
    fn each_packed(
        &self,
        (file, seed, footer): (&[u8], Seed, Option<&FooterView>),
        bounds: &Bounds,
        found: &mut Reached,
        give: &mut dyn FnMut(Remnant<'_>),
    ) {
        let image = Image::of(file, seed, footer);
        for range in &image.damaged {
            let what = "no whole block stands here".to_owned();
            give(Remnant::Damage { offset: range.start as u64, bytes: &file[range.clone()], what });
        }
        let bytes = &image.bytes[..];
        let whole = Bytes::of(bytes.to_vec());
        let walk = Walk { wreck: self, read: &whole, bytes, seed, bounds, is_footed: footer.is_some() };
        walk.frames(found, &mut |remnant| match remnant {
            // Between whole blocks there are whole frames; what is not has been told above.
            Remnant::Damage { .. } | Remnant::Torn { .. } if !image.damaged.is_empty() => {}
            remnant @ (Remnant::Frame(_) | Remnant::Removed { .. } | Remnant::Damage { .. } | Remnant::Torn { .. }) => {
                give(remnant);
            }
        });
    }

    /// The footer, or what is wrong with it; `None` if the file does not end like one.
    fn footer(&self, bytes: &[u8], (seed, form): (Seed, Form)) -> Option<Result<FooterView, String>> {
        let trailer = bytes.len().checked_sub(TRAILER_BYTES).map(|at| &bytes[at..])?;
        if !footer::ends_with_trailer(trailer) {
            return None;
        }
        let header_crc = self.header.map(|header| header.crc());
        if self.named.generation > 0 {
            return Some(footer_of(bytes, form, (seed, header_crc)));
        }
        let header_crc = header_crc.unwrap_or_else(|| crate::format::u32_at(trailer, 8));
        Some(footer::decode(bytes, header_crc, seed).map_err(|fault| fault.to_string()))
    }
}

/// The footer of a segment that was written anew. Without the header nothing but the trailer says what its checksum
/// was.
fn footer_of(bytes: &[u8], form: Form, (seed, header_crc): (Seed, Option<u32>)) -> Result<FooterView, String> {
    let trailer_at = bytes.len().saturating_sub(TRAILER_BYTES);
    let header_crc = header_crc.unwrap_or_else(|| crate::format::u32_at(&bytes[trailer_at..], 8));
    let read = match form {
        Form::Raw => kept::decode(bytes, header_crc, seed),
        Form::Compressed => cold::decode(bytes, header_crc, seed),
    };
    read.map_err(|fault| fault.to_string())
}

/// What the header would have said, as far as it is told by the rest of the file.
fn told_by_content(bytes: &[u8], named: SegmentName) -> Option<(Seed, Form)> {
    let cold = cold_seed(bytes, named).map(|seed| (seed, Form::Compressed));
    cold.or_else(|| seed::of(bytes).map(|seed| (seed, Form::Raw)))
}

/// The seed of a file that ends with the footer of a cold segment.
fn cold_seed(bytes: &[u8], named: SegmentName) -> Option<Seed> {
    let trailer = bytes.len().checked_sub(TRAILER_BYTES).map(|at| &bytes[at..])?;
    if named.generation == 0 || !footer::is_sealed(trailer, crate::format::u32_at(trailer, 8)) {
        return None;
    }
    let seed = seed::of_footer(bytes)?;
    footer_of(bytes, Form::Compressed, (seed, None)).is_ok().then_some(seed)
}

/// The frames of one segment.
struct Walk<'a> {
    wreck: &'a Wreck,
    read: &'a Bytes,
    /// Up to the footer, if that is whole.
    bytes: &'a [u8],
    seed: Seed,
    bounds: &'a Bounds,
    /// Whether the footer is whole: then nothing stands behind the last byte.
    is_footed: bool,
}

impl Walk<'_> {
    /// Gives the frames and what is damaged between them; where the last one ends, or the damage behind it.
    fn frames(&self, found: &mut Reached, give: &mut dyn FnMut(Remnant<'_>)) -> usize {
        let Walk { bytes, seed, .. } = *self;
        // The checksum that the next frame has to repeat; `None` behind damage.
        let mut link = self.wreck.header.map(|header| header.crc());
        let mut at = SEGMENT_HEADER_BYTES.min(bytes.len());
        loop {
            match Frame::decode(&bytes[at..], seed) {
                Ok(frame) if frame.header.seq <= found.last.seq => {
                    // Given before, from another copy of the segment.
                    link = Some(frame.crc);
                    at += frame.header.frame_bytes();
                }
                Ok(frame) if self.is_wanted(&frame, found) && link.is_none_or(|crc| frame.header.prev_crc == crc) => {
                    found.last = Receipt { seq: frame.header.seq, at: frame.header.at };
                    found.epoch = frame.header.epoch;
                    link = Some(frame.crc);
                    give(Remnant::Frame(FrameView::of(&frame, self.wreck.named, at as u64)));
                    at += frame.header.frame_bytes();
                }
                other => {
                    let what =
                        other.map_or_else(|fault| fault.to_string(), |_| "the frame does not belong here".into());
                    link = None;
                    match self.bad_place(at, what, found, give) {
                        Ok(next) => at = next,
                        Err(end) => return end,
                    }
                }
            }
            at = at.min(bytes.len());
        }
    }

    fn is_wanted(&self, frame: &Frame<'_>, found: &Reached) -> bool {
        let header = &frame.header;
        header.seq > found.last.seq
            && header.seq < Seq::MAX
            && self.bounds.next_first.is_none_or(|next| header.seq < next)
            && header.at > found.last.at
            && header.epoch >= found.epoch
    }

    /// Where to go on behind a place at which no frame stands, or where the segment ends.
    fn bad_place(
        &self,
        at: usize,
        what: String,
        found: &Reached,
        give: &mut dyn FnMut(Remnant<'_>),
    ) -> Result<usize, usize> {
        let rest = &self.bytes[at..];
        let next = next_frame(self.bytes, at + ALIGN_BYTES, self.seed, &|frame| self.is_wanted(frame, found));
        // What is missing before the segment's first commit is not missing in this segment.
        let begins = self.wreck.header.map_or(Seq::ZERO, |header| header.first_seq);
        let expected = found.last.seq.next().unwrap_or(Seq::MAX).max(begins);
        let is_whole = self.bounds.next_first.is_some_and(|first| expected >= first);
        let is_promised = expected <= found.promised || self.bounds.next_first.is_some_and(|first| expected < first);
        let is_unreadable = self.read.is_unreadable_from(at);
        let (offset, end) = (at as u64, at + nonzero_bytes(rest));
        match next {
            // Also where recovery would call it the torn batch of a crash: whether it was acknowledged is not known
            // here, and what is whole is kept.
            Some(next) => {
                give(Remnant::Damage { offset, bytes: &self.bytes[at..next], what });
                Ok(next)
            }
            None if is_zero(rest) && !is_unreadable && !is_promised => Err(at),
            None if rest.is_empty() && self.is_footed => Err(at),
            // What stands there is a footer, or the rest of one.
            None if is_whole => Err(at),
            None if !is_promised && !is_unreadable && self.is_torn(rest, found) => {
                give(Remnant::Torn { offset, bytes: &self.bytes[at..end] });
                Err(end)
            }
            None => {
                give(Remnant::Damage { offset, bytes: rest, what });
                Err(self.bytes.len())
            }
        }
    }

    fn is_torn(&self, rest: &[u8], found: &Reached) -> bool {
        let chain = Chain {
            prev_crc: 0,
            epoch: found.epoch,
            next_seq: Seq(found.last.seq.0.saturating_add(1)),
            last_at: found.last.at,
            batch_first: found.last.seq,
        };
        later_batch(rest, self.seed, &chain).is_none()
    }
}

/// Gives what a footer says was removed, as far as it stands side by side.
fn each_removed(file: &[u8], footer: &FooterView, give: &mut dyn FnMut(Remnant<'_>)) {
    let Some(kept) = footer.kept() else { return };
    let (mut index, end) = (0, footer.frames());
    let stamps = RemovedStamps { file, footer };
    while index < end {
        let next = kept.next_kept(file, index, end).unwrap_or(end);
        if next > index {
            let (first, last) = (footer.first_seq.0 + index as u64, footer.first_seq.0 + next as u64 - 1);
            give(Remnant::Removed { first: Seq(first), last: Seq(last), stamps });
        }
        index = next + 1;
    }
}
