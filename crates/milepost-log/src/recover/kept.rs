//! Walking the frames of a segment that was written anew: exactly those that its footer lists, one behind the other.
//!
//! Pure: the bytes of a file in, frames out, also from compressed blocks. What is not there as the footer says is
//! damage: nothing is ever appended to such a segment, so nothing in it can be torn.

use std::{
    convert::Infallible,
    ops::{ControlFlow, Range},
};

use milepost_types::{Seq, limits::THINNED_BYTES_MAX};

use super::scan::{Position, Stop};
use crate::format::{
    Seed,
    cold::{BlockTable, Unfit},
    footer::FooterView,
    frame::{CheckedHeader, FRAME_HEADER_BYTES, Frame, FrameFault},
    header::SegmentHeader,
    u32_at,
    unpacked::Unpacked,
};

/// Called for each frame: with its index in the segment, and where it stands.
pub(crate) type VisitKept<'a> = dyn FnMut(&Frame<'_>, usize, usize) -> ControlFlow<()> + 'a;

/// Walks the frames of a segment from its beginning. `file` is the whole file.
pub(crate) fn walk_kept(
    file: &[u8],
    header: &SegmentHeader,
    footer: &FooterView,
    position: &mut Position,
    visit: &mut VisitKept<'_>,
) -> Stop {
    let kept = footer.kept().expect("the caller asked");
    let mut frames = Frames::of(file, header.seed(), footer);
    let (mut next, mut rank) = (0, 0);
    while let Some(index) = kept.next_kept(file, next, footer.frames()) {
        position.chain.next_seq = Seq(footer.first_seq.0 + index as u64);
        if u32_at(file, footer.offset_at(rank)) as usize != position.at {
            return Stop::Corrupt("the footer says that the frame begins elsewhere".to_owned());
        }
        let frame = match frames.at(position.at) {
            Ok(frame) => frame,
            Err(what) => return Stop::Corrupt(what),
        };
        if !position.chain.links(&frame.header) || !position.chain.expects(frame.header.seq) {
            return Stop::Corrupt("the frame here does not continue the frame before it".to_owned());
        }
        if !footer.fits(file, index, frame.header.at) {
            return Stop::Corrupt("the footer does not say when the frame was stamped".to_owned());
        }
        if visit(&frame, index, position.at).is_break() {
            return Stop::Interrupted;
        }
        position.at += frame.header.frame_bytes();
        position.chain.pass(&frame);
        (next, rank) = (index + 1, rank + 1);
    }
    if position.at != footer.frames_end || position.chain.prev_crc != footer.last_crc {
        return Stop::Corrupt("the footer does not say what the frames say".to_owned());
    }
    position.chain.next_seq = Seq(footer.last_seq.0 + 1);
    position.chain.last_at = footer.last_at.max(position.chain.last_at);
    Stop::Sealed
}

/// The frames of a segment, as they stand in its file or in blocks.
enum Frames<'f> {
    Raw { bytes: &'f [u8], seed: Seed },
    Cold { file: &'f [u8], seed: Seed, blocks: &'f BlockTable, end: usize, unpacked: Unpacked },
}

impl<'f> Frames<'f> {
    fn of(file: &'f [u8], seed: Seed, footer: &'f FooterView) -> Frames<'f> {
        match footer.blocks() {
            None => Frames::Raw { bytes: &file[..footer.begins_at], seed },
            Some(blocks) => Frames::Cold { file, seed, blocks, end: footer.frames_end, unpacked: Unpacked::default() },
        }
    }

    /// The frame at an offset of the segment as it is read.
    fn at(&mut self, at: usize) -> Result<Frame<'_>, String> {
        match self {
            Frames::Raw { bytes, seed } => {
                Frame::decode(bytes.get(at..).unwrap_or_default(), *seed).map_err(|fault| damage(&fault))
            }
            Frames::Cold { file, seed, blocks, end, unpacked } => {
                let read = |range: Range<usize>| Ok(file.get(range).unwrap_or_default());
                let unfit = |fault: Unfit<Infallible>| format!("{fault}, in a compressed block");
                let header_end = at + FRAME_HEADER_BYTES;
                let header = unpacked.range(blocks, *seed, at..header_end.min(*end), read).map_err(unfit)?;
                let header = CheckedHeader::decode(header, *seed).map_err(|fault| damage(&fault))?.header();
                let frame_end = at + header.frame_bytes();
                // Nothing is made room for that no frame has.
                if frame_end > *end || header.body_bytes as usize > THINNED_BYTES_MAX {
                    return Err(damage(&FrameFault::BodyCut { body_bytes: header.body_bytes }));
                }
                let bytes = unpacked.range(blocks, *seed, at..frame_end, read).map_err(unfit)?;
                Frame::decode(bytes, *seed).map_err(|fault| damage(&fault))
            }
        }
    }
}

fn damage(fault: &FrameFault) -> String {
    format!("{fault}, but the footer lists it")
}
