//! Positions and times: [`Seq`] and [`Timestamp`].
//!
//! Invariant: both are ordered, and arithmetic on them is checked: near the end of their range it is refused, never
//! wrapped.

use std::fmt;

/// Position of a commit in the log's total order: dense, from 1.
///
/// [`Seq::ZERO`] stands for "before the first commit".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first commit.
    pub const ZERO: Seq = Seq(0);
    /// The first commit of a store.
    pub const FIRST: Seq = Seq(1);
    /// The last position there can be.
    pub const MAX: Seq = Seq(u64::MAX);

    /// The position after this one, or `None` at the end of the range.
    #[must_use]
    pub fn next(self) -> Option<Seq> {
        self.0.checked_add(1).map(Seq)
    }

    /// The position before this one; [`Seq::ZERO`] stays where it is.
    #[must_use]
    pub fn prev(self) -> Seq {
        Seq(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Microseconds since 1970-01-01T00:00:00Z; negative before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The earliest moment.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The last moment there can be.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The stamp of the commit after one stamped `self`, when the wall clock says `wall`: `max(wall, self + 1)`.
    ///
    /// `None` at the end of the range.
    #[must_use]
    pub fn stamp_after(self, wall: Timestamp) -> Option<Timestamp> {
        self.0.checked_add(1).map(|next| Timestamp(wall.0.max(next)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}µs", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_and_after_end_where_the_range_does() {
        assert_eq!((Seq(7).prev(), Seq::ZERO.prev()), (Seq(6), Seq::ZERO));
        assert_eq!((Seq(7).next(), Seq::MAX.next()), (Some(Seq(8)), None));
        assert_eq!(Timestamp(7).stamp_after(Timestamp(5)), Some(Timestamp(8)));
        assert_eq!(Timestamp(7).stamp_after(Timestamp(9)), Some(Timestamp(9)));
        assert_eq!(Timestamp::MAX.stamp_after(Timestamp(9)), None);
    }

    #[test]
    fn they_are_shown_as_numbers() {
        assert_eq!((Seq(7).to_string(), Timestamp(-7).to_string()), ("7".to_owned(), "-7µs".to_owned()));
        assert_eq!(format!("{:>3}", Seq(7)), "  7");
    }
}
