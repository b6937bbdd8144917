//! All figures, one file for each group.

mod bare_loop;
mod each;

use crate::figure::Figure;

/// In the order of the table.
pub(crate) const ALL: &[Figure] = &[bare_loop::THREADS, each::EACH];
