//! Walking the frames of one segment: gathers the facts at each place and follows the verdicts of the table.
//!
//! Pure: the bytes of a file in, frames and the end out. Knows nothing of files.

use std::ops::ControlFlow;

use milepost_types::Seq;

use super::table::{Content, FrameFacts, PlaceFacts, Verdict};
use crate::{
    chain::Chain,
    format::{
        ALIGN_BYTES, Seed,
        footer::FooterView,
        frame::{CheckedHeader, FRAME_HEADER_BYTES, Frame, FrameFault, may_begin_later_batch},
        is_zero,
    },
};

/// What is known of a segment before it is walked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// First `Seq` of the segment that follows; `None` if none does.
    pub(crate) next_first: Option<Seq>,
    /// Commits up to this one are known to have been durable, and why.
    pub(crate) promised: (Seq, &'static str),
    /// The segment's footer, if it has a valid one.
    pub(crate) footer: Option<FooterView>,
}

/// Why a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    End,
    /// Bytes from here to the last one that is not zero.
    Torn(usize),
    Sealed,
    UnfinishedSeal,
    Corrupt(String),
    Interrupted,
}

/// How far a walk has got. It can be gone on with after more bytes were read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) at: usize,
    pub(crate) chain: Chain,
}

/// Some of the bytes of a segment's file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where in the file they begin.
    pub(crate) at: usize,
    /// Whether they reach to its end.
    pub(crate) is_last: bool,
}

/// Called for each frame, with where it stands in the file.
pub(crate) type VisitFrame<'a> = dyn FnMut(&Frame<'_>, usize) -> ControlFlow<()> + 'a;

/// Walks the frames of a segment from a position. `bytes` is the whole file; frames end before its footer.
pub(crate) fn walk(
    bytes: &[u8],
    seed: Seed,
    position: &mut Position,
    expected: &Expected,
    visit: &mut VisitFrame<'_>,
) -> Stop {
    let bytes = expected.footer.map_or(bytes, |footer| &bytes[..footer.begins_at]);
    let whole = Window { bytes, at: 0, is_last: true };
    walk_window(&whole, seed, position, expected, visit).expect("nothing is behind the last window")
}

/// Walks the frames of a segment from a position as far as a window shows them; `None` if more of the file has to be
/// read to go on.
pub(crate) fn walk_window(
    window: &Window<'_>,
    seed: Seed,
    position: &mut Position,
    expected: &Expected,
    visit: &mut VisitFrame<'_>,
) -> Option<Stop> {
    loop {
        let rest = window.bytes.get(position.at - window.at..).unwrap_or_default();
        let (facts, frame) = frame_at(rest, seed, position);
        let content = facts.content();
        let is_whole = frame.as_ref().is_ok_and(|frame| frame.header.frame_bytes() <= rest.len());
        if !window.is_last && (!is_whole || content != Content::Next) {
            return None;
        }
        let place = place_facts(rest, seed, position, expected, content);
        match (place.verdict(), frame) {
            (Verdict::Frame, Ok(frame)) => {
                if visit(&frame, position.at).is_break() {
                    return Some(Stop::Interrupted);
                }
                position.at += frame.header.frame_bytes();
                position.chain.pass(&frame);
            }
            (Verdict::Frame, Err(_)) => unreachable!("a frame was decoded where the table says that there is one"),
            (Verdict::End, _) => return Some(Stop::End),
            (Verdict::TornTail, _) => return Some(Stop::Torn(nonzero_bytes(rest))),
            (Verdict::Sealed, _) => return Some(Stop::Sealed),
            (Verdict::UnfinishedSeal, _) => return Some(Stop::UnfinishedSeal),
            (Verdict::Corrupt, frame) => {
                return Some(Stop::Corrupt(describe(content, frame, &place, position, expected)));
            }
        }
    }
}

type Decoded<'a> = Result<Frame<'a>, FrameFault>;

/// The facts about the bytes at a position, which reach from there to the end of what is known, and the frame if there
/// is one.
fn frame_at<'a>(rest: &'a [u8], seed: Seed, position: &Position) -> (FrameFacts, Decoded<'a>) {
    let header = match CheckedHeader::decode(rest, seed) {
        Ok(header) => header,
        Err(fault) => {
            let facts = FrameFacts { zeros: fault == FrameFault::Zero, ..FrameFacts::default() };
            return (facts, Err(fault));
        }
    };
    let frame = header.with_body(rest);
    let facts = FrameFacts {
        zeros: false,
        header_ok: true,
        body_ok: frame.is_ok(),
        linked: position.chain.links(&header.header()),
        seq_ok: position.chain.expects(header.header().seq),
    };
    (facts, frame)
}

/// The facts about a place. What is behind it is looked at only where there is no frame: a frame's row does not ask.
fn place_facts(rest: &[u8], seed: Seed, position: &Position, expected: &Expected, content: Content) -> PlaceFacts {
    let next_seq = position.chain.next_seq;
    let mut facts = PlaceFacts {
        next: content == Content::Next,
        promised: next_seq <= expected.promised.0 || expected.next_first.is_some_and(|next| next_seq < next),
        footer_here: false,
        whole: expected.next_first.is_some_and(|next| next_seq >= next),
        last: expected.next_first.is_none(),
        later_batch: false,
        rest_zero: false,
    };
    if !facts.next {
        facts.footer_here = expected
            .footer
            .is_some_and(|footer| footer.begins_at == position.at && footer.last_seq.next() == Some(next_seq));
        facts.rest_zero = is_zero(rest);
        facts.later_batch = !facts.rest_zero && later_batch(rest, seed, &position.chain).is_some();
    }
    facts
}

/// Where in `rest`, which begins at the place where a commit is missing, a frame stands whose batch is later. Its
/// header is proof enough: no other writer knows the salt, and a header is not written before the batch before it was
/// synced.
pub(crate) fn later_batch(rest: &[u8], seed: Seed, chain: &Chain) -> Option<usize> {
    let mut at = 0;
    while at + FRAME_HEADER_BYTES <= rest.len() {
        let bytes = &rest[at..];
        if may_begin_later_batch(bytes, chain.next_seq, chain.epoch) && CheckedHeader::decode(bytes, seed).is_ok() {
            return Some(at);
        }
        at += ALIGN_BYTES;
    }
    None
}

/// Bytes up to the last one that is not zero.
pub(crate) fn nonzero_bytes(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

fn describe(
    content: Content,
    frame: Decoded<'_>,
    place: &PlaceFacts,
    position: &Position,
    expected: &Expected,
) -> String {
    let found = match (content, frame) {
        (Content::Next, _) => "a frame stands here though the next segment begins with its seq".to_owned(),
        (Content::Unlinked, _) => "the frame here does not continue the frame before it".to_owned(),
        (Content::OtherSeq, Ok(frame)) => {
            format!("the frame here has seq {}, expected was {}", frame.header.seq, position.chain.next_seq)
        }
        (Content::Zeros | Content::BadHeader | Content::BadBody | Content::OtherSeq, Err(fault)) => fault.to_string(),
        (Content::Zeros | Content::BadHeader | Content::BadBody, Ok(_)) => "no frame".to_owned(),
    };
    let why = if place.next {
        return found;
    } else if position.chain.next_seq <= expected.promised.0 {
        expected.promised.1
    } else if !place.last {
        "the next segment begins with a later commit"
    } else {
        "a later batch stands behind it"
    };
    format!("{found}, but {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_that_is_not_zero_ends_a_torn_tail() {
        assert_eq!(nonzero_bytes(&[]), 0);
        assert_eq!(nonzero_bytes(&[0, 0]), 0);
        assert_eq!(nonzero_bytes(&[0, 7, 0]), 2);
        assert_eq!(nonzero_bytes(&[0, 7, 0, 9]), 4);
    }
}
