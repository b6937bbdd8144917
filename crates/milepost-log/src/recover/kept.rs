//! Walking the frames of a segment that was written anew: exactly those that its footer lists, one behind the other.
//!
//! Pure: the bytes of a file in, frames out. What is not there as the footer says is damage: nothing is ever appended
//! to such a segment, so nothing in it can be torn.

use std::ops::ControlFlow;

use milepost_types::Seq;

use super::scan::{Position, Stop};
use crate::format::{
    footer::FooterView,
    frame::{Frame, FrameFault},
    header::SegmentHeader,
    u32_at,
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
    let frames = &file[..footer.begins_at];
    let (mut next, mut rank) = (0, 0);
    while let Some(index) = kept.next_kept(file, next, footer.frames()) {
        position.chain.next_seq = Seq(footer.first_seq.0 + index as u64);
        if u32_at(file, footer.offset_at(rank)) as usize != position.at {
            return Stop::Corrupt("the footer says that the frame begins elsewhere".to_owned());
        }
        let frame = match Frame::decode(frames.get(position.at..).unwrap_or_default(), header.seed()) {
            Ok(frame) => frame,
            Err(fault) => return Stop::Corrupt(damage(fault)),
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
    if position.at != footer.begins_at || position.chain.prev_crc != footer.last_crc {
        return Stop::Corrupt("the footer does not say what the frames say".to_owned());
    }
    position.chain.next_seq = Seq(footer.last_seq.0 + 1);
    position.chain.last_at = footer.last_at.max(position.chain.last_at);
    Stop::Sealed
}

fn damage(fault: FrameFault) -> String {
    format!("{fault}, but the footer lists it")
}
