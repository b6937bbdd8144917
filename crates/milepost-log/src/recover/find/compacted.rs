//! What compaction has left of segments, on a walk over the log: those that were written anew, and those that are gone.

use std::sync::Arc;

use milepost_io::Map;
use milepost_types::{Corruption, Seq};

use super::{Finder, Segment};
use crate::{
    FrameView, KnownSegment, LogError,
    chain::Chain,
    format::footer::FooterView,
    names,
    recover::{Visit, kept::walk_kept, scan::Stop},
    segment::{DroppedPart, Offsets, Part, Sealed},
};

impl Finder<'_> {
    /// Commits that were dropped with their segments: the manifest alone knows of them.
    pub(super) fn pass_dropped(&mut self, known: KnownSegment) -> Result<(), LogError> {
        let facts = known.dropped.expect("asked by the caller");
        let path = names::segment(&names::log_dir(self.dir), known.name());
        let corrupt =
            |what: String| LogError::Corrupt(Corruption { file: path, offset: 0, seq: Some(known.first_seq), what });
        let Some(part) = DroppedPart::new(known.name(), known.first_seq, facts) else {
            return Err(corrupt("the manifest says of a dropped segment what can't be".to_owned()));
        };
        if let Some(expected) = self.chain.map(|chain| chain.next_seq).filter(|expected| *expected != known.first_seq) {
            let found = known.first_seq;
            return Err(corrupt(format!("the dropped segment begins with seq {found}, expected was {expected}")));
        }
        let next_seq = Seq(facts.last_seq.0 + 1);
        let (prev_crc, epoch) = self.chain.map_or((0, 0), |chain| (chain.prev_crc, chain.epoch));
        self.chain = Some(Chain { prev_crc, epoch, next_seq, last_at: facts.last_at, batch_first: next_seq });
        self.parts.push(Part::Dropped(Arc::new(part)));
        Ok(())
    }

    /// A segment that was written anew: its footer says which frames must be there, and no others.
    pub(super) fn walk_rewritten(
        &mut self,
        mut segment: Segment,
        map: Map,
        footer: FooterView,
        visit: &mut Visit<'_>,
    ) -> Result<(), LogError> {
        let (header, path) = (segment.header, segment.path.clone());
        let offsets = Offsets::of_footer(footer);
        let sealed = Sealed::new(&header, path.clone(), map.clone(), offsets, footer.first_at, footer.frames_end);
        let unreadable = |offset, what| {
            LogError::Corrupt(Corruption { file: path.clone(), offset, seq: Some(header.first_seq), what })
        };
        map.will_need(0..map.len());
        map.check_readable(0..map.len()).map_err(|fault| unreadable(fault.at as u64, fault.to_string()))?;
        let follows = segment.expected.next_first.is_none_or(|next| next.prev() == footer.last_seq);
        if footer.first_seq != header.first_seq || !follows {
            let what = "the footer does not say what the manifest or the next segment says".to_owned();
            return Err(segment.corrupt(footer.begins_at, what));
        }
        let walked = walk_kept(&map, &header, &footer, &mut segment.position, &mut |frame, index, at| {
            sealed.set_checked(index);
            visit(FrameView::of(frame, header.name(), at as u64))
        });
        match walked {
            Stop::Sealed => {}
            Stop::Interrupted => return Err(LogError::Interrupted { seq: segment.position.chain.next_seq }),
            Stop::Corrupt(what) => return Err(segment.corrupt(segment.position.at, what)),
            Stop::End | Stop::Torn(_) | Stop::UnfinishedSeal => unreachable!("of segments as they were first written"),
        }
        self.parts.push(Part::of_sealed(sealed));
        self.chain = Some(segment.position.chain);
        Ok(())
    }
}
