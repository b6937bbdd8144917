//! The decision tables of recovery: what stands at a place of a segment, and what that means.
//!
//! Each table is a list of rows; a row says which facts it asks for and which answer it gives. For every combination of
//! facts exactly one row holds, which a test shows by walking them all. So no case is forgotten and none is decided by
//! the order of `if`s.
//!
//! Why a bad frame is torn or corrupt: the sectors of a batch that was not synced may reach the disk in any order, so
//! anything may be missing behind the last synced batch. But a batch is written only after the one before it was
//! synced. So a frame of a *later* batch proves that the bad place was once whole on the disk: then it is damage. The
//! same holds for every place below a clean-close mark, and in every segment but the last.
//!
//! Pure: facts in, verdict out.

/// What was found where the next frame is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The next frame.
    Next,
    /// Zeros where its header would be.
    Zeros,
    /// No header, or a damaged one.
    BadHeader,
    /// A header whose body is damaged or cut.
    BadBody,
    /// A whole frame that does not continue the chain: of another life of the file, or of a batch that was cut.
    Unlinked,
    /// A whole frame that continues the chain and has another `Seq`.
    OtherSeq,
}

/// What a place means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A frame of the log.
    Frame,
    /// The end of the log.
    End,
    /// The end of the log, and behind it what a crash left of an unsynced batch.
    TornTail,
    /// Damage.
    Corrupt,
    /// The end of a sealed segment.
    Sealed,
    /// The end of a segment whose sealing was not finished.
    UnfinishedSeal,
}

/// A condition of a row: the fact must hold, must not hold, or does not matter.
#[derive(Clone, Copy)]
enum If {
    Yes,
    No,
    Any,
}
use If::{Any, No, Yes};

impl If {
    fn holds(self, fact: bool) -> bool {
        match self {
            Yes => fact,
            No => !fact,
            Any => true,
        }
    }
}

/// Facts about the bytes where the next frame is expected.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameFacts {
    /// Nothing but zeros where a header would be.
    pub(crate) zeros: bool,
    /// The header's checksum is right.
    pub(crate) header_ok: bool,
    /// The body is there, its checksum is right, and the padding is zero.
    pub(crate) body_ok: bool,
    /// It continues the chain.
    pub(crate) linked: bool,
    /// Its `Seq` is the next.
    pub(crate) seq_ok: bool,
}

type FrameRow = ([If; 5], Content);

#[rustfmt::skip]
const FRAME_TABLE: [FrameRow; 6] = [
    // zeros header body linked seq
    ([Yes,   Any,   Any,  Any,  Any], Content::Zeros),
    ([No,    No,    Any,  Any,  Any], Content::BadHeader),
    ([No,    Yes,   No,   Any,  Any], Content::BadBody),
    ([No,    Yes,   Yes,  No,   Any], Content::Unlinked),
    ([No,    Yes,   Yes,  Yes,  No ], Content::OtherSeq),
    ([No,    Yes,   Yes,  Yes,  Yes], Content::Next),
];

impl FrameFacts {
    fn list(self) -> [bool; 5] {
        [self.zeros, self.header_ok, self.body_ok, self.linked, self.seq_ok]
    }

    /// What stands there.
    pub(crate) fn content(self) -> Content {
        decide(&FRAME_TABLE, self.list())
    }
}

/// Facts about a place and what is known around it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PlaceFacts {
    /// The next frame stands here.
    pub(crate) next: bool,
    /// Something outside proves that the next frame was on the disk: a mark, or the segment that follows.
    pub(crate) promised: bool,
    /// A valid footer begins here, and it says that the last frame was the last.
    pub(crate) footer_here: bool,
    /// Another segment follows, and all the frames before it were met.
    pub(crate) whole: bool,
    /// No segment follows.
    pub(crate) last: bool,
    /// Behind this place stands a frame of a batch later than the one missing here.
    pub(crate) later_batch: bool,
    /// From here to the end of the file all is zero.
    pub(crate) rest_zero: bool,
}

type PlaceRow = ([If; 7], Verdict);

#[rustfmt::skip]
const PLACE_TABLE: [PlaceRow; 9] = [
    // next promised footer whole last later zero
    ([Yes,  Any,     Any,   No,   Any, Any,  Any], Verdict::Frame),
    // The segment that follows begins with this very Seq.
    ([Yes,  Any,     Any,   Yes,  Any, Any,  Any], Verdict::Corrupt),
    ([No,   Yes,     Any,   Any,  Any, Any,  Any], Verdict::Corrupt),
    ([No,   No,      Yes,   Any,  Any, Any,  Any], Verdict::Sealed),
    // What follows is what a crash left of a footer, or zeros written ahead.
    ([No,   No,      No,    Yes,  Any, Any,  Any], Verdict::UnfinishedSeal),
    // Neither last nor whole and yet nothing promised: callers promise every frame of such a segment.
    ([No,   No,      No,    No,   No,  Any,  Any], Verdict::Corrupt),
    ([No,   No,      No,    No,   Yes, Yes,  Any], Verdict::Corrupt),
    ([No,   No,      No,    No,   Yes, No,   Yes], Verdict::End),
    ([No,   No,      No,    No,   Yes, No,   No ], Verdict::TornTail),
];

impl PlaceFacts {
    fn list(self) -> [bool; 7] {
        [self.next, self.promised, self.footer_here, self.whole, self.last, self.later_batch, self.rest_zero]
    }

    /// What the place means.
    pub(crate) fn verdict(self) -> Verdict {
        decide(&PLACE_TABLE, self.list())
    }
}

fn decide<const N: usize, A: Copy>(table: &[([If; N], A)], facts: [bool; N]) -> A {
    let row = table.iter().find(|(conditions, _)| matches(conditions, facts));
    row.expect("the rows cover every case, as a test shows").1
}

fn matches<const N: usize>(conditions: &[If; N], facts: [bool; N]) -> bool {
    conditions.iter().zip(facts).all(|(condition, fact)| condition.holds(fact))
}

#[cfg(test)]
mod tests;
