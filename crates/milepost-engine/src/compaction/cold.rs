//! [`ColdFrom`]: which segments are to be compressed, by the age of their newest commit.
//!
//! Segments mix scopes, so no prefix speaks of one: what the root's policy says holds for all.

use milepost_log::{SegmentKind, SegmentStats};
use milepost_types::Timestamp;

use crate::retention::Rules;

/// Segments whose newest commit is not later are cold; `None` for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColdFrom(Option<Timestamp>);

impl ColdFrom {
    /// All that are sealed.
    pub(crate) const ALL: ColdFrom = ColdFrom(Some(Timestamp::MAX));

    /// As the root's policy says it now.
    pub(crate) fn by(rules: &Rules, now: Timestamp) -> ColdFrom {
        let age = rules.root().and_then(|policy| policy.cold_after_us);
        ColdFrom(age.map(|age| Timestamp(now.0.saturating_sub_unsigned(age))))
    }

    /// Whether a segment is to be compressed, and is not yet.
    pub(crate) fn is_due(self, segment: &SegmentStats) -> bool {
        let is_old = self.0.zip(segment.last_at).is_some_and(|(from, last)| last <= from);
        is_old && is_sealed(segment) && segment.kind != SegmentKind::Cold
    }
}

/// Whether a segment can be written anew.
pub(crate) fn is_sealed(segment: &SegmentStats) -> bool {
    matches!(segment.kind, SegmentKind::Sealed | SegmentKind::Rewritten | SegmentKind::Cold)
}
